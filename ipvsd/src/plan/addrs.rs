//! The plan for addresses.
//!
//! Removals come before additions: removing the primary address of a subnet takes its secondaries along, which must not
//! hit an address that was put there a moment before. Additions come in the order of the configuration, as keepalived
//! makes them.

use super::Removal;
use crate::desired::{AddrName, Desired};
use crate::ledger::Ledger;
use crate::observed::{AddrKey, Network};
use crate::patience::{Item, Patience};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::vec::Vec;
use ipc::config::InstanceIdx;
use ipc::config::ipvs::AddrSpec;
use ipc::msg::vips::Presence;

/// One change of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddrOp {
    /// Put it there, as that record of that instance says.
    Add {
        /// Where and what.
        key: AddrKey,
        /// Whose.
        instance: InstanceIdx,
        /// Place in the instance's list.
        record: usize,
    },
    /// Take it off.
    Remove {
        /// Where and what.
        key: AddrKey,
        /// Whose it is or was.
        instance: Option<InstanceIdx>,
    },
}

impl AddrOp {
    /// What it changes.
    pub fn key(&self) -> AddrKey {
        match self {
            AddrOp::Add { key, .. } | AddrOp::Remove { key, .. } => *key,
        }
    }
}

/// How an instance's addresses stand. The greatest of all its addresses counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As wanted.
    Settled,
    /// Something is missing that cannot be had now: the interface is not there, or the kernel refused and it is not yet
    /// time to try again.
    Stuck,
    /// It would have to be removed, but vrrpd has not said everything yet.
    Deferred,
    /// It is in the plan.
    Moving,
}

/// The plan for addresses.
#[derive(Clone, Debug, Default)]
pub struct AddrPlan {
    /// What is to be done, in order.
    pub ops: Vec<AddrOp>,
    /// How the instances stand about which something was said.
    pub states: BTreeMap<InstanceIdx, State>,
    /// Things that are as they should be, whose failures can be forgotten.
    pub settled: Vec<Item>,
}

/// Plans addresses.
pub fn plan(ledger: &Ledger, desired: &Desired, network: &Network, patience: &Patience, removal: Removal) -> AddrPlan {
    let mut plan = AddrPlan::default();
    let mut adds = Vec::new();
    let mut renewals = Vec::new();
    // An address that somebody wants, or of which nobody has spoken yet, is not removed on behalf of another.
    let mut spared: BTreeSet<AddrKey> = BTreeSet::new();
    for (instance, addrs) in ledger.instances() {
        let want = desired.vips(instance).want;
        if want == Some(Presence::Absent) {
            continue;
        }
        let mut state = State::Settled;
        for (record, spec) in addrs.addrs.iter().enumerate() {
            let Some(key) = resolve(ledger, network, spec) else {
                state = state.max(State::Stuck);
                continue;
            };
            let first = spared.insert(key);
            if want.is_none() {
                continue;
            }
            let name = || (ledger.link(spec.link).unwrap_or_default().to_string(), key.addr, key.len);
            let there = network.has(&key);
            let outdated = there && desired.outdated_addrs.contains(&name());
            if there && !outdated {
                plan.settled.push(Item::Addr(key));
            } else if !patience.allows(&Item::Addr(key)) {
                state = state.max(State::Stuck);
            } else if removal == Removal::NotYet && (outdated || is_in_the_way(desired, name())) {
                state = state.max(State::Deferred);
            } else {
                state = State::Moving;
                if first {
                    renewals.extend(outdated.then_some(AddrOp::Remove { key, instance: Some(instance) }));
                    adds.push(AddrOp::Add { key, instance, record });
                }
            }
        }
        if want.is_some() {
            plan.states.insert(instance, state);
        }
    }
    removals(ledger, desired, network, patience, removal, &spared, &mut plan);
    plan.ops.append(&mut renewals);
    plan.ops.append(&mut adds);
    plan
}

fn removals(
    ledger: &Ledger,
    desired: &Desired,
    network: &Network,
    patience: &Patience,
    removal: Removal,
    spared: &BTreeSet<AddrKey>,
    plan: &mut AddrPlan,
) {
    let mut gone: BTreeSet<AddrKey> = BTreeSet::new();
    let mut remove = |key: AddrKey, instance: Option<InstanceIdx>, removal: Removal, ops: &mut Vec<AddrOp>| {
        if spared.contains(&key) || !network.has(&key) {
            return State::Settled;
        }
        if removal == Removal::NotYet {
            return State::Deferred;
        }
        if !patience.allows(&Item::Addr(key)) {
            return State::Stuck;
        }
        if gone.insert(key) {
            ops.push(AddrOp::Remove { key, instance });
        }
        State::Moving
    };
    for (instance, addrs) in ledger.instances() {
        let vips = desired.vips(instance);
        if vips.want != Some(Presence::Absent) {
            continue;
        }
        let removal = if vips.overdue == Removal::Allowed { Removal::Allowed } else { removal };
        let keys = addrs.addrs.iter().filter_map(|spec| resolve(ledger, network, spec));
        let state = keys.map(|key| remove(key, Some(instance), removal, &mut plan.ops)).max();
        plan.states.insert(instance, state.unwrap_or(State::Settled));
    }
    for (link, addr, len) in &desired.orphan_addrs {
        if let Some(link) = network.link(link) {
            remove(AddrKey { ifindex: link.ifindex, addr: *addr, len: *len }, None, removal, &mut plan.ops);
        }
    }
}

/// The kernel takes an IPv6 address once on an interface: with its old prefix length it must go before it can come with another.
fn is_in_the_way(desired: &Desired, (link, addr, _): AddrName) -> bool {
    addr.is_ipv6() && desired.orphan_addrs.range((link.clone(), addr, 0)..=(link, addr, u8::MAX)).next().is_some()
}

/// Where a record goes now; `None` while its interface is not there.
pub fn resolve(ledger: &Ledger, network: &Network, spec: &AddrSpec) -> Option<AddrKey> {
    let link = network.link(ledger.link(spec.link)?)?;
    Some(AddrKey { ifindex: link.ifindex, addr: spec.prefix.addr, len: spec.prefix.len })
}
