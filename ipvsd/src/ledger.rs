//! What the configuration authorises. The slice was compiled by a process without privilege and relayed unopened: it is
//! checked here, so that an index or a number that cannot be is refused as a whole and never reaches the kernel.
//!
//! [`services`] is about services and real servers, [`marks`] about those that are found by a mark of the packet filter.

mod marks;
mod services;

use crate::filter::Element;
use crate::netlink::link::conf;
use crate::path::{self, PathRecord};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::filter::Filter;
use ipc::config::ipvs::{AddrSpec, InstanceAddrs, IpvsConfig, MadeKind, MadeLink, OnRemoval, ServiceKey};
use ipc::config::lvs::Lvs;
use ipc::config::probe::Marked;
use ipc::config::route::{Route, Rule};
use ipc::config::{InstanceIdx, LinkIdx, MarkedIdx, RealIdx, TrackGroupIdx};

/// IFNAMSIZ and IP_VS_SCHEDNAME_MAXLEN without their closing zero.
const NAME_LIMIT: usize = 15;

/// What makes a destination of the kernel the same destination, over generations as well.
pub type DestKey = (ServiceKey, IpAddr, u16);

/// Who has something put into the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// `static_ipaddress`, `static_routes`, `static_rules`: there as long as the daemon runs.
    Statics,
    /// An instance: there while it is master.
    Instance(InstanceIdx),
}

/// A configuration that has been checked, with its lookups.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    config: IpvsConfig,
    /// `static_ipaddress` in the words of an instance's addresses.
    statics: Vec<AddrSpec>,
    /// Every record of an address: whose, and its place in the list.
    addrs: BTreeMap<IpAddr, Vec<(Owner, usize)>>,
    /// Every record of a route or a rule, statics first.
    paths: Vec<PathRecord>,
    /// The kernel's services in the order of the configuration.
    keys: Vec<ServiceKey>,
    users: BTreeMap<ServiceKey, services::Users>,
    /// The real servers by service, of each in the order of the configuration.
    by_service: Vec<RealIdx>,
    /// The same by service, address and port.
    by_dest: Vec<RealIdx>,
    marks: marks::Marks,
    /// Groups that something static is in.
    groups: BTreeSet<TrackGroupIdx>,
}

impl Ledger {
    /// Checks a configuration. The error names what is wrong, with the line that asked for it.
    pub fn new(config: IpvsConfig) -> Result<Ledger, String> {
        Ledger::after(config, &Ledger::default())
    }

    /// The same; marks that `earlier` gave stay.
    pub fn after(mut config: IpvsConfig, earlier: &Ledger) -> Result<Ledger, String> {
        check_filter(&config.filter)?;
        let mut ledger = Ledger { marks: marks::give(&mut config, &earlier.marks), ..Ledger::default() };
        for (_, link) in config.links.iter() {
            name(&link.name).map_err(|why| format!("{}: interface name {:?} {why}", link.origin, link.name))?;
        }
        ledger.statics = config.statics.addrs.iter().map(|addr| addr.spec.clone()).collect();
        let statics = [(Owner::Statics, "static_ipaddress", &ledger.statics)];
        let instances = config.instances.iter().map(|(idx, i)| (Owner::Instance(idx), i.name.as_str(), &i.addrs));
        for (owner, name, addrs) in statics.into_iter().chain(instances) {
            for (record, spec) in addrs.iter().enumerate() {
                let why = |why| format!("{}: address {} of {name}: {why}", spec.origin, spec.prefix);
                address(&config, spec).map_err(why)?;
                ledger.addrs.entry(spec.prefix.addr).or_default().push((owner, record));
            }
        }
        let instances = config.instances.iter().map(|(idx, i)| (Owner::Instance(idx), &i.routes, &i.rules));
        let statics = [(Owner::Statics, &config.statics.routes, &config.statics.rules)];
        for (owner, routes, rules) in statics.into_iter().chain(instances) {
            paths(&config, owner, routes, rules, &mut ledger.paths)?;
        }
        for made in &config.made {
            if !config.links.has(made.link) || !config.links.has(made.parent) {
                return Err(format!("{}: its interface is not in the table of interfaces", made.origin));
            }
        }
        ledger.note_services(&config)?;
        if let Some(sync) = &config.lvs.sync {
            name(&sync.link).map_err(|why| format!("lvs_sync_daemon: interface name {:?} {why}", sync.link))?;
        }
        let addrs = config.statics.addrs.iter().filter_map(|addr| addr.tracked.group());
        ledger.groups = addrs.chain(ledger.paths.iter().filter_map(|record| record.tracked.group())).collect();
        ledger.config = config;
        Ok(ledger)
    }

    /// The instances in order.
    pub fn instances(&self) -> impl Iterator<Item = (InstanceIdx, &InstanceAddrs)> {
        self.config.instances.iter()
    }

    /// An instance.
    pub fn instance(&self, idx: InstanceIdx) -> Option<&InstanceAddrs> {
        self.config.instances.at(idx)
    }

    /// The instance of that name.
    pub fn instance_named(&self, name: &str) -> Option<InstanceIdx> {
        self.config.instances.find(|i| i.name == name)
    }

    /// A socket that checkd may ask for.
    pub fn marked(&self, idx: MarkedIdx) -> Option<Marked> {
        self.config.marked.at(idx).copied()
    }

    /// The name of an interface.
    pub fn link(&self, idx: LinkIdx) -> Option<&str> {
        self.config.links.at(idx).map(|l| l.name.as_str())
    }

    /// The interfaces that the configuration names.
    pub fn links(&self) -> impl Iterator<Item = (LinkIdx, &str)> {
        self.config.links.iter().map(|(idx, l)| (idx, l.name.as_str()))
    }

    /// Whether some instance may put that address somewhere.
    pub fn is_virtual(&self, addr: IpAddr) -> bool {
        self.addrs.get(&addr).is_some_and(|all| all.iter().any(|(owner, _)| *owner != Owner::Statics))
    }

    /// Everybody who may have addresses, statics first.
    pub fn owners(&self) -> impl Iterator<Item = Owner> {
        [Owner::Statics].into_iter().chain(self.instances().map(|(idx, _)| Owner::Instance(idx)))
    }

    /// The addresses of somebody, in order.
    pub fn addrs_of(&self, owner: Owner) -> &[AddrSpec] {
        match owner {
            Owner::Statics => &self.statics,
            Owner::Instance(idx) => self.instance(idx).map_or(&[], |i| i.addrs.as_slice()),
        }
    }

    /// Whose it is, for messages.
    pub fn name_of(&self, owner: Owner) -> &str {
        match owner {
            Owner::Statics => "static",
            Owner::Instance(idx) => self.instance(idx).map_or("an earlier configuration", |i| i.name.as_str()),
        }
    }

    /// The owner of that name in an earlier ledger, here.
    pub fn same_owner(&self, earlier: &Ledger, owner: Owner) -> Option<Owner> {
        match owner {
            Owner::Statics => Some(Owner::Statics),
            Owner::Instance(idx) => self.instance_named(&earlier.instance(idx)?.name).map(Owner::Instance),
        }
    }

    /// Groups of instances that follow something static.
    pub fn groups(&self) -> &BTreeSet<TrackGroupIdx> {
        &self.groups
    }

    /// The static addresses, with the groups that follow them.
    pub fn static_addrs(&self) -> impl Iterator<Item = (&AddrSpec, Option<TrackGroupIdx>)> {
        self.statics.iter().zip(self.config.statics.addrs.iter().map(|addr| addr.tracked.group()))
    }

    /// Every record of a route or a rule, statics first.
    pub fn paths(&self) -> &[PathRecord] {
        &self.paths
    }

    /// Whether somebody has routes or rules.
    pub fn has_paths_of(&self, owner: Owner) -> bool {
        self.paths.iter().any(|record| record.owner == owner)
    }

    /// The records of an address.
    pub fn records_of(&self, addr: IpAddr) -> impl Iterator<Item = (Owner, &AddrSpec)> {
        let places = self.addrs.get(&addr).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|(owner, record)| Some((*owner, self.addrs_of(*owner).get(*record)?)))
    }

    /// The first record that puts that address with that prefix length on that interface.
    pub fn record(&self, link: &str, addr: IpAddr, len: u8) -> Option<&AddrSpec> {
        let mut records = self.records_of(addr).map(|(_, spec)| spec);
        records.find(|spec| spec.prefix.len == len && self.link(spec.link) == Some(link))
    }

    /// Interfaces that are made.
    pub fn made(&self) -> &[MadeLink] {
        &self.config.made
    }

    /// Settings of `net.ipv4.conf.IF` of interfaces that are there anyway: number and value. COMPAT: keepalived 2.4.3: the
    /// parent of a virtual MAC interface answers no ARP for its addresses.
    pub fn settings(&self) -> impl Iterator<Item = (LinkIdx, u16, u32)> {
        let macvlan = |made: &&MadeLink| matches!(made.kind, MadeKind::Macvlan(_));
        let parents = self.config.made.iter().filter(macvlan).map(|made| made.parent);
        parents.flat_map(|link| [(link, conf::ARP_IGNORE, 1), (link, conf::ARP_FILTER, 1)])
    }

    /// Interfaces whose `promote_secondaries` is the supervisor's to set: it writes down how it was, for the time after a crash.
    pub fn promoted(&self) -> impl Iterator<Item = &str> {
        self.config.promote.iter().filter_map(|link| self.link(*link))
    }

    /// The tables of the packet filter.
    pub fn filter(&self) -> &Filter {
        &self.config.filter
    }

    /// What the packet filter marks, and with what.
    pub fn marks(&self) -> &[Element] {
        self.marks.elements()
    }

    /// `lvs_…` of `global_defs`.
    pub fn lvs(&self) -> &Lvs {
        &self.config.lvs
    }

    /// What becomes of an instance of which somebody else removes something.
    pub fn on_removal(&self) -> OnRemoval {
        self.config.on_removal
    }

    /// Whether there is any instance.
    pub fn has_instances(&self) -> bool {
        !self.config.instances.is_empty()
    }
}

/// Longest name of a table of nftables that the configuration may give.
const TABLE_LIMIT: usize = 31;

fn check_filter(filter: &Filter) -> Result<(), String> {
    let names = [filter.vips.as_ref().map(|t| &t.name), filter.marks.as_ref().map(|t| &t.name)];
    for name in names.into_iter().flatten() {
        if name.is_empty() || name.len() > TABLE_LIMIT || name.bytes().any(|b| b == 0) {
            return Err(format!("nftables: {name:?} is no name of a table"));
        }
    }
    match names {
        [Some(a), Some(b)] if a == b => Err(format!("nftables, nftables_ipvs: one table {a} cannot be both")),
        _ => Ok(()),
    }
}

fn name(name: &str) -> Result<(), &'static str> {
    match name.len() {
        0 => Err("is empty"),
        n if n > NAME_LIMIT => Err("is longer than 15 bytes"),
        _ if name.bytes().any(|b| b == 0) => Err("holds a zero byte"),
        _ => Ok(()),
    }
}

fn address(config: &IpvsConfig, spec: &AddrSpec) -> Result<(), String> {
    if !config.links.has(spec.link) {
        return Err("its interface is not in the table of interfaces".into());
    }
    let most = if spec.prefix.addr.is_ipv4() { 32 } else { 128 };
    if spec.prefix.len > most {
        return Err(format!("a prefix is at most {most} bits"));
    }
    match &spec.label {
        Some(label) => name(label).map_err(|why| format!("label {label:?} {why}")),
        None => Ok(()),
    }
}

/// The routes and rules of somebody.
fn paths(
    config: &IpvsConfig,
    owner: Owner,
    routes: &[Route],
    rules: &[Rule],
    paths: &mut Vec<PathRecord>,
) -> Result<(), String> {
    let names = |idx| config.links.at(idx).map(|l| l.name.to_string());
    let routes = routes.iter().map(|r| (path::of_route(r, &names), &r.tracked, &r.origin));
    let rules = rules.iter().map(|r| (path::of_rule(r, &names), &r.tracked, &r.origin));
    for (path, tracked, origin) in routes.chain(rules) {
        let Some(path) = path else {
            return Err(format!("{origin}: its interface is not in the table of interfaces"));
        };
        paths.push(PathRecord { path: Arc::new(path), owner, tracked: tracked.clone(), origin: origin.clone() });
    }
    Ok(())
}
