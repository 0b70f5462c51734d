//! Notify FIFOs as files: making, opening, writing, removing.
//!
//! The supervisor is root without CAP_CHOWN and CAP_DAC_OVERRIDE, and a FIFO belongs to who reads it: it is made and opened with the file
//! system identity of its owner (setfsuid(2)). Where the owner may not make files, as in /run, it is made in a directory beside it, which
//! others may write to but not list or rename in, and then moved. No link is followed; what is there already is used when it is a
//! FIFO of root or of the owner.
//!
//! It is opened for reading too, as keepalived does: a line waits in it for a reader to come. Nothing blocks: what does not fit waits
//! here, at most [`WAITING_LIMIT`] lines, the oldest go first, so that the newest state is always told.

use super::regular::{Found, LastLink, is_roots};
use super::users::Identity;
use ipc::report::{Level, Line};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, SFlag};
use nix::unistd::{Gid, Pid, Uid, mkfifo, setfsgid, setfsuid, write};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Most lines that wait for one reader, besides the 64 KiB that the kernel keeps.
const WAITING_LIMIT: usize = 1_024;

/// A FIFO that is open.
#[derive(Debug)]
pub struct Fifo {
    path: PathBuf,
    fd: OwnedFd,
    owner: Identity,
    made: Made,
    waiting: VecDeque<Vec<u8>>,
    /// How many were left out since the reader last kept up.
    left_out: u64,
}

/// Whose a FIFO is to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    Here,
    Before,
}

impl Fifo {
    /// Makes and opens one, or opens what is there.
    pub fn open(path: &Path, owner: &Identity) -> Result<Fifo, String> {
        let cannot = |what: &str, e: Errno| format!("{} cannot be {what}: {}", path.display(), e.desc());
        let made = match with_identity(owner, || mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)) {
            Ok(()) => Made::Here,
            Err(Errno::EEXIST) => Made::Before,
            Err(Errno::EACCES | Errno::EPERM) => make_beside(path, owner).map_err(|e| cannot("made", e))?,
            Err(e) => return Err(cannot("made", e)),
        };
        let found = Found::at(path, LastLink::Itself).map_err(|e| cannot("looked at", e))?;
        if found.kind() != SFlag::S_IFIFO {
            return Err(format!("{} is there and is no FIFO", path.display()));
        }
        let (theirs, wanted) = (found.stat().st_uid, owner.uid);
        if theirs != wanted && theirs != 0 {
            return Err(format!("{} belongs to uid {theirs}, neither to uid {wanted} nor to root", path.display()));
        }
        // As its owner, who may be the only one that may write to it; or it is root's.
        let opened = with_identity(owner, || found.open(OFlag::O_RDWR)).or_else(|_| found.open(OFlag::O_RDWR));
        let fd = opened.map_err(|e| cannot("opened", e))?;
        let own = owner.clone();
        Ok(Fifo { path: path.to_owned(), fd, owner: own, made, waiting: VecDeque::new(), left_out: 0 })
    }

    /// Its descriptor, to wait for room.
    pub fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Writes a line after those that wait. Gives a line for the log when one is left out for the first time.
    pub fn write(&mut self, line: Vec<u8>) -> Option<Line> {
        self.waiting.push_back(line);
        let flushed = self.flush();
        if self.waiting.len() <= WAITING_LIMIT {
            return flushed;
        }
        self.waiting.pop_front();
        self.left_out = self.left_out.saturating_add(1);
        (self.left_out == 1).then(|| {
            let text = format!("{}: nobody reads it; the oldest lines are left out", self.path.display());
            Line::new(Level::Warning, text)
        })
    }

    /// Writes what waits until the FIFO is full. Each line is written whole (pipe(7): less than PIPE_BUF) or not yet.
    pub fn flush(&mut self) -> Option<Line> {
        while let Some(line) = self.waiting.front() {
            match write(&self.fd, line) {
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return None,
                // It is open for reading here, so no reader can make that fail; a line that cannot be written is left out.
                Ok(_) | Err(_) => drop(self.waiting.pop_front()),
            }
        }
        let left_out = core::mem::take(&mut self.left_out);
        (left_out > 0).then(|| {
            let text = format!("{}: it is read again; {left_out} lines were left out", self.path.display());
            Line::new(Level::Warning, text)
        })
    }

    /// Closes it, and removes it if it was made here.
    pub fn close(mut self) {
        self.flush();
        if self.made == Made::Here {
            let removed = with_identity(&self.owner, || fs::remove_file(&self.path));
            // The owner may not where it was made in a directory of root's; elsewhere he could lead this astray.
            if removed.is_err() && self.path.parent().is_some_and(is_roots) {
                let _ = fs::remove_file(&self.path);
            }
        }
    }
}

/// Makes it in a directory of its own and moves it. Whoever else writes into that directory in between cannot replace what the owner
/// made there (sticky), and what is opened afterwards is looked at.
fn make_beside(path: &Path, owner: &Identity) -> Result<Made, Errno> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", Pid::this()));
    let directory = path.with_file_name(name);
    let errno = |e: std::io::Error| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO));
    DirBuilder::new().mode(0o700).create(&directory).map_err(errno)?;
    let inside = directory.join("fifo");
    let made = fs::set_permissions(&directory, Permissions::from_mode(0o1733)).map_err(errno).and_then(|()| {
        with_identity(owner, || mkfifo(&inside, Mode::S_IRUSR | Mode::S_IWUSR))?;
        match path.symlink_metadata() {
            Ok(_) => Ok(Made::Before),
            Err(_) => fs::rename(&inside, path).map(|()| Made::Here).map_err(errno),
        }
    });
    let _ = fs::remove_file(&inside);
    let _ = fs::remove_dir(&directory);
    made
}

/// Does something to the file system as somebody else. This process has one thread.
fn with_identity<T>(who: &Identity, work: impl FnOnce() -> T) -> T {
    let own = Identity::own();
    if (who.uid, who.gid) == (own.uid, own.gid) {
        return work();
    }
    setfsgid(Gid::from_raw(who.gid));
    setfsuid(Uid::from_raw(who.uid));
    let result = work();
    setfsuid(Uid::from_raw(own.uid));
    setfsgid(Gid::from_raw(own.gid));
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::testdir::TestDir;
    use std::io::Read as _;
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, symlink};

    fn reader(path: &Path) -> fs::File {
        fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap()
    }

    #[test]
    fn lines_wait_for_a_reader_and_the_newest_are_kept() {
        let dir = TestDir::new("fifo");
        let path = dir.path().join("f");
        let mut fifo = Fifo::open(&path, &Identity::own()).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        let line = |n: usize| format!("INSTANCE \"{}\" MASTER {n}\n", "x".repeat(200)).into_bytes();
        let mut remarks = 0;
        for n in 0..2_000 {
            remarks += usize::from(fifo.write(line(n)).is_some());
        }
        assert_eq!((remarks, fifo.waiting.len()), (1, WAITING_LIMIT));
        let mut text = String::new();
        let mut file = reader(&path);
        let mut again = Vec::new();
        while !fifo.waiting.is_empty() {
            let _ = file.read_to_string(&mut text);
            again.extend(fifo.flush());
        }
        let _ = file.read_to_string(&mut text);
        assert_eq!(again.len(), 1, "that it is read again is said once");
        assert!(again[0].text.contains(" lines were left out"), "{again:?}");
        assert!(text.lines().count() < 2_000 && text.lines().all(|l| l.starts_with("INSTANCE \"xx")));
        assert!(text.ends_with("MASTER 1999\n"));
        fifo.close();
        assert!(!path.exists());
    }

    #[test]
    fn only_a_fifo_is_used_and_one_that_was_there_stays() {
        let dir = TestDir::new("fifo");
        let (file, link, there) = (dir.path().join("file"), dir.path().join("link"), dir.path().join("there"));
        fs::write(&file, "precious").unwrap();
        symlink(&there, &link).unwrap();
        mkfifo(&there, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        assert!(Fifo::open(&file, &Identity::own()).unwrap_err().contains("no FIFO"));
        assert!(Fifo::open(&link, &Identity::own()).is_err());
        let fifo = Fifo::open(&there, &Identity::own()).unwrap();
        fifo.close();
        assert!(there.metadata().unwrap().file_type().is_fifo());
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    }

    #[test]
    fn it_belongs_to_its_owner_also_where_that_one_may_make_nothing() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let dir = TestDir::new("fifo");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let path = dir.path().join("f");
        let nobody = Identity::new(65_534, 65_534);
        let fifo = Fifo::open(&path, &nobody).unwrap();
        let meta = path.metadata().unwrap();
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777), (65_534, 65_534, 0o600));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
        fifo.close();
        // Somebody else's is not used.
        let other = Identity::new(65_533, 65_533);
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        with_identity(&other, || mkfifo(&path, Mode::from_bits_truncate(0o666)).unwrap());
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        assert!(Fifo::open(&path, &nobody).unwrap_err().contains("belongs to uid 65533"));
    }
}
