//! Lines to statements: words, and blocks that hold statements.
//!
//! `{` and `}` stand for themselves wherever they occur outside `"…"` (COMPAT: keepalived 2.4.3), so `kw {`, `kw` with
//! `{` on the next line and `kw { a }` are the same. Whether a word is a keyword is not asked here: a block always belongs to the
//! statement before it, so that an unknown keyword is skipped with its block (keepalived takes the contents for the enclosing one's).
//!
//! Statements stand in one vector and refer to one another by number; nothing recurses. A configuration of 100,000 real servers has
//! half a million statements, so none of them owns anything: their bytes and words stand in vectors of the tree.

mod builder;

pub use builder::Builder;

use super::source::{FileId, Span};
use alloc::vec::Vec;
use core::ops::Range;

/// No statement or block.
const NONE: u32 = u32::MAX;

/// The file of a statement that was expanded; real ones have smaller numbers ([`super::LIMITS`]).
const EXPANDED: u16 = u16::MAX;

/// A word: where it starts in the bytes of its statement, and its length with [`QUOTED`].
#[derive(Clone, Copy, Debug)]
struct WordAt {
    start: u16,
    length: u16,
}

/// Bit of [`WordAt::length`]: it stood in `"…"`. A line is shorter than that.
const QUOTED: u16 = 1 << 15;
const _: () = assert!(super::LIMITS.line_bytes < QUOTED as usize && super::LIMITS.files < EXPANDED as usize);

impl WordAt {
    fn range(self) -> Range<usize> {
        let start = usize::from(self.start);
        start..start.saturating_add(usize::from(self.length & !QUOTED))
    }

    fn quoted(self) -> bool {
        self.length & QUOTED != 0
    }
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// Where its bytes begin in [`Tree::bytes`]; they end where those of the next statement begin.
    at: u32,
    /// Where its words begin in [`Tree::words`]; likewise.
    words: u32,
    /// Where it stands in its file, or where its words' places begin in [`Tree::places`].
    origin: u32,
    /// Which of [`Tree::blocks`] it has.
    block: u32,
    /// The next statement of the same block.
    next: u32,
    /// The file it stands in, or [`EXPANDED`].
    file: u16,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    open: Span,
    first: u32,
    last: u32,
}

/// All statements.
#[derive(Clone, Debug)]
pub struct Tree {
    bytes: Vec<u8>,
    words: Vec<WordAt>,
    nodes: Vec<Node>,
    blocks: Vec<Block>,
    /// Of each word that was expanded, which of `spans` it has.
    places: Vec<u32>,
    spans: Vec<Span>,
    first: u32,
    last: u32,
}

impl Default for Tree {
    fn default() -> Self {
        Tree {
            bytes: Vec::new(),
            words: Vec::new(),
            nodes: Vec::new(),
            blocks: Vec::new(),
            places: Vec::new(),
            spans: Vec::new(),
            first: NONE,
            last: NONE,
        }
    }
}

/// One word of a statement.
#[derive(Clone, Copy, Debug)]
pub struct Word<'a> {
    /// Its bytes, without the quotes.
    pub bytes: &'a [u8],
    /// Where it stands, without the quotes.
    pub span: Span,
    /// Whether it stood in `"…"`.
    pub quoted: bool,
}

impl<'a> Word<'a> {
    /// As text. Bytes that are not UTF-8 give U+FFFD, which is neither a keyword, a number nor an address.
    pub fn text(self) -> &'a str {
        core::str::from_utf8(self.bytes).unwrap_or("\u{fffd}")
    }
}

/// Which statement of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementId(u32);

/// A statement of a tree.
#[derive(Clone, Copy)]
pub struct Statement<'a> {
    tree: &'a Tree,
    id: u32,
    node: &'a Node,
    /// Its part of [`Tree::bytes`].
    bytes: &'a [u8],
    /// Its part of [`Tree::words`].
    words: &'a [WordAt],
}

impl<'a> Statement<'a> {
    /// Its number, for [`Tree::statement`].
    pub fn id(self) -> StatementId {
        StatementId(self.id)
    }

    /// Where word `n` stands that was expanded.
    fn place_of(self, n: usize) -> Span {
        let place = self.tree.places.get((self.node.origin as usize).saturating_add(n));
        place.and_then(|place| self.tree.spans.get(*place as usize)).copied().unwrap_or_default()
    }

    /// Whether it is not in the file as it was read: a parameter or a loop is part of it.
    pub fn is_expanded(self) -> bool {
        self.node.file == EXPANDED
    }

    /// Where a range of its bytes stands.
    fn span_of(self, range: Range<usize>) -> Span {
        if self.is_expanded() {
            let touched = |at: &WordAt| at.range().start < range.end && range.start < at.range().end.saturating_add(1);
            let first = self.words.iter().position(touched).unwrap_or(0);
            let last = self.words.iter().rposition(touched).unwrap_or(first);
            return self.place_of(first).to(self.place_of(last));
        }
        place(FileId(u32::from(self.node.file)), self.node.origin, self.bytes.len(), range)
    }

    /// The place of some of its bytes in its file, of a statement that was not expanded.
    fn in_file(self, from: u32, length: u32) -> Span {
        let start = self.node.origin.saturating_add(from);
        Span { file: FileId(u32::from(self.node.file)), start, end: start.saturating_add(length) }
    }

    fn word_at(self, n: usize, at: WordAt) -> Word<'a> {
        let range = at.range();
        Word {
            bytes: self.bytes.get(range.clone()).unwrap_or_default(),
            span: if self.is_expanded() {
                self.place_of(n)
            } else if range.is_empty() {
                self.span_of(range.start.saturating_sub(1)..range.end.saturating_add(1)) // the quotes of ""
            } else {
                self.in_file(at.start.into(), u32::from(at.length & !QUOTED))
            },
            quoted: at.quoted(),
        }
    }

    /// Number of words, at least one.
    pub fn len(self) -> usize {
        self.words.len()
    }

    /// Whether it has no words; never true.
    pub fn is_empty(self) -> bool {
        self.words.is_empty()
    }

    /// A word by its position; the keyword is 0.
    pub fn word(self, n: usize) -> Option<Word<'a>> {
        self.words.get(n).map(|at| self.word_at(n, *at))
    }

    /// The keyword.
    pub fn keyword(self) -> &'a str {
        // It is asked for often, its place seldom.
        Word { bytes: self.name(), span: Span::default(), quoted: false }.text()
    }

    /// The bytes of the keyword.
    pub(super) fn name(self) -> &'a [u8] {
        self.words.first().and_then(|at| self.bytes.get(at.range())).unwrap_or_default()
    }

    /// Whether this is its keyword. It is asked many times of each statement, so that bytes are compared.
    pub fn is(self, keyword: &str) -> bool {
        self.name() == keyword.as_bytes()
    }

    /// Whether one of these is its keyword.
    pub fn is_one_of(self, keywords: &[&str]) -> bool {
        let name = self.name();
        keywords.iter().any(|keyword| keyword.as_bytes() == name)
    }

    /// Where the keyword stands.
    pub fn span(self) -> Span {
        self.word(0).map_or(Span::default(), |w| w.span)
    }

    /// Where all its words stand.
    pub fn whole(self) -> Span {
        if self.is_expanded() {
            return self.span_of(0..self.bytes.len());
        }
        self.in_file(0, u32::try_from(self.bytes.len()).unwrap_or(u32::MAX))
    }

    /// The words from position `n` on.
    pub fn words(self, n: usize) -> impl Iterator<Item = Word<'a>> {
        self.words.iter().enumerate().skip(n).map(move |(n, at)| self.word_at(n, *at))
    }

    /// The bytes from word `n` to the end, quotes and all, and the place of any range of them.
    pub fn raw(self, n: usize) -> Raw<'a> {
        let start = |w: &WordAt| w.range().start.saturating_sub(usize::from(w.quoted()));
        Raw { statement: self, at: self.words.get(n).map_or(self.bytes.len(), start) }
    }

    fn block(self) -> Option<&'a Block> {
        self.tree.blocks.get(self.node.block as usize)
    }

    /// Whether it has a block.
    pub fn has_block(self) -> bool {
        self.node.block != NONE
    }

    /// Where its `{` stands.
    pub fn open(self) -> Option<Span> {
        self.block().map(|b| b.open)
    }

    /// The statements of its block.
    pub fn children(self) -> impl Iterator<Item = Statement<'a>> {
        self.tree.chain(self.block().map_or(NONE, |b| b.first))
    }
}

/// Where a range of a run of bytes stands that is in the file at `offset`. For an empty range: the byte before it, or the first.
fn place(file: FileId, offset: u32, length: usize, range: Range<usize>) -> Span {
    let last = range.end.saturating_sub(1).min(length.saturating_sub(1));
    let first = range.start.min(last);
    let at = |n: usize| offset.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
    Span { file, start: at(first), end: at(last.saturating_add(1)) }
}

/// The unparsed rest of a statement.
#[derive(Clone, Copy)]
pub struct Raw<'a> {
    statement: Statement<'a>,
    at: usize,
}

impl<'a> Raw<'a> {
    /// Its bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.statement.bytes.get(self.at..).unwrap_or_default()
    }

    /// Where a range of [`Raw::bytes`] stands.
    pub fn span(self, range: Range<usize>) -> Span {
        self.statement.span_of(range.start.saturating_add(self.at)..range.end.saturating_add(self.at))
    }
}

impl Tree {
    /// Bytes it takes in memory.
    pub fn cost(&self) -> usize {
        let parts = [
            size_of_val(self.nodes.as_slice()),
            size_of_val(self.words.as_slice()),
            size_of_val(self.blocks.as_slice()),
            size_of_val(self.places.as_slice()),
            size_of_val(self.spans.as_slice()),
            self.bytes.len(),
        ];
        parts.iter().sum()
    }

    fn at(&self, id: u32) -> Option<Statement<'_>> {
        let node = self.nodes.get(id as usize)?;
        let next = self.nodes.get((id as usize).saturating_add(1));
        let bytes_end = next.map_or(self.bytes.len(), |n| n.at as usize);
        let words_end = next.map_or(self.words.len(), |n| n.words as usize);
        let bytes = self.bytes.get(node.at as usize..bytes_end).unwrap_or_default();
        let words = self.words.get(node.words as usize..words_end).unwrap_or_default();
        Some(Statement { tree: self, id, node, bytes, words })
    }

    fn chain(&self, first: u32) -> impl Iterator<Item = Statement<'_>> {
        core::iter::successors(self.at(first), |s| self.at(s.node.next))
    }

    /// The statement of a number that [`Statement::id`] gave.
    pub fn statement(&self, id: StatementId) -> Option<Statement<'_>> {
        self.at(id.0)
    }

    /// The statements outside any block.
    pub fn roots(&self) -> impl Iterator<Item = Statement<'_>> {
        self.chain(self.first)
    }

    /// All statements, in the order of the text.
    pub fn all(&self) -> impl Iterator<Item = Statement<'_>> {
        (0..self.nodes.len()).filter_map(|n| self.at(u32::try_from(n).ok()?))
    }
}
