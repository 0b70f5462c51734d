//! The event loop: what is ready becomes events of the [`Router`], what it wants becomes system calls.
//!
//! One turn: sleep until something is ready or the router's deadline has passed; read the clock once; let due timers run and carry
//! out what they want before anything is read; then the supervisor, ipvsd and a bounded number of packets of each interface.

use super::arrival::Arrival;
use super::bfd::{self, BfdSockets};
use super::later::{Later, Piece};
use super::outbox::{Outbox, Packets};
use super::processes;
use super::receiver::Received;
use super::sockets::Sockets;
use core::time::Duration;
use ipc::child::{self, Child, Peer, Vrrp};
use ipc::config::Generation;
use ipc::evloop::{EventLoop, Ready, clock};
use ipc::machine::Machine;
use ipc::msg::Role;
use ipc::msg::control::{FromVrrp, StopMode, Up};
use ipc::msg::sessions::{CheckToVrrp, VrrpToCheck};
use ipc::msg::vips::{IpvsToVrrp, VrrpToIpvs};
use ipc::report::Line;
use ipc::time::Mono;
use ipc::tracked;
use mio::Token;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use vrrpd::io::{Action, Event};
use vrrpd::router::Router;

const SUPERVISOR: Token = Token(0);
const IPVS: Token = Token(1);
const CHECK: Token = Token(2);

/// How long saying goodbye may take before the process exits without: ipvsd releases what is left.
const GOODBYE: Duration = Duration::from_secs(2);

/// A wake-up that comes later than this after the deadline means that the process stood still (a stopped machine, no processor):
/// the packets that wait are older than the timer's end, so they are read first. Otherwise adverts that came in time would be
/// found after the election that they should have prevented.
const STOOD_STILL: Duration = Duration::from_millis(100);

/// How long before an instance becomes master ipvsd is told to expect it: longer than it takes to wake it. An advert of the master
/// comes a whole Master_Down_Interval earlier than that.
const EXPECTED: Duration = Duration::from_micros(400);

/// How long ipvsd takes to answer, when nobody else wants its processor.
const ANSWERED: Duration = Duration::from_micros(300);

/// When nothing is due for so long, ipvsd goes first: longer than it takes to put some addresses there.
const UNHURRIED: Duration = Duration::from_micros(500);

/// How often the router is told the time of day.
const CLOCK: Duration = Duration::from_secs(1);

/// Where the end of the process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    /// Stopping; exits at this time at the latest.
    Stopping(Mono),
    /// Released; exits when this has been said.
    Stopped(Mono),
}

/// Everything the loop owns.
struct Driver {
    events: EventLoop,
    child: Child<Vrrp>,
    ipvs: Peer<VrrpToIpvs, IpvsToVrrp>,
    check: Peer<VrrpToCheck, CheckToVrrp>,
    router: Router,
    sockets: Sockets,
    bfd: BfdSockets,
    outbox: Outbox,
    later: Later,
    actions: Vec<Action>,
    packets: Vec<Received>,
    bfd_packets: Vec<bfd::Received>,
    arrival: Arrival,
    /// When the router was last told the time of day.
    clock_told: Option<Mono>,
    /// The configuration that was last given to the router.
    configured: Generation,
    life: Life,
    supervisor: Supervisor,
    /// When ipvsd was last told something about addresses.
    told_ipvsd: Mono,
}

/// Whether there is somebody to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supervisor {
    There,
    Gone,
}

/// Runs until the supervisor says stop or is gone.
pub fn run(mut child: Child<Vrrp>) -> io::Result<()> {
    let mut events = EventLoop::new()?;
    events.add(child.source(), SUPERVISOR)?;
    let mut driver = Driver {
        events,
        child,
        ipvs: Peer::new(Role::Ipvs, IPVS),
        check: Peer::new(Role::Check, CHECK),
        router: Router::default(),
        sockets: Sockets::default(),
        bfd: BfdSockets::default(),
        outbox: Outbox::default(),
        later: Later::default(),
        actions: Vec::new(),
        packets: Vec::new(),
        bfd_packets: Vec::new(),
        arrival: Arrival::default(),
        clock_told: None,
        configured: Generation::default(),
        life: Life::Running,
        supervisor: Supervisor::There,
        told_ipvsd: Mono::ZERO,
    };
    driver.step(clock(), Event::Chance(RandomState::new().build_hasher().finish()));
    let mut ready = Vec::new();
    while driver.turn(&mut ready)? {}
    Ok(())
}

impl Driver {
    /// One turn; false when it was the last.
    fn turn(&mut self, ready: &mut Vec<Ready>) -> io::Result<bool> {
        let due = self.router.deadline();
        let now = self.events.wait(self.deadline(due), ready)?;
        self.tell_clock(now);
        self.read_bfd(now, ready);
        if due.is_some_and(|due| now.since(due) > STOOD_STILL) {
            self.read_packets(now, ready);
        }
        let is_due = due.is_some_and(|due| due <= now);
        if !is_due && self.warning().is_some_and(|at| at <= now) {
            self.ipvs.send(&mut self.child, vec![VrrpToIpvs::Expect]);
            self.told_ipvsd = now;
        }
        if !ready.is_empty() || is_due {
            self.later.put_off(now);
        }
        if is_due {
            self.step(now, Event::Timeout);
            self.carry_out(now);
        }
        self.sockets.retry(now, &mut self.events, &mut self.outbox.lines);
        self.bfd.retry(now, &mut self.events, &mut self.outbox.lines);
        self.read_supervisor(now);
        self.read_ipvs(now);
        self.read_check(now);
        self.carry_out(now);
        self.read_packets(now, ready);
        self.carry_out(now);
        if self.later.due().is_some_and(|due| due <= now) {
            self.do_piece(now);
        }
        self.ipvs.turn(&mut self.child, &mut self.events);
        self.check.turn(&mut self.child, &mut self.events);
        self.child.turn(now);
        Ok(match self.life {
            Life::Running => true,
            Life::Stopping(end) => now < end,
            Life::Stopped(end) => now < end && !(self.is_heard() && self.later.is_empty()),
        })
    }

    fn tell_clock(&mut self, now: Mono) {
        if self.clock_told.is_none_or(|told| now.since(told) >= CLOCK) {
            self.clock_told = Some(now);
            self.step(now, Event::Clock(std::time::UNIX_EPOCH.elapsed().unwrap_or_default()));
        }
    }

    /// Whether what was said has been read, or never will be.
    fn is_heard(&self) -> bool {
        self.child.is_flushed() || self.supervisor == Supervisor::Gone
    }

    fn deadline(&self, router: Option<Mono>) -> Option<Mono> {
        let end = match self.life {
            Life::Running => None,
            Life::Stopping(end) | Life::Stopped(end) => Some(end),
        };
        let later = self.later.due();
        [router, self.sockets.deadline(), self.bfd.deadline(), self.child.deadline(), end, later, self.warning()]
            .into_iter()
            .flatten()
            .min()
    }

    /// When ipvsd is to be told that an instance becomes master; `None` when it is awake for that already.
    fn warning(&self) -> Option<Mono> {
        let at = self.router.takeover()? - EXPECTED;
        (at > self.told_ipvsd + EXPECTED).then_some(at)
    }

    fn step(&mut self, now: Mono, event: Event) {
        self.router.step(now, event, &mut self.actions);
        self.outbox.take(&mut self.actions);
    }

    fn read_supervisor(&mut self, now: Mono) {
        while let Some(event) = self.child.receive() {
            match event {
                child::Event::Configured { generation, slice } => {
                    self.configured = generation;
                    self.step(now, Event::Configure { generation, config: slice });
                }
                child::Event::Activate(_) => self.step(now, Event::Activate),
                child::Event::Discard(_) => self.step(now, Event::Discard),
                child::Event::Attach(Role::Ipvs, socket) => self.attach(now, socket),
                child::Event::Detached(Role::Ipvs) => {
                    self.ipvs.detach();
                    self.step(now, Event::IpvsLost);
                }
                child::Event::Attach(Role::Check, socket) => match self.check.attach(socket, &mut self.events) {
                    Ok(()) => self.step(now, Event::SessionsWanted),
                    Err(e) => self.child.logger().error(format!(
                        "Cannot watch the channel to checkd: {e}; BFD_CHECK hears nothing until checkd is restarted"
                    )),
                },
                child::Event::Detached(Role::Check) => self.check.detach(),
                // vrrpd has no other peer.
                child::Event::Attach(..) | child::Event::Detached(_) => {}
                child::Event::Dump(kind) => self.step(now, Event::Dump(kind)),
                child::Event::TrackedFile(generation, file, open) => {
                    let text = open.map(tracked::read).unwrap_or_default();
                    self.step(now, Event::File { generation, file, text });
                }
                child::Event::Processes(generation, seen) => {
                    self.step(now, Event::Processes { generation, seen: processes::read(seen) });
                    self.child.say(FromVrrp::ProcessesTaken);
                }
                child::Event::Stop(mode) => self.stop(now, mode),
                child::Event::Other(generation, ended, _) => self.step(now, Event::ProbeEnded { generation, ended }),
                child::Event::SupervisorGone(mode) => {
                    self.supervisor = Supervisor::Gone;
                    self.stop(now, mode);
                }
            }
            // Each of these speaks of the generation that counts at this point.
            self.carry_out(now);
        }
    }

    fn attach(&mut self, now: Mono, socket: OwnedFd) {
        match self.ipvs.attach(socket, &mut self.events) {
            Ok(()) => self.step(now, Event::IpvsAttached),
            Err(e) => self.child.logger().error(format!(
                "Cannot watch the channel to ipvsd: {e}; addresses do not move until holdfast is restarted"
            )),
        }
    }

    /// checkd has one wish; asking many times in a turn is answered once.
    fn read_check(&mut self, now: Mono) {
        let mut asked = None;
        while let Some(messages) = self.check.receive(&mut self.child, &mut self.events) {
            asked = messages.last().copied().or(asked);
        }
        if let Some(CheckToVrrp::Resync) = asked {
            self.step(now, Event::SessionsWanted);
        }
    }

    fn read_ipvs(&mut self, now: Mono) {
        while let Some(messages) = self.ipvs.receive(&mut self.child, &mut self.events) {
            let generation = self.child.generation();
            for message in messages {
                self.step(now, Event::Ipvs { generation, message });
            }
            self.carry_out(now);
        }
    }

    /// Takes the packets of the interfaces that are ready and lets them send what waits; `ready` is empty afterwards.
    fn read_packets(&mut self, now: Mono, ready: &mut Vec<Ready>) {
        let mut packets = core::mem::take(&mut self.packets);
        for ready in ready.drain(..) {
            if let Some(ifindex) = self.sockets.ready(ready, &mut self.events, &mut packets) {
                if !packets.is_empty() {
                    self.arrival.look();
                }
                for packet in packets.drain(..) {
                    let at = self.arrival.at(packet.stamp, now);
                    self.step(at, Event::Packet { ifindex, bytes: packet.bytes });
                }
            }
        }
        self.packets = packets;
    }

    /// Takes the packets of BFD, before any timer is looked at: a detection time may be shorter than this process sleeps, and a packet that
    /// came in time counts. They are taken out of `ready`.
    fn read_bfd(&mut self, now: Mono, ready: &mut Vec<Ready>) {
        let mut packets = core::mem::take(&mut self.bfd_packets);
        ready.retain(|ready| !self.bfd.ready(*ready, &mut self.events, &mut packets));
        if !packets.is_empty() {
            self.arrival.look();
        }
        for packet in packets.drain(..) {
            let at = self.arrival.at(packet.stamp, now);
            self.step(at, Event::Bfd(packet.heard));
        }
        self.bfd_packets = packets;
    }

    /// Begins to say goodbye; once is enough.
    fn stop(&mut self, now: Mono, mode: StopMode) {
        if self.life == Life::Running {
            self.life = Life::Stopping(now + GOODBYE);
            self.step(now, Event::Stop(mode));
        }
    }

    fn carry_out(&mut self, now: Mono) {
        let mut lines = core::mem::take(&mut self.outbox.lines);
        if self.outbox.releases() {
            self.send_copies(now, &mut lines);
        }
        // A goodbye goes out on a socket that is closed next, an introduction on one that is opened now.
        let (before, after): (Packets, Packets) =
            self.outbox.take_packets().into_iter().partition(|(ifindex, _)| self.sockets.is_open(*ifindex));
        self.send(now, before, &mut lines);
        if let Some(wanted) = self.outbox.listen.take() {
            self.sockets.listen(now, wanted, &mut self.events, &mut lines);
        }
        self.send(now, after, &mut lines);
        self.carry_out_bfd(now, &mut lines);
        self.tell_ipvsd(now);
        let sessions = core::mem::take(&mut self.outbox.check);
        if !sessions.is_empty() {
            self.check.send(&mut self.child, sessions);
        }
        let last = core::mem::take(&mut self.outbox.last_words);
        for of_one in last.chunk_by(|(a, _), (b, _)| a == b) {
            let words = of_one.iter().map(|(_, word)| *word).collect();
            self.child.say_all_of(of_one.first().map_or_else(Generation::default, |(left, _)| *left), words);
        }
        let words = core::mem::take(&mut self.outbox.words);
        self.child.say_all(words);
        for (ifindex, frames) in core::mem::take(&mut self.outbox.copies) {
            self.later.frames(now, ifindex, frames);
        }
        self.later.lines(now, lines);
        while self.later.is_full() {
            self.do_piece(now);
        }
        for text in core::mem::take(&mut self.outbox.dumps) {
            self.child.dump(&text);
        }
        for up in core::mem::take(&mut self.outbox.ups) {
            self.say(up);
        }
    }

    /// Sends on the sockets that are there, opens and closes, and sends the rest: the same reasons as with adverts.
    fn carry_out_bfd(&mut self, now: Mono, lines: &mut Vec<Line>) {
        let packets = core::mem::take(&mut self.outbox.bfd);
        let (before, after): (Vec<_>, Vec<_>) = packets.into_iter().partition(|(peer, _)| self.bfd.is_open(peer));
        for (peer, bytes) in before {
            self.bfd.send(now, &peer, &bytes, lines);
        }
        if let Some(wanted) = self.outbox.bfd_listen.take() {
            self.bfd.listen(now, wanted, &mut self.events, lines);
        }
        for (peer, bytes) in after {
            self.bfd.send(now, &peer, &bytes, lines);
        }
    }

    /// What is said to ipvsd about addresses is urgent; when no advert is, it may have this processor for it.
    fn tell_ipvsd(&mut self, now: Mono) {
        let words = core::mem::take(&mut self.outbox.ipvs);
        if words.is_empty() {
            return;
        }
        self.ipvs.send(&mut self.child, words);
        self.told_ipvsd = now;
        if self.router.deadline().is_none_or(|due| due > now + UNHURRIED) {
            ipc::processor::give_way();
            self.events.stay_awake(now + ANSWERED);
        }
    }

    /// Does a piece of what could wait.
    fn do_piece(&mut self, now: Mono) {
        match self.later.next(now) {
            Piece::Frames(ifindex, frames) => {
                let mut lines = Vec::new();
                self.sockets.send(now, ifindex, Vec::new(), frames, &mut self.events, &mut lines);
                self.later.lines(now, lines);
            }
            Piece::Lines(lines) => self.child.log_all(&lines),
            Piece::Nothing => {}
        }
    }

    /// Sends all announcements that still wait: after an address is given up, none may follow that claims it.
    fn send_copies(&mut self, now: Mono, lines: &mut Vec<Line>) {
        while let Some((ifindex, frames)) = self.later.next_frames(usize::MAX) {
            self.sockets.send(now, ifindex, Vec::new(), frames, &mut self.events, lines);
        }
    }

    fn send(&mut self, now: Mono, packets: Packets, lines: &mut Vec<Line>) {
        for (ifindex, (adverts, frames)) in packets {
            self.sockets.send(now, ifindex, adverts, frames, &mut self.events, lines);
        }
    }

    fn say(&mut self, up: Up) {
        match up {
            Up::Ready => self.child.ready(self.configured),
            Up::Refused => self.child.refused(self.configured),
            Up::Activated => self.child.activated(),
            Up::Violation(Role::Ipvs) => {
                self.ipvs.violated(&mut self.child, "a message that cannot be");
            }
            Up::Violation(role) => self.child.violation(role),
            Up::Stopped => {
                self.child.stopped();
                self.life = Life::Stopped(clock() + GOODBYE);
            }
            // The channel's own affair.
            Up::LogSocketLost | Up::Here | Up::Dumped(_) => {}
        }
    }
}
