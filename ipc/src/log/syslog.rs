//! One syslog socket: connected, non-blocking, replaceable. The process that writes has no file system any more, so a lost
//! socket is replaced from outside.

use super::SyslogState;
use super::facility;
use super::text::{local_now, syslog_time};
use crate::report::Level;
use crate::time::Mono;
use core::time::Duration;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect as connect_to, send, socket};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use syslog::{Formatter3164, LogFormat, Logger as Formatting, Severity};

/// Where syslog listens.
pub const DEV_LOG: &str = "/dev/log";

/// Lines kept while the socket is full or lost; later ones are counted and dropped.
pub const PENDING_LINES: usize = 256;

/// Shortest time between two requests for a new socket. It doubles up to [`ASK_SELDOM`] while there is no syslog, as on a
/// machine without one.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Longest time between two requests for a new socket.
const ASK_SELDOM: Duration = Duration::from_secs(32);

/// Opens a non-blocking, close-on-exec datagram socket to syslog, to be kept or handed to a child. When no syslog is running the
/// socket is not connected: whoever writes to it finds that out, keeps [`PENDING_LINES`] lines and asks for another. The error is
/// one of socket(2), or a path that is too long.
pub fn connect(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
    let address = UnixAddr::new(path)?;
    // ENOENT, ECONNREFUSED: nobody listens. Any other reason has the same consequence.
    let _ = connect_to(fd.as_raw_fd(), &address);
    Ok(fd)
}

/// Formats and sends.
pub(super) struct Syslog {
    formatting: Formatting<Datagram, Formatter3164>,
    pending: VecDeque<Vec<u8>>,
    dropped: u64,
    socket: Option<OwnedFd>,
    asked: Option<Mono>,
    patience: Duration,
    again: Option<Mono>,
}

impl Syslog {
    pub fn new(ident: &str, code: u8, socket: Option<OwnedFd>) -> Self {
        let format = Formatter3164 {
            facility: facility::facility(code),
            hostname: None,
            process: ident.to_owned(),
            pid: std::process::id(),
        };
        Syslog {
            formatting: Formatting::new(Datagram::default(), format),
            pending: VecDeque::new(),
            dropped: 0,
            socket,
            asked: None,
            patience: ASK_AGAIN,
            again: None,
        }
    }

    pub fn write(&mut self, level: Level, text: &str) {
        if self.pending.len() >= PENDING_LINES {
            self.flush();
        }
        if self.pending.len() >= PENDING_LINES {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        if self.dropped > 0 && self.pending.is_empty() {
            let count = core::mem::take(&mut self.dropped);
            self.push(Level::Warning, &format!("{count} log lines were lost: syslog did not take them"));
        }
        self.push(level, text);
        self.flush();
    }

    fn push(&mut self, level: Level, text: &str) {
        let Formatting { formatter, backend } = &mut self.formatting;
        // Formatting into memory does not fail.
        let _ = formatter.format(backend, severity(level), text);
        self.pending.push_back(backend.take());
    }

    fn flush(&mut self) {
        while let (Some(socket), Some(first)) = (&self.socket, self.pending.front()) {
            match send(socket.as_raw_fd(), first, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => {
                    self.pending.pop_front();
                    self.patience = ASK_AGAIN;
                }
                Err(Errno::EINTR) => {}
                // Full: later. ENOBUFS is the same for lack of memory.
                Err(Errno::EAGAIN | Errno::ENOBUFS) => return,
                // The only line that can be at fault is the first: do not try it for ever.
                Err(Errno::EMSGSIZE) => {
                    self.pending.pop_front();
                    self.dropped = self.dropped.saturating_add(1);
                }
                // ECONNREFUSED, ECONNRESET, ENOTCONN, EPIPE: whoever listened is gone.
                Err(_) => self.socket = None,
            }
        }
    }

    pub fn turn(&mut self, now: Mono) -> SyslogState {
        self.flush();
        let state = self.look(now);
        self.again = match (self.pending.is_empty(), &self.socket) {
            (true, _) => None,
            (false, Some(_)) => Some(now + ASK_AGAIN),
            (false, None) => self.asked.map(|asked| asked + self.patience),
        };
        state
    }

    /// When a line that waits is worth another [`Syslog::turn`].
    pub fn deadline(&self) -> Option<Mono> {
        self.again
    }

    fn look(&mut self, now: Mono) -> SyslogState {
        if self.socket.is_some() {
            return SyslogState::Fine;
        }
        if let Some(asked) = self.asked {
            let passed = now.since(asked);
            if passed < ASK_AGAIN || passed < self.patience {
                return SyslogState::Fine;
            }
            self.patience = self.patience.saturating_mul(2).min(ASK_SELDOM);
        }
        self.asked = Some(now);
        SyslogState::Lost
    }

    pub fn replace(&mut self, socket: OwnedFd) {
        self.socket = Some(socket);
        self.flush();
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Error => Severity::LOG_ERR,
        Level::Warning => Severity::LOG_WARNING,
        Level::Notice => Severity::LOG_NOTICE,
        // COMPAT: keepalived 2.4.3 logs what -D adds at the same level.
        Level::Info | Level::Detail => Severity::LOG_INFO,
        Level::Debug => Severity::LOG_DEBUG,
    }
}

/// Collects what the formatter writes piecemeal, and puts local time in the place of its UTC time stamp
/// (RFC 3164 §4.1.2 wants local time, and syslog servers read it as that).
#[derive(Default)]
pub(super) struct Datagram {
    bytes: Vec<u8>,
}

impl Datagram {
    fn take(&mut self) -> Vec<u8> {
        let mut bytes = core::mem::take(&mut self.bytes);
        if let Some(local) = local_now().map(syslog_time)
            && let Some(start) = bytes.iter().position(|b| *b == b'>').and_then(|at| at.checked_add(1))
            && let Some(end) = start.checked_add(local.len())
            && let Some(stamp) = bytes.get_mut(start..end)
        {
            stamp.copy_from_slice(local.as_bytes());
        }
        bytes
    }
}

impl io::Write for Datagram {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
