//! `!` and `#` start a comment wherever they stand outside `"…"`: also within a password.

use crate::conf::diag::{Code, Diagnostic};
use crate::conf::keyword::Reader;
use crate::conf::source::{Sources, Span};
use crate::conf::tree::{Statement, Tree};
use alloc::format;
use alloc::string::String;

/// Looks at every statement that ends where a comment begins, without a blank between them.
pub fn look(r: &mut Reader<'_>, tree: &Tree) {
    if !r.sources.have_signs() {
        return;
    }
    for statement in tree.all() {
        if let Some((last, sign)) = cut(r.sources, statement) {
            report(r, statement, last, sign);
        }
    }
}

/// The last word of a statement, and the comment sign that follows it at once.
fn cut<'t>(sources: &Sources, s: Statement<'t>) -> Option<(Span, char)> {
    let whole = s.whole();
    let source = sources.get(whole.file).filter(|source| source.has_signs())?;
    let end = whole.end;
    let sign = source.text.get(end as usize).copied().filter(|b| matches!(b, b'#' | b'!'))?;
    let last = s.word(s.len().saturating_sub(1))?;
    // A word in quotes ends with its quotes.
    (s.len() > 1 && !last.quoted && last.span.end == end).then(|| (last.span, char::from(sign)))
}

/// What may hold any character. A number, a name or an address with a comment at its end is what it looks like.
fn is_text(keyword: &str) -> Kind {
    match keyword {
        "auth_pass" | "password" | "key" => Kind::Secret,
        "script" | "misc_path" | "quorum_up" | "quorum_down" | "path" | "regex" => Kind::Text,
        notify if notify.starts_with("notify_") || notify == "notify" => Kind::Text,
        _ => Kind::Other,
    }
}

enum Kind {
    Secret,
    Text,
    Other,
}

fn report(r: &mut Reader<'_>, s: Statement<'_>, last: Span, sign: char) {
    let secret = match is_text(s.keyword()) {
        Kind::Other => return,
        Kind::Text => false,
        Kind::Secret => true,
    };
    let rest = rest(r.sources, last);
    // `#` and a blank, or nothing at all: that is how comments look, except behind a password.
    if !secret && rest.get(1..).is_none_or(|after| after.is_empty() || after.starts_with([' ', '\t', '#', '!'])) {
        return;
    }
    let message = format!("`{sign}` starts a comment: `{}` ends before it", s.keyword());
    let mut warning = Diagnostic::warning(Code::CUT_SHORT, last, message).label("all that is left of it");
    if secret {
        // What was cut off is a part of the secret.
        r.diags.hide(Span {
            start: last.end,
            end: last.end.saturating_add(u32::try_from(rest.len()).unwrap_or(0)),
            ..last
        });
        warning = warning
            .help(format!("write it in quotes: {} \"…{sign}…\"; a comment needs a blank before it", s.keyword()));
    } else {
        let whole = Span { end: last.end.saturating_add(u32::try_from(rest.len()).unwrap_or(0)), ..last };
        warning = warning.help(format!("in quotes `{sign}` stands for itself"));
        if let Some(text) = super::script::quotable(r, whole) {
            warning = warning.patch(whole, format!("\"{text}\""));
        }
    }
    r.diags.push(warning);
}

/// What follows a place up to the next blank, or the end of the line when there is none.
fn rest(sources: &Sources, after: Span) -> String {
    let text = sources.get(after.file).and_then(|s| s.text.get(after.end as usize..)).unwrap_or_default();
    let length = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    String::from_utf8_lossy(text.get(..length).unwrap_or_default()).into_owned()
}
