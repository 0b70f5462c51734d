//! `real_server` blocks.

use super::checker::{self, Checker, Kind, Schedule, above_zero, from_zero, retries};
use super::diag::{Code, Diagnostic};
use super::keyword::{self, Args, At, Keyword, Reader, set};
use super::script::Command;
use super::server::{Server, WEIGHT, endpoint, method};
use super::source::Span;
use super::tree::Statement;
use alloc::format;
use alloc::string::{String, ToString};
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
        schedule: Schedule::default(),
        checkers: Vec::new(),
    };
    keyword::read(r, &[REAL], "`real_server`", s.children(), &mut real); // its problems are told even if its address is wrong
    if endpoint.is_some() {
        v.reals.push(real);
    }
}

fn check(r: &mut Reader<'_>, s: Statement<'_>, real: &mut Real, kind: Kind, table: &[Keyword<Checker>]) {
    let mut checker = Checker::new(kind, s.span());
    keyword::read(r, &[table], &format!("`{}`", s.keyword()), s.children(), &mut checker);
    if kind != Kind::Tcp && checker.urls.is_empty() {
        let message = format!("`{}` has no `url` to ask for", s.keyword());
        let help = "url { path / status_code 200 }".to_string();
        r.diags
            .push(Diagnostic::error(Code::INCOMPLETE, s.span(), message).label("this checker is ignored").help(help));
        return;
    }
    if kind == Kind::Ssl {
        return unchecked(r, s);
    }
    real.checkers.push(checker);
}

/// A checker that comes with later work: the real server counts as up as far as this checker goes.
fn unchecked(r: &mut Reader<'_>, s: Statement<'_>) {
    let message = format!("`{}` is read but has no effect yet", s.keyword());
    let label = "the real server counts as up without it";
    r.diags.push(Diagnostic::warning(Code::NO_EFFECT, s.span(), message).label(label));
}

/// A checker that is not even read into yet.
const fn later_checker(name: &'static str, help: &'static str) -> Keyword<Real> {
    Keyword::new(name, Args::Flag, "", help, |r, s, _| unchecked(r, s)).block()
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
    Keyword::new("TCP_CHECK", Args::Flag, "", "a connection is made", |r, s, d: &mut Real| {
        check(r, s, d, Kind::Tcp, checker::TCP);
    })
    .block(),
    Keyword::new("HTTP_GET", Args::Flag, "", "pages are asked for", |r, s, d: &mut Real| {
        check(r, s, d, Kind::Http, checker::HTTP);
    })
    .block(),
    Keyword::new("SSL_GET", Args::Flag, "", "pages are asked for over TLS", |r, s, d: &mut Real| {
        check(r, s, d, Kind::Ssl, checker::HTTP);
    })
    .block(),
    later_checker("SMTP_CHECK", "a mail server is greeted"),
    later_checker("DNS_CHECK", "a name is asked for"),
    later_checker("UDP_CHECK", "a datagram is sent"),
    later_checker("PING_CHECK", "an echo is asked for"),
    later_checker("MISC_CHECK", "a script is run"),
    later_checker("FILE_CHECK", "a file is watched"),
    later_checker("BFD_CHECK", "a BFD session is watched"),
    Keyword::later("smtp_alert", Args::Switch, "[on|off]", "mail about it"),
    Keyword::later("snmp_name", Args::Count(1, 1), "NAME", "name in SNMP"),
];
