//! Reading what the supervisor has opened of processes: a bounded beginning of each file.

use ipc::msg::control::ProcessSeen;
use ipc::tracked::read_up_to;
use std::os::fd::OwnedFd;
use vrrpd::fsm::command::{COMMAND_LINE, STAT};
use vrrpd::io::Seen;

/// Reads the files of processes. One that has ended since has nothing in them.
pub fn read(seen: Vec<(ProcessSeen, Vec<OwnedFd>)>) -> Vec<Seen> {
    let read = |(seen, files): (ProcessSeen, Vec<OwnedFd>)| {
        let mut files = files.into_iter();
        let mut next = |limit| files.next().map(|file| read_up_to(file, limit)).unwrap_or_default();
        match seen {
            ProcessSeen::Anew => Seen::Anew,
            ProcessSeen::Runs(pid, _) => Seen::Runs { pid, stat: next(STAT), command_line: next(COMMAND_LINE) },
            ProcessSeen::Forked { parent, child } => Seen::Forked { parent, child },
            ProcessSeen::Ended(pid) => Seen::Ended(pid),
            ProcessSeen::All => Seen::All,
        }
    };
    seen.into_iter().map(read).collect()
}
