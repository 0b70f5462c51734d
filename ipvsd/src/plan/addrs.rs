//! The plan for addresses.
//!
//! Removals come before additions: removing the primary address of a subnet takes its secondaries along, which must not
//! hit an address that was put there a moment before. Additions come in the order of the configuration, as keepalived
//! makes them.

use super::{Removal, View};
use crate::desired::{AddrName, Desired};
use crate::ledger::{Ledger, Owner};
use crate::observed::{AddrKey, Network};
use crate::patience::Item;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::vec::Vec;
use ipc::config::ipvs::AddrSpec;
use ipc::msg::vips::Presence;

/// One change of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddrOp {
    /// Put it there, as that record of that owner says.
    Add {
        /// Where and what.
        key: AddrKey,
        /// Whose.
        owner: Owner,
        /// Place in the owner's list.
        record: usize,
    },
    /// Take it off.
    Remove {
        /// Where and what.
        key: AddrKey,
        /// Whose it is or was.
        owner: Option<Owner>,
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

/// How somebody's addresses stand. The greatest of all its addresses counts.
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
    /// How those stand about whom something was said.
    pub states: BTreeMap<Owner, State>,
    /// Things that are as they should be, whose failures can be forgotten.
    pub settled: Vec<Item>,
}

/// Plans addresses.
pub fn plan(view: &View<'_, Network>) -> AddrPlan {
    let mut draft = Draft::default();
    for owner in view.ledger.owners() {
        draft.keep(view, owner);
    }
    removals(view, &draft.spared, &mut draft.plan);
    draft.finish()
}

/// Plans what is missing of some instances, and nothing else; of so many of them, from the first, that there are about `limit`
/// changes. When a thousand instances become master one after the other, this costs what is new, not what there is.
pub fn additions(view: &View<'_, Network>, owners: impl Iterator<Item = Owner>, limit: usize) -> AddrPlan {
    let mut draft = Draft::default();
    for owner in owners {
        if draft.adds.len() >= limit {
            break;
        }
        draft.keep(view, owner);
    }
    draft.finish()
}

/// A plan that is being made.
#[derive(Debug, Default)]
struct Draft {
    plan: AddrPlan,
    renewals: Vec<AddrOp>,
    adds: Vec<AddrOp>,
    /// An address that somebody wants, or of which nobody has spoken yet, is not removed on behalf of another.
    spared: BTreeSet<AddrKey>,
}

impl Draft {
    /// What somebody needs who is not to lose his addresses.
    fn keep(&mut self, view: &View<'_, Network>, owner: Owner) {
        let want = view.desired.want(owner);
        if want == Some(Presence::Absent) {
            return;
        }
        let mut state = State::Settled;
        for (record, spec) in view.ledger.addrs_of(owner).iter().enumerate() {
            let Some(key) = resolve(view.ledger, view.there, spec) else {
                state = state.max(State::Stuck);
                continue;
            };
            let first = self.spared.insert(key);
            if want.is_none() {
                continue;
            }
            let name = || (view.ledger.link(spec.link).unwrap_or_default().to_string(), key.addr, key.len);
            let there = view.there.has(&key);
            let outdated = there && view.desired.outdated_addrs.contains(&name());
            if there && !outdated {
                self.plan.settled.push(Item::Addr(key));
            } else if !view.patience.allows(&Item::Addr(key)) {
                state = state.max(State::Stuck);
            } else if view.removal == Removal::NotYet && (outdated || is_in_the_way(view.desired, name())) {
                state = state.max(State::Deferred);
            } else {
                state = State::Moving;
                if first {
                    self.renewals.extend(outdated.then_some(AddrOp::Remove { key, owner: Some(owner) }));
                    self.adds.push(AddrOp::Add { key, owner, record });
                }
            }
        }
        if want.is_some() {
            self.plan.states.insert(owner, state);
        }
    }

    fn finish(mut self) -> AddrPlan {
        self.plan.ops.append(&mut self.renewals);
        self.plan.ops.append(&mut self.adds);
        self.plan
    }
}

fn removals(view: &View<'_, Network>, spared: &BTreeSet<AddrKey>, plan: &mut AddrPlan) {
    let View { ledger, desired, there: network, patience, removal } = *view;
    let mut gone: BTreeSet<AddrKey> = BTreeSet::new();
    let mut remove = |key: AddrKey, owner: Option<Owner>, removal: Removal, ops: &mut Vec<AddrOp>| {
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
            ops.push(AddrOp::Remove { key, owner });
        }
        State::Moving
    };
    for owner in ledger.owners() {
        if desired.want(owner) != Some(Presence::Absent) {
            continue;
        }
        let removal = desired.removal(owner, removal);
        let keys = ledger.addrs_of(owner).iter().filter_map(|spec| resolve(ledger, network, spec));
        let state = keys.map(|key| remove(key, Some(owner), removal, &mut plan.ops)).max();
        plan.states.insert(owner, state.unwrap_or(State::Settled));
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
