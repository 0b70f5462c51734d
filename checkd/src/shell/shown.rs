//! Lines of a file fit to be shown: what is not UTF-8 and control characters replaced, secrets masked, long lines cut to the part that
//! a message is about. What is shown is small whatever the file holds.

use checkd::conf::LIMITS;
use checkd::conf::source::{FileId, Source, Span};
use std::collections::BTreeSet;
use std::ops::Range;

/// What stands for a secret.
const MASK: &str = "********";

/// Most bytes of a line that are shown, and how many of them stand before the words at fault.
const SHOWN_BYTES: usize = 600;
const BEFORE_BYTES: usize = 200;

/// Some lines of a file as text.
pub struct Shown {
    /// What is shown.
    pub text: String,
    /// Offsets in the file and where in the text they went, in order: one entry for each character.
    map: Vec<(usize, usize)>,
}

impl Shown {
    /// These lines (from 0), of long ones the part around the first of `wanted`.
    pub fn new(source: &Source, file: FileId, lines: Range<usize>, wanted: &[Span], secrets: &BTreeSet<Span>) -> Shown {
        let mut shown = Shown { text: String::new(), map: Vec::new() };
        let mut start = source.line_start(lines.start);
        for _ in lines {
            let rest = source.text.get(start..).unwrap_or_default();
            let length = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |n| n.saturating_add(1));
            let end = start.saturating_add(length);
            shown.line(source, file, start..end, wanted, secrets);
            start = end;
        }
        shown.map.push((start, shown.text.len()));
        shown
    }

    fn line(&mut self, source: &Source, file: FileId, whole: Range<usize>, wanted: &[Span], secrets: &BTreeSet<Span>) {
        let (start, length) = (whole.start, whole.len());
        let part = if length <= SHOWN_BYTES {
            whole
        } else {
            let first = wanted.iter().map(|s| s.start as usize).find(|at| whole.contains(at)).unwrap_or(start);
            let from = first.saturating_sub(BEFORE_BYTES).max(start);
            // What is left out begins at the end of a line that is empty from here on.
            from..from.saturating_add(SHOWN_BYTES).min(whole.end.saturating_sub(1))
        };
        // The words that name a secret may stand before what is shown.
        let known = source.text.get(start..start.saturating_add(length.min(LIMITS.line_bytes))).unwrap_or_default();
        let mut hidden: Vec<Range<usize>> = secrets
            .range(span(file, start.saturating_sub(LIMITS.line_bytes), 0)..span(file, part.end, 0))
            .map(|s| s.start as usize..s.end as usize)
            .collect();
        hidden.extend(
            named_secrets(known).into_iter().map(|r| r.start.saturating_add(start)..r.end.saturating_add(start)),
        );
        hidden.sort_by_key(|range| range.start);
        let mut at = part.start;
        for range in hidden {
            if range.start < part.end && range.end > at {
                self.plain(source.text.get(at..range.start.max(at)).unwrap_or_default(), at);
                self.map.push((range.start.max(at), self.text.len()));
                self.text.push_str(MASK);
                at = range.end.min(part.end);
            }
        }
        self.plain(source.text.get(at..part.end).unwrap_or_default(), at);
        if length > SHOWN_BYTES {
            self.map.push((part.end, self.text.len()));
            self.text.push_str("…\n");
        }
    }

    fn plain(&mut self, bytes: &[u8], mut at: usize) {
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                self.map.push((at, self.text.len()));
                at = at.saturating_add(c.len_utf8());
                match c {
                    '\n' | '\t' => self.text.push(c),
                    '\r' | '\u{feff}' => {}
                    c if c.is_control() => self.text.push('\u{fffd}'),
                    c => self.text.push(c),
                }
            }
            if !chunk.invalid().is_empty() {
                self.map.push((at, self.text.len()));
                self.text.push('\u{fffd}');
                at = at.saturating_add(chunk.invalid().len());
            }
        }
    }

    /// Where the bytes of a span went.
    pub fn range(&self, span: Span) -> Range<usize> {
        let at = |offset: u32| {
            // The last entry at or before it.
            let n = self.map.partition_point(|(from, _)| *from <= offset as usize).saturating_sub(1);
            self.map.get(n).map_or(0, |(_, to)| *to)
        };
        let start = at(span.start);
        start..at(span.end).max(start)
    }
}

fn span(file: FileId, start: usize, end: usize) -> Span {
    let offset = |n| u32::try_from(n).unwrap_or(u32::MAX);
    Span { file, start: offset(start), end: offset(end) }
}

/// The word after each `auth_pass` and the like, and the value of a parameter whose name says that it is one.
fn named_secrets(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    let mut at = 0_usize;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let mut after_name = false;
        for word in words(line) {
            let text = line.get(word.clone()).unwrap_or_default();
            let lower = text.to_ascii_lowercase();
            let place = at.saturating_add(word.start)..at.saturating_add(word.end);
            if let Some(equals) = lower.iter().position(|b| *b == b'=')
                && lower.starts_with(b"$")
                && ["pass", "secret", "key"].iter().any(|s| contains(lower.get(..equals).unwrap_or_default(), s))
            {
                let value = place.start.saturating_add(equals).saturating_add(1);
                hidden.push(value..at.saturating_add(line.trim_ascii_end().len()));
                break;
            }
            if after_name {
                hidden.push(place);
            }
            after_name = ["auth_pass", "password"].iter().any(|s| contains(&lower, s)) || after_name && lower == b"=";
        }
        at = at.saturating_add(line.len());
    }
    hidden.retain(|range| !range.is_empty());
    hidden
}

fn contains(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|w| w == word.as_bytes())
}

fn words(line: &[u8]) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    for (n, byte) in line.iter().enumerate() {
        match (byte.is_ascii_whitespace(), start) {
            (true, Some(from)) => {
                words.push(from..n);
                start = None;
            }
            (false, None) => start = Some(n),
            _ => {}
        }
    }
    words.extend(start.map(|from| from..line.len()));
    words
}
