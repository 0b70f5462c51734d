//! Routes and rules as requests and as facts.

pub mod encap;
pub mod route;
pub mod rule;

use super::attr::Attrs;
use super::reply::{Fact, Heard};
use crate::path::Path;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipc::config::route::Placement;
use ipc::net::{Family, Prefix};

const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTM_NEWRULE: u16 = 32;
const RTM_DELRULE: u16 = 33;
const RTM_GETRULE: u16 = 34;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// RTPROT_KEEPALIVED: what keepalived and this process put there. Routes of others are not even asked for.
pub const PROTOCOL: u8 = 18;

/// NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND of a request that makes something.
const EXCL: u16 = 0x200;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

/// A route or a rule as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathFact {
    /// A route.
    Route(route::RouteFact),
    /// A rule.
    Rule(rule::RuleFact),
}

/// A finished request without its netlink header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number (rtnetlink(7)).
    pub kind: u16,
    /// What NLM_F_REQUEST and NLM_F_ACK are joined by.
    pub flags: u16,
    /// Its header and its attributes.
    pub payload: Vec<u8>,
}

/// The kernel's number of an interface, by name; and the table of one that is a VRF.
pub struct Links<'a> {
    /// Number.
    pub ifindex: &'a dyn Fn(&str) -> Option<u32>,
    /// Table.
    pub table: &'a dyn Fn(&str) -> Option<u32>,
}

/// Puts it there; `None` while an interface of it is not there. COMPAT: keepalived 2.2.7: a route with CREATE alone, which puts it before
/// others of its destination (`add`: EXCL; `append`: APPEND; a blackhole and its like: EXCL), a rule with EXCL.
pub fn add(path: &Path, links: &Links<'_>) -> Option<Request> {
    Some(match path {
        Path::Route(name) => {
            let flags = match name.placement {
                Placement::Add => CREATE | EXCL,
                Placement::Prepend => CREATE,
                Placement::Append => CREATE | APPEND,
            };
            Request { kind: RTM_NEWROUTE, flags, payload: route::request(name, links)? }
        }
        Path::Rule(name) => {
            Request { kind: RTM_NEWRULE, flags: CREATE | EXCL, payload: rule::request(&rule::wanted(name)) }
        }
    })
}

/// Takes it away; `None` when an interface of it is gone, and the route with it.
pub fn remove(path: &Path, links: &Links<'_>) -> Option<Request> {
    Some(match path {
        Path::Route(name) => Request { kind: RTM_DELROUTE, flags: 0, payload: route::request(name, links)? },
        Path::Rule(name) => Request { kind: RTM_DELRULE, flags: 0, payload: rule::request(&rule::wanted(name)) },
    })
}

/// Asks for the routes of one family that this process or keepalived put there. Kernels before 4.20 show all.
pub fn dump_routes(family: Family) -> Request {
    let header: [u8; route::HEADER] = [af(family), 0, 0, 0, 0, PROTOCOL, 0, 0, 0, 0, 0, 0];
    Request { kind: RTM_GETROUTE, flags: 0, payload: Attrs::behind(&header).into_bytes() }
}

/// Asks for the rules of both families.
pub fn dump_rules() -> Request {
    Request { kind: RTM_GETRULE, flags: 0, payload: [0; rule::HEADER].to_vec() }
}

/// What a message of NETLINK_ROUTE says of routes and rules; `None` for others, and for routes of others.
pub(super) fn fact(kind: u16, payload: &[u8], heard: Heard) -> Result<Option<Fact>, String> {
    Ok(match kind {
        RTM_NEWROUTE => route::fact(payload)?.map(|r| Fact::PathSeen(PathFact::Route(r), heard)),
        RTM_DELROUTE => route::fact(payload)?.map(|r| Fact::PathGone(PathFact::Route(r), heard)),
        RTM_NEWRULE => rule::fact(payload)?.map(|r| Fact::PathSeen(PathFact::Rule(r), heard)),
        RTM_DELRULE => rule::fact(payload)?.map(|r| Fact::PathGone(PathFact::Rule(r), heard)),
        _ => None,
    })
}

/// Whether that is what the kernel shows of it.
pub fn matches(path: &Path, fact: &PathFact, links: &Links<'_>) -> bool {
    match (path, fact) {
        (Path::Route(name), PathFact::Route(fact)) => route::matches(name, fact, links),
        (Path::Rule(name), PathFact::Rule(fact)) => rule::wanted(name) == *fact,
        _ => false,
    }
}

fn af(family: Family) -> u8 {
    match family {
        Family::V4 => AF_INET,
        Family::V6 => AF_INET6,
    }
}

fn family(af: u8) -> Option<Family> {
    match af {
        AF_INET => Some(Family::V4),
        AF_INET6 => Some(Family::V6),
        _ => None,
    }
}

fn any(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Without the bits of hosts, which the kernel refuses or drops.
fn network(prefix: Prefix) -> Prefix {
    let len = u32::from(prefix.len);
    let addr = match prefix.addr {
        IpAddr::V4(a) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(len)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & mask))
        }
        IpAddr::V6(a) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(len)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & mask))
        }
    };
    Prefix { addr, len: prefix.len }
}
