//! The generic netlink family `IPVS`, version 1 (`linux/ip_vs.h`): services and destinations, what the kernel is.
//!
//! [`service`], [`dest`], [`daemon`] and [`info`] hold the attributes of one kind of thing each, [`stats`] what is counted for
//! services and destinations alike. An attribute that is not known keeps its bytes ([`DefaultNla`]), so that reading and writing
//! again changes nothing. [`request`] makes the messages that are sent.

pub mod daemon;
pub mod dest;
pub mod info;
pub mod request;
pub mod service;
pub mod stats;

use super::attr::Attrs;
use super::reply::Fact;
use crate::observed::Timeouts;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use daemon::DaemonAttr;
use dest::DestAttr;
use info::InfoAttr;
use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NLA_F_NESTED, Nla, NlaBuffer, NlasIterator, Parseable, ParseableParametrized,
    emit_u32, parse_u32,
};
use netlink_packet_generic::{GenlHeader, GenlMessage};
use service::ServiceAttr;

/// The family's name. Asking the controller for its number loads the module `ip_vs`, by its alias
/// `net-pf-16-proto-16-family-IPVS` (seen on Debian's Linux 6.1).
pub const FAMILY: &str = "IPVS";

/// IPVS_GENL_VERSION
const VERSION: u8 = 1;

/// IPVS_CMD_*
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Add a service; also an entry of a dump of services.
    NewService,
    /// Change a service.
    SetService,
    /// Remove a service.
    DelService,
    /// Ask for services.
    GetService,
    /// Add a destination; also an entry of a dump of destinations.
    NewDest,
    /// Change a destination.
    SetDest,
    /// Remove a destination.
    DelDest,
    /// Ask for the destinations of a service.
    GetDest,
    /// Start a daemon; also an entry of a dump of daemons.
    NewDaemon,
    /// Stop a daemon.
    DelDaemon,
    /// Ask for the daemons.
    GetDaemon,
    /// Set timeouts; also the answer to [`Command::GetConfig`].
    SetConfig,
    /// Ask for the timeouts.
    GetConfig,
    /// The answer to [`Command::GetInfo`].
    SetInfo,
    /// Ask for the version.
    GetInfo,
    /// Set the counters of a service, or of all, to zero.
    Zero,
    /// Remove all services.
    Flush,
    /// Any other.
    Other(u8),
}

const COMMANDS: [(Command, u8); 17] = [
    (Command::NewService, 1),
    (Command::SetService, 2),
    (Command::DelService, 3),
    (Command::GetService, 4),
    (Command::NewDest, 5),
    (Command::SetDest, 6),
    (Command::DelDest, 7),
    (Command::GetDest, 8),
    (Command::NewDaemon, 9),
    (Command::DelDaemon, 10),
    (Command::GetDaemon, 11),
    (Command::SetConfig, 12),
    (Command::GetConfig, 13),
    (Command::SetInfo, 14),
    (Command::GetInfo, 15),
    (Command::Zero, 16),
    (Command::Flush, 17),
];

impl From<u8> for Command {
    fn from(n: u8) -> Command {
        COMMANDS.iter().find(|(_, m)| *m == n).map_or(Command::Other(n), |(c, _)| *c)
    }
}

impl From<Command> for u8 {
    fn from(command: Command) -> u8 {
        match command {
            Command::Other(n) => n,
            command => COMMANDS.iter().find(|(c, _)| *c == command).map_or(0, |(_, n)| *n),
        }
    }
}

const SERVICE: u16 = 1;
const DEST: u16 = 2;
const DAEMON: u16 = 3;
const TIMEOUT_TCP: u16 = 4;
const TIMEOUT_TCP_FIN: u16 = 5;
const TIMEOUT_UDP: u16 = 6;

/// IPVS_CMD_ATTR_*
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// A service, or what identifies it.
    Service(Vec<ServiceAttr>),
    /// A destination, or what identifies it.
    Dest(Vec<DestAttr>),
    /// A daemon, or what identifies it.
    Daemon(Vec<DaemonAttr>),
    /// Timeout of established TCP connections in seconds.
    TimeoutTcp(u32),
    /// Timeout after a FIN in seconds.
    TimeoutTcpFin(u32),
    /// Timeout of UDP in seconds.
    TimeoutUdp(u32),
    /// Of [`Command::SetInfo`], whose attributes are numbered on their own.
    Info(InfoAttr),
    /// Any other.
    Other(DefaultNla),
}

impl Nla for Attribute {
    fn value_len(&self) -> usize {
        match self {
            Attribute::Service(attributes) => attributes.as_slice().buffer_len(),
            Attribute::Dest(attributes) => attributes.as_slice().buffer_len(),
            Attribute::Daemon(attributes) => attributes.as_slice().buffer_len(),
            Attribute::TimeoutTcp(_) | Attribute::TimeoutTcpFin(_) | Attribute::TimeoutUdp(_) => 4,
            Attribute::Info(attribute) => attribute.value_len(),
            Attribute::Other(attribute) => attribute.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Attribute::Service(_) => SERVICE | NLA_F_NESTED,
            Attribute::Dest(_) => DEST | NLA_F_NESTED,
            Attribute::Daemon(_) => DAEMON | NLA_F_NESTED,
            Attribute::TimeoutTcp(_) => TIMEOUT_TCP,
            Attribute::TimeoutTcpFin(_) => TIMEOUT_TCP_FIN,
            Attribute::TimeoutUdp(_) => TIMEOUT_UDP,
            Attribute::Info(attribute) => attribute.kind(),
            Attribute::Other(attribute) => attribute.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            Attribute::Service(attributes) => attributes.as_slice().emit(buffer),
            Attribute::Dest(attributes) => attributes.as_slice().emit(buffer),
            Attribute::Daemon(attributes) => attributes.as_slice().emit(buffer),
            // The buffer is as long as value_len() says; the result of emit_u32 only says otherwise.
            Attribute::TimeoutTcp(n) | Attribute::TimeoutTcpFin(n) | Attribute::TimeoutUdp(n) => {
                drop(emit_u32(buffer, *n));
            }
            Attribute::Info(attribute) => attribute.emit_value(buffer),
            Attribute::Other(attribute) => attribute.emit_value(buffer),
        }
    }
}

impl Attribute {
    /// Writes it.
    fn put(&self, to: &mut Attrs) {
        match self {
            Attribute::Service(attributes) => to.put_all(self.kind(), attributes),
            Attribute::Dest(attributes) => to.put_all(self.kind(), attributes),
            Attribute::Daemon(attributes) => to.put_all(self.kind(), attributes),
            other => to.put_one(other),
        }
    }
}

/// One message of the family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What is asked or said.
    pub command: Command,
    /// About what.
    pub attributes: Vec<Attribute>,
}

impl ParseableParametrized<[u8], GenlHeader> for Message {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> Result<Message, DecodeError> {
        let command = Command::from(header.cmd);
        let mut attributes = Vec::new();
        for attribute in NlasIterator::new(bytes) {
            let attribute = attribute?;
            attributes.push(match (command, attribute.kind()) {
                (Command::SetInfo, _) => Attribute::Info(InfoAttr::parse(&attribute)?),
                (_, SERVICE) => Attribute::Service(nested(attribute.value())?),
                (_, DEST) => Attribute::Dest(nested(attribute.value())?),
                (_, DAEMON) => Attribute::Daemon(nested(attribute.value())?),
                (_, TIMEOUT_TCP) => Attribute::TimeoutTcp(parse_u32(attribute.value())?),
                (_, TIMEOUT_TCP_FIN) => Attribute::TimeoutTcpFin(parse_u32(attribute.value())?),
                (_, TIMEOUT_UDP) => Attribute::TimeoutUdp(parse_u32(attribute.value())?),
                _ => Attribute::Other(DefaultNla::parse(&attribute)?),
            });
        }
        Ok(Message { command, attributes })
    }
}

/// Reads the attributes within an attribute.
fn nested<'a, A: Parseable<NlaBuffer<&'a [u8]>>>(bytes: &'a [u8]) -> Result<Vec<A>, DecodeError> {
    NlasIterator::new(bytes).map(|attribute| A::parse(&attribute?)).collect()
}

/// What a message of the family says; `None` for kinds, and protocols, that do not matter here.
pub(super) fn fact(seq: u32, payload: &[u8]) -> Result<Option<Fact>, String> {
    let message = GenlMessage::<Message>::parse_with_param(payload, 0).map_err(|e| e.to_string())?.payload;
    if message.command == Command::SetConfig {
        return Ok(Some(Fact::TimeoutsAre { seq, timeouts: timeouts(&message.attributes) }));
    }
    Ok(message.attributes.iter().find_map(|attribute| match (message.command, attribute) {
        (Command::NewService, Attribute::Service(attributes)) => service::fact(attributes)
            .map(|service| Fact::ServiceSeen { seq, service, counts: service::counts(attributes) }),
        (Command::NewDest, Attribute::Dest(attributes)) => {
            dest::fact(attributes).map(|dest| Fact::DestSeen { seq, dest, counts: dest::counts(attributes) })
        }
        (Command::NewDaemon, Attribute::Daemon(attributes)) => {
            daemon::fact(attributes).map(|daemon| Fact::DaemonSeen { seq, daemon })
        }
        _ => None,
    }))
}

fn timeouts(attributes: &[Attribute]) -> Timeouts {
    let mut timeouts = Timeouts::default();
    for attribute in attributes {
        match attribute {
            Attribute::TimeoutTcp(n) => timeouts.tcp = Some(*n),
            Attribute::TimeoutTcpFin(n) => timeouts.tcp_fin = Some(*n),
            Attribute::TimeoutUdp(n) => timeouts.udp = Some(*n),
            _ => {}
        }
    }
    timeouts
}

#[cfg(test)]
mod tests;
