//! Checker blocks of a `real_server`.

use super::checker_own::{NOTHING, Own};
use super::http::Url;
use super::keyword::{Args, At, Keyword, Reader, Tables, set};
use super::source::Span;
use super::tree::Statement;
use super::value::{micros, secs};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::check::HttpProtocol;
use ipc::config::probe::Tls;
use ipc::config::vrrp::Switch;

/// What kind of checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `TCP_CHECK`
    Tcp,
    /// `HTTP_GET`
    Http,
    /// `SSL_GET`
    Ssl,
    /// `SMTP_CHECK`
    Smtp,
    /// `DNS_CHECK`
    Dns,
    /// `UDP_CHECK`
    Udp,
    /// `PING_CHECK`
    Ping,
    /// `MISC_CHECK`
    Misc,
    /// `FILE_CHECK`
    File,
    /// `BFD_CHECK`
    Bfd,
}

/// When a checker runs; set at the checker, the real server or the virtual server, the innermost counts.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// `connect_timeout`
    pub timeout: Option<At<Duration>>,
    /// `delay_loop`
    pub delay_loop: Option<At<Duration>>,
    /// `retry`
    pub retry: Option<At<u32>>,
    /// `delay_before_retry`
    pub delay_before_retry: Option<At<Duration>>,
    /// `warmup`
    pub warmup: Option<At<Duration>>,
}

/// The schedules of a checker, its real server and its virtual server; of each setting the first one counts.
#[derive(Clone, Copy)]
pub struct Schedules<'a>(pub [&'a Schedule; 3]);

impl<'a> Schedules<'a> {
    /// `connect_timeout`
    pub fn timeout(self) -> Option<&'a At<Duration>> {
        self.0.iter().find_map(|one| one.timeout.as_ref())
    }

    /// `delay_loop`
    pub fn delay_loop(self) -> Option<&'a At<Duration>> {
        self.0.iter().find_map(|one| one.delay_loop.as_ref())
    }

    /// `retry`
    pub fn retry(self) -> Option<&'a At<u32>> {
        self.0.iter().find_map(|one| one.retry.as_ref())
    }

    /// `delay_before_retry`
    pub fn delay_before_retry(self) -> Option<&'a At<Duration>> {
        self.0.iter().find_map(|one| one.delay_before_retry.as_ref())
    }

    /// `warmup`
    pub fn warmup(self) -> Option<&'a At<Duration>> {
        self.0.iter().find_map(|one| one.warmup.as_ref())
    }
}

/// Longest time in a schedule: a hundred days.
const LONGEST: Duration = secs(8_640_000);

/// A time above zero.
pub fn above_zero(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Duration> {
    r.timer(s.word(1), micros(1)..=LONGEST)
}

/// A time from zero.
pub fn from_zero(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Duration> {
    r.timer(s.word(1), micros(0)..=LONGEST)
}

/// Most retries.
const RETRIES: i64 = 1_000_000;

/// Retries; `least` is 0 in a checker and 1 elsewhere. COMPAT: keepalived 2.4.3.
pub fn retries(r: &mut Reader<'_>, s: Statement<'_>, least: i64) -> Option<u32> {
    r.number(s.word(1), least..=RETRIES)
}

/// A checker block.
#[derive(Clone, Debug)]
pub struct Checker {
    /// What kind.
    pub kind: Kind,
    /// Its first line.
    pub span: Span,
    /// `connect_ip`
    pub connect_ip: Option<At<IpAddr>>,
    /// `connect_port`
    pub connect_port: Option<At<u16>>,
    /// `bindto`
    pub bind_ip: Option<At<IpAddr>>,
    /// `bind_port`
    pub bind_port: Option<At<u16>>,
    /// `bind_if`
    pub bind_if: Option<At<String>>,
    /// `fwmark`
    pub fwmark: Option<At<u32>>,
    /// When it runs.
    pub schedule: Schedule,
    /// `alpha`
    pub alpha: Option<Switch>,
    /// `log_all_failures`
    pub log_all_failures: Option<Switch>,
    /// `http_protocol`
    pub protocol: HttpProtocol,
    /// `virtualhost`
    pub host: Option<At<String>>,
    /// `fast_recovery`
    pub fast_recovery: Switch,
    /// `url` blocks.
    pub urls: Vec<Url>,
    /// `enable_sni`, `sni_name`, `tls_compliant`, `ssl_verify`, `ssl_ca_file`
    pub tls: Tls,
    /// The file of `ssl_ca_file`.
    pub ca_file: Option<Span>,
    /// What the other kinds have of their own; in a box, for most have nothing and there may be a hundred thousand.
    own: Option<Box<Own>>,
}

impl Checker {
    /// An empty block.
    pub fn new(kind: Kind, span: Span) -> Self {
        Checker {
            kind,
            span,
            connect_ip: None,
            connect_port: None,
            bind_ip: None,
            bind_port: None,
            bind_if: None,
            fwmark: None,
            schedule: Schedule::default(),
            alpha: None,
            log_all_failures: None,
            protocol: HttpProtocol::V10,
            host: None,
            fast_recovery: Switch::Off,
            urls: Vec::new(),
            tls: Tls::default(),
            ca_file: None,
            own: None,
        }
    }

    /// What this kind has of its own.
    pub fn own(&self) -> &Own {
        self.own.as_deref().unwrap_or(&NOTHING)
    }

    /// The same, to be filled.
    pub fn own_mut(&mut self) -> &mut Own {
        self.own.get_or_insert_default()
    }
}

/// Keywords of every checker that talks to a server.
pub static SOCKET: &[Keyword<Checker>] = &[
    Keyword::new("connect_ip", Args::Count(1, 1), "IP", "the address that is checked", |r, s, c: &mut Checker| {
        set(&mut c.connect_ip, s.word(1).and_then(|w| r.ip(w)), s);
    })
    .or("that of the real server"),
    Keyword::new("connect_port", Args::Count(1, 1), "PORT", "the port that is checked", |r, s, c: &mut Checker| {
        set(&mut c.connect_port, s.word(1).and_then(|w| r.port(w, false)), s);
    })
    .or("that of the real server"),
    Keyword::new("bindto", Args::Count(1, 1), "IP", "the source address of the check", |r, s, c: &mut Checker| {
        set(&mut c.bind_ip, s.word(1).and_then(|w| r.ip(w)), s);
    }),
    Keyword::new("bind_port", Args::Count(1, 1), "PORT", "the source port of the check", |r, s, c: &mut Checker| {
        set(&mut c.bind_port, s.word(1).and_then(|w| r.port(w, false)), s);
    }),
    Keyword::new(
        "bind_if",
        Args::Count(1, 1),
        "INTERFACE",
        "the interface that the check leaves by; link-local addresses need it",
        |r, s, c: &mut Checker| {
            set(&mut c.bind_if, s.word(1).and_then(|w| r.link_name(w)).map(|n| n.value), s);
        },
    ),
    Keyword::new(
        "fwmark",
        Args::Count(1, 1),
        "INT 0..4294967295",
        "the mark of its packets, for routing rules",
        |r, s, c: &mut Checker| {
            set(&mut c.fwmark, r.number(s.word(1), 0..=i64::from(u32::MAX)), s);
        },
    )
    .or("0, which is none"),
    Keyword::new(
        "connect_timeout",
        Args::Count(1, 1),
        "SECONDS",
        "how long each step of the check may take",
        |r, s, c: &mut Checker| {
            set(&mut c.schedule.timeout, above_zero(r, s), s);
        },
    )
    .or("that of the real server"),
];

/// Keywords of every checker that has times.
pub static TIMING: &[Keyword<Checker>] = &[
    Keyword::new("delay_loop", Args::Count(1, 1), "SECONDS", "the time between two checks", |r, s, c: &mut Checker| {
        set(&mut c.schedule.delay_loop, above_zero(r, s), s);
    })
    .or("that of the real server"),
    Keyword::new(
        "retry",
        Args::Count(1, 1),
        "INT",
        "how many failures are put up with before the real server counts as down",
        |r, s, c: &mut Checker| {
            set(&mut c.schedule.retry, retries(r, s, 0), s);
        },
    )
    .or("that of the real server, else 1; DNS_CHECK 3, MISC_CHECK 0"),
    // COMPAT: `retry` of HTTP_GET in old files. keepalived does not know it in a TCP_CHECK, where nearly every file on
    // the web has it; it means the same there.
    Keyword::new(
        "nb_get_retry",
        Args::Count(1, 1),
        "INT",
        "how many failures are put up with before the real server counts as down",
        |r, s, c: &mut Checker| {
            set(&mut c.schedule.retry, retries(r, s, 0), s);
        },
    )
    .old_name_of("retry"),
    Keyword::new(
        "delay_before_retry",
        Args::Count(1, 1),
        "SECONDS",
        "the time to the next check after a failure",
        |r, s, c: &mut Checker| {
            set(&mut c.schedule.delay_before_retry, from_zero(r, s), s);
        },
    )
    .or("that of the real server, else 1; HTTP_GET 3, DNS_CHECK delay_loop"),
    Keyword::new(
        "warmup",
        Args::Count(1, 1),
        "SECONDS",
        "the first checks are spread over this time",
        |r, s, c: &mut Checker| {
            set(&mut c.schedule.warmup, from_zero(r, s), s);
        },
    )
    .or("that of the real server"),
    Keyword::new(
        "alpha",
        Args::Switch,
        "[on|off]",
        "the checker counts as failed until it has succeeded",
        |r, s, c: &mut Checker| {
            c.alpha = r.switch(s).or(c.alpha);
        },
    )
    .or("that of the real server"),
    Keyword::new(
        "log_all_failures",
        Args::Switch,
        "[on|off]",
        "each failure of a server that is up is logged, not only the last one",
        |r, s, c: &mut Checker| {
            c.log_all_failures = r.switch(s).or(c.log_all_failures);
        },
    )
    .or("that of checker_log_all_failures"),
];

/// `TCP_CHECK`, `PING_CHECK`
pub static TCP: Tables<'static, Checker> = &[SOCKET, TIMING];

/// `HTTP_GET`, `SSL_GET`
pub static HTTP: Tables<'static, Checker> = &[SOCKET, TIMING, super::http::HTTP];
