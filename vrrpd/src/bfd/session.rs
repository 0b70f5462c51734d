//! One session (RFC 5880 §6.8): its state, what a packet or silence makes of it, and what it says.

use super::chance::Chance;
use super::timing::{Interval, Poll, micros};
use crate::effects::Effects;
use crate::io::{BfdHops, BfdPeer};
use crate::packet::bfd::{Control, Diag, Flag, State};
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::bfd::Bfd;
use ipc::config::vrrp::Switch;
use ipc::report::Level;
use ipc::time::Mono;

/// What a session means for those that track it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is new, and has not had the time to come up: who went on since before (a master that is resumed, a real server that was up) goes
    /// on, for everybody else it is down. COMPAT: keepalived 2.2.7, measured: down from the start.
    Fresh,
    /// It is up.
    Up,
    /// It is not.
    Down,
}

/// Whether that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// It has.
    Yes,
    /// It has not.
    No,
}

/// What the neighbour said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    pub state: State,
    pub diag: Diag,
    pub demand: Flag,
    pub multiplier: u8,
    pub min_tx: u32,
    pub min_rx: u32,
}

/// Nothing was heard. RFC 5880 §6.8.1: bfd.RemoteMinRxInterval is 1 then.
const UNHEARD: Remote =
    Remote { state: State::Down, diag: Diag::NONE, demand: Flag::Clear, multiplier: 0, min_tx: 0, min_rx: 1 };

/// Counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets sent.
    pub sent: u64,
    /// Packets that counted.
    pub received: u64,
    /// How often it came up.
    pub ups: u64,
    /// How often it went down.
    pub downs: u64,
}

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its configuration.
    pub conf: Bfd,
    /// bfd.SessionState
    pub state: State,
    /// bfd.LocalDiag
    pub diag: Diag,
    /// bfd.LocalDiscr
    pub mine: u32,
    /// bfd.RemoteDiscr; 0 as long as nothing is heard.
    pub yours: u32,
    /// Since when it has been in its state.
    pub since: Mono,
    /// Counters.
    pub counters: Counters,
    pub(super) remote: Remote,
    pub(super) tx: Interval,
    pub(super) rx: Interval,
    pub(super) poll: Option<Poll>,
    pub(super) chance: Chance,
    /// When a packet was last sent in its time, and the interval that the next one was planned with.
    pub(super) sent: Option<Mono>,
    pub(super) paced: Duration,
    pub(super) send_at: Option<Mono>,
    detect_at: Option<Mono>,
    /// It has not been up yet, and need not be before this.
    fresh_until: Option<Mono>,
}

impl Session {
    /// A session in Down that speaks at once, unless it is passive. It counts as fresh for as long as a neighbour that knew an
    /// earlier session would take to notice its end at the slow pace.
    pub fn new(conf: Bfd, mine: u32, chance: Chance, now: Mono) -> Self {
        let idle = micros(conf.idle_tx);
        let min_rx = micros(conf.min_rx);
        Session {
            state: State::Down,
            diag: Diag::NONE,
            mine,
            yours: 0,
            since: now,
            counters: Counters::default(),
            remote: UNHEARD,
            tx: Interval { said: idle, used: idle },
            rx: Interval { said: min_rx, used: min_rx },
            poll: None,
            chance,
            sent: None,
            paced: conf.idle_tx,
            send_at: (conf.passive == Switch::Off).then_some(now),
            detect_at: None,
            fresh_until: Some(now + conf.idle_tx.saturating_mul(conf.multiplier.into())),
            conf,
        }
    }

    /// Whom it speaks to and how.
    pub fn peer(&self) -> BfdPeer {
        BfdPeer { neighbor: self.conf.neighbor, hops: hops(&self.conf), source: self.conf.source, ttl: self.conf.ttl }
    }

    /// What it means for those that track it.
    pub fn standing(&self) -> Standing {
        match self.state {
            State::Up => Standing::Up,
            State::AdminDown | State::Down | State::Init if self.fresh_until.is_some() => Standing::Fresh,
            State::AdminDown | State::Down | State::Init => Standing::Down,
        }
    }

    /// When it next wants to be woken.
    pub fn deadline(&self) -> Option<Mono> {
        [self.send_at, self.detect_at, self.fresh_until].into_iter().flatten().min()
    }

    /// Whether a packet that came over so many routers less than it may have started with counts. COMPAT: keepalived 2.4.3: it may
    /// have lost `max_hops` from our own `ttl`; with `ttl 255` that is RFC 5082.
    pub fn is_near(&self, ttl: u8) -> bool {
        self.conf.max_hops.is_none_or(|hops| ttl >= self.conf.ttl.saturating_sub(hops))
    }

    /// Speaks, or gives the neighbour up, when its time has come.
    pub fn expire(&mut self, now: Mono, out: &mut Effects) -> Turned {
        let before = self.standing();
        self.fresh_until = self.fresh_until.filter(|until| *until > now);
        if let Some(due) = self.detect_at.filter(|due| *due <= now) {
            self.detect_at = None;
            self.unheard(now, due, out);
        }
        if self.send_at.is_some_and(|due| due <= now) {
            self.schedule(now);
            self.say(Flag::Clear, out);
        }
        self.turned(before)
    }

    /// A Detection Time has passed without a packet (RFC 5880 §6.8.4; §6.8.1, bfd.RemoteDiscr).
    fn unheard(&mut self, now: Mono, due: Mono, out: &mut Effects) {
        if matches!(self.state, State::Init | State::Up) {
            let (waited, late) = (self.detection_time().as_millis(), now.since(due).as_micros());
            let text = format!("({}) Expired after {waited} ms ({late} usec overdue)", self.conf.name);
            out.log(Level::Info, text);
        }
        self.yours = 0;
        self.remote = Remote { diag: self.remote.diag, ..UNHEARD };
        if matches!(self.state, State::Init | State::Up) {
            self.enter(State::Down, Diag::EXPIRED, now, out);
            self.schedule(now);
            self.say(Flag::Clear, out);
        } else {
            self.reschedule(now);
        }
    }

    /// A packet for this session (RFC 5880 §6.8.6).
    pub fn receive(&mut self, packet: &Control, now: Mono, out: &mut Effects) -> Turned {
        let before = self.standing();
        self.counters.received = self.counters.received.saturating_add(1);
        self.yours = packet.mine;
        self.remote = Remote {
            state: packet.state,
            diag: packet.diag,
            demand: packet.demand,
            multiplier: packet.multiplier,
            min_tx: packet.min_tx,
            min_rx: packet.min_rx,
        };
        if packet.last == Flag::Set {
            self.polled();
        }
        let next = next(self.state, packet.state);
        if let Some((state, diag)) = next {
            self.enter(state, diag, now, out);
        }
        self.detect_at = Some(now + self.detection_time());
        // RFC 5880 §6.8.7: an answer to a poll goes out at once, and so should what the neighbour cannot know yet.
        if packet.poll == Flag::Set {
            self.say(Flag::Set, out);
            self.reschedule(now);
        } else if next.is_some() {
            self.schedule(now);
            self.say(Flag::Clear, out);
        } else {
            self.reschedule(now);
        }
        self.turned(before)
    }

    fn turned(&self, before: Standing) -> Turned {
        if self.standing() == before { Turned::No } else { Turned::Yes }
    }

    fn enter(&mut self, state: State, diag: Diag, now: Mono, out: &mut Effects) {
        let name = &self.conf.name;
        match state {
            State::Up => {
                self.fresh_until = None;
                self.counters.ups = self.counters.ups.saturating_add(1);
                out.log(Level::Info, format!("({name}) Entering Up state"));
            }
            State::Down => {
                self.counters.downs = self.counters.downs.saturating_add(1);
                let (local, remote) = (diag.name(), self.remote.diag.name());
                let text =
                    format!("({name}) Entering Down state (Local diagnostic - {local}, Remote diagnostic - {remote})");
                out.log(Level::Info, text);
            }
            State::Init | State::AdminDown => {}
        }
        self.state = state;
        self.diag = diag;
        self.since = now;
        self.settle_intervals();
    }

    /// The same session with the configuration of a new generation.
    pub fn reconfigured(&self, conf: Bfd, now: Mono) -> Self {
        let mut session = self.clone();
        session.conf = conf;
        session.settle_intervals();
        if session.remote.multiplier != 0 && session.detect_at.is_some() {
            let due = now + session.detection_time();
            session.detect_at =
                session.detect_at.map(|at| if session.rx.used > self.rx.used { at.max(due) } else { at });
        }
        session.reschedule(now);
        session
    }

    /// The end of the session: a neighbour that knows of it is told that it is down, so that it need not wait. keepalived says nothing.
    /// Not AdminDown, as RFC 5880 §6.8.16 has it: keepalived 2.2.7, measured, tells no instance of a session that ends so.
    pub fn close(&mut self, out: &mut Effects) {
        if self.yours != 0 {
            self.state = State::Down;
            self.settle_intervals();
            self.say(Flag::Clear, out);
        }
    }

    /// Sends a packet; `last` answers a poll. An answer does not poll (RFC 5880 §6.5).
    fn say(&mut self, last: Flag, out: &mut Effects) {
        let polls = self.poll.is_some() && last == Flag::Clear;
        let control = Control {
            diag: self.diag,
            state: self.state,
            poll: if polls { Flag::Set } else { Flag::Clear },
            last,
            demand: Flag::Clear,
            multiplier: self.conf.multiplier,
            mine: self.mine,
            yours: self.yours,
            min_tx: self.tx.said,
            min_rx: self.rx.said,
        };
        self.counters.sent = self.counters.sent.saturating_add(1);
        out.bfd(self.peer(), control.encode());
    }

    /// What the neighbour said last of itself, for dumps: state, diagnostic, multiplier, Desired Min TX and Required Min RX in microseconds.
    pub fn neighbor_said(&self) -> (State, Diag, u8, u32, u32) {
        let Remote { state, diag, multiplier, min_tx, min_rx, .. } = self.remote;
        (state, diag, multiplier, min_tx, min_rx)
    }
}

/// Which port.
pub fn hops(conf: &Bfd) -> BfdHops {
    match conf.multihop {
        Switch::Off => BfdHops::Single,
        Switch::On => BfdHops::Many,
    }
}

/// The states that follow (RFC 5880 §6.8.6, §6.2): `None` when it stays. A session that is AdminDown hears nothing.
pub fn next(local: State, remote: State) -> Option<(State, Diag)> {
    match (local, remote) {
        (State::Init | State::Up, State::AdminDown) | (State::Up, State::Down) => Some((State::Down, Diag::NEIGHBOR)),
        (State::Down, State::Down) => Some((State::Init, Diag::NONE)),
        (State::Down, State::Init) | (State::Init, State::Init | State::Up) => Some((State::Up, Diag::NONE)),
        (State::AdminDown, _)
        | (State::Down, State::AdminDown | State::Up)
        | (State::Init, State::Down)
        | (State::Up, State::Init | State::Up) => None,
    }
}

/// Every session's peer, each once.
pub fn peers<'a>(sessions: impl Iterator<Item = &'a Session>) -> Vec<BfdPeer> {
    let mut peers: Vec<BfdPeer> = sessions.map(Session::peer).collect();
    peers.sort_unstable();
    peers.dedup();
    peers
}
