//! The order of the end: vrrpd says goodbye, checkd stops, ipvsd releases, commands finish, the shutdown script runs.

use crate::daemon::Daemon;
use core::time::Duration;
use ipc::time::Mono;

/// vrrpd goes first: it sends its priority 0 adverts while ipvsd is there to take the addresses away.
pub const ORDER: [Daemon; 3] = [Daemon::Vrrp, Daemon::Check, Daemon::Ipvs];

/// How long a child may take when no configuration says so. COMPAT: keepalived 2.4.3, `child_wait_time`.
pub const CHILD_WAIT: Duration = Duration::from_secs(5);

/// How long notify commands may take after the last child has ended. COMPAT: keepalived 2.4.3, STOP scripts.
pub const SCRIPTS_WAIT: Duration = Duration::from_secs(1);

/// How far the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Children are told one after another.
    Children,
    /// All are gone; commands may finish until then.
    Scripts {
        /// Until when.
        until: Mono,
    },
    /// The shutdown script runs.
    ShutdownScript,
    /// Nothing is left to do.
    Over,
}

/// The end, once it has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// How far it is.
    pub stage: Stage,
    /// The exit code.
    pub code: u8,
}
