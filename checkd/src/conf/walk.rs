//! All keyword tables together: for `--explain`, the manual page, "it belongs in …" and the tests.
//!
//! A block's tables are named here once; whoever adds a table adds its line.

use super::bfd::BFD;
use super::checker;
use super::checker_own;
use super::file::TRACK_FILE;
use super::garp_group::GARP_GROUP;
use super::global::{GLOBAL, Global};
use super::global_identity::IDENTITY;
use super::global_lvs::LVS;
use super::group::GROUP;
use super::hmac::HMAC;
use super::http;
use super::keyword::{Body, Effect, Keyword, Tables};
use super::real::REAL;
use super::root::{Draft, ROOT};
use super::root_vrrp::ROOT_VRRP;
use super::server::SERVER;
use super::ssl::SSL;
use super::track::SCRIPT;
use super::track_group::TRACK_GROUP;
use super::track_process::TRACK_PROCESS;
use super::transport::AUTHENTICATION;
use super::vrrp::{INSTANCE, Instance};
use super::vrrp_options::OPTIONS;
use super::{global_firewall, global_notify, global_process, global_vrrp};
use alloc::vec::Vec;

/// `global_defs`
pub static GLOBAL_DEFS: Tables<'static, Global> = &[
    GLOBAL,
    IDENTITY,
    global_notify::NOTIFY,
    &global_notify::ALL,
    &global_notify::VRRP,
    &global_notify::LVS,
    LVS,
    global_vrrp::VRRP,
    global_firewall::FIREWALL,
    global_firewall::MONITORING,
    &global_process::VRRP,
    &global_process::CHECKER,
    &global_process::BFD,
    &global_process::AUTO,
    &global_process::VRRP_COMMAND,
    &global_process::VRRP_MONITOR,
    &global_process::LVS_COMMAND,
    &global_process::LVS_MONITOR,
    &global_process::PROCESS_MONITOR,
];

/// The statements outside all blocks.
pub static ROOTS: Tables<'static, Draft> = &[ROOT, ROOT_VRRP];

/// `vrrp_instance`
pub static VRRP_INSTANCE: Tables<'static, Instance> = &[INSTANCE, OPTIONS];

/// One keyword of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The block it stands in: its keyword, or `the file`.
    pub block: &'static str,
    /// As it is written.
    pub name: &'static str,
    /// Its arguments.
    pub usage: &'static str,
    /// What counts without it; empty for nothing.
    pub default: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// The release of keepalived that has it first; empty for 2.2.7 and before.
    pub since: &'static str,
    /// Whether a block follows.
    pub body: Body,
    /// What it does in this release.
    pub effect: Effect,
}

fn put<T>(all: &mut Vec<Entry>, block: &'static str, tables: Tables<'_, T>) {
    let entry = |k: &Keyword<T>| Entry {
        block,
        name: k.name,
        usage: k.usage,
        default: k.default,
        help: k.help,
        since: k.since,
        body: k.body,
        effect: k.effect,
    };
    all.extend(tables.iter().copied().flatten().map(entry));
}

/// Every keyword, in the order in which people would look for it.
pub fn all() -> Vec<Entry> {
    let mut all = Vec::new();
    put(&mut all, "the file", ROOTS);
    put(&mut all, "global_defs", GLOBAL_DEFS);
    put(&mut all, "vrrp_instance", VRRP_INSTANCE);
    put(&mut all, "vrrp_script", &[SCRIPT]);
    put(&mut all, "virtual_server", &[SERVER]);
    put(&mut all, "real_server", &[REAL]);
    put(&mut all, "TCP_CHECK", checker::TCP);
    put(&mut all, "HTTP_GET", checker::HTTP);
    put(&mut all, "SSL_GET", checker::HTTP);
    put(&mut all, "SMTP_CHECK", checker_own::SMTP);
    put(&mut all, "DNS_CHECK", checker_own::DNS);
    put(&mut all, "UDP_CHECK", checker_own::UDP);
    put(&mut all, "PING_CHECK", checker::TCP);
    put(&mut all, "MISC_CHECK", checker_own::MISC);
    put(&mut all, "FILE_CHECK", checker_own::FILE);
    put(&mut all, "BFD_CHECK", checker_own::BFD);
    put(&mut all, "SSL", &[SSL]);
    put(&mut all, "track_file", &[TRACK_FILE]);
    put(&mut all, "bfd_instance", &[BFD]);
    put(&mut all, "url", &[http::URL]);
    put(&mut all, "vrrp_sync_group", &[GROUP]);
    put(&mut all, "authentication", &[AUTHENTICATION]);
    put(&mut all, "auth_hmac", &[HMAC]);
    put(&mut all, "vrrp_track_process", &[TRACK_PROCESS]);
    put(&mut all, "garp_group", &[GARP_GROUP]);
    put(&mut all, "track_group", &[TRACK_GROUP]);
    all
}

/// The block a keyword belongs in, for messages about one that stands elsewhere.
pub fn home_of(word: &str) -> Option<&'static str> {
    all().iter().find(|entry| entry.name == word).map(|entry| entry.block)
}
