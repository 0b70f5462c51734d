//! Route records.

use super::Printer;
use super::address::{scope, tracked};
use super::value::{Value, int};
use super::words;
use super::writer::Writer;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use ipc::config::route::{Encap, Hop, Metric, MetricKind, Placement, Route, RouteType, TunnelKey};
use ipc::config::vrrp::Switch;
use ipc::net::Family;

/// `[FROM/]TO`
pub(crate) fn realms(realms: u32) -> String {
    match (realms >> 16, realms & 0xffff) {
        (0, to) => to.to_string(),
        (from, to) => format!("{from}/{to}"),
    }
}

pub(super) fn tos(w: &mut Writer<'_>, tos: Option<u8>) -> fmt::Result {
    let tos = tos.map(|tos| format!("{tos:#04x}"));
    w.maybe("tos", tos.as_ref().map(|tos| Value::Shown(tos)))
}

pub(super) fn route(w: &mut Writer<'_>, p: Printer<'_>, route: &Route) -> fmt::Result {
    let Route {
        family,
        kind,
        to,
        from,
        source,
        hop: single,
        hops,
        tos: tos_byte,
        table,
        protocol,
        scope: scope_number,
        metric: priority,
        expires,
        pref,
        ttl_propagate,
        vrf,
        metrics,
        congctl,
        placement,
        tracked: track,
        origin: _,
    } = route;
    w.json_only("family", Value::Text(words::family(*family)))?;
    if single.via.is_some_and(|via| Family::of(via) != *family) {
        // The next hop would decide otherwise.
        w.text_only(|w| w.bare("", Value::Text(words::family(*family))))?;
    }
    if *kind != RouteType::Unicast {
        w.text_only(|w| w.bare("", Value::Text(words::route_type(*kind))))?;
    }
    w.json_only("type", Value::Text(words::route_type(*kind)))?;
    w.bare("to", Value::Shown(to))?;
    w.maybe("from", from.as_ref().map(|from| Value::Shown(from)))?;
    w.maybe("src", source.as_ref().map(|ip| Value::Shown(ip)))?;
    tos(w, *tos_byte)?;
    w.maybe("table", table.map(int))?;
    w.maybe("protocol", protocol.map(int))?;
    let scope = scope_number.map(scope);
    w.maybe("scope", scope.as_ref().map(|scope| Value::Shown(scope)))?;
    w.maybe("metric", priority.map(int))?;
    w.maybe("expires", expires.map(int))?;
    let pref = pref.map(|pref| match pref {
        1 => "high",
        3 => "low",
        _ => "medium",
    });
    w.maybe("pref", pref.map(Value::Text))?;
    let propagate = ttl_propagate.map(|set| if set == Switch::On { "enabled" } else { "disabled" });
    w.maybe("ttl-propagate", propagate.map(Value::Text))?;
    w.maybe("vrf", vrf.map(|vrf| p.link(vrf)))?;
    metrics.iter().try_for_each(|m| metric(w, *m))?;
    if let Some((name, lock)) = congctl {
        locked(w, "congctl", Value::Text(name), *lock)?;
    }
    if *placement != Placement::Prepend {
        w.text_only(|w| w.bare("", Value::Text(words::placement(*placement))))?;
    }
    w.json_only("placement", Value::Text(words::placement(*placement)))?;
    tracked(w, p, track)?;
    hop(w, p, single, Some(*family))?;
    w.statements("nexthop", hops, |w, h| hop(w, p, h, None))
}

/// `KEYWORD [lock] VALUE`
fn locked(w: &mut Writer<'_>, keyword: &str, value: Value<'_>, lock: Switch) -> fmt::Result {
    w.statement(keyword, |w| {
        w.flag("lock", lock)?;
        w.bare("value", value)
    })
}

fn metric(w: &mut Writer<'_>, Metric { kind, value, lock }: Metric) -> fmt::Result {
    let (word, scale) = words::metric(kind);
    match kind {
        MetricKind::Features => w.field(word, Value::Text("ecn")), // the only one that can be asked for
        MetricKind::FastopenNoCookie => w.field(word, int(value)),
        _ => locked(w, word, int(value.checked_div(scale).unwrap_or(value)), lock),
    }
}

/// The options of a hop; in a file those of `encap` take all words that could be theirs, so they come last.
fn hop(w: &mut Writer<'_>, p: Printer<'_>, hop: &Hop, family: Option<Family>) -> fmt::Result {
    let Hop { via, link, weight, onlink, realms: realm, encap: tunnel } = hop;
    if let Some(via) = via {
        let own = Family::of(*via);
        let word =
            if family.is_some_and(|f| f != own) { format!("{} {via}", words::family(own)) } else { via.to_string() };
        w.field("via", Value::Shown(&word))?;
    }
    w.maybe("dev", link.map(|link| p.link(link)))?;
    w.maybe("weight", weight.map(int))?;
    w.flag("onlink", *onlink)?;
    let realm = realm.map(realms);
    w.maybe("realms", realm.as_ref().map(|realm| Value::Shown(realm)))?;
    tunnel.as_ref().map_or(Ok(()), |tunnel| w.statement("encap", |w| encap(w, tunnel)))
}

fn encap(w: &mut Writer<'_>, encap: &Encap) -> fmt::Result {
    match encap {
        Encap::Ip(TunnelKey { family, id, dst, src, tos: tos_byte, ttl, flags }) => {
            w.bare("type", Value::Text(if *family == Family::V4 { "ip" } else { "ip6" }))?;
            w.maybe("id", id.map(int))?;
            w.maybe("dst", dst.as_ref().map(|ip| Value::Shown(ip)))?;
            w.maybe("src", src.as_ref().map(|ip| Value::Shown(ip)))?;
            tos(w, *tos_byte)?;
            w.maybe("ttl", ttl.map(int))?;
            w.maybe("flags", flags.map(int))
        }
        Encap::Mpls(labels) => {
            let labels: alloc::vec::Vec<String> = labels.iter().map(ToString::to_string).collect();
            w.bare("type", Value::Text("mpls"))?;
            w.bare("labels", Value::Shown(&labels.join("/")))
        }
        Encap::Ila(locator) => {
            let [a, b, c, d] = [locator >> 48, locator >> 32 & 0xffff, locator >> 16 & 0xffff, locator & 0xffff];
            w.bare("type", Value::Text("ila"))?;
            w.bare("locator", Value::Shown(&format!("{a:x}:{b:x}:{c:x}:{d:x}")))
        }
    }
}
