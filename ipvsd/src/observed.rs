//! What the kernel holds: taken by dumps, kept current by notifications and by the acknowledgements of our own requests.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use core::net::IpAddr;
use ipc::config::ipvs::{Method, ServiceKey};
use ipc::msg::vips::Forwarding;
use ipc::net::Mac;

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkFact {
    /// Kernel index.
    pub ifindex: u32,
    /// Name.
    pub name: String,
    /// IFF_* flags.
    pub flags: u32,
    /// ARPHRD_* type.
    pub kind: u16,
    /// Hardware address, zero if it has none of six bytes.
    pub mac: Mac,
    /// MTU in bytes.
    pub mtu: u32,
    /// Whether IPv6 packets are forwarded from it.
    pub forwarding: Forwarding,
    /// What it is beside a device.
    pub link_kind: LinkKind,
    /// Number of the interface that it was made on, 0 for none.
    pub parent: u32,
    /// Number of the bridge, bond or VRF that it is in.
    pub master: Option<u32>,
    /// Group.
    pub group: u32,
    /// Alias, which anybody may write who may change interfaces.
    pub alias: String,
    /// `net.ipv4.conf.IF`, by number; those that matter here.
    pub conf: BTreeMap<u16, u32>,
    /// How IPv6 makes its link-local address; `None` without IPv6.
    pub addr_gen_mode: Option<u8>,
}

/// Kinds of interfaces that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkKind {
    /// Another one.
    #[default]
    Other,
    /// A macvlan with this mode (MACVLAN_MODE_…).
    Macvlan(u32),
    /// An ipvlan with these flags (IPVLAN_F_…).
    Ipvlan(u16),
    /// A VRF with this table.
    Vrf(u32),
}

impl LinkFact {
    /// The table of one that is a VRF.
    pub fn vrf_table(&self) -> Option<u32> {
        match self.link_kind {
            LinkKind::Vrf(table) => Some(table),
            LinkKind::Other | LinkKind::Macvlan(_) | LinkKind::Ipvlan(_) => None,
        }
    }
}

/// What makes an address the same address: interface, address, prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddrKey {
    /// Kernel index of the interface.
    pub ifindex: u32,
    /// The address.
    pub addr: IpAddr,
    /// Prefix length.
    pub len: u8,
}

/// An address as the kernel shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddrFact {
    /// Which.
    pub key: AddrKey,
    /// RT_SCOPE_*: 0 global … 254 host.
    pub scope: u8,
    /// IFA_PROTO: who put it there, 0 unknown.
    pub owner: u8,
    /// The other end, of an address that has one.
    pub peer: Option<IpAddr>,
}

/// An IPVS service as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceFact {
    /// Which.
    pub key: ServiceKey,
    /// Scheduler.
    pub scheduler: String,
    /// IP_VS_SVC_F_*, HASHED included.
    pub flags: u32,
    /// Persistence timeout in seconds; means something only with the PERSISTENT flag.
    pub timeout: u32,
    /// Persistence granularity: IPv4 netmask as `u32::from(Ipv4Addr)`, or IPv6 prefix length.
    pub netmask: u32,
    /// Persistence engine.
    pub engine: Option<String>,
}

/// An IPVS destination as the kernel shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestFact {
    /// Address.
    pub addr: IpAddr,
    /// Port.
    pub port: u16,
    /// Forwarding method; `None` for one that the configuration cannot ask for (local node, bypass).
    pub method: Option<Method>,
    /// Weight.
    pub weight: u32,
    /// Upper connection threshold.
    pub upper: u32,
    /// Lower connection threshold.
    pub lower: u32,
}

/// What the kernel has counted for a service or a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections.
    pub connections: u64,
    /// Packets in.
    pub in_packets: u64,
    /// Packets out.
    pub out_packets: u64,
    /// Bytes in.
    pub in_bytes: u64,
    /// Bytes out.
    pub out_bytes: u64,
    /// Connections a second.
    pub connection_rate: u64,
    /// Packets in a second.
    pub in_packet_rate: u64,
    /// Packets out a second.
    pub out_packet_rate: u64,
    /// Bytes in a second.
    pub in_byte_rate: u64,
    /// Bytes out a second.
    pub out_byte_rate: u64,
    /// Active connections; of a destination.
    pub active: u32,
    /// Inactive connections; of a destination.
    pub inactive: u32,
    /// Persistent connections; of a destination.
    pub persistent: u32,
}

/// What is counted for services of the configuration, and for their destinations.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// By service.
    pub services: BTreeMap<ServiceKey, Counts>,
    /// By destination.
    pub dests: BTreeMap<(ServiceKey, IpAddr, u16), Counts>,
}

/// Timeouts of IPVS connections in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Established TCP.
    pub tcp: Option<u32>,
    /// TCP after a FIN.
    pub tcp_fin: Option<u32>,
    /// UDP.
    pub udp: Option<u32>,
}

/// What a daemon that synchronises connections does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DaemonState {
    /// It sends.
    Master,
    /// It receives.
    Backup,
}

/// A daemon that synchronises connections; what is `None` is the kernel's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonFact {
    /// What it does.
    pub state: DaemonState,
    /// Name of its interface.
    pub link: String,
    /// What it sends or listens for.
    pub id: u32,
    /// Longest message in bytes.
    pub max_length: Option<u16>,
    /// Multicast group.
    pub group: Option<IpAddr>,
    /// UDP port.
    pub port: Option<u16>,
    /// Time to live.
    pub ttl: Option<u8>,
}

/// Links and addresses.
#[derive(Clone, Debug, Default)]
pub struct Network {
    links: BTreeMap<u32, LinkFact>,
    names: BTreeMap<String, u32>,
    addrs: BTreeMap<AddrKey, Seen>,
    order: u64,
    taking: Option<Taking>,
}

/// An address with its place among the addresses of its interface.
#[derive(Clone, Copy, Debug)]
struct Seen {
    fact: AddrFact,
    /// Grows with the order in which the kernel lists or announces them.
    order: u64,
}

/// A dump under way. Entries of the dump may be older than a notification that was read before them, so whatever a
/// notification or an acknowledgement has touched since the start of the dump overrides it.
#[derive(Clone, Debug, Default)]
struct Taking {
    links: BTreeMap<u32, LinkFact>,
    addrs: BTreeMap<AddrKey, Seen>,
    touched_links: BTreeSet<u32>,
    touched_addrs: BTreeSet<AddrKey>,
}

impl Network {
    /// A dump begins.
    pub fn take(&mut self) {
        self.taking = Some(Taking::default());
    }

    /// The dumps of links and addresses have ended: what they did not show is not there.
    pub fn taken(&mut self) {
        let Some(mut taking) = self.taking.take() else { return };
        for ifindex in taking.touched_links {
            match self.links.remove(&ifindex) {
                Some(link) => taking.links.insert(ifindex, link),
                None => taking.links.remove(&ifindex),
            };
        }
        for key in taking.touched_addrs {
            match self.addrs.remove(&key) {
                Some(seen) => taking.addrs.insert(key, seen),
                None => taking.addrs.remove(&key),
            };
        }
        self.links = taking.links;
        self.addrs = taking.addrs;
        self.names = self.links.values().map(|l| (l.name.clone(), l.ifindex)).collect();
    }

    /// An entry of a dump.
    pub fn dumped_link(&mut self, link: LinkFact) {
        if let Some(taking) = &mut self.taking {
            taking.links.insert(link.ifindex, link);
        }
    }

    /// An entry of a dump.
    pub fn dumped_addr(&mut self, fact: AddrFact) {
        self.order = self.order.saturating_add(1);
        let seen = Seen { fact, order: self.order };
        if let Some(taking) = &mut self.taking {
            taking.addrs.insert(fact.key, seen);
        }
    }

    /// An interface is there or has changed.
    pub fn link_seen(&mut self, link: LinkFact) {
        if let Some(taking) = &mut self.taking {
            taking.touched_links.insert(link.ifindex);
        }
        self.unname(link.ifindex);
        self.names.insert(link.name.clone(), link.ifindex);
        self.links.insert(link.ifindex, link);
    }

    /// An interface is gone, and with it its addresses.
    pub fn link_gone(&mut self, ifindex: u32) {
        let gone: alloc::vec::Vec<AddrKey> = self.on(ifindex).map(|f| f.key).collect();
        for key in gone {
            self.addr_gone(&key);
        }
        if let Some(taking) = &mut self.taking {
            taking.touched_links.insert(ifindex);
        }
        self.unname(ifindex);
        self.links.remove(&ifindex);
    }

    /// Forgets the name that an interface had, unless another one has taken it over.
    fn unname(&mut self, ifindex: u32) {
        if let Some(old) = self.links.get(&ifindex)
            && self.names.get(&old.name) == Some(&ifindex)
        {
            self.names.remove(&old.name);
        }
    }

    /// An address is there.
    pub fn addr_seen(&mut self, fact: AddrFact) {
        self.order = self.order.saturating_add(1);
        let order = self.addrs.get(&fact.key).map_or(self.order, |seen| seen.order);
        if let Some(taking) = &mut self.taking {
            taking.touched_addrs.insert(fact.key);
        }
        self.addrs.insert(fact.key, Seen { fact, order });
    }

    /// An address is gone. True if it was there.
    pub fn addr_gone(&mut self, key: &AddrKey) -> bool {
        if let Some(taking) = &mut self.taking {
            taking.touched_addrs.insert(*key);
        }
        self.addrs.remove(key).is_some()
    }

    /// The interface of that name.
    pub fn link(&self, name: &str) -> Option<&LinkFact> {
        self.links.get(self.names.get(name)?)
    }

    /// The interface of that number.
    pub fn by_index(&self, ifindex: u32) -> Option<&LinkFact> {
        self.links.get(&ifindex)
    }

    /// All interfaces.
    pub fn links(&self) -> impl Iterator<Item = &LinkFact> {
        self.links.values()
    }

    /// Whether an interface is there that this process made.
    pub fn has_marked(&self) -> bool {
        self.links.values().any(|link| link.alias.starts_with(crate::plan::links::MARK))
    }

    /// Something of an interface is another way now.
    pub fn change(&mut self, ifindex: u32, change: impl FnOnce(&mut LinkFact)) {
        if let Some(link) = self.links.get_mut(&ifindex) {
            change(link);
        }
    }

    /// The name of an interface.
    pub fn name(&self, ifindex: u32) -> Option<&str> {
        self.links.get(&ifindex).map(|l| l.name.as_str())
    }

    /// Every address of this machine.
    pub fn addrs(&self) -> impl Iterator<Item = IpAddr> {
        self.addrs.keys().map(|key| key.addr)
    }

    /// Whether that address is there.
    pub fn has(&self, key: &AddrKey) -> bool {
        self.addrs.contains_key(key)
    }

    /// The other end of an address that is there and has one.
    pub fn peer(&self, key: &AddrKey) -> Option<IpAddr> {
        self.addrs.get(key)?.fact.peer
    }

    /// The addresses of an interface, in the kernel's order.
    pub fn on(&self, ifindex: u32) -> impl Iterator<Item = &AddrFact> {
        let first = AddrKey { ifindex, addr: IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), len: 0 };
        let mut seen: alloc::vec::Vec<&Seen> =
            self.addrs.range(first..).take_while(|(k, _)| k.ifindex == ifindex).map(|(_, s)| s).collect();
        seen.sort_by_key(|s| s.order);
        seen.into_iter().map(|s| &s.fact)
    }
}

/// IPVS services and their destinations, and what concerns them all.
#[derive(Clone, Debug, Default)]
pub struct Table {
    services: BTreeMap<ServiceKey, Service>,
    /// Daemons that synchronise connections, at most one of each state.
    pub daemons: BTreeMap<DaemonState, DaemonFact>,
    /// The timeouts; `None` if they were not asked for.
    pub timeouts: Option<Timeouts>,
}

/// One service with its destinations.
#[derive(Clone, Debug)]
pub struct Service {
    /// The service itself.
    pub fact: ServiceFact,
    /// Its destinations by address and port.
    pub dests: BTreeMap<(IpAddr, u16), DestFact>,
}

impl Table {
    /// A service is there (or was changed); its known destinations stay known.
    pub fn service_seen(&mut self, fact: ServiceFact) {
        match self.services.get_mut(&fact.key) {
            Some(service) => service.fact = fact,
            None => {
                self.services.insert(fact.key, Service { fact, dests: BTreeMap::new() });
            }
        }
    }

    /// A service is gone, and with it its destinations.
    pub fn service_gone(&mut self, key: &ServiceKey) {
        self.services.remove(key);
    }

    /// A destination is there. Ignored if its service is not.
    pub fn dest_seen(&mut self, key: &ServiceKey, fact: DestFact) {
        if let Some(service) = self.services.get_mut(key) {
            service.dests.insert((fact.addr, fact.port), fact);
        }
    }

    /// A destination is gone.
    pub fn dest_gone(&mut self, key: &ServiceKey, addr: IpAddr, port: u16) {
        if let Some(service) = self.services.get_mut(key) {
            service.dests.remove(&(addr, port));
        }
    }

    /// All services are gone.
    pub fn clear(&mut self) {
        self.services.clear();
    }

    /// A service.
    pub fn service(&self, key: &ServiceKey) -> Option<&Service> {
        self.services.get(key)
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &ServiceKey> {
        self.services.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn addr(n: u8) -> AddrFact {
        let key = AddrKey { ifindex: 2, addr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)), len: 24 };
        AddrFact { key, scope: 0, owner: 0, peer: None }
    }

    #[test]
    fn a_dump_replaces_but_what_was_heard_meanwhile_overrides_it() {
        let mut net = Network::default();
        net.addr_seen(addr(1));
        net.addr_seen(addr(2));
        net.take();
        net.addr_gone(&addr(2).key);
        net.addr_seen(addr(3));
        net.dumped_addr(addr(2)); // older than the notification
        net.dumped_addr(addr(4));
        net.taken();
        let there: alloc::vec::Vec<u8> = (1..=4).filter(|n| net.has(&addr(*n).key)).collect();
        assert_eq!(there, [3, 4]);
    }

    #[test]
    fn addresses_keep_the_kernel_s_order() {
        let mut net = Network::default();
        for n in [9, 3, 7] {
            net.addr_seen(addr(n));
        }
        net.addr_seen(addr(9));
        let order: alloc::vec::Vec<IpAddr> = net.on(2).map(|f| f.key.addr).collect();
        assert_eq!(order, [9, 3, 7].map(|n| addr(n).key.addr));
    }

    #[test]
    fn an_interface_takes_its_addresses_along() {
        let mut net = Network::default();
        net.addr_seen(addr(1));
        net.link_gone(2);
        assert!(!net.has(&addr(1).key));
    }
}
