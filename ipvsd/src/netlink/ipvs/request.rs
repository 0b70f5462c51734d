//! The messages that are sent.

use super::{Attribute, Command, DEST, SERVICE, VERSION, daemon, dest, service};
use crate::netlink::attr::Attrs;
use crate::netlink::paths::Request;
use crate::observed::{DaemonFact, DaemonState, DestFact, ServiceFact, Timeouts};
use core::net::IpAddr;
use ipc::config::ipvs::ServiceKey;
use netlink_packet_core::NLA_F_NESTED;

const NESTED_SERVICE: u16 = SERVICE | NLA_F_NESTED;
const NESTED_DEST: u16 = DEST | NLA_F_NESTED;

/// Any request to the family with the number `family`.
pub fn new(family: u16, command: Command, attributes: &[Attribute]) -> Request {
    written(family, command, |attrs| attributes.iter().for_each(|attribute| attribute.put(attrs)))
}

/// A request with what `write` writes.
fn written(family: u16, command: Command, write: impl FnOnce(&mut Attrs)) -> Request {
    let mut attrs = Attrs::behind(&[command.into(), VERSION, 0, 0]);
    write(&mut attrs);
    Request { kind: family, flags: 0, payload: attrs.into_bytes() }
}

/// A request about a service, by what identifies it.
fn about(family: u16, command: Command, key: &ServiceKey) -> Request {
    written(family, command, |attrs| attrs.put_within(NESTED_SERVICE, |attrs| service::put_key(key, attrs)))
}

/// A request with a whole service.
fn whole(family: u16, command: Command, fact: &ServiceFact) -> Request {
    written(family, command, |attrs| attrs.put_within(NESTED_SERVICE, |attrs| service::put(fact, attrs)))
}

/// A request about a destination of a service.
fn of_dest(family: u16, command: Command, key: &ServiceKey, dest: impl FnOnce(&mut Attrs)) -> Request {
    written(family, command, |attrs| {
        attrs.put_within(NESTED_SERVICE, |attrs| service::put_key(key, attrs));
        attrs.put_within(NESTED_DEST, dest);
    })
}

/// Asks for all services.
pub fn dump_services(family: u16) -> Request {
    new(family, Command::GetService, &[])
}

/// Asks for the destinations of a service.
pub fn dump_dests(family: u16, key: &ServiceKey) -> Request {
    about(family, Command::GetDest, key)
}

/// Adds a service.
pub fn add_service(family: u16, fact: &ServiceFact) -> Request {
    whole(family, Command::NewService, fact)
}

/// Changes a service; its connections stay.
pub fn edit_service(family: u16, fact: &ServiceFact) -> Request {
    whole(family, Command::SetService, fact)
}

/// Removes a service with its destinations.
pub fn remove_service(family: u16, key: &ServiceKey) -> Request {
    about(family, Command::DelService, key)
}

/// Adds a destination.
pub fn add_dest(family: u16, key: &ServiceKey, fact: &DestFact) -> Request {
    of_dest(family, Command::NewDest, key, |attrs| dest::put(fact, attrs))
}

/// Changes a destination; its connections stay.
pub fn edit_dest(family: u16, key: &ServiceKey, fact: &DestFact) -> Request {
    of_dest(family, Command::SetDest, key, |attrs| dest::put(fact, attrs))
}

/// Removes a destination.
pub fn remove_dest(family: u16, key: &ServiceKey, addr: IpAddr, port: u16) -> Request {
    of_dest(family, Command::DelDest, key, |attrs| dest::put_key(addr, port, attrs))
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
