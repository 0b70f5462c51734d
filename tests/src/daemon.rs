//! A running Holdfast, or Debian's keepalived in its place, on a host.

use crate::cleanup::Directory;
use crate::failure::{Context, Failure, Outcome, wait_for, wait_until};
use crate::lan::Host;
use crate::process::{Process, family};
use nix::sys::signal::{SIGHUP, SIGKILL, SIGSTOP, SIGTERM, Signal};
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long a daemon may take to end after SIGTERM. keepalived gives its children 5 s.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Whose daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Program {
    /// Ours, from the directory of the running test's own build.
    Holdfast,
    /// Debian's, as the reference.
    Keepalived,
}

impl Program {
    /// Whose daemon the tests run where no comparison is made: ours, unless HOLDFAST_TEST_PROGRAM=keepalived asks how
    /// the reference does in the same test.
    pub fn under_test() -> Self {
        match std::env::var("HOLDFAST_TEST_PROGRAM").as_deref() {
            Ok("keepalived") => Program::Keepalived,
            _ => Program::Holdfast,
        }
    }

    /// Its executable.
    pub fn executable(self) -> Outcome<PathBuf> {
        match self {
            Program::Keepalived => Ok(PathBuf::from("keepalived")),
            Program::Holdfast => built("holdfast"),
        }
    }
}

/// Where a daemon is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// In the network namespace of its host.
    Netns,
    /// In that of this process.
    First,
}

/// A daemon with a directory of its own for configuration, log and pid files. Killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    /// Whose it is.
    pub program: Program,
    process: Child,
    directory: Directory,
    host: String,
}

impl Daemon {
    /// Starts one on a host with this configuration. Returns at once; [`wait_log`](Self::wait_log) waits.
    pub fn start(program: Program, host: &Host, config: &str) -> Outcome<Self> {
        Self::start_with(program, host, config, &[])
    }

    /// [`start`](Self::start) with more options on the command line.
    pub fn start_with(program: Program, host: &Host, config: &str, options: &[&str]) -> Outcome<Self> {
        Self::start_on(program, host, config, options, Within::Netns, |_| String::new())
    }

    /// [`start`](Self::start) on a host where a file of ours (the first of a pair) stands in the place of one of the machine's; nobody
    /// else sees it.
    pub fn start_with_files(program: Program, host: &Host, config: &str, files: &[(&Path, &str)]) -> Outcome<Self> {
        let binds = files.iter().map(|(ours, theirs)| format!("mount --bind '{}' '{theirs}' && ", ours.display()));
        let binds: String = binds.collect();
        Self::start_on(program, host, config, &[], Within::Netns, |_| binds)
    }

    /// [`start`](Self::start) after the shell commands that `first` makes for its directory, each ending in `&&`: they can set variables,
    /// and what they mount nobody else sees.
    pub fn start_after(
        host: &Host,
        config: &str,
        options: &[&str],
        first: impl FnOnce(&Path) -> String,
    ) -> Outcome<Self> {
        Self::start_on(Program::Holdfast, host, config, options, Within::Netns, first)
    }

    /// [`start`](Self::start) with the directory `run` in its own for its run directory, where dumps go.
    pub fn start_apart(host: &Host, config: &str, options: &[&str]) -> Outcome<Self> {
        fs::create_dir_all("/run/holdfast")?; // only to mount on
        Self::start_after(host, config, options, |own| {
            let run = own.join("run");
            format!("mkdir -m 700 '{0}' && mount --bind '{0}' /run/holdfast && ", run.display())
        })
    }

    /// [`start`](Self::start) with its own directory for dumps: [`Daemon::dumped`].
    pub fn start_dumping(program: Program, host: &Host, config: &str) -> Outcome<Self> {
        match program {
            Program::Holdfast => Self::start_apart(host, config, &[]),
            Program::Keepalived => Self::start_on(program, host, config, &[], Within::Netns, |own| {
                format!("export TMPDIR='{}' && ", own.display())
            }),
        }
    }

    /// Asks for a dump by the signal with this name and waits for the file. Only for [`Daemon::start_dumping`].
    pub fn dumped(&self, signal: &str, file: &str) -> Outcome<String> {
        let path = match self.program {
            Program::Holdfast => self.directory.path().join("run").join(file),
            Program::Keepalived => self.directory.path().join(file),
        };
        let _ = fs::remove_file(&path);
        let number = crate::netns::run(Command::new(self.program.executable()?).arg(format!("--signum={signal}")))?;
        crate::netns::run(Command::new("kill").arg(format!("-{}", number.trim())).arg(self.pid().to_string()))?;
        wait_until(&format!("{file} of {}", self.host), Duration::from_secs(5), || Ok(path.exists()))?;
        if self.program == Program::Keepalived {
            std::thread::sleep(Duration::from_millis(300)); // it is written after it has its name
        }
        fs::read_to_string(&path).context(|| format!("cannot read {}", path.display()))
    }

    /// [`start`](Self::start) from outside the host's network namespace, into which the daemon goes itself: the kernel tells of processes
    /// in the first one only.
    pub fn start_outside(program: Program, host: &Host, config: &str) -> Outcome<Self> {
        let namespace = format!("--namespace={}", host.netns.name());
        Self::start_on(program, host, config, &[&namespace], Within::First, |_| String::new())
    }

    fn shell(host: &Host, within: Within) -> Command {
        match within {
            Within::Netns => host.netns.command("sh"),
            Within::First => {
                let mut command = Command::new("sh");
                command.stdin(Stdio::null()).process_group(0);
                command
            }
        }
    }

    fn start_on(
        program: Program,
        host: &Host,
        config: &str,
        options: &[&str],
        within: Within,
        first: impl FnOnce(&Path) -> String,
    ) -> Outcome<Self> {
        let directory = prepared(config)?;
        let first = first(directory.path());
        // `ip netns exec` has made a mount namespace.
        let mut command = Self::shell(host, within);
        command.args(["-c", &format!("{first}exec \"$0\" \"$@\"")]).arg(program.executable()?);
        Self::spawn(program, host, directory, command, options, |command| command.spawn())
    }

    /// [`start`](Self::start) without any other program in between, for who measures.
    pub fn start_directly(program: Program, host: &Host, config: &str) -> Outcome<Self> {
        let mut command = Command::new(program.executable()?);
        command.stdin(Stdio::null()).process_group(0);
        Self::spawn(program, host, prepared(config)?, command, &[], |command| {
            // A process begins in the network namespace of the thread that makes it.
            host.netns.enter(|| command.spawn()).map_err(|e| io::Error::other(e.to_string()))?
        })
    }

    fn spawn(
        program: Program,
        host: &Host,
        directory: Directory,
        mut command: Command,
        options: &[&str],
        spawn: impl FnOnce(&mut Command) -> io::Result<Child>,
    ) -> Outcome<Self> {
        let at = directory.path();
        let log = File::create(at.join("log"))?;
        // Ours has no process of that kind, and says so.
        let bfd_pid = format!("--bfd_pid={}", at.join("bfd.pid").display());
        command
            .args(["--dont-fork", "--log-console", "--log-detail"])
            .arg("--use-file")
            .arg(at.join("conf"))
            .arg("--pid")
            .arg(at.join("pid"))
            .arg("--vrrp_pid")
            .arg(at.join("vrrp.pid"))
            .arg("--checkers_pid")
            .arg(at.join("checkers.pid"))
            .args((program == Program::Keepalived).then_some(bfd_pid))
            .args(options)
            .stdout(log.try_clone()?)
            .stderr(log);
        let process = spawn(&mut command).context(|| format!("cannot start {program:?}"))?;
        Ok(Daemon { program, process, directory, host: host.name.clone() })
    }

    /// The pid of the main process.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.process.id()).unwrap_or(0)
    }

    /// The main process first, then all others.
    pub fn processes(&self) -> Vec<Process> {
        family(self.pid())
    }

    /// The process named `vrrpd`, `checkd`, `ipvsd` or `holdfast`, once it is there.
    pub fn process(&self, name: &str) -> Outcome<Process> {
        wait_for(&format!("a process {name} of {}", self.host), Duration::from_secs(10), || {
            Ok(self.processes().into_iter().find(|process| process.name == name))
        })
    }

    /// Sends a signal to the main process.
    pub fn signal(&self, signal: Signal) {
        Process { pid: self.pid(), name: String::new() }.signal(signal);
    }

    /// Puts another configuration in the place of the one it runs with and asks it to reload.
    pub fn reload(&self, config: &str) -> Outcome {
        fs::write(self.directory.path().join("conf"), config)?;
        self.signal(SIGHUP);
        Ok(())
    }

    /// Kills all processes at once, as if the power had failed, and waits until they are gone. They are stopped first, so
    /// that none has time to react to the death of another.
    pub fn kill_all(&mut self) -> Outcome {
        self.processes().iter().for_each(|process| process.signal(SIGSTOP));
        let all = self.processes();
        // The main process last: the kernel continues stopped processes whose group is orphaned by its death (setpgid(2)).
        all.iter().rev().for_each(|process| process.signal(SIGKILL));
        let _ = self.process.wait();
        wait_until("killed processes are gone", Duration::from_secs(5), || Ok(!all.iter().any(Process::runs)))
    }

    /// SIGTERM, then waits for the end of every process.
    pub fn terminate(&mut self) -> Outcome<ExitStatus> {
        let all = self.processes();
        self.signal(SIGTERM);
        let status = wait_for(&format!("{:?} on {} ends after SIGTERM", self.program, self.host), STOP_LIMIT, || {
            Ok(self.process.try_wait()?)
        })?;
        wait_until("its children are gone too", Duration::from_secs(2), || Ok(!all.iter().any(Process::runs)))?;
        Ok(status)
    }

    /// Waits for the main process to end by itself.
    pub fn wait_end(&mut self, limit: Duration) -> Outcome<ExitStatus> {
        wait_for(&format!("{:?} on {} ends", self.program, self.host), limit, || Ok(self.process.try_wait()?))
    }

    /// Everything it logged so far.
    pub fn log(&self) -> String {
        fs::read(self.log_file()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Where it logs to.
    pub fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Waits until its log holds `text`; the failure shows the end of the log.
    pub fn wait_log(&self, text: &str, limit: Duration) -> Outcome {
        wait_until(&format!("{text:?} in the log of {}", self.host), limit, || Ok(self.log().contains(text))).map_err(
            |failure| {
                let log = self.log();
                let tail: Vec<&str> = log.lines().rev().take(25).collect();
                let tail: Vec<&str> = tail.into_iter().rev().collect();
                Failure::new(format!("{failure}; it ends with:\n{}", tail.join("\n")))
            },
        )
    }

    /// What it left in its directory beside configuration and log: the names of pid files and the like.
    pub fn leftovers(&self) -> Outcome<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.directory.path())? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.retain(|name| name != "conf" && name != "log");
        Ok(names)
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// A directory with a configuration.
fn prepared(config: &str) -> Outcome<Directory> {
    let directory = Directory::new()?;
    fs::write(directory.path().join("conf"), config)?;
    Ok(directory)
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.kill_all();
    }
}

/// Set to the name of a profile, the programs of that one are run in the place of those that are built with the tests.
pub const BUILD: &str = "HOLDFAST_TEST_BUILD";

/// An executable of the workspace, built into the same target directory as this one.
pub fn built(name: &str) -> Outcome<PathBuf> {
    let own = std::env::current_exe()?;
    let other = std::env::var_os(BUILD).unwrap_or_default();
    let path = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|directory| match directory.parent() {
            Some(target) if !other.is_empty() => target.join(&other).join(name),
            _ => directory.join(name),
        })
        .find(|path| path.is_file())
        .context(|| format!("{name} is not built; run cargo build --workspace"))?;
    Ok(path)
}
