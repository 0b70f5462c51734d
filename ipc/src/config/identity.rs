//! Names, files and FIFOs of the daemon (`global_defs`). What of it has no effect yet is warned about when it is read.

use super::ScriptIdx;
use super::script::RunAs;
use super::vrrp::Switch;
use serde::{Deserialize, Serialize};

/// What the daemon calls itself and where it keeps things.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `process_names`
    pub names: Switch,
    /// `process_name`, at most 15 bytes.
    pub name: Option<String>,
    /// `vrrp_process_name`
    pub vrrp_name: Option<String>,
    /// `checker_process_name`
    pub checker_name: Option<String>,
    /// `bfd_process_name`
    pub bfd_name: Option<String>,
    /// `set_supplementary_groups`
    pub supplementary_groups: Switch,
    /// `umask`
    pub umask: Option<u16>,
    /// `random_seed`
    pub random_seed: Option<u32>,
    /// `tmp_config_directory`
    pub tmp_config_directory: Option<String>,
    /// `config_save_dir`
    pub config_save_dir: Option<String>,
    /// `reload_check_config`; without a file `/dev/null`.
    pub reload_check: Option<String>,
    /// `reload_time_file`
    pub reload_time_file: Option<String>,
    /// `reload_repeat`
    pub reload_repeat: Switch,
    /// `reload_file`; without a path `/run/holdfast.reload`.
    pub reload_file: Option<String>,
    /// `data_use_instance`
    pub data_use_instance: Switch,
    /// `state_dump_file`
    pub state_dump_file: Option<String>,
    /// `stats_dump_file`
    pub stats_dump_file: Option<String>,
    /// `json_dump_file`
    pub json_dump_file: Option<String>,
    /// `json_version`, 1 or 2; 0 when unset, which is 1.
    pub json_version: u8,
    /// `iproute_usr_dir`
    pub iproute_usr_dir: Option<String>,
    /// `iproute_etc_dir`
    pub iproute_etc_dir: Option<String>,
    /// `default_interface`
    pub default_interface: Option<String>,
}

/// A FIFO that events are written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fifo {
    /// Its path.
    pub path: String,
    /// Who owns it; `None`: the default user of scripts.
    pub owner: Option<RunAs>,
    /// `…_fifo_script`: reads it; the path is its last argument.
    pub script: Option<ScriptIdx>,
}

/// Notify FIFOs; no two with one path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fifos {
    /// `notify_fifo`
    pub all: Option<Fifo>,
    /// `vrrp_notify_fifo`
    pub vrrp: Option<Fifo>,
    /// `lvs_notify_fifo`
    pub lvs: Option<Fifo>,
    /// `fifo_write_vrrp_states_on_reload`
    pub states_on_reload: Switch,
}
