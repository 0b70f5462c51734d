//! The text of a line, and the time before it.

use super::LINE_BYTES;
use crate::sys;
use core::cell::Cell;
use core::fmt::Write as _;
use nix::time::{ClockId, clock_gettime};

/// The text of a line without anything that could forge another line or steer a terminal, cut to [`LINE_BYTES`].
/// Line breaks and tabs become blanks, other control characters `?`.
pub fn printable(text: &str) -> String {
    // Nearly all.
    if text.len() <= LINE_BYTES.saturating_sub(3) && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
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

thread_local! {
    /// A second and its local time: many lines are of one second, and the rules of time zones are long.
    static LAST: Cell<Option<(i64, sys::LocalTime)>> = const { Cell::new(None) };
}

pub(super) fn local_now() -> Option<sys::LocalTime> {
    let now = clock_gettime(ClockId::CLOCK_REALTIME).ok()?.tv_sec();
    if let Some((second, local)) = LAST.get()
        && second == now
    {
        return Some(local);
    }
    let local = sys::local_time(now)?;
    LAST.set(Some((now, local)));
    Some(local)
}

/// Local time as in keepalived's console and file lines: `Sat Nov 21 10:00:00 2026`.
pub(super) fn timestamp() -> String {
    let mut out = String::new();
    if let Some(t) = local_now() {
        let weekday = WEEKDAYS.get(t.weekday).copied().unwrap_or("???");
        // Writing to a String does not fail.
        let _ = write!(out, "{weekday} {} {}", syslog_time(t), t.year);
    }
    out
}

/// Local time as in RFC 3164 §4.1.2: `Nov 21 10:00:00`, the day padded with a blank. Always 15 bytes.
pub(super) fn syslog_time(t: sys::LocalTime) -> String {
    let month = MONTHS.get(t.month).copied().unwrap_or("???");
    format!("{month} {:>2} {:02}:{:02}:{:02}", t.day, t.hour, t.minute, t.second)
}
