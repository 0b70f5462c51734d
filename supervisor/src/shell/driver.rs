//! The event loop: turns what happens into events of the core, and carries out what the core decides.

mod act;
mod fifos;
mod hand;
mod take;

use super::accounts::Accounts;
use super::children::Running;
use super::cli::Cli;
use super::compile::{Compiler, Slices};
use super::exec::Commands;
use super::fifo::Fifo;
use super::files;
use super::namespaces::Namespaces;
use super::notify::Manager;
use super::ping::PingGroups;
use super::processes::Processes;
use super::signals::{Interrupt, Signals};
use super::spawn::{Process, Programs};
use super::start::IDENT;
use super::sysctl::Sysctls;
use super::watch::Watcher;
use ipc::config::{FileIdx, Generation};
use ipc::evloop::{EventLoop, Ready, clock};
use ipc::fault;
use ipc::log::{Logger, SyslogState};
use ipc::machine::Machine as _;
use ipc::msg::control::LogSetup;
use ipc::time::Mono;
use mio::Token;
use mio::unix::SourceFd;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use supervisor::daemon::Daemon;
use supervisor::fifo::Kind;
use supervisor::lifecycle::{Action, Event, Lifecycle};

const SIGNALS: Token = Token(0);
const COMPILER: Token = Token(1);
const COMPILER_ENDED: Token = Token(2);
const LEAVING: Token = Token(3);
const FIFOS: usize = 4;
const FILES: Token = Token(7);
const PROCESSES: Token = Token(8);
const CHILDREN: usize = 9;
const SCRIPTS: usize = 1_024;

fn channel_token(daemon: Daemon) -> Token {
    Token(match daemon {
        Daemon::Ipvs => CHILDREN,
        Daemon::Vrrp => CHILDREN + 2,
        Daemon::Check => CHILDREN + 4,
    })
}

fn process_token(daemon: Daemon) -> Token {
    Token(match daemon {
        Daemon::Ipvs => CHILDREN + 1,
        Daemon::Vrrp => CHILDREN + 3,
        Daemon::Check => CHILDREN + 5,
    })
}

/// What the command line and the start decided.
pub struct Setup {
    /// The command line.
    pub cli: Cli,
    /// The configuration file.
    pub config: PathBuf,
    /// Where the programs are.
    pub programs: Programs,
    /// Whom they become.
    pub accounts: Accounts,
    /// How everybody logs.
    pub log: LogSetup,
    /// The `-g` file.
    pub log_file: Option<PathBuf>,
    /// The supervisor's log.
    pub logger: Logger,
    /// The commands' runner, with the environment of the start.
    pub commands: Commands,
    /// For the process connector, made in the network namespace that this process was started in and has left.
    pub outside: Option<OwnedFd>,
    /// Where it runs, and where the IPVS table is.
    pub namespaces: Namespaces,
}

/// The supervisor.
pub struct Driver {
    setup: Setup,
    machine: Lifecycle,
    events: EventLoop,
    signals: Signals,
    now: Mono,
    pending: VecDeque<Event>,
    children: BTreeMap<Daemon, Running>,
    compiler: Option<Compiler>,
    /// Compilers that were ended and have not been waited for.
    leaving: Vec<Process>,
    slices: BTreeMap<Generation, Slices>,
    fifos: BTreeMap<Kind, Fifo>,
    watcher: Watcher,
    processes: Processes,
    ping: PingGroups,
    sysctls: Sysctls,
    /// Tracked files that are to be handed out.
    handing: VecDeque<(Daemon, Generation, FileIdx)>,
    /// The service manager.
    manager: Manager,
    exit: Option<u8>,
}

impl Driver {
    /// Opens what it needs.
    pub fn new(mut setup: Setup) -> io::Result<Driver> {
        let interrupt = if setup.cli.ignore_sigint { Interrupt::Ignored } else { Interrupt::Stops };
        let signals = Signals::new(interrupt)?;
        let mut events = EventLoop::new()?;
        events.add_readable(&mut SourceFd(&signals.fd().as_raw_fd()), SIGNALS)?;
        let machine = Lifecycle::new(setup.cli.options());
        let processes = Processes::new(setup.outside.take());
        Ok(Driver {
            setup,
            machine,
            events,
            signals,
            now: clock(),
            pending: VecDeque::new(),
            children: BTreeMap::new(),
            compiler: None,
            leaving: Vec::new(),
            slices: BTreeMap::new(),
            fifos: BTreeMap::new(),
            watcher: Watcher::default(),
            processes,
            ping: PingGroups::default(),
            sysctls: Sysctls::default(),
            handing: VecDeque::new(),
            manager: Manager::find(),
            exit: None,
        })
    }

    /// The log, for what is left to say.
    pub fn logger(&mut self) -> &mut Logger {
        &mut self.setup.logger
    }

    /// Runs until the end; gives the exit code.
    pub fn run(&mut self) -> io::Result<u8> {
        let mut ready = Vec::new();
        self.happens(Event::Begin);
        loop {
            if let Some(code) = self.exit {
                self.remove_pid_files();
                return Ok(code);
            }
            self.now = self.events.wait(self.deadline(), &mut ready)?;
            for source in &ready {
                self.take(*source);
            }
            self.tend_files();
            self.tend_processes();
            self.sysctls.turn(self.now).iter().for_each(|line| self.setup.logger.log(line));
            self.compiler_overdue();
            if self.machine.deadline().is_some_and(|at| at <= self.now) {
                self.happens(Event::Timeout);
            }
            self.tend_log();
            self.manager.turn(self.now);
        }
    }

    fn deadline(&self) -> Option<Mono> {
        let compiler = self.compiler.as_ref().map(|c| c.until);
        let files = [self.watcher.deadline(), self.next_handing(), self.processes.deadline()];
        let others = [self.machine.deadline(), compiler, self.setup.logger.deadline(), self.manager.deadline()];
        let others = others.into_iter().chain([self.sysctls.deadline()]);
        others.chain(files).flatten().min()
    }

    fn take(&mut self, ready: Ready) {
        match ready.token {
            SIGNALS => {
                while let Some(signal) = self.signals.next() {
                    self.happens(Event::Signal(signal));
                }
            }
            COMPILER | COMPILER_ENDED => self.take_compiler(ready.token == COMPILER_ENDED),
            LEAVING => {}
            FILES => self.watcher.is_ready(),
            Token(n) if n >= SCRIPTS => self.take_script(n),
            PROCESSES => self.processes.is_ready(self.now),
            Token(n) if (FIFOS..CHILDREN).contains(&n) => self.flush_fifos(),
            token => {
                for daemon in Daemon::ALL {
                    if token == channel_token(daemon) {
                        self.take_channel(daemon);
                    } else if token == process_token(daemon) {
                        self.take_death(daemon);
                    }
                }
            }
        }
        self.leaving.retain_mut(|process| process.reap().is_none());
    }

    /// Gives an event to the core and carries out what comes of it, and of that.
    fn happens(&mut self, event: Event) {
        self.pending.push_back(event);
        let mut actions: Vec<Action> = Vec::new();
        while let Some(event) = self.pending.pop_front() {
            self.machine.step(self.now, event, &mut actions);
            for action in actions.drain(..) {
                self.act(action);
            }
        }
    }

    /// Looks for syslog when the socket is lost: at once, then with growing patience.
    fn tend_log(&mut self) {
        if self.setup.logger.turn(self.now) == SyslogState::Lost
            && let Ok(socket) = files::syslog_socket()
        {
            fault::tell_syslog(IDENT, self.setup.log.facility, socket.as_fd());
            self.setup.logger.replace_socket(socket);
        }
    }

    /// Where the pid of a child is written.
    fn pid_path(&self, daemon: Daemon) -> Option<PathBuf> {
        let (option, name) = match daemon {
            Daemon::Ipvs => (None, "ipvs.pid"),
            Daemon::Vrrp => (self.setup.cli.vrrp_pid.as_ref(), "vrrp.pid"),
            Daemon::Check => (self.setup.cli.checkers_pid.as_ref(), "checkers.pid"),
        };
        match option {
            Some(path) => Some(path.clone()),
            None => files::run_dir().ok().map(|dir| dir.join(name)),
        }
    }

    fn remove_pid_files(&self) {
        for (daemon, running) in &self.children {
            if let Some(path) = self.pid_path(*daemon) {
                files::forget_child_pid(&path, running.process.pid());
            }
        }
    }
}
