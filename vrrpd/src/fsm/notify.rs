//! Who is told of a change. COMPAT: the script of the state first, then the generic one, then the FIFOs.

use super::instance::{Instance, State};
use crate::effects::Effects;
use ipc::config::ScriptIdx;
use ipc::config::vrrp::{Notify, Switch};
use ipc::msg::control::{Cause, News, NotifyState, Run};

/// The script that a state has of its own.
pub fn specific(notify: &Notify, state: NotifyState) -> Option<ScriptIdx> {
    match state {
        NotifyState::Master => notify.master,
        NotifyState::Backup => notify.backup,
        NotifyState::Fault => notify.fault,
        NotifyState::Stop => notify.stop,
        NotifyState::MasterRxLowerPri => notify.master_rx_lower_pri,
        NotifyState::Deleted | NotifyState::MasterPriority | NotifyState::BackupPriority => None,
    }
}

impl Instance {
    /// Tells of a state that it has entered.
    pub(crate) fn notify(&self, state: NotifyState, out: &mut Effects) {
        let scripts = [specific(&self.conf.notify, state), self.conf.notify.generic];
        for script in scripts.into_iter().flatten() {
            out.run(Run { script, cause: self.cause(state) });
        }
        out.tell(self.news(state));
    }

    /// A lower-priority router claimed to be master. COMPAT: keepalived 2.2.7: the generic script is not told.
    pub(super) fn notify_rival(&self, out: &mut Effects) {
        let state = NotifyState::MasterRxLowerPri;
        if let Some(script) = specific(&self.conf.notify, state) {
            out.run(Run { script, cause: self.cause(state) });
        }
        out.tell(self.news(state));
    }

    /// `notify_priority_changes`: FIFOs only, and only where the priority has a meaning.
    pub(super) fn notify_priority(&self, out: &mut Effects) {
        if self.options.notify_priority_changes == Switch::Off {
            return;
        }
        match self.state {
            State::Master => out.tell(self.news(NotifyState::MasterPriority)),
            State::Backup => out.tell(self.news(NotifyState::BackupPriority)),
            State::Init | State::Fault => {}
        }
    }

    /// The state that is told again when somebody new listens; nothing in INIT.
    pub(crate) fn news_again(&self, out: &mut Effects) {
        match self.state {
            State::Master => out.tell(self.news(NotifyState::Master)),
            State::Backup => out.tell(self.news(NotifyState::Backup)),
            State::Fault => out.tell(self.news(NotifyState::Fault)),
            State::Init => {}
        }
    }

    pub(super) fn cause(&self, state: NotifyState) -> Cause {
        Cause::Instance { instance: self.index, state, priority: self.priority }
    }

    pub(super) fn news(&self, state: NotifyState) -> News {
        News::Instance { instance: self.index, state, priority: self.priority }
    }
}
