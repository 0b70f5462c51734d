//! Notify FIFOs, and who follows whom in `lvs_sync_daemon`.

use super::Resolver;
use crate::conf::Draft as All;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::global_notify::Fifo as Draft;
use alloc::format;
use alloc::string::{String, ToString};
use ipc::config::Bundle;
use ipc::config::check::{Correspondent, VrrpMail};
use ipc::config::identity::{Fifo, Fifos};
use ipc::config::lvs::{Lvs, SyncDaemon};
use ipc::config::script::{Asker, LvsNames, ScriptKind};
use ipc::config::vrrp::Switch;
use ipc::msg::compile::Parts;
use ipc::table::Table;

impl Resolver<'_, '_> {
    /// COMPAT: keepalived 2.4.3: a FIFO of VRRP or of servers that is the common one is dropped.
    pub(super) fn fifos(&mut self, draft: &All) {
        let g = &draft.global.fifos;
        self.scripts.fifos.all = self.fifo(&g.all, "notify_fifo", None);
        self.scripts.fifos.vrrp = self.fifo(&g.vrrp, "vrrp_notify_fifo", Some(&g.all));
        self.scripts.fifos.lvs = self.fifo(&g.lvs, "lvs_notify_fifo", Some(&g.all));
        self.scripts.fifos.states_on_reload = g.states_on_reload;
    }

    /// Who has to say what of changes, and by which names of servers.
    pub(super) fn listeners(&mut self, bundle: &mut Bundle) {
        let Fifos { all, vrrp, lvs, states_on_reload } = &self.scripts.fifos;
        let anybody = |own: &Option<Fifo>| if all.is_some() || own.is_some() { Switch::On } else { Switch::Off };
        bundle.check.vrrp_mail = correspondents(bundle);
        self.scripts.vrrp_mail = if bundle.check.vrrp_mail == VrrpMail::default() { Switch::Off } else { Switch::On };
        bundle.vrrp.globals.news = anybody(vrrp).max(self.scripts.vrrp_mail);
        bundle.vrrp.globals.news_on_reload = *states_on_reload;
        bundle.vrrp.globals.json_version = self.scripts.identity.json_version;
        bundle.check.news = anybody(lvs);
        if bundle.check.news == Switch::On {
            let services = bundle.check.services.rows().iter().map(|service| service.label.clone());
            let reals = bundle.check.reals.rows().iter().map(|real| (real.label.to_string(), real.service));
            self.scripts.lvs_names = LvsNames { services: services.collect(), reals: reals.collect() };
        }
    }

    fn fifo(&mut self, d: &Draft, keyword: &str, common: Option<&Draft>) -> Option<Fifo> {
        let Some(path) = &d.path else {
            if let Some(script) = &d.script {
                let message = format!("`{keyword}_script` has no `{keyword}` to read");
                self.r.diags.push(Diagnostic::warning(Code::UNUSED, script.span, message).label("not run"));
            }
            return None;
        };
        if let Some(first) = common.and_then(|c| c.path.as_ref()).filter(|c| c.value.0 == path.value.0) {
            let message = format!("`{keyword}` is the FIFO of `notify_fifo` already");
            let again = Diagnostic::warning(Code::DUPLICATE, path.span, message).label("ignored");
            self.r.diags.push(again.also(first.span, "the first one"));
            return None;
        }
        let script = d.script.as_ref().and_then(|s| {
            self.script(&s.value, None, format!("{keyword}_script"), ScriptKind::Reader, Asker::Supervisor)
        });
        Some(Fifo { path: path.value.0.clone(), owner: path.value.1.clone(), script })
    }

    /// Whether there is an instance that can be used; with `-C` none is looked at closely.
    fn has_instance(&self, draft: &All, name: &str) -> bool {
        draft.instances.iter().any(|i| i.name.value == name)
            && (self.facts.parts == Parts::CheckOnly || self.scripts.instances.rows().iter().any(|i| i == name))
    }

    /// The instance that the synchronisation follows must exist.
    pub(super) fn lvs(&mut self, draft: &All) -> Lvs {
        let mut lvs = draft.global.lvs.clone();
        if let Some(name) = &draft.global.sync_instance
            && !self.has_instance(draft, &name.value)
        {
            let message = format!("there is no `vrrp_instance {}`", name.value);
            let unknown = Diagnostic::error(Code::UNDEFINED, name.span, message);
            self.r.diags.push(unknown.label("`lvs_sync_daemon` is ignored"));
            lvs.sync = None;
        }
        self.old_sync(draft, &mut lvs);
        if let Some(sync) = &mut lvs.sync
            && sync.id.is_none()
        {
            // COMPAT: keepalived 2.2.7: the virtual router id of the instance.
            let instance = draft.instances.iter().find(|i| Some(&i.name.value) == sync.instance.as_ref());
            sync.id = instance.and_then(|i| i.vrid.as_ref()).map(|vrid| vrid.value);
        }
        lvs
    }

    /// `lvs_sync_daemon_interface`. COMPAT: keepalived 2.2.7, measured: `lvs_sync_daemon` counts before it, and the first of several; the
    /// number of the synchronisation is 0.
    fn old_sync(&mut self, draft: &All, lvs: &mut Lvs) {
        let mut taken = draft.global.lvs.sync.is_some();
        for instance in &draft.instances {
            let Some(link) = &instance.more.sync_daemon else { continue };
            if core::mem::replace(&mut taken, true) {
                let message = "there is a synchronisation already";
                self.r.diags.push(Diagnostic::warning(Code::DUPLICATE, link.span, message).label("ignored"));
                continue;
            }
            lvs.sync = Some(SyncDaemon {
                link: link.value.clone(),
                instance: Some(instance.name.value.clone()),
                id: Some(0),
                max_length: None,
                port: None,
                ttl: None,
                group: None,
            });
        }
    }
}

/// Who is written about, when there is anybody to write to and anything to write about.
fn correspondents(bundle: &Bundle) -> VrrpMail {
    let mail = &bundle.check.mail;
    let vrrp = &bundle.vrrp;
    let of = |name: &String, alert: Option<Switch>| Correspondent {
        name: name.clone(),
        alert: alert.unwrap_or(Switch::Off),
    };
    let instances: Table<_, _> = vrrp
        .instances
        .iter()
        .map(|(index, instance)| of(&instance.name, vrrp.options.at(index).map(|options| options.smtp_alert)))
        .collect();
    let groups: Table<_, _> = vrrp
        .groups
        .iter()
        .map(|(index, group)| of(&group.name, vrrp.group_options.at(index).map(|options| options.smtp_alert)))
        .collect();
    let anybody = instances.rows().iter().chain(groups.rows()).any(|who| who.alert == Switch::On);
    if !mail.has_server() || mail.to.is_empty() || !anybody {
        return VrrpMail::default();
    }
    VrrpMail { instances, groups }
}
