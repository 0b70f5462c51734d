//! Links and addresses.

use super::attr::{find, u16_of, u32_of};
use super::link::conf;
use super::reply::{Fact, Heard};
use crate::observed::{AddrFact, AddrKey, LinkFact, LinkKind};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use core::net::IpAddr;
use ipc::config::ipvs::AddrSpec;
use ipc::config::vrrp::Switch;
use ipc::msg::vips::Forwarding;
use ipc::net::Mac;
use netlink_packet_core::{NlaBuffer, NlasIterator, Parseable};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressMessage, AddressProtocol, AddressScope, CacheInfo,
};
use netlink_packet_route::link::{LinkHeader, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWNETCONF: u16 = 80;
const NETCONFA_IFINDEX: u16 = 1;
const NETCONFA_FORWARDING: u16 = 2;
const RTM_DELADDR: u16 = 21;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_VRF_TABLE: u16 = 1;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_FLAGS: u16 = 2;
const IFLA_LINK: u16 = 5;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_MASTER: u16 = 10;
const IFLA_IFALIAS: u16 = 20;
const IFLA_GROUP: u16 = 27;
const IFLA_INET_CONF: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const AF_INET: u16 = 2;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_INET6_CONF: u16 = 2;
const AF_INET6: u16 = 10;
const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;

/// The number by which `ip address` knows who put an address there (`keepalived` in iproute2's rt_addrprotos).
/// COMPAT: keepalived 2.4.3 sends it, 2.2.7 does not (seen with strace). Kernels before 5.18 ignore it.
pub const OWNER: u8 = 18;

/// Asks for all links.
pub fn dump_links() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(LinkMessage::default())
}

/// Asks for all addresses, of both families.
pub fn dump_addrs() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetAddress(AddressMessage::default())
}

fn message(key: &AddrKey, scope: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header = AddressHeader {
        family: if key.addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 },
        prefix_len: key.len,
        scope: AddressScope::from(scope),
        index: key.ifindex,
        ..AddressHeader::default()
    };
    message.attributes.push(AddressAttribute::Local(key.addr));
    message
}

/// Puts an address on an interface. COMPAT: keepalived 2.2.7 and 2.4.3: IFA_LOCAL alone, IFA_ADDRESS only for a peer; a broadcast
/// address only if one is configured; IPv6 without duplicate address detection unless `-nodad` asks for it, a /128 never chosen as
/// source unless `preferred_lft` says otherwise.
pub fn add_addr(key: &AddrKey, spec: &AddrSpec) -> RouteNetlinkMessage {
    let mut message = message(key, spec.scope);
    message.attributes.extend(spec.more.peer.map(AddressAttribute::Address));
    let mut flags = flags(spec);
    match key.addr {
        IpAddr::V4(_) => {
            message.attributes.extend(spec.broadcast.map(AddressAttribute::Broadcast));
            message.attributes.extend(spec.label.clone().map(AddressAttribute::Label));
        }
        IpAddr::V6(_) => {
            flags.set(AddressFlags::Nodad, spec.more.dad == Switch::Off);
            let preferred = spec.more.preferred_lft.unwrap_or(if key.len == 128 { 0 } else { u32::MAX });
            if preferred != u32::MAX {
                let mut lifetime = CacheInfo::default();
                lifetime.ifa_valid = u32::MAX;
                lifetime.ifa_preferred = preferred;
                message.attributes.push(AddressAttribute::CacheInfo(lifetime));
            }
        }
    }
    if !flags.is_empty() {
        message.attributes.push(AddressAttribute::Flags(flags));
    }
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::Other(OWNER)));
    RouteNetlinkMessage::NewAddress(message)
}

/// Puts an address there that no record asks for: that of an interface that was made.
pub fn add_plain(key: &AddrKey) -> RouteNetlinkMessage {
    let link_local = matches!(key.addr, IpAddr::V6(a) if a.is_unicast_link_local());
    let mut message = message(key, if link_local { 253 } else { 0 });
    if key.addr.is_ipv6() {
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
    }
    if link_local {
        // COMPAT: keepalived 2.2.7: nothing but adverts is sent from it.
        let mut lifetime = CacheInfo::default();
        lifetime.ifa_valid = u32::MAX;
        message.attributes.push(AddressAttribute::CacheInfo(lifetime));
    }
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::Other(OWNER)));
    RouteNetlinkMessage::NewAddress(message)
}

fn flags(spec: &AddrSpec) -> AddressFlags {
    let more = &spec.more;
    let flags = [
        (more.home, AddressFlags::Homeaddress),
        (more.mngtmpaddr, AddressFlags::Managetempaddr),
        (more.noprefixroute, AddressFlags::Noprefixroute),
        (more.autojoin, AddressFlags::Mcautojoin),
    ];
    flags.into_iter().filter(|(asked, _)| *asked == Switch::On).map(|(_, flag)| flag).collect()
}

/// Takes an address off. COMPAT: keepalived passes IFA_ADDRESS as well for IPv4; that of an address with a peer is the peer
/// (keepalived 2.2.7 passes the address, which the kernel refuses).
pub fn remove_addr(key: &AddrKey, peer: Option<IpAddr>) -> RouteNetlinkMessage {
    let mut message = message(key, 0);
    if key.addr.is_ipv4() {
        message.attributes.push(AddressAttribute::Address(peer.unwrap_or(key.addr)));
    }
    RouteNetlinkMessage::DelAddress(message)
}

/// What a message of NETLINK_ROUTE says; `None` for kinds that do not matter here.
pub(super) fn fact(kind: u16, payload: &[u8], heard: Heard) -> Result<Option<Fact>, String> {
    Ok(match kind {
        RTM_NEWLINK => link(payload)?.map(|l| Fact::LinkSeen(l, heard)),
        RTM_DELLINK => link(payload)?.map(|l| Fact::LinkGone { ifindex: l.ifindex }),
        RTM_NEWNETCONF => netconf(payload),
        RTM_NEWADDR => address(payload)?.map(|a| Fact::AddrSeen(a, heard)),
        RTM_DELADDR => address(payload)?.map(|a| Fact::AddrGone(a.key, heard)),
        _ => None,
    })
}

/// Reads the four attributes that matter and steps over the others: an attribute of a newer kernel that the packet
/// crate cannot read must not hide the interface. `None`: the bridge's own view of a port (AF_BRIDGE), or no name.
fn link(payload: &[u8]) -> Result<Option<LinkFact>, String> {
    let header = LinkHeader::parse(payload).map_err(|e| e.to_string())?;
    if header.interface_family != AddressFamily::Unspec {
        return Ok(None);
    }
    let mut fact = LinkFact {
        ifindex: header.index,
        flags: header.flags.bits(),
        kind: u16::from(header.link_layer_type),
        ..LinkFact::default()
    };
    for attribute in NlasIterator::new(payload.get(LINK_HEADER..).unwrap_or_default()) {
        let attribute = attribute.map_err(|e| e.to_string())?;
        let value = attribute.value();
        match attribute.kind() {
            IFLA_IFNAME => fact.name = text(value),
            IFLA_MTU => fact.mtu = value.first_chunk().map(|b| u32::from_ne_bytes(*b)).unwrap_or_default(),
            IFLA_LINK => fact.parent = u32_of(value).unwrap_or(0),
            // Of another namespace, where its number means something else. The kernel says so after the number.
            IFLA_LINK_NETNSID => fact.parent = 0,
            IFLA_MASTER => fact.master = u32_of(value),
            IFLA_GROUP => fact.group = u32_of(value).unwrap_or(0),
            IFLA_IFALIAS => fact.alias = text(value),
            IFLA_LINKINFO => fact.link_kind = link_kind(value),
            IFLA_AF_SPEC => {
                fact.forwarding = forwarding(value);
                fact.conf = conf_of(value);
                let six = find(value, AF_INET6).and_then(|six| find(six, IFLA_INET6_ADDR_GEN_MODE));
                fact.addr_gen_mode = six.and_then(|mode| mode.first().copied());
            }
            IFLA_ADDRESS => fact.mac = <[u8; 6]>::try_from(value).map(Mac).unwrap_or_default(),
            _ => {}
        }
    }
    Ok(if fact.name.is_empty() { None } else { Some(fact) })
}

fn link_kind(info: &[u8]) -> LinkKind {
    let data = find(info, IFLA_INFO_DATA).unwrap_or_default();
    match find(info, IFLA_INFO_KIND).map(text).unwrap_or_default().as_str() {
        "vrf" => find(data, IFLA_VRF_TABLE).and_then(u32_of).map(LinkKind::Vrf),
        "macvlan" => find(data, IFLA_MACVLAN_MODE).and_then(u32_of).map(LinkKind::Macvlan),
        "ipvlan" => find(data, IFLA_IPVLAN_FLAGS).and_then(u16_of).map(LinkKind::Ipvlan),
        _ => None,
    }
    .unwrap_or_default()
}

/// The kernel shows all settings of `net.ipv4.conf.IF` as one row of numbers, the first of which has number 1.
fn conf_of(families: &[u8]) -> BTreeMap<u16, u32> {
    let numbers = [conf::RP_FILTER, conf::ARP_FILTER, conf::ARP_IGNORE, conf::PROMOTE_SECONDARIES, conf::ACCEPT_LOCAL];
    let row = find(families, AF_INET).and_then(|four| find(four, IFLA_INET_CONF));
    let value = |number: u16| {
        let start = usize::from(number).checked_sub(1)?.checked_mul(4)?;
        u32_of(row?.get(start..)?)
    };
    numbers.into_iter().filter_map(|number| Some((number, value(number)?))).collect()
}

/// The first of the IPv6 settings of an interface (DEVCONF_FORWARDING of linux/ipv6.h).
fn forwarding(families: &[u8]) -> Forwarding {
    let conf = find(families, AF_INET6).and_then(|six| find(six, IFLA_INET6_CONF));
    match conf.and_then(u32_of) {
        None | Some(0) => Forwarding::No,
        Some(_) => Forwarding::Yes,
    }
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).to_string()
}

/// A setting of `net.ipv6.conf.IF` (linux/netconf.h). The kernel says nothing else when `forwarding` changes.
fn netconf(payload: &[u8]) -> Option<Fact> {
    if payload.first().copied().map(u16::from) != Some(AF_INET6) {
        return None;
    }
    // `struct netconfmsg` is one byte.
    let attributes = payload.get(4..)?;
    let ifindex = u32_of(find(attributes, NETCONFA_IFINDEX)?)?;
    let forwarding = match u32_of(find(attributes, NETCONFA_FORWARDING)?)? {
        0 => Forwarding::No,
        _ => Forwarding::Yes,
    };
    Some(Fact::ForwardingIs { ifindex, forwarding })
}

/// The local address of an entry: IFA_LOCAL, or IFA_ADDRESS where there is none (IPv6).
fn address(payload: &[u8]) -> Result<Option<AddrFact>, String> {
    let header = AddressHeader::parse(payload).map_err(|e| e.to_string())?;
    let mut local = None;
    let mut peer = None;
    let mut owner = 0;
    for attribute in NlasIterator::new(payload.get(ADDRESS_HEADER..).unwrap_or_default()) {
        let attribute: NlaBuffer<&[u8]> = attribute.map_err(|e| e.to_string())?;
        // An attribute that cannot be read is one that does not matter: these three are checked below.
        match AddressAttribute::parse(&attribute) {
            Ok(AddressAttribute::Local(addr)) => local = Some(addr),
            Ok(AddressAttribute::Address(addr)) => peer = Some(addr),
            Ok(AddressAttribute::Protocol(by)) => owner = u8::from(by),
            _ => {}
        }
    }
    Ok(local.or(peer).map(|addr| AddrFact {
        key: AddrKey { ifindex: header.index, addr, len: header.prefix_len },
        peer: peer.filter(|peer| *peer != addr),
        scope: u8::from(header.scope),
        owner,
    }))
}
