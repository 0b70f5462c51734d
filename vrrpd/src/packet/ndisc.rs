//! Unsolicited neighbour advertisements (RFC 4861 §7.2.6): what gratuitous ARP is for IPv6.

use super::{checksum, ip};
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use ipc::msg::vips::Forwarding;
use ipc::net::Mac;

/// Length of a frame in bytes: Ethernet, IPv6, the advertisement and its option.
pub const FRAME_LEN: usize = 14 + ip::HEADER6_LEN + MESSAGE_LEN;

/// Neighbour advertisement (24 bytes) and target link-layer address (8 bytes).
const MESSAGE_LEN: usize = 32;

/// IP protocol number of ICMPv6.
const ICMPV6: u8 = 58;

/// All nodes of the link (RFC 4291 §2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// RFC 4861 §4.4: the router flag.
const ROUTER: u8 = 0x80;

/// RFC 4861 §4.4: the override flag.
const OVERRIDE: u8 = 0x20;

/// A neighbour advertisement for `addr`, from `mac` to all nodes of the link.
/// COMPAT: keepalived 2.2.7: from the address itself, with the router flag where the interface forwards.
pub fn unsolicited(mac: Mac, addr: Ipv6Addr, forwarding: Forwarding) -> Vec<u8> {
    let flags = match forwarding {
        Forwarding::Yes => ROUTER | OVERRIDE,
        Forwarding::No => OVERRIDE,
    };
    let message = |sum: [u8; 2]| {
        let [c0, c1] = sum;
        let parts: [&[u8]; 4] = [&[136, 0, c0, c1, flags, 0, 0, 0], &addr.octets(), &[2, 1], &mac.0];
        parts.concat()
    };
    let sum = checksum::with_pseudo_header(addr.into(), ALL_NODES.into(), ICMPV6, &message([0, 0]));
    let header = ip::Outgoing {
        source: addr.into(),
        destination: ALL_NODES.into(),
        ttl: 255,
        id: 0,
        protocol: ICMPV6,
        payload_len: 32,
    };
    let mut header = header.encode();
    // COMPAT: no traffic class, other than adverts.
    for (to, from) in header.iter_mut().zip([0x60, 0, 0, 0]) {
        *to = from;
    }
    let mut frame = Vec::with_capacity(FRAME_LEN);
    frame.extend_from_slice(&[0x33, 0x33, 0, 0, 0, 1]);
    frame.extend_from_slice(&mac.0);
    frame.extend_from_slice(&[0x86, 0xdd]);
    frame.extend_from_slice(&header);
    frame.extend_from_slice(&message(sum.to_be_bytes()));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured from keepalived 2.2.7, veth with address 02:00:00:00:00:01, virtual address fe80::51.
    #[test]
    fn as_keepalived_sends_it() {
        let captured = [
            0x33, 0x33, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x86, 0xdd, 0x60, 0x00, 0x00, 0x00,
            0x00, 0x20, 0x3a, 0xff, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
            0x00, 0x51, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,
            0x88, 0x00, 0x56, 0xfb, 0x20, 0x00, 0x00, 0x00, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
            0x00, 0x00, 0x00, 0x00, 0x00, 0x51, 0x02, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01,
        ];
        let addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x51);
        let frame = unsolicited(Mac([2, 0, 0, 0, 0, 1]), addr, Forwarding::No);
        assert_eq!(frame, captured);
        assert_eq!(frame.len(), FRAME_LEN);
    }
}
