//! `SSL`: what SSL_GET shows of itself. COMPAT: keepalived 2.4.3: a second block replaces the first.

use super::global_vrrp::fill;
use super::keyword::{Args, At, Keyword};
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::Secret;
use ipc::config::probe::TlsContext;

/// An `SSL` block.
#[derive(Clone, Debug, Default)]
pub struct Ssl {
    /// `password`
    pub password: Option<Secret>,
    /// `ca`
    pub ca: Option<At<String>>,
    /// `certificate`
    pub certificate: Option<At<String>>,
    /// `key`
    pub key: Option<At<String>>,
}

impl Ssl {
    /// What checkd is told; the files are still to be read.
    pub fn context(&self) -> TlsContext {
        let path = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
        TlsContext {
            password: self.password.clone(),
            ca: path(&self.ca),
            certificate: path(&self.certificate),
            key: path(&self.key),
            files: Vec::new(),
        }
    }
}

macro_rules! path {
    ($name:literal, $help:literal, $slot:ident) => {
        Keyword::new($name, Args::Count(1, 1), "FILE", $help, |r, s, d: &mut Ssl| {
            fill(&mut d.$slot, s.word(1).and_then(|w| r.text(w)));
        })
    };
}

/// `SSL`
pub static SSL: &[Keyword<Ssl>] = &[
    Keyword::new(
        "password",
        Args::Count(1, 1),
        "STRING",
        "the password of the key, in PKCS #8",
        |_, s, d: &mut Ssl| {
            d.password = s.word(1).map(|w| Secret::new(w.bytes.to_vec()));
        },
    ),
    path!("ca", "a file with the certificates of authorities, for ssl_verify", ca),
    path!("certificate", "a file with the certificate that is shown to servers", certificate),
    path!("key", "a file with the key of the certificate, which may be under the password", key).or("certificate"),
];
