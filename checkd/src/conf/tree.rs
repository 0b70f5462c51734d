//! Lines to statements: words, and blocks that hold statements.
//!
//! `{` and `}` stand for themselves wherever they occur outside `"…"` (COMPAT: keepalived 2.4.3, keywords §1), so `kw {`, `kw` with
//! `{` on the next line and `kw { a }` are the same. Whether a word is a keyword is not asked here: a block always belongs to the
//! statement before it, so that an unknown keyword is skipped with its block (keepalived takes the contents for the enclosing one's).
//!
//! Statements stand in one vector and refer to one another by number; nothing recurses. A configuration of 100,000 real servers has
//! half a million statements, so none of them owns anything: their bytes and words stand in vectors of the tree.

use super::diag::{Code, Diagnostic, Diagnostics};
use super::lines::{self, Text};
use super::source::{FileId, Span};
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

/// Deepest nesting of blocks; the language itself needs five.
pub const DEPTH_LIMIT: usize = 64;

/// Most statements of one configuration; more are a fatal problem.
pub const STATEMENTS_LIMIT: usize = 8_000_000;

/// No statement, block or origin.
const NONE: u32 = u32::MAX;

/// A word: where it starts in the bytes of its statement, and its length with [`QUOTED`].
#[derive(Clone, Copy, Debug)]
struct WordAt {
    start: u32,
    length: u32,
}

/// Bit of [`WordAt::length`]: it stood in `"…"`. A line is shorter than that.
const QUOTED: u32 = 1 << 31;

impl WordAt {
    fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start.saturating_add((self.length & !QUOTED) as usize)
    }

    fn quoted(self) -> bool {
        self.length & QUOTED != 0
    }
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// Its bytes in [`Tree::bytes`].
    at: u32,
    length: u32,
    /// Its words in [`Tree::words`].
    words: u32,
    count: u32,
    /// The file it stands in, or [`NONE`] for a line that was expanded.
    file: u32,
    /// Where it stands there, or which of [`Tree::expanded`] it is.
    origin: u32,
    /// Which of [`Tree::blocks`] it has.
    block: u32,
    /// The next statement of the same block.
    next: u32,
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
    expanded: Vec<Text>,
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
            expanded: Vec::new(),
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
}

impl<'a> Statement<'a> {
    /// Its number, for [`Tree::statement`].
    pub fn id(self) -> StatementId {
        StatementId(self.id)
    }

    fn bytes(self) -> &'a [u8] {
        let start = self.node.at as usize;
        self.tree.bytes.get(start..start.saturating_add(self.node.length as usize)).unwrap_or_default()
    }

    fn words_at(self) -> &'a [WordAt] {
        let start = self.node.words as usize;
        self.tree.words.get(start..start.saturating_add(self.node.count as usize)).unwrap_or_default()
    }

    /// Where a range of its bytes stands.
    fn span_of(self, range: Range<usize>) -> Span {
        if self.node.file == NONE {
            return self.tree.expanded.get(self.node.origin as usize).map_or(Span::default(), |text| text.span(range));
        }
        place(FileId(self.node.file), self.node.origin, self.node.length as usize, range)
    }

    fn word_at(self, at: WordAt) -> Word<'a> {
        let range = at.range();
        Word {
            bytes: self.bytes().get(range.clone()).unwrap_or_default(),
            span: if range.is_empty() {
                self.span_of(range.start.saturating_sub(1)..range.end.saturating_add(1)) // the quotes of ""
            } else {
                self.span_of(range)
            },
            quoted: at.quoted(),
        }
    }

    /// Number of words, at least one.
    pub fn len(self) -> usize {
        self.node.count as usize
    }

    /// Whether it has no words; never true.
    pub fn is_empty(self) -> bool {
        self.node.count == 0
    }

    /// A word by its position; the keyword is 0.
    pub fn word(self, n: usize) -> Option<Word<'a>> {
        self.words_at().get(n).map(|at| self.word_at(*at))
    }

    /// The keyword.
    pub fn keyword(self) -> &'a str {
        self.word(0).map_or("", Word::text)
    }

    /// Where the keyword stands.
    pub fn span(self) -> Span {
        self.word(0).map_or(Span::default(), |w| w.span)
    }

    /// Where all its words stand.
    pub fn whole(self) -> Span {
        self.span_of(0..self.node.length as usize)
    }

    /// The words from position `n` on.
    pub fn words(self, n: usize) -> impl Iterator<Item = Word<'a>> {
        self.words_at().iter().skip(n).map(move |at| self.word_at(*at))
    }

    /// The bytes from word `n` to the end, quotes and all, and the place of any range of them.
    pub fn raw(self, n: usize) -> Raw<'a> {
        let start = |w: &WordAt| w.range().start.saturating_sub(usize::from(w.quoted()));
        Raw { statement: self, at: self.words_at().get(n).map_or(self.node.length as usize, start) }
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
        self.statement.bytes().get(self.at..).unwrap_or_default()
    }

    /// Where a range of [`Raw::bytes`] stands.
    pub fn span(self, range: Range<usize>) -> Span {
        self.statement.span_of(range.start.saturating_add(self.at)..range.end.saturating_add(self.at))
    }
}

impl Tree {
    fn at(&self, id: u32) -> Option<Statement<'_>> {
        self.nodes.get(id as usize).map(|node| Statement { tree: self, id, node })
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
    /// Open blocks: whose (`None`: of nothing, its statements are dropped), and where.
    open: Vec<(Option<u32>, Span)>,
    /// The statement that a `{` would belong to.
    last: Option<u32>,
    /// Open blocks beyond the depth limit.
    too_deep: usize,
    /// Words of the statement that is being read.
    words: Vec<WordAt>,
}

impl Builder {
    /// Takes a line that stands in a file at `offset`.
    pub fn plain(&mut self, bytes: &[u8], file: FileId, offset: u32, diags: &mut Diagnostics) {
        self.line(Line::File(bytes, file, offset), diags);
    }

    /// Takes a line that was put together.
    pub fn text(&mut self, text: &Text, diags: &mut Diagnostics) {
        self.line(Line::Text(text), diags);
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        *self = Builder::default();
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

    fn word(&mut self, range: Range<usize>, quoted: u32) {
        let number = |n: usize| u32::try_from(n).unwrap_or(0);
        self.words.push(WordAt { start: number(range.start), length: number(range.len()) | quoted });
    }

    fn line(&mut self, line: Line<'_>, diags: &mut Diagnostics) {
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
                    at = next;
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
                    // COMPAT: keepalived 2.2.7: a quotation mark ends a word.
                    let ends = |b: &u8| lines::is_blank(*b) || matches!(*b, b'{' | b'}' | b'"');
                    let end = bytes.iter().skip(at).position(ends).map_or(bytes.len(), |n| n.saturating_add(at));
                    self.word(at..end, 0);
                    at = end;
                }
            }
        }
        self.statement(line, fit, diags);
    }

    /// The words read so far become a statement.
    fn statement(&mut self, line: Line<'_>, fit: Fit, diags: &mut Diagnostics) {
        let (Some(first), Some(last)) = (self.words.first(), self.words.last()) else { return };
        if self.too_deep > 0 || matches!(self.open.last(), Some((None, _))) {
            self.words.clear();
            return;
        }
        let start = first.range().start.saturating_sub(usize::from(first.quoted()));
        let end = last.range().end.saturating_add(usize::from(last.quoted())).min(line.bytes().len());
        if self.tree.nodes.len() >= STATEMENTS_LIMIT {
            self.words.clear();
            let message = format!("a configuration may have {STATEMENTS_LIMIT} statements");
            diags.push(Diagnostic::fatal(Code::TOO_LARGE, Span::default(), message));
            return;
        }
        let number = |n: usize| u32::try_from(n).unwrap_or(NONE);
        let (file, origin) = match line {
            Line::File(_, file, offset) => (file.0, offset.saturating_add(number(start))),
            Line::Text(text) => {
                self.tree.expanded.push(text.part(start..end));
                (NONE, number(self.tree.expanded.len().saturating_sub(1)))
            }
        };
        let id = number(self.tree.nodes.len());
        let node = Node {
            at: number(self.tree.bytes.len()),
            length: number(end.saturating_sub(start)),
            words: number(self.tree.words.len()),
            count: number(self.words.len()),
            file,
            origin,
            block: NONE,
            next: NONE,
        };
        self.tree.bytes.extend_from_slice(line.bytes().get(start..end).unwrap_or_default());
        let shift = number(start);
        let shifted = self.words.drain(..).map(|w| WordAt { start: w.start.saturating_sub(shift), ..w });
        self.tree.words.extend(shifted);
        self.tree.nodes.push(node);
        self.last = Some(id);
        if fit == Fit::Good {
            self.link(id); // a broken one is in the tree only for its block to belong to
        }
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
        if self.too_deep > 0 || self.open.len() >= DEPTH_LIMIT {
            if self.too_deep == 0 {
                let message = format!("blocks may be nested {DEPTH_LIMIT} deep; this one is skipped");
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
