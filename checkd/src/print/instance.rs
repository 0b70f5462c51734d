//! `vrrp_instance` blocks.

use super::value::{Value, int};
use super::writer::Writer;
use super::{Printer, route, rule, tracker, words};
use core::fmt;
use ipc::config::ipvs::InstanceAddrs;
use ipc::config::vrrp::{
    Auth, GarpTiming, Instance, Peer, Preemption, Switch, Transport, UnicastSources, Version, Wanted,
};
use ipc::config::vrrp_options::InstanceOptions;
use ipc::net::Family;

impl Printer<'_> {
    pub(super) fn instances(self, w: &mut Writer<'_>) -> fmt::Result {
        // The three tables are one, row for row.
        let rows = self.vrrp.instances.rows().iter().zip(self.vrrp.options.rows()).zip(self.ipvs.instances.rows());
        w.blocks("vrrp_instance", rows, |w, ((instance, options), addrs)| self.instance(w, instance, options, addrs))
    }

    fn instance(
        self,
        w: &mut Writer<'_>,
        instance: &Instance,
        options: &InstanceOptions,
        InstanceAddrs { name: _, addrs, routes, rules, hold: _, accept: _ }: &InstanceAddrs,
    ) -> fmt::Result {
        let Instance {
            name,
            origin: _,
            version,
            family,
            link,
            vrid,
            priority,
            wanted,
            advert_int,
            preemption,
            down_timer_adverts,
            source,
            track_source,
            transport: way,
            auth,
            v3_checksum_as_v2,
            vips,
            excluded: _, // the rest of the addresses
            garp: timing,
            lower_prio_no_advert,
            higher_prio_send_advert,
            owner_ignore_adverts,
            skip_check_adv_addr,
            track_links: _, // by tracker::links
            track_scripts: _,
            notify,
            group: _, // printed with the group
        } = instance;
        let tracked = tracker::links(instance, addrs);
        w.bare("name", Value::Text(name))?;
        w.json_only("family", Value::Text(words::family(*family)))?;
        let peers = matches!(way, Transport::Unicast { .. });
        if *family == Family::V6 && vips.is_empty() && source.is_none() && !peers {
            // Nothing else says so.
            w.text_only(|w| w.alone("native_ipv6"))?;
        }
        w.field("version", int(if *version == Version::V2 { 2 } else { 3 }))?;
        w.field("state", Value::Text(if *wanted == Wanted::Master { "MASTER" } else { "BACKUP" }))?;
        match options.vrf {
            None => w.field("interface", self.link(*link))?,
            // A file has one or the other.
            Some(_) => w.json_only("interface", self.link(*link))?,
        }
        w.field("virtual_router_id", int(*vrid))?;
        w.field("priority", int(*priority))?;
        w.field("advert_int", Value::Seconds(*advert_int))?;
        w.flag("nopreempt", words::switch(*preemption == Preemption::NoPreempt))?;
        if let Preemption::Preempt { delay } = preemption {
            w.unless(delay.is_zero(), "preempt_delay", Value::Seconds(*delay))?;
        }
        w.field("down_timer_adverts", int(*down_timer_adverts))?;
        transport(w, way, source.as_ref())?;
        w.flag("track_src_ip", *track_source)?;
        let keyed = match auth {
            Auth::None => None,
            Auth::Pass(password) => Some(("PASS", password)),
            Auth::Ah(key) => Some(("AH", key)),
        };
        if let Some((kind, secret)) = keyed {
            w.block("authentication", |w| {
                w.field("auth_type", Value::Text(kind))?;
                w.field("auth_pass", Value::Secret(secret.reveal()))
            })?;
        }
        let off = |switch: &Switch| *switch == Switch::Off;
        w.unless(off(v3_checksum_as_v2), "v3_checksum_as_v2", Value::Switch(*v3_checksum_as_v2))?;
        garp(w, timing)?;
        w.field("lower_prio_no_advert", Value::Switch(*lower_prio_no_advert))?;
        w.field("higher_prio_send_advert", Value::Switch(*higher_prio_send_advert))?;
        w.unless(off(owner_ignore_adverts), "owner_ignore_adverts", Value::Switch(*owner_ignore_adverts))?;
        w.unless(off(skip_check_adv_addr), "skip_check_adv_addr", Value::Switch(*skip_check_adv_addr))?;
        self.options(w, instance, options)?;
        w.flag("dont_track_primary", tracked.dont_track_primary)?;
        let all = addrs.iter().zip(&tracked.no_track);
        if vips.is_empty() {
            w.text_only(|w| w.alone("no_virtual_ipaddress"))?;
        }
        w.records("virtual_ipaddress", all.clone().take(vips.len()), |w, (a, no_track)| self.address(w, a, *no_track))?;
        w.records("virtual_ipaddress_excluded", all.skip(vips.len()), |w, (a, no_track)| {
            self.address(w, a, *no_track)
        })?;
        w.records("virtual_routes", routes, |w, route| route::route(w, self, route))?;
        w.records("virtual_rules", rules, |w, rule| rule::rule(w, self, rule))?;
        self.tracked(w, tracked.lines, instance, options)?;
        self.notify(w, notify)
    }
}

fn transport(w: &mut Writer<'_>, way: &Transport, source: Option<&core::net::IpAddr>) -> fmt::Result {
    let source = source.map(|ip| Value::Shown(ip));
    match way {
        Transport::Multicast { group } => {
            w.maybe("mcast_src_ip", source)?;
            w.field("mcast_dst_ip", Value::Shown(group))
        }
        Transport::Unicast { peers, ttl, sources } => {
            w.maybe("unicast_src_ip", source)?;
            w.records("unicast_peer", peers, |w, Peer { addr, min_ttl, max_ttl }| {
                w.bare("address", Value::Shown(addr))?;
                // A range implies `check_unicast_src`.
                w.unless(*min_ttl == 0, "min_ttl", int(*min_ttl))?;
                w.unless(*max_ttl == 255, "max_ttl", int(*max_ttl))
            })?;
            w.field("unicast_ttl", int(*ttl))?;
            w.field("check_unicast_src", Value::Switch(words::switch(*sources == UnicastSources::PeersOnly)))
        }
    }
}

fn garp(w: &mut Writer<'_>, timing: &GarpTiming) -> fmt::Result {
    let GarpTiming { repeat, delay, refresh, refresh_repeat, lower_prio_repeat, lower_prio_delay } = timing;
    w.field("garp_master_delay", Value::Seconds(*delay))?;
    w.field("garp_master_repeat", int(*repeat))?;
    w.field("garp_master_refresh", Value::Seconds(*refresh))?;
    w.field("garp_master_refresh_repeat", int(*refresh_repeat))?;
    w.field("garp_lower_prio_delay", Value::Seconds(*lower_prio_delay))?;
    w.field("garp_lower_prio_repeat", int(*lower_prio_repeat))
}
