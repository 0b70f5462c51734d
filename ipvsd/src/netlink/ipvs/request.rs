//! The messages that are sent.

use super::dest::{self, DestAttr};
use super::{Attribute, Command, VERSION, daemon, service};
use crate::netlink::attr::Attrs;
use crate::netlink::paths::Request;
use crate::observed::{DaemonFact, DaemonState, DestFact, ServiceFact, Timeouts};
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::ipvs::ServiceKey;

/// Any request to the family with the number `family`.
pub fn new(family: u16, command: Command, attributes: &[Attribute]) -> Request {
    let mut attrs = Attrs::behind(&[command.into(), VERSION, 0, 0]);
    for attribute in attributes {
        attribute.put(&mut attrs);
    }
    Request { kind: family, flags: 0, payload: attrs.into_bytes() }
}

/// Asks for all services.
pub fn dump_services(family: u16) -> Request {
    new(family, Command::GetService, &[])
}

/// Asks for the destinations of a service.
pub fn dump_dests(family: u16, key: &ServiceKey) -> Request {
    new(family, Command::GetDest, &[Attribute::Service(service::key(key))])
}

/// Adds a service.
pub fn add_service(family: u16, fact: &ServiceFact) -> Request {
    new(family, Command::NewService, &[Attribute::Service(service::whole(fact))])
}

/// Changes a service; its connections stay.
pub fn edit_service(family: u16, fact: &ServiceFact) -> Request {
    new(family, Command::SetService, &[Attribute::Service(service::whole(fact))])
}

/// Removes a service with its destinations.
pub fn remove_service(family: u16, key: &ServiceKey) -> Request {
    new(family, Command::DelService, &[Attribute::Service(service::key(key))])
}

/// Adds a destination.
pub fn add_dest(family: u16, key: &ServiceKey, fact: &DestFact) -> Request {
    new(family, Command::NewDest, &of_dest(key, dest::whole(fact)))
}

/// Changes a destination; its connections stay.
pub fn edit_dest(family: u16, key: &ServiceKey, fact: &DestFact) -> Request {
    new(family, Command::SetDest, &of_dest(key, dest::whole(fact)))
}

/// Removes a destination.
pub fn remove_dest(family: u16, key: &ServiceKey, addr: IpAddr, port: u16) -> Request {
    new(family, Command::DelDest, &of_dest(key, dest::key(addr, port)))
}

/// Removes all services, whosever they are.
pub fn flush(family: u16) -> Request {
    new(family, Command::Flush, &[])
}

/// Asks for the daemons.
pub fn dump_daemons(family: u16) -> Request {
    new(family, Command::GetDaemon, &[])
}

/// Starts a daemon.
pub fn start_daemon(family: u16, fact: &DaemonFact) -> Request {
    new(family, Command::NewDaemon, &[Attribute::Daemon(daemon::whole(fact))])
}

/// Stops a daemon.
pub fn stop_daemon(family: u16, state: DaemonState) -> Request {
    new(family, Command::DelDaemon, &[Attribute::Daemon(daemon::key(state))])
}

/// Asks for the timeouts; answered by [`Command::SetConfig`].
pub fn ask_timeouts(family: u16) -> Request {
    new(family, Command::GetConfig, &[])
}

/// Sets timeouts. The kernel wants all three; 0 leaves one as it is.
pub fn set_timeouts(family: u16, timeouts: &Timeouts) -> Request {
    let attributes = [
        Attribute::TimeoutTcp(timeouts.tcp.unwrap_or(0)),
        Attribute::TimeoutTcpFin(timeouts.tcp_fin.unwrap_or(0)),
        Attribute::TimeoutUdp(timeouts.udp.unwrap_or(0)),
    ];
    new(family, Command::SetConfig, &attributes)
}

/// Asks for version and size of the connection table; answered by [`Command::SetInfo`].
pub fn ask_info(family: u16) -> Request {
    new(family, Command::GetInfo, &[])
}

fn of_dest(key: &ServiceKey, dest: Vec<DestAttr>) -> [Attribute; 2] {
    [Attribute::Service(service::key(key)), Attribute::Dest(dest)]
}
