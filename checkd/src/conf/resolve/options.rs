//! What an instance asks for beside the protocol itself, and what `strict_mode` makes of it.

use super::Resolver;
use crate::conf::Draft as All;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::hmac::Hmac as HmacDraft;
use crate::conf::keyword::At;
use crate::conf::track::Use;
use crate::conf::value::secs;
use crate::conf::vrrp::Instance as Draft;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::bfd::Told;
use ipc::config::file::FileWeight;
use ipc::config::script::{Asker, ScriptKind};
use ipc::config::shown::Shown;
use ipc::config::vrrp::{Instance, Preemption, Switch, VrrpConfig, Weight};
use ipc::config::vrrp_options::{
    Accept, Hmac, InstanceOptions, NotifyDeleted, TrackBfdUse, TrackFileUse, TrackProcessUse,
};
use ipc::config::vrrp_track::{GarpGroup, LinkDelays, Linkbeat, ParamMatch, TrackProcess};
use ipc::config::{BfdIdx, FileIdx, TrackProcessIdx};
use ipc::table::Index;

/// Processes by name, with the weight of their block.
pub(super) type Processes = BTreeMap<String, (TrackProcessIdx, Weight)>;

impl Resolver<'_, '_> {
    /// `vrrp_track_process` blocks. COMPAT: the first of a name counts.
    pub(super) fn process_table(&mut self, draft: &All, vrrp: &mut VrrpConfig) -> Processes {
        let mut processes = Processes::new();
        for d in &draft.vrrp.processes {
            let name = &d.name.value;
            if d.process.is_empty() {
                let message = format!("`vrrp_track_process {name}` has no `process`");
                self.r.diags.push(Diagnostic::error(Code::INCOMPLETE, d.name.span, message).label("ignored"));
                continue;
            }
            if processes.contains_key(name) {
                let message = format!("there are two `vrrp_track_process {name}`; the first one counts");
                self.r.diags.push(Diagnostic::warning(Code::DUPLICATE, d.name.span, message).label("ignored"));
                continue;
            }
            let mut most = d.most.as_ref().map(|m| m.value);
            let mut least = d.least.as_ref().map_or(1, |l| l.value);
            if most == Some(0) {
                least = 0; // COMPAT: success is that none runs
            }
            if let Some(at) = d.most.as_ref().filter(|m| m.value < least) {
                let message = format!("`quorum_max` {} is below `quorum` {least}", at.value);
                self.r.diags.push(Diagnostic::error(Code::CONFLICT, at.span, message).label("ignored"));
                most = None;
            }
            let default = if d.process.len() > 1 { ParamMatch::Exact } else { ParamMatch::Any };
            let weight = d.weight.as_ref().map_or(super::trackers::FAULT, |w| w.value);
            let row = TrackProcess {
                name: name.clone(),
                origin: self.r.sources.origin(d.span),
                process: d.process.clone(),
                params: d.params.as_ref().map_or(default, |p| p.value),
                full_command: d.full_command,
                weight,
                least,
                most,
                fork_delay: d.fork_delay.as_ref().map_or(secs(0), |t| t.value),
                terminate_delay: d.terminate_delay.as_ref().map_or(secs(0), |t| t.value),
            };
            if let Ok(index) = vrrp.track_processes.push(row) {
                processes.insert(name.clone(), (index, weight));
            }
        }
        processes
    }

    /// The lines of a `track_process` block.
    pub(super) fn process_uses(&mut self, uses: &[Use], processes: &Processes) -> Vec<TrackProcessUse> {
        let mut list = Vec::new();
        for line in uses {
            match processes.get(&line.name.value) {
                Some((process, weight)) => {
                    list.push(TrackProcessUse { process: *process, weight: line.weight.unwrap_or(*weight) });
                }
                None => {
                    let message = format!("there is no `vrrp_track_process {}`", line.name.value);
                    let mut undefined = Diagnostic::error(Code::UNDEFINED, line.span, message).label("ignored");
                    if let Some(near) = self.r.nearest(&line.name.value, processes.keys().map(String::as_str)) {
                        undefined = undefined.help(format!("did you mean `{near}`?")).patch(line.name.span, near);
                    }
                    self.r.diags.push(undefined);
                }
            }
        }
        list
    }

    /// The lines of a `track_file` block.
    pub(super) fn file_uses(&mut self, uses: &[Use], all: &All) -> Vec<TrackFileUse> {
        let mut list = Vec::new();
        for line in uses {
            let found = self.places.files.get(line.name.value.as_str()).copied();
            let Some((place, block)) = found.and_then(|at| Some((at, all.files.get(at)?))) else {
                self.no_such(line, "track_file", all.files.iter().map(|f| f.name.value.as_str()));
                continue;
            };
            let FileWeight { value, reverse } = block.weight.unwrap_or(super::checkers::ONCE);
            let own = Weight { value: i16::try_from(value).unwrap_or(0), reverse }; // ±254: its reader sees to it
            let file = FileIdx::from_usize(place);
            list.extend(file.map(|file| TrackFileUse { file, weight: line.weight.unwrap_or(own) }));
        }
        list
    }

    /// The lines of a `track_bfd` block.
    pub(super) fn bfd_uses(&mut self, uses: &[Use], all: &All) -> Vec<TrackBfdUse> {
        let mut list = Vec::new();
        for line in uses {
            let found = self.places.bfds.get(line.name.value.as_str()).copied();
            let Some((place, block)) = found.and_then(|at| Some((at, all.bfds.get(at)?))) else {
                self.no_such(line, "bfd_instance", all.bfds.iter().map(|b| b.name.value.as_str()));
                continue;
            };
            if block.told == Told::Checker {
                // COMPAT: keepalived 2.2.7, measured.
                let message = format!("`bfd_instance {}` is for checkers alone", line.name.value);
                let ignored = Diagnostic::warning(Code::CONFLICT, line.span, message).label("ignored");
                self.r.diags.push(ignored.help("say `vrrp` in its block as well, or leave `checker` out"));
                continue;
            }
            let own = block.weight.unwrap_or(super::trackers::FAULT);
            let bfd = BfdIdx::from_usize(place);
            list.extend(bfd.map(|bfd| TrackBfdUse { bfd, weight: line.weight.unwrap_or(own) }));
        }
        list
    }

    fn no_such<'n>(&mut self, line: &Use, kind: &str, names: impl Iterator<Item = &'n str>) {
        let message = format!("there is no `{kind} {}`", line.name.value);
        let mut undefined = Diagnostic::error(Code::UNDEFINED, line.span, message).label("ignored");
        if let Some(near) = self.r.nearest(&line.name.value, names) {
            undefined = undefined.help(format!("did you mean `{near}`?")).patch(line.name.span, near);
        }
        self.r.diags.push(undefined);
    }

    /// `garp_group`, `linkbeat_interfaces`, `interface_up_down_delays`.
    pub(super) fn link_settings(&mut self, draft: &All, vrrp: &mut VrrpConfig) {
        let mut taken: BTreeMap<&str, &At<String>> = BTreeMap::new();
        for d in &draft.vrrp.garp_groups {
            if d.garp.is_none() && d.gna.is_none() {
                let message = "a `garp_group` has `garp_interval` or `gna_interval`";
                self.r.diags.push(Diagnostic::error(Code::INCOMPLETE, d.span, message).label("ignored"));
                continue;
            }
            let mut links = Vec::new();
            for name in &d.links {
                if let Some(first) = taken.get(name.value.as_str()) {
                    let message = format!("`{}` is in a `garp_group` already", name.value);
                    let again = Diagnostic::error(Code::DUPLICATE, name.span, message).label("ignored");
                    self.r.diags.push(again.also(first.span, "here"));
                    continue;
                }
                taken.insert(&name.value, name);
                links.extend(self.link(name));
            }
            if links.is_empty() {
                let message = "this `garp_group` has no interface";
                self.r.diags.push(Diagnostic::error(Code::INCOMPLETE, d.span, message).label("ignored"));
                continue;
            }
            let time = |t: &Option<At<_>>| t.as_ref().map_or(secs(0), |t| t.value);
            vrrp.garp_groups.push(GarpGroup { garp_interval: time(&d.garp), gna_interval: time(&d.gna), links });
        }
        for (name, by) in &draft.vrrp.linkbeats {
            vrrp.linkbeats.extend(self.link(name).map(|link| Linkbeat { link, by: *by }));
        }
        for (name, down, up) in &draft.vrrp.delays {
            vrrp.link_delays.extend(self.link(name).map(|link| LinkDelays { link, down: *down, up: *up }));
        }
    }

    /// What the instance asks for. `None` when it must not run: unsigned, it would be deaf to its peers and a second master.
    pub(super) fn options(
        &mut self,
        d: &Draft,
        all: &All,
        instance: &Instance,
        processes: &Processes,
    ) -> Option<InstanceOptions> {
        let (more, g) = (&d.more, &all.global);
        let strict = super::strict::asked(d, g);
        let hmac = match &more.hmac {
            Some(hmac) => Some(self.hmac(d, hmac, instance)?),
            None => None,
        };
        let accept = match &more.accept {
            Some(accept) => accept.value,
            None if strict == Switch::On && instance.priority != 255 => Accept::Drop,
            None => Accept::Accept,
        };
        let waits = instance.preemption == Preemption::NoPreempt;
        if let Some(at) = more.timer_expired_backup.as_ref().filter(|_| !waits) {
            let message = "`timer_expired_backup` has no effect without `nopreempt`";
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, at.span, message).label("ignored"));
        }
        if let (Some(vmac), Some(ipvlan)) = (&more.vmac, &more.ipvlan) {
            let message = "`use_vmac` and `use_ipvlan` do not go together";
            let both = Diagnostic::error(Code::CONFLICT, ipvlan.span, message).label("ignored");
            self.r.diags.push(both.also(vmac.span, "because of this"));
        }
        let label = format!("notify_deleted of vrrp_instance {}", d.name.value);
        let notify_deleted = match more.notify_deleted.as_ref().map(|n| &n.value) {
            None => NotifyDeleted::AsFault,
            Some(None) => NotifyDeleted::Deleted,
            Some(Some(command)) => self
                .script(command, None, label, ScriptKind::Event, Asker::Vrrp)
                .map_or(NotifyDeleted::Deleted, NotifyDeleted::Run),
        };
        Some(InstanceOptions {
            strict,
            accept,
            vmac: more.vmac.as_ref().map(|v| v.value.clone()),
            ipvlan: more.ipvlan.as_ref().filter(|_| more.vmac.is_none()).map(|v| v.value.clone()),
            own_link: None, // once the interface is there
            vmac_addr: more.vmac_addr,
            vmac_links: Vec::new(), // with it
            vmac_xmit_base: more.vmac_xmit_base,
            promote_secondaries: more.promote_secondaries,
            hmac,
            unicast_fault_no_peer: if d.unicast_words.is_some() { more.unicast_fault_no_peer } else { Switch::Off },
            old_unicast_checksum: more.old_unicast_checksum,
            timer_expired_backup: more.timer_expired_backup.as_ref().filter(|_| waits).map(|t| t.value),
            vrf: more.vrf.as_ref().and_then(|name| self.link(name)),
            receive_buffer: more.receive_buffer.as_ref().map(|b| b.value),
            linkbeat_polling: more.linkbeat_polling,
            debug: more.debug.as_ref().map_or(0, |n| n.value),
            garp_extra: more.garp_extra.unwrap_or(g.vrrp.garp_extra),
            track_files: self.file_uses(&more.track_files, all),
            track_processes: self.process_uses(&more.track_processes, processes),
            track_bfds: self.bfd_uses(&more.track_bfds, all),
            notify_deleted,
            notify_priority_changes: more.notify_priority_changes.unwrap_or(g.vrrp.notify_priority_changes),
            smtp_alert: alert(more.smtp_alert, all),
            shown: Shown::default(), // when all is there
        })
    }

    /// An `auth_hmac` block. A key that signs and is not there refuses the configuration: keepalived 2.4.3 goes on without signatures.
    fn hmac(&mut self, d: &Draft, hmac: &HmacDraft, instance: &Instance) -> Option<Hmac> {
        let name = &d.name.value;
        let Some(active) = &hmac.active else {
            let message = format!("`auth_hmac` of `vrrp_instance {name}` has no `active_key`");
            self.r.diags.push(Diagnostic::fatal(Code::INCOMPLETE, hmac.span, message).help("active_key 1"));
            return None;
        };
        if !hmac.keys.iter().any(|(id, _)| id.value == active.value) {
            let message = format!("`active_key` {} is not a key of this block", active.value);
            self.r.diags.push(Diagnostic::fatal(Code::UNDEFINED, active.span, message));
            return None;
        }
        let window = instance.advert_int.as_secs().saturating_mul(3).clamp(5, 300);
        Some(Hmac {
            keys: hmac.keys.iter().map(|(id, key)| (id.value, key.clone())).collect(),
            active: active.value,
            anti_replay: hmac.anti_replay,
            window: hmac.window.as_ref().map_or(secs(window), |w| w.value),
            mode: hmac.mode.as_ref().map_or_else(Default::default, |m| m.value),
        })
    }
}

/// Whether an instance or a group mails. COMPAT: keepalived 2.4.3: its own word, `smtp_alert_vrrp`, `smtp_alert`, no.
pub(super) fn alert(own: Option<Switch>, all: &All) -> Switch {
    let mail = &all.global.mail;
    own.or(mail.alert_vrrp).or(mail.alert).unwrap_or_default()
}

/// COMPAT: keepalived 2.4.3: a member of a sync group tracks its own files without weight; 1, which is what a file has that
/// has none, counts as none, and one with another is left out.
pub(super) fn unweigh_files(files: &mut Vec<TrackFileUse>) {
    files.retain(|used| matches!(used.weight.value, 0 | 1));
    files.iter_mut().for_each(|used| used.weight.value = 0);
}
