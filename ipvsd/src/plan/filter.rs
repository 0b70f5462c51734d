//! What the tables of the packet filter should hold.

use super::addrs;
use crate::desired::Desired;
use crate::filter::{Element, Layout, Purpose, TableKey};
use crate::ledger::{Ledger, Owner};
use crate::observed::Network;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::InstanceIdx;
use ipc::config::ipvs::{AddrSpec, Protocol};
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
            let needed = dropped.any(|spec| Family::of(spec.prefix.addr) == key.family);
            needed.then(|| Layout { name, priority, counters, outgoing: table.outgoing, maps: Vec::new() })
        }
        Purpose::Marks => {
            let table = ledger.filter().marks.as_ref()?;
            let (name, priority, counters) = (table.name.clone(), table.priority, table.counters);
            let here = ledger.marks().iter().filter(|element| element.family() == key.family);
            let mut maps: Vec<Protocol> = here.filter_map(Element::protocol).collect();
            maps.dedup();
            (!maps.is_empty()).then_some(Layout { name, priority, counters, outgoing: Switch::Off, maps })
        }
    }
}

/// Everything that a table should hold.
pub fn elements(view: &View<'_>, key: TableKey) -> BTreeSet<Element> {
    match key.purpose {
        Purpose::Vips => {
            let specs = view.ledger.instances().flat_map(|(_, instance)| &instance.addrs);
            let addrs: BTreeSet<IpAddr> = specs.map(|spec| spec.prefix.addr).collect();
            addrs.into_iter().filter(|addr| Family::of(*addr) == key.family).flat_map(|addr| of(view, addr)).collect()
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
