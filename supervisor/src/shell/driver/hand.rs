//! Tracked files on their way to the children: a bounded number at a time, because each is open until it has been taken.

use super::super::watch::Open;
use super::{Driver, FILES};
use core::time::Duration;
use ipc::config::Generation;
use ipc::msg::control::{Down, Tracked};
use ipc::time::Mono;
use mio::unix::SourceFd;
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
}
