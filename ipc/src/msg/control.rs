//! Between the supervisor and its three long-lived children.

use super::Role;
use crate::chunk::Chunk;
use crate::config::{FileIdx, GroupIdx, InstanceIdx, RealIdx, ScriptIdx, ServiceIdx};
use serde::{Deserialize, Serialize};

/// Supervisor to any child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Down {
    /// The first message. Carries descriptors in this order: syslog socket if `log.syslog`, log file if `log.file`.
    Hello {
        /// How to log.
        log: LogSetup,
        /// What stays at the end: after [`Down::Stop`], and when the supervisor is gone.
        stop: StopMode,
    },
    /// A piece of the child's slice of the generation in the frame header. The last piece is answered by
    /// [`Up::Ready`] or [`Up::Refused`].
    Slice(Chunk),
    /// From now on the prepared generation counts. Answered by [`Up::Activated`].
    Activate,
    /// The prepared generation is dropped.
    Discard,
    /// One descriptor: a new channel to that peer, replacing any older one. The child says everything on it.
    Attach(Role),
    /// That peer is gone; a new [`Down::Attach`] may follow.
    Detached(Role),
    /// One descriptor: a new syslog socket, after [`Up::LogSocketLost`].
    LogSocket,
    /// One descriptor: the log file of `-g`, opened anew because the old one may have been rotated away.
    LogFile,
    /// One descriptor: an open file to write the dump into. COMPAT: keepalived 2.4.3, SIGUSR1, SIGUSR2, SIGRTMIN+2.
    Dump(DumpKind),
    /// One descriptor if [`Tracked::Open`]: a `track_file` as it is now, of the generation in the frame header. Said of every file that the
    /// child tracks after each activation, and again whenever it may have changed.
    TrackedFile(FileIdx, Tracked),
    /// What has become of processes, in order, of the generation in the frame header; to vrrpd only, which answers with
    /// [`FromVrrp::ProcessesTaken`] and is told nothing more of them before. Descriptors: those of each [`ProcessSeen::Runs`], in order.
    Processes(Vec<ProcessSeen>),
    /// Answer with [`Up::Here`]: whoever does not hangs.
    Ask,
    /// Say goodbye, release, answer [`Up::Stopped`] and exit.
    Stop,
}

/// Any child to the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Up {
    /// The slice of the frame's generation is understood and can be activated.
    Ready,
    /// It cannot be used; the old one stays. The child has logged why.
    Refused,
    /// [`Down::Activate`] was carried out.
    Activated,
    /// The syslog socket is broken; at most once a second.
    LogSocketLost,
    /// The answer to [`Down::Ask`].
    Here,
    /// The answer to the oldest [`Down::Dump`] that has none yet.
    Dumped(Dumped),
    /// A peer broke the protocol; the supervisor ends it.
    Violation(Role),
    /// Everything is released; the child exits next.
    Stopped,
}

/// Supervisor to vrrpd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToVrrp {
    /// Common part.
    Control(Down),
    /// A [`Cause::Probe`] run ended.
    ProbeEnded(ProbeEnded),
}

/// vrrpd to the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromVrrp {
    /// Common part.
    Control(Up),
    /// Run a listed command.
    Run(Run),
    /// Something has changed.
    Tell(News),
    /// [`Down::Processes`] has been looked at.
    ProcessesTaken,
}

/// Supervisor to checkd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToCheck {
    /// Common part.
    Control(Down),
    /// A [`Cause::Probe`] run ended.
    ProbeEnded(ProbeEnded),
    /// vrrpd tells of an instance or a group that somebody wants mail about; under the generation of the indices, which may be the last one.
    News(News),
}

/// checkd to the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromCheck {
    /// Common part.
    Control(Up),
    /// Run a listed command.
    Run(Run),
    /// Something has changed.
    Tell(News),
}

/// Supervisor to ipvsd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToIpvs {
    /// Common part.
    Control(Down),
    /// One descriptor: a generic netlink socket of the network namespace that has the IPVS table (`net_namespace_ipvs`). It may hold
    /// answers to an earlier ipvsd. Right after [`Down::Hello`].
    Table,
    /// One descriptor: likewise a netfilter netlink socket, for `nftables_ipvs`. Right after [`ToIpvs::Table`], if that kernel has nftables.
    Marks,
}

/// ipvsd to the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromIpvs {
    /// Common part.
    Control(Up),
    /// An interface of [`crate::config::script::KernelSettings`] is not set as it is to be: it was not there before. The supervisor looks at
    /// all of them again.
    Unsettled,
}

/// A request to run a listed command, with what its arguments are formed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which command.
    pub script: ScriptIdx,
    /// Why.
    pub cause: Cause,
}

/// Why a command is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// A `vrrp_script` or MISC_CHECK run; its end is reported.
    Probe,
    /// An instance entered a state. Commands of one subject run in order, one after another.
    Instance {
        /// Which instance.
        instance: InstanceIdx,
        /// What is told.
        state: NotifyState,
        /// Its effective priority.
        priority: u8,
    },
    /// A group entered a state.
    Group {
        /// Which group.
        group: GroupIdx,
        /// What is told.
        state: NotifyState,
    },
    /// A real server went up or down.
    Real(RealIdx),
    /// A service gained or lost its quorum.
    Quorum(ServiceIdx),
}

/// A change that whoever the configuration names is told of: the supervisor forms the words from its own names and writes them to
/// the notify FIFOs. Sent only when the sender's slice says that somebody listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// Of an instance.
    Instance {
        /// Which instance.
        instance: InstanceIdx,
        /// What is told.
        state: NotifyState,
        /// Its effective priority.
        priority: u8,
    },
    /// Of a group; never [`NotifyState::MasterRxLowerPri`] or a priority.
    Group {
        /// Which group.
        group: GroupIdx,
        /// What is told.
        state: NotifyState,
    },
    /// Of a real server.
    Real {
        /// Which.
        real: RealIdx,
        /// What it is now.
        now: Health,
    },
    /// Of a service: whether it has its quorum.
    Service {
        /// Which.
        service: ServiceIdx,
        /// What it is now.
        now: Health,
    },
}

/// What a real server or a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// `UP`
    Up,
    /// `DOWN`
    Down,
}

/// The state word of a notify script or a FIFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NotifyState {
    /// `MASTER`
    Master,
    /// `BACKUP`
    Backup,
    /// `FAULT`
    Fault,
    /// `STOP`
    Stop,
    /// `DELETED`
    Deleted,
    /// `notify_master_rx_lower_pri`
    MasterRxLowerPri,
    /// `notify_priority_changes`, of a master; in FIFOs only.
    MasterPriority,
    /// The same of a backup.
    BackupPriority,
}

/// The end of a probe run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeEnded {
    /// Which command.
    pub script: ScriptIdx,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It exited with this status.
    Exited(u8),
    /// A signal ended it.
    Signalled(u8),
    /// It overran its time and was killed.
    TimedOut,
    /// It could not be started (the supervisor has logged why).
    NotStarted,
}

/// How a child logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSetup {
    /// `-D` count: 0, 1, 2.
    pub detail: u8,
    /// `-l`: also to standard error.
    pub console: Sink,
    /// Syslog, unless `-G`; facility code 0..=23 (3 daemon, 16 local0).
    pub syslog: Sink,
    /// Facility code for [`LogSetup::syslog`].
    pub facility: u8,
    /// `-g`: a file.
    pub file: Sink,
}

/// Whether a log destination is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sink {
    /// Not used.
    Off,
    /// Used.
    On,
}

/// What a dump holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DumpKind {
    /// SIGUSR1
    Data,
    /// SIGUSR2
    Stats,
    /// SIGRTMAX−1
    StatsClear,
    /// SIGRTMIN+2
    Json,
}

/// What became of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dumped {
    /// All of it is in its file.
    Whole,
    /// It is not; the child has logged why.
    Lost,
}

/// What there is of a `track_file`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tracked {
    /// A regular file, open for reading at its beginning.
    Open,
    /// Nothing that can be read: it is missing, no regular file, or cannot be opened.
    Missing,
}

/// What has become of a process. Numbers are those of processes, never of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProcessSeen {
    /// All that run are told anew, up to [`ProcessSeen::All`]: at the start, and when something was missed.
    Anew,
    /// It runs, and may be another program or have another name than before.
    Runs(u32, ProcessFiles),
    /// It has made a copy of itself.
    Forked {
        /// Its number.
        parent: u32,
        /// That of the copy.
        child: u32,
    },
    /// It has ended.
    Ended(u32),
    /// Those told since [`ProcessSeen::Anew`] are all that run.
    All,
}

/// What comes with a process that runs, open for reading at the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProcessFiles {
    /// One descriptor: its /proc/PID/stat.
    Stat,
    /// Two: that, and its /proc/PID/cmdline.
    StatAndCommandLine,
}

impl ProcessFiles {
    /// How many descriptors that is.
    pub fn count(self) -> usize {
        match self {
            ProcessFiles::Stat => 1,
            ProcessFiles::StatAndCommandLine => 2,
        }
    }
}

/// What stays behind at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopMode {
    /// `-V`: keep addresses.
    pub vips: AtStop,
    /// `-I`: keep IPVS entries.
    pub ipvs: AtStop,
}

impl StopMode {
    /// Nothing stays.
    pub const RELEASE: StopMode = StopMode { vips: AtStop::Release, ipvs: AtStop::Release };
}

/// Whether something is released at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AtStop {
    /// Removed.
    Release,
    /// Left.
    Keep,
}

super::goes_up!(Up, FromVrrp, FromCheck, FromIpvs, Run, News);
