//! checkd's slice: what to probe, how often, and what counts as an answer.

use super::bfd::Bfd;
use super::file::{FileWeight, TrackFile};
use super::global::Mail;
use super::ipvs::Protocol;
use super::probe::{DnsType, Misc, Regex, Tls, TlsContext, Udp};
use super::vrrp::Switch;
use super::{BfdIdx, CheckerIdx, FileIdx, GroupIdx, InstanceIdx, MarkedIdx, Origin, RealIdx, ScriptIdx, ServiceIdx};
use crate::table::Table;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::ops::{Deref, DerefMut};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// checkd's slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckConfig {
    /// `virtual_server` blocks; the same indices as in ipvsd's slice.
    pub services: Table<ServiceIdx, Service>,
    /// `real_server` blocks; the same indices as in ipvsd's slice.
    pub reals: Table<RealIdx, Real>,
    /// Checkers of all real servers.
    #[serde(with = "super::checkers")]
    pub checkers: Table<CheckerIdx, Checker>,
    /// `track_file` blocks.
    pub files: Table<FileIdx, TrackFile>,
    /// `bfd_instance` blocks; those that checkers hear of say so.
    pub bfds: Table<BfdIdx, Bfd>,
    /// `SSL`
    pub tls: TlsContext,
    /// Mail settings.
    pub mail: Mail,
    /// `router_id`, default the host name.
    pub router_id: String,
    /// `checker_log_all_failures`
    pub log_all_failures: Switch,
    /// `rs_init_notifies`
    pub rs_init_notifies: Switch,
    /// Who is written about of instances and groups; empty when nobody is.
    pub vrrp_mail: VrrpMail,
    /// Whether the supervisor is told of changes, for FIFOs ([`crate::msg::control::News`]).
    pub news: Switch,
    /// `checker_merge no`: checkers with equal parameters each probe for themselves. Not keepalived's, which knows nothing else.
    pub separate: Switch,
}

/// Names for mails about VRRP, row for row with the tables of vrrpd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VrrpMail {
    /// `vrrp_instance` blocks.
    pub instances: Table<InstanceIdx, Correspondent>,
    /// `vrrp_sync_group` blocks.
    pub groups: Table<GroupIdx, Correspondent>,
}

/// An instance or a group that may be written about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correspondent {
    /// Its name.
    pub name: String,
    /// `smtp_alert`
    pub alert: Switch,
}

/// A virtual server as the checker sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// As keepalived writes it in logs: `[192.168.1.1]:tcp:80`, `FWM 5`. Matches the same service across a reload.
    pub label: String,
    /// `quorum`, already reduced to the sum of the weights.
    pub quorum: u32,
    /// `hysteresis`
    pub hysteresis: u32,
    /// Label of the `sorry_server`, if there is one.
    pub sorry: Option<String>,
    /// `omega`
    pub omega: Switch,
    /// `ha_suspend`: no checks while none of the machine's addresses is the service's.
    pub ha_suspend: Switch,
    /// `smtp_alert`, of the service, `smtp_alert_checker` or `smtp_alert`; default off.
    pub smtp_alert: Switch,
    /// `snmp_name`. Has no effect yet.
    pub snmp_name: Option<String>,
    /// `quorum_up`
    pub quorum_up: Option<ScriptIdx>,
    /// `quorum_down`
    pub quorum_down: Option<ScriptIdx>,
    /// Where its block begins.
    pub origin: Origin,
}

/// A real server as the checker sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Real {
    /// The service it belongs to.
    pub service: ServiceIdx,
    /// What it is called. With the service it matches across a reload.
    pub label: Endpoint,
    /// Configured weight, 0..=2147483647.
    pub weight: u32,
    /// `inhibit_on_failure`: weight 0 instead of removal.
    pub inhibit: Switch,
    /// `alpha`: starts down.
    pub alpha: Switch,
    /// `smtp_alert`, of the real server, `smtp_alert_checker` or `smtp_alert`; default on.
    pub smtp_alert: Switch,
    /// `snmp_name`. Has no effect yet.
    pub snmp_name: Option<Box<str>>,
    /// `notify_up`
    pub notify_up: Option<ScriptIdx>,
    /// `notify_down`
    pub notify_down: Option<ScriptIdx>,
    /// Where its block begins.
    pub origin: Origin,
}

/// A real server as keepalived calls it in logs: `[192.168.1.2]:tcp:80`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its address.
    pub addr: IpAddr,
    /// `None` of a service that is a firewall mark: it has none.
    pub protocol: Option<Protocol>,
    /// The port that was written or follows from the service, 0 for none.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Some(Protocol::Tcp) => "tcp",
            Some(Protocol::Udp) => "udp",
            Some(Protocol::Sctp) => "sctp",
            None => "none",
        };
        write!(f, "[{}]:{protocol}:{}", self.addr, self.port)
    }
}

/// One checker. There may be ten thousand, most of them asking in one way: that is in memory once ([`How`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checker {
    /// The real server it speaks for.
    pub real: RealIdx,
    /// `connect_ip`, `connect_port`, default the real server's.
    pub target: SocketAddr,
    /// How it asks; read and written as if it were the checker's own.
    pub how: Arc<How>,
    /// Where its block begins.
    pub origin: Origin,
}

impl Deref for Checker {
    type Target = How;

    fn deref(&self) -> &How {
        &self.how
    }
}

impl DerefMut for Checker {
    fn deref_mut(&mut self) -> &mut How {
        Arc::make_mut(&mut self.how)
    }
}

/// How a checker asks, whomever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct How {
    /// `bindto`, `bind_port`.
    pub bind: Option<SocketAddr>,
    /// `bind_if`, by name.
    pub bind_if: Option<String>,
    /// `fwmark` of its packets (SO_MARK), 0 for none.
    pub fwmark: u32,
    /// The socket with that mark that ipvsd opens; `None`: this process opens its own.
    pub marked: Option<MarkedIdx>,
    /// `connect_timeout`: of each step.
    pub timeout: Duration,
    /// `delay_loop`
    pub delay_loop: Duration,
    /// `retry`: failures tolerated while up.
    pub retry: u32,
    /// `delay_before_retry`
    pub delay_before_retry: Duration,
    /// `warmup`: the first run is 1 s + a random part of this after start.
    pub warmup: Duration,
    /// `log_all_failures`
    pub log_all_failures: Switch,
    /// `alpha`, of this checker
    pub alpha: Switch,
    /// What is asked and what is the right answer.
    pub kind: CheckerKind,
}

/// What is asked. What is long is elsewhere: most are `TCP_CHECK`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckerKind {
    /// `TCP_CHECK`: a connection is made and closed.
    Tcp,
    /// `HTTP_GET`
    Http(Box<Http>),
    /// `SSL_GET`
    Ssl(Box<Http>, Box<Tls>),
    /// `SMTP_CHECK`
    Smtp {
        /// `helo_name`, default `smtpchecker.keepalived.org`.
        helo: String,
    },
    /// `DNS_CHECK`
    Dns {
        /// `type`, default SOA.
        query: DnsType,
        /// `name`, default the root `.`.
        name: String,
    },
    /// `UDP_CHECK`
    Udp(Box<Udp>),
    /// `PING_CHECK`
    Ping,
    /// `MISC_CHECK`
    Misc(Box<Misc>),
    /// `BFD_CHECK`
    Bfd {
        /// `name`
        bfd: BfdIdx,
        /// The name, by which it is the same across a reload.
        name: String,
    },
    /// `FILE_CHECK`
    File {
        /// `track_file`
        file: FileIdx,
        /// Its name, by which the checker is the same across a reload.
        name: String,
        /// `weight`, default the file's own.
        weight: FileWeight,
    },
}

impl CheckerKind {
    /// What HTTP_GET and SSL_GET have in common.
    pub fn http(&self) -> Option<&Http> {
        match self {
            CheckerKind::Http(http) | CheckerKind::Ssl(http, _) => Some(http),
            _ => None,
        }
    }
}

/// `HTTP_GET`, `SSL_GET`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http {
    /// `http_protocol`
    pub protocol: HttpProtocol,
    /// `url` blocks, at least one; asked in turn.
    pub urls: Vec<Url>,
    /// `fast_recovery`: back to back while the server is down.
    pub fast_recovery: Switch,
}

/// `http_protocol`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpProtocol {
    /// `1.0`
    V10,
    /// `1.0C`: with `Connection: close`
    V10Close,
    /// `1.1`: with `Connection: close`
    V11,
}

/// A `url` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Url {
    /// `path`, sent as it is.
    pub path: String,
    /// Host header: `virtualhost` of the url, the checker, the real server or the virtual server; `None`: address and port.
    pub host: Option<String>,
    /// `digest`: MD5 of the body.
    pub digest: Option<[u8; 16]>,
    /// `status_code`: accepted ranges, inclusive; default 200..=299.
    pub status: Vec<(u16, u16)>,
    /// `regex`
    pub regex: Option<Regex>,
}
