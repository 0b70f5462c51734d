//! What mails say.

use crate::check::Fault;
use crate::engine::smtp_failed;
use alloc::format;
use alloc::string::{String, ToString};
use ipc::config::check::{Checker, CheckerKind, Real, Service};

/// The subject about a real server, without the name of the router.
pub fn about_real(service: &Service, real: &Real, state: &str) -> String {
    format!("Realserver {} of virtual server {} - {state}", real.label, service.label)
}

/// The subject about a service, without the name of the router.
pub fn about_service(service: &Service, state: &str) -> String {
    format!("Virtualserver {} - {state}", service.label)
}

/// A checker has its server up again.
pub fn succeeded(checker: &Checker) -> String {
    match &checker.kind {
        CheckerKind::Tcp => "TCP CHECK succeed on service",
        CheckerKind::Dns { .. } => "DNS_CHECK: succeed on service",
        CheckerKind::Udp(_) => "UDP CHECK succeed on service",
        CheckerKind::Ping => "ICMP CHECK succeed on service",
        CheckerKind::Misc(_) => "MISC CHECK succeeded on service",
        CheckerKind::File { .. } => "FILE CHECK succeeded on service",
        CheckerKind::Http(_) | CheckerKind::Ssl(..) | CheckerKind::Smtp { .. } => "CHECK succeed on service",
    }
    .to_string()
}

/// A checker has its server down.
pub fn failed(checker: &Checker, fault: Fault) -> String {
    match &checker.kind {
        CheckerKind::Tcp => "TCP CHECK failed on service".to_string(),
        CheckerKind::Dns { .. } => "DNS_CHECK: failed on service".to_string(),
        CheckerKind::Udp(_) => "UDP CHECK failed on service".to_string(),
        CheckerKind::Ping => "ICMP CHECK failed on service".to_string(),
        CheckerKind::Misc(_) if fault == Fault::RanTooLong => "MISC CHECK timed out on service".to_string(),
        CheckerKind::Misc(_) => "MISC CHECK failed on service".to_string(),
        CheckerKind::File { .. } => "FILE CHECK failed on service".to_string(),
        CheckerKind::Smtp { .. } => format!("CHECK failed on service : {}", smtp_failed(checker, fault)),
        CheckerKind::Http(_) | CheckerKind::Ssl(..) => format!("CHECK failed on service : {}", web(fault)),
    }
}

fn web(fault: Fault) -> &'static str {
    match fault {
        Fault::NotConnected | Fault::ConnectTimeout => "connection error",
        Fault::Digest => "MD5 digest mismatch",
        Fault::Status(_) => "HTTP status code mismatch",
        Fault::Regex => "HTML page mismatch",
        _ => "HTTP/SSL request failed",
    }
}
