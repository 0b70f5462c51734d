//! `# holdfast: allow(CODE, …)`: comments that silence warnings and notes.
//!
//! At the end of a line it counts for that line, on a line of its own for the next line that holds something; when that line opens a
//! block, for the whole block; before the first statement of a file, for the file. A part of a file that includes another one takes
//! the other one in. Errors cannot be silenced. `!` starts a comment as `#` does.
//!
//! Everything is worked out from the text alone, when a file is taken in, so that it counts for every later stage.

mod region;
#[cfg(test)]
mod tests;

use super::diag::Code;
use super::keyword::{nearest, shown};
use super::lines;
use super::source::{FileId, Source, Span};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use region::{content, line, offset, regions};

/// One code of one comment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Allow {
    code: Code,
    /// Where the code stands.
    span: Span,
    /// The bytes of its file it counts for.
    region: Range<u32>,
    met: Met,
}

/// What a comment has met so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Met {
    Nothing,
    /// An error, which stays.
    Error,
    /// Something it silenced.
    Silenced,
}

/// Most codes in the comments of one compilation.
const ALLOWS_LIMIT: usize = 1000;

/// What is silenced where.
#[derive(Clone, Debug, Default)]
pub struct Allows {
    list: Vec<Allow>,
    /// By file: where it was included.
    included: Vec<Span>,
}

/// A comment that cannot be understood: where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// The words at fault.
    pub span: Span,
    /// One sentence.
    pub message: String,
    /// The code that may have been meant.
    pub near: Option<&'static str>,
}

/// A comment that silenced nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Its code.
    pub code: Code,
    /// Where that stands.
    pub span: Span,
    /// Whether there was an error of that code, which cannot be silenced.
    pub error: bool,
}

impl Allows {
    /// Takes in a file that was included at `by`; gives what cannot be understood.
    pub fn read(&mut self, source: &Source, file: FileId, by: Span) -> Vec<Misread> {
        self.included.resize(self.included.len().max(file.0 as usize), Span::default());
        self.included.push(by);
        let mut found = Vec::new();
        let mut misread = Vec::new();
        if !source.has_signs() {
            return misread; // no comments
        }
        let mut at = 0_usize;
        while let Some(colon) = source.text.get(at..).and_then(|rest| lines::memchr(b':', rest)) {
            let colon = at.saturating_add(colon);
            at = colon.saturating_add(1);
            if source.text.get(..colon).is_some_and(|before| before.ends_with(NAME)) {
                comment(source, file, colon, &mut found, &mut misread);
            }
        }
        let room = ALLOWS_LIMIT.saturating_sub(self.list.len());
        if let Some(first) = found.get(room) {
            let message = format!("comments may name {ALLOWS_LIMIT} codes; from here on they do not count");
            misread.push(Misread { span: first.span, message, near: None });
            found.truncate(room);
        }
        regions(source, &mut found);
        self.list.extend(found);
        misread
    }

    /// Whether what is found there must not be told; `error`: it will be told anyway.
    pub fn silences(&mut self, code: Code, mut span: Span, error: bool) -> bool {
        if self.list.is_empty() {
            return false;
        }
        let met = if error { Met::Error } else { Met::Silenced };
        // From the file it stands in up to the main file; each was included by one with a smaller number.
        loop {
            let counts = |a: &&mut Allow| a.code == code && a.span.file == span.file && a.region.contains(&span.start);
            if let Some(allow) = self.list.iter_mut().rev().find(counts) {
                allow.met = allow.met.max(met);
                return !error;
            }
            match self.included.get(span.file.0 as usize) {
                Some(by) if by.file < span.file => span = *by,
                _ => return false,
            }
        }
    }

    /// What silenced nothing.
    pub fn unused(&self) -> impl Iterator<Item = Unused> {
        let idle = self.list.iter().filter(|a| a.met != Met::Silenced);
        idle.map(|a| Unused { code: a.code, span: a.span, error: a.met == Met::Error })
    }
}

const NAME: &[u8] = b"holdfast";
const ALLOW: &[u8] = b"allow";

/// One `holdfast:`, with the place of its colon.
fn comment(source: &Source, file: FileId, colon: usize, found: &mut Vec<Allow>, misread: &mut Vec<Misread>) {
    let number = source.line_of(offset(colon));
    let start = source.line_start(number);
    let line = line(source, number);
    let sign = content(line).len();
    let name = colon.saturating_sub(start).saturating_sub(NAME.len());
    let before = line.get(sign..name).and_then(|before| before.last()).copied();
    if !before.is_some_and(|b| matches!(b, b'#' | b'!') || lines::is_blank(b)) {
        return; // in a longer word, or not in a comment
    }
    let after = colon.saturating_add(1).saturating_sub(start);
    let rest = line.get(after..).unwrap_or_default();
    let blank = rest.iter().take_while(|b| lines::is_blank(**b)).count();
    let Some(inner) = rest.get(blank..).and_then(|rest| rest.strip_prefix(ALLOW)) else { return };
    let span = |from: usize, length: usize| {
        let from = start.saturating_add(from);
        Span { file, start: offset(from), end: offset(from.saturating_add(length)) }
    };
    let word = after.saturating_add(blank);
    let Some(codes) = parenthesis(inner) else {
        let message = String::from("`holdfast: allow` is followed by codes in parentheses, for example `allow(W101)`");
        misread.push(Misread { span: span(word, ALLOW.len()), message, near: None });
        return;
    };
    let mut from = word.saturating_add(ALLOW.len()).saturating_add(codes.start);
    for piece in inner.get(codes).unwrap_or_default().split(|b| *b == b',') {
        let text = piece.trim_ascii();
        let lead = piece.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let place = span(from.saturating_add(lead), text.len().max(1));
        from = from.saturating_add(piece.len()).saturating_add(1);
        let text = String::from_utf8_lossy(text);
        if let Some(code) = Code::ALL.iter().find(|code| code.0 == text) {
            let region = place.start..place.start;
            found.push(Allow { code: *code, span: place, region, met: Met::Nothing });
        } else {
            let near = nearest(&text.to_ascii_uppercase(), Code::ALL.iter().map(|code| code.0));
            misread.push(Misread { span: place, message: format!("there is no diagnostic `{}`", shown(&text)), near });
        }
    }
}

/// What is inside the parentheses at the start.
fn parenthesis(text: &[u8]) -> Option<Range<usize>> {
    let open = text.iter().position(|b| !lines::is_blank(*b)).filter(|n| text.get(*n) == Some(&b'('))?;
    let close = text.iter().position(|b| *b == b')').filter(|close| *close > open)?;
    Some(open.saturating_add(1)..close)
}
