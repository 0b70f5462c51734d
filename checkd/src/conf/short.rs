//! A problem on one line: `FILE:LINE:COL: error[CODE]: text`.

use super::Compiled;
use super::diag::{Diagnostic, Severity};
use super::source::Span;
use alloc::format;
use alloc::string::String;

/// `FILE:LINE:COL: error[CODE]: text`, one line. What is fatal is an error here too: whoever reads this tells three kinds apart.
pub fn line(compiled: &Compiled, diagnostic: &Diagnostic) -> String {
    let span = diagnostic.primary.as_ref().map_or(Span::default(), |primary| primary.span);
    let place = compiled.sources.place(span);
    let severity = diagnostic.severity.min(Severity::Error);
    let mut text = format!("{}:{}:{}: {severity}[{}]: ", place.file, place.line, place.column, diagnostic.code);
    text.push_str(&diagnostic.message);
    if let Some(label) = diagnostic.primary.as_ref().filter(|p| !p.text.is_empty()) {
        text.push_str(&format!(" ({})", label.text));
    }
    if let Some(help) = &diagnostic.help {
        text.push_str(&format!("; {help}"));
    }
    text.replace(|c: char| c.is_control(), "\u{fffd}")
}
