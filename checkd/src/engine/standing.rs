//! What a change of a real server means for it, for its service, and for ipvsd.

use super::live::RealState;
use super::{Action, Engine, Stage, lines};
use crate::check::schedule::{Change, Health};
use crate::quorum::Quorum;
use alloc::vec::Vec;
use ipc::config::{RealIdx, ServiceIdx};

impl Engine {
    /// One checker of a real server has changed its mind.
    pub(super) fn checker_changed(&mut self, idx: RealIdx, change: Change, out: &mut Vec<Action>) {
        let Stage::Live(live) = &mut self.stage else { return };
        let Some(state) = live.reals.at_mut(idx) else { return };
        let before = state.health();
        state.down = match change {
            Change::CameUp => state.down.saturating_sub(1),
            Change::WentDown => state.down.saturating_add(1),
            Change::Stays => state.down,
        };
        let after = state.health();
        if before == after {
            return;
        }
        let Some((service_idx, weight)) =
            live.config.reals.at(idx).zip(live.reals.at(idx)).map(|(r, state)| (r.service, u64::from(state.weight(r))))
        else {
            return;
        };
        if let Some(service) = live.services.at_mut(service_idx) {
            service.weight = match after {
                Health::Up => service.weight.saturating_add(weight),
                Health::Down => service.weight.saturating_sub(weight),
            };
        }
        self.announce(idx, after, out);
        if !self.settle(service_idx, out) {
            self.say_real(idx, out);
        }
    }

    /// How a real server is.
    pub(super) fn real_health(&self, idx: RealIdx) -> Option<Health> {
        let Stage::Live(live) = &self.stage else { return None };
        live.reals.at(idx).map(RealState::health)
    }

    /// Says that a real server is up or down now, and runs its script.
    pub(super) fn announce(&self, idx: RealIdx, health: Health, out: &mut Vec<Action>) {
        let Stage::Live(live) = &self.stage else { return };
        if let Some((real, service)) = live.real(idx) {
            lines::real_changed(service, real, health, out);
        }
        self.notify(idx, health, out);
    }

    /// Brings the quorum of a service up to date. True when a sorry server came or went with it: then ipvsd has been told of the
    /// whole service.
    pub(super) fn settle(&mut self, idx: ServiceIdx, out: &mut Vec<Action>) -> bool {
        let Stage::Live(live) = &mut self.stage else { return false };
        let Some(after) =
            live.quorum_after(idx).filter(|after| live.services.at(idx).is_some_and(|s| s.quorum != *after))
        else {
            return false;
        };
        self.quorum_changed(idx, after, out);
        let Stage::Live(live) = &self.stage else { return false };
        let Some((service, state)) = live.service(idx) else { return false };
        self.mail_service(idx, after, &lines::quorum(service, after, state.weight), out);
        let Some(sorry) = &service.sorry else { return false };
        match after {
            Quorum::Up => lines::sorry_rests(service, sorry, out),
            Quorum::Down => lines::sorry_serves(service, sorry, out),
        }
        self.say_service(idx, out);
        true
    }

    /// Announces the new state of a service, and runs its script.
    pub(super) fn quorum_changed(&mut self, idx: ServiceIdx, after: Quorum, out: &mut Vec<Action>) {
        let Stage::Live(live) = &mut self.stage else { return };
        if let Some(state) = live.services.at_mut(idx) {
            state.quorum = after;
        }
        let Some((service, state)) = live.service(idx) else { return };
        match after {
            Quorum::Up => lines::gained_quorum(service, state.weight, out),
            Quorum::Down => lines::lost_quorum(service, state.weight, out),
        }
        self.notify_quorum(idx, after, out);
    }
}
