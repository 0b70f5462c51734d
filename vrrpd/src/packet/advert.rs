//! The VRRP packet itself: RFC 3768 §5.1 (version 2) and RFC 9568 §5.1 (version 3), IPv4.

use super::{auth, checksum, ip};
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;
use ipc::config::vrrp::{Switch, Version};

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
    /// Addresses in the order of the file; those beyond 255 are not sent.
    pub addrs: &'a [Ipv4Addr],
    /// Number of the authentication type (version 2).
    pub auth_type: u8,
    /// Authentication data (version 2).
    pub auth_data: [u8; auth::DATA_LEN],
    /// `v3_checksum_as_v2`: without pseudo-header.
    pub checksum_as_v2: Switch,
}

impl Outgoing<'_> {
    /// The whole IPv4 packet. COMPAT: keepalived 2.2.7, byte for byte.
    pub fn encode(&self, source: Ipv4Addr, destination: Ipv4Addr, ttl: u8, id: u16) -> Vec<u8> {
        let addrs = self.addrs.get(..MAX_ADDRS).unwrap_or(self.addrs);
        let trailer = match self.version {
            Version::V2 => auth::DATA_LEN,
            Version::V3 => 0,
        };
        let len = HEADER_LEN + addrs.len() * 4 + trailer;
        let payload_len = u16::try_from(len).unwrap_or(u16::MAX);

        let mut packet = Vec::with_capacity(ip::HEADER_LEN + len);
        packet.extend_from_slice(&ip::Outgoing { source, destination, ttl, id, payload_len }.encode());
        let count = u8::try_from(addrs.len()).unwrap_or(u8::MAX);
        let (first, [five, six]) = match self.version {
            Version::V2 => (0x21, [self.auth_type, seconds(self.interval)]),
            Version::V3 => (0x31, centiseconds(self.interval).to_be_bytes()),
        };
        packet.extend_from_slice(&[first, self.vrid, self.priority, count, five, six, 0, 0]);
        for addr in addrs {
            packet.extend_from_slice(&addr.octets());
        }
        if self.version == Version::V2 {
            packet.extend_from_slice(&self.auth_data);
        }
        self.seal(source, destination, &mut packet);
        packet
    }

    /// Puts the checksum into its field, which holds zero.
    fn seal(&self, source: Ipv4Addr, destination: Ipv4Addr, packet: &mut [u8]) {
        let Some(vrrp) = packet.get_mut(ip::HEADER_LEN..) else { return };
        let sum = match (self.version, self.checksum_as_v2) {
            (Version::V2, _) | (Version::V3, Switch::On) => checksum::plain(vrrp),
            (Version::V3, Switch::Off) => checksum::with_pseudo_header(source, destination, vrrp),
        };
        if let Some(field) = vrrp.get_mut(6..8) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
    }
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
}

impl<'a> Incoming<'a> {
    /// Takes the fixed part off; `None` when there are fewer than eight bytes.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
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
        })
    }

    /// Length that a packet with this version and this number of addresses has, in bytes, IP header not included.
    pub fn expected_len(&self) -> usize {
        let trailer = if self.version == 2 { auth::DATA_LEN } else { 0 };
        usize::from(self.count).saturating_mul(4).saturating_add(HEADER_LEN).saturating_add(trailer)
    }

    /// The addresses, as many as the header claims and the packet holds.
    pub fn addrs(&self) -> impl Iterator<Item = Ipv4Addr> + use<'a> {
        self.rest.chunks_exact(4).take(usize::from(self.count)).filter_map(|four| {
            let octets: [u8; 4] = four.try_into().ok()?;
            Some(Ipv4Addr::from(octets))
        })
    }

    /// The eight bytes after the addresses (version 2).
    pub fn auth_data(&self) -> Option<&'a [u8; auth::DATA_LEN]> {
        self.rest.get(usize::from(self.count).saturating_mul(4)..)?.first_chunk()
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
