//! Which bytes of a file a comment counts for.

use super::Allow;
use crate::conf::source::Source;
use alloc::vec::Vec;
use core::ops::Range;

/// The byte order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// An offset as spans have it.
pub(super) fn offset(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A line without its end.
pub(super) fn line(source: &Source, number: usize) -> &[u8] {
    let range = source.line_start(number)..source.line_start(number.saturating_add(1));
    source.text.get(range).unwrap_or_default()
}

/// What stands before the comment of a line.
pub(super) fn content(line: &[u8]) -> &[u8] {
    let (mut quoted, mut escaped) = (false, false);
    let sign = line.iter().position(|byte| {
        let starts = matches!(byte, b'#' | b'!') && !quoted && !escaped;
        quoted ^= *byte == b'"';
        escaped = *byte == b'\\' && !quoted;
        starts
    });
    line.get(..sign.unwrap_or(line.len())).unwrap_or_default()
}

/// Works out what each comment of a file counts for, in one walk over its lines.
pub(super) fn regions(source: &Source, found: &mut [Allow]) {
    let end = offset(source.text.len());
    let mut walk = Walk::default();
    let (mut number, mut next) = (0_usize, 0_usize);
    while next < found.len() || !walk.is_idle() {
        let start = source.line_start(number);
        if start >= source.text.len() {
            break;
        }
        let after = offset(source.line_start(number.saturating_add(1)));
        while found.get(next).is_some_and(|a| a.span.start < after) {
            walk.waiting.push(next);
            next = next.saturating_add(1);
        }
        let line = line(source, number);
        let content = content(if number == 0 { line.strip_prefix(MARK).unwrap_or(line) } else { line });
        walk.line(content.trim_ascii(), offset(start)..after, end, found);
        number = number.saturating_add(1);
    }
    for (_, n) in walk.open {
        set_end(found, n, end);
    }
}

/// Where a walk over the lines of a file is; comments by their number.
#[derive(Default)]
struct Walk {
    /// Blocks that are open.
    depth: usize,
    /// A line that holds something has been seen.
    begun: bool,
    /// Those that wait for the line they are about.
    waiting: Vec<usize>,
    /// Those whose line opened no block; the `{` may stand on the next one.
    lines: Vec<usize>,
    /// Those whose block is open, with the depth outside it, which never falls from one to the next.
    open: Vec<(usize, usize)>,
}

impl Walk {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.lines.is_empty() && self.open.is_empty()
    }

    fn line(&mut self, content: &[u8], place: Range<u32>, end: u32, found: &mut [Allow]) {
        if content.is_empty() {
            if !self.begun {
                for n in self.waiting.drain(..) {
                    found.get_mut(n).into_iter().for_each(|allow| allow.region = 0..end);
                }
            }
            return;
        }
        self.begun = true;
        let (outside, depth) = depths(content, self.depth);
        self.depth = depth;
        let mut about = core::mem::take(&mut self.lines);
        if !content.starts_with(b"{") {
            about.clear();
        }
        for n in &self.waiting {
            found.get_mut(*n).into_iter().for_each(|allow| allow.region = place.clone());
        }
        about.append(&mut self.waiting);
        while self.open.last().is_some_and(|(around, _)| *around >= outside) {
            self.open.pop().into_iter().for_each(|(_, n)| set_end(found, n, place.end));
        }
        for n in about {
            set_end(found, n, place.end);
            if self.depth > outside {
                self.open.push((outside, n));
            } else if !content.contains(&b'{') {
                self.lines.push(n);
            }
        }
    }
}

fn set_end(found: &mut [Allow], n: usize, end: u32) {
    found.get_mut(n).into_iter().for_each(|allow| allow.region.end = end);
}

/// How deep blocks are open: the least within a line, and after it.
fn depths(content: &[u8], before: usize) -> (usize, usize) {
    let mut quoted = false;
    content.iter().fold((before, before), |(least, depth), byte| {
        quoted ^= *byte == b'"';
        let depth = match byte {
            b'{' if !quoted => depth.saturating_add(1),
            b'}' if !quoted => depth.saturating_sub(1),
            _ => depth,
        };
        (least.min(depth), depth)
    })
}
