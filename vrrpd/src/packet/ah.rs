//! `auth_type AH`: an IP authentication header (RFC 2402) with HMAC-MD5-96 (RFC 2403) between the IPv4 header and VRRPv2.

use super::ip;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

/// Length of the header with a 96-bit check value, in bytes.
pub const HEADER_LEN: usize = 24;

/// Length of the check value, in bytes.
const ICV_LEN: usize = 12;

/// RFC 2402 §2.2: length of the header in words of 32 bits, minus 2.
const PAYLOAD_LEN: u8 = 4;

/// A received header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Security parameters index: the sender's address.
    pub spi: u32,
    /// Sequence number.
    pub sequence: u32,
    /// Check value.
    pub icv: [u8; ICV_LEN],
}

/// Takes the header off; `None` when it is too short, has another length, or something else than VRRP follows.
pub fn split(bytes: &[u8]) -> Option<(Incoming, &[u8])> {
    let (&[next, len, r0, r1], rest) = bytes.split_first_chunk::<4>()?;
    let (spi, rest) = rest.split_first_chunk::<4>()?;
    let (sequence, rest) = rest.split_first_chunk::<4>()?;
    let (icv, rest) = rest.split_first_chunk::<ICV_LEN>()?;
    let header = Incoming { spi: u32::from_be_bytes(*spi), sequence: u32::from_be_bytes(*sequence), icv: *icv };
    (next == super::PROTOCOL && len == PAYLOAD_LEN && [r0, r1] == [0, 0]).then_some((header, rest))
}

/// Whether the time to live is covered by the check value. COMPAT: keepalived: it is for multicast, where it is always 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// It is.
    Covered,
    /// It is not: routers change it on the way.
    Mutable,
}

/// The header for a packet with this IPv4 header and payload. COMPAT: keepalived 2.2.7, byte for byte.
pub fn header(key: &[u8], spi: u32, sequence: u32, ttl: Ttl, ip: &[u8], payload: &[u8]) -> [u8; HEADER_LEN] {
    let mut header = blank(spi, sequence);
    let icv = mac(key, ttl, ip, &header, payload).finalize().into_bytes();
    for (to, from) in header.iter_mut().skip(HEADER_LEN - ICV_LEN).zip(icv) {
        *to = from;
    }
    header
}

/// Whether the check value is right, in a time that does not depend on where it differs. `packet` is the whole packet as it came in.
pub fn verify(key: &[u8], ah: &Incoming, ttl: Ttl, packet: &[u8], header: &ip::Incoming) -> bool {
    let ip = packet.get(..header.header_len.saturating_sub(HEADER_LEN));
    let payload = packet.get(header.header_len..header.total_len);
    let (Some(ip), Some(payload)) = (ip, payload) else { return false };
    mac(key, ttl, ip, &blank(ah.spi, ah.sequence), payload).verify_truncated_left(&ah.icv).is_ok()
}

fn blank(spi: u32, sequence: u32) -> [u8; HEADER_LEN] {
    let [s0, s1, s2, s3] = spi.to_be_bytes();
    let [n0, n1, n2, n3] = sequence.to_be_bytes();
    [super::PROTOCOL, PAYLOAD_LEN, 0, 0, s0, s1, s2, s3, n0, n1, n2, n3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// RFC 2402 §3.3.3.1: over the packet with what may change on the way taken as zero.
fn mac(key: &[u8], ttl: Ttl, ip: &[u8], ah: &[u8; HEADER_LEN], payload: &[u8]) -> Hmac<Md5> {
    // A key of any length is fine; the type's error cannot come.
    let mut mac = Hmac::<Md5>::new_from_slice(key).unwrap_or_else(|_| Hmac::<Md5>::new(&Default::default()));
    for (n, byte) in ip.iter().enumerate() {
        let mutable = match n {
            1 | 6 | 7 | 10 | 11 => true,
            8 => ttl == Ttl::Mutable,
            _ => false,
        };
        mac.update(&[if mutable { 0 } else { *byte }]);
    }
    mac.update(ah);
    mac.update(payload);
    mac
}
