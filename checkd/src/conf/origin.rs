//! Where words came from that are not in the file as they were read: which definition or loop a reference stood for, where a
//! parameter of several lines was used, and what the line became. Added to diagnostics when all is known, so that nothing has to be
//! carried along for the many lines about which there is nothing to say.

use super::diag::{Diagnostic, Diagnostics, Label};
use super::expand::Use;
use super::keyword::shown;
use super::source::{Sources, Span};
use super::tree::{Statement, Tree};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Most definitions, and most uses, that are named for one diagnostic.
const NAMED: usize = 3;

/// Most characters of an expanded line that are shown.
const SHOWN: usize = 200;

/// Adds to each diagnostic about expanded words where they came from.
pub fn explain(diags: &mut Diagnostics, tree: &Tree, uses: &[Use], sources: &Sources) {
    if uses.is_empty() {
        return;
    }
    let mut wanted: BTreeMap<Span, Vec<usize>> = BTreeMap::new();
    for (n, diagnostic) in diags.list().iter().enumerate() {
        let Some(primary) = &diagnostic.primary else { continue };
        if uses.iter().any(|u| u.reference.overlaps(primary.span)) {
            wanted.entry(primary.span).or_default().push(n);
        }
    }
    let lines = expanded(diags, tree, &wanted);
    for (n, diagnostic) in diags.list_mut().iter_mut().enumerate() {
        name(diagnostic, uses, sources);
        if let Some(line) = lines.get(&n) {
            diagnostic.expanded = Some(line.text.clone());
        }
    }
}

/// What a line became that a diagnostic is about.
struct Line {
    text: String,
    /// Whether it holds the very word that the diagnostic shows: another turn of a loop has another.
    sure: bool,
}

fn expanded(diags: &Diagnostics, tree: &Tree, wanted: &BTreeMap<Span, Vec<usize>>) -> BTreeMap<usize, Line> {
    let mut lines: BTreeMap<usize, Line> = BTreeMap::new();
    if wanted.is_empty() {
        return lines;
    }
    for statement in tree.all().filter(|s| s.is_expanded()) {
        let all = core::iter::once((statement.whole(), "")).chain(statement.words(0).map(|w| (w.span, w.text())));
        for (span, word) in all {
            for n in wanted.get(&span).into_iter().flatten() {
                if lines.get(n).is_some_and(|line| line.sure) {
                    continue;
                }
                let message = diags.list().get(*n).map_or("", |d| d.message.as_str());
                let sure = !word.is_empty() && message.contains(&format!("`{}`", shown(word)));
                if (sure || !lines.contains_key(n))
                    && let Some(text) = text_of(statement, diags)
                {
                    lines.insert(*n, Line { text, sure });
                }
            }
        }
    }
    lines
}

/// The line as it was read, unless it holds a secret.
fn text_of(statement: Statement<'_>, diags: &Diagnostics) -> Option<String> {
    if diags.is_hidden(statement.whole()) || statement.words(0).any(|w| diags.is_hidden(w.span)) {
        return None;
    }
    let mut text = String::new();
    for word in statement.words(0) {
        if !text.is_empty() {
            text.push(' ');
        }
        let quote = if word.quoted { "\"" } else { "" };
        text.push_str(quote);
        text.extend(String::from_utf8_lossy(word.bytes).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }));
        text.push_str(quote);
        if text.chars().count() > SHOWN {
            text = text.chars().take(SHOWN).chain(core::iter::once('…')).collect();
            break;
        }
    }
    Some(text)
}

/// Names the definitions that the words stood for, or where the definition was used that they stand in.
fn name(diagnostic: &mut Diagnostic, uses: &[Use], sources: &Sources) {
    let Some(at) = diagnostic.primary.as_ref().map(|p| p.span) else { return };
    let mut labels: Vec<Label> = Vec::new();
    let known = |labels: &[Label], span: Span| span == at || labels.iter().any(|l| l.span == span);
    for used in uses.iter().filter(|u| u.reference.overlaps(at)) {
        if labels.len() < NAMED && !known(&labels, used.definition) {
            let source = sources.get(used.reference.file);
            let word = source.and_then(|s| s.text.get(used.reference.start as usize..used.reference.end as usize));
            let word = String::from_utf8_lossy(word.unwrap_or_default());
            let text = format!("`{}` comes from here", shown(&word));
            labels.push(Label { span: used.definition, text });
        }
    }
    let definitions = labels.len();
    for used in uses.iter().filter(|u| u.definition.contains(at) && !u.reference.overlaps(at)) {
        if labels.len() < definitions.saturating_add(NAMED) && !known(&labels, used.reference) {
            labels.push(Label { span: used.reference, text: String::from("used here") });
        }
    }
    diagnostic.others.extend(labels);
}
