//! ipvsd's slice: the ledger of everything it may ever put into the kernel.

use super::filter::Filter;
use super::lvs::Lvs;
use super::probe::Marked;
use super::route::{Route, Rule, Statics};
use super::vrrp::{Link, Switch};
use super::vrrp_options::{Accept, IpvlanMode};
use super::{InstanceIdx, LinkIdx, MarkedIdx, Origin, RealIdx, ServerGroupIdx, ServiceIdx};
use crate::net::{Family, Mac, Prefix};
use crate::table::Table;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// ipvsd's slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpvsConfig {
    /// Interfaces by name; the same table as vrrpd's.
    pub links: Table<LinkIdx, Link>,
    /// The addresses of each instance.
    pub instances: Table<InstanceIdx, InstanceAddrs>,
    /// `virtual_server` entries.
    pub services: Table<ServiceIdx, Service>,
    /// `real_server` entries of all services.
    pub reals: Table<RealIdx, Real>,
    /// `virtual_server_group` blocks, as they are written; a service of one has its own [`Service::keys`].
    pub groups: Table<ServerGroupIdx, ServiceGroup>,
    /// What is always there. `track_group`s are vrrpd's.
    pub statics: Statics,
    /// `lvs_…` of `global_defs`
    pub lvs: Lvs,
    /// The tables of the packet filter.
    pub filter: Filter,
    /// Interfaces that are made and removed: `use_vmac`, `use_ipvlan`.
    pub made: Vec<MadeLink>,
    /// Sockets that are opened for checks with `fwmark`, each kind once.
    pub marked: Table<MarkedIdx, Marked>,
    /// `promote_secondaries`: interfaces on which the kernel keeps the other addresses of a subnet when its first one is removed.
    pub promote: Vec<LinkIdx>,
    /// `vrrp_on_external_removal`
    pub on_removal: OnRemoval,
}

/// What becomes of an instance when another program removes an address, a route or a rule of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnRemoval {
    /// What was removed is put back.
    #[default]
    Restore,
    /// It gives up being master. COMPAT: keepalived 2.4.3 knows nothing else.
    Backup,
}

/// An interface that is made for an instance. COMPAT: keepalived 2.4.3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeLink {
    /// Its name.
    pub link: LinkIdx,
    /// The interface that it is made on.
    pub parent: LinkIdx,
    /// What it is.
    pub kind: MadeKind,
    /// Family of the instance.
    pub family: Family,
    /// `group`; `None`: that of the parent.
    pub group: Option<u32>,
    /// Whether it has the parent's link-local address, to send IPv6 adverts from.
    pub link_local: Switch,
    /// The address of its own that `use_ipvlan` gives it.
    pub addr: Option<Prefix>,
    /// Where it is asked for.
    pub origin: Origin,
}

/// Kinds of interfaces that are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MadeKind {
    /// `use_vmac`: a macvlan in private mode with this hardware address.
    Macvlan(Mac),
    /// `use_ipvlan`: an ipvlan of layer 2.
    Ipvlan(IpvlanMode),
}

/// What may be put into the kernel for one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceAddrs {
    /// The instance's name; matches the same instance across a reload.
    pub name: String,
    /// `virtual_ipaddress` then `virtual_ipaddress_excluded`, in order.
    pub addrs: Vec<AddrSpec>,
    /// `virtual_routes`, in order.
    pub routes: Vec<Route>,
    /// `virtual_rules`, in order.
    pub rules: Vec<Rule>,
    /// How long the addresses stay when vrrpd is gone: less than a backup needs to take over.
    pub hold: Duration,
    /// What becomes of packets to the addresses while they are there; [`Accept::Accept`] for the address owner, whatever is written.
    pub accept: Accept,
}

/// One address record. COMPAT: keepalived 2.4.3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddrSpec {
    /// Address and prefix, /32 or /128 when none was written.
    pub prefix: Prefix,
    /// Where it goes.
    pub link: LinkIdx,
    /// `brd ADDR`; `brd +`/`brd -` are resolved by the compiler.
    pub broadcast: Option<Ipv4Addr>,
    /// `scope`: 0 global, 253 link, 254 host.
    pub scope: u8,
    /// `label`, at most 15 bytes.
    pub label: Option<String>,
    /// The other options.
    pub more: AddrMore,
    /// The line that asks for it.
    pub origin: Origin,
}

/// Options of an address that are seldom used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddrMore {
    /// `peer`: the other end; the prefix length is the peer's.
    pub peer: Option<IpAddr>,
    /// `home`, IPv6 (IFA_F_HOMEADDRESS).
    pub home: Switch,
    /// `mngtmpaddr`, IPv6 (IFA_F_MANAGETEMPADDR).
    pub mngtmpaddr: Switch,
    /// `noprefixroute` (IFA_F_NOPREFIXROUTE).
    pub noprefixroute: Switch,
    /// `autojoin` (IFA_F_MCAUTOJOIN).
    pub autojoin: Switch,
    /// `-nodad`: duplicate address detection is done, IPv6.
    pub dad: Switch,
    /// `preferred_lft` in seconds, `u32::MAX` for ever. COMPAT: unset is 0 for an IPv6 /128, else for ever.
    pub preferred_lft: Option<u32>,
    /// `use_vmac`: on an interface with the virtual router's MAC address; the compiler has seen to it.
    pub use_vmac: Switch,
}

/// A `virtual_server_group`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceGroup {
    /// Its name.
    pub name: String,
    /// Its lines.
    pub entries: Vec<GroupEntry>,
    /// Where its block begins.
    pub origin: Origin,
}

/// A line of a `virtual_server_group`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupEntry {
    /// Addresses in a row.
    Addrs {
        /// The first.
        first: IpAddr,
        /// The last, of the same family and not below the first.
        last: IpAddr,
        /// The port, 0 for any (needs persistence).
        port: u16,
    },
    /// A firewall mark.
    Fwmark {
        /// The mark.
        mark: u32,
        /// `inet`, `inet6`
        family: Option<Family>,
    },
}

/// Transport protocol of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// IPPROTO_TCP
    Tcp,
    /// IPPROTO_UDP
    Udp,
    /// IPPROTO_SCTP
    Sctp,
}

/// What makes a service the same service in the kernel: its key there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServiceKey {
    /// By address, port and protocol.
    Addr {
        /// Virtual address.
        addr: IpAddr,
        /// Virtual port, 0 for any (needs persistence).
        port: u16,
        /// Protocol.
        protocol: Protocol,
    },
    /// By firewall mark.
    Fwmark {
        /// The mark.
        mark: u32,
        /// Family of the service.
        family: Family,
    },
}

impl ServiceKey {
    /// Its address family.
    pub fn family(self) -> Family {
        match self {
            ServiceKey::Addr { addr, .. } => Family::of(addr),
            ServiceKey::Fwmark { family, .. } => family,
        }
    }

    /// Its port, 0 for any and for a mark.
    pub fn port(self) -> u16 {
        match self {
            ServiceKey::Addr { port, .. } => port,
            ServiceKey::Fwmark { .. } => 0,
        }
    }
}

/// Checksums of a tunnel: `nocsum`, `csum`, `remcsum`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Checksum {
    /// `nocsum`, the default.
    #[default]
    None,
    /// `csum`
    Full,
    /// `remcsum`
    Remote,
}

/// Forwarding method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Method {
    /// `NAT`
    Nat,
    /// `DR`
    Dr,
    /// `TUN`, ipip
    Tun,
    /// `TUN type gue`
    Gue {
        /// `port`
        port: u16,
        /// `nocsum`, `csum`, `remcsum`
        checksum: Checksum,
    },
    /// `TUN type gre`
    Gre {
        /// `nocsum`, `csum`
        checksum: Checksum,
    },
}

/// `persistence_granularity`: clients of one network count as one. Without persistence it is not looked at: the kernel is told a whole
/// address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granularity {
    /// Netmask of IPv4 services as `u32::from(Ipv4Addr)`: 255.255.255.0 is 0xffff_ff00.
    pub mask: u32,
    /// Prefix length of IPv6 services, 1..=128.
    pub prefix: u8,
}

impl Granularity {
    /// Each client by itself.
    pub const WHOLE: Granularity = Granularity { mask: u32::MAX, prefix: 128 };

    /// What the kernel calls the netmask of a service.
    pub fn of(self, family: Family) -> u32 {
        match family {
            Family::V4 => self.mask,
            Family::V6 => u32::from(self.prefix),
        }
    }
}

/// A `virtual_server`: one service of the kernel, or with `group` several that have the same real servers in the same state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The kernel's services, at least one; of a group those of all its lines in order, ranges spelled out. What two
    /// services have in common has the real servers of both, and is like the first.
    pub keys: Vec<ServiceKey>,
    /// `virtual_server group NAME`
    pub group: Option<ServerGroupIdx>,
    /// Scheduler name as the kernel knows it (`rr`, `wlc`, …), at most 15 bytes.
    pub scheduler: String,
    /// Scheduler flags (IP_VS_SVC_F_SCHED1..3 and ONEPACKET); PERSISTENT is derived from `persistence`.
    pub flags: u32,
    /// Persistence timeout in seconds.
    pub persistence: Option<u32>,
    /// `persistence_granularity`
    pub granularity: Granularity,
    /// `persistence_engine`, with persistence only.
    pub engine: Option<String>,
    /// `drain_on_removal`: real servers that a reload removes stay for this long without weight.
    pub drain: Option<Duration>,
    /// `sorry_server`
    pub sorry: Option<Dest>,
    /// `sorry_server_inhibit`: it stays in the table with weight 0 while it is not needed.
    pub sorry_inhibit: super::vrrp::Switch,
    /// The line of its block.
    pub origin: Origin,
}

/// A real server as a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Real {
    /// The service it belongs to.
    pub service: ServiceIdx,
    /// The destination.
    pub dest: Dest,
    /// Whether checkers may change its weight: it has a `misc_dynamic` or a FILE_CHECK with a weight.
    pub dynamic: Switch,
    /// The line of its block.
    pub origin: Origin,
}

/// An IPVS destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dest {
    /// Address.
    pub addr: IpAddr,
    /// Port. NAT: where packets go, 0 for the port they came to. DR and TUN change no port: of a service with one key it is the key's, of
    /// a group 0; [`Dest::under`] gives each key's.
    pub port: u16,
    /// Forwarding method.
    pub method: Method,
    /// Weight 0..=2147483647 while serving.
    pub weight: u32,
    /// `uthreshold`, 0 for none.
    pub upper: u32,
    /// `lthreshold`, 0 for none.
    pub lower: u32,
}

impl Dest {
    /// How it stands in the table under one key of its service; `None` when it cannot: only a tunnel leads to another address family.
    /// COMPAT: keepalived 2.2.7 writes the same ports: those of the key with DR and TUN, 0 with a mark, the written one with NAT.
    pub fn under(self, key: ServiceKey) -> Option<Dest> {
        let (crosses, port) = match self.method {
            Method::Nat => (false, self.port),
            Method::Dr => (false, key.port()),
            Method::Tun | Method::Gue { .. } | Method::Gre { .. } => (true, key.port()),
        };
        (crosses || Family::of(self.addr) == key.family()).then_some(Dest { port, ..self })
    }
}
