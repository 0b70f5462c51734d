//! Whether a received packet counts: the checks of RFC 9568 §7.1 in keepalived's order, each with its own reason.
//! COMPAT: keepalived 2.4.3: a differing address list or (version 3) interval is remarked on, the advert counts all the same.

use super::advert::{self, ADVERTISEMENT, Sum};
use super::{ah, auth, hmac, ip};
use crate::fsm::signature::Signatures;
use crate::stats::{Malformed, Reject};
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use ipc::config::vrrp::{Auth, Instance, Switch, Transport, UnicastSources, Version};
use ipc::config::vrrp_options::OldChecksum;
use ipc::net::Family;

/// What the receiver knows.
#[derive(Clone, Copy, Debug)]
pub struct Receiver<'a> {
    /// Its configuration.
    pub conf: &'a Instance,
    /// Its effective priority.
    pub priority: u8,
    /// Its advertised addresses, sorted.
    pub addrs: &'a [IpAddr],
    /// Whether the address list is compared, not only its length (`skip_check_adv_addr`).
    pub list: Switch,
    /// `old_unicast_checksum`
    pub old_checksum: OldChecksum,
}

/// A packet that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Who sent it.
    pub source: IpAddr,
    /// Its priority; zero resigns.
    pub priority: u8,
    /// The interval its sender keeps.
    pub interval: Duration,
    /// Whether its addresses are ours.
    pub addrs: Addresses,
    /// Sequence number of its authentication header.
    pub sequence: Option<u32>,
    /// What its checksum covers.
    pub sum: Sum,
}

/// What else guards an instance, with its memory of what was heard before.
#[derive(Debug, Default)]
pub struct Guard<'a> {
    /// `auth_hmac`
    pub signatures: Option<&'a mut Signatures>,
    /// Time since 1970.
    pub day: Duration,
    /// Last sequence number that an authentication header had, our own included.
    pub last_ah: Option<u32>,
}

/// How the received address list compares with the configured one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// The same, or not compared.
    Same,
    /// Another number of addresses: this many.
    Count(u8),
    /// An address that is not configured here.
    Foreign(IpAddr),
}

/// A packet that came in.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// All of it.
    pub whole: &'a [u8],
    /// What its headers say.
    pub header: ip::Incoming,
    /// The VRRP header and all that follows.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Takes a packet apart, or says why it holds no VRRP header.
    pub fn parse(whole: &'a [u8]) -> Result<Self, Malformed> {
        let (header, payload) = ip::split(whole)?;
        if payload.len() < advert::HEADER_LEN {
            return Err(Malformed::VrrpHeader);
        }
        Ok(Packet { whole, header, payload })
    }

    /// The virtual router that it is for.
    pub fn vrid(&self) -> u8 {
        self.payload.get(1).copied().unwrap_or(0)
    }
}

/// Judges a packet in keepalived's order. `guard` is asked as soon as the packet is known to be whole, and remembers it when it is genuine.
pub fn judge(receiver: Receiver<'_>, packet: &Packet<'_>, guard: &mut Guard<'_>) -> Result<Heard, Reject> {
    let (conf, header) = (receiver.conf, &packet.header);
    if header.ah.is_some() != matches!(conf.auth, Auth::Ah(_)) {
        return Err(Reject::AuthMismatch);
    }
    let advert = advert::Incoming::parse(packet.payload, header.family()).ok_or(Reject::Length)?;
    let plain = advert.expected_len().saturating_add(header.header_len);
    let received = packet.whole.len();
    let signed = plain.saturating_add(hmac::TRAILER_LEN);
    let expected = if guard.signatures.is_some() && received >= signed { signed } else { plain };
    check_len(expected, received)?;
    if is_multicast(conf) && header.ttl != 255 {
        return Err(Reject::Ttl);
    }
    let ours = match conf.version {
        Version::V2 => 2,
        Version::V3 => 3,
    };
    if advert.version != ours {
        return Err(Reject::Version);
    }
    let vrrp_len = plain.saturating_sub(header.header_len);
    let vrrp = packet.payload.get(..vrrp_len).ok_or(Reject::Length)?;
    if let Some(signatures) = &mut guard.signatures {
        let trailer = (expected == signed).then(|| packet.payload.get(vrrp_len..)).flatten();
        signatures.check(trailer, header.source, vrrp, guard.day)?;
    }
    if conf.version == Version::V2 {
        check_v2(conf, packet, &advert, guard)?;
    }
    if advert.kind != ADVERTISEMENT {
        return Err(Reject::Type);
    }
    if header.total_len != expected {
        return Err(Reject::TotalLength);
    }
    let sum = check_sum(receiver, header, vrrp)?;
    if header.destination.is_multicast() != is_multicast(conf) {
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
        sequence: header.ah.map(|ah| ah.sequence),
        sum,
    })
}

/// Judges a packet for a virtual router that is not configured, as far as that can be: whether its version is one that there is, and its
/// checksum right in any form.
pub fn judge_stranger(packet: &Packet<'_>) -> Result<(), Reject> {
    let header = &packet.header;
    let advert = advert::Incoming::parse(packet.payload, header.family()).ok_or(Reject::Length)?;
    let forms: &[Sum] = match advert.version {
        2 => &[Sum::Plain],
        3 => &[Sum::Pseudo, Sum::Plain, Sum::Old],
        _ => return Err(Reject::Version),
    };
    let vrrp = packet.payload.get(..advert.expected_len()).ok_or(Reject::Length)?;
    good_sum(forms, header, vrrp).map(drop)
}

fn is_multicast(conf: &Instance) -> bool {
    matches!(conf.transport, Transport::Multicast { .. })
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
fn check_v2(
    conf: &Instance,
    packet: &Packet<'_>,
    advert: &advert::Incoming<'_>,
    guard: &Guard<'_>,
) -> Result<(), Reject> {
    if advert.fifth != auth::kind(&conf.auth) {
        return Err(if advert.fifth > 2 { Reject::AuthUnknown } else { Reject::AuthMismatch });
    }
    if packet.header.family() == Family::V4 {
        let data = advert.auth_data().ok_or(Reject::Length)?;
        if !auth::accepts(&conf.auth, data) {
            return Err(Reject::AuthFailure);
        }
    }
    if let (Some(ah), Some(key)) = (&packet.header.ah, auth::ah_key(&conf.auth)) {
        check_ah(conf, packet, ah, &key, guard.last_ah)?;
    }
    if advert.sixth != advert::seconds(conf.advert_int) {
        return Err(Reject::Interval);
    }
    Ok(())
}

/// COMPAT: keepalived 2.4.3: the index is the sender's address, the sequence number has grown, the check value is right.
fn check_ah(
    conf: &Instance,
    packet: &Packet<'_>,
    ah: &ah::Incoming,
    key: &[u8],
    last: Option<u32>,
) -> Result<(), Reject> {
    if IpAddr::V4(Ipv4Addr::from_bits(ah.spi)) != packet.header.source {
        return Err(Reject::AhIndex);
    }
    let ttl = if is_multicast(conf) { ah::Ttl::Covered } else { ah::Ttl::Mutable };
    if !ah::verify(key, ah, ttl, packet.whole, &packet.header) {
        return Err(Reject::AuthFailure);
    }
    if last.is_some_and(|last| ah.sequence <= last) {
        return Err(Reject::AhReplay);
    }
    Ok(())
}

/// The checksum. With `v3_checksum_as_v2` both forms count: a pair is switched over one at a time. COMPAT: from a unicast peer over IPv4
/// that of old releases counts as well.
fn check_sum(receiver: Receiver<'_>, header: &ip::Incoming, vrrp: &[u8]) -> Result<Sum, Reject> {
    let conf = receiver.conf;
    let forms: &[Sum] = match (conf.version, conf.v3_checksum_as_v2) {
        (Version::V2, _) => &[Sum::Plain],
        (Version::V3, Switch::On) => &[Sum::Plain, Sum::Pseudo],
        (Version::V3, Switch::Off) if is_multicast(conf) || receiver.old_checksum == OldChecksum::Never => {
            &[Sum::Pseudo]
        }
        (Version::V3, Switch::Off) => &[Sum::Pseudo, Sum::Old],
    };
    good_sum(forms, header, vrrp)
}

fn good_sum(forms: &[Sum], header: &ip::Incoming, vrrp: &[u8]) -> Result<Sum, Reject> {
    let is_good = |sum: &&Sum| sum.over(header.source, header.destination, vrrp) == 0;
    forms.iter().find(is_good).copied().ok_or(Reject::Checksum)
}

/// `check_unicast_src` and the TTL range of the peer.
fn check_source(conf: &Instance, header: &ip::Incoming) -> Result<(), Reject> {
    let Transport::Unicast { peers, sources: UnicastSources::PeersOnly, .. } = &conf.transport else { return Ok(()) };
    let peer = peers.iter().find(|peer| peer.addr == header.source).ok_or(Reject::Source)?;
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
