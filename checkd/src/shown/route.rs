//! A route: `prepend 10.1.0.0/16 via inet 10.0.0.254 dev eth0 table 100 proto 18`.

use super::Names;
use super::address::Short;
use crate::print::route::realms;
use crate::print::words;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{Result, Write as _};
use core::net::IpAddr;
use ipc::config::route::{Encap, Hop, Metric, MetricKind, Route, RouteType, TunnelKey};
use ipc::config::vrrp::Switch;
use ipc::net::Family;

/// The protocol of a route or a rule that names none: RTPROT_KEEPALIVED when it is tracked.
pub(super) fn protocol_of(written: Option<u8>, no_track: Switch) -> Option<u8> {
    written.or((no_track == Switch::Off).then_some(18))
}

/// The order of the metrics. COMPAT: keepalived 2.2.7.
const METRICS: [MetricKind; 15] = [
    MetricKind::Rtt,
    MetricKind::Rttvar,
    MetricKind::RtoMin,
    MetricKind::Features,
    MetricKind::Mtu,
    MetricKind::Window,
    MetricKind::Ssthresh,
    MetricKind::Cwnd,
    MetricKind::Advmss,
    MetricKind::Reordering,
    MetricKind::Hoplimit,
    MetricKind::Initcwnd,
    MetricKind::Initrwnd,
    MetricKind::Quickack,
    MetricKind::FastopenNoCookie,
];

/// The words of one.
pub(super) fn words(names: &Names<'_>, route: &Route) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, names, route);
    text
}

fn write(text: &mut String, names: &Names<'_>, route: &Route) -> Result {
    let Route {
        family: _,
        kind,
        to,
        from,
        source,
        hop: single,
        hops,
        tos,
        table,
        protocol,
        scope,
        metric,
        expires,
        pref,
        ttl_propagate,
        vrf,
        metrics,
        congctl,
        placement,
        tracked,
        origin: _,
    } = route;
    text.push_str(words::placement(*placement));
    if *kind != RouteType::Unicast {
        write!(text, " {}", words::route_type(*kind))?;
    }
    write!(text, " {}", Short(*to))?;
    from.map_or(Ok(()), |from| write!(text, " from {}", Short(from)))?;
    source.map_or(Ok(()), |source| write!(text, " src {source}"))?;
    single.encap.as_ref().map_or(Ok(()), |tunnel| encap(text, tunnel))?;
    tos.map_or(Ok(()), |tos| write!(text, " tos {tos}"))?;
    via(text, single.via)?;
    single.link.map_or(Ok(()), |link| write!(text, " dev {}", names.of(link)))?;
    vrf.map_or(Ok(()), |vrf| write!(text, " vrf {}", names.of(vrf)))?;
    table.map_or(Ok(()), |table| write!(text, " table {table}"))?;
    protocol_of(*protocol, tracked.no_track).map_or(Ok(()), |number| write!(text, " proto {number}"))?;
    scope.map_or(Ok(()), |scope| write!(text, " scope {scope}"))?;
    metric.map_or(Ok(()), |metric| write!(text, " metric {metric}"))?;
    if single.onlink == Switch::On {
        text.push_str(" onlink");
    }
    single.realms.map_or(Ok(()), |realm| write!(text, " realms {}", realms(realm)))?;
    expires.map_or(Ok(()), |seconds| write!(text, " expires {seconds}sec"))?;
    if let Some((name, lock)) = congctl {
        write!(text, " congctl{} {name}", locked(*lock))?;
    }
    METRICS
        .iter()
        .try_for_each(|kind| metrics.iter().filter(|m| m.kind == *kind).try_for_each(|m| number(text, *m)))?;
    if let Some(pref) = pref {
        let word = match pref {
            1 => "high",
            3 => "low",
            _ => "medium",
        };
        write!(text, " pref {word}")?;
    }
    if let Some(set) = ttl_propagate {
        write!(text, " ttl-propagate {}", if *set == Switch::On { "enabled" } else { "disabled" })?;
    }
    hops.iter().try_for_each(|hop| nexthop(text, names, hop))?;
    if tracked.no_track == Switch::On {
        text.push_str(" no_track");
    }
    Ok(())
}

fn via(text: &mut String, via: Option<IpAddr>) -> Result {
    via.map_or(Ok(()), |via| write!(text, " via {} {via}", words::family(Family::of(via))))
}

fn nexthop(text: &mut String, names: &Names<'_>, hop: &Hop) -> Result {
    let Hop { via: to, link, weight, onlink, realms: realm, encap: tunnel } = hop;
    text.push_str(" nexthop");
    via(text, *to)?;
    link.map_or(Ok(()), |link| write!(text, " dev {}", names.of(link)))?;
    weight.map_or(Ok(()), |weight| write!(text, " weight {weight}"))?;
    if *onlink == Switch::On {
        text.push_str(" onlink");
    }
    realm.map_or(Ok(()), |realm| write!(text, " realms {}", realms(realm)))?;
    tunnel.as_ref().map_or(Ok(()), |tunnel| encap(text, tunnel))
}

fn locked(lock: Switch) -> &'static str {
    if lock == Switch::On { " lock" } else { "" }
}

fn number(text: &mut String, Metric { kind, value, lock }: Metric) -> Result {
    let (word, scale) = words::metric(kind);
    let value = value.checked_div(scale).unwrap_or(value);
    match kind {
        MetricKind::Features => write!(text, " {word} ecn"), // the only one that can be asked for
        MetricKind::Rtt | MetricKind::Rttvar | MetricKind::RtoMin => {
            write!(text, " {word}{} {value}ms", locked(lock))
        }
        _ => write!(text, " {word}{} {value}", locked(lock)),
    }
}

fn encap(text: &mut String, encap: &Encap) -> Result {
    match encap {
        Encap::Ip(TunnelKey { family, id, dst, src, tos, ttl, flags }) => {
            text.push_str(if *family == Family::V4 { " encap ip" } else { " encap ip6" });
            id.map_or(Ok(()), |id| write!(text, " id {id}"))?;
            dst.map_or(Ok(()), |dst| write!(text, " dst {dst}"))?;
            src.map_or(Ok(()), |src| write!(text, " src {src}"))?;
            tos.map_or(Ok(()), |tos| write!(text, " tos {tos}"))?;
            ttl.map_or(Ok(()), |ttl| write!(text, " ttl {ttl}"))?;
            flags.map_or(Ok(()), |flags| write!(text, " flags {flags:#x}"))
        }
        Encap::Mpls(labels) => {
            let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
            write!(text, " encap mpls {}", labels.join("/"))
        }
        Encap::Ila(locator) => {
            let [a, b, c, d] = [locator >> 48, locator >> 32 & 0xffff, locator >> 16 & 0xffff, locator & 0xffff];
            write!(text, " encap ila {a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}
