//! Requests about interfaces: `use_vmac` and `use_ipvlan` make them, and some settings of interfaces are those of the kernel's
//! `net.ipv4.conf.IF`, which rtnetlink can set as well (linux/if_link.h).

use super::attr::Attrs;
use super::paths::Request;
use alloc::vec::Vec;
use ipc::config::ipvs::MadeKind;
use ipc::config::vrrp_options::IpvlanMode;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
/// NLM_F_CREATE | NLM_F_EXCL
const MAKE: u16 = 0x600;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_GROUP: u16 = 27;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_FLAGS: u16 = 2;
const IFLA_INET_CONF: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const IFF_UP: u32 = 1;

/// MACVLAN_MODE_PRIVATE: interfaces of one parent do not hear each other.
pub const PRIVATE: u32 = 1;
const IPVLAN_L2: u16 = 0;
const IPVLAN_F_PRIVATE: u16 = 1;
const IPVLAN_F_VEPA: u16 = 2;
/// IN6_ADDR_GEN_MODE_NONE: no link-local address by itself.
pub const NO_LINK_LOCAL: u8 = 1;

/// Settings of `net.ipv4.conf.IF` by their numbers in linux/ip.h (`IPV4_DEVCONF_…`).
pub mod conf {
    /// `rp_filter`
    pub const RP_FILTER: u16 = 8;
    /// `arp_filter`
    pub const ARP_FILTER: u16 = 13;
    /// `arp_ignore`
    pub const ARP_IGNORE: u16 = 19;
    /// `promote_secondaries`
    pub const PROMOTE_SECONDARIES: u16 = 20;
    /// `accept_local`
    pub const ACCEPT_LOCAL: u16 = 23;
}

/// What is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Make<'a> {
    /// Its name.
    pub name: &'a str,
    /// Number of its parent.
    pub parent: u32,
    /// What it is.
    pub kind: MadeKind,
    /// Group.
    pub group: u32,
    /// Number of the VRF that the parent is in.
    pub vrf: Option<u32>,
}

/// Which interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'a> {
    /// By number.
    Number(u32),
    /// By name: one whose number is not known yet.
    Name(&'a str),
}

impl Which<'_> {
    fn header(self, flags: u32, change: u32) -> Attrs {
        match self {
            Which::Number(ifindex) => header(ifindex, flags, change),
            Which::Name(name) => {
                let mut attrs = header(0, flags, change);
                attrs.put_text(IFLA_IFNAME, name);
                attrs
            }
        }
    }
}

/// `struct ifinfomsg`
fn header(ifindex: u32, flags: u32, change: u32) -> Attrs {
    let mut bytes = Vec::from([0; 4]);
    for number in [ifindex, flags, change] {
        bytes.extend_from_slice(&number.to_ne_bytes());
    }
    Attrs::behind(&bytes)
}

/// Makes an interface. It is down.
pub fn make(what: &Make<'_>) -> Request {
    let mut attrs = header(0, 0, 0);
    attrs.put_u32(IFLA_LINK, what.parent);
    attrs.put_text(IFLA_IFNAME, what.name);
    let mut data = Attrs::default();
    let kind = match what.kind {
        MadeKind::Macvlan(mac) => {
            attrs.put(IFLA_ADDRESS, &mac.0);
            data.put_u32(IFLA_MACVLAN_MODE, PRIVATE);
            "macvlan"
        }
        MadeKind::Ipvlan(mode) => {
            data.put_u16(IFLA_IPVLAN_MODE, IPVLAN_L2);
            match mode {
                IpvlanMode::Bridge => {}
                IpvlanMode::Private => data.put_u16(IFLA_IPVLAN_FLAGS, IPVLAN_F_PRIVATE),
                IpvlanMode::Vepa => data.put_u16(IFLA_IPVLAN_FLAGS, IPVLAN_F_VEPA),
            }
            "ipvlan"
        }
    };
    if what.group != 0 {
        attrs.put_u32(IFLA_GROUP, what.group);
    }
    if let Some(vrf) = what.vrf {
        attrs.put_u32(IFLA_MASTER, vrf);
    }
    let mut info = Attrs::default();
    info.put_text(IFLA_INFO_KIND, kind);
    info.put_nested(IFLA_INFO_DATA, &data);
    attrs.put_nested(IFLA_LINKINFO, &info);
    Request { kind: RTM_NEWLINK, flags: MAKE, payload: attrs.into_bytes() }
}

/// Writes the mark that says whose an interface is.
pub fn set_alias(ifindex: u32, alias: &str) -> Request {
    let mut attrs = header(ifindex, 0, 0);
    attrs.put(IFLA_IFALIAS, alias.as_bytes());
    Request { kind: RTM_NEWLINK, flags: 0, payload: attrs.into_bytes() }
}

/// Changes settings of IPv4.
pub fn set_conf(which: Which<'_>, settings: &[(u16, u32)]) -> Request {
    let mut conf = Attrs::default();
    for (number, value) in settings {
        conf.put_u32(*number, *value);
    }
    let mut inet = Attrs::default();
    inet.put_nested(IFLA_INET_CONF, &conf);
    let mut families = Attrs::default();
    families.put_nested(AF_INET, &inet);
    of_families(which, &families)
}

/// Keeps IPv6 from giving an interface a link-local address.
pub fn no_link_local(which: Which<'_>) -> Request {
    let mut inet6 = Attrs::default();
    inet6.put_u8(IFLA_INET6_ADDR_GEN_MODE, NO_LINK_LOCAL);
    let mut families = Attrs::default();
    families.put_nested(AF_INET6, &inet6);
    of_families(which, &families)
}

fn of_families(which: Which<'_>, families: &Attrs) -> Request {
    let mut attrs = which.header(0, 0);
    attrs.put_nested(IFLA_AF_SPEC, families);
    Request { kind: RTM_NEWLINK, flags: 0, payload: attrs.into_bytes() }
}

/// Sets an interface up.
pub fn up(which: Which<'_>) -> Request {
    Request { kind: RTM_NEWLINK, flags: 0, payload: which.header(IFF_UP, IFF_UP).into_bytes() }
}

/// Removes an interface.
pub fn remove(ifindex: u32) -> Request {
    Request { kind: RTM_DELLINK, flags: 0, payload: header(ifindex, 0, 0).into_bytes() }
}
