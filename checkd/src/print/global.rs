//! `global_defs` and `SSL`.

use super::Printer;
use super::identity::run_as;
use super::value::{Value, int};
use super::words;
use super::writer::Writer;
use core::fmt;
use ipc::config::check::CheckConfig;
use ipc::config::global::Mail;
use ipc::config::ipvs::OnRemoval;
use ipc::config::lvs::{FlushOnStop, Lvs, SyncDaemon};
use ipc::config::probe::TlsContext;
use ipc::config::script::{ScriptConfig, ScriptSecurity, SymlinkPaths};

impl Printer<'_> {
    pub(super) fn global_defs(self, w: &mut Writer<'_>) -> fmt::Result {
        let CheckConfig { mail, router_id, log_all_failures, rs_init_notifies, separate, .. } = self.check; // the rest: blocks
        w.block("global_defs", |w| {
            w.field("router_id", Value::Text(router_id))?;
            mail_settings(w, mail)?;
            self.scripts(w)?;
            self.identity(w)?;
            self.fifos(w)?;
            self.vrrp_globals(w)?;
            w.field("checker_log_all_failures", Value::Switch(*log_all_failures))?;
            w.field("rs_init_notifies", Value::Switch(*rs_init_notifies))?;
            let merge = *separate == words::switch(false);
            w.unless(merge, "checker_merge", Value::Switch(words::switch(merge)))?;
            let (usual, word) = match self.ipvs.on_removal {
                OnRemoval::Restore => (true, "restore"),
                OnRemoval::Backup => (false, "backup"),
            };
            w.unless(usual, "vrrp_on_external_removal", Value::Text(word))?;
            lvs(w, &self.ipvs.lvs)?;
            self.process_defs(w)
        })
    }

    fn scripts(self, w: &mut Writer<'_>) -> fmt::Result {
        let ScriptConfig {
            files: _,
            processes: _,
            ping: _,
            ping_marked: _,
            kernel: _, // follows from instances
            security,
            default_user,
            symlinks,
            startup,
            shutdown,
            // Commands are printed where they are used.
            scripts: _,
            instances: _,
            groups: _,
            services: _,
            bfds: _,
            reals: _,
            // By Printer::identity, fifos, process.
            identity: _,
            fifos: _,
            vrrp_mail: _, // what smtp_alert means
            lvs_names: _, // labels of what is printed
            child_wait: _,
            process: _,
        } = self.script;
        if let Some(user) = default_user {
            w.statement("script_user", |w| run_as(w, user))?;
        }
        w.flag("enable_script_security", words::switch(*security == ScriptSecurity::On))?;
        let keep = words::switch(*symlinks == SymlinkPaths::Keep);
        w.unless(*symlinks == SymlinkPaths::Resolve, "use_symlink_paths", Value::Switch(keep))?;
        self.maybe_command(w, "startup_script", startup.map(|(script, _)| script))?;
        w.maybe("startup_script_timeout", startup.map(|(_, timeout)| Value::Seconds(timeout)))?;
        self.maybe_command(w, "shutdown_script", shutdown.map(|(script, _)| script))?;
        w.maybe("shutdown_script_timeout", shutdown.map(|(_, timeout)| Value::Seconds(timeout)))
    }

    /// `SSL`
    pub(super) fn tls(self, w: &mut Writer<'_>) -> fmt::Result {
        // What is in the files is theirs.
        let TlsContext { password, ca, certificate, key, files: _ } = &self.check.tls;
        if password.is_none() && [ca, certificate, key].into_iter().all(Option::is_none) {
            return Ok(());
        }
        w.block("SSL", |w| {
            w.maybe("password", password.as_ref().map(|p| Value::Secret(p.reveal())))?;
            w.maybe("ca", ca.as_deref().map(Value::Text))?;
            w.maybe("certificate", certificate.as_deref().map(Value::Text))?;
            w.maybe("key", key.as_deref().map(Value::Text))
        })
    }
}

fn mail_settings(w: &mut Writer<'_>, mail: &Mail) -> fmt::Result {
    let Mail {
        to,
        from,
        server,
        server_name,
        resolvers: _,  // the machine's
        search: _,     // the machine's
        local_name: _, // the machine's
        helo,
        timeout,
        alert,
        alert_vrrp,
        alert_checker,
        no_faults,
        no_checkers,
    } = mail;
    w.lines("notification_email", to.iter().map(|to| Value::Text(to)))?;
    w.maybe("notification_email_from", from.as_deref().map(Value::Text))?;
    if let Some((name, port)) = server_name {
        w.statement("smtp_server", |w| {
            w.bare("host", Value::Text(name))?;
            w.bare("port", int(*port))
        })?;
    } else if let Some(server) = server {
        w.statement("smtp_server", |w| {
            w.bare("host", Value::Shown(&server.ip()))?;
            w.bare("port", int(server.port()))
        })?;
    }
    w.maybe("smtp_helo_name", helo.as_deref().map(Value::Text))?;
    w.field("smtp_connect_timeout", Value::Seconds(*timeout))?;
    w.maybe("smtp_alert", alert.map(Value::Switch))?;
    w.maybe("smtp_alert_vrrp", alert_vrrp.map(Value::Switch))?;
    w.maybe("smtp_alert_checker", alert_checker.map(Value::Switch))?;
    w.flag("no_email_faults", *no_faults)?;
    w.field("no_checker_emails", Value::Switch(*no_checkers))
}

fn lvs(w: &mut Writer<'_>, lvs: &Lvs) -> fmt::Result {
    let Lvs { tcp_timeout, tcp_fin_timeout, udp_timeout, flush, flush_on_stop, sync } = lvs;
    if tcp_timeout.or(*tcp_fin_timeout).or(*udp_timeout).is_some() {
        w.statement("lvs_timeouts", |w| {
            w.maybe("tcp", tcp_timeout.map(int))?;
            w.maybe("tcpfin", tcp_fin_timeout.map(int))?;
            w.maybe("udp", udp_timeout.map(int))
        })?;
    }
    w.flag("lvs_flush", *flush)?;
    match flush_on_stop {
        FlushOnStop::No => {}
        FlushOnStop::All => {
            w.text_only(|w| w.alone("lvs_flush_on_stop"))?;
            w.json_only("lvs_flush_on_stop", Value::Text("all"))?;
        }
        FlushOnStop::Services => w.field("lvs_flush_on_stop", Value::Text("VS"))?,
    }
    sync.as_ref().map_or(Ok(()), |sync| w.statement("lvs_sync_daemon", |w| sync_daemon(w, sync)))
}

fn sync_daemon(w: &mut Writer<'_>, sync: &SyncDaemon) -> fmt::Result {
    let SyncDaemon { link, instance, id, max_length, port, ttl, group } = sync;
    w.bare("interface", Value::Text(link))?;
    w.maybe("inst", instance.as_deref().map(Value::Text))?;
    w.maybe("id", id.map(int))?;
    w.maybe("maxlen", max_length.map(int))?;
    w.maybe("port", port.map(int))?;
    w.maybe("ttl", ttl.map(int))?;
    w.maybe("group", group.as_ref().map(|ip| Value::Shown(ip)))
}
