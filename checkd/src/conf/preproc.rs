//! Logical lines to the lines that the parser sees: conditional lines, parameters, loops and includes.
//!
//! A stack of work: the line on top is looked at; what it expands to goes back on the stack and is looked at again, so that nothing
//! here recurses and a hostile file cannot overflow anything. Bounds: [`LIMITS`]. Each is met with a fatal problem after which
//! nothing more is read: what is to come would only cost time.
//!
//! The files to include and environment variables are asked for ([`Step`]); whoever drives the compiler hands them in.

use super::diag::{Code, Diagnostic, Diagnostics};
use super::expand::{self, Definitions, Expanded, Facts, Trouble, Use};
use super::include::{self, Checks, Request};
use super::limits::LIMITS;
use super::lines::{self, Line, Text};
use super::loops::{self, Loop};
use super::source::{FileId, Rare, Sources, Span};
use super::tree;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ipc::msg::compile::Unread;

/// What stands on the stack.
enum Work {
    /// The rest of a file, with how many includes led to it and the checks that are in force again after it.
    File { id: FileId, at: usize, depth: usize, outer: Checks },
    /// A line, with how many expansions led to it.
    Line { text: Text, depth: u16 },
    /// The lines of a parameter from this one on.
    Lines { lines: Rc<[Text]>, at: usize, depth: u16 },
    /// A loop that has turns left.
    Loop(Loop),
}

/// What the preprocessor needs next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The files that match a pattern: [`Preprocessor::included`].
    Include(Request),
    /// The value of an environment variable: [`Preprocessor::environment`].
    Environment(String),
    /// Nothing: all lines are there.
    Done,
}

/// A definition whose lines still come.
struct Collecting {
    name: Vec<u8>,
    lines: Vec<Text>,
    span: Span,
    cost: usize,
}

/// What a definition costs, in steps: it is kept.
const DEFINITION_STEPS: u32 = 4;

/// Bytes that are looked at once more for one step.
const BYTES_PER_STEP: usize = 64;

/// The preprocessor.
pub struct Preprocessor {
    stack: Vec<Work>,
    definitions: Definitions,
    facts: Facts,
    collecting: Option<Collecting>,
    /// Where lines are put together.
    scratch: Text,
    /// What `include_check` has asked for. COMPAT: keepalived.conf(5), tried with 2.2.7: what an included file says ends with it.
    force: Checks,
    steps: u32,
    includes: u32,
    expanded_bytes: usize,
    read_bytes: usize,
}

impl Preprocessor {
    /// Starts with nothing to read; `facts` are what built-in parameters stand for, `force` is what every include is held to.
    pub fn new(facts: Facts, force: Checks) -> Self {
        Preprocessor {
            stack: Vec::new(),
            definitions: Definitions::default(),
            facts,
            collecting: None,
            scratch: Text::default(),
            force,
            steps: 0,
            includes: 0,
            expanded_bytes: 0,
            read_bytes: 0,
        }
    }

    /// Takes the main file, or those that are it, one after the other.
    pub fn begin(&mut self, sources: &mut Sources, diags: &mut Diagnostics, files: Vec<(String, Vec<u8>)>) {
        self.push_all(0, sources, diags, files, Span::default());
    }

    /// Takes files that are read next, before anything that waits.
    fn push_all(
        &mut self,
        depth: usize,
        sources: &mut Sources,
        diags: &mut Diagnostics,
        files: Vec<(String, Vec<u8>)>,
        by: Span,
    ) {
        let waiting = self.stack.len();
        for (name, text) in files {
            if self.push_at(depth, sources, diags, name, text, by).is_none() {
                return self.stack.clear(); // too much, which is told
            }
        }
        // The first is to be on top.
        self.stack.get_mut(waiting..).unwrap_or_default().reverse();
    }

    fn push_at(
        &mut self,
        depth: usize,
        sources: &mut Sources,
        diags: &mut Diagnostics,
        name: String,
        text: Vec<u8>,
        by: Span,
    ) -> Option<()> {
        let bytes = self.read_bytes.saturating_add(text.len());
        let too_much = if bytes > LIMITS.file_bytes {
            let most = LIMITS.file_bytes;
            Some(format!("a configuration may have {most} bytes, with it this one has {bytes} or more"))
        } else if sources.len() >= LIMITS.files {
            Some(format!("there may be {} files", LIMITS.files))
        } else {
            (depth >= LIMITS.include_depth).then(|| {
                format!("files may include one another {} deep; does it include itself?", LIMITS.include_depth)
            })
        };
        if let Some(why) = too_much {
            diags.push(Diagnostic::fatal(Code::TOO_LARGE, by, format!("`{name}` is not read: {why}")));
            return None;
        }
        self.read_bytes = bytes;
        let id = sources.add(name, text);
        if let Some(source) = sources.get(id) {
            diags.read_allows(source, id, by);
        }
        self.stack.push(Work::File { id, at: 0, depth, outer: self.force });
        Some(())
    }

    /// Takes the answer to [`Step::Include`]: the files in the order in which they are to be read, and what failed.
    pub fn included(
        &mut self,
        sources: &mut Sources,
        diags: &mut Diagnostics,
        request: &Request,
        files: Vec<(String, Vec<u8>)>,
        problems: &[Unread],
    ) {
        for diagnostic in problems.iter().filter_map(|unread| include::problem(request, unread)) {
            diags.push(diagnostic);
        }
        // The file in which the include stands is the topmost; those it brings stand side by side.
        let above = self.stack.iter().rev().find_map(|work| match work {
            Work::File { depth, .. } => Some(*depth),
            _ => None,
        });
        let depth = above.map_or(0, |above| above.saturating_add(1));
        self.push_all(depth, sources, diags, files, request.span);
    }

    /// Takes the answer to [`Step::Environment`]: the value, nothing if there is none.
    pub fn environment(&mut self, name: String, value: Vec<u8>) {
        self.facts.environment.insert(name, value);
    }

    /// Works until something is needed or all is done; the lines go to `tree`.
    pub fn run(&mut self, sources: &Sources, tree: &mut tree::Builder, diags: &mut Diagnostics) -> Step {
        tree.beside(self.read_bytes);
        while let Some(work) = self.stack.pop() {
            let step = match work {
                Work::File { id, at, depth, outer } => {
                    self.read(sources, (id, at, depth, outer), tree, diags);
                    None
                }
                Work::Loop(mut turns) => turns.turn(&mut self.definitions).and_then(|text| {
                    let depth = turns.depth;
                    self.stack.push(Work::Loop(turns));
                    self.line(&text, depth, sources, tree, diags)
                }),
                Work::Lines { lines, at, depth } => lines.get(at).and_then(|text| {
                    let next = at.saturating_add(1);
                    if next < lines.len() {
                        self.stack.push(Work::Lines { lines: lines.clone(), at: next, depth });
                    }
                    self.line(text, depth, sources, tree, diags)
                }),
                Work::Line { text, depth } => self.line(&text, depth, sources, tree, diags),
            };
            if tree.is_full() || self.has_too_many_definitions(diags) {
                self.give_up(tree);
            }
            if let Some(step) = step {
                return step;
            }
        }
        Step::Done
    }

    /// Which definitions the references stood for.
    pub fn uses(self) -> Vec<Use> {
        self.definitions.uses()
    }

    /// After something fatal: what was made so far would only cost more time.
    fn give_up(&mut self, tree: &mut tree::Builder) {
        self.stack.clear();
        tree.clear();
    }

    fn has_too_many_definitions(&mut self, diags: &mut Diagnostics) -> bool {
        let coming = self.collecting.as_ref();
        let cost = self.definitions.cost().saturating_add(coming.map_or(0, |c| c.cost));
        let over = cost > LIMITS.definition_bytes;
        if over {
            let message = format!("definitions may take {} bytes", LIMITS.definition_bytes);
            let span = coming.map_or(Span::default(), |c| c.span);
            diags.push(Diagnostic::fatal(Code::TOO_LARGE, span, message));
            self.collecting = None;
        }
        over
    }

    /// Counts work; whether it was too much, which is reported.
    fn is_over(&mut self, steps: u32, text: &Text, diags: &mut Diagnostics) -> bool {
        self.steps = self.steps.saturating_add(steps);
        let over = self.steps > LIMITS.steps || self.expanded_bytes > LIMITS.expanded_bytes;
        if over {
            let (steps, bytes) = (LIMITS.steps, LIMITS.expanded_bytes);
            let message = format!("expansion stops here: it may take {steps} steps and make {bytes} bytes");
            diags.push(Diagnostic::fatal(Code::EXPANSION_LIMIT, text.whole(), message));
        }
        over
    }

    /// Takes lines of a file until one needs a closer look.
    fn read(
        &mut self,
        sources: &Sources,
        (id, mut at, depth, outer): (FileId, usize, usize, Checks),
        tree: &mut tree::Builder,
        diags: &mut Diagnostics,
    ) {
        let Some(source) = sources.get(id) else { return };
        let (text, after) = loop {
            let Some((line, after)) = lines::next(source, id, at, diags) else {
                self.end_collecting(); // a definition does not go on in another file
                self.force = outer;
                return;
            };
            match line {
                Line::Plain(bytes, offset) if self.collecting.is_none() && is_ordinary(bytes, source.has) => {
                    let rest = tree.plain(bytes, id, offset, diags);
                    self.heed(tree);
                    if tree.is_full() {
                        return;
                    }
                    if let Some(rest) = rest {
                        self.stack.push(Work::File { id, at: after, depth, outer });
                        let mut text = Text::default();
                        text.push_file(bytes, id, offset);
                        return self.again(&text, rest, 0);
                    }
                    at = after;
                }
                other => break (other.into_text(id), after),
            }
        };
        self.stack.push(Work::File { id, at: after, depth, outer });
        match &mut self.collecting {
            Some(collecting) => {
                let (line, more) = strip_continuation(text);
                if !line.is_empty() {
                    collecting.cost = collecting.cost.saturating_add(expand::cost_of(&line));
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
        if let Some(Collecting { name, lines, mut span, .. }) = self.collecting.take() {
            span = lines.last().map_or(span, |last| span.to(last.whole()));
            self.definitions.set(name, lines, span);
        }
    }

    /// Gives the parser a line.
    fn feed(&mut self, text: &Text, depth: u16, tree: &mut tree::Builder, diags: &mut Diagnostics) {
        let rest = tree.text(text, diags);
        self.heed(tree);
        if let Some(rest) = rest {
            self.again(text, rest, depth);
        }
    }

    /// Puts what follows a brace on the stack. It is paid for by its length: a line may have ten thousand braces.
    fn again(&mut self, text: &Text, rest: usize, depth: u16) {
        let text = text.part(rest..text.len());
        self.steps = self.steps.saturating_add(u32::try_from(text.len() / BYTES_PER_STEP).unwrap_or(u32::MAX));
        self.stack.push(Work::Line { text, depth });
    }

    /// Statements that count at once. COMPAT: keepalived acts on each as soon as it is read.
    fn heed(&mut self, tree: &mut tree::Builder) {
        let Some(statement) = tree.directive() else { return };
        match statement.keyword() {
            "random_seed" => {
                if let Some(seed) = statement.word(1).and_then(|w| w.text().parse::<u32>().ok()) {
                    self.facts.random = u64::from(seed);
                }
            }
            "include_check" => self.force = include::check(statement, self.force),
            _ => {}
        }
    }

    /// Looks at one line: condition, definition, loop, include, parameters, or a line for the parser.
    fn line(
        &mut self,
        text: &Text,
        depth: u16,
        sources: &Sources,
        tree: &mut tree::Builder,
        diags: &mut Diagnostics,
    ) -> Option<Step> {
        if self.is_over(1, text, diags) {
            self.give_up(tree);
            return None;
        }
        if text.is_padded() {
            return self.line(&text.trimmed(), depth, sources, tree, diags);
        }
        let rest;
        let text = match condition(text, &self.facts.config_id) {
            Condition::None => text,
            Condition::Fails => return None,
            Condition::Holds(part) => {
                rest = part;
                &rest
            }
        };
        if text.is_empty() || self.define(text, depth, diags) {
            return None;
        }
        if is_ordinary(text.bytes(), Rare::ANY) {
            self.feed(text, depth, tree, diags);
            return None;
        }
        match loops::parse(text, depth, &mut self.definitions, &mut self.facts, sources) {
            Some(Ok(turns)) => self.stack.push(Work::Loop(turns)),
            Some(Err(Trouble::Problem(problem))) => diags.push(*problem),
            Some(Err(Trouble::Needs(name))) => return Some(self.ask(name, text, depth)),
            None => match include::directive(text, self.force, sources) {
                Some(request) if !expand::has_reference(text, &self.definitions) => {
                    return self.include(request, tree, diags);
                }
                _ => return self.expand(text, depth, sources, tree, diags),
            },
        }
        None
    }

    /// Looks at the line again when the value is there.
    fn ask(&mut self, name: String, text: &Text, depth: u16) -> Step {
        self.stack.push(Work::Line { text: text.clone(), depth });
        Step::Environment(name)
    }

    fn include(&mut self, request: Request, tree: &mut tree::Builder, diags: &mut Diagnostics) -> Option<Step> {
        self.includes = self.includes.saturating_add(1);
        if self.includes > LIMITS.includes {
            let message = format!("a configuration may have {} includes", LIMITS.includes);
            diags.push(Diagnostic::fatal(Code::TOO_LARGE, request.span, message));
            self.give_up(tree);
            return None;
        }
        if request.pattern.len() > LIMITS.pattern_bytes {
            let message = format!("an include pattern may have {} bytes", LIMITS.pattern_bytes);
            diags.push(Diagnostic::fatal(Code::INCLUDE, request.span, message));
            return None;
        }
        Some(Step::Include(request))
    }

    /// `$NAME=VALUE`
    fn define(&mut self, text: &Text, depth: u16, diags: &mut Diagnostics) -> bool {
        let Some((name, value_at)) = expand::definition(text.bytes()) else { return false };
        self.steps = self.steps.saturating_add(DEFINITION_STEPS);
        let span = text.whole();
        let (value, more) = strip_continuation(text.part(value_at..text.len()).trimmed());
        if expand::is_builtin(&name) {
            let message = "this redefines a built-in parameter".to_string();
            diags.push(Diagnostic::warning(Code::BAD_DEFINITION, span, message));
        }
        let lines = if value.is_empty() { Vec::new() } else { Vec::from([value]) };
        if more && depth == 0 {
            self.collecting = Some(Collecting { name, lines, span, cost: 0 });
        } else {
            self.definitions.set(name, lines, span);
        }
        true
    }

    fn expand(
        &mut self,
        text: &Text,
        depth: u16,
        sources: &Sources,
        tree: &mut tree::Builder,
        diags: &mut Diagnostics,
    ) -> Option<Step> {
        let mut out = core::mem::take(&mut self.scratch);
        let expanded = expand::line(text, &mut self.definitions, &mut self.facts, sources, diags, &mut out);
        let (count, rest) = match expanded {
            Expanded::Needs(name) => return Some(self.ask(name, text, depth)),
            Expanded::Same => {
                self.feed(text, depth, tree, diags);
                self.scratch = out;
                return None;
            }
            Expanded::One(count) => (count, None),
            Expanded::Many(lines) => (1, Some(lines)),
        };
        if depth >= LIMITS.expansion_depth {
            let message = format!("parameters stand in one another more than {} deep", LIMITS.expansion_depth);
            diags.push(Diagnostic::error(Code::EXPANSION_LIMIT, text.whole(), message).help(
                "is a parameter defined by itself? A value is expanded where it is used, not where it is defined",
            ));
            return None;
        }
        self.expanded_bytes = self.expanded_bytes.saturating_add(out.len());
        self.steps = self.steps.saturating_add(count);
        let depth = depth.saturating_add(1);
        if let Some(lines) = rest {
            self.stack.push(Work::Lines { lines, at: 1, depth });
        }
        if out.len() > lines::LINE_LIMIT {
            let message = format!("this line is ignored: expanded it is longer than {} bytes", lines::LINE_LIMIT);
            diags.push(Diagnostic::error(Code::LONG_LINE, text.whole(), message));
        } else if !out.is_padded() && is_ordinary(out.bytes(), Rare::ANY) {
            self.feed(&out, depth, tree, diags);
        } else {
            self.stack.push(Work::Line { text: out, depth });
            return None;
        }
        self.scratch = out;
        None
    }
}

/// Whether the parser is to see the line as it is: no condition, loop, parameter or include. `has`: of what it is a part of.
fn is_ordinary(line: &[u8], has: Rare) -> bool {
    !line.starts_with(b"@")
        && !line.starts_with(b"~")
        && !line.starts_with(b"include")
        && (!has.dollar || lines::memchr(b'$', line).is_none())
}

/// The line without a trailing `\` and the blanks before it, and whether there was one.
fn strip_continuation(text: Text) -> (Text, bool) {
    match text.bytes().last() {
        Some(b'\\') => (text.part(0..text.len().saturating_sub(1)).trimmed(), true),
        _ => (text, false),
    }
}

enum Condition {
    None,
    Holds(Text),
    Fails,
}

/// `@ID rest` and `@^ID rest`. COMPAT: keepalived 2.4.3.
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
