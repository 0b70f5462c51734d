//! Commands and who runs them.
//!
//! The rest of the line is split twice by shell-like quoting: first into command, user and group, then the command into its
//! arguments. `'` and `"` both quote, adjacent pieces join.
//!
//! COMPAT: keepalived 2.2.7 interprets escapes both times (tried: `"S \"a b\" c"` runs S with `a b` and `c`), 2.4.3 only the second
//! time. Whatever has one meaning under both has it here; where they differ 2.2.7's is taken, with a warning that says so.

use super::diag::{Code, Diagnostic};
use super::keyword::{At, Reader};
use super::source::Span;
use super::tree::Statement;
use crate::lint;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;
use ipc::config::Origin;
use ipc::config::script::RunAs;
use ipc::config::vrrp::Switch;

/// A command as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments; never empty.
    pub argv: Vec<Vec<u8>>,
    /// User on the same line.
    pub run_as: Option<RunAs>,
    /// The statement.
    pub span: Span,
}

/// Most arguments of one command.
const ARGUMENTS_LIMIT: usize = 1024;

impl Reader<'_> {
    /// `CMD [USER [[:]GROUP]]`
    pub fn command(&mut self, s: Statement<'_>) -> Option<Command> {
        let (argv, rest) = self.argv(s)?;
        if let (Some((user, first)), Some((_, last))) = (rest.first(), rest.last()) {
            let raw = s.raw(1);
            let user = String::from_utf8_lossy(user).into_owned();
            lint::script::unquoted(self, s, &user, raw.span(first.clone()), raw.span(0..last.end));
        }
        let mut words = rest.iter().map(|(bytes, _)| String::from_utf8_lossy(bytes).into_owned());
        let origin = self.sources.origin(s.whole());
        let run_as = words.next().map(|user| RunAs { user, origin, ..group(words.next()) });
        if let Some((_, range)) = rest.get(2) {
            let span = s.raw(1).span(range.clone());
            self.diags.push(Diagnostic::warning(Code::EXTRA_WORDS, span, "this is ignored").help(QUOTE_HELP));
        }
        Some(Command { argv, run_as, span: s.whole() })
    }

    /// `CMD` alone; more words are ignored with a warning.
    pub fn command_only(&mut self, s: Statement<'_>) -> Option<Command> {
        let (argv, rest) = self.argv(s)?;
        if let (Some((_, first)), Some((_, last))) = (rest.first(), rest.last()) {
            let span = s.raw(1).span(first.start..last.end);
            let message = "only the first word is the command; this is ignored";
            let mut ignored = Diagnostic::warning(Code::EXTRA_WORDS, span, message).help(QUOTE_HELP);
            let whole = s.raw(1).span(0..last.end);
            if let Some(text) = lint::script::quotable(self, whole) {
                ignored = ignored.patch(whole, alloc::format!("\"{text}\""));
            }
            self.diags.push(ignored);
        }
        Some(Command { argv, run_as: None, span: s.whole() })
    }

    /// A regular expression: one piece of text with a script's quotes and escapes; other words are ignored with a warning.
    /// COMPAT: keepalived 2.2.7 (tried): escapes are interpreted once, so that `\\.` is written for a literal dot.
    pub fn pattern(&mut self, s: Statement<'_>) -> Option<Vec<u8>> {
        let raw = s.raw(1);
        let pieces = match split(raw.bytes(), Escapes::Any) {
            Ok(pieces) => pieces,
            Err(problem) => return self.broken(problem, s),
        };
        if split(raw.bytes(), Escapes::Short).as_ref() != Ok(&pieces) {
            self.ambiguous(s, pieces.first().map_or(&[], |(bytes, _)| bytes.as_slice()));
        }
        if let (Some((_, first)), Some((_, last))) = (pieces.get(1), pieces.last()) {
            let span = s.raw(1).span(first.start..last.end);
            let help = "a pattern with blanks is written in quotes";
            self.diags.push(Diagnostic::warning(Code::EXTRA_WORDS, span, "this is ignored").help(help));
        }
        let (pattern, _) = pieces.into_iter().next()?;
        if pattern.is_empty() || pattern.contains(&0) {
            let message = "this is no regular expression";
            self.diags.push(Diagnostic::error(Code::BAD_VALUE, s.whole(), message).label("ignored"));
            return None;
        }
        Some(pattern)
    }

    /// The arguments of the first word, and the words after it.
    fn argv(&mut self, s: Statement<'_>) -> Option<(Vec<Vec<u8>>, Vec<Piece>)> {
        let raw = s.raw(1);
        let (argv, rest) = match twice(raw.bytes(), Escapes::Any, Escapes::Any) {
            Ok(one) if !raw.bytes().contains(&b'\\') => one,
            Ok(one) => {
                if twice(raw.bytes(), Escapes::Keep, Escapes::Short).is_ok_and(|(argv, _)| argv != one.0) {
                    self.ambiguous(s, &shown_argv(&one.0));
                }
                one
            }
            // What only the other understands has one meaning.
            Err(problem) => match twice(raw.bytes(), Escapes::Keep, Escapes::Short) {
                Ok(one) => one,
                Err(_) => return self.broken(problem, s),
            },
        };
        let why = if argv.first().is_none_or(Vec::is_empty) {
            "this names no command"
        } else if argv.len() > ARGUMENTS_LIMIT {
            "this command has more than 1024 arguments"
        } else if argv.iter().any(|a| a.contains(&0)) {
            "a NUL byte cannot be part of a command"
        } else {
            return Some((argv, rest));
        };
        self.diags.push(Diagnostic::error(Code::BAD_VALUE, s.whole(), why).label("ignored"));
        None
    }

    /// Says that keepalived's releases read the backslashes of a statement in different ways.
    fn ambiguous(&mut self, s: Statement<'_>, taken: &[u8]) {
        let taken = String::from_utf8_lossy(taken).escape_debug().to_string();
        let message = "keepalived 2.2.7 and 2.4.3 read these backslashes in different ways";
        let taken = format!("read as 2.2.7 does: {}", super::keyword::shown(&taken));
        self.diags.push(
            Diagnostic::warning(Code::ESCAPES, s.whole(), message)
                .label(taken)
                .help("put an argument with blanks in '…', or put the command in a script of its own"),
        );
    }

    fn broken<T>(&mut self, problem: &'static str, s: Statement<'_>) -> Option<T> {
        self.diags.push(Diagnostic::error(Code::UNBALANCED_QUOTE, s.whole(), problem).label("ignored"));
        None
    }

    /// `USER [[:]GROUP]` as the arguments of a statement.
    pub fn run_as(&mut self, s: Statement<'_>) -> Option<At<RunAs>> {
        self.run_as_from(s, 1)
    }

    /// The same from word `n` on.
    pub fn run_as_from(&mut self, s: Statement<'_>, n: usize) -> Option<At<RunAs>> {
        let user = self.text(s.word(n)?)?.value;
        let written = match s.word(n.saturating_add(1)) {
            Some(word) => Some(self.text(word)?.value),
            None => None,
        };
        let origin = self.sources.origin(s.whole());
        Some(At::new(RunAs { user, origin, ..group(written) }, s.whole()))
    }
}

const QUOTE_HELP: &str = "a command with arguments is written in quotes: \"/path/to/script argument\"";

/// `[:]GROUP`, `:`: everything but the user and where it stands.
fn group(text: Option<String>) -> RunAs {
    let text = text.unwrap_or_default();
    let (name, others) = match text.strip_prefix(':') {
        Some(name) => (name, Switch::On),
        None => (text.as_str(), Switch::Off),
    };
    let group = (!name.is_empty()).then(|| name.to_string());
    RunAs { user: String::new(), group, others, origin: Origin::default() }
}

/// What becomes of a backslash.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// It stays, with the byte after it, which it keeps from ending a quotation.
    Keep,
    /// It is interpreted; `\x` takes one or two digits (2.4.3).
    Short,
    /// It is interpreted; `\x` takes all digits that follow, of whose value the lowest byte counts (2.2.7).
    Any,
}

type Piece = (Vec<u8>, Range<usize>);

/// The arguments of the first word, and the words after it.
fn twice(bytes: &[u8], outer: Escapes, inner: Escapes) -> Result<(Vec<Vec<u8>>, Vec<Piece>), &'static str> {
    let mut words = split(bytes, outer)?.into_iter();
    let command = words.next().map(|(bytes, _)| bytes).unwrap_or_default();
    let argv = split(&command, inner)?.into_iter().map(|(bytes, _)| bytes).collect();
    Ok((argv, words.collect()))
}

/// Arguments for people.
fn shown_argv(argv: &[Vec<u8>]) -> Vec<u8> {
    argv.iter().flat_map(|a| [b"[".as_slice(), a, b"]"].concat()).collect()
}

/// Splits at blanks outside quotes.
fn split(bytes: &[u8], escapes: Escapes) -> Result<Vec<Piece>, &'static str> {
    let mut pieces = Vec::new();
    let mut current: Option<Piece> = None;
    let mut quote = None;
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        let next = at.saturating_add(1);
        let open = current.is_some() || quote.is_some();
        match (byte, quote) {
            (b'\\', _) => {
                let (out, end) = escape(bytes, next, escapes)?;
                grow(&mut current, &out, at, end);
                at = end;
                continue;
            }
            (b, Some(q)) if b == q => quote = None,
            (b'"' | b'\'', None) => {
                grow(&mut current, &[], at, next);
                quote = Some(byte);
            }
            (b, None) if super::lines::is_blank(b) => {
                if open {
                    pieces.extend(current.take());
                }
                at = next;
                continue;
            }
            (b, _) => grow(&mut current, &[b], at, next),
        }
        if let Some((_, range)) = &mut current {
            range.end = next;
        }
        at = next;
    }
    if quote.is_some() {
        return Err("a quotation mark in this command has no partner");
    }
    pieces.extend(current);
    Ok(pieces)
}

fn grow(current: &mut Option<Piece>, bytes: &[u8], start: usize, end: usize) {
    let (text, range) = current.get_or_insert_with(|| (Vec::new(), start..end));
    text.extend_from_slice(bytes);
    range.end = end;
}

/// What stands for the escape whose letter is at `at`, and where it ends.
fn escape(bytes: &[u8], at: usize, escapes: Escapes) -> Result<(Vec<u8>, usize), &'static str> {
    let Some(letter) = bytes.get(at).copied() else { return Err("this command ends in a backslash") };
    let end = at.saturating_add(1);
    if escapes == Escapes::Keep {
        return Ok((Vec::from([b'\\', letter]), end));
    }
    let digits = |from: usize, most: usize, radix: u32| {
        let tail = bytes.get(from..).unwrap_or_default();
        let count = tail.iter().take(most).take_while(|b| char::from(**b).is_digit(radix)).count();
        let value = tail
            .iter()
            .take(count)
            .fold(0_u32, |v, b| v.wrapping_mul(radix).wrapping_add(char::from(*b).to_digit(radix).unwrap_or(0)));
        (u8::try_from(value & 0xff).unwrap_or(0), count)
    };
    let byte = match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'E' => 0x1b,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'0'..=b'7' => {
            let (value, count) = digits(at, 3, 8);
            return Ok((Vec::from([value]), at.saturating_add(count)));
        }
        b'x' => {
            let (value, count) = digits(end, if escapes == Escapes::Short { 2 } else { bytes.len() }, 16);
            if count > 0 {
                return Ok((Vec::from([value]), end.saturating_add(count)));
            }
            b'x'
        }
        b'c' => match bytes.get(end) {
            Some(control) => return Ok((Vec::from([control & 0x1f]), end.saturating_add(1))),
            None => b'c',
        },
        other => other,
    };
    Ok((Vec::from([byte]), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, escapes: Escapes) -> Vec<String> {
        let pieces = split(text.as_bytes(), escapes).unwrap();
        pieces.into_iter().map(|(b, _)| String::from_utf8(b).unwrap()).collect()
    }

    #[test]
    fn quotes_join_and_escapes_count() {
        assert_eq!(words(r#"a "b c"'d e' f"#, Escapes::Any), ["a", "b cd e", "f"]);
        assert_eq!(words(r#"\x41\102\"q \'s ''"#, Escapes::Any), ["AB\"q", "'s", ""]);
        assert_eq!(words(r#""a \" b" c"#, Escapes::Keep), [r#"a \" b"#, "c"]);
        assert!(split(b"'a", Escapes::Keep).is_err());
        assert!(split(b"a\\", Escapes::Any).is_err());
    }

    fn argv(text: &str) -> Vec<String> {
        let (argv, _) = twice(text.as_bytes(), Escapes::Any, Escapes::Any).unwrap();
        argv.into_iter().map(|a| String::from_utf8(a).unwrap()).collect()
    }

    /// Each was run by keepalived 2.2.7.
    #[test]
    fn commands_are_split_as_keepalived_does() {
        for (text, expected) in [
            (r#""S \"a b\" c""#, &["S", "a b", "c"][..]),
            (r#""S \\x y""#, &["S", "x", "y"]),
            (r#""S \\x41 z""#, &["S", "A", "z"]),
            (r#""S \x41 z""#, &["S", "A", "z"]),
            (r#""S \\\"a b\\\" c""#, &["S", "\"a", "b\"", "c"]),
            (r#""S '\"a' c""#, &["S", "\"a", "c"]),
            (r#"'S "a b" c'"#, &["S", "a b", "c"]),
            (r#"S" a b""#, &["S", "a", "b"]),
            (r#""S "'a b'"#, &["S", "a", "b"]),
            (r#"S\ a b"#, &["S", "a"]),
            (r#""S \a\b\E\f\n\r\t\v|""#, &["S", "\x07\x08\x1b", "|"]),
            (r#""S \\a\\b\\E\\f\\n\\r\\t\\v|""#, &["S", "\x07\x08\x1b\x0c\n\r\t\x0b|"]),
            (r#""S x\101y \1012 \0507""#, &["S", "xAy", "A2", "(7"]),
            (r#""S \cAx \cax \c?""#, &["S", "\x01x", "\x01x", "\x1f"]),
            (r#""S \x4142 \x4g \xg""#, &["S", "B", "\x04g", "xg"]),
            (r#""S \q\. a\ b""#, &["S", "q.", "a", "b"]),
            (r#""S \\q\\. a\\ b""#, &["S", "q.", "a b"]),
            (r#""S \\\\""#, &["S", "\\"]),
            (r#""S \\'a b\\' c""#, &["S", "'a", "b'", "c"]),
            (r#""S \'a b\' c""#, &["S", "a b", "c"]),
            (r#""S '' \"\" x""#, &["S", "", "", "x"]),
            (r#""S '\x41'""#, &["S", "A"]),
        ] {
            assert_eq!(argv(text), expected, "{text}");
        }
    }
}
