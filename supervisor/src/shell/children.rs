//! The three long-lived children as processes: their channels, which differ in type, behind one face.

use super::files::Unfinished;
use super::namespaces::TableSockets;
use super::spawn::Process;
use ipc::channel::{Channel, ChannelError, Received};
use ipc::chunk;
use ipc::codec::CodecError;
use ipc::config::{Generation, Secret};
use ipc::evloop::EventLoop;
use ipc::msg::control::{Down, FromCheck, FromIpvs, FromVrrp, News, ProbeEnded, Run, ToCheck, ToIpvs, ToVrrp, Up};
use mio::Token;
use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use supervisor::daemon::Daemon;

/// What a child says.
#[derive(Clone, Copy, Debug)]
pub enum Said {
    /// Something that every child says.
    Control(Up),
    /// A request for a command.
    Run(Run),
    /// A change.
    News(News),
    /// vrrpd has looked at what became of processes.
    ProcessesTaken,
    /// Settings of the kernel are to be looked at.
    Unsettled,
}

/// The supervisor's end of a control channel.
pub enum Control {
    /// Of ipvsd.
    Ipvs(Channel<ToIpvs, FromIpvs>),
    /// Of vrrpd.
    Vrrp(Channel<ToVrrp, FromVrrp>),
    /// Of checkd.
    Check(Channel<ToCheck, FromCheck>),
}

impl Control {
    /// Takes the end of a channel to a child.
    pub fn new(daemon: Daemon, socket: OwnedFd) -> Control {
        match daemon {
            Daemon::Ipvs => Control::Ipvs(Channel::new(socket)),
            Daemon::Vrrp => Control::Vrrp(Channel::new(socket)),
            Daemon::Check => Control::Check(Channel::new(socket)),
        }
    }

    /// Watches it.
    pub fn register(&mut self, events: &mut EventLoop, token: Token) -> io::Result<()> {
        match self {
            Control::Ipvs(c) => events.add(c, token),
            Control::Vrrp(c) => events.add(c, token),
            Control::Check(c) => events.add(c, token),
        }
    }

    /// Makes the loop report it again if anything is left to read.
    pub fn rearm(&mut self, events: &mut EventLoop, token: Token) -> io::Result<()> {
        match self {
            Control::Ipvs(c) => events.rearm(c, token),
            Control::Vrrp(c) => events.rearm(c, token),
            Control::Check(c) => events.rearm(c, token),
        }
    }

    /// Sends a message that every child understands, with the descriptors that belong to it.
    pub fn send(&mut self, generation: Generation, down: Down, fds: Vec<OwnedFd>) -> Result<(), ChannelError> {
        match self {
            Control::Ipvs(c) => c.send_with_fds(generation, ToIpvs::Control(down), fds),
            Control::Vrrp(c) => c.send_with_fds(generation, ToVrrp::Control(down), fds),
            Control::Check(c) => c.send_with_fds(generation, ToCheck::Control(down), fds),
        }
    }

    /// Sends a slice.
    pub fn send_slice(&mut self, generation: Generation, slice: &Secret) -> Result<(), ChannelError> {
        let pieces = chunk::cut(slice.reveal()).map(Down::Slice);
        match self {
            Control::Ipvs(c) => c.send_slice(generation, pieces.map(ToIpvs::Control)),
            Control::Vrrp(c) => c.send_slice(generation, pieces.map(ToVrrp::Control)),
            Control::Check(c) => c.send_slice(generation, pieces.map(ToCheck::Control)),
        }
    }

    /// Reports a probe; ipvsd has none.
    pub fn probed(&mut self, generation: Generation, ended: ProbeEnded) -> Result<(), ChannelError> {
        match self {
            Control::Ipvs(_) => Ok(()),
            Control::Vrrp(c) => c.send(generation, vec![ToVrrp::ProbeEnded(ended)]),
            Control::Check(c) => c.send(generation, vec![ToCheck::ProbeEnded(ended)]),
        }
    }

    /// Hands ipvsd the sockets of the network namespace that has the IPVS table.
    pub fn table(&mut self, generation: Generation, sockets: TableSockets) -> Result<(), ChannelError> {
        match self {
            Control::Ipvs(c) => {
                c.send_with_fds(generation, ToIpvs::Table, vec![sockets.ipvs])?;
                sockets.marks.map_or(Ok(()), |socket| c.send_with_fds(generation, ToIpvs::Marks, vec![socket]))
            }
            Control::Vrrp(_) | Control::Check(_) => Ok(()),
        }
    }

    /// Passes a change on to checkd.
    pub fn news(&mut self, generation: Generation, news: News) -> Result<(), ChannelError> {
        match self {
            Control::Check(c) => c.send(generation, vec![ToCheck::News(news)]),
            Control::Ipvs(_) | Control::Vrrp(_) => Ok(()),
        }
    }

    /// Sends what waits.
    pub fn flush(&mut self) -> Result<(), ChannelError> {
        match self {
            Control::Ipvs(c) => c.flush(),
            Control::Vrrp(c) => c.flush(),
            Control::Check(c) => c.flush(),
        }
    }

    /// The next frame; `None` when there is none.
    pub fn receive(&mut self) -> Result<Option<(Generation, Vec<Said>)>, ChannelError> {
        match self {
            Control::Ipvs(c) => heard(c.receive()?, |message| match message {
                FromIpvs::Control(up) => Said::Control(up),
                FromIpvs::Unsettled => Said::Unsettled,
            }),
            Control::Vrrp(c) => heard(c.receive()?, |message| match message {
                FromVrrp::Control(up) => Said::Control(up),
                FromVrrp::Run(run) => Said::Run(run),
                FromVrrp::Tell(news) => Said::News(news),
                FromVrrp::ProcessesTaken => Said::ProcessesTaken,
            }),
            Control::Check(c) => heard(c.receive()?, |message| match message {
                FromCheck::Control(up) => Said::Control(up),
                FromCheck::Run(run) => Said::Run(run),
                FromCheck::Tell(news) => Said::News(news),
            }),
        }
    }
}

/// A frame of a child without the difference between children. No child sends descriptors.
fn heard<M>(
    received: Option<Received<M>>,
    read: impl Fn(M) -> Said,
) -> Result<Option<(Generation, Vec<Said>)>, ChannelError> {
    match received {
        Some(received) if !received.fds.is_empty() => {
            Err(ChannelError::Violation(CodecError::Malformed("it comes with descriptors".to_owned())))
        }
        received => Ok(received.map(|r| (r.frame.generation, r.frame.messages.into_iter().map(read).collect()))),
    }
}

/// A child that was started and has not been waited for.
pub struct Running {
    /// The process.
    pub process: Process,
    /// Its channel.
    pub control: Control,
    /// Dumps that it has been asked for.
    pub dumps: VecDeque<Unfinished>,
}

/// The program and its mode.
pub fn program(daemon: Daemon) -> (&'static str, &'static [&'static str]) {
    match daemon {
        Daemon::Ipvs => ("ipvsd", &[]),
        Daemon::Vrrp => ("vrrpd", &[]),
        Daemon::Check => ("checkd", &["run"]),
    }
}
