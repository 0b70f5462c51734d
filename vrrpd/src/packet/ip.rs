//! The IPv4 header around an advert: written for IP_HDRINCL, read as a raw socket gives it.

use super::{PROTOCOL, checksum};
use core::net::Ipv4Addr;

/// Length of a header without options, in bytes.
pub const HEADER_LEN: usize = 20;

/// Internetwork control (precedence 6). COMPAT: keepalived 2.2.7 sends it in every advert.
const TOS: u8 = 0xc0;

/// A header to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// Time to live.
    pub ttl: u8,
    /// Identification: counts up per instance, never zero.
    pub id: u16,
    /// Length of what follows, in bytes.
    pub payload_len: u16,
}

impl Outgoing {
    /// The header's bytes: no options, TOS 0xc0, no fragmentation flags, checksum filled in.
    /// COMPAT: keepalived 2.2.7, byte for byte (`tests` in `advert.rs`).
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let [len_a, len_b] = self.payload_len.saturating_add(20).to_be_bytes();
        let [id_a, id_b] = self.id.to_be_bytes();
        let [s0, s1, s2, s3] = self.source.octets();
        let [d0, d1, d2, d3] = self.destination.octets();
        let with = |c_a, c_b| {
            [0x45, TOS, len_a, len_b, id_a, id_b, 0, 0, self.ttl, PROTOCOL, c_a, c_b, s0, s1, s2, s3, d0, d1, d2, d3]
        };
        let [c_a, c_b] = checksum::plain(&with(0, 0)).to_be_bytes();
        with(c_a, c_b)
    }
}

/// A received header, as far as VRRP cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// Time to live.
    pub ttl: u8,
    /// Header length in bytes, 20..=60.
    pub header_len: usize,
    /// Total length as the header says, in bytes.
    pub total_len: u16,
}

/// Splits a received packet into header and payload; `None` when it is too short, not IPv4 or not VRRP.
/// The header checksum was verified by the kernel.
pub fn split(packet: &[u8]) -> Option<(Incoming, &[u8])> {
    let (head, _) = packet.split_first_chunk::<HEADER_LEN>()?;
    let [version_ihl, _, len_a, len_b, _, _, _, _, ttl, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *head;
    let header_len = usize::from(version_ihl & 0x0f).wrapping_mul(4);
    if version_ihl >> 4 != 4 || header_len < HEADER_LEN || protocol != PROTOCOL {
        return None;
    }
    let payload = packet.get(header_len..)?;
    let header = Incoming {
        source: Ipv4Addr::new(s0, s1, s2, s3),
        destination: Ipv4Addr::new(d0, d1, d2, d3),
        ttl,
        header_len,
        total_len: u16::from_be_bytes([len_a, len_b]),
    };
    Some((header, payload))
}
