//! `global_defs` that more than one process needs.

use super::vrrp::Switch;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Mail settings (`notification_email` … `smtp_alert`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Recipients; no mail when empty.
    pub to: Vec<String>,
    /// `notification_email_from`
    pub from: Option<String>,
    /// `smtp_server`, an address or a name that `/etc/hosts` has; no mail when this and [`Mail::server_name`] are absent.
    pub server: Option<SocketAddr>,
    /// `smtp_server` that is a host name, with its port.
    pub server_name: Option<(String, u16)>,
    /// Who is asked for the address of [`Mail::server_name`].
    pub resolvers: Vec<IpAddr>,
    /// The domains in which it may be.
    pub search: Vec<String>,
    /// The whole name of this machine, which is said in HELO unless [`Mail::helo`] is.
    pub local_name: Option<String>,
    /// `smtp_helo_name`
    pub helo: Option<String>,
    /// `smtp_connect_timeout`, default 30 s.
    pub timeout: Duration,
    /// `smtp_alert`
    pub alert: Option<Switch>,
    /// `smtp_alert_vrrp`
    pub alert_vrrp: Option<Switch>,
    /// `smtp_alert_checker`
    pub alert_checker: Option<Switch>,
    /// `no_email_faults`
    pub no_faults: Switch,
    /// `no_checker_emails`
    pub no_checkers: Switch,
}

impl Mail {
    /// Whether there is anybody to hand mail to.
    pub fn has_server(&self) -> bool {
        self.server.is_some() || self.server_name.is_some()
    }
}
