//! The channel to the supervisor as a compilation uses it: what is asked for, and the files that come back.

use super::Failure;
use checkd::conf::{LIMITS, Request};
use ipc::channel::{Channel, ChannelError};
use ipc::chunk::cut;
use ipc::codec::{CodecError, encode_slice};
use ipc::config::{Bundle, Generation, SliceKind};
use ipc::evloop::EventLoop;
use ipc::msg::compile::{CompileMode, Facts, FromCompile, MessageFormat, ToCompile, Unread};
use ipc::msg::control::{LogSetup, Sink};
use mio::Token;
use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;

const SUPERVISOR: Token = Token(0);

/// Reads a regular file to its end. A FIFO, a socket or a device is refused: it could keep us waiting.
pub(super) fn slurp(fd: OwnedFd) -> Result<Vec<u8>, String> {
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
pub(super) struct Start {
    pub(super) facts: Facts,
    pub(super) mode: CompileMode,
    pub(super) format: MessageFormat,
    pub(super) main: Option<OwnedFd>,
    pub(super) output: Option<OwnedFd>,
    pub(super) log: LogSetup,
    pub(super) syslog: Option<OwnedFd>,
    pub(super) log_file: Option<OwnedFd>,
}

/// The channel to the supervisor, waited on.
pub(super) struct Link {
    channel: Channel<FromCompile, ToCompile>,
    events: EventLoop,
    waiting: VecDeque<(ToCompile, Vec<OwnedFd>)>,
    generation: Generation,
}

impl Link {
    pub(super) fn new(socket: OwnedFd) -> Result<Self, Failure> {
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

    pub(super) fn start(&mut self) -> Result<Start, Failure> {
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
    pub(super) fn include(&mut self, request: &Request) -> Result<Included, Failure> {
        self.files(request.pattern.clone(), request.from.clone())
    }

    /// The same for a pattern in a file.
    pub(super) fn files(&mut self, pattern: String, from: String) -> Result<Included, Failure> {
        self.say(FromCompile::Include { pattern, from })?;
        self.given()
    }

    /// Asks for a credential of the service manager.
    pub(super) fn credential(&mut self, name: &str) -> Result<Included, Failure> {
        self.say(FromCompile::Credential(name.to_owned()))?;
        self.given()
    }

    fn given(&mut self) -> Result<Included, Failure> {
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
    pub(super) fn environment(&mut self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.say(FromCompile::Environment(name.to_owned()))?;
        match self.next()? {
            (ToCompile::Environment(value), _) => Ok(value),
            _ => Err(unexpected()),
        }
    }

    pub(super) fn say(&mut self, message: FromCompile) -> Result<(), Failure> {
        self.channel.send(self.generation, vec![message])?;
        self.flush()
    }

    /// In the order of [`SliceKind`].
    pub(super) fn slices(&mut self, bundle: &Bundle) -> Result<(), Failure> {
        self.slice(SliceKind::Script, &encode_slice(&bundle.script)?)?;
        self.slice(SliceKind::Ipvs, &encode_slice(&bundle.ipvs)?)?;
        self.slice(SliceKind::Vrrp, &encode_slice(&bundle.vrrp)?)?;
        self.slice(SliceKind::Check, &encode_slice(&bundle.check)?)
    }

    pub(super) fn slice(&mut self, kind: SliceKind, bytes: &[u8]) -> Result<(), Failure> {
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

pub(super) type Included = (Vec<(String, Vec<u8>)>, Vec<Unread>);

fn unexpected() -> Failure {
    Failure::Channel(ChannelError::Violation(CodecError::Malformed("a message out of turn".to_owned())))
}
