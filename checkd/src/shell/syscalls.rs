//! The system calls of `checkd run` beside those of every child ([`ipc::seccomp::base::BASE`]): name, when, and what makes it.

use ipc::seccomp::{Arg, Call, call, call_if};

const AF_INET: u32 = libc::AF_INET.cast_unsigned();
const AF_INET6: u32 = libc::AF_INET6.cast_unsigned();
const STREAM: u32 = (libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC).cast_unsigned();
const DATAGRAM: u32 = (libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC).cast_unsigned();
const TCP: u32 = libc::IPPROTO_TCP.cast_unsigned();
const UDP: u32 = libc::IPPROTO_UDP.cast_unsigned();
const ICMP: u32 = libc::IPPROTO_ICMP.cast_unsigned();
const ICMPV6: u32 = libc::IPPROTO_ICMPV6.cast_unsigned();
const SOL_SOCKET: u32 = libc::SOL_SOCKET.cast_unsigned();

/// For `checkd run`.
pub const RUN: &[Call] = &[
    call_if(
        "socket",
        &[
            &[Arg::Is(0, AF_INET), Arg::Is(1, STREAM), Arg::Is(2, TCP)],
            &[Arg::Is(0, AF_INET6), Arg::Is(1, STREAM), Arg::Is(2, TCP)],
            &[Arg::Is(0, AF_INET), Arg::Is(1, DATAGRAM), Arg::Is(2, UDP)],
            &[Arg::Is(0, AF_INET6), Arg::Is(1, DATAGRAM), Arg::Is(2, UDP)],
            // Echoes only, and only where net.ipv4.ping_group_range lets this group; never a raw socket.
            &[Arg::Is(0, AF_INET), Arg::Is(1, DATAGRAM), Arg::Is(2, ICMP)],
            &[Arg::Is(0, AF_INET6), Arg::Is(1, DATAGRAM), Arg::Is(2, ICMPV6)],
        ],
        "shell::connect::begin: TCP; UDP_CHECK, DNS_CHECK; PING_CHECK",
    ),
    call_if(
        "setsockopt",
        &[
            &[Arg::Is(1, SOL_SOCKET), Arg::Is(2, libc::SO_REUSEADDR.cast_unsigned())],
            &[Arg::Is(1, SOL_SOCKET), Arg::Is(2, libc::SO_LINGER.cast_unsigned())],
            // Without a right only for a socket that is bound to no interface yet (Linux 5.7).
            &[Arg::Is(1, SOL_SOCKET), Arg::Is(2, libc::SO_BINDTODEVICE.cast_unsigned())],
        ],
        "shell::connect::begin: bind_port, bind_if",
    ),
    call("bind", "shell::connect::begin: bindto, bind_port"),
    call("connect", "shell::connect::begin"),
    call_if(
        "getsockopt",
        &[&[Arg::Is(1, SOL_SOCKET), Arg::Is(2, libc::SO_ERROR.cast_unsigned())]],
        "shell::connect::Connection::connected",
    ),
    call("getpeername", "shell::connect::Connection::connected"),
    call("recvfrom", "shell::connect::Connections::ready"),
];
