//! Parameters: `$NAME=VALUE`, `$NAME`, `${NAME}` and the built-in ones.
//!
//! COMPAT: keepalived 2.4.3, keywords §1: a value is expanded where it is used; an undefined name stays as it is written; the bare
//! form must be followed by a blank, `,`, `)` or the end of the line.

use super::diag::{Code, Diagnostic, Diagnostics};
use super::lines::{self, Text};
use super::source::{Sources, Span};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

/// What built-in parameters stand for.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `-i`, else the host name up to the first dot: `${_INSTANCE}` and `@ID`.
    pub config_id: String,
    /// Where relative file names start, for `${_PWD}`.
    pub cwd: String,
    /// Where `${_RANDOM}` goes on from. Not for anything that must be unpredictable.
    pub random: u64,
}

/// The parameters defined so far.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    /// No line or one for an ordinary parameter, more for a multi-line one.
    map: BTreeMap<Vec<u8>, Rc<[Text]>>,
}

impl Definitions {
    /// Defines or redefines.
    pub fn set(&mut self, name: Vec<u8>, lines: Vec<Text>) {
        self.map.insert(name, lines.into());
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The name of `$NAME=…` and where the value starts.
pub fn definition(line: &[u8]) -> Option<(Vec<u8>, usize)> {
    let rest = line.strip_prefix(b"$")?;
    let length = rest.iter().position(|b| !is_name_byte(*b))?;
    let name = rest.get(..length).filter(|name| name.first().is_some_and(|b| !b.is_ascii_digit()))?;
    (rest.get(length) == Some(&b'=')).then(|| (name.to_vec(), length.saturating_add(2)))
}

/// Names that Holdfast defines.
pub fn is_builtin(name: &[u8]) -> bool {
    matches!(name, b"_PWD" | b"_INSTANCE" | b"_RANDOM" | b"_ENV" | b"_HASH" | b"_BANG")
}

/// A reference in a line: its whole range, name and arguments (`${_RANDOM 1 5}`).
struct Reference<'a> {
    range: Range<usize>,
    name: &'a [u8],
    args: &'a [u8],
}

/// The first reference at or after `from`.
fn find(line: &[u8], from: usize) -> Option<Reference<'_>> {
    let mut at = from;
    loop {
        let dollar = line.get(at..)?.iter().position(|b| *b == b'$')?.saturating_add(at);
        let after = dollar.saturating_add(1);
        let rest = line.get(after..)?;
        if let Some(inner) = rest.strip_prefix(b"{") {
            let close = inner.iter().position(|b| *b == b'}');
            let inside = close.and_then(|n| inner.get(..n)).unwrap_or_default();
            let length = inside.iter().position(|b| !is_name_byte(*b)).unwrap_or(inside.len());
            let (name, args) = inside.split_at_checked(length).unwrap_or_default();
            let blank = args.first().is_none_or(|b| lines::is_blank(*b));
            if let (Some(close), false, true) = (close, name.is_empty(), blank) {
                return Some(Reference { range: dollar..after.saturating_add(close).saturating_add(2), name, args });
            }
        } else {
            let length = rest.iter().position(|b| !is_name_byte(*b)).unwrap_or(rest.len());
            let end = rest.get(length);
            if length > 0 && end.is_none_or(|b| lines::is_blank(*b) || matches!(b, b',' | b')')) {
                let name = rest.get(..length).unwrap_or_default();
                return Some(Reference { range: dollar..after.saturating_add(length), name, args: &[] });
            }
        }
        at = after;
    }
}

/// Whether the line holds anything that [`line`] would replace.
pub fn has_reference(text: &Text, definitions: &Definitions) -> bool {
    let mut at = 0;
    while let Some(reference) = find(text.bytes(), at) {
        if is_builtin(reference.name) || definitions.map.contains_key(reference.name) {
            return true;
        }
        at = reference.range.end;
    }
    false
}

/// Replaces every reference of the line once; `None` when there is none. More than one line comes of a multi-line parameter.
pub fn line(
    text: &Text,
    definitions: &Definitions,
    facts: &mut Facts,
    sources: &Sources,
    diags: &mut Diagnostics,
) -> Option<Vec<Text>> {
    if !has_reference(text, definitions) {
        return None;
    }
    let mut current = Text::default();
    let mut at = 0;
    while let Some(reference) = find(text.bytes(), at) {
        let range = reference.range.clone();
        current.push_part(text, at..range.start);
        at = range.end;
        let span = text.span(range.clone());
        if let Some(lines) = definitions.map.get(reference.name) {
            match &**lines {
                [] => {}
                [only] => current.push_expansion(only.bytes(), span),
                [first, rest @ ..] => {
                    return Some(multi_line(current, first, rest, text, at, span, diags));
                }
            }
        } else if is_builtin(reference.name) {
            match builtin(&reference, facts, sources, span, diags) {
                Ok(value) => current.push_expansion(&value, span),
                Err(problem) => diags.push(*problem),
            }
        } else {
            current.push_part(text, range);
        }
        if current.len() > lines::LINE_LIMIT {
            break; // reported by the caller
        }
    }
    current.push_part(text, at..text.len());
    Some(Vec::from([current]))
}

/// A multi-line parameter: its first line continues what stands before the reference, the others keep their own places.
fn multi_line(
    mut before: Text,
    first: &Text,
    rest: &[Text],
    text: &Text,
    after: usize,
    span: Span,
    diags: &mut Diagnostics,
) -> Vec<Text> {
    let left_over = text.part(after..text.len()).trimmed();
    if !left_over.is_empty() {
        let message = "nothing may follow a parameter of several lines; this is ignored".to_string();
        diags.push(
            Diagnostic::error(Code::BAD_DEFINITION, left_over.whole(), message).also(span, "this has several lines"),
        );
    }
    before.push_part(first, 0..first.len());
    core::iter::once(before).chain(rest.iter().cloned()).collect()
}

fn builtin(
    reference: &Reference<'_>,
    facts: &mut Facts,
    sources: &Sources,
    span: Span,
    diags: &mut Diagnostics,
) -> Result<Vec<u8>, alloc::boxed::Box<Diagnostic>> {
    match reference.name {
        b"_HASH" => Ok(b"#".to_vec()),
        b"_BANG" => Ok(b"!".to_vec()),
        b"_INSTANCE" => Ok(facts.config_id.clone().into_bytes()),
        b"_PWD" => {
            let name = sources.get(span.file).map(|s| s.name.as_str()).unwrap_or_default();
            Ok(directory(name, &facts.cwd).into_bytes())
        }
        b"_RANDOM" => random(reference.args, facts, span, diags),
        _ => Err(Diagnostic::error(
            Code::BAD_BUILTIN,
            span,
            "`${_ENV …}` is empty: the process that reads the configuration has no environment",
        )
        .help("define the value in the file, or in one that it includes")
        .into()),
    }
}

/// The directory of a file, absolute if `cwd` is.
fn directory(name: &str, cwd: &str) -> String {
    match name.rfind('/') {
        Some(0) => "/".to_string(),
        Some(n) if name.starts_with('/') => name.get(..n).unwrap_or_default().to_string(),
        Some(n) => format!("{}/{}", cwd.trim_end_matches('/'), name.get(..n).unwrap_or_default()),
        None => cwd.to_string(),
    }
}

/// `${_RANDOM [MIN [MAX]]}`; COMPAT: 0..=32767 by default, MIN is taken when MIN > MAX.
fn random(
    args: &[u8],
    facts: &mut Facts,
    span: Span,
    diags: &mut Diagnostics,
) -> Result<Vec<u8>, alloc::boxed::Box<Diagnostic>> {
    let bad = |why: String| Err(Diagnostic::error(Code::BAD_BUILTIN, span, why).into());
    let mut numbers = Vec::new();
    for word in args.split(|b| lines::is_blank(*b)).filter(|w| !w.is_empty()) {
        match core::str::from_utf8(word).ok().and_then(|w| w.parse::<u32>().ok()) {
            Some(n) => numbers.push(n),
            None => return bad(format!("`{}` is not a number from 0 to 4294967295", String::from_utf8_lossy(word))),
        }
    }
    let (min, max) = match numbers.as_slice() {
        [] => (0, 32767),
        [min] => (*min, 32767.max(*min)),
        [min, max] => (*min, *max),
        _ => return bad("`${_RANDOM}` takes at most two numbers".to_string()),
    };
    if min > max {
        let message = format!("the range {min} to {max} is empty; {min} is taken");
        diags.push(Diagnostic::warning(Code::BAD_BUILTIN, span, message));
        return Ok(min.to_string().into_bytes());
    }
    // xorshift64*: short, and good enough for spreading start times.
    let mut x = facts.random | 1;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    facts.random = x;
    let drawn = x.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16;
    let width = u64::from(max).saturating_sub(u64::from(min)).saturating_add(1);
    let value = u64::from(min).saturating_add(drawn.checked_rem(width).unwrap_or(0));
    Ok(value.to_string().into_bytes())
}
