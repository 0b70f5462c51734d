//! `checkd compile`: confines itself, is handed the configuration's descriptors, compiles, shows what is wrong, sends the slices, ends.
//!
//! Nothing here waits for anybody but the supervisor: files are regular ones or refused, standard error and the log are written
//! without blocking for longer than [`render::PATIENCE`]. When the supervisor is gone, it ends.

use super::{print, render};
use checkd::conf::diag::{Code, Diagnostic, Severity};
use checkd::conf::hmac;
use checkd::conf::names::Names;
use checkd::conf::pem::{self, Need};
use checkd::conf::source::Span;
use checkd::conf::{Compiled, Compiler, LIMITS, Request, Step};
use ipc::channel::{Channel, ChannelError};
use ipc::child::{Ids, Whom};
use ipc::chunk::cut;
use ipc::codec::{CodecError, encode_slice};
use ipc::config::probe::Pem;
use ipc::config::{Bundle, Generation, Secret, SliceKind};
use ipc::confine::{Jail, Tcp, enter, enter_as_user};
use ipc::evloop::EventLoop;
use ipc::log::Logger;
use ipc::msg::compile::{CompileMode, Facts, FromCompile, MessageFormat, ToCompile, Unread};
use ipc::msg::control::{LogSetup, Sink};
use ipc::report::Level;
use ipc::seccomp::{Call, call};
use ipc::{child, fault};
use mio::Token;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{getegid, geteuid};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io::IsTerminal as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitCode;

/// Its system calls beside those of every child.
pub const CALLS: &[Call] = &[
    call("fstat", "shell::compile::slurp"),
    call("newfstatat", "shell::compile::slurp: fstat(3) of newer C libraries"),
];

/// Its channel, two log descriptors, timer and poll set, and the files of one include, which are read as they come.
const OPEN_FILES: u64 = 64;

/// Address space in bytes and processor time in seconds that the kernel grants it: whatever is wrong with a parser, the machine and
/// the running configuration go on. The parser's own bounds ([`LIMITS`]) are far below: 100,000 real servers take 50 MB and 0.2 s.
const MEMORY: u64 = 1024 * 1024 * 1024;
const PROCESSOR_SECONDS: u64 = 20;

/// The ident of its log lines. COMPAT: the configuration is read by the parent, whose ident this is.
const IDENT: &str = "Holdfast";

const SUPERVISOR: Token = Token(0);

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
    match session(colour) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Channel(ChannelError::Closed)) => ExitCode::SUCCESS, // nobody is left to tell
        Err(why) => {
            render::to_stderr(format!("checkd compile: {why}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
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
    let mut main = Vec::new();
    let unread = match start.main.map(slurp) {
        Some(Ok(text)) => {
            main = text;
            None
        }
        Some(Err(why)) => Some(why),
        None => Some("no descriptor came with it".to_owned()),
    };
    let path = start.facts.path.clone();
    let (mode, format, output) = (start.mode, start.format, start.output);
    let mut compiler = Compiler::new(start.facts, start.mode, main, random());
    if let Some(why) = unread {
        compiler.unreadable(&path, &why);
    }
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
    pem_files(&mut link, &path, &mut compiled)?;
    if matches!(mode, CompileMode::Load | CompileMode::Test) {
        key_files(&mut link, &path, &mut compiled)?;
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

/// Reads what SSL_GET trusts and shows of itself: checkd, which needs it, has no file system.
fn pem_files(link: &mut Link, from: &str, compiled: &mut Compiled) -> Result<(), Failure> {
    let Some(bundle) = &mut compiled.bundle else { return Ok(()) };
    let mut missing = Vec::new();
    for (path, need) in pem::wanted(&bundle.check) {
        let (files, problems) = link.files(path.clone(), from.to_owned())?;
        match (files.into_iter().next(), need) {
            (Some((_, content)), _) if content.len() <= pem::FILE_LIMIT => {
                bundle.check.tls.files.push(Pem { path, content: Secret::new(content) });
            }
            (Some(_), Need::Named(origin)) => missing.push((path, origin, "it is too long".to_owned())),
            (None, Need::Named(origin)) => {
                let why = match problems.into_iter().next() {
                    Some(Unread::Unusable(_, why) | Unread::Refused(_, why)) => why,
                    Some(Unread::Missing(_) | Unread::Nothing) | None => "it does not exist".to_owned(),
                };
                missing.push((path, origin, why));
            }
            (_, Need::System) => {}
        }
    }
    if let Some(diagnostic) = pem::missing(&missing) {
        compiled.diags.push(diagnostic);
    }
    Ok(())
}

/// Reads the keys of `auth_hmac` that are in files. One that is not there is fatal: the router would be deaf to its peers and a second
/// master.
fn key_files(link: &mut Link, from: &str, compiled: &mut Compiled) -> Result<(), Failure> {
    let Some(bundle) = &mut compiled.bundle else { return Ok(()) };
    let mut problems = Vec::new();
    for path in hmac::files(&bundle.vrrp) {
        let (files, unread) = link.files(path.clone(), from.to_owned())?;
        let read = match (files.into_iter().next(), unread.into_iter().next()) {
            (Some((_, content)), _) => hmac::fill(&mut bundle.vrrp, &path, &content),
            (None, Some(Unread::Unusable(_, why) | Unread::Refused(_, why))) => Err(why),
            (None, Some(Unread::Missing(_) | Unread::Nothing) | None) => Err("it does not exist".to_owned()),
        };
        problems.extend(read.err().map(|why| format!("cannot use {path} as a key of `auth_hmac`: {why}")));
    }
    if !problems.is_empty() {
        compiled.bundle = None;
        compiled.diags.push(Diagnostic::fatal(Code::INCLUDE, Span::default(), problems.join("; ")));
    }
    Ok(())
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

/// Reads a regular file to its end. A FIFO, a socket or a device is refused: it could keep us waiting.
fn slurp(fd: OwnedFd) -> Result<Vec<u8>, String> {
    let stat = fstat(&fd).map_err(|e| e.desc().to_owned())?;
    if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
        return Err("it is not a regular file".to_owned());
    }
    let most = LIMITS.file_bytes;
    let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    if size > most {
        return Err(format!("it has {size} bytes; all files of a configuration together may have {most}"));
    }
    // One byte more than there should be: when it is filled the file has grown.
    let mut text = vec![0; size.saturating_add(1)];
    let mut read = 0_usize;
    loop {
        match nix::unistd::read(&fd, text.get_mut(read..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(n) => read = read.saturating_add(n),
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e.desc().to_owned()),
        }
        if read > most {
            return Err(format!("it grows while it is read, and has more than {most} bytes by now"));
        }
        if read == text.len() {
            text.resize(read.saturating_add(64 * 1024), 0);
        }
    }
    text.truncate(read);
    Ok(text)
}

/// What [`ToCompile::Start`] brought.
struct Start {
    facts: Facts,
    mode: CompileMode,
    format: MessageFormat,
    main: Option<OwnedFd>,
    output: Option<OwnedFd>,
    log: LogSetup,
    syslog: Option<OwnedFd>,
    log_file: Option<OwnedFd>,
}

/// The channel to the supervisor, waited on.
struct Link {
    channel: Channel<FromCompile, ToCompile>,
    events: EventLoop,
    waiting: VecDeque<(ToCompile, Vec<OwnedFd>)>,
    generation: Generation,
}

impl Link {
    fn new(socket: OwnedFd) -> Result<Self, Failure> {
        let mut events = EventLoop::new()?;
        let mut channel = Channel::new(socket);
        events.add(&mut channel, SUPERVISOR)?;
        Ok(Link { channel, events, waiting: VecDeque::new(), generation: Generation::default() })
    }

    /// The next message, as long as it takes: the supervisor ends us when it has had enough, and its death ends the wait.
    fn next(&mut self) -> Result<(ToCompile, Vec<OwnedFd>), Failure> {
        let mut ready = Vec::new();
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(message);
            }
            match self.channel.receive()? {
                Some(received) => {
                    self.generation = received.frame.generation;
                    let mut fds = Some(received.fds); // a message with descriptors has its frame for itself
                    for message in received.frame.messages {
                        self.waiting.push_back((message, fds.take().unwrap_or_default()));
                    }
                }
                None => {
                    self.events.wait(None, &mut ready)?;
                }
            }
        }
    }

    fn start(&mut self) -> Result<Start, Failure> {
        let (message, fds) = self.next()?;
        let ToCompile::Start { log, facts, mode, format } = message else { return Err(unexpected()) };
        let mut fds = fds.into_iter();
        let main = fds.next();
        let output = if matches!(mode, CompileMode::Print(_)) { fds.next() } else { None };
        let mut next = |sink| if sink == Sink::On { fds.next() } else { None };
        let syslog = next(log.syslog);
        let log_file = next(log.file);
        Ok(Start { facts, mode, format, main, output, log, syslog, log_file })
    }

    /// Asks for the files of an include directive and reads them as they come.
    fn include(&mut self, request: &Request) -> Result<Included, Failure> {
        self.files(request.pattern.clone(), request.from.clone())
    }

    /// The same for a pattern in a file.
    fn files(&mut self, pattern: String, from: String) -> Result<Included, Failure> {
        self.say(FromCompile::Include { pattern, from })?;
        let (mut files, mut unread) = (Vec::new(), Vec::new());
        let mut bytes = 0_usize;
        loop {
            let (message, fds) = self.next()?;
            match message {
                ToCompile::File { path } => match fds.into_iter().next().map(slurp) {
                    // Beyond all bounds: dropped here, the compiler says so at the file before it.
                    Some(Ok(_)) if bytes > LIMITS.file_bytes => {}
                    Some(Ok(text)) => {
                        bytes = bytes.saturating_add(text.len());
                        files.push((path, text));
                    }
                    Some(Err(why)) => unread.push(Unread::Refused(path, why)),
                    None => unread.push(Unread::Refused(path, "no descriptor came with it".to_owned())),
                },
                ToCompile::EndOfFiles { problems } => {
                    unread.extend(problems);
                    return Ok((files, unread));
                }
                ToCompile::Environment(_) | ToCompile::Start { .. } => return Err(unexpected()),
            }
        }
    }

    /// Asks for the value of an environment variable.
    fn environment(&mut self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.say(FromCompile::Environment(name.to_owned()))?;
        match self.next()? {
            (ToCompile::Environment(value), _) => Ok(value),
            _ => Err(unexpected()),
        }
    }

    fn say(&mut self, message: FromCompile) -> Result<(), Failure> {
        self.channel.send(self.generation, vec![message])?;
        self.flush()
    }

    /// In the order of [`SliceKind`].
    fn slices(&mut self, bundle: &Bundle) -> Result<(), Failure> {
        self.slice(SliceKind::Script, &encode_slice(&bundle.script)?)?;
        self.slice(SliceKind::Ipvs, &encode_slice(&bundle.ipvs)?)?;
        self.slice(SliceKind::Vrrp, &encode_slice(&bundle.vrrp)?)?;
        self.slice(SliceKind::Check, &encode_slice(&bundle.check)?)
    }

    fn slice(&mut self, kind: SliceKind, bytes: &[u8]) -> Result<(), Failure> {
        let chunks = cut(bytes).map(|chunk| FromCompile::Slice(kind, chunk));
        self.channel.send_slice(self.generation, chunks)?;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let mut ready = Vec::new();
        while !self.channel.is_flushed() {
            self.events.wait(None, &mut ready)?;
            self.channel.flush()?;
        }
        Ok(())
    }
}

type Included = (Vec<(String, Vec<u8>)>, Vec<Unread>);

fn unexpected() -> Failure {
    Failure::Channel(ChannelError::Violation(CodecError::Malformed("a message out of turn".to_owned())))
}
