//! Many requests in few writes.

use super::Bus;
use super::paths::Request;
use alloc::vec::Vec;
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkSerializable};

/// Most bytes in one write. The kernel takes as much as the send buffer holds (212,992 bytes by default); a third of it
/// leaves room for its bookkeeping.
pub const WRITE_LIMIT: usize = 60 * 1024;

/// Bytes of a netlink header.
const HEADER: usize = 16;

/// What kind of request: decides the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A change; the kernel acknowledges it.
    Change,
    /// A change that is followed by a [`Kind::Change`] in the same batch: the kernel answers only if it refuses. It works requests
    /// off in order, so that the later acknowledgement tells of all before it.
    Quiet,
    /// A question with one answer; acknowledged as well.
    Ask,
    /// A question with many answers; ends with NLMSG_DONE.
    Dump,
}

impl Kind {
    /// COMPAT: keepalived 2.2.7 sends RTM_NEWADDR with REQUEST and ACK alone, neither CREATE nor EXCL.
    fn flags(self) -> u16 {
        match self {
            Kind::Change | Kind::Ask => NLM_F_REQUEST | NLM_F_ACK,
            Kind::Quiet => NLM_F_REQUEST,
            Kind::Dump => NLM_F_REQUEST | NLM_F_DUMP,
        }
    }
}

/// Finished requests for one socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Which socket.
    pub bus: Bus,
    /// What to write, in order; each entry is one write with one or more whole netlink messages.
    pub writes: Vec<Vec<u8>>,
}

impl Batch {
    /// An empty one.
    pub fn new(bus: Bus) -> Self {
        Batch { bus, writes: Vec::new() }
    }

    /// Appends a request with its sequence number.
    pub fn push<M>(&mut self, seq: u32, kind: Kind, message: M)
    where
        NetlinkMessage<M>: From<M>,
        M: NetlinkSerializable,
    {
        let mut message = NetlinkMessage::from(message);
        message.header.flags = kind.flags();
        message.header.sequence_number = seq;
        message.finalize();
        let mut bytes = alloc::vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.append(&[&bytes]);
    }

    /// Appends a request that is bytes already.
    pub fn push_request(&mut self, seq: u32, kind: Kind, request: &Request) {
        let Ok(length) = u32::try_from(request.payload.len().saturating_add(HEADER)) else { return };
        let flags = kind.flags() | request.flags;
        self.append(&[
            &length.to_ne_bytes(),
            &request.kind.to_ne_bytes(),
            &flags.to_ne_bytes(),
            &seq.to_ne_bytes(),
            &[0; 4],
            &request.payload,
        ]);
    }

    /// Appends a message. Netlink messages are aligned to four bytes; all that are made here are so by their attributes.
    fn append(&mut self, parts: &[&[u8]]) {
        let length = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        match self.writes.last_mut() {
            Some(last) if last.len().saturating_add(length) <= WRITE_LIMIT => {
                parts.iter().for_each(|part| last.extend_from_slice(part));
            }
            _ => self.writes.push(parts.concat()),
        }
    }

    /// Requests that are bytes already, for one write of their own.
    pub fn written(bus: Bus, bytes: Vec<u8>) -> Self {
        Batch { bus, writes: Vec::from([bytes]) }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}
