//! Processes that instances track, and what is told of interfaces as a whole.

use super::vrrp::{Switch, Weight};
use super::{InstanceIdx, LinkIdx, Origin};
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A `vrrp_track_process`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackProcess {
    /// Its name.
    pub name: String,
    /// Where its block begins.
    pub origin: Origin,
    /// `process`: name, then its parameters.
    pub process: Vec<String>,
    /// `param_match`
    pub params: ParamMatch,
    /// `full_command`: the command line is looked at instead of the name.
    pub full_command: Switch,
    /// `weight`, −254..=254, default 0.
    pub weight: Weight,
    /// `quorum`, default 1: at least so many.
    pub least: u32,
    /// `quorum_max`: at most so many.
    pub most: Option<u32>,
    /// `fork_delay`, `delay`
    pub fork_delay: Duration,
    /// `terminate_delay`, `delay`
    pub terminate_delay: Duration,
}

/// `param_match`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParamMatch {
    /// Parameters do not matter: none are given.
    #[default]
    Any,
    /// All are the same.
    Exact,
    /// They begin with these, the last of which may go on. COMPAT: keepalived 2.2.7, measured.
    Initial,
    /// They begin with these.
    Partial,
}

impl TrackProcess {
    /// Whether command lines are looked at. COMPAT: keepalived 2.2.7, measured: then the whole first word counts, path and all, otherwise
    /// the name of the process (its /proc/PID/comm).
    pub fn reads_command_lines(&self) -> bool {
        self.full_command == Switch::On || self.params != ParamMatch::Any
    }
}

/// What the supervisor is to watch for vrrpd, when an instance tracks processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedProcesses {
    /// Their command lines matter too, not only their names.
    pub command_lines: Switch,
}

/// A `garp_group`: interfaces whose announcements together keep a distance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarpGroup {
    /// `garp_interval`
    pub garp_interval: Duration,
    /// `gna_interval`
    pub gna_interval: Duration,
    /// `interface`, `interfaces`; no interface is in two groups.
    pub links: Vec<LinkIdx>,
}

/// A line of `linkbeat_interfaces`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linkbeat {
    /// The interface.
    pub link: LinkIdx,
    /// How its link is asked for.
    pub by: LinkbeatBy,
}

/// How the state of a link is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkbeatBy {
    /// As each of the others in turn works.
    #[default]
    Auto,
    /// MII registers.
    Mii,
    /// ethtool.
    Ethtool,
    /// Interface flags.
    Ioctl,
}

/// A line of `interface_up_down_delays`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkDelays {
    /// The interface.
    pub link: LinkIdx,
    /// How long it must be down to count as down, at most 255 s.
    pub down: Duration,
    /// How long it must be up to count as up, at most 255 s.
    pub up: Duration,
}

/// A `track_group`: instances that are in FAULT while something static of the group is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackGroup {
    /// Its name.
    pub name: String,
    /// Its instances, each once.
    pub members: Vec<InstanceIdx>,
    /// Whether anything static names it: only then ipvsd speaks of it.
    pub is_named: Switch,
    /// Where its block begins.
    pub origin: Origin,
}
