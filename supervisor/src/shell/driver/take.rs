//! What happened: reading from children, compilers and commands that are ready.

use super::super::children::Said;
use super::super::compile::{Compilation, Progress, script_table};
use super::super::files;
use super::{COMPILER, Driver, LEAVING, SCRIPTS};
use ipc::channel::ChannelError;
use ipc::config::Generation;
use mio::unix::SourceFd;
use std::os::fd::AsRawFd as _;
use supervisor::daemon::Daemon;
use supervisor::lifecycle::{Breach, Event};
use supervisor::reload::{Compiled, Failure};
use supervisor::script::RunId;

/// Frames taken from one child in one turn; each may hold thousands of requests. A child that says more is not served less: the
/// loop comes back at once.
const FRAMES_PER_TURN: usize = 8;

/// Messages after which no further frame of that child is taken in that turn: another that has died is waiting to be started again.
const MESSAGES_PER_TURN: usize = 4096;

impl Driver {
    pub(super) fn take_channel(&mut self, daemon: Daemon) {
        let mut messages: usize = 0;
        for _ in 0..FRAMES_PER_TURN {
            if messages >= MESSAGES_PER_TURN {
                break;
            }
            let Some(running) = self.children.get_mut(&daemon) else { return };
            let received = running.control.flush().and_then(|()| running.control.receive());
            match received {
                Ok(None) => return,
                Ok(Some((generation, said))) => {
                    messages = messages.saturating_add(said.len());
                    for said in said {
                        self.heard(daemon, generation, said);
                    }
                }
                Err(e) => return self.happens(Event::Broken(daemon, breach(&e))),
            }
        }
        // Edge-triggered: what is left would not be reported again. Registering anew makes the kernel look again.
        self.watch_channel(daemon);
    }

    pub(super) fn take_death(&mut self, daemon: Daemon) {
        let Some(running) = self.children.get_mut(&daemon) else { return };
        let Some(death) = running.process.reap() else { return };
        // Its last words: it may have said Stopped, or asked for notify scripts, before it went.
        self.take_last_words(daemon);
        if let Some(gone) = self.children.remove(&daemon) {
            let _ = self.events.remove(&mut SourceFd(&gone.process.pidfd().as_raw_fd()));
            if let Some(path) = self.pid_path(daemon) {
                files::forget_child_pid(&path, gone.process.pid());
            }
        }
        if daemon == Daemon::Vrrp {
            self.processes.pause();
        }
        self.happens(Event::Died(daemon, death));
    }

    fn take_last_words(&mut self, daemon: Daemon) {
        loop {
            let Some(running) = self.children.get_mut(&daemon) else { return };
            let Ok(Some((generation, said))) = running.control.receive() else { return };
            for said in said {
                self.heard(daemon, generation, said);
            }
        }
    }

    fn heard(&mut self, daemon: Daemon, generation: Generation, said: Said) {
        match said {
            Said::Control(up) => self.happens(Event::Said(daemon, generation, up)),
            Said::Run(run) => self.happens(Event::Asked(daemon, generation, run)),
            Said::News(news) => self.happens(Event::News(daemon, generation, news)),
            // The pace of what it is told, nothing for the core.
            Said::ProcessesTaken => self.processes.taken(),
            // What is wanted is known here, and nothing in it is ipvsd's.
            Said::Unsettled => self.sysctls.unsettled(self.now),
        }
    }

    pub(super) fn take_compiler(&mut self, ended: bool) {
        let Some(compiler) = &mut self.compiler else { return };
        let result = match compiler.progress() {
            Progress::Done(result) => Some(result),
            Progress::More => match compiler.rearm(&mut self.events, COMPILER) {
                Ok(()) => None,
                Err(e) => Some(Err(Failure::Compiler(format!("checkd compile cannot be watched: {e}")))),
            },
            Progress::Waiting if ended => compiler.ended().map(Err),
            Progress::Waiting => None,
        };
        let generation = compiler.generation;
        if let Some(result) = result {
            self.end_compiler();
            let compiled = self.accept(generation, result);
            self.happens(Event::Compiled(generation, compiled));
        }
    }

    pub(super) fn compiler_overdue(&mut self) {
        if let Some(failure) = self.compiler.as_ref().and_then(|c| c.overdue(self.now)) {
            let generation = self.compiler.as_ref().map_or(Generation(0), |c| c.generation);
            self.end_compiler();
            self.happens(Event::Compiled(generation, Compiled::Bad(failure)));
        }
    }

    /// Ends the compiler, whether it has done its work or not; it has nothing to lose.
    pub(super) fn end_compiler(&mut self) {
        if let Some(compiler) = self.compiler.take() {
            let process = compiler.end();
            let mut source = SourceFd(&process.pidfd().as_raw_fd());
            // Registered under another token, so that its end wakes the loop and it is waited for.
            let _ = self.events.remove(&mut source);
            let _ = self.events.add_readable(&mut source, LEAVING);
            self.leaving.push(process);
        }
    }

    /// Takes the slices over and looks at the commands.
    fn accept(&mut self, generation: Generation, result: Result<Compilation, Failure>) -> Compiled {
        let accepted = result.and_then(|compilation| {
            if compilation.verdict.fatal > 0 {
                return Err(Failure::Fatal { problems: compilation.verdict.fatal, unread: compilation.verdict.unread });
            }
            let table = script_table(&compilation.slices)?;
            Ok((compilation.slices, table))
        });
        match accepted {
            Err(failure) => Compiled::Bad(failure),
            Ok((slices, table)) => {
                for line in self.setup.commands.load(generation, &table).lines {
                    self.setup.logger.log(&line);
                }
                if self.setup.namespaces.differ(&table.process) {
                    if self.machine.current().is_none() {
                        // It would put its addresses where they do not belong.
                        let why = "its net_namespace could not be found out before the start, or has changed since; start it again";
                        return Compiled::Bad(Failure::Compiler(why.to_owned()));
                    }
                    self.setup.logger.warning(
                        "net_namespace and net_namespace_ipvs stay as they were at the start; a restart changes them",
                    );
                }
                self.watcher.load(generation, &table.files, &mut self.setup.logger);
                self.slices.insert(generation, slices);
                Compiled::Good(Box::new(table))
            }
        }
    }

    pub(super) fn take_script(&mut self, token: usize) {
        let Some(run) = token.checked_sub(SCRIPTS).and_then(|n| u64::try_from(n).ok()).map(RunId) else { return };
        if let Some((outcome, process)) = self.setup.commands.reap(run) {
            let _ = self.events.remove(&mut SourceFd(&process.pidfd().as_raw_fd()));
            self.happens(Event::ScriptEnded(run, outcome));
        }
    }
}

/// What a broken channel says of the child.
pub(super) fn breach(e: &ChannelError) -> Breach {
    match e {
        ChannelError::Closed => Breach::Closed,
        ChannelError::Violation(_) | ChannelError::Stuck | ChannelError::Os(_) => Breach::Protocol(e.to_string()),
    }
}
