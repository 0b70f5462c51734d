//! All `vrrp_track_process` blocks of a generation, and which running process counts for which of them.

use super::command::Command;
use super::process::{Process, Why};
use super::script::{Turned, Verdict};
use crate::effects::Effects;
use crate::io::Seen;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use ipc::config::TrackProcessIdx;
use ipc::config::vrrp_track::TrackProcess;
use ipc::table::Table;
use ipc::time::Mono;

/// Which blocks each process counts for. Those that count for none are not kept: never more rows than processes that the file means.
type Members = BTreeMap<u32, Vec<TrackProcessIdx>>;

/// See the module's text.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    rows: Table<TrackProcessIdx, Process>,
    members: Members,
    /// Those that have been told since [`Seen::Anew`].
    anew: Option<Members>,
}

impl Processes {
    /// The blocks of a new generation. What counted for a block of the same name goes on to count until all are counted anew; `unknown`
    /// is what is held of the others.
    pub fn new(confs: &Table<TrackProcessIdx, TrackProcess>, old: &Processes, unknown: Verdict) -> Self {
        let row = |conf: &TrackProcess| {
            let before = old.rows.rows().iter().find(|process| process.conf.name == conf.name);
            before.map_or_else(|| Process::new(conf.clone(), unknown), |process| process.reconfigured(conf.clone()))
        };
        Processes { rows: confs.rows().iter().map(row).collect(), members: Members::new(), anew: None }
    }

    /// One block.
    pub fn at(&self, index: TrackProcessIdx) -> Option<&Process> {
        self.rows.at(index)
    }

    /// All blocks.
    pub fn rows(&self) -> &[Process] {
        self.rows.rows()
    }

    /// With their indices.
    pub fn iter(&self) -> impl Iterator<Item = (TrackProcessIdx, &Process)> {
        self.rows.iter()
    }

    /// Takes what has become of a process.
    pub fn see(&mut self, now: Mono, seen: &Seen) {
        match seen {
            Seen::Anew => self.anew = Some(Members::new()),
            Seen::All => {
                let Some(anew) = self.anew.take() else { return };
                self.members = anew;
                for (index, process) in self.rows.iter_mut() {
                    let count = self.members.values().filter(|blocks| blocks.contains(&index)).count();
                    process.counted(now, u32::try_from(count).unwrap_or(u32::MAX), Why::Turned);
                }
            }
            Seen::Runs { pid, stat, command_line } => {
                let command = Command::read(stat, command_line);
                let meant = command.map_or_else(Vec::new, |command| self.meant(&command));
                self.put(now, *pid, meant, Why::Turned);
            }
            Seen::Forked { parent, child } => {
                let members = self.anew.as_ref().unwrap_or(&self.members);
                let meant = members.get(parent).cloned().unwrap_or_default();
                self.put(now, *child, meant, Why::Forked);
            }
            Seen::Ended(pid) => self.put(now, *pid, Vec::new(), Why::Ended),
        }
    }

    fn meant(&self, command: &Command<'_>) -> Vec<TrackProcessIdx> {
        self.rows.iter().filter(|(_, process)| command.is(&process.conf)).map(|(index, _)| index).collect()
    }

    /// The process counts for these blocks now and for no other. While all are told anew, the numbers wait for the end of that.
    fn put(&mut self, now: Mono, pid: u32, meant: Vec<TrackProcessIdx>, why: Why) {
        let members = self.anew.as_mut().unwrap_or(&mut self.members);
        let before = match meant.is_empty() {
            true => members.remove(&pid),
            false => members.insert(pid, meant.clone()),
        };
        if self.anew.is_some() {
            return;
        }
        let before = before.unwrap_or_default();
        for index in before.iter().filter(|index| !meant.contains(index)) {
            self.count(now, *index, |count| count.saturating_sub(1), why);
        }
        for index in meant.iter().filter(|index| !before.contains(index)) {
            self.count(now, *index, |count| count.saturating_add(1), why);
        }
    }

    fn count(&mut self, now: Mono, index: TrackProcessIdx, change: impl FnOnce(u32) -> u32, why: Why) {
        if let Some(process) = self.rows.at_mut(index) {
            process.counted(now, change(process.count), why);
        }
    }

    /// Lets what is due count; gives the blocks that have turned.
    pub fn expire(&mut self, now: Mono, out: &mut Effects) -> Vec<TrackProcessIdx> {
        let mut turned = Vec::new();
        for (index, process) in self.rows.iter_mut() {
            if process.expire(now, out) == Turned::Yes {
                turned.push(index);
            }
        }
        turned
    }

    /// When [`Processes::expire`] is wanted.
    pub fn deadline(&self) -> Option<Mono> {
        self.rows.rows().iter().filter_map(Process::deadline).min()
    }
}
