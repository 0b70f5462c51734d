//! How an instance speaks: source, destinations, authentication, gratuitous ARP.

use super::Resolver;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::global::Global;
use crate::conf::keyword::At;
use crate::conf::value::secs;
use crate::conf::vrrp::{AuthType, Instance as Draft};
use alloc::format;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use ipc::config::Secret;
use ipc::config::vrrp::{Auth, GarpTiming, Peer, Switch, Transport, UnicastSources, Version};

/// RFC 9568 §5.1.1.2
const GROUP4: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

impl Resolver<'_, '_> {
    /// The configured source of adverts.
    pub(super) fn source(&mut self, d: &Draft) -> Option<IpAddr> {
        let source = d.source.as_ref()?;
        if source.value.is_ipv6() {
            let message = "the source of an IPv4 instance is an IPv4 address";
            self.r.diags.push(Diagnostic::error(Code::CONFLICT, source.span, message).label("ignored"));
            return None;
        }
        Some(source.value)
    }

    /// COMPAT: `track_src_ip` needs a configured source.
    pub(super) fn track_source(&mut self, d: &Draft) -> Switch {
        match (d.track_source, &d.source) {
            (Some(_), Some(source)) if source.value.is_ipv4() => Switch::On,
            (Some(span), _) => {
                let message = "`track_src_ip` has no effect without `unicast_src_ip` or `mcast_src_ip`";
                self.r.diags.push(Diagnostic::warning(Code::CONFLICT, span, message).label("ignored"));
                Switch::Off
            }
            (None, _) => Switch::Off,
        }
    }

    /// COMPAT: unicast only with a peer; what belongs to unicast is ignored without one.
    pub(super) fn transport(&mut self, d: &Draft, g: &Global) -> Transport {
        let peers: Vec<Peer> = d.peers.iter().filter(|p| self.peer_is_v4(p)).map(|p| p.value).collect();
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
            return Transport::Multicast { group: self.group(d, g) };
        }
        if let Some(group) = &d.group_ip {
            let message = "`mcast_dst_ip` has no effect with `unicast_peer`";
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, group.span, message).label("ignored"));
        }
        let checked = d.check_unicast_src == Switch::On || g.check_unicast_src == Switch::On;
        Transport::Unicast {
            peers,
            ttl: d.unicast_ttl.as_ref().map_or(255, |t| t.value),
            sources: if checked { UnicastSources::PeersOnly } else { UnicastSources::Any },
        }
    }

    fn peer_is_v4(&mut self, peer: &At<Peer>) -> bool {
        let v4 = peer.value.addr.is_ipv4();
        if !v4 {
            let message = "a peer of an IPv4 instance has an IPv4 address";
            self.r.diags.push(Diagnostic::error(Code::CONFLICT, peer.span, message).label("ignored"));
        }
        v4
    }

    fn group(&mut self, d: &Draft, g: &Global) -> IpAddr {
        let configured = d.group_ip.as_ref().or(g.group4.as_ref());
        if let Some(group) = configured.filter(|group| group.value.is_ipv6()) {
            let message = "an IPv4 instance sends to an IPv4 group";
            self.r.diags.push(Diagnostic::error(Code::CONFLICT, group.span, message).label("ignored"));
            return GROUP4;
        }
        configured.map_or(GROUP4, |group| group.value)
    }

    /// `authentication`. `None` when the instance must not run: with less authentication than it asks for, it would be deaf to its
    /// peers and a second master.
    pub(super) fn auth(&mut self, d: &Draft, version: Version) -> Option<Auth> {
        let Some(kind) = &d.auth_type else {
            if let Some(pass) = &d.auth_pass {
                let message = "`auth_pass` has no effect without `auth_type`";
                self.r.diags.push(Diagnostic::warning(Code::CONFLICT, pass.span, message).help("auth_type PASS"));
            }
            return Some(Auth::None);
        };
        if version == Version::V3 {
            // RFC 9568 §9: there is none.
            let message = "version 3 has no authentication";
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, kind.span, message).label("ignored"));
            return Some(Auth::None);
        }
        let Some(pass) = d.auth_pass.as_ref().filter(|p| !p.value.is_empty()) else {
            // COMPAT: authentication is off.
            let message = "`auth_type` has no effect without `auth_pass`";
            self.r
                .diags
                .push(Diagnostic::warning(Code::CONFLICT, kind.span, message).label("adverts are not authenticated"));
            return Some(Auth::None);
        };
        if kind.value == AuthType::Ah {
            let message = "`auth_type AH` cannot be run yet";
            let unsupported = Diagnostic::error(Code::UNSUPPORTED, kind.span, message).help("use PASS on all routers");
            self.r.diags.push(unsupported.also(d.name.span, "this instance is ignored"));
            return None;
        }
        Some(Auth::Pass(Secret::new(pass.value.clone())))
    }
}

/// Gratuitous ARP: the instance's own, else the global one, else the default. COMPAT: behaviour §7; globals count wherever they stand
/// (keepalived: only those above the instance).
pub(super) fn garp(d: &Draft, g: &Global) -> GarpTiming {
    fn pick<T: Copy>(own: &Option<At<T>>, global: &Option<At<T>>) -> Option<T> {
        own.as_ref().or(global.as_ref()).map(|v| v.value)
    }
    let (own, global) = (&d.garp, &g.garp);
    let few = g.min_garp == Switch::On;
    let repeat = pick(&own.repeat, &global.repeat).unwrap_or(if few { 1 } else { 5 });
    let delay = pick(&own.delay, &global.delay).unwrap_or(if few { Duration::ZERO } else { secs(5) });
    GarpTiming {
        repeat,
        delay,
        refresh: pick(&own.refresh, &global.refresh).unwrap_or(Duration::ZERO),
        refresh_repeat: pick(&own.refresh_repeat, &global.refresh_repeat).unwrap_or(1),
        lower_prio_repeat: pick(&own.lower_prio_repeat, &global.lower_prio_repeat).unwrap_or(repeat),
        lower_prio_delay: pick(&own.lower_prio_delay, &global.lower_prio_delay).unwrap_or(delay),
    }
}
