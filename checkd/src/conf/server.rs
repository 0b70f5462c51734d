//! `virtual_server` blocks.

use super::checker::{Schedule, above_zero, from_zero, retries};
use super::diag::{Code, Diagnostic};
use super::global_vrrp::fill;
use super::keyword::{self, Args, At, Keyword, Reader, set};
use super::method::method;
use super::real::{Real, real_server};
use super::script::Command;
use super::source::Span;
use super::tree::{Statement, Word};
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

/// Schedulers. COMPAT: keepalived 2.4.3, keywords §13: other names are rejected.
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
}

/// COMPAT: the two keywords about a sorry server come after it.
fn has_sorry(r: &mut Reader<'_>, s: Statement<'_>, v: &Server) -> bool {
    if v.sorry.is_none() {
        let message = format!("`{}` must come after `sorry_server`", s.keyword());
        r.diags.push(Diagnostic::error(Code::CONFLICT, s.span(), message).label("ignored"));
    }
    v.sorry.is_some()
}

/// `virtual_server`
pub static SERVER: &[Keyword<Server>] = &[
    Keyword::new(
        "ip_family",
        Args::Count(1, 1),
        "inet|inet6",
        "the address family of a service by firewall mark",
        |r, s, v: &mut Server| match s.word(1).map(Word::text) {
            Some("inet") => set(&mut v.family, Some(Family::V4), s),
            Some("inet6") => set(&mut v.family, Some(Family::V6), s),
            _ => {
                if let Some(word) = s.word(1) {
                    r.bad(word, "`inet` or `inet6`");
                }
            }
        },
    )
    .or("that of its real servers"),
    Keyword::new(
        "lvs_sched",
        Args::Count(1, 1),
        "rr|wrr|lc|wlc|…",
        "how connections are spread over the real servers; the names are those of ipvsadm(8)",
        scheduler,
    )
    .or("wlc"),
    Keyword::new(
        "lb_algo",
        Args::Count(1, 1),
        "rr|wrr|lc|wlc|…",
        "how connections are spread over the real servers; another name of lvs_sched",
        scheduler,
    )
    .or("wlc"),
    Keyword::flag("ops", "each UDP packet is scheduled by itself", |_, s, v: &mut Server| {
        v.one_packet = Some(s.span())
    }),
    Keyword::flag("flag-1", "the first flag of the scheduler", |_, _, v: &mut Server| v.flags |= SCHED_FLAGS[0]),
    Keyword::flag("flag-2", "the second flag of the scheduler", |_, _, v: &mut Server| v.flags |= SCHED_FLAGS[1]),
    Keyword::flag("flag-3", "the third flag of the scheduler", |_, _, v: &mut Server| v.flags |= SCHED_FLAGS[2]),
    Keyword::flag(
        "sh-fallback",
        "with lvs_sched sh: a client whose server has weight 0 gets another one",
        |r, s, v: &mut Server| {
            scheduler_flag(r, s, v, "sh", SCHED_FLAGS[0]);
        },
    ),
    Keyword::flag("sh-port", "with lvs_sched sh: the port of the client counts too", |r, s, v: &mut Server| {
        scheduler_flag(r, s, v, "sh", SCHED_FLAGS[1])
    }),
    Keyword::flag(
        "mh-fallback",
        "with lvs_sched mh: a client whose server has weight 0 gets another one",
        |r, s, v: &mut Server| {
            scheduler_flag(r, s, v, "mh", SCHED_FLAGS[0]);
        },
    ),
    Keyword::flag("mh-port", "with lvs_sched mh: the port of the client counts too", |r, s, v: &mut Server| {
        scheduler_flag(r, s, v, "mh", SCHED_FLAGS[1])
    }),
    Keyword::new(
        "lvs_method",
        Args::Some(1),
        "NAT|DR|TUN",
        "how packets reach the real servers; TUN takes type ipip|gue|gre, port N and nocsum|csum|remcsum",
        |r, s, v: &mut Server| {
            set(&mut v.method, method(r, s), s);
        },
    )
    .or("NAT"),
    Keyword::new(
        "lb_kind",
        Args::Some(1),
        "NAT|DR|TUN",
        "how packets reach the real servers; another name of lvs_method",
        |r, s, v: &mut Server| {
            set(&mut v.method, method(r, s), s);
        },
    )
    .or("NAT"),
    Keyword::new(
        "persistence_timeout",
        Args::Count(0, 1),
        "SECONDS",
        "how long a client stays with its server; 0: it does not",
        persistence,
    )
    .or("0, alone 360"),
    Keyword::new(
        "persistence_granularity",
        Args::Count(1, 1),
        "NETMASK",
        "the part of a client's address that counts: a netmask for IPv4, a prefix length for IPv6",
        granularity,
    )
    .or("all of it"),
    Keyword::new(
        "protocol",
        Args::Count(1, 1),
        "TCP|UDP|SCTP",
        "the protocol of the service; not for firewall marks",
        protocol,
    )
    .or("UDP"),
    Keyword::new(
        "delay_loop",
        Args::Count(1, 1),
        "SECONDS",
        "the time between two checks of a real server",
        |r, s, v: &mut Server| {
            set(&mut v.schedule.delay_loop, above_zero(r, s), s);
        },
    )
    .or("60"),
    Keyword::new(
        "connect_timeout",
        Args::Count(1, 1),
        "SECONDS",
        "how long each step of a check may take",
        |r, s, v: &mut Server| {
            set(&mut v.schedule.timeout, above_zero(r, s), s);
        },
    )
    .or("5"),
    Keyword::new(
        "retry",
        Args::Count(1, 1),
        "INT",
        "how many failures are put up with before a real server counts as down",
        |r, s, v: &mut Server| {
            set(&mut v.schedule.retry, retries(r, s, 1), s);
        },
    )
    .or("that of the checker"),
    Keyword::new(
        "delay_before_retry",
        Args::Count(1, 1),
        "SECONDS",
        "the time to the next check after a failure",
        |r, s, v: &mut Server| {
            set(&mut v.schedule.delay_before_retry, from_zero(r, s), s);
        },
    )
    .or("that of the checker"),
    Keyword::new(
        "warmup",
        Args::Count(1, 1),
        "SECONDS",
        "the first checks are spread over this time",
        |r, s, v: &mut Server| {
            set(&mut v.schedule.warmup, from_zero(r, s), s);
        },
    )
    .or("that of delay_loop"),
    Keyword::new(
        "weight",
        Args::Count(1, 1),
        "INT from 1",
        "the weight of real servers that name none",
        |r, s, v: &mut Server| {
            set(&mut v.weight, r.number(s.word(1), 1..=WEIGHT), s);
        },
    )
    .or("1"),
    Keyword::new(
        "inhibit_on_failure",
        Args::Switch,
        "[on|off]",
        "a real server that is down keeps its entry, with weight 0",
        |r, s, v: &mut Server| {
            v.inhibit = r.switch(s).unwrap_or(v.inhibit);
        },
    )
    .or("off"),
    Keyword::new(
        "alpha",
        Args::Switch,
        "[on|off]",
        "real servers count as down until they have been checked",
        |r, s, v: &mut Server| {
            v.alpha = r.switch(s).unwrap_or(v.alpha);
        },
    )
    .or("off"),
    Keyword::new(
        "omega",
        Args::Switch,
        "[on|off]",
        "notify_down and quorum_down also run when the daemon stops",
        |r, s, v: &mut Server| {
            v.omega = r.switch(s).unwrap_or(v.omega);
        },
    )
    .or("off"),
    Keyword::new(
        "quorum",
        Args::Count(1, 1),
        "INT from 1",
        "how much weight must be up for the service to be up",
        |r, s, v: &mut Server| {
            set(&mut v.quorum, r.number(s.word(1), 1..=i64::from(u32::MAX)), s);
        },
    )
    .or("1"),
    Keyword::new(
        "hysteresis",
        Args::Count(1, 1),
        "INT",
        "how much more than quorum it takes to gain it, and how much less to lose it",
        |r, s, v: &mut Server| {
            set(&mut v.hysteresis, r.number(s.word(1), 0..=i64::from(u32::MAX)), s);
        },
    )
    .or("0"),
    Keyword::new(
        "quorum_up",
        Args::Script,
        "COMMAND [USER [GROUP]]",
        "a command that is run when the service has come up",
        |r, s, v: &mut Server| {
            if let Some(command) = r.command(s) {
                r.first(&mut v.quorum_up, s, command);
            }
        },
    ),
    Keyword::new(
        "quorum_down",
        Args::Script,
        "COMMAND [USER [GROUP]]",
        "a command that is run when the service has gone down",
        |r, s, v: &mut Server| {
            if let Some(command) = r.command(s) {
                r.first(&mut v.quorum_down, s, command);
            }
        },
    ),
    Keyword::new(
        "virtualhost",
        Args::Count(1, 1),
        "NAME",
        "the Host header of HTTP_GET and SSL_GET",
        |r, s, v: &mut Server| {
            v.host = s.word(1).and_then(|w| r.text(w)).or(v.host.take());
        },
    ),
    // Holdfast's own: keepalived takes out at once what a reload removes.
    Keyword::new(
        "drain_on_removal",
        Args::Count(1, 1),
        "SECONDS",
        "a real server or service that a reload removes first gets weight 0 for this time",
        |r, s, v: &mut Server| {
            set(&mut v.drain, above_zero(r, s), s);
        },
    )
    .or("no time"),
    Keyword::new(
        "sorry_server",
        Args::Count(1, 2),
        "IP [PORT]",
        "the server that answers while the quorum is lost",
        sorry_server,
    ),
    Keyword::flag(
        "sorry_server_inhibit",
        "the sorry server has an entry at all times, with weight 0 while it is not needed",
        |r, s, v: &mut Server| {
            if has_sorry(r, s, v) {
                v.sorry_inhibit = Switch::On;
            }
        },
    ),
    Keyword::new(
        "sorry_server_lvs_method",
        Args::Some(1),
        "NAT|DR|TUN",
        "how packets reach the sorry server",
        |r, s, v: &mut Server| {
            if has_sorry(r, s, v) {
                set(&mut v.sorry_method, method(r, s), s);
            }
        },
    )
    .or("that of lvs_method"),
    Keyword::new(
        "real_server",
        Args::Count(1, 2),
        "IP [PORT]",
        "a server that clients are sent to; without a port that of the service",
        real_server,
    )
    .block(),
    Keyword::switch(
        "ha_suspend",
        "nothing is checked while this machine does not have the service's address",
        |r, s, v: &mut Server| {
            let value = r.switch(s);
            v.ha_suspend = value.map(|on| At::new(on, s.whole())).or(v.ha_suspend.take());
        },
    )
    .or("off")
    .not_yet(),
    Keyword::switch("smtp_alert", "mail when the service comes up or goes down", |r, s, v: &mut Server| {
        v.smtp_alert = r.switch(s).or(v.smtp_alert)
    })
    .or("that of smtp_alert_checker")
    .not_yet(),
    Keyword::new(
        "persistence_engine",
        Args::Count(1, 1),
        "NAME",
        "what finds the client in the payload, such as sip",
        engine,
    ),
    Keyword::new("snmp_name", Args::Count(1, 1), "NAME", "the name of the service in SNMP", |r, s, v: &mut Server| {
        fill(&mut v.snmp_name, s.word(1).and_then(|w| r.text(w)).map(|n| n.value));
    })
    .not_yet(),
    Keyword::flag("hashed", "has no effect, in keepalived either", |r, s, v: &mut Server| {
        // COMPAT: keepalived 2.4.3, keywords §13: an error of its own unless the scheduler hashes.
        let hashes = v.scheduler.as_ref().is_some_and(|a| matches!(a.value, "sh" | "mh"));
        let message =
            if hashes { "`hashed` is an old word without effect" } else { "`hashed` is for `lvs_sched sh` and `mh`" };
        r.diags.push(Diagnostic::warning(Code::DEPRECATED, s.span(), message).help("remove the line"));
    }),
];
