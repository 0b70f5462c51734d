//! What a keyword or the code of a diagnostic means, from the tables that the compiler itself works with.

use super::diag::Code;
use super::keyword::{Body, Effect, nearest, shown};
use super::walk::{self, Entry};
use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

/// The explanation, or that there is none; both end in a line end.
pub fn explain(word: &str) -> Result<String, String> {
    if let Some((code, text)) = Code::DOCS.iter().find(|(code, _)| code.0.eq_ignore_ascii_case(word)) {
        return Ok(format!("{code}\n{}", wrapped(text)));
    }
    let all = walk::all();
    let mut text = String::new();
    for entry in all.iter().filter(|entry| entry.name == word) {
        keyword(&mut text, entry);
    }
    if !text.is_empty() {
        return Ok(text);
    }
    let mut unknown = format!("`{}` is neither a keyword nor the code of a diagnostic", shown(word));
    if let Some(near) = nearest(word, all.iter().map(|entry| entry.name)) {
        let _ = write!(unknown, "; did you mean `{near}`?"); // a String takes everything
    }
    unknown.push('\n');
    Err(unknown)
}

/// Width of an explanation, with its indent.
const COLUMNS: usize = 80;

/// As lines of a few words, indented.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut column = COLUMNS;
    for word in text.split_whitespace() {
        let length = word.chars().count().saturating_add(1);
        if column.saturating_add(length) > COLUMNS {
            out.push_str(if out.is_empty() { "   " } else { "\n   " });
            column = 3;
        }
        out.push(' ');
        out.push_str(word);
        column = column.saturating_add(length);
    }
    out.push('\n');
    out
}

fn keyword(text: &mut String, entry: &Entry) {
    let usage = if entry.usage.is_empty() { String::new() } else { format!(" {}", entry.usage) };
    let block = if entry.body == Body::Block { " { … }" } else { "" };
    let _ = writeln!(text, "{}{usage}{block}", entry.name);
    let _ = writeln!(text, "    in {}: {}", entry.block, entry.help);
    if !entry.default.is_empty() {
        let _ = writeln!(text, "    default: {}", entry.default);
    }
    if !entry.since.is_empty() {
        let _ = writeln!(text, "    since keepalived {}", entry.since);
    }
    match entry.effect {
        Effect::Full => {}
        Effect::Later => text.push_str("    It is read and checked; what it asks for is not done yet.\n"),
        Effect::OldNameOf(new) => {
            let _ = writeln!(text, "    An old name of `{new}`.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_and_every_code_is_explained() {
        for entry in walk::all() {
            assert!(explain(entry.name).unwrap().contains(entry.help), "{}", entry.name);
        }
        for code in Code::ALL {
            assert!(explain(code.0).unwrap().len() > 10, "{code}");
        }
        assert_eq!(
            explain("virtual_ruoter_id").unwrap_err(),
            "`virtual_ruoter_id` is neither a keyword nor the code of a diagnostic; did you mean `virtual_router_id`?\n"
        );
    }
}
