//! Running the commands that the configuration lists. When, and how often, is decided by the core.

use super::security::{How, Runnable, judge};
use super::spawn::Process;
use super::sys::{become_member, unblock_signals};
use super::users::{Identity, default_identity, look_up};
use ipc::config::identity::Fifo;
use ipc::config::script::{RunAs, Script, ScriptConfig, ScriptSecurity, SymlinkPaths};
use ipc::config::vrrp::Switch;
use ipc::config::{Generation, ScriptIdx};
use ipc::msg::control::Outcome;
use ipc::report::{Level, Line};
use ipc::table::Table;
use nix::sys::signal::{Signal, killpg};
use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use supervisor::fifo::Kind;
use supervisor::lifecycle::Death;
use supervisor::script::{RunId, Sig};

/// Variables that no command inherits: those that change what a program loads or how a shell reads, and those that are meant
/// for the supervisor alone.
const DROPPED: [&str; 7] =
    ["IFS", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// The commands of the generations that are in use, and those that run.
pub struct Commands {
    tables: BTreeMap<Generation, CommandTable>,
    running: BTreeMap<RunId, Run>,
    environment: Vec<(OsString, OsString)>,
}

struct CommandTable {
    commands: Table<ScriptIdx, Listed>,
    security: ScriptSecurity,
    symlinks: SymlinkPaths,
    /// Whom the FIFOs belong to.
    owners: BTreeMap<Kind, Result<Identity, String>>,
}

/// A command, with what was found out about it.
struct Listed {
    script: Script,
    identity: Result<Identity, String>,
    /// What was last complained about, so that a probe does not complain at each run.
    complaint: Option<String>,
}

struct Run {
    process: Process,
    ended_by_us: Ended,
}

/// Whether a command was told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    No,
    Yes,
}

/// What loading a table found.
#[derive(Debug, Default)]
pub struct Findings {
    /// For the log.
    pub lines: Vec<Line>,
    /// How many commands are not run: missing, not executable, or not safe.
    pub unusable: u32,
    /// How many are run although `enable_script_security` is off.
    pub unprotected: u32,
}

impl Commands {
    /// No commands. The environment is what this process has now, without what commands must not inherit.
    pub fn new() -> Commands {
        let kept = |name: &OsStr| {
            let text = name.to_string_lossy();
            !text.starts_with("LD_") && !DROPPED.contains(&text.as_ref())
        };
        let environment = std::env::vars_os().filter(|(name, _)| kept(name)).collect();
        Commands { tables: BTreeMap::new(), running: BTreeMap::new(), environment }
    }

    /// Looks at every command of a generation and keeps the table.
    pub fn load(&mut self, generation: Generation, table: &ScriptConfig) -> Findings {
        let mut findings = Findings::default();
        // The name service may be slow: it is asked once for each user, and not at all where there is nothing to run.
        let by_default = LazyCell::new(|| default_identity(table));
        let mut known: Vec<(RunAs, Result<Identity, String>)> = Vec::new();
        let commands = table.scripts.rows().iter().map(|script| {
            let identity = match &script.run_as {
                Some(run_as) => match known.iter().find(|(asked, _)| asked == run_as) {
                    Some((_, identity)) => identity.clone(),
                    None => {
                        let identity = look_up(run_as, table.identity.supplementary_groups);
                        known.push((run_as.clone(), identity.clone()));
                        identity
                    }
                },
                None => (*by_default).clone(),
            };
            Listed { script: script.clone(), identity, complaint: None }
        });
        let owner = |fifo: &Fifo| match &fifo.owner {
            Some(owner) => look_up(owner, Switch::Off),
            None => (*by_default).clone(),
        };
        let owners = Kind::ALL.into_iter().filter_map(|kind| Some((kind, owner(kind.of(&table.fifos)?)))).collect();
        let mut loaded =
            CommandTable { commands: commands.collect(), security: table.security, symlinks: table.symlinks, owners };
        for (_, listed) in loaded.commands.iter_mut() {
            let (complaint, found) = listed.check(loaded.security, loaded.symlinks);
            match (found, loaded.security) {
                (Err(_), _) => findings.unusable = findings.unusable.saturating_add(1),
                (Ok(_), ScriptSecurity::Off) => findings.unprotected = findings.unprotected.saturating_add(1),
                (Ok(_), ScriptSecurity::On) => {}
            }
            findings.lines.extend(listed.note(complaint));
        }
        if findings.unprotected > 0 {
            // COMPAT: keepalived 2.4.3, the words that people look for.
            let text = "SECURITY VIOLATION - scripts are being executed but script_security not enabled. \
                        (set enable_script_security in global_defs)";
            findings.lines.push(Line::new(Level::Warning, text));
        }
        self.tables.insert(generation, loaded);
        findings
    }

    /// Whom a FIFO of a generation belongs to, or why that is not known.
    pub fn owner(&self, generation: Generation, kind: Kind) -> Result<Identity, String> {
        let owner = self.tables.get(&generation).and_then(|table| table.owners.get(&kind));
        owner.cloned().unwrap_or_else(|| Err("its configuration is gone".to_owned()))
    }

    /// Forgets a generation.
    pub fn forget(&mut self, generation: Generation) {
        self.tables.remove(&generation);
    }

    /// Starts a command; `Err` is [`Outcome::NotStarted`]. Lines for the log are appended.
    pub fn start(
        &mut self,
        run: RunId,
        generation: Generation,
        script: ScriptIdx,
        tail: Vec<Vec<u8>>,
        lines: &mut Vec<Line>,
    ) -> Result<BorrowedFd<'_>, Outcome> {
        let table = self.tables.get_mut(&generation).ok_or(Outcome::NotStarted)?;
        let (security, symlinks) = (table.security, table.symlinks);
        let listed = table.commands.at_mut(script).ok_or(Outcome::NotStarted)?;
        let (complaint, checked) = listed.check(security, symlinks);
        lines.extend(listed.note(complaint));
        let runnable = checked.map_err(|_| Outcome::NotStarted)?;
        let identity = listed.identity.as_ref().map_err(|_| Outcome::NotStarted)?;
        let mut command = command(&listed.script, &runnable, identity, tail);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        match Process::start(&mut command) {
            Ok(process) => {
                let started = self.running.entry(run).insert_entry(Run { process, ended_by_us: Ended::No });
                Ok(started.into_mut().process.pidfd())
            }
            Err(e) => {
                let text = format!("is not run: {} cannot be started: {e}", runnable.file.display());
                lines.extend(listed.note(Some(text)));
                Err(Outcome::NotStarted)
            }
        }
    }

    /// Sends a signal to the process group of a run.
    pub fn signal(&mut self, run: RunId, signal: Sig) {
        if let Some(run) = self.running.get_mut(&run) {
            run.ended_by_us = Ended::Yes;
            let signal = match signal {
                Sig::Term => Signal::SIGTERM,
                Sig::Kill => Signal::SIGKILL,
            };
            // The leader has not been waited for, so the group's number is still its own. ESRCH: it has just ended.
            let _ = killpg(run.process.pid(), signal);
        }
    }

    /// Kills a run that cannot be watched and forgets it; the process is still to be waited for.
    pub fn give_up(&mut self, run: RunId) -> Option<Process> {
        self.signal(run, Sig::Kill);
        self.running.remove(&run).map(|run| run.process)
    }

    /// How a run ended, once it has; then it is forgotten. The process is handed back for its descriptor, which may be watched.
    pub fn reap(&mut self, run: RunId) -> Option<(Outcome, Process)> {
        let found = self.running.get_mut(&run)?;
        if found.ended_by_us == Ended::Yes {
            // The leader is about to be waited for; what is left of its group goes first, while the number is still its own.
            let _ = killpg(found.process.pid(), Signal::SIGKILL);
        }
        let outcome = match found.process.reap()? {
            Death::Exited(status) => Outcome::Exited(status),
            Death::Signalled(signal) => Outcome::Signalled(signal),
        };
        self.running.remove(&run).map(|run| (outcome, run.process))
    }
}

/// A command is not run; why has been noted.
struct Unusable;

impl Listed {
    /// Looks at the command anew: what is wrong with it, and whether it is run all the same.
    fn check(&self, security: ScriptSecurity, symlinks: SymlinkPaths) -> (Option<String>, Result<Runnable, Unusable>) {
        let judged = match &self.identity {
            Ok(identity) => judge(self.script.argv.first().map_or(&[], Vec::as_slice), identity, symlinks),
            Err(why) => Err(why.clone()),
        };
        match judged {
            Err(why) => (Some(format!("is not run: {why}")), Err(Unusable)),
            Ok(runnable) if runnable.unsafe_because.is_empty() => (None, Ok(runnable)),
            Ok(runnable) => {
                let why = runnable.unsafe_because.join("; ");
                match security {
                    ScriptSecurity::On => (Some(format!("is not run, it is not safe as root: {why}")), Err(Unusable)),
                    ScriptSecurity::Off => {
                        (Some(format!("is run although it is not safe as root: {why}")), Ok(runnable))
                    }
                }
            }
        }
    }

    /// Notes what is wrong; gives a line when that is not what was said last.
    fn note(&mut self, complaint: Option<String>) -> Option<Line> {
        if complaint == self.complaint {
            return None;
        }
        self.complaint = complaint;
        let (level, text) = match &self.complaint {
            Some(complaint) => (Level::Warning, complaint.as_str()),
            None => (Level::Info, "is in order again"),
        };
        Some(Line::new(level, format!("{}: {} {text}", self.script.origin, self.script.label)))
    }
}

/// The process to start.
fn command(script: &Script, runnable: &Runnable, identity: &Identity, tail: Vec<Vec<u8>>) -> Command {
    let word = |bytes: &Vec<u8>| OsStr::from_bytes(bytes).to_owned();
    let mut command = match runnable.how {
        How::Directly => {
            let mut command = Command::new(&runnable.file);
            if let Some(name) = script.argv.first() {
                command.arg0(word(name));
            }
            command
        }
        How::WithShell => {
            let mut command = Command::new("/bin/sh");
            command.arg(&runnable.file);
            command
        }
    };
    command
        .args(script.argv.iter().skip(1).map(word))
        .args(tail.iter().map(word))
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    unblock_signals(&mut command);
    // An unprivileged supervisor (a configuration test, a unit test) cannot change to anybody, not even to itself.
    let stays = identity.uid != 0 && (identity.uid, identity.gid) == (Identity::own().uid, Identity::own().gid);
    match identity.others.as_slice() {
        _ if stays => {}
        // With a uid, std also empties the supplementary groups.
        [] => _ = command.uid(identity.uid).gid(identity.gid),
        others => become_member(&mut command, identity.uid, identity.gid, others),
    }
    command
}

#[cfg(test)]
mod tests;
