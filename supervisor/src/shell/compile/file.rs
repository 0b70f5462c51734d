//! Opening a configuration file. The name may come from a process that reads text, so nothing is opened that opening does something
//! to.

use crate::shell::regular::{Found, LastLink};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Why a file cannot be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// There is nothing of that name.
    Missing,
    /// What is there is of no use.
    Because(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::Missing => f.write_str("it does not exist"),
            Unusable::Because(why) => f.write_str(why),
        }
    }
}

fn because(why: &str) -> Unusable {
    Unusable::Because(why.to_owned())
}

/// Opens a regular file for reading. COMPAT: keepalived 2.2.7 takes no executable file for a configuration, not even as the main one.
pub fn open_regular(path: &Path) -> Result<OwnedFd, Unusable> {
    let found = Found::at(path, LastLink::Followed).map_err(|e| match e {
        Errno::ENOENT if path.symlink_metadata().is_ok() => because("it is a link to nothing"),
        Errno::ENOENT => Unusable::Missing,
        other => because(other.desc()),
    })?;
    match found.kind() {
        SFlag::S_IFREG if found.stat().st_mode & 0o111 != 0 => {
            Err(because("it is executable, as no configuration is: it is something else, or chmod a-x makes it one"))
        }
        SFlag::S_IFREG => found.open(OFlag::O_RDONLY).map_err(|e| because(e.desc())),
        SFlag::S_IFDIR => Err(because("it is a directory")),
        _ => Err(because("it is no regular file")),
    }
}
