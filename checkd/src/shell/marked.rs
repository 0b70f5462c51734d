//! Sockets with a mark (`fwmark`): to set one takes a right that this process has not, so ipvsd opens the socket and hands it over. What
//! is asked for is a number of the configuration's list, never a mark.
//!
//! Each request is answered by one socket, in order; a probe that is given up meanwhile leaves its socket to the next. Without ipvsd, or
//! when it does not answer within [`PATIENCE`], nothing was tried: that says nothing of the server.

use checkd::engine::{ProbeEvent, ProbeId, Route};
use core::time::Duration;
use ipc::config::MarkedIdx;
use ipc::time::Mono;
use std::collections::VecDeque;

/// ipvsd answers within a turn of its loop.
const PATIENCE: Duration = Duration::from_millis(100);

/// Probes that wait for a socket: never more than there are connections.
#[derive(Default)]
pub struct Awaited(VecDeque<(MarkedIdx, ProbeId, Route, Mono)>);

impl Awaited {
    /// A probe waits from now on.
    pub fn push(&mut self, now: Mono, marked: MarkedIdx, probe: ProbeId, route: Route) {
        self.0.push_back((marked, probe, route, now));
    }

    /// Who gets a socket that has come.
    pub fn first(&mut self, marked: MarkedIdx) -> Option<(ProbeId, Route)> {
        let place = self.0.iter().position(|(of, ..)| *of == marked)?;
        self.0.remove(place).map(|(_, probe, route, _)| (probe, route))
    }

    /// A probe has been given up.
    pub fn forget(&mut self, probe: ProbeId) {
        self.0.retain(|(_, waits, ..)| *waits != probe);
    }

    /// When the first of them has waited long enough.
    pub fn deadline(&self) -> Option<Mono> {
        self.0.front().map(|(.., since)| *since + PATIENCE)
    }

    /// Those whose socket does not come.
    pub fn overdue(&mut self, now: Mono) -> Vec<(ProbeId, ProbeEvent)> {
        let late = self.0.iter().take_while(|(.., since)| now.since(*since) >= PATIENCE).count();
        let why = "ipvsd, which opens sockets with a mark, does not answer";
        self.0.drain(..late).map(|(_, probe, ..)| (probe, ProbeEvent::NotTried(why.to_owned()))).collect()
    }

    /// Nobody will answer, for this reason.
    pub fn give_up(&mut self, why: &str) -> Vec<(ProbeId, ProbeEvent)> {
        self.0.drain(..).map(|(_, probe, ..)| (probe, ProbeEvent::NotTried(why.to_owned()))).collect()
    }
}
