//! The event loop of `checkd run`.
//!
//! One turn: sleep until something is ready or the engine's deadline has passed; read the clock once; take what came on
//! connections, so that an answer that came in time counts; let what is due run; then the supervisor and ipvsd; then say what
//! is to be said, one frame to each.

use super::prober::Prober;
use checkd::engine::Event;
use core::time::Duration;
use ipc::child::{self, Check, CheckOwn, Child, Peer};
use ipc::config::Generation;
use ipc::evloop::{EventLoop, Ready};
use ipc::msg::Role;
use ipc::msg::control::{AtStop, StopMode, Up};
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck};
use ipc::msg::sessions::{CheckToVrrp, VrrpToCheck};
use ipc::processor;
use ipc::time::Mono;
use ipc::tracked;
use mio::Token;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

const SUPERVISOR: Token = Token(0);
const IPVS: Token = Token(1);
const VRRP: Token = Token(2);
const FIRST_CONNECTION: usize = 3;

/// How long the last words may take to go out.
const GOODBYE: Duration = Duration::from_secs(2);

/// How much later than its deadline the engine is told at the latest. What becomes due within that time is done in one go: with thousands
/// of checks a second most of what a check costs here is being woken for it.
const SLACK: Duration = Duration::from_millis(5);

/// A wake-up that comes later than this after the deadline means that the process stood still: answers wait that came in time.
/// They are read first, in more turns than one if need be.
const STOOD_STILL: Duration = Duration::from_millis(100);

/// Most turns in which answers are read before timeouts count, after the process stood still.
const TURNS_TO_CATCH_UP: u32 = 64;

/// Where the end of the process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    /// Exits when everything has been said, at this time at the latest.
    Stopped(Mono),
}

struct Driver {
    events: EventLoop,
    child: Child<Check>,
    ipvs: Peer<CheckToIpvs, IpvsToCheck>,
    vrrp: Peer<CheckToVrrp, VrrpToCheck>,
    prober: Prober,
    /// The configuration that was last given to the engine.
    configured: Generation,
    life: Life,
}

/// Runs until the supervisor says stop or is gone. `connections`: most at a time.
pub fn run(mut child: Child<Check>, connections: usize) -> io::Result<()> {
    let mut events = EventLoop::new()?;
    events.add(child.source(), SUPERVISOR)?;
    let mut driver = Driver {
        events,
        child,
        ipvs: Peer::new(Role::Ipvs, IPVS),
        vrrp: Peer::new(Role::Vrrp, VRRP),
        prober: Prober::new(connections, FIRST_CONNECTION),
        configured: Generation::default(),
        life: Life::Running,
    };
    let mut ready = Vec::new();
    while driver.turn(&mut ready)? {}
    Ok(())
}

impl Driver {
    /// One turn; false when it was the last.
    fn turn(&mut self, ready: &mut Vec<Ready>) -> io::Result<bool> {
        let due = self.prober.deadline().map(|due| due + SLACK);
        let mut now = self.events.wait(self.deadline(due), ready)?;
        if due.is_some_and(|due| now.since(due) > STOOD_STILL) {
            now = self.catch_up(now, ready)?;
        } else {
            self.read_connections(now, ready);
        }
        if due.is_some_and(|due| due <= now) {
            self.prober.step(now, Event::Timeout, &mut self.events);
        }
        self.read_supervisor(now);
        self.read_ipvs(now);
        self.read_vrrp(now);
        self.say(now);
        self.ipvs.turn(&mut self.child, &mut self.events);
        self.vrrp.turn(&mut self.child, &mut self.events);
        self.child.turn(now);
        Ok(match self.life {
            Life::Running => true,
            Life::Stopped(end) => now < end && !self.child.is_flushed(),
        })
    }

    fn deadline(&self, engine: Option<Mono>) -> Option<Mono> {
        let end = match self.life {
            Life::Running => None,
            Life::Stopped(end) => Some(end),
        };
        engine.into_iter().chain(self.child.deadline()).chain(end).min()
    }

    /// Reads what waits, as long as there are connections of which nothing was read yet: a server that sends without end has its turns with the
    /// others, and no more. Gives the time.
    fn catch_up(&mut self, mut now: Mono, ready: &mut Vec<Ready>) -> io::Result<Mono> {
        let mut read = BTreeSet::new();
        for _ in 0..TURNS_TO_CATCH_UP {
            let known = read.len();
            read.extend(ready.iter().map(|ready| ready.token));
            self.read_connections(now, ready);
            if read.len() == known {
                break;
            }
            now = self.events.wait(Some(now), ready)?;
        }
        // What came last: the edges of its sources have been seen.
        self.read_connections(now, ready);
        Ok(now)
    }

    fn read_connections(&mut self, now: Mono, ready: &mut Vec<Ready>) {
        for ready in ready.drain(..).filter(|ready| ready.token.0 >= FIRST_CONNECTION) {
            self.prober.ready(now, ready, &mut self.events);
        }
    }

    fn step(&mut self, now: Mono, event: Event) {
        self.prober.step(now, event, &mut self.events);
    }

    fn read_supervisor(&mut self, now: Mono) {
        while let Some(event) = self.child.receive() {
            match event {
                child::Event::Configured { generation, slice } => {
                    self.configured = generation;
                    let seed = RandomState::new().build_hasher().finish();
                    self.step(now, Event::Configure { generation, config: slice, seed });
                }
                child::Event::Activate(_) => self.step(now, Event::Activate),
                child::Event::Discard(_) => self.step(now, Event::Discard),
                child::Event::Attach(Role::Ipvs, socket) => self.attach(now, socket),
                child::Event::Detached(Role::Ipvs) => {
                    self.ipvs.detach();
                    self.step(now, Event::IpvsLost);
                }
                child::Event::Attach(Role::Vrrp, socket) => match self.vrrp.attach(socket, &mut self.events) {
                    Ok(()) => self.step(now, Event::VrrpAttached),
                    Err(e) => self.child.logger().error(format!(
                        "Cannot watch the channel to vrrpd: {e}; BFD_CHECK hears nothing until vrrpd is restarted"
                    )),
                },
                child::Event::Detached(Role::Vrrp) => self.vrrp.detach(),
                // There is no other peer, and only instances track processes.
                child::Event::Attach(..) | child::Event::Detached(_) | child::Event::Processes(..) => {}
                child::Event::Dump(kind) => {
                    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    let wall = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
                    self.step(now, Event::Dump { kind, wall });
                }
                child::Event::TrackedFile(generation, file, open) => {
                    let text = open.map(tracked::read).unwrap_or_default();
                    self.step(now, Event::File { generation, file, text });
                }
                child::Event::Stop(mode) => self.step(now, Event::Stop(mode)),
                child::Event::Other(generation, CheckOwn::ProbeEnded(ended), _) => {
                    self.step(now, Event::ProbeEnded { generation, ended });
                }
                child::Event::Other(generation, CheckOwn::News(news), _) => {
                    self.step(now, Event::News { generation, news });
                }
                // Nobody is left to be told anything.
                child::Event::SupervisorGone(_) => {
                    self.step(now, Event::Stop(StopMode { vips: AtStop::Keep, ipvs: AtStop::Keep }));
                }
            }
            // Each of these speaks of the generation that counts at this point.
            self.say(now);
        }
    }

    fn attach(&mut self, now: Mono, socket: OwnedFd) {
        match self.ipvs.attach(socket, &mut self.events) {
            Ok(()) => self.step(now, Event::IpvsAttached),
            Err(e) => self.child.logger().error(format!(
                "Cannot watch the channel to ipvsd: {e}; real servers stay as they are until holdfast is restarted"
            )),
        }
    }

    fn read_ipvs(&mut self, now: Mono) {
        while let Some((messages, fds)) = self.ipvs.receive_with_fds(&mut self.child, &mut self.events) {
            let generation = self.child.generation();
            let mut fds = fds.into_iter();
            for message in messages {
                match message {
                    IpvsToCheck::Opened { marked } => match fds.next() {
                        Some(socket) => self.prober.opened(now, marked, Some(socket), &mut self.events),
                        None => return self.ipvs.violated(&mut self.child, "a socket that did not come"),
                    },
                    IpvsToCheck::NotOpened { marked } => self.prober.opened(now, marked, None, &mut self.events),
                    message => self.step(now, Event::Ipvs { generation, message }),
                }
            }
            if fds.next().is_some() {
                return self.ipvs.violated(&mut self.child, "a frame with descriptors");
            }
        }
    }

    fn read_vrrp(&mut self, now: Mono) {
        while let Some(messages) = self.vrrp.receive(&mut self.child, &mut self.events) {
            let generation = self.child.generation();
            for VrrpToCheck::Session { bfd, now: state } in messages {
                self.step(now, Event::Session { generation, bfd, now: state });
            }
        }
    }

    /// Says what has been collected.
    fn say(&mut self, now: Mono) {
        let outbox = core::mem::take(&mut self.prober.outbox);
        if !outbox.ipvs.is_empty() {
            self.ipvs.send(&mut self.child, outbox.ipvs);
            // What it does for the service comes before what is written about it here.
            processor::give_way();
        }
        self.vrrp.send(&mut self.child, outbox.vrrp);
        if let Some(what) = outbox.vrrp_violation {
            self.vrrp.violated(&mut self.child, &what);
        }
        if let Some(what) = outbox.violation {
            self.ipvs.violated(&mut self.child, &what);
        }
        for of_one in outbox.last_words.chunk_by(|(a, _), (b, _)| a == b) {
            let left = of_one.first().map_or_else(Generation::default, |(left, _)| *left);
            self.child.say_all_of(left, of_one.iter().map(|(_, word)| *word).collect());
        }
        self.child.say_all(outbox.words);
        self.child.log_all(&outbox.lines);
        for text in &outbox.dumps {
            self.child.dump(text);
        }
        for up in outbox.ups {
            match up {
                Up::Ready => self.child.ready(self.configured),
                Up::Refused => self.child.refused(self.configured),
                Up::Activated => self.child.activated(),
                Up::Stopped => {
                    self.child.stopped();
                    self.life = Life::Stopped(now + GOODBYE);
                }
                // The affair of `child` and of `Peer::violated`.
                Up::LogSocketLost | Up::Here | Up::Dumped(_) | Up::Violation(_) => {}
            }
        }
    }
}
