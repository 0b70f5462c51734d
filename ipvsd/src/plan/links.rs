//! The plan for interfaces that are made, and for settings of others that go with them.
//!
//! An interface that was made carries a mark in its alias, by which one that a crash left is known: one that nobody asks for any more is
//! removed, one that is asked for is taken as it is. The mark also says how its parent was set before.

use super::Removal;
use crate::ledger::Ledger;
use crate::netlink::link::{NO_LINK_LOCAL, PRIVATE, conf};
use crate::observed::{AddrKey, LinkFact, LinkKind, Network};
use crate::patience::{Item, Patience};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};
use ipc::config::ipvs::{MadeKind, MadeLink};
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_options::IpvlanMode;
use ipc::net::{Family, Prefix};

const IFF_UP: u32 = 0x1;

/// What the alias of an interface that was made begins with.
pub const MARK: &str = "holdfast";

/// One change of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOp {
    /// Make it: place in the ledger's list, name.
    Make(usize, String),
    /// Set one on its way that was made just now, by name: the kernel tells one that is down for up to a second that its parent is up. Not
    /// before it is known that it was made: the name may be a stranger's. What this does not do is done when its number is known.
    Begin(usize, First),
    /// Mark it as ours.
    Mark(u32, String),
    /// `net.ipv4.conf.IF`: number of the interface, settings.
    Conf(u32, Vec<(u16, u32)>),
    /// No link-local address by itself.
    NoLinkLocal(u32),
    /// Set it up.
    Up(u32),
    /// An address that it has beside those of instances.
    Addr(AddrKey),
    /// It goes, by number.
    Remove(u32),
}

/// What is done to an interface as soon as it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// [`LinkOp::Conf`]
    Conf,
    /// [`LinkOp::NoLinkLocal`]
    NoLinkLocal,
    /// [`LinkOp::Up`]
    Up,
}

impl First {
    /// All of it, in order.
    pub const ALL: [First; 3] = [First::Conf, First::NoLinkLocal, First::Up];
}

/// How parents were set before anything was changed: by number of the interface.
pub type Before = BTreeMap<u32, BTreeMap<u16, u32>>;

/// The plan.
#[derive(Clone, Debug, Default)]
pub struct LinkPlan {
    /// To be done before anything else.
    pub ops: Vec<LinkOp>,
    /// To be done after everything else.
    pub removals: Vec<LinkOp>,
    /// Interfaces of a name that is asked for, which are not what is asked for.
    pub foreign: Vec<usize>,
}

/// What it is made from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is authorised.
    pub ledger: &'a Ledger,
    /// What is there.
    pub network: &'a Network,
    /// What has to wait.
    pub patience: &'a Patience,
    /// How parents were set.
    pub before: &'a Before,
    /// Whether a configuration has said what is asked for.
    pub removal: Removal,
    /// Whether everything is to go.
    pub ending: Switch,
}

/// Plans interfaces.
pub fn plan(view: &View<'_>) -> LinkPlan {
    let mut plan = LinkPlan::default();
    let mut asked = BTreeSet::new();
    if view.ending == Switch::Off {
        for (place, made) in view.ledger.made().iter().enumerate() {
            let Some(name) = view.ledger.link(made.link) else { continue };
            asked.insert(name);
            one(view, place, made, name, &mut plan);
        }
    }
    for link in view.network.links() {
        let ours = view.removal == Removal::Allowed && link.alias.starts_with(MARK);
        if ours && !asked.contains(link.name.as_str()) && view.patience.allows(&Item::Link(link.name.clone())) {
            plan.removals.push(LinkOp::Remove(link.ifindex));
        }
    }
    settings(view, &mut plan);
    plan
}

fn one(view: &View<'_>, place: usize, made: &MadeLink, name: &str, plan: &mut LinkPlan) {
    let parent = view.ledger.link(made.parent).and_then(|parent| view.network.link(parent));
    let item = Item::Link(name.to_string());
    let Some(link) = view.network.link(name) else {
        if parent.is_some() && view.patience.allows(&item) {
            plan.ops.push(LinkOp::Make(place, name.to_string()));
        }
        return;
    };
    let Some(parent) = parent else { return };
    if !is_it(made, link, parent) {
        if !link.alias.starts_with(MARK) {
            plan.foreign.push(place);
        } else if view.patience.allows(&item) {
            plan.removals.push(LinkOp::Remove(link.ifindex));
        }
        return;
    }
    if !view.patience.allows(&item) {
        return;
    }
    if !link.alias.starts_with(MARK) {
        plan.ops.push(LinkOp::Mark(link.ifindex, mark(parent, view.before)));
    }
    let wanted = differing(link, &own_conf(made));
    if !wanted.is_empty() {
        plan.ops.push(LinkOp::Conf(link.ifindex, wanted));
    }
    if link.addr_gen_mode.is_some_and(|mode| mode != NO_LINK_LOCAL) && !keeps_link_local(made) {
        plan.ops.push(LinkOp::NoLinkLocal(link.ifindex));
    }
    if link.flags & IFF_UP == 0 {
        // Also while the parent is down: then it follows the parent at once, and not up to a second later.
        plan.ops.push(LinkOp::Up(link.ifindex));
        return;
    }
    for prefix in addrs(view, made, parent) {
        let key = AddrKey { ifindex: link.ifindex, addr: prefix.addr, len: prefix.len };
        if !view.network.has(&key) && view.patience.allows(&Item::Addr(key)) {
            plan.ops.push(LinkOp::Addr(key));
        }
    }
}

/// Whether adverts come from the link-local address that the kernel gives it.
pub fn keeps_link_local(made: &MadeLink) -> bool {
    matches!((made.kind, made.family), (MadeKind::Ipvlan(_), Family::V6))
}

/// The addresses of its own: that of `use_ipvlan`, and the parent's link-local one to send IPv6 adverts from.
fn addrs(view: &View<'_>, made: &MadeLink, parent: &LinkFact) -> Vec<Prefix> {
    let link_local = |addr: &IpAddr| matches!(addr, IpAddr::V6(a) if is_link_local(*a));
    let parents = view.network.on(parent.ifindex).map(|fact| fact.key.addr);
    let mut parents = parents.filter(|addr| link_local(addr) && !view.ledger.is_virtual(*addr));
    let own = if made.link_local == Switch::On { parents.next() } else { None };
    made.addr.into_iter().chain(own.map(|addr| Prefix { addr, len: 64 })).collect()
}

/// fe80::/10
fn is_link_local(a: Ipv6Addr) -> bool {
    let [first, ..] = a.segments();
    first & 0xffc0 == 0xfe80
}

/// Whether it is what is asked for. COMPAT: keepalived adopts such an interface too.
fn is_it(made: &MadeLink, link: &LinkFact, parent: &LinkFact) -> bool {
    let same = match (made.kind, link.link_kind) {
        (MadeKind::Macvlan(mac), LinkKind::Macvlan(mode)) => mode == PRIVATE && mac == link.mac,
        (MadeKind::Ipvlan(mode), LinkKind::Ipvlan(flags)) => match mode {
            IpvlanMode::Bridge => flags == 0,
            IpvlanMode::Private => flags == 1,
            IpvlanMode::Vepa => flags == 2,
        },
        _ => false,
    };
    same && parent.bears(link)
}

/// How one that is made is set. COMPAT: keepalived 2.4.3.
pub fn own_conf(made: &MadeLink) -> Vec<(u16, u32)> {
    match (made.kind, made.family) {
        (MadeKind::Macvlan(_), Family::V4) => Vec::from([
            (conf::ARP_IGNORE, 1),
            (conf::ACCEPT_LOCAL, 1),
            (conf::RP_FILTER, 0),
            (conf::PROMOTE_SECONDARIES, 1),
        ]),
        (MadeKind::Macvlan(_), Family::V6) => Vec::from([(conf::ARP_IGNORE, 1)]),
        (MadeKind::Ipvlan(_), _) => Vec::new(),
    }
}

/// What others than interfaces that are made are set to as long as the configuration counts, and what they are set back to.
fn settings(view: &View<'_>, plan: &mut LinkPlan) {
    let mut wanted: BTreeMap<u32, BTreeMap<u16, u32>> = BTreeMap::new();
    if view.ending == Switch::Off {
        for (link, number, value) in view.ledger.settings() {
            if let Some(link) = view.ledger.link(link).and_then(|name| view.network.link(name)) {
                wanted.entry(link.ifindex).or_default().insert(number, value);
            }
        }
    }
    for (ifindex, before) in view.before {
        let wanted = wanted.entry(*ifindex).or_default();
        for (number, value) in before {
            wanted.entry(*number).or_insert(*value);
        }
    }
    for (ifindex, settings) in wanted {
        let Some(link) = view.network.by_index(ifindex) else { continue };
        let settings: Vec<(u16, u32)> = settings.into_iter().collect();
        let wanted = differing(link, &settings);
        if !wanted.is_empty() && view.patience.allows(&Item::Link(link.name.clone())) {
            plan.ops.push(LinkOp::Conf(ifindex, wanted));
        }
    }
}

fn differing(link: &LinkFact, settings: &[(u16, u32)]) -> Vec<(u16, u32)> {
    settings.iter().copied().filter(|(number, value)| link.conf.get(number).is_some_and(|now| now != value)).collect()
}

/// The mark: also how the parent was set, for the process that finds it after a crash.
fn mark(parent: &LinkFact, before: &Before) -> String {
    let known = before.get(&parent.ifindex).unwrap_or(&parent.conf);
    let value = |number: u16| known.get(&number).or(parent.conf.get(&number)).copied().unwrap_or(0);
    format!("{MARK}: arp_filter {} arp_ignore {} before", value(conf::ARP_FILTER), value(conf::ARP_IGNORE))
}

/// What a mark says of the parent.
pub fn read_mark(alias: &str) -> Option<BTreeMap<u16, u32>> {
    let mut words = alias.strip_prefix(MARK)?.strip_prefix(": ")?.split(' ');
    let mut before = BTreeMap::new();
    while let (Some(word), Some(value)) = (words.next(), words.next()) {
        let number = match word {
            "arp_filter" => conf::ARP_FILTER,
            "arp_ignore" => conf::ARP_IGNORE,
            _ => return None,
        };
        before.insert(number, value.parse().ok()?);
    }
    Some(before)
}
