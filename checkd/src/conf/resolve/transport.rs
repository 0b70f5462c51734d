//! How an instance speaks: source, destinations, authentication, gratuitous ARP.

use super::Resolver;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::global::Global;
use crate::conf::keyword::At;
use crate::conf::value::secs;
use crate::conf::vrrp::{AuthType, Instance as Draft};
use alloc::format;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use ipc::config::Secret;
use ipc::config::vrrp::{Auth, GarpTiming, Peer, Switch, Transport, UnicastSources, Version};
use ipc::net::Family;

/// RFC 9568 §5.1.1.2
const GROUP4: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

/// RFC 9568 §5.1.2.2
const GROUP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));

/// COMPAT: keepalived 2.2.7, measured: the first address of source, peers and `virtual_ipaddress`, in the order in which they are
/// written, decides.
pub(super) fn family(d: &Draft) -> Family {
    if d.more.native_ipv6.is_some() {
        return Family::V6;
    }
    let source = d.source.as_ref().map(|s| (s.span, s.value));
    let peer = d.peers.first().map(|p| (p.span, p.value.addr));
    let vip = d.vips.first().map(|v| (v.span, v.prefix.addr));
    let first = [source, peer, vip].into_iter().flatten().min_by_key(|(span, _)| (span.file, span.start));
    first.map_or(Family::V4, |(_, addr)| Family::of(addr))
}

/// The words of a family.
pub(super) fn name(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

impl Resolver<'_, '_> {
    /// The configured source of adverts.
    pub(super) fn source(&mut self, d: &Draft, family: Family) -> Option<IpAddr> {
        let source = d.source.as_ref()?;
        if Family::of(source.value) != family {
            let family = name(family);
            let message = format!("the source of an {family} instance is an {family} address");
            self.r.diags.push(Diagnostic::error(Code::CONFLICT, source.span, message).label("ignored"));
            return None;
        }
        Some(source.value)
    }

    /// COMPAT: `track_src_ip` needs a configured source.
    pub(super) fn track_source(&mut self, d: &Draft, family: Family) -> Switch {
        match (d.track_source, &d.source) {
            (Some(_), Some(source)) if Family::of(source.value) == family => Switch::On,
            (Some(span), _) => {
                let message = "`track_src_ip` has no effect without `unicast_src_ip` or `mcast_src_ip`";
                self.r.diags.push(Diagnostic::warning(Code::CONFLICT, span, message).label("ignored"));
                Switch::Off
            }
            (None, _) => Switch::Off,
        }
    }

    /// COMPAT: unicast only with a peer; what belongs to unicast is ignored without one.
    pub(super) fn transport(&mut self, d: &Draft, g: &Global, family: Family) -> Transport {
        let peers: Vec<Peer> = d.peers.iter().filter(|p| self.peer_fits(p, family)).map(|p| p.value).collect();
        if peers.is_empty() {
            if let Some(span) = d.unicast_words {
                let message = format!("`vrrp_instance {}` has no unicast peer and uses multicast", d.name.value);
                self.r
                    .diags
                    .push(Diagnostic::warning(Code::NO_PEERS, span, message).help("unicast_peer { 192.0.2.1 }"));
            }
            if let Some(ttl) = &d.unicast_ttl {
                let message = "`unicast_ttl` has no effect without `unicast_peer`";
                self.r.diags.push(Diagnostic::warning(Code::CONFLICT, ttl.span, message).label("ignored"));
            }
            return Transport::Multicast { group: self.group(d, g, family) };
        }
        if let Some(group) = &d.group_ip {
            let message = "`mcast_dst_ip` has no effect with `unicast_peer`";
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, group.span, message).label("ignored"));
        }
        let default_ttl = match family {
            Family::V4 => 255,
            // The kernel's net.ipv6.conf.default.hop_limit.
            Family::V6 => 64,
        };
        let checked = d.check_unicast_src == Switch::On || g.check_unicast_src == Switch::On;
        Transport::Unicast {
            peers,
            ttl: d.unicast_ttl.as_ref().map_or(default_ttl, |t| t.value),
            sources: if checked { UnicastSources::PeersOnly } else { UnicastSources::Any },
        }
    }

    fn peer_fits(&mut self, peer: &At<Peer>, family: Family) -> bool {
        let fits = Family::of(peer.value.addr) == family;
        if !fits {
            let family = name(family);
            let message = format!("a peer of an {family} instance has an {family} address");
            self.r.diags.push(Diagnostic::error(Code::CONFLICT, peer.span, message).label("ignored"));
        }
        fits
    }

    fn group(&mut self, d: &Draft, g: &Global, family: Family) -> IpAddr {
        let (global, default) = match family {
            Family::V4 => (g.group4.as_ref().map(|group| group.value), GROUP4),
            Family::V6 => (g.vrrp.group6.map(IpAddr::V6), GROUP6),
        };
        let Some(own) = &d.group_ip else { return global.unwrap_or(default) };
        if Family::of(own.value) != family {
            let family = name(family);
            let message = format!("an {family} instance sends to an {family} group");
            self.r.diags.push(Diagnostic::error(Code::CONFLICT, own.span, message).label("ignored"));
            return global.unwrap_or(default);
        }
        own.value
    }

    /// `authentication`.
    pub(super) fn auth(&mut self, d: &Draft, version: Version, family: Family) -> Auth {
        let Some(kind) = &d.auth_type else {
            if let Some(pass) = &d.auth_pass {
                let message = "`auth_pass` has no effect without `auth_type`";
                self.r.diags.push(Diagnostic::warning(Code::CONFLICT, pass.span, message).help("auth_type PASS"));
            }
            return Auth::None;
        };
        let mut none = |message: &str, label: &str| {
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, kind.span, message).label(label));
            Auth::None
        };
        if version == Version::V3 {
            // RFC 9568 §9: there is none.
            return none("version 3 has no authentication", "ignored");
        }
        if family == Family::V6 {
            return none("there is no authentication over IPv6", "ignored");
        }
        let Some(pass) = d.auth_pass.as_ref().filter(|p| !p.value.is_empty()) else {
            // COMPAT: authentication is off.
            return none("`auth_type` has no effect without `auth_pass`", "adverts are not authenticated");
        };
        let secret = Secret::new(pass.value.clone());
        match kind.value {
            AuthType::Pass => Auth::Pass(secret),
            AuthType::Ah => Auth::Ah(secret),
        }
    }
}

/// Gratuitous ARP: the instance's own, else the global one, else the default. COMPAT: keepalived 2.4.3; globals count wherever they stand
/// (keepalived: only those above the instance).
pub(super) fn garp(d: &Draft, g: &Global) -> GarpTiming {
    fn value<T: Copy>(written: &Option<At<T>>) -> Option<T> {
        written.as_ref().map(|v| v.value)
    }
    fn pick<T: Copy>(own: &Option<At<T>>, global: &Option<At<T>>) -> Option<T> {
        value(own).or(value(global))
    }
    let (own, global) = (&d.garp, &g.garp);
    let few = g.min_garp == Switch::On;
    let repeat = value(&global.repeat).unwrap_or(if few { 1 } else { 5 });
    let delay = value(&global.delay).unwrap_or(if few { Duration::ZERO } else { secs(5) });
    GarpTiming {
        repeat: value(&own.repeat).unwrap_or(repeat),
        delay: value(&own.delay).unwrap_or(delay),
        refresh: pick(&own.refresh, &global.refresh).unwrap_or(Duration::ZERO),
        refresh_repeat: pick(&own.refresh_repeat, &global.refresh_repeat).unwrap_or(1),
        // COMPAT: keepalived 2.2.7, measured: not the instance's own `garp_master_…`.
        lower_prio_repeat: pick(&own.lower_prio_repeat, &global.lower_prio_repeat).unwrap_or(repeat),
        lower_prio_delay: pick(&own.lower_prio_delay, &global.lower_prio_delay).unwrap_or(delay),
    }
}
