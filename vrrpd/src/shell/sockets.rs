//! Which interfaces have sockets: exactly those of the last [`Action::Listen`](vrrpd::io::Action::Listen).
//!
//! An interface whose sockets cannot be opened is tried again every second and complained of once. Losses are logged at most
//! once a minute per interface.

use super::link::{Link, Refused};
use super::receiver::{Buffers, Received};
use super::sender::{Lost, Packet};
use core::time::Duration;
use ipc::evloop::{EventLoop, Ready};
use ipc::net::Family;
use ipc::report::{Level, Line};
use ipc::time::Mono;
use mio::Token;
use mio::unix::SourceFd;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsRawFd;
use vrrpd::io::{Listen, Way};

/// Packets taken from one interface in one turn; more wait for the next, so that timers come in between.
pub const PACKETS_PER_TURN: usize = 256;

/// Time between attempts to open what could not be opened.
const RETRY: Duration = Duration::from_secs(1);

/// Time between two lines on losses of one interface.
const LOSS_LINES: Duration = Duration::from_secs(60);

/// The sockets of an interface in the poll set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Receiver(Way),
    Adverts(Family),
    Frames,
}

/// All of them, each at the place of its number in a token.
const KINDS: [Kind; 6] = [
    Kind::Receiver(Way::V4),
    Kind::Receiver(Way::Ah),
    Kind::Receiver(Way::V6),
    Kind::Adverts(Family::V4),
    Kind::Adverts(Family::V6),
    Kind::Frames,
];

/// Tokens of one interface.
const KINDS_ROOM: usize = 8;

/// The interface's tokens are above this one.
const FIRST_TOKEN: usize = 16;

fn token(ifindex: u32, kind: Kind) -> Token {
    let kind = KINDS.iter().position(|known| *known == kind).unwrap_or(KINDS.len());
    let first = usize::try_from(ifindex).unwrap_or(0).saturating_mul(KINDS_ROOM).saturating_add(FIRST_TOKEN);
    Token(first.saturating_add(kind))
}

fn parse(token: Token) -> Option<(u32, Kind)> {
    let n = token.0.checked_sub(FIRST_TOKEN)?;
    Some((u32::try_from(n / KINDS_ROOM).ok()?, *KINDS.get(n % KINDS_ROOM)?))
}

#[derive(Debug)]
struct Open {
    link: Link,
    listen: Listen,
    losses: Losses,
    /// The sending sockets in the poll set: those that are full. The others would wake the process after each packet.
    watched: BTreeSet<Kind>,
    /// The receiving sockets in the poll set.
    heard: BTreeSet<Way>,
}

#[derive(Debug, Default)]
struct Losses {
    adverts: u64,
    frames: u64,
    why: Option<nix::errno::Errno>,
    said: Option<Mono>,
}

/// All sockets.
#[derive(Debug, Default)]
pub struct Sockets {
    wanted: Vec<Listen>,
    open: BTreeMap<u32, Open>,
    /// Interfaces that have been complained of.
    complained: BTreeSet<u32>,
    retry: Option<Mono>,
    buffers: Buffers,
}

impl Sockets {
    /// Opens and closes until exactly `wanted` is open.
    pub fn listen(&mut self, now: Mono, wanted: Vec<Listen>, events: &mut EventLoop, log: &mut Vec<Line>) {
        let unchanged = |index: &u32| {
            let of = |list: &[Listen]| list.iter().find(|l| l.ifindex == *index).cloned();
            of(&wanted) == of(&self.wanted)
        };
        self.complained.retain(unchanged);
        self.wanted = wanted;
        self.reconcile(now, events, log);
    }

    /// Whether an interface has sockets.
    pub fn is_open(&self, ifindex: u32) -> bool {
        self.open.contains_key(&ifindex)
    }

    /// When [`Sockets::retry`] wants to be called.
    pub fn deadline(&self) -> Option<Mono> {
        self.retry
    }

    /// Tries again what could not be opened, when its time has come.
    pub fn retry(&mut self, now: Mono, events: &mut EventLoop, log: &mut Vec<Line>) {
        if self.retry.is_some_and(|at| at <= now) {
            self.reconcile(now, events, log);
        }
    }

    fn reconcile(&mut self, now: Mono, events: &mut EventLoop, log: &mut Vec<Line>) {
        self.retry = None;
        // A socket stays bound to an interface that is renamed, but for a name that means another one now it is opened anew.
        self.open.retain(|_, open| {
            self.wanted.iter().any(|w| w.ifindex == open.listen.ifindex && w.name == open.listen.name)
        });
        for listen in &self.wanted {
            let opened = match self.open.remove(&listen.ifindex) {
                Some(open) => Ok(open),
                None => open(listen),
            };
            let result = opened.and_then(|mut open| {
                let spoken = open.link.speak(listen);
                open.listen = listen.clone();
                let spoken = spoken.and(open.listen_to(events));
                self.open.insert(listen.ifindex, open);
                spoken
            });
            if let Err(refused) = result {
                self.retry = Some(now + RETRY);
                if self.complained.insert(listen.ifindex) {
                    log.push(Line::new(
                        Level::Error,
                        format!(
                            "VRRP on interface {} (index {}) does not work: {refused}; trying again every second",
                            listen.name, listen.ifindex
                        ),
                    ));
                }
            }
        }
    }

    /// Takes what is there on a socket that is ready: at most [`PACKETS_PER_TURN`] packets, with the index of their interface.
    /// `into` is emptied first.
    pub fn ready(&mut self, ready: Ready, events: &mut EventLoop, into: &mut Vec<Received>) -> Option<u32> {
        into.clear();
        let (ifindex, kind) = parse(ready.token)?;
        let open = self.open.get_mut(&ifindex)?;
        match kind {
            Kind::Adverts(family) => open.link.adverts.get_mut(&family)?.flush(),
            Kind::Frames => open.link.frames.flush(),
            Kind::Receiver(way) => {
                while open.link.receive(way, &mut self.buffers, into) > 0 {
                    if into.len() >= PACKETS_PER_TURN {
                        // The poll set is edge-triggered: registering again makes it report what is left.
                        let fd = open.link.receiver(way)?.as_raw_fd();
                        let _ = events.rearm_readable(&mut SourceFd(&fd), ready.token);
                        break;
                    }
                }
            }
        }
        open.watch(events);
        Some(ifindex)
    }

    /// Sends adverts and then frames on an interface; what is for one that has no sockets (any more) is dropped: it is gone,
    /// and ipvsd has said so or is about to.
    pub fn send(
        &mut self,
        now: Mono,
        ifindex: u32,
        adverts: Vec<Packet>,
        frames: Vec<Packet>,
        events: &mut EventLoop,
        log: &mut Vec<Line>,
    ) {
        if let Some(open) = self.open.get_mut(&ifindex) {
            open.link.send(adverts, frames);
            open.watch(events);
            open.report(now, log);
        }
    }
}

fn open(listen: &Listen) -> Result<Open, Refused> {
    let (watched, heard) = (BTreeSet::new(), BTreeSet::new());
    Ok(Open { link: Link::open(listen)?, listen: listen.clone(), losses: Losses::default(), watched, heard })
}

impl Open {
    /// Puts new receiving sockets into the poll set; closed ones have left it.
    fn listen_to(&mut self, events: &mut EventLoop) -> Result<(), Refused> {
        let open: BTreeSet<Way> = self.link.receivers().map(|(way, _)| way).collect();
        self.heard.retain(|way| open.contains(way));
        for (way, socket) in self.link.receivers().filter(|(way, _)| !self.heard.contains(way)) {
            let token = token(self.listen.ifindex, Kind::Receiver(way));
            events
                .add_readable(&mut SourceFd(&socket.as_raw_fd()), token)
                .map_err(|e| Refused::new("watch the receiving socket", e))?;
        }
        self.heard = open;
        let senders: BTreeSet<Kind> = self.link.adverts.keys().map(|family| Kind::Adverts(*family)).collect();
        self.watched.retain(|kind| *kind == Kind::Frames || senders.contains(kind));
        Ok(())
    }

    /// Has the event loop say when there is room for what waits, and nothing else.
    fn watch(&mut self, events: &mut EventLoop) {
        let adverts = self.link.adverts.iter().map(|(family, sender)| (Kind::Adverts(*family), sender));
        for (kind, sender) in adverts.chain([(Kind::Frames, &self.link.frames)]) {
            let fd = sender.socket().as_raw_fd();
            let mut source = SourceFd(&fd);
            let done = match (sender.is_waiting(), self.watched.contains(&kind)) {
                (true, false) => events.add(&mut source, token(self.listen.ifindex, kind)),
                (false, true) => events.remove(&mut source),
                (true, true) | (false, false) => continue,
            };
            // A failure leaves things as they are: the next packet flushes and tries again.
            match done {
                Ok(()) if sender.is_waiting() => drop(self.watched.insert(kind)),
                Ok(()) => drop(self.watched.remove(&kind)),
                Err(_) => {}
            }
        }
    }

    fn report(&mut self, now: Mono, log: &mut Vec<Line>) {
        let count = |into: &mut u64, lost: Option<Lost>| {
            lost.map(|lost| {
                *into = into.saturating_add(lost.count);
                lost.why
            })
        };
        let mut adverts = None;
        for sender in self.link.adverts.values_mut() {
            adverts = count(&mut self.losses.adverts, sender.take_lost()).or(adverts);
        }
        let frames = count(&mut self.losses.frames, self.link.frames.take_lost());
        self.losses.why = adverts.or(frames).or(self.losses.why);
        let Some(why) = self.losses.why else { return };
        if self.losses.said.is_some_and(|said| now.since(said) < LOSS_LINES) {
            return;
        }
        log.push(Line::new(
            Level::Warning,
            format!(
                "Could not send {} adverts and {} announcements on interface {}: {}",
                self.losses.adverts,
                self.losses.frames,
                self.listen.name,
                why.desc()
            ),
        ));
        self.losses = Losses { said: Some(now), ..Losses::default() };
    }
}
