//! A second reader of VRRP and ARP, for assertions: it shares nothing with vrrpd's, so a mistake there is seen here.

use std::net::Ipv4Addr;

/// A VRRP advertisement over IPv4 (RFC 3768 §5.1, RFC 9568 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// IP source.
    pub source: Ipv4Addr,
    /// IP destination.
    pub destination: Ipv4Addr,
    /// IP time to live.
    pub ttl: u8,
    /// IP identification.
    pub id: u16,
    /// VRRP version, 2 or 3.
    pub version: u8,
    /// Virtual router.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// The addresses in it.
    pub addresses: Vec<Ipv4Addr>,
    /// The IP packet with identification and IP checksum set to zero: what two daemons must agree on.
    pub comparable: Vec<u8>,
}

impl Advert {
    /// Reads one out of an Ethernet frame; none if it is something else.
    pub fn read(frame: &[u8]) -> Option<Self> {
        let packet = payload(frame, 0x0800)?;
        let header_length = usize::from(*packet.first()? & 0x0f) * 4;
        let total = usize::from(u16_at(packet, 2)?);
        let packet = packet.get(..total)?;
        if *packet.get(9)? != 112 {
            return None;
        }
        let vrrp = packet.get(header_length..)?;
        let count = usize::from(*vrrp.get(3)?);
        let mut comparable = packet.to_vec();
        for range in [4..6, 10..12] {
            comparable.get_mut(range)?.fill(0);
        }
        Some(Advert {
            source: address_at(packet, 12)?,
            destination: address_at(packet, 16)?,
            ttl: *packet.get(8)?,
            id: u16_at(packet, 4)?,
            version: *vrrp.first()? >> 4,
            vrid: *vrrp.get(1)?,
            priority: *vrrp.get(2)?,
            addresses: (0..count).map(|n| address_at(vrrp, 8 + 4 * n)).collect::<Option<_>>()?,
            comparable,
        })
    }
}

/// An ARP packet for IPv4 over Ethernet (RFC 826).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// Whose hardware address is told.
    pub sender_mac: [u8; 6],
    /// Whose address it is.
    pub sender: Ipv4Addr,
    /// Who is asked for.
    pub target: Ipv4Addr,
    /// The frame was sent to everybody.
    pub broadcast: bool,
}

impl Arp {
    /// Reads one out of an Ethernet frame; none if it is something else.
    pub fn read(frame: &[u8]) -> Option<Self> {
        let packet = payload(frame, 0x0806)?;
        Some(Arp {
            operation: u16_at(packet, 6)?,
            sender_mac: packet.get(8..14)?.try_into().ok()?,
            sender: address_at(packet, 14)?,
            target: address_at(packet, 24)?,
            broadcast: frame.get(..6)? == [0xff; 6],
        })
    }

    /// A gratuitous ARP for `address` (RFC 5227 §3: sender and target are the same).
    pub fn announces(&self, address: Ipv4Addr) -> bool {
        self.broadcast && self.sender == address && self.target == address
    }
}

fn payload(frame: &[u8], kind: u16) -> Option<&[u8]> {
    (u16_at(frame, 12)? == kind).then(|| frame.get(14..)).flatten()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn address_at(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?))
}
