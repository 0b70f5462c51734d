//! JSON (RFC 8259), written as it comes.

use super::Sink;
use core::fmt::{self, Write as _};

/// A string (§7).
pub fn string(out: &mut dyn Sink, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            c if u32::from(c) < 0x20 => write!(out, "\\u{:04x}", u32::from(c))?,
            c => out.write_char(c)?,
        }
    }
    out.write_char('"')
}
