//! Where the log lines of one process go: syslog, standard error, a file. Nothing here waits for a reader.
//!
//! Bounds: [`LINES_PER_SECOND`] lines a second after a burst of [`LINES_BURST`], [`LINE_BYTES`] bytes a line,
//! [`syslog::PENDING_LINES`] lines kept for a syslog socket that is full or lost. What does not get through is counted, and
//! the next line that does is preceded by one that says how many were lost.

pub mod facility;
pub mod syslog;

use crate::evloop::clock;
use crate::msg::control::{LogSetup, Sink};
use crate::report::{Level, Line};
use crate::sys;
use crate::time::Mono;
use core::fmt::Write as _;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::Mode;
use nix::time::{ClockId, clock_gettime};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use syslog::Syslog;

/// Lines a process may write a second in the long run.
pub const LINES_PER_SECOND: u32 = 1_000;

/// Lines it may write at once after a quiet time: a state change of a thousand instances says several lines of each.
pub const LINES_BURST: u32 = 8_000;

/// Longest text of a line in bytes; the rest is replaced by `...`.
pub const LINE_BYTES: usize = 2_048;

/// The log of one process.
pub struct Logger {
    detail: u8,
    syslog: Option<Syslog>,
    console: Option<Console>,
    file: Option<OwnedFd>,
    allowance: Allowance,
    suppressed: u64,
    unwritten: u64,
}

impl Logger {
    /// A log that writes notices and above, and everything else up to [`Level::Info`], to standard error only: for the time
    /// before a process has been told how to log.
    pub fn console() -> Self {
        Logger {
            detail: 0,
            syslog: None,
            console: Some(Console::default()),
            file: None,
            allowance: Allowance::full(clock()),
            suppressed: 0,
            unwritten: 0,
        }
    }

    /// A log as `setup` says. `ident` is the name in syslog (`Holdfast_vrrp`), `syslog` a socket made by
    /// [`syslog::connect`], `file` a file opened for appending. A descriptor that `setup` does not ask for is closed.
    pub fn new(ident: &str, setup: LogSetup, syslog: Option<OwnedFd>, file: Option<OwnedFd>) -> Self {
        Logger {
            detail: setup.detail,
            syslog: (setup.syslog == Sink::On).then(|| Syslog::new(ident, setup.facility, syslog)),
            console: (setup.console == Sink::On).then(Console::default),
            file: file.filter(|_| setup.file == Sink::On),
            allowance: Allowance::full(clock()),
            suppressed: 0,
            unwritten: 0,
        }
    }

    /// Writes one line, if its level is wanted (`-D` for [`Level::Detail`], twice for [`Level::Debug`]).
    pub fn log(&mut self, line: &Line) {
        if !self.wants(line.level) {
            return;
        }
        if !self.allowance.take(clock()) {
            self.suppressed = self.suppressed.saturating_add(1);
            return;
        }
        self.report_lost();
        self.write(line.level, &printable(&line.text));
    }

    /// Whether lines of that level are written at all; for callers whose text is costly to make.
    pub fn wants(&self, level: Level) -> bool {
        match level {
            Level::Error | Level::Warning | Level::Notice | Level::Info => true,
            Level::Detail => self.detail >= 1,
            Level::Debug => self.detail >= 2,
        }
    }

    /// [`Logger::log`] at [`Level::Error`].
    pub fn error(&mut self, text: impl Into<String>) {
        self.log(&Line::new(Level::Error, text));
    }

    /// [`Logger::log`] at [`Level::Warning`].
    pub fn warning(&mut self, text: impl Into<String>) {
        self.log(&Line::new(Level::Warning, text));
    }

    /// [`Logger::log`] at [`Level::Notice`].
    pub fn notice(&mut self, text: impl Into<String>) {
        self.log(&Line::new(Level::Notice, text));
    }

    /// [`Logger::log`] at [`Level::Info`].
    pub fn info(&mut self, text: impl Into<String>) {
        self.log(&Line::new(Level::Info, text));
    }

    /// [`Logger::log`] at [`Level::Detail`].
    pub fn detail(&mut self, text: impl Into<String>) {
        self.log(&Line::new(Level::Detail, text));
    }

    /// Once a turn of the event loop: tries again to write what waits for the syslog socket, and says whether a new socket
    /// is to be asked for, which is at most once a second.
    pub fn turn(&mut self, now: Mono) -> SyslogState {
        match &mut self.syslog {
            Some(syslog) => syslog.turn(now),
            None => SyslogState::Fine,
        }
    }

    /// Takes a new syslog socket into use and sends what waited for it.
    pub fn replace_socket(&mut self, socket: OwnedFd) {
        if let Some(syslog) = &mut self.syslog {
            syslog.replace(socket);
        }
    }

    fn report_lost(&mut self) {
        if self.suppressed > 0 {
            let count = core::mem::take(&mut self.suppressed);
            self.write(
                Level::Warning,
                &format!("{count} log lines were suppressed (more than {LINES_PER_SECOND} a second)"),
            );
        }
        if self.unwritten > 0 {
            let count = core::mem::take(&mut self.unwritten);
            self.write(
                Level::Warning,
                &format!("{count} log lines could not be written to the console or the log file"),
            );
        }
    }

    fn write(&mut self, level: Level, text: &str) {
        if let Some(syslog) = &mut self.syslog {
            syslog.write(level, text);
        }
        if self.console.is_none() && self.file.is_none() {
            return;
        }
        let stamped = format!("{}: {text}\n", timestamp());
        if let Some(console) = &mut self.console
            && console.write(stamped.as_bytes()).is_err()
        {
            self.unwritten = self.unwritten.saturating_add(1);
        }
        if let Some(file) = &self.file
            && write_whole(file.as_fd(), stamped.as_bytes()).is_err()
        {
            self.unwritten = self.unwritten.saturating_add(1);
        }
    }
}

/// What [`Logger::turn`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyslogState {
    /// It works, is not used, or was asked for less than a second ago.
    Fine,
    /// The socket is lost: ask for another (children: `Up::LogSocketLost`; supervisor: [`syslog::connect`]).
    Lost,
}

/// Reads the time zone's rules, which cannot be read once the process is confined. Before `confine::enter`.
pub fn learn_time_zone() {
    let _ = sys::local_time(0);
}

/// Opens standard error anew for this process alone and without blocking, so that a terminal or pipe that nobody reads
/// cannot stop it. The open file that other processes share is not changed. Best effort: what cannot be opened anew (a
/// socket) stays as it is, and [`Logger`] asks before each write whether there is room. Before `confine::enter`.
///
/// `eprintln!` panics when a write fails; after this call use only [`Logger`].
pub fn own_console() {
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    if let Ok(fd) = open("/proc/self/fd/2", flags, Mode::empty()) {
        let _ = nix::unistd::dup2_stderr(fd);
    }
}

/// Standard error.
#[derive(Default)]
struct Console {
    kind: Kind,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Socket,
    Other,
}

impl Console {
    /// One line, or an error at once when there is no room. Lines are shorter than PIPE_BUF, so a pipe that has room takes
    /// them whole.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Errno> {
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

fn write_whole(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
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

/// A token bucket.
#[derive(Debug)]
struct Allowance {
    /// Lines that may be written now, in thousandths.
    milli: u64,
    at: Mono,
}

impl Allowance {
    fn full(now: Mono) -> Self {
        Allowance { milli: u64::from(LINES_BURST).saturating_mul(1_000), at: now }
    }

    fn take(&mut self, now: Mono) -> bool {
        let passed = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        let earned = passed.saturating_mul(u64::from(LINES_PER_SECOND)) / 1_000;
        if earned > 0 {
            self.milli = self.milli.saturating_add(earned).min(u64::from(LINES_BURST).saturating_mul(1_000));
            self.at = now;
        }
        match self.milli.checked_sub(1_000) {
            Some(rest) => {
                self.milli = rest;
                true
            }
            None => false,
        }
    }
}

/// The text of a line without anything that could forge another line or steer a terminal, cut to [`LINE_BYTES`].
/// Line breaks and tabs become blanks, other control characters `?`.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LINE_BYTES));
    for c in text.chars() {
        if out.len().saturating_add(c.len_utf8()) > LINE_BYTES.saturating_sub(3) {
            out.push_str("...");
            break;
        }
        out.push(match c {
            '\n' | '\r' | '\t' => ' ',
            // Line and paragraph separators and the directional controls break or reorder lines in viewers.
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
            c if c.is_control() => '?',
            c => c,
        });
    }
    out
}

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn local_now() -> Option<sys::LocalTime> {
    let now = clock_gettime(ClockId::CLOCK_REALTIME).ok()?;
    sys::local_time(now.tv_sec())
}

/// Local time as in keepalived's console and file lines: `Sat Nov 21 10:00:00 2026`.
fn timestamp() -> String {
    let mut out = String::new();
    if let Some(t) = local_now() {
        let weekday = WEEKDAYS.get(t.weekday).copied().unwrap_or("???");
        // Writing to a String does not fail.
        let _ = write!(out, "{weekday} {} {}", syslog_time(t), t.year);
    }
    out
}

/// Local time as in RFC 3164 §4.1.2: `Nov 21 10:00:00`, the day padded with a blank. Always 15 bytes.
fn syslog_time(t: sys::LocalTime) -> String {
    let month = MONTHS.get(t.month).copied().unwrap_or("???");
    format!("{month} {:>2} {:02}:{:02}:{:02}", t.day, t.hour, t.minute, t.second)
}
