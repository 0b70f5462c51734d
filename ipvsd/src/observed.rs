//! What the kernel holds: taken by dumps, kept current by notifications and by the acknowledgements of our own requests. Here links and
//! addresses, in [`table`] IPVS.

mod table;

pub use table::{Counted, Counts, DaemonFact, DaemonState, DestFact, Service, ServiceFact, Table, Timeouts};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use core::net::IpAddr;
use ipc::msg::vips::Forwarding;
use ipc::net::Mac;

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Number of the interface that it was made on; 0 for none, or one in another namespace.
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
    /// The interface that its frames leave by: of a macvlan or an ipvlan the one it is made on. The kernel makes one on another of its kind
    /// on that one's own base.
    pub fn base(&self) -> u32 {
        match self.link_kind {
            LinkKind::Macvlan(_) | LinkKind::Ipvlan(_) if self.parent != 0 => self.parent,
            _ => self.ifindex,
        }
    }

    /// Whether one of kind `link` that was made on this interface has that number for its parent.
    pub fn bears(&self, link: &LinkFact) -> bool {
        let same_kind = matches!(
            (self.link_kind, link.link_kind),
            (LinkKind::Macvlan(_), LinkKind::Macvlan(_)) | (LinkKind::Ipvlan(_), LinkKind::Ipvlan(_))
        );
        link.parent == if same_kind { self.parent } else { self.ifindex }
    }

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
