//! Whether a command may be run, and which file that is. COMPAT: keepalived 2.4.3, script security.
//!
//! The path is walked as the kernel would walk it, link by link, and every directory on the way is looked at: what runs as
//! root must not be replaceable by anybody else. The walk is repeated before each run, so what was changed after the start counts.

use super::regular::{self, LastLink};
use super::users::Identity;
use ipc::config::script::SymlinkPaths;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// Most symbolic links on one path, as in the kernel.
const LINKS_LIMIT: u32 = 40;

/// Where commands without a slash are looked for when the environment has no PATH.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runnable {
    /// The file to execute, absolute.
    pub file: PathBuf,
    /// How.
    pub how: How,
    /// Why it is not safe to run it as root; empty: it is. Each sentence names the component.
    pub unsafe_because: Vec<String>,
}

/// How a file is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By the kernel.
    Directly,
    /// By `/bin/sh`, because it is no program and has no `#!` line.
    WithShell,
}

/// Finds and judges the file of a command (its first word) that will run as `who`. The error says why it cannot run.
pub fn judge(command: &[u8], who: &Identity, symlinks: SymlinkPaths) -> Result<Runnable, String> {
    let written = find(OsStr::from_bytes(command))?;
    let mut walk = Walk::default();
    // The sentence is about a part of the path; which command it is about must not be guessed from that.
    let whole = |why: String| match written.to_str() {
        Some(path) if !why.contains(path) => format!("{path}: {why}"),
        Some(_) | None => why,
    };
    let (real, meta) = walk.follow(&written).map_err(whole)?;
    if !meta.is_file() {
        return Err(format!("{} is no regular file", real.display()));
    }
    if !may_execute(&meta, who) {
        return Err(format!(
            "{} is not executable by uid {}, gid {} (mode {:04o}, owner {}:{})",
            real.display(),
            who.uid,
            who.gid,
            meta.mode() & 0o7777,
            meta.uid(),
            meta.gid()
        ));
    }
    let unsafe_because = if needs_protection(&meta, who) { walk.problems() } else { Vec::new() };
    let how = how(&real);
    let file = match symlinks {
        SymlinkPaths::Resolve => real,
        SymlinkPaths::Keep => written,
    };
    Ok(Runnable { file, how, unsafe_because })
}

/// The absolute path of a command: as written, or found on PATH.
fn find(command: &OsStr) -> Result<PathBuf, String> {
    if command.is_empty() {
        return Err("the command is empty".to_owned());
    }
    let path = Path::new(command);
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    if command.as_bytes().contains(&b'/') {
        return Err(format!("{} is a relative path; write the whole path", path.display()));
    }
    let search = std::env::var_os("PATH").unwrap_or_else(|| OsString::from(PATH));
    std::env::split_paths(&search)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(command))
        .find(|candidate| candidate.metadata().is_ok_and(|m| m.is_file() && m.mode() & 0o111 != 0))
        .ok_or_else(|| {
            format!(
                "{} is not found in {}; install it, or write the whole path",
                path.display(),
                search.to_string_lossy()
            )
        })
}

/// What runs as root, or gives root's rights, is protected. As an unprivileged user there is nothing to protect.
fn needs_protection(meta: &Metadata, who: &Identity) -> bool {
    let set_uid_root = meta.mode() & 0o4000 != 0 && meta.uid() == 0;
    let set_gid_root = meta.mode() & 0o2000 != 0 && meta.gid() == 0;
    who.uid == 0 || who.is_in(0) || set_uid_root || set_gid_root
}

/// By the mode alone; access control lists are left to execve(2).
fn may_execute(meta: &Metadata, who: &Identity) -> bool {
    let bit = match () {
        () if who.uid == 0 => 0o111,
        () if who.uid == meta.uid() => 0o100,
        () if who.is_in(meta.gid()) => 0o010,
        () => 0o001,
    };
    meta.mode() & bit != 0
}

fn how(file: &Path) -> How {
    // What cannot be read, or is something else by now, can still be executed: execve(2) will say.
    let Some(fd) = regular::read(file, LastLink::Itself) else { return How::Directly };
    let mut start = [0u8; 4];
    match (File::from(fd).read(&mut start), start) {
        (Err(_), _) | (Ok(2..), [b'#', b'!', ..]) | (Ok(4), [0x7f, b'E', b'L', b'F']) => How::Directly,
        (Ok(_), _) => How::WithShell,
    }
}

/// One look at every directory, link and file on a path.
#[derive(Default)]
struct Walk {
    seen: Vec<(PathBuf, Metadata)>,
}

impl Walk {
    /// Follows a path to its end, without symbolic links.
    fn follow(&mut self, path: &Path) -> Result<(PathBuf, Metadata), String> {
        let mut todo: Vec<OsString> = parts(path);
        let mut here = PathBuf::from("/");
        let mut meta = self.look(&here)?;
        let mut links = 0u32;
        while let Some(part) = todo.pop() {
            if part == ".." {
                here.pop();
                continue;
            }
            let next = here.join(&part);
            let found = self.look(&next)?;
            if found.is_symlink() {
                links = links.saturating_add(1);
                if links > LINKS_LIMIT {
                    return Err(format!("{} has too many levels of symbolic links", path.display()));
                }
                let target =
                    std::fs::read_link(&next).map_err(|e| format!("{} cannot be read: {e}", next.display()))?;
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                todo.extend(parts(&target));
            } else {
                here = next;
                meta = found;
            }
        }
        Ok((here, meta))
    }

    fn look(&mut self, path: &Path) -> Result<Metadata, String> {
        let meta = path.symlink_metadata().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                format!("{} does not exist; create it, or correct the path", path.display())
            }
            _ => format!("{} cannot be looked at: {e}", path.display()),
        })?;
        if !self.seen.iter().any(|(known, _)| known == path) {
            self.seen.push((path.to_owned(), meta.clone()));
        }
        Ok(meta)
    }

    /// Everything on the path that somebody other than root could change.
    fn problems(&self) -> Vec<String> {
        self.seen.iter().filter_map(|(path, meta)| problem(path, meta)).collect()
    }
}

/// The parts of a path, last first.
fn parts(path: &Path) -> Vec<OsString> {
    let mut parts: Vec<OsString> = path
        .components()
        .filter_map(|c| match c {
            Component::Normal(part) => Some(part.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        })
        .collect();
    parts.reverse();
    parts
}

fn problem(path: &Path, meta: &Metadata) -> Option<String> {
    let what = if meta.is_dir() {
        "directory"
    } else if meta.is_symlink() {
        "link"
    } else {
        "file"
    };
    let name = path.display();
    if meta.uid() != 0 {
        return Some(format!("{what} {name} belongs to uid {}, not to root (chown root {name})", meta.uid()));
    }
    // The mode of a link means nothing; in a sticky directory nobody can replace what is root's.
    if meta.is_symlink() || (meta.is_dir() && meta.mode() & 0o1000 != 0) {
        return None;
    }
    let mode = meta.mode() & 0o7777;
    if mode & 0o002 != 0 {
        return Some(format!("{what} {name} is writable by everybody (mode {mode:04o}; chmod o-w {name})"));
    }
    if mode & 0o020 != 0 && meta.gid() != 0 {
        let gid = meta.gid();
        return Some(format!("{what} {name} is writable by group {gid} (mode {mode:04o}; chmod g-w {name})"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::testdir::TestDir;
    use nix::unistd::{Gid, Uid, chown, geteuid};
    use std::fs::{Permissions, create_dir, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    const ROOT: Identity = Identity::new(0, 0);
    const NOBODY: Identity = Identity::new(65_534, 65_534);

    fn make(path: &Path, mode: u32, owner: u32, group: u32) {
        // In this order: a change of owner takes the set-uid bit away.
        chown(path, Some(Uid::from_raw(owner)), Some(Gid::from_raw(group))).unwrap();
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn file(path: &Path, text: &str, mode: u32) -> PathBuf {
        write(path, text).unwrap();
        make(path, mode, 0, 0);
        path.to_owned()
    }

    fn judged(path: &Path, who: Identity) -> Result<Runnable, String> {
        judge(path.as_os_str().as_bytes(), &who, SymlinkPaths::Resolve)
    }

    fn problems(path: &Path) -> String {
        judged(path, ROOT).unwrap().unsafe_because.join("; ")
    }

    #[test]
    fn what_somebody_else_can_change_is_named() {
        assert!(geteuid().is_root(), "the tests of Holdfast run as root");
        let dir = TestDir::new("security");
        make(dir.path(), 0o755, 0, 0);
        let sub = dir.path().join("sub");
        create_dir(&sub).unwrap();
        let script = file(&sub.join("s"), "#!/bin/sh\n", 0o755);
        assert_eq!(problems(&script), "");
        make(&sub, 0o775, 0, 1_000);
        assert!(problems(&script).contains(&format!("directory {} is writable by group 1000", sub.display())));
        make(&sub, 0o775, 0, 0);
        assert_eq!(problems(&script), "", "root's group may write");
        make(&sub, 0o757, 0, 0);
        assert!(problems(&script).contains("is writable by everybody (mode 0757; chmod o-w"));
        make(&sub, 0o1777, 0, 0);
        assert_eq!(problems(&script), "", "sticky");
        make(&sub, 0o755, 1_000, 0);
        assert!(problems(&script).contains("belongs to uid 1000, not to root"));
        make(&sub, 0o755, 0, 0);
        make(&script, 0o755, 1_000, 0);
        assert!(problems(&script).contains(&format!("file {} belongs to uid 1000", script.display())));
        make(&script, 0o755, 1_000, 0);
        assert_eq!(judged(&script, NOBODY).unwrap().unsafe_because, Vec::<String>::new(), "nothing to protect");
        make(&script, 0o4755, 0, 0);
        make(&sub, 0o757, 0, 0);
        assert_ne!(judged(&script, NOBODY).unwrap().unsafe_because, Vec::<String>::new(), "set-uid root");
    }

    #[test]
    fn links_are_followed_and_what_they_pass_is_looked_at() {
        let dir = TestDir::new("security");
        make(dir.path(), 0o755, 0, 0);
        let (open, real) = (dir.path().join("open"), dir.path().join("real"));
        create_dir(&open).unwrap();
        let script = file(&real, "#!/bin/sh\n", 0o755);
        let link = open.join("link");
        symlink("../real", &link).unwrap();
        let found = judged(&link, ROOT).unwrap();
        assert_eq!((found.file, found.unsafe_because), (script, Vec::new()));
        make(&open, 0o777, 0, 0);
        assert!(problems(&link).contains("open is writable by everybody"), "the link can be replaced");
        let kept = judge(link.as_os_str().as_bytes(), &ROOT, SymlinkPaths::Keep).unwrap();
        assert_eq!(kept.file, link);
        assert!(!kept.unsafe_because.is_empty());
        symlink("loop", dir.path().join("loop")).unwrap();
        assert!(judged(&dir.path().join("loop"), ROOT).unwrap_err().contains("too many levels"));
    }

    #[test]
    fn what_cannot_run_is_said() {
        let dir = TestDir::new("security");
        make(dir.path(), 0o755, 0, 0);
        let plain = file(&dir.path().join("p"), "#!/bin/sh\n", 0o644);
        assert!(judged(&plain, ROOT).unwrap_err().contains("is not executable by uid 0"));
        let private = file(&dir.path().join("q"), "#!/bin/sh\n", 0o700);
        assert!(judged(&private, ROOT).is_ok());
        assert!(judged(&private, NOBODY).unwrap_err().contains("is not executable by uid 65534"));
        assert!(judged(dir.path(), ROOT).unwrap_err().contains("is no regular file"));
        let missing = dir.path().join("none/deeper");
        assert!(judged(&missing, ROOT).unwrap_err().contains("none does not exist"));
        assert!(judge(b"a/b", &ROOT, SymlinkPaths::Resolve).unwrap_err().contains("relative path"));
        assert!(judge(b"", &ROOT, SymlinkPaths::Resolve).is_err());
        assert!(judge(b"no-such-command-here", &ROOT, SymlinkPaths::Resolve).unwrap_err().contains("is not found in"));
        assert!(judge(b"true", &ROOT, SymlinkPaths::Resolve).is_ok(), "found on PATH");
    }

    #[test]
    fn a_file_without_an_interpreter_line_is_for_the_shell() {
        let dir = TestDir::new("security");
        let how = |name: &str, text: &str| judged(&file(&dir.path().join(name), text, 0o755), NOBODY).unwrap().how;
        assert_eq!(how("a", "#!/bin/sh\n"), How::Directly);
        assert_eq!(how("b", "exit 3\n"), How::WithShell);
        assert_eq!(how("c", ""), How::WithShell);
        assert_eq!(judge(b"/proc/self/exe", &ROOT, SymlinkPaths::Resolve).unwrap().how, How::Directly);
        // Its owner may have put a FIFO in its place since it was judged.
        let swapped = dir.path().join("d");
        nix::unistd::mkfifo(&swapped, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(super::how(&swapped), How::Directly);
    }
}
