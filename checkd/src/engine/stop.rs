//! The end. ipvsd takes the entries out by itself; what is left here is to say so, and the scripts of `omega`.

use super::{Action, Engine, Event, Stage, lines};
use crate::check::schedule::Health;
use crate::quorum::Quorum;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::vrrp::Switch;
use ipc::msg::control::{AtStop, StopMode, Up};
use ipc::msg::reals::Standing;
use ipc::time::Mono;

/// How long the end waits for mails to be delivered: those about instances that stop have just come.
const MAILS_WAIT: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn stop(&mut self, now: Mono, mode: StopMode, out: &mut Vec<Action>) {
        for (probe, _) in core::mem::take(&mut self.probing) {
            out.push(Action::Close(probe));
        }
        if mode.ipvs == AtStop::Release {
            self.farewell(out);
        }
        let mut fresh = Engine::new(self.connections);
        (fresh.mails, fresh.correspondence, fresh.last_probe) =
            (core::mem::take(&mut self.mails), core::mem::take(&mut self.correspondence), self.last_probe);
        fresh.stage = Stage::Leaving { until: now + MAILS_WAIT };
        *self = fresh;
        self.leave_when_done(now, now + MAILS_WAIT, out);
    }

    /// What still counts while mails are delivered.
    pub(super) fn leave(&mut self, now: Mono, until: Mono, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Timeout => self.mails_due(now, out),
            Event::Composed { letter, message } => self.composed(now, letter, message, out),
            Event::Probe { probe, what } if self.mails.has(probe) => self.mail_event(now, probe, what, out),
            _ => {}
        }
        self.leave_when_done(now, until, out);
    }

    fn leave_when_done(&mut self, now: Mono, until: Mono, out: &mut Vec<Action>) {
        if self.mails.is_idle() || until <= now {
            self.drop_mails(out);
            self.stage = Stage::Stopped;
            out.push(Action::Up(Up::Stopped));
        }
    }

    /// COMPAT: keepalived 2.2.7, measured: with `omega`, notify_down of what is alive and quorum_down run at the end.
    fn farewell(&self, out: &mut Vec<Action>) {
        let Stage::Live(live) = &self.stage else { return };
        for (idx, service) in live.config.services.iter() {
            let Some(state) = live.services.at(idx) else { continue };
            for real_idx in &state.reals {
                let Some(real) = live.config.reals.at(*real_idx) else { continue };
                // COMPAT: keepalived 2.2.7, measured: of those that are down, too.
                let inhibited = live.standing(*real_idx) == Standing::Inhibited;
                lines::shutting_down(service, real, inhibited, out);
                let alive = live.reals.at(*real_idx).is_some_and(|state| state.health() == Health::Up);
                if alive && service.omega == Switch::On {
                    self.notify(*real_idx, Health::Down, out);
                }
            }
            let had = state.quorum == Quorum::Up && service.omega == Switch::On;
            if had {
                self.notify_quorum(idx, Quorum::Down, out);
            }
        }
    }
}
