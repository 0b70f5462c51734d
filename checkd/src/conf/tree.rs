//! Lines to statements: words, and blocks that hold statements.
//!
//! `{` and `}` stand for themselves wherever they occur outside `"…"` (COMPAT: keepalived 2.4.3, keywords §1), so `kw {`, `kw` with
//! `{` on the next line and `kw { a }` are the same. Whether a word is a keyword is not asked here: a block always belongs to the
//! statement before it, so that an unknown keyword is skipped with its block (keepalived takes the contents for the enclosing one's).
//!
//! Statements stand in one vector and refer to one another by number; nothing recurses.

use super::diag::{Code, Diagnostic, Diagnostics};
use super::lines::{self, Text};
use super::source::Span;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

/// Deepest nesting of blocks; the language itself needs five.
pub const DEPTH_LIMIT: usize = 64;

#[derive(Clone, Debug)]
struct WordAt {
    range: Range<usize>,
    quoted: bool,
}

#[derive(Clone, Debug)]
struct Node {
    text: Text,
    words: Vec<WordAt>,
    block: Option<Block>,
}

#[derive(Clone, Debug)]
struct Block {
    open: Span,
    children: Vec<usize>,
}

/// All statements.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    roots: Vec<usize>,
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

/// A statement of a tree.
#[derive(Clone, Copy)]
pub struct Statement<'a> {
    tree: &'a Tree,
    node: &'a Node,
}

impl<'a> Statement<'a> {
    /// Number of words, at least one.
    pub fn len(self) -> usize {
        self.node.words.len()
    }

    /// Whether it has no words; never true.
    pub fn is_empty(self) -> bool {
        self.node.words.is_empty()
    }

    /// A word by its position; the keyword is 0.
    pub fn word(self, n: usize) -> Option<Word<'a>> {
        self.node.words.get(n).map(|at| self.node.word(at))
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
        self.node.text.whole()
    }

    /// The words from position `n` on.
    pub fn words(self, n: usize) -> impl Iterator<Item = Word<'a>> {
        self.node.words.iter().skip(n).map(|at| self.node.word(at))
    }

    /// The bytes from word `n` to the end, quotes and all, and the place of any range of them.
    pub fn raw(self, n: usize) -> Raw<'a> {
        let at = self
            .node
            .words
            .get(n)
            .map_or(self.node.text.len(), |w| w.range.start.saturating_sub(usize::from(w.quoted)));
        Raw { text: &self.node.text, at }
    }

    /// Whether it has a block.
    pub fn has_block(self) -> bool {
        self.node.block.is_some()
    }

    /// Where its `{` stands.
    pub fn open(self) -> Option<Span> {
        self.node.block.as_ref().map(|b| b.open)
    }

    /// The statements of its block.
    pub fn children(self) -> impl Iterator<Item = Statement<'a>> {
        let tree = self.tree;
        let children = self.node.block.as_ref().map_or(&[][..], |b| &b.children);
        children.iter().filter_map(move |n| tree.at(*n))
    }
}

/// The unparsed rest of a statement.
#[derive(Clone, Copy)]
pub struct Raw<'a> {
    text: &'a Text,
    at: usize,
}

impl<'a> Raw<'a> {
    /// Its bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.text.bytes().get(self.at..).unwrap_or_default()
    }

    /// Where a range of [`Raw::bytes`] stands.
    pub fn span(self, range: Range<usize>) -> Span {
        self.text.span(range.start.saturating_add(self.at)..range.end.saturating_add(self.at))
    }
}

impl Node {
    fn word<'a>(&'a self, at: &WordAt) -> Word<'a> {
        Word {
            bytes: self.text.bytes().get(at.range.clone()).unwrap_or_default(),
            span: if at.range.is_empty() {
                self.text.span(at.range.start.saturating_sub(1)..at.range.end.saturating_add(1)) // the quotes of ""
            } else {
                self.text.span(at.range.clone())
            },
            quoted: at.quoted,
        }
    }
}

impl Tree {
    fn at(&self, n: usize) -> Option<Statement<'_>> {
        self.nodes.get(n).map(|node| Statement { tree: self, node })
    }

    /// The statements outside any block.
    pub fn roots(&self) -> impl Iterator<Item = Statement<'_>> {
        self.roots.iter().filter_map(|n| self.at(*n))
    }

    /// All statements, in the order of the text, with the keyword of the block they stand in.
    pub fn all(&self) -> impl Iterator<Item = Statement<'_>> {
        (0..self.nodes.len()).filter_map(|n| self.at(n))
    }
}

/// Builds the tree of all lines.
pub fn build(lines: Vec<Text>, diags: &mut Diagnostics) -> Tree {
    let mut builder = Builder { tree: Tree::default(), open: Vec::new(), last: None, too_deep: 0, diags };
    for line in &lines {
        builder.line(line);
    }
    for (_, span) in core::mem::take(&mut builder.open) {
        builder.diags.push(
            Diagnostic::error(Code::MISSING_CLOSE, span, "this `{` has no `}`")
                .help("everything up to the end of the file counts as inside this block"),
        );
    }
    builder.tree
}

/// Whether a statement can be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Good,
    /// What is wrong with it was reported.
    Broken,
}

struct Builder<'d> {
    tree: Tree,
    /// Open blocks: whose (`None`: of nothing, its statements are dropped), and where.
    open: Vec<(Option<usize>, Span)>,
    /// The statement that a `{` would belong to.
    last: Option<usize>,
    /// Open blocks beyond the depth limit.
    too_deep: usize,
    diags: &'d mut Diagnostics,
}

impl Builder<'_> {
    fn line(&mut self, line: &Text) {
        let bytes = line.bytes();
        let (mut words, mut at, mut fit) = (Vec::new(), 0, Fit::Good);
        while let Some(byte) = bytes.get(at).copied() {
            let next = at.saturating_add(1);
            match byte {
                b'{' | b'}' => {
                    self.statement(line, core::mem::take(&mut words), core::mem::replace(&mut fit, Fit::Good));
                    let span = line.span(at..next);
                    if byte == b'{' {
                        self.open(span)
                    } else {
                        self.close(span)
                    }
                    at = next;
                }
                b'"' => {
                    let end = bytes.iter().skip(next).position(|b| *b == b'"').map(|n| n.saturating_add(next));
                    if end.is_none() {
                        fit = Fit::Broken;
                        let message = "this `\"` has no partner on its line; the statement is skipped";
                        self.diags.push(Diagnostic::error(Code::UNBALANCED_QUOTE, line.span(at..next), message));
                    }
                    // A block that was meant to begin here begins: otherwise its `}` would close another one.
                    let end = end.unwrap_or(bytes.len().saturating_sub(usize::from(bytes.ends_with(b"{"))));
                    words.push(WordAt { range: next..end.max(next), quoted: true });
                    at = if bytes.get(end) == Some(&b'"') { end.saturating_add(1) } else { end.max(next) };
                }
                blank if lines::is_blank(blank) => at = next,
                _ => {
                    // COMPAT: keepalived 2.2.7: a quotation mark ends a word.
                    let ends = |b: &u8| lines::is_blank(*b) || matches!(*b, b'{' | b'}' | b'"');
                    let end = bytes.iter().skip(at).position(ends).map_or(bytes.len(), |n| n.saturating_add(at));
                    words.push(WordAt { range: at..end, quoted: false });
                    at = end;
                }
            }
        }
        self.statement(line, words, fit);
    }

    fn statement(&mut self, line: &Text, mut words: Vec<WordAt>, fit: Fit) {
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return };
        if self.too_deep > 0 || matches!(self.open.last(), Some((None, _))) {
            return;
        }
        let start = first.range.start.saturating_sub(usize::from(first.quoted));
        let end = last.range.end.saturating_add(usize::from(last.quoted)).min(line.len());
        for word in &mut words {
            word.range = word.range.start.saturating_sub(start)..word.range.end.saturating_sub(start);
        }
        let n = self.tree.nodes.len();
        self.tree.nodes.push(Node { text: line.part(start..end), words, block: None });
        self.last = Some(n);
        if fit == Fit::Broken {
            return; // in the tree only for its block to belong to
        }
        match self.open.last().and_then(|(owner, _)| *owner).and_then(|owner| self.tree.nodes.get_mut(owner)) {
            Some(Node { block: Some(block), .. }) => block.children.push(n),
            _ => self.tree.roots.push(n),
        }
    }

    fn open(&mut self, span: Span) {
        if self.too_deep > 0 || self.open.len() >= DEPTH_LIMIT {
            if self.too_deep == 0 {
                let message = format!("blocks may be nested {DEPTH_LIMIT} deep; this one is skipped");
                self.diags.push(Diagnostic::error(Code::TOO_DEEP, span, message));
            }
            self.too_deep = self.too_deep.saturating_add(1);
            return;
        }
        let owner = self.last.take();
        let inside_skipped = matches!(self.open.last(), Some((None, _)));
        if owner.is_none() && !inside_skipped {
            let message = "this `{` follows no keyword; what it holds is skipped";
            self.diags.push(Diagnostic::error(Code::STRAY_OPEN, span, message));
        }
        if let Some(node) = owner.and_then(|n| self.tree.nodes.get_mut(n)) {
            node.block = Some(Block { open: span, children: Vec::new() });
        }
        self.open.push((owner, span));
    }

    fn close(&mut self, span: Span) {
        self.last = None;
        if self.too_deep > 0 {
            self.too_deep = self.too_deep.saturating_sub(1);
        } else if self.open.pop().is_none() {
            // COMPAT: keepalived reports it and goes on.
            self.diags.push(
                Diagnostic::error(Code::EXTRA_CLOSE, span, "this `}` closes nothing and is ignored")
                    .help("remove it, or look for a missing `{` above"),
            );
        }
    }
}
