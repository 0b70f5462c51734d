//! Files that the supervisor opens: dumps, the log file, pid files of children. Never a predictable name in a directory that
//! others may write to, never through a link.

use super::regular::{self, Found, LastLink, is_roots};
use ipc::config::identity::Identity;
use ipc::log::syslog;
use ipc::msg::control::DumpKind;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag};
use nix::unistd::{Pid, geteuid};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use supervisor::daemon::Daemon;

/// Where dumps and the children's pid files go. keepalived's dumps go to /tmp, where two of its CVEs came from.
const RUN_DIR: &str = "/run/holdfast";

/// How the names of files begin that are being written.
const UNFINISHED: &str = ".unfinished-";

/// Longer than any pid file of a child.
const PID_FILE_LIMIT: usize = 16;

/// That of the network namespace of `-s`, so that one daemon in each does not take the others' files.
static OF_NAMESPACE: OnceLock<PathBuf> = OnceLock::new();

/// From now on the run directory is that of a network namespace. Before it is used for anything.
pub fn run_in(namespace: &OsStr) {
    // Set once: there is one `-s`.
    let _ = OF_NAMESPACE.set(Path::new(RUN_DIR).join(namespace));
}

/// Makes the run directory, or says why what is there is not used.
pub fn run_dir() -> Result<&'static Path, String> {
    own_directory(Path::new(RUN_DIR))?;
    match OF_NAMESPACE.get() {
        Some(path) => own_directory(path).map(|()| path.as_path()),
        None => Ok(Path::new(RUN_DIR)),
    }
}

fn own_directory(path: &Path) -> Result<(), String> {
    let shown = path.display();
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(format!("{shown} cannot be made: {e}")),
        Ok(()) | Err(_) => {}
    }
    let meta = path.symlink_metadata().map_err(|e| format!("{shown} cannot be looked at: {e}"))?;
    if meta.is_dir() && meta.uid() == geteuid().as_raw() && meta.mode() & 0o022 == 0 {
        Ok(())
    } else {
        Err(format!("{shown} is not used: it must be a directory of uid {} that nobody else can write to", geteuid()))
    }
}

/// The name of a dump; keepalived's, so that only the directory differs.
fn dump_name(whose: Option<Daemon>, kind: DumpKind) -> &'static str {
    match (whose, kind) {
        (Some(Daemon::Vrrp), DumpKind::Data) => "keepalived.data",
        (Some(Daemon::Check), DumpKind::Data) => "keepalived_check.data",
        (Some(Daemon::Ipvs), DumpKind::Data) => "keepalived_ipvs.data",
        (None, _) => "keepalived_parent.data",
        (Some(_), DumpKind::Stats | DumpKind::StatsClear) => "keepalived.stats",
        (Some(_), DumpKind::Json) => "keepalived.json",
    }
}

/// A new, empty dump file: where the configuration wants it, else in the run directory. `None` is the supervisor's own.
pub fn dump(whose: Option<Daemon>, kind: DumpKind, asked: Option<PathBuf>) -> Result<(File, Unfinished), String> {
    let path = match asked {
        Some(path) => replaceable(path)?,
        None => run_dir()?.join(dump_name(whose, kind)),
    };
    begin(&path, Mode::S_IRUSR | Mode::S_IWUSR)
}

/// Where the configuration wants a dump: `state_dump_file` is vrrpd's, and the others' are beside it.
pub fn asked_for(whose: Option<Daemon>, kind: DumpKind, asked: &Identity) -> Option<PathBuf> {
    let path = match kind {
        DumpKind::Data => &asked.state_dump_file,
        DumpKind::Stats | DumpKind::StatsClear => &asked.stats_dump_file,
        DumpKind::Json => &asked.json_dump_file,
    };
    let path = Path::new(path.as_ref()?);
    Some(match whose {
        Some(Daemon::Vrrp) => path.to_owned(),
        Some(Daemon::Check) => beside(path, "_check"),
        Some(Daemon::Ipvs) => beside(path, "_ipvs"),
        None => beside(path, "_parent"),
    })
}

/// A path that a dump may take: a device, a pipe or a directory of that name is not for us to remove, and whoever may put a link in the
/// place of a directory would choose which file is replaced.
fn replaceable(path: PathBuf) -> Result<PathBuf, String> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    if !directory.is_dir() {
        return Err(format!("{} is no directory that is there; make it, or name another", directory.display()));
    }
    if !is_roots(directory) {
        let shown = directory.display();
        return Err(format!("{shown} is not used: others than root may write to a part of that path; name another"));
    }
    match Found::at(&path, LastLink::Itself) {
        Ok(found) if matches!(found.kind(), SFlag::S_IFREG | SFlag::S_IFLNK) => Ok(path),
        Ok(_) => Err(format!("{} is there and is no regular file; name another", path.display())),
        Err(Errno::ENOENT) => Ok(path),
        Err(e) => Err(format!("{} cannot be looked at: {}", path.display(), e.desc())),
    }
}

/// Removes what dumps that were never finished have left in the run directory: the supervisor was killed meanwhile.
pub fn remove_unfinished() {
    let entries = run_dir().ok().and_then(|directory| std::fs::read_dir(directory).ok());
    for entry in entries.into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_left_over) {
            let _ = std::fs::remove_file(entry.path()); // the next start tries again
        }
    }
}

/// Whether a file of that name is unfinished and will remain so: the process whose number it has is gone, or it is this one, which has not
/// begun any. (In a container each supervisor may have the number of the last.)
fn is_left_over(name: &str) -> bool {
    let pid = name.strip_prefix(UNFINISHED).and_then(|name| name.rsplit('.').nth(1));
    let is_gone = |pid: i32| pid == Pid::this().as_raw() || !Path::new(&format!("/proc/{pid}")).exists();
    pid.is_some_and(|pid| pid.parse().is_ok_and(is_gone))
}

/// A file that is being written, under a name that nobody looks for. It goes when this is dropped.
#[derive(Debug)]
pub struct Unfinished {
    /// Where it is.
    new: PathBuf,
    /// Where it belongs.
    path: PathBuf,
}

impl Unfinished {
    /// Where it belongs.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All of it is there: it takes the place of what has its name.
    pub fn finish(self) -> Result<(), String> {
        std::fs::rename(&self.new, &self.path).map_err(|e| format!("{} cannot be replaced: {e}", self.path.display()))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.new); // not there any more when it was finished
    }
}

/// A new file that will take the place of what has that name.
fn begin(path: &Path, mode: Mode) -> Result<(File, Unfinished), String> {
    /// So that two of the same name do not meet.
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let mut name = std::ffi::OsString::from(UNFINISHED);
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.{}", Pid::this(), NUMBER.fetch_add(1, Ordering::Relaxed)));
    let new = path.with_file_name(name);
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    // Only this process makes that name in that directory: what is there is a left-over.
    let _ = std::fs::remove_file(&new);
    let fd = open(&new, flags, mode).map_err(|e| format!("{} cannot be made: {}", new.display(), e.desc()))?;
    Ok((fd.into(), Unfinished { new, path: path.to_owned() }))
}

/// A file with this text, whole from the first moment.
fn replace(path: &Path, mode: Mode, text: &str) -> Result<(), String> {
    let (mut file, unfinished) = begin(path, mode)?;
    file.write_all(text.as_bytes()).map_err(|e| format!("{} cannot be written: {e}", path.display()))?;
    unfinished.finish()
}

/// Writes something down in the run directory.
pub fn note(path: &Path, text: &str) -> Result<(), String> {
    replace(path, Mode::S_IRUSR | Mode::S_IWUSR, text)
}

/// Writes the pid file of a child. Nothing hangs on it, so a failure is only told.
pub fn child_pid(path: &Path, pid: Pid) -> Result<(), String> {
    replace(path, Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP | Mode::S_IROTH, &format!("{pid}\n"))
}

/// Removes the pid file of a child, if it is still the one of that child.
pub fn forget_child_pid(path: &Path, pid: Pid) {
    let mut text = [0; PID_FILE_LIMIT];
    let Some(fd) = regular::read(path, LastLink::Itself) else { return };
    let Ok(length) = File::from(fd).read(&mut text) else { return };
    if text.get(..length) == Some(format!("{pid}\n").as_bytes()) {
        let _ = std::fs::remove_file(path);
    }
}

/// Opens a log file for appending. A child's name goes before the extension. COMPAT: keepalived 2.4.3: `_vrrp`, `_check`.
pub fn log_file(path: &Path, whose: Option<Daemon>) -> Result<OwnedFd, String> {
    let path = with_suffix(path, whose);
    let flags = OFlag::O_WRONLY
        | OFlag::O_CREAT
        | OFlag::O_APPEND
        | OFlag::O_NOFOLLOW
        | OFlag::O_NONBLOCK
        | OFlag::O_NOCTTY
        | OFlag::O_CLOEXEC;
    match open(&path, flags, Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP) {
        Ok(fd) => Ok(fd),
        Err(Errno::ELOOP) => Err(format!("log file {} is a link, which is not followed", path.display())),
        Err(e) => Err(format!("log file {} cannot be opened: {}", path.display(), e.desc())),
    }
}

/// A socket to syslog, connected or not (see [`syslog::connect`]).
pub fn syslog_socket() -> Result<OwnedFd, Errno> {
    syslog::connect(Path::new(syslog::DEV_LOG))
}

fn with_suffix(path: &Path, whose: Option<Daemon>) -> PathBuf {
    match whose {
        None => path.to_owned(),
        Some(Daemon::Vrrp) => beside(path, "_vrrp"),
        Some(Daemon::Check) => beside(path, "_check"),
        Some(Daemon::Ipvs) => beside(path, "_ipvs"),
    }
}

/// The same with something before the extension.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(suffix);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::testdir::TestDir;
    use std::os::unix::fs::symlink;

    #[test]
    fn log_files_of_children_have_their_name_before_the_extension() {
        let name = |path: &str, whose| with_suffix(Path::new(path), whose).to_str().unwrap().to_owned();
        assert_eq!(name("/var/log/h.log", Some(Daemon::Vrrp)), "/var/log/h_vrrp.log");
        assert_eq!(name("/var/log/h", Some(Daemon::Check)), "/var/log/h_check");
        assert_eq!(name("/var/log/h.log", None), "/var/log/h.log");
    }

    #[test]
    fn a_file_takes_the_place_of_a_link_and_not_of_its_target() {
        let dir = TestDir::new("files");
        let (target, link) = (dir.path().join("target"), dir.path().join("x.pid"));
        std::fs::write(&target, "precious").unwrap();
        symlink(&target, &link).unwrap();
        child_pid(&link, Pid::from_raw(5)).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
        assert_eq!(std::fs::read_to_string(&link).unwrap(), "5\n");
        forget_child_pid(&link, Pid::from_raw(6));
        assert!(link.exists());
        forget_child_pid(&link, Pid::from_raw(5));
        assert!(!link.exists());
    }

    #[test]
    fn a_dump_takes_the_place_of_files_and_links_only() {
        let dir = TestDir::new("dumps");
        // Of somebody else's directory nothing is replaced, see `is_roots`.
        if !is_roots(dir.path()) {
            return assert!(replaceable(dir.path().join("file")).is_err());
        }
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "old").unwrap();
        symlink("/nowhere", path("link")).unwrap();
        nix::unistd::mkfifo(&path("fifo"), Mode::S_IRUSR).unwrap();
        for name in ["file", "link", "missing"] {
            assert_eq!(replaceable(path(name)), Ok(path(name)));
        }
        for not in [path("fifo"), path("."), PathBuf::from("/dev/null")] {
            assert!(replaceable(not).is_err());
        }
    }

    #[test]
    fn what_is_being_written_is_no_left_over() {
        let name = |pid: i32| format!("{UNFINISHED}keepalived.data.{pid}.3");
        assert!(!is_left_over(&name(Pid::parent().as_raw())));
        assert!(is_left_over(&name(Pid::this().as_raw())));
        // More than the kernel gives.
        assert!(is_left_over(&name(i32::MAX)));
        assert!(!is_left_over("keepalived.data") && !is_left_over("sysctl.5.6"));
    }

    #[test]
    fn a_log_file_is_appended_to_and_no_link_is_followed() {
        let dir = TestDir::new("files");
        let (path, link) = (dir.path().join("a.log"), dir.path().join("l.log"));
        std::fs::write(&path, "old\n").unwrap();
        writeln!(File::from(log_file(&path, None).unwrap()), "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old\nnew\n");
        symlink(&path, &link).unwrap();
        assert!(log_file(&link, None).is_err());
    }
}
