//! What concerns the processes themselves: their place, their scheduling, their buffers. The supervisor, who starts them, gets it.

use super::vrrp::Switch;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Settings of the daemon's processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSettings {
    /// `instance`: part of the names of pid and dump files.
    pub instance: Option<String>,
    /// `use_pid_dir`; `instance` and `net_namespace` imply it.
    pub pid_directory: Switch,
    /// `net_namespace`
    pub namespace: Option<String>,
    /// `net_namespace_ipvs`
    pub ipvs_namespace: IpvsNamespace,
    /// `namespace_with_ipsets`
    pub namespace_with_ipsets: Switch,
    /// `vrrp_…`
    pub vrrp: Tuning,
    /// `checker_…`
    pub checker: Tuning,
    /// `bfd_…`
    pub bfd: Tuning,
    /// `max_auto_priority`
    pub auto_priority: AutoPriority,
    /// `min_auto_priority_delay`; `None`: 1 s.
    pub auto_priority_delay: Option<Duration>,
    /// Receive buffers.
    pub buffers: Buffers,
}

/// `net_namespace_ipvs`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpvsNamespace {
    /// Where the rest is.
    #[default]
    Same,
    /// The one that the daemon was started in.
    Initial,
    /// The one of this name.
    Named(String),
}

/// Scheduling of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// `…_priority`, −20..=19.
    pub nice: Option<i8>,
    /// `…_no_swap`
    pub no_swap: Switch,
    /// `…_rt_priority`, 1..=99.
    pub real_time: Option<u8>,
    /// `…_cpu_affinity`; empty: all.
    pub cpus: Vec<u16>,
    /// `…_rlimit_rttime`, at least 2 µs; `None`: 10 ms.
    pub real_time_limit: Option<Duration>,
}

/// `max_auto_priority`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AutoPriority {
    /// Lateness is told.
    #[default]
    Off,
    /// Lateness is not told.
    Silent,
    /// A late process gets a higher real-time priority, up to this, 1..=99.
    UpTo(u8),
}

/// Receive buffers of netlink sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffers {
    /// `vrrp_netlink_cmd_rcv_bufs`
    pub vrrp_command: Buffer,
    /// `vrrp_netlink_monitor_rcv_bufs`
    pub vrrp_monitor: Buffer,
    /// `lvs_netlink_cmd_rcv_bufs`
    pub lvs_command: Buffer,
    /// `lvs_netlink_monitor_rcv_bufs`
    pub lvs_monitor: Buffer,
    /// `process_monitor_rcv_bufs`
    pub process_monitor: Buffer,
}

/// A receive buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffer {
    /// Its size; `None`: the system's.
    pub bytes: Option<u32>,
    /// `…_force`: beyond the system's limit.
    pub force: Switch,
}
