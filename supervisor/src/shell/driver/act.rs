//! What the core decided: carrying its actions out.

use super::super::accounts::Whom;
use super::super::children::{Control, Running, program};
use super::super::compile::{Compiler, Order};
use super::super::files;
use super::super::namespaces::TableSockets;
use super::take::breach;
use super::{COMPILER, COMPILER_ENDED, Driver, SCRIPTS, channel_token, process_token};
use ipc::channel::{ChannelError, pair};
use ipc::child::DUMPS_LIMIT;
use ipc::config::Generation;
use ipc::msg::Role;
use ipc::msg::compile::{CompileMode, MessageFormat};
use ipc::msg::control::{Down, DumpKind, Dumped, LogSetup, Outcome, Sink};
use ipc::report::{Level, Line};
use mio::Token;
use mio::unix::SourceFd;
use std::collections::VecDeque;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use supervisor::daemon::Daemon;
use supervisor::lifecycle::{Action, Event, Signal, Told};
use supervisor::reload::Compiled;
use supervisor::script::RunId;

impl Driver {
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Compile(generation) => self.compile(generation),
            Action::CancelCompile => self.end_compiler(),
            Action::Spawn(daemon) => {
                if let Err(why) = self.spawn(daemon) {
                    self.pending.push_back(Event::SpawnFailed(daemon, why));
                }
            }
            Action::SendSlice(daemon, generation) => {
                let slice = self.slices.get(&generation).and_then(|slices| slices.get(&daemon.slice()));
                if let (Some(slice), Some(running)) = (slice, self.children.get_mut(&daemon)) {
                    let sent = running.control.send_slice(generation, slice);
                    self.note(daemon, sent);
                }
            }
            Action::Send(daemon, generation, down) => self.send(daemon, generation, down, Vec::new()),
            Action::Connect(daemon) => self.connect(Daemon::Ipvs, daemon),
            Action::ConnectSessions => self.connect(Daemon::Vrrp, Daemon::Check),
            Action::Kill(daemon) => {
                if let Some(running) = self.children.get(&daemon) {
                    running.process.kill();
                }
            }
            Action::DropSlices(generation) => drop(self.slices.remove(&generation)),
            Action::DropScripts(generation) => {
                self.setup.commands.forget(generation);
                self.watcher.forget(generation);
            }
            Action::Dump(daemon, kind) => self.dump(daemon, kind),
            Action::Dumped(daemon, how) => self.dumped(daemon, how),
            Action::DumpSelf => self.dump_self(),
            Action::LogSocket(daemon) => {
                // No syslog now: the child asks again.
                if let Ok(socket) = files::syslog_socket() {
                    self.send(daemon, self.generation(), Down::LogSocket, vec![socket]);
                }
            }
            Action::LogFiles => self.reopen_log_files(),
            Action::LetPing(daemons) => {
                let groups: Vec<u32> = daemons.iter().map(|of| self.setup.accounts.of(of.role()).gid).collect();
                match self.ping.widen(&groups) {
                    Ok(Some(done)) => self.setup.logger.info(done),
                    Ok(None) => {}
                    Err(why) => self.setup.logger.warning(why),
                }
            }
            Action::Settle(wanted) => {
                self.sysctls.settle(&wanted).into_iter().for_each(|line| self.setup.logger.log(&line))
            }
            Action::InitFiles(generation) => self.watcher.init(generation, &mut self.setup.logger),
            Action::WatchFiles(generation) => self.watch_files(generation),
            Action::WatchProcesses(generation) => self.watch_processes(generation),
            Action::TellProcesses(generation) => self.processes.begin(self.now, generation),
            Action::HandFile(daemon, generation, file) => self.handing.push_back((daemon, generation, file)),
            Action::Probed(daemon, generation, ended) => {
                if let Some(running) = self.children.get_mut(&daemon) {
                    let sent = running.control.probed(generation, ended);
                    self.note(daemon, sent);
                }
            }
            Action::RunScript { run, generation, script, tail } => {
                let mut lines = Vec::new();
                let watched = match self.setup.commands.start(run, generation, script, tail, &mut lines) {
                    Ok(pidfd) => match script_token(run) {
                        Some(token) => self.events.add_readable(&mut SourceFd(&pidfd.as_raw_fd()), token),
                        None => Ok(()),
                    }
                    .map_err(|e| e.to_string()),
                    Err(outcome) => {
                        self.pending.push_back(Event::ScriptEnded(run, outcome));
                        Ok(())
                    }
                };
                lines.iter().for_each(|line| self.setup.logger.log(line));
                if let Err(why) = watched {
                    self.setup.logger.error(format!("a script that was started cannot be watched: {why}"));
                    self.leaving.extend(self.setup.commands.give_up(run));
                    self.pending.push_back(Event::ScriptEnded(run, Outcome::NotStarted));
                }
            }
            Action::SignalScript(run, signal) => self.setup.commands.signal(run, signal),
            Action::OpenFifo(kind, generation, fifo) => self.open_fifo(kind, generation, &fifo),
            Action::WriteFifo(kind, line) => self.write_fifo(kind, line),
            Action::CloseFifo(kind) => self.close_fifo(kind),
            Action::PassOn(generation, news) => {
                if let Some(running) = self.children.get_mut(&Daemon::Check) {
                    let sent = running.control.news(generation, news);
                    self.note(Daemon::Check, sent);
                }
            }
            Action::Tell(told) => {
                self.manager.tell(self.now, told);
                // A configuration has been handed on.
                ipc::sys::give_memory_back();
                if told == Told::Ready && std::mem::take(&mut self.setup.cli.dump_conf) {
                    self.pending.push_back(Event::Signal(Signal::Dump(DumpKind::Data)));
                }
            }
            Action::Log(line) => self.setup.logger.log(&line),
            Action::Exit(code) => {
                if let Err(why) = self.ping.restore() {
                    self.setup.logger.warning(why);
                }
                self.sysctls.restore().iter().for_each(|line| self.setup.logger.log(line));
                self.exit = Some(code);
            }
        }
    }

    /// The generation that counts, for frames whose content does not depend on it.
    fn generation(&self) -> Generation {
        self.machine.current().unwrap_or(Generation(0))
    }

    fn compile(&mut self, generation: Generation) {
        let log = self.log_for(None);
        // Whoever sits in front of it sees the lines that are at fault. A service manager gets them in the log only, once.
        let seen = self.setup.log.console == Sink::On || io::stderr().is_terminal();
        let stderr = if seen { Stdio::inherit() } else { Stdio::null() };
        let started = Compiler::start(
            self.now,
            Order {
                programs: &self.setup.programs,
                whom: Whom::Becomes(self.setup.accounts.of(Role::Compile)),
                path: &self.setup.config,
                config_id: self.setup.cli.config_id.as_deref(),
                parts: self.setup.cli.compile_parts(),
                includes: self.setup.cli.compile_includes(),
                generation,
                mode: CompileMode::Load,
                output: None,
                format: MessageFormat::Human,
                stderr,
                log,
            },
        );
        match started {
            Err(failure) => self.pending.push_back(Event::Compiled(generation, Compiled::Bad(failure))),
            Ok(mut compiler) => {
                let watched = compiler.register(&mut self.events, COMPILER, COMPILER_ENDED);
                self.compiler = Some(compiler);
                if let Err(e) = watched {
                    self.end_compiler();
                    let why = format!("checkd compile cannot be watched: {e}");
                    let failure = supervisor::reload::Failure::Compiler(why);
                    self.pending.push_back(Event::Compiled(generation, Compiled::Bad(failure)));
                }
            }
        }
    }

    /// How a process logs, with the descriptors for it. A sink that cannot be opened is off.
    fn log_for(&mut self, whose: Option<Daemon>) -> (LogSetup, Vec<OwnedFd>) {
        let mut setup = self.setup.log;
        let mut fds = Vec::new();
        if setup.syslog == Sink::On {
            match files::syslog_socket() {
                Ok(socket) => fds.push(socket),
                Err(_) => setup.syslog = Sink::Off,
            }
        }
        setup.file = Sink::Off;
        if let Some(path) = &self.setup.log_file {
            match files::log_file(path, whose) {
                Ok(fd) => {
                    setup.file = Sink::On;
                    fds.push(fd);
                }
                Err(why) => self.setup.logger.log(&Line::new(Level::Warning, why)),
            }
        }
        (setup, fds)
    }

    /// Log files are rotated by renaming them and sending SIGHUP. Whoever cannot have the new file goes on in the old one.
    fn reopen_log_files(&mut self) {
        let Some(path) = self.setup.log_file.clone() else { return };
        match files::log_file(&path, None) {
            Ok(fd) => self.setup.logger.replace_file(fd),
            Err(why) => self.setup.logger.warning(why),
        }
        let there: Vec<Daemon> = self.children.keys().copied().collect();
        for daemon in there {
            match files::log_file(&path, Some(daemon)) {
                Ok(fd) => self.send(daemon, self.generation(), Down::LogFile, vec![fd]),
                Err(why) => self.setup.logger.warning(why),
            }
        }
    }

    fn spawn(&mut self, daemon: Daemon) -> Result<(), String> {
        let (name, mode) = program(daemon);
        let whom = Whom::Becomes(self.setup.accounts.of(daemon.role()));
        let table = if daemon == Daemon::Ipvs { self.table()? } else { None };
        let (ours, theirs) = pair().map_err(|e| e.desc().to_owned())?;
        let process = self.setup.programs.start(name, mode, whom, theirs, Stdio::inherit())?;
        let mut control = Control::new(daemon, ours);
        let watched = control.register(&mut self.events, channel_token(daemon)).and_then(|()| {
            self.events.add_readable(&mut SourceFd(&process.pidfd().as_raw_fd()), process_token(daemon))
        });
        if let Err(e) = watched {
            process.kill();
            self.leaving.push(process);
            return Err(e.to_string());
        }
        let pid = process.pid();
        self.setup.logger.info(format!("Starting {daemon}, pid={pid}"));
        if let Some(path) = self.pid_path(daemon)
            && let Err(why) = files::child_pid(&path, pid)
        {
            self.setup.logger.warning(format!("pid file of {daemon}: {why}"));
        }
        self.children.insert(daemon, Running { process, control, dumps: VecDeque::new() });
        let (log, fds) = self.log_for(Some(daemon));
        let stop = self.setup.cli.stop_mode();
        self.send(daemon, self.generation(), Down::Hello { log, stop }, fds);
        let generation = self.generation();
        if let Some(sockets) = table
            && let Some(running) = self.children.get_mut(&daemon)
        {
            let sent = running.control.table(generation, sockets);
            self.note(daemon, sent);
        }
        Ok(())
    }

    /// The sockets for ipvsd of the network namespace that has the IPVS table, if that is another than this.
    fn table(&self) -> Result<Option<TableSockets>, String> {
        let table = self.setup.namespaces.table.as_ref().map(TableSockets::try_clone);
        table.transpose().map_err(|e| format!("the sockets of net_namespace_ipvs: {e}"))
    }

    /// Makes a channel between ipvsd and another child, and gives each its end.
    fn connect(&mut self, first: Daemon, daemon: Daemon) {
        match pair() {
            Ok((one, other)) => {
                let generation = self.generation();
                self.send(first, generation, Down::Attach(daemon.role()), vec![one]);
                self.send(daemon, generation, Down::Attach(first.role()), vec![other]);
            }
            Err(e) => {
                // Without a channel the child is of no use; started again, it gets another.
                self.pending.push_back(Event::Broken(daemon, supervisor::lifecycle::Breach::Closed));
                self.setup.logger.error(format!("no channel between {first} and {daemon}: {}", e.desc()));
            }
        }
    }

    pub(super) fn send(&mut self, daemon: Daemon, generation: Generation, down: Down, fds: Vec<OwnedFd>) {
        if let Some(running) = self.children.get_mut(&daemon) {
            let sent = running.control.send(generation, down, fds);
            self.note(daemon, sent);
        }
    }

    fn note(&mut self, daemon: Daemon, sent: Result<(), ChannelError>) {
        if let Err(e) = sent {
            self.pending.push_back(Event::Broken(daemon, breach(&e)));
        }
    }

    /// Looks at a channel again although its edge has been consumed.
    pub(super) fn watch_channel(&mut self, daemon: Daemon) {
        if let Some(running) = self.children.get_mut(&daemon)
            && let Err(e) = running.control.rearm(&mut self.events, channel_token(daemon))
        {
            self.happens(Event::Broken(daemon, supervisor::lifecycle::Breach::Protocol(e.to_string())));
        }
    }

    fn dump(&mut self, daemon: Daemon, kind: DumpKind) {
        let asked = self.dump_file(Some(daemon), kind);
        let Some(running) = self.children.get_mut(&daemon) else { return };
        if running.dumps.len() >= DUMPS_LIMIT {
            return; // whoever asks that often does not read them
        }
        match files::dump(Some(daemon), kind, asked) {
            Ok((file, unfinished)) => {
                running.dumps.push_back(unfinished);
                self.send(daemon, self.generation(), Down::Dump(kind), vec![file.into()]);
            }
            Err(why) => self.setup.logger.error(format!("no dump of {daemon}: {why}")),
        }
    }

    /// It gets its name when all of it is there.
    fn dumped(&mut self, daemon: Daemon, how: Dumped) {
        let unfinished = self.children.get_mut(&daemon).and_then(|running| running.dumps.pop_front());
        match (unfinished, how) {
            (None, _) => {
                let what = "Dumped without being told to".to_owned();
                self.pending.push_back(Event::Broken(daemon, supervisor::lifecycle::Breach::Protocol(what)));
            }
            (Some(_), Dumped::Lost) => {}
            (Some(file), Dumped::Whole) => {
                if let Err(why) = file.finish() {
                    self.setup.logger.error(format!("no dump of {daemon}: {why}"));
                }
            }
        }
    }

    /// Where the running configuration wants a dump.
    fn dump_file(&self, whose: Option<Daemon>, kind: DumpKind) -> Option<PathBuf> {
        let table = self.machine.scripts().table(self.generation())?;
        files::asked_for(whose, kind, &table.identity)
    }

    fn dump_self(&mut self) {
        let asked = self.dump_file(None, DumpKind::Data);
        let written = files::dump(None, DumpKind::Data, asked).and_then(|(mut file, unfinished)| {
            file.write_all(self.describe().as_bytes()).map_err(|e| e.to_string())?;
            let path = unfinished.path().to_owned();
            unfinished.finish().map(|()| path)
        });
        match written {
            Ok(path) => self.setup.logger.info(format!("Dumps are written to files beside {}", path.display())),
            Err(why) => self.setup.logger.error(format!("no dump of the supervisor: {why}")),
        }
    }

    /// The supervisor's part of a dump.
    fn describe(&self) -> String {
        let mut text = format!(
            "Holdfast {}\nConfiguration: {}\nGeneration: {}\nChange: {:?}\nScripts running: {}\n",
            env!("CARGO_PKG_VERSION"),
            self.setup.config.display(),
            self.generation().0,
            self.machine.change(),
            self.machine.scripts().running(),
        );
        for daemon in Daemon::ALL {
            let pid = self.children.get(&daemon).map(|c| c.process.pid().to_string());
            let pid = pid.unwrap_or_else(|| "none".to_owned());
            text.push_str(&format!("{daemon}: pid {pid}: {:?}\n", self.machine.children().at(daemon)));
        }
        text
    }
}

fn script_token(run: RunId) -> Option<Token> {
    usize::try_from(run.0).ok().and_then(|n| n.checked_add(SCRIPTS)).map(Token)
}
