//! What checkers are made of.

use super::ScriptIdx;
use super::script::RunAs;
use super::vrrp::Switch;
use crate::net::Family;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A kind of socket that ipvsd opens for checks: to set a mark takes a right that checkd has not.
///
/// What a stolen checkd gains by it: packets of TCP, UDP and pings with a mark that the file gives to a check, to wherever routing lets
/// packets with that mark go. No other mark, and no kind of socket that it could not open without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Marked {
    /// `fwmark`, never 0 (SO_MARK).
    pub mark: u32,
    /// Family of what is connected to.
    pub family: Family,
    /// What it is for.
    pub kind: SocketKind,
}

/// Sockets that checks use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SocketKind {
    /// Of TCP.
    Tcp,
    /// Of UDP.
    Udp,
    /// Of echoes.
    Ping,
}

/// TLS settings of a checker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// `enable_sni`, implied by `sni_name`.
    pub sni: Switch,
    /// `sni_name`; `None`: the virtual host.
    pub sni_name: Option<String>,
    /// `tls_compliant`: an end without close_notify is a failure.
    pub compliant: Switch,
    /// `ssl_verify`: the certificate has to be trusted, and of the name that is asked for. Not keepalived's.
    pub verify: Switch,
    /// `ssl_ca_file`: who is trusted, default `ca`, else whom the system trusts. Implies `ssl_verify`.
    pub ca_file: Option<String>,
}

/// `SSL`: what SSL_GET shows of itself and trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsContext {
    /// `password` of the key.
    pub password: Option<super::Secret>,
    /// `ca`
    pub ca: Option<String>,
    /// `certificate`
    pub certificate: Option<String>,
    /// `key`
    pub key: Option<String>,
    /// The content of the files above, of every `ssl_ca_file`, and of the system's file of authorities where that is asked for.
    pub files: Vec<Pem>,
}

/// A file that the supervisor opened and the compiler read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pem {
    /// As the configuration names it.
    pub path: String,
    /// What is in it.
    pub content: super::Secret,
}

impl TlsContext {
    /// Where Debian and its like, and Red Hat and its like, keep the authorities that the system trusts.
    pub const SYSTEM: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

    /// The content of a file.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.iter().find(|pem| pem.path == path).map(|pem| pem.content.reveal())
    }
}

/// `type` of a DNS_CHECK, with its number (RFC 1035 §3.2.2, RFC 3596, RFC 4034).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DnsType {
    /// 1
    A,
    /// 2
    Ns,
    /// 5
    Cname,
    /// 6
    Soa,
    /// 15
    Mx,
    /// 16
    Txt,
    /// 28
    Aaaa,
    /// 46
    Rrsig,
    /// 48
    Dnskey,
}

/// `UDP_CHECK`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Udp {
    /// `payload`; empty: the 32 bytes that keepalived sends.
    pub payload: Vec<u8>,
    /// `require_reply`
    pub reply: Reply,
    /// `min_reply_length`, default 0.
    pub min_length: u16,
    /// `max_reply_length`, default 255.
    pub max_length: u16,
}

/// `MISC_CHECK`: a command that the supervisor runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misc {
    /// Which.
    pub script: ScriptIdx,
    /// Its words, by which it is the same across a reload; the first stands in messages.
    pub command: Vec<Vec<u8>>,
    /// `user`
    pub run_as: Option<RunAs>,
    /// `misc_timeout`, default the virtual server's `delay_loop`; the supervisor keeps it.
    pub timeout: Duration,
    /// `misc_dynamic`: exit codes 2 to 255 are the weight, and 2; 0 is the configured weight again.
    pub dynamic: Switch,
}

/// What a UDP_CHECK wants to hear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Nothing: no ICMP error is success.
    NotNeeded,
    /// Any datagram.
    Any,
    /// Bytes under a mask: a half byte whose mask is 0 may be anything.
    Like {
        /// The bytes.
        bytes: Vec<u8>,
        /// As long as `bytes`.
        mask: Vec<u8>,
    },
}

/// `regex` of a url: the page must match it (or must not).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regex {
    /// The pattern (PCRE2), any bytes but NUL.
    pub pattern: Vec<u8>,
    /// `regex_no_match`: success is when it does not match.
    pub no_match: Switch,
    /// `regex_options`: words that keepalived knows, each once.
    pub options: Vec<String>,
    /// `regex_stack START MAX`, bytes.
    pub stack: Option<(u32, u32)>,
    /// `regex_min_offset`: the match begins there or later.
    pub min_offset: Option<u64>,
    /// `regex_max_offset`: the match begins there or earlier.
    pub max_offset: Option<u64>,
}
