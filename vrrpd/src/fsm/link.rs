//! What is known of the interfaces that the configuration names.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::vrrp::VrrpConfig;
use ipc::config::{self, LinkIdx};
use ipc::msg::vips::{LinkFacts, LinkState};
use ipc::table::Table;
use ipc::time::Mono;

/// What is known of one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// ipvsd has not said anything yet.
    Nothing,
    /// It is not there.
    Missing,
    /// It is there.
    There(LinkFacts),
}

/// An interface and its name.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// What counts of it: it is up or down as it was until a change has lasted for as long as `interface_up_down_delays` says.
    pub known: Known,
    /// When it counts as what it is.
    turns: Option<Mono>,
    /// Whether ipvsd has spoken of it since it was last asked for everything.
    fresh: Fresh,
    /// Whether packets can pass now, whatever counts.
    carrier: LinkState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fresh {
    Yes,
    No,
}

/// For how long an interface must be down, and up, before that counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// Down.
    pub down: Duration,
    /// Up.
    pub up: Duration,
}

impl Link {
    fn unknown(name: &str) -> Self {
        let (known, carrier) = (Known::Nothing, LinkState::Down);
        Link { name: name.into(), known, turns: None, fresh: Fresh::No, carrier }
    }

    /// Takes what is known now.
    fn learn(&mut self, known: Known, patience: Patience, now: Mono) {
        let before = self.facts().map(|facts| (facts.ifindex, facts.state));
        let turns = self.turns.take();
        self.known = known;
        let Known::There(facts) = &mut self.known else { return };
        self.carrier = facts.state;
        let Some((ifindex, counted)) = before else { return };
        if facts.ifindex != ifindex || facts.state == counted {
            return;
        }
        let delay = match facts.state {
            LinkState::Up => patience.up,
            LinkState::Down => patience.down,
        };
        let due = turns.unwrap_or_else(|| now + delay);
        if due > now && !delay.is_zero() {
            facts.state = counted;
            self.turns = Some(due);
        }
    }

    /// The facts, when it is there.
    pub fn facts(&self) -> Option<&LinkFacts> {
        match &self.known {
            Known::There(facts) => Some(facts),
            Known::Nothing | Known::Missing => None,
        }
    }
}

/// The interfaces of one generation.
#[derive(Clone, Debug, Default)]
pub struct Links(Table<LinkIdx, Link>);

impl Links {
    /// The interfaces that `config` names; what `old` knew of them is kept.
    pub fn new(config: &VrrpConfig, old: &Links) -> Self {
        let row = |link: &config::vrrp::Link| match old.named(&link.name) {
            Some(link) => Link { fresh: Fresh::No, ..link.clone() },
            None => Link::unknown(&link.name),
        };
        Links(config.links.rows().iter().map(row).collect())
    }

    /// Row of an interface.
    pub fn at(&self, link: LinkIdx) -> Option<&Link> {
        self.0.at(link)
    }

    /// Row of the interface with this name.
    pub fn named(&self, name: &str) -> Option<&Link> {
        self.0.rows().iter().find(|link| link.name == name)
    }

    /// Facts of an interface that is there.
    pub fn facts(&self, link: LinkIdx) -> Option<&LinkFacts> {
        self.0.at(link)?.facts()
    }

    /// Takes what ipvsd says of an interface.
    pub fn learn(&mut self, index: LinkIdx, known: Known, patience: Patience, now: Mono) {
        if let Some(link) = self.0.at_mut(index) {
            link.learn(known, patience, now);
            link.fresh = Fresh::Yes;
        }
    }

    /// The index of an interface; `None` when the configuration does not name it.
    pub fn find(&self, name: &str) -> Option<LinkIdx> {
        self.0.find(|link| link.name == name)
    }

    /// Whether packets can pass an interface now, whatever counts.
    pub fn carries(&self, index: LinkIdx) -> bool {
        self.0.at(index).is_some_and(|link| link.facts().is_some() && link.carrier == LinkState::Up)
    }

    /// When the next one counts as what it is.
    pub fn deadline(&self) -> Option<Mono> {
        self.0.rows().iter().filter_map(|link| link.turns).min()
    }

    /// Lets those count as what they are that have been so for long enough.
    pub fn expire(&mut self, now: Mono) -> Vec<LinkIdx> {
        let mut turned = Vec::new();
        for (index, link) in self.0.iter_mut() {
            if link.turns.is_some_and(|at| at <= now) {
                link.turns = None;
                if let Known::There(facts) = &mut link.known {
                    facts.state = link.carrier;
                    turned.push(index);
                }
            }
        }
        turned
    }

    /// Everything is about to be said again.
    pub fn expect_all(&mut self) {
        for (_, link) in self.0.iter_mut() {
            link.fresh = Fresh::No;
        }
    }

    /// Everything has been said: what was not mentioned is not there.
    pub fn all_said(&mut self) {
        for (_, link) in self.0.iter_mut() {
            if link.fresh == Fresh::No {
                link.known = Known::Missing;
                link.turns = None;
                link.fresh = Fresh::Yes;
            }
        }
    }

    /// Name of an interface, for messages.
    pub fn name(&self, link: LinkIdx) -> &str {
        self.0.at(link).map_or("?", |link| &link.name)
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = (LinkIdx, &Link)> {
        self.0.iter()
    }
}

/// Whether packets can pass.
pub fn is_up(facts: &LinkFacts) -> bool {
    facts.state == LinkState::Up
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use ipc::msg::vips::{Arp, Forwarding, Multicast};
    use ipc::net::Mac;

    fn facts(ifindex: u32, state: LinkState) -> Known {
        Known::There(LinkFacts {
            name: "eth0".into(),
            base: ifindex,
            ifindex,
            state,
            arp: Arp::Yes,
            multicast: Multicast::Yes,
            mac: Mac::default(),
            mtu: 1500,
            primary: None,
            link_local: None,
            forwarding: Forwarding::No,
            addrs: Vec::new(),
        })
    }

    fn at(ms: u64) -> Mono {
        Mono::ZERO + Duration::from_millis(ms)
    }

    const PATIENCE: Patience = Patience { down: Duration::from_millis(1_000), up: Duration::from_millis(500) };

    /// What counts, and when that changes.
    fn counts(links: &Links) -> (Option<LinkState>, Option<Mono>) {
        (links.facts(LinkIdx(0)).map(|facts| facts.state), links.deadline())
    }

    #[test]
    fn a_change_counts_when_it_has_lasted() {
        use LinkState::{Down, Up};
        let mut links = Links([Link::unknown("eth0")].into_iter().collect());
        let learn = |links: &mut Links, ms, known| links.learn(LinkIdx(0), known, PATIENCE, at(ms));
        // The first word counts at once.
        learn(&mut links, 0, facts(1, Up));
        assert_eq!((counts(&links), links.carries(LinkIdx(0))), ((Some(Up), None), true));
        // Down for too short a time, and then for long enough; the same said again does not begin anew.
        learn(&mut links, 100, facts(1, Down));
        assert_eq!((counts(&links), links.carries(LinkIdx(0))), ((Some(Up), Some(at(1_100))), false));
        learn(&mut links, 900, facts(1, Up));
        assert_eq!(counts(&links), (Some(Up), None));
        learn(&mut links, 2_000, facts(1, Down));
        learn(&mut links, 2_600, facts(1, Down));
        assert_eq!(links.expire(at(2_999)), []);
        assert_eq!(links.expire(at(3_000)), [LinkIdx(0)]);
        assert_eq!(counts(&links), (Some(Down), None));
        learn(&mut links, 4_000, facts(1, Up));
        assert_eq!(counts(&links), (Some(Down), Some(at(4_500))));
        // One that goes, goes at once, and one in its place is another one.
        learn(&mut links, 4_100, Known::Missing);
        assert_eq!(counts(&links), (None, None));
        learn(&mut links, 4_200, facts(2, Down));
        learn(&mut links, 4_300, facts(3, Up));
        assert_eq!(counts(&links), (Some(Up), None));
    }
}
