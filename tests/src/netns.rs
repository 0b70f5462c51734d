//! Network namespaces that belong to this process and end with it.

use crate::failure::{Context, Failure, Outcome};
use nix::sched::{CloneFlags, setns};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Where `ip netns` keeps its names.
const DIRECTORY: &str = "/run/netns";

/// The names that exist now, for [`remove_all`].
static EXISTING: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Numbers the namespaces of this process.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A named network namespace, `hf<pid>-<number>-<label>`. Dropping it kills what runs in it and removes it.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes one, with `lo` up and IPv6 off, so that nothing is on the wire but what a test puts there.
    pub fn new(label: &str) -> Outcome<Self> {
        if !nix::unistd::geteuid().is_root() {
            return Err(Failure::new("network namespaces need root; tests/run is the command that runs all tests"));
        }
        let name = format!("hf{}-{}-{label}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        remember(&name);
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let netns = Netns { name };
        netns.enter(|| {
            for kind in ["all", "default"] {
                // A kernel without IPv6 has nothing to switch off.
                let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{kind}/disable_ipv6"), "1");
            }
        })?;
        netns.ip("link set lo up")?;
        Ok(netns)
    }

    /// Its name, as `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run in the namespace, in a process group of its own, under the pid that spawning it gives.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program).stdin(Stdio::null()).process_group(0);
        command
    }

    /// Runs `ip -n NAME ARGUMENTS` (separated by blanks) and returns what it printed.
    pub fn ip(&self, arguments: &str) -> Outcome<String> {
        run(Command::new("ip").args(["-n", &self.name]).args(arguments.split_whitespace()))
    }

    /// Does `work` on a thread that is in the namespace: sockets made there belong to it for good.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Outcome<T> {
        let path = Path::new(DIRECTORY).join(&self.name);
        let entered = std::thread::scope(|scope| {
            let thread = scope.spawn(|| -> Outcome<T> {
                let file = File::open(&path).context(|| format!("cannot open {}", path.display()))?;
                setns(file, CloneFlags::CLONE_NEWNET).context(|| format!("cannot enter {}", self.name))?;
                Ok(work())
            });
            thread.join()
        });
        match entered {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Sets `/proc/sys/net/<key>` of the namespace.
    pub fn sysctl(&self, key: &str, value: &str) -> Outcome {
        self.enter(|| fs::write(Path::new("/proc/sys/net").join(key), value))?
            .context(|| format!("cannot set {key} to {value}"))
    }

    /// Who runs in the namespace.
    pub fn pids(&self) -> Outcome<Vec<i32>> {
        let list = run(Command::new("ip").args(["netns", "pids", &self.name]))?;
        Ok(list.lines().filter_map(|line| line.trim().parse().ok()).collect())
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        remove(&self.name);
        if let Ok(mut names) = EXISTING.lock() {
            names.retain(|name| *name != self.name);
        }
    }
}

/// Removes every namespace of this process with all that runs in them: for the way out on a signal.
pub fn remove_all() {
    let names = EXISTING.lock().map(|mut names| std::mem::take(&mut *names)).unwrap_or_default();
    for name in names {
        remove(&name);
    }
}

/// Runs a command to its end and returns its output, or says what it wrote as the reason why it failed.
pub fn run(command: &mut Command) -> Outcome<String> {
    let said = format!("{command:?}").replace('"', "");
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().context(|| format!("cannot run {said}"))?;
    if !status.success() {
        return Err(Failure::new(format!("{said}: {status}: {}", String::from_utf8_lossy(&stderr).trim())));
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

fn remember(name: &str) {
    if let Ok(mut names) = EXISTING.lock() {
        names.push(name.to_owned());
    }
}

/// Kills what runs in a namespace, waits for it, and removes the name. Whatever is gone already is no error.
fn remove(name: &str) {
    let give_up = Instant::now() + Duration::from_secs(5);
    while Instant::now() < give_up {
        let Ok(list) = run(Command::new("ip").args(["netns", "pids", name])) else { break };
        let pids: Vec<i32> =
            list.lines().filter_map(|line| line.trim().parse().ok()).filter(|pid| !is_zombie(*pid)).collect();
        if pids.is_empty() {
            break;
        }
        for pid in pids {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = run(Command::new("ip").args(["netns", "del", name]));
}

/// A process that ended and was not waited for yet: its parent, perhaps this process, will.
fn is_zombie(pid: i32) -> bool {
    crate::process::state(pid).is_none_or(|state| state == 'Z')
}
