//! Which notify script is asked for. COMPAT: the one of the state first, then the generic one.

use super::instance::Instance;
use crate::effects::Effects;
use ipc::config::ScriptIdx;
use ipc::config::vrrp::Notify;
use ipc::msg::control::{Cause, NotifyState, Run};

/// The script that a state has of its own.
pub fn specific(notify: &Notify, state: NotifyState) -> Option<ScriptIdx> {
    match state {
        NotifyState::Master => notify.master,
        NotifyState::Backup => notify.backup,
        NotifyState::Fault => notify.fault,
        NotifyState::Stop => notify.stop,
        NotifyState::MasterRxLowerPri => notify.master_rx_lower_pri,
        NotifyState::Deleted => None,
    }
}

impl Instance {
    /// Asks for the scripts that are told of `state`.
    pub(crate) fn notify(&self, state: NotifyState, out: &mut Effects) {
        let cause = Cause::Instance { instance: self.index, state, priority: self.priority };
        let scripts = [specific(&self.conf.notify, state), self.conf.notify.generic];
        for script in scripts.into_iter().flatten() {
            out.run(Run { script, cause });
        }
    }
}
