//! What vrrpd is told of an interface.

use crate::ledger::Ledger;
use crate::netlink::route::OWNER;
use crate::observed::{AddrFact, LinkFact, Network};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipc::msg::vips::{Arp, IpvsToVrrp, LinkFacts, LinkState, Multicast};

const IFF_UP: u32 = 0x1;
const IFF_RUNNING: u32 = 0x40;
const IFF_NOARP: u32 = 0x80;
const IFF_MULTICAST: u32 = 0x1000;
const ARPHRD_ETHER: u16 = 1;

/// Most addresses in one message, so that it fits into a frame.
pub const ADDRS_LIMIT: usize = 1024;

/// What is known of the interface of that name.
pub fn describe(name: &str, ledger: &Ledger, network: &Network) -> IpvsToVrrp {
    match network.link(name) {
        Some(link) => IpvsToVrrp::LinkChanged(facts(link, ledger, network)),
        None => IpvsToVrrp::LinkGone { name: name.to_string() },
    }
}

/// Addresses that this process (or keepalived) put there are left out of `addrs`: a failover does not make an interface
/// another one.
fn facts(link: &LinkFact, ledger: &Ledger, network: &Network) -> LinkFacts {
    let on: Vec<&AddrFact> = network.on(link.ifindex).collect();
    let flag = |bit: u32| link.flags & bit != 0;
    let ethernet = link.kind == ARPHRD_ETHER;
    LinkFacts {
        name: link.name.clone(),
        ifindex: link.ifindex,
        base: link.base(),
        state: if flag(IFF_UP) && flag(IFF_RUNNING) { LinkState::Up } else { LinkState::Down },
        arp: if ethernet && !flag(IFF_NOARP) { Arp::Yes } else { Arp::No },
        multicast: if flag(IFF_MULTICAST) { Multicast::Yes } else { Multicast::No },
        mac: if ethernet { link.mac } else { ipc::net::Mac::default() },
        mtu: link.mtu,
        primary: primary(&on, ledger),
        link_local: on.iter().find_map(|f| match f.key.addr {
            IpAddr::V6(a) if is_link_local(a) && !ledger.is_virtual(f.key.addr) => Some(a),
            _ => None,
        }),
        forwarding: link.forwarding,
        addrs: on.iter().filter(|f| f.owner != OWNER).map(|f| f.key.addr).take(ADDRS_LIMIT).collect(),
    }
}

/// The first address of scope global that is not a virtual one, else one of lesser scope. An interface that has virtual
/// addresses alone may be the address owner (RFC 9568 §1.5): then one that nobody put there for us.
fn primary(on: &[&AddrFact], ledger: &Ledger) -> Option<Ipv4Addr> {
    let real = |f: &&&AddrFact| !ledger.is_virtual(f.key.addr);
    let global = |f: &&&AddrFact| f.scope == 0;
    let first = |wanted: &dyn Fn(&&&AddrFact) -> bool| on.iter().filter(|f| wanted(f)).find_map(|f| v4(f));
    first(&|f| real(f) && global(f))
        .or_else(|| first(&|f| real(f)))
        .or_else(|| first(&|f| f.owner != OWNER && global(f)))
}

fn v4(fact: &AddrFact) -> Option<Ipv4Addr> {
    match fact.key.addr {
        IpAddr::V4(a) => Some(a),
        IpAddr::V6(_) => None,
    }
}

/// fe80::/10
fn is_link_local(a: Ipv6Addr) -> bool {
    let [first, ..] = a.segments();
    first & 0xffc0 == 0xfe80
}
