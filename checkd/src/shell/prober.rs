//! The engine with its connections: what it wants of them is done here, what it wants of others is collected.

use super::connect::Connections;
use super::letter::compose;
use super::tls::Contexts;
use checkd::alert::Letter;
use checkd::engine::{Action, Engine, Event, ProbeEvent, ProbeId};
use ipc::config::{Generation, MarkedIdx};
use ipc::evloop::{EventLoop, Ready};
use ipc::machine::Machine;
use ipc::msg::control::{FromCheck, Up};
use ipc::msg::reals::CheckToIpvs;
use ipc::msg::sessions::CheckToVrrp;
use ipc::report::Line;
use ipc::time::Mono;
use std::os::fd::OwnedFd;

/// Why a probe with a mark is not tried.
const NO_IPVSD: &str = "ipvsd, which opens sockets with a mark, is not there";

/// What is for others, in order for each of them.
#[derive(Debug, Default)]
pub struct Outbox {
    /// For ipvsd.
    pub ipvs: Vec<CheckToIpvs>,
    /// For vrrpd.
    pub vrrp: Vec<CheckToVrrp>,
    /// What vrrpd did wrong.
    pub vrrp_violation: Option<String>,
    /// What ipvsd did wrong.
    pub violation: Option<String>,
    /// For the supervisor: commands and news of the generation that is being left.
    pub last_words: Vec<(Generation, FromCheck)>,
    /// For the supervisor: commands and news.
    pub words: Vec<FromCheck>,
    /// For the supervisor: answers, said after everything else.
    pub ups: Vec<Up>,
    /// For the log.
    pub lines: Vec<Line>,
    /// For the files that were handed over.
    pub dumps: Vec<String>,
}

/// The engine with its connections.
pub struct Prober {
    engine: Engine,
    connections: Connections,
    actions: Vec<Action>,
    happened: Vec<(ProbeId, ProbeEvent)>,
    composed: Vec<(Letter, Vec<u8>)>,
    /// What is for others.
    pub outbox: Outbox,
}

impl Prober {
    /// At most `limit` connections at a time, with tokens from `first` on.
    pub fn new(limit: usize, first: usize) -> Prober {
        Prober {
            engine: Engine::new(limit),
            connections: Connections::new(first),
            actions: Vec::new(),
            happened: Vec::new(),
            composed: Vec::new(),
            outbox: Outbox::default(),
        }
    }

    /// When the engine wants a `Timeout`.
    pub fn deadline(&self) -> Option<Mono> {
        self.engine.deadline().into_iter().chain(self.connections.awaited.deadline()).min()
    }

    /// Takes an event, and what follows from it at once.
    pub fn step(&mut self, now: Mono, event: Event, events: &mut EventLoop) {
        match &event {
            Event::Configure { config, .. } => {
                let (contexts, lines) = Contexts::new(config);
                self.connections.prepare(contexts);
                self.outbox.lines.extend(lines);
            }
            Event::Activate => {
                self.connections.activate();
                // Their numbers are those of the configuration that is left.
                self.happened.extend(self.connections.awaited.give_up("the configuration has changed"));
            }
            Event::IpvsLost => self.happened.extend(self.connections.awaited.give_up(NO_IPVSD)),
            Event::Timeout => self.happened.extend(self.connections.awaited.overdue(now)),
            _ => {}
        }
        // Before the event, after which a probe that could not be tried may count as late.
        for (probe, what) in core::mem::take(&mut self.happened) {
            self.engine.step(now, Event::Probe { probe, what }, &mut self.actions);
        }
        self.engine.step(now, event, &mut self.actions);
        self.carry_out(now, events);
    }

    /// Takes a socket with a mark; `None`: ipvsd could not open it.
    pub fn opened(&mut self, now: Mono, marked: MarkedIdx, socket: Option<OwnedFd>, events: &mut EventLoop) {
        let Some((probe, route)) = self.connections.awaited.first(marked) else { return };
        let happened = match socket {
            Some(socket) => self.connections.connect_with(probe, &route, socket.into(), events),
            None => Some(ProbeEvent::NotTried("ipvsd could not open a socket with its fwmark".to_owned())),
        };
        self.happened.extend(happened.map(|what| (probe, what)));
        self.carry_out(now, events);
    }

    /// Takes what happened on a connection.
    pub fn ready(&mut self, now: Mono, ready: Ready, events: &mut EventLoop) {
        let mut next = Some(ready);
        while let Some(ready) = next {
            next = self.connections.ready(ready, events, &mut self.happened);
            self.carry_out(now, events);
        }
    }

    /// Ends: a probe that fails at once is tried again at the next `Timeout` at the earliest, and every event ends at most one probe.
    fn carry_out(&mut self, now: Mono, events: &mut EventLoop) {
        loop {
            for action in core::mem::take(&mut self.actions) {
                self.act(now, action, events);
            }
            for (letter, message) in core::mem::take(&mut self.composed) {
                self.engine.step(now, Event::Composed { letter, message }, &mut self.actions);
            }
            if self.happened.is_empty() && self.actions.is_empty() {
                return;
            }
            for (probe, what) in core::mem::take(&mut self.happened) {
                self.engine.step(now, Event::Probe { probe, what }, &mut self.actions);
            }
        }
    }

    fn act(&mut self, now: Mono, action: Action, events: &mut EventLoop) {
        match action {
            Action::Connect { probe, route } if let Some(marked) = route.marked => {
                self.outbox.ipvs.push(CheckToIpvs::Open { marked });
                self.connections.awaited.push(now, marked, probe, route);
            }
            Action::Connect { probe, route } => {
                if let Some(what) = self.connections.connect(probe, &route, events) {
                    self.happened.push((probe, what));
                }
            }
            Action::Send { probe, bytes } => {
                let refused = self.connections.send(probe, &bytes);
                self.happened.extend(refused.map(|what| (probe, what)));
            }
            Action::Close(probe) => self.connections.close(probe),
            Action::ToIpvs(message) => self.outbox.ipvs.push(message),
            Action::IpvsViolation(what) => self.outbox.violation = Some(what),
            Action::ToVrrp(message) => self.outbox.vrrp.push(message),
            Action::VrrpViolation(what) => self.outbox.vrrp_violation = Some(what),
            Action::Run(run) => self.outbox.words.push(FromCheck::Run(run)),
            Action::RunOfLeft { left, run } => self.outbox.last_words.push((left, FromCheck::Run(run))),
            Action::Tell(news) => self.outbox.words.push(FromCheck::Tell(news)),
            Action::TellOfLeft { left, news } => self.outbox.last_words.push((left, FromCheck::Tell(news))),
            Action::Up(up) => self.outbox.ups.push(up),
            Action::Log(line) => self.outbox.lines.push(line),
            Action::Compose(letter) => {
                let message = compose(&letter);
                self.composed.push((letter, message));
            }
            Action::Dump(text) => self.outbox.dumps.push(text),
        }
    }
}
