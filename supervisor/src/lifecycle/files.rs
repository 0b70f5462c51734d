//! Tracked files: each child is given those that it tracks, all of them when it begins with a generation, and one again when it may have
//! changed. What is in them is not looked at here. Processes that instances track likewise.

use super::{Action, Lifecycle};
use crate::daemon::Daemon;
use alloc::vec::Vec;
use ipc::config::file::WatchedFile;
use ipc::config::vrrp::Switch;
use ipc::config::{FileIdx, Generation};

impl Lifecycle {
    /// A generation begins to count.
    pub(super) fn begin_files(&self, generation: Generation, out: &mut Vec<Action>) {
        let has = |generation| self.scripts.table(generation).is_some_and(|table| !table.files.is_empty());
        if self.previous.is_none() && has(generation) {
            out.push(Action::InitFiles(generation));
        }
        if has(generation) || self.previous.is_some_and(has) {
            out.push(Action::WatchFiles(generation));
        }
        if self.tracks_processes(generation) || self.previous.is_some_and(|previous| self.tracks_processes(previous)) {
            out.push(Action::WatchProcesses(generation));
        }
    }

    fn tracks_processes(&self, generation: Generation) -> bool {
        self.scripts.table(generation).is_some_and(|table| table.processes.is_some())
    }

    /// A child is told to begin with a generation.
    pub(super) fn hand_files(&self, daemon: Daemon, generation: Generation, out: &mut Vec<Action>) {
        let Some(table) = self.scripts.table(generation) else { return };
        let its = table.files.iter().filter(|(_, file)| is_told(file, daemon));
        out.extend(its.map(|(idx, _)| Action::HandFile(daemon, generation, idx)));
        if daemon == Daemon::Vrrp && table.processes.is_some() {
            out.push(Action::TellProcesses(generation));
        }
    }

    pub(super) fn file_changed(&self, generation: Generation, idx: FileIdx, out: &mut Vec<Action>) {
        let Some(file) = self.scripts.table(generation).and_then(|table| table.files.at(idx)) else { return };
        for daemon in Daemon::ALL.into_iter().filter(|daemon| is_told(file, *daemon)) {
            if self.children.at(daemon).at_work().is_some_and(|alive| alive.may_speak_of(generation)) {
                out.push(Action::HandFile(daemon, generation, idx));
            }
        }
    }
}

fn is_told(file: &WatchedFile, daemon: Daemon) -> bool {
    match daemon {
        Daemon::Ipvs => false,
        Daemon::Vrrp => file.vrrp == Switch::On,
        Daemon::Check => file.check == Switch::On,
    }
}
