//! `virtual_server` blocks.

mod keywords;

pub use keywords::SERVER;

use super::checker::Schedule;
use super::diag::{Code, Diagnostic};
use super::global_vrrp::fill;
use super::keyword::{self, At, Reader, set};
use super::real::Real;
use super::script::Command;
use super::source::Span;
use super::tree::Statement;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use ipc::config::ipvs::{Method, Protocol};
use ipc::config::vrrp::Switch;
use ipc::net::Family;

/// What a `virtual_server` line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// `IP [PORT]`
    Addr(IpAddr, u16),
    /// `fwmark N`
    Fwmark(u32),
    /// `group NAME`
    Group(At<String>),
}

/// `persistence_granularity`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// A netmask.
    V4(Ipv4Addr),
    /// A prefix length.
    V6(u8),
}

/// A `virtual_server` block.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// What it is; `None` when its line makes no sense.
    pub key: Option<Key>,
    /// Its first line.
    pub span: Span,
    /// `ip_family`
    pub family: Option<At<Family>>,
    /// `lvs_sched`
    pub scheduler: Option<At<&'static str>>,
    /// `flag-1` to `flag-3`, `sh-port` …: bits of the kernel's flags.
    pub flags: u32,
    /// `ops`
    pub one_packet: Option<Span>,
    /// `lvs_method`
    pub method: Option<At<Method>>,
    /// `persistence_timeout`; 0 is off.
    pub persistence: Option<At<u32>>,
    /// `persistence_granularity`
    pub granularity: Option<At<Granularity>>,
    /// `protocol`
    pub protocol: Option<At<Protocol>>,
    /// When checkers run.
    pub schedule: Schedule,
    /// `weight`
    pub weight: Option<At<u32>>,
    /// `inhibit_on_failure`
    pub inhibit: Switch,
    /// `alpha`
    pub alpha: Switch,
    /// `omega`
    pub omega: Switch,
    /// `quorum`
    pub quorum: Option<At<u32>>,
    /// `hysteresis`
    pub hysteresis: Option<At<u32>>,
    /// `quorum_up`
    pub quorum_up: Option<At<Command>>,
    /// `quorum_down`
    pub quorum_down: Option<At<Command>>,
    /// `ha_suspend`
    pub ha_suspend: Option<At<Switch>>,
    /// `smtp_alert`
    pub smtp_alert: Option<Switch>,
    /// `persistence_engine`
    pub engine: Option<At<String>>,
    /// `snmp_name`
    pub snmp_name: Option<String>,
    /// `virtualhost`
    pub host: Option<At<String>>,
    /// `drain_on_removal`
    pub drain: Option<At<Duration>>,
    /// `sorry_server`; no port: the service's.
    pub sorry: Option<At<(IpAddr, Option<u16>)>>,
    /// `sorry_server_inhibit`
    pub sorry_inhibit: Switch,
    /// `sorry_server_lvs_method`
    pub sorry_method: Option<At<Method>>,
    /// `real_server` blocks.
    pub reals: Vec<Real>,
}

/// Schedulers. COMPAT: keepalived 2.4.3: other names are rejected.
const SCHEDULERS: &[&str] =
    &["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "fo", "ovf", "sed", "nq", "twos"];

/// `IP_VS_SVC_F_SCHED1` to `SCHED3`.
const SCHED_FLAGS: [u32; 3] = [0x08, 0x10, 0x20];

/// Largest weight: the kernel's is a signed int.
pub(super) const WEIGHT: i64 = i32::MAX as i64;

/// `virtual_server KEY { … }`
pub fn read(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Server> {
    let mut server = Server { key: key(r, s), span: s.whole(), ..Server::default() };
    keyword::read(r, &[SERVER], "`virtual_server`", s.children(), &mut server);
    server.key.is_some().then_some(server)
}

fn key(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Key> {
    let first = s.word(1)?;
    match first.text() {
        "fwmark" => match s.word(2) {
            Some(word) => r.number(Some(word), 1..=i64::from(u32::MAX)).map(Key::Fwmark),
            None => {
                let message = "`virtual_server fwmark` needs a number";
                r.diags.push(Diagnostic::error(Code::MISSING_ARGUMENT, s.whole(), message).label("ignored"));
                None
            }
        },
        "group" => match s.word(2) {
            Some(word) => r.text(word).map(Key::Group),
            None => {
                let message = "`virtual_server group` needs a name";
                r.diags.push(Diagnostic::error(Code::MISSING_ARGUMENT, s.whole(), message).label("ignored"));
                None
            }
        },
        _ => {
            let addr = r.ip(first)?;
            let port = match s.word(2) {
                Some(word) => r.port(word, true)?,
                None => 0,
            };
            Some(Key::Addr(addr, port))
        }
    }
}

fn scheduler(r: &mut Reader<'_>, s: Statement<'_>, v: &mut Server) {
    let Some(word) = s.word(1) else { return };
    match SCHEDULERS.iter().find(|name| **name == word.text()) {
        Some(name) => set(&mut v.scheduler, Some(*name), s),
        None => r.bad(word, &format!("a scheduler: `{}`", SCHEDULERS.join("`, `"))),
    }
}

/// `sh-port` and the like. COMPAT: only after `lvs_sched` of that kind.
fn scheduler_flag(r: &mut Reader<'_>, s: Statement<'_>, v: &mut Server, of: &str, bit: u32) {
    if v.scheduler.as_ref().is_some_and(|a| a.value == of) {
        v.flags |= bit;
    } else {
        let message = format!("`{}` works only after `lvs_sched {of}`", s.keyword());
        r.diags.push(Diagnostic::error(Code::CONFLICT, s.span(), message).label("ignored"));
    }
}

/// The kernel's name of a persistence engine (IP_VS_PENAME_MAXLEN without its NUL).
const ENGINE_BYTES: usize = 15;

fn engine(r: &mut Reader<'_>, s: Statement<'_>, v: &mut Server) {
    let Some(word) = s.word(1) else { return };
    match r.text(word) {
        Some(name) if name.value.is_empty() || name.value.len() > ENGINE_BYTES => {
            r.bad(word, "a name of at most 15 bytes")
        }
        name => fill(&mut v.engine, name),
    }
}

/// COMPAT: bare is 360 s, 1 to 2678400. 0, which many files have, turns it off (keepalived rejects it, with the same result).
fn persistence(r: &mut Reader<'_>, s: Statement<'_>, v: &mut Server) {
    let Some(word) = s.word(1) else { return set(&mut v.persistence, Some(360), s) };
    let value = r.number(Some(word), 0..=2_678_400);
    if value == Some(0) {
        let message = "`persistence_timeout 0` turns persistence off, which it is by default";
        r.diags.push(Diagnostic::warning(Code::ADJUSTED, s.whole(), message).help("remove the line"));
    }
    set(&mut v.persistence, value, s);
}

fn granularity(r: &mut Reader<'_>, s: Statement<'_>, v: &mut Server) {
    let Some(word) = s.word(1) else { return };
    let value = if let Ok(mask) = word.text().parse::<Ipv4Addr>() {
        let bits = mask.to_bits();
        if bits != 0 && bits.leading_ones().saturating_add(bits.trailing_zeros()) != 32 {
            // COMPAT: keepalived 2.2.7 and the kernel take it.
            let message = format!("{mask} is a netmask with holes");
            r.diags.push(Diagnostic::warning(Code::BAD_VALUE, word.span, message));
        }
        (bits != 0).then_some(Granularity::V4(mask))
    } else {
        word.text().parse::<u8>().ok().filter(|n| (1..=128).contains(n)).map(Granularity::V6)
    };
    if value.is_none() {
        r.bad(word, "an IPv4 netmask or an IPv6 prefix from 1 to 128");
    }
    set(&mut v.granularity, value, s);
}

fn protocol(r: &mut Reader<'_>, s: Statement<'_>, v: &mut Server) {
    let Some(word) = s.word(1) else { return };
    let value = match word.text().to_ascii_uppercase().as_str() {
        "TCP" => Some(Protocol::Tcp),
        "UDP" => Some(Protocol::Udp),
        "SCTP" => Some(Protocol::Sctp),
        _ => {
            r.bad(word, "`TCP`, `UDP` or `SCTP`");
            None
        }
    };
    set(&mut v.protocol, value, s);
}

/// `IP [PORT]` from word 1 on.
pub(super) fn endpoint(r: &mut Reader<'_>, s: Statement<'_>) -> Option<(IpAddr, Option<u16>)> {
    let addr = r.ip(s.word(1)?)?;
    let port = match s.word(2) {
        Some(word) => Some(r.port(word, true)?),
        None => None,
    };
    Some((addr, port.filter(|p| *p != 0)))
}

fn sorry_server(r: &mut Reader<'_>, s: Statement<'_>, v: &mut Server) {
    let Some(sorry) = endpoint(r, s) else { return };
    if let Some(first) = &v.sorry {
        // COMPAT: keepalived 2.2.7 says nothing.
        let message = "`sorry_server` is given twice; the first one counts";
        let again = Diagnostic::warning(Code::REPEATED, s.whole(), message).label("ignored");
        r.diags.push(again.also(first.span, "the first one"));
        return;
    }
    set(&mut v.sorry, Some(sorry), s);
    v.sorry_method.clone_from(&v.method); // COMPAT: as it is so far, as for a real server
}

/// COMPAT: the two keywords about a sorry server come after it.
fn has_sorry(r: &mut Reader<'_>, s: Statement<'_>, v: &Server) -> bool {
    if v.sorry.is_none() {
        let message = format!("`{}` must come after `sorry_server`", s.keyword());
        r.diags.push(Diagnostic::error(Code::CONFLICT, s.span(), message).label("ignored"));
    }
    v.sorry.is_some()
}
