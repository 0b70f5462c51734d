//! What the tables of the packet filter should hold.

use super::addrs;
use crate::desired::Desired;
use crate::filter::{Element, Layout, Purpose, TableKey};
use crate::ledger::{Ledger, Owner};
use crate::observed::{LinkKind, Network};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::InstanceIdx;
use ipc::config::ipvs::{AddrSpec, MadeKind, MadeLink, Protocol};
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_options::Accept;
use ipc::msg::vips::Presence;
use ipc::net::Family;

/// All tables that may be there.
pub const TABLES: [TableKey; 4] = [
    TableKey { purpose: Purpose::Vips, family: Family::V4 },
    TableKey { purpose: Purpose::Vips, family: Family::V6 },
    TableKey { purpose: Purpose::Marks, family: Family::V4 },
    TableKey { purpose: Purpose::Marks, family: Family::V6 },
];

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What the configuration authorises.
    pub ledger: &'a Ledger,
    /// What the peers want of it.
    pub desired: &'a Desired,
    /// What there is.
    pub network: &'a Network,
}

/// The name that the configuration gives a table, whether it needs one or not.
pub fn name(ledger: &Ledger, purpose: Purpose) -> Option<&str> {
    match purpose {
        Purpose::Vips => ledger.filter().vips.as_ref().map(|table| table.name.as_str()),
        Purpose::Marks => ledger.filter().marks.as_ref().map(|table| table.name.as_str()),
    }
}

/// How a table is to be built; `None` if the configuration needs none.
pub fn layout(ledger: &Ledger, key: TableKey) -> Option<Layout> {
    match key.purpose {
        Purpose::Vips => {
            let table = ledger.filter().vips.as_ref()?;
            let (name, priority, counters) = (table.name.clone(), table.priority, table.counters);
            let mut dropped = ledger.instances().filter(|(_, i)| i.accept == Accept::Drop).flat_map(|(_, i)| &i.addrs);
            let on = |yes: bool| if yes { Switch::On } else { Switch::Off };
            let deaf = on(dropped.any(|spec| Family::of(spec.prefix.addr) == key.family));
            let outgoing = if deaf == Switch::On { table.outgoing } else { Switch::Off };
            let reports = key.family == Family::V6 || table.igmp == Switch::On;
            let vmacs = on(reports && vmacs(ledger, key.family).next().is_some());
            let needed = deaf == Switch::On || vmacs == Switch::On;
            needed.then(|| Layout { name, priority, counters, deaf, outgoing, vmacs, maps: Vec::new() })
        }
        Purpose::Marks => {
            let table = ledger.filter().marks.as_ref()?;
            let (name, priority, counters) = (table.name.clone(), table.priority, table.counters);
            let here = ledger.marks().iter().filter(|element| element.family() == key.family);
            let mut maps: Vec<Protocol> = here.filter_map(Element::protocol).collect();
            maps.dedup();
            let off = Switch::Off;
            (!maps.is_empty()).then_some(Layout {
                name,
                priority,
                counters,
                deaf: off,
                outgoing: off,
                vmacs: off,
                maps,
            })
        }
    }
}

/// The virtual MAC interfaces that speak a family: each speaks IPv6, and those of an IPv4 instance IPv4.
fn vmacs(ledger: &Ledger, family: Family) -> impl Iterator<Item = &MadeLink> {
    ledger.made().iter().filter(move |made| {
        matches!(made.kind, MadeKind::Macvlan(_)) && (family == Family::V6 || made.family == family)
    })
}

/// What there should be of those that are there. COMPAT: keepalived 2.2.7, measured.
fn kept_off(view: &View<'_>, family: Family) -> Vec<Element> {
    let mut all = Vec::new();
    for made in vmacs(view.ledger, family) {
        let link = view.ledger.link(made.link).and_then(|name| view.network.link(name));
        let Some(link) = link.filter(|link| matches!(link.link_kind, LinkKind::Macvlan(_))) else { continue };
        all.push(Element::Reports(family, link.ifindex, link.parent));
        if family == Family::V6 {
            all.push(Element::Solicits(link.ifindex));
        }
    }
    all
}

/// Everything that a table that is built like that should hold.
pub fn elements(view: &View<'_>, key: TableKey, layout: &Layout) -> BTreeSet<Element> {
    match key.purpose {
        Purpose::Vips => {
            let specs = view.ledger.instances().flat_map(|(_, instance)| &instance.addrs);
            let addrs: BTreeSet<IpAddr> = specs.map(|spec| spec.prefix.addr).collect();
            let addrs = addrs.into_iter().filter(|addr| Family::of(*addr) == key.family);
            let mut all: BTreeSet<Element> = addrs.flat_map(|addr| of(view, addr)).collect();
            if layout.vmacs == Switch::On {
                all.extend(kept_off(view, key.family));
            }
            all
        }
        Purpose::Marks => view.ledger.marks().iter().filter(|e| e.family() == key.family).copied().collect(),
    }
}

/// What should be there of an address: something as long as an instance that does not accept wants it, and until it is gone.
/// COMPAT: keepalived 2.2.7 filters before it puts an address there, until after it has removed it.
pub fn of<'a>(view: &View<'a>, addr: IpAddr) -> impl Iterator<Item = Element> + use<'a> {
    let view = *view;
    view.ledger.records_of(addr).filter_map(move |(owner, spec)| match owner {
        Owner::Instance(idx) => one(&view, idx, spec),
        Owner::Statics => None,
    })
}

fn one(view: &View<'_>, idx: InstanceIdx, spec: &AddrSpec) -> Option<Element> {
    view.ledger.instance(idx).filter(|i| i.accept == Accept::Drop)?;
    let place = addrs::resolve(view.ledger, view.network, spec);
    let wanted = view.desired.vips(idx).want == Some(Presence::Present);
    if !wanted && !place.is_some_and(|key| view.network.has(&key)) {
        return None;
    }
    match spec.prefix.addr {
        IpAddr::V6(addr) if is_link_local(addr) => Some(Element::LinkLocal(addr, place?.ifindex)),
        addr => Some(Element::Vip(addr)),
    }
}

/// What a table may hold of an address.
pub fn place_of(addr: IpAddr) -> core::ops::RangeInclusive<Element> {
    match addr {
        IpAddr::V6(addr) if is_link_local(addr) => Element::LinkLocal(addr, 0)..=Element::LinkLocal(addr, u32::MAX),
        addr => Element::Vip(addr)..=Element::Vip(addr),
    }
}

/// fe80::/10
fn is_link_local(addr: core::net::Ipv6Addr) -> bool {
    let [first, ..] = addr.segments();
    first & 0xffc0 == 0xfe80
}
