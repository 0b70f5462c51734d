//! Changes that are told of: to notify FIFOs, which are opened before a generation counts, written while it does and closed at the end;
//! to checkd, which writes mails.

use super::{Action, Lifecycle};
use crate::daemon::Daemon;
use crate::fifo::{self, Kind};
use alloc::vec::Vec;
use ipc::config::Generation;
use ipc::config::vrrp::Switch;
use ipc::msg::control::News;
use ipc::time::Mono;

impl Lifecycle {
    /// The FIFOs of a generation that is about to count. Those that go are closed first: one may be wanted again by another name.
    pub(super) fn switch_fifos(&mut self, now: Mono, generation: Generation, out: &mut Vec<Action>) {
        let Some(table) = self.scripts.table(generation) else { return };
        let changed: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| !self.fifos.is_same(*kind, table)).collect();
        let mut readers = Vec::new();
        for kind in changed.iter().copied().filter(|kind| self.fifos.is_open(*kind)).collect::<Vec<_>>() {
            readers.extend(self.fifos.close(kind));
            out.push(Action::CloseFifo(kind));
        }
        for kind in changed {
            if let Some(fifo) = self.fifos.open(kind, table) {
                out.push(Action::OpenFifo(kind, generation, fifo));
            }
        }
        for run in readers {
            self.with_scripts(out, |scripts, effects| scripts.end_reader(now, run, effects));
        }
    }

    /// A FIFO is there: who is to read it is started.
    pub(super) fn fifo_opened(&mut self, kind: Kind, out: &mut Vec<Action>) {
        let Some(generation) = self.current else { return };
        let Some(fifo) = self.fifos.fifo(kind) else { return };
        let Some(script) = fifo.script else { return };
        let tail = fifo::argument(fifo);
        let (run, _) = self.with_scripts(out, |scripts, effects| scripts.reader(generation, script, tail, effects));
        self.fifos.reads(kind, run);
    }

    /// No more is written: who reads to the end finds it.
    pub(super) fn close_fifos(&mut self, out: &mut Vec<Action>) {
        for kind in Kind::ALL {
            if self.fifos.is_open(kind) {
                // The reader is ended with all other commands, after a moment to read what is left.
                self.fifos.close(kind);
                out.push(Action::CloseFifo(kind));
            }
        }
    }

    /// A child tells of a change.
    pub(super) fn news(
        &mut self,
        now: Mono,
        daemon: Daemon,
        generation: Generation,
        news: News,
        out: &mut Vec<Action>,
    ) {
        let Some(alive) = self.children.at(daemon).alive().filter(|a| a.is_in_touch()) else { return };
        let table = self.scripts.table(generation).filter(|_| alive.may_speak_of(generation));
        let line = table.map(|table| fifo::line(table, daemon, news));
        match line {
            Some(Ok((kinds, text))) => {
                let mailed = table.is_some_and(|table| table.vrrp_mail == Switch::On) && daemon == Daemon::Vrrp;
                if mailed && self.children.at(Daemon::Check).at_work().is_some_and(|a| a.may_speak_of(generation)) {
                    out.push(Action::PassOn(generation, news));
                }
                for kind in kinds.into_iter().filter(|kind| self.fifos.is_open(*kind)) {
                    out.push(Action::WriteFifo(kind, text.clone().into_bytes()));
                }
            }
            Some(Err(bad)) => self.violation(now, daemon, bad, out),
            None => {
                let what = alloc::format!("news of generation {}, which it does not run", generation.0);
                self.violation(now, daemon, what, out);
            }
        }
    }
}
