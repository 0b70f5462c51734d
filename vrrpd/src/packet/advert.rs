//! The VRRP packet itself: RFC 3768 §5.1 (version 2) and RFC 9568 §5.1 (version 3).

use super::{ah, auth, checksum, hmac, ip};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use ipc::config::vrrp::{Switch, Version};
use ipc::net::Family;

/// Length of the fixed part, in bytes.
pub const HEADER_LEN: usize = 8;

/// The only packet type there is.
pub const ADVERTISEMENT: u8 = 1;

/// Most addresses an advert can carry.
pub const MAX_ADDRS: usize = 255;

/// Everything an advert says.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Protocol version.
    pub version: Version,
    /// Virtual router.
    pub vrid: u8,
    /// Priority; zero resigns.
    pub priority: u8,
    /// Advert interval. Version 2 sends whole seconds 1..=255, version 3 centiseconds 1..=4095.
    pub interval: Duration,
    /// Addresses in the order of the file, of the family that carries them; those beyond 255 are not sent.
    pub addrs: &'a [IpAddr],
    /// Number of the authentication type (version 2).
    pub auth_type: u8,
    /// Authentication data (version 2).
    pub auth_data: [u8; auth::DATA_LEN],
    /// `v3_checksum_as_v2`: without pseudo-header.
    pub checksum_as_v2: Switch,
}

impl Outgoing<'_> {
    /// What follows the IP header, its checksum zero: for [`Envelope::seal`].
    pub fn body(&self, family: Family) -> Vec<u8> {
        let addrs = self.addrs.get(..MAX_ADDRS).unwrap_or(self.addrs);
        let count = u8::try_from(addrs.len()).unwrap_or(u8::MAX);
        let (first, [five, six]) = match self.version {
            Version::V2 => (0x21, [self.auth_type, seconds(self.interval)]),
            Version::V3 => (0x31, centiseconds(self.interval).to_be_bytes()),
        };
        let mut body = Vec::with_capacity(
            addrs.len().saturating_mul(addr_len(family)).saturating_add(HEADER_LEN).saturating_add(auth::DATA_LEN),
        );
        body.extend_from_slice(&[first, self.vrid, self.priority, count, five, six, 0, 0]);
        for addr in addrs {
            match addr {
                IpAddr::V4(addr) => body.extend_from_slice(&addr.octets()),
                IpAddr::V6(addr) => body.extend_from_slice(&addr.octets()),
            }
        }
        if has_auth_data(self.version, family) {
            body.extend_from_slice(&self.auth_data);
        }
        body
    }

    /// The whole packet, without what only some instances put around it.
    pub fn encode(&self, source: IpAddr, destination: IpAddr, ttl: u8, id: u16) -> Vec<u8> {
        let sum = Sum::of(self.version, self.checksum_as_v2);
        let envelope = Envelope { source, destination, ttl, id, sum, trailer: None, ah: None };
        envelope.seal(&self.body(Family::of(source)))
    }
}

/// What the checksum of an IPv4 packet covers; over IPv6 there is always a pseudo-header (RFC 8200 §8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// The packet.
    Plain,
    /// The packet and a pseudo-header.
    Pseudo,
    /// The same with VRRP's group for the destination, whatever that is. COMPAT: keepalived before 1.3.6, unicast over IPv4.
    Old,
}

/// What [`Sum::Old`] takes for the destination. COMPAT: keepalived 2.2.7, `old_unicast_checksum`.
const OLD_DESTINATION: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

impl Sum {
    /// RFC 3768 §5.3.8, RFC 9568 §5.2.8, `v3_checksum_as_v2`.
    pub fn of(version: Version, as_v2: Switch) -> Self {
        match (version, as_v2) {
            (Version::V2, _) | (Version::V3, Switch::On) => Sum::Plain,
            (Version::V3, Switch::Off) => Sum::Pseudo,
        }
    }

    /// The checksum of `vrrp`; zero when it holds its own correct checksum.
    pub fn over(self, source: IpAddr, destination: IpAddr, vrrp: &[u8]) -> u16 {
        match self {
            Sum::Plain if source.is_ipv4() => checksum::plain(vrrp),
            Sum::Old if source.is_ipv4() => {
                checksum::with_pseudo_header(source, OLD_DESTINATION, super::PROTOCOL, vrrp)
            }
            Sum::Plain | Sum::Pseudo | Sum::Old => {
                checksum::with_pseudo_header(source, destination, super::PROTOCOL, vrrp)
            }
        }
    }
}

/// What an advert travels in.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Time to live, hop limit.
    pub ttl: u8,
    /// IPv4 identification.
    pub id: u16,
    /// How the checksum is made.
    pub sum: Sum,
    /// `auth_hmac`: what signs it.
    pub trailer: Option<&'a [u8; hmac::TRAILER_LEN]>,
    /// `auth_type AH`: key and sequence number.
    pub ah: Option<(&'a [u8; auth::DATA_LEN], u32)>,
}

impl Envelope<'_> {
    /// The whole packet. COMPAT: keepalived 2.2.7, byte for byte.
    pub fn seal(&self, body: &[u8]) -> Vec<u8> {
        let mut vrrp = body.to_vec();
        let sum = self.sum.over(self.source, self.destination, &vrrp).to_be_bytes();
        if let Some(field) = vrrp.get_mut(6..8) {
            field.copy_from_slice(&sum);
        }
        if let Some(trailer) = self.trailer {
            vrrp.extend_from_slice(trailer);
        }
        let ah_len = self.ah.map_or(0, |_| ah::HEADER_LEN);
        let header = ip::Outgoing {
            source: self.source,
            destination: self.destination,
            ttl: self.ttl,
            id: self.id,
            protocol: if self.ah.is_some() { super::PROTOCOL_AH } else { super::PROTOCOL },
            payload_len: u16::try_from(vrrp.len().saturating_add(ah_len)).unwrap_or(u16::MAX),
        };
        let mut packet = header.encode();
        if let (Some((key, sequence)), IpAddr::V4(source)) = (self.ah, self.source) {
            let ttl = if self.destination.is_multicast() { ah::Ttl::Covered } else { ah::Ttl::Mutable };
            let ah = ah::header(key, source.to_bits(), sequence, ttl, &packet, &vrrp);
            packet.extend_from_slice(&ah);
        }
        packet.append(&mut vrrp);
        packet
    }
}

/// Length of an address, in bytes.
fn addr_len(family: Family) -> usize {
    match family {
        Family::V4 => 4,
        Family::V6 => 16,
    }
}

/// Whether authentication data ends the packet. COMPAT: keepalived 2.2.7: not in version 2 over IPv6, which has no RFC.
fn has_auth_data(version: Version, family: Family) -> bool {
    version == Version::V2 && family == Family::V4
}

/// The interval in the unit of version 2.
pub fn seconds(interval: Duration) -> u8 {
    u8::try_from(interval.as_secs()).unwrap_or(u8::MAX)
}

/// The interval in the unit of version 3, in the twelve bits it has.
pub fn centiseconds(interval: Duration) -> u16 {
    u16::try_from(interval.as_millis() / 10).unwrap_or(0xfff).min(0xfff)
}

/// A received packet, taken apart but not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming<'a> {
    /// Version nibble.
    pub version: u8,
    /// Type nibble.
    pub kind: u8,
    /// Virtual router.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// Number of addresses that the header claims.
    pub count: u8,
    /// Version 2: authentication type. Version 3: upper four bits reserved, lower four the top of the interval.
    pub fifth: u8,
    /// Version 2: interval in seconds. Version 3: low byte of the interval.
    pub sixth: u8,
    /// What follows the fixed part.
    pub rest: &'a [u8],
    /// What carries it.
    pub family: Family,
}

impl<'a> Incoming<'a> {
    /// Takes the fixed part off; `None` when there are fewer than eight bytes.
    pub fn parse(bytes: &'a [u8], family: Family) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEADER_LEN>()?;
        let [version_type, vrid, priority, count, fifth, sixth, _, _] = *head;
        Some(Incoming {
            version: version_type >> 4,
            kind: version_type & 0x0f,
            vrid,
            priority,
            count,
            fifth,
            sixth,
            rest,
            family,
        })
    }

    /// Length that a packet with this version and this number of addresses has, in bytes, IP header not included.
    pub fn expected_len(&self) -> usize {
        let trailer = if self.version == 2 && self.family == Family::V4 { auth::DATA_LEN } else { 0 };
        self.addrs_len().saturating_add(HEADER_LEN).saturating_add(trailer)
    }

    fn addrs_len(&self) -> usize {
        usize::from(self.count).saturating_mul(addr_len(self.family))
    }

    /// The addresses, as many as the header claims and the packet holds.
    pub fn addrs(&self) -> impl Iterator<Item = IpAddr> + use<'a> {
        let family = self.family;
        self.rest.chunks_exact(addr_len(family)).take(usize::from(self.count)).filter_map(move |octets| match family {
            Family::V4 => <[u8; 4]>::try_from(octets).ok().map(|octets| Ipv4Addr::from(octets).into()),
            Family::V6 => <[u8; 16]>::try_from(octets).ok().map(|octets| Ipv6Addr::from(octets).into()),
        })
    }

    /// The eight bytes after the addresses (version 2 over IPv4).
    pub fn auth_data(&self) -> Option<&'a [u8; auth::DATA_LEN]> {
        self.rest.get(self.addrs_len()..)?.first_chunk()
    }

    /// The interval that the sender keeps.
    pub fn interval(&self) -> Duration {
        if self.version == 2 {
            Duration::from_secs(u64::from(self.sixth))
        } else {
            Duration::from_millis(u64::from(u16::from_be_bytes([self.fifth & 0x0f, self.sixth])).saturating_mul(10))
        }
    }
}

#[cfg(test)]
#[path = "advert_tests.rs"]
mod tests;
