//! The sockets of health checks: checkd opens those without a mark, ipvsd those with one.

use super::Arg;

const AF_INET: u32 = libc::AF_INET.cast_unsigned();
const AF_INET6: u32 = libc::AF_INET6.cast_unsigned();
const STREAM: u32 = (libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC).cast_unsigned();
const DATAGRAM: u32 = (libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC).cast_unsigned();
const TCP: u32 = libc::IPPROTO_TCP.cast_unsigned();
const UDP: u32 = libc::IPPROTO_UDP.cast_unsigned();
const ICMP: u32 = libc::IPPROTO_ICMP.cast_unsigned();
const ICMPV6: u32 = libc::IPPROTO_ICMPV6.cast_unsigned();

/// When `socket` is allowed for them.
pub const SOCKETS: &[&[Arg]] = &[
    &[Arg::Is(0, AF_INET), Arg::Is(1, STREAM), Arg::Is(2, TCP)],
    &[Arg::Is(0, AF_INET6), Arg::Is(1, STREAM), Arg::Is(2, TCP)],
    &[Arg::Is(0, AF_INET), Arg::Is(1, DATAGRAM), Arg::Is(2, UDP)],
    &[Arg::Is(0, AF_INET6), Arg::Is(1, DATAGRAM), Arg::Is(2, UDP)],
    // Echoes only, and only where net.ipv4.ping_group_range lets this group; never a raw socket.
    &[Arg::Is(0, AF_INET), Arg::Is(1, DATAGRAM), Arg::Is(2, ICMP)],
    &[Arg::Is(0, AF_INET6), Arg::Is(1, DATAGRAM), Arg::Is(2, ICMPV6)],
];
