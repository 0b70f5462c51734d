//! The order of the end: vrrpd says goodbye, checkd stops, ipvsd releases, commands finish, the shutdown script runs, what is left
//! is killed. Every step has an end ([`bound`]).

use crate::daemon::Daemon;
use crate::script::GRACE;
use core::time::Duration;
use ipc::time::Mono;

/// vrrpd goes first: it sends its priority 0 adverts while ipvsd is there to take the addresses away.
pub const ORDER: [Daemon; 3] = [Daemon::Vrrp, Daemon::Check, Daemon::Ipvs];

/// How long the children may take together when no configuration says so. COMPAT: keepalived 2.4.3, `child_wait_time`.
pub const CHILD_WAIT: Duration = Duration::from_secs(5);

/// What a child has in any case, when those before it have used up the time: a vrrpd that hangs must not cost ipvsd the time to
/// take the addresses away.
pub const LEAST: Duration = Duration::from_secs(1);

/// How long a child that was killed is waited for. One that is still there then (the kernel does not let go of it) is left.
pub const KILLED_WAIT: Duration = Duration::from_secs(1);

/// How long notify commands may take after the last child has ended. COMPAT: keepalived 2.4.3, STOP scripts.
pub const SCRIPTS_WAIT: Duration = Duration::from_secs(1);

/// How long commands that were sent SIGTERM may take before they are killed. COMPAT: keepalived 2.4.3.
pub const LEFTOVERS_WAIT: Duration = Duration::from_secs(1);

/// How long a shutdown command that was killed is waited for.
pub const SHUTDOWN_WAIT: Duration = Duration::from_secs(1);

/// The longest time the whole end can take, when `shutdown` is the limit of the shutdown command. Without one and with the
/// default of `child_wait_time` that is 12 s, less than the 15 s of the systemd unit.
pub fn bound(child_wait: Duration, shutdown: Option<Duration>) -> Duration {
    let others = (LEAST + KILLED_WAIT).saturating_mul(2);
    let script = shutdown.map_or(Duration::ZERO, |limit| limit.saturating_add(GRACE + SHUTDOWN_WAIT));
    child_wait.saturating_add(KILLED_WAIT + others + SCRIPTS_WAIT + LEFTOVERS_WAIT).saturating_add(script)
}

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
    ShutdownScript {
        /// When it is not waited for any longer: it was killed long before.
        until: Mono,
    },
    /// Commands that were told to end may do so until then.
    Leftovers {
        /// Until when.
        until: Mono,
    },
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
    /// When the children's common time is over.
    pub children_until: Mono,
}

impl Stop {
    /// When it goes on although nothing happens.
    pub fn deadline(&self) -> Option<Mono> {
        match self.stage {
            Stage::Scripts { until } | Stage::ShutdownScript { until } | Stage::Leftovers { until } => Some(until),
            Stage::Children | Stage::Over => None,
        }
    }
}
