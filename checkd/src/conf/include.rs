//! `include` and its variants: which files are wanted, and which failures are errors.
//!
//! COMPAT: keepalived 2.2.7, each row tried: a file that is a directory, a device or executable is skipped always and an error with
//! [`Checks::READ`]; a name without wildcard that is missing is one with [`Checks::MATCH`]; a wildcard that matches nothing at all
//! with [`Checks::WILDCARD`]; an alternative in braces without wildcard that is missing with [`Checks::BRACE`]. Such an error keeps
//! the configuration from being used: its exit code is 6.

use super::diag::{Code, Diagnostic, Severity};
use super::lines::{self, Text};
use super::source::{Sources, Span};
use super::tree::Statement;
use alloc::format;
use alloc::string::String;
use core::ops::BitOr;
use ipc::msg::compile::Unread;

/// An include directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The pattern as written.
    pub pattern: String,
    /// The file it stands in.
    pub from: String,
    /// Where it stands.
    pub span: Span,
    /// Which failures are errors.
    pub checks: Checks,
}

/// Which failures of an include are errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks(u8);

impl Checks {
    /// None: failures are only told.
    pub const NONE: Checks = Checks(0);
    /// What is found must be a regular file that can be read and not executed.
    pub const READ: Checks = Checks(1);
    /// A name without wildcard must exist.
    pub const MATCH: Checks = Checks(2);
    /// A wildcard must match something.
    pub const WILDCARD: Checks = Checks(4);
    /// Each alternative in braces must exist.
    pub const BRACE: Checks = Checks(8);
    /// Everything.
    pub const ALL: Checks = Checks(15);

    /// Whether one of these is asked for.
    pub fn has(self, other: Checks) -> bool {
        self.0 & other.0 != 0
    }

    fn without(self, other: Checks) -> Checks {
        Checks(self.0 & !other.0)
    }
}

impl BitOr for Checks {
    type Output = Checks;
    fn bitor(self, other: Checks) -> Checks {
        Checks(self.0 | other.0)
    }
}

/// `include PATTERN` and its variants. `force`: what `include_check` has asked for up to here.
pub fn directive(text: &Text, force: Checks, sources: &Sources) -> Option<Request> {
    let rest = text.bytes().strip_prefix(b"include")?;
    let length = rest.iter().position(|b| lines::is_blank(*b))?;
    let checks = match rest.get(..length)? {
        b"" => Checks::NONE,
        b"r" => Checks::READ,
        b"m" => Checks::READ | Checks::MATCH,
        b"w" => Checks::READ | Checks::MATCH | Checks::WILDCARD,
        b"b" => Checks::READ | Checks::BRACE,
        b"a" => Checks::ALL,
        _ => return None,
    };
    let pattern_at = text.len().saturating_sub(rest.len()).saturating_add(length);
    let pattern = text.part(pattern_at..text.len()).trimmed();
    let bare = pattern.bytes();
    // keepalived takes the quotes as part of the name, and finds nothing.
    let bare = bare.strip_prefix(b"\"").and_then(|b| b.strip_suffix(b"\"")).unwrap_or(bare);
    let span = pattern.whole();
    let from = sources.get(span.file).map(|s| String::from(&*s.name)).unwrap_or_default();
    Some(Request { pattern: String::from_utf8_lossy(bare).into_owned(), from, span, checks: checks | force })
}

/// What `include_check` makes of the checks in force. What it does not know was reported by its reader and changes nothing.
/// COMPAT: keepalived 2.2.7, tried: a first word without sign stands alone and with `read`, a sign adds or takes away that one check;
/// no word at all is everything.
pub fn check(s: Statement<'_>, force: Checks) -> Checks {
    let mut force = if s.len() == 1 { Checks::ALL } else { force };
    for (n, word) in s.words(1).enumerate() {
        let text = word.text();
        let (plain, sign) = match text.strip_prefix(['+', '-']) {
            Some(rest) => (rest, text.as_bytes().first().copied()),
            None => (text, None),
        };
        let one = match plain {
            "read" => Checks::READ,
            "match" => Checks::MATCH,
            "wildcard_match" => Checks::WILDCARD,
            "brace_match" => Checks::BRACE,
            _ => continue,
        };
        match sign {
            Some(b'-') => force = force.without(one),
            Some(_) => force = force | one,
            None if n == 0 => force = Checks::READ | one,
            None => {}
        }
    }
    force
}

/// What is to be said of a file that an include does not bring.
pub fn problem(request: &Request, unread: &Unread) -> Option<Diagnostic> {
    let checks = request.checks;
    let (path, wanted, why) = match unread {
        Unread::Missing(path) if request.pattern.contains('{') => (path, Checks::BRACE, "it does not exist"),
        Unread::Missing(path) => (path, Checks::MATCH, "it does not exist"),
        Unread::Nothing => {
            let message = format!("no file matches `{}`", request.pattern);
            return checks.has(Checks::WILDCARD).then(|| of(request, Severity::Fatal, message));
        }
        Unread::Unusable(path, why) => (path, Checks::READ, why.as_str()),
        // A bound of ours: what is left out may matter.
        Unread::Refused(path, why) => (path, Checks::ALL, why.as_str()),
    };
    let always = matches!(unread, Unread::Refused(..));
    let severity = if always || checks.has(wanted) { Severity::Fatal } else { Severity::Warning };
    Some(of(request, severity, format!("cannot include `{path}`: {why}")))
}

fn of(request: &Request, severity: Severity, message: String) -> Diagnostic {
    let message: String = message.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    Diagnostic::new(severity, Code::INCLUDE, request.span, message)
}
