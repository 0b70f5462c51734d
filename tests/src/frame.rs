//! A second reader of VRRP and ARP, for assertions: it shares nothing with vrrpd's, so a mistake there is seen here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A VRRP advertisement (RFC 3768 §5.1, RFC 9568 §5.1), behind an authentication header or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// IP source.
    pub source: IpAddr,
    /// IP destination.
    pub destination: IpAddr,
    /// IP time to live, hop limit.
    pub ttl: u8,
    /// VRRP version, 2 or 3.
    pub version: u8,
    /// Virtual router.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// The addresses in it.
    pub addresses: Vec<IpAddr>,
    /// The IP packet with identification, IP checksum and flow label set to zero: what two daemons must agree on.
    pub comparable: Vec<u8>,
}

impl Advert {
    /// Reads one out of an Ethernet frame; none if it is something else.
    pub fn read(frame: &[u8]) -> Option<Self> {
        let four = u16_at(frame, 12)? == 0x0800;
        let packet = if four { payload(frame, 0x0800)? } else { payload(frame, 0x86dd)? };
        let (mut header, total, protocol, ttl, addresses, own, unimportant) = if four {
            let total = usize::from(u16_at(packet, 2)?);
            (usize::from(*packet.first()? & 0x0f) * 4, total, 9, 8, 12, 4, [4..6, 10..12])
        } else {
            (40, 40 + usize::from(u16_at(packet, 4)?), 6, 7, 8, 16, [1..4, 0..0])
        };
        let packet = packet.get(..total)?;
        match *packet.get(protocol)? {
            112 => {}
            51 => header += 24,
            _ => return None,
        }
        let vrrp = packet.get(header..)?;
        let mut comparable = packet.to_vec();
        for range in unimportant {
            comparable.get_mut(range)?.fill(0);
        }
        Some(Advert {
            source: ip_at(packet, addresses, own)?,
            destination: ip_at(packet, addresses + own, own)?,
            ttl: *packet.get(ttl)?,
            version: *vrrp.first()? >> 4,
            vrid: *vrrp.get(1)?,
            priority: *vrrp.get(2)?,
            addresses: (0..usize::from(*vrrp.get(3)?)).map(|n| ip_at(vrrp, 8 + own * n, own)).collect::<Option<_>>()?,
            comparable,
        })
    }
}

/// A BFD control packet (RFC 5880 §4.1) in UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bfd {
    /// IP time to live, hop limit.
    pub ttl: u8,
    /// UDP source port.
    pub source_port: u16,
    /// UDP destination port: 3784 or 4784.
    pub port: u16,
    /// Bytes in the datagram.
    pub length: usize,
    /// Version.
    pub version: u8,
    /// Diag
    pub diag: u8,
    /// Sta: 0 AdminDown, 1 Down, 2 Init, 3 Up.
    pub state: u8,
    /// The flags P, F, C, A, D and M, from the left.
    pub flags: u8,
    /// Detect Mult
    pub multiplier: u8,
    /// My Discriminator
    pub mine: u32,
    /// Your Discriminator
    pub yours: u32,
    /// Desired Min TX Interval, microseconds.
    pub min_tx: u32,
    /// Required Min RX Interval, microseconds.
    pub min_rx: u32,
    /// Required Min Echo RX Interval, microseconds.
    pub min_echo: u32,
}

impl Bfd {
    /// The flag P.
    pub const POLL: u8 = 0x20;

    /// The flag F.
    pub const FINAL: u8 = 0x10;

    /// Reads one out of an Ethernet frame; none if it is something else.
    pub fn read(frame: &[u8]) -> Option<Self> {
        let four = u16_at(frame, 12)? == 0x0800;
        let packet = if four { payload(frame, 0x0800)? } else { payload(frame, 0x86dd)? };
        let (header, protocol, ttl) = if four { (usize::from(*packet.first()? & 0x0f) * 4, 9, 8) } else { (40, 6, 7) };
        let udp = packet.get(header..)?;
        let port = u16_at(udp, 2)?;
        (*packet.get(protocol)? == 17 && matches!(port, 3784 | 4784)).then_some(())?;
        let bytes = udp.get(8..usize::from(u16_at(udp, 4)?))?;
        let word = |n: usize| Some(u32::from_be_bytes(bytes.get(n * 4..n * 4 + 4)?.try_into().ok()?));
        Some(Bfd {
            ttl: *packet.get(ttl)?,
            source_port: u16_at(udp, 0)?,
            port,
            length: bytes.len(),
            version: bytes.first()? >> 5,
            diag: bytes.first()? & 0x1f,
            state: bytes.get(1)? >> 6,
            flags: bytes.get(1)? & 0x3f,
            multiplier: *bytes.get(2)?,
            mine: word(1)?,
            yours: word(2)?,
            min_tx: word(3)?,
            min_rx: word(4)?,
            min_echo: word(5)?,
        })
    }
}

/// A neighbour advertisement (RFC 4861 §4.4) in an Ethernet frame: whose address it tells, and the flags.
pub fn neighbour_advertisement(frame: &[u8]) -> Option<(Ipv6Addr, u8)> {
    let packet = payload(frame, 0x86dd)?;
    (*packet.get(6)? == 58 && *packet.get(40)? == 136).then_some(())?;
    let octets = <[u8; 16]>::try_from(packet.get(48..64)?).ok()?;
    Some((octets.into(), *packet.get(44)?))
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

fn ip_at(bytes: &[u8], at: usize, length: usize) -> Option<IpAddr> {
    let octets = bytes.get(at..at + length)?;
    match <[u8; 4]>::try_from(octets) {
        Ok(four) => Some(four.into()),
        Err(_) => Some(<[u8; 16]>::try_from(octets).ok()?.into()),
    }
}
