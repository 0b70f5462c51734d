//! The system calls of vrrpd beside those of every child ([`ipc::seccomp::base::BASE`]): name, when, and what makes it.

use ipc::seccomp::{Arg, Call, call, call_if};

const AF_INET: u32 = libc::AF_INET.cast_unsigned();
const AF_INET6: u32 = libc::AF_INET6.cast_unsigned();
const AF_PACKET: u32 = libc::AF_PACKET.cast_unsigned();
const RAW: u32 = (libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC).cast_unsigned();
const DATAGRAM: u32 = (libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC).cast_unsigned();
const UDP: u32 = libc::IPPROTO_UDP.cast_unsigned();
const VRRP: u32 = 112;
const AH: u32 = 51;
const RAW_SEND_ONLY: u32 = libc::IPPROTO_RAW.cast_unsigned();

/// For vrrpd.
pub const CALLS: &[Call] = &[
    call_if(
        "socket",
        &[
            &[Arg::Is(0, AF_INET), Arg::Is(1, RAW), Arg::Is(2, VRRP)],
            &[Arg::Is(0, AF_INET), Arg::Is(1, RAW), Arg::Is(2, AH)],
            &[Arg::Is(0, AF_INET), Arg::Is(1, RAW), Arg::Is(2, RAW_SEND_ONLY)],
            &[Arg::Is(0, AF_INET6), Arg::Is(1, RAW), Arg::Is(2, VRRP)],
            &[Arg::Is(0, AF_INET6), Arg::Is(1, RAW), Arg::Is(2, RAW_SEND_ONLY)],
            &[Arg::Is(0, AF_INET), Arg::Is(1, DATAGRAM), Arg::Is(2, UDP)],
            &[Arg::Is(0, AF_INET6), Arg::Is(1, DATAGRAM), Arg::Is(2, UDP)],
            // Ours receives nothing. A stolen vrrpd could bind another one to every protocol: with CAP_NET_RAW it can read packets anyway.
            &[Arg::Is(0, AF_PACKET), Arg::Is(1, RAW), Arg::Is(2, 0)],
        ],
        "shell::link::open: receive adverts, send adverts, send gratuitous ARP and neighbour advertisements; shell::bfd::udp",
    ),
    call("bind", "shell::sys::bind_to_link, shell::bfd"),
    call_if(
        "setsockopt",
        &[
            &[Arg::Is(1, libc::SOL_SOCKET.cast_unsigned()), Arg::Is(2, libc::SO_BINDTODEVICE.cast_unsigned())],
            &[Arg::Is(1, libc::SOL_SOCKET.cast_unsigned()), Arg::Is(2, libc::SO_PRIORITY.cast_unsigned())],
            &[Arg::Is(1, libc::SOL_SOCKET.cast_unsigned()), Arg::Is(2, libc::SO_RCVBUF.cast_unsigned())],
            &[Arg::Is(1, libc::SOL_SOCKET.cast_unsigned()), Arg::Is(2, libc::SO_SNDBUF.cast_unsigned())],
            &[Arg::Is(1, libc::SOL_SOCKET.cast_unsigned()), Arg::Is(2, libc::SO_TIMESTAMPNS.cast_unsigned())],
            &[Arg::Is(1, libc::IPPROTO_IP.cast_unsigned())],
            &[Arg::Is(1, libc::IPPROTO_IPV6.cast_unsigned())],
        ],
        "shell::link, shell::receiver, shell::bfd: device, priority, buffers, times; header included, groups, all, loop, destination, hops",
    ),
    call("recvmmsg", "shell::receiver::Receiver::receive, shell::bfd::receive"),
    call("sendmmsg", "shell::sys::send_many"),
    call("sendto", "shell::bfd::send"),
];
