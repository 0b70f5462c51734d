//! `real_server` blocks.

use super::checker::{self, Checker, Kind, Schedule, above_zero, from_zero, retries};
use super::checker_own;
use super::diag::{Code, Diagnostic};
use super::global_vrrp::fill;
use super::keyword::{self, Args, At, Keyword, Reader, Tables, set};
use super::method::method;
use super::script::Command;
use super::server::{Server, WEIGHT, endpoint};
use super::source::Span;
use super::tree::Statement;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use ipc::config::ipvs::Method;
use ipc::config::vrrp::Switch;

/// A `real_server` block.
#[derive(Clone, Debug)]
pub struct Real {
    /// Its address.
    pub addr: IpAddr,
    /// Its port; `None` or 0: the service's.
    pub port: Option<u16>,
    /// Its first line.
    pub span: Span,
    /// `weight`
    pub weight: Option<At<u32>>,
    /// `lvs_method`
    pub method: Option<At<Method>>,
    /// `uthreshold`
    pub upper: Option<At<u32>>,
    /// `lthreshold`
    pub lower: Option<At<u32>>,
    /// `inhibit_on_failure`
    pub inhibit: Option<Switch>,
    /// `notify_up`
    pub notify_up: Option<At<Command>>,
    /// `notify_down`
    pub notify_down: Option<At<Command>>,
    /// `alpha`
    pub alpha: Option<Switch>,
    /// `virtualhost`
    pub host: Option<At<String>>,
    /// `smtp_alert`
    pub smtp_alert: Option<Switch>,
    /// `snmp_name`
    pub snmp_name: Option<String>,
    /// When checkers run.
    pub schedule: Schedule,
    /// Its checkers.
    pub checkers: Vec<Checker>,
}

/// `real_server IP [PORT] { … }`
pub(super) fn real_server(r: &mut Reader<'_>, s: Statement<'_>, v: &mut Server) {
    let endpoint = endpoint(r, s);
    let (addr, port) = endpoint.unwrap_or((IpAddr::V4(Ipv4Addr::UNSPECIFIED), None));
    let mut real = Real {
        addr,
        port,
        span: s.whole(),
        weight: None,
        method: None,
        upper: None,
        lower: None,
        inhibit: None,
        notify_up: None,
        notify_down: None,
        alpha: None,
        host: None,
        smtp_alert: None,
        snmp_name: None,
        schedule: Schedule::default(),
        checkers: Vec::new(),
    };
    keyword::read(r, &[REAL], "`real_server`", s.children(), &mut real); // its problems are told even if its address is wrong
    if endpoint.is_some() {
        // COMPAT: the service's method so far; one that follows is for the servers that follow.
        real.method = real.method.or_else(|| v.method.clone());
        v.reals.push(real);
    }
}

fn check(
    r: &mut Reader<'_>,
    s: Statement<'_>,
    real: &mut Real,
    (kind, owner): (Kind, &str),
    tables: Tables<'_, Checker>,
) {
    let mut checker = Checker::new(kind, s.span());
    keyword::read(r, tables, owner, s.children(), &mut checker);
    let missing = match kind {
        Kind::Http | Kind::Ssl if checker.urls.is_empty() => Some(("`url` to ask for", "url { path / }")),
        Kind::Misc if checker.own().command.is_none() => Some(("`misc_path` to run", "misc_path \"/path/to/script\"")),
        Kind::File if checker.own().file.is_none() => Some(("`track_file` to watch", "track_file NAME")),
        Kind::Bfd if checker.own().bfd.is_none() => Some(("`name` of a `bfd_instance`", "name NAME")),
        _ => None,
    };
    if let Some((what, help)) = missing {
        let message = format!("`{}` has no {what}", s.keyword());
        r.diags
            .push(Diagnostic::error(Code::INCOMPLETE, s.span(), message).label("this checker is ignored").help(help));
        return;
    }
    if real.checkers.is_empty() {
        real.checkers.reserve_exact(1); // there is seldom another one
    }
    real.checkers.push(checker);
}

macro_rules! checker {
    ($name:literal, $help:literal, $kind:ident, $tables:expr) => {
        Keyword::new($name, Args::Flag, "", $help, |r, s, d: &mut Real| {
            check(r, s, d, (Kind::$kind, concat!("`", $name, "`")), $tables)
        })
        .block()
    };
}

/// `real_server`
pub static REAL: &[Keyword<Real>] = &[
    Keyword::new(
        "weight",
        Args::Count(1, 1),
        "INT",
        "the share of the connections; 0: no new ones",
        |r, s, d: &mut Real| {
            set(&mut d.weight, r.number(s.word(1), 0..=WEIGHT), s);
        },
    )
    .or("that of the service"),
    Keyword::new("lvs_method", Args::Some(1), "NAT|DR|TUN", "how packets reach it", |r, s, d: &mut Real| {
        set(&mut d.method, method(r, s), s);
    })
    .or("that of the service"),
    Keyword::new(
        "lb_kind",
        Args::Some(1),
        "NAT|DR|TUN",
        "how packets reach it; another name of lvs_method",
        |r, s, d: &mut Real| {
            set(&mut d.method, method(r, s), s);
        },
    )
    .or("that of the service"),
    Keyword::new(
        "uthreshold",
        Args::Count(1, 1),
        "INT",
        "how many connections it gets at most",
        |r, s, d: &mut Real| {
            set(&mut d.upper, r.number(s.word(1), 0..=i64::from(u32::MAX)), s);
        },
    )
    .or("any number"),
    Keyword::new(
        "lthreshold",
        Args::Count(1, 1),
        "INT",
        "below how many connections it gets new ones again after that",
        |r, s, d: &mut Real| {
            set(&mut d.lower, r.number(s.word(1), 0..=i64::from(u32::MAX)), s);
        },
    ),
    Keyword::new(
        "inhibit_on_failure",
        Args::Switch,
        "[on|off]",
        "when it is down it keeps its entry, with weight 0",
        |r, s, d: &mut Real| {
            d.inhibit = r.switch(s).or(d.inhibit);
        },
    )
    .or("that of the service"),
    Keyword::new(
        "notify_up",
        Args::Script,
        "COMMAND [USER [GROUP]]",
        "a command that is run when it has come up",
        |r, s, d: &mut Real| {
            if let Some(command) = r.command(s) {
                r.first(&mut d.notify_up, s, command);
            }
        },
    ),
    Keyword::new(
        "notify_down",
        Args::Script,
        "COMMAND [USER [GROUP]]",
        "a command that is run when it has gone down",
        |r, s, d: &mut Real| {
            if let Some(command) = r.command(s) {
                r.first(&mut d.notify_down, s, command);
            }
        },
    ),
    Keyword::new(
        "alpha",
        Args::Switch,
        "[on|off]",
        "it counts as down until it has been checked",
        |r, s, d: &mut Real| d.alpha = r.switch(s).or(d.alpha),
    )
    .or("that of the service"),
    Keyword::new(
        "virtualhost",
        Args::Count(1, 1),
        "NAME",
        "the Host header of HTTP_GET and SSL_GET",
        |r, s, d: &mut Real| {
            d.host = s.word(1).and_then(|w| r.text(w)).or(d.host.take());
        },
    )
    .or("that of the service"),
    Keyword::new(
        "retry",
        Args::Count(1, 1),
        "INT",
        "how many failures are put up with before it counts as down",
        |r, s, d: &mut Real| {
            set(&mut d.schedule.retry, retries(r, s, 1), s);
        },
    )
    .or("that of the service"),
    Keyword::new(
        "delay_before_retry",
        Args::Count(1, 1),
        "SECONDS",
        "the time to the next check after a failure",
        |r, s, d: &mut Real| {
            set(&mut d.schedule.delay_before_retry, from_zero(r, s), s);
        },
    )
    .or("that of the service"),
    Keyword::new(
        "warmup",
        Args::Count(1, 1),
        "SECONDS",
        "the first checks are spread over this time",
        |r, s, d: &mut Real| {
            set(&mut d.schedule.warmup, from_zero(r, s), s);
        },
    )
    .or("that of the service"),
    Keyword::new(
        "connect_timeout",
        Args::Count(1, 1),
        "SECONDS",
        "how long each step of a check may take",
        |r, s, d: &mut Real| {
            set(&mut d.schedule.timeout, above_zero(r, s), s);
        },
    )
    .or("that of the service"),
    Keyword::new("delay_loop", Args::Count(1, 1), "SECONDS", "the time between two checks", |r, s, d: &mut Real| {
        set(&mut d.schedule.delay_loop, above_zero(r, s), s);
    })
    .or("that of the service"),
    checker!("TCP_CHECK", "it is up when it accepts a connection", Tcp, checker::TCP),
    checker!("HTTP_GET", "it is up when it answers for all its pages as it should", Http, checker::HTTP),
    checker!("SSL_GET", "HTTP_GET over TLS; the certificate of the server is not verified", Ssl, checker::HTTP),
    checker!("SMTP_CHECK", "it is up when it answers HELO", Smtp, checker_own::SMTP),
    checker!("DNS_CHECK", "it is up when it answers for a name without an error", Dns, checker_own::DNS),
    checker!("UDP_CHECK", "it is up when a datagram is not refused, or answered as it should", Udp, checker_own::UDP),
    checker!("PING_CHECK", "it is up when it answers an echo request", Ping, checker::TCP),
    checker!("MISC_CHECK", "it is up when a command succeeds", Misc, checker_own::MISC),
    checker!("FILE_CHECK", "the number in a file changes its weight", File, checker_own::FILE),
    checker!("BFD_CHECK", "it is up while a BFD session is", Bfd, checker_own::BFD),
    Keyword::switch("smtp_alert", "mail when it comes up or goes down", |r, s, d: &mut Real| {
        d.smtp_alert = r.switch(s).or(d.smtp_alert)
    })
    .or("smtp_alert_checker, else on"),
    Keyword::new("snmp_name", Args::Count(1, 1), "NAME", "its name in SNMP", |r, s, d: &mut Real| {
        fill(&mut d.snmp_name, s.word(1).and_then(|w| r.text(w)).map(|n| n.value));
    })
    .not_yet(),
];
