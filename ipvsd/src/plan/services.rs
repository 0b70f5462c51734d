//! The plan for IPVS.
//!
//! A service that the ledger names is ours with all its destinations: one that is there already is adopted with its
//! connections, and only what differs is changed. A service that no ledger ever named is left alone.
//!
//! Services come in the order of the configuration; of one service first itself, then what is added or changed, then what
//! is removed, so that it is never without a destination that it could have.

use super::Removal;
use crate::desired::Desired;
use crate::ledger::Ledger;
use crate::observed::{DestFact, ServiceFact, Table};
use crate::patience::{Item, Patience};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::ServiceIdx;
use ipc::config::ipvs::{Dest, Granularity, Method, Service, ServiceKey};
use ipc::config::vrrp::Switch;
use ipc::msg::reals::Standing;

/// IP_VS_SVC_F_PERSISTENT
pub const PERSISTENT: u32 = 0x1;
/// IP_VS_SVC_F_HASHED, which the kernel sets itself.
pub const HASHED: u32 = 0x2;

/// One change of IPVS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IpvsOp {
    /// A new service.
    AddService(ServiceFact),
    /// Other properties for a service that is there.
    EditService(ServiceFact),
    /// A service goes.
    RemoveService(ServiceKey),
    /// A new destination.
    AddDest(ServiceKey, DestFact),
    /// Other properties for a destination that is there.
    EditDest(ServiceKey, DestFact),
    /// A destination goes.
    RemoveDest(ServiceKey, IpAddr, u16),
}

impl IpvsOp {
    /// What it changes.
    pub fn item(&self) -> Item {
        match self {
            IpvsOp::AddService(fact) | IpvsOp::EditService(fact) => Item::Service(fact.key),
            IpvsOp::RemoveService(key) => Item::Service(*key),
            IpvsOp::AddDest(key, dest) | IpvsOp::EditDest(key, dest) => Item::Dest(*key, dest.addr, dest.port),
            IpvsOp::RemoveDest(key, addr, port) => Item::Dest(*key, *addr, *port),
        }
    }
}

/// The plan for IPVS.
#[derive(Clone, Debug, Default)]
pub struct IpvsPlan {
    /// What is to be done, in order.
    pub ops: Vec<IpvsOp>,
    /// Things that are as they should be, whose failures can be forgotten.
    pub settled: Vec<Item>,
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
pub fn plan(ledger: &Ledger, desired: &Desired, table: &Table, patience: &Patience, removal: Removal) -> IpvsPlan {
    let mut plan = IpvsPlan::default();
    if removal == Removal::Allowed {
        let orphans = desired.orphan_services.iter().filter(|key| table.service(key).is_some());
        plan.ops.extend(orphans.map(|key| IpvsOp::RemoveService(*key)).filter(|op| patience.allows(&op.item())));
    }
    let entries = ledger.services().flat_map(|(idx, service)| service.keys.iter().map(move |key| (idx, service, *key)));
    for (idx, service, key) in entries {
        let wanted = fact(service, key);
        let item = Item::Service(key);
        let there = table.service(&key);
        match there {
            Some(there) if same(&there.fact, &wanted) => plan.settled.push(item),
            _ if !patience.allows(&item) => {}
            Some(_) => plan.ops.push(IpvsOp::EditService(wanted)),
            None => plan.ops.push(IpvsOp::AddService(wanted)),
        }
        if there.is_some() || patience.allows(&item) {
            dests(ledger, desired, table, patience, removal, (idx, key), &mut plan);
        }
    }
    plan
}

/// Plans the end: of everything that is ours the destinations, then the services.
/// COMPAT: keepalived removes each real server, then the virtual server.
pub fn release(ledger: &Ledger, desired: &Desired, table: &Table, patience: &Patience) -> IpvsPlan {
    let mut plan = IpvsPlan::default();
    let ours = ledger.services().flat_map(|(_, s)| &s.keys).chain(&desired.orphan_services);
    for key in ours {
        let Some(service) = table.service(key) else { continue };
        plan.ops.extend(service.dests.keys().map(|(addr, port)| IpvsOp::RemoveDest(*key, *addr, *port)));
        plan.ops.push(IpvsOp::RemoveService(*key));
    }
    plan.ops.retain(|op| patience.allows(&op.item()));
    plan
}

fn dests(
    ledger: &Ledger,
    desired: &Desired,
    table: &Table,
    patience: &Patience,
    removal: Removal,
    (idx, key): (ServiceIdx, ServiceKey),
    plan: &mut IpvsPlan,
) {
    let Some(service) = ledger.service(idx) else { return };
    let (order, wishes) = wishes(ledger, desired, (idx, key), service);
    let there = table.service(&key).map(|s| &s.dests);
    for at in &order {
        let Some((wish, dest)) = wishes.get(at) else { continue };
        if *wish < Wish::Inhibited {
            continue;
        }
        let item = Item::Dest(key, dest.addr, dest.port);
        match there.and_then(|dests| dests.get(at)) {
            Some(found) if found == dest => plan.settled.push(item),
            _ if !patience.allows(&item) => {}
            Some(_) => plan.ops.push(IpvsOp::EditDest(key, *dest)),
            None => plan.ops.push(IpvsOp::AddDest(key, *dest)),
        }
    }
    if removal == Removal::NotYet {
        return;
    }
    for (addr, port) in there.into_iter().flat_map(BTreeMap::keys) {
        let gone = wishes.get(&(*addr, *port)).is_none_or(|(wish, _)| *wish == Wish::Gone);
        if gone && patience.allows(&Item::Dest(key, *addr, *port)) {
            plan.ops.push(IpvsOp::RemoveDest(key, *addr, *port));
        }
    }
}

type Wishes = BTreeMap<(IpAddr, u16), (Wish, DestFact)>;

/// The destinations under a key of a service in the order of the file, the sorry server last. Where two lines name the same
/// destination (a sorry server that is a real server too) the greater wish counts.
fn wishes(
    ledger: &Ledger,
    desired: &Desired,
    (idx, key): (ServiceIdx, ServiceKey),
    service: &Service,
) -> (Vec<(IpAddr, u16)>, Wishes) {
    let reals = ledger
        .reals_of(idx)
        .iter()
        .filter_map(|real| Some((desired.weighed(*real, ledger.real(*real)?.dest), desired.real(*real))));
    let sorry = service.sorry.map(|dest| (dest, unneeded(service.sorry_inhibit, desired.sorry(idx))));
    let mut order = Vec::new();
    let mut wishes = Wishes::new();
    for (dest, standing) in reals.chain(sorry) {
        let Some(dest) = dest.under(key) else { continue };
        let (wish, weight) = match standing {
            Some(Standing::Serving) => (Wish::Serving, dest.weight),
            Some(Standing::Inhibited) => (Wish::Inhibited, 0),
            None => (Wish::Leave, dest.weight),
            Some(Standing::Absent) => (Wish::Gone, 0),
        };
        let at = (dest.addr, dest.port);
        let entry = wishes.entry(at).or_insert_with(|| {
            order.push(at);
            (wish, dest_fact(&dest, weight))
        });
        if wish > entry.0 {
            *entry = (wish, dest_fact(&dest, weight));
        }
    }
    (order, wishes)
}

/// A sorry server that is not needed goes, or stays without weight. COMPAT: keepalived 2.2.7, `sorry_server_inhibit`.
fn unneeded(inhibit: Switch, standing: Option<Standing>) -> Option<Standing> {
    match (inhibit, standing) {
        (Switch::On, Some(Standing::Absent)) => Some(Standing::Inhibited),
        _ => standing,
    }
}

/// GUE and GRE are not run yet, which the compiler warned about: the tunnel is plain IP in IP.
fn forwarding(method: Method) -> Method {
    match method {
        Method::Nat | Method::Dr | Method::Tun => method,
        Method::Gue { .. } | Method::Gre { .. } => Method::Tun,
    }
}

fn dest_fact(dest: &Dest, weight: u32) -> DestFact {
    DestFact {
        addr: dest.addr,
        port: dest.port,
        method: Some(forwarding(dest.method)),
        weight,
        upper: dest.upper,
        lower: dest.lower,
    }
}

/// A service as the kernel shall show it.
pub fn fact(service: &Service, key: ServiceKey) -> ServiceFact {
    let granularity = if service.persistence.is_some() { service.granularity } else { Granularity::WHOLE };
    ServiceFact {
        key,
        scheduler: service.scheduler.clone(),
        flags: (service.flags & !HASHED & !PERSISTENT) | if service.persistence.is_some() { PERSISTENT } else { 0 },
        timeout: service.persistence.unwrap_or(0),
        netmask: granularity.of(key.family()),
    }
}

fn same(there: &ServiceFact, wanted: &ServiceFact) -> bool {
    there.scheduler == wanted.scheduler
        && there.flags & !HASHED == wanted.flags
        && there.netmask == wanted.netmask
        && (wanted.flags & PERSISTENT == 0 || there.timeout == wanted.timeout)
}
