//! The netlink sockets: one for requests of links, addresses and routes, one for what changes them, one for generic netlink, one for
//! the packet filter, and one for the packet filter of another network namespace where `net_namespace_ipvs` asks for it.
//!
//! Requests and notifications are kept apart so that a storm of notifications never costs an acknowledgement.

use ipvsd::netlink::Bus;
use ipvsd::netlink::batch::Batch;
use ipvsd::netlink::reply::{self, Fact};
use mio::Token;
use netlink_sys::protocols::{NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE};
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::SockRef;
use std::io;
use std::os::fd::OwnedFd;

use super::{notices, sys};
use ipc::evloop::EventLoop;

/// Tokens of the sockets in the event loop.
pub const TOKENS: [Token; 5] = [Token(10), Token(11), Token(12), Token(13), Token(14)];

/// Receive buffer in bytes. An acknowledgement takes about 1 KiB of it, and at most
/// [`ipvsd::reconcile::BATCH_LIMIT`] are under way; notifications of a whole router's interfaces fit.
const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

/// Largest datagram; the kernel fills dumps up to 32 KiB.
const DATAGRAM: usize = 64 * 1024;

/// Datagrams taken from one socket in one go.
pub const DATAGRAMS_PER_TURN: u32 = 4096;

/// RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_ROUTE, RTMGRP_IPV4_RULE,
/// RTNLGRP_IPV6_RULE, RTNLGRP_IPV6_NETCONF
const GROUPS: u32 = 0x1 | 0x10 | 0x100 | 0x40 | 0x400 | 0x80 | (1 << 18) | (1 << 24);

/// The sockets.
pub struct Sockets {
    route: Socket,
    monitor: Socket,
    generic: Socket,
    /// `None`: this kernel has no such sockets.
    filter: Option<Socket>,
    /// The packet filter of the network namespace that has the IPVS table, if that is another one.
    marks: Option<Socket>,
    own_port: u32,
    buffer: Vec<u8>,
}

/// Whether a socket has been read until there was nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// It has.
    Yes,
    /// Something is left.
    No,
}

impl Sockets {
    /// Opens them. Needs CAP_NET_ADMIN.
    pub fn open() -> io::Result<Self> {
        let (route, own_port) = open(NETLINK_ROUTE, 0)?;
        // Kernels before 4.20 do not know it: they show routes of others too, which are stepped over.
        let _ = route.set_netlink_get_strict_chk(true);
        let (monitor, _) = open(NETLINK_ROUTE, GROUPS)?;
        SockRef::from(&monitor).attach_filter(&notices::program())?;
        let (generic, _) = open(NETLINK_GENERIC, 0)?;
        let filter = open(NETLINK_NETFILTER, 0).ok().map(|(socket, _)| socket);
        Ok(Sockets { route, monitor, generic, filter, marks: None, own_port, buffer: vec![0; DATAGRAM] })
    }

    /// Adds them to the event loop.
    pub fn register(&mut self, events: &mut EventLoop) -> io::Result<()> {
        for (socket, token) in self.all() {
            events.add(socket, token)?;
        }
        Ok(())
    }

    /// Takes another socket for IPVS into use, of another network namespace. What it holds are answers to somebody else.
    pub fn replace_generic(&mut self, socket: OwnedFd, events: &mut EventLoop) -> io::Result<()> {
        let [_, _, token, _, _] = TOKENS;
        self.generic = self.taken(socket)?;
        events.add(&mut self.generic, token)
    }

    /// Takes a socket for the packet filter of that network namespace into use.
    pub fn add_marks(&mut self, socket: OwnedFd, events: &mut EventLoop) -> io::Result<()> {
        let [_, _, _, _, token] = TOKENS;
        let socket = self.taken(socket)?;
        events.add(self.marks.insert(socket), token)
    }

    /// A socket that an earlier process of this kind had before, emptied.
    fn taken(&mut self, socket: OwnedFd) -> io::Result<Socket> {
        // Not bound: the kernel binds it with the first request, and a second time it cannot be.
        let mut socket = sys::netlink(socket);
        prepare(&mut socket)?;
        while let Ok((length, _)) = socket.recv_from(&mut self.buffer.as_mut_slice(), libc::MSG_DONTWAIT) {
            if length == 0 {
                break;
            }
        }
        Ok(socket)
    }

    /// Makes the event loop report again what is left to read.
    pub fn rearm(&mut self, events: &mut EventLoop) -> io::Result<()> {
        for (socket, token) in self.all() {
            events.rearm(socket, token)?;
        }
        Ok(())
    }

    fn all(&mut self) -> impl Iterator<Item = (&mut Socket, Token)> {
        let [monitor, route, generic, filter, marks] = TOKENS;
        let three = [(&mut self.monitor, monitor), (&mut self.route, route), (&mut self.generic, generic)];
        let filter = self.filter.as_mut().map(|socket| (socket, filter));
        three.into_iter().chain(filter).chain(self.marks.as_mut().map(|socket| (socket, marks)))
    }

    /// Writes requests. The kernel carries them out before the write returns; their answers are there to read then.
    /// What cannot be written is lost like an answer.
    pub fn send(&mut self, batch: &Batch, facts: &mut Vec<Fact>) {
        let socket = match batch.bus {
            Bus::Route => Some(&self.route),
            Bus::Generic => Some(&self.generic),
            Bus::Filter => self.filter.as_ref(),
            Bus::Marks => self.marks.as_ref().or(self.filter.as_ref()),
        };
        let Some(socket) = socket else { return facts.push(Fact::Lost(batch.bus)) };
        for write in &batch.writes {
            // Without an address, which the filter of system calls does not let through, a netlink socket writes to the kernel.
            match socket.send(write, libc::MSG_DONTWAIT) {
                Ok(n) if n == write.len() => {}
                Ok(_) | Err(_) => facts.push(Fact::Lost(batch.bus)),
            }
        }
    }

    /// Reads the answers that are there, and notifications if there is no answer: the answers are what a peer waits for, and
    /// notifications of our own requests tell nothing new.
    pub fn receive(&mut self, facts: &mut Vec<Fact>) -> Drained {
        let already = facts.len();
        if self.receive_answers(facts) == Drained::No || facts.len() > already {
            return Drained::No;
        }
        receive(&self.monitor, reply::Socket::Monitor { own_port: self.own_port }, &mut self.buffer, facts)
    }

    /// Reads the answers that are there.
    pub fn receive_answers(&mut self, facts: &mut Vec<Fact>) -> Drained {
        let route = receive(&self.route, reply::Socket::Command(Bus::Route), &mut self.buffer, facts);
        let generic = receive(&self.generic, reply::Socket::Command(Bus::Generic), &mut self.buffer, facts);
        let mut packets = |socket: &Option<Socket>, bus| {
            socket
                .as_ref()
                .map_or(Drained::Yes, |socket| receive(socket, reply::Socket::Command(bus), &mut self.buffer, facts))
        };
        let (filter, marks) = (packets(&self.filter, Bus::Filter), packets(&self.marks, Bus::Marks));
        if [route, generic, filter, marks].contains(&Drained::No) { Drained::No } else { Drained::Yes }
    }
}

fn open(protocol: isize, groups: u32) -> io::Result<(Socket, u32)> {
    let mut socket = Socket::new(protocol)?;
    prepare(&mut socket)?;
    socket.bind(&SocketAddr::new(0, groups))?;
    let mut own = SocketAddr::new(0, 0);
    socket.get_address(&mut own)?;
    Ok((socket, own.port_number()))
}

fn prepare(socket: &mut Socket) -> io::Result<()> {
    socket.set_non_blocking(true)?;
    setsockopt(&*socket, sockopt::RcvBufForce, &RECEIVE_BUFFER)?;
    socket.set_cap_ack(true)?;
    socket.set_ext_ack(true)
}

fn receive(socket: &Socket, kind: reply::Socket, buffer: &mut [u8], facts: &mut Vec<Fact>) -> Drained {
    let bus = match kind {
        reply::Socket::Command(bus) => bus,
        reply::Socket::Monitor { .. } => Bus::Route,
    };
    for _ in 0..DATAGRAMS_PER_TURN {
        match socket.recv_from(&mut &mut *buffer, libc::MSG_DONTWAIT | libc::MSG_TRUNC) {
            // Anybody on this machine may write to a netlink socket; the kernel's port number is 0.
            Ok((_, from)) if from.port_number() != 0 => {}
            Ok((length, _)) => match buffer.get(..length) {
                Some(datagram) => reply::read(kind, datagram, facts),
                None => facts.push(Fact::Lost(bus)),
            },
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Drained::Yes,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // ENOBUFS: something did not fit into the receive buffer. Reading goes on after it.
            Err(_) => facts.push(Fact::Lost(bus)),
        }
    }
    Drained::No
}
