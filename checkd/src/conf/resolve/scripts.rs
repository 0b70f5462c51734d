//! Commands: what the supervisor may execute.

use super::Resolver;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::keyword::At;
use crate::conf::notify::Notify as Draft;
use crate::conf::script::Command;
use alloc::format;
use alloc::string::String;
use ipc::config::ScriptIdx;
use ipc::config::script::{Asker, RunAs, Script, ScriptKind};
use ipc::config::vrrp::Notify;

impl Resolver<'_, '_> {
    /// Lists a command. `user` is for those whose user stands in a statement of its own.
    pub(super) fn script(
        &mut self,
        command: &Command,
        user: Option<&RunAs>,
        label: String,
        kind: ScriptKind,
        asker: Asker,
    ) -> Option<ScriptIdx> {
        let script = Script {
            argv: command.argv.clone(),
            run_as: command.run_as.as_ref().or(user).cloned(),
            label,
            origin: self.r.sources.origin(command.span),
            kind,
            asker,
        };
        let listed = self.scripts.scripts.push(script).ok();
        if listed.is_none() {
            let message = "the configuration lists more than 65536 commands";
            self.r.diags.push(Diagnostic::error(Code::TOO_MANY, command.span, message).label("not run"));
        }
        listed
    }

    /// A command of a service or a real server that is told of an event.
    pub(super) fn event(
        &mut self,
        command: &Option<At<Command>>,
        keyword: &str,
        of: impl FnOnce() -> String,
    ) -> Option<ScriptIdx> {
        let command = command.as_ref()?;
        self.script(&command.value, None, format!("{keyword} of {}", of()), ScriptKind::Event, Asker::Check)
    }

    /// The notify scripts of an instance or a group.
    pub(super) fn notify(&mut self, draft: &Draft, of: &str) -> Notify {
        let mut list = |command: &Option<At<Command>>, keyword, kind| {
            let command = command.as_ref()?;
            self.script(&command.value, None, format!("{keyword} of {of}"), kind, Asker::Vrrp)
        };
        Notify {
            master: list(&draft.master, "notify_master", ScriptKind::Event),
            backup: list(&draft.backup, "notify_backup", ScriptKind::Event),
            fault: list(&draft.fault, "notify_fault", ScriptKind::Event),
            stop: list(&draft.stop, "notify_stop", ScriptKind::Event),
            generic: list(&draft.generic, "notify", ScriptKind::Generic),
            master_rx_lower_pri: list(&draft.master_rx_lower_pri, "notify_master_rx_lower_pri", ScriptKind::Event),
        }
    }
}
