//! The sockets of one interface: one to receive and one to send adverts of each kind that is spoken there, one for Ethernet frames.
//! Opening them needs CAP_NET_RAW and nothing else.

use super::receiver::{Buffers, Received, Receiver};
use super::sender::{Packet, Sender};
use super::sys;
use core::fmt;
use core::net::IpAddr;
use ipc::net::Family;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::os::fd::AsFd;
use vrrpd::io::{Listen, Way};

/// Buffers asked for, in bytes; the kernel gives at most `net.core.rmem_max` and `wmem_max`. The smallest packet counts for about
/// 768 bytes: this holds what a thousand instances say at once, several times.
pub const BUFFER: usize = 4 << 20;

/// Linux' TC_PRIO_CONTROL: ahead of everything else in the queue of the interface. COMPAT: keepalived 2.4.3.
const PRIORITY: u32 = 7;

/// The highest priority that an older kernel (before 5.17) grants without CAP_NET_ADMIN; the same band of pfifo_fast.
const PRIORITY_UNPRIVILEGED: u32 = 6;

/// What could not be done, and why.
#[derive(Debug)]
pub struct Refused {
    what: String,
    why: io::Error,
}

impl Refused {
    /// `what` completes "cannot …".
    pub fn new(what: impl Into<String>, why: io::Error) -> Self {
        Refused { what: what.into(), why }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.what, self.why)
    }
}

/// Says what could not be done: for `map_err`.
pub fn refused<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Refused {
    let what = what.into();
    move |why| Refused { what, why: why.into() }
}

/// The sockets of one interface.
#[derive(Debug)]
pub struct Link {
    receivers: BTreeMap<Way, Receiver>,
    /// For adverts.
    pub adverts: BTreeMap<Family, Sender>,
    /// For Ethernet frames.
    pub frames: Sender,
}

impl Link {
    /// Opens the one for frames; the others come with [`Link::speak`].
    pub fn open(listen: &Listen) -> Result<Link, Refused> {
        let frames = Sender::new(open_frames(listen.ifindex)?);
        Ok(Link { receivers: BTreeMap::new(), adverts: BTreeMap::new(), frames })
    }

    /// The receiving sockets, for the event loop.
    pub fn receivers(&self) -> impl Iterator<Item = (Way, &Socket)> {
        self.receivers.iter().map(|(way, receiver)| (*way, receiver.socket()))
    }

    /// One of the receiving sockets.
    pub fn receiver(&self, way: Way) -> Option<&Socket> {
        self.receivers.get(&way).map(Receiver::socket)
    }

    /// Opens and closes, joins and leaves until exactly what `listen` says is spoken. All are tried; the first failure is returned.
    pub fn speak(&mut self, listen: &Listen) -> Result<(), Refused> {
        let is_wanted = |way: &Way| listen.ways.iter().any(|(wanted, _)| wanted == way);
        self.receivers.retain(|way, _| is_wanted(way));
        self.adverts.retain(|family, _| listen.ways.iter().any(|(way, _)| family_of(*way) == *family));
        let mut result = Ok(());
        for (way, groups) in &listen.ways {
            result = result.and(self.speak_one(listen, *way, groups));
        }
        result
    }

    fn speak_one(&mut self, listen: &Listen, way: Way, groups: &[IpAddr]) -> Result<(), Refused> {
        let family = family_of(way);
        if let Entry::Vacant(place) = self.adverts.entry(family) {
            place.insert(Sender::new(open_adverts(family, &listen.name)?));
        }
        let mut receiver = match self.receivers.remove(&way) {
            Some(receiver) => receiver,
            None => Receiver::open(way, listen.ifindex, &listen.name)?,
        };
        let joined = receiver.join(groups);
        self.receivers.insert(way, receiver);
        joined
    }

    /// Receives at most [`super::receiver::BATCH`] packets with one system call and appends them to `into`; says how many.
    pub fn receive(&self, way: Way, buffers: &mut Buffers, into: &mut Vec<Received>) -> usize {
        self.receivers.get(&way).map_or(0, |receiver| receiver.receive(buffers, into))
    }

    /// Sends adverts and then frames.
    pub fn send(&mut self, adverts: Vec<Packet>, frames: Vec<Packet>) {
        let is_v6 = |packet: &Packet| packet.destination.is_some_and(|to| to.is_ipv6());
        let (six, four): (Vec<Packet>, Vec<Packet>) = adverts.into_iter().partition(is_v6);
        for (family, packets) in [(Family::V4, four), (Family::V6, six)] {
            if let Some(sender) = self.adverts.get_mut(&family).filter(|_| !packets.is_empty()) {
                sender.send(packets);
            }
        }
        if !frames.is_empty() {
            self.frames.send(frames);
        }
    }
}

fn family_of(way: Way) -> Family {
    match way {
        Way::V4 | Way::Ah => Family::V4,
        Way::V6 => Family::V6,
    }
}

/// A raw socket that never blocks.
pub fn open(domain: Domain, protocol: i32, what: &str) -> Result<Socket, Refused> {
    Socket::new_raw(domain, Type::RAW.nonblocking().cloexec(), Some(Protocol::from(protocol))).map_err(refused(what))
}

/// Sends packets with their IP headers. Its protocol is IPPROTO_RAW, which receives nothing; with the loop off, no socket of this
/// host receives the multicasts either, so own adverts never come back.
fn open_adverts(family: Family, name: &str) -> Result<Socket, Refused> {
    let what = "open a raw socket to send adverts";
    let socket = match family {
        Family::V4 => {
            let socket = open(Domain::IPV4, libc::IPPROTO_RAW, what)?;
            socket.set_header_included_v4(true).map_err(refused("set IP_HDRINCL"))?;
            socket.set_multicast_loop_v4(false).map_err(refused("switch IP_MULTICAST_LOOP off"))?;
            socket
        }
        Family::V6 => {
            let socket = open(Domain::IPV6, libc::IPPROTO_RAW, what)?;
            socket.set_header_included_v6(true).map_err(refused("set IPV6_HDRINCL"))?;
            socket.set_multicast_loop_v6(false).map_err(refused("switch IPV6_MULTICAST_LOOP off"))?;
            socket
        }
    };
    socket.bind_device(Some(name.as_bytes())).map_err(refused("bind the sending socket to the interface"))?;
    prefer(&socket)?;
    Ok(socket)
}

/// Sends Ethernet frames and receives none.
fn open_frames(ifindex: u32) -> Result<Socket, Refused> {
    let socket = open(Domain::PACKET, 0, "open a packet socket to send gratuitous ARP and neighbour advertisements")?;
    sys::bind_to_link(socket.as_fd(), ifindex).map_err(refused("bind the packet socket to the interface"))?;
    prefer(&socket)?;
    Ok(socket)
}

/// Puts what is sent ahead of other traffic and gives it room.
fn prefer(socket: &Socket) -> Result<(), Refused> {
    socket
        .set_priority(PRIORITY)
        .or_else(|_| socket.set_priority(PRIORITY_UNPRIVILEGED))
        .map_err(refused("set SO_PRIORITY"))?;
    socket.set_send_buffer_size(BUFFER).map_err(refused("set the send buffer"))
}
