//! `vrrp_instance` blocks.

use super::Resolver;
use super::addresses::{Addresses, Place};
use super::made::Router;
use super::trackers::{FAULT, Scripts};
use crate::conf::Draft as All;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::global::Global;
use crate::conf::source::Span;
use crate::conf::value::secs;
use crate::conf::vrrp::{Instance as Draft, fit_advert_int};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::ipvs::{InstanceAddrs, MadeKind};
use ipc::config::route::{Route, Rule};
use ipc::config::vrrp::{Auth, Instance, Preemption, Switch, TrackLink, Version, Wanted};
use ipc::config::vrrp_global::VrrpGlobals;
use ipc::config::vrrp_options::Accept;
use ipc::config::{Bundle, LinkIdx};
use ipc::net::Family;

impl Resolver<'_, '_> {
    /// Everything that VRRP does.
    pub(super) fn vrrp(&mut self, draft: &All, bundle: &mut Bundle) {
        let scripts = self.track_script_table(draft);
        let processes = self.process_table(draft, &mut bundle.vrrp);
        self.link_settings(draft, &mut bundle.vrrp);
        let interfaces = draft.instances.iter().filter_map(|i| i.link.as_ref()).map(|link| link.value.clone());
        self.interfaces = interfaces.collect();
        let mut keys = BTreeMap::new();
        let mut places = Vec::new();
        for written in &draft.instances {
            let tightened;
            let block = match super::strict::asked(written, &draft.global) {
                Switch::On => {
                    tightened = self.strictly(written, &draft.global);
                    &tightened
                }
                Switch::Off => written,
            };
            let placed;
            let block = if block.more.vrf.is_some() {
                placed = self.in_vrf(block, &draft.global);
                &placed
            } else {
                block
            };
            let Some((mut instance, addresses)) = self.instance(block, &draft.global, &scripts) else { continue };
            let Some(mut options) = self.options(block, draft, &instance, &processes) else { continue };
            options.own_link = addresses.own;
            let lines = block.track_links.iter().filter_map(|line| self.link_names.get(&line.name.value));
            options.shown.track_links = lines.copied().collect();
            let is_vmac = |link: &LinkIdx| {
                self.made.iter().any(|made| made.link == *link && matches!(made.kind, MadeKind::Macvlan(_)))
            };
            let (vmacs, others): (BTreeSet<LinkIdx>, BTreeSet<LinkIdx>) =
                addresses.specs.iter().map(|spec| spec.link).partition(is_vmac);
            options.vmac_links = vmacs.into_iter().collect();
            if options.promote_secondaries == Switch::On {
                bundle.ipvs.promote.extend(others);
                bundle.ipvs.promote.sort_unstable();
                bundle.ipvs.promote.dedup();
            }
            let hold = instance.advert_int.saturating_mul(u32::from(instance.down_timer_adverts.saturating_sub(1)));
            let routes: Vec<Route> = block.routes.iter().filter_map(|route| self.route(route, draft)).collect();
            let rules: Vec<Rule> = block.rules.iter().filter_map(|rule| self.rule(rule, draft)).collect();
            super::routes::watched(&routes, &rules, instance.link, &mut instance.track_links);
            // COMPAT: keepalived 2.2.7 filters nothing for an address owner, whatever is written.
            let accept = if instance.priority == 255 { Accept::Accept } else { options.accept };
            let name = instance.name.clone();
            let addrs = InstanceAddrs { name, addrs: addresses.specs, routes, rules, hold, accept };
            self.same_router(&instance, block, &mut keys);
            let name = instance.name.clone();
            if bundle.vrrp.instances.push(instance).is_err() || bundle.ipvs.instances.push(addrs).is_err() {
                let message = "there may be 65536 instances";
                self.r.diags.push(Diagnostic::fatal(Code::TOO_MANY, block.span, message));
                break;
            }
            if bundle.vrrp.options.push(options).is_ok() && self.scripts.instances.push(name).is_ok() {
                places.push(written);
            }
        }
        self.groups(draft, &scripts, &processes, &places, bundle);
        self.drop_unused_scripts(&mut bundle.vrrp.instances);
        self.track_groups(draft, &mut bundle.vrrp);
        bundle.vrrp.globals = VrrpGlobals { dynamic_interfaces: self.dynamic_links, ..draft.global.vrrp.clone() };
        bundle.vrrp.startup_delay = draft.global.startup_delay.as_ref().map_or(Duration::ZERO, |d| d.value);
    }

    /// COMPAT: keepalived does not start with two instances of one number on one socket.
    fn same_router(&mut self, instance: &Instance, block: &Draft, keys: &mut BTreeMap<(LinkIdx, Family, u8), Span>) {
        let key = (instance.link, instance.family, instance.vrid);
        let span = block.vrid.as_ref().map_or(block.span, |v| v.span);
        match keys.get(&key) {
            Some(first) => {
                let message = format!("`virtual_router_id` {} is used twice on one interface", instance.vrid);
                self.r.diags.push(Diagnostic::fatal(Code::SAME_ROUTER, span, message).also(*first, "the first one"));
            }
            None => {
                keys.insert(key, span);
            }
        }
    }

    fn instance(&mut self, d: &Draft, g: &Global, scripts: &Scripts) -> Option<(Instance, Addresses)> {
        let name = &d.name.value;
        let Some(vrid) = &d.vrid else {
            // COMPAT: keepalived's VRRP process refuses to run.
            let message = format!("`vrrp_instance {name}` has no `virtual_router_id`");
            self.r.diags.push(Diagnostic::fatal(Code::INCOMPLETE, d.name.span, message).help("virtual_router_id 51"));
            return None;
        };
        let Some(link_name) = &d.link else {
            self.no_link(d);
            return None;
        };
        let link = self.link(link_name)?;
        let family = super::transport::family(d);
        let version = self.version(d, g, family);
        let auth = self.auth(d, version, family);
        let asked = d.advert_int.as_ref().map_or(secs(1), |a| a.value);
        let (advert_int, changed) = fit_advert_int(asked, version);
        if let (Some(message), Some(at)) = (changed, &d.advert_int) {
            self.r.diags.push(Diagnostic::warning(Code::ADJUSTED, at.span, message));
        }
        let (wanted, priority) = self.start(d, &auth);
        let mut track_links = Vec::new();
        if d.dont_track_primary == Switch::Off {
            track_links.push(TrackLink { link, weight: FAULT, origin: self.origin(link_name.span) });
        }
        let router = Router { draft: d, global: g, family, vrid: vrid.value };
        let made = self.made(&router, link);
        let own_link = made.map(|(own, _)| own);
        if let Some(own) = own_link.filter(|_| d.dont_track_primary == Switch::Off) {
            track_links.push(TrackLink { link: own, weight: FAULT, origin: self.origin(link_name.span) });
        }
        let vmac = made.filter(|(_, kind)| matches!(kind, MadeKind::Macvlan(_))).map(|(own, _)| own);
        let place = Place { router, base: link, own: vmac.unwrap_or(link) };
        let addresses = Addresses { own: own_link, ..self.addresses(&place, &mut track_links) };
        self.needs_addresses(d, version, &addresses);
        self.track_link_uses(&d.track_links, &mut track_links);
        let mut track_scripts = self.track_script_uses(&d.track_scripts, scripts);
        if priority == 255 {
            let before = track_links.len().saturating_add(track_scripts.len());
            track_links.retain(|t| t.weight.value == 0);
            track_scripts.retain(|t| t.weight.value == 0);
            if before != track_links.len().saturating_add(track_scripts.len()) {
                let message = format!("`vrrp_instance {name}` has priority 255: trackers with a weight have no effect");
                self.r.diags.push(Diagnostic::warning(Code::CONFLICT, d.name.span, message));
            }
        }
        let instance = Instance {
            name: name.clone(),
            origin: self.r.sources.origin(d.span),
            version,
            family,
            link,
            vrid: vrid.value,
            priority,
            wanted,
            advert_int,
            preemption: self.preemption(d, wanted, priority),
            down_timer_adverts: d.down_timer_adverts.as_ref().or(g.down_timer_adverts.as_ref()).map_or(3, |n| n.value),
            source: self.source(d, family).or(self.ipvlan_addr(own_link)),
            track_source: self.track_source(d, family),
            transport: self.transport(d, g, family),
            auth,
            v3_checksum_as_v2: d.v3_checksum_as_v2.unwrap_or(g.v3_checksum_as_v2),
            vips: addresses.vips.clone(),
            excluded: addresses.excluded.clone(),
            garp: super::transport::garp(d, g),
            lower_prio_no_advert: d.lower_prio_no_advert.unwrap_or(g.lower_prio_no_advert),
            higher_prio_send_advert: d.higher_prio_send_advert.or(g.higher_prio_send_advert).unwrap_or(Switch::On),
            owner_ignore_adverts: self.owner_ignores(d, g, priority),
            skip_check_adv_addr: d.skip_check_adv_addr.unwrap_or(g.skip_check_adv_addr),
            track_links,
            track_scripts,
            notify: self.notify(&d.notify, &format!("vrrp_instance {name}")),
            group: None,
        };
        Some((instance, addresses))
    }

    /// COMPAT: fatal, except that unicast with a source of its own needs no interface.
    fn no_link(&mut self, d: &Draft) {
        let name = &d.name.value;
        let problem = if d.peers.is_empty() || d.source.is_none() {
            let message = format!("`vrrp_instance {name}` has no `interface`");
            Diagnostic::fatal(Code::INCOMPLETE, d.name.span, message)
        } else {
            let message = format!("`vrrp_instance {name}` has no `interface`, without which it cannot be run yet");
            Diagnostic::error(Code::UNSUPPORTED, d.name.span, message).label("ignored")
        };
        self.r.diags.push(problem.help("interface eth0"));
    }

    /// COMPAT: keepalived 2.4.3: no `priority` is 255 with `state MASTER`, else 100; no `state` is MASTER only with 255.
    fn start(&mut self, d: &Draft, auth: &Auth) -> (Wanted, u8) {
        let state = d.state.as_ref().map(|s| s.value);
        let priority = match (&d.priority, state) {
            (Some(p), _) => p.value,
            (None, Some(Wanted::Master)) => {
                let span = d.state.as_ref().map_or(d.span, |s| s.span);
                let message = "`state MASTER` without `priority` makes this the address owner, priority 255";
                self.r.diags.push(
                    Diagnostic::warning(Code::ADJUSTED, span, message)
                        .help("give a priority, for example `priority 150`; nobody can take over from 255"),
                );
                255
            }
            (None, _) => 100,
        };
        let default = if priority == 255 { Wanted::Master } else { Wanted::Backup };
        let mut wanted = state.unwrap_or(default);
        if let (Auth::Ah(_), Wanted::Master, true) = (auth, wanted, priority != 255) {
            // COMPAT: the sequence numbers of the present master must be heard before our own can follow them.
            let span = d.state.as_ref().map_or(d.span, |s| s.span);
            let message = "`state MASTER` becomes BACKUP with `auth_type AH`";
            self.r.diags.push(Diagnostic::warning(Code::ADJUSTED, span, message));
            wanted = Wanted::Backup;
        }
        (wanted, priority)
    }

    /// COMPAT: keepalived 2.4.3: `nopreempt` counts neither for MASTER nor for 255, `preempt_delay` neither for MASTER nor with it.
    fn preemption(&mut self, d: &Draft, wanted: Wanted, priority: u8) -> Preemption {
        let mut nopreempt = d.nopreempt;
        let asked = d.preempt_delay.as_ref();
        if let Some(span) = nopreempt.filter(|_| wanted == Wanted::Master || priority == 255) {
            let message = "`nopreempt` has no effect with `state MASTER` or priority 255";
            let mut ignored = Diagnostic::warning(Code::NOPREEMPT_MASTER, span, message).label("ignored");
            if let Some(state) = d.state.as_ref().filter(|s| s.value == Wanted::Master) {
                ignored = ignored
                    .also(state.span, "because of this")
                    .help("use `state BACKUP` on all routers")
                    .patch(state.span, "state BACKUP");
            }
            self.r.diags.push(ignored);
            nopreempt = None;
        }
        if nopreempt.is_some() || wanted == Wanted::Master {
            if let Some(delay) = asked.filter(|delay| !delay.value.is_zero()) {
                let message = "`preempt_delay` has no effect with `state MASTER` or `nopreempt`";
                self.r.diags.push(Diagnostic::warning(Code::CONFLICT, delay.span, message).label("ignored"));
            }
            return if nopreempt.is_some() {
                Preemption::NoPreempt
            } else {
                Preemption::Preempt { delay: Duration::ZERO }
            };
        }
        Preemption::Preempt { delay: asked.map_or(Duration::ZERO, |d| d.value) }
    }

    /// COMPAT: keepalived 2.2.7, measured: IPv6 is version 3 whatever `vrrp_version` says, unless the instance itself says `version 2`:
    /// then it sends a version 2 that no RFC has, and Holdfast does the same.
    fn version(&mut self, d: &Draft, g: &Global, family: Family) -> Version {
        let own = d.version.as_ref();
        if family == Family::V4 {
            return own.or(g.version.as_ref()).map_or(Version::V2, |v| v.value);
        }
        let strict = super::strict::asked(d, g) == Switch::On;
        let Some(two) = own.filter(|v| v.value == Version::V2) else { return Version::V3 };
        let message = "version 2 has no IPv6";
        let label = if strict { "version 3 is used" } else { "only keepalived understands it" };
        self.r.diags.push(Diagnostic::warning(Code::CONFLICT, two.span, message).label(label).help("version 3"));
        if strict { Version::V3 } else { Version::V2 }
    }

    /// COMPAT: version 3 without an address is fatal unless `no_virtual_ipaddress` says that it is meant.
    fn needs_addresses(&mut self, d: &Draft, version: Version, addresses: &Addresses) {
        if !addresses.vips.is_empty() || d.no_vips == Switch::On {
            return;
        }
        let message = format!("`vrrp_instance {}` has no `virtual_ipaddress`", d.name.value);
        let problem = match version {
            Version::V3 => Diagnostic::fatal(Code::INCOMPLETE, d.name.span, message),
            Version::V2 => Diagnostic::warning(Code::INCOMPLETE, d.name.span, message),
        };
        self.r.diags.push(problem.help("say `no_virtual_ipaddress` if that is meant"));
    }

    /// COMPAT: only with priority 255, where the global setting wins over `off`.
    fn owner_ignores(&mut self, d: &Draft, g: &Global, priority: u8) -> Switch {
        let own = d.owner_ignore_adverts.as_ref();
        if priority == 255 {
            let off = own.filter(|o| o.value == Switch::Off && g.owner_ignore_adverts == Switch::On);
            if let Some(off) = off {
                let message = "`vrrp_owner_ignore_adverts` counts: with it no instance of priority 255 hears adverts";
                self.r.diags.push(Diagnostic::warning(Code::CONFLICT, off.span, message).label("ignored"));
                return Switch::On;
            }
            return own.map_or(g.owner_ignore_adverts, |o| o.value);
        }
        if let Some(own) = own.filter(|o| o.value == Switch::On) {
            let message = "`owner_ignore_adverts` has no effect below priority 255";
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, own.span, message).label("ignored"));
        }
        Switch::Off
    }
}
