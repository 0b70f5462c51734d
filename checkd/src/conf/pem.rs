//! Which files SSL_GET needs. checkd has no file system: the supervisor opens them when the configuration is compiled.

use super::diag::{Code, Diagnostic};
use super::source::Span;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ipc::config::Origin;
use ipc::config::check::{CheckConfig, CheckerKind};
use ipc::config::probe::TlsContext;
use ipc::config::vrrp::Switch;

/// Largest file that is taken, in bytes.
pub const FILE_LIMIT: usize = 4 * 1024 * 1024;

/// What has to be there of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// It has to be there, because of this line.
    Named(Origin),
    /// It may be there.
    System,
}

/// The files that SSL_GET needs, by path; none if there is no SSL_GET.
pub fn wanted(config: &CheckConfig) -> BTreeMap<String, Need> {
    let mut wanted = BTreeMap::new();
    let context = &config.tls;
    for checker in config.checkers.rows() {
        let CheckerKind::Ssl(_, tls) = &checker.kind else { continue };
        let shown = [context.certificate.as_ref(), context.key.as_ref().filter(|_| context.certificate.is_some())];
        let trusted = tls.ca_file.as_ref().or(context.ca.as_ref()).filter(|_| tls.verify == Switch::On);
        for path in shown.into_iter().chain([trusted]).flatten() {
            wanted.entry(path.clone()).or_insert_with(|| Need::Named(checker.origin.clone()));
        }
        if tls.verify == Switch::On && trusted.is_none() {
            for path in TlsContext::SYSTEM {
                wanted.entry(path.to_string()).or_insert(Need::System);
            }
        }
    }
    wanted
}

/// What is said of those that could not be read.
pub fn missing(problems: &[(String, Origin, String)]) -> Option<Diagnostic> {
    let texts: Vec<String> =
        problems.iter().map(|(path, origin, why)| format!("{path}, which {origin} needs: {why}")).collect();
    if texts.is_empty() {
        return None;
    }
    let message = format!("cannot read {}; SSL_GET that needs it fails", texts.join("; "));
    Some(Diagnostic::error(Code::INCLUDE, Span::default(), message))
}
