//! Checker blocks of a real server.

use super::value::{Value, int};
use super::writer::Writer;
use super::{Printer, http, identity, track, words};
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use ipc::config::RealIdx;
use ipc::config::check::{Checker, CheckerKind, How};
use ipc::config::probe::{Misc, Reply, Udp};
use ipc::config::vrrp::Switch;

/// Which keywords a checker has of its own; the others are those of its real server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    /// Of a connection, and times.
    Socket,
    /// Times: it connects to nothing.
    Times,
    /// None.
    Nothing,
}

/// Which keywords a kind has of its own.
fn own(kind: &CheckerKind) -> Own {
    match kind {
        CheckerKind::Tcp
        | CheckerKind::Http(_)
        | CheckerKind::Ssl(..)
        | CheckerKind::Smtp { .. }
        | CheckerKind::Dns { .. }
        | CheckerKind::Udp(_)
        | CheckerKind::Ping => Own::Socket,
        CheckerKind::Misc(_) => Own::Times,
        CheckerKind::File { .. } | CheckerKind::Bfd { .. } => Own::Nothing,
    }
}

/// A checker.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// Whose it is.
    pub real: RealIdx,
    target: SocketAddr,
    bind: Option<SocketAddr>,
    bind_if: Option<&'a str>,
    fwmark: u32,
    timeout: Duration,
    delay_loop: Duration,
    retry: u32,
    delay_before_retry: Duration,
    warmup: Duration,
    log_all_failures: Switch,
    alpha: Switch,
    kind: &'a CheckerKind,
}

impl<'a> View<'a> {
    /// Looks at one.
    pub(super) fn of(checker: &'a Checker) -> Self {
        let Checker { real, target, how, origin: _ } = checker;
        let How {
            bind,
            bind_if,
            fwmark,
            marked: _, // what fwmark means
            timeout,
            delay_loop,
            retry,
            delay_before_retry,
            warmup,
            log_all_failures,
            alpha,
            kind,
        } = &**how;
        View {
            real: *real,
            target: *target,
            bind: *bind,
            bind_if: bind_if.as_deref(),
            fwmark: *fwmark,
            timeout: *timeout,
            delay_loop: *delay_loop,
            retry: *retry,
            delay_before_retry: *delay_before_retry,
            warmup: *warmup,
            log_all_failures: *log_all_failures,
            alpha: *alpha,
            kind,
        }
    }

    /// The port of a server of a mark has a meaning for checkers alone; those that connect write it themselves.
    pub(super) fn outer_port(&self) -> Option<u16> {
        Some(self.target.port()).filter(|port| own(self.kind) != Own::Socket && *port != 0)
    }
}

impl Printer<'_> {
    /// All checkers of a real server.
    pub(super) fn checkers(self, w: &mut Writer<'_>, checkers: &[View<'_>]) -> fmt::Result {
        w.text_only(|w| outer_schedule(w, checkers))?;
        w.list("checkers", |w| checkers.iter().try_for_each(|checker| self.checker(w, checker)))
    }

    fn checker(self, w: &mut Writer<'_>, checker: &View<'_>) -> fmt::Result {
        match checker.kind {
            CheckerKind::Tcp => w.of_list("TCP_CHECK", |w| socket(w, checker)),
            CheckerKind::Http(http) => w.of_list("HTTP_GET", |w| {
                socket(w, checker)?;
                http::http(w, http)
            }),
            CheckerKind::Ssl(http, tls) => w.of_list("SSL_GET", |w| {
                socket(w, checker)?;
                http::tls(w, tls)?;
                http::http(w, http)
            }),
            CheckerKind::Smtp { helo } => w.of_list("SMTP_CHECK", |w| {
                socket(w, checker)?;
                w.field("helo_name", Value::Text(helo))
            }),
            CheckerKind::Dns { query, name } => w.of_list("DNS_CHECK", |w| {
                socket(w, checker)?;
                w.field("type", Value::Text(words::dns_type(*query)))?;
                w.field("name", Value::Text(name))
            }),
            CheckerKind::Udp(udp) => w.of_list("UDP_CHECK", |w| {
                socket(w, checker)?;
                datagram(w, udp)
            }),
            CheckerKind::Ping => w.of_list("PING_CHECK", |w| socket(w, checker)),
            CheckerKind::Misc(script) => w.of_list("MISC_CHECK", |w| {
                misc(w, script)?;
                w.json_only("connect_timeout", Value::Seconds(checker.timeout))?;
                times(w, checker)
            }),
            CheckerKind::File { file, name: _, weight } => w.of_list("FILE_CHECK", |w| {
                let name = self.check.files.at(*file).map_or("", |file| file.name.as_str());
                w.field("track_file", Value::Text(name))?;
                track::file_weight(w, *weight)?;
                w.json_only("alpha", Value::Switch(checker.alpha))
            }),
            CheckerKind::Bfd { bfd, name: _ } => w.of_list("BFD_CHECK", |w| {
                let name = self.check.bfds.at(*bfd).map_or("", |bfd| bfd.name.as_str());
                w.field("name", Value::Text(name))?;
                w.field("alpha", Value::Switch(checker.alpha))
            }),
        }
    }
}

/// Keywords of the real server that only checkers without them need.
fn outer_schedule(w: &mut Writer<'_>, checkers: &[View<'_>]) -> fmt::Result {
    if let Some(one) = checkers.iter().find(|checker| own(checker.kind) != Own::Socket) {
        w.field("connect_timeout", Value::Seconds(one.timeout))?;
    }
    if let Some(one) = checkers.iter().find(|checker| own(checker.kind) == Own::Nothing) {
        w.field("delay_loop", Value::Seconds(one.delay_loop))?;
        w.field("retry", int(one.retry))?;
        w.field("delay_before_retry", Value::Seconds(one.delay_before_retry))?;
        w.field("warmup", Value::Seconds(one.warmup))?;
    }
    Ok(())
}

/// What every checker that talks to a server has.
fn socket(w: &mut Writer<'_>, checker: &View<'_>) -> fmt::Result {
    w.field("connect_ip", Value::Shown(&checker.target.ip()))?;
    w.unless(checker.target.port() == 0, "connect_port", int(checker.target.port()))?;
    if let Some(bind) = checker.bind {
        w.field("bindto", Value::Shown(&bind.ip()))?;
        w.unless(bind.port() == 0, "bind_port", int(bind.port()))?;
    }
    w.maybe("bind_if", checker.bind_if.map(Value::Text))?;
    w.unless(checker.fwmark == 0, "fwmark", int(checker.fwmark))?;
    w.field("connect_timeout", Value::Seconds(checker.timeout))?;
    times(w, checker)
}

fn times(w: &mut Writer<'_>, checker: &View<'_>) -> fmt::Result {
    let seconds = |w: &mut Writer<'_>, keyword, time: Duration| w.field(keyword, Value::Seconds(time));
    seconds(w, "delay_loop", checker.delay_loop)?;
    w.field("retry", int(checker.retry))?;
    seconds(w, "delay_before_retry", checker.delay_before_retry)?;
    seconds(w, "warmup", checker.warmup)?;
    w.field("log_all_failures", Value::Switch(checker.log_all_failures))?;
    w.field("alpha", Value::Switch(checker.alpha))
}

fn misc(w: &mut Writer<'_>, Misc { script: _, command, run_as, timeout, dynamic }: &Misc) -> fmt::Result {
    w.field("misc_path", Value::Argv(command))?;
    if let Some(user) = run_as {
        w.statement("user", |w| identity::run_as(w, user))?;
    }
    // Whole seconds, or the `delay_loop` that counts without it.
    w.unless(timeout.subsec_nanos() != 0, "misc_timeout", Value::Seconds(*timeout))?;
    w.flag("misc_dynamic", *dynamic)
}

fn datagram(w: &mut Writer<'_>, udp: &Udp) -> fmt::Result {
    let Udp { payload, reply, min_length, max_length } = udp;
    if !payload.is_empty() {
        w.field("payload", Value::Hex(payload))?;
    }
    match reply {
        Reply::NotNeeded => w.json_only("require_reply", Value::Switch(words::switch(false)))?,
        Reply::Any => w.flag("require_reply", words::switch(true))?,
        Reply::Like { bytes, mask } => w.field("require_reply", Value::Shown(&Masked { bytes, mask }))?,
    }
    w.field("min_reply_length", int(*min_length))?;
    w.field("max_reply_length", int(*max_length))
}

/// Hexadecimal digits, `x` where any will do.
struct Masked<'a> {
    bytes: &'a [u8],
    mask: &'a [u8],
}

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (byte, mask) in self.bytes.iter().zip(self.mask) {
            for shift in [4, 0] {
                match mask >> shift & 0xf {
                    0 => f.write_str("x")?,
                    _ => write!(f, "{:x}", byte >> shift & 0xf)?,
                }
            }
        }
        Ok(())
    }
}
