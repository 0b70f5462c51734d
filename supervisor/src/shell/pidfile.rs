//! Pid files. They tell people a number; the lock on the supervisor's own says that it runs.

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, open};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat};
use nix::unistd::{Pid, ftruncate};
use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The supervisor's, unless `-p`.
pub const DEFAULT: &str = "/run/holdfast.pid";

/// How often a file that vanishes under the lock is made anew.
const ATTEMPTS: u32 = 5;

/// Why a pid file could not be written.
#[derive(Debug)]
pub enum PidFileError {
    /// Another process holds the lock.
    Running(PathBuf),
    /// It cannot be opened or written.
    Os(PathBuf, Errno),
    /// What is there is no regular file of ours alone.
    Strange(PathBuf),
}

impl fmt::Display for PidFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // COMPAT: keepalived 2.4.3.
            PidFileError::Running(path) => write!(f, "daemon is already running ({} is locked)", path.display()),
            PidFileError::Os(path, e) => write!(f, "pid file {} cannot be written: {}", path.display(), e.desc()),
            PidFileError::Strange(path) => write!(
                f,
                "pid file {} is not used: it is no regular file of this user with one name; remove it",
                path.display()
            ),
        }
    }
}

impl core::error::Error for PidFileError {}

/// A pid file that is removed when this value is dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: Flock<File>,
}

impl PidFile {
    /// Takes the lock, without the pid yet (the process may still fork).
    pub fn lock(path: &Path) -> Result<PidFile, PidFileError> {
        for _ in 0..ATTEMPTS {
            let locked = PidFile { path: path.to_owned(), file: open_and_lock(path)? };
            // Between the two, a daemon that ends may have removed the file: the lock would be on a file without a name.
            if locked.is_at_path() {
                // Whatever the umask was when somebody made it.
                fchmod(&*locked.file, Mode::from_bits_truncate(0o644))
                    .map_err(|e| PidFileError::Os(path.to_owned(), e))?;
                return Ok(locked);
            }
        }
        Err(PidFileError::Os(path.to_owned(), Errno::EBUSY))
    }

    /// Whether the path still leads to this file.
    fn is_at_path(&self) -> bool {
        let here = fstat(&*self.file).map(|s| (s.st_dev, s.st_ino));
        let there = std::fs::symlink_metadata(&self.path).map(|m| (m.dev(), m.ino()));
        matches!((here, there), (Ok(here), Ok(there)) if here == there)
    }

    /// Writes a pid into it, in place of what it held.
    pub fn write(&mut self, pid: Pid) -> Result<(), PidFileError> {
        let os = |e| PidFileError::Os(self.path.clone(), e);
        ftruncate(&*self.file, 0).map_err(os)?;
        let mut file: &File = &self.file;
        std::io::Seek::rewind(&mut file).map_err(|e| os(errno(&e)))?;
        writeln!(file, "{pid}").map_err(|e| os(errno(&e)))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Only what is still this file: somebody may have put another in its place.
        if self.is_at_path() {
            // Nothing is left to do about a failure; the next start takes the file over.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn open_and_lock(path: &Path) -> Result<Flock<File>, PidFileError> {
    let os = |e| PidFileError::Os(path.to_owned(), e);
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = match open(path, flags, Mode::from_bits_truncate(0o644)) {
        Ok(fd) => File::from(fd),
        Err(Errno::ELOOP) => return Err(PidFileError::Strange(path.to_owned())),
        Err(e) => return Err(os(e)),
    };
    let stat = fstat(&file).map_err(os)?;
    let regular = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFREG;
    // No name at all: it has just been removed, which is found out below.
    if !regular || stat.st_nlink > 1 || stat.st_uid != nix::unistd::geteuid().as_raw() {
        return Err(PidFileError::Strange(path.to_owned()));
    }
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(file) => Ok(file),
        Err((_, Errno::EWOULDBLOCK)) => Err(PidFileError::Running(path.to_owned())),
        Err((_, e)) => Err(os(e)),
    }
}

fn errno(e: &std::io::Error) -> Errno {
    Errno::from_raw(e.raw_os_error().unwrap_or(nix::libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::testdir::TestDir;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn a_pid_file_is_locked_world_readable_and_removed() {
        let dir = TestDir::new("pidfile");
        let path = dir.path().join("a.pid");
        let mut file = PidFile::lock(&path).unwrap();
        file.write(Pid::from_raw(4_000_000)).unwrap();
        file.write(Pid::from_raw(17)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "17\n");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
        assert!(matches!(PidFile::lock(&path), Err(PidFileError::Running(_))));
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_left_over_pid_file_is_taken_over() {
        let dir = TestDir::new("pidfile");
        let path = dir.path().join("a.pid");
        std::fs::write(&path, "123456789 old\n").unwrap();
        PidFile::lock(&path).unwrap().write(Pid::from_raw(1)).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn links_are_not_followed() {
        let dir = TestDir::new("pidfile");
        let (target, link, hard) = (dir.path().join("t"), dir.path().join("l"), dir.path().join("h"));
        std::fs::write(&target, "precious").unwrap();
        symlink(&target, &link).unwrap();
        assert!(matches!(PidFile::lock(&link), Err(PidFileError::Strange(_))));
        std::fs::hard_link(&target, &hard).unwrap();
        assert!(matches!(PidFile::lock(&hard), Err(PidFileError::Strange(_))));
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    }

    #[test]
    fn of_many_starts_while_others_end_one_at_a_time_runs() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let dir = TestDir::new("pidfile");
        let path = dir.path().join("a.pid");
        let (running, starts) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        if let Ok(file) = PidFile::lock(&path) {
                            assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "two hold the lock");
                            starts.fetch_add(1, Ordering::SeqCst);
                            std::thread::sleep(std::time::Duration::from_micros(50));
                            running.fetch_sub(1, Ordering::SeqCst);
                            drop(file);
                        }
                    }
                });
            }
        });
        assert!(starts.load(Ordering::SeqCst) > 0);
    }
}
