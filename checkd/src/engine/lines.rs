//! The words of the log. Watchers search for them: COMPAT: keepalived 2.2.7, word for word as it writes them.

use super::Action;
use crate::check::Fault;
use crate::check::http::Lengths;
use crate::check::schedule::Health;
use crate::quorum::{gain_at, lose_below};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::check::{Checker, CheckerKind, Real, Service, Url};
use ipc::config::vrrp::Switch;
use ipc::report::{Level, Line};

fn say(level: Level, text: String, out: &mut Vec<Action>) {
    out.push(Action::Log(Line::new(level, text)));
}

/// A checker begins.
pub(super) fn activating(service: &Service, real: &Real, out: &mut Vec<Action>) {
    say(Level::Info, format!("Activating healthchecker for service {} for VS {}", real.label, service.label), out);
}

/// A service has its quorum.
pub(super) fn gained_quorum(service: &Service, weight: u64, out: &mut Vec<Action>) {
    let Service { quorum, hysteresis, label, .. } = service;
    let limit = gain_at(service);
    say(Level::Notice, format!("Gained quorum {quorum}+{hysteresis}={limit} <= {weight} for VS {label}"), out);
}

/// A service has lost its quorum.
pub(super) fn lost_quorum(service: &Service, weight: u64, out: &mut Vec<Action>) {
    let Service { quorum, hysteresis, label, .. } = service;
    let limit = lose_below(service);
    say(Level::Notice, format!("Lost quorum {quorum}-{hysteresis}={limit} > {weight} for VS {label}"), out);
}

/// A service with a sorry server begins without its quorum.
pub(super) fn starting_without_quorum(service: &Service, weight: u64, out: &mut Vec<Action>) {
    let Service { quorum, hysteresis, label, .. } = service;
    let limit = lose_below(service);
    say(
        Level::Notice,
        format!("Starting with quorum down {quorum}-{hysteresis}={limit} > {weight} for VS {label}"),
        out,
    );
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

/// The server was judged well, first or again.
pub(super) fn succeeded(real: &Real, checker: &Checker, out: &mut Vec<Action>) {
    let text = match &checker.kind {
        CheckerKind::Tcp => format!("TCP connection to {} success.", real.label),
        CheckerKind::Http(_) => format!("Remote Web server {} succeed on service.", real.label),
    };
    say(Level::Info, text, out);
}

/// One URL of a server that is down gave the right answer.
pub(super) fn url_succeeded(real: &Real, url: &Url, out: &mut Vec<Action>) {
    let what = if url.digest.is_some() { "MD5 digest" } else { "HTTP status code" };
    say(Level::Info, format!("{what} success to {} url({})", real.label, url.path), out);
}

/// The server is given up, after `retries`. COMPAT: HTTP_GET names the configured number even when the first failure counted.
pub(super) fn failed(real: &Real, checker: &Checker, retries: u32, out: &mut Vec<Action>) {
    let label = &real.label;
    let text = match &checker.kind {
        CheckerKind::Tcp if retries == 0 => format!("TCP_CHECK on service {label} failed."),
        CheckerKind::Tcp => format!("TCP_CHECK on service {label} failed after {retries} retries."),
        CheckerKind::Http(_) => format!("HTTP_CHECK on service {label} failed after {} retries.", checker.retry),
    };
    say(Level::Notice, text, out);
}

/// One attempt failed (`log_all_failures`). Lines that keepalived does not have say what ours adds.
pub(super) fn attempt_failed(real: &Real, checker: &Checker, fault: Fault, out: &mut Vec<Action>) {
    let label = &real.label;
    let text = match (&checker.kind, fault) {
        (CheckerKind::Tcp, Fault::ConnectTimeout) => format!("TCP connection to {label} timeout."),
        (CheckerKind::Tcp, _) => format!("TCP connection to {label} failed."),
        (CheckerKind::Http(_), Fault::NotConnected) => format!("Connection failed server {label}."),
        (CheckerKind::Http(_), Fault::ConnectTimeout) => format!("Timeout connecting server {label}."),
        (CheckerKind::Http(_), Fault::Broken) => format!("Read error with server {label}."),
        (CheckerKind::Http(_), Fault::ReadTimeout) => format!("Timeout WEB read server {label}."),
        (CheckerKind::Http(_), Fault::NoAnswer) => format!("Read, no data received from  server {label}."),
        (CheckerKind::Http(_), Fault::Status(_) | Fault::Malformed) => {
            format!("HTTP status code error to server {label}.")
        }
        (CheckerKind::Http(_), Fault::Digest) => format!("MD5 digest error to server {label}."),
        (CheckerKind::Http(_), Fault::TooSlow) => format!("Answer of server {label} takes too long."),
        (CheckerKind::Http(_), Fault::HeadTooLong) => format!("Header of server {label} is too long."),
    };
    say(Level::Info, text, out);
}

/// A probe could not be made for a reason of this machine.
pub(super) fn not_tried(real: &Real, checker: &Checker, why: &str, out: &mut Vec<Action>) {
    let text = format!(
        "{}: cannot connect to {} for service {}: {why}; not counted as a failure, trying again in {} s",
        checker.origin,
        checker.target,
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

/// Whether every failed attempt of a checker is logged.
pub(super) fn wants_all(all: Switch, checker: &Checker) -> bool {
    all == Switch::On || checker.log_all_failures == Switch::On
}
