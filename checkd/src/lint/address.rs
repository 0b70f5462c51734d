//! Virtual addresses: prefixes that take a subnet's route along, and addresses that cannot be where they are.

use super::first_word;
use crate::conf::Draft;
use crate::conf::address::Address;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::keyword::Reader;
use crate::conf::source::Span;
use crate::conf::vrrp::Instance;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use core::net::IpAddr;
use ipc::config::vrrp::Switch;
use ipc::net::Prefix;

/// A subnet by its first bits and their number.
type Subnet = (u128, u8, bool);

/// Looks at the addresses of all instances. `reached`: the subnets that the machine reaches, and by which interface.
pub fn look(r: &mut Reader<'_>, draft: &Draft, reached: &[(String, Prefix)]) {
    let mut machine: BTreeMap<Subnet, BTreeSet<&str>> = BTreeMap::new();
    for (link, prefix) in reached {
        machine.entry(subnet(prefix.addr, prefix.len)).or_default().insert(link);
    }
    let mut places: BTreeMap<(IpAddr, &str), (usize, Span)> = BTreeMap::new();
    let mut subnets: BTreeMap<Subnet, (&str, Span)> = BTreeMap::new();
    let mut told = BTreeSet::new();
    for (n, instance) in draft.instances.iter().enumerate() {
        for address in instance.vips.iter().chain(&instance.excluded) {
            let Some(link) = link_of(instance, address) else { continue };
            let at = address.span;
            let (of, first) = *places.entry((address.prefix.addr, link)).or_insert((n, at));
            if of != n {
                twice(r, address, first);
            }
            if host_bits(address.prefix) == 0 || address.more.noprefixroute == Switch::On {
                continue;
            }
            let subnet = subnet(address.prefix.addr, address.prefix.len);
            let other = subnets.entry(subnet).or_insert((link, at));
            let elsewhere = Some(*other).filter(|(first, _)| *first != link).map(|(_, span)| span);
            // Where it is reached by this interface too the address, or a master's own route, is there already.
            let today = machine.get(&subnet).filter(|links| !links.contains(link)).and_then(|links| links.first());
            let known = Known { elsewhere, today: today.copied() };
            if !told.contains(&(subnet, link)) && subnet_route(r, instance, address, link, &known) {
                told.insert((subnet, link)); // once, however many addresses it has
            }
        }
        as_source(r, instance);
    }
}

fn link_of<'a>(instance: &'a Instance, address: &'a Address) -> Option<&'a str> {
    address.link.as_ref().or(instance.link.as_ref()).map(|l| l.value.as_str())
}

fn full(addr: IpAddr) -> u8 {
    if addr.is_ipv4() { 32 } else { 128 }
}

fn host_bits(prefix: Prefix) -> u8 {
    full(prefix.addr).saturating_sub(prefix.len)
}

/// The subnet of `len` bits that an address is in.
pub(super) fn subnet(addr: IpAddr, len: u8) -> Subnet {
    let bits = match addr {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let host = u32::from(full(addr).saturating_sub(len));
    (bits.checked_shr(host).unwrap_or(0), len, addr.is_ipv4())
}

/// What is known of a subnet.
struct Known<'a> {
    /// An address in it on another interface, in the file.
    elsewhere: Option<Span>,
    /// The interface by which this machine reaches it, another one than the address is to be on.
    today: Option<&'a str>,
}

/// The kernel adds a route to the subnet with every address that has a prefix. On the interface where the subnet is anyway that
/// changes nothing; so only what stands against that in the file is told.
fn subnet_route(r: &mut Reader<'_>, instance: &Instance, address: &Address, link: &str, known: &Known<'_>) -> bool {
    let Prefix { addr, len } = address.prefix;
    let own = instance.link.as_ref().is_some_and(|own| own.value == link);
    let inside = |ip: IpAddr| ip.is_ipv4() == addr.is_ipv4() && subnet(ip, len) == subnet(addr, len);
    let source = instance.source.as_ref().filter(|s| inside(s.value)).map(|s| s.span);
    let peer = instance.peers.iter().find(|p| inside(p.value.addr)).map(|p| p.span);
    let (why, other): (String, _) = if link == "lo" {
        ("on `lo` it makes every address of that subnet one of this machine".into(), None)
    } else if link.starts_with("dummy") {
        (format!("`{link}` leads nowhere, and packets to that subnet will go there"), None)
    } else if addr.is_ipv4() && len < 8 {
        (format!("/{len} is more than any subnet has"), None)
    } else if let Some(span) = source.or(peer).filter(|_| !own) {
        (
            format!("packets to that subnet will leave by `{link}`"),
            Some((span, "an address of the same subnet, reached by `interface`")),
        )
    } else if let Some(span) = known.elsewhere {
        (format!("packets to that subnet will leave by `{link}`"), Some((span, "the same subnet on another interface")))
    } else if let Some(today) = known.today {
        (format!("this machine reaches it by `{today}`, and packets to it may leave by `{link}` then"), None)
    } else {
        return false;
    };
    let message = format!("with the prefix /{len} this address brings a route to its whole subnet: {why}");
    let mut warning = Diagnostic::warning(Code::SUBNET_ROUTE, address.span, message);
    if let Some((span, label)) = other {
        warning = warning.also(span, label);
    }
    let wanted = format!("{addr}/{}", full(addr));
    warning = warning.help(format!("write `{wanted}`, or add `noprefixroute`"));
    if let Some((word, _)) = first_word(r.sources, address.span).filter(|(_, text)| *text == format!("{addr}/{len}")) {
        warning = warning.patch(word, wanted);
    }
    r.diags.push(warning);
    true
}

/// Whoever releases it takes it from the other.
fn twice(r: &mut Reader<'_>, address: &Address, first: Span) {
    if first == address.span {
        return; // one line that a loop repeats
    }
    let message = format!("{} is an address of two instances on one interface", address.prefix.addr);
    let warning = Diagnostic::warning(Code::SHARED_ADDRESS, address.span, message)
        .also(first, "here too")
        .help("when one of the two instances ceases to be master, the other one loses the address as well");
    r.diags.push(warning);
}

/// A backup does not have the address it would have to send from.
fn as_source(r: &mut Reader<'_>, instance: &Instance) {
    let Some(source) = &instance.source else { return };
    let mut addresses = instance.vips.iter().chain(&instance.excluded);
    if let Some(vip) = addresses.find(|v| v.prefix.addr == source.value) {
        let message = format!("{} is a virtual address: a router that is not master cannot send from it", source.value);
        let warning = Diagnostic::warning(Code::VIRTUAL_SOURCE, source.span, message)
            .also(vip.span, "the virtual address")
            .help("adverts are sent from an address that the router always has");
        r.diags.push(warning);
    }
}
