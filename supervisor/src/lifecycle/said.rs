//! What children say.

use super::{Action, BELIEVED_AGAIN, Breach, Lifecycle, Link, log_of};
use crate::daemon::{Alive, Daemon, Ending, LOG_SOCKET_INTERVAL, Step};
use alloc::format;
use alloc::vec::Vec;
use core::fmt;
use ipc::config::Generation;
use ipc::msg::Role;
use ipc::msg::control::{Run, Up};
use ipc::report::Level;
use ipc::time::Mono;

impl Lifecycle {
    pub(super) fn said(&mut self, now: Mono, daemon: Daemon, generation: Generation, up: Up, out: &mut Vec<Action>) {
        // Of a child that is dead or killed nothing counts; it may have said it before it knew.
        let Some(alive) = self.children.alive_mut(daemon).filter(|a| a.is_in_touch()) else { return };
        if generation > self.newest {
            let what = format!("generation {}, which does not exist", generation.0);
            return self.violation(now, daemon, what, out);
        }
        match (up, alive.next) {
            (Up::Ready, Some((g, Step::Sent))) if g == generation => {
                alive.next = Some((g, Step::Ready));
                alive.due = None;
            }
            // The answer to a slice that was taken back in the meantime.
            (Up::Ready | Up::Refused, next) if next.is_none_or(|(g, _)| g != generation) => {}
            (Up::Ready, _) => self.violation(now, daemon, "Ready twice", out),
            (Up::Refused, Some((g, Step::Sent))) if g == generation => {
                alive.next = None;
                alive.is_left_to_work(now);
                self.refused(now, daemon, generation, out);
            }
            (Up::Refused, _) => self.violation(now, daemon, "Refused after Ready", out),
            (Up::Activated, Some((g, Step::Activating))) if g == generation => {
                alive.active = Some(g);
                alive.next = None;
                alive.is_left_to_work(now);
            }
            (Up::Activated, _) => self.violation(now, daemon, "Activated without being told to", out),
            (Up::LogSocketLost, _) => {
                if alive.log_socket.is_none_or(|at| now.since(at) >= LOG_SOCKET_INTERVAL) {
                    alive.log_socket = Some(now);
                    out.push(Action::LogSocket(daemon));
                }
            }
            (Up::Here, _) => alive.unanswered = 0,
            (Up::Dumped(how), _) => out.push(Action::Dumped(daemon, how)),
            (Up::Violation(role), _) => self.accused(now, daemon, role, out),
            (Up::Stopped, _) if alive.ending == Ending::Stopping => {}
            (Up::Stopped, _) => self.violation(now, daemon, "Stopped without being told to", out),
        }
    }

    pub(super) fn asked(&mut self, now: Mono, daemon: Daemon, generation: Generation, run: Run, out: &mut Vec<Action>) {
        let Some(alive) = self.children.at(daemon).alive().filter(|a| a.is_in_touch()) else { return };
        if !alive.may_speak_of(generation) {
            let what = format!("script of generation {}, which it does not run", generation.0);
            return self.violation(now, daemon, what, out);
        }
        let (result, _) =
            self.with_scripts(out, |scripts, effects| scripts.request(now, daemon, generation, run, effects));
        if let Err(bad) = result {
            self.violation(now, daemon, bad, out);
        }
    }

    /// A child says that another broke the protocol.
    fn accused(&mut self, now: Mono, accuser: Daemon, role: Role, out: &mut Vec<Action>) {
        match (accuser, Daemon::from_role(role)) {
            (Daemon::Ipvs, Some(peer @ (Daemon::Vrrp | Daemon::Check))) => {
                self.violation(now, peer, "ipvsd was sent what it does not accept", out);
            }
            (Daemon::Vrrp | Daemon::Check, Some(Daemon::Ipvs)) => self.ipvsd_accused(now, accuser, out),
            // Neither is believed: it has dropped the channel, and BFD_CHECKs stay as they are until one of the two is started again.
            (Daemon::Vrrp, Some(Daemon::Check)) | (Daemon::Check, Some(Daemon::Vrrp))
                if self.session_link == Link::Connected =>
            {
                let text = format!("was sent what it does not accept by {role}, and hears no more of it");
                log_of(out, Level::Error, accuser, text);
            }
            (_, _) => self.violation(now, accuser, format!("accusation of {role}, which is no peer of it"), out),
        }
    }

    /// ipvsd reads nothing that comes from a network, its accusers do, and it must not be theirs to keep it down: they are
    /// believed once in [`BELIEVED_AGAIN`], after which ipvsd is back at once. Who accuses it before that time is over is
    /// started again itself.
    fn ipvsd_accused(&mut self, now: Mono, accuser: Daemon, out: &mut Vec<Action>) {
        if *self.link_mut(accuser) == Link::None || self.children.at(Daemon::Ipvs).at_work().is_none() {
            // It speaks of one that is dead already.
            return;
        }
        if self.believed.is_none_or(|at| now.since(at) >= BELIEVED_AGAIN) {
            self.believed = Some(now);
            return self.violation(now, Daemon::Ipvs, format!("{accuser} was sent what it does not accept"), out);
        }
        let text = format!("accuses ipvsd less than {} s after the last time; it is killed", BELIEVED_AGAIN.as_secs());
        log_of(out, Level::Error, accuser, text);
        self.kill(now, accuser, out);
    }

    pub(super) fn broken(&mut self, now: Mono, daemon: Daemon, breach: Breach, out: &mut Vec<Action>) {
        let Some(alive) = self.children.at(daemon).alive() else { return };
        match (breach, alive.ending) {
            (_, Ending::Killed | Ending::HungUp) | (Breach::Closed, Ending::Stopping) => {}
            (Breach::Closed, Ending::No) => self.hung_up(now, daemon),
            (Breach::Protocol(what), _) => self.violation(now, daemon, what, out),
        }
    }

    /// A child broke the protocol: the trust in it ends, and so does it.
    pub(super) fn violation(&mut self, now: Mono, daemon: Daemon, what: impl fmt::Display, out: &mut Vec<Action>) {
        if self.children.at(daemon).alive().is_some_and(Alive::is_in_touch) {
            log_of(out, Level::Error, daemon, format_args!("broke the protocol ({what}); it is killed"));
            self.kill(now, daemon, out);
        }
    }
}
