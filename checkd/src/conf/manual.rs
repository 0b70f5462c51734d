//! The parts of holdfast.conf(5) that are made from tables: keywords, diagnostics and differences from keepalived.
//!
//! The page is kept in packaging/man. Where it says `.\" keywords BLOCK`, `.\" keywords BLOCK without OTHER`, `.\" diagnostics` or
//! `.\" differences`, what follows up to `.\" end` is replaced; the rest is written by hand.

use super::diag::Code;
use super::differences::DIFFERENCES;
use super::keyword::{Body, Effect};
use super::walk::{self, Entry};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

/// The page with its made parts made anew; an error names the line at fault.
pub fn renew(page: &str) -> Result<String, String> {
    let all = walk::all();
    let mut told = Vec::new();
    let mut out = String::new();
    let mut lines = (1_u32..).zip(page.lines());
    while let Some((number, line)) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(part) = line.strip_prefix(".\\\" ").and_then(|part| part_of(part, &all, &mut told)) else { continue };
        out.push_str(&part.map_err(|why| format!("line {number}: {why}"))?);
        if !lines.any(|(_, line)| line == END) {
            return Err(format!("line {number}: there is no `{END}` after it"));
        }
        out.push_str(END);
        out.push('\n');
    }
    let left: Vec<&str> = all.iter().map(|e| e.block).filter(|block| !told.contains(block)).collect();
    match left.first() {
        Some(block) => Err(format!("the page has no place for the keywords of {block}")),
        None => Ok(out),
    }
}

const END: &str = ".\\\" end";

/// What stands after a mark, if it is one.
fn part_of(mark: &str, all: &[Entry], told: &mut Vec<&'static str>) -> Option<Result<String, String>> {
    match mark.split_once(' ').unwrap_or((mark, "")) {
        ("diagnostics", "") => Some(Ok(diagnostics())),
        ("differences", "") => Some(Ok(differences())),
        ("keywords", of) => {
            let (block, other) = of.split_once(" without ").unwrap_or((of, ""));
            let known = |e: &&Entry| all.iter().any(|o| o.block == other && o.name == e.name && o.usage == e.usage);
            let entries: Vec<&Entry> = all.iter().filter(|e| e.block == block && !known(e)).collect();
            if !all.iter().any(|e| e.block == block) || !other.is_empty() && !all.iter().any(|e| e.block == other) {
                return Some(Err(format!("there is no block `{of}`")));
            }
            told.extend(all.iter().map(|e| e.block).find(|b| *b == block));
            Some(Ok(entries.into_iter().map(keyword).collect()))
        }
        _ => None,
    }
}

fn keyword(entry: &Entry) -> String {
    let usage = if entry.usage.is_empty() { String::new() } else { format!(" {}", plain(entry.usage)) };
    let block = if entry.body == Body::Block { " { ... }" } else { "" };
    let mut text = format!(".TP\n\\fB{}\\fR{usage}{block}\n", plain(entry.name));
    if let Effect::OldNameOf(new) = entry.effect {
        let _ = writeln!(text, "Old name of\n\\fB{}\\fR.", plain(new)); // a String takes everything
        return text;
    }
    text.push_str(&sentence(entry.help));
    if !entry.default.is_empty() {
        let _ = writeln!(text, "Default: {}.", plain(entry.default));
    }
    if !entry.since.is_empty() {
        let _ = writeln!(text, "Since keepalived {}.", entry.since);
    }
    if entry.effect == Effect::Later {
        text.push_str("\\fINo effect yet.\\fR\n");
    }
    text
}

/// Codes with the first sentence of their explanation.
fn diagnostics() -> String {
    let mut text = String::new();
    for (code, doc) in Code::DOCS {
        let doc = doc.trim();
        let end = doc.find(". ").map_or(doc.len(), |n| n.saturating_add(1));
        let _ = writeln!(text, ".TP\n.B {code}\n{}", marked(doc.get(..end).unwrap_or(doc)));
    }
    text
}

fn differences() -> String {
    let mut text = String::new();
    for d in DIFFERENCES {
        let _ = write!(text, ".TP\n{}", sentence(d.what).trim_end().strip_suffix('.').unwrap_or_default());
        let _ = write!(text, "\nkeepalived: {}", marked(d.keepalived));
        let _ = write!(text, ".\nHoldfast: {}", marked(d.holdfast));
        let _ = writeln!(text, ".\nWhy: {}.", marked(d.why));
    }
    text
}

/// A clause as a sentence on a line of its own.
fn sentence(clause: &str) -> String {
    let text = marked(clause);
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    // A name keeps its letters.
    let word = clause.split(' ').next().unwrap_or_default();
    let keep = word.contains('_') || text.starts_with('\\');
    let start = if keep { text.get(..1).unwrap_or_default().to_string() } else { first.into_iter().collect() };
    format!("{start}{}.\n", chars.as_str())
}

/// With what stands in backquotes in bold.
fn marked(text: &str) -> String {
    let mut out = String::new();
    for (n, piece) in text.split('`').enumerate() {
        if n % 2 == 1 {
            let _ = write!(out, "\\fB{}\\fR", plain(piece));
        } else {
            out.push_str(&plain(piece));
        }
    }
    out
}

/// Text as roff has it: ASCII, and nothing that it would take for an order of its own.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '…' => out.push_str("..."),
            '\u{a7}' => out.push_str("section "),
            '\'' => out.push_str("\\(aq"),
            '"' => out.push_str("\\(dq"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            c if c.is_ascii() => out.push(c),
            c => {
                let _ = write!(out, "\\[u{:04X}]", u32::from(c));
            }
        }
    }
    if out.starts_with('.') { format!("\\&{out}") } else { out }
}
