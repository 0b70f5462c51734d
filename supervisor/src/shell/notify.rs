//! What the service manager is told (sd_notify(3)). Nothing happens when there is none.

use sd_notify::NotifyState;
use supervisor::lifecycle::Told;

/// Tells it. A failure is not worth a word: the manager will notice what it does not hear.
pub fn tell(told: Told) {
    let _ = match told {
        Told::Ready => sd_notify::notify(&[NotifyState::Ready, NotifyState::Status("Running")]),
        Told::ReloadFailed => {
            let status = "Reload failed, the running configuration stays in force";
            sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(status)])
        }
        Told::Reloading => match NotifyState::monotonic_usec_now() {
            Ok(now) => sd_notify::notify(&[NotifyState::Reloading, now, NotifyState::Status("Reloading")]),
            Err(e) => Err(e),
        },
        Told::Stopping(longest) => {
            // Longer than TimeoutStopSec where the configuration wants it (child_wait_time, shutdown_script_timeout).
            let longest = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
            let extend = NotifyState::ExtendTimeoutUsec(longest);
            sd_notify::notify(&[NotifyState::Stopping, NotifyState::Status("Stopping"), extend])
        }
    };
}
