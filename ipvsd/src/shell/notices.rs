//! Which notifications of NETLINK_ROUTE reach this process. A router that speaks BGP changes a hundred thousand routes: those of others
//! are dropped in the kernel, before they fill the receive buffer.

use ipvsd::netlink::paths::PROTOCOL;
use socket2::SockFilter;

const RTM_NEWROUTE: u32 = 24;
const RTM_DELROUTE: u32 = 25;

/// Offset of the low byte of a message's kind, which is in this machine's byte order, and of the protocol of a route
/// (`struct nlmsghdr`, `struct rtmsg`). Each notification is a datagram of its own.
const KIND: u32 = if cfg!(target_endian = "little") { 4 } else { 5 };
const ROUTE_PROTOCOL: u32 = 16 + 5;

/// BPF_LD | BPF_B | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K
const LOAD_BYTE: u16 = 0x30;
const JUMP_IF: u16 = 0x15;
const RETURN: u16 = 0x06;

/// Everything but routes of others. No kind that is subscribed to is above 255.
pub fn program() -> [SockFilter; 7] {
    [
        SockFilter::new(LOAD_BYTE, 0, 0, KIND),
        SockFilter::new(JUMP_IF, 1, 0, RTM_NEWROUTE),
        SockFilter::new(JUMP_IF, 0, 3, RTM_DELROUTE),
        SockFilter::new(LOAD_BYTE, 0, 0, ROUTE_PROTOCOL),
        SockFilter::new(JUMP_IF, 1, 0, u32::from(PROTOCOL)),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ]
}
