//! The generic netlink family `IPVS`, version 1 (`linux/ip_vs.h`): services and destinations, what the kernel is.
//!
//! [`service`], [`dest`] and [`info`] hold the attributes of one kind of thing each, [`stats`] what is counted for services
//! and destinations alike. An attribute that is not known keeps its bytes ([`DefaultNla`]), so that reading and writing again
//! changes nothing. Daemons, timeouts and tunnel attributes are further files of the same shape.

pub mod dest;
pub mod info;
pub mod service;
pub mod stats;

use super::reply::Fact;
use crate::observed::{DestFact, ServiceFact};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;
use dest::DestAttr;
use info::InfoAttr;
use ipc::config::ipvs::ServiceKey;
use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NLA_F_NESTED, Nla, NlaBuffer, NlasIterator, Parseable, ParseableParametrized,
};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};
use service::ServiceAttr;

/// The family's name. Asking the controller for its number loads the module `ip_vs`, by its alias
/// `net-pf-16-proto-16-family-IPVS` (seen on Debian's Linux 6.1).
pub const FAMILY: &str = "IPVS";

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

const COMMANDS: [(Command, u8); 12] = [
    (Command::NewService, 1),
    (Command::SetService, 2),
    (Command::DelService, 3),
    (Command::GetService, 4),
    (Command::NewDest, 5),
    (Command::SetDest, 6),
    (Command::DelDest, 7),
    (Command::GetDest, 8),
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

/// IPVS_CMD_ATTR_*
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// A service, or what identifies it.
    Service(Vec<ServiceAttr>),
    /// A destination, or what identifies it.
    Dest(Vec<DestAttr>),
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
            Attribute::Info(attribute) => attribute.value_len(),
            Attribute::Other(attribute) => attribute.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Attribute::Service(_) => SERVICE | NLA_F_NESTED,
            Attribute::Dest(_) => DEST | NLA_F_NESTED,
            Attribute::Info(attribute) => attribute.kind(),
            Attribute::Other(attribute) => attribute.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            Attribute::Service(attributes) => attributes.as_slice().emit(buffer),
            Attribute::Dest(attributes) => attributes.as_slice().emit(buffer),
            Attribute::Info(attribute) => attribute.emit_value(buffer),
            Attribute::Other(attribute) => attribute.emit_value(buffer),
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

impl GenlFamily for Message {
    fn family_name() -> &'static str {
        FAMILY
    }

    fn command(&self) -> u8 {
        self.command.into()
    }

    fn version(&self) -> u8 {
        1
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.as_slice().emit(buffer);
    }
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

/// A request to the family with the number `family`.
fn request(family: u16, command: Command, attributes: Vec<Attribute>) -> GenlMessage<Message> {
    let mut message = GenlMessage::from_payload(Message { command, attributes });
    // Serializing takes the number from here.
    message.set_resolved_family_id(family);
    message
}

/// Asks for all services.
pub fn dump_services(family: u16) -> GenlMessage<Message> {
    request(family, Command::GetService, Vec::new())
}

/// Asks for the destinations of a service.
pub fn dump_dests(family: u16, key: &ServiceKey) -> GenlMessage<Message> {
    request(family, Command::GetDest, alloc::vec![Attribute::Service(service::key(key))])
}

/// Adds a service.
pub fn add_service(family: u16, fact: &ServiceFact) -> GenlMessage<Message> {
    request(family, Command::NewService, alloc::vec![Attribute::Service(service::whole(fact))])
}

/// Changes a service; its connections stay.
pub fn edit_service(family: u16, fact: &ServiceFact) -> GenlMessage<Message> {
    request(family, Command::SetService, alloc::vec![Attribute::Service(service::whole(fact))])
}

/// Removes a service with its destinations.
pub fn remove_service(family: u16, key: &ServiceKey) -> GenlMessage<Message> {
    request(family, Command::DelService, alloc::vec![Attribute::Service(service::key(key))])
}

/// Adds a destination.
pub fn add_dest(family: u16, key: &ServiceKey, fact: &DestFact) -> GenlMessage<Message> {
    request(family, Command::NewDest, of_dest(key, dest::whole(fact)))
}

/// Changes a destination; its connections stay.
pub fn edit_dest(family: u16, key: &ServiceKey, fact: &DestFact) -> GenlMessage<Message> {
    request(family, Command::SetDest, of_dest(key, dest::whole(fact)))
}

/// Removes a destination.
pub fn remove_dest(family: u16, key: &ServiceKey, addr: IpAddr, port: u16) -> GenlMessage<Message> {
    request(family, Command::DelDest, of_dest(key, dest::key(addr, port)))
}

/// Removes all services, whosever they are.
pub fn flush(family: u16) -> GenlMessage<Message> {
    request(family, Command::Flush, Vec::new())
}

/// Asks for version and size of the connection table; answered by [`Command::SetInfo`].
pub fn ask_info(family: u16) -> GenlMessage<Message> {
    request(family, Command::GetInfo, Vec::new())
}

fn of_dest(key: &ServiceKey, dest: Vec<DestAttr>) -> Vec<Attribute> {
    alloc::vec![Attribute::Service(service::key(key)), Attribute::Dest(dest)]
}

/// What a message of the family says; `None` for kinds, and protocols, that do not matter here.
pub(super) fn fact(seq: u32, payload: &[u8]) -> Result<Option<Fact>, String> {
    let message = GenlMessage::<Message>::parse_with_param(payload, 0).map_err(|e| e.to_string())?.payload;
    Ok(message.attributes.iter().find_map(|attribute| match (message.command, attribute) {
        (Command::NewService, Attribute::Service(attributes)) => {
            service::fact(attributes).map(|service| Fact::ServiceSeen { seq, service })
        }
        (Command::NewDest, Attribute::Dest(attributes)) => {
            dest::fact(attributes).map(|dest| Fact::DestSeen { seq, dest })
        }
        _ => None,
    }))
}

#[cfg(test)]
mod tests;
