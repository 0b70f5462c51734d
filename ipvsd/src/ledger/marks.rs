//! `nftables_ipvs`: a `virtual_server_group` of many addresses becomes one service of the kernel, by a firewall mark that the packet
//! filter puts on packets to them.
//!
//! COMPAT: keepalived 2.2.7 gives each pair of a group and a protocol a mark, from `nftables_ipvs_start_fwmark` upwards, in the order of
//! the virtual servers; a group that has a mark among its lines is left as it is. Here so are addresses that serve two groups, or a
//! group and a virtual server of its own (a packet has one mark), and addresses with port 0: keepalived marks packets to port 0 then.

use crate::filter::Element;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::ipvs::{IpvsConfig, Protocol, Service, ServiceKey};
use ipc::net::Family;

/// Who has a mark: a group with a protocol.
type Owner = (String, Protocol);

/// The marks that were given.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    owners: BTreeMap<Owner, u32>,
    elements: Vec<Element>,
}

impl Marks {
    /// What is marked, and with what.
    pub(super) fn elements(&self) -> &[Element] {
        &self.elements
    }
}

/// Gives marks to the groups that can have one, and puts them in the place of their addresses.
pub(super) fn give(config: &mut IpvsConfig, earlier: &Marks) -> Marks {
    let mut marks = Marks::default();
    let Some(table) = &config.filter.marks else { return marks };
    let owners: Vec<Option<Owner>> = config.services.rows().iter().map(|service| owner(config, service)).collect();
    let shared = shared(config, &owners);
    let living: BTreeSet<&Owner> = owners.iter().flatten().collect();
    let written = config.services.rows().iter().flat_map(|service| &service.keys).filter_map(|key| match key {
        ServiceKey::Fwmark { mark, .. } => Some(*mark),
        ServiceKey::Addr { .. } => None,
    });
    let kept = earlier.owners.iter().filter(|(owner, mark)| living.contains(owner) && **mark >= table.first);
    let mut used: BTreeSet<u32> = written.collect();
    for (owner, mark) in kept {
        if used.insert(*mark) {
            marks.owners.insert(owner.clone(), *mark);
        }
    }
    let mut next = table.first;
    let mut all = BTreeSet::new();
    for ((_, service), owner) in config.services.iter_mut().zip(owners) {
        let Some(owner) = owner else { continue };
        let (folded, left): (Vec<ServiceKey>, Vec<ServiceKey>) =
            service.keys.iter().partition(|key| key.port() != 0 && !shared.contains(key));
        if folded.is_empty() {
            continue;
        }
        let mark = *marks.owners.entry(owner).or_insert_with(|| {
            while !used.insert(next) {
                next = next.checked_add(1).unwrap_or(1);
            }
            next
        });
        let families: BTreeSet<Family> = folded.iter().map(|key| key.family()).collect();
        service.keys = families.into_iter().map(|family| ServiceKey::Fwmark { mark, family }).chain(left).collect();
        all.extend(folded.into_iter().map(|key| (key, mark)));
    }
    marks.elements = rows(&all);
    marks
}

/// Who a service's mark belongs to; `None` if it can have none.
fn owner(config: &IpvsConfig, service: &Service) -> Option<Owner> {
    let group = config.groups.at(service.group?)?;
    let protocol = service.keys.iter().find_map(|key| match key {
        ServiceKey::Addr { protocol, .. } => Some(*protocol),
        ServiceKey::Fwmark { .. } => None,
    })?;
    let alone = service.keys.iter().all(|key| matches!(key, ServiceKey::Addr { .. }));
    alone.then(|| (group.name.clone(), protocol))
}

/// The keys that more than one owner has, or a service that can have no mark.
fn shared(config: &IpvsConfig, owners: &[Option<Owner>]) -> BTreeSet<ServiceKey> {
    let mut first: BTreeMap<ServiceKey, &Option<Owner>> = BTreeMap::new();
    let mut shared = BTreeSet::new();
    for (service, owner) in config.services.rows().iter().zip(owners) {
        for key in &service.keys {
            if owner.is_none() || *first.entry(*key).or_insert(owner) != owner {
                shared.insert(*key);
            }
        }
    }
    shared
}

/// Addresses that follow one another with the same port and mark are one element.
fn rows(all: &BTreeSet<(ServiceKey, u32)>) -> Vec<Element> {
    let mut sorted: Vec<(Protocol, u16, u32, IpAddr)> = Vec::new();
    for (key, mark) in all {
        if let ServiceKey::Addr { addr, port, protocol } = *key {
            sorted.push((protocol, port, *mark, addr));
        }
    }
    sorted.sort_unstable();
    let mut elements: Vec<Element> = Vec::new();
    for (of, at, with, addr) in sorted {
        if let Some(Element::Mark { protocol, last, port, mark, .. }) = elements.last_mut()
            && (*protocol, *port, *mark) == (of, at, with)
            && follows(*last, addr)
        {
            *last = addr;
            continue;
        }
        elements.push(Element::Mark { protocol: of, first: addr, last: addr, port: at, mark: with });
    }
    elements
}

fn follows(a: IpAddr, b: IpAddr) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.to_bits().checked_add(1) == Some(b.to_bits()),
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits().checked_add(1) == Some(b.to_bits()),
        _ => false,
    }
}
