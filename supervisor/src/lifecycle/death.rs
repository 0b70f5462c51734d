//! Children that die, and those that are made to.

use super::{Action, Death, Lifecycle, Link, Respawn, log, log_of};
use crate::daemon::{ASK_INTERVAL, Alive, Daemon, Ending, KILL_AGAIN, LAST_BREATH, State, UNANSWERED_LIMIT};
use crate::reload::Stage;
use crate::stop::KILLED_WAIT;
use alloc::format;
use alloc::vec::Vec;
use ipc::config::Generation;
use ipc::msg::control::Down;
use ipc::report::Level;
use ipc::time::Mono;

impl Lifecycle {
    /// SIGKILL; from now on nothing it says counts.
    pub(super) fn kill(&mut self, now: Mono, daemon: Daemon, out: &mut Vec<Action>) {
        if let Some(alive) = self.children.alive_mut(daemon) {
            alive.ending = Ending::Killed;
            alive.due = Some(now + if self.stop.is_some() { KILLED_WAIT } else { KILL_AGAIN });
            out.push(Action::Kill(daemon));
        }
    }

    /// A child has closed its channel. Mostly it is about to exit, and with what status matters; what is still there after
    /// [`LAST_BREATH`] has lost its mind and is killed.
    pub(super) fn hung_up(&mut self, now: Mono, daemon: Daemon) {
        if let Some(alive) = self.children.alive_mut(daemon) {
            alive.ending = Ending::HungUp;
            alive.due = Some(now + LAST_BREATH);
        }
    }

    /// Asks a child that works whether it is there. Not where nobody is started again, and not at the end.
    fn ask(&mut self, now: Mono, daemon: Daemon, generation: Generation, out: &mut Vec<Action>) {
        let is_wanted = self.options.respawn != Respawn::No && self.stop.is_none();
        if let Some(alive) = self.children.alive_mut(daemon) {
            alive.due = is_wanted.then_some(now + ASK_INTERVAL);
            alive.unanswered = alive.unanswered.saturating_add(1);
        }
        if is_wanted {
            out.push(Action::Send(daemon, generation, Down::Ask));
        }
    }

    /// A child's time has come.
    pub(super) fn child_due(&mut self, now: Mono, daemon: Daemon, out: &mut Vec<Action>) {
        match &self.children.at(daemon).state {
            State::Off => {}
            State::Waiting { .. } => self.spawn(now, daemon, out),
            State::Alive(alive)
                if let Some(generation) = alive.works()
                    && alive.unanswered < UNANSWERED_LIMIT =>
            {
                self.ask(now, daemon, generation, out);
            }
            State::Alive(alive) => {
                let gives_up = alive.ending == Ending::Killed && self.stop.is_some();
                let text = match alive.ending {
                    Ending::No => "does not answer; it is killed and started again",
                    Ending::Stopping => "does not stop in time (child_wait_time); it is killed",
                    Ending::Killed if gives_up => "was killed and is still there; it is left behind",
                    Ending::HungUp => "has closed its channel and is still there; it is killed",
                    Ending::Killed => "was killed and is still there; it is killed again",
                };
                log_of(out, Level::Error, daemon, text);
                if gives_up {
                    self.gone(now, daemon, out);
                } else {
                    self.kill(now, daemon, out);
                }
            }
        }
    }

    pub(super) fn spawn_failed(&mut self, now: Mono, daemon: Daemon, why: &str, out: &mut Vec<Action>) {
        log(out, Level::Error, format!("{daemon} cannot be started: {why}"));
        if self.current.is_none() && self.stop.is_none() {
            self.children.at_mut(daemon).state = State::Off;
            self.begin_stop(now, 1, out);
        } else {
            self.gone(now, daemon, out);
        }
    }

    pub(super) fn died(&mut self, now: Mono, daemon: Daemon, death: Death, out: &mut Vec<Action>) {
        let Some(alive) = self.children.at(daemon).alive() else { return };
        let asked_to = alive.ending != Ending::No;
        if self.stop.is_some() {
            let level = if asked_to { Level::Detail } else { Level::Error };
            log_of(out, level, daemon, format_args!("has ended ({death})"));
            return self.gone(now, daemon, out);
        }
        log_of(out, Level::Error, daemon, format_args!("died ({death})"));
        match death {
            // COMPAT: keepalived 2.4.3: a child that cannot start at all ends everything.
            Death::Exited(code @ (1 | 2 | 4)) if self.current.is_none() => {
                self.begin_stop(now, code, out);
                self.gone(now, daemon, out);
            }
            Death::Exited(_) | Death::Signalled(_) if self.options.respawn == Respawn::No => {
                log(out, Level::Error, "Terminating: children are not started again (--dont-respawn)");
                self.begin_stop(now, 0, out);
                self.gone(now, daemon, out);
            }
            Death::Exited(_) | Death::Signalled(_) => self.gone(now, daemon, out),
        }
    }

    /// Takes a dead child out: its channels, its probes, the change it was part of. Arranges for its return.
    fn gone(&mut self, now: Mono, daemon: Daemon, out: &mut Vec<Action>) {
        let Some(alive) = self.children.at(daemon).alive() else { return };
        let (ran, next) = (now.since(alive.since), alive.next);
        self.children.at_mut(daemon).state = State::Off;
        self.detach(daemon, out);
        self.with_scripts(out, |scripts, effects| scripts.owner_gone(now, daemon, effects));
        if self.stop.is_some() {
            return;
        }
        self.return_later(now, daemon, ran, out);
        if let (Some(change), Some(_)) = (&self.change, self.current)
            && change.stage == Stage::Preparing
            && next.is_some_and(|(g, _)| g == change.generation)
        {
            self.take_back(now, &format!("{daemon} died of the new configuration"), out);
        }
    }

    fn return_later(&mut self, now: Mono, daemon: Daemon, ran: core::time::Duration, out: &mut Vec<Action>) {
        let delay = self.children.at_mut(daemon).backoff.after(ran);
        if delay.is_zero() {
            log_of(out, Level::Notice, daemon, "is started again at once");
            self.spawn(now, daemon, out);
        } else {
            log_of(out, Level::Notice, daemon, format_args!("is started again in {} s", delay.as_secs()));
            self.children.at_mut(daemon).state = State::Waiting { at: now + delay };
        }
    }

    /// The channels of a dead child are gone; its peers are told.
    fn detach(&mut self, dead: Daemon, out: &mut Vec<Action>) {
        let generation = self.current.unwrap_or(Generation(0));
        let other = match dead {
            Daemon::Vrrp => Some(Daemon::Check),
            Daemon::Check => Some(Daemon::Vrrp),
            Daemon::Ipvs => None,
        };
        if let Some(other) = other
            && core::mem::take(&mut self.session_link) == Link::Connected
            && self.children.at(other).alive().is_some_and(Alive::is_in_touch)
        {
            out.push(Action::Send(other, generation, Down::Detached(dead.role())));
        }
        for peer in Daemon::IPVS_PEERS {
            let survivor = match dead {
                Daemon::Ipvs => peer,
                Daemon::Vrrp | Daemon::Check if dead == peer => Daemon::Ipvs,
                Daemon::Vrrp | Daemon::Check => continue,
            };
            if core::mem::take(self.link_mut(peer)) == Link::Connected
                && self.children.at(survivor).alive().is_some_and(Alive::is_in_touch)
            {
                out.push(Action::Send(survivor, generation, Down::Detached(dead.role())));
            }
        }
    }
}
