//! The machine of the supervisor: what happens when a child is ready, dies, asks or lies, and when a signal comes.
//!
//! * [`io`]: the contract with the shell;
//! * [`start`]: handing a generation to the children and making it count;
//! * [`said`]: what children say;
//! * [`death`]: children that die, and those that are made to;
//! * [`telling`]: notify FIFOs;
//! * [`files`]: which child is given which tracked file;
//! * [`ending`]: the orderly end.

mod death;
mod ending;
mod files;
mod io;
mod said;
mod start;
mod telling;
#[cfg(test)]
mod tests;

pub use io::{Action, Breach, Death, Event, Options, Respawn, Signal, Told};

use crate::daemon::{Children, Daemon, Wanted};
use crate::fifo::Fifos;
use crate::reload::{Change, Queued};
use crate::script::{Effect, RunId, Scripts};
use crate::stop::{self, Stop};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use ipc::config::Generation;
use ipc::machine::Machine;
use ipc::msg::control::{DumpKind, Outcome};
use ipc::report::{Level, Line};
use ipc::time::Mono;

/// How long after an accusation of ipvsd that was believed the next one is. As long as ipvsd must run to be started again without
/// delay.
pub const BELIEVED_AGAIN: core::time::Duration = crate::backoff::GOOD_RUN;

/// Whether two children have a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Link {
    #[default]
    None,
    Connected,
}

/// The machine. See the module's text.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    options: Options,
    children: Children,
    scripts: Scripts,
    /// The generation that counts; `None` until the first start is through.
    current: Option<Generation>,
    /// The one before, until every child has left it.
    previous: Option<Generation>,
    /// The newest that was ever begun.
    newest: Generation,
    change: Option<Change>,
    queued: Queued,
    stop: Option<Stop>,
    vrrp_link: Link,
    check_link: Link,
    /// Between vrrpd and checkd, when there are BFD sessions.
    session_link: Link,
    sessions: Wanted,
    /// When an accusation of ipvsd was last believed.
    believed: Option<Mono>,
    fifos: Fifos,
}

impl Lifecycle {
    /// A supervisor that has not begun.
    pub fn new(options: Options) -> Self {
        Lifecycle {
            options,
            children: Children::default(),
            scripts: Scripts::default(),
            current: None,
            previous: None,
            newest: Generation(0),
            change: None,
            queued: Queued::No,
            stop: None,
            vrrp_link: Link::None,
            check_link: Link::None,
            session_link: Link::None,
            sessions: Wanted::No,
            believed: None,
            fifos: Fifos::default(),
        }
    }

    /// What is known of the children.
    pub fn children(&self) -> &Children {
        &self.children
    }

    /// The generation that counts.
    pub fn current(&self) -> Option<Generation> {
        self.current
    }

    /// The change that is under way.
    pub fn change(&self) -> Option<&Change> {
        self.change.as_ref()
    }

    /// The runner of commands.
    pub fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    fn is_over(&self) -> bool {
        self.stop.is_some_and(|s| s.stage == stop::Stage::Over)
    }

    fn signal(&mut self, now: Mono, signal: Signal, out: &mut Vec<Action>) {
        match signal {
            Signal::Stop => self.begin_stop(now, 0, out),
            Signal::Reload if self.stop.is_some() => {}
            Signal::Reload if self.change.is_some() => {
                out.push(Action::LogFiles);
                self.queued = Queued::Yes;
                log(out, Level::Info, "Reload is queued: another one is running");
            }
            Signal::Reload => {
                out.push(Action::LogFiles);
                log(out, Level::Notice, "Reloading");
                out.push(Action::Tell(Told::Reloading));
                self.begin_change(out);
            }
            Signal::Dump(kind) => self.dump(kind, out),
        }
    }

    fn dump(&mut self, kind: DumpKind, out: &mut Vec<Action>) {
        let whom: &[Daemon] = match kind {
            DumpKind::Data => {
                out.push(Action::DumpSelf);
                &Daemon::ALL
            }
            DumpKind::Stats | DumpKind::StatsClear | DumpKind::Json => &[Daemon::Vrrp],
        };
        for daemon in whom {
            if self.children.at(*daemon).at_work().is_some_and(|a| a.active.is_some()) {
                out.push(Action::Dump(*daemon, kind));
            }
        }
    }

    fn timeout(&mut self, now: Mono, out: &mut Vec<Action>) {
        for daemon in Daemon::ALL {
            if self.children.at(daemon).due().is_some_and(|at| at <= now) {
                self.child_due(now, daemon, out);
            }
        }
        self.with_scripts(out, |scripts, effects| {
            if scripts.deadline().is_some_and(|at| at <= now) {
                scripts.timeout(now, effects);
            }
        });
    }

    /// Lets the runner of commands do something, and turns its wishes into actions.
    fn with_scripts<T>(
        &mut self,
        out: &mut Vec<Action>,
        work: impl FnOnce(&mut Scripts, &mut Vec<Effect>) -> T,
    ) -> (T, Option<Outcome>) {
        let mut effects = Vec::new();
        let result = work(&mut self.scripts, &mut effects);
        let mut once = None;
        for effect in effects {
            match effect {
                Effect::Start { run, generation, script, tail } => {
                    out.push(Action::RunScript { run, generation, script, tail });
                }
                Effect::Signal { run, signal } => out.push(Action::SignalScript(run, signal)),
                Effect::Probed { to, generation, ended } => {
                    // A child that has moved on would drop it; one that was killed does not read.
                    if self.children.at(to).at_work().is_some_and(|a| a.may_speak_of(generation)) {
                        out.push(Action::Probed(to, generation, ended));
                    }
                }
                Effect::ReaderEnded(run) => self.fifos.reader_ended(run),
                Effect::OnceEnded(outcome) => once = Some(outcome),
                Effect::TableFree(generation) => out.push(Action::DropScripts(generation)),
                Effect::Log(line) => out.push(Action::Log(line)),
            }
        }
        (result, once)
    }

    fn script_ended(&mut self, now: Mono, run: RunId, outcome: Outcome, out: &mut Vec<Action>) {
        let ((), once) = self.with_scripts(out, |scripts, effects| scripts.ended(now, run, outcome, effects));
        if once.is_some() {
            self.once_ended(now, out);
        }
    }

    /// The startup or the shutdown script has ended; how does not matter (COMPAT: keepalived 2.4.3).
    fn once_ended(&mut self, now: Mono, out: &mut Vec<Action>) {
        match self.stop {
            Some(Stop { stage: stop::Stage::ShutdownScript { .. }, .. }) => self.leftovers(now, out),
            Some(_) => {}
            None => self.startup_script_ended(),
        }
    }
}

impl Machine for Lifecycle {
    type Event = Event;
    type Action = Action;

    fn step(&mut self, now: Mono, event: Event, out: &mut Vec<Action>) {
        if self.is_over() {
            return;
        }
        match event {
            Event::Timeout => {
                if self.deadline().is_none_or(|at| now < at) {
                    return;
                }
                self.timeout(now, out);
            }
            Event::Begin if self.newest == Generation(0) && self.stop.is_none() => self.begin_change(out),
            Event::Begin => {}
            Event::Signal(signal) => self.signal(now, signal, out),
            Event::Compiled(generation, compiled) => self.compiled(now, generation, compiled, out),
            Event::SpawnFailed(daemon, why) => self.spawn_failed(now, daemon, &why, out),
            Event::Died(daemon, death) => self.died(now, daemon, death, out),
            Event::Said(daemon, generation, up) => self.said(now, daemon, generation, up, out),
            Event::Asked(daemon, generation, run) => self.asked(now, daemon, generation, run, out),
            Event::News(daemon, generation, news) => self.news(now, daemon, generation, news, out),
            Event::FifoOpened(kind) => self.fifo_opened(kind, out),
            Event::Broken(daemon, breach) => self.broken(now, daemon, breach, out),
            Event::ScriptEnded(run, outcome) => self.script_ended(now, run, outcome, out),
            Event::FileChanged(generation, file) => self.file_changed(generation, file, out),
        }
        match self.stop {
            None => self.settle(now, out),
            Some(_) => self.proceed(now, out),
        }
    }

    fn deadline(&self) -> Option<Mono> {
        if self.is_over() {
            return None;
        }
        let stop = self.stop.and_then(|s| s.deadline());
        let children = Daemon::ALL.iter().filter_map(|d| self.children.at(*d).due());
        children.chain(self.scripts.deadline()).chain(stop).min()
    }
}

/// Appends a log line.
fn log(out: &mut Vec<Action>, level: Level, text: impl Into<String>) {
    out.push(Action::Log(Line::new(level, text)));
}

/// Appends a log line about a child.
fn log_of(out: &mut Vec<Action>, level: Level, daemon: Daemon, text: impl fmt::Display) {
    log(out, level, format!("{daemon} {text}"));
}
