//! Whole tables of ours, and the elements of their sets and maps.
//!
//! COMPAT: keepalived 2.2.7 has the same chains, rules and sets under the same names (`nft list ruleset`).

use super::bytes::Attributes;
use super::expr::{AFTER_4, AFTER_16, FIRST, Layer, Meta, Rule, Verdict, value};
use super::{Kind, Transaction};
use crate::filter::{Element, Layout, Purpose, TableKey};
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::ipvs::Protocol;
use ipc::config::vrrp::Switch;
use ipc::net::Family;

/// Chains.
const IN: &str = "in";
const OUT: &str = "out";
const IN_LINK_LOCAL: &str = "in_link_local";
const OUT_LINK_LOCAL: &str = "out_link_local";
/// Sets.
const VIPS: &str = "vips";
const VIPS_LINK_LOCAL: &str = "vips_link_local";
const NEIGHBOUR_DISCOVERY: &str = "neighbor-discovery";
const VMACS: &str = "vmac_set";
/// From a virtual MAC interface to its parent.
const PARENTS: &str = "vmac_map";

/// Elements in one message: their attribute holds 65,535 bytes, and one takes at most 100.
const ELEMENTS: usize = 500;

/// What nft(8) calls the types of keys and values, so that it can print them.
const IPV4_ADDR: u32 = 7;
const IPV6_ADDR: u32 = 8;
const INET_SERVICE: u32 = 13;
const MARK: u32 = 19;
const IFACE_INDEX: u32 = 20;
const ICMPV6_TYPE: u32 = 29;

/// Two types, one behind the other.
const fn with(first: u32, second: u32) -> u32 {
    first << 6 | second
}

/// NFT_SET_CONSTANT, NFT_SET_INTERVAL, NFT_SET_MAP, NFT_SET_CONCAT
const CONSTANT: u32 = 0x2;
const INTERVAL: u32 = 0x4;
const MAP: u32 = 0x8;
const CONCAT: u32 = 0x80;

/// NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT
#[derive(Clone, Copy)]
enum Hook {
    In = 1,
    Out = 3,
}

/// Which address of a packet.
#[derive(Clone, Copy)]
enum End {
    Source,
    Destination,
}

/// Protocols with their maps and numbers.
const PROTOCOLS: [(Protocol, &str, u8); 3] =
    [(Protocol::Tcp, "tcp_map", 6), (Protocol::Udp, "udp_map", 17), (Protocol::Sctp, "sctp_map", 132)];
const IGMP: u8 = 2;
const ICMPV6: u8 = 58;
/// Router solicitation (RFC 4861 §4.1), report of version 2 of MLD (RFC 3810 §5.2).
const ROUTER_SOLICIT: u8 = 133;
const REPORT: u8 = 143;
/// The kind of a virtual MAC interface, as `NFT_META_OIFKIND` has it: IFNAMSIZ bytes.
const MACVLAN: [u8; 16] = *b"macvlan\0\0\0\0\0\0\0\0\0";
/// Neighbour solicitation and advertisement (RFC 4861 §4.3, §4.4).
const SOLICIT: u8 = 135;
const ADVERT: u8 = 136;

/// Makes a table with nothing in its sets. One of that name that is there already goes in the same moment.
pub fn create(transaction: &mut Transaction, key: TableKey, layout: &Layout) {
    let mut t = Writer { transaction, family: key.family, table: &layout.name, sets: 0 };
    t.table(Kind::NewTable);
    t.table(Kind::DelTable);
    t.table(Kind::NewTable);
    match key.purpose {
        Purpose::Vips => vips(&mut t, layout),
        Purpose::Marks => marks(&mut t, layout),
    }
}

/// Removes a table, if it is there.
pub fn remove(transaction: &mut Transaction, family: Family, name: &str) {
    let mut t = Writer { transaction, family, table: name, sets: 0 };
    t.table(Kind::NewTable);
    t.table(Kind::DelTable);
}

/// Puts elements into their sets.
pub fn add<'a>(
    transaction: &mut Transaction,
    key: TableKey,
    name: &str,
    elements: impl IntoIterator<Item = &'a Element>,
) {
    change(transaction, Kind::NewElements, key, name, elements);
}

/// Takes elements out of their sets. They must be there.
pub fn take<'a>(
    transaction: &mut Transaction,
    key: TableKey,
    name: &str,
    elements: impl IntoIterator<Item = &'a Element>,
) {
    change(transaction, Kind::DelElements, key, name, elements);
}

struct Writer<'a> {
    transaction: &'a mut Transaction,
    family: Family,
    table: &'a str,
    /// Sets so far: each has a number within the transaction.
    sets: u32,
}

impl Writer<'_> {
    fn push(&mut self, kind: Kind, attributes: &Attributes) {
        self.transaction.push(kind, self.family, attributes);
    }

    fn table(&mut self, kind: Kind) {
        self.push(kind, &Attributes::default().name(1, self.table));
    }

    /// A chain that packets pass, at that hook.
    fn base_chain(&mut self, name: &str, hook: Hook, priority: i32) {
        let hook = Attributes::default().number(1, hook as u32).number(2, priority.cast_unsigned());
        let chain = Attributes::default().name(1, self.table).name(3, name).nest(4, &hook);
        // Policy NF_ACCEPT.
        self.push(Kind::NewChain, &chain.number(5, 1).name(7, "filter"));
    }

    fn chain(&mut self, name: &str) {
        let chain = Attributes::default().name(1, self.table).name(3, name);
        self.push(Kind::NewChain, &chain);
    }

    fn rule(&mut self, chain: &str, rule: &Rule) {
        let attributes = Attributes::default().name(1, self.table).name(2, chain).nest(4, rule.expressions());
        self.push(Kind::NewRule, &attributes);
    }

    /// A set. `more` is what a map has beside.
    fn set(&mut self, name: &str, flags: u32, key: u32, length: u32, more: &Attributes) {
        self.sets = self.sets.saturating_add(1);
        let set = Attributes::default().name(1, self.table).name(2, name).number(3, flags);
        let set = set.number(4, key).number(5, length).and(more).number(10, self.sets);
        self.push(Kind::NewSet, &set);
    }

    /// A rule that begins with an address of the packet.
    fn address(&self, end: End) -> Rule {
        let (offset, length) = match (self.family, end) {
            (Family::V4, End::Source) => (12, 4),
            (Family::V4, End::Destination) => (16, 4),
            (Family::V6, End::Source) => (8, 16),
            (Family::V6, End::Destination) => (24, 16),
        };
        Rule::default().payload(Layer::Network, offset, length, FIRST)
    }
}

fn address_type(family: Family) -> (u32, u32) {
    match family {
        Family::V4 => (IPV4_ADDR, 4),
        Family::V6 => (IPV6_ADDR, 16),
    }
}

fn vips(t: &mut Writer<'_>, layout: &Layout) {
    if layout.outgoing == Switch::On || layout.vmacs == Switch::On {
        t.base_chain(OUT, Hook::Out, layout.priority);
    }
    if layout.vmacs == Switch::On {
        keep_off(t, layout);
    }
    if layout.deaf == Switch::On {
        drop_vips(t, layout);
    }
}

/// `use_vmac`: a switch that hears of multicast groups or routers from the virtual router's MAC address would send them where the master
/// was. What tells of groups is told by the parent.
fn keep_off(t: &mut Writer<'_>, layout: &Layout) {
    let value = Attributes::default()
        .number(6, IFACE_INDEX)
        .number(7, 4)
        .raw(13, &[host_order(KEYS), host_order(VALUES)].concat());
    t.set(PARENTS, MAP, IFACE_INDEX, 4, &value);
    let (report, offset, length) = match t.family {
        Family::V4 => (Rule::default().payload(Layer::Network, 9, 1, FIRST).equal(&[IGMP]), 16, 4),
        Family::V6 => (icmpv6(REPORT), 24, 16),
    };
    let moved = report.meta(Meta::OifKind, FIRST).equal(&MACVLAN).payload(Layer::Network, offset, length, FIRST);
    let moved = moved.meta(Meta::Oif, AFTER_16).look_up(PARENTS, AFTER_16).duplicate(AFTER_16);
    t.rule(OUT, &moved.count(layout.counters).verdict(Verdict::Drop));
    if t.family == Family::V6 {
        t.set(VMACS, 0, IFACE_INDEX, 4, &Attributes::default().raw(13, &host_order(KEYS)));
        let solicit = icmpv6(ROUTER_SOLICIT).meta(Meta::OifKind, FIRST).equal(&MACVLAN);
        let solicit = solicit.meta(Meta::Oif, FIRST).is_in(VMACS);
        t.rule(OUT, &solicit.count(layout.counters).verdict(Verdict::Drop));
    }
}

/// A rule that begins with the type of an ICMPv6 packet.
fn icmpv6(kind: u8) -> Rule {
    let rule = Rule::default().meta(Meta::L4Proto, FIRST).equal(&[ICMPV6]);
    rule.payload(Layer::Transport, 0, 1, FIRST).equal(&[kind])
}

/// `no_accept`: what is sent to the addresses is dropped, and what is sent from them. RFC 9568 §6.4.3: neighbour discovery is not; ARP
/// never comes by here.
fn drop_vips(t: &mut Writer<'_>, layout: &Layout) {
    let out = layout.outgoing == Switch::On;
    t.base_chain(IN, Hook::In, layout.priority);
    let (kind, length) = address_type(t.family);
    t.set(VIPS, 0, kind, length, &Attributes::default());
    if t.family == Family::V6 {
        t.chain(IN_LINK_LOCAL);
        if out {
            t.chain(OUT_LINK_LOCAL);
        }
        t.set(NEIGHBOUR_DISCOVERY, CONSTANT, ICMPV6_TYPE, 1, &Attributes::default());
        let types = [SOLICIT, ADVERT].map(|kind| Attributes::default().nest(1, &value(&[kind])));
        elements(t.transaction, Kind::NewElements, t.family, t.table, NEIGHBOUR_DISCOVERY, &types);
        t.set(VIPS_LINK_LOCAL, 0, with(IPV6_ADDR, IFACE_INDEX), 20, &Attributes::default());
    }
    filter(t, layout, End::Destination, IN, IN_LINK_LOCAL, Meta::Iif);
    if out {
        filter(t, layout, End::Source, OUT, OUT_LINK_LOCAL, Meta::Oif);
    }
}

fn filter(t: &mut Writer<'_>, layout: &Layout, end: End, chain: &str, link_local: &str, interface: Meta) {
    let counters = layout.counters;
    if t.family == Family::V6 {
        let discovery = Rule::default().meta(Meta::L4Proto, FIRST).equal(&[ICMPV6]);
        let discovery = discovery.payload(Layer::Transport, 0, 1, FIRST).is_in(NEIGHBOUR_DISCOVERY);
        t.rule(chain, &discovery.count(counters).verdict(Verdict::Accept));
        // fe80::/10
        let mut mask = [0; 16];
        let mut network = [0; 16];
        (mask[0], mask[1], network[0], network[1]) = (0xff, 0xc0, 0xfe, 0x80);
        let local = t.address(end).mask(&mask).equal(&network);
        t.rule(chain, &local.count(counters).verdict(Verdict::Goto(link_local)));
        let there = t.address(end).meta(interface, AFTER_16).is_in(VIPS_LINK_LOCAL);
        t.rule(link_local, &there.count(counters).verdict(Verdict::Drop));
    }
    let rule = t.address(end).is_in(VIPS).count(counters).verdict(Verdict::Drop);
    t.rule(chain, &rule);
}

/// A part of NFTA_SET_USERDATA: the keys (NFTNL_UDATA_SET_KEYBYTEORDER) or values (NFTNL_UDATA_SET_DATABYTEORDER) are numbers of this
/// machine. For nft(8), which prints them.
fn host_order(what: u8) -> [u8; 6] {
    let [a, b, c, d] = 1_u32.to_ne_bytes();
    [what, 4, a, b, c, d]
}

const KEYS: u8 = 0;
const VALUES: u8 = 1;

/// The table of marks: maps from address and port to mark.
fn marks(t: &mut Writer<'_>, layout: &Layout) {
    let (kind, length) = address_type(t.family);
    t.base_chain(IN, Hook::In, layout.priority);
    for (_, map, protocol) in PROTOCOLS.into_iter().filter(|(p, ..)| layout.maps.contains(p)) {
        let field = |bytes| Attributes::default().nest(1, &Attributes::default().number(1, bytes));
        let fields = Attributes::default().nest(2, &field(length).and(&field(2)));
        let more = Attributes::default().number(6, MARK).number(7, 4).nest(9, &fields).raw(13, &host_order(VALUES));
        let flags = INTERVAL | MAP | CONCAT;
        t.set(map, flags, with(kind, INET_SERVICE), length.saturating_add(4), &more);
        let rule = Rule::default().meta(Meta::L4Proto, FIRST).equal(&[protocol]);
        let (offset, behind) = match t.family {
            Family::V4 => (16, AFTER_4),
            Family::V6 => (24, AFTER_16),
        };
        let rule = rule.payload(Layer::Network, offset, length, FIRST).payload(Layer::Transport, 2, 2, behind);
        let rule = rule.look_up(map, FIRST).set_mark().count(layout.counters).verdict(Verdict::Return);
        t.rule(IN, &rule);
    }
}

fn change<'a>(
    transaction: &mut Transaction,
    kind: Kind,
    key: TableKey,
    name: &str,
    all: impl IntoIterator<Item = &'a Element>,
) {
    let mut sets: Vec<(&str, Vec<Attributes>)> = Vec::new();
    for element in all {
        let (set, attributes) = one(element);
        match sets.iter_mut().find(|(name, _)| *name == set) {
            Some((_, elements)) => elements.push(attributes),
            None => sets.push((set, Vec::from([attributes]))),
        }
    }
    for (set, all) in sets {
        for some in all.chunks(ELEMENTS) {
            elements(transaction, kind, key.family, name, set, some);
        }
    }
}

fn elements(
    transaction: &mut Transaction,
    kind: Kind,
    family: Family,
    table: &str,
    set: &str,
    elements: &[Attributes],
) {
    // NFTA_LIST_ELEM
    let list = elements.iter().fold(Attributes::default(), |list, element| list.nest(1, element));
    let attributes = Attributes::default().name(1, table).name(2, set).nest(3, &list);
    transaction.push(kind, family, &attributes);
}

/// The set of an element, and how it is written: NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_DATA, NFTA_SET_ELEM_KEY_END.
fn one(element: &Element) -> (&'static str, Attributes) {
    match *element {
        Element::Vip(addr) => (VIPS, Attributes::default().nest(1, &value(&octets(addr)))),
        Element::LinkLocal(addr, ifindex) => {
            let mut key = octets(IpAddr::V6(addr));
            key.extend(ifindex.to_ne_bytes());
            (VIPS_LINK_LOCAL, Attributes::default().nest(1, &value(&key)))
        }
        Element::Reports(_, link, parent) => {
            let element = Attributes::default().nest(1, &value(&link.to_ne_bytes()));
            (PARENTS, element.nest(2, &value(&parent.to_ne_bytes())))
        }
        Element::Solicits(link) => (VMACS, Attributes::default().nest(1, &value(&link.to_ne_bytes()))),
        Element::Mark { protocol, first, last, port, mark } => {
            let map = PROTOCOLS.iter().find(|(p, ..)| *p == protocol).map_or("", |(_, map, _)| map);
            let key = |addr| {
                let mut key = octets(addr);
                key.extend(port.to_be_bytes());
                key.extend([0, 0]); // each part begins at a multiple of four bytes
                value(&key)
            };
            let element = Attributes::default().nest(1, &key(first)).nest(2, &value(&mark.to_ne_bytes()));
            (map, element.nest(10, &key(last)))
        }
    }
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(addr) => Vec::from(addr.octets()),
        IpAddr::V6(addr) => Vec::from(addr.octets()),
    }
}
