//! `checkd compile`: confines itself, is handed the configuration's descriptors, compiles, shows what is wrong, sends the slices, ends.
//!
//! Nothing here waits for anybody but the supervisor: files are regular ones or refused, standard error and the log are written
//! without blocking for longer than [`render::PATIENCE`]. When the supervisor is gone, it ends.

mod encrypted;
mod keys;
mod link;

use super::{print, render};
use checkd::conf::diag::{Diagnostic, Severity};
use checkd::conf::names::Names;
use checkd::conf::{Compiled, Compiler, Step};
use ipc::channel::ChannelError;
use ipc::child::{Ids, Whom};
use ipc::codec::{CodecError, encode_slice};
use ipc::config::SliceKind;
use ipc::confine::{Jail, Tcp, enter, enter_as_user};
use ipc::log::Logger;
use ipc::msg::compile::{CompileMode, Facts, FromCompile, Main, MessageFormat, Unread};
use ipc::msg::control::{LogSetup, Sink};
use ipc::report::Level;
use ipc::seccomp::{Arg, Call, call, call_if};
use ipc::{child, fault};
use link::{Link, slurp};
use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getegid, geteuid, getppid};
use std::ffi::OsString;
use std::fmt;
use std::io::IsTerminal as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitCode;

/// Its system calls beside those of every child.
pub const CALLS: &[Call] = &[
    call("fstat", "shell::compile::link::slurp"),
    call("newfstatat", "shell::compile::link::slurp: fstat(3) of newer C libraries"),
    call("getppid", "shell::compile::end_with"),
    call_if(
        "prctl",
        &[&[Arg::Is(0, libc::PR_SET_PDEATHSIG.cast_unsigned()), Arg::Is(1, libc::SIGKILL.cast_unsigned())]],
        "shell::compile::end_with",
    ),
];

/// Its channel, two log descriptors, timer and poll set, and the files of one include, which are read as they come.
const OPEN_FILES: u64 = 64;

/// Address space in bytes and processor time in seconds that the kernel grants it: whatever is wrong with a parser, the machine and
/// the running configuration go on. The parser's own bounds ([`checkd::conf::LIMITS`]) are far below: 100,000 real servers take 50 MB and 0.1 s.
const MEMORY: u64 = 1024 * 1024 * 1024;
const PROCESSOR_SECONDS: u64 = 20;

/// The ident of its log lines. COMPAT: the configuration is read by the parent, whose ident this is.
const IDENT: &str = "Holdfast";

/// Why it ends without a verdict.
#[derive(Debug)]
enum Failure {
    /// The channel is of no use any more.
    Channel(ChannelError),
    /// A slice cannot be encoded.
    Codec(CodecError),
    /// The event loop.
    Io(std::io::Error),
    /// The configuration cannot be printed.
    Print(print::Failure),
}

impl From<ChannelError> for Failure {
    fn from(e: ChannelError) -> Self {
        Failure::Channel(e)
    }
}

impl From<CodecError> for Failure {
    fn from(e: CodecError) -> Self {
        Failure::Codec(e)
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Failure::Io(e)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Channel(e) => write!(f, "the channel to holdfast: {e}"),
            Failure::Codec(e) => write!(f, "the compiled configuration cannot be sent: {e}"),
            Failure::Io(e) => write!(f, "waiting for holdfast: {e}"),
            Failure::Print(e) => write!(f, "the configuration cannot be printed: {e}"),
        }
    }
}

/// `checkd compile --uid N --gid N`, or, for `holdfast -t` of an ordinary user, `checkd compile --unprivileged`.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    fault::install("checkd compile");
    let parent = getppid();
    let prepared = child::whom(arguments).and_then(|whom| child::prepare().map(|()| whom));
    let (ids, enter): (_, fn(&Jail<'_>) -> _) = match prepared {
        Ok(Whom::Becomes(ids)) => (ids, enter),
        Ok(Whom::Stays) => (Ids { uid: geteuid(), gid: getegid() }, enter_as_user),
        Err(why) => {
            render::to_stderr(format!("checkd compile: {why}\n").as_bytes());
            return ExitCode::FAILURE;
        }
    };
    if let Err(why) = limit() {
        render::to_stderr(format!("checkd compile: its limits cannot be set: {}\n", why.desc()).as_bytes());
        return ExitCode::FAILURE;
    }
    // Asked before the confinement: afterwards the terminal cannot be asked.
    let colour = std::io::stderr().is_terminal();
    let jail = Jail {
        program: "checkd compile",
        ids,
        capabilities: &[],
        tcp: Tcp::Denied,
        open_files: OPEN_FILES,
        calls: CALLS,
    };
    if let Err(why) = enter(&jail) {
        render::to_stderr(format!("{why}\n").as_bytes());
        return ExitCode::FAILURE;
    }
    if let Err(why) = end_with(parent) {
        render::to_stderr(format!("checkd compile: it cannot be made to end with its parent: {why}\n").as_bytes());
        return ExitCode::FAILURE;
    }
    match session(colour) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Channel(ChannelError::Closed)) => ExitCode::SUCCESS, // nobody is left to tell
        Err(why) => {
            render::to_stderr(format!("checkd compile: {why}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// Makes this process end when its parent does: nobody is left to tell, and a hostile file could keep it busy for a while. After the
/// confinement, since a change of the user takes this back (prctl(2)).
fn end_with(parent: Pid) -> Result<(), Errno> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if getppid() == parent { Ok(()) } else { Err(Errno::ESRCH) }
}

/// Limits memory and time, for good: nobody raises a hard limit without a capability.
fn limit() -> Result<(), Errno> {
    let at_most = |resource, wanted: u64, and: u64| {
        let (_, hard) = getrlimit(resource)?;
        setrlimit(resource, wanted.min(hard), wanted.saturating_add(and).min(hard))
    };
    at_most(Resource::RLIMIT_AS, MEMORY, 0)?;
    // SIGXCPU, which says what happened, and a second later SIGKILL.
    at_most(Resource::RLIMIT_CPU, PROCESSOR_SECONDS, 1)
}

/// One compilation over descriptor 0.
fn session(colour: bool) -> Result<(), Failure> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut link = Link::new(socket)?;
    let start = link.start()?;
    let mut log = Logger::new(IDENT, LogSetup { console: Sink::Off, ..start.log }, start.syslog, start.log_file);
    let (path, credentials) = (start.facts.path.clone(), start.facts.credentials);
    let (mode, format, output) = (start.mode, start.format, start.output);
    let mut compiler = begin(&mut link, start.facts, start.main, mode)?;
    loop {
        match compiler.step() {
            Step::Include(request) => {
                let (files, problems) = link.include(&request)?;
                compiler.included(&request, files, &problems);
            }
            Step::Environment(name) => {
                let value = link.environment(&name)?;
                compiler.environment(name, value);
            }
            Step::Done => break,
        }
    }
    let parsed = compiler.parse();
    let mut names = Names::default();
    for (of, pattern) in parsed.names() {
        let (files, _) = link.files(pattern, path.clone())?;
        files.iter().for_each(|(_, text)| names.take(of, text));
    }
    let mut compiled = parsed.finish(&names);
    if mode != CompileMode::Offline {
        keys::pem_files(&mut link, &path, mode, &mut compiled)?;
    }
    if matches!(mode, CompileMode::Load | CompileMode::Test) {
        keys::key_files(&mut link, &path, mode, credentials, &mut compiled)?;
    }
    show(&compiled, format, colour, &mut log);
    let verdict = compiled.verdict();
    if let Some(bundle) = compiled.bundle.take() {
        match mode {
            CompileMode::Load => link.slices(&bundle)?,
            CompileMode::Test | CompileMode::Offline => {
                link.slice(SliceKind::Script, &encode_slice(&bundle.script)?)?;
            }
            CompileMode::Print(how) => {
                link.slice(SliceKind::Script, &encode_slice(&bundle.script)?)?;
                link.say(FromCompile::Done(verdict))?;
                return print::to(output, std::io::stdin().as_fd(), &bundle, how).map_err(Failure::Print);
            }
        }
    }
    link.say(FromCompile::Done(verdict))
}

/// Reads the main file, or those that match it.
fn begin(link: &mut Link, facts: Facts, main: Option<OwnedFd>, mode: CompileMode) -> Result<Compiler, Failure> {
    let path = facts.path.clone();
    let (files, problems) = match (facts.main, main.map(slurp)) {
        (Main::Pattern, _) => link.files(path.clone(), String::new())?,
        (Main::File, Some(Ok(text))) => (vec![(path.clone(), text)], Vec::new()),
        (Main::File, Some(Err(why))) => (Vec::new(), vec![Unread::Refused(path.clone(), why)]),
        (Main::File, None) => {
            let why = "no descriptor came with it".to_owned();
            (Vec::new(), vec![Unread::Refused(path.clone(), why)])
        }
    };
    let usable = !files.is_empty();
    let mut compiler = Compiler::of_files(facts, mode, files, random());
    match problems.first() {
        Some(Unread::Refused(path, why) | Unread::Unusable(path, why)) if !usable => compiler.unreadable(path, why),
        _ if !usable => compiler.unreadable(&path, "it does not exist"),
        _ => compiler.left_out(&problems),
    }
    Ok(compiler)
}

/// Where `${_RANDOM}` starts: the keys of a hash map are the only randomness std has.
fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

/// To standard error with the lines it speaks of, to the log one line each.
fn show(compiled: &Compiled, format: MessageFormat, colour: bool, log: &mut Logger) {
    let mut lines = compiled.diags.list().iter();
    for diagnostic in lines.by_ref() {
        let text = match format {
            MessageFormat::Human => render::excerpt(compiled, diagnostic, colour),
            MessageFormat::Short => format!("{}\n", render::line(compiled, diagnostic)),
            MessageFormat::Json => format!("{}\n", render::json(compiled, diagnostic)),
        };
        if !render::to_stderr(text.as_bytes()) {
            break; // nobody reads; do not wait again
        }
    }
    for diagnostic in compiled.diags.list() {
        log.log(&ipc::report::Line::new(level(diagnostic), render::line(compiled, diagnostic)));
    }
    if let Some(summary) = render::summary(compiled) {
        if format == MessageFormat::Human {
            render::to_stderr(format!("{summary}\n").as_bytes());
        }
        log.info(summary);
    }
    log.turn(ipc::evloop::clock());
}

fn level(diagnostic: &Diagnostic) -> Level {
    match diagnostic.severity {
        Severity::Fatal | Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
        Severity::Note => Level::Info,
    }
}
