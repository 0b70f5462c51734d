//! Routes and rules in words that outlive a generation: interfaces by name, nothing of who asks for them.

use crate::ledger::Owner;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use ipc::config::route::{Hop, Route, Rule, RuleAction, Tracked};
use ipc::config::{LinkIdx, Origin};

/// A route; compares equal to the same route of another generation.
pub type RouteName = Route<String, ()>;
/// A rule; likewise.
pub type RuleName = Rule<String, ()>;

/// What leads packets: a route or a rule that chooses a table of routes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// A line of `virtual_routes` or `static_routes`.
    Route(RouteName),
    /// A line of `virtual_rules` or `static_rules`.
    Rule(RuleName),
}

/// A line of the configuration that asks for a route or a rule.
#[derive(Clone, Debug)]
pub struct PathRecord {
    /// What it asks for.
    pub path: Arc<Path>,
    /// Whose line it is.
    pub owner: Owner,
    /// Who is told when it goes.
    pub tracked: Tracked,
    /// The line.
    pub origin: Origin,
}

/// The names of interfaces by their index; `None` for one that is not in the table.
pub type LinkNames<'a> = &'a dyn Fn(LinkIdx) -> Option<String>;

/// A route of the configuration. `None`: an interface of it is not in the table.
pub fn of_route(route: &Route, names: LinkNames<'_>) -> Option<Path> {
    let hop = |hop: &Hop| {
        Some(Hop {
            via: hop.via,
            link: named(hop.link, names)?,
            weight: hop.weight,
            onlink: hop.onlink,
            realms: hop.realms,
            encap: hop.encap.clone(),
        })
    };
    Some(Path::Route(Route {
        family: route.family,
        kind: route.kind,
        to: route.to,
        from: route.from,
        source: route.source,
        hop: hop(&route.hop)?,
        hops: route.hops.iter().map(hop).collect::<Option<Vec<_>>>()?,
        tos: route.tos,
        table: route.table,
        protocol: route.protocol,
        scope: route.scope,
        metric: route.metric,
        expires: route.expires,
        pref: route.pref,
        ttl_propagate: route.ttl_propagate,
        vrf: named(route.vrf, names)?,
        metrics: route.metrics.clone(),
        congctl: route.congctl.clone(),
        placement: route.placement,
        tracked: Tracked::default(),
        origin: Origin::default(),
    }))
}

/// A rule of the configuration. `None`: an interface of it is not in the table.
pub fn of_rule(rule: &Rule, names: LinkNames<'_>) -> Option<Path> {
    Some(Path::Rule(Rule {
        family: rule.family,
        invert: rule.invert,
        from: rule.from,
        to: rule.to,
        preference: rule.preference,
        tos: rule.tos,
        fwmark: rule.fwmark,
        realms: rule.realms,
        suppress_prefix: rule.suppress_prefix,
        suppress_group: rule.suppress_group,
        iif: named(rule.iif, names)?,
        oif: named(rule.oif, names)?,
        tunnel: rule.tunnel,
        uids: rule.uids,
        l3mdev: rule.l3mdev,
        protocol: rule.protocol,
        ip_protocol: rule.ip_protocol,
        sport: rule.sport,
        dport: rule.dport,
        action: rule.action,
        tracked: Tracked::default(),
        origin: Origin::default(),
    }))
}

/// `Some(None)`: there is none to name.
fn named(link: Option<LinkIdx>, names: LinkNames<'_>) -> Option<Option<String>> {
    match link {
        Some(idx) => names(idx).map(Some),
        None => Some(None),
    }
}

impl Path {
    /// The interfaces that must be there and up before the kernel takes it. A rule waits for its interfaces by itself.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        let route = match self {
            Path::Route(route) => Some(route),
            Path::Rule(_) => None,
        };
        route.into_iter().flat_map(|route| {
            let hops = route.hops.iter().chain([&route.hop]).filter_map(|hop| hop.link.as_deref());
            hops.chain(route.vrf.as_deref())
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Route(route) => show_route(route, f),
            Path::Rule(rule) => show_rule(rule, f),
        }
    }
}

/// As ip-route(8) names it, as far as it takes to know which one it is.
fn show_route(route: &RouteName, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "route ")?;
    if route.to.len == 0 { write!(f, "default") } else { write!(f, "{}", route.to) }?;
    for hop in route.hops.iter().chain([&route.hop]) {
        if let Some(via) = hop.via {
            write!(f, " via {via}")?;
        }
        if let Some(link) = &hop.link {
            write!(f, " dev {link}")?;
        }
    }
    if let Some(table) = route.table {
        write!(f, " table {table}")?;
    }
    if let Some(metric) = route.metric {
        write!(f, " metric {metric}")?;
    }
    Ok(())
}

fn show_rule(rule: &RuleName, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "rule {}:", rule.preference)?;
    for (word, prefix) in [("from", rule.from), ("to", rule.to)] {
        if let Some(prefix) = prefix {
            write!(f, " {word} {prefix}")?;
        }
    }
    if let Some((mark, _)) = rule.fwmark {
        write!(f, " fwmark {mark}")?;
    }
    for (word, link) in [("iif", &rule.iif), ("oif", &rule.oif)] {
        if let Some(link) = link {
            write!(f, " {word} {link}")?;
        }
    }
    let action = match rule.action {
        RuleAction::Table(table) => return write!(f, " table {table}"),
        RuleAction::Goto(preference) => return write!(f, " goto {preference}"),
        RuleAction::Nop => "nop",
        RuleAction::Blackhole => "blackhole",
        RuleAction::Unreachable => "unreachable",
        RuleAction::Prohibit => "prohibit",
    };
    write!(f, " {action}")
}

/// Whether the kernel has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has looked.
    #[default]
    Unknown,
    /// It has.
    There,
    /// It had, or was asked to; something has happened since that the kernel does not always tell of.
    Unsure,
    /// It has not.
    Gone,
}

/// One route or rule with all who ask for it.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is.
    pub path: Arc<Path>,
    /// Who asks for it; nobody any more: it is to go.
    pub users: Vec<Owner>,
    /// The line that asks for it first.
    pub origin: Origin,
    /// Whether the kernel has it.
    pub standing: Standing,
}

/// What the configuration asks for once, said to be asked for by `names`.
pub fn rows(records: &[PathRecord]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut places = alloc::collections::BTreeMap::new();
    for record in records {
        let place = *places.entry(record.path.clone()).or_insert(rows.len());
        match rows.get_mut(place) {
            Some(row) => row.users.push(record.owner),
            None => rows.push(Row {
                path: record.path.clone(),
                users: Vec::from([record.owner]),
                origin: record.origin.clone(),
                standing: Standing::Unknown,
            }),
        }
    }
    rows
}

/// The name of the file and the line, for messages.
pub fn asked_by(row: &Row) -> String {
    row.origin.to_string()
}
