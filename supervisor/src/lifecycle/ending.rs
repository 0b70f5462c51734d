//! The orderly end.

use super::{Action, Lifecycle, Told, log};
use crate::daemon::{Daemon, Ending, State};
use crate::reload::Stage as ChangeStage;
use crate::script::GRACE;
use crate::stop::{
    CHILD_WAIT, KILLED_WAIT, LEAST, LEFTOVERS_WAIT, ORDER, SCRIPTS_WAIT, SHUTDOWN_WAIT, Stage, Stop, bound,
};
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::Generation;
use ipc::msg::control::Down;
use ipc::report::Level;
use ipc::time::Mono;

impl Lifecycle {
    /// Begins the end; a second call changes nothing.
    pub(super) fn begin_stop(&mut self, now: Mono, code: u8, out: &mut Vec<Action>) {
        if self.stop.is_some() {
            return;
        }
        log(out, Level::Notice, "Stopping");
        let wait = self.child_wait();
        let shutdown = self.current.and_then(|g| self.scripts.table(g)).and_then(|t| t.shutdown);
        out.push(Action::Tell(Told::Stopping(bound(wait, shutdown.map(|(_, limit)| limit)))));
        if let Some(change) = self.change.take() {
            match change.stage {
                ChangeStage::Compiling => out.push(Action::CancelCompile),
                ChangeStage::StartupScript => {
                    self.with_scripts(out, |scripts, effects| scripts.end_everything(now, effects));
                }
                ChangeStage::Preparing | ChangeStage::Activating => {}
            }
        }
        self.with_scripts(out, |scripts, effects| scripts.end_all_probes(now, effects));
        for daemon in Daemon::ALL {
            let Some(alive) = self.children.alive_mut(daemon) else { continue };
            if !alive.is_in_touch() {
                // The end does not wait longer for those that were killed before it.
                alive.due = alive.due.map(|due| due.min(now + KILLED_WAIT));
            } else if alive.works().is_some() {
                alive.due = None;
            }
        }
        self.stop = Some(Stop { stage: Stage::Children, code, children_until: now + wait });
    }

    /// Goes on with the end as far as it goes. Called after every event once it has begun.
    pub(super) fn proceed(&mut self, now: Mono, out: &mut Vec<Action>) {
        let Some(stop) = self.stop else { return };
        match stop.stage {
            Stage::Children => {
                if self.tell_next(now, stop.children_until, out) {
                    self.close_fifos(out);
                    self.enter(Stage::Scripts { until: now + SCRIPTS_WAIT });
                    self.proceed(now, out);
                }
            }
            Stage::Scripts { until } if self.scripts.events_done() || until <= now => {
                self.with_scripts(out, |scripts, effects| scripts.end_everything(now, effects));
                self.shutdown_script(now, out);
            }
            Stage::ShutdownScript { until } if until <= now => self.leftovers(now, out),
            Stage::Leftovers { until } if self.scripts.running() == 0 || until <= now => {
                self.with_scripts(out, |scripts, effects| scripts.kill_everything(effects));
                self.enter(Stage::Over);
                out.push(Action::Exit(stop.code));
            }
            Stage::Scripts { .. } | Stage::ShutdownScript { .. } | Stage::Leftovers { .. } | Stage::Over => {}
        }
    }

    fn enter(&mut self, stage: Stage) {
        if let Some(stop) = &mut self.stop {
            stop.stage = stage;
        }
    }

    /// Tells the next child to stop, unless one is still at it; says whether none is left.
    fn tell_next(&mut self, now: Mono, until: Mono, out: &mut Vec<Action>) -> bool {
        let generation = self.current.unwrap_or(Generation(0));
        for daemon in ORDER {
            let child = self.children.at_mut(daemon);
            match &mut child.state {
                State::Off => {}
                State::Waiting { .. } => child.state = State::Off,
                State::Alive(alive) => {
                    if alive.ending == Ending::No {
                        alive.ending = Ending::Stopping;
                        alive.due = Some(until.max(now + LEAST));
                        out.push(Action::Send(daemon, generation, Down::Stop));
                    }
                    return false;
                }
            }
        }
        true
    }

    fn child_wait(&self) -> Duration {
        let configured = self.current.and_then(|g| self.scripts.table(g)).map_or(Duration::ZERO, |t| t.child_wait);
        if configured.is_zero() { CHILD_WAIT } else { configured }
    }

    fn shutdown_script(&mut self, now: Mono, out: &mut Vec<Action>) {
        let shutdown = self.current.and_then(|g| self.scripts.table(g).and_then(|t| t.shutdown).map(|s| (g, s)));
        match shutdown {
            Some((generation, (script, limit))) => {
                self.enter(Stage::ShutdownScript { until: now + limit + GRACE + SHUTDOWN_WAIT });
                self.with_scripts(out, |scripts, effects| scripts.once(now, generation, script, limit, effects));
            }
            None => self.leftovers(now, out),
        }
    }

    /// Waits a moment for commands that were told to end.
    pub(super) fn leftovers(&mut self, now: Mono, out: &mut Vec<Action>) {
        self.enter(Stage::Leftovers { until: now + LEFTOVERS_WAIT });
        self.proceed(now, out);
    }
}
