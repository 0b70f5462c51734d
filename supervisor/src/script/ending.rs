//! Who ends commands, and when: a child that is gone, a generation that is over, the end of everything.

use super::{Effect, GRACE, Key, Purpose, RunId, Scripts, Sig, Stage};
use crate::daemon::Daemon;
use alloc::vec::Vec;
use ipc::config::Generation;
use ipc::time::Mono;

impl Scripts {
    /// A child is gone: its probes are ended and reported to nobody. Its event commands go on.
    pub fn owner_gone(&mut self, now: Mono, gone: Daemon, out: &mut Vec<Effect>) {
        self.probes_waiting.retain(|(_, from)| *from != gone);
        self.end_probes(now, |_, report| report == Some(gone), out);
        self.pump(now, out);
    }

    /// A generation is over: its probes are ended, its waiting event commands still run, then its table is free.
    pub fn retire(&mut self, now: Mono, generation: Generation, out: &mut Vec<Effect>) {
        if !self.tables.contains_key(&generation) || self.retired.contains(&generation) {
            return;
        }
        self.retired.push(generation);
        self.probes_waiting.retain(|((g, _), _)| *g != generation);
        self.end_probes(now, |(g, _), _| g == generation, out);
        self.pump(now, out);
    }

    /// Ends every probe and lets none start; event commands go on.
    pub fn end_all_probes(&mut self, now: Mono, out: &mut Vec<Effect>) {
        self.probes_waiting.clear();
        self.end_probes(now, |_, _| true, out);
    }

    /// Drops what waits and sends SIGTERM to everything that still runs.
    pub fn end_everything(&mut self, now: Mono, out: &mut Vec<Effect>) {
        self.end_all_probes(now, out);
        self.queues.clear();
        self.turn.clear();
        let running: Vec<RunId> = self.runs.keys().copied().collect();
        for run in running {
            self.term(now, run, out);
        }
    }

    /// Sends SIGKILL to everything that still runs; nobody will wait for it.
    pub fn kill_everything(&self, out: &mut Vec<Effect>) {
        out.extend(self.runs.keys().map(|run| Effect::Signal { run: *run, signal: Sig::Kill }));
    }

    /// Ends the reader of a FIFO.
    pub fn end_reader(&mut self, now: Mono, run: RunId, out: &mut Vec<Effect>) {
        self.term(now, run, out);
    }

    pub(super) fn term(&mut self, now: Mono, run: RunId, out: &mut Vec<Effect>) {
        if let Some(active) = self.runs.get_mut(&run)
            && matches!(active.stage, Stage::InTime | Stage::Detached)
        {
            active.stage = Stage::Termed;
            active.due = Some(now + GRACE);
            out.push(Effect::Signal { run, signal: Sig::Term });
        }
    }

    /// Ends the probes that `which` picks, so that nobody is told.
    fn end_probes(&mut self, now: Mono, which: impl Fn(Key, Option<Daemon>) -> bool, out: &mut Vec<Effect>) {
        let mut ending = Vec::new();
        for (run, active) in &mut self.runs {
            if let Purpose::Probe { report, again } = &mut active.purpose {
                if which(active.key, *again) {
                    *again = None;
                }
                if which(active.key, *report) {
                    *report = None;
                    ending.push(*run);
                }
            }
        }
        for run in ending {
            self.term(now, run, out);
        }
    }

    pub(super) fn free_tables(&mut self, out: &mut Vec<Effect>) {
        let retired = core::mem::take(&mut self.retired);
        for generation in retired {
            let used = self.runs.values().any(|a| a.key.0 == generation)
                || self.queues.values().any(|q| q.waiting.iter().any(|j| j.key.0 == generation));
            if used {
                self.retired.push(generation);
            } else {
                self.tables.remove(&generation);
                out.push(Effect::TableFree(generation));
            }
        }
    }
}
