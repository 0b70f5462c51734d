//! What may be a tracked file: a regular file, on a file system whose changes inotify reports, reached by no link but root's own.

use super::regular::{self, Found, LastLink};
use core::fmt;
use ipc::config::file::InitFile;
use ipc::config::vrrp::Switch;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open as open_file};
use nix::sys::stat::Mode;
use nix::sys::statfs::{FsType, statfs};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Why a directory is not watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTrackable {
    /// The system says no.
    Errno(Errno),
    /// Other machines, or the kernel, change files there without an event.
    FileSystem(&'static str),
}

impl fmt::Display for NotTrackable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotTrackable::Errno(e) => f.write_str(e.desc()),
            NotTrackable::FileSystem(name) => write!(f, "it is on {name}, where changes are not told"),
        }
    }
}

/// File systems that are not watched, by the number of statfs(2). COMPAT: keepalived 2.4.3 refuses these, too.
const UNTOLD: [(i64, &str); 10] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x9fa0, "proc"),
    (0x6265_6572, "sysfs"),
];

/// Whether files of a directory can be watched.
pub fn directory(path: &Path) -> Result<(), NotTrackable> {
    let FsType(kind) = statfs(path).map_err(NotTrackable::Errno)?.filesystem_type();
    match UNTOLD.iter().find(|(number, _)| *number == kind) {
        Some((_, name)) => Err(NotTrackable::FileSystem(name)),
        None => Ok(()),
    }
}

/// The path that counts. COMPAT: keepalived 2.2.7, measured: a link is followed once, when the configuration is read. Ours follows it only
/// if root owns it, and says so otherwise: the supervisor may read every file.
pub fn resolve(path: &Path) -> (PathBuf, Option<String>) {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_symlink() && meta.uid() == 0 => {
            (path.canonicalize().unwrap_or_else(|_| path.to_owned()), None)
        }
        Ok(meta) if meta.is_symlink() => {
            let why =
                format!("{} is a link that root does not own; it is not followed and counts as 0", path.display());
            (path.to_owned(), Some(why))
        }
        _ => (path.to_owned(), None),
    }
}

/// Opens a regular file for reading; never a link, never anything that blocks.
pub fn open(path: &Path) -> Option<OwnedFd> {
    regular::read(path, LastLink::Itself)
}

/// Writes a file at the start. COMPAT: keepalived 2.2.7, measured: mode 0600, the number and a newline.
pub fn init(path: &Path, init: InitFile) -> Result<(), String> {
    let cannot = |what: &str, e: &dyn fmt::Display| format!("{} cannot be {what}: {e}", path.display());
    let opened = match Found::at(path, LastLink::Itself) {
        Ok(_) if init.overwrite == Switch::Off => return Ok(()),
        Ok(found) if found.is_regular() => found.open(OFlag::O_WRONLY).map_err(|e| cannot("opened", &e.desc())),
        Ok(_) => return Err(format!("{} is no regular file", path.display())),
        Err(Errno::ENOENT) => {
            let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
            open_file(path, flags, Mode::S_IRUSR | Mode::S_IWUSR).map_err(|e| cannot("made", &e.desc()))
        }
        Err(e) => return Err(cannot("looked at", &e.desc())),
    };
    let mut file = File::from(opened?);
    file.set_len(0).and_then(|()| writeln!(file, "{}", init.value)).map_err(|e| cannot("written", &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::testdir::TestDir;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_counts_as_what_it_leads_to_if_it_is_roots() {
        let dir = TestDir::new("trackable");
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        std::fs::write(&target, "1").unwrap();
        symlink(&target, &link).unwrap();
        let is_root = nix::unistd::geteuid().is_root();
        assert_eq!(resolve(&link).0, if is_root { target.canonicalize().unwrap() } else { link.clone() });
        if is_root {
            std::os::unix::fs::lchown(&link, Some(65_534), None).unwrap();
            assert_eq!(resolve(&link).0, link);
            assert!(resolve(&link).1.is_some());
        }
    }

    #[test]
    fn files_are_initialised_when_they_are_missing_or_to_be_overwritten() {
        let dir = TestDir::new("trackable");
        let (path, link) = (dir.path().join("f"), dir.path().join("link"));
        let read = || std::fs::read_to_string(&path).unwrap();
        let with = |value, overwrite| InitFile { value, overwrite };
        init(&path, with(7, Switch::Off)).unwrap();
        assert_eq!(read(), "7\n");
        init(&path, with(8, Switch::Off)).unwrap();
        assert_eq!(read(), "7\n");
        init(&path, with(-1, Switch::On)).unwrap();
        assert_eq!(read(), "-1\n");
        symlink(&path, &link).unwrap();
        assert!(init(&link, with(5, Switch::On)).is_err());
        assert_eq!(read(), "-1\n");
        assert!(init(Path::new("/nowhere/f"), with(5, Switch::Off)).is_err());
    }

    #[test]
    fn file_systems_that_tell_nothing_are_refused() {
        assert!(matches!(directory(Path::new("/proc/self")), Err(NotTrackable::FileSystem("proc"))));
        assert!(matches!(directory(Path::new("/nowhere")), Err(NotTrackable::Errno(Errno::ENOENT))));
        let dir = TestDir::new("trackable");
        assert_eq!(directory(dir.path()), Ok(()));
    }
}
