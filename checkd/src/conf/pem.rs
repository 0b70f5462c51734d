//! Which files SSL_GET needs. checkd has no file system: the supervisor opens them when the configuration is compiled.

use super::checker::Checker;
use super::diag::{Code, Diagnostic};
use super::keyword::At;
use super::source::Span;
use super::ssl::Ssl;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use ipc::config::probe::TlsContext;
use ipc::config::vrrp::Switch;

/// Largest file that is taken, in bytes.
pub const FILE_LIMIT: usize = 4 * 1024 * 1024;

/// What has to be in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    /// A certificate, or many.
    Certificate,
    /// A private key.
    Key,
}

/// A file that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The words that name it; `None`: it is one of the system's, which may be missing.
    pub named: Option<Span>,
    /// What has to be in it.
    pub holds: BTreeSet<Holds>,
}

/// The files that SSL_GET needs, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs(BTreeMap<String, Need>);

impl Needs {
    /// Takes in what an SSL_GET needs.
    pub fn ssl_get(&mut self, context: &Ssl, checker: &Checker) {
        if let Some(certificate) = &context.certificate {
            self.named(certificate, Holds::Certificate);
            self.named(context.key.as_ref().unwrap_or(certificate), Holds::Key);
        }
        if checker.tls.verify == Switch::Off {
            return;
        }
        match (&checker.tls.ca_file, checker.ca_file, &context.ca) {
            (Some(path), Some(span), _) => self.add(path, Some(span), Holds::Certificate),
            (_, _, Some(ca)) => self.named(ca, Holds::Certificate),
            _ => TlsContext::SYSTEM.iter().for_each(|path| self.add(path, None, Holds::Certificate)),
        }
    }

    fn named(&mut self, path: &At<String>, holds: Holds) {
        self.add(&path.value, Some(path.span), holds);
    }

    fn add(&mut self, path: &str, named: Option<Span>, holds: Holds) {
        let need = match self.0.get_mut(path) {
            Some(need) => need,
            None => self.0.entry(path.to_string()).or_insert(Need { named, holds: BTreeSet::new() }),
        };
        need.named = need.named.or(named);
        need.holds.insert(holds);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Need)> {
        self.0.iter().map(|(path, need)| (path.as_str(), need))
    }
}

/// Said of a file that cannot be read.
pub fn unreadable(path: &str, at: Span, why: &str) -> Diagnostic {
    Diagnostic::error(Code::INCLUDE, at, format!("cannot read {path}: {why}")).label("SSL_GET that needs it fails")
}

/// Said of a file that is not what it should be; `why` names it.
pub fn unfit(at: Span, why: &str) -> Diagnostic {
    Diagnostic::error(Code::BAD_VALUE, at, why).label("SSL_GET that needs it fails")
}
