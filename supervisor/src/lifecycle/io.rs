//! What goes into the [`Lifecycle`](super::Lifecycle) and what comes out of it: the whole contract between core and shell.

use crate::daemon::Daemon;
use crate::fifo::Kind;
use crate::reload::{Compiled, Parts};
use crate::script::{RunId, Sig};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use ipc::config::identity::Fifo;
use ipc::config::script::KernelSettings;
use ipc::config::{FileIdx, Generation, ScriptIdx};
use ipc::machine::Timeout;
use ipc::msg::control::{Down, DumpKind, Dumped, News, Outcome, ProbeEnded, Run, Up};
use ipc::report::Line;

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
    /// A child tells of a change, under that generation.
    News(Daemon, Generation, News),
    /// [`Action::OpenFifo`] was carried out; nothing follows when it could not be.
    FifoOpened(Kind),
    /// A child's channel is of no use any more.
    Broken(Daemon, Breach),
    /// A command has ended, or could not be started.
    ScriptEnded(RunId, Outcome),
    /// A tracked file of that generation may have changed.
    FileChanged(Generation, FileIdx),
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
    /// Make a channel between vrrpd and checkd and give each its end: BFD_CHECKs hear of BFD sessions by it.
    ConnectSessions,
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
    /// A child has answered the oldest of them.
    Dumped(Daemon, Dumped),
    /// Write the supervisor's own part of a dump.
    DumpSelf,
    /// Open a new syslog socket and send it to a child.
    LogSocket(Daemon),
    /// Open the log files anew, the supervisor's and those of the children that are there.
    LogFiles,
    /// Let the groups of these processes ping until the end.
    LetPing(&'static [Daemon]),
    /// Have the kernel set like this, and otherwise as it was, until the end.
    Settle(KernelSettings),
    /// Write the files of that generation that are to be written at the start.
    InitFiles(Generation),
    /// Watch the files of that generation instead of all others; [`Event::FileChanged`] follows.
    WatchFiles(Generation),
    /// Watch processes as that generation wants it.
    WatchProcesses(Generation),
    /// Tell vrrpd, which begins with that generation, of all processes and then of what becomes of them.
    TellProcesses(Generation),
    /// Open a file of that generation and send it to a child.
    HandFile(Daemon, Generation, FileIdx),
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
    /// Make and open a FIFO, whose owner is found in the table of that generation; [`Event::FifoOpened`] follows.
    OpenFifo(Kind, Generation, Fifo),
    /// Write a line to a FIFO, after those that wait.
    WriteFifo(Kind, Vec<u8>),
    /// Pass a change of an instance or a group on to checkd, which writes mails about it.
    PassOn(Generation, News),
    /// Close a FIFO and remove it, if it was made here.
    CloseFifo(Kind),
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
}
