//! Tracked processes: which run, from the kernel's process connector and /proc. Their files are opened here and handed to vrrpd, never
//! read: what is in them was written by whoever runs the process.
//!
//! One portion at a time is on its way, and the next follows when vrrpd has looked at it: a process that stands still makes nothing
//! pile up but the numbers here, and of those at most twice [`WAITING`].

use super::connector::{Connector, Happened, Heard};
use core::time::Duration;
use ipc::config::Generation;
use ipc::config::process::Buffer;
use ipc::config::vrrp::Switch;
use ipc::log::Logger;
use ipc::msg::control::{ProcessFiles, ProcessSeen};
use ipc::time::Mono;
use nix::errno::Errno;
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::{OwnedFd, RawFd};

/// Processes that are told anew at most, and as much again may happen meanwhile; beyond it everything is forgotten and told anew.
const WAITING: usize = 65_536;

/// From one look at the records to the next. Within it they gather, so that a copy that becomes another program at once is seen as that.
const HOLD: Duration = Duration::from_millis(2);

/// Records taken in one look.
const RECORDS: usize = 4_096;

/// Copies in a second, of all processes of the machine, whose files are opened. The kernel says of a copy whose child it is, not whose
/// copy: with CLONE_PARENT that is another process. Of more than these what it says has to do.
const COPIES: u32 = 200;

/// How often all processes are told anew where the kernel does not say what happens, and at most when records are lost.
const AGAIN: Duration = Duration::from_secs(1);

/// Messages of one portion, and in each of them descriptors (`ipc::fdpass::FDS_LIMIT`) and processes.
const MESSAGES: usize = 4;
const FILES: usize = 8;
const PROCESSES: usize = 512;

/// A message for vrrpd, and its descriptors.
pub type Portion = Vec<(Vec<ProcessSeen>, Vec<OwnedFd>)>;

/// How the records come.
#[derive(Debug)]
enum Source {
    /// Nothing is watched.
    Off,
    /// They are not: all processes are told anew again and again.
    Polling,
    /// The kernel has yet to answer.
    Asked(Connector),
    /// They do.
    Hearing(Connector),
}

/// What there is to tell, in order; [`ProcessSeen::Runs`] is opened when it is told. A copy and what it is are told in one message: between
/// two, it would count for a process that it may not belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Told(ProcessSeen),
    Open(u32),
    Copied { parent: u32, child: u32 },
}

/// See the module's text.
#[derive(Debug)]
pub struct Processes {
    /// Made before the network namespace was entered: the kernel tells of processes in the first one only.
    outside: Option<OwnedFd>,
    source: Source,
    files: ProcessFiles,
    /// Whom it is for; nobody before vrrpd begins with a generation.
    to: Option<Generation>,
    waiting: VecDeque<Waiting>,
    /// Messages that vrrpd has yet to look at.
    on_the_way: usize,
    look: Option<Mono>,
    looked: Mono,
    /// The copies whose files were opened since then.
    copies: (Mono, u32),
    /// When all are told anew.
    anew: Option<Mono>,
    hidden: Hidden,
}

/// Whether it was said that processes are hidden from this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hidden {
    Unsaid,
    Said,
}

impl Processes {
    /// `outside`: a socket of the first network namespace, when this process has left it.
    pub fn new(outside: Option<OwnedFd>) -> Self {
        Processes {
            outside,
            source: Source::Off,
            files: ProcessFiles::Stat,
            to: None,
            waiting: VecDeque::new(),
            on_the_way: 0,
            look: None,
            looked: Mono::ZERO,
            copies: (Mono::ZERO, 0),
            anew: None,
            hidden: Hidden::Unsaid,
        }
    }

    /// Watches processes for a generation that begins, or ceases to. A descriptor is to be watched from now on.
    pub fn watch(&mut self, now: Mono, wanted: Option<(ProcessFiles, Buffer)>, logger: &mut Logger) -> Option<RawFd> {
        self.to = None;
        self.waiting.clear();
        self.on_the_way = 0;
        self.anew = None;
        let Some((files, buffer)) = wanted else {
            // A connector stays, and what it says is read and forgotten: that of another network namespace cannot be opened again.
            if let Source::Polling = self.source {
                self.source = Source::Off;
            }
            return None;
        };
        self.files = files;
        if let Source::Asked(connector) | Source::Hearing(connector) = &self.source {
            if let Err(e) = connector.resize(buffer) {
                logger.warning(format!("process_monitor_rcv_bufs stays as it was: {}", e.desc()));
            }
            return None;
        }
        match Connector::open(self.outside.take(), buffer) {
            Ok(connector) => {
                let fd = connector.raw();
                self.source = Source::Asked(connector);
                self.is_ready(now);
                Some(fd)
            }
            Err(e) => {
                self.poll(now, e.desc(), logger);
                None
            }
        }
    }

    fn poll(&mut self, now: Mono, why: &str, logger: &mut Logger) {
        self.source = Source::Polling;
        self.anew = Some(now);
        logger.warning(format!(
            "The kernel does not tell of processes here ({why}); those of track_process are looked for every second. It tells them in \
             the first network and process namespace alone"
        ));
    }

    /// vrrpd begins with that generation: everything is told from the start.
    pub fn begin(&mut self, now: Mono, generation: Generation) {
        self.to = Some(generation);
        self.waiting.clear();
        self.on_the_way = 0;
        self.tell_all(now);
    }

    /// There is nobody to tell.
    pub fn pause(&mut self) {
        self.to = None;
        self.waiting.clear();
    }

    /// vrrpd has looked at a message.
    pub fn taken(&mut self) {
        self.on_the_way = self.on_the_way.saturating_sub(1);
    }

    /// The socket has something.
    pub fn is_ready(&mut self, now: Mono) {
        let soonest = self.looked + HOLD;
        self.look.get_or_insert(if soonest > now { soonest } else { now });
    }

    /// When [`Processes::turn`] is wanted.
    pub fn deadline(&self) -> Option<Mono> {
        // While vrrpd has something to look at nothing else is told; what it says next ends the wait.
        let anew = self.anew.filter(|_| self.to.is_some() && self.has_told_all());
        [self.look, anew].into_iter().flatten().min()
    }

    /// Nothing is on the way, and not even the end of the last time waits. What happened since may wait: in a storm it always does.
    fn has_told_all(&self) -> bool {
        self.on_the_way == 0 && !self.waiting.contains(&Waiting::Told(ProcessSeen::All))
    }

    /// Looks at what happened; gives what vrrpd is to be told next, and for which generation.
    pub fn turn(&mut self, now: Mono, logger: &mut Logger) -> Option<(Generation, Portion)> {
        if self.look.is_some_and(|at| at <= now) {
            self.look(now, logger);
        }
        let generation = self.to?;
        // Never before vrrpd has heard the end of the last time: it counts then.
        if self.anew.is_some_and(|at| at <= now) && self.has_told_all() {
            if let Source::Asked(_) = self.source {
                self.poll(now, "it does not answer", logger);
            }
            self.tell_all(now);
        }
        if self.on_the_way > 0 || self.waiting.is_empty() {
            return None;
        }
        let portion: Portion = (0..MESSAGES).map_while(|_| self.message(logger)).collect();
        self.on_the_way = portion.len();
        Some((generation, portion))
    }

    /// Reads /proc.
    fn tell_all(&mut self, now: Mono) {
        self.anew = match self.source {
            Source::Off | Source::Hearing(_) => None,
            Source::Polling | Source::Asked(_) => Some(now + AGAIN),
        };
        self.waiting.clear();
        self.waiting.push_back(Waiting::Told(ProcessSeen::Anew));
        let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        self.waiting.extend(numbers.take(WAITING).map(Waiting::Open));
        self.waiting.push_back(Waiting::Told(ProcessSeen::All));
    }

    fn look(&mut self, now: Mono, logger: &mut Logger) {
        self.looked = now;
        self.look = None;
        for _ in 0..RECORDS {
            let (Source::Asked(connector) | Source::Hearing(connector)) = &self.source else { return };
            match connector.receive() {
                Heard::Happened(happened) => self.happened(now, happened, logger),
                Heard::Nothing => {}
                Heard::Lost => self.lost(now),
                Heard::Empty => return,
                Heard::Broken(e) => return self.poll(now, e.desc(), logger),
            }
        }
        // The descriptor is edge-triggered: what is left would not be reported again.
        self.look = Some(now + HOLD);
    }

    fn happened(&mut self, now: Mono, happened: Happened, logger: &mut Logger) {
        let waiting = match happened {
            Happened::Forked { parent, child } if self.may_open_copy(now) => Waiting::Copied { parent, child },
            Happened::Forked { parent, child } => Waiting::Told(ProcessSeen::Forked { parent, child }),
            Happened::Changed(pid) => Waiting::Open(pid),
            Happened::Ended(pid) => Waiting::Told(ProcessSeen::Ended(pid)),
            Happened::Answer(0) => {
                match core::mem::replace(&mut self.source, Source::Off) {
                    Source::Asked(connector) => {
                        // What happened before is found in /proc.
                        self.anew = self.to.map(|_| now);
                        self.source = Source::Hearing(connector);
                    }
                    other => self.source = other,
                }
                return;
            }
            Happened::Answer(error) => {
                if let Source::Asked(_) = self.source {
                    let error = Errno::from_raw(i32::try_from(error).unwrap_or(0));
                    self.poll(now, error.desc(), logger);
                }
                return;
            }
        };
        if self.to.is_none() {
            return;
        }
        if self.waiting.len() < WAITING.saturating_mul(2) {
            self.waiting.push_back(waiting);
        } else {
            self.waiting.clear();
            self.lost(now);
        }
    }

    /// Whether a copy is looked at itself.
    fn may_open_copy(&mut self, now: Mono) -> bool {
        if now.since(self.copies.0) >= AGAIN {
            self.copies = (now, 0);
        }
        self.copies.1 = self.copies.1.saturating_add(1);
        self.copies.1 <= COPIES
    }

    /// Something was missed. All are told anew, but not more often than that can be done.
    fn lost(&mut self, now: Mono) {
        self.anew.get_or_insert(now + AGAIN);
    }

    /// The next message, with at most as many descriptors as one may have.
    fn message(&mut self, logger: &mut Logger) -> Option<(Vec<ProcessSeen>, Vec<OwnedFd>)> {
        let (mut seen, mut fds) = (Vec::new(), Vec::new());
        while seen.len() < PROCESSES - 1 && fds.len().saturating_add(self.files.count()) <= FILES {
            let Some(next) = self.waiting.pop_front() else { break };
            let pid = match next {
                Waiting::Told(told) => {
                    seen.push(told);
                    continue;
                }
                Waiting::Copied { parent, child } => {
                    seen.push(ProcessSeen::Forked { parent, child });
                    child
                }
                Waiting::Open(pid) => pid,
            };
            seen.push(match open(pid, self.files) {
                Some(files) => {
                    fds.extend(files);
                    ProcessSeen::Runs(pid, self.files)
                }
                None => {
                    self.is_hidden(pid, logger);
                    ProcessSeen::Ended(pid)
                }
            });
        }
        (!seen.is_empty()).then_some((seen, fds))
    }

    /// The first process is always there; it is root's, so that this one sees it, unless /proc hides it.
    fn is_hidden(&mut self, pid: u32, logger: &mut Logger) {
        if pid == 1 && self.hidden == Hidden::Unsaid {
            self.hidden = Hidden::Said;
            logger.warning(
                "/proc hides processes (hidepid): those that Holdfast may not see do not count for track_process; mount it with gid=, and \
                 give that group to the service (SupplementaryGroups=)",
            );
        }
    }
}

/// What of /proc belongs to it; `None` when it is gone, or hidden.
fn open(pid: u32, files: ProcessFiles) -> Option<Vec<OwnedFd>> {
    let names: &[&str] = match files {
        ProcessFiles::Stat => &["stat"],
        ProcessFiles::StatAndCommandLine => &["stat", "cmdline"],
    };
    names.iter().map(|name| File::open(format!("/proc/{pid}/{name}")).ok().map(OwnedFd::from)).collect()
}

/// What of a process the configuration needs.
pub fn files(command_lines: Switch) -> ProcessFiles {
    match command_lines {
        Switch::Off => ProcessFiles::Stat,
        Switch::On => ProcessFiles::StatAndCommandLine,
    }
}
