//! Parameters: `$NAME=VALUE`, `$NAME`, `${NAME}` and the built-in ones.
//!
//! COMPAT: keepalived 2.4.3: a value is expanded where it is used; an undefined name stays as it is written; the bare
//! form must be followed by a blank, `,`, `)` or the end of the line.

use super::diag::{Code, Diagnostic, Diagnostics};
use super::keyword::shown;
use super::limits::LIMITS;
use super::lines::{self, Text};
use super::source::{Sources, Span};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

/// Longest name of an environment variable that is asked for.
pub const VARIABLE_BYTES: usize = 255;

/// What built-in parameters stand for.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `-i`, else the host name up to the first dot: `${_INSTANCE}` and `@ID`.
    pub config_id: String,
    /// Where relative file names start, for `${_PWD}`.
    pub cwd: String,
    /// Where `${_RANDOM}` goes on from. Not for anything that must be unpredictable.
    pub random: u64,
    /// The environment variables that were asked for, and their values.
    pub environment: BTreeMap<String, Vec<u8>>,
}

/// What a parameter stands for.
#[derive(Clone, Debug)]
enum Value {
    /// No line or one for an ordinary parameter, more for a multi-line one.
    Lines(Rc<[Text]>),
    /// The value of a loop's variable in this turn.
    Turn(Vec<u8>),
}

#[derive(Clone, Debug)]
struct Definition {
    value: Value,
    /// Where it was defined.
    span: Span,
}

/// The parameters defined so far.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    map: BTreeMap<Vec<u8>, Definition>,
    used: Vec<Use>,
    cost: usize,
}

/// Bytes that a line of a definition takes in memory besides its own, and a definition besides its lines.
const LINE_COST: usize = 128;
const DEFINITION_COST: usize = 192;

/// Bytes that a line takes in memory.
pub fn cost_of(line: &Text) -> usize {
    line.len().saturating_add(LINE_COST)
}

/// A reference that was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// The reference.
    pub reference: Span,
    /// The definition that it stood for.
    pub definition: Span,
}

/// Places that are remembered by their hash; more are forgotten. They only make messages better.
const USES: usize = 8192;

impl Definitions {
    /// Defines or redefines.
    pub fn set(&mut self, name: Vec<u8>, lines: Vec<Text>, span: Span) {
        let cost = |lines: &[Text]| lines.iter().map(cost_of).fold(DEFINITION_COST, usize::saturating_add);
        self.cost = self.cost.saturating_add(cost(&lines)).saturating_add(name.len());
        let name_bytes = name.len();
        let before = self.map.insert(name, Definition { value: Value::Lines(lines.into()), span });
        if let Some(Definition { value: Value::Lines(lines), .. }) = before {
            self.cost = self.cost.saturating_sub(cost(&lines)).saturating_sub(name_bytes);
        }
    }

    /// Bytes that the definitions take in memory.
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// Gives a loop's variable its value.
    pub fn set_turn(&mut self, name: &[u8], value: &[u8], span: Span) {
        match self.map.get_mut(name) {
            Some(Definition { value: Value::Turn(bytes), span: at }) => {
                bytes.clear();
                bytes.extend_from_slice(value);
                *at = span;
            }
            Some(other) => *other = Definition { value: Value::Turn(value.to_vec()), span },
            None => {
                self.map.insert(name.to_vec(), Definition { value: Value::Turn(value.to_vec()), span });
            }
        }
    }

    /// Remembers which definition a reference stood for.
    fn note(&mut self, reference: Span, definition: Span) {
        let one = Use { reference, definition };
        let hash = reference.start.wrapping_mul(0x9e37_79b1) ^ definition.start.wrapping_mul(0x85eb_ca6b);
        let slot = (hash ^ hash >> 15) as usize % USES;
        if self.used.is_empty() {
            let nothing = Use { reference: Span::default(), definition: Span::default() };
            self.used.resize(USES, nothing);
        }
        if let Some(place) = self.used.get_mut(slot)
            && place.reference == Span::default()
        {
            *place = one;
        }
    }

    /// Which definitions the references stood for, as far as it is remembered.
    pub fn uses(self) -> Vec<Use> {
        let mut used = self.used;
        used.retain(|u| u.reference != Span::default());
        used
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

/// Most bytes of the words of a built-in parameter.
const WORDS_BYTES: usize = 512;

/// The first reference at or after `from`.
fn find(line: &[u8], from: usize) -> Option<Reference<'_>> {
    let mut at = from;
    loop {
        let dollar = lines::memchr(b'$', line.get(at..)?)?.saturating_add(at);
        let after = dollar.saturating_add(1);
        let rest = line.get(after..)?;
        if !rest.first().is_some_and(|b| *b == b'{' || is_name_byte(*b)) {
            at = after;
            continue;
        }
        if let Some(inner) = rest.strip_prefix(b"{") {
            let length = inner.iter().position(|b| !is_name_byte(*b)).unwrap_or(inner.len());
            let (name, rest) = inner.split_at_checked(length).unwrap_or_default();
            let close = match rest.first() {
                Some(b'}') => Some(0),
                // Only built-in parameters take words, and not many.
                Some(b) if lines::is_blank(*b) => rest.iter().take(WORDS_BYTES).position(|b| *b == b'}'),
                _ => None,
            };
            if let (Some(close), false) = (close, name.is_empty()) {
                let end = after.saturating_add(length).saturating_add(close).saturating_add(2);
                return Some(Reference { range: dollar..end, name, args: rest.get(..close).unwrap_or_default() });
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

/// What became of a line.
#[derive(Clone, Debug)]
pub enum Expanded {
    /// It holds no reference.
    Same,
    /// The line that was put together, and how many references were replaced.
    One(u32),
    /// A parameter of several lines: the first one continues the line that was put together, the others follow.
    Many(Rc<[Text]>),
    /// The value of this environment variable is needed first.
    Needs(String),
}

/// Replaces every reference of the line once, into `out`.
pub fn line(
    text: &Text,
    definitions: &mut Definitions,
    facts: &mut Facts,
    sources: &Sources,
    diags: &mut Diagnostics,
    out: &mut Text,
) -> Expanded {
    out.clear();
    let (mut copied, mut at, mut count) = (0, 0, 0_u32);
    while let Some(reference) = find(text.bytes(), at) {
        let range = reference.range.clone();
        at = range.end;
        let defined = definitions.map.get(reference.name);
        if defined.is_none() && !is_builtin(reference.name) {
            continue;
        }
        out.push_part(text, copied..range.start);
        copied = range.end;
        count = count.saturating_add(1);
        let span = text.span(range);
        let Some(Definition { value, span: place }) = defined else {
            match builtin(&reference, facts, sources, span, diags) {
                Ok(value) => out.push_expansion(&value, span),
                Err(Trouble::Needs(name)) => return Expanded::Needs(name),
                Err(Trouble::Problem(problem)) => diags.push(*problem),
            }
            continue;
        };
        let mut many = None;
        match value {
            Value::Turn(bytes) => out.push_expansion(bytes, span),
            Value::Lines(lines) => match &**lines {
                [] => {}
                [only] => out.push_expansion(only.bytes(), span),
                [first, ..] => {
                    out.push_part(first, 0..first.len());
                    many = Some(lines.clone());
                }
            },
        }
        let place = *place;
        definitions.note(span, place);
        if let Some(lines) = many {
            left_over(text, at, span, diags);
            return Expanded::Many(lines);
        }
        if out.len() > lines::LINE_LIMIT {
            break; // reported by the caller
        }
    }
    if count == 0 {
        return Expanded::Same;
    }
    out.push_part(text, copied..text.len());
    Expanded::One(count)
}

/// Reports what follows a parameter of several lines.
fn left_over(text: &Text, at: usize, span: Span, diags: &mut Diagnostics) {
    let rest = text.part(at..text.len()).trimmed();
    if !rest.is_empty() {
        let message = "nothing may follow a parameter of several lines; this is ignored".to_string();
        diags.push(Diagnostic::error(Code::BAD_DEFINITION, rest.whole(), message).also(span, "this has several lines"));
    }
}

/// What keeps a parameter from being replaced.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// The value of this environment variable is needed first.
    Needs(String),
    /// It cannot be.
    Problem(Box<Diagnostic>),
}

impl From<Diagnostic> for Trouble {
    fn from(diagnostic: Diagnostic) -> Self {
        Trouble::Problem(Box::new(diagnostic))
    }
}

fn builtin(
    reference: &Reference<'_>,
    facts: &mut Facts,
    sources: &Sources,
    span: Span,
    diags: &mut Diagnostics,
) -> Result<Vec<u8>, Trouble> {
    match reference.name {
        b"_HASH" => Ok(b"#".to_vec()),
        b"_BANG" => Ok(b"!".to_vec()),
        b"_INSTANCE" => Ok(facts.config_id.clone().into_bytes()),
        b"_PWD" => {
            let name = sources.get(span.file).map_or("", |s| &s.name);
            Ok(directory(name, &facts.cwd).into_bytes())
        }
        b"_RANDOM" => random(reference.args, facts, span, diags),
        _ => environment(reference.args, facts, span),
    }
}

/// `${_ENV NAME}`. COMPAT: keepalived 2.4.0: a variable that is not set is empty.
fn environment(args: &[u8], facts: &Facts, span: Span) -> Result<Vec<u8>, Trouble> {
    let name = args.trim_ascii();
    let text = core::str::from_utf8(name).unwrap_or_default();
    if text.is_empty() || !name.iter().all(|b| is_name_byte(*b)) || text.len() > VARIABLE_BYTES {
        let message = "`${_ENV NAME}` takes the name of one environment variable";
        return Err(Diagnostic::error(Code::BAD_BUILTIN, span, message).help("letters, digits and `_`").into());
    }
    match facts.environment.get(text) {
        Some(value) => Ok(value.clone()),
        None if facts.environment.len() < LIMITS.variables => Err(Trouble::Needs(text.to_string())),
        None => {
            let message = format!("`{text}` is not looked up: {} environment variables were", LIMITS.variables);
            Err(Diagnostic::error(Code::BAD_BUILTIN, span, message).into())
        }
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
fn random(args: &[u8], facts: &mut Facts, span: Span, diags: &mut Diagnostics) -> Result<Vec<u8>, Trouble> {
    let bad = |why: String| Err(Diagnostic::error(Code::BAD_BUILTIN, span, why).into());
    let mut numbers = Vec::new();
    for word in args.split(|b| lines::is_blank(*b)).filter(|w| !w.is_empty()) {
        match core::str::from_utf8(word).ok().and_then(|w| w.parse::<u32>().ok()) {
            Some(n) => numbers.push(n),
            None => {
                return bad(format!(
                    "`{}` is not a number from 0 to 4294967295",
                    shown(&String::from_utf8_lossy(word))
                ));
            }
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
