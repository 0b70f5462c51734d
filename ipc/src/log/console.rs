//! Standard error, without waiting for whoever reads it.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::{Mode, SFlag, fstat};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Opens standard error anew for this process alone and without blocking, so that a terminal or pipe that nobody reads
/// cannot stop it. The open file that other processes share is not changed. Best effort: what cannot be opened anew (a
/// socket) stays as it is, and [`Logger`](super::Logger) asks before each write whether there is room. A regular file stays
/// as it is too: it never makes a writer wait, and a second open file would have a place of its own in it, so that what other
/// programs write there next would overwrite ours. Before `confine::enter`.
///
/// `eprintln!` panics when a write fails; after this call use only [`Logger`](super::Logger).
pub fn own_console() {
    let kind = fstat(io::stderr()).map(|stat| SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT);
    if kind == Ok(SFlag::S_IFREG) {
        return;
    }
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    if let Ok(fd) = open("/proc/self/fd/2", flags, Mode::empty()) {
        let _ = nix::unistd::dup2_stderr(fd);
    }
}

/// Standard error.
#[derive(Default)]
pub(super) struct Console {
    kind: Kind,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Socket,
    Other,
}

impl Console {
    /// A page of lines, or an error at once when there is no room. Pages are no longer than PIPE_BUF, so a pipe that has room
    /// takes them whole.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let stderr = io::stderr();
        let fd = stderr.as_fd();
        if self.kind == Kind::Socket {
            match send(fd.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                Err(Errno::ENOTSOCK) => self.kind = Kind::Other,
                done => return done.map(drop),
            }
        }
        let mut room = [PollFd::new(fd, PollFlags::POLLOUT)];
        if poll(&mut room, PollTimeout::ZERO)? == 0 {
            return Err(Errno::EAGAIN);
        }
        write_whole(fd, bytes)
    }
}

/// Writes all of it, or fails where no more is taken.
pub(super) fn write_whole(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match nix::unistd::write(fd, bytes) {
            Ok(0) => return Err(Errno::EIO),
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
