//! What the kernel alone costs: the same changes given to it in as few calls as there can be, by somebody who has them in hand; a loop
//! that does nothing but open and close connections. No daemon can be cheaper.

use super::checked::PORT;
use super::kernel::Kernel;
use super::stage::{EACH, address};
use crate::failure::Outcome;
use crate::netns::Netns;
use ipc::config::ipvs::{Method, Protocol, ServiceKey};
use ipvsd::netlink::ipvs::request;
use ipvsd::observed::{DestFact, ServiceFact};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

/// What the kernel alone costs.
#[derive(Clone, Copy, Debug)]
pub struct Least {
    /// It adds all virtual and real servers.
    pub start: Duration,
    /// It changes the weight of every real server.
    pub weights: Duration,
    /// It removes them all.
    pub stop: Duration,
    /// Processor time of 1,000 connections that are opened and closed.
    pub checks: Duration,
}

/// Measures it on an empty table, and leaves it empty.
pub fn measure(netns: &Netns, kernel: &Kernel, reals: u32) -> Outcome<Least> {
    let family = kernel.family();
    let services = || (0..reals.div_ceil(EACH)).map(service);
    let dests = |weight| (0..reals).map(move |n| (service(n / EACH), dest(n, weight)));
    let start = services()
        .map(|of| request::add_service(family, &of))
        .chain(dests(1).map(|(of, dest)| request::add_dest(family, &of.key, &dest)));
    let weights = dests(2).map(|(of, dest)| request::edit_dest(family, &of.key, &dest));
    let stop = services().map(|of| request::remove_service(family, &of.key));
    Ok(Least {
        start: kernel.change(start)?,
        weights: kernel.change(weights)?,
        stop: kernel.change(stop)?,
        checks: netns.enter(|| connections(1000.min(reals)))??,
    })
}

fn service(n: u32) -> ServiceFact {
    let key = ServiceKey::Addr { addr: address(10, 128, n).into(), port: 80, protocol: Protocol::Tcp };
    ServiceFact { key, scheduler: "wrr".into(), flags: 0, timeout: 0, netmask: u32::MAX, engine: None }
}

fn dest(n: u32, weight: u32) -> DestFact {
    let addr = address(10, 64, n).into();
    DestFact { addr, port: PORT, method: Some(Method::Nat), weight, upper: 0, lower: 0 }
}

/// Processor time of 1,000 checks, from so many of them, one after another.
fn connections(count: u32) -> Outcome<Duration> {
    let used = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from);
    let before = used()?;
    for n in 0..count {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None)?;
        // It is under way.
        let _ = socket.connect(&SocketAddr::from((address(10, 64, n), PORT)).into());
        poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)], PollTimeout::from(1000_u16))?;
        if let Some(e) = socket.take_error()? {
            return Err(e.into());
        }
    }
    Ok((used()? - before) * 1000 / count)
}
