//! `~SEQ(var, [start, [step,]] end) text`, `~SEQx(…)` and `~LST(var, v1, v2, …) text`: the rest of the line once for each value.
//!
//! The variable is a parameter that is defined anew at each turn (COMPAT: it stays defined afterwards), so the text may use a
//! multi-line parameter that refers to it. Turns are made one at a time: a loop of a million turns needs no memory.

use super::diag::{Code, Diagnostic};
use super::expand::{self, Definitions, Expanded, Facts, Trouble};
use super::keyword::shown;
use super::limits::LIMITS;
use super::lines::{self, Text};
use super::source::{Sources, Span};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

/// A loop with the turns that are left.
#[derive(Clone, Debug)]
pub struct Loop {
    /// Expansions that led to it.
    pub depth: u16,
    names: Vec<Vec<u8>>,
    values: Values,
    rest: Rc<Text>,
    span: Span,
}

#[derive(Clone, Debug)]
enum Values {
    Numbers { next: Option<i64>, step: i64, end: i64, hex: bool },
    List(alloc::vec::IntoIter<Vec<Vec<u8>>>),
}

impl Loop {
    /// Defines the variables for the next turn and gives its line; `None` when there is none.
    pub fn turn(&mut self, definitions: &mut Definitions) -> Option<Rc<Text>> {
        match &mut self.values {
            Values::List(list) => {
                let mut values = list.next()?.into_iter();
                for name in &self.names {
                    definitions.set_turn(name, &values.next().unwrap_or_default(), self.span);
                }
            }
            Values::Numbers { next, step, end, hex } => {
                let n = (*next)?;
                if (*step > 0 && n > *end) || (*step < 0 && n < *end) {
                    return None;
                }
                *next = n.checked_add(*step);
                let text = if *hex { format!("{n:x}") } else { format!("{n}") };
                for name in &self.names {
                    definitions.set_turn(name, text.as_bytes(), self.span);
                }
            }
        }
        Some(self.rest.clone())
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Sequence { hex: bool },
    List,
}

/// The loop that the line starts with, if it starts with one.
pub fn parse(
    text: &Text,
    depth: u16,
    definitions: &mut Definitions,
    facts: &mut Facts,
    sources: &Sources,
) -> Option<Result<Loop, Trouble>> {
    let line = text.bytes();
    let (kind, open) =
        [(Kind::Sequence { hex: false }, "~SEQ("), (Kind::Sequence { hex: true }, "~SEQx("), (Kind::List, "~LST(")]
            .into_iter()
            .find_map(|(kind, head)| line.starts_with(head.as_bytes()).then_some((kind, head.len())))?;
    let bad = |span: Span, why: &str| {
        let usage = match kind {
            Kind::Sequence { .. } => "~SEQ(VAR, [START, [STEP,]] END) TEXT",
            Kind::List => "~LST(VAR, VALUE, …) TEXT or ~LST({VAR, …}, {VALUE, …}, …) TEXT",
        };
        Some(Err(Diagnostic::error(Code::BAD_LOOP, span, why).help(usage).into()))
    };
    let Some(close) = line.iter().position(|b| *b == b')').filter(|n| *n >= open) else {
        return bad(text.whole(), "this loop has no `)`");
    };
    let span = text.span(0..close.saturating_add(1));
    let inside = match parameters(text.part(open..close), definitions, facts, sources) {
        Ok(inside) => inside,
        Err(trouble) => return Some(Err(trouble)),
    };
    let args = split(&inside);
    let rest = text.part(close.saturating_add(1)..text.len()).trimmed();
    if rest.is_empty() {
        return bad(span, "this loop repeats nothing");
    }
    let (names, values) = match match kind {
        Kind::Sequence { hex } => sequence(&args, hex),
        Kind::List => list(&args),
    } {
        Ok(both) => both,
        Err(why) => return bad(span, &why),
    };
    for name in &names {
        let good = name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
            && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
        if !good {
            return bad(span, &format!("`{}` is not a parameter name", shown(&String::from_utf8_lossy(name))));
        }
    }
    Some(Ok(Loop { depth, names, values, rest: Rc::new(rest), span }))
}

/// Expands parameters inside the parentheses, a bounded number of times.
fn parameters(
    mut text: Text,
    definitions: &mut Definitions,
    facts: &mut Facts,
    sources: &Sources,
) -> Result<Vec<u8>, Trouble> {
    let mut unheard = super::diag::Diagnostics::default();
    let mut next = Text::default();
    for _ in 0..LIMITS.expansion_depth {
        match expand::line(&text, definitions, facts, sources, &mut unheard, &mut next) {
            Expanded::Needs(name) => return Err(Trouble::Needs(name)),
            Expanded::One(_) | Expanded::Many(_) if next.len() <= lines::LINE_LIMIT => {
                core::mem::swap(&mut text, &mut next);
            }
            _ => break,
        }
    }
    Ok(text.bytes().to_vec())
}

/// At the commas outside braces, each without outer blanks.
fn split(inside: &[u8]) -> Vec<Vec<u8>> {
    let mut args = Vec::from([Vec::new()]);
    let mut depth = 0_u32;
    for byte in inside {
        match byte {
            b'{' => depth = depth.saturating_add(1),
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                args.push(Vec::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = args.last_mut() {
            last.push(*byte);
        }
    }
    args.iter().map(|a| a.trim_ascii().to_vec()).collect()
}

type Parsed = (Vec<Vec<u8>>, Values);

fn sequence(args: &[Vec<u8>], hex: bool) -> Result<Parsed, String> {
    let numbers = args.get(1..).unwrap_or_default().iter().map(|a| number(a)).collect::<Result<Vec<i64>, String>>()?;
    let (start, step, end) = match numbers.as_slice() {
        [end] => (None, None, *end),
        [start, end] => (Some(*start), None, *end),
        [start, step, end] => (Some(*start), Some(*step), *end),
        _ => return Err("a sequence has one to three numbers".into()),
    };
    let start = start.unwrap_or(if end < 0 { -1 } else { 1 });
    let step = step.unwrap_or(if end < start { -1 } else { 1 });
    if step == 0 || (step > 0) != (end >= start) && end != start {
        return Err(format!("from {start} a step of {step} never reaches {end}"));
    }
    let turns = end.abs_diff(start).checked_div(step.unsigned_abs()).unwrap_or(0);
    if turns >= u64::from(LIMITS.steps) {
        let most = LIMITS.steps;
        return Err(format!("this sequence has {} turns; expansion may make {most} lines", turns.saturating_add(1)));
    }
    if hex && (start < 0 || end < 0) {
        return Err("a hexadecimal sequence has no negative numbers".into());
    }
    let name = args.first().cloned().unwrap_or_default();
    Ok((Vec::from([name]), Values::Numbers { next: Some(start), step, end, hex }))
}

/// Decimal, `0x` or octal.
fn number(word: &[u8]) -> Result<i64, String> {
    let text = core::str::from_utf8(word).unwrap_or("\u{fffd}");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let parsed = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => i64::from_str_radix(digits, 8),
        None => digits.parse(),
    };
    match parsed {
        Ok(n) if digits.starts_with(|c: char| c.is_ascii_digit()) => Ok(i64::saturating_mul(n, sign)),
        _ => Err(format!("`{}` is not a number", shown(text))),
    }
}

fn list(args: &[Vec<u8>]) -> Result<Parsed, String> {
    let tuple = |arg: &[u8]| -> Vec<Vec<u8>> {
        match arg.strip_prefix(b"{").and_then(|a| a.strip_suffix(b"}")) {
            Some(inside) => inside.split(|b| *b == b',').map(|v| v.trim_ascii().to_vec()).collect(),
            None => Vec::from([arg.to_vec()]),
        }
    };
    let (first, values) = args.split_first().ok_or("a list needs a variable")?;
    let names = tuple(first);
    if values.is_empty() {
        return Err("a list needs a value".into());
    }
    let values: Vec<_> = values.iter().map(|v| tuple(v)).collect();
    if let Some(long) = values.iter().find(|v| v.len() > names.len()) {
        return Err(format!("{} values for {} variables", long.len(), names.len()));
    }
    Ok((names, Values::List(values.into_iter())))
}
