//! Characters that only look like those of the language. Editors, chat programs and input methods put them in; nobody sees why the
//! configuration fails. COMPAT: keepalived 2.2.7 takes them as letters, and ends at a full-width brace.

use super::diag::{Code, Diagnostic, Diagnostics};
use super::source::{FileId, Span};
use alloc::format;
use alloc::string::String;

/// What was meant. Letters of other alphabets are not here: names may have them.
fn meant(c: char) -> Option<char> {
    Some(match c {
        // Full-width forms of ASCII punctuation and digits, U+FF01 to U+FF5E, in the order of ASCII.
        '\u{ff01}'..='\u{ff5e}' if !c.is_alphabetic() => {
            char::from_u32(u32::from(c).saturating_sub(0xff01).saturating_add(0x21))?
        }
        '\u{a0}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}' => ' ',
        '\u{201c}' | '\u{201d}' | '\u{201e}' => '"',
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        _ => return None,
    })
}

/// Reports the first one of a line that stands neither in `"…"` nor in a comment.
pub fn report(line: &[u8], file: FileId, start: u32, diags: &mut Diagnostics) {
    let (mut quoted, mut escaped, mut at) = (false, false, 0_usize);
    for chunk in line.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => quoted = !quoted,
                '#' | '!' if !quoted && !escaped => return,
                _ if quoted => {}
                _ => {
                    if let Some(meant) = meant(c) {
                        return push(c, meant, at, file, start, diags);
                    }
                }
            }
            escaped = c == '\\';
            at = at.saturating_add(c.len_utf8());
        }
        at = at.saturating_add(chunk.invalid().len());
    }
}

fn push(c: char, meant: char, at: usize, file: FileId, start: u32, diags: &mut Diagnostics) {
    let from = start.saturating_add(u32::try_from(at).unwrap_or(0));
    let span = Span { file, start: from, end: from.saturating_add(u32::try_from(c.len_utf8()).unwrap_or(1)) };
    let shown = if meant == ' ' { "a space".into() } else { format!("`{meant}`") };
    let message = format!("this character (U+{:04X}) only looks like {shown}", u32::from(c));
    let mut with = String::new();
    with.push(meant);
    diags.push(Diagnostic::error(Code::LOOKALIKE, span, message).label("it is taken as a letter").patch(span, with));
}
