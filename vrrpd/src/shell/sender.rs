//! Sends what the core wants sent on one socket: many packets a system call, never waiting.
//!
//! Bounds: at most [`WAITING_LIMIT`] packets wait for a socket that is full (the interface does not keep up); what comes on top
//! is lost. A packet that the kernel refuses is tried twice. What is lost is counted, with the reason.

use super::sys::{Outgoing, SEND_LIMIT, send_many};
use core::net::IpAddr;
use nix::errno::Errno;
use nix::sys::socket::MsgFlags;
use socket2::Socket;
use std::collections::VecDeque;
use std::os::fd::AsFd;

/// Most packets that wait for one socket: a thousand instances' announcements nearly fit, older news are of no use.
pub const WAITING_LIMIT: usize = 4_096;

/// A packet and, on a socket that is bound to no peer, where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Where to; `None` for frames.
    pub destination: Option<IpAddr>,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// What was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// How many packets.
    pub count: u64,
    /// Why the last of them.
    pub why: Errno,
}

/// A socket that is sent on, and what waits for it.
#[derive(Debug)]
pub struct Sender {
    socket: Socket,
    waiting: VecDeque<Packet>,
    lost: Option<Lost>,
}

impl Sender {
    /// Takes a non-blocking socket over.
    pub fn new(socket: Socket) -> Self {
        Sender { socket, waiting: VecDeque::new(), lost: None }
    }

    /// The socket, for the event loop.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Sends packets in order, after what waits already.
    pub fn send(&mut self, packets: Vec<Packet>) {
        let room = WAITING_LIMIT.saturating_sub(self.waiting.len());
        let excess = packets.len().saturating_sub(room);
        self.waiting.extend(packets.into_iter().take(room));
        if excess > 0 {
            self.lose(excess, Errno::EAGAIN);
        }
        self.flush();
    }

    /// Sends what waits, until the socket is full: whenever the event loop says that it is writable.
    pub fn flush(&mut self) {
        let mut refused: Option<Errno> = None;
        while let Some(first) = self.waiting.front() {
            let flags = flags(first.destination);
            let run: Vec<Outgoing<'_>> = self
                .waiting
                .iter()
                .take_while(|packet| self::flags(packet.destination) == flags)
                .take(SEND_LIMIT)
                .map(|packet| Outgoing { bytes: &packet.bytes, destination: packet.destination })
                .collect();
            match send_many(self.socket.as_fd(), &run, flags) {
                Ok(sent) => {
                    // The kernel takes at least one or fails; dropping one in any case keeps the loop finite.
                    self.waiting.drain(..sent.clamp(1, self.waiting.len()));
                    refused = None;
                }
                Err(Errno::EAGAIN) => return,
                Err(Errno::EINTR) => {}
                // The interface is gone or down, for every packet.
                Err(e @ (Errno::ENODEV | Errno::ENXIO)) => {
                    self.lose(self.waiting.len(), e);
                    self.waiting.clear();
                }
                // Once more: it may be an error that was left at the socket by an earlier event (ENETDOWN of a link that is
                // up again), or a queue that was full for a moment (ENOBUFS).
                Err(e) if refused.is_none() => refused = Some(e),
                Err(e) => {
                    self.waiting.pop_front();
                    self.lose(1, e);
                    refused = None;
                }
            }
        }
    }

    /// Whether something waits for room.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What was lost since the last call.
    pub fn take_lost(&mut self) -> Option<Lost> {
        self.lost.take()
    }

    fn lose(&mut self, count: usize, why: Errno) {
        let before = self.lost.map_or(0, |lost| lost.count);
        self.lost = Some(Lost { count: before.saturating_add(u64::try_from(count).unwrap_or(u64::MAX)), why });
    }
}

/// Multicast goes out of the interface whatever the routes say (RFC 9568 §5.1.1.2 makes it link-local); unicast is routed.
/// COMPAT: keepalived 2.4.3.
fn flags(destination: Option<IpAddr>) -> MsgFlags {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    // nix has no name for it.
    let direct = MsgFlags::from_bits_retain(libc::MSG_DONTROUTE);
    if destination.is_some_and(|d| d.is_multicast()) { flags | direct } else { flags }
}
