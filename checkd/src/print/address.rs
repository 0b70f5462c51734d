//! Address records and `static_…` blocks.

use super::value::{Value, int};
use super::writer::Writer;
use super::{Printer, route, rule};
use alloc::string::{String, ToString};
use core::fmt;
use ipc::config::ipvs::{AddrMore, AddrSpec};
use ipc::config::route::{StaticAddr, Statics, Tracked};
use ipc::config::vrrp::Switch;
use ipc::net::Prefix;

/// rtnetlink(7) `RT_SCOPE_…`
pub(crate) fn scope(scope: u8) -> String {
    match scope {
        0 => "global".into(),
        200 => "site".into(),
        253 => "link".into(),
        254 => "host".into(),
        255 => "nowhere".into(),
        other => other.to_string(),
    }
}

/// `no_track`, `track_group`
pub(super) fn tracked(w: &mut Writer<'_>, p: Printer<'_>, Tracked { no_track, group }: &Tracked) -> fmt::Result {
    w.flag("no_track", *no_track)?;
    let name = |group| p.vrrp.track_groups.at(group).map_or("", |group| group.name.as_str());
    w.maybe("track_group", group.map(|group| Value::Text(name(group))))
}

/// What all address records have; `dev` is another interface than the record's where that was made.
fn record(w: &mut Writer<'_>, spec: &AddrSpec, dev: Value<'_>) -> fmt::Result {
    let AddrSpec { prefix, link: _, broadcast, scope: scope_number, label, more, origin: _ } = spec;
    let AddrMore { peer, home, mngtmpaddr, noprefixroute, autojoin, dad, preferred_lft, use_vmac } = more;
    match peer {
        // The length is the peer's.
        Some(peer) => {
            w.bare("address", Value::Shown(&prefix.addr))?;
            w.field("peer", Value::Shown(&Prefix { addr: *peer, len: prefix.len }))?;
        }
        None => w.bare("address", Value::Shown(prefix))?,
    }
    w.maybe("brd", broadcast.as_ref().map(|ip| Value::Shown(ip)))?;
    w.field("dev", dev)?;
    if prefix.addr.is_ipv4() {
        w.field("scope", Value::Shown(&scope(*scope_number)))?;
    }
    w.maybe("label", label.as_deref().map(Value::Text))?;
    w.flag("home", *home)?;
    w.flag("mngtmpaddr", *mngtmpaddr)?;
    w.flag("noprefixroute", *noprefixroute)?;
    w.flag("autojoin", *autojoin)?;
    w.flag("-nodad", *dad)?;
    match preferred_lft {
        Some(u32::MAX) => w.field("preferred_lft", Value::Text("forever"))?,
        other => w.maybe("preferred_lft", other.map(int))?,
    }
    w.flag("use_vmac", *use_vmac)
}

impl Printer<'_> {
    /// A line of `virtual_ipaddress`.
    pub(super) fn address(self, w: &mut Writer<'_>, address: &AddrSpec, no_track: Switch) -> fmt::Result {
        // `dev` of an interface that was made is that of its parent.
        let made = self.ipvs.made.iter().find(|made| made.link == address.link);
        record(w, address, self.link(made.map_or(address.link, |made| made.parent)))?;
        w.flag("no_track", no_track)
    }

    /// `static_ipaddress`, `static_routes`, `static_rules`
    pub(super) fn statics(self, w: &mut Writer<'_>) -> fmt::Result {
        let Statics { addrs, routes, rules } = &self.ipvs.statics;
        w.records("static_ipaddress", addrs, |w, address| self.static_address(w, address))?;
        w.records("static_routes", routes, |w, route| route::route(w, self, route))?;
        w.records("static_rules", rules, |w, rule| rule::rule(w, self, rule))
    }

    fn static_address(self, w: &mut Writer<'_>, address: &StaticAddr) -> fmt::Result {
        record(w, &address.spec, self.link(address.spec.link))?;
        tracked(w, self, &address.tracked)
    }
}
