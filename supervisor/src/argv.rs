//! The arguments that are appended to a `notify` command.

use alloc::string::ToString;
use alloc::vec::Vec;
use ipc::msg::control::NotifyState;

/// The word keepalived uses for a state. COMPAT: keepalived 2.4.3, notify script arguments.
pub fn state_word(state: NotifyState) -> &'static str {
    match state {
        NotifyState::Master => "MASTER",
        NotifyState::Backup => "BACKUP",
        NotifyState::Fault => "FAULT",
        NotifyState::Stop => "STOP",
        NotifyState::Deleted => "DELETED",
        NotifyState::MasterRxLowerPri => "MASTER_RX_LOWER_PRI",
        NotifyState::MasterPriority => "MASTER_PRIORITY",
        NotifyState::BackupPriority => "BACKUP_PRIORITY",
    }
}

/// `INSTANCE NAME STATE PRIORITY`
pub fn of_instance(name: &str, state: NotifyState, priority: u8) -> Vec<Vec<u8>> {
    words(&["INSTANCE", name, state_word(state), &priority.to_string()])
}

/// `GROUP NAME STATE 0`; a group has no priority.
pub fn of_group(name: &str, state: NotifyState) -> Vec<Vec<u8>> {
    words(&["GROUP", name, state_word(state), "0"])
}

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|w| w.as_bytes().to_vec()).collect()
}
