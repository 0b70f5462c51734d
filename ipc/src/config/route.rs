//! Addresses, routes and rules that are always there (`static_ipaddress`, `static_routes`, `static_rules`) or move with an instance
//! (`virtual_routes`, `virtual_rules`).
//!
//! Tables, protocols and realms are the numbers the kernel wants. `L` is an interface and `G` a track group: indices here, names with
//! their places while the compiler has not resolved them.

use super::ipvs::AddrSpec;
use super::vrrp::Switch;
use super::{LinkIdx, Origin, TrackGroupIdx};
use crate::net::{Family, Prefix};
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// `static_ipaddress`, `static_routes`, `static_rules`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statics {
    /// `static_ipaddress`
    pub addrs: Vec<StaticAddr>,
    /// `static_routes`
    pub routes: Vec<Route>,
    /// `static_rules`
    pub rules: Vec<Rule>,
}

/// A line of `static_ipaddress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticAddr {
    /// The address; without `dev` it is on `default_interface`.
    pub spec: AddrSpec,
    /// `no_track`, `track_group`
    pub tracked: Tracked,
}

/// Whose state an address, a route or a rule has a say in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tracked<G = TrackGroupIdx> {
    /// `no_track`
    pub no_track: Switch,
    /// `track_group`, static ones only.
    pub group: Option<G>,
}

impl Tracked {
    /// The group that follows it; `no_track` counts for more.
    pub fn group(&self) -> Option<TrackGroupIdx> {
        self.group.filter(|_| self.no_track == Switch::Off)
    }
}

impl<G> Default for Tracked<G> {
    fn default() -> Self {
        Tracked { no_track: Switch::Off, group: None }
    }
}

/// Type of a route (rtnetlink(7) `RTN_…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
#[expect(missing_docs, reason = "the words of ip-route(8)")]
pub enum RouteType {
    #[default]
    Unicast = 1,
    Local = 2,
    Broadcast = 3,
    Anycast = 4,
    Multicast = 5,
    Blackhole = 6,
    Unreachable = 7,
    Prohibit = 8,
    Throw = 9,
    Nat = 10,
    Xresolve = 11,
}

/// How a route is put beside others of its destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Placement {
    /// `add`: fails when one is there.
    Add,
    /// `prepend`, the default.
    #[default]
    Prepend,
    /// `append`
    Append,
}

/// A line of `static_routes` or `virtual_routes`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route<L = LinkIdx, G = TrackGroupIdx> {
    /// Family of the destination.
    pub family: Family,
    /// Type.
    pub kind: RouteType,
    /// Where it leads; length 0 is `default`.
    pub to: Prefix,
    /// `from`, IPv6 only.
    pub from: Option<Prefix>,
    /// `src`
    pub source: Option<IpAddr>,
    /// Next hop of a route that has one: `via`, `dev`, `onlink`, `encap`, `realms`.
    pub hop: Hop<L>,
    /// `nexthop …`: several, instead of [`Route::hop`].
    pub hops: Vec<Hop<L>>,
    /// `tos`, `dsfield`
    pub tos: Option<u8>,
    /// `table`
    pub table: Option<u32>,
    /// `protocol`; tracked routes have 18 (`RTPROT_KEEPALIVED`).
    pub protocol: Option<u8>,
    /// `scope`
    pub scope: Option<u8>,
    /// `metric`, `priority`, `preference`
    pub metric: Option<u32>,
    /// `expires`, seconds, IPv6 only.
    pub expires: Option<u32>,
    /// `pref` (RFC 4191): 0 medium, 1 high, 3 low.
    pub pref: Option<u8>,
    /// `ttl-propagate`
    pub ttl_propagate: Option<Switch>,
    /// `vrf`
    pub vrf: Option<L>,
    /// `mtu`, `rtt` …
    pub metrics: Vec<Metric>,
    /// `congctl`, and whether it is locked.
    pub congctl: Option<(String, Switch)>,
    /// `add`, `prepend`, `append`
    pub placement: Placement,
    /// `no_track`, `track_group`
    pub tracked: Tracked<G>,
    /// The line.
    pub origin: Origin,
}

/// A next hop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hop<L = LinkIdx> {
    /// `via`
    pub via: Option<IpAddr>,
    /// `dev`, `oif`
    pub link: Option<L>,
    /// `weight` 1..=256, of one among several.
    pub weight: Option<u16>,
    /// `onlink`
    pub onlink: Switch,
    /// `realms [FROM/]TO`: FROM in the upper 16 bits.
    pub realms: Option<u32>,
    /// `encap`
    pub encap: Option<Encap>,
}

impl<L> Default for Hop<L> {
    fn default() -> Self {
        Hop { via: None, link: None, weight: None, onlink: Switch::Off, realms: None, encap: None }
    }
}

/// `encap`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Encap {
    /// `encap ip` and `encap ip6`
    Ip(TunnelKey),
    /// `encap mpls LABEL[/LABEL…]`, at least one, each below 2^20.
    Mpls(Vec<u32>),
    /// `encap ila LOCATOR`
    Ila(u64),
}

/// Key of an IP tunnel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TunnelKey {
    /// `ip` or `ip6`.
    pub family: Family,
    /// `id`
    pub id: Option<u64>,
    /// `dst`
    pub dst: Option<IpAddr>,
    /// `src`
    pub src: Option<IpAddr>,
    /// `tos`, `tc`
    pub tos: Option<u8>,
    /// `ttl`, `hoplimit`
    pub ttl: Option<u8>,
    /// `flags`
    pub flags: Option<u16>,
}

/// A metric of a route with its number in the kernel (rtnetlink(7) `RTAX_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Metric {
    /// Which.
    pub kind: MetricKind,
    /// Its value; times are milliseconds times the kernel's scale (`rtt` ×8, `rttvar` ×4).
    pub value: u32,
    /// `lock`
    pub lock: Switch,
}

/// The metrics that are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
#[expect(missing_docs, reason = "the words of ip-route(8)")]
pub enum MetricKind {
    Mtu = 2,
    Window = 3,
    Rtt = 4,
    Rttvar = 5,
    Ssthresh = 6,
    Cwnd = 7,
    Advmss = 8,
    Reordering = 9,
    Hoplimit = 10,
    Initcwnd = 11,
    Features = 12,
    RtoMin = 13,
    Initrwnd = 14,
    Quickack = 15,
    FastopenNoCookie = 17,
}

/// What a rule does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RuleAction {
    /// `table N`; 0 with `l3mdev`.
    Table(u32),
    /// `goto N`
    Goto(u32),
    /// `nop`
    Nop,
    /// `blackhole`
    Blackhole,
    /// `unreachable`
    Unreachable,
    /// `prohibit`
    Prohibit,
}

/// A line of `static_rules` or `virtual_rules`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule<L = LinkIdx, G = TrackGroupIdx> {
    /// Family.
    pub family: Family,
    /// `not`
    pub invert: Switch,
    /// `from`
    pub from: Option<Prefix>,
    /// `to`
    pub to: Option<Prefix>,
    /// `preference`, `order`, `priority`; when it is missing, from 16384 downwards.
    pub preference: u32,
    /// `tos`, `dsfield`
    pub tos: Option<u8>,
    /// `fwmark N[/MASK]`
    pub fwmark: Option<(u32, u32)>,
    /// `realms`
    pub realms: Option<u32>,
    /// `suppress_prefixlength`
    pub suppress_prefix: Option<u8>,
    /// `suppress_ifgroup`
    pub suppress_group: Option<u32>,
    /// `dev`, `iif`
    pub iif: Option<L>,
    /// `oif`
    pub oif: Option<L>,
    /// `tunnel-id`
    pub tunnel: Option<u64>,
    /// `uidrange`, inclusive.
    pub uids: Option<(u32, u32)>,
    /// `l3mdev`
    pub l3mdev: Switch,
    /// `protocol` that installed it.
    pub protocol: Option<u8>,
    /// `ipproto`
    pub ip_protocol: Option<u8>,
    /// `sport`, inclusive.
    pub sport: Option<(u16, u16)>,
    /// `dport`, inclusive.
    pub dport: Option<(u16, u16)>,
    /// What it does.
    pub action: RuleAction,
    /// `no_track`, `track_group`
    pub tracked: Tracked<G>,
    /// The line.
    pub origin: Origin,
}
