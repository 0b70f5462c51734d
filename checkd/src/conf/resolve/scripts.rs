//! Commands: what the supervisor may execute.

use super::Resolver;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::keyword::At;
use crate::conf::notify::Notify as Draft;
use crate::conf::script::Command;
use alloc::format;
use alloc::string::String;
use ipc::config::ScriptIdx;
use ipc::config::script::{RunAs, Script, ScriptKind};
use ipc::config::vrrp::Notify;

impl Resolver<'_, '_> {
    /// Lists a command. `user` is for those whose user stands in a statement of its own.
    pub(super) fn script(
        &mut self,
        command: &Command,
        user: Option<&RunAs>,
        label: String,
        kind: ScriptKind,
    ) -> Option<ScriptIdx> {
        let script = Script {
            argv: command.argv.clone(),
            run_as: command.run_as.as_ref().or(user).cloned(),
            label,
            origin: self.r.sources.origin(command.span),
            kind,
        };
        let listed = self.scripts.scripts.push(script).ok();
        if listed.is_none() {
            let message = "the configuration lists more than 65536 commands";
            self.r.diags.push(Diagnostic::error(Code::TOO_MANY, command.span, message).label("not run"));
        }
        listed
    }

    /// A command that is told of an event.
    pub(super) fn event(&mut self, command: &Option<At<Command>>, keyword: &str, of: &str) -> Option<ScriptIdx> {
        let kind = if keyword == "notify" { ScriptKind::Generic } else { ScriptKind::Event };
        command.as_ref().and_then(|c| self.script(&c.value, None, format!("{keyword} of {of}"), kind))
    }

    /// The notify scripts of an instance or a group.
    pub(super) fn notify(&mut self, draft: &Draft, of: &str) -> Notify {
        Notify {
            master: self.event(&draft.master, "notify_master", of),
            backup: self.event(&draft.backup, "notify_backup", of),
            fault: self.event(&draft.fault, "notify_fault", of),
            stop: self.event(&draft.stop, "notify_stop", of),
            generic: self.event(&draft.generic, "notify", of),
            master_rx_lower_pri: self.event(&draft.master_rx_lower_pri, "notify_master_rx_lower_pri", of),
        }
    }
}
