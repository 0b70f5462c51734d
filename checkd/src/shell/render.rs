//! Diagnostics for people: an excerpt of the file with the words underlined, or one line for a log.
//!
//! Secrets are replaced before anything is rendered: whatever the compiler marked, and in other lines whatever follows a word that
//! names a secret.

use super::shown::Shown;
use annotate_snippets::{Annotation, AnnotationKind, Level, Patch, Renderer, Snippet};
use checkd::conf::Compiled;
use checkd::conf::diag::{Diagnostic, Label, Severity};
pub use checkd::conf::short::line;
use checkd::conf::source::Span;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::ops::Range;
use std::os::fd::AsFd as _;

/// Longest wait for somebody to read standard error, in milliseconds.
pub const PATIENCE: u16 = 2_000;

/// Lines between two labels that are still shown as one piece.
const GAP: usize = 6;

/// The excerpt of one diagnostic, ending in an empty line.
pub fn excerpt(compiled: &Compiled, diagnostic: &Diagnostic, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let level = match diagnostic.severity {
        Severity::Fatal => Level::ERROR.with_name("fatal"),
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.0);
    let mut group = title.elements(Vec::<Snippet<'_, Annotation<'_>>>::new());
    for window in windows(compiled, diagnostic) {
        let mut snippet = Snippet::source(window.text).path(window.path).line_start(window.line);
        for (kind, range, label) in window.labels {
            snippet =
                snippet.annotation(if label.is_empty() { kind.span(range) } else { kind.span(range).label(label) });
        }
        group = group.element(snippet);
    }
    let patch = diagnostic.patch.as_ref().and_then(|patch| {
        let window = Window::of(compiled, std::slice::from_ref(&(AnnotationKind::Primary, patch.span, "")))?;
        let range = window.labels.first()?.1.clone();
        Some(
            Snippet::source(window.text)
                .path(window.path)
                .line_start(window.line)
                .patch(Patch::new(range, patch.with.as_str())),
        )
    });
    if let Some(expanded) = &diagnostic.expanded {
        group = group.element(Level::NOTE.message(format!("the line is read as `{expanded}`")));
    }
    let report = match (&diagnostic.help, patch) {
        (help, Some(patch)) => {
            let title = help.as_deref().unwrap_or("write this instead");
            vec![group, Level::HELP.secondary_title(title).element(patch)]
        }
        (Some(help), None) => vec![group.element(Level::HELP.message(help.as_str()))],
        (None, None) => vec![group],
    };
    format!("{}\n\n", renderer.render(&report))
}

/// One JSON object: `severity`, `code`, `message`, and where they are known `file`, `line`, `column`, `end_line`, `end_column`,
/// `label`, `expanded` (what the line became), `help` and `replacement`.
pub fn json(compiled: &Compiled, diagnostic: &Diagnostic) -> String {
    let mut fields = vec![
        format!("\"severity\":{}", quoted(&diagnostic.severity.to_string())),
        format!("\"code\":{}", quoted(diagnostic.code.0)),
        format!("\"message\":{}", quoted(&diagnostic.message)),
    ];
    if let Some(primary) = &diagnostic.primary {
        let (start, end) = (compiled.sources.place(primary.span), compiled.sources.place(primary.span.after()));
        fields.push(format!("\"file\":{}", quoted(start.file)));
        fields.push(format!("\"line\":{},\"column\":{}", start.line, start.column));
        fields.push(format!("\"end_line\":{},\"end_column\":{}", end.line, end.column));
        if !primary.text.is_empty() {
            fields.push(format!("\"label\":{}", quoted(&primary.text)));
        }
    }
    fields.extend(diagnostic.expanded.as_ref().map(|line| format!("\"expanded\":{}", quoted(line))));
    fields.extend(diagnostic.help.as_ref().map(|help| format!("\"help\":{}", quoted(help))));
    fields.extend(diagnostic.patch.as_ref().map(|patch| format!("\"replacement\":{}", quoted(&patch.with))));
    format!("{{{}}}", fields.join(","))
}

/// As a JSON string (RFC 8259 §7).
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// How many of what, if there is anything.
pub fn summary(compiled: &Compiled) -> Option<String> {
    let counts = compiled.diags.counts;
    let parts: Vec<String> = [(counts.fatal, "fatal problem"), (counts.errors, "error"), (counts.warnings, "warning")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}{}", if n == 1 { "" } else { "s" }))
        .collect();
    if parts.is_empty() {
        return None;
    }
    let left_out = match compiled.diags.dropped {
        0 => String::new(),
        n => format!(", of which {n} are not shown"),
    };
    Some(format!("configuration: {}{left_out}", parts.join(", ")))
}

/// Writes to standard error; false when nobody reads.
pub fn to_stderr(mut bytes: &[u8]) -> bool {
    let stderr = std::io::stderr();
    let fd = stderr.as_fd();
    while !bytes.is_empty() {
        let mut room = [PollFd::new(fd, PollFlags::POLLOUT)];
        match poll(&mut room, PollTimeout::from(PATIENCE)) {
            Ok(0) => return false,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
        // A piece that a pipe with room takes whole.
        let piece = bytes.get(..bytes.len().min(4096)).unwrap_or(bytes);
        match nix::unistd::write(fd, piece) {
            Ok(0) => return false,
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(_) => return false,
        }
    }
    true
}

/// Some lines of a file, fit to be shown.
struct Window<'a> {
    path: &'a str,
    /// Number of the first line, from 1.
    line: usize,
    text: String,
    labels: Vec<(AnnotationKind, Range<usize>, &'a str)>,
}

type Wanted<'a> = (AnnotationKind, Span, &'a str);

/// The pieces of files that a diagnostic shows, the one with the words at fault first.
fn windows<'a>(compiled: &'a Compiled, diagnostic: &'a Diagnostic) -> Vec<Window<'a>> {
    let wanted = |kind| move |label: &'a Label| (kind, label.span, label.text.as_str());
    let mut labels: Vec<Wanted<'a>> = diagnostic.primary.iter().map(wanted(AnnotationKind::Primary)).collect();
    labels.extend(diagnostic.others.iter().map(wanted(AnnotationKind::Context)));
    let mut windows = Vec::new();
    while let Some(first) = labels.first().copied() {
        // Take along what stands near it, so that it is shown as one piece.
        let (mut piece, mut rest) = (vec![first], Vec::new());
        for label in labels.iter().skip(1) {
            if near(compiled, first.1, label.1) { piece.push(*label) } else { rest.push(*label) }
        }
        windows.extend(Window::of(compiled, &piece));
        labels = rest;
    }
    windows
}

fn near(compiled: &Compiled, a: Span, b: Span) -> bool {
    let line = |s: Span| compiled.sources.get(s.file).map_or(0, |source| source.line_of(s.start));
    a.file == b.file && line(a).abs_diff(line(b)) <= GAP
}

impl<'a> Window<'a> {
    /// The lines that these labels of one file touch, and those between them.
    fn of(compiled: &'a Compiled, labels: &[Wanted<'a>]) -> Option<Window<'a>> {
        let file = labels.first()?.1.file;
        let source = compiled.sources.get(file)?;
        let first = labels.iter().map(|l| source.line_of(l.1.start)).min()?;
        let last = labels.iter().map(|l| source.line_of(l.1.end.saturating_sub(1).max(l.1.start))).max()?;
        let last = last.min(first.saturating_add(GAP.saturating_mul(3)));
        let spans: Vec<Span> = labels.iter().map(|l| l.1).collect();
        let shown = Shown::new(source, file, first..last.saturating_add(1), &spans, compiled.diags.secrets());
        let labels = labels.iter().map(|(kind, span, text)| (*kind, shown.range(*span), *text)).collect();
        Some(Window { path: &source.name, line: first.saturating_add(1), text: shown.text, labels })
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
