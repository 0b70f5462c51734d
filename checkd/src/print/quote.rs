//! Words, commands and patterns as a configuration file writes them, so that what is read back is the same bytes.
//!
//! Inside `"…"` neither comments nor braces nor blanks count, and no word can hold a `"`. A `$` counts there too, so a
//! built-in parameter in a command is written with an escape; other parameters are not defined in what is printed, and stay.

use super::Sink;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

/// Bytes that stand for themselves wherever they are.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/._-+:,=%*@".contains(&byte)
}

/// Whether a word needs no quotes, also as the first one of a line.
fn stands_alone(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|b| is_plain(*b)) && !word.starts_with(b"@") && !word.starts_with(b"include")
}

/// A word of text.
pub fn word(out: &mut dyn Sink, text: &str) -> fmt::Result {
    bytes(out, text.as_bytes())
}

/// A word of any bytes.
pub fn bytes(out: &mut dyn Sink, bytes: &[u8]) -> fmt::Result {
    let quotes: &[u8] = if stands_alone(bytes) { b"" } else { b"\"" };
    out.put(quotes)?;
    out.put(bytes)?;
    out.put(quotes)
}

/// How often the reader takes escapes away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Once,
    Twice,
}

/// Whether a built-in parameter begins here: `$_…` or `${_…`.
fn is_parameter(rest: &[u8]) -> bool {
    rest.starts_with(b"$_") || rest.starts_with(b"${_")
}

/// Bytes with escapes, for a place inside `"…"`. Octal ones, because the length of `\x…` differs among keepalived's releases.
fn escaped(out: &mut dyn Sink, mut bytes: &[u8], times: Times) -> fmt::Result {
    let backslash = if times == Times::Twice { "\\\\" } else { "\\" };
    let text = core::str::from_utf8(bytes).is_ok();
    while let Some((byte, rest)) = bytes.split_first() {
        match *byte {
            b'\\' => write!(out, "{backslash}{backslash}")?,
            // Once through "…", as '"', and there is a pair of quotation marks for it to stand in.
            b'\'' if times == Times::Twice => out.write_str("'\"'\"'\"'\"'\"'\"'")?,
            b'$' if is_parameter(bytes) => write!(out, "{backslash}044")?,
            b'"' | 0..0x20 | 0x7f => write!(out, "{backslash}{byte:03o}")?,
            0x80.. if !text => write!(out, "{backslash}{byte:03o}")?,
            plain => out.put(&[plain])?,
        }
        bytes = rest;
    }
    Ok(())
}

/// A command with its arguments. It is read twice: the line into command and user, then the command into its arguments.
pub fn command(out: &mut dyn Sink, argv: &[Vec<u8>]) -> fmt::Result {
    out.write_char('"')?;
    for (n, argument) in argv.iter().enumerate() {
        if n > 0 {
            out.write_char(' ')?;
        }
        if !argument.is_empty() && argument.iter().all(|b| is_plain(*b)) {
            escaped(out, argument, Times::Twice)?;
        } else {
            out.write_char('\'')?;
            escaped(out, argument, Times::Twice)?;
            out.write_char('\'')?;
        }
    }
    out.write_char('"')
}

/// A user or a group after a command, where escapes count once.
pub fn account(out: &mut dyn Sink, name: &str) -> fmt::Result {
    if stands_alone(name.as_bytes()) {
        return out.write_str(name);
    }
    pattern(out, name.as_bytes())
}

/// A regular expression.
pub fn pattern(out: &mut dyn Sink, pattern: &[u8]) -> fmt::Result {
    out.write_char('"')?;
    escaped(out, pattern, Times::Once)?;
    out.write_char('"')
}
