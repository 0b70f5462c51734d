//! Carries events to the reconciler and its actions out.

use super::sockets::{Drained, Sockets, TOKENS};
use core::time::Duration;
use ipc::child::{self, Child, Ipvs, IpvsOwn, Peer};
use ipc::evloop::{self, EventLoop, Ready};
use ipc::machine::Machine;
use ipc::msg::Role;
use ipc::msg::control::{FromIpvs, StopMode};
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck};
use ipc::msg::vips::{IpvsToVrrp, VrrpToIpvs};
use ipc::processor;
use ipc::time::Mono;
use ipvsd::event::{Action, Event};
use ipvsd::netlink::Bus;
use ipvsd::netlink::reply::Fact;
use ipvsd::reconcile::Reconciler;
use mio::Token;
use std::io;

const SUPERVISOR: Token = Token(0);
const VRRP: Token = Token(1);
const CHECK: Token = Token(2);

/// Batches of vrrpd's wishes that are carried out in one turn before anything else is looked at.
const BATCHES_PER_TURN: u32 = 16;

/// Rounds of reading the kernel's answers and acting on them in one turn.
const ROUNDS_PER_TURN: u32 = 64;

/// How long this process does not sleep after vrrpd has spoken: when many instances become master, they do so one after the other,
/// and each would have to wake it. Longer than vrrpd knows beforehand, and than another program keeps vrrpd from its processor.
const AWAKE: Duration = Duration::from_millis(3);

/// How long the peers may say goodbye when the supervisor is gone: vrrpd has its addresses released and waits for that.
const FAREWELL: Duration = Duration::from_secs(2);

/// The event loop of ipvsd.
pub struct Driver {
    child: Child<Ipvs>,
    events: EventLoop,
    sockets: Sockets,
    vrrp: Peer<IpvsToVrrp, VrrpToIpvs>,
    check: Peer<IpvsToCheck, CheckToIpvs>,
    machine: Reconciler,
    now: Mono,
    end: End,
    kernel: Kernel,
    /// Requests that could not be written.
    facts: Vec<Fact>,
}

/// Whether there may be something to read on a netlink socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kernel {
    Silent,
    Speaks,
}

/// How far the end of the process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NotYet,
    /// The supervisor is gone. The peers are served until they are gone too, at this time at the latest.
    Farewell(Mono, StopMode),
    /// The rest is being released.
    Begun,
    /// Everything is released and said.
    Released,
}

impl Driver {
    /// Opens the sockets.
    pub fn new(mut child: Child<Ipvs>) -> io::Result<Self> {
        let mut events = EventLoop::new()?;
        events.add(child.source(), SUPERVISOR)?;
        let mut sockets = Sockets::open().map_err(|e| {
            io::Error::new(
                e.kind(),
                format!("cannot open netlink sockets: {e}; CAP_NET_ADMIN is needed in this network namespace"),
            )
        })?;
        sockets.register(&mut events)?;
        Ok(Driver {
            child,
            events,
            sockets,
            vrrp: Peer::new(Role::Vrrp, VRRP),
            check: Peer::new(Role::Check, CHECK),
            machine: Reconciler::new(),
            now: evloop::clock(),
            end: End::NotYet,
            kernel: Kernel::Silent,
            facts: Vec::new(),
        })
    }

    /// Runs until everything is released.
    pub fn run(mut self) -> io::Result<()> {
        let mut ready: Vec<Ready> = Vec::new();
        self.step(Event::Start);
        while self.end != End::Released {
            self.now = self.events.wait(self.deadline(), &mut ready)?;
            if self.machine.deadline().is_some_and(|t| t <= self.now) {
                self.step(Event::Timeout);
            }
            self.supervisor()?;
            self.peers(&ready);
            self.farewell();
            if ready.iter().any(|r| r.readable && TOKENS.contains(&r.token)) {
                self.kernel = Kernel::Speaks;
            }
            self.settle();
            if self.kernel == Kernel::Speaks {
                // The poll set is edge-triggered: what is left has to be asked for.
                self.sockets.rearm(&mut self.events)?;
            }
            self.vrrp.turn(&mut self.child, &mut self.events);
            self.check.turn(&mut self.child, &mut self.events);
            self.child.turn(self.now);
        }
        self.vrrp.turn(&mut self.child, &mut self.events);
        self.child.turn(self.now);
        Ok(())
    }

    fn deadline(&self) -> Option<Mono> {
        let farewell = match self.end {
            End::Farewell(until, _) => Some(until),
            End::NotYet | End::Begun | End::Released => None,
        };
        self.machine.deadline().into_iter().chain(self.child.deadline()).chain(farewell).min()
    }

    /// Releases what does not stay, once nobody is left to want it.
    fn farewell(&mut self) {
        if let End::Farewell(until, mode) = self.end
            && (until <= self.now || !self.vrrp.is_attached() && !self.check.is_attached())
        {
            self.end = End::Begun;
            self.step(Event::Stop(mode));
        }
    }

    fn supervisor(&mut self) -> io::Result<()> {
        while let Some(event) = self.child.receive() {
            match event {
                child::Event::Configured { generation, slice } => self.step(Event::Configure(generation, slice)),
                child::Event::Activate(generation) => self.step(Event::Activate(generation)),
                child::Event::Discard(generation) => self.step(Event::Discard(generation)),
                child::Event::Attach(Role::Vrrp, socket) => {
                    self.vrrp.attach(socket, &mut self.events)?;
                    self.step(Event::VrrpAttached);
                }
                child::Event::Attach(Role::Check, socket) => {
                    self.check.attach(socket, &mut self.events)?;
                    self.step(Event::CheckAttached);
                }
                child::Event::Detached(Role::Vrrp) => {
                    self.vrrp.detach();
                    self.step(Event::VrrpLost);
                }
                child::Event::Detached(Role::Check) => {
                    self.check.detach();
                    self.step(Event::CheckLost);
                }
                // It tracks nothing.
                child::Event::Attach(..)
                | child::Event::Detached(_)
                | child::Event::TrackedFile(..)
                | child::Event::Processes(..) => {}
                child::Event::Dump(_) => self.step(Event::Dump),
                child::Event::Other(_, IpvsOwn::Table, Some(socket)) => {
                    self.sockets.replace_generic(socket, &mut self.events)?;
                    // Whatever was asked of the other one is not answered.
                    self.step(Event::Kernel(vec![Fact::Lost(Bus::Generic)]));
                }
                child::Event::Other(_, IpvsOwn::Marks, Some(socket)) => {
                    self.sockets.add_marks(socket, &mut self.events)?;
                    self.step(Event::Kernel(vec![Fact::Lost(Bus::Marks)]));
                }
                child::Event::Other(_, IpvsOwn::Table | IpvsOwn::Marks, None) => {
                    return Err(io::Error::other("a socket of the IPVS table did not come"));
                }
                child::Event::Stop(mode) => {
                    self.end = End::Begun;
                    self.step(Event::Stop(mode));
                }
                child::Event::SupervisorGone(mode) if self.end == End::NotYet => {
                    self.end = End::Farewell(self.now + FAREWELL, mode);
                }
                child::Event::SupervisorGone(_) => {}
            }
        }
        Ok(())
    }

    fn peers(&mut self, ready: &[Ready]) {
        for r in ready {
            if r.token == VRRP && self.vrrp.is_attached() {
                for _ in 0..BATCHES_PER_TURN {
                    // All that waits in one step: instances that change within microseconds of each other share a batch.
                    let mut all = Vec::new();
                    while let Some(messages) = self.vrrp.receive(&mut self.child, &mut self.events) {
                        all.extend(messages);
                    }
                    if all.is_empty() {
                        break;
                    }
                    // It says that it will say something, or says something that is seldom said alone.
                    self.events.stay_awake(self.now + AWAKE);
                    if all.contains(&VrrpToIpvs::Expect) {
                        processor::step_aside();
                    }
                    self.act(Event::FromVrrp(all));
                    self.answer();
                }
                if !self.vrrp.is_attached() {
                    // The hold time runs from here: a supervisor that hangs must not keep the addresses in place.
                    self.step(Event::VrrpLost);
                }
            } else if r.token == CHECK {
                while let Some(messages) = self.check.receive(&mut self.child, &mut self.events) {
                    self.step(Event::FromCheck(messages));
                }
            }
        }
    }

    /// One event, and all that follows from it at once: the kernel answers requests while they are written, and the answers
    /// are read and acted upon here, not in the next turn.
    fn step(&mut self, event: Event) {
        self.act(event);
        self.settle();
    }

    /// Reads the kernel's answers and acts upon them, but no notifications: vrrpd waits to announce its addresses, and what it
    /// has said meanwhile comes first too.
    fn answer(&mut self) {
        for _ in 0..ROUNDS_PER_TURN {
            let mut facts = std::mem::take(&mut self.facts);
            let drained = self.sockets.receive_answers(&mut facts);
            if facts.is_empty() && drained == Drained::Yes {
                return;
            }
            self.act(Event::Kernel(facts));
        }
    }

    /// Reads the kernel and acts upon it until there is nothing more to read and nothing was sent.
    fn settle(&mut self) {
        for _ in 0..ROUNDS_PER_TURN {
            if self.kernel == Kernel::Silent {
                return;
            }
            self.kernel = Kernel::Silent;
            let mut facts = std::mem::take(&mut self.facts);
            if self.sockets.receive(&mut facts) == Drained::No {
                self.kernel = Kernel::Speaks;
            }
            if !facts.is_empty() {
                self.act(Event::Kernel(facts));
            }
        }
    }

    fn act(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.machine.step(self.now, event, &mut actions);
        for action in actions {
            match action {
                Action::Send(batch) => {
                    self.sockets.send(&batch, &mut self.facts);
                    self.kernel = Kernel::Speaks;
                }
                Action::ToVrrp(messages) => {
                    self.vrrp.send(&mut self.child, messages);
                    // It has addresses to announce.
                    processor::give_way();
                }
                Action::ToCheck(messages) => self.check.send(&mut self.child, messages),
                Action::Open(marked, wanted) => match super::marked::open(wanted) {
                    Ok(socket) => self.check.send_with_fd(&mut self.child, IpvsToCheck::Opened { marked }, socket),
                    Err(e) => {
                        self.child.logger().warning(format!("Cannot open a socket with fwmark {}: {e}", wanted.mark));
                        self.check.send(&mut self.child, vec![IpvsToCheck::NotOpened { marked }]);
                    }
                },
                Action::Violation(Role::Vrrp, what) => self.vrrp.violated(&mut self.child, &what),
                Action::Violation(_, what) => self.check.violated(&mut self.child, &what),
                Action::Ready(generation) => self.child.ready(generation),
                Action::Refused(generation) => self.child.refused(generation),
                Action::Activated => self.child.activated(),
                Action::Unsettled => self.child.say(FromIpvs::Unsettled),
                Action::Stopped => {
                    self.child.stopped();
                    self.end = End::Released;
                }
                Action::Dump(text) => self.child.dump(&text),
                Action::Log(line) => self.child.log(&line),
            }
        }
    }
}
