//! Lines to the statements of a tree.

use super::super::LIMITS;
use super::super::diag::{Code, Diagnostic, Diagnostics};
use super::super::expand;
use super::super::lines::{self, Text};
use super::super::source::{FileId, Span};
use super::{Block, EXPANDED, NONE, Node, QUOTED, Statement, StatementId, Tree, WordAt, place};
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

/// Whether a statement can be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Good,
    /// What is wrong with it was reported.
    Broken,
}

/// A line and where it stands.
#[derive(Clone, Copy)]
enum Line<'l> {
    /// Byte for byte in a file, from this offset on.
    File(&'l [u8], FileId, u32),
    /// Put together.
    Text(&'l Text),
}

impl<'l> Line<'l> {
    fn bytes(self) -> &'l [u8] {
        match self {
            Line::File(bytes, ..) => bytes,
            Line::Text(text) => text.bytes(),
        }
    }

    fn span(self, range: Range<usize>) -> Span {
        match self {
            Line::File(bytes, file, offset) => place(file, offset, bytes.len(), range),
            Line::Text(text) => text.span(range),
        }
    }
}

/// Makes a tree of lines as they come.
#[derive(Default)]
pub struct Builder {
    tree: Tree,
    recent: Recent,
    full: bool,
    directive: Option<StatementId>,
    /// Open blocks: whose (`None`: of nothing, its statements are dropped), and where.
    open: Vec<(Option<u32>, Span)>,
    /// The statement that a `{` would belong to.
    last: Option<u32>,
    /// Open blocks beyond the depth limit.
    too_deep: usize,
    /// Where the words of the statement that is being read begin in [`Tree::words`]; they count from the start of the line.
    words_from: usize,
    /// Bytes that the files take.
    beside: usize,
}

/// Places that were met of late: the turns of a loop share theirs.
#[derive(Default)]
struct Recent(Vec<(Span, u32)>);

/// How many places are remembered.
const RECENT: usize = 1024;

impl Recent {
    /// The number of a place in `spans`, to which it is added if it was not met of late.
    fn number(&mut self, span: Span, spans: &mut Vec<Span>) -> u32 {
        self.0.resize(RECENT, (Span::default(), NONE));
        let hash = span.start.wrapping_mul(0x9e37_79b1) ^ span.end.wrapping_mul(0x85eb_ca6b) ^ span.file.0;
        let slot = (hash ^ hash >> 16) as usize % RECENT;
        match self.0.get(slot) {
            Some((known, n)) if *known == span && *n != NONE => return *n,
            _ => {}
        }
        let n = u32::try_from(spans.len()).unwrap_or(NONE);
        spans.push(span);
        if let Some(place) = self.0.get_mut(slot) {
            *place = (span, n);
        }
        n
    }
}

/// Whether a line begins with something that is the preprocessor's: a condition, a loop, an include, a definition.
fn is_special(line: &[u8]) -> bool {
    match line.first() {
        Some(b'@' | b'~') => true,
        Some(b'i') => line.starts_with(b"include"),
        Some(b'$') => expand::definition(line).is_some(),
        _ => false,
    }
}

/// Whether a byte cannot be in a word. COMPAT: keepalived 2.2.7: a quotation mark ends one.
fn ends_word(byte: &u8) -> bool {
    // Nearly all bytes of words are between these two.
    !(b'#'..b'{').contains(byte) && (lines::is_blank(*byte) || matches!(*byte, b'{' | b'}' | b'"'))
}

impl Builder {
    /// Takes a line that stands in a file at `offset`, up to where the preprocessor has to look at it again.
    pub fn plain(&mut self, bytes: &[u8], file: FileId, offset: u32, diags: &mut Diagnostics) -> Option<usize> {
        self.line(Line::File(bytes, file, offset), diags)
    }

    /// The same for a line that was put together.
    pub fn text(&mut self, text: &Text, diags: &mut Diagnostics) -> Option<usize> {
        match text.as_file() {
            Some((file, offset)) => self.line(Line::File(text.bytes(), file, offset), diags),
            None => self.line(Line::Text(text), diags),
        }
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        *self = Builder::default();
    }

    /// Bytes it takes in memory.
    pub fn cost(&self) -> usize {
        self.tree.cost()
    }

    /// Whether it took more than it may; this was reported, and nothing comes of further lines.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The statement of `global_defs`, if one has come, that counts while the files are still being read.
    pub fn directive(&mut self) -> Option<Statement<'_>> {
        let id = self.directive.take()?;
        self.tree.statement(id)
    }

    /// How many bytes the files take that it shares its memory with.
    pub fn beside(&mut self, bytes: usize) {
        self.beside = bytes;
    }

    /// The tree of all lines.
    pub fn finish(self, diags: &mut Diagnostics) -> Tree {
        for (_, span) in self.open {
            diags.push(
                Diagnostic::error(Code::MISSING_CLOSE, span, "this `{` has no `}`")
                    .help("everything up to the end of the file counts as inside this block"),
            );
        }
        self.tree
    }

    fn word(&mut self, range: Range<usize>, quoted: u16) {
        let number = |n: usize| u16::try_from(n).unwrap_or(0);
        self.tree.words.push(WordAt { start: number(range.start), length: number(range.len()) | quoted });
    }

    fn line(&mut self, line: Line<'_>, diags: &mut Diagnostics) -> Option<usize> {
        let bytes = line.bytes();
        let (mut at, mut fit) = (0, Fit::Good);
        while let Some(byte) = bytes.get(at).copied() {
            let next = at.saturating_add(1);
            match byte {
                b'{' | b'}' => {
                    self.statement(line, core::mem::replace(&mut fit, Fit::Good), diags);
                    let span = line.span(at..next);
                    if byte == b'{' {
                        self.open(span, diags)
                    } else {
                        self.close(span, diags)
                    }
                    // COMPAT: keepalived 2.2.7 (tried): what follows a brace is like a line of its own.
                    let rest = bytes.get(next..).unwrap_or_default().trim_ascii_start();
                    at = bytes.len().saturating_sub(rest.len());
                    if is_special(rest) {
                        return Some(at);
                    }
                }
                b'"' => {
                    let end = bytes.iter().skip(next).position(|b| *b == b'"').map(|n| n.saturating_add(next));
                    if end.is_none() {
                        fit = Fit::Broken;
                        let message = "this `\"` has no partner on its line; the statement is skipped";
                        diags.push(Diagnostic::error(Code::UNBALANCED_QUOTE, line.span(at..next), message));
                    }
                    // A block that was meant to begin here begins: otherwise its `}` would close another one.
                    let end = end.unwrap_or(bytes.len().saturating_sub(usize::from(bytes.ends_with(b"{"))));
                    self.word(next..end.max(next), QUOTED);
                    at = if bytes.get(end) == Some(&b'"') { end.saturating_add(1) } else { end.max(next) };
                }
                blank if lines::is_blank(blank) => at = next,
                _ => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let length = rest.iter().position(ends_word).unwrap_or(rest.len());
                    let end = at.saturating_add(length);
                    self.word(at..end, 0);
                    at = end;
                }
            }
        }
        self.statement(line, fit, diags);
        None
    }

    /// The words read so far become a statement.
    fn statement(&mut self, line: Line<'_>, fit: Fit, diags: &mut Diagnostics) {
        let words = self.tree.words.get(self.words_from..).unwrap_or_default();
        let ([first, ..], [.., last]) = (words, words) else { return };
        if self.too_deep > 0 || matches!(self.open.last(), Some((None, _))) {
            self.tree.words.truncate(self.words_from);
            return;
        }
        let start = first.range().start.saturating_sub(usize::from(first.quoted()));
        let end = last.range().end.saturating_add(usize::from(last.quoted())).min(line.bytes().len());
        if self.full || self.is_over(|| line.span(start..end), diags) {
            self.tree.words.truncate(self.words_from);
            return;
        }
        let number = |n: usize| u32::try_from(n).unwrap_or(NONE);
        let (file, origin) = match line {
            Line::File(_, file, offset) => (u16::try_from(file.0).unwrap_or(0), offset.saturating_add(number(start))),
            Line::Text(text) => (EXPANDED, self.places(text)),
        };
        let id = number(self.tree.nodes.len());
        let node = Node {
            at: number(self.tree.bytes.len()),
            words: number(self.words_from),
            origin,
            block: NONE,
            next: NONE,
            file,
        };
        let bytes = line.bytes().get(start..end).unwrap_or_default();
        self.tree.bytes.extend_from_slice(bytes);
        let shift = u16::try_from(start).unwrap_or(0);
        for word in self.tree.words.get_mut(self.words_from..).unwrap_or_default() {
            word.start = word.start.saturating_sub(shift);
        }
        self.words_from = self.tree.words.len();
        self.tree.nodes.push(node);
        if (bytes.starts_with(b"random_seed") || bytes.starts_with(b"include_check")) && self.in_global_defs() {
            self.directive = Some(StatementId(id));
        }
        self.last = Some(id);
        if fit == Fit::Good {
            self.link(id); // a broken one is in the tree only for its block to belong to
        }
    }

    /// Notes where each word of the statement that is being read stands; gives where those notes begin.
    fn places(&mut self, text: &Text) -> u32 {
        let Builder { tree, recent, words_from, .. } = self;
        let begin = u32::try_from(tree.places.len()).unwrap_or(NONE);
        for word in tree.words.get(*words_from..).unwrap_or_default() {
            let range = word.range();
            let span = if range.is_empty() {
                text.span(range.start.saturating_sub(1)..range.end.saturating_add(1)) // the quotes of ""
            } else {
                text.span(range)
            };
            tree.places.push(recent.number(span, &mut tree.spans));
        }
        begin
    }

    /// Whether there is no room for another statement; tells it once.
    fn is_over(&mut self, span: impl FnOnce() -> Span, diags: &mut Diagnostics) -> bool {
        let used = self.tree.cost().saturating_add(self.beside);
        self.full = used > LIMITS.memory;
        if self.full {
            let message = format!(
                "the configuration is too large: up to here there are {} statements of {} bytes",
                self.tree.nodes.len(),
                self.tree.bytes.len()
            );
            diags.push(Diagnostic::fatal(Code::TOO_LARGE, span(), message));
        }
        self.full
    }

    fn in_global_defs(&self) -> bool {
        let [(Some(owner), _)] = self.open.as_slice() else { return false };
        self.tree.at(*owner).is_some_and(|s| s.word(0).is_some_and(|w| w.bytes == b"global_defs"))
    }

    /// Puts a statement at the end of the block that is open.
    fn link(&mut self, id: u32) {
        let Tree { nodes, blocks, first, last, .. } = &mut self.tree;
        let owner = self.open.last().and_then(|(owner, _)| *owner).and_then(|owner| nodes.get(owner as usize));
        let (first, last) = match owner.and_then(|owner| blocks.get_mut(owner.block as usize)) {
            Some(block) => (&mut block.first, &mut block.last),
            None => (first, last),
        };
        match nodes.get_mut(*last as usize) {
            Some(before) => before.next = id,
            None => *first = id,
        }
        *last = id;
    }

    fn open(&mut self, span: Span, diags: &mut Diagnostics) {
        if self.too_deep > 0 || self.open.len() >= LIMITS.block_depth {
            if self.too_deep == 0 {
                let message = format!("blocks may be nested {} deep; this one is skipped", LIMITS.block_depth);
                diags.push(Diagnostic::error(Code::TOO_DEEP, span, message));
            }
            self.too_deep = self.too_deep.saturating_add(1);
            return;
        }
        let owner = self.last.take();
        let inside_skipped = matches!(self.open.last(), Some((None, _)));
        if owner.is_none() && !inside_skipped {
            let message = "this `{` follows no keyword; what it holds is skipped";
            diags.push(Diagnostic::error(Code::STRAY_OPEN, span, message));
        }
        if let Some(node) = owner.and_then(|n| self.tree.nodes.get_mut(n as usize)) {
            node.block = u32::try_from(self.tree.blocks.len()).unwrap_or(NONE);
            self.tree.blocks.push(Block { open: span, first: NONE, last: NONE });
        }
        self.open.push((owner, span));
    }

    fn close(&mut self, span: Span, diags: &mut Diagnostics) {
        self.last = None;
        if self.too_deep > 0 {
            self.too_deep = self.too_deep.saturating_sub(1);
        } else if self.open.pop().is_none() {
            // COMPAT: keepalived reports it and goes on.
            diags.push(
                Diagnostic::error(Code::EXTRA_CLOSE, span, "this `}` closes nothing and is ignored")
                    .help("remove it, or look for a missing `{` above"),
            );
        }
    }
}
