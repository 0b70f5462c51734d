//! From `main` to the confinement.

use crate::log;
use core::fmt;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::socket::{SockType, getsockopt, sockopt};
use nix::unistd::{Gid, Uid};
use std::ffi::OsString;

/// Whom a child becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// User, never root.
    pub uid: Uid,
    /// Group, never root.
    pub gid: Gid,
}

/// How a child gives up its rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// It is root and becomes somebody else.
    Becomes(Ids),
    /// It was started by an ordinary user and stays that user: `checkd compile` for `holdfast -t`.
    Stays,
}

/// Why a child does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The arguments are not `--uid N --gid N`.
    Arguments(String),
    /// Descriptor 0 is no channel of the supervisor.
    NoSupervisor,
    /// The channel was taken before.
    Twice,
    /// The system refused to block signals.
    Signals(Errno),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Arguments(what) => {
                write!(f, "{what}; this program is started by holdfast as: PROGRAM --uid N --gid N")
            }
            StartError::NoSupervisor => f.write_str(
                "descriptor 0 is not a channel to the supervisor; this program is not for use by hand, start holdfast instead",
            ),
            StartError::Twice => f.write_str("the channel to the supervisor was taken twice"),
            StartError::Signals(e) => write!(f, "cannot block signals: {e}"),
        }
    }
}

impl core::error::Error for StartError {}

/// Reads `--uid N --gid N`, in any order, each once.
pub fn arguments(arguments: impl IntoIterator<Item = OsString>) -> Result<Ids, StartError> {
    let mut uid = None;
    let mut gid = None;
    let mut arguments = arguments.into_iter();
    while let Some(name) = arguments.next() {
        let place = match name.to_str() {
            Some("--uid") => &mut uid,
            Some("--gid") => &mut gid,
            _ => return Err(StartError::Arguments(format!("unknown argument {name:?}"))),
        };
        let value = arguments.next().and_then(|value| value.to_str()?.parse::<u32>().ok());
        // 4294967295 means "no change" to the kernel.
        match value {
            Some(0) | Some(u32::MAX) | None => {
                return Err(StartError::Arguments(format!("{name:?} needs a number from 1 to 4294967294")));
            }
            Some(_) if place.is_some() => return Err(StartError::Arguments(format!("{name:?} is given twice"))),
            Some(number) => *place = Some(number),
        }
    }
    match (uid, gid) {
        (Some(uid), Some(gid)) => Ok(Ids { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid) }),
        _ => Err(StartError::Arguments("--uid or --gid is missing".to_owned())),
    }
}

/// Reads `--unprivileged` or what [`arguments`] reads.
pub fn whom(words: impl IntoIterator<Item = OsString>) -> Result<Whom, StartError> {
    let words: Vec<OsString> = words.into_iter().collect();
    match words.as_slice() {
        [word] if word == "--unprivileged" => Ok(Whom::Stays),
        _ => arguments(words).map(Whom::Becomes),
    }
}

/// What must happen while the process can still open files and before it listens to anybody: checks that a supervisor is there,
/// blocks the signals that are meant for the supervisor, reads the time zone, opens the console without blocking.
///
/// The signals: a terminal sends SIGINT and a service manager SIGTERM to every process of the group; a child that died of it
/// could not say goodbye. Children are told by message what to do; what ends them is SIGKILL.
pub fn prepare() -> Result<(), StartError> {
    match getsockopt(&std::io::stdin(), sockopt::SockType) {
        Ok(SockType::SeqPacket) => {}
        _ => return Err(StartError::NoSupervisor),
    }
    let signals = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGPIPE,
        Signal::SIGALRM,
        Signal::SIGTSTP,
    ];
    SigSet::from_iter(signals).thread_block().map_err(StartError::Signals)?;
    log::learn_time_zone();
    log::own_console();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Ids, StartError> {
        arguments(words.iter().map(OsString::from))
    }

    #[test]
    fn both_in_any_order() {
        let ids = Ids { uid: Uid::from_raw(61184), gid: Gid::from_raw(61185) };
        assert_eq!(read(&["--uid", "61184", "--gid", "61185"]), Ok(ids));
        assert_eq!(read(&["--gid", "61185", "--uid", "61184"]), Ok(ids));
    }

    #[test]
    fn without_rights_is_said_alone() {
        let read = |words: &[&str]| whom(words.iter().map(OsString::from));
        assert_eq!(read(&["--unprivileged"]), Ok(Whom::Stays));
        assert!(matches!(read(&["--uid", "5", "--gid", "6"]), Ok(Whom::Becomes(_))));
        assert!(read(&["--unprivileged", "--uid", "5", "--gid", "6"]).is_err());
        assert!(read(&[]).is_err());
    }

    #[test]
    fn never_root_never_half() {
        for words in [
            &["--uid", "0", "--gid", "5"][..],
            &["--uid", "5", "--gid", "0"],
            &["--uid", "4294967295", "--gid", "5"],
            &["--uid", "5"],
            &["--uid", "5", "--uid", "6", "--gid", "5"],
            &["--uid", "5", "--gid"],
            &["--uid", "five", "--gid", "5"],
            &["--verbose"],
            &[],
        ] {
            assert!(matches!(read(words), Err(StartError::Arguments(_))), "{words:?}");
        }
    }
}
