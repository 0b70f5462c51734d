//! Starting the other programs of Holdfast.

use super::accounts::Whom;
use ipc::sys::pidfd_open;
use nix::unistd::Pid;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use supervisor::lifecycle::Death;

/// Where packages put the programs.
const INSTALLED: &str = "/usr/libexec/holdfast";

/// A process that this one started, and the descriptor that says when it has ended.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pidfd: OwnedFd,
}

impl Process {
    /// Starts a command. Its pid cannot be taken by another process before [`Process::reap`] has said that it ended.
    pub fn start(command: &mut Command) -> io::Result<Process> {
        let mut child = command.spawn()?;
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(0));
        match pidfd_open(pid) {
            Ok(pidfd) => Ok(Process { child, pidfd }),
            Err(e) => {
                // Nobody could watch it. SIGKILL ends it at once, so that waiting for it is short.
                let _ = child.kill();
                let _ = child.wait();
                Err(e.into())
            }
        }
    }

    /// Its number, for people and for its process group.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0))
    }

    /// Becomes readable when it has ended.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// SIGKILL to this process alone. Nothing happens if it has ended.
    pub fn kill(&self) {
        let _ = ipc::sys::pidfd_send_signal(self.pidfd.as_fd(), nix::sys::signal::Signal::SIGKILL);
    }

    /// How it ended, once it has.
    pub fn reap(&mut self) -> Option<Death> {
        match self.child.try_wait() {
            Ok(Some(status)) => Some(death(status)),
            Ok(None) => None,
            // Somebody else has waited for it: it is gone, how is not known.
            Err(_) => Some(Death::Signalled(0)),
        }
    }
}

fn death(status: ExitStatus) -> Death {
    let byte = |n: i32| u8::try_from(n).unwrap_or(u8::MAX);
    match (status.code(), status.signal()) {
        (Some(code), _) => Death::Exited(byte(code)),
        (None, Some(signal)) => Death::Signalled(byte(signal)),
        (None, None) => Death::Signalled(0),
    }
}

/// All that there are. Debian has another `vrrpd`, in /usr/sbin: a single name beside this program proves nothing.
const ALL: [&str; 3] = ["checkd", "ipvsd", "vrrpd"];

/// The programs.
#[derive(Clone, Debug)]
pub struct Programs {
    dir: PathBuf,
}

impl Programs {
    /// Where they are: beside this program if all are there (a build tree), else where packages put them.
    pub fn find() -> Programs {
        let own = std::env::current_exe().ok();
        Self::beside(own.as_deref().and_then(Path::parent))
    }

    fn beside(dir: Option<&Path>) -> Programs {
        let dir = dir.filter(|dir| ALL.iter().all(|name| dir.join(name).is_file()));
        Programs { dir: dir.unwrap_or(Path::new(INSTALLED)).to_owned() }
    }

    /// The path of a program.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Starts one of them with its channel as descriptor 0, and with this standard error. It gets its own process group:
    /// Ctrl-C on the terminal is for the supervisor, which then stops it in order.
    pub fn start(
        &self,
        name: &str,
        mode: &[&str],
        whom: Whom,
        channel: OwnedFd,
        stderr: Stdio,
    ) -> Result<Process, String> {
        let path = self.path(name);
        let mut command = Command::new(&path);
        command
            .args(mode)
            .args(whom.arguments())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(channel))
            .stderr(stderr)
            .process_group(0);
        // Its time zone, for the log; what else it inherits it clears itself.
        if let Some(zone) = std::env::var_os("TZ") {
            command.env("TZ", zone);
        }
        Process::start(&mut command).map_err(|e| format!("{}: {e}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::testdir::TestDir;

    #[test]
    fn programs_beside_this_one_are_used_when_all_are_there() {
        let dir = TestDir::new("spawn");
        let found = || Programs::beside(Some(dir.path())).path("vrrpd");
        for name in ["vrrpd", "checkd"] {
            std::fs::write(dir.path().join(name), "").unwrap();
            assert_eq!(found(), Path::new("/usr/libexec/holdfast/vrrpd"), "somebody else's {name}");
        }
        std::fs::write(dir.path().join("ipvsd"), "").unwrap();
        assert_eq!(found(), dir.path().join("vrrpd"));
    }
}
