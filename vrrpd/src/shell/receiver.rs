//! A socket that receives adverts of one kind on one interface.

use super::link::{BUFFER, Refused, open, refused};
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;
use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn6, recvmmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, InterfaceIndexOrAddress, Socket};
use std::collections::BTreeSet;
use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use vrrpd::io::Way;
use vrrpd::packet::{PROTOCOL, PROTOCOL_AH};

/// Packets taken with one system call.
pub const BATCH: usize = 32;

/// Longest packet that is received whole. No valid one is longer: 255 IPv6 addresses of 16 bytes (IPv4: IP header with options,
/// authentication header and data, and a quarter of that), VRRP header 8, trailer 28 bytes. Of a longer one the rest is cut off, so that
/// its length is wrong.
pub const LONGEST: usize = 4_160;

/// A packet as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// All of it, IP header included, or its first [`LONGEST`] bytes.
    pub bytes: Vec<u8>,
    /// When the kernel got it, on the clock of the day (since 1970).
    pub stamp: Option<Duration>,
}

/// Room for [`BATCH`] packets, used again and again.
#[derive(Debug)]
pub struct Buffers(Vec<u8>);

impl Default for Buffers {
    fn default() -> Self {
        Buffers(vec![0; BATCH.saturating_mul(LONGEST)])
    }
}

/// The socket.
#[derive(Debug)]
pub struct Receiver {
    way: Way,
    ifindex: u32,
    socket: Socket,
    joined: BTreeSet<IpAddr>,
}

impl Receiver {
    /// Opens it; it receives unicast, and the groups that this very socket has joined.
    pub fn open(way: Way, ifindex: u32, name: &str) -> Result<Receiver, Refused> {
        let what = "open a raw socket to receive adverts";
        let socket = match way {
            Way::V4 => open(Domain::IPV4, PROTOCOL.into(), what)?,
            Way::Ah => open(Domain::IPV4, PROTOCOL_AH.into(), what)?,
            Way::V6 => open(Domain::IPV6, PROTOCOL.into(), what)?,
        };
        socket.bind_device(Some(name.as_bytes())).map_err(refused("bind the receiving socket to the interface"))?;
        match way {
            Way::V4 | Way::Ah => {
                socket.set_multicast_all_v4(false).map_err(refused("switch IP_MULTICAST_ALL off"))?;
            }
            Way::V6 => {
                socket.set_multicast_all_v6(false).map_err(refused("switch IPV6_MULTICAST_ALL off"))?;
                setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true).map_err(refused("ask for destinations"))?;
                socket.set_recv_hoplimit_v6(true).map_err(refused("ask for hop limits"))?;
            }
        }
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).map_err(refused("ask for the times of packets"))?;
        socket.set_recv_buffer_size(BUFFER).map_err(refused("set the receive buffer"))?;
        Ok(Receiver { way, ifindex, socket, joined: BTreeSet::new() })
    }

    /// For the event loop.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Joins and leaves until exactly `groups` are joined. All are tried; the first failure is returned.
    pub fn join(&mut self, groups: &[IpAddr]) -> Result<(), Refused> {
        let wanted: BTreeSet<IpAddr> = groups.iter().copied().collect();
        let interface = InterfaceIndexOrAddress::Index(self.ifindex);
        for group in self.joined.difference(&wanted) {
            // Fails only when the kernel has dropped the membership with the interface's address list.
            let _ = match group {
                IpAddr::V4(group) => self.socket.leave_multicast_v4_n(group, &interface),
                IpAddr::V6(group) => self.socket.leave_multicast_v6(group, self.ifindex),
            };
        }
        self.joined.retain(|group| wanted.contains(group));
        let mut result = Ok(());
        for group in wanted.difference(&self.joined.clone()) {
            let joined = match group {
                IpAddr::V4(group) => self.socket.join_multicast_v4_n(group, &interface),
                IpAddr::V6(group) => self.socket.join_multicast_v6(group, self.ifindex),
            };
            match joined {
                Ok(()) => {
                    self.joined.insert(*group);
                }
                Err(e) => result = result.and(Err(Refused::new(format!("join the multicast group {group}"), e))),
            }
        }
        result
    }

    /// Receives at most [`BATCH`] packets with one system call and appends them to `into`; says how many. 0: there are none.
    pub fn receive(&self, buffers: &mut Buffers, into: &mut Vec<Received>) -> usize {
        let mut slots: Vec<[IoSliceMut<'_>; 1]> =
            buffers.0.chunks_mut(LONGEST).map(|slot| [IoSliceMut::new(slot)]).collect();
        let space = cmsg_space!(TimeSpec, libc::in6_pktinfo, i32);
        let mut headers = MultiHeaders::<SockaddrIn6>::preallocate(slots.len(), Some(space));
        // An error that is not "nothing there" (a link that went down) is told once by the kernel and says nothing that ipvsd does
        // not tell with the link's facts.
        let Ok(packets) =
            recvmmsg(self.socket.as_raw_fd(), &mut headers, slots.iter_mut(), MsgFlags::MSG_DONTWAIT, None)
        else {
            return 0;
        };
        let mut count = 0usize;
        for packet in packets {
            count = count.saturating_add(1);
            let mut said = Said::default();
            packet.cmsgs().into_iter().flatten().for_each(|control| said.take(control));
            let bytes = packet.iovs().next().unwrap_or_default();
            let bytes = match self.way {
                Way::V4 | Way::Ah => Some(bytes.to_vec()),
                Way::V6 => packet.address.and_then(|from| said.with_header(from.ip(), bytes)),
            };
            into.extend(bytes.map(|bytes| Received { bytes, stamp: said.stamp }));
        }
        count
    }
}

/// What the kernel says of a packet.
#[derive(Debug, Default)]
struct Said {
    stamp: Option<Duration>,
    destination: Option<Ipv6Addr>,
    hops: Option<u8>,
}

impl Said {
    fn take(&mut self, control: ControlMessageOwned) {
        match control {
            ControlMessageOwned::ScmTimestampns(time) => self.stamp = Some(time.into()),
            ControlMessageOwned::Ipv6PacketInfo(info) => self.destination = Some(info.ipi6_addr.s6_addr.into()),
            ControlMessageOwned::Ipv6HopLimit(hops) => self.hops = u8::try_from(hops).ok(),
            _ => {}
        }
    }

    /// The packet with an IPv6 header as it had one: a raw IPv6 socket gives what follows it.
    fn with_header(&self, source: Ipv6Addr, payload: &[u8]) -> Option<Vec<u8>> {
        let length = u16::try_from(payload.len()).ok()?.to_be_bytes();
        let mut bytes = vec![0x60, 0, 0, 0];
        bytes.extend(length);
        bytes.extend([PROTOCOL, self.hops?]);
        bytes.extend(source.octets());
        bytes.extend(self.destination?.octets());
        bytes.extend(payload);
        Some(bytes)
    }
}
