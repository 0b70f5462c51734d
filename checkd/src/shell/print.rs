//! `--print-config`: what was understood goes to the descriptor that the supervisor gave.
//!
//! Somebody may read it page by page, so there is no limit of time. While nobody reads, nothing here holds anything up: a piece is written
//! when there is room for it, and when the supervisor is gone, so is this.

use checkd::print::{Sink, print};
use ipc::config::Bundle;
use ipc::msg::compile::Print;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fmt;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// What a pipe with room takes whole (PIPE_BUF of Linux).
const PIECE: usize = 4096;

/// Why the end was not reached.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// No descriptor came.
    Nowhere,
    /// It cannot be written to.
    Write(Errno),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Nowhere => f.write_str("no descriptor to print to came with it"),
            Failure::Write(e) => f.write_str(e.desc()),
        }
    }
}

/// Prints. When whoever reads has had enough, or the supervisor is gone, that is the end and no failure.
pub fn to(out: Option<OwnedFd>, supervisor: BorrowedFd<'_>, bundle: &Bundle, how: Print) -> Result<(), Failure> {
    let out = out.ok_or(Failure::Nowhere)?;
    let mut output = Output { out: out.as_fd(), supervisor, waiting: Vec::with_capacity(PIECE), end: None };
    let printed = print(bundle, how.format, how.secrets, &mut output).and_then(|()| output.flush());
    match (printed, output.end) {
        (Err(_), Some(End::Failed(e))) => Err(Failure::Write(e)),
        (Ok(()) | Err(_), _) => Ok(()),
    }
}

/// Why no more can be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nobody wants it any more.
    Unwanted,
    Failed(Errno),
}

struct Output<'f> {
    out: BorrowedFd<'f>,
    supervisor: BorrowedFd<'f>,
    waiting: Vec<u8>,
    end: Option<End>,
}

impl Sink for Output<'_> {
    fn put(&mut self, bytes: &[u8]) -> fmt::Result {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() < PIECE { Ok(()) } else { self.flush() }
    }
}

impl Output<'_> {
    fn flush(&mut self) -> fmt::Result {
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = waiting.as_slice();
        while !rest.is_empty() {
            match self.write(rest) {
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(end) => {
                    self.end = Some(end);
                    return Err(fmt::Error);
                }
            }
        }
        self.waiting = waiting;
        self.waiting.clear();
        Ok(())
    }

    /// Waits for room and writes a piece; how much of it was taken.
    fn write(&self, bytes: &[u8]) -> Result<usize, End> {
        // Nothing is read from the supervisor here; its end is reported all the same.
        let mut fds = [PollFd::new(self.out, PollFlags::POLLOUT), PollFd::new(self.supervisor, PollFlags::empty())];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(0),
            Err(e) => return Err(End::Failed(e)),
        }
        let [_, supervisor] = fds;
        if supervisor.revents().is_some_and(|seen| seen.intersects(PollFlags::POLLHUP | PollFlags::POLLERR)) {
            return Err(End::Unwanted);
        }
        match nix::unistd::write(self.out, bytes.get(..bytes.len().min(PIECE)).unwrap_or(bytes)) {
            Ok(n) => Ok(n),
            Err(Errno::EINTR | Errno::EAGAIN) => Ok(0),
            Err(Errno::EPIPE) => Err(End::Unwanted),
            Err(e) => Err(End::Failed(e)),
        }
    }
}
