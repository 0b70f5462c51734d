//! Route records: the lines of `static_routes` and `virtual_routes`. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::hop::{self, Hop};
use super::keyword::{At, Reader, no_block, shown};
use super::options::{Options, destination, network, protocol, scope, table, tos, unknown, up_to};
use super::tree::{Statement, Word};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use ipc::config::route::{Metric, MetricKind, Placement, RouteType, Tracked};
use ipc::config::vrrp::Switch;
use ipc::net::{Family, Prefix};

/// A route as it is written.
pub type Route = ipc::config::route::Route<At<String>, At<String>>;

/// COMPAT: what is tracked is marked as keepalived's own (rtnetlink(7) `RTPROT_KEEPALIVED`).
pub const TRACKED_PROTOCOL: u8 = 18;

const TYPES: [(&str, RouteType); 11] = [
    ("unicast", RouteType::Unicast),
    ("local", RouteType::Local),
    ("broadcast", RouteType::Broadcast),
    ("anycast", RouteType::Anycast),
    ("multicast", RouteType::Multicast),
    ("blackhole", RouteType::Blackhole),
    ("unreachable", RouteType::Unreachable),
    ("prohibit", RouteType::Prohibit),
    ("throw", RouteType::Throw),
    ("nat", RouteType::Nat),
    ("xresolve", RouteType::Xresolve),
];

const METRICS: [(&str, MetricKind); 13] = [
    ("mtu", MetricKind::Mtu),
    ("hoplimit", MetricKind::Hoplimit),
    ("advmss", MetricKind::Advmss),
    ("rtt", MetricKind::Rtt),
    ("rttvar", MetricKind::Rttvar),
    ("reordering", MetricKind::Reordering),
    ("window", MetricKind::Window),
    ("cwnd", MetricKind::Cwnd),
    ("ssthresh", MetricKind::Ssthresh),
    ("rto_min", MetricKind::RtoMin),
    ("initcwnd", MetricKind::Initcwnd),
    ("initrwnd", MetricKind::Initrwnd),
    ("quickack", MetricKind::Quickack),
];

const KNOWN: &[&str] = &[
    "to",
    "inet",
    "inet6",
    "src",
    "via",
    "gw",
    "from",
    "tos",
    "dsfield",
    "table",
    "protocol",
    "scope",
    "metric",
    "priority",
    "preference",
    "dev",
    "oif",
    "onlink",
    "encap",
    "expires",
    "mtu",
    "hoplimit",
    "advmss",
    "rtt",
    "rttvar",
    "reordering",
    "window",
    "cwnd",
    "ssthresh",
    "realms",
    "rto_min",
    "initcwnd",
    "initrwnd",
    "features",
    "quickack",
    "congctl",
    "pref",
    "ttl-propagate",
    "fastopen_no_cookie",
    "add",
    "prepend",
    "append",
    "or",
    "nexthop",
    "no_track",
    "track_group",
    "vrf",
];

/// The lines of a block; `statics`: whether `track_group` is allowed.
pub fn records(r: &mut Reader<'_>, s: Statement<'_>, statics: Switch, list: &mut Vec<Route>) {
    for line in s.children() {
        no_block(r, line);
        list.extend(record(r, line, statics));
    }
}

fn empty(r: &Reader<'_>, s: Statement<'_>) -> Route {
    Route {
        family: Family::V4,
        kind: RouteType::Unicast,
        to: Prefix { addr: IpAddr::V4(Ipv4Addr::UNSPECIFIED), len: 0 },
        from: None,
        source: None,
        hop: Hop::default(),
        hops: Vec::new(),
        tos: None,
        table: None,
        protocol: None,
        scope: None,
        metric: None,
        expires: None,
        pref: None,
        ttl_propagate: None,
        vrf: None,
        metrics: Vec::new(),
        congctl: None,
        placement: Placement::Prepend,
        tracked: Tracked::default(),
        origin: r.sources.origin(s.whole()),
    }
}

/// What is known of a line before it ends.
#[derive(Default)]
struct Seen {
    /// `inet`, `inet6`
    family: Option<Family>,
    /// That of the first next hop.
    via: Option<Family>,
    group: Option<At<String>>,
}

fn record(r: &mut Reader<'_>, s: Statement<'_>, statics: Switch) -> Option<Route> {
    let mut route = empty(r, s);
    let mut seen = Seen::default();
    let mut to = None;
    let mut options = Options::new(s, 0);
    while let Some(option) = options.next() {
        match option.text() {
            "to" => to = Some(target(r, option, &mut options, &mut route, seen.family)?),
            known if KNOWN.contains(&known) => one(r, option, &mut options, &mut route, &mut seen)?,
            _ if to.is_none() => to = Some(typed(r, option, &mut options, &mut route, seen.family)?),
            _ => {
                unknown(r, option, "a route", KNOWN);
                return None;
            }
        }
    }
    let Some(to) = to else {
        let message = "this route has no destination";
        r.diags.push(Diagnostic::error(Code::INCOMPLETE, s.whole(), message).label("this line is ignored"));
        return None;
    };
    // `default` is written before the next hop that says which family it is of; any other destination says it itself, so that an IPv4
    // route may lead over an IPv6 router (RFC 5549).
    let said = if to.len > 0 { Some(Family::of(to.addr)) } else { seen.via };
    route.family = seen.family.or(said).unwrap_or(Family::of(to.addr));
    route.to = if to.len == 0 { hop::any(route.family) } else { to };
    fits(r, s, &route)?;
    route.tracked.group = group(r, seen.group, statics, route.hop.link.is_some(), "`dev`");
    let has_link = route.hop.link.is_some();
    if route.tracked.no_track == Switch::Off && !has_link {
        // COMPAT: keepalived 2.2.7 reports it and does the same.
        let message = "a route without `dev` cannot be tracked";
        r.diags.push(Diagnostic::warning(Code::ADJUSTED, s.whole(), message).help("no_track"));
        route.tracked.no_track = Switch::On;
    }
    if route.tracked.no_track == Switch::Off {
        if route.protocol.is_some_and(|protocol| protocol != TRACKED_PROTOCOL) {
            let message = format!("a tracked route has the protocol {TRACKED_PROTOCOL}, by which it is known");
            r.diags.push(Diagnostic::warning(Code::ADJUSTED, s.whole(), message).help("no_track"));
        }
        route.protocol = Some(TRACKED_PROTOCOL);
    }
    Some(route)
}

fn target(
    r: &mut Reader<'_>,
    to: Word<'_>,
    options: &mut Options<'_>,
    route: &mut Route,
    family: Option<Family>,
) -> Option<Prefix> {
    let word = options.value(r, to)?;
    typed(r, word, options, route, family)
}

/// `DEST` or `TYPE DEST`.
fn typed(
    r: &mut Reader<'_>,
    word: Word<'_>,
    options: &mut Options<'_>,
    route: &mut Route,
    family: Option<Family>,
) -> Option<Prefix> {
    let Some((_, kind)) = TYPES.iter().find(|(name, _)| *name == word.text()) else {
        return destination(r, word, family);
    };
    route.kind = *kind;
    options.take("to");
    let word = options.value(r, word)?;
    destination(r, word, family)
}

fn one(
    r: &mut Reader<'_>,
    option: Word<'_>,
    options: &mut Options<'_>,
    route: &mut Route,
    seen: &mut Seen,
) -> Option<()> {
    const ALL: u64 = u32::MAX as u64;
    let name = option.text();
    match name {
        "inet" => seen.family = Some(Family::V4),
        "inet6" => seen.family = Some(Family::V6),
        "via" | "gw" | "dev" | "oif" | "onlink" | "encap" | "realms" => {
            let via = hop::option(r, option, options, &mut route.hop)?;
            seen.via = seen.via.or(via);
        }
        "or" | "nexthop" => {
            if name == "or" {
                let message = "`or` is an old form of `nexthop via`";
                r.diags.push(Diagnostic::warning(Code::DEPRECATED, option.span, message));
                // `via A or B`: what was written so far is the first of them.
                if route.hops.is_empty() && route.hop.via.is_some() {
                    route.hops.push(core::mem::take(&mut route.hop));
                }
            }
            let via = hop::several(r, option, options, &mut route.hops)?;
            seen.via = seen.via.or(via);
        }
        "no_track" => route.tracked.no_track = Switch::On,
        "add" => route.placement = Placement::Add,
        "prepend" => route.placement = Placement::Prepend,
        "append" => route.placement = Placement::Append,
        _ => {
            let value = options.value(r, option)?;
            match name {
                "src" => route.source = Some(r.ip(value)?),
                "from" => route.from = Some(network(r, value)?),
                "tos" | "dsfield" => route.tos = Some(tos(r, value)?),
                "table" => route.table = Some(table(r, value)?),
                "protocol" => route.protocol = Some(protocol(r, value)?),
                "scope" => route.scope = Some(scope(r, value)?),
                "metric" | "priority" | "preference" => route.metric = Some(up_to(r, value, ALL)?),
                "expires" => route.expires = Some(up_to(r, value, ALL)?),
                "pref" => route.pref = Some(pref(r, value)?),
                "vrf" => route.vrf = Some(r.link_name(value)?),
                "track_group" => seen.group = Some(r.text(value)?),
                "ttl-propagate" => match value.text() {
                    "enabled" => route.ttl_propagate = Some(Switch::On),
                    "disabled" => route.ttl_propagate = Some(Switch::Off),
                    _ => return bad(r, value, "`enabled` or `disabled`"),
                },
                "features" if value.text() == "ecn" => metric(route, MetricKind::Features, 1, Switch::Off),
                "features" => return bad(r, value, "`ecn`"),
                "fastopen_no_cookie" => metric(route, MetricKind::FastopenNoCookie, up_to(r, value, 1)?, Switch::Off),
                "congctl" => {
                    let (lock, word) = locked(r, option, options, value)?;
                    route.congctl = Some((r.text(word)?.value, lock));
                }
                _ => numeric(r, option, options, value, route)?,
            }
        }
    }
    Some(())
}

fn bad<T>(r: &mut Reader<'_>, word: Word<'_>, wanted: &str) -> Option<T> {
    r.bad(word, wanted);
    None
}

fn metric(route: &mut Route, kind: MetricKind, value: u32, lock: Switch) {
    route.metrics.retain(|m| m.kind != kind);
    route.metrics.push(Metric { kind, value, lock });
}

/// Metrics that path discovery adapts, so that there is something to lock. COMPAT: keepalived 2.2.7, each tried: with the others
/// `lock` is an error.
const LOCKED: [MetricKind; 8] = [
    MetricKind::Mtu,
    MetricKind::Advmss,
    MetricKind::Rtt,
    MetricKind::Rttvar,
    MetricKind::Reordering,
    MetricKind::Cwnd,
    MetricKind::Ssthresh,
    MetricKind::RtoMin,
];

/// `lock VALUE`, or the value alone.
fn locked<'t>(
    r: &mut Reader<'_>,
    option: Word<'_>,
    options: &mut Options<'t>,
    value: Word<'t>,
) -> Option<(Switch, Word<'t>)> {
    if value.text() == "lock" {
        return Some((Switch::On, options.value(r, option)?));
    }
    Some((Switch::Off, value))
}

fn numeric<'t>(
    r: &mut Reader<'_>,
    option: Word<'_>,
    options: &mut Options<'t>,
    value: Word<'t>,
    route: &mut Route,
) -> Option<()> {
    let (_, kind) = *METRICS.iter().find(|(name, _)| *name == option.text())?;
    let (lock, word) = locked(r, option, options, value)?;
    if lock == Switch::On && !LOCKED.contains(&kind) {
        let message = format!("`{}` cannot be locked: path discovery does not change it", option.text());
        r.diags.push(Diagnostic::error(Code::BAD_VALUE, value.span, message).label("this line is ignored"));
        return None;
    }
    // The kernel counts these in eighths and quarters of a millisecond (iproute2 does the same).
    let value = match kind {
        MetricKind::Rtt => time(r, word, 8)?,
        MetricKind::Rttvar => time(r, word, 4)?,
        MetricKind::RtoMin => time(r, word, 1)?,
        MetricKind::Hoplimit => up_to(r, word, 255)?,
        MetricKind::Quickack => up_to(r, word, 1)?,
        _ => up_to(r, word, u64::from(u32::MAX))?,
    };
    metric(route, kind, value, lock);
    Some(())
}

/// A number of milliseconds, or with the unit `s` or `ms`.
fn time(r: &mut Reader<'_>, word: Word<'_>, scale: u64) -> Option<u32> {
    let text = word.text();
    let (digits, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => (digits, 1),
        (None, Some(digits)) => (digits, 1000),
        (None, None) => (text, 1),
    };
    let Some(exact) = millionths(digits).and_then(|n| n.checked_mul(unit)) else {
        return bad(r, word, "a time: N, Nms or Ns");
    };
    let millis = exact.div_ceil(1_000_000);
    if exact.checked_rem(1_000_000) != Some(0) {
        // COMPAT: keepalived 2.2.7: an error, and the route is there all the same.
        let message = format!("`{}` is finer than a millisecond; {millis} ms are taken", shown(text));
        r.diags.push(Diagnostic::error(Code::BAD_VALUE, word.span, message));
    }
    match millis.checked_mul(scale).and_then(|n| u32::try_from(n).ok()) {
        None => bad(r, word, "a time: N, Nms or Ns"),
        value => value,
    }
}

/// `N` or `N.N` in millionths; further digits do not count.
fn millionths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction = format!("{fraction:0<6}").get(..6)?.parse::<u64>().ok()?;
    u64::from(whole.parse::<u32>().ok()?).checked_mul(1_000_000)?.checked_add(fraction)
}

/// RFC 4191 §2.1
fn pref(r: &mut Reader<'_>, word: Word<'_>) -> Option<u8> {
    match word.text() {
        "medium" | "0" => Some(0),
        "high" | "1" => Some(1),
        "low" | "3" => Some(3),
        _ => bad(r, word, "low, medium or high"),
    }
}

/// All addresses of one line are of one family, and what is for IPv6 stands with IPv6.
fn fits(r: &mut Reader<'_>, s: Statement<'_>, route: &Route) -> Option<()> {
    let other = |ip: IpAddr| Family::of(ip) != route.family;
    let conflict = if other(route.to.addr)
        || route.source.is_some_and(other)
        || route.from.is_some_and(|p| other(p.addr))
        || (route.family == Family::V6
            && route.hop.via.into_iter().chain(route.hops.iter().filter_map(|h| h.via)).any(other))
    {
        "the addresses of this route are not of one address family"
    } else if route.family == Family::V4 && (route.from.is_some() || route.expires.is_some() || route.pref.is_some()) {
        "`from`, `expires` and `pref` are for IPv6 routes"
    } else if !route.hops.is_empty() && route.hop.via.is_some() {
        "a route has one `via` or several `nexthop`, not both"
    } else if route.family == Family::V6 && route.hop.realms.is_some() {
        "`realms` is for IPv4 routes"
    } else {
        return Some(());
    };
    r.diags.push(Diagnostic::error(Code::CONFLICT, s.whole(), conflict).label("this line is ignored"));
    None
}

/// `track_group` is for static lines that name an interface.
pub fn group(
    r: &mut Reader<'_>,
    group: Option<At<String>>,
    statics: Switch,
    link: bool,
    needs: &str,
) -> Option<At<String>> {
    let group = group?;
    let message = match (statics, link) {
        (Switch::On, true) => return Some(group),
        (Switch::On, false) => format!("`track_group` needs {needs}"),
        (Switch::Off, _) => String::from("`track_group` is for static lines"),
    };
    r.diags.push(Diagnostic::error(Code::CONFLICT, group.span, message).label("`track_group` is ignored"));
    None
}
