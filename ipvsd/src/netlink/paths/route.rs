//! Routes (linux/rtnetlink.h `struct rtmsg`, `RTA_…`).

use super::{Links, PROTOCOL, af, any, encap, family, network};
use crate::netlink::attr::{Attrs, addr, u16_of, u32_of};
use crate::path::RouteName;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::route::{Hop, Metric, RouteType};
use ipc::config::vrrp::Switch;
use ipc::net::{Family, Prefix};
use netlink_packet_core::NlasIterator;

/// Bytes of `struct rtmsg`.
pub const HEADER: usize = 12;
/// Bytes of `struct rtnexthop`.
const HOP_HEADER: usize = 8;

const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_FLOW: u16 = 11;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_PREF: u16 = 20;
const RTA_EXPIRES: u16 = 23;
const RTA_TTL_PROPAGATE: u16 = 26;

const RTAX_LOCK: u16 = 1;
const RTAX_CC_ALGO: u16 = 16;

const RTNH_F_ONLINK: u8 = 4;
const RT_TABLE_MAIN: u32 = 254;
/// IP6_RT_PRIO_USER: what IPv6 makes of no metric.
const METRIC_OF_V6: u32 = 1024;
/// RTM_F_CLONED: an entry of a cache, not of a table.
const CLONED: u32 = 0x200;

/// A route as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteFact {
    /// Family.
    pub family: Family,
    /// Table.
    pub table: u32,
    /// Where it leads.
    pub to: Prefix,
    /// RTN_*
    pub kind: u8,
    /// Type of service.
    pub tos: u8,
    /// Metric.
    pub metric: u32,
    /// RTPROT_*: who put it there.
    pub protocol: u8,
    /// Preferred source address.
    pub source: Option<IpAddr>,
    /// Next hops: gateway, number of the interface.
    pub hops: Vec<(Option<IpAddr>, u32)>,
    /// RTAX_* that are numbers.
    pub metrics: BTreeMap<u16, u32>,
}

/// The table it stands in; `None`: that of a VRF that is not there.
fn table(name: &RouteName, links: &Links<'_>) -> Option<u32> {
    match (name.table, &name.vrf) {
        (Some(table), _) => Some(table),
        (None, Some(vrf)) => (links.table)(vrf),
        (None, None) => Some(RT_TABLE_MAIN),
    }
}

/// The payload of a request about a route. COMPAT: the attributes and their order are keepalived 2.2.7's, seen with strace.
pub fn request(name: &RouteName, links: &Links<'_>) -> Option<Vec<u8>> {
    let table = table(name, links)?;
    let short = u8::try_from(table).unwrap_or(0);
    let onlink = if name.hop.onlink == Switch::On { u32::from(RTNH_F_ONLINK) } else { 0 };
    let [f0, f1, f2, f3] = onlink.to_ne_bytes();
    let from = name.from.map(network);
    let mut attrs = Attrs::behind(&[
        af(name.family),
        name.to.len,
        from.map_or(0, |p| p.len),
        name.tos.unwrap_or(0),
        short,
        name.protocol.unwrap_or(PROTOCOL),
        name.scope.unwrap_or(0),
        name.kind as u8,
        f0,
        f1,
        f2,
        f3,
    ]);
    if name.to.len > 0 {
        attrs.put_addr(RTA_DST, network(name.to).addr);
    }
    if let Some(from) = from {
        attrs.put_addr(RTA_SRC, from.addr);
    }
    if let Some(source) = name.source {
        attrs.put_addr(RTA_PREFSRC, source);
    }
    put_hop(&name.hop, name.family, &mut attrs);
    if let Some(link) = &name.hop.link {
        attrs.put_u32(RTA_OIF, (links.ifindex)(link)?);
    }
    if short == 0 {
        attrs.put_u32(RTA_TABLE, table);
    }
    for (kind, value) in [(RTA_PRIORITY, name.metric), (RTA_EXPIRES, name.expires)] {
        if let Some(value) = value {
            attrs.put_u32(kind, value);
        }
    }
    if let Some(pref) = name.pref {
        attrs.put_u8(RTA_PREF, pref);
    }
    if let Some(propagate) = name.ttl_propagate {
        attrs.put_u8(RTA_TTL_PROPAGATE, u8::from(propagate == Switch::On));
    }
    put_metrics(name, &mut attrs);
    if !name.hops.is_empty() {
        attrs.put(RTA_MULTIPATH, &several(name, links)?);
    }
    Some(attrs.into_bytes())
}

/// Gateway, realms and encapsulation of a hop.
fn put_hop(hop: &Hop<String>, family: Family, attrs: &mut Attrs) {
    match hop.via {
        // An IPv4 destination behind an IPv6 router (RFC 5549).
        Some(IpAddr::V6(via)) if family == Family::V4 => {
            let mut value = u16::from(af(Family::V6)).to_ne_bytes().to_vec();
            value.extend_from_slice(&via.octets());
            attrs.put(RTA_VIA, &value);
        }
        Some(via) => attrs.put_addr(RTA_GATEWAY, via),
        None => {}
    }
    if let Some(realms) = hop.realms {
        attrs.put_u32(RTA_FLOW, realms);
    }
    if let Some(encap) = &hop.encap {
        encap::put(encap, attrs);
    }
}

/// `struct rtnexthop`, each with its attributes.
fn several(name: &RouteName, links: &Links<'_>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for hop in &name.hops {
        let ifindex = match &hop.link {
            Some(link) => (links.ifindex)(link)?,
            None => 0,
        };
        let mut attrs = Attrs::default();
        put_hop(hop, name.family, &mut attrs);
        let attrs = attrs.into_bytes();
        let length = u16::try_from(attrs.len().checked_add(HOP_HEADER)?).ok()?;
        bytes.extend_from_slice(&length.to_ne_bytes());
        let flags = if hop.onlink == Switch::On { RTNH_F_ONLINK } else { 0 };
        // The kernel counts weights from 0.
        let weight = u8::try_from(hop.weight.unwrap_or(1).saturating_sub(1)).unwrap_or(u8::MAX);
        bytes.extend_from_slice(&[flags, weight]);
        bytes.extend_from_slice(&ifindex.to_ne_bytes());
        bytes.extend_from_slice(&attrs);
    }
    Some(bytes)
}

fn put_metrics(name: &RouteName, attrs: &mut Attrs) {
    let mut inner = Attrs::default();
    for (kind, value) in metrics(name) {
        inner.put_u32(kind, value);
    }
    if let Some((algorithm, _)) = &name.congctl {
        inner.put_text(RTAX_CC_ALGO, algorithm);
    }
    if inner != Attrs::default() {
        attrs.put_nested(RTA_METRICS, &inner);
    }
}

/// The metrics that are numbers, and which of them are locked.
fn metrics(name: &RouteName) -> BTreeMap<u16, u32> {
    let mut metrics: BTreeMap<u16, u32> = name.metrics.iter().map(|m| (m.kind as u16, m.value)).collect();
    let bit = |kind: u32| 1_u32.checked_shl(kind).unwrap_or(0);
    let locked = |m: &&Metric| m.lock == Switch::On;
    let mut lock = name.metrics.iter().filter(locked).fold(0, |lock, m| lock | bit(m.kind as u32));
    if matches!(name.congctl, Some((_, Switch::On))) {
        lock |= bit(u32::from(RTAX_CC_ALGO));
    }
    if lock != 0 {
        metrics.insert(RTAX_LOCK, lock);
    }
    metrics
}

/// What a message says of a route; `None` for one of others, or of a family that does not matter.
pub(super) fn fact(payload: &[u8]) -> Result<Option<RouteFact>, String> {
    let Some(header) = payload.first_chunk::<HEADER>() else { return Err("a route is cut off".to_string()) };
    let [af, len, _, tos, short, protocol, _, kind, f0, f1, f2, f3] = *header;
    let Some(family) = family(af) else { return Ok(None) };
    if protocol != PROTOCOL || u32::from_ne_bytes([f0, f1, f2, f3]) & CLONED != 0 {
        return Ok(None);
    }
    let mut fact = RouteFact {
        family,
        table: u32::from(short),
        to: Prefix { addr: any(family), len },
        kind,
        tos,
        metric: 0,
        protocol,
        source: None,
        hops: Vec::new(),
        metrics: BTreeMap::new(),
    };
    let (mut via, mut ifindex) = (None, 0);
    for attribute in NlasIterator::new(payload.get(HEADER..).unwrap_or_default()) {
        let attribute = attribute.map_err(|e| e.to_string())?;
        let value = attribute.value();
        match attribute.kind() {
            RTA_DST => fact.to.addr = addr(value).unwrap_or(fact.to.addr),
            RTA_OIF => ifindex = u32_of(value).unwrap_or(0),
            RTA_GATEWAY | RTA_VIA => via = gateway(attribute.kind(), value),
            RTA_PRIORITY => fact.metric = u32_of(value).unwrap_or(0),
            RTA_PREFSRC => fact.source = addr(value),
            RTA_TABLE => fact.table = u32_of(value).unwrap_or(fact.table),
            RTA_METRICS => {
                let numbers = NlasIterator::new(value).flatten().filter(|nla| nla.kind() != RTAX_CC_ALGO);
                fact.metrics = numbers.filter_map(|nla| Some((nla.kind(), u32_of(nla.value())?))).collect();
            }
            RTA_MULTIPATH => hops(value, &mut fact.hops),
            _ => {}
        }
    }
    if fact.hops.is_empty() {
        fact.hops.push((via, ifindex));
    }
    Ok(Some(fact))
}

fn gateway(kind: u16, value: &[u8]) -> Option<IpAddr> {
    addr(if kind == RTA_VIA { value.get(2..).unwrap_or_default() } else { value })
}

fn hops(mut value: &[u8], hops: &mut Vec<(Option<IpAddr>, u32)>) {
    while let Some(header) = value.first_chunk::<HOP_HEADER>() {
        let length = usize::from(u16_of(header).unwrap_or(0));
        let [.., i0, i1, i2, i3] = *header;
        let Some(attributes) = value.get(HOP_HEADER..length) else { return };
        let is_via = |kind: u16| kind == RTA_GATEWAY || kind == RTA_VIA;
        let via = NlasIterator::new(attributes).flatten().find(|nla| is_via(nla.kind()));
        let via = via.and_then(|nla| gateway(nla.kind(), nla.value()));
        hops.push((via, u32::from_ne_bytes([i0, i1, i2, i3])));
        value = value.get(length.checked_next_multiple_of(4).unwrap_or(usize::MAX)..).unwrap_or_default();
    }
}

/// Whether that is what the kernel shows of it. What the kernel finds out by itself (the interface behind a gateway, a source address)
/// is not compared.
pub(super) fn matches(name: &RouteName, fact: &RouteFact, links: &Links<'_>) -> bool {
    let metric = match (name.family, name.metric.unwrap_or(0)) {
        (Family::V6, 0) => METRIC_OF_V6,
        (_, metric) => metric,
    };
    name.family == fact.family
        && network(name.to) == fact.to
        && table(name, links) == Some(fact.table)
        && name.kind as u8 == fact.kind
        && name.tos.unwrap_or(0) == fact.tos
        && metric == fact.metric
        && name.protocol.unwrap_or(PROTOCOL) == fact.protocol
        && (name.source.is_none() || name.source == fact.source)
        && metrics(name) == fact.metrics
        && same_hops(name, fact, links)
}

fn same_hops(name: &RouteName, fact: &RouteFact, links: &Links<'_>) -> bool {
    // IPv6 shows `lo` with routes that lead nowhere.
    if matches!(name.kind, RouteType::Blackhole | RouteType::Unreachable | RouteType::Prohibit | RouteType::Throw) {
        return true;
    }
    let same = |hop: &Hop<String>, (via, ifindex): &(Option<IpAddr>, u32)| {
        let link = hop.link.as_ref().is_none_or(|link| (links.ifindex)(link) == Some(*ifindex));
        hop.via == *via && link
    };
    let wanted: Vec<&Hop<String>> =
        if name.hops.is_empty() { Vec::from([&name.hop]) } else { name.hops.iter().collect() };
    // IPv6 does not keep their order.
    wanted.len() == fact.hops.len() && wanted.iter().all(|hop| fact.hops.iter().any(|there| same(hop, there)))
}
