//! Log lines as data: in machines, logging is an action.

use core::fmt;

/// Importance of a log line; syslog's severities that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something asked for cannot be done.
    Error,
    /// Something is suspicious or degraded.
    Warning,
    /// Rare and normal: state changes, start, stop.
    Notice,
    /// keepalived's ordinary level.
    Info,
    /// Only with `-D`.
    Detail,
    /// Only with `-D -D`.
    Debug,
}

/// One log line, without time, name or newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Importance.
    pub level: Level,
    /// Text; control characters are replaced where it is written.
    pub text: String,
}

impl Line {
    /// A line at a level.
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Line { level, text: text.into() }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
