//! The messages that are sent.

use super::dest::{self, DestAttr};
use super::{Attribute, Command, Message, daemon, service};
use crate::observed::{DaemonFact, DaemonState, DestFact, ServiceFact, Timeouts};
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::ipvs::ServiceKey;
use netlink_packet_generic::GenlMessage;

/// Any request to the family with the number `family`.
pub fn new(family: u16, command: Command, attributes: Vec<Attribute>) -> GenlMessage<Message> {
    let mut message = GenlMessage::from_payload(Message { command, attributes });
    // Serializing takes the number from here.
    message.set_resolved_family_id(family);
    message
}

/// Asks for all services.
pub fn dump_services(family: u16) -> GenlMessage<Message> {
    new(family, Command::GetService, Vec::new())
}

/// Asks for the destinations of a service.
pub fn dump_dests(family: u16, key: &ServiceKey) -> GenlMessage<Message> {
    new(family, Command::GetDest, alloc::vec![Attribute::Service(service::key(key))])
}

/// Adds a service.
pub fn add_service(family: u16, fact: &ServiceFact) -> GenlMessage<Message> {
    new(family, Command::NewService, alloc::vec![Attribute::Service(service::whole(fact))])
}

/// Changes a service; its connections stay.
pub fn edit_service(family: u16, fact: &ServiceFact) -> GenlMessage<Message> {
    new(family, Command::SetService, alloc::vec![Attribute::Service(service::whole(fact))])
}

/// Removes a service with its destinations.
pub fn remove_service(family: u16, key: &ServiceKey) -> GenlMessage<Message> {
    new(family, Command::DelService, alloc::vec![Attribute::Service(service::key(key))])
}

/// Adds a destination.
pub fn add_dest(family: u16, key: &ServiceKey, fact: &DestFact) -> GenlMessage<Message> {
    new(family, Command::NewDest, of_dest(key, dest::whole(fact)))
}

/// Changes a destination; its connections stay.
pub fn edit_dest(family: u16, key: &ServiceKey, fact: &DestFact) -> GenlMessage<Message> {
    new(family, Command::SetDest, of_dest(key, dest::whole(fact)))
}

/// Removes a destination.
pub fn remove_dest(family: u16, key: &ServiceKey, addr: IpAddr, port: u16) -> GenlMessage<Message> {
    new(family, Command::DelDest, of_dest(key, dest::key(addr, port)))
}

/// Removes all services, whosever they are.
pub fn flush(family: u16) -> GenlMessage<Message> {
    new(family, Command::Flush, Vec::new())
}

/// Asks for the daemons.
pub fn dump_daemons(family: u16) -> GenlMessage<Message> {
    new(family, Command::GetDaemon, Vec::new())
}

/// Starts a daemon.
pub fn start_daemon(family: u16, fact: &DaemonFact) -> GenlMessage<Message> {
    new(family, Command::NewDaemon, alloc::vec![Attribute::Daemon(daemon::whole(fact))])
}

/// Stops a daemon.
pub fn stop_daemon(family: u16, state: DaemonState) -> GenlMessage<Message> {
    new(family, Command::DelDaemon, alloc::vec![Attribute::Daemon(daemon::key(state))])
}

/// Asks for the timeouts; answered by [`Command::SetConfig`].
pub fn ask_timeouts(family: u16) -> GenlMessage<Message> {
    new(family, Command::GetConfig, Vec::new())
}

/// Sets timeouts. The kernel wants all three; 0 leaves one as it is.
pub fn set_timeouts(family: u16, timeouts: &Timeouts) -> GenlMessage<Message> {
    let attributes = alloc::vec![
        Attribute::TimeoutTcp(timeouts.tcp.unwrap_or(0)),
        Attribute::TimeoutTcpFin(timeouts.tcp_fin.unwrap_or(0)),
        Attribute::TimeoutUdp(timeouts.udp.unwrap_or(0)),
    ];
    new(family, Command::SetConfig, attributes)
}

/// Asks for version and size of the connection table; answered by [`Command::SetInfo`].
pub fn ask_info(family: u16) -> GenlMessage<Message> {
    new(family, Command::GetInfo, Vec::new())
}

fn of_dest(key: &ServiceKey, dest: Vec<DestAttr>) -> Vec<Attribute> {
    alloc::vec![Attribute::Service(service::key(key)), Attribute::Dest(dest)]
}
