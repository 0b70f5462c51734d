//! `lvs_…` of `global_defs`: the IPVS table as a whole.

use super::vrrp::Switch;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// The IPVS table as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lvs {
    /// `lvs_timeouts tcp`, seconds.
    pub tcp_timeout: Option<u32>,
    /// `lvs_timeouts tcpfin`, seconds.
    pub tcp_fin_timeout: Option<u32>,
    /// `lvs_timeouts udp`, seconds.
    pub udp_timeout: Option<u32>,
    /// `lvs_flush`
    pub flush: Switch,
    /// `lvs_flush_on_stop`
    pub flush_on_stop: FlushOnStop,
    /// `lvs_sync_daemon`
    pub sync: Option<SyncDaemon>,
}

/// `lvs_flush_on_stop`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlushOnStop {
    /// What was configured is taken out one by one.
    #[default]
    No,
    /// The whole table is emptied.
    All,
    /// `VS`: the configured services are removed, with what is in them.
    Services,
}

/// `lvs_sync_daemon`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDaemon {
    /// The interface.
    pub link: String,
    /// The instance whose state it follows; `None`: it is master and backup at once.
    pub instance: Option<String>,
    /// `id`, else the instance's virtual router id; `None`: 0.
    pub id: Option<u8>,
    /// `maxlen`, 1..=65507.
    pub max_length: Option<u16>,
    /// `port`
    pub port: Option<u16>,
    /// `ttl`
    pub ttl: Option<u8>,
    /// `group`
    pub group: Option<IpAddr>,
}
