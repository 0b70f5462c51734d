//! Notify FIFOs: opening, writing and closing what the core says.

use super::{Driver, FIFOS};
use crate::shell::fifo::Fifo;
use ipc::config::Generation;
use ipc::config::identity::Fifo as Configured;
use mio::Token;
use mio::unix::SourceFd;
use std::path::Path;
use supervisor::fifo::Kind;
use supervisor::lifecycle::Event;

impl Driver {
    pub(super) fn open_fifo(&mut self, kind: Kind, generation: Generation, configured: &Configured) {
        let owner = self.setup.commands.owner(generation, kind);
        let opened = owner.and_then(|owner| Fifo::open(Path::new(&configured.path), &owner)).and_then(|fifo| {
            self.events.add_writable(&mut SourceFd(&fifo.raw()), token(kind)).map_err(|e| e.to_string())?;
            Ok(fifo)
        });
        match opened {
            Ok(fifo) => {
                self.fifos.insert(kind, fifo);
                self.pending.push_back(Event::FifoOpened(kind));
            }
            Err(why) => self.setup.logger.error(format!("{}: {why}; nothing is written to it", kind.keyword())),
        }
    }

    pub(super) fn write_fifo(&mut self, kind: Kind, line: Vec<u8>) {
        if let Some(remark) = self.fifos.get_mut(&kind).and_then(|fifo| fifo.write(line)) {
            self.setup.logger.log(&remark);
        }
    }

    /// Somebody has read.
    pub(super) fn flush_fifos(&mut self) {
        for remark in self.fifos.values_mut().filter_map(Fifo::flush) {
            self.setup.logger.log(&remark);
        }
    }

    pub(super) fn close_fifo(&mut self, kind: Kind) {
        if let Some(fifo) = self.fifos.remove(&kind) {
            let _ = self.events.remove(&mut SourceFd(&fifo.raw()));
            fifo.close();
        }
    }
}

fn token(kind: Kind) -> Token {
    Token(match kind {
        Kind::All => FIFOS,
        Kind::Vrrp => FIFOS + 1,
        Kind::Lvs => FIFOS + 2,
    })
}
