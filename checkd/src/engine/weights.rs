//! Weights that checkers change.

use super::live::Says;
use super::{Action, Engine, Stage, lines};
use crate::check::schedule::Health;
use alloc::vec::Vec;
use ipc::config::CheckerIdx;

impl Engine {
    /// A checker says something of the weight of its server.
    pub(super) fn says(&mut self, idx: CheckerIdx, says: Says, out: &mut Vec<Action>) {
        let Stage::Live(live) = &mut self.stage else { return };
        let live = &mut **live;
        let (Some(checker), Some(state)) = (live.config.checkers.at(idx), live.checkers.at_mut(idx)) else { return };
        let real_idx = checker.real;
        let (Some(real), Some(real_state)) = (live.config.reals.at(real_idx), live.reals.at_mut(real_idx)) else {
            return;
        };
        let (Some(service), Some(sum)) = (live.config.services.at(real.service), live.services.at_mut(real.service))
        else {
            return;
        };
        // The first time that anything is said of the weight ipvsd hears of it in any case: it keeps what it was told before a reload, or
        // by an earlier process.
        let first = real_state.parts.is_none();
        if !first && state.seldom().says == says {
            return;
        }
        let before = real_state.weight(real);
        let was = state.seldom().says.part(real.weight).unwrap_or_default();
        let is = says.part(real.weight).unwrap_or_default();
        state.seldom_mut().says = says;
        real_state.parts = Some(real_state.parts.unwrap_or_default().saturating_sub(was).saturating_add(is));
        let after = real_state.weight(real);
        if before == after {
            if first {
                self.say_real(real_idx, out);
            }
            return;
        }
        let health = real_state.health();
        if health == Health::Up {
            sum.weight = sum.weight.saturating_sub(u64::from(before)).saturating_add(u64::from(after));
        }
        lines::weight_changed(service, real, (before, after), health, out);
        let service = real.service;
        if !self.settle(service, out) {
            self.say_real(real_idx, out);
        }
    }
}
