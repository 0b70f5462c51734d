//! Gratuitous ARP (RFC 826, RFC 5227 §3): tells everybody on the link where a virtual address lives now.

use core::net::Ipv4Addr;
use ipc::net::Mac;

/// Length of a frame in bytes; the network card pads it to the Ethernet minimum.
pub const FRAME_LEN: usize = 42;

/// An ARP request whose sender and target are `addr`, from `mac` to everybody.
/// COMPAT: keepalived 2.2.7: a request (not a reply), target hardware address all ones, 42 bytes without padding.
pub fn gratuitous(mac: Mac, addr: Ipv4Addr) -> [u8; FRAME_LEN] {
    let [m0, m1, m2, m3, m4, m5] = mac.0;
    let [a, b, c, d] = addr.octets();
    [
        // Ethernet: destination, source, type ARP.
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, m0, m1, m2, m3, m4, m5, 0x08, 0x06, //
        // Ethernet hardware, IPv4 protocol, their lengths, operation request.
        0x00, 0x01, 0x08, 0x00, 6, 4, 0x00, 0x01, //
        // Sender, target.
        m0, m1, m2, m3, m4, m5, a, b, c, d, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, a, b, c, d,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_keepalived_sends_it() {
        // Captured from keepalived 2.2.7, veth with address 02:00:00:00:00:01, virtual address 192.168.77.100.
        let captured = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x01, 0x08, 0x00,
            0x06, 0x04, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0xc0, 0xa8, 0x4d, 0x64, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xc0, 0xa8, 0x4d, 0x64,
        ];
        assert_eq!(gratuitous(Mac([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(192, 168, 77, 100)), captured);
    }
}
