//! A typed, bounded, non-blocking channel between two processes: frames of [`crate::codec`] over SOCK_SEQPACKET.

use crate::codec::{CodecError, FRAME_LIMIT, Frame, MESSAGES_LIMIT, decode, encode};
use crate::config::Generation;
use crate::fdpass::{self, Cut, FDS_LIMIT, Packet};
use core::fmt;
use core::marker::PhantomData;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token, event::Source};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Most bytes that wait for a slow peer; a peer that lets more pile up is [`ChannelError::Stuck`]. Configuration slices are
/// sent with [`Channel::send_slice`], which is not counted.
pub const BACKLOG_LIMIT: usize = 8 * 1024 * 1024;

/// Most descriptors that wait for a slow peer: each is open here until it is sent.
pub const BACKLOG_FDS: usize = 64;

/// Why a channel is of no use any more.
#[derive(Debug)]
pub enum ChannelError {
    /// The other side closed it or died.
    Closed,
    /// The other side broke the protocol.
    Violation(CodecError),
    /// The other side does not read.
    Stuck,
    /// The system refused.
    Os(Errno),
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChannelError::Closed => f.write_str("the other side closed the channel"),
            ChannelError::Violation(e) => write!(f, "malformed frame: {e}"),
            ChannelError::Stuck => {
                write!(
                    f,
                    "the other side does not read: more than {BACKLOG_LIMIT} bytes or {BACKLOG_FDS} descriptors wait"
                )
            }
            ChannelError::Os(e) => write!(f, "{e}"),
        }
    }
}

impl core::error::Error for ChannelError {}

/// A received frame with its descriptors.
#[derive(Debug)]
pub struct Received<M> {
    /// The frame.
    pub frame: Frame<M>,
    /// Descriptors in the order sent.
    pub fds: Vec<OwnedFd>,
}

struct Waiting {
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
    /// What it adds to [`Channel::backlog_bytes`]: nothing for a piece of a slice.
    counted: usize,
}

/// One end of a channel: sends `Tx`, receives `Rx`.
pub struct Channel<Tx, Rx> {
    socket: OwnedFd,
    waiting: VecDeque<Waiting>,
    backlog_bytes: usize,
    backlog_fds: usize,
    buffer: Vec<u8>,
    types: PhantomData<fn(Tx) -> Rx>,
}

/// Makes the two ends of a channel: close-on-exec, non-blocking.
pub fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)
}

impl<Tx: Serialize, Rx: DeserializeOwned> Channel<Tx, Rx> {
    /// Takes one end over.
    pub fn new(socket: OwnedFd) -> Self {
        Channel {
            socket,
            waiting: VecDeque::new(),
            backlog_bytes: 0,
            backlog_fds: 0,
            buffer: vec![0; FRAME_LIMIT],
            types: PhantomData,
        }
    }

    /// Sends messages in as few frames as hold them. What the socket does not take now waits and goes out with
    /// [`Channel::flush`] when the event loop says that it is writable. Does nothing for no messages.
    pub fn send(&mut self, generation: Generation, messages: Vec<Tx>) -> Result<(), ChannelError> {
        if messages.is_empty() {
            return Ok(());
        }
        self.encode_split(generation, messages)?;
        self.flush_within_bounds()
    }

    /// Sends one message with descriptors, in a frame of its own.
    pub fn send_with_fds(
        &mut self,
        generation: Generation,
        message: Tx,
        fds: Vec<OwnedFd>,
    ) -> Result<(), ChannelError> {
        let bytes = encode(&Frame { generation, messages: vec![message] }).map_err(ChannelError::Violation)?;
        self.queue(bytes, fds);
        self.flush_within_bounds()
    }

    /// Sends the messages that carry a configuration slice; they may exceed [`BACKLOG_LIMIT`].
    pub fn send_slice(
        &mut self,
        generation: Generation,
        messages: impl Iterator<Item = Tx>,
    ) -> Result<(), ChannelError> {
        for message in messages {
            let bytes = encode(&Frame { generation, messages: vec![message] }).map_err(ChannelError::Violation)?;
            self.waiting.push_back(Waiting { bytes, fds: Vec::new(), counted: 0 });
        }
        self.flush()
    }

    fn encode_split(&mut self, generation: Generation, messages: Vec<Tx>) -> Result<(), ChannelError> {
        let mut frames = VecDeque::from([messages]);
        while let Some(mut messages) = frames.pop_front() {
            let frame = Frame { generation, messages };
            let encoded = if frame.messages.len() > MESSAGES_LIMIT { Err(CodecError::TooLong) } else { encode(&frame) };
            messages = frame.messages;
            match encoded {
                Ok(bytes) => self.queue(bytes, Vec::new()),
                Err(_) if messages.len() > 1 => {
                    let rest = messages.split_off(messages.len() / 2);
                    frames.push_front(rest);
                    frames.push_front(messages);
                }
                Err(e) => return Err(ChannelError::Violation(e)),
            }
        }
        Ok(())
    }

    fn queue(&mut self, bytes: Vec<u8>, fds: Vec<OwnedFd>) {
        let counted = bytes.len();
        self.backlog_bytes = self.backlog_bytes.saturating_add(counted);
        self.backlog_fds = self.backlog_fds.saturating_add(fds.len());
        self.waiting.push_back(Waiting { bytes, fds, counted });
    }

    fn flush_within_bounds(&mut self) -> Result<(), ChannelError> {
        self.flush()?;
        let stuck = self.backlog_bytes > BACKLOG_LIMIT || self.backlog_fds > BACKLOG_FDS;
        if stuck { Err(ChannelError::Stuck) } else { Ok(()) }
    }

    /// Sends what waits, until the socket is full.
    pub fn flush(&mut self) -> Result<(), ChannelError> {
        while let Some(first) = self.waiting.front() {
            match fdpass::send(self.socket.as_fd(), &first.bytes, &first.fds) {
                Ok(()) => {
                    self.backlog_bytes = self.backlog_bytes.saturating_sub(first.counted);
                    self.backlog_fds = self.backlog_fds.saturating_sub(first.fds.len());
                    self.waiting.pop_front();
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN) => return Err(ChannelError::Closed),
                Err(e) => return Err(ChannelError::Os(e)),
            }
        }
        Ok(())
    }

    /// Whether everything has been handed to the kernel.
    pub fn is_flushed(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Receives the next frame; `None` when there is none yet. Call until `None`: the event loop is edge-triggered.
    pub fn receive(&mut self) -> Result<Option<Received<Rx>>, ChannelError> {
        let packet = match self.packet()? {
            // The end, unless something follows: the kernel looks first whether a packet waits and then whether the other side has
            // ended, and between the two it may have said its last and ended. An empty packet looks the same from here.
            Some(Packet { len: 0, .. }) => match self.packet()? {
                Some(Packet { len: 0, .. }) => return Err(ChannelError::Closed),
                Some(packet) => packet,
                None => {
                    return Err(ChannelError::Violation(CodecError::Malformed("an empty packet".to_owned())));
                }
            },
            Some(packet) => packet,
            None => return Ok(None),
        };
        match packet.cut {
            Cut::Nothing => {}
            Cut::Bytes => return Err(ChannelError::Violation(CodecError::TooLong)),
            Cut::Descriptors => {
                let what = format!("more than {FDS_LIMIT} descriptors");
                return Err(ChannelError::Violation(CodecError::Malformed(what)));
            }
        }
        let bytes = self.buffer.get(..packet.len).unwrap_or_default();
        let frame: Frame<Rx> = decode(bytes).map_err(ChannelError::Violation)?;
        if frame.messages.len() > MESSAGES_LIMIT {
            return Err(ChannelError::Violation(CodecError::TooLong));
        }
        Ok(Some(Received { frame, fds: packet.fds }))
    }
}

impl<Tx, Rx> Channel<Tx, Rx> {
    /// The next packet; one of no bytes at the end.
    fn packet(&mut self) -> Result<Option<Packet>, ChannelError> {
        let mut resets = 0u8;
        loop {
            match fdpass::receive(self.socket.as_fd(), &mut self.buffer) {
                Ok(packet) => return Ok(Some(packet)),
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                // The other side ended and left something unread. That is told once, before what it had said.
                Err(Errno::ECONNRESET) if resets == 0 => resets = 1,
                Err(Errno::ECONNRESET | Errno::ENOTCONN) => return Err(ChannelError::Closed),
                Err(e) => return Err(ChannelError::Os(e)),
            }
        }
    }
}

impl<Tx, Rx> Source for Channel<Tx, Rx> {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.socket.as_raw_fd()).register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.socket.as_raw_fd()).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.socket.as_raw_fd()).deregister(registry)
    }
}
