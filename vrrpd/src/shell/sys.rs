//! The only `unsafe` of vrrpd. Each block states why it is sound.
#![allow(unsafe_code)] // This file is where it is allowed.

use core::net::IpAddr;
use nix::errno::Errno;
use nix::sys::socket::MsgFlags;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Most packets in one call of [`send_many`] (UIO_MAXIOV).
pub const SEND_LIMIT: usize = 1_024;

/// One packet to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    /// Where to; `None`: where the socket is bound to.
    pub destination: Option<IpAddr>,
}

/// Sends packets with one system call, and returns how many of them, from the first, were taken: at least one. An error is
/// about the first packet. At most [`SEND_LIMIT`] are tried.
///
/// nix 0.31 has `sendmmsg`, but the only way to learn how many packets were sent is to iterate over addresses that it has
/// never initialised.
pub fn send_many(socket: BorrowedFd<'_>, packets: &[Outgoing<'_>], flags: MsgFlags) -> Result<usize, Errno> {
    let packets = packets.get(..SEND_LIMIT).unwrap_or(packets);
    let names: Vec<Name> = packets.iter().map(|p| name(p.destination)).collect();
    let parts: Vec<libc::iovec> = packets.iter().map(|p| part(p.bytes)).collect();
    let mut messages: Vec<libc::mmsghdr> = names.iter().zip(&parts).map(|(name, part)| message(name, part)).collect();
    let count = libc::c_uint::try_from(messages.len()).unwrap_or(0);
    // SAFETY: `messages` holds `count` headers; each points to one element of `parts` and of `names`, which live until the end of
    // this function and do not move, and each part to the bytes of a packet, which the kernel only reads.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count, flags.bits()) };
    Errno::result(sent).map(|n| usize::try_from(n).unwrap_or(0))
}

/// Where a packet goes, as the kernel reads it.
enum Name {
    None,
    V4(libc::sockaddr_in),
    V6(libc::sockaddr_in6),
}

fn name(destination: Option<IpAddr>) -> Name {
    match destination {
        None => Name::None,
        Some(IpAddr::V4(address)) => Name::V4(libc::sockaddr_in {
            sin_family: libc::sa_family_t::try_from(libc::AF_INET).unwrap_or_default(),
            sin_port: 0,
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
            sin_zero: [0; 8],
        }),
        // The interface is the socket's own, so a link-local address needs no scope.
        Some(IpAddr::V6(address)) => Name::V6(libc::sockaddr_in6 {
            sin6_family: libc::sa_family_t::try_from(libc::AF_INET6).unwrap_or_default(),
            sin6_port: 0,
            sin6_flowinfo: 0,
            sin6_addr: libc::in6_addr { s6_addr: address.octets() },
            sin6_scope_id: 0,
        }),
    }
}

fn part(bytes: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
}

fn message(name: &Name, part: &libc::iovec) -> libc::mmsghdr {
    // SAFETY: the header is plain data (musl has private padding in it); zero is valid for each field and means "none".
    let mut message: libc::mmsghdr = unsafe { core::mem::zeroed() };
    message.msg_hdr.msg_iov = core::ptr::from_ref(part).cast_mut();
    message.msg_hdr.msg_iovlen = 1;
    let (name, length) = match name {
        Name::None => (core::ptr::null_mut(), 0),
        Name::V4(name) => (core::ptr::from_ref(name).cast_mut().cast(), length_of::<libc::sockaddr_in>()),
        Name::V6(name) => (core::ptr::from_ref(name).cast_mut().cast(), length_of::<libc::sockaddr_in6>()),
    };
    message.msg_hdr.msg_name = name;
    message.msg_hdr.msg_namelen = length;
    message
}

/// Binds a packet socket to one interface and to no protocol: it sends there and receives nothing (packet(7)).
pub fn bind_to_link(socket: BorrowedFd<'_>, ifindex: u32) -> Result<(), Errno> {
    // SAFETY: the address is plain data, zero is valid for each field.
    let mut address: libc::sockaddr_ll = unsafe { core::mem::zeroed() };
    address.sll_family = libc::sa_family_t::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_ifindex = libc::c_int::try_from(ifindex).map_err(|_| Errno::ENODEV)?;
    let length = length_of::<libc::sockaddr_ll>();
    // SAFETY: `address` is a whole sockaddr_ll of `length` bytes that the kernel reads during the call.
    let done = unsafe { libc::bind(socket.as_raw_fd(), core::ptr::from_ref(&address).cast(), length) };
    Errno::result(done).map(drop)
}

fn length_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or_default()
}
