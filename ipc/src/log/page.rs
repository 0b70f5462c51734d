//! Lines of one moment for the console and the file, which take them together: a start with ten thousand real servers says a line of
//! each.

use super::text::timestamp;
use crate::time::Mono;

/// Most bytes of a page: PIPE_BUF, so that a pipe that has room takes it whole.
const PAGE_BYTES: usize = 4_096;

/// Bytes around the text of a line: `Sat Nov 21 10:00:00 2026: ` and the line's end.
const STAMP_BYTES: usize = 27;

/// Lines, each with the time before it.
pub(super) struct Page {
    /// The moment.
    pub now: Mono,
    /// The same for people, once it is needed.
    stamp: Option<String>,
    text: String,
    lines: u64,
}

impl Page {
    /// An empty one.
    pub fn of(now: Mono) -> Page {
        Page { now, stamp: None, text: String::new(), lines: 0 }
    }

    /// Whether a line with this text goes on it as well.
    pub fn has_room(&self, text: &str) -> bool {
        self.text.len().saturating_add(text.len()).saturating_add(STAMP_BYTES) <= PAGE_BYTES
    }

    /// One more line.
    pub fn add(&mut self, text: &str) {
        let stamp = self.stamp.get_or_insert_with(timestamp);
        for part in [stamp, ": ", text, "\n"] {
            self.text.push_str(part);
        }
        self.lines = self.lines.saturating_add(1);
    }

    /// What is on it, and how many lines that are; it is empty then.
    pub fn take(&mut self) -> (String, u64) {
        (core::mem::take(&mut self.text), core::mem::take(&mut self.lines))
    }
}
