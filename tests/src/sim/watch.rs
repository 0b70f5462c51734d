//! What holds in every moment of every run, for one router.

use ipc::time::Mono;
use std::collections::BTreeMap;
use vrrpd::fsm::instance::State;
use vrrpd::router::Router;

/// What a router has done so far.
#[derive(Debug, Default)]
pub struct Watch {
    /// Of each virtual router it is master of: when the last advert was sent.
    adverts: BTreeMap<u8, Mono>,
}

impl Watch {
    /// An advert of that virtual router was sent, no goodbye.
    pub fn sent(&mut self, vrid: u8, now: Mono) {
        self.adverts.insert(vrid, now);
    }

    /// A master has sent an advert in the last one and a half intervals; members of a group are master together or not at all; who is in
    /// FAULT has a reason, and who takes part has none.
    pub fn check(&mut self, now: Mono, router: &Router) {
        let Some(active) = router.active() else { return };
        let mut groups: BTreeMap<_, Vec<State>> = BTreeMap::new();
        for live in active.instances.rows() {
            let (vrid, state) = (live.conf.vrid, live.state);
            if state == State::Master {
                let last = *self.adverts.get(&vrid).expect("who becomes master sends an advert first");
                let gap = now.since(last);
                assert!(gap <= live.conf.advert_int * 3 / 2, "virtual router {vrid} was silent for {gap:?}");
            } else {
                self.adverts.remove(&vrid);
            }
            let fits = match state {
                State::Init => true,
                State::Fault => !live.faults.is_empty(),
                State::Backup | State::Master => live.faults.is_empty(),
            };
            assert!(fits, "virtual router {vrid} is {state:?} with the faults {:?}", live.faults);
            if let Some(group) = live.conf.group {
                groups.entry(group).or_default().push(state);
            }
        }
        for (group, states) in groups {
            let masters = states.iter().filter(|state| **state == State::Master).count();
            assert!(masters == 0 || masters == states.len(), "members of {group:?} differ: {states:?}");
        }
    }
}
