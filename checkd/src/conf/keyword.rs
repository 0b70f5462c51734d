//! Keyword tables and the one loop that reads a block by them.
//!
//! Each kind of block has a table: name, arguments, whether a block follows, a line of help, and the function that reads it into the
//! block's draft. A word that is not in the table is reported with the nearest one and skipped with its block.

use super::diag::{Code, Diagnostic, Diagnostics};
use super::names::Names;
use super::rule::Unordered;
use super::source::{Sources, Span};
use super::tree::Statement;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What every reader function works with.
pub struct Reader<'a> {
    /// Where problems go.
    pub diags: &'a mut Diagnostics,
    /// The files.
    pub sources: &'a Sources,
    /// Names of the machine.
    pub names: &'a Names,
    /// How the keyword that is being read is written, for messages about its words.
    pub usage: Option<(&'static str, &'static str)>,
    /// Rules that nobody gave a preference.
    pub unordered: Unordered,
}

/// A value with the words that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its words.
    pub span: Span,
}

impl<T> At<T> {
    /// A value at a place.
    pub fn new(value: T, span: Span) -> Self {
        At { value, span }
    }
}

/// How many words a keyword takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Args {
    /// None. COMPAT: keepalived ignores words after a flag; here they are a warning.
    Flag,
    /// `on|true|yes|off|false|no`, or nothing for true.
    Switch,
    /// From the first number to the second.
    Count(u8, u8),
    /// At least this many.
    Some(u8),
    /// A command, and who runs it.
    Script,
    /// A command alone.
    Command,
}

/// Whether a block follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It must not.
    None,
    /// It must.
    Block,
}

/// What a keyword does in this release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What it says.
    Full,
    /// It is read; what it asks for comes with later work.
    Later,
    /// It is an old name of this one.
    OldNameOf(&'static str),
}

type Read<T> = for<'a, 'b, 'c> fn(&'a mut Reader<'b>, Statement<'c>, &'a mut T);

/// One keyword of a block.
pub struct Keyword<T> {
    /// As it is written.
    pub name: &'static str,
    /// Its arguments.
    pub args: Args,
    /// Its arguments in words, for messages: `INT 1..255`.
    pub usage: &'static str,
    /// Its block.
    pub body: Body,
    /// What it does in this release.
    pub effect: Effect,
    /// What counts without it, as it would be written; empty for nothing.
    pub default: &'static str,
    /// One line of help: a clause without a capital or a full stop.
    pub help: &'static str,
    /// The release of keepalived that has it first; empty for 2.2.7 and before.
    pub since: &'static str,
    /// Reads it.
    pub read: Read<T>,
}

impl<T> Keyword<T> {
    /// A keyword with arguments and without a block.
    pub const fn new(name: &'static str, args: Args, usage: &'static str, help: &'static str, read: Read<T>) -> Self {
        Keyword { name, args, usage, body: Body::None, effect: Effect::Full, default: "", help, since: "", read }
    }

    /// A keyword that stands alone.
    pub const fn flag(name: &'static str, help: &'static str, read: Read<T>) -> Self {
        Self::new(name, Args::Flag, "", help, read)
    }

    /// A keyword that is read and warned about.
    pub const fn later(name: &'static str, args: Args, usage: &'static str, help: &'static str) -> Self {
        Keyword { effect: Effect::Later, ..Self::new(name, args, usage, help, |_, _, _| {}) }
    }

    /// `[on|off]`, nothing for on.
    pub const fn switch(name: &'static str, help: &'static str, read: Read<T>) -> Self {
        Self::new(name, Args::Switch, "[on|off]", help, read)
    }

    /// What counts without it.
    pub const fn or(self, default: &'static str) -> Self {
        Keyword { default, ..self }
    }

    /// The release of keepalived that has it first.
    pub const fn since(self, since: &'static str) -> Self {
        Keyword { since, ..self }
    }

    /// It is read, checked and warned about: what it asks for comes with later work.
    pub const fn not_yet(self) -> Self {
        Keyword { effect: Effect::Later, ..self }
    }

    /// With a block.
    pub const fn block(self) -> Self {
        Keyword { body: Body::Block, ..self }
    }

    /// An old name.
    pub const fn old_name_of(self, new: &'static str) -> Self {
        Keyword { effect: Effect::OldNameOf(new), ..self }
    }
}

/// Tables that belong together: what works, and what is only read yet.
pub type Tables<'a, T> = &'a [&'a [Keyword<T>]];

/// Reads the statements of a block by its tables. `owner` is the block's keyword, or `the file`.
pub fn read<'t, T>(
    r: &mut Reader<'_>,
    tables: Tables<'_, T>,
    owner: &str,
    statements: impl Iterator<Item = Statement<'t>>,
    draft: &mut T,
) {
    let mut before: Option<&Keyword<T>> = None;
    for statement in statements {
        let name = statement.name();
        // Blocks of one kind stand one after the other.
        let again = before.filter(|k| k.name.as_bytes() == name);
        let first = || tables.iter().find_map(|table| table.iter().find(|k| k.name.as_bytes() == name));
        before = again.or_else(first);
        match before {
            Some(keyword) => one(r, keyword, tables, statement, draft),
            None => unknown(r, tables, owner, statement),
        }
    }
}

fn one<T>(r: &mut Reader<'_>, keyword: &Keyword<T>, tables: Tables<'_, T>, s: Statement<'_>, draft: &mut T) {
    let (min, max) = match keyword.args {
        Args::Flag => (0, Some(0)),
        Args::Switch => (0, Some(1)),
        Args::Count(min, max) => (usize::from(min), Some(usize::from(max))),
        Args::Some(min) => (usize::from(min), None),
        Args::Script | Args::Command => (1, None), // the rest is split by its own rules
    };
    let given = s.len().saturating_sub(1);
    if given < min {
        let message = format!("`{}` needs an argument", keyword.name);
        let help = match comment_after(r.sources, s.whole()) {
            Some(sign) => format!("`{sign}` starts a comment; a value that begins with it is written in quotes"),
            None => format!("{} {}: {}", keyword.name, keyword.usage, keyword.help),
        };
        r.diags.push(Diagnostic::error(Code::MISSING_ARGUMENT, s.whole(), message).label("ignored").help(help));
        return;
    }
    if let Some(extra) = max.and_then(|max| s.word(max.saturating_add(1))) {
        extra_words(r, keyword, tables, s, extra.span.to(s.whole()));
    }
    match keyword.body {
        Body::None if s.has_block() => {
            let message = format!("`{}` takes no block; the block is skipped", keyword.name);
            r.diags.push(Diagnostic::error(Code::UNEXPECTED_BLOCK, s.open().unwrap_or(s.span()), message));
        }
        Body::Block if !s.has_block() => {
            let message = format!("`{}` needs a block", keyword.name);
            let help = format!("{} {{ … }}: {}", keyword.name, keyword.help);
            r.diags.push(Diagnostic::error(Code::MISSING_BLOCK, s.span(), message).label("ignored").help(help));
            return;
        }
        _ => {}
    }
    match keyword.effect {
        Effect::Full => {}
        Effect::Later => no_effect(r, s),
        Effect::OldNameOf(new) => {
            let message = format!("`{}` is an old name of `{new}` and works as that", keyword.name);
            r.diags.push(Diagnostic::warning(Code::DEPRECATED, s.span(), message).patch(s.span(), new));
            if tables.iter().copied().flatten().any(|k| k.name == new && k.effect == Effect::Later) {
                no_effect(r, s);
            }
        }
    }
    r.usage = Some((keyword.name, keyword.usage)).filter(|_| keyword.body == Body::None && !keyword.usage.is_empty());
    (keyword.read)(r, s, draft);
    r.usage = None;
}

/// The sign of a comment that follows on the line and does not look like one, such as `!secret`.
fn comment_after(sources: &Sources, after: Span) -> Option<char> {
    let rest = sources.get(after.file)?.text.get(after.end as usize..)?;
    let blank = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let sign = rest.get(blank).filter(|b| matches!(b, b'#' | b'!'))?;
    let glued = rest.get(blank.saturating_add(1)).is_some_and(|b| b.is_ascii_alphanumeric());
    glued.then(|| char::from(*sign))
}

/// Fills a slot if there is a value: the last statement counts.
pub fn set<V>(slot: &mut Option<At<V>>, value: Option<V>, s: Statement<'_>) {
    if let Some(value) = value {
        *slot = Some(At::new(value, s.whole()));
    }
}

/// Reports a block after a line of a list.
pub fn no_block(r: &mut Reader<'_>, s: Statement<'_>) {
    if let Some(open) = s.open() {
        let message = "no block belongs here; it is skipped";
        r.diags.push(Diagnostic::error(Code::UNEXPECTED_BLOCK, open, message));
    }
}

/// Says that a keyword does nothing in this release.
pub fn no_effect(r: &mut Reader<'_>, s: Statement<'_>) {
    let message = format!("`{}` is read but has no effect yet", s.keyword());
    r.diags.push(Diagnostic::warning(Code::NO_EFFECT, s.span(), message));
}

/// COMPAT: keepalived ignores them silently, also when they were meant as the next statement (`interval 2 weight 2`).
fn extra_words<T>(r: &mut Reader<'_>, keyword: &Keyword<T>, tables: Tables<'_, T>, s: Statement<'_>, extra: Span) {
    let first = s.words(1).find(|w| w.span.overlaps(extra)).map_or("", |w| w.text());
    let message = match keyword.args {
        Args::Flag => format!("`{}` takes no argument; this is ignored", keyword.name),
        _ => format!("`{}` takes no more arguments; this is ignored", keyword.name),
    };
    let mut diagnostic = Diagnostic::warning(Code::EXTRA_WORDS, extra, message);
    if tables.iter().copied().flatten().any(|k| k.name == first) {
        diagnostic = diagnostic.help(format!("put `{first}` on a line of its own"));
    }
    r.diags.push(diagnostic);
}

fn unknown<T>(r: &mut Reader<'_>, tables: Tables<'_, T>, owner: &str, s: Statement<'_>) {
    let word = s.keyword();
    if r.diags.is_known(Code::UNKNOWN_KEYWORD, s.span()) {
        return; // the next turn of a loop
    }
    if r.diags.is_full() {
        // A file of nothing but rubbish must not cost a search for each word of it.
        r.diags.push(Diagnostic::error(Code::UNKNOWN_KEYWORD, s.span(), "unknown keyword"));
        return;
    }
    let skipped = if s.has_block() { "skipped, with its block" } else { "skipped" };
    let message = if r.diags.is_hidden(s.span()) {
        format!("unknown keyword in {owner}")
    } else {
        format!("unknown keyword `{}` in {owner}", shown(word))
    };
    let mut diagnostic = Diagnostic::error(Code::UNKNOWN_KEYWORD, s.span(), message).label(skipped);
    if let Some(home) = super::walk::home_of(word) {
        diagnostic = diagnostic.help(if home == "the file" {
            format!("`{word}` stands outside all blocks; is a `}}` missing before this line?")
        } else {
            format!("`{word}` belongs in `{home}`")
        });
    } else if let Some(near) = nearest(word, tables.iter().copied().flatten().map(|k| k.name)) {
        diagnostic = diagnostic.help(format!("did you mean `{near}`?")).patch(s.span(), near);
    }
    r.diags.push(diagnostic);
}

/// A word for a message: bounded, without control characters.
pub fn shown(word: &str) -> String {
    let mut text: String = word.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if word.chars().nth(60).is_some() {
        text.push('…');
    }
    text
}

/// Names that are looked at for the nearest one.
const NAMES_LIMIT: usize = 1024;

impl Reader<'_> {
    /// [`nearest`], unless there are so many problems that nobody would see it: then a search for each would only cost time.
    pub fn nearest<'n>(&self, word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        if self.diags.is_full() { None } else { nearest(word, names) }
    }
}

/// The name nearest to a word, if one is near: at most a third of the letters differ.
pub fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let length = word.chars().count();
    if !(2..=64).contains(&length) {
        return None;
    }
    let most = length.div_ceil(3).min(3);
    names
        .take(NAMES_LIMIT)
        .filter(|name| name.len().abs_diff(length) <= most)
        .map(|name| (distance(word, name), name))
        .filter(|(d, _)| *d <= most)
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one to the other (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last_a = None;
    for (row, ca) in a.chars().enumerate() {
        let mut current = Vec::from([row.saturating_add(1)]);
        for (column, cb) in b.iter().enumerate() {
            let get = |v: &[usize], n: usize| v.get(n).copied().unwrap_or(usize::MAX / 2);
            let replace = get(&above, column).saturating_add(usize::from(ca != *cb));
            let delete = get(&above, column.saturating_add(1)).saturating_add(1);
            let insert = get(&current, column).saturating_add(1);
            let mut best = replace.min(delete).min(insert);
            if let (Some(one_back), Some(last)) = (column.checked_sub(1), last_a)
                && b.get(one_back) == Some(&ca)
                && last == *cb
            {
                best = best.min(get(&before, one_back).saturating_add(1));
            }
            current.push(best);
        }
        before = core::mem::replace(&mut above, current);
        last_a = Some(ca);
    }
    above.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let names = ["virtual_router_id", "interface", "priority", "state"];
        assert_eq!(nearest("virtual_ruoter_id", names.into_iter()), Some("virtual_router_id"));
        assert_eq!(nearest("interfaces", names.into_iter()), Some("interface"));
        assert_eq!(nearest("stat", names.into_iter()), Some("state"));
        assert_eq!(nearest("garp", names.into_iter()), None);
    }

    #[test]
    fn a_swap_is_one_step() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
