//! The machine of the supervisor: what happens when a child is ready, dies, asks or lies, and when a signal comes.
//!
//! * [`start`]: handing a generation to the children and making it count;
//! * [`said`]: what children say;
//! * [`death`]: children that die, and those that are made to;
//! * [`ending`]: the orderly end.

mod death;
mod ending;
mod said;
mod start;
#[cfg(test)]
mod tests;

use crate::daemon::{Children, Daemon};
use crate::reload::{Change, Compiled, Parts, Queued};
use crate::script::{Effect, RunId, Scripts, Sig};
use crate::stop::{self, Stop};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use ipc::config::{Generation, ScriptIdx};
use ipc::machine::{Machine, Timeout};
use ipc::msg::control::{Down, DumpKind, Loaded, Module, Outcome, ProbeEnded, Run, StopMode, Up};
use ipc::report::{Level, Line};
use ipc::time::Mono;

/// What can happen to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The deadline may have passed.
    Timeout,
    /// The first event: everything is set up.
    Begin,
    /// Somebody wants something.
    Signal(Signal),
    /// A compilation that [`Action::Compile`] began has ended.
    Compiled(Generation, Compiled),
    /// [`Action::Spawn`] could not be carried out, and why.
    SpawnFailed(Daemon, String),
    /// A child is dead.
    Died(Daemon, Death),
    /// A child said something on its channel, under that generation.
    Said(Daemon, Generation, Up),
    /// A child asks for a command, under that generation.
    Asked(Daemon, Generation, Run),
    /// ipvsd asks for a kernel module.
    ModuleWanted(Module),
    /// [`Action::LoadModule`] has ended.
    ModuleLoaded(Module, Loaded),
    /// A child's channel is of no use any more.
    Broken(Daemon, Breach),
    /// A command has ended, or could not be started.
    ScriptEnded(RunId, Outcome),
}

impl From<Timeout> for Event {
    fn from(_: Timeout) -> Self {
        Event::Timeout
    }
}

/// What signals ask for. COMPAT: keepalived 2.4.3, signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, SIGINT
    Stop,
    /// SIGHUP
    Reload,
    /// SIGUSR1, SIGUSR2, SIGRTMAX−1, SIGRTMIN+2
    Dump(DumpKind),
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// It exited with this status.
    Exited(u8),
    /// A signal ended it.
    Signalled(u8),
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Death::Exited(status) => write!(f, "exit status {status}"),
            Death::Signalled(31) => f.write_str("killed by SIGSYS: it made a system call that it may not make"),
            Death::Signalled(signal) => write!(f, "killed by {}", SignalName(*signal)),
        }
    }
}

/// A signal in a message. The numbers are those of every architecture but MIPS, which Linux on servers no longer is.
struct SignalName(u8);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            4 => "SIGILL",
            6 => "SIGABRT",
            7 => "SIGBUS",
            8 => "SIGFPE",
            9 => "SIGKILL",
            11 => "SIGSEGV",
            15 => "SIGTERM",
            other => return write!(f, "signal {other}"),
        })
    }
}

/// Why a channel is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breach {
    /// The child closed it; its death usually follows.
    Closed,
    /// The child sent what no correct child sends, or does not read.
    Protocol(String),
}

/// What the supervisor wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start `checkd compile` for that generation; [`Event::Compiled`] follows.
    Compile(Generation),
    /// End the running compilation; nothing follows.
    CancelCompile,
    /// Start a child and say Hello to it; its death follows some day, or [`Event::SpawnFailed`] at once.
    Spawn(Daemon),
    /// Send a child its slice of that generation.
    SendSlice(Daemon, Generation),
    /// Send a child a message under that generation.
    Send(Daemon, Generation, Down),
    /// Make a channel between ipvsd and that child and give each its end.
    Connect(Daemon),
    /// SIGKILL, by pidfd.
    Kill(Daemon),
    /// Slices of that generation are not needed any more.
    DropSlices(Generation),
    /// The resolved commands of that generation are not needed any more.
    DropScripts(Generation),
    /// Open a file and send it to a child for its dump.
    Dump(Daemon, DumpKind),
    /// Write the supervisor's own part of a dump.
    DumpSelf,
    /// Open a new syslog socket and send it to a child.
    LogSocket(Daemon),
    /// Open the log files anew, the supervisor's and those of the children that are there.
    LogFiles,
    /// Load a kernel module; [`Event::ModuleLoaded`] follows.
    LoadModule(Module),
    /// Answer ipvsd.
    AnswerModule(Module, Loaded),
    /// Tell a child how its probe ended.
    Probed(Daemon, Generation, ProbeEnded),
    /// Start a command; [`Event::ScriptEnded`] follows.
    RunScript {
        /// The name of the run.
        run: RunId,
        /// The table in which `script` is.
        generation: Generation,
        /// Which command.
        script: ScriptIdx,
        /// Arguments to append.
        tail: Vec<Vec<u8>>,
    },
    /// Send a signal to the process group of a command.
    SignalScript(RunId, Sig),
    /// Tell the service manager.
    Tell(Told),
    /// A line for the log.
    Log(Line),
    /// End with that exit code.
    Exit(u8),
}

/// What the service manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Started, or reloaded.
    Ready,
    /// A reload came to nothing; what ran before goes on.
    ReloadFailed,
    /// A reload has begun.
    Reloading,
    /// The end has begun and takes at most this long.
    Stopping(core::time::Duration),
}

/// Whether a dead child is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Respawn {
    /// Yes.
    Yes,
    /// `-R`: its death ends everything.
    No,
}

/// What the command line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which children there are.
    pub parts: Parts,
    /// Whether they are started again.
    pub respawn: Respawn,
    /// What stays at the end.
    pub stop: StopMode,
}

/// How long after an accusation of ipvsd that was believed the next one is. As long as ipvsd must run to be started again without
/// delay.
pub const BELIEVED_AGAIN: core::time::Duration = crate::backoff::GOOD_RUN;

/// How long a failed attempt to load a module is remembered.
pub const MODULE_MEMORY: core::time::Duration = core::time::Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModuleLoading {
    Idle,
    Loading,
    Failed(Mono),
}

/// Whether a child has a channel to ipvsd.
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
    /// When an accusation of ipvsd was last believed.
    believed: Option<Mono>,
    module: ModuleLoading,
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
            believed: None,
            module: ModuleLoading::Idle,
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

    fn module_wanted(&mut self, now: Mono, module: Module, out: &mut Vec<Action>) {
        match self.module {
            ModuleLoading::Loading => {}
            ModuleLoading::Failed(at) if now.since(at) < MODULE_MEMORY => {
                out.push(Action::AnswerModule(module, Loaded::No));
            }
            ModuleLoading::Failed(_) | ModuleLoading::Idle => {
                self.module = ModuleLoading::Loading;
                out.push(Action::LoadModule(module));
            }
        }
    }

    fn module_loaded(&mut self, now: Mono, module: Module, loaded: Loaded, out: &mut Vec<Action>) {
        self.module = match loaded {
            Loaded::Yes => ModuleLoading::Idle,
            Loaded::No => ModuleLoading::Failed(now),
        };
        if self.children.at(Daemon::Ipvs).at_work().is_some() {
            out.push(Action::AnswerModule(module, loaded));
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
            Event::ModuleWanted(module) => self.module_wanted(now, module, out),
            Event::ModuleLoaded(module, loaded) => self.module_loaded(now, module, loaded, out),
            Event::Broken(daemon, breach) => self.broken(now, daemon, breach, out),
            Event::ScriptEnded(run, outcome) => self.script_ended(now, run, outcome, out),
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
