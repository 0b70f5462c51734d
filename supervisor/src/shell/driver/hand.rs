//! Tracked files, and those of tracked processes, on their way to the children: a bounded number at a time, because each is open until it
//! has been taken.

use super::super::processes;
use super::super::watch::Open;
use super::{Driver, FILES, PROCESSES};
use core::time::Duration;
use ipc::config::Generation;
use ipc::msg::control::{Down, Tracked};
use ipc::time::Mono;
use mio::unix::SourceFd;
use supervisor::daemon::Daemon;
use supervisor::lifecycle::Event;

/// Files handed over in one turn of the loop.
const FILES_PER_TURN: usize = 16;

/// From one turn of handing over to the next.
const NEXT: Duration = Duration::from_millis(1);

impl Driver {
    /// Watches the files of that generation.
    pub(super) fn watch_files(&mut self, generation: Generation) {
        self.handing.clear();
        match self.watcher.watch(self.now, generation, &mut self.setup.logger) {
            Open::Now(fd) => {
                if let Err(e) = self.events.add_readable(&mut SourceFd(&fd), FILES) {
                    self.setup.logger.error(format!("Tracked files cannot be watched: {e}; they are read once"));
                }
            }
            Open::Already => {}
        }
    }

    /// When the next file is handed over.
    pub(super) fn next_handing(&self) -> Option<Mono> {
        (!self.handing.is_empty()).then(|| self.now + NEXT)
    }

    /// Looks which files have changed, and hands over what waits.
    pub(super) fn tend_files(&mut self) {
        for (generation, file) in self.watcher.turn(self.now, &mut self.setup.logger) {
            self.happens(Event::FileChanged(generation, file));
        }
        for _ in 0..FILES_PER_TURN {
            let Some((daemon, generation, file)) = self.handing.pop_front() else { return };
            let (tracked, fds) = match self.watcher.open(generation, file) {
                Some(fd) => (Tracked::Open, vec![fd]),
                None => (Tracked::Missing, Vec::new()),
            };
            self.send(daemon, generation, Down::TrackedFile(file, tracked), fds);
        }
    }

    /// Watches the processes of that generation.
    pub(super) fn watch_processes(&mut self, generation: Generation) {
        let table = self.machine.scripts().table(generation);
        let wanted = table.and_then(|table| {
            let watched = table.processes?;
            Some((processes::files(watched.command_lines), table.process.buffers.process_monitor))
        });
        if let Some(fd) = self.processes.watch(self.now, wanted, &mut self.setup.logger)
            && let Err(e) = self.events.add_readable(&mut SourceFd(&fd), PROCESSES)
        {
            self.setup
                .logger
                .error(format!("The process connector cannot be watched: {e}; processes are looked at once"));
        }
    }

    /// Tells vrrpd what has become of processes.
    pub(super) fn tend_processes(&mut self) {
        let Some((generation, portion)) = self.processes.turn(self.now, &mut self.setup.logger) else { return };
        for (seen, fds) in portion {
            self.send(Daemon::Vrrp, generation, Down::Processes(seen), fds);
        }
    }
}
