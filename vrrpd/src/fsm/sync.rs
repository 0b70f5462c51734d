//! Sync groups: members are master together or not at all. COMPAT: keepalived 2.4.3.

use super::instance::{Arrival, Instance, State};
use super::track::{Appraisal, Fault, Waiting};
use ipc::config::vrrp::Wanted;

/// Whether a member that has heard no master may take over, and with it all: every other one is master or wants to be.
pub fn agreed<'a>(mut members: impl Iterator<Item = &'a Instance>) -> bool {
    members.all(|member| match member.state {
        State::Master => true,
        State::Backup => member.wants == Wanted::Master,
        State::Init | State::Fault => false,
    })
}

/// The state of a group, as it is told; INIT while its members differ, have none yet, or wait for their addresses as new masters: the
/// scripts of a group run after those of its members.
pub fn state<'a>(members: impl Iterator<Item = &'a Instance> + Clone) -> State {
    let all = |state| members.clone().all(|member| member.state == state && member.arrival == Arrival::Told);
    if members.clone().any(|member| member.state == State::Fault) {
        State::Fault
    } else if all(State::Master) {
        State::Master
    } else if all(State::Backup) {
        State::Backup
    } else {
        State::Init
    }
}

/// The members' own appraisals, each with what the others mean for it: one fault or one wait is everybody's.
pub fn share(appraisals: &mut [Appraisal]) {
    let faulty = appraisals.iter().any(|one| !one.faults.is_empty());
    let waiting = appraisals.iter().any(|one| one.waiting == Waiting::Yes);
    for one in appraisals {
        if faulty && one.faults.is_empty() {
            one.faults.push(Fault::Group);
        }
        if waiting {
            one.waiting = Waiting::Yes;
        }
    }
}
