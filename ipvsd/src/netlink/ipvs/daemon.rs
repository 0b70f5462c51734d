//! A daemon that synchronises connections: IPVS_DAEMON_ATTR_*.

use super::service::array;
use crate::observed::{DaemonFact, DaemonState};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use netlink_packet_core::{
    DecodeError, DefaultNla, Nla, NlaBuffer, Parseable, emit_u16, emit_u32, parse_string, parse_u8, parse_u16,
    parse_u32,
};

const STATE: u16 = 1;
const LINK: u16 = 2;
const SYNC_ID: u16 = 3;
const MAX_LENGTH: u16 = 4;
const GROUP: u16 = 5;
const GROUP6: u16 = 6;
const PORT: u16 = 7;
const TTL: u16 = 8;

/// IP_VS_STATE_*
const STATES: [(DaemonState, u32); 2] = [(DaemonState::Master, 1), (DaemonState::Backup, 2)];

/// One attribute of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DaemonAttr {
    /// IP_VS_STATE_MASTER or IP_VS_STATE_BACKUP
    State(u32),
    /// Name of the interface.
    Link(String),
    /// What is sent and listened for.
    SyncId(u32),
    /// Longest message in bytes, since Linux 4.3.
    MaxLength(u16),
    /// Multicast group, likewise.
    Group([u8; 4]),
    /// Multicast group of IPv6, likewise.
    Group6([u8; 16]),
    /// UDP port in the machine's byte order, likewise.
    Port(u16),
    /// Time to live, likewise.
    Ttl(u8),
    /// Any other.
    Other(DefaultNla),
}

impl Nla for DaemonAttr {
    fn value_len(&self) -> usize {
        match self {
            DaemonAttr::State(_) | DaemonAttr::SyncId(_) | DaemonAttr::Group(_) => 4,
            DaemonAttr::Link(name) => name.len().saturating_add(1),
            DaemonAttr::MaxLength(_) | DaemonAttr::Port(_) => 2,
            DaemonAttr::Group6(_) => 16,
            DaemonAttr::Ttl(_) => 1,
            DaemonAttr::Other(other) => other.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            DaemonAttr::State(_) => STATE,
            DaemonAttr::Link(_) => LINK,
            DaemonAttr::SyncId(_) => SYNC_ID,
            DaemonAttr::MaxLength(_) => MAX_LENGTH,
            DaemonAttr::Group(_) => GROUP,
            DaemonAttr::Group6(_) => GROUP6,
            DaemonAttr::Port(_) => PORT,
            DaemonAttr::Ttl(_) => TTL,
            DaemonAttr::Other(other) => other.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        // The buffer is as long as value_len() says; the results of emit_* only say otherwise.
        match self {
            DaemonAttr::State(n) | DaemonAttr::SyncId(n) => drop(emit_u32(buffer, *n)),
            DaemonAttr::Link(name) => {
                for (byte, value) in buffer.iter_mut().zip(name.bytes().chain([0])) {
                    *byte = value;
                }
            }
            DaemonAttr::MaxLength(n) | DaemonAttr::Port(n) => drop(emit_u16(buffer, *n)),
            DaemonAttr::Group(bytes) => buffer.copy_from_slice(bytes),
            DaemonAttr::Group6(bytes) => buffer.copy_from_slice(bytes),
            DaemonAttr::Ttl(n) => buffer.copy_from_slice(&[*n]),
            DaemonAttr::Other(other) => other.emit_value(buffer),
        }
    }
}

impl<'a> Parseable<NlaBuffer<&'a [u8]>> for DaemonAttr {
    fn parse(attribute: &NlaBuffer<&'a [u8]>) -> Result<Self, DecodeError> {
        let value = attribute.value();
        Ok(match attribute.kind() {
            STATE => DaemonAttr::State(parse_u32(value)?),
            LINK => DaemonAttr::Link(parse_string(value)?),
            SYNC_ID => DaemonAttr::SyncId(parse_u32(value)?),
            MAX_LENGTH => DaemonAttr::MaxLength(parse_u16(value)?),
            GROUP => DaemonAttr::Group(array(value)?),
            GROUP6 => DaemonAttr::Group6(array(value)?),
            PORT => DaemonAttr::Port(parse_u16(value)?),
            TTL => DaemonAttr::Ttl(parse_u8(value)?),
            _ => DaemonAttr::Other(DefaultNla::parse(attribute)?),
        })
    }
}

/// What identifies a daemon: there is at most one of each state.
pub fn key(state: DaemonState) -> Vec<DaemonAttr> {
    alloc::vec![DaemonAttr::State(STATES.iter().find(|(s, _)| *s == state).map_or(0, |(_, n)| *n))]
}

/// A whole daemon. What is not set is left to the kernel.
pub fn whole(fact: &DaemonFact) -> Vec<DaemonAttr> {
    let mut attributes = key(fact.state);
    attributes.extend([DaemonAttr::Link(fact.link.clone()), DaemonAttr::SyncId(fact.id)]);
    attributes.extend(fact.max_length.map(DaemonAttr::MaxLength));
    attributes.extend(fact.group.map(|group| match group {
        IpAddr::V4(group) => DaemonAttr::Group(group.octets()),
        IpAddr::V6(group) => DaemonAttr::Group6(group.octets()),
    }));
    attributes.extend(fact.port.map(DaemonAttr::Port));
    attributes.extend(fact.ttl.map(DaemonAttr::Ttl));
    attributes
}

/// The daemon that the attributes describe; `None` if they do not identify one.
pub fn fact(attributes: &[DaemonAttr]) -> Option<DaemonFact> {
    let (mut state, mut link, mut id) = (None, String::new(), 0);
    let (mut max_length, mut group, mut port, mut ttl) = (None, None, None, None);
    for attribute in attributes {
        match attribute {
            DaemonAttr::State(n) => state = STATES.iter().find(|(_, m)| m == n).map(|(s, _)| *s),
            DaemonAttr::Link(name) => link.clone_from(name),
            DaemonAttr::SyncId(n) => id = *n,
            DaemonAttr::MaxLength(n) => max_length = Some(*n),
            DaemonAttr::Group(bytes) => group = Some(IpAddr::V4(Ipv4Addr::from(*bytes))),
            DaemonAttr::Group6(bytes) => group = Some(IpAddr::V6(Ipv6Addr::from(*bytes))),
            DaemonAttr::Port(n) => port = Some(*n),
            DaemonAttr::Ttl(n) => ttl = Some(*n),
            DaemonAttr::Other(_) => {}
        }
    }
    Some(DaemonFact { state: state?, link, id, max_length, group, port, ttl })
}
