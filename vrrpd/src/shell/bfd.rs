//! The UDP sockets of BFD: one to receive for each family and port that is in use, one to send for each neighbour.
//!
//! Bounds: [`PACKETS_PER_TURN`] packets are taken from a socket in one turn. What cannot be opened is tried again every second and
//! complained of once. A packet that cannot be sent is lost: the next one follows; the first of a row is complained of, at most once a
//! minute for each neighbour.

use super::link::{Refused, refused};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use ipc::evloop::{EventLoop, Ready};
use ipc::net::Family;
use ipc::report::{Level, Line};
use ipc::time::Mono;
use mio::Token;
use mio::unix::SourceFd;
use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;
use vrrpd::io::{BfdHeard, BfdHops, BfdPeer};

/// Packets taken from one socket in one turn.
pub const PACKETS_PER_TURN: usize = 256;

/// Packets taken with one system call.
const BATCH: usize = 32;

/// Of a longer datagram the rest is cut off: a control packet without authentication has 24 bytes.
const LONGEST: usize = 64;

/// Time between attempts to open what could not be opened.
const RETRY: Duration = Duration::from_secs(1);

/// Time between two complaints of one neighbour.
const COMPLAINTS: Duration = Duration::from_secs(60);

/// Ports that packets are sent from (RFC 5881 §4).
const SOURCE_PORTS: core::ops::RangeInclusive<u16> = 49_152..=65_535;

/// Attempts to find a port that nobody has.
const PORT_ATTEMPTS: u32 = 16;

/// Linux' TC_PRIO_INTERACTIVE, the highest that needs no capability on any kernel: ahead of bulk traffic in the interface's queue.
const PRIORITY: u32 = 6;

/// What is received on: each at the place of its number in a token.
const PORTS: [(Family, BfdHops); 4] = [
    (Family::V4, BfdHops::Single),
    (Family::V4, BfdHops::Many),
    (Family::V6, BfdHops::Single),
    (Family::V6, BfdHops::Many),
];

/// The token of the first of [`PORTS`]; there are as many as ports.
const FIRST_TOKEN: usize = 8;

/// A packet and when the kernel got it, on the clock of the day.
#[derive(Debug)]
pub struct Received {
    /// The packet.
    pub heard: BfdHeard,
    /// Since 1970.
    pub stamp: Option<Duration>,
}

#[derive(Debug)]
struct Sender {
    socket: Socket,
    target: SockAddr,
    complained: Option<Mono>,
    failing: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub struct BfdSockets {
    wanted: Vec<BfdPeer>,
    receivers: BTreeMap<(Family, BfdHops), Socket>,
    senders: BTreeMap<BfdPeer, Sender>,
    /// What has been complained of since `wanted` changed.
    complained: BTreeSet<String>,
    retry: Option<Mono>,
}

impl BfdSockets {
    /// Opens and closes until there is exactly what `wanted` needs.
    pub fn listen(&mut self, now: Mono, wanted: Vec<BfdPeer>, events: &mut EventLoop, log: &mut Vec<Line>) {
        self.wanted = wanted;
        self.complained.clear();
        self.reconcile(now, events, log);
    }

    /// When [`BfdSockets::retry`] wants to be called.
    pub fn deadline(&self) -> Option<Mono> {
        self.retry
    }

    /// Tries again what could not be opened, when its time has come.
    pub fn retry(&mut self, now: Mono, events: &mut EventLoop, log: &mut Vec<Line>) {
        if self.retry.is_some_and(|at| at <= now) {
            self.reconcile(now, events, log);
        }
    }

    /// Whether a neighbour can be spoken to.
    pub fn is_open(&self, peer: &BfdPeer) -> bool {
        self.senders.contains_key(peer)
    }

    fn reconcile(&mut self, now: Mono, events: &mut EventLoop, log: &mut Vec<Line>) {
        self.retry = None;
        let ports: BTreeSet<(Family, BfdHops)> =
            self.wanted.iter().map(|peer| (Family::of(peer.neighbor), peer.hops)).collect();
        self.receivers.retain(|port, _| ports.contains(port));
        let wanted: BTreeSet<BfdPeer> = self.wanted.iter().copied().collect();
        self.senders.retain(|peer, _| wanted.contains(peer));
        let mut failures = Vec::new();
        for port in ports {
            if let Entry::Vacant(place) = self.receivers.entry(port) {
                match open_receiver(port, events) {
                    Ok(socket) => drop(place.insert(socket)),
                    Err(refused) => failures.push(refused),
                }
            }
        }
        for peer in wanted {
            if let Entry::Vacant(place) = self.senders.entry(peer) {
                match open_sender(&peer) {
                    Ok(sender) => drop(place.insert(sender)),
                    Err(refused) => failures.push(refused),
                }
            }
        }
        for refused in failures {
            self.retry = Some(now + RETRY);
            let text = format!("BFD does not work: {refused}; trying again every second");
            if self.complained.insert(text.clone()) {
                log.push(Line::new(Level::Error, text));
            }
        }
    }

    /// Sends a packet. What is for a neighbour that has no socket (yet) is lost, which was complained of.
    pub fn send(&mut self, now: Mono, peer: &BfdPeer, bytes: &[u8], log: &mut Vec<Line>) {
        let Some(sender) = self.senders.get_mut(peer) else { return };
        // Once more: an error that was left at the socket is told once.
        let sent =
            sender.socket.send_to(bytes, &sender.target).or_else(|_| sender.socket.send_to(bytes, &sender.target));
        let Err(why) = sent else {
            sender.failing = false;
            return;
        };
        let due = sender.complained.is_none_or(|at| now.since(at) >= COMPLAINTS);
        if !sender.failing && due {
            sender.complained = Some(now);
            log.push(Line::new(Level::Warning, format!("Could not send a BFD packet to {}: {why}", peer.neighbor)));
        }
        sender.failing = true;
    }

    /// Takes what is there on a socket that is ready; `false` when the token is none of these.
    pub fn ready(&mut self, ready: Ready, events: &mut EventLoop, into: &mut Vec<Received>) -> bool {
        let port = ready.token.0.checked_sub(FIRST_TOKEN).and_then(|n| PORTS.get(n));
        let Some((port, socket)) = port.and_then(|port| self.receivers.get_key_value(port)) else {
            return port.is_some();
        };
        let mut taken = 0_usize;
        loop {
            let count = receive(socket, *port, into);
            taken = taken.saturating_add(count);
            if count == 0 {
                return true;
            }
            if taken >= PACKETS_PER_TURN {
                // The poll set is edge-triggered: registering again makes it report what is left.
                let fd = socket.as_raw_fd();
                let _ = events.rearm_readable(&mut SourceFd(&fd), ready.token);
                return true;
            }
        }
    }
}

fn udp(family: Family, what: &str) -> Result<Socket, Refused> {
    let domain = match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    let socket =
        Socket::new_raw(domain, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP)).map_err(refused(what))?;
    if family == Family::V6 {
        socket.set_only_v6(true).map_err(refused("set IPV6_V6ONLY"))?;
    }
    Ok(socket)
}

fn any(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn open_receiver(port: (Family, BfdHops), events: &mut EventLoop) -> Result<Socket, Refused> {
    let (family, hops) = port;
    let socket = udp(family, "open a UDP socket to receive BFD packets")?;
    match family {
        Family::V4 => {
            setsockopt(&socket, sockopt::Ipv4RecvTtl, &true).map_err(refused("ask for the TTL of packets"))?;
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true).map_err(refused("ask for destinations"))?;
        }
        Family::V6 => {
            socket.set_recv_hoplimit_v6(true).map_err(refused("ask for hop limits"))?;
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true).map_err(refused("ask for destinations"))?;
        }
    }
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).map_err(refused("ask for the times of packets"))?;
    let address = SocketAddr::new(any(family), hops.port());
    socket.bind(&address.into()).map_err(refused(format!("receive BFD packets at UDP {address}")))?;
    let token = PORTS.iter().position(|known| *known == port).unwrap_or_default().saturating_add(FIRST_TOKEN);
    events
        .add_readable(&mut SourceFd(&socket.as_raw_fd()), Token(token))
        .map_err(|e| Refused::new("watch the receiving socket of BFD", e))?;
    Ok(socket)
}

fn open_sender(peer: &BfdPeer) -> Result<Sender, Refused> {
    let family = Family::of(peer.neighbor);
    let socket = udp(family, "open a UDP socket to send BFD packets")?;
    match family {
        Family::V4 => socket.set_ttl_v4(peer.ttl.into()),
        Family::V6 => socket.set_unicast_hops_v6(peer.ttl.into()),
    }
    .map_err(refused("set the TTL of BFD packets"))?;
    socket.set_priority(PRIORITY).map_err(refused("set SO_PRIORITY"))?;
    // Nothing is ever read from it.
    socket.set_recv_buffer_size(1).map_err(refused("set the receive buffer"))?;
    let source = peer.source.unwrap_or(any(family));
    bind_somewhere(&socket, source).map_err(refused(format!("send BFD packets from {source}")))?;
    let target = SocketAddr::new(peer.neighbor, peer.hops.port()).into();
    Ok(Sender { socket, target, complained: None, failing: false })
}

/// Binds to a port of [`SOURCE_PORTS`] that nobody can foresee.
fn bind_somewhere(socket: &Socket, source: IpAddr) -> io::Result<()> {
    let mut result = Ok(());
    for _ in 0..PORT_ATTEMPTS {
        let count = u64::from(SOURCE_PORTS.end() - SOURCE_PORTS.start()) + 1;
        let offset = u16::try_from(RandomState::new().build_hasher().finish() % count).unwrap_or_default();
        let port = SOURCE_PORTS.start().saturating_add(offset);
        result = socket.bind(&SocketAddr::new(source, port).into());
        if !result.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::AddrInUse) {
            break;
        }
    }
    result
}

/// Receives at most [`BATCH`] packets with one system call and appends them to `into`; says how many. 0: there are none.
fn receive(socket: &Socket, (_, hops): (Family, BfdHops), into: &mut Vec<Received>) -> usize {
    let mut buffer = [0_u8; BATCH * LONGEST];
    let mut slots: Vec<[IoSliceMut<'_>; 1]> = buffer.chunks_mut(LONGEST).map(|slot| [IoSliceMut::new(slot)]).collect();
    let space = cmsg_space!(TimeSpec, libc::in6_pktinfo, i32);
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(slots.len(), Some(space));
    let Ok(packets) = recvmmsg(socket.as_raw_fd(), &mut headers, slots.iter_mut(), MsgFlags::MSG_DONTWAIT, None) else {
        return 0;
    };
    let mut count = 0_usize;
    for packet in packets {
        count = count.saturating_add(1);
        let (mut stamp, mut to, mut ttl) = (None, None, None);
        for control in packet.cmsgs().into_iter().flatten() {
            match control {
                ControlMessageOwned::ScmTimestampns(time) => stamp = Some(time.into()),
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    to = Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => to = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into()),
                ControlMessageOwned::Ipv4Ttl(n) | ControlMessageOwned::Ipv6HopLimit(n) => ttl = u8::try_from(n).ok(),
                _ => {}
            }
        }
        let from = packet.address.as_ref().and_then(address);
        let bytes = packet.iovs().next().unwrap_or_default().to_vec();
        if let (Some(from), Some(ttl)) = (from, ttl) {
            into.push(Received { heard: BfdHeard { hops, from, to, ttl, bytes }, stamp });
        }
    }
    count
}

fn address(storage: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = || storage.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    let v6 = || storage.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip()));
    v4().or_else(v6)
}
