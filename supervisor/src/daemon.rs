//! The three long-lived children, and what the supervisor knows of each.

use crate::backoff::Backoff;
use core::fmt;
use core::time::Duration;
use ipc::config::{Generation, SliceKind};
use ipc::msg::Role;
use ipc::time::Mono;

/// A long-lived child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Daemon {
    /// ipvsd
    Ipvs,
    /// vrrpd
    Vrrp,
    /// `checkd run`
    Check,
}

impl Daemon {
    /// All of them, in the order in which they are started and activated.
    pub const ALL: [Daemon; 3] = [Daemon::Ipvs, Daemon::Vrrp, Daemon::Check];

    /// Those that have a channel to ipvsd.
    pub const IPVS_PEERS: [Daemon; 2] = [Daemon::Vrrp, Daemon::Check];

    /// Its name on the channels.
    pub fn role(self) -> Role {
        match self {
            Daemon::Ipvs => Role::Ipvs,
            Daemon::Vrrp => Role::Vrrp,
            Daemon::Check => Role::Check,
        }
    }

    /// The child with that name; `checkd compile` is none.
    pub fn from_role(role: Role) -> Option<Daemon> {
        match role {
            Role::Ipvs => Some(Daemon::Ipvs),
            Role::Vrrp => Some(Daemon::Vrrp),
            Role::Check => Some(Daemon::Check),
            Role::Compile => None,
        }
    }

    /// The slice of the configuration it is given.
    pub fn slice(self) -> SliceKind {
        match self {
            Daemon::Ipvs => SliceKind::Ipvs,
            Daemon::Vrrp => SliceKind::Vrrp,
            Daemon::Check => SliceKind::Check,
        }
    }
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.role().fmt(f)
    }
}

/// How long a child may take to answer a slice or an activation before it counts as hung.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How often a child at work is asked whether it is there.
pub const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// How many questions in a row a child may leave unanswered before it counts as hung. Questions are counted and not time, so that a
/// machine that stood still is no reason: the child's processor time comes back together with the supervisor's.
pub const UNANSWERED_LIMIT: u8 = 5;

/// How often a child that was killed and is still there is killed again.
pub const KILL_AGAIN: Duration = Duration::from_secs(10);

/// How long a child may take from closing its channel to its end.
pub const LAST_BREATH: Duration = Duration::from_secs(1);

/// How often a child is given a new syslog socket at most.
pub const LOG_SOCKET_INTERVAL: Duration = Duration::from_secs(1);

/// What is known of one child.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Child {
    /// Whether the configuration or the command line wants it.
    pub wanted: Wanted,
    /// What it does.
    pub state: State,
    /// Its restarts.
    pub backoff: Backoff,
}

/// Whether a child is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The configuration has nothing for it.
    #[default]
    No,
    /// It is started, and kept until the end: a reload never takes a child away (COMPAT: keepalived 2.4.3).
    Yes,
}

/// What a child does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not there, and not to be started.
    #[default]
    Off,
    /// Dead; started at that time.
    Waiting {
        /// When.
        at: Mono,
    },
    /// There.
    Alive(Alive),
}

/// A child that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alive {
    /// Since when.
    pub since: Mono,
    /// The generation it runs; `None` until its first activation.
    pub active: Option<Generation>,
    /// The generation it is being given, and how far that is.
    pub next: Option<(Generation, Step)>,
    /// Whether it was told to end.
    pub ending: Ending,
    /// When waiting for it ends: for an answer, for a goodbye, for its death after a kill. While it works and nothing is awaited, when it
    /// is asked next.
    pub due: Option<Mono>,
    /// Questions in a row that it has not answered.
    pub unanswered: u8,
    /// When it was last given a new syslog socket.
    pub log_socket: Option<Mono>,
}

/// How far the handing over of a generation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The slice was sent.
    Sent,
    /// The child can use it.
    Ready,
    /// It was told to.
    Activating,
}

/// Whether a child was told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// No.
    No,
    /// It was told to say goodbye.
    Stopping,
    /// It has closed its channel; nothing it says counts any more.
    HungUp,
    /// It was killed; nothing it says counts any more.
    Killed,
}

impl Alive {
    /// A child that has just been started.
    pub fn new(now: Mono) -> Self {
        Alive { since: now, active: None, next: None, ending: Ending::No, due: None, unanswered: 0, log_socket: None }
    }

    /// Nothing is awaited of it any more.
    pub fn is_left_to_work(&mut self, now: Mono) {
        self.due = self.active.map(|_| now + ASK_INTERVAL);
        self.unanswered = 0;
    }

    /// Whether it works, and nothing is awaited of it but an answer to [`ipc::msg::control::Down::Ask`].
    pub fn works(&self) -> Option<Generation> {
        self.active.filter(|_| self.ending == Ending::No && self.next.is_none())
    }

    /// Whether what it says counts, and what it is told may be read.
    pub fn is_in_touch(&self) -> bool {
        matches!(self.ending, Ending::No | Ending::Stopping)
    }

    /// Whether a request of that generation can come from it: the one it runs, or the one it is changing to.
    pub fn may_speak_of(&self, generation: Generation) -> bool {
        self.active == Some(generation) || self.next == Some((generation, Step::Activating))
    }
}

impl Child {
    /// The child, if it is there.
    pub fn alive(&self) -> Option<&Alive> {
        match &self.state {
            State::Alive(alive) => Some(alive),
            State::Off | State::Waiting { .. } => None,
        }
    }

    /// The child, if it is there and was not told to end.
    pub fn at_work(&self) -> Option<&Alive> {
        self.alive().filter(|a| a.ending == Ending::No)
    }

    /// When it next needs attention.
    pub fn due(&self) -> Option<Mono> {
        match &self.state {
            State::Off => None,
            State::Waiting { at } => Some(*at),
            State::Alive(alive) => alive.due,
        }
    }
}

/// The three children, addressed by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Children {
    ipvs: Child,
    vrrp: Child,
    check: Child,
}

impl Children {
    /// One of them.
    pub fn at(&self, daemon: Daemon) -> &Child {
        match daemon {
            Daemon::Ipvs => &self.ipvs,
            Daemon::Vrrp => &self.vrrp,
            Daemon::Check => &self.check,
        }
    }

    /// One of them, to change it.
    pub fn at_mut(&mut self, daemon: Daemon) -> &mut Child {
        match daemon {
            Daemon::Ipvs => &mut self.ipvs,
            Daemon::Vrrp => &mut self.vrrp,
            Daemon::Check => &mut self.check,
        }
    }

    /// One of them, if it is there, to change it.
    pub fn alive_mut(&mut self, daemon: Daemon) -> Option<&mut Alive> {
        match &mut self.at_mut(daemon).state {
            State::Alive(alive) => Some(alive),
            State::Off | State::Waiting { .. } => None,
        }
    }
}
