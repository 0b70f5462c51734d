//! Sockets with a mark for checkd's probes: SO_MARK takes CAP_NET_ADMIN, which checkd has not.

use ipc::config::probe::{Marked, SocketKind};
use ipc::net::Family;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::os::fd::OwnedFd;

/// Opens one; nothing else is done with it here.
pub fn open(Marked { mark, family, kind }: Marked) -> io::Result<OwnedFd> {
    let domain = match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    let (kind, protocol) = match (kind, family) {
        (SocketKind::Tcp, _) => (Type::STREAM, Protocol::TCP),
        (SocketKind::Udp, _) => (Type::DGRAM, Protocol::UDP),
        (SocketKind::Ping, Family::V4) => (Type::DGRAM, Protocol::ICMPV4),
        (SocketKind::Ping, Family::V6) => (Type::DGRAM, Protocol::ICMPV6),
    };
    let socket = Socket::new(domain, kind.nonblocking(), Some(protocol))?;
    socket.set_mark(mark)?;
    Ok(socket.into())
}
