//! What mails say.

use crate::check::Fault;
use crate::engine::smtp_failed;
use alloc::format;
use alloc::string::{String, ToString};
use ipc::config::check::{Checker, CheckerKind, Real, Service};
use ipc::msg::control::NotifyState;

/// The subject about a real server, without the name of the router.
pub fn about_real(service: &Service, real: &Real, state: &str) -> String {
    format!("Realserver {} of virtual server {} - {state}", real.label, service.label)
}

/// The subject about a service, without the name of the router.
pub fn about_service(service: &Service, state: &str) -> String {
    format!("Virtualserver {} - {state}", service.label)
}

/// Subject, without the name of the router, and body about an instance that has entered a state; `None` where there is no mail.
/// COMPAT: keepalived 2.2.7, captured; the last two 2.4.3.
pub fn about_instance(name: &str, state: NotifyState) -> Option<(String, String)> {
    let entering = |word| format!("VRRP Instance {name} - Entering {word} state");
    let (about, body) = match state {
        NotifyState::Master => (entering("MASTER"), "VRRP Instance is now owning VRRP VIPs"),
        NotifyState::Backup => (entering("BACKUP"), "VRRP Instance is no longer owning VRRP VIPs"),
        NotifyState::Fault => (entering("FAULT"), "VRRP Instance is no longer owning VRRP VIPs"),
        NotifyState::Stop => (format!("VRRP Instance {name} - Stopping"), "VRRP Instance stopping"),
        NotifyState::Deleted => (format!("VRRP Instance {name} - Deleted"), "VRRP Deleted at reload"),
        NotifyState::MasterRxLowerPri | NotifyState::MasterPriority | NotifyState::BackupPriority => return None,
    };
    Some((about, body.to_string()))
}

/// The same about a group.
pub fn about_group(name: &str, state: NotifyState) -> Option<(String, String)> {
    let word = match state {
        NotifyState::Master => "MASTER",
        NotifyState::Backup => "BACKUP",
        NotifyState::Fault => "FAULT",
        NotifyState::Stop
        | NotifyState::Deleted
        | NotifyState::MasterRxLowerPri
        | NotifyState::MasterPriority
        | NotifyState::BackupPriority => return None,
    };
    let body = format!("All VRRP group instances are now in {word} state");
    Some((format!("VRRP Group {name} - Entering {word} state"), body))
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
        CheckerKind::Bfd { .. } => "BFD CHECK succeeded on service",
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
        CheckerKind::Bfd { .. } => "BFD CHECK failed on service".to_string(),
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
