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
        v.reals.push(real);
    }
}

fn check(r: &mut Reader<'_>, s: Statement<'_>, real: &mut Real, kind: Kind, tables: Tables<'_, Checker>) {
    let mut checker = Checker::new(kind, s.span());
    keyword::read(r, tables, &format!("`{}`", s.keyword()), s.children(), &mut checker);
    let missing = match kind {
        Kind::Http | Kind::Ssl if checker.urls.is_empty() => Some(("`url` to ask for", "url { path / }")),
        Kind::Misc if checker.own.command.is_none() => Some(("`misc_path` to run", "misc_path \"/path/to/script\"")),
        Kind::File if checker.own.file.is_none() => Some(("`track_file` to watch", "track_file NAME")),
        Kind::Bfd if checker.own.bfd.is_none() => Some(("`name` of a `bfd_instance`", "name NAME")),
        _ => None,
    };
    if let Some((what, help)) = missing {
        let message = format!("`{}` has no {what}", s.keyword());
        r.diags
            .push(Diagnostic::error(Code::INCOMPLETE, s.span(), message).label("this checker is ignored").help(help));
        return;
    }
    if matches!(kind, Kind::File | Kind::Bfd) {
        let message = format!("`{}` is read but has no effect yet", s.keyword());
        let label = "the real server counts as up without it";
        r.diags.push(Diagnostic::warning(Code::NO_EFFECT, s.span(), message).label(label));
    }
    real.checkers.push(checker);
}

macro_rules! checker {
    ($name:literal, $help:literal, $kind:ident, $tables:expr) => {
        Keyword::new($name, Args::Flag, "", $help, |r, s, d: &mut Real| check(r, s, d, Kind::$kind, $tables)).block()
    };
}

/// `real_server`
pub static REAL: &[Keyword<Real>] = &[
    Keyword::new("weight", Args::Count(1, 1), "INT", "share of the connections", |r, s, d| {
        set(&mut d.weight, r.number(s.word(1), 0..=WEIGHT), s);
    }),
    Keyword::new("lvs_method", Args::Some(1), "NAT|DR|TUN", "how packets reach it", |r, s, d| {
        set(&mut d.method, method(r, s), s);
    }),
    Keyword::new("lb_kind", Args::Some(1), "NAT|DR|TUN", "how packets reach it", |r, s, d| {
        set(&mut d.method, method(r, s), s);
    }),
    Keyword::new("uthreshold", Args::Count(1, 1), "INT", "most connections", |r, s, d| {
        set(&mut d.upper, r.number(s.word(1), 0..=i64::from(u32::MAX)), s);
    }),
    Keyword::new("lthreshold", Args::Count(1, 1), "INT", "connections below which it takes more", |r, s, d| {
        set(&mut d.lower, r.number(s.word(1), 0..=i64::from(u32::MAX)), s);
    }),
    Keyword::new("inhibit_on_failure", Args::Switch, "[on|off]", "weight 0 instead of removal", |r, s, d| {
        d.inhibit = r.switch(s).or(d.inhibit);
    }),
    Keyword::new("notify_up", Args::Script, "COMMAND [USER [GROUP]]", "run when it is up", |r, s, d| {
        if let Some(command) = r.command(s) {
            r.first(&mut d.notify_up, s, command);
        }
    }),
    Keyword::new("notify_down", Args::Script, "COMMAND [USER [GROUP]]", "run when it is down", |r, s, d| {
        if let Some(command) = r.command(s) {
            r.first(&mut d.notify_down, s, command);
        }
    }),
    Keyword::new("alpha", Args::Switch, "[on|off]", "starts as failed", |r, s, d| d.alpha = r.switch(s).or(d.alpha)),
    Keyword::new("virtualhost", Args::Count(1, 1), "NAME", "Host header of HTTP_GET", |r, s, d| {
        d.host = s.word(1).and_then(|w| r.text(w)).or(d.host.take());
    }),
    Keyword::new("retry", Args::Count(1, 1), "INT", "failures that are put up with", |r, s, d| {
        set(&mut d.schedule.retry, retries(r, s, 1), s);
    }),
    Keyword::new("delay_before_retry", Args::Count(1, 1), "SECONDS", "after a failure", |r, s, d| {
        set(&mut d.schedule.delay_before_retry, from_zero(r, s), s);
    }),
    Keyword::new("warmup", Args::Count(1, 1), "SECONDS", "spreads the first checks", |r, s, d| {
        set(&mut d.schedule.warmup, from_zero(r, s), s);
    }),
    Keyword::new("connect_timeout", Args::Count(1, 1), "SECONDS", "time for each step of a check", |r, s, d| {
        set(&mut d.schedule.timeout, above_zero(r, s), s);
    }),
    Keyword::new("delay_loop", Args::Count(1, 1), "SECONDS", "between checks", |r, s, d| {
        set(&mut d.schedule.delay_loop, above_zero(r, s), s);
    }),
    checker!("TCP_CHECK", "a connection is made", Tcp, checker::TCP),
    checker!("HTTP_GET", "pages are asked for", Http, checker::HTTP),
    checker!("SSL_GET", "pages are asked for over TLS", Ssl, checker::HTTP),
    checker!("SMTP_CHECK", "a mail server is greeted", Smtp, checker_own::SMTP),
    checker!("DNS_CHECK", "a name is asked for", Dns, checker_own::DNS),
    checker!("UDP_CHECK", "a datagram is sent", Udp, checker_own::UDP),
    checker!("PING_CHECK", "an echo is asked for", Ping, checker::TCP),
    checker!("MISC_CHECK", "a script is run", Misc, checker_own::MISC),
    checker!("FILE_CHECK", "a file is watched", File, checker_own::FILE),
    checker!("BFD_CHECK", "a BFD session is watched", Bfd, checker_own::BFD),
    Keyword::switch("smtp_alert", "mail about it", |r, s, d: &mut Real| d.smtp_alert = r.switch(s).or(d.smtp_alert))
        .not_yet(),
    Keyword::new("snmp_name", Args::Count(1, 1), "NAME", "name in SNMP", |r, s, d: &mut Real| {
        fill(&mut d.snmp_name, s.word(1).and_then(|w| r.text(w)).map(|n| n.value));
    })
    .not_yet(),
];
