//! Where the log lines of one process go: syslog, standard error, a file. Nothing here waits for a reader.
//!
//! Bounds: [`LINES_PER_SECOND`] lines a second after a burst of [`LINES_BURST`], [`LINE_BYTES`] bytes a line,
//! [`syslog::PENDING_LINES`] lines kept for a syslog socket that is full or lost. What does not get through is counted, and
//! the next line that does is preceded by one that says how many were lost.

mod allowance;
mod console;
pub mod facility;
mod page;
pub mod syslog;
mod text;

pub use console::own_console;
pub use text::printable;

use crate::evloop::clock;
use crate::msg::control::{LogSetup, Sink};
use crate::report::{Level, Line};
use crate::sys;
use crate::time::Mono;
use allowance::Allowance;
use console::{Console, write_whole};
use core::time::Duration;
use page::Page;
use std::os::fd::{AsFd, OwnedFd};
use syslog::Syslog;

/// Lines a process may write a second in the long run.
pub const LINES_PER_SECOND: u32 = 1_000;

/// Lines it may write at once after a quiet time: a state change of a thousand instances says several lines of each.
pub const LINES_BURST: u32 = 8_000;

/// Longest text of a line in bytes; the rest is replaced by `...`.
pub const LINE_BYTES: usize = 2_048;

/// Shortest time between two complaints of a console or file that takes nothing: a closed terminal stays closed.
const COMPLAIN_AGAIN: Duration = Duration::from_secs(60);

/// The log of one process.
pub struct Logger {
    detail: u8,
    syslog: Option<Syslog>,
    console: Option<Console>,
    file: Option<OwnedFd>,
    allowance: Allowance,
    suppressed: u64,
    unwritten: u64,
    complained: Option<Mono>,
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
            complained: None,
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
            complained: None,
        }
    }

    /// Writes one line, if its level is wanted (`-D` for [`Level::Detail`], twice for [`Level::Debug`]).
    pub fn log(&mut self, line: &Line) {
        self.log_all(core::slice::from_ref(line));
    }

    /// Writes lines that belong to one moment, in order: to console and file in as few writes as hold them.
    pub fn log_all(&mut self, lines: &[Line]) {
        let mut page = None;
        for line in lines {
            if !self.wants(line.level) {
                continue;
            }
            let page = page.get_or_insert_with(|| Page::of(clock()));
            if self.allowance.take(page.now) {
                self.report_lost(page);
                self.write(line.level, &printable(&line.text), page);
            } else {
                self.suppressed = self.suppressed.saturating_add(1);
            }
        }
        if let Some(page) = &mut page {
            self.turn_over(page);
        }
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

    /// When [`Logger::turn`] is wanted although nothing else happens, because lines wait for syslog. It changes with `turn`.
    pub fn deadline(&self) -> Option<Mono> {
        self.syslog.as_ref().and_then(Syslog::deadline)
    }

    /// Takes a new syslog socket into use and sends what waited for it.
    pub fn replace_socket(&mut self, socket: OwnedFd) {
        if let Some(syslog) = &mut self.syslog {
            syslog.replace(socket);
        }
    }

    /// Goes on in another file, opened for appending.
    pub fn replace_file(&mut self, file: OwnedFd) {
        self.file = Some(file);
    }

    fn report_lost(&mut self, page: &mut Page) {
        if self.suppressed > 0 {
            let count = core::mem::take(&mut self.suppressed);
            let text = format!("{count} log lines were suppressed (more than {LINES_PER_SECOND} a second)");
            self.write(Level::Warning, &text, page);
        }
        if self.unwritten > 0 && self.complained.is_none_or(|at| page.now.since(at) >= COMPLAIN_AGAIN) {
            self.complained = Some(page.now);
            let count = core::mem::take(&mut self.unwritten);
            let text = format!("{count} log lines could not be written to the console or the log file");
            self.write(Level::Warning, &text, page);
        }
    }

    fn write(&mut self, level: Level, text: &str, page: &mut Page) {
        if let Some(syslog) = &mut self.syslog {
            syslog.write(level, text);
        }
        if self.console.is_some() || self.file.is_some() {
            if !page.has_room(text) {
                self.turn_over(page);
            }
            page.add(text);
        }
    }

    /// Writes what is on the page.
    fn turn_over(&mut self, page: &mut Page) {
        let (text, lines) = page.take();
        if lines == 0 {
            return;
        }
        if let Some(console) = &mut self.console
            && console.write(text.as_bytes()).is_err()
        {
            self.unwritten = self.unwritten.saturating_add(lines);
        }
        if let Some(file) = &self.file
            && write_whole(file.as_fd(), text.as_bytes()).is_err()
        {
            self.unwritten = self.unwritten.saturating_add(lines);
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
