//! Whether a received packet counts: the checks of RFC 9568 §7.1 in keepalived's order, each with its own reason.
//! COMPAT: keepalived 2.4.3: a differing address list or (version 3) interval is remarked on, the advert counts all the same.

use super::advert::{self, ADVERTISEMENT};
use super::{auth, checksum, ip};
use crate::stats::Reject;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use ipc::config::vrrp::{Instance, Switch, Transport, UnicastSources, Version};

/// What the receiver knows.
#[derive(Clone, Copy, Debug)]
pub struct Receiver<'a> {
    /// Its configuration.
    pub conf: &'a Instance,
    /// Its effective priority.
    pub priority: u8,
    /// Its advertised addresses, sorted.
    pub addrs: &'a [Ipv4Addr],
    /// Whether the address list is compared, not only its length (`skip_check_adv_addr`).
    pub list: Switch,
}

/// A packet that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Who sent it.
    pub source: Ipv4Addr,
    /// Its priority; zero resigns.
    pub priority: u8,
    /// The interval its sender keeps.
    pub interval: Duration,
    /// Whether its addresses are ours.
    pub addrs: Addresses,
}

/// How the received address list compares with the configured one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// The same, or not compared.
    Same,
    /// Another number of addresses: this many.
    Count(u8),
    /// An address that is not configured here.
    Foreign(Ipv4Addr),
}

/// Judges a packet. `received` is the number of bytes that came in, IP header included.
pub fn judge(receiver: Receiver<'_>, header: &ip::Incoming, payload: &[u8], received: usize) -> Result<Heard, Reject> {
    let conf = receiver.conf;
    let advert = advert::Incoming::parse(payload).ok_or(Reject::Length)?;
    let expected = advert.expected_len().saturating_add(header.header_len);
    check_len(expected, received)?;
    if matches!(conf.transport, Transport::Multicast { .. }) && header.ttl != 255 {
        return Err(Reject::Ttl);
    }
    let ours = match conf.version {
        Version::V2 => 2,
        Version::V3 => 3,
    };
    if advert.version != ours {
        return Err(Reject::Version);
    }
    if conf.version == Version::V2 {
        check_v2(conf, &advert)?;
    }
    if advert.kind != ADVERTISEMENT {
        return Err(Reject::Type);
    }
    if usize::from(header.total_len) != expected {
        return Err(Reject::TotalLength);
    }
    check_sum(conf, header, payload, expected)?;
    if header.destination.is_multicast() != matches!(conf.transport, Transport::Multicast { .. }) {
        return Err(Reject::Destination);
    }
    if conf.owner_ignore_adverts == Switch::On && receiver.priority == 255 {
        return Err(Reject::OwnerIgnores);
    }
    check_source(conf, header)?;
    Ok(Heard {
        source: header.source,
        priority: advert.priority,
        interval: advert.interval(),
        addrs: compare(receiver, &advert),
    })
}

/// The length must be exact; only the padding of the shortest Ethernet frame is tolerated.
fn check_len(expected: usize, received: usize) -> Result<(), Reject> {
    match received.checked_sub(expected) {
        Some(0) => Ok(()),
        // 46 bytes is the least an Ethernet frame carries; packets are multiples of four long, so padding to it leaves two over.
        Some(surplus) if expected < 46 && surplus % 4 == 2 => Ok(()),
        _ => Err(Reject::Length),
    }
}

/// Authentication and interval (RFC 2338 §7.1, RFC 3768 §7.1). COMPAT: another interval drops the packet, so that
/// routers that disagree about it never elect each other.
fn check_v2(conf: &Instance, advert: &advert::Incoming<'_>) -> Result<(), Reject> {
    if advert.fifth != auth::kind(&conf.auth) {
        return Err(if advert.fifth > 2 { Reject::AuthUnknown } else { Reject::AuthMismatch });
    }
    let data = advert.auth_data().ok_or(Reject::Length)?;
    if !auth::accepts(&conf.auth, data) {
        return Err(Reject::AuthFailure);
    }
    if advert.sixth != advert::seconds(conf.advert_int) {
        return Err(Reject::Interval);
    }
    Ok(())
}

/// The checksum of exactly the expected bytes. With `v3_checksum_as_v2` both forms count: a pair is switched over one at a time.
fn check_sum(conf: &Instance, header: &ip::Incoming, payload: &[u8], expected: usize) -> Result<(), Reject> {
    let vrrp = payload.get(..expected.saturating_sub(header.header_len)).ok_or(Reject::Length)?;
    let plain = || checksum::plain(vrrp) == 0;
    let pseudo = || checksum::with_pseudo_header(header.source, header.destination, vrrp) == 0;
    let good = match (conf.version, conf.v3_checksum_as_v2) {
        (Version::V2, _) => plain(),
        (Version::V3, Switch::Off) => pseudo(),
        (Version::V3, Switch::On) => plain() || pseudo(),
    };
    if good { Ok(()) } else { Err(Reject::Checksum) }
}

/// `check_unicast_src` and the TTL range of the peer.
fn check_source(conf: &Instance, header: &ip::Incoming) -> Result<(), Reject> {
    let Transport::Unicast { peers, sources: UnicastSources::PeersOnly, .. } = &conf.transport else { return Ok(()) };
    let peer = peers.iter().find(|peer| peer.addr == IpAddr::V4(header.source)).ok_or(Reject::Source)?;
    if header.ttl < peer.min_ttl || header.ttl > peer.max_ttl {
        return Err(Reject::Ttl);
    }
    Ok(())
}

fn compare(receiver: Receiver<'_>, advert: &advert::Incoming<'_>) -> Addresses {
    if usize::from(advert.count) != receiver.addrs.len() {
        return Addresses::Count(advert.count);
    }
    if receiver.list == Switch::Off {
        return Addresses::Same;
    }
    match advert.addrs().find(|addr| receiver.addrs.binary_search(addr).is_err()) {
        Some(addr) => Addresses::Foreign(addr),
        None => Addresses::Same,
    }
}

#[cfg(test)]
#[path = "receive_tests.rs"]
mod tests;
