//! The channel of a child to another child. It comes and goes with the other's life; while there is none, what is said is lost,
//! which does not matter: everything is said again on a new channel.

use super::{Age, Child, Protocol};
use crate::channel::{Channel, ChannelError};
use crate::evloop::EventLoop;
use crate::msg::Role;
use mio::Token;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::os::fd::OwnedFd;

/// Frames taken in one turn; a peer that writes faster than we read must not keep the rest of the process waiting.
pub const FRAMES_PER_TURN: u32 = 64;

/// Messages after which no further frame is taken in that turn: what one frame holds may be much work.
pub const MESSAGES_PER_TURN: usize = 4096;

/// A channel to the peer `role`: sends `Tx`, receives `Rx`.
pub struct Peer<Tx, Rx> {
    role: Role,
    token: Token,
    channel: Option<Channel<Tx, Rx>>,
    frames: u32,
    messages: usize,
    watched: Watched,
}

/// What the event loop reports of the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watched {
    /// That there is something to read. The usual case: otherwise every frame that the other side reads would wake this process.
    Reading,
    /// Also that there is room for what waits.
    Both,
}

impl<Tx: Serialize, Rx: DeserializeOwned> Peer<Tx, Rx> {
    /// No channel yet; `token` is what it will be registered with.
    pub fn new(role: Role, token: Token) -> Self {
        Peer { role, token, channel: None, frames: 0, messages: 0, watched: Watched::Reading }
    }

    /// Whether there is a channel.
    pub fn is_attached(&self) -> bool {
        self.channel.is_some()
    }

    /// Takes a channel into use and drops an older one. Say everything on it next.
    pub fn attach(&mut self, socket: OwnedFd, events: &mut EventLoop) -> io::Result<()> {
        self.channel = None;
        self.begin_turn();
        let mut channel = Channel::new(socket);
        events.add_readable(&mut channel, self.token)?;
        self.watched = Watched::Reading;
        self.channel = Some(channel);
        Ok(())
    }

    /// Drops the channel. Closing takes it out of the poll set.
    pub fn detach(&mut self) {
        self.channel = None;
    }

    /// Sends under the current generation; without a channel the messages are dropped.
    pub fn send<P: Protocol>(&mut self, child: &mut Child<P>, messages: Vec<Tx>) {
        let generation = child.generation();
        if let Some(channel) = &mut self.channel {
            let sent = channel.send(generation, messages);
            self.note(child, sent);
        }
    }

    /// Sends what waits and has the event loop say when there is room for the rest. Once in every turn, after everything was said.
    pub fn turn<P: Protocol>(&mut self, child: &mut Child<P>, events: &mut EventLoop) {
        if let Some(channel) = &mut self.channel {
            let flushed = channel.flush();
            self.note(child, flushed);
        }
        let Some(channel) = &mut self.channel else { return };
        let wanted = if channel.is_flushed() { Watched::Reading } else { Watched::Both };
        if wanted == self.watched {
            return;
        }
        let done = match wanted {
            Watched::Reading => events.rearm_readable(channel, self.token),
            Watched::Both => events.rearm(channel, self.token),
        };
        match done {
            Ok(()) => self.watched = wanted,
            Err(e) => {
                child.logger().error(format!("Cannot watch the channel to {}: {e}", self.role));
                self.channel = None;
            }
        }
    }

    /// Sends a message with a descriptor under the current generation. Without a channel, or while something waits on it, both are
    /// dropped: descriptors that nobody takes must not pile up.
    pub fn send_with_fd<P: Protocol>(&mut self, child: &mut Child<P>, message: Tx, fd: OwnedFd) {
        let generation = child.generation();
        if let Some(channel) = self.channel.as_mut().filter(|channel| channel.is_flushed()) {
            let sent = channel.send_with_fds(generation, message, vec![fd]);
            self.note(child, sent);
        }
    }

    /// The messages of the next frame, whose sender may send no descriptors; otherwise as [`Peer::receive_with_fds`].
    pub fn receive<P: Protocol>(&mut self, child: &mut Child<P>, events: &mut EventLoop) -> Option<Vec<Rx>> {
        let (messages, fds) = self.receive_with_fds(child, events)?;
        if fds.is_empty() {
            return Some(messages);
        }
        self.violated(child, "a frame with descriptors");
        None
    }

    /// The messages of the next frame of the current generation, and its descriptors; `None` when there is nothing more for this turn. Call it until
    /// `None` whenever the channel is ready. Stale frames are dropped; a peer that breaks the protocol is reported to the
    /// supervisor, which ends it, and its channel is dropped.
    pub fn receive_with_fds<P: Protocol>(
        &mut self,
        child: &mut Child<P>,
        events: &mut EventLoop,
    ) -> Option<(Vec<Rx>, Vec<OwnedFd>)> {
        loop {
            let channel = self.channel.as_mut()?;
            if self.frames >= FRAMES_PER_TURN || self.messages >= MESSAGES_PER_TURN {
                // The poll set is edge-triggered: registering again makes it report what is left.
                self.watched = Watched::Both;
                if let Err(e) = events.rearm(channel, self.token) {
                    child.logger().error(format!("Cannot watch the channel to {}: {e}", self.role));
                    self.channel = None;
                }
                self.begin_turn();
                return None;
            }
            let received = match channel.receive() {
                Ok(Some(received)) => received,
                Ok(None) => {
                    self.begin_turn();
                    return None;
                }
                Err(e) => {
                    self.note(child, Err(e));
                    return None;
                }
            };
            self.frames = self.frames.saturating_add(1);
            self.messages = self.messages.saturating_add(received.frame.messages.len());
            let generation = received.frame.generation;
            match child.generations().judge(generation) {
                Age::Current => return Some((received.frame.messages, received.fds)),
                Age::Stale => {}
                Age::Violation => {
                    let current = child.generation();
                    let what = format!("a frame of generation {}, the current one is {}", generation.0, current.0);
                    self.violated(child, &what);
                    return None;
                }
            }
        }
    }

    fn begin_turn(&mut self) {
        self.frames = 0;
        self.messages = 0;
    }

    /// The peer said something impossible (an index of nothing, a state that cannot be): reports it to the supervisor, which
    /// ends it, and drops the channel. `what` is for the log.
    pub fn violated<P: Protocol>(&mut self, child: &mut Child<P>, what: &str) {
        self.channel = None;
        child.logger().error(format!("{} broke the protocol: {what}; asking for its restart", self.role));
        child.violation(self.role);
    }

    fn note<P: Protocol>(&mut self, child: &mut Child<P>, done: Result<(), ChannelError>) {
        match done {
            Ok(()) => {}
            // The supervisor sees the death itself and says Detached.
            Err(ChannelError::Closed) => self.channel = None,
            Err(e @ (ChannelError::Violation(_) | ChannelError::Stuck)) => self.violated(child, &e.to_string()),
            Err(ChannelError::Os(e)) => {
                self.violated(child, &format!("the channel failed: {e}"));
            }
        }
    }
}
