//! Physical lines to logical text: line ends, comments, limits.
//!
//! COMPAT: keepalived 2.4.3: `#` and `!` start a comment anywhere on a line except inside `"…"`; outside double quotes
//! `\#` and `\!` are literal characters; single quotes protect nothing; a line with a NUL byte or a line that is too long is ignored.

use super::diag::{Code, Diagnostic, Diagnostics};
use super::limits::LIMITS;
use super::source::{FileId, Rare, Source, Span};
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

/// Longest line in bytes, before and after expansion.
pub const LINE_LIMIT: usize = LIMITS.line_bytes;

/// Where a run of bytes of a [`Text`] came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// Byte for byte from the file, from this offset on.
    File(FileId, u32),
    /// Put in place of this reference (`$NAME`, `~SEQ(…)`).
    Expansion(Span),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    at: u32,
    from: From,
}

/// Text that knows where each of its bytes came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Text {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Empties it for the next use.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.pieces.clear();
    }

    /// Where it stands if it stands in a file byte for byte.
    pub fn as_file(&self) -> Option<(FileId, u32)> {
        match self.pieces.as_slice() {
            [Piece { from: From::File(file, offset), .. }] => Some((*file, *offset)),
            _ => None,
        }
    }

    /// Appends bytes that stand in a file at `offset`.
    pub fn push_file(&mut self, bytes: &[u8], file: FileId, offset: u32) {
        self.push(bytes, From::File(file, offset));
    }

    /// Appends bytes that stand for the reference at `span`.
    pub fn push_expansion(&mut self, bytes: &[u8], span: Span) {
        self.push(bytes, From::Expansion(span));
    }

    fn push(&mut self, bytes: &[u8], from: From) {
        if bytes.is_empty() {
            return;
        }
        self.pieces.push(Piece { at: u32::try_from(self.bytes.len()).unwrap_or(u32::MAX), from });
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a part of another text.
    pub fn push_part(&mut self, other: &Text, range: Range<usize>) {
        let mut at = range.start;
        while at < range.end {
            let n = other.piece_at(at);
            let Some(piece) = other.pieces.get(n) else { return };
            let end = other.pieces.get(n.saturating_add(1)).map_or(other.len(), |p| p.at as usize).min(range.end);
            let from = match piece.from {
                From::File(file, offset) => {
                    let skipped = u32::try_from(at.saturating_sub(piece.at as usize)).unwrap_or(0);
                    From::File(file, offset.saturating_add(skipped))
                }
                expansion => expansion,
            };
            self.push(other.bytes.get(at..end).unwrap_or_default(), from);
            if end <= at {
                return;
            }
            at = end;
        }
    }

    /// A part as a text of its own.
    pub fn part(&self, range: Range<usize>) -> Text {
        let mut part = Text::default();
        part.push_part(self, range);
        part
    }

    fn piece_at(&self, at: usize) -> usize {
        self.pieces.partition_point(|p| p.at as usize <= at).saturating_sub(1)
    }

    /// Where a byte came from.
    fn span_of_byte(&self, at: usize) -> Option<Span> {
        let piece = self.pieces.get(self.piece_at(at))?;
        Some(match piece.from {
            From::Expansion(span) => span,
            From::File(file, offset) => {
                let start = offset.saturating_add(u32::try_from(at.saturating_sub(piece.at as usize)).unwrap_or(0));
                Span { file, start, end: start.saturating_add(1) }
            }
        })
    }

    /// Where a range of bytes came from. For an empty range: the place of the byte before it, or of the first.
    pub fn span(&self, range: Range<usize>) -> Span {
        let last = range.end.saturating_sub(1).min(self.len().saturating_sub(1));
        let first = range.start.min(last);
        match (self.span_of_byte(first), self.span_of_byte(last)) {
            (Some(first), Some(last)) => first.to(last),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => Span::default(),
        }
    }

    /// Where all of it came from.
    pub fn whole(&self) -> Span {
        self.span(0..self.len())
    }

    /// Whether there are blanks at an end.
    pub fn is_padded(&self) -> bool {
        self.bytes.first().is_some_and(|b| is_blank(*b)) || self.bytes.last().is_some_and(|b| is_blank(*b))
    }

    /// Without blanks at both ends.
    pub fn trimmed(&self) -> Text {
        let start = self.bytes.iter().position(|b| !is_blank(*b)).unwrap_or(self.len());
        let end = self.bytes.iter().rposition(|b| !is_blank(*b)).map_or(start, |n| n.saturating_add(1));
        self.part(start..end)
    }
}

/// What separates words.
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c | b'\n')
}

/// A logical line: no comment, no blanks at its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'s> {
    /// As it stands in the file, from this offset on. Nearly every line is one of these, and none of them costs an allocation.
    Plain(&'s [u8], u32),
    /// Put together from what was left of it.
    Joined(Text),
}

impl Line<'_> {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Line::Plain(bytes, _) => bytes,
            Line::Joined(text) => text.bytes(),
        }
    }

    /// As a text of its own.
    pub fn into_text(self, file: FileId) -> Text {
        match self {
            Line::Plain(bytes, offset) => {
                let mut text = Text::default();
                text.push_file(bytes, file, offset);
                text
            }
            Line::Joined(text) => text,
        }
    }
}

/// Takes the line that starts at `at`, and where the next line starts.
/// It is empty for a line that holds nothing or had to be ignored.
pub fn next<'s>(source: &'s Source, file: FileId, at: usize, diags: &mut Diagnostics) -> Option<(Line<'s>, usize)> {
    let rest = source.text.get(at..).filter(|rest| !rest.is_empty())?;
    let length = memchr(b'\n', rest);
    let after = at.saturating_add(length.map_or(rest.len(), |n| n.saturating_add(1)));
    let line = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mark = if at == 0 && line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let line = line.get(mark..).unwrap_or_default();
    let start = u32::try_from(at.saturating_add(mark)).unwrap_or(u32::MAX);
    Some((logical(line, source.has, file, start, diags), after))
}

/// The first place of a byte, a word of eight bytes at a time.
pub(super) fn memchr(wanted: u8, bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let (words, tail) = bytes.as_chunks::<8>();
    let mut skipped = 0_usize;
    for word in words {
        let other = u64::from_le_bytes(*word) ^ ONES.wrapping_mul(u64::from(wanted));
        let zeros = other.wrapping_sub(ONES) & !other & TOPS;
        if zeros != 0 {
            // The first byte that is zero, the wanted one, is marked by its top bit; marks behind it may be wrong.
            return Some(skipped.saturating_add(zeros.trailing_zeros() as usize / 8));
        }
        skipped = skipped.saturating_add(8);
    }
    tail.iter().position(|b| *b == wanted).map(|n| n.saturating_add(skipped))
}

fn logical<'s>(line: &'s [u8], has: Rare, file: FileId, start: u32, diags: &mut Diagnostics) -> Line<'s> {
    let first = Span { file, start, end: start.saturating_add(u32::from(!line.is_empty())) };
    if line.len() > LINE_LIMIT {
        let message = format!("this line of {} bytes is ignored: a line may have {LINE_LIMIT}", line.len());
        diags.push(Diagnostic::error(Code::LONG_LINE, first, message));
        return Line::Plain(&[], start);
    }
    if has.nul
        && let Some(n) = memchr(0, line)
    {
        let nul = start.saturating_add(u32::try_from(n).unwrap_or(0));
        let span = Span { file, start: nul, end: nul.saturating_add(1) };
        diags.push(
            Diagnostic::error(Code::NUL_LINE, span, "this line is ignored: it holds a NUL byte")
                .help("the file is damaged here or is not a text file"),
        );
        return Line::Plain(&[], start);
    }
    if has.high && !line.is_ascii() {
        super::lookalike::report(line, file, start, diags);
    }
    let special = if has.sign { line.iter().position(|b| matches!(b, b'#' | b'!')) } else { None };
    if let Some(special) = special
        && line.get(..special).is_some_and(|before| before.iter().any(|b| matches!(b, b'"' | b'\\')))
    {
        return Line::Joined(uncomment(line, file, start).trimmed());
    }
    let line = line.get(..special.unwrap_or(line.len())).unwrap_or_default();
    let blank = line.iter().take_while(|b| is_blank(**b)).count();
    let end = line.iter().rposition(|b| !is_blank(*b)).map_or(blank, |n| n.saturating_add(1));
    let skipped = u32::try_from(blank).unwrap_or(0);
    Line::Plain(line.get(blank..end).unwrap_or_default(), start.saturating_add(skipped))
}

/// Removes the comment and the backslashes of `\#` and `\!`.
fn uncomment(line: &[u8], file: FileId, start: u32) -> Text {
    let mut text = Text::default();
    let (mut kept_from, mut quoted, mut at) = (0, false, 0);
    while let Some(byte) = line.get(at) {
        let next = line.get(at.saturating_add(1)).copied();
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if !quoted && matches!(next, Some(b'#' | b'!')) => {
                push_range(&mut text, line, kept_from..at, file, start);
                kept_from = at.saturating_add(1);
                at = kept_from;
            }
            b'#' | b'!' if !quoted => break,
            _ => {}
        }
        at = at.saturating_add(1);
    }
    push_range(&mut text, line, kept_from..at, file, start);
    text
}

fn push_range(text: &mut Text, line: &[u8], range: Range<usize>, file: FileId, start: u32) {
    let offset = start.saturating_add(u32::try_from(range.start).unwrap_or(0));
    text.push_file(line.get(range).unwrap_or_default(), file, offset);
}
