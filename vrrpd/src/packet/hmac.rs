//! `auth_hmac`: a trailer of 28 bytes behind the advert with its time, a counter and an HMAC-SHA256 of both.
//! COMPAT: keepalived 2.4.2. The trailer is inside the IP length and outside the VRRP checksum.

use core::net::IpAddr;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Length of the trailer, in bytes.
pub const TRAILER_LEN: usize = 28;

/// HMAC-SHA256, cut to 128 bits.
const TYPE: u8 = 1;

/// Length of the part of the trailer in front of the HMAC, in bytes.
const HEAD_LEN: usize = 12;

/// Length of the HMAC in the trailer, in bytes.
const MAC_LEN: usize = 16;

/// When an advert was signed, and how many were at that very moment: grows with every advert of a sender. Seconds since 1970 in the
/// upper 32 bits, then 1/65536 s in 16 bits, then the counter in 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The first one at a time since 1970.
    pub fn at(day: core::time::Duration) -> Self {
        let fraction = u64::from(day.subsec_nanos()).saturating_mul(65_536) / 1_000_000_000;
        Sequence((day.as_secs() & 0xffff_ffff) << 32 | fraction << 16)
    }

    /// Its seconds.
    pub fn seconds(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or(0)
    }

    /// The next one.
    pub fn next(self) -> Self {
        Sequence(self.0.wrapping_add(1))
    }

    /// Whether it comes after another one, in serial arithmetic (RFC 1982).
    pub fn is_after(self, other: Sequence) -> bool {
        let ahead = self.0.wrapping_sub(other.0);
        ahead != 0 && ahead < 1 << 63
    }
}

/// A trailer, taken apart but not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming<'a> {
    /// Which key signed it.
    pub key: u8,
    /// When it was signed.
    pub sequence: Sequence,
    head: &'a [u8; HEAD_LEN],
    mac: &'a [u8; MAC_LEN],
}

/// Takes a trailer apart; `None` when it is none.
pub fn parse(bytes: &[u8]) -> Option<Incoming<'_>> {
    let (head, mac) = bytes.split_first_chunk::<HEAD_LEN>()?;
    let mac: &[u8; MAC_LEN] = mac.try_into().ok()?;
    let &[kind, key, r0, r1, sequence @ ..] = head;
    (kind == TYPE && [r0, r1] == [0, 0]).then_some(Incoming {
        key,
        sequence: Sequence(u64::from_be_bytes(sequence)),
        head,
        mac,
    })
}

/// Signs an advert. `body` is the VRRP packet without its IP header.
pub fn sign(secret: &[u8], key: u8, sequence: Sequence, source: IpAddr, body: &[u8]) -> [u8; TRAILER_LEN] {
    let mut trailer = [0; TRAILER_LEN];
    let [s0, s1, s2, s3, s4, s5, s6, s7] = sequence.0.to_be_bytes();
    let head = [TYPE, key, 0, 0, s0, s1, s2, s3, s4, s5, s6, s7];
    let mac = mac(secret, &head, source, body).finalize().into_bytes();
    for (to, from) in trailer.iter_mut().zip(head.into_iter().chain(mac.into_iter().take(MAC_LEN))) {
        *to = from;
    }
    trailer
}

/// Whether the HMAC is right, in a time that does not depend on where it differs.
pub fn verify(secret: &[u8], trailer: &Incoming<'_>, source: IpAddr, body: &[u8]) -> bool {
    mac(secret, trailer.head, source, body).verify_truncated_left(trailer.mac).is_ok()
}

/// Over a pseudo-header, the advert with its checksum taken as zero, and the trailer with its HMAC taken as zero: one signature does
/// for every destination.
fn mac(secret: &[u8], head: &[u8; HEAD_LEN], source: IpAddr, body: &[u8]) -> Hmac<Sha256> {
    // A key of any length is fine; the type's error cannot come.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
    let byte = |n: usize| body.get(n).copied().unwrap_or(0);
    let (family, mut address) = (if source.is_ipv4() { 4 } else { 6 }, [0; 16]);
    match source {
        IpAddr::V4(v4) => address.iter_mut().zip(v4.octets()).for_each(|(to, from)| *to = from),
        IpAddr::V6(v6) => address = v6.octets(),
    }
    mac.update(&[family, byte(0) >> 4, byte(1), 0]);
    mac.update(&address);
    mac.update(body.get(..6).unwrap_or(body));
    mac.update(&[0, 0]);
    mac.update(body.get(8..).unwrap_or_default());
    mac.update(head);
    mac.update(&[0; MAC_LEN]);
    mac
}
