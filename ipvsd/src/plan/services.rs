//! The plan for IPVS services and their destinations.
//!
//! A service that the ledger names is ours with all its destinations: one that is there already is adopted with its
//! connections, and only what differs is changed. A service that no ledger ever named is left alone.
//!
//! Services come in the order of the configuration; of one service first itself, then what is added or changed, then what
//! is removed, so that it is never without a destination that it could have.

use super::{IpvsOp, IpvsPlan, Removal, View};
use crate::observed::{self, DestFact, ServiceFact, Table};
use crate::patience::Item;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::ServiceIdx;
use ipc::config::ipvs::{Dest, Granularity, Service, ServiceKey};
use ipc::config::vrrp::Switch;
use ipc::msg::reals::Standing;

/// IP_VS_SVC_F_PERSISTENT
pub const PERSISTENT: u32 = 0x1;
/// IP_VS_SVC_F_HASHED, which the kernel sets itself.
pub const HASHED: u32 = 0x2;

/// What has to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Everything.
    All,
    /// These services.
    Some(BTreeSet<ServiceIdx>),
}

impl Default for Which {
    fn default() -> Self {
        Which::Some(BTreeSet::new())
    }
}

impl Which {
    /// One more service.
    pub fn add(&mut self, idx: ServiceIdx) {
        if let Which::Some(all) = self {
            all.insert(idx);
        }
    }

    /// Whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        matches!(self, Which::Some(all) if all.is_empty())
    }
}

/// What is wanted of one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    /// It shall not be there.
    Gone,
    /// Nothing was said of it.
    Leave,
    /// It shall be there, without weight.
    Inhibited,
    /// It shall be there.
    Serving,
}

/// Plans services and destinations.
pub fn plan(view: &View<'_, Table>, which: &Which, plan: &mut IpvsPlan) {
    match which {
        Which::All => {
            orphans(view, plan);
            view.ledger.keys().iter().for_each(|key| service(view, key, plan));
        }
        Which::Some(all) => {
            let mut seen = BTreeSet::new();
            for key in all.iter().filter_map(|idx| view.ledger.service(*idx)).flat_map(|service| &service.keys) {
                if seen.insert(*key) {
                    service(view, key, plan);
                }
            }
        }
    }
}

/// Plans the end: everything that is ours goes. The kernel removes the destinations of a service with it.
pub fn release(view: &View<'_, Table>, plan: &mut IpvsPlan) {
    for key in view.ledger.keys().iter().chain(&view.desired.orphan_services) {
        if view.there.service(key).is_some() {
            plan.push(view, IpvsOp::RemoveService(*key));
        }
    }
}

/// Services that no configuration names any more go, once their destinations are drained.
fn orphans(view: &View<'_, Table>, plan: &mut IpvsPlan) {
    if view.removal == Removal::NotYet {
        return;
    }
    for key in view.desired.orphan_services.iter().filter(|key| view.there.service(key).is_some()) {
        if view.desired.draining_of(key).next().is_none() {
            plan.push(view, IpvsOp::RemoveService(*key));
        } else {
            dests(view, key, plan);
        }
    }
}

fn service(view: &View<'_, Table>, key: &ServiceKey, plan: &mut IpvsPlan) {
    let Some(first) = view.ledger.service_with(key).and_then(|idx| view.ledger.service(idx)) else { return };
    let wanted = fact(first, key);
    let item = Item::Service(*key);
    match view.there.service(key) {
        Some(there) if same(&there.fact, &wanted) => plan.settled(view, item),
        Some(_) => plan.push(view, IpvsOp::EditService(wanted)),
        None if !view.patience.allows(&item) => return,
        None => plan.push(view, IpvsOp::AddService(wanted)),
    }
    dests(view, key, plan);
}

fn dests(view: &View<'_, Table>, key: &ServiceKey, plan: &mut IpvsPlan) {
    let wanted = wanted(view, key);
    let there = view.there.service(key);
    let mut in_order: Vec<&Wanted> = wanted.iter().filter(|wanted| wanted.wish >= Wish::Inhibited).collect();
    in_order.sort_unstable_by_key(|wanted| wanted.place);
    for Wanted { fact, .. } in in_order {
        match there.and_then(|service| service.dest((fact.addr, fact.port))) {
            Some(found) if found == *fact => plan.settled(view, Item::Dest(*key, fact.addr, fact.port)),
            Some(_) => plan.push(view, IpvsOp::EditDest(*key, *fact)),
            None => plan.push(view, IpvsOp::AddDest(*key, *fact)),
        }
    }
    if view.removal == Removal::NotYet {
        return;
    }
    for at in there.into_iter().flat_map(observed::Service::places) {
        let wish = wanted.binary_search_by_key(&at, Wanted::at).ok().and_then(|n| wanted.get(n));
        if wish.is_none_or(|wanted| wanted.wish == Wish::Gone) {
            plan.push(view, IpvsOp::RemoveDest(*key, at.0, at.1));
        }
    }
}

/// What is wanted of one destination of a service.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    /// Its place in the order of the file, the sorry server after the real servers, then what is drained.
    place: usize,
    wish: Wish,
    fact: DestFact,
}

impl Wanted {
    fn at(&self) -> (IpAddr, u16) {
        (self.fact.addr, self.fact.port)
    }
}

/// The destinations of a service by address and port. Where two lines name the same destination (a sorry server that is a real server
/// too, two groups that share an address) the greater wish counts, in the place of the first.
fn wanted(view: &View<'_, Table>, key: &ServiceKey) -> Vec<Wanted> {
    let mut all = Vec::new();
    let mut wish = |wish: Wish, fact: DestFact| all.push(Wanted { place: all.len(), wish, fact });
    for idx in view.ledger.users_of(key) {
        let Some(service) = view.ledger.service(idx) else { continue };
        let reals = view.ledger.reals_of(idx).iter();
        let reals = reals.filter_map(|real| {
            Some((view.desired.weighed(*real, view.ledger.real(*real)?.dest), view.desired.real(*real)))
        });
        let sorry = service.sorry.map(|dest| (dest, unneeded(service.sorry_inhibit, view.desired.sorry(idx))));
        for (dest, standing) in reals.chain(sorry) {
            let Some(dest) = dest.under(*key) else { continue };
            match standing {
                Some(Standing::Serving) => wish(Wish::Serving, dest_fact(&dest, dest.weight)),
                Some(Standing::Inhibited) => wish(Wish::Inhibited, dest_fact(&dest, 0)),
                None => wish(Wish::Leave, dest_fact(&dest, dest.weight)),
                Some(Standing::Absent) => wish(Wish::Gone, dest_fact(&dest, 0)),
            }
        }
    }
    let there = view.there.service(key);
    for at in view.desired.draining_of(key) {
        if let Some(found) = there.and_then(|service| service.dest(at)) {
            wish(Wish::Inhibited, DestFact { weight: 0, ..found });
        }
    }
    all.sort_unstable_by_key(|wanted| (wanted.at(), wanted.place));
    all.dedup_by(|later, first| {
        let same = later.at() == first.at();
        if same && later.wish > first.wish {
            *first = Wanted { place: first.place, ..*later };
        }
        same
    });
    all
}

/// A sorry server that is not needed goes, or stays without weight. COMPAT: keepalived 2.2.7, `sorry_server_inhibit`.
fn unneeded(inhibit: Switch, standing: Option<Standing>) -> Option<Standing> {
    match (inhibit, standing) {
        (Switch::On, Some(Standing::Absent)) => Some(Standing::Inhibited),
        _ => standing,
    }
}

fn dest_fact(dest: &Dest, weight: u32) -> DestFact {
    DestFact {
        addr: dest.addr,
        port: dest.port,
        method: Some(dest.method),
        weight,
        upper: dest.upper,
        lower: dest.lower,
    }
}

/// A service as the kernel shall show it.
pub fn fact(service: &Service, key: &ServiceKey) -> ServiceFact {
    let granularity = match service.persistence {
        Some(_) => service.granularity,
        None => Granularity::WHOLE,
    };
    ServiceFact {
        key: *key,
        scheduler: service.scheduler.clone(),
        flags: (service.flags & !HASHED & !PERSISTENT) | if service.persistence.is_some() { PERSISTENT } else { 0 },
        timeout: service.persistence.unwrap_or(0),
        netmask: granularity.of(key.family()),
        engine: service.engine.clone().filter(|_| service.persistence.is_some()),
    }
}

fn same(there: &ServiceFact, wanted: &ServiceFact) -> bool {
    there.scheduler == wanted.scheduler
        && there.flags & !HASHED == wanted.flags
        && there.netmask == wanted.netmask
        && there.engine == wanted.engine
        && (wanted.flags & PERSISTENT == 0 || there.timeout == wanted.timeout)
}
