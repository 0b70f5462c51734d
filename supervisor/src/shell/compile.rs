//! `checkd compile`: the process that reads configuration text. It asks for files, gives back slices or a verdict, and ends.
//!
//! Bounds: [`LIMIT`] for the whole, [`FILES_LIMIT`] files, [`INCLUDES_LIMIT`] requests for them, [`ipc::codec::SLICE_LIMIT`] bytes
//! a slice, [`PATTERN_LIMIT`] bytes a pattern, [`FRAMES_PER_TURN`] frames before the event loop sees to others. Nothing here
//! waits: a reload must not hold the running children up.

mod credential;
mod environment;
mod file;
mod main_file;
mod subnets;

pub use self::main_file::is_there;

use self::file::{Unusable, open_regular};
use super::accounts::Whom;
use super::glob;
use super::spawn::{Process, Programs};
use ipc::channel::{Channel, ChannelError, pair};
use ipc::chunk::Assembly;
use ipc::config::script::ScriptConfig;
use ipc::config::vrrp::Switch;
use ipc::config::{Generation, Secret, SliceKind};
use ipc::evloop::EventLoop;
use ipc::msg::compile::{
    CompileMode, Facts, FromCompile, Includes, Main, MessageFormat, Parts, ToCompile, Unread, Verdict, is_credential,
};
use ipc::msg::control::LogSetup;
use ipc::time::Mono;
use mio::Token;
use nix::sys::signal::Signal;
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use supervisor::lifecycle::Death;
use supervisor::reload::Failure;

/// How long a compilation may take.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Most files of one configuration.
pub const FILES_LIMIT: usize = 4_096;

/// Most includes of one configuration, also those that match nothing.
pub const INCLUDES_LIMIT: u32 = 4_096;

/// Frames taken in one turn: each may be an include, which is a walk through directories.
const FRAMES_PER_TURN: usize = 16;

/// Longest pattern of an include.
pub const PATTERN_LIMIT: usize = 4_096;

/// Most problems that are told for one include, and most bytes of them: they travel in one frame.
const PROBLEMS_LIMIT: usize = 100;
const PROBLEM_BYTES_LIMIT: usize = 32 * 1024;

/// Bytes that the names of interfaces take in that frame at most: some 2,000 interfaces.
const INTERFACES_ROOM: usize = 34 * 1024;

/// The slices of a generation, as they came.
pub type Slices = BTreeMap<SliceKind, Secret>;

/// What a compilation gave.
pub struct Compilation {
    /// What the compiler thinks of it.
    pub verdict: Verdict,
    /// Empty when it has fatal problems.
    pub slices: Slices,
}

/// A running compilation.
pub struct Compiler {
    /// For which generation.
    pub generation: Generation,
    /// When it is given up.
    pub until: Mono,
    process: Process,
    channel: Channel<ToCompile, FromCompile>,
    files: Vec<PathBuf>,
    includes: u32,
    variables: u32,
    answer: Option<Answer>,
    mode: CompileMode,
    assembly: Assembly,
    kind: Option<SliceKind>,
    slices: Slices,
}

/// What came of listening to a compiler for a turn.
pub enum Progress {
    /// It has said all it had to say so far.
    Waiting,
    /// It says more: the event loop must be asked to report its channel again ([`Compiler::rearm`]).
    More,
    /// It is done.
    Done(Result<Compilation, Failure>),
}

/// What to compile, and for what.
pub struct Order<'a> {
    /// Where the programs are.
    pub programs: &'a Programs,
    /// Whom the compiler becomes.
    pub whom: Whom,
    /// The main file.
    pub path: &'a Path,
    /// `-i`
    pub config_id: Option<&'a str>,
    /// `-P`, `-C`
    pub parts: Parts,
    /// `-e`
    pub includes: Includes,
    /// For which generation.
    pub generation: Generation,
    /// Load or test.
    pub mode: CompileMode,
    /// Where [`CompileMode::Print`] prints.
    pub output: Option<OwnedFd>,
    /// How it writes diagnostics.
    pub format: MessageFormat,
    /// Where it writes diagnostics with the lines they are about, for people.
    pub stderr: Stdio,
    /// How it logs beside that, with the descriptors of [`ToCompile::Start`].
    pub log: (LogSetup, Vec<OwnedFd>),
}

impl Compiler {
    /// Starts one.
    pub fn start(now: Mono, order: Order<'_>) -> Result<Compiler, Failure> {
        let (main, kind) = main_file::open(order.path).map_err(|why| {
            Failure::Unreadable(format!("the configuration file {} cannot be read: {why}", order.path.display()))
        })?;
        let broken = |what: &str| Failure::Compiler(format!("checkd compile cannot be started: {what}"));
        let (ours, theirs) = pair().map_err(|e| broken(e.desc()))?;
        let facts = facts(&order, kind);
        let process = order
            .programs
            .start("checkd", &["compile"], order.whom, theirs, order.stderr)
            .map_err(|why| broken(&why))?;
        let mut channel = Channel::new(ours);
        let (log, log_fds) = order.log;
        let mut fds: Vec<OwnedFd> = main.into_iter().collect();
        fds.extend(order.output);
        fds.extend(log_fds);
        channel
            .send_with_fds(
                order.generation,
                ToCompile::Start { log, facts, mode: order.mode, format: order.format },
                fds,
            )
            .map_err(|e| broken(&e.to_string()))?;
        Ok(Compiler {
            generation: order.generation,
            until: now + LIMIT,
            process,
            channel,
            files: vec![order.path.to_owned()],
            includes: 0,
            variables: 0,
            answer: None,
            mode: order.mode,
            assembly: Assembly::default(),
            kind: None,
            slices: Slices::new(),
        })
    }

    /// Watches its channel and its process.
    pub fn register(&mut self, events: &mut EventLoop, channel: Token, process: Token) -> std::io::Result<()> {
        use std::os::fd::AsRawFd as _;
        events.add(&mut self.channel, channel)?;
        events.add_readable(&mut mio::unix::SourceFd(&self.process.pidfd().as_raw_fd()), process)
    }

    /// Makes the loop report its channel again.
    pub fn rearm(&mut self, events: &mut EventLoop, channel: Token) -> std::io::Result<()> {
        events.rearm(&mut self.channel, channel)
    }

    /// Reads what it says and answers.
    pub fn progress(&mut self) -> Progress {
        match self.talk() {
            Ok(progress) => progress,
            Err(ChannelError::Closed) => self.ended().map_or(Progress::Waiting, |failure| Progress::Done(Err(failure))),
            Err(e) => Progress::Done(Err(Failure::Compiler(format!("checkd compile broke the protocol: {e}")))),
        }
    }

    /// The failure, if it has died without a verdict. After [`Compiler::progress`] has read everything.
    pub fn ended(&mut self) -> Option<Failure> {
        let death = self.process.reap()?;
        let because = match death {
            Death::Signalled(n) if i32::from(n) == Signal::SIGXCPU as i32 => {
                ": the configuration takes too long to read"
            }
            Death::Signalled(n) if i32::from(n) == Signal::SIGABRT as i32 => {
                ": it ran out of the memory it may have, or failed"
            }
            _ => "",
        };
        Some(Failure::Compiler(format!("checkd compile died without a verdict: {death}{because}")))
    }

    /// How it has ended, if it has: when it has given a verdict and prints, it goes on for as long as somebody reads.
    pub fn printed(&mut self) -> Option<Death> {
        self.process.reap()
    }

    /// The failure, if its time is over.
    pub fn overdue(&self, now: Mono) -> Option<Failure> {
        let text = || format!("checkd compile did not end within {} s and was killed", LIMIT.as_secs());
        (now >= self.until).then(|| Failure::Compiler(text()))
    }

    /// Ends it; the process is then to be waited for.
    pub fn end(self) -> Process {
        self.process.kill();
        self.process
    }

    fn talk(&mut self) -> Result<Progress, ChannelError> {
        self.channel.flush()?;
        self.hand_out()?;
        for _ in 0..FRAMES_PER_TURN {
            let Some(received) = self.channel.receive()? else { return Ok(Progress::Waiting) };
            for message in received.frame.messages {
                match message {
                    FromCompile::Include { pattern, from } => self.include(&pattern, &from)?,
                    FromCompile::Credential(name) => self.credential(&name)?,
                    FromCompile::Environment(name) => self.environment(&name)?,
                    FromCompile::Slice(kind, chunk) => {
                        if self.kind.is_some_and(|other| other != kind) || self.slices.contains_key(&kind) {
                            return Err(violation("slices out of order"));
                        }
                        self.kind = Some(kind);
                        if let Some(bytes) = self.assembly.push(chunk).map_err(ChannelError::Violation)? {
                            self.kind = None;
                            self.slices.insert(kind, Secret::new(bytes));
                        }
                    }
                    FromCompile::Done(verdict) => return Ok(Progress::Done(self.conclude(verdict))),
                }
            }
        }
        Ok(Progress::More)
    }

    /// Finds what an include directive matches.
    fn include(&mut self, pattern: &str, from: &str) -> Result<(), ChannelError> {
        if self.answer.is_some() {
            return Err(violation("an include before the last was answered"));
        }
        let base = match self.files.iter().find(|known| known.as_os_str() == from) {
            Some(file) => absolute(file.parent().unwrap_or(Path::new("/"))),
            None if from.is_empty() => PathBuf::from("."),
            None => return Err(violation("an include in a file that it was not given")),
        };
        self.count_include()?;
        if pattern.len() > PATTERN_LIMIT {
            return Err(violation("an include pattern that is too long"));
        }
        let mut answer = Answer::default();
        match glob::matches(pattern, &base) {
            Err(e) => answer.problem(Unread::Refused(pattern.to_owned(), e.to_string())),
            Ok(paths) if paths.is_empty() => answer.problem(Unread::Nothing),
            Ok(paths) => answer.paths = paths.into_iter().map(main_file::as_named).collect(),
        }
        self.answer = Some(answer);
        self.hand_out()
    }

    fn count_include(&mut self) -> Result<(), ChannelError> {
        self.includes = self.includes.saturating_add(1);
        if self.includes > INCLUDES_LIMIT { Err(violation("too many includes")) } else { Ok(()) }
    }

    /// Gives it a credential of the service manager's.
    fn credential(&mut self, name: &str) -> Result<(), ChannelError> {
        if self.answer.is_some() {
            return Err(violation("a credential before the last include was answered"));
        }
        self.count_include()?;
        if !is_credential(name) {
            return Err(violation("something that is no name of a credential"));
        }
        let mut answer = Answer::default();
        match credential::open(name, credential::directory().as_deref()) {
            Ok(fd) => {
                self.channel.send_with_fds(self.generation, ToCompile::File { path: name.to_owned() }, vec![fd])?;
            }
            Err(why) => answer.problem(Unread::Refused(name.to_owned(), why)),
        }
        self.answer = Some(answer);
        self.hand_out()
    }

    /// Tells it the value of an environment variable.
    fn environment(&mut self, name: &str) -> Result<(), ChannelError> {
        self.variables = self.variables.saturating_add(1);
        if self.variables > environment::VARIABLES_LIMIT {
            return Err(violation("too many environment variables"));
        }
        if !environment::is_variable(name) {
            return Err(violation("something that is no name of an environment variable"));
        }
        self.channel.send(self.generation, vec![ToCompile::Environment(environment::variable(name))])
    }

    /// Gives it the files of an include, as many as it takes now. A file that cannot be opened is a diagnostic of the compiler's.
    fn hand_out(&mut self) -> Result<(), ChannelError> {
        while self.channel.is_flushed()
            && let Some(mut answer) = self.answer.take()
        {
            let Some(path) = answer.paths.pop_front() else {
                return self.channel.send(self.generation, vec![ToCompile::EndOfFiles { problems: answer.problems }]);
            };
            match self.give(&path) {
                Ok(()) => {}
                Err(Refusal::Problem(unread)) => answer.problem(unread),
                Err(Refusal::Channel(e)) => return Err(e),
            }
            self.answer = Some(answer);
        }
        Ok(())
    }

    fn give(&mut self, path: &Path) -> Result<(), Refusal> {
        let shown = || path.display().to_string();
        if self.files.len() >= FILES_LIMIT {
            let why = format!("a configuration may have {FILES_LIMIT} files");
            return Err(Refusal::Problem(Unread::Refused(shown(), why)));
        }
        let Some(name) = path.to_str() else {
            return Err(Refusal::Problem(Unread::Refused(shown(), "its name is not UTF-8".to_owned())));
        };
        let fd = open_regular(path).map_err(|unusable| {
            Refusal::Problem(match unusable {
                Unusable::Missing => Unread::Missing(shown()),
                Unusable::Because(why) => Unread::Unusable(shown(), why),
            })
        })?;
        let message = ToCompile::File { path: name.to_owned() };
        self.channel.send_with_fds(self.generation, message, vec![fd]).map_err(Refusal::Channel)?;
        self.files.push(path.to_owned());
        Ok(())
    }

    fn conclude(&mut self, verdict: Verdict) -> Result<Compilation, Failure> {
        let slices = core::mem::take(&mut self.slices);
        let wanted: &[SliceKind] = match self.mode {
            CompileMode::Load => &[SliceKind::Script, SliceKind::Ipvs, SliceKind::Vrrp, SliceKind::Check],
            CompileMode::Test | CompileMode::Offline | CompileMode::Print(_) => &[SliceKind::Script],
        };
        if verdict.fatal == 0 && !wanted.iter().all(|kind| slices.contains_key(kind)) {
            return Err(Failure::Compiler("checkd compile broke the protocol: slices are missing".to_owned()));
        }
        Ok(Compilation { verdict, slices })
    }
}

/// The answer to an include, while it is given: a configuration may have more files than a socket holds descriptors.
#[derive(Default)]
struct Answer {
    paths: VecDeque<PathBuf>,
    problems: Vec<Unread>,
    problem_bytes: usize,
}

impl Answer {
    /// Notes a file that cannot be given; beyond the limits nothing.
    fn problem(&mut self, unread: Unread) {
        let bytes = match &unread {
            Unread::Nothing => 0,
            Unread::Missing(path) => path.len(),
            Unread::Unusable(path, why) | Unread::Refused(path, why) => path.len().saturating_add(why.len()),
        };
        self.problem_bytes = self.problem_bytes.saturating_add(bytes);
        if self.problem_bytes < PROBLEM_BYTES_LIMIT && self.problems.len() < PROBLEMS_LIMIT {
            self.problems.push(unread);
        }
    }
}

enum Refusal {
    Problem(Unread),
    Channel(ChannelError),
}

fn violation(what: &str) -> ChannelError {
    ChannelError::Violation(ipc::codec::CodecError::Malformed(what.to_owned()))
}

/// The only slice that the supervisor decodes.
pub fn script_table(slices: &Slices) -> Result<ScriptConfig, Failure> {
    let bytes = slices.get(&SliceKind::Script).map_or(&[][..], Secret::reveal);
    ipc::codec::decode_slice(bytes).map_err(|e| {
        Failure::Compiler(format!(
            "the script table does not decode ({e}); are all programs of Holdfast of one version?"
        ))
    })
}

/// Relative paths of includes start in the directory of the including file, which itself may be relative.
fn absolute(dir: &Path) -> PathBuf {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir }; // the directory of `keepalived.conf`
    std::path::absolute(dir).unwrap_or_else(|_| PathBuf::from("/"))
}

/// What the compiler may know of this machine.
fn facts(order: &Order<'_>, main: Main) -> Facts {
    let hostname = nix::unistd::gethostname().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let short = hostname.split('.').next().unwrap_or_default();
    Facts {
        path: order.path.to_string_lossy().into_owned(),
        main,
        cwd: absolute(Path::new(".")).to_string_lossy().into_owned(),
        config_id: order.config_id.unwrap_or(short).to_owned(),
        subnets: subnets::of_this_machine(),
        interfaces: interfaces(&std::fs::read_to_string("/proc/self/net/dev").unwrap_or_default()),
        hostname,
        parts: order.parts,
        includes: order.includes,
        credentials: if credential::directory().is_some() { Switch::On } else { Switch::Off },
    }
}

/// The names in `/proc/self/net/dev`: two lines of heading, then `  name: numbers`.
fn interfaces(text: &str) -> Vec<String> {
    let names = text.lines().skip(2).filter_map(|line| line.rsplit_once(':').map(|(name, _)| name.trim().to_owned()));
    let mut room = INTERFACES_ROOM;
    names
        .map_while(|name| {
            room = room.checked_sub(name.len().saturating_add(1))?;
            Some(name)
        })
        .collect()
}

#[cfg(test)]
mod tests;
