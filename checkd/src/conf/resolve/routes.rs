//! Routes and rules: names of interfaces and track groups become indices.

use super::Resolver;
use super::trackers::{FAULT, watch};
use crate::conf::Draft as All;
use crate::conf::hop::Hop as HopDraft;
use crate::conf::keyword::At;
use crate::conf::route::Route as RouteDraft;
use crate::conf::rule::Rule as RuleDraft;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::LinkIdx;
use ipc::config::route::{Hop, Route, Rule, Tracked};
use ipc::config::vrrp::{Switch, TrackLink};

impl Resolver<'_, '_> {
    /// A line of routes; nothing when an interface cannot be used, which has been reported.
    pub(super) fn route(&mut self, d: &RouteDraft, draft: &All) -> Option<Route> {
        Some(Route {
            family: d.family,
            kind: d.kind,
            to: d.to,
            from: d.from,
            source: d.source,
            hop: self.hop(&d.hop)?,
            hops: d.hops.iter().map(|hop| self.hop(hop)).collect::<Option<Vec<Hop>>>()?,
            tos: d.tos,
            table: d.table,
            protocol: d.protocol,
            scope: d.scope,
            metric: d.metric,
            expires: d.expires,
            pref: d.pref,
            ttl_propagate: d.ttl_propagate,
            vrf: self.optional_link(d.vrf.as_ref())?,
            metrics: d.metrics.clone(),
            congctl: d.congctl.clone(),
            placement: d.placement,
            tracked: self.tracked(&d.tracked, draft),
            origin: d.origin.clone(),
        })
    }

    fn hop(&mut self, d: &HopDraft) -> Option<Hop> {
        Some(Hop {
            via: d.via,
            link: self.optional_link(d.link.as_ref())?,
            weight: d.weight,
            onlink: d.onlink,
            realms: d.realms,
            encap: d.encap.clone(),
        })
    }

    /// A line of rules.
    pub(super) fn rule(&mut self, d: &RuleDraft, draft: &All) -> Option<Rule> {
        Some(Rule {
            family: d.family,
            invert: d.invert,
            from: d.from,
            to: d.to,
            preference: d.preference,
            tos: d.tos,
            fwmark: d.fwmark,
            realms: d.realms,
            suppress_prefix: d.suppress_prefix,
            suppress_group: d.suppress_group,
            iif: self.optional_link(d.iif.as_ref())?,
            oif: self.optional_link(d.oif.as_ref())?,
            tunnel: d.tunnel,
            uids: d.uids,
            l3mdev: d.l3mdev,
            protocol: d.protocol,
            ip_protocol: d.ip_protocol,
            sport: d.sport,
            dport: d.dport,
            action: d.action,
            tracked: self.tracked(&d.tracked, draft),
            origin: d.origin.clone(),
        })
    }

    fn optional_link(&mut self, name: Option<&At<String>>) -> Option<Option<LinkIdx>> {
        match name {
            Some(name) => self.link(name).map(Some),
            None => Some(None),
        }
    }

    fn tracked(&mut self, d: &Tracked<At<String>>, draft: &All) -> Tracked {
        Tracked { no_track: d.no_track, group: d.group.as_ref().and_then(|name| self.track_group(name, draft)) }
    }
}

/// COMPAT: keepalived 2.4.3: an instance is in FAULT while the way out of a tracked route, or an interface of a tracked
/// rule, is down.
pub(super) fn watched(routes: &[Route], rules: &[Rule], own: LinkIdx, tracked: &mut Vec<TrackLink>) {
    let routes = routes.iter().filter(|r| r.tracked.no_track == Switch::Off);
    let hops = routes.flat_map(|r| {
        let links = r.hop.link.into_iter().chain(r.hops.iter().filter_map(|hop| hop.link));
        links.map(|link| (link, &r.origin))
    });
    let rules = rules.iter().filter(|r| r.tracked.no_track == Switch::Off);
    let ends = rules.flat_map(|r| r.iif.into_iter().chain(r.oif).map(|link| (link, &r.origin)));
    for (link, origin) in hops.chain(ends).filter(|(link, _)| *link != own) {
        watch(tracked, TrackLink { link, weight: FAULT, origin: origin.clone() });
    }
}
