//! Mails of `smtp_alert`: what they say ([`words`]), and how they are handed to the mail server ([`delivery`]). COMPAT: keepalived 2.2.7,
//! subjects and bodies captured.

pub mod delivery;
pub mod lookup;
pub mod words;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ipc::config::check::CheckConfig;
use ipc::config::global::Mail;

/// A mail to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Of whom.
    pub from: String,
    /// To whom; not empty.
    pub to: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// Its one line.
    pub body: String,
}

impl Letter {
    /// A mail in the name of a configuration; `None` where nobody wants one.
    pub fn new(config: &CheckConfig, about: &str, body: &str) -> Option<Letter> {
        Letter::of(&config.mail, &config.router_id, about, body)
    }

    /// The same with these settings.
    pub fn of(mail: &Mail, router: &str, about: &str, body: &str) -> Option<Letter> {
        if !mail.has_server() || mail.to.is_empty() {
            return None;
        }
        Some(Letter {
            from: mail.from.clone().unwrap_or_else(|| format!("root@{router}")),
            to: mail.to.clone(),
            subject: format!("[{router}] {about}"),
            body: format!("=> {body} <="),
        })
    }
}

/// The address in `Name <address>`, for the envelope.
pub fn address(written: &str) -> String {
    let inside = written.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or(written, |(address, _)| address).trim().to_string()
}
