//! What the kernel counts for services and destinations: IPVS_STATS_ATTR_*, once with 32 bits (bytes always with 64) and,
//! since Linux 4.1, once with 64 bits.

use crate::observed::Counts;
use netlink_packet_core::{
    DecodeError, DefaultNla, Nla, NlaBuffer, Parseable, emit_u32, emit_u64, parse_u32, parse_u64,
};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Connections.
    Connections,
    /// Packets in.
    InPackets,
    /// Packets out.
    OutPackets,
    /// Bytes in.
    InBytes,
    /// Bytes out.
    OutBytes,
    /// Connections a second.
    ConnectionRate,
    /// Packets in a second.
    InPacketRate,
    /// Packets out a second.
    OutPacketRate,
    /// Bytes in a second.
    InByteRate,
    /// Bytes out a second.
    OutByteRate,
}

const COUNTERS: [(Counter, u16); 10] = [
    (Counter::Connections, 1),
    (Counter::InPackets, 2),
    (Counter::OutPackets, 3),
    (Counter::InBytes, 4),
    (Counter::OutBytes, 5),
    (Counter::ConnectionRate, 6),
    (Counter::InPacketRate, 7),
    (Counter::OutPacketRate, 8),
    (Counter::InByteRate, 9),
    (Counter::OutByteRate, 10),
];

fn counter(kind: u16) -> Option<Counter> {
    COUNTERS.iter().find(|(_, n)| *n == kind).map(|(c, _)| *c)
}

fn number(counter: Counter) -> u16 {
    COUNTERS.iter().find(|(c, _)| *c == counter).map_or(0, |(_, n)| *n)
}

/// An attribute of the older set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stats32 {
    /// A counter of 32 bits.
    Short(Counter, u32),
    /// A counter of 64 bits: [`Counter::InBytes`] and [`Counter::OutBytes`].
    Long(Counter, u64),
    /// Any other, padding included.
    Other(DefaultNla),
}

impl Nla for Stats32 {
    fn value_len(&self) -> usize {
        match self {
            Stats32::Short(..) => 4,
            Stats32::Long(..) => 8,
            Stats32::Other(other) => other.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Stats32::Short(c, _) | Stats32::Long(c, _) => number(*c),
            Stats32::Other(other) => other.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            Stats32::Short(_, n) => drop(emit_u32(buffer, *n)),
            Stats32::Long(_, n) => drop(emit_u64(buffer, *n)),
            Stats32::Other(other) => other.emit_value(buffer),
        }
    }
}

impl<'a> Parseable<NlaBuffer<&'a [u8]>> for Stats32 {
    fn parse(attribute: &NlaBuffer<&'a [u8]>) -> Result<Self, DecodeError> {
        Ok(match counter(attribute.kind()) {
            Some(c @ (Counter::InBytes | Counter::OutBytes)) => Stats32::Long(c, parse_u64(attribute.value())?),
            Some(c) => Stats32::Short(c, parse_u32(attribute.value())?),
            None => Stats32::Other(DefaultNla::parse(attribute)?),
        })
    }
}

/// An attribute of the newer set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stats64 {
    /// A counter.
    Count(Counter, u64),
    /// Any other, padding included.
    Other(DefaultNla),
}

impl Nla for Stats64 {
    fn value_len(&self) -> usize {
        match self {
            Stats64::Count(..) => 8,
            Stats64::Other(other) => other.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Stats64::Count(c, _) => number(*c),
            Stats64::Other(other) => other.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            Stats64::Count(_, n) => drop(emit_u64(buffer, *n)),
            Stats64::Other(other) => other.emit_value(buffer),
        }
    }
}

impl<'a> Parseable<NlaBuffer<&'a [u8]>> for Stats64 {
    fn parse(attribute: &NlaBuffer<&'a [u8]>) -> Result<Self, DecodeError> {
        Ok(match counter(attribute.kind()) {
            Some(c) => Stats64::Count(c, parse_u64(attribute.value())?),
            None => Stats64::Other(DefaultNla::parse(attribute)?),
        })
    }
}

/// Takes over what was counted.
pub fn add(all: &[Stats64], counts: &mut Counts) {
    for attribute in all {
        let Stats64::Count(counter, n) = attribute else { continue };
        let place = match counter {
            Counter::Connections => &mut counts.connections,
            Counter::InPackets => &mut counts.in_packets,
            Counter::OutPackets => &mut counts.out_packets,
            Counter::InBytes => &mut counts.in_bytes,
            Counter::OutBytes => &mut counts.out_bytes,
            Counter::ConnectionRate => &mut counts.connection_rate,
            Counter::InPacketRate => &mut counts.in_packet_rate,
            Counter::OutPacketRate => &mut counts.out_packet_rate,
            Counter::InByteRate => &mut counts.in_byte_rate,
            Counter::OutByteRate => &mut counts.out_byte_rate,
        };
        *place = *n;
    }
}
