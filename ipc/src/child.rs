//! What the three long-lived children share: their start, and the channel to the supervisor.
//!
//! The order in `main`:
//!
//! ```text
//! fault::install("vrrpd");
//! let ids = child::arguments(std::env::args_os().skip(1))?;     // --uid N --gid N
//! child::prepare()?;                                            // signals, time zone, console; is there a supervisor?
//! confine::enter(&Jail { ids, … })?;                            // from here on nothing can be opened
//! let mut child = Child::<Vrrp>::start()?;                      // descriptor 0 becomes the channel
//! events.add(child.source(), SUPERVISOR)?;
//! loop {
//!     let now = events.wait(machine.deadline().into_iter().chain(child.deadline()).min(), &mut ready)?;
//!     while let Some(event) = child.receive() { … }             // in every turn
//!     while let Some(messages) = peer.receive(&mut child, &mut events) { … }
//!     …
//!     child.turn(now);                                          // last: flushes, asks for a lost syslog socket
//! }
//! ```

pub mod generations;
pub mod peer;
pub mod role;
mod start;

pub use generations::{Age, Generations};
pub use peer::Peer;
pub use role::{Check, CheckOwn, Ipvs, IpvsOwn, Protocol, Vrrp};
pub use start::{Ids, StartError, Whom, arguments, prepare, whom};

use crate::channel::{Channel, ChannelError, Received};
use crate::chunk::Assembly;
use crate::codec::decode_slice;
use crate::config::{FileIdx, Generation};
use crate::fault;
use crate::log::{Logger, SyslogState, facility};
use crate::msg::Role;
use crate::msg::control::{Down, DumpKind, Dumped, LogSetup, ProcessSeen, Sink, StopMode, Tracked, Up};
use crate::report::Line;
use crate::sys;
use crate::time::Mono;
use core::time::Duration;
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};

/// Dumps that may wait for their text: the supervisor asks for no more before it has an answer.
pub const DUMPS_LIMIT: usize = 16;

/// What the supervisor wants of a child, typed for its role.
#[derive(Debug)]
pub enum Event<P: Protocol> {
    /// A slice has arrived and decodes. Prepare it, then say [`Child::ready`] or [`Child::refused`].
    Configured {
        /// Its generation.
        generation: Generation,
        /// The slice.
        slice: Box<P::Slice>,
    },
    /// The prepared slice counts from now on; [`Child::generation`] already is it. Then say [`Child::activated`].
    Activate(Generation),
    /// The prepared slice is not wanted after all.
    Discard(Generation),
    /// A new channel to a peer; give it to [`Peer::attach`].
    Attach(Role, OwnedFd),
    /// The peer is gone; [`Peer::detach`].
    Detached(Role),
    /// Write a dump: [`Child::dump`].
    Dump(DumpKind),
    /// A `track_file` of that generation as it is now; `None`: there is none that can be read. [`crate::tracked::read`] reads it.
    TrackedFile(Generation, FileIdx, Option<OwnedFd>),
    /// What has become of processes, each with the descriptors that [`ProcessFiles`](crate::msg::control::ProcessFiles) says; to be answered
    /// with `FromVrrp::ProcessesTaken`.
    Processes(Generation, Vec<(ProcessSeen, Vec<OwnedFd>)>),
    /// Say goodbye, release, [`Child::stopped`], exit.
    Stop(StopMode),
    /// A message of this role alone, of which generation it speaks, and the descriptor that came with it, if one did.
    Other(Generation, P::Own, Option<OwnedFd>),
    /// The supervisor is gone, or spoke nonsense: say goodbye, release, exit. Nothing comes after it.
    SupervisorGone(StopMode),
}

/// The supervisor's side of a child.
pub struct Child<P: Protocol> {
    channel: Channel<P::From, P::To>,
    assembly: Assembly,
    assembling: Option<Generation>,
    generations: Generations,
    logger: Logger,
    facility: u8,
    greeted: Greeted,
    stop: StopMode,
    events: VecDeque<Event<P>>,
    /// Files of dumps that have been asked for and not written.
    dumps: VecDeque<OwnedFd>,
    state: State,
    tidy: Tidy,
}

/// How long after an activation memory is given back: then the peers have said everything again.
const TIDY: Duration = Duration::from_secs(2);

/// Whether memory that an activation has left is to be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tidy {
    Done,
    /// The next turn says when.
    Asked,
    At(Mono),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeted {
    NotYet,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Serving,
    /// To be told to the driver.
    Lost,
    /// It knows.
    Told,
}

impl<P: Protocol> Child<P> {
    /// Makes descriptor 0 the channel. Once per process, after `confine::enter`.
    pub fn start() -> Result<Self, StartError> {
        let socket = sys::own_descriptor_0().ok_or(StartError::Twice)?;
        Ok(Child::on(socket))
    }

    /// The same on any socket.
    pub fn on(socket: OwnedFd) -> Self {
        Child {
            channel: Channel::new(socket),
            assembly: Assembly::default(),
            assembling: None,
            generations: Generations::default(),
            logger: Logger::console(),
            facility: facility::DAEMON,
            greeted: Greeted::NotYet,
            stop: StopMode::RELEASE,
            events: VecDeque::new(),
            dumps: VecDeque::new(),
            tidy: Tidy::Done,
            state: State::Serving,
        }
    }

    /// For `EventLoop::add`.
    pub fn source(&mut self) -> &mut Channel<P::From, P::To> {
        &mut self.channel
    }

    /// Where this process logs.
    pub fn logger(&mut self) -> &mut Logger {
        &mut self.logger
    }

    /// [`Logger::log`].
    pub fn log(&mut self, line: &Line) {
        self.logger.log(line);
    }

    /// [`Logger::log_all`].
    pub fn log_all(&mut self, lines: &[Line]) {
        self.logger.log_all(lines);
    }

    /// The generation that counts; 0 before the first [`Event::Activate`].
    pub fn generation(&self) -> Generation {
        self.generations.current().unwrap_or_default()
    }

    /// The generations known here.
    pub fn generations(&self) -> &Generations {
        &self.generations
    }

    /// The next thing the supervisor wants; `None` when there is nothing more now. Call it until `None` in every turn, also when
    /// the channel was not reported ready: [`Event::SupervisorGone`] after a failed attempt to say something comes from here.
    pub fn receive(&mut self) -> Option<Event<P>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            match self.state {
                State::Serving => {}
                State::Lost => {
                    self.state = State::Told;
                    return Some(Event::SupervisorGone(self.stop));
                }
                State::Told => return None,
            }
            match self.channel.receive() {
                Ok(Some(received)) => self.take(received),
                Ok(None) => return None,
                Err(e) => self.lost(&e),
            }
        }
    }

    fn take(&mut self, received: Received<P::To>) {
        let generation = received.frame.generation;
        let mut fds = received.fds.into_iter();
        for message in received.frame.messages {
            match P::split(message) {
                Ok(down) => self.control(generation, down, &mut fds),
                Err(own) => self.events.push_back(Event::Other(generation, own, fds.next())),
            }
        }
    }

    fn control(&mut self, generation: Generation, down: Down, fds: &mut dyn Iterator<Item = OwnedFd>) {
        if self.greeted == Greeted::NotYet && !matches!(down, Down::Hello { .. }) {
            return self.nonsense("it spoke before its greeting");
        }
        match down {
            Down::Hello { log, stop } => {
                self.stop = stop;
                self.hello(log, fds);
            }
            Down::Slice(chunk) => {
                if self.assembling.is_some_and(|other| other != generation) {
                    return self.nonsense("a configuration began before the last had ended");
                }
                self.assembling = Some(generation);
                match self.assembly.push(chunk) {
                    Ok(None) => {}
                    Ok(Some(bytes)) => self.assembled(generation, &bytes),
                    Err(e) => self.nonsense(&format!("configuration {}: {e}", generation.0)),
                }
            }
            Down::Activate => {
                if self.generations.activate(generation) {
                    self.events.push_back(Event::Activate(generation));
                } else {
                    self.nonsense(&format!("configuration {} was not prepared", generation.0));
                }
            }
            Down::Discard => {
                self.generations.discard();
                self.events.push_back(Event::Discard(generation));
            }
            Down::Attach(role) => match fds.next() {
                Some(fd) => self.events.push_back(Event::Attach(role, fd)),
                None => self.nonsense("a peer's channel is missing"),
            },
            Down::Detached(role) => self.events.push_back(Event::Detached(role)),
            Down::LogSocket => match fds.next() {
                Some(fd) => {
                    fault::tell_syslog(P::IDENT, self.facility, fd.as_fd());
                    self.logger.replace_socket(fd);
                }
                None => self.nonsense("the syslog socket is missing"),
            },
            Down::LogFile => match fds.next() {
                Some(fd) => self.logger.replace_file(fd),
                None => self.nonsense("the log file is missing"),
            },
            Down::Dump(kind) => match fds.next() {
                Some(fd) if self.dumps.len() < DUMPS_LIMIT => {
                    self.dumps.push_back(fd);
                    self.events.push_back(Event::Dump(kind));
                }
                Some(_) => self.nonsense("more dumps are asked for than may be"),
                None => self.nonsense("the dump file is missing"),
            },
            Down::TrackedFile(file, Tracked::Missing) => {
                self.events.push_back(Event::TrackedFile(generation, file, None));
            }
            Down::TrackedFile(file, Tracked::Open) => match fds.next() {
                Some(fd) => self.events.push_back(Event::TrackedFile(generation, file, Some(fd))),
                None => self.nonsense("a tracked file is missing"),
            },
            Down::Processes(seen) => {
                let with_files: Vec<_> = seen.into_iter().map(|seen| (seen, files_of(seen, fds))).collect();
                if with_files.iter().any(|(seen, files)| files.len() != count(*seen)) {
                    return self.nonsense("the files of a process are missing");
                }
                self.events.push_back(Event::Processes(generation, with_files));
            }
            Down::Ask => self.say(P::up(Up::Here)),
            Down::Stop => self.events.push_back(Event::Stop(self.stop)),
        }
    }

    fn hello(&mut self, log: LogSetup, fds: &mut dyn Iterator<Item = OwnedFd>) {
        let mut next = |sink| if sink == Sink::On { fds.next() } else { None };
        let syslog = next(log.syslog);
        let file = next(log.file);
        if let Some(syslog) = &syslog {
            fault::tell_syslog(P::IDENT, log.facility, syslog.as_fd());
        }
        self.facility = log.facility;
        self.logger = Logger::new(P::IDENT, log, syslog, file);
        self.greeted = Greeted::Yes;
    }

    fn assembled(&mut self, generation: Generation, bytes: &[u8]) {
        self.assembling = None;
        match decode_slice::<P::Slice>(bytes) {
            Ok(slice) => {
                self.generations.prepare(generation);
                self.events.push_back(Event::Configured { generation, slice: Box::new(slice) });
            }
            Err(e) => {
                self.logger.error(format!(
                    "Configuration {} cannot be used: its part for this process does not decode ({e}); are all programs of \
                     Holdfast of one version?",
                    generation.0
                ));
                self.refused(generation);
            }
        }
    }

    /// The slice of that generation can be activated.
    pub fn ready(&mut self, generation: Generation) {
        self.say_of(generation, P::up(Up::Ready));
    }

    /// It cannot; the caller has logged why.
    pub fn refused(&mut self, generation: Generation) {
        self.generations.discard();
        self.say_of(generation, P::up(Up::Refused));
    }

    /// [`Event::Activate`] was carried out.
    pub fn activated(&mut self) {
        self.say(P::up(Up::Activated));
        self.tidy = Tidy::Asked;
    }

    /// Writes the text of the oldest [`Event::Dump`] into its file. A regular file takes it at once.
    pub fn dump(&mut self, text: &str) {
        let Some(file) = self.dumps.pop_front() else { return };
        let written = match File::from(file).write_all(text.as_bytes()) {
            Ok(()) => Dumped::Whole,
            Err(e) => {
                self.logger.error(format!("The dump cannot be written: {e}"));
                Dumped::Lost
            }
        };
        self.say(P::up(Up::Dumped(written)));
    }

    /// A peer broke the protocol.
    pub fn violation(&mut self, role: Role) {
        self.say(P::up(Up::Violation(role)));
    }

    /// Everything is released. Flushes; exit next.
    pub fn stopped(&mut self) {
        self.say(P::up(Up::Stopped));
    }

    /// Says something under the current generation.
    pub fn say(&mut self, message: P::From) {
        self.say_all(vec![message]);
    }

    /// Says several things in one frame, under the current generation.
    pub fn say_all(&mut self, messages: Vec<P::From>) {
        self.say_all_of(self.generation(), messages);
    }

    /// Says several things in one frame, under a generation that is being left: until [`Child::activated`] the supervisor takes
    /// requests of the last one as well.
    pub fn say_all_of(&mut self, generation: Generation, messages: Vec<P::From>) {
        let sent = self.channel.send(generation, messages);
        self.note(sent);
    }

    fn say_of(&mut self, generation: Generation, message: P::From) {
        self.say_all_of(generation, vec![message]);
    }

    /// Whether all that was said has been handed to the kernel.
    pub fn is_flushed(&self) -> bool {
        self.channel.is_flushed()
    }

    /// At the end of each turn of the event loop: flushes the channel and the log, asks for a new syslog socket when the old
    /// one is lost.
    pub fn turn(&mut self, now: Mono) {
        if self.logger.turn(now) == SyslogState::Lost && self.state == State::Serving {
            self.say(P::up(Up::LogSocketLost));
        }
        let flushed = self.channel.flush();
        self.note(flushed);
        match self.tidy {
            Tidy::Asked => self.tidy = Tidy::At(now + TIDY),
            Tidy::At(at) if at <= now => {
                self.tidy = Tidy::Done;
                sys::give_memory_back();
            }
            Tidy::At(_) | Tidy::Done => {}
        }
    }

    /// When [`Child::turn`] is wanted although nothing else happens: log lines wait, or memory.
    pub fn deadline(&self) -> Option<Mono> {
        let tidy = match self.tidy {
            Tidy::At(at) => Some(at),
            Tidy::Asked | Tidy::Done => None,
        };
        self.logger.deadline().into_iter().chain(tidy).min()
    }

    fn note(&mut self, done: Result<(), ChannelError>) {
        if let Err(e) = done {
            self.lost(&e);
        }
    }

    fn lost(&mut self, e: &ChannelError) {
        if self.state == State::Serving {
            self.state = State::Lost;
            if !matches!(e, ChannelError::Closed) {
                self.logger.error(format!("The channel to the supervisor is of no use any more: {e}; stopping"));
            }
        }
    }

    fn nonsense(&mut self, what: &str) {
        if self.state == State::Serving {
            self.state = State::Lost;
            self.logger.error(format!("The supervisor broke the protocol: {what}; stopping"));
        }
    }
}

/// How many descriptors come with it.
fn count(seen: ProcessSeen) -> usize {
    match seen {
        ProcessSeen::Runs(_, files) => files.count(),
        ProcessSeen::Anew | ProcessSeen::Forked { .. } | ProcessSeen::Ended(_) | ProcessSeen::All => 0,
    }
}

fn files_of(seen: ProcessSeen, fds: &mut dyn Iterator<Item = OwnedFd>) -> Vec<OwnedFd> {
    fds.take(count(seen)).collect()
}
