//! Files that are no configuration text and belong to one: certificates, keys.

use super::link::{Included, Link};
use super::{Failure, encrypted};
use crate::shell::tls;
use checkd::conf::Compiled;
use checkd::conf::diag::{Code, Diagnostic};
use checkd::conf::hmac;
use checkd::conf::pem::{self, Holds, Need};
use checkd::conf::source::Span;
use ipc::config::Secret;
use ipc::config::probe::Pem;
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_options::HmacKey;
use ipc::msg::compile::{CompileMode, Unread};

/// Reads what SSL_GET trusts and shows of itself: checkd, which needs it, has no file system.
pub(super) fn pem_files(
    link: &mut Link,
    from: &str,
    mode: CompileMode,
    compiled: &mut Compiled,
) -> Result<(), Failure> {
    let password = compiled.bundle.as_ref().and_then(|bundle| bundle.check.tls.password.clone());
    for (path, Need { named, holds }) in compiled.files.iter() {
        let read = one(link, path, from)?.and_then(|content| match content.len() <= pem::FILE_LIMIT {
            true => Ok(content),
            false => Err("it is too long".to_owned()),
        });
        let opened = read.map(|content| match holds.contains(&Holds::Key) {
            true => encrypted::open(&content, path, password.as_ref().map(Secret::reveal)),
            false => Ok(content),
        });
        let problem = match (&opened, named) {
            (_, None) => None,
            (Err(why), Some(at)) => Some(pem::unreadable(path, *at, why)),
            (Ok(Err(why)), Some(at)) => Some(pem::unfit(*at, why)),
            (Ok(Ok(content)), Some(at)) => {
                holds.iter().find_map(|holds| unfit(content, path, *holds)).map(|why| pem::unfit(*at, &why))
            }
        };
        compiled.diags.extend(problem);
        if let (Ok(Ok(content)), Some(bundle)) =
            (opened, compiled.bundle.as_mut().filter(|_| mode != CompileMode::Test))
        {
            bundle.check.tls.files.push(Pem { path: path.to_owned(), content: Secret::new(content) });
        }
    }
    if let (CompileMode::Load, Some(bundle)) = (mode, &mut compiled.bundle) {
        // It has done its work: who makes the checks gets the key alone.
        bundle.check.tls.password = None;
    }
    compiled.diags.sort();
    Ok(())
}

/// Why a file is not what it should be.
fn unfit(content: &[u8], path: &str, holds: Holds) -> Option<String> {
    match holds {
        Holds::Certificate => tls::certificates_in(content, path).err(),
        Holds::Key => tls::private_key_in(content, path).err(),
    }
}

/// A file, or why it cannot be read.
fn one(link: &mut Link, path: &str, from: &str) -> Result<Result<Vec<u8>, String>, Failure> {
    link.files(path.to_owned(), from.to_owned()).map(first)
}

fn first((files, unread): Included) -> Result<Vec<u8>, String> {
    match (files.into_iter().next(), unread.into_iter().next()) {
        (Some((_, content)), _) => Ok(content),
        (None, Some(Unread::Unusable(_, why) | Unread::Refused(_, why))) => Err(why),
        (None, Some(Unread::Missing(_) | Unread::Nothing) | None) => Err("it does not exist".to_owned()),
    }
}

/// Reads the keys of `auth_hmac` that are in files and credentials. One that is not there is fatal: the router would be deaf to its peers
/// and a second master. A test outside of the service has no credentials to look at.
pub(super) fn key_files(
    link: &mut Link,
    from: &str,
    mode: CompileMode,
    credentials: Switch,
    compiled: &mut Compiled,
) -> Result<(), Failure> {
    let Some(bundle) = &mut compiled.bundle else { return Ok(()) };
    let mut problems = Vec::new();
    let mut unseen = None;
    for key in hmac::elsewhere(&bundle.vrrp) {
        let (read, shown) = match &key {
            HmacKey::File(path) => (one(link, path, from)?, path.clone()),
            HmacKey::Credential(name) if mode == CompileMode::Test && credentials == Switch::Off => {
                unseen = Some(format!("credential:{name} is not looked at: this is not the service"));
                continue;
            }
            HmacKey::Credential(name) => (first(link.credential(name)?), format!("credential:{name}")),
            HmacKey::Bytes(_) => continue,
        };
        let filled = read.and_then(|content| hmac::fill(&mut bundle.vrrp, &key, &content));
        problems.extend(filled.err().map(|why| format!("cannot use {shown} as a key of `auth_hmac`: {why}")));
    }
    if !problems.is_empty() {
        compiled.bundle = None;
        compiled.diags.push(elsewhere(Diagnostic::fatal(Code::INCLUDE, Span::default(), problems.join("; "))));
    }
    compiled.diags.extend(unseen.map(|text| elsewhere(Diagnostic::warning(Code::INCLUDE, Span::default(), text))));
    Ok(())
}

/// What is wrong is not in the text.
fn elsewhere(problem: Diagnostic) -> Diagnostic {
    Diagnostic { primary: None, ..problem }
}
