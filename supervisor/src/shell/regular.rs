//! Files whose names others may give to something else at any time, while this process is root: what a name stands for is found out
//! before it is opened, and that very thing is opened then. Opening does something to a FIFO (it waits) and to many a device
//! (`/dev/watchdog`!).

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Whether a symbolic link at the end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLink {
    /// What it leads to counts.
    Followed,
    /// The link itself counts, which is no file.
    Itself,
}

/// What a path stood for when it was asked; not opened.
#[derive(Debug)]
pub struct Found {
    fd: OwnedFd,
    stat: FileStat,
}

impl Found {
    /// Asks.
    pub fn at(path: &Path, last: LastLink) -> Result<Found, Errno> {
        let flags = match last {
            LastLink::Followed => OFlag::O_PATH | OFlag::O_CLOEXEC,
            LastLink::Itself => OFlag::O_PATH | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW,
        };
        let fd = open(path, flags, Mode::empty())?;
        let stat = fstat(fd.as_fd())?;
        Ok(Found { fd, stat })
    }

    /// What it is: `S_IFREG`, `S_IFDIR`, `S_IFIFO` …
    pub fn kind(&self) -> SFlag {
        SFlag::from_bits_truncate(self.stat.st_mode & SFlag::S_IFMT.bits())
    }

    /// Whether it is a regular file.
    pub fn is_regular(&self) -> bool {
        self.kind() == SFlag::S_IFREG
    }

    /// All else that is known of it.
    pub fn stat(&self) -> &FileStat {
        &self.stat
    }

    /// Opens it, whatever has its name by now. Never waits.
    pub fn open(&self, access: OFlag) -> Result<OwnedFd, Errno> {
        let again = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
        open(again.as_str(), access | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC, Mode::empty())
    }
}

/// Opens a regular file for reading.
pub fn read(path: &Path, last: LastLink) -> Option<OwnedFd> {
    Found::at(path, last).ok().filter(Found::is_regular)?.open(OFlag::O_RDONLY).ok()
}

/// Most links that a directory is reached by; the kernel's limit for a path.
const LINKS_LIMIT: usize = 40;

/// Whether nobody but root can put something else in the place of a directory or of what root makes in it. It may be reached by links that
/// only root can change.
pub fn is_roots(directory: &Path) -> bool {
    let mut links = LINKS_LIMIT;
    is_roots_within(directory, &mut links)
}

fn is_roots_within(directory: &Path, links: &mut usize) -> bool {
    directory.ancestors().all(|part| {
        let Ok(meta) = part.symlink_metadata() else { return false };
        // In a sticky directory nobody can replace what is root's.
        let is_safe = |mode: u32| mode & 0o022 == 0 || mode & 0o1000 != 0;
        if !meta.is_symlink() {
            return meta.is_dir() && meta.uid() == 0 && is_safe(meta.mode());
        }
        let Some(left) = links.checked_sub(1).filter(|_| meta.uid() == 0) else { return false };
        *links = left;
        let target = part.read_link().map(|target| part.with_file_name(target));
        target.is_ok_and(|target| is_roots_within(&target, links))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::testdir::TestDir;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};

    #[test]
    fn only_regular_files_are_read() {
        let dir = TestDir::new("regular");
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "1").unwrap();
        symlink(path("file"), path("link")).unwrap();
        nix::unistd::mkfifo(&path("fifo"), Mode::S_IRUSR).unwrap();
        assert!(read(&path("file"), LastLink::Itself).is_some());
        assert!(read(&path("link"), LastLink::Followed).is_some());
        for not in ["link", "fifo", "missing", "."] {
            assert!(read(&path(not), LastLink::Itself).is_none(), "{not}");
        }
        assert!(read(Path::new("/dev/null"), LastLink::Followed).is_none());
    }

    #[test]
    fn what_was_found_is_opened_whatever_has_its_name() {
        let dir = TestDir::new("regular");
        let path = dir.path().join("file");
        std::fs::write(&path, "first").unwrap();
        let found = Found::at(&path, LastLink::Itself).unwrap();
        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, Mode::S_IRUSR).unwrap();
        let file = std::fs::File::from(found.open(OFlag::O_RDONLY).unwrap());
        assert_eq!(std::io::read_to_string(file).unwrap(), "first");
    }

    #[test]
    fn a_directory_is_roots_when_nobody_else_can_change_a_part_of_its_path() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let dir = TestDir::new("roots");
        let path = |name: &str| dir.path().join(name);
        let directory = |name: &str, mode: u32, owner: u32| {
            std::fs::create_dir(path(name)).unwrap();
            std::fs::set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
            chown(path(name), Some(owner), None).unwrap();
        };
        directory("own", 0o755, 0);
        directory("own/inner", 0o700, 0);
        directory("sticky", 0o1777, 0);
        directory("open", 0o777, 0);
        directory("theirs", 0o755, 65_534);
        directory("theirs/inner", 0o700, 0);
        for (link, target) in [
            ("to_own", path("own")),
            ("relative", "own/../own".into()),
            ("sticky/mine", path("own")),
            ("to_theirs", path("theirs/inner")),
            ("theirs/link", path("own")),
            ("chain", path("theirs/link")),
            ("sticky/strange", path("own")),
            ("circle", path("circle")),
        ] {
            symlink(target, path(link)).unwrap();
        }
        lchown(path("sticky/strange"), Some(65_534), None).unwrap();
        for good in ["own", "own/inner", "sticky", "to_own", "to_own/inner", "relative/inner", "sticky/mine"] {
            assert!(is_roots(&path(good)), "{good}");
        }
        for bad in ["open", "theirs", "theirs/inner", "to_theirs", "chain", "sticky/strange", "circle", "missing"] {
            assert!(!is_roots(&path(bad)), "{bad}");
        }
    }
}
