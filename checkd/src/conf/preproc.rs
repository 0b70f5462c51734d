//! Logical lines to the lines that the parser sees: conditional lines, parameters, loops and includes.
//!
//! A stack of work: the line on top is looked at; what it expands to goes back on the stack and is looked at again, so that nothing
//! here recurses and a hostile file cannot overflow anything. Limits: [`LIMITS`].
//!
//! The files to include are asked for ([`Step::Include`]); whoever drives the compiler hands them in.

use super::diag::{Code, Diagnostic, Diagnostics};
use super::expand::{self, Definitions, Facts};
use super::lines::{self, Line, Text};
use super::loops::{self, Loop};
use super::source::{FileId, Sources, Span};
use super::tree;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Bounds of one compilation.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in one file.
    pub file_bytes: usize,
    /// Bytes in all files together.
    pub all_bytes: usize,
    /// Files that are read, the main one included.
    pub files: usize,
    /// Files open within one another.
    pub include_depth: usize,
    /// Expansions of what an expansion gave.
    pub expansion_depth: u16,
    /// Lines looked at, each turn of a loop and each expansion counted.
    pub lines: u32,
    /// Bytes in lines that were expanded.
    pub expanded_bytes: usize,
}

/// The bounds in force. The largest real configuration known has 65,024 instances of 15 lines (the man page's example).
pub const LIMITS: Limits = Limits {
    file_bytes: 64 * 1024 * 1024,
    all_bytes: 256 * 1024 * 1024,
    files: 4096,
    include_depth: 32,
    expansion_depth: 64,
    lines: 2_000_000,
    expanded_bytes: 128 * 1024 * 1024,
};

/// What stands on the stack.
enum Work {
    /// The rest of a file, with how many includes led to it.
    File { id: FileId, at: usize, depth: usize },
    /// A line, with how many expansions led to it.
    Line { text: Text, depth: u16 },
    /// A loop that has turns left.
    Loop(Loop),
}

/// What the preprocessor needs next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The files that match a pattern: [`Preprocessor::included`].
    Include(Request),
    /// Nothing: all lines are there.
    Done,
}

/// An include directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The pattern as written.
    pub pattern: String,
    /// The file it stands in.
    pub from: String,
    /// Where it stands.
    pub span: Span,
    /// Which failures are errors.
    pub checks: Checks,
}

/// What of an include has to be there. COMPAT: keepalived 2.4.3, keywords §1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// `include`: failures are warnings.
    Lenient,
    /// `includer`: what matches must be readable, nothing has to match.
    Readable,
    /// `includem` and `includeb`: a name without wildcard must exist.
    Match,
    /// `includew`, `includea`: a wildcard must match as well.
    Wildcard,
}

/// Most bytes of an include pattern, as the message that carries it allows.
const PATTERN_LIMIT: usize = 4096;

/// A definition whose lines still come.
struct Collecting {
    name: Vec<u8>,
    lines: Vec<Text>,
}

/// The preprocessor.
pub struct Preprocessor {
    stack: Vec<Work>,
    definitions: Definitions,
    facts: Facts,
    collecting: Option<Collecting>,
    looked_at: u32,
    expanded_bytes: usize,
    read_bytes: usize,
}

impl Preprocessor {
    /// Starts with nothing to read; `facts` are what built-in parameters stand for.
    pub fn new(facts: Facts) -> Self {
        Preprocessor {
            stack: Vec::new(),
            definitions: Definitions::default(),
            facts,
            collecting: None,
            looked_at: 0,
            expanded_bytes: 0,
            read_bytes: 0,
        }
    }

    /// Takes a file that is read next, before anything that waits.
    pub fn push_file(&mut self, sources: &mut Sources, diags: &mut Diagnostics, name: String, text: Vec<u8>, by: Span) {
        self.push_at(0, sources, diags, name, text, by);
    }

    fn push_at(
        &mut self,
        depth: usize,
        sources: &mut Sources,
        diags: &mut Diagnostics,
        name: String,
        text: Vec<u8>,
        by: Span,
    ) {
        let too_much = if text.len() > LIMITS.file_bytes {
            Some(format!("it has {} bytes, a file may have {}", text.len(), LIMITS.file_bytes))
        } else if self.read_bytes.saturating_add(text.len()) > LIMITS.all_bytes {
            Some(format!("all files together may have {} bytes", LIMITS.all_bytes))
        } else if sources.len() >= LIMITS.files {
            Some(format!("there may be {} files", LIMITS.files))
        } else {
            (depth >= LIMITS.include_depth).then(|| {
                format!("files may include one another {} deep; does it include itself?", LIMITS.include_depth)
            })
        };
        if let Some(why) = too_much {
            diags.push(Diagnostic::error(Code::TOO_LARGE, by, format!("`{name}` is not read: {why}")));
            return;
        }
        self.read_bytes = self.read_bytes.saturating_add(text.len());
        let id = sources.add(name, text);
        if let Some(source) = sources.get(id) {
            diags.read_allows(source, id, by);
        }
        self.stack.push(Work::File { id, at: 0, depth });
    }

    /// Takes the answer to [`Step::Include`]: the files in the order in which they are to be read, and what failed.
    pub fn included(
        &mut self,
        sources: &mut Sources,
        diags: &mut Diagnostics,
        request: &Request,
        files: Vec<(String, Vec<u8>)>,
        problems: &[(String, String)],
    ) {
        let wildcard = request.pattern.contains(['*', '?', '[', '{']);
        for (path, why) in problems {
            let message = format!("cannot include `{path}`: {why}");
            diags.push(match request.checks {
                Checks::Lenient => Diagnostic::warning(Code::INCLUDE, request.span, message),
                _ => Diagnostic::error(Code::INCLUDE, request.span, message),
            });
        }
        if files.is_empty() && problems.is_empty() {
            let message = format!("no file matches `{}`", request.pattern);
            match (request.checks, wildcard) {
                (Checks::Wildcard, _) | (Checks::Match, false) => {
                    diags.push(Diagnostic::error(Code::INCLUDE, request.span, message));
                }
                (_, false) => diags.push(Diagnostic::warning(Code::INCLUDE, request.span, message)),
                (_, true) => {}
            }
        }
        // The file in which the include stands is the topmost; those it brings stand side by side.
        let above = self.stack.iter().rev().find_map(|work| match work {
            Work::File { depth, .. } => Some(*depth),
            Work::Line { .. } | Work::Loop(_) => None,
        });
        let depth = above.map_or(0, |above| above.saturating_add(1));
        for (name, text) in files.into_iter().rev() {
            self.push_at(depth, sources, diags, name, text, request.span);
        }
    }

    /// Works until a file is needed or all is done; the lines go to `tree`.
    pub fn run(&mut self, sources: &Sources, tree: &mut tree::Builder, diags: &mut Diagnostics) -> Step {
        while let Some(work) = self.stack.pop() {
            match work {
                Work::File { id, at, depth } => self.read(sources, id, at, depth, tree, diags),
                Work::Loop(mut turns) => {
                    if let Some(text) = turns.turn(&mut self.definitions) {
                        let depth = turns.depth;
                        self.expanded_bytes = self.expanded_bytes.saturating_add(text.len());
                        self.stack.push(Work::Loop(turns));
                        self.stack.push(Work::Line { text, depth });
                    }
                }
                Work::Line { text, depth } => {
                    if self.over_limit(&text, diags) {
                        // Fatal; what it made so far would only cost more time.
                        self.stack.clear();
                        tree.clear();
                        return Step::Done;
                    }
                    if let Some(request) = self.line(text, depth, sources, tree, diags) {
                        return Step::Include(request);
                    }
                }
            }
        }
        Step::Done
    }

    fn over_limit(&mut self, text: &Text, diags: &mut Diagnostics) -> bool {
        self.looked_at = self.looked_at.saturating_add(1);
        let over = self.looked_at > LIMITS.lines || self.expanded_bytes > LIMITS.expanded_bytes;
        if over {
            let message =
                format!("expansion stops here: it may make {} lines and {} bytes", LIMITS.lines, LIMITS.expanded_bytes);
            diags.push(Diagnostic::fatal(Code::EXPANSION_LIMIT, text.whole(), message));
        }
        over
    }

    /// Takes lines of a file until one needs a closer look.
    fn read(
        &mut self,
        sources: &Sources,
        id: FileId,
        mut at: usize,
        depth: usize,
        tree: &mut tree::Builder,
        diags: &mut Diagnostics,
    ) {
        let Some(source) = sources.get(id) else { return };
        let (text, after) = loop {
            let Some((line, after)) = lines::next(source, id, at, diags) else {
                self.end_collecting(); // a definition does not go on in another file
                return;
            };
            match line {
                Line::Plain(bytes, offset) if self.collecting.is_none() && is_ordinary(bytes) => {
                    tree.plain(bytes, id, offset, diags);
                    at = after;
                }
                other => break (other.into_text(id), after),
            }
        };
        self.stack.push(Work::File { id, at: after, depth });
        match &mut self.collecting {
            Some(collecting) => {
                let (line, more) = strip_continuation(&text);
                if !line.is_empty() {
                    collecting.lines.push(line);
                }
                if !more {
                    self.end_collecting();
                }
            }
            None if text.is_empty() => {}
            None => self.stack.push(Work::Line { text, depth: 0 }),
        }
    }

    fn end_collecting(&mut self) {
        if let Some(Collecting { name, lines }) = self.collecting.take() {
            self.definitions.set(name, lines);
        }
    }

    /// Looks at one line: condition, definition, loop, include, parameters, or a line for the parser.
    fn line(
        &mut self,
        text: Text,
        depth: u16,
        sources: &Sources,
        tree: &mut tree::Builder,
        diags: &mut Diagnostics,
    ) -> Option<Request> {
        let text = text.trimmed();
        let (text, named) = match condition(&text, &self.facts.config_id) {
            Condition::None => (text, false),
            Condition::Holds(rest) => (rest, true),
            Condition::Fails => return None,
        };
        if text.is_empty() {
            return None;
        }
        if named && depth >= LIMITS.expansion_depth {
            return None;
        }
        if self.define(&text, depth, diags) {
            return None;
        }
        if let Some(result) = loops::parse(&text, depth, &self.definitions, &self.facts, sources) {
            match result {
                Ok(turns) => self.stack.push(Work::Loop(turns)),
                Err(problem) => diags.push(*problem),
            }
            return None;
        }
        if let Some(request) = include(&text, sources)
            && !expand::has_reference(&text, &self.definitions)
        {
            if request.pattern.len() > PATTERN_LIMIT {
                let message = format!("an include pattern may have {PATTERN_LIMIT} bytes");
                diags.push(Diagnostic::error(Code::INCLUDE, request.span, message));
                return None;
            }
            return Some(request);
        }
        self.expand(text, depth, sources, tree, diags);
        None
    }

    /// `$NAME=VALUE`
    fn define(&mut self, text: &Text, depth: u16, diags: &mut Diagnostics) -> bool {
        let Some((name, value_at)) = expand::definition(text.bytes()) else { return false };
        let span = text.span(0..value_at);
        let value = text.part(value_at..text.len()).trimmed();
        let (value, more) = strip_continuation(&value);
        if expand::is_builtin(&name) {
            let message = "this redefines a built-in parameter".to_string();
            diags.push(Diagnostic::warning(Code::BAD_DEFINITION, span, message));
        }
        let lines = if value.is_empty() { Vec::new() } else { Vec::from([value]) };
        if more && depth == 0 {
            self.collecting = Some(Collecting { name, lines });
        } else {
            self.definitions.set(name, lines);
        }
        true
    }

    fn expand(&mut self, text: Text, depth: u16, sources: &Sources, tree: &mut tree::Builder, diags: &mut Diagnostics) {
        let expanded = expand::line(&text, &self.definitions, &mut self.facts, sources, diags);
        let Some(lines) = expanded else {
            tree.text(&text, diags);
            return;
        };
        if depth >= LIMITS.expansion_depth {
            let message = format!("parameters stand in one another more than {} deep", LIMITS.expansion_depth);
            diags.push(Diagnostic::error(Code::EXPANSION_LIMIT, text.whole(), message).help(
                "is a parameter defined by itself? A value is expanded where it is used, not where it is defined",
            ));
            return;
        }
        for line in lines.into_iter().rev() {
            self.expanded_bytes = self.expanded_bytes.saturating_add(line.len());
            if line.len() > lines::LINE_LIMIT {
                let message = format!("this line is ignored: expanded it is longer than {} bytes", lines::LINE_LIMIT);
                diags.push(Diagnostic::error(Code::LONG_LINE, text.whole(), message));
            } else {
                self.stack.push(Work::Line { text: line, depth: depth.saturating_add(1) });
            }
        }
    }
}

/// Whether the parser is to see the line as it is: no condition, loop, parameter or include.
fn is_ordinary(line: &[u8]) -> bool {
    !line.starts_with(b"@") && !line.starts_with(b"~") && !line.starts_with(b"include") && !line.contains(&b'$')
}

/// The line without a trailing `\` and the blanks before it, and whether there was one.
fn strip_continuation(text: &Text) -> (Text, bool) {
    match text.bytes().last() {
        Some(b'\\') => (text.part(0..text.len().saturating_sub(1)).trimmed(), true),
        _ => (text.clone(), false),
    }
}

enum Condition {
    None,
    Holds(Text),
    Fails,
}

/// `@ID rest` and `@^ID rest`. COMPAT: keepalived 2.4.3, keywords §1.
fn condition(text: &Text, config_id: &str) -> Condition {
    let Some(rest) = text.bytes().strip_prefix(b"@") else { return Condition::None };
    let (wanted, negated) = match rest.strip_prefix(b"^") {
        Some(id) => (id, true),
        None => (rest, false),
    };
    let length = wanted.iter().position(|b| lines::is_blank(*b)).unwrap_or(wanted.len());
    let id = wanted.get(..length).unwrap_or_default();
    if (id == config_id.as_bytes()) == negated {
        return Condition::Fails;
    }
    let start = text.len().saturating_sub(wanted.len()).saturating_add(length);
    Condition::Holds(text.part(start..text.len()).trimmed())
}

/// `include PATTERN` and its variants.
fn include(text: &Text, sources: &Sources) -> Option<Request> {
    let rest = text.bytes().strip_prefix(b"include")?;
    let length = rest.iter().position(|b| lines::is_blank(*b))?;
    let checks = match rest.get(..length)? {
        b"" => Checks::Lenient,
        b"r" => Checks::Readable,
        b"m" | b"b" => Checks::Match,
        b"w" | b"a" => Checks::Wildcard,
        _ => return None,
    };
    let pattern_at = text.len().saturating_sub(rest.len()).saturating_add(length);
    let pattern = text.part(pattern_at..text.len()).trimmed();
    let bare = pattern.bytes();
    let bare = bare.strip_prefix(b"\"").and_then(|b| b.strip_suffix(b"\"")).unwrap_or(bare);
    let span = pattern.whole();
    let from = sources.get(span.file).map(|s| s.name.clone()).unwrap_or_default();
    Some(Request { pattern: String::from_utf8_lossy(bare).into_owned(), from, span, checks })
}
