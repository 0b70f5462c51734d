//! `ha_suspend`: the servers of a service are not asked while this machine has none of its addresses. They stay as they are; their timers
//! go on, so that the next one that is due after the address has come asks.

use super::{Action, Engine, Stage, lines};
use alloc::vec::Vec;
use ipc::config::check::CheckConfig;
use ipc::config::vrrp::Switch;
use ipc::config::{CheckerIdx, ServiceIdx};
use ipc::msg::reals::CheckToIpvs;
use ipc::msg::vips::Presence;

/// Asks ipvsd to watch the addresses of the services that want it.
pub(super) fn watch(config: &CheckConfig, out: &mut Vec<Action>) {
    let suspending = config.services.iter().filter(|(_, service)| service.ha_suspend == Switch::On);
    out.extend(suspending.map(|(service, _)| Action::ToIpvs(CheckToIpvs::Watch { service })));
}

impl Engine {
    /// Whether the server of a checker is not to be asked now. While nothing is known of the address, it is.
    pub(super) fn is_suspended(&self, idx: CheckerIdx) -> bool {
        let Stage::Live(live) = &self.stage else { return false };
        let real = live.config.checkers.at(idx).and_then(|checker| live.config.reals.at(checker.real));
        real.is_some_and(|real| self.addresses.get(&real.service) == Some(&Presence::Absent))
    }

    /// ipvsd says whether an address of a service is here.
    pub(super) fn address(&mut self, idx: ServiceIdx, now: Presence, out: &mut Vec<Action>) {
        let before = self.addresses.insert(idx, now);
        let Stage::Live(live) = &self.stage else { return };
        if before.is_none() && now == Presence::Present || before == Some(now) {
            return;
        }
        let Some((service, state)) = live.service(idx) else { return };
        for real in state.reals.iter().filter_map(|real| live.config.reals.at(*real)) {
            match now {
                Presence::Present => lines::activating(service, real, out),
                Presence::Absent => lines::suspending(service, real, out),
            }
        }
    }
}
