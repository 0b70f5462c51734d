//! The words of the log. Watchers search for them: COMPAT: keepalived 2.2.7, word for word as it writes them.

use super::Action;
use crate::check::Fault;
use crate::check::http::Lengths;
use crate::check::schedule::Health;
use crate::quorum::{Quorum, gain_at, lose_below};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::check::{Checker, CheckerKind, Endpoint, Real, Service, Url};
use ipc::config::file::TrackFile;
use ipc::config::probe::Misc;
use ipc::config::vrrp::Switch;
use ipc::report::{Level, Line};

fn say(level: Level, text: String, out: &mut Vec<Action>) {
    out.push(Action::Log(Line::new(level, text)));
}

/// A checker begins.
pub(super) fn activating(service: &Service, real: &Real, out: &mut Vec<Action>) {
    say(Level::Info, format!("Activating healthchecker for service {} for VS {}", real.label, service.label), out);
}

/// A checker rests until the address of its service is here.
pub(super) fn suspending(service: &Service, real: &Real, out: &mut Vec<Action>) {
    say(Level::Info, format!("Suspending healthchecker for service {} for VS {}", real.label, service.label), out);
}

/// Said once.
pub(super) fn not_verified(checker: &Checker, out: &mut Vec<Action>) {
    let text = format!(
        "{}: SSL_GET takes any certificate, as with keepalived; `ssl_verify` or `ssl_ca_file` makes it look at them",
        checker.origin
    );
    say(Level::Info, text, out);
}

/// A service has its quorum.
pub(super) fn gained_quorum(service: &Service, weight: u64, out: &mut Vec<Action>) {
    say(Level::Notice, format!("{} for VS {}", quorum(service, Quorum::Up, weight), service.label), out);
}

/// A service has lost its quorum.
pub(super) fn lost_quorum(service: &Service, weight: u64, out: &mut Vec<Action>) {
    say(Level::Notice, format!("{} for VS {}", quorum(service, Quorum::Down, weight), service.label), out);
}

/// How a quorum was gained or lost, for the log and for mails.
pub(super) fn quorum(service: &Service, after: Quorum, weight: u64) -> String {
    match after {
        Quorum::Up => format!("Gained quorum {}", gained(service, weight)),
        Quorum::Down => {
            format!("Lost quorum {}", lost(service, weight))
        }
    }
}

/// By what a quorum was gained.
pub(super) fn gained(service: &Service, weight: u64) -> String {
    let Service { quorum, hysteresis, .. } = service;
    format!("{quorum}+{hysteresis}={} <= {weight}", gain_at(service))
}

/// By what a quorum is missed.
pub(super) fn lost(service: &Service, weight: u64) -> String {
    let Service { quorum, hysteresis, .. } = service;
    format!("{quorum}-{hysteresis}={} > {weight}", lose_below(service))
}

/// A service with a sorry server begins without its quorum.
pub(super) fn starting_without_quorum(service: &Service, weight: u64, out: &mut Vec<Action>) {
    say(Level::Notice, format!("Starting with quorum down {} for VS {}", lost(service, weight), service.label), out);
}

/// The sorry server comes in.
pub(super) fn sorry_serves(service: &Service, sorry: &str, out: &mut Vec<Action>) {
    say(Level::Notice, format!("Adding sorry server {sorry} to VS {}", service.label), out);
    say(Level::Info, format!("Removing alive servers from the pool for VS {}", service.label), out);
}

/// The sorry server goes.
pub(super) fn sorry_rests(service: &Service, sorry: &str, out: &mut Vec<Action>) {
    say(Level::Notice, format!("Removing sorry server {sorry} from VS {}", service.label), out);
    say(Level::Info, format!("Adding alive servers to the pool for VS {}", service.label), out);
}

/// A real server is up or down now.
pub(super) fn real_changed(service: &Service, real: &Real, health: Health, out: &mut Vec<Action>) {
    let (real_label, vs) = (&real.label, &service.label);
    let text = match (health, real.inhibit) {
        (Health::Up, Switch::Off) => format!("Adding service {real_label} to VS {vs}"),
        (Health::Up, Switch::On) => format!("Enabling service {real_label} of VS {vs}"),
        (Health::Down, Switch::Off) => format!("Removing service {real_label} from VS {vs}"),
        (Health::Down, Switch::On) => format!("Disabling service {real_label} of VS {vs}"),
    };
    say(Level::Notice, text, out);
}

/// A checker has changed the weight of a real server.
pub(super) fn weight_changed(
    service: &Service,
    real: &Real,
    (before, after): (u32, u32),
    health: Health,
    out: &mut Vec<Action>,
) {
    let which = if health == Health::Up { "active" } else { "inactive" };
    let (label, vs) = (&real.label, &service.label);
    say(Level::Info, format!("Changing weight from {before} to {after} for {which} service {label} of VS {vs}"), out);
}

/// A service is not in the new configuration.
pub(super) fn service_removed(service: &Service, out: &mut Vec<Action>) {
    say(Level::Notice, format!("Removing Virtual Server {}", service.label), out);
}

/// A real server is not in the new configuration, its service is.
pub(super) fn real_removed(real: &Real, out: &mut Vec<Action>) {
    say(Level::Notice, format!("service {} no longer exist", real.label), out);
}

/// A real server that served goes with its part of the configuration.
pub(super) fn removing(service: &Service, real: &Real, out: &mut Vec<Action>) {
    say(Level::Notice, format!("Removing service {} from VS {}", real.label, service.label), out);
}

/// The end: what is in the table goes.
pub(super) fn shutting_down(service: &Service, real: &Real, inhibited: bool, out: &mut Vec<Action>) {
    let how = if inhibited { " (inhibited)" } else { "" };
    say(Level::Info, format!("Shutting down{how} service {} from VS {}", real.label, service.label), out);
}

/// The server was judged well, first or again. COMPAT: keepalived 2.2.7, measured: of DNS_CHECK it says nothing.
pub(super) fn succeeded(service: &Service, real: &Real, checker: &Checker, out: &mut Vec<Action>) {
    let label = &real.label;
    let text = match &checker.kind {
        CheckerKind::Tcp => format!("TCP connection to {label} success."),
        CheckerKind::Http(_) | CheckerKind::Ssl(..) => format!("Remote Web server {label} succeed on service."),
        CheckerKind::Smtp { .. } => format!("Remote SMTP server {label} succeed on service."),
        CheckerKind::Dns { .. } => return,
        CheckerKind::Udp(_) => format!("UDP connection to {label} success."),
        CheckerKind::Ping => format!("ICMP connection to {label} success."),
        CheckerKind::Misc(misc) => format!("{} succeeded.", misc_check(service, real, misc)),
        CheckerKind::Bfd { name, .. } => format!("BFD_CHECK of {label}: session {name} is up"),
        CheckerKind::File { name, .. } => format!("({label}): tracked file {name} leaving FAULT state"),
    };
    say(Level::Info, text, out);
}

/// One URL of a server that is down gave the right answer.
pub(super) fn url_succeeded(real: &Real, url: &Url, out: &mut Vec<Action>) {
    let what = match (&url.regex, url.digest) {
        (Some(_), _) => "Regex match",
        (None, Some(_)) => "MD5 digest",
        (None, None) => "HTTP status code",
    };
    say(Level::Info, format!("{what} success to {} url({})", real.label, url.path), out);
}

/// Whether the line of the last failure is all that keepalived says when a server is given up.
pub(super) fn fault_is_the_summary(checker: &Checker) -> bool {
    matches!(checker.kind, CheckerKind::Smtp { .. } | CheckerKind::Dns { .. })
}

/// The server is given up, after `retries`. COMPAT: HTTP_GET and MISC_CHECK name the configured number even when the first failure counted.
pub(super) fn failed(
    service: &Service,
    real: &Real,
    checker: &Checker,
    (fault, retries): (Fault, u32),
    out: &mut Vec<Action>,
) {
    let label = &real.label;
    let (what, retries) = match &checker.kind {
        CheckerKind::Tcp => ("TCP_CHECK", retries),
        CheckerKind::Udp(_) => ("UDP_CHECK", retries),
        CheckerKind::Ping => ("ICMP CHECK", retries),
        CheckerKind::Http(_) | CheckerKind::Ssl(..) => ("HTTP_CHECK", checker.retry),
        CheckerKind::Smtp { .. } | CheckerKind::Dns { .. } => return,
        CheckerKind::Bfd { name, .. } => {
            return say(Level::Notice, format!("BFD_CHECK of {label} failed: session {name} is down"), out);
        }
        CheckerKind::File { name, .. } => {
            return say(Level::Info, format!("({label}): tracked file {name} now FAULT state"), out);
        }
        CheckerKind::Misc(misc) => {
            let what = misc_check(service, real, misc);
            let after = match checker.retry {
                0 => String::from(" with retry disabled"),
                n => format!(" after {}", retries_in_words(n)),
            };
            let text = match how_it_ended(fault) {
                None => format!("{what} timed out{after}."),
                Some(how) => format!("{what} failed{after} ({how})."),
            };
            return say(Level::Notice, text, out);
        }
    };
    let text = match retries {
        0 => format!("{what} on service {label} failed."),
        retries => format!("{what} on service {label} failed after {retries} retries."),
    };
    say(Level::Notice, text, out);
}

fn retries_in_words(n: u32) -> String {
    if n == 1 { String::from("1 retry") } else { format!("{n} retries") }
}

/// What a failed attempt means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attempt {
    /// The server has so many failures in a row and stays up.
    Tolerated(u32),
    /// It was the first answer of all, and the server is down.
    First,
    /// The server is given up after so many retries.
    Last(u32),
}

/// One attempt failed (`log_all_failures`). Lines that keepalived does not have say what ours adds.
pub(super) fn attempt_failed(
    service: &Service,
    real: &Real,
    checker: &Checker,
    (fault, detail, attempt): (Fault, Option<&str>, Attempt),
    out: &mut Vec<Action>,
) {
    let label = &real.label;
    let text = match &checker.kind {
        CheckerKind::Tcp => match fault {
            Fault::ConnectTimeout => format!("TCP connection to {label} timeout."),
            _ => format!("TCP connection to {label} failed."),
        },
        CheckerKind::Http(_) | CheckerKind::Ssl(..) => match detail {
            Some(why) => format!("No TLS with server {label}: {why}"),
            None => web_failed(*label, fault),
        },
        CheckerKind::Smtp { .. } => format!("SMTP_CHECK {}", smtp_failed(checker, fault)),
        CheckerKind::Dns { .. } => {
            let what = match fault {
                Fault::Rcode(code) => format!("read error occurred. (rcode = {code})"),
                Fault::ReadTimeout | Fault::TooSlow => String::from("read timeout from socket"),
                _ => String::from("failed to read socket; refused or unreachable"),
            };
            match attempt {
                Attempt::Last(retries) => format!("DNS_CHECK ({label}) {what} after {retries} retries"),
                Attempt::First | Attempt::Tolerated(_) => format!("DNS_CHECK ({label}) {what}"),
            }
        }
        CheckerKind::Udp(_) => match fault {
            Fault::Reply => format!("UDP check to {label} reply data mismatch."),
            _ => format!("UDP connection to {label} failed."),
        },
        CheckerKind::Misc(misc) => {
            let retry = match attempt {
                // Said of the change already.
                Attempt::First | Attempt::Last(_) => return,
                Attempt::Tolerated(0 | 1) => format!(", will do {}", retries_in_words(checker.retry)),
                Attempt::Tolerated(n) => format!(" on retry {}/{}", n.saturating_sub(1), checker.retry),
            };
            let what = misc_check(service, real, misc);
            match how_it_ended(fault) {
                None => format!("{what} timed out{retry}."),
                Some(how) => format!("{what} failed{retry} ({how})."),
            }
        }
        // Said of every change already.
        CheckerKind::File { .. } | CheckerKind::Bfd { .. } => return,
        CheckerKind::Ping => match fault {
            Fault::ReadTimeout | Fault::TooSlow => format!("ICMP connection to address {label} timeout."),
            _ => format!("ICMP connection to address {label} failed."),
        },
    };
    say(Level::Info, text, out);
}

fn web_failed(label: Endpoint, fault: Fault) -> String {
    match fault {
        Fault::NotConnected => format!("Connection failed server {label}."),
        Fault::ConnectTimeout => format!("Timeout connecting server {label}."),
        Fault::ReadTimeout => format!("Timeout WEB read server {label}."),
        Fault::AnswerStopped => format!("Timeout HTTP read server {label}."),
        Fault::NoAnswer => format!("Read, no data received from  server {label}."),
        Fault::Status(_) | Fault::Malformed => format!("HTTP status code error to server {label}."),
        Fault::Digest => format!("MD5 digest error to server {label}."),
        Fault::Regex => format!("Regex match failed server {label}."),
        Fault::Truncated => format!("Server {label} closed without the goodbye of TLS (tls_compliant)."),
        Fault::TooSlow => format!("Answer of server {label} takes too long."),
        Fault::BodyTooLong => format!("Page of server {label} is too long."),
        Fault::HeadTooLong => format!("Header of server {label} is too long."),
        _ => format!("Read error with server {label}."),
    }
}

fn misc_check(service: &Service, real: &Real, misc: &Misc) -> String {
    format!("Misc check for [{} VS {}] by [{}]", real.label, service.label, path_of(misc))
}

fn path_of(misc: &Misc) -> String {
    misc.command.first().map(|path| String::from_utf8_lossy(path).into_owned()).unwrap_or_default()
}

/// How a command ended that was not ended for its time.
fn how_it_ended(fault: Fault) -> Option<String> {
    match fault {
        Fault::RanTooLong => None,
        Fault::Exited(status) => Some(format!("exited with status {status}")),
        Fault::Signalled(signal) => Some(format!("due to signal {signal}")),
        Fault::NotStarted => Some(String::from("could not be started")),
        _ => Some(String::from("without a status")),
    }
}

/// As mails say it, too.
pub fn smtp_failed(checker: &Checker, fault: Fault) -> String {
    let what = match fault {
        Fault::NotConnected => "Could not connect to server",
        Fault::ConnectTimeout => "Connection timeout to server",
        Fault::Greeting => "Bad greeting banner from server",
        Fault::Helo => "Bad HELO response from server",
        Fault::ReadTimeout | Fault::TooSlow => "Read timeout from server",
        _ => "Read failure from server",
    };
    format!("{what} [{}]:{}", checker.target.ip(), checker.target.port())
}

/// A probe could not be made for a reason of this machine.
pub(super) fn not_tried(real: &Real, checker: &Checker, why: &str, out: &mut Vec<Action>) {
    let what = match &checker.kind {
        CheckerKind::Misc(misc) => format!("run {}", path_of(misc)),
        _ => format!("connect to {}", checker.target),
    };
    let text = format!(
        "{}: cannot {what} for service {}: {why}; not counted as a failure, trying again every {} s",
        checker.origin,
        real.label,
        checker.delay_loop.as_secs_f64()
    );
    say(Level::Warning, text, out);
}

/// A body is not as long as its header says.
pub(super) fn length_mismatch(service: &Service, real: &Real, url: &Url, lengths: Lengths, out: &mut Vec<Action>) {
    let Lengths { declared, received } = lengths;
    let text = format!(
        "http_check for RS {} VS {} url {}: content_length ({declared}) does not match received bytes ({received})",
        real.label, service.label, url.path
    );
    say(Level::Info, text, out);
}

/// A file holds a number that is none of 32 bits.
pub(super) fn bad_number(file: &TrackFile, text: &[u8], out: &mut Vec<Action>) {
    let shown = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' };
    let text: String = text.trim_ascii().iter().take(24).map(shown).collect();
    say(Level::Info, format!("Invalid number {text} read from {} - ignoring", file.path), out);
}

/// Whether every failed attempt of a checker is logged.
pub(super) fn wants_all(all: Switch, checker: &Checker) -> bool {
    all == Switch::On || checker.log_all_failures == Switch::On
}
