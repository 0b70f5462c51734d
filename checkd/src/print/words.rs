//! The words of the language that stand for closed choices.

use ipc::config::ipvs::Protocol;
use ipc::config::probe::DnsType;
use ipc::config::route::{MetricKind, Placement, RouteType};
use ipc::config::vrrp::Switch;
use ipc::net::Family;

/// `on` when something is so.
pub fn switch(on: bool) -> Switch {
    if on { Switch::On } else { Switch::Off }
}

pub fn family(family: Family) -> &'static str {
    match family {
        Family::V4 => "inet",
        Family::V6 => "inet6",
    }
}

pub fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
        Protocol::Sctp => "SCTP",
    }
}

pub fn dns_type(query: DnsType) -> &'static str {
    match query {
        DnsType::A => "A",
        DnsType::Ns => "NS",
        DnsType::Cname => "CNAME",
        DnsType::Soa => "SOA",
        DnsType::Mx => "MX",
        DnsType::Txt => "TXT",
        DnsType::Aaaa => "AAAA",
        DnsType::Rrsig => "RRSIG",
        DnsType::Dnskey => "DNSKEY",
    }
}

pub fn route_type(kind: RouteType) -> &'static str {
    match kind {
        RouteType::Unicast => "unicast",
        RouteType::Local => "local",
        RouteType::Broadcast => "broadcast",
        RouteType::Anycast => "anycast",
        RouteType::Multicast => "multicast",
        RouteType::Blackhole => "blackhole",
        RouteType::Unreachable => "unreachable",
        RouteType::Prohibit => "prohibit",
        RouteType::Throw => "throw",
        RouteType::Nat => "nat",
        RouteType::Xresolve => "xresolve",
    }
}

pub fn placement(placement: Placement) -> &'static str {
    match placement {
        Placement::Add => "add",
        Placement::Prepend => "prepend",
        Placement::Append => "append",
    }
}

/// The word of a metric, and by what the kernel's number is divided for it.
pub fn metric(kind: MetricKind) -> (&'static str, u32) {
    match kind {
        MetricKind::Mtu => ("mtu", 1),
        MetricKind::Window => ("window", 1),
        MetricKind::Rtt => ("rtt", 8),
        MetricKind::Rttvar => ("rttvar", 4),
        MetricKind::Ssthresh => ("ssthresh", 1),
        MetricKind::Cwnd => ("cwnd", 1),
        MetricKind::Advmss => ("advmss", 1),
        MetricKind::Reordering => ("reordering", 1),
        MetricKind::Hoplimit => ("hoplimit", 1),
        MetricKind::Initcwnd => ("initcwnd", 1),
        MetricKind::Features => ("features", 1),
        MetricKind::RtoMin => ("rto_min", 1),
        MetricKind::Initrwnd => ("initrwnd", 1),
        MetricKind::Quickack => ("quickack", 1),
        MetricKind::FastopenNoCookie => ("fastopen_no_cookie", 1),
    }
}
