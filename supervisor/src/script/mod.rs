//! Which listed command runs when, in which order and for how long.
//!
//! * Commands of one subject (an instance, a group, a real server, a service) run in the order asked for, one after another, so
//!   the newest state is always told last. What waits is bounded: the oldest that waits is left out for the newest.
//!   A command that runs for [`PATIENCE`] is not waited for any longer, but not killed either: there are notify commands
//!   that never end.
//! * A probe runs once at a time; after its timeout it gets SIGTERM, [`GRACE`] later SIGKILL, then again every
//!   [`KILL_AGAIN`]. Signals go to its whole process group.
//! * At most [`EVENTS_LIMIT`] commands and [`PROBES_LIMIT`] probes run at a time; others wait for their turn.

mod admit;
mod ending;
mod queue;

pub use admit::BadRequest;

use crate::daemon::Daemon;
use admit::Admitted;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::script::ScriptConfig;
use ipc::config::{Generation, ScriptIdx};
use ipc::msg::control::{Outcome, ProbeEnded, Run};
use ipc::report::{Level, Line};
use ipc::time::Mono;
use queue::{Job, Queue, Subject};

/// Most commands that wait for one subject.
pub const WAITING_LIMIT: usize = 32;

/// Most event commands that run at a time.
pub const EVENTS_LIMIT: usize = 64;

/// Most probes that run at a time.
pub const PROBES_LIMIT: usize = 128;

/// Most event commands that run on although nobody waits for them; when there are more, their subjects wait.
pub const DETACHED_LIMIT: usize = 256;

/// How long the next command of a subject waits for the one before.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// From SIGTERM to SIGKILL.
pub const GRACE: Duration = Duration::from_secs(2);

/// From one SIGKILL to the next.
pub const KILL_AGAIN: Duration = Duration::from_secs(10);

/// One run of a command; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// What the runner wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start a command; its end, or that it could not be started, is told to [`Scripts::ended`].
    Start {
        /// The name of the run.
        run: RunId,
        /// The table in which `script` is.
        generation: Generation,
        /// Which command.
        script: ScriptIdx,
        /// Arguments to append to the configured ones.
        tail: Vec<Vec<u8>>,
    },
    /// Send a signal to the process group of a run.
    Signal {
        /// Which.
        run: RunId,
        /// What.
        signal: Sig,
    },
    /// Tell a child how its probe ended.
    Probed {
        /// Whom.
        to: Daemon,
        /// The generation of the request.
        generation: Generation,
        /// What.
        ended: ProbeEnded,
    },
    /// The startup or shutdown command has ended.
    OnceEnded(Outcome),
    /// Who read a FIFO has ended.
    ReaderEnded(RunId),
    /// Nothing will be started from the table of that generation any more.
    TableFree(Generation),
    /// A line for the log.
    Log(Line),
}

/// Signals that commands are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sig {
    /// SIGTERM
    Term,
    /// SIGKILL
    Kill,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Active {
    key: Key,
    purpose: Purpose,
    stage: Stage,
    /// When the stage ends.
    due: Option<Mono>,
}

/// A command of a table.
type Key = (Generation, ScriptIdx);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Purpose {
    /// `report` is whom to tell, `again` who wants another run after this one.
    Probe {
        report: Option<Daemon>,
        again: Option<Daemon>,
    },
    Event(Subject),
    Once,
    Reader,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It runs within its time.
    InTime,
    /// An event command that is not waited for any more.
    Detached,
    /// It was sent SIGTERM.
    Termed,
    /// It was sent SIGKILL.
    Killed,
}

/// The runner of commands.
#[derive(Clone, Debug, Default)]
pub struct Scripts {
    tables: BTreeMap<Generation, ScriptConfig>,
    retired: Vec<Generation>,
    runs: BTreeMap<RunId, Active>,
    last_run: u64,
    probes_waiting: VecDeque<(Key, Daemon)>,
    queues: BTreeMap<Subject, Queue>,
    /// Subjects that have something to start and nothing to wait for, first come first served.
    turn: VecDeque<Subject>,
}

impl Scripts {
    /// Takes the table of a generation.
    pub fn admit(&mut self, generation: Generation, table: ScriptConfig) {
        self.tables.insert(generation, table);
    }

    /// The table of a generation.
    pub fn table(&self, generation: Generation) -> Option<&ScriptConfig> {
        self.tables.get(&generation)
    }

    /// Takes a request of a child; an error means that the child broke the protocol.
    pub fn request(
        &mut self,
        now: Mono,
        from: Daemon,
        generation: Generation,
        run: Run,
        out: &mut Vec<Effect>,
    ) -> Result<(), BadRequest> {
        let table = self.tables.get(&generation).ok_or(BadRequest::Generation(generation))?;
        let key = (generation, run.script);
        match admit::check(table, from, run)? {
            Admitted::Probe => self.want_probe(key, from),
            Admitted::Event { subject, tail } => self.enqueue(subject, Job { key, tail }, out),
        }
        self.pump(now, out);
        Ok(())
    }

    /// Runs the startup or shutdown command of a generation, now.
    pub fn once(
        &mut self,
        now: Mono,
        generation: Generation,
        script: ScriptIdx,
        limit: Duration,
        out: &mut Vec<Effect>,
    ) {
        self.start((generation, script), Purpose::Once, Vec::new(), Some(now + limit), out);
    }

    /// Starts the reader of a FIFO; it runs until [`Scripts::end_reader`] or the end.
    pub fn reader(
        &mut self,
        generation: Generation,
        script: ScriptIdx,
        tail: Vec<Vec<u8>>,
        out: &mut Vec<Effect>,
    ) -> RunId {
        self.start((generation, script), Purpose::Reader, tail, None, out)
    }

    /// A run has ended, or could not be started ([`Outcome::NotStarted`]).
    pub fn ended(&mut self, now: Mono, run: RunId, outcome: Outcome, out: &mut Vec<Effect>) {
        let Some(active) = self.runs.remove(&run) else { return };
        let overran = matches!(active.stage, Stage::Termed | Stage::Killed) && outcome != Outcome::NotStarted;
        let outcome = if overran { Outcome::TimedOut } else { outcome };
        match active.purpose {
            Purpose::Probe { report, again } => {
                let (generation, script) = active.key;
                if let Some(to) = report {
                    out.push(Effect::Probed { to, generation, ended: ProbeEnded { script, outcome } });
                }
                if let Some(daemon) = again {
                    self.want_probe(active.key, daemon);
                }
            }
            Purpose::Event(subject) => {
                self.log_end(active.key, outcome, out);
                if active.stage != Stage::Detached {
                    self.free(subject, run, out);
                }
            }
            Purpose::Reader => {
                if outcome != Outcome::NotStarted {
                    let text = format!("{} terminated", self.name(active.key));
                    out.push(Effect::Log(Line::new(Level::Info, text)));
                }
                out.push(Effect::ReaderEnded(run));
            }
            Purpose::Once => {
                self.log_end(active.key, outcome, out);
                out.push(Effect::OnceEnded(outcome));
            }
        }
        self.pump(now, out);
    }

    /// Takes care of everything that is due.
    pub fn timeout(&mut self, now: Mono, out: &mut Vec<Effect>) {
        let due: Vec<RunId> =
            self.runs.iter().filter(|(_, a)| a.due.is_some_and(|at| at <= now)).map(|(run, _)| *run).collect();
        for run in due {
            self.overdue(now, run, out);
        }
        self.pump(now, out);
    }

    /// When [`Scripts::timeout`] is next wanted.
    pub fn deadline(&self) -> Option<Mono> {
        self.runs.values().filter_map(|a| a.due).min()
    }

    /// Whether no event command runs that is waited for, none waits, and nobody reads a FIFO.
    pub fn events_done(&self) -> bool {
        self.queues.is_empty() && self.count(|a| a.purpose == Purpose::Reader) == 0
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.runs.len()
    }

    fn want_probe(&mut self, key: Key, from: Daemon) {
        for active in self.runs.values_mut().filter(|a| a.key == key) {
            if let Purpose::Probe { report, again } = &mut active.purpose {
                // A second request while the first is answered is the same request.
                if *report != Some(from) {
                    *again = Some(from);
                }
                return;
            }
        }
        if !self.probes_waiting.iter().any(|(waiting, _)| *waiting == key) {
            self.probes_waiting.push_back((key, from));
        }
    }

    fn enqueue(&mut self, subject: Subject, job: Job, out: &mut Vec<Effect>) {
        let queue = self.queues.entry(subject.clone()).or_default();
        if queue.push(job, WAITING_LIMIT) {
            out.push(Effect::Log(Line::new(
                Level::Warning,
                format!(
                    "{subject}: its state changes faster than its scripts end; the oldest of {WAITING_LIMIT} that wait are left out"
                ),
            )));
        }
        if queue.running.is_none() && !self.turn.contains(&subject) {
            self.turn.push_back(subject);
        }
    }

    /// Starts what may be started.
    fn pump(&mut self, now: Mono, out: &mut Vec<Effect>) {
        let mut probes = self.count(|a| matches!(a.purpose, Purpose::Probe { .. }));
        while probes < PROBES_LIMIT
            && let Some((key, from)) = self.probes_waiting.pop_front()
        {
            let limit = self.tables.get(&key.0).and_then(|t| admit::probe_limit(t, key.1)).unwrap_or(PATIENCE);
            self.start(key, Purpose::Probe { report: Some(from), again: None }, Vec::new(), Some(now + limit), out);
            probes = probes.saturating_add(1);
        }
        let mut events = self.count(|a| matches!(a.purpose, Purpose::Event(_)) && a.stage != Stage::Detached);
        while events < EVENTS_LIMIT
            && let Some(subject) = self.turn.pop_front()
        {
            let Some(job) = self.queues.get_mut(&subject).and_then(|q| q.waiting.pop_front()) else { continue };
            let run = self.start(job.key, Purpose::Event(subject.clone()), job.tail, Some(now + PATIENCE), out);
            if let Some(queue) = self.queues.get_mut(&subject) {
                queue.running = Some(run);
            }
            events = events.saturating_add(1);
        }
        self.free_tables(out);
    }

    fn count(&self, which: impl Fn(&Active) -> bool) -> usize {
        self.runs.values().filter(|a| which(a)).count()
    }

    fn start(
        &mut self,
        key: Key,
        purpose: Purpose,
        tail: Vec<Vec<u8>>,
        due: Option<Mono>,
        out: &mut Vec<Effect>,
    ) -> RunId {
        self.last_run = self.last_run.saturating_add(1);
        let run = RunId(self.last_run);
        self.runs.insert(run, Active { key, purpose, stage: Stage::InTime, due });
        out.push(Effect::Start { run, generation: key.0, script: key.1, tail });
        run
    }

    fn overdue(&mut self, now: Mono, run: RunId, out: &mut Vec<Effect>) {
        let detached = self.count(|a| a.stage == Stage::Detached);
        let Some(active) = self.runs.get_mut(&run) else { return };
        match (active.stage, &active.purpose) {
            (Stage::InTime, Purpose::Event(_)) if detached >= DETACHED_LIMIT => active.due = Some(now + PATIENCE),
            (Stage::InTime, Purpose::Event(subject)) => {
                let subject = subject.clone();
                active.stage = Stage::Detached;
                active.due = None;
                let key = active.key;
                let text = format!("{} still runs after {} s", self.name(key), PATIENCE.as_secs());
                out.push(Effect::Log(Line::new(Level::Warning, format!("{text}; it is not waited for any longer"))));
                self.free(subject, run, out);
            }
            (Stage::InTime, Purpose::Reader) => active.due = None,
            (Stage::InTime, Purpose::Probe { .. } | Purpose::Once) => self.term(now, run, out),
            (Stage::Termed | Stage::Killed, _) => {
                active.stage = Stage::Killed;
                active.due = Some(now + KILL_AGAIN);
                out.push(Effect::Signal { run, signal: Sig::Kill });
            }
            (Stage::Detached, _) => active.due = None,
        }
    }

    /// The subject has nothing to wait for any more.
    fn free(&mut self, subject: Subject, run: RunId, out: &mut Vec<Effect>) {
        let Some(queue) = self.queues.get_mut(&subject) else { return };
        if queue.running == Some(run) {
            queue.running = None;
        }
        if queue.running.is_none() && queue.waiting.is_empty() {
            if queue.left_out > 0 {
                let text =
                    format!("{subject}: {} script runs were left out; the newest state was told", queue.left_out);
                out.push(Effect::Log(Line::new(Level::Warning, text)));
            }
            self.queues.remove(&subject);
        } else if queue.running.is_none() && !self.turn.contains(&subject) {
            self.turn.push_back(subject);
        }
    }

    /// What to call a command in a message.
    fn name(&self, (generation, script): Key) -> &str {
        self.tables.get(&generation).and_then(|t| t.scripts.at(script)).map_or("a script", |s| s.label.as_str())
    }

    fn log_end(&self, key: Key, outcome: Outcome, out: &mut Vec<Effect>) {
        let what = self.name(key);
        let line = match outcome {
            // That it could not be started has been logged with the reason.
            Outcome::Exited(0) | Outcome::NotStarted => return,
            Outcome::Exited(status) => Line::new(Level::Info, format!("{what} exited with status {status}")),
            Outcome::Signalled(signal) => Line::new(Level::Info, format!("{what} was ended by signal {signal}")),
            Outcome::TimedOut => Line::new(Level::Warning, format!("{what} overran its time and was ended")),
        };
        out.push(Effect::Log(line));
    }
}

#[cfg(test)]
mod tests;
