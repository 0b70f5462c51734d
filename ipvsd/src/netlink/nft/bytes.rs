//! Attributes as nf_tables wants them: numbers big-endian, names with a zero byte at the end.

use alloc::vec::Vec;
use netlink_packet_core::NLA_F_NESTED;

/// Length of an attribute's header.
const HEADER: usize = 4;

/// Attributes, written one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    /// Bytes as they are. More than an attribute can hold (65,531) are not given by anybody: elements come in portions.
    pub fn raw(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len().saturating_add(HEADER)).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// A number of 32 bits.
    pub fn number(self, kind: u16, value: u32) -> Self {
        self.raw(kind, &value.to_be_bytes())
    }

    /// A name.
    pub fn name(self, kind: u16, value: &str) -> Self {
        let mut bytes = Vec::from(value.as_bytes());
        bytes.push(0);
        self.raw(kind, &bytes)
    }

    /// Attributes within an attribute.
    pub fn nest(self, kind: u16, inner: &Attributes) -> Self {
        self.raw(kind | NLA_F_NESTED, &inner.0)
    }

    /// More attributes behind these.
    pub fn and(mut self, more: &Attributes) -> Self {
        self.0.extend(&more.0);
        self
    }

    /// What was written.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
