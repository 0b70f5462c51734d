//! The health checker as a machine: which real servers are probed when, what their answers make of them, and what follows for the
//! services. Its shell connects, reads and writes ([`Action`]); it hears of it as [`Event`]s.
//!
//! Its life: [`Event::Configure`] and [`Event::Activate`] give it a configuration. Before it begins it asks ipvsd how the servers
//! stand since an earlier process watched them, and goes on from there ([`begin`]); ipvsd answers at once or not within
//! [`ANSWER_WAIT`], then it begins without. A later activation is a reload ([`reload`]): what is the same keeps its state.

mod begin;
mod chance;
mod conversation;
mod deadlines;
mod dump;
mod files;
mod io;
mod lines;
mod live;
mod mail_server;
mod mails;
mod merge;
mod probing;
mod reload;
mod scripts;
mod sessions;
mod standing;
mod stop;
mod suspend;
mod telling;
mod vrrp_mails;
mod weights;

pub use conversation::ANSWER_WAIT;
pub use io::{Action, Event, ProbeEvent, ProbeId, Route, Transport};
pub use lines::smtp_failed;
pub use mails::{SENDING_LIMIT, WAITING_LIMIT};

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::vec::Vec;
use chance::Chance;
use conversation::{Conversation, Held};
use deadlines::Deadlines;
use ipc::config::check::CheckConfig;
use ipc::config::{BfdIdx, CheckerIdx, FileIdx, Generation, ScriptIdx, ServiceIdx};
use ipc::machine::Machine;
use ipc::msg::control::Up;
use ipc::msg::sessions::SessionState;
use ipc::msg::vips::Presence;
use ipc::report::{Level, Line};
use ipc::time::Mono;
use live::Live;
use mails::Mails;
use vrrp_mails::Correspondence;

/// The machine.
#[derive(Debug)]
pub struct Engine {
    /// Most connections at a time. Checkers beyond that wait in [`Engine::queue`], first come, first served.
    connections: usize,
    prepared: Option<Box<Configured>>,
    stage: Stage,
    conversation: Conversation,
    held: Held,
    deadlines: Deadlines,
    queue: VecDeque<CheckerIdx>,
    probing: BTreeMap<ProbeId, CheckerIdx>,
    last_probe: u64,
    /// Which MISC_CHECK waits for the end of which command.
    running: BTreeMap<ScriptIdx, CheckerIdx>,
    chance: Chance,
    unverified: Unverified,
    mails: Mails,
    /// Whether this machine has an address of each service that wants to know.
    addresses: BTreeMap<ServiceIdx, Presence>,
    /// The numbers in the files of the generation that counts.
    files: BTreeMap<FileIdx, i32>,
    correspondence: Correspondence,
    /// How the BFD sessions of the generation that counts stand, as far as vrrpd has said.
    sessions: BTreeMap<BfdIdx, SessionState>,
}

/// Whether it was said that certificates are not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unverified {
    NotSaid,
    Said,
}

/// How far it is.
#[derive(Debug)]
enum Stage {
    /// No configuration counts yet.
    Idle,
    /// One counts; ipvsd is being asked how things stand.
    Asking {
        configured: Box<Configured>,
        since: Mono,
        /// Files of its FILE_CHECKs that have yet to be handed over.
        awaited: BTreeSet<FileIdx>,
    },
    /// Checks are made.
    Live(Box<Live>),
    /// Checks are over; mails may still be delivered until then.
    Leaving { until: Mono },
    /// Nothing is done any more.
    Stopped,
}

/// A configuration that does not count yet, or not quite.
#[derive(Debug)]
struct Configured {
    generation: Generation,
    config: CheckConfig,
    seed: u64,
}

impl Engine {
    /// Without a configuration. It never has more than `connections` (at least 1) connections at a time.
    pub fn new(connections: usize) -> Engine {
        Engine {
            connections: connections.max(1),
            prepared: None,
            stage: Stage::Idle,
            conversation: Conversation::None,
            held: Held::default(),
            deadlines: Deadlines::default(),
            queue: VecDeque::new(),
            probing: BTreeMap::new(),
            last_probe: 0,
            running: BTreeMap::new(),
            chance: Chance::default(),
            unverified: Unverified::NotSaid,
            mails: Mails::default(),
            addresses: BTreeMap::new(),
            files: BTreeMap::new(),
            correspondence: Correspondence::default(),
            sessions: BTreeMap::new(),
        }
    }

    /// The generation that counts.
    pub fn generation(&self) -> Option<Generation> {
        match &self.stage {
            Stage::Idle | Stage::Leaving { .. } | Stage::Stopped => None,
            Stage::Asking { configured, .. } => Some(configured.generation),
            Stage::Live(live) => Some(live.generation),
        }
    }

    fn configure(&mut self, configured: Box<Configured>, out: &mut Vec<Action>) {
        self.chance.stir(configured.seed);
        let answer = match live::check(&configured.config) {
            Ok(()) => {
                self.prepared = Some(configured);
                Up::Ready
            }
            Err(why) => {
                self.prepared = None;
                let generation = configured.generation.0;
                let text = format!("Configuration {generation} cannot be used: {why}; the running one stays");
                out.push(Action::Log(Line::new(Level::Error, text)));
                Up::Refused
            }
        };
        out.push(Action::Up(answer));
    }

    fn activate(&mut self, now: Mono, out: &mut Vec<Action>) {
        if let Some(configured) = self.prepared.take() {
            self.carry_numbers(&configured.config);
            self.correspondence.turn(configured.generation, &configured.config);
            self.sessions.clear();
            match core::mem::replace(&mut self.stage, Stage::Idle) {
                Stage::Idle | Stage::Asking { .. } => {
                    let awaited = files::of_checkers(&configured.config);
                    self.stage = Stage::Asking { configured, since: now, awaited };
                }
                Stage::Live(old) => self.reload(now, *old, *configured, out),
                over @ (Stage::Leaving { .. } | Stage::Stopped) => self.stage = over,
            }
            self.ask(out);
        }
        out.push(Action::Up(Up::Activated));
        self.ask_sessions(out);
    }
}

impl Machine for Engine {
    type Event = Event;
    type Action = Action;

    fn step(&mut self, now: Mono, event: Event, out: &mut Vec<Action>) {
        match self.stage {
            Stage::Stopped => return,
            Stage::Leaving { until } => return self.leave(now, until, event, out),
            Stage::Idle | Stage::Asking { .. } | Stage::Live(_) => {}
        }
        match event {
            Event::Timeout => self.tick(now, out),
            Event::Configure { generation, config, seed } => {
                self.configure(Box::new(Configured { generation, config: *config, seed }), out);
            }
            Event::Activate => self.activate(now, out),
            Event::Discard => self.prepared = None,
            Event::IpvsAttached => self.attached(out),
            Event::IpvsLost => self.conversation = Conversation::None,
            Event::Ipvs { generation, message } => self.ipvs(now, generation, message, out),
            Event::Composed { letter, message } => self.composed(now, letter, message, out),
            Event::Probe { probe, what } if self.mails.has(probe) => self.mail_event(now, probe, what, out),
            Event::Probe { probe, what } => self.probe(now, probe, what, out),
            Event::VrrpAttached => self.ask_sessions(out),
            Event::Session { generation, bfd, now: state } => self.session(generation, bfd, state, out),
            Event::File { generation, file, text } => self.file(now, generation, file, &text, out),
            Event::News { generation, news } => self.news(generation, news, out),
            Event::Stop(mode) => self.stop(now, mode, out),
            Event::Dump { kind, wall } => self.dump(now, kind, wall, out),
            Event::ProbeEnded { generation, ended } => self.script_ended(now, generation, ended, out),
        }
    }

    fn deadline(&self) -> Option<Mono> {
        let begin = match &self.stage {
            Stage::Asking { since, .. } => Some(*since + ANSWER_WAIT),
            Stage::Leaving { until } => Some(*until),
            Stage::Idle | Stage::Live(_) | Stage::Stopped => None,
        };
        [begin, self.deadlines.next(), self.mails.deadline()].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
