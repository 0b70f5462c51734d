//! Interfaces that are made, and settings of others: what is under way and what the kernel says to it.

use super::Reconciler;
use crate::event::Action;
use crate::netlink::link::{self as codec, Make, Which};
use crate::netlink::paths::Request;
use crate::netlink::{Errno, route};
use crate::observed::LinkFact;
use crate::patience::{Complaint, Item};
use crate::plan::Removal;
use crate::plan::links::{self, Before, First, LinkOp, LinkPlan, View};
use crate::reconcile::log;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ipc::config::ipvs::{MadeKind, MadeLink};
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_options::IpvlanMode;
use ipc::report::Level;
use netlink_packet_route::RouteNetlinkMessage;

/// What is remembered of interfaces.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct Links {
    /// How others were set before they were changed.
    before: Before,
    /// Made, and not seen since: the notification is on the way.
    expected: BTreeMap<String, Begun>,
    /// Whether there is a configuration: until then nobody knows what is asked for.
    pub(in crate::reconcile) removal: Removal,
    /// Interfaces that the supervisor was told of.
    unset: BTreeSet<u32>,
    /// Strangers of a name that is asked for, which has been said.
    told: BTreeSet<String>,
}

/// Whether one that was made was set on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    No,
    Yes,
}

impl Links {
    /// An interface of that name is there, or was looked for.
    pub(super) fn seen(&mut self, name: &str) {
        self.expected.remove(name);
    }

    /// Everything was looked at.
    pub(super) fn all_seen(&mut self) {
        self.expected.clear();
    }
}

/// A request about an interface.
pub(super) enum LinkMessage {
    Raw(Request),
    Addr(RouteNetlinkMessage),
}

impl Reconciler {
    /// `promote_secondaries` of an interface that was not there when the supervisor looked. Said once of an interface: the kernel reports no
    /// change of this setting by itself, and what it says later of the interface is the next that is known of it.
    fn ask_to_settle(&mut self, out: &mut Vec<Action>) {
        let unset = |name| {
            let link = self.route.network.link(name)?;
            (link.conf.get(&codec::conf::PROMOTE_SECONDARIES) == Some(&0)).then_some(link.ifindex)
        };
        let unset: BTreeSet<u32> = self.ledger.promoted().filter_map(unset).collect();
        if !unset.is_subset(&self.route.links.unset) {
            out.push(Action::Unsettled);
        }
        self.route.links.unset = unset;
    }

    pub(super) fn plan_links(&mut self, out: &mut Vec<Action>) -> LinkPlan {
        if !self.is_stopping() {
            self.ask_to_settle(out);
        }
        let wants_none = self.ledger.made().is_empty() && self.ledger.settings().next().is_none();
        if wants_none && self.route.links.before.is_empty() && !self.route.network.has_marked() {
            return LinkPlan::default();
        }
        self.remember_parents();
        let mut plan = links::plan(&View {
            ledger: &self.ledger,
            network: &self.route.network,
            patience: &self.patience,
            before: &self.route.links.before,
            removal: self.route.links.removal,
            ending: if self.is_stopping() { Switch::On } else { Switch::Off },
        });
        let expected = &mut self.route.links.expected;
        plan.ops.retain(|op| !matches!(op, LinkOp::Make(_, name) if expected.contains_key(name)));
        for (name, begun) in expected.iter_mut().filter(|(_, begun)| **begun == Begun::No) {
            *begun = Begun::Yes;
            let place = self.ledger.made().iter().position(|made| self.ledger.link(made.link) == Some(name));
            plan.ops
                .splice(0..0, place.into_iter().flat_map(|place| First::ALL.map(|first| LinkOp::Begin(place, first))));
        }
        for place in &plan.foreign {
            self.say_foreign(*place, out);
        }
        plan
    }

    /// How they are set before anything is changed; after a crash that is in the mark of what was made on them.
    fn remember_parents(&mut self) {
        let network = &self.route.network;
        for (link, number, _) in self.ledger.settings() {
            let Some(fact) = self.ledger.link(link).and_then(|name| network.link(name)) else { continue };
            // The number of its parent is another one where that is itself a macvlan.
            let is_on = |other: &LinkFact| match self.ledger.made().iter().find(|m| self.is_named(m, other)) {
                Some(made) => made.parent == link,
                None => other.parent == fact.ifindex,
            };
            let mut marks = network.links().filter(|other| is_on(other));
            let marked = marks.find_map(|other| links::read_mark(&other.alias));
            let value = marked.and_then(|m| m.get(&number).copied()).or(fact.conf.get(&number).copied());
            if let Some(value) = value {
                self.route.links.before.entry(fact.ifindex).or_default().entry(number).or_insert(value);
            }
        }
        let wanted: BTreeSet<(u32, u16)> = self
            .ledger
            .settings()
            .filter_map(|(link, number, _)| Some((network.link(self.ledger.link(link)?)?.ifindex, number)))
            .collect();
        // What is as it was, and is not asked for any more, is nobody's business here.
        self.route.links.before.retain(|ifindex, settings| {
            let now = network.by_index(*ifindex).map(|link| &link.conf);
            settings.retain(|number, before| {
                wanted.contains(&(*ifindex, *number)) || now.is_some_and(|now| now.get(number) != Some(before))
            });
            now.is_some() && !settings.is_empty()
        });
    }

    fn is_named(&self, made: &MadeLink, link: &LinkFact) -> bool {
        self.ledger.link(made.link) == Some(link.name.as_str())
    }

    fn say_foreign(&mut self, place: usize, out: &mut Vec<Action>) {
        let Some(made) = self.ledger.made().get(place) else { return };
        let (Some(name), Some(parent)) = (self.ledger.link(made.link), self.ledger.link(made.parent)) else { return };
        if self.route.links.told.insert(name.to_string()) {
            let text = format!(
                "{}: an interface {name} is there that is not {} on {parent}: it is left alone, and what needs it waits until it is \
                 removed or renamed",
                made.origin,
                what(made)
            );
            log(out, Level::Error, text);
        }
    }

    pub(super) fn link_message(&self, op: &LinkOp) -> Option<LinkMessage> {
        let request = match op {
            LinkOp::Make(place, _) => {
                let made = self.ledger.made().get(*place)?;
                let parent = self.route.network.link(self.ledger.link(made.parent)?)?;
                let vrf = parent
                    .master
                    .filter(|m| self.route.network.by_index(*m).is_some_and(|master| master.vrf_table().is_some()));
                codec::make(&Make {
                    name: self.ledger.link(made.link)?,
                    parent: parent.ifindex,
                    kind: made.kind,
                    group: made.group.unwrap_or(parent.group),
                    vrf,
                })
            }
            LinkOp::Begin(place, first) => {
                let made = self.ledger.made().get(*place)?;
                let which = Which::Name(self.ledger.link(made.link)?);
                match first {
                    First::Conf if links::own_conf(made).is_empty() => return None,
                    First::Conf => codec::set_conf(which, &links::own_conf(made)),
                    First::NoLinkLocal if links::keeps_link_local(made) => return None,
                    First::NoLinkLocal => codec::no_link_local(which),
                    First::Up => codec::up(which),
                }
            }
            LinkOp::Mark(ifindex, alias) => codec::set_alias(*ifindex, alias),
            LinkOp::Conf(ifindex, settings) => codec::set_conf(Which::Number(*ifindex), settings),
            LinkOp::NoLinkLocal(ifindex) => codec::no_link_local(Which::Number(*ifindex)),
            LinkOp::Up(ifindex) => codec::up(Which::Number(*ifindex)),
            LinkOp::Remove(ifindex) => codec::remove(*ifindex),
            LinkOp::Addr(key) => return Some(LinkMessage::Addr(route::add_plain(key))),
        };
        Some(LinkMessage::Raw(request))
    }

    pub(super) fn link_done(&mut self, op: LinkOp) {
        let network = &mut self.route.network;
        match op {
            LinkOp::Make(_, name) => {
                self.patience.settled(&Item::Link(name.clone()));
                self.route.links.told.remove(&name);
                if network.link(&name).is_none() {
                    self.route.links.expected.insert(name, Begun::No);
                }
            }
            // Notifications say what has come of it.
            LinkOp::Begin(..) => {}
            LinkOp::Remove(ifindex) => network.link_gone(ifindex),
            LinkOp::Mark(ifindex, alias) => network.change(ifindex, |link| link.alias = alias),
            LinkOp::Conf(ifindex, settings) => network.change(ifindex, |link| link.conf.extend(settings)),
            LinkOp::NoLinkLocal(ifindex) => {
                network.change(ifindex, |link| link.addr_gen_mode = Some(codec::NO_LINK_LOCAL));
            }
            LinkOp::Up(ifindex) => network.change(ifindex, |link| link.flags |= 1),
            LinkOp::Addr(key) => {
                network.addr_seen(crate::observed::AddrFact { key, scope: 0, owner: route::OWNER, peer: None });
            }
        }
        self.network_changed();
    }

    /// The interface without which it cannot be done.
    fn needs(&self, op: &LinkOp) -> Option<u32> {
        match op {
            LinkOp::Make(place, _) => {
                let parent = self.ledger.link(self.ledger.made().get(*place)?.parent)?;
                Some(self.route.network.link(parent)?.ifindex)
            }
            LinkOp::Begin(..) => None,
            LinkOp::Mark(ifindex, _) | LinkOp::Conf(ifindex, _) => Some(*ifindex),
            LinkOp::NoLinkLocal(ifindex) | LinkOp::Up(ifindex) | LinkOp::Remove(ifindex) => Some(*ifindex),
            LinkOp::Addr(key) => Some(key.ifindex),
        }
    }

    pub(super) fn link_refused(&mut self, op: LinkOp, errno: Errno, text: Option<&str>, out: &mut Vec<Action>) {
        if errno.0 == libc::ENODEV
            && let Some(ifindex) = self.needs(&op)
        {
            // The notification that it is gone is on its way.
            return self.link_gone(ifindex);
        }
        let name = |ifindex: u32| self.route.network.name(ifindex).unwrap_or("an interface that is gone").to_string();
        let (item, what) = match &op {
            LinkOp::Make(place, link) => {
                let Some(made) = self.ledger.made().get(*place) else { return };
                let parent = self.ledger.link(made.parent).unwrap_or_default();
                let text = format!("make {link}, {} on {parent} ({} asks for it)", what(made), made.origin);
                (Item::Link(link.clone()), text)
            }
            LinkOp::Begin(..) => return,
            LinkOp::Mark(ifindex, _) => (Item::Link(name(*ifindex)), format!("mark {}", name(*ifindex))),
            LinkOp::Conf(ifindex, _) => (Item::Link(name(*ifindex)), format!("set net.ipv4.conf.{}", name(*ifindex))),
            LinkOp::NoLinkLocal(ifindex) => {
                // A kernel without IPv6 has none to keep away.
                let ifindex = *ifindex;
                return self.route.network.change(ifindex, |link| link.addr_gen_mode = None);
            }
            LinkOp::Up(ifindex) => (Item::Link(name(*ifindex)), format!("set {} up", name(*ifindex))),
            LinkOp::Addr(key) => (Item::Addr(*key), format!("add {}/{} on {}", key.addr, key.len, name(key.ifindex))),
            LinkOp::Remove(ifindex) => (Item::Link(name(*ifindex)), format!("remove {}", name(*ifindex))),
        };
        if self.patience.refused(self.now, item) == Complaint::First {
            let why = text.map_or_else(|| format!("{errno}"), |text| format!("{errno} ({text})"));
            let hint = if errno.0 == libc::EOPNOTSUPP { "; this kernel has no such interfaces" } else { "" };
            let line = format!("Cannot {what}: {why}{hint}; trying again after 1, 2, 4 and at most every 60 seconds");
            log(out, Level::Error, line);
        }
    }
}

fn what(made: &MadeLink) -> String {
    match made.kind {
        MadeKind::Macvlan(mac) => format!("a private macvlan with the address {mac}"),
        MadeKind::Ipvlan(IpvlanMode::Bridge) => String::from("an ipvlan in bridge mode"),
        MadeKind::Ipvlan(IpvlanMode::Private) => String::from("an ipvlan in private mode"),
        MadeKind::Ipvlan(IpvlanMode::Vepa) => String::from("an ipvlan in vepa mode"),
    }
}
