//! Checker blocks of a `real_server`.

use super::diag::{Code, Diagnostic};
use super::keyword::{self, Args, At, Keyword, Reader, set};
use super::source::Span;
use super::tree::{Statement, Word};
use super::value::{micros, secs};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::check::HttpProtocol;
use ipc::config::vrrp::Switch;

/// What kind of checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `TCP_CHECK`
    Tcp,
    /// `HTTP_GET`
    Http,
    /// `SSL_GET`: read, not run yet.
    Ssl,
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

impl Schedule {
    /// What is unset comes from `outer`.
    pub fn or(&self, outer: &Schedule) -> Schedule {
        Schedule {
            timeout: self.timeout.clone().or(outer.timeout.clone()),
            delay_loop: self.delay_loop.clone().or(outer.delay_loop.clone()),
            retry: self.retry.clone().or(outer.retry.clone()),
            delay_before_retry: self.delay_before_retry.clone().or(outer.delay_before_retry.clone()),
            warmup: self.warmup.clone().or(outer.warmup.clone()),
        }
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

/// Retries; `least` is 0 in a checker and 1 elsewhere. COMPAT: keepalived 2.4.3, keywords §13.
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
            schedule: Schedule::default(),
            alpha: None,
            log_all_failures: None,
            protocol: HttpProtocol::V10,
            host: None,
            fast_recovery: Switch::Off,
            urls: Vec::new(),
        }
    }
}

/// A `url` block.
#[derive(Clone, Debug)]
pub struct Url {
    /// Its first line.
    pub span: Span,
    /// `path`
    pub path: Option<At<String>>,
    /// `digest`
    pub digest: Option<[u8; 16]>,
    /// `status_code`
    pub status: Vec<(u16, u16)>,
    /// `virtualhost`
    pub host: Option<At<String>>,
}

/// Keywords of every checker, as entries of each table.
macro_rules! table {
    ($($own:expr),* $(,)?) => {
        &[
            Keyword::new("connect_ip", Args::Count(1, 1), "IP", "instead of the real server's", |r, s, c| {
                set(&mut c.connect_ip, s.word(1).and_then(|w| r.ip(w)), s);
            }),
            Keyword::new("connect_port", Args::Count(1, 1), "PORT", "instead of the real server's", |r, s, c| {
                set(&mut c.connect_port, s.word(1).and_then(|w| r.port(w, false)), s);
            }),
            Keyword::new("bindto", Args::Count(1, 1), "IP", "source address", |r, s, c| {
                set(&mut c.bind_ip, s.word(1).and_then(|w| r.ip(w)), s);
            }),
            Keyword::new("bind_port", Args::Count(1, 1), "PORT", "source port", |r, s, c| {
                set(&mut c.bind_port, s.word(1).and_then(|w| r.port(w, false)), s);
            }),
            Keyword::later("bind_if", Args::Count(1, 1), "INTERFACE", "by which it leaves"),
            Keyword::later("fwmark", Args::Count(1, 1), "INT", "mark of its packets"),
            Keyword::new("connect_timeout", Args::Count(1, 1), "SECONDS", "time for each step", |r, s, c| {
                set(&mut c.schedule.timeout, above_zero(r, s), s);
            }),
            Keyword::new("delay_loop", Args::Count(1, 1), "SECONDS", "between checks", |r, s, c| {
                set(&mut c.schedule.delay_loop, above_zero(r, s), s);
            }),
            Keyword::new("retry", Args::Count(1, 1), "INT", "failures that are put up with", |r, s, c| {
                set(&mut c.schedule.retry, retries(r, s, 0), s);
            }),
            // COMPAT: `retry` of HTTP_GET in old files. keepalived does not know it in a TCP_CHECK, where nearly every file on
            // the web has it; it means the same there.
            Keyword::new("nb_get_retry", Args::Count(1, 1), "INT", "failures that are put up with", |r, s, c: &mut Checker| {
                set(&mut c.schedule.retry, retries(r, s, 0), s);
            })
            .old_name_of("retry"),
            Keyword::new("delay_before_retry", Args::Count(1, 1), "SECONDS", "after a failure", |r, s, c| {
                set(&mut c.schedule.delay_before_retry, from_zero(r, s), s);
            }),
            Keyword::new("warmup", Args::Count(1, 1), "SECONDS", "spreads the first checks", |r, s, c| {
                set(&mut c.schedule.warmup, from_zero(r, s), s);
            }),
            Keyword::new("alpha", Args::Switch, "[on|off]", "starts as failed", |r, s, c| {
                c.alpha = r.switch(s).or(c.alpha);
            }),
            Keyword::new("log_all_failures", Args::Switch, "[on|off]", "each failure is logged", |r, s, c| {
                c.log_all_failures = r.switch(s).or(c.log_all_failures);
            }),
            $($own),*
        ]
    };
}

/// `TCP_CHECK`
pub static TCP: &[Keyword<Checker>] = table![];

/// `HTTP_GET` and `SSL_GET`
pub static HTTP: &[Keyword<Checker>] = table![
    Keyword::new("http_protocol", Args::Count(1, 1), "1.0|1.0C|1.1", "version of the request", protocol),
    Keyword::new("virtualhost", Args::Count(1, 1), "NAME", "Host header", |r, s, c| {
        c.host = s.word(1).and_then(|w| r.text(w)).or(c.host.take());
    }),
    Keyword::new("fast_recovery", Args::Switch, "[on|off]", "urls without pause while down", |r, s, c| {
        c.fast_recovery = r.switch(s).unwrap_or(c.fast_recovery);
    }),
    Keyword::new("url", Args::Flag, "", "what is asked for", url).block(),
    Keyword::later("enable_sni", Args::Switch, "[on|off]", "server name in TLS"),
    Keyword::later("sni_name", Args::Count(0, 1), "[NAME]", "server name in TLS"),
    Keyword::later("tls_compliant", Args::Switch, "[on|off]", "as the TLS standard has it"),
];

fn protocol(r: &mut Reader<'_>, s: Statement<'_>, c: &mut Checker) {
    match s.word(1).map(Word::text) {
        Some("1.0") => c.protocol = HttpProtocol::V10,
        Some("1.0C" | "1.0c") => c.protocol = HttpProtocol::V10Close,
        Some("1.1") => c.protocol = HttpProtocol::V11,
        _ => {
            if let Some(word) = s.word(1) {
                r.bad(word, "1.0, 1.0C or 1.1");
            }
        }
    }
}

/// `url`
pub static URL: &[Keyword<Url>] = &[
    Keyword::new("path", Args::Count(1, 1), "PATH", "what follows the host", path),
    Keyword::new("digest", Args::Count(1, 1), "HEX", "MD5 of the page", |r, s, u| {
        let Some(word) = s.word(1) else { return };
        match digest(word.bytes) {
            Some(digest) => u.digest = Some(digest),
            None => r.bad(word, "an MD5 digest of 32 hexadecimal digits"),
        }
    }),
    Keyword::new("status_code", Args::Some(1), "N[-N] …", "answers that are right", |r, s, u| {
        for word in s.words(1) {
            u.status.extend(status(r, word));
        }
    }),
    Keyword::new("virtualhost", Args::Count(1, 1), "NAME", "Host header", |r, s, u| {
        u.host = s.word(1).and_then(|w| r.text(w)).or(u.host.take());
    }),
    Keyword::later("regex", Args::Some(1), "PATTERN", "what the page must match"),
    Keyword::later("regex_no_match", Args::Flag, "", "what it must not match"),
    Keyword::later("regex_options", Args::Some(1), "WORD …", "how it is matched"),
    Keyword::later("regex_stack", Args::Count(2, 2), "START MAX", "memory of the match"),
    Keyword::later("regex_min_offset", Args::Count(1, 1), "N", "where the match may begin"),
    Keyword::later("regex_max_offset", Args::Count(1, 1), "N", "where the match may begin"),
    Keyword::later("tls_compliant", Args::Switch, "[on|off]", "as the TLS standard has it"),
];

/// Sent as it is, so it may hold nothing that ends a request line.
fn path(r: &mut Reader<'_>, s: Statement<'_>, u: &mut Url) {
    let Some(word) = s.word(1) else { return };
    let Some(text) = r.text(word) else { return };
    if text.value.contains(' ') {
        r.bad(word, "a path without blanks (write %20)");
        return;
    }
    if !text.value.starts_with('/') {
        r.diags.push(
            Diagnostic::warning(Code::ADJUSTED, word.span, "a path that does not start with `/` is sent as it is")
                .patch(word.span, format!("/{}", text.value)),
        );
    }
    u.path = Some(text);
}

fn digest(hex: &[u8]) -> Option<[u8; 16]> {
    let mut digest = [0; 16];
    if hex.len() != 32 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
        let pair = core::str::from_utf8(pair).ok().filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(digest)
}

/// `N` or `N-M`, 100 to 599.
fn status(r: &mut Reader<'_>, word: Word<'_>) -> Option<(u16, u16)> {
    let (low, high) = word.text().split_once('-').unwrap_or((word.text(), word.text()));
    let code = |t: &str| t.parse::<u16>().ok().filter(|n| (100..=599).contains(n));
    match (code(low), code(high)) {
        (Some(low), Some(high)) if low <= high => Some((low, high)),
        _ => {
            r.bad(word, "a status code from 100 to 599 or a range of them");
            None
        }
    }
}

fn url(r: &mut Reader<'_>, s: Statement<'_>, c: &mut Checker) {
    let mut url = Url { span: s.span(), path: None, digest: None, status: Vec::new(), host: None };
    keyword::read(r, &[URL], "`url`", s.children(), &mut url);
    if url.path.is_none() {
        // COMPAT: keepalived ignores a url without path.
        let message = "this `url` has no `path`";
        r.diags.push(Diagnostic::error(Code::INCOMPLETE, url.span, message).label("ignored").help("path /"));
        return;
    }
    c.urls.push(url);
}
