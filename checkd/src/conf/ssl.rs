//! `SSL`: what SSL_GET shows of itself. COMPAT: keepalived 2.4.3, keywords §13: a second block replaces the first.

use super::global_vrrp::fill;
use super::keyword::{Args, Keyword};
use alloc::string::String;
use ipc::config::Secret;
use ipc::config::probe::TlsContext;

macro_rules! path {
    ($name:literal, $help:literal, $slot:ident) => {
        Keyword::new($name, Args::Count(1, 1), "FILE", $help, |r, s, d: &mut TlsContext| {
            let path: Option<String> = s.word(1).and_then(|w| r.text(w)).map(|p| p.value);
            fill(&mut d.$slot, path);
        })
    };
}

/// `SSL`
pub static SSL: &[Keyword<TlsContext>] = &[
    Keyword::new("password", Args::Count(1, 1), "STRING", "the password of the key", |_, s, d: &mut TlsContext| {
        d.password = s.word(1).map(|w| Secret::new(w.bytes.to_vec()));
    }),
    path!("ca", "a file with the certificates of authorities", ca),
    path!("certificate", "a file with the certificate that is shown to servers", certificate),
    path!("key", "a file with the key of the certificate", key),
];
