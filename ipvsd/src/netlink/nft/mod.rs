//! The nf_tables subsystem of NETLINK_NETFILTER (`linux/netfilter/nf_tables.h`), as much of it as the tables of [`crate::filter`]
//! need: [`bytes`] writes attributes, [`expr`] the expressions of rules, [`tables`] whole tables and their elements. Nothing is read:
//! the tables are ours alone, and one that is not known is made anew.
//!
//! Changes are sent as transactions, one write each: all of one is carried out, at one moment for the packets, or nothing. Numbers
//! are big-endian here, unlike on the other buses.

pub mod bytes;
pub mod expr;
pub mod tables;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use bytes::Attributes;
use ipc::net::Family;
use netlink_packet_core::{NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST};

/// NFNL_SUBSYS_NFTABLES, as the upper byte of a message's kind.
const SUBSYSTEM: u16 = 10;
/// NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END
const BEGIN: u16 = 16;
const END: u16 = 17;
/// Length of a netlink header and of `struct nfgenmsg` behind it.
const HEADER: usize = 16;
const GENERIC_HEADER: usize = 4;

/// NFPROTO_IPV4, NFPROTO_IPV6
const IP: u8 = 2;
const IP6: u8 = 10;

/// NFT_MSG_*
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Add a table; nothing happens if it is there.
    NewTable = 0,
    /// Remove a table with all that is in it.
    DelTable = 2,
    /// Add a chain.
    NewChain = 3,
    /// Add a rule.
    NewRule = 6,
    /// Add a set or a map.
    NewSet = 9,
    /// Add elements to a set.
    NewElements = 12,
    /// Take elements out of a set.
    DelElements = 14,
}

/// Requests that are carried out together or not at all. Each that is refused is answered, and the last one in any case:
/// its acknowledgement says that all were carried out if none was refused before.
#[derive(Clone, Debug)]
pub struct Transaction {
    first: u32,
    next: u32,
    bytes: Vec<u8>,
    /// Where the flags of the last message are.
    last: Option<usize>,
}

impl Transaction {
    /// An empty one, whose messages are numbered from `seq`.
    pub fn new(seq: u32) -> Self {
        let bytes = message(BEGIN, NLM_F_REQUEST, seq, 0, SUBSYSTEM, &Attributes::default());
        Transaction { first: seq, next: seq.wrapping_add(1), bytes, last: None }
    }

    /// Appends a request.
    pub fn push(&mut self, what: Kind, family: Family, attributes: &Attributes) {
        let flags = NLM_F_REQUEST
            | match what {
                Kind::NewRule => NLM_F_CREATE | NLM_F_APPEND,
                Kind::NewTable | Kind::NewChain | Kind::NewSet | Kind::NewElements => NLM_F_CREATE,
                Kind::DelTable | Kind::DelElements => 0,
            };
        // The flags stand six bytes into the header.
        self.last = Some(self.bytes.len().saturating_add(6));
        self.bytes.extend(message(kind(what), flags, self.next, number(family), 0, attributes));
        self.next = self.next.wrapping_add(1);
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// The sequence number of its beginning, which is answered when none of it could be looked at.
    pub fn first(&self) -> u32 {
        self.first
    }

    /// The sequence number of its last request, whose answer comes last.
    pub fn last(&self) -> u32 {
        self.next.wrapping_sub(1)
    }

    /// The sequence number of its end: what comes after it takes the next one.
    pub fn end(&self) -> u32 {
        self.next
    }

    /// What is to be written.
    pub fn finish(mut self) -> Vec<u8> {
        if let Some(flags) = self.last.and_then(|at| self.bytes.get_mut(at..)?.first_chunk_mut::<2>()) {
            *flags = (u16::from_ne_bytes(*flags) | NLM_F_ACK).to_ne_bytes();
        }
        self.bytes.extend(message(END, NLM_F_REQUEST, self.next, 0, SUBSYSTEM, &Attributes::default()));
        self.bytes
    }
}

fn kind(what: Kind) -> u16 {
    SUBSYSTEM << 8 | what as u16
}

fn number(family: Family) -> u8 {
    match family {
        Family::V4 => IP,
        Family::V6 => IP6,
    }
}

/// A netlink header, `struct nfgenmsg` with version 0, attributes.
fn message(kind: u16, flags: u16, seq: u32, family: u8, resource: u16, attributes: &Attributes) -> Vec<u8> {
    let attributes = attributes.bytes();
    let length = attributes.len().saturating_add(HEADER).saturating_add(GENERIC_HEADER);
    let mut bytes = Vec::with_capacity(length);
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(seq.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend([family, 0]);
    bytes.extend(resource.to_be_bytes());
    bytes.extend(attributes);
    bytes
}
