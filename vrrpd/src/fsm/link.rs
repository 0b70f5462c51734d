//! What is known of the interfaces that the configuration names.

use alloc::string::String;
use ipc::config::LinkIdx;
use ipc::config::vrrp::VrrpConfig;
use ipc::msg::vips::{LinkFacts, LinkState};
use ipc::table::Table;

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
    /// What is known of it.
    pub known: Known,
    /// Whether ipvsd has spoken of it since it was last asked for everything.
    fresh: Fresh,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fresh {
    Yes,
    No,
}

impl Link {
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
        let known = |name: &str| old.named(name).map_or(Known::Nothing, |link| link.known.clone());
        Links(
            config
                .links
                .rows()
                .iter()
                .map(|link| Link { name: link.name.clone(), known: known(&link.name), fresh: Fresh::No })
                .collect(),
        )
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

    /// Takes what ipvsd says of the interface `name`; answers with its index, `None` when the configuration does not name it.
    pub fn learn(&mut self, name: &str, known: Known) -> Option<LinkIdx> {
        let index = self.0.find(|link| link.name == name)?;
        if let Some(link) = self.0.at_mut(index) {
            link.known = known;
            link.fresh = Fresh::Yes;
        }
        Some(index)
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
