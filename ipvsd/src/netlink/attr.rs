//! Attributes as bytes: `length, kind, value`, each padded to four bytes (netlink(7)).

use alloc::vec::Vec;
use core::net::IpAddr;
use netlink_packet_core::Nla;

/// Attributes, one after another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attrs {
    bytes: Vec<u8>,
}

/// NLA_F_NESTED
const NESTED: u16 = 0x8000;
/// NLA_TYPE_MASK
const KIND: u16 = 0x3fff;
/// Bytes before the value.
const HEADER: usize = 4;
/// Most requests are shorter.
const USUAL: usize = 192;

impl Attrs {
    /// None yet, behind a header that is written already.
    pub fn behind(header: &[u8]) -> Attrs {
        let mut bytes = Vec::with_capacity(USUAL);
        bytes.extend_from_slice(header);
        Attrs { bytes }
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// An attribute. One that is longer than an attribute can be is left out: nothing that is made here comes near.
    pub fn put(&mut self, kind: u16, value: &[u8]) {
        let Some(length) = value.len().checked_add(HEADER).and_then(|n| u16::try_from(n).ok()) else { return };
        let ([l0, l1], [k0, k1]) = (length.to_ne_bytes(), kind.to_ne_bytes());
        self.bytes.extend_from_slice(&[l0, l1, k0, k1]);
        self.bytes.extend_from_slice(value);
        self.pad();
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }

    /// A byte.
    pub fn put_u8(&mut self, kind: u16, value: u8) {
        self.put(kind, &[value]);
    }

    /// A number in this machine's byte order.
    pub fn put_u16(&mut self, kind: u16, value: u16) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// A number in this machine's byte order.
    pub fn put_u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// A number in the network's byte order.
    pub fn put_be16(&mut self, kind: u16, value: u16) {
        self.put(kind, &value.to_be_bytes());
    }

    /// A number in the network's byte order.
    pub fn put_be64(&mut self, kind: u16, value: u64) {
        self.put(kind, &value.to_be_bytes());
    }

    /// An address.
    pub fn put_addr(&mut self, kind: u16, addr: IpAddr) {
        match addr {
            IpAddr::V4(a) => self.put(kind, &a.octets()),
            IpAddr::V6(a) => self.put(kind, &a.octets()),
        }
    }

    /// Text with its closing zero.
    pub fn put_text(&mut self, kind: u16, text: &str) {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.put(kind, &bytes);
    }

    /// An attribute that knows how to write its value.
    pub fn put_one(&mut self, attribute: &impl Nla) {
        let Some(length) = attribute.value_len().checked_add(HEADER).and_then(|n| u16::try_from(n).ok()) else {
            return;
        };
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&attribute.kind().to_ne_bytes());
        let start = self.bytes.len();
        self.bytes.resize(start.saturating_add(attribute.value_len()), 0);
        attribute.emit_value(self.bytes.get_mut(start..).unwrap_or_default());
        self.pad();
    }

    /// Such attributes inside an attribute of that kind, which is written as it is.
    pub fn put_all(&mut self, kind: u16, inner: &[impl Nla]) {
        self.put_within(kind, |attrs| inner.iter().for_each(|attribute| attrs.put_one(attribute)));
    }

    /// What `inner` writes inside an attribute of that kind, which is written as it is.
    pub fn put_within(&mut self, kind: u16, inner: impl FnOnce(&mut Attrs)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        inner(self);
        let length = self.bytes.len().checked_sub(start).and_then(|n| u16::try_from(n).ok());
        match (length, self.bytes.get_mut(start..).and_then(<[u8]>::first_chunk_mut)) {
            (Some(length), Some(place)) => *place = length.to_ne_bytes(),
            _ => self.bytes.truncate(start),
        }
    }

    /// Attributes inside an attribute, marked as such.
    pub fn put_nested(&mut self, kind: u16, inner: &Attrs) {
        self.put(kind | NESTED, &inner.bytes);
    }
}

/// The value of the first attribute of that kind.
pub fn find(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let Some([l0, l1, k0, k1]) = bytes.first_chunk::<HEADER>().copied() {
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = bytes.get(HEADER..length)?;
        if u16::from_ne_bytes([k0, k1]) & KIND == wanted {
            return Some(value);
        }
        bytes = bytes.get(length.checked_next_multiple_of(4)?..)?;
    }
    None
}

/// An address of four or sixteen bytes.
pub fn addr(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
        _ => None,
    }
}

/// A number in this machine's byte order.
pub fn u32_of(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|b| u32::from_ne_bytes(*b))
}

/// A number in this machine's byte order.
pub fn u16_of(value: &[u8]) -> Option<u16> {
    value.first_chunk().map(|b| u16::from_ne_bytes(*b))
}
