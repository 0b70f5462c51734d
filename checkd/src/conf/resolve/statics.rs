//! `static_ipaddress`, `static_routes`, `static_rules`, and the `track_group`s they name.

use super::Resolver;
use super::trackers::{FAULT, watch};
use crate::conf::Draft as All;
use crate::conf::address::Address;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::keyword::At;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::ipvs::AddrSpec;
use ipc::config::route::{Route, Rule, StaticAddr, Statics, Tracked};
use ipc::config::vrrp::{Switch, TrackLink, VrrpConfig};
use ipc::config::vrrp_track::TrackGroup;
use ipc::config::{InstanceIdx, LinkIdx, TrackGroupIdx};
use ipc::msg::compile::CompileMode;
use ipc::table::Index;

impl Resolver<'_, '_> {
    pub(super) fn statics(&mut self, draft: &All) -> Statics {
        Statics {
            addrs: draft.static_addrs.iter().filter_map(|a| self.static_addr(a, draft)).collect(),
            routes: draft.static_routes.iter().filter_map(|route| self.route(route, draft)).collect(),
            rules: draft.static_rules.iter().filter_map(|rule| self.rule(rule, draft)).collect(),
        }
    }

    /// COMPAT: keepalived 2.4.3: without `dev` it is that of `default_interface`, which is eth0 when nobody says; without
    /// either the line is dropped.
    fn static_addr(&mut self, a: &Address, draft: &All) -> Option<StaticAddr> {
        let eth0 = (self.mode == CompileMode::Offline || self.present.contains("eth0")).then(|| "eth0".into());
        let default = || Some(At::new(draft.global.identity.default_interface.clone().or(eth0)?, a.span));
        let Some(link) = a.link.clone().or_else(default) else {
            let message = "this address has no `dev`, and there is neither `default_interface` nor eth0";
            self.r.diags.push(Diagnostic::error(Code::INCOMPLETE, a.span, message).label("ignored"));
            return None;
        };
        let mut group = None;
        if let Some(name) = &a.group {
            if a.link.is_some() {
                group = self.track_group(name, draft);
            } else {
                let message = "`track_group` needs `dev`";
                self.r.diags.push(Diagnostic::error(Code::CONFLICT, name.span, message).label("ignored"));
            }
        }
        let spec = AddrSpec {
            prefix: a.prefix,
            link: self.link(&link)?,
            broadcast: a.broadcast,
            scope: a.scope,
            label: a.label.clone(),
            more: a.more,
            origin: self.r.sources.origin(a.span),
        };
        Some(StaticAddr { spec, tracked: Tracked { no_track: a.no_track, group } })
    }

    /// The index of a track group: its place in the file.
    pub(super) fn track_group(&mut self, name: &At<String>, draft: &All) -> Option<TrackGroupIdx> {
        let groups = &draft.track_groups;
        let place = self.places.track_groups.get(name.value.as_str()).copied();
        if place.is_none() {
            let message = format!("there is no `track_group {}`", name.value);
            let mut undefined = Diagnostic::error(Code::UNDEFINED, name.span, message).label("ignored");
            if let Some(near) = self.r.nearest(&name.value, groups.iter().map(|g| g.name.value.as_str())) {
                undefined = undefined.help(format!("did you mean `{near}`?")).patch(name.span, near);
            }
            self.r.diags.push(undefined);
        }
        place.and_then(TrackGroupIdx::from_usize)
    }

    /// The table of track groups.
    pub(super) fn track_groups(&mut self, draft: &All, vrrp: &mut VrrpConfig) {
        for block in &draft.track_groups {
            let mut members: Vec<InstanceIdx> = Vec::new();
            for name in block.members.iter().flatten() {
                match vrrp.instances.find(|i| i.name == name.value) {
                    Some(member) if members.contains(&member) => {}
                    Some(member) => members.push(member),
                    None => {
                        let message = format!("there is no `vrrp_instance {}` that can be used", name.value);
                        self.r.diags.push(Diagnostic::warning(Code::UNDEFINED, name.span, message).label("ignored"));
                    }
                }
            }
            let origin = self.r.sources.origin(block.span);
            let group = TrackGroup { name: block.name.value.clone(), members, is_named: Switch::Off, origin };
            if vrrp.track_groups.push(group).is_err() {
                let message = "the configuration has more than 65536 `track_group` blocks";
                self.r.diags.push(Diagnostic::error(Code::TOO_MANY, block.span, message).label("ignored"));
                return;
            }
        }
    }
}

/// COMPAT: keepalived 2.2.7, measured: the instances of a group are in FAULT while the interface of an address or a route of it is down.
pub(super) fn follow(statics: &Statics, vrrp: &mut VrrpConfig) {
    let addrs = statics.addrs.iter().map(|a| (a.tracked.group(), a.spec.link, &a.spec.origin));
    let hops = |route: &Route| -> Vec<LinkIdx> {
        route.hop.link.into_iter().chain(route.hops.iter().filter_map(|hop| hop.link)).collect()
    };
    let routes =
        statics.routes.iter().flat_map(|r| hops(r).into_iter().map(|link| (r.tracked.group(), link, &r.origin)));
    let ends = |rule: &Rule| -> Vec<LinkIdx> { rule.iif.into_iter().chain(rule.oif).collect() };
    let rules = statics.rules.iter().flat_map(|r| ends(r).into_iter().map(|link| (r.tracked.group(), link, &r.origin)));
    let paths = statics.routes.iter().map(|r| &r.tracked).chain(statics.rules.iter().map(|r| &r.tracked));
    for group in statics.addrs.iter().map(|a| &a.tracked).chain(paths).filter_map(Tracked::group) {
        if let Some(group) = vrrp.track_groups.at_mut(group) {
            group.is_named = Switch::On;
        }
    }
    for (group, link, origin) in addrs.chain(routes).chain(rules) {
        let Some(group) = group.and_then(|group| vrrp.track_groups.at(group)) else { continue };
        for member in &group.members {
            if let Some(instance) = vrrp.instances.at_mut(*member).filter(|instance| instance.link != link) {
                watch(&mut instance.track_links, TrackLink { link, weight: FAULT, origin: origin.clone() });
            }
        }
    }
}
