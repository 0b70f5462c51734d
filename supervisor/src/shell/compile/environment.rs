//! Environment variables for `${_ENV NAME}`. The compiler has no environment: it asks for one name at a time.
//!
//! What a compiler that was taken over may learn: the values of variables whose names it can guess, [`VARIABLES_LIMIT`] of them. It
//! holds the whole configuration anyway and has nobody to tell but the log. What the service manager made for this program alone, and
//! what says where secrets are, is not told to anybody.

use std::os::unix::ffi::OsStringExt as _;

/// Most variables that are told, their longest names and values.
pub const VARIABLES_LIMIT: u32 = 256;
const NAME_BYTES_LIMIT: usize = 255;
const VALUE_BYTES_LIMIT: usize = 4_096;

/// Never told: systemd.exec(5), sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3), and keys to other doors.
const OWN: [&str; 12] = [
    "CREDENTIALS_DIRECTORY",
    "ENCRYPTED_CREDENTIALS_DIRECTORY",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "SSH_AUTH_SOCK",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "XAUTHORITY",
];

/// Whether this can be the name of a variable. COMPAT: keepalived 2.4.0: letters, digits and `_`.
pub fn is_variable(name: &str) -> bool {
    (1..=NAME_BYTES_LIMIT).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The value of a variable, if there is one and it is told.
pub fn variable(name: &str) -> Option<Vec<u8>> {
    if OWN.contains(&name) {
        return None;
    }
    std::env::var_os(name).map(|value| value.into_vec()).filter(|value| value.len() <= VALUE_BYTES_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for (name, good) in [("PATH", true), ("_9", true), ("", false), ("A=B", false), ("A B", false), ("Ä", false)] {
            assert_eq!(is_variable(name), good, "{name}");
        }
        assert!(!is_variable(&"A".repeat(256)));
    }

    #[test]
    fn what_is_set_is_told_and_what_is_not_is_nothing() {
        assert_eq!(variable("PATH"), std::env::var_os("PATH").map(|v| v.into_vec()));
        assert_eq!(variable("HOLDFAST_NOBODY_SETS_THIS"), None);
        assert!(OWN.iter().all(|name| is_variable(name) && variable(name).is_none()));
    }
}
