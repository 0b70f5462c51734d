//! `bfd_instance`: sessions of bidirectional forwarding detection (RFC 5880). vrrpd runs them.

use super::Origin;
use super::vrrp::{Switch, Weight};
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A `bfd_instance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bfd {
    /// Its name, at most 31 bytes.
    pub name: String,
    /// `neighbor_ip`
    pub neighbor: IpAddr,
    /// `source_ip`, of the neighbour's family.
    pub source: Option<IpAddr>,
    /// `min_rx`, 1 ms..=4294967 ms, default 10 ms (RFC 5880 Required Min RX Interval).
    pub min_rx: Duration,
    /// `min_tx`, 1 ms..=4294967 ms, default 10 ms (RFC 5880 Desired Min TX Interval).
    pub min_tx: Duration,
    /// `idle_tx`, 1 s..=4294967 ms, default 1 s: while the session is not up.
    pub idle_tx: Duration,
    /// `multiplier`, 1..=255, default 5 (RFC 5880 Detect Mult).
    pub multiplier: u8,
    /// `passive`: waits for the neighbour's first packet.
    pub passive: Switch,
    /// `ttl`, `hoplimit`: 1..=255, default 255 for IPv4 and 64 for IPv6.
    pub ttl: u8,
    /// `max_hops`: how far below `ttl` a packet's may be; `None` for any. At most `ttl`.
    pub max_hops: Option<u8>,
    /// `multihop`: port 4784 instead of 3784.
    pub multihop: Switch,
    /// `weight`, for instances that track it.
    pub weight: Weight,
    /// Who is told.
    pub told: Told,
    /// Where its block begins.
    pub origin: Origin,
}

/// Who is told about a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// Both, the default.
    #[default]
    Both,
    /// `vrrp`
    Vrrp,
    /// `checker`
    Checker,
}
