//! The three sockets of one interface on which VRRP is spoken. Opening them needs CAP_NET_RAW and nothing else.

use super::sender::{Packet, Sender};
use super::sys;
use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;
use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, recvmmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use std::collections::BTreeSet;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};
use vrrpd::io::Listen;

/// IANA protocol number of VRRP.
const IPPROTO_VRRP: i32 = 112;

/// Buffers asked for, in bytes; the kernel gives at most `net.core.rmem_max` and `wmem_max`. The smallest packet counts for about
/// 768 bytes: this holds what a thousand instances say at once, several times.
const BUFFER: usize = 4 << 20;

/// Linux' TC_PRIO_CONTROL: ahead of everything else in the queue of the interface. COMPAT: keepalived 2.4.3.
const PRIORITY: u32 = 7;

/// The highest priority that an older kernel (before 5.17) grants without CAP_NET_ADMIN; the same band of pfifo_fast.
const PRIORITY_UNPRIVILEGED: u32 = 6;

/// Packets taken with one system call.
pub const BATCH: usize = 32;

/// Longest packet that is received whole. No valid one is longer: header with options 60, authentication header 24, VRRP header 8,
/// 255 addresses 1,020, authentication data 8, trailer 28 bytes. Of a longer one the rest is cut off, so that its length is wrong.
pub const LONGEST: usize = 2_048;

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

fn refused<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Refused {
    let what = what.into();
    move |why| Refused { what, why: why.into() }
}

/// The sockets of one interface.
#[derive(Debug)]
pub struct Link {
    ifindex: u32,
    receiver: Socket,
    joined: BTreeSet<Ipv4Addr>,
    /// For adverts.
    pub adverts: Sender,
    /// For Ethernet frames.
    pub frames: Sender,
}

impl Link {
    /// Opens the three; joins no group yet.
    pub fn open(listen: &Listen) -> Result<Link, Refused> {
        Ok(Link {
            ifindex: listen.ifindex,
            receiver: open_receiver(&listen.name)?,
            joined: BTreeSet::new(),
            adverts: Sender::new(open_adverts(&listen.name)?),
            frames: Sender::new(open_frames(listen.ifindex)?),
        })
    }

    /// The receiving socket, for the event loop.
    pub fn receiver(&self) -> &Socket {
        &self.receiver
    }

    /// Joins and leaves until exactly `groups` are joined. All are tried; the first failure is returned.
    pub fn join(&mut self, groups: &[Ipv4Addr]) -> Result<(), Refused> {
        let wanted: BTreeSet<Ipv4Addr> = groups.iter().copied().collect();
        let interface = InterfaceIndexOrAddress::Index(self.ifindex);
        for group in self.joined.difference(&wanted) {
            // Fails only when the kernel has dropped the membership with the interface's address list.
            let _ = self.receiver.leave_multicast_v4_n(group, &interface);
        }
        self.joined.retain(|group| wanted.contains(group));
        let mut result = Ok(());
        for group in wanted.difference(&self.joined.clone()) {
            match self.receiver.join_multicast_v4_n(group, &interface) {
                Ok(()) => {
                    self.joined.insert(*group);
                }
                Err(e) if result.is_ok() => {
                    result = Err(refused::<io::Error>(format!("join the multicast group {group}"))(e));
                }
                Err(_) => {}
            }
        }
        result
    }

    /// Receives at most [`BATCH`] packets with one system call and appends them to `into`; says how many. 0: there are none.
    pub fn receive(&self, buffers: &mut Buffers, into: &mut Vec<Received>) -> usize {
        let mut slots: Vec<[IoSliceMut<'_>; 1]> =
            buffers.0.chunks_mut(LONGEST).map(|slot| [IoSliceMut::new(slot)]).collect();
        let mut headers = MultiHeaders::<()>::preallocate(slots.len(), Some(cmsg_space!(TimeSpec)));
        // An error that is not "nothing there" (a link that went down) is told once by the kernel and says nothing that ipvsd does
        // not tell with the link's facts.
        let Ok(packets) =
            recvmmsg(self.receiver.as_raw_fd(), &mut headers, slots.iter_mut(), MsgFlags::MSG_DONTWAIT, None)
        else {
            return 0;
        };
        let before = into.len();
        into.extend(packets.map(|packet| Received {
            bytes: packet.iovs().next().unwrap_or_default().to_vec(),
            stamp: packet.cmsgs().into_iter().flatten().find_map(stamp),
        }));
        into.len().saturating_sub(before)
    }

    /// Sends adverts and then frames.
    pub fn send(&mut self, adverts: Vec<Packet>, frames: Vec<Packet>) {
        if !adverts.is_empty() {
            self.adverts.send(adverts);
        }
        if !frames.is_empty() {
            self.frames.send(frames);
        }
    }
}

/// A packet as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// All of it, header included, or its first [`LONGEST`] bytes.
    pub bytes: Vec<u8>,
    /// When the kernel got it, on the clock of the day (since 1970).
    pub stamp: Option<Duration>,
}

fn stamp(control: ControlMessageOwned) -> Option<Duration> {
    match control {
        ControlMessageOwned::ScmTimestampns(time) => Some(time.into()),
        _ => None,
    }
}

/// Room for [`BATCH`] packets, used again and again.
#[derive(Debug)]
pub struct Buffers(Vec<u8>);

impl Default for Buffers {
    fn default() -> Self {
        Buffers(vec![0; BATCH.saturating_mul(LONGEST)])
    }
}

fn open(domain: Domain, protocol: i32, what: &str) -> Result<Socket, Refused> {
    Socket::new_raw(domain, Type::RAW.nonblocking().cloexec(), Some(Protocol::from(protocol))).map_err(refused(what))
}

/// Receives protocol 112 from the interface: unicast, and the groups that this very socket has joined.
fn open_receiver(name: &str) -> Result<Socket, Refused> {
    let socket = open(Domain::IPV4, IPPROTO_VRRP, "open a raw socket to receive adverts")?;
    socket.bind_device(Some(name.as_bytes())).map_err(refused("bind the receiving socket to the interface"))?;
    socket.set_multicast_all_v4(false).map_err(refused("switch IP_MULTICAST_ALL off"))?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).map_err(refused("ask for the times of packets"))?;
    socket.set_recv_buffer_size(BUFFER).map_err(refused("set the receive buffer"))?;
    Ok(socket)
}

/// Sends IPv4 packets with their headers. Its protocol is IPPROTO_RAW, which receives nothing; with the loop off, no socket of this
/// host receives the multicasts either, so own adverts never come back.
fn open_adverts(name: &str) -> Result<Socket, Refused> {
    let socket = open(Domain::IPV4, libc::IPPROTO_RAW, "open a raw socket to send adverts")?;
    socket.set_header_included_v4(true).map_err(refused("set IP_HDRINCL"))?;
    socket.bind_device(Some(name.as_bytes())).map_err(refused("bind the sending socket to the interface"))?;
    socket.set_multicast_loop_v4(false).map_err(refused("switch IP_MULTICAST_LOOP off"))?;
    prefer(&socket)?;
    Ok(socket)
}

/// Sends Ethernet frames and receives none.
fn open_frames(ifindex: u32) -> Result<Socket, Refused> {
    let socket = open(Domain::PACKET, 0, "open a packet socket to send gratuitous ARP")?;
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
