//! The supervisor's slice: every command the configuration lists, and what the supervisor needs to form its arguments.

use super::file::WatchedFile;
use super::identity::{Fifos, Identity};
use super::vrrp::Switch;
use super::vrrp_track::WatchedProcesses;
use super::{FileIdx, GroupIdx, InstanceIdx, Origin, RealIdx, ScriptIdx, ServiceIdx};
use crate::table::Table;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// The supervisor's slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptConfig {
    /// Every command that may be executed.
    pub scripts: Table<ScriptIdx, Script>,
    /// Names of the instances, for notify arguments.
    pub instances: Table<InstanceIdx, String>,
    /// Names of the sync groups, for notify arguments.
    pub groups: Table<GroupIdx, String>,
    /// `track_file` blocks; the same indices as in the slices of vrrpd and checkd.
    pub files: Table<FileIdx, WatchedFile>,
    /// `track_process`: what is watched; `None` when no instance tracks a process.
    pub processes: Option<WatchedProcesses>,
    /// How many BFD sessions there are: vrrpd runs them, also for checkers alone.
    pub bfds: u32,
    /// There is a PING_CHECK: checkd's group must be one that may ping.
    pub ping: Switch,
    /// There is one with `fwmark`: so must ipvsd's.
    pub ping_marked: Switch,
    /// Settings of the kernel that hold for the run.
    pub kernel: KernelSettings,
    /// How many services there are (bounds check of causes).
    pub services: u32,
    /// How many real servers there are (bounds check of causes).
    pub reals: u32,
    /// `enable_script_security`
    pub security: ScriptSecurity,
    /// `script_user USER [GROUP]`; `None`: the account `keepalived_script`, else the supervisor's own.
    pub default_user: Option<RunAs>,
    /// `use_symlink_paths`
    pub symlinks: SymlinkPaths,
    /// `startup_script` and its timeout, run once before the children start.
    pub startup: Option<(ScriptIdx, Duration)>,
    /// `shutdown_script` and its timeout, run once after all children ended.
    pub shutdown: Option<(ScriptIdx, Duration)>,
    /// Names and files.
    pub identity: Identity,
    /// Notify FIFOs.
    pub fifos: Fifos,
    /// Whether checkd is told of instances and groups, for mails: then it runs, whatever else there is for it.
    pub vrrp_mail: Switch,
    /// What services and real servers are called in FIFOs.
    pub lvs_names: LvsNames,
    /// `child_wait_time`: how long children may take to stop, default 5 s.
    pub child_wait: Duration,
    /// Place and scheduling of the processes.
    pub process: super::process::ProcessSettings,
}

/// Settings of the kernel that hold for the run, and are as they were at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelSettings {
    /// `disable_local_igmp`: no reports of groups of the local network.
    pub no_local_igmp: Switch,
    /// Each interface has its own `rp_filter`, as strict as that of all was: an IPv4 `use_vmac` interface needs none.
    pub own_rp_filter: Switch,
    /// `promote_secondaries`: the interfaces.
    pub promote: Vec<String>,
}

/// Names for the lines of FIFOs, row for row with the tables of checkd. Empty unless a FIFO is told of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LvsNames {
    /// `[ADDRESS]:PROTOCOL:PORT`, `FWM N` or the name of a group.
    pub services: Table<ServiceIdx, String>,
    /// The same, and whose it is.
    pub reals: Table<RealIdx, (String, ServiceIdx)>,
}

/// `enable_script_security`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptSecurity {
    /// An insecure script is run with a warning.
    #[default]
    Off,
    /// An insecure script is not run.
    On,
}

/// `use_symlink_paths`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SymlinkPaths {
    /// Paths are resolved, the resolved file is executed.
    #[default]
    Resolve,
    /// Paths are kept as written.
    Keep,
}

/// A user and, where given, a group, as names or numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    /// User name or number.
    pub user: String,
    /// Group name or number; `None`: the user's own.
    pub group: Option<String>,
    /// `:` before the group, or alone: the user's other groups as well.
    pub others: Switch,
    /// The statement that names it.
    pub origin: Origin,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Command and arguments, as the configuration quotes them; never empty. Arguments may be any bytes but NUL.
    pub argv: Vec<Vec<u8>>,
    /// `user` of this script; `None`: [`ScriptConfig::default_user`].
    pub run_as: Option<RunAs>,
    /// What it is, for messages: `vrrp_script check_nginx`, `notify_master of vrrp_instance VI_1`.
    pub label: String,
    /// Where it stands.
    pub origin: Origin,
    /// How it is run.
    pub kind: ScriptKind,
    /// Who may ask for it; anybody else who does breaks the protocol.
    pub asker: Asker,
}

/// Whose a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asker {
    /// The supervisor itself: `startup_script`, `shutdown_script`.
    Supervisor,
    /// vrrpd: `vrrp_script` and the notify commands of instances and groups.
    Vrrp,
    /// checkd: the commands of services and real servers.
    Check,
}

/// How a command is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptKind {
    /// `vrrp_script` or MISC_CHECK: its end is reported; after `timeout` SIGTERM to its process group, 2 s later SIGKILL.
    Probe {
        /// How long it may run.
        timeout: Duration,
    },
    /// `notify_master`, `notify_up`, `quorum_down` …: run as it is written.
    Event,
    /// `notify`: four arguments are appended (`INSTANCE|GROUP NAME STATE PRIO`).
    Generic,
    /// `startup_script`, `shutdown_script`.
    Once,
    /// `notify_fifo_script` and its kin: runs as long as its FIFO is open, the path is appended.
    Reader,
}
