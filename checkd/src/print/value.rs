//! Values, as a file writes them and as JSON has them.

use super::Sink;
use super::json;
use super::quote;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Display, Write as _};
use core::time::Duration;
use ipc::config::script::{RunAs, Script};
use ipc::config::vrrp::Switch;

/// Stands for a secret that is not shown. Eight of these could be a password, so it is never alone: a comment in text, an object in JSON.
pub const MASK: &str = "********";

/// A value of a keyword.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// A number.
    Int(i128),
    /// Seconds, down to the microsecond.
    Seconds(Duration),
    /// Milliseconds, down to the microsecond.
    Millis(Duration),
    /// `on` or `off`.
    Switch(Switch),
    /// Text.
    Text(&'a str),
    /// What needs no quotes: an address, a word of the language.
    Shown(&'a dyn Display),
    /// A hexadecimal string.
    Hex(&'a [u8]),
    /// Bytes that are masked unless secrets are shown.
    Secret(&'a [u8]),
    /// A command, and who runs it.
    Command(&'a Script),
    /// A command whose user stands elsewhere.
    Argv(&'a [Vec<u8>]),
    /// A regular expression.
    Pattern(&'a [u8]),
}

/// A number.
pub fn int(n: impl Into<i128>) -> Value<'static> {
    Value::Int(n.into())
}

/// A decimal number of millionths of `unit`.
struct Decimal {
    whole: u128,
    millionths: u128,
}

impl Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.millionths == 0 {
            return write!(f, "{}", self.whole);
        }
        let digits = format!("{:06}", self.millionths);
        write!(f, "{}.{}", self.whole, digits.trim_end_matches('0'))
    }
}

fn decimal(micros: u128, unit: u128) -> Decimal {
    let whole = micros.checked_div(unit).unwrap_or(0);
    let rest = micros.checked_rem(unit).unwrap_or(0);
    let scale = 1_000_000_u128.checked_div(unit).unwrap_or(1);
    Decimal { whole, millionths: rest.saturating_mul(scale) }
}

fn hex(out: &mut dyn Sink, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|b| write!(out, "{b:02x}"))
}

impl Value<'_> {
    /// In a configuration file.
    pub fn text(self, out: &mut dyn Sink) -> fmt::Result {
        match self {
            Value::Int(n) => write!(out, "{n}"),
            Value::Seconds(d) => write!(out, "{}", decimal(d.as_micros(), 1_000_000)),
            Value::Millis(d) => write!(out, "{}", decimal(d.as_micros(), 1_000)),
            Value::Switch(Switch::On) => out.write_str("on"),
            Value::Switch(Switch::Off) => out.write_str("off"),
            Value::Text(text) => quote::word(out, text),
            Value::Shown(value) => write!(out, "{value}"),
            Value::Hex(bytes) => hex(out, bytes),
            Value::Secret(bytes) => quote::bytes(out, bytes),
            Value::Command(script) => {
                quote::command(out, &script.argv)?;
                let Some(run_as) = &script.run_as else { return Ok(()) };
                out.write_char(' ')?;
                quote::account(out, &run_as.user)?;
                match group_of(run_as) {
                    Some(group) => {
                        out.write_char(' ')?;
                        quote::account(out, &group)
                    }
                    None => Ok(()),
                }
            }
            Value::Argv(argv) => quote::command(out, argv),
            Value::Pattern(pattern) => quote::pattern(out, pattern),
        }
    }

    /// In JSON.
    pub fn json(self, out: &mut dyn Sink) -> fmt::Result {
        match self {
            Value::Int(_) | Value::Seconds(_) | Value::Millis(_) => self.text(out),
            Value::Switch(Switch::On) => out.write_str("true"),
            Value::Switch(Switch::Off) => out.write_str("false"),
            Value::Text(text) => json::string(out, text),
            Value::Shown(value) => {
                let mut text = String::new();
                write!(text, "{value}")?;
                json::string(out, &text)
            }
            Value::Hex(bytes) => {
                out.write_char('"')?;
                hex(out, bytes)?;
                out.write_char('"')
            }
            Value::Secret(bytes) | Value::Pattern(bytes) => json_bytes(out, bytes),
            Value::Command(script) => {
                out.write_str("{\"argv\": ")?;
                json_argv(out, &script.argv)?;
                if let Some(run_as) = &script.run_as {
                    out.write_str(", \"user\": ")?;
                    json::string(out, &run_as.user)?;
                    if let Some(group) = group_of(run_as) {
                        out.write_str(", \"group\": ")?;
                        json::string(out, &group)?;
                    }
                }
                out.write_char('}')
            }
            Value::Argv(argv) => json_argv(out, argv),
        }
    }
}

/// The group as `[:]GROUP`: with the colon the user's other groups come too.
pub(super) fn group_of(RunAs { group, others, .. }: &RunAs) -> Option<String> {
    let group = group.as_deref();
    match others {
        Switch::On => Some(format!(":{}", group.unwrap_or_default())),
        Switch::Off => group.filter(|name| !name.is_empty()).map(String::from),
    }
}

fn json_argv(out: &mut dyn Sink, argv: &[Vec<u8>]) -> fmt::Result {
    out.write_char('[')?;
    for (n, argument) in argv.iter().enumerate() {
        if n > 0 {
            out.write_str(", ")?;
        }
        json_bytes(out, argument)?;
    }
    out.write_char(']')
}

/// A string, or `{"hex": "…"}` for bytes that are not UTF-8.
fn json_bytes(out: &mut dyn Sink, bytes: &[u8]) -> fmt::Result {
    if let Ok(text) = core::str::from_utf8(bytes) {
        return json::string(out, text);
    }
    out.write_str("{\"hex\": \"")?;
    hex(out, bytes)?;
    out.write_str("\"}")
}
