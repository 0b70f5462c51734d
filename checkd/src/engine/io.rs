//! What goes into the [`Engine`](super::Engine) and what comes out of it: the whole contract between core and shell.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use ipc::config::Generation;
use ipc::config::check::CheckConfig;
use ipc::machine::Timeout;
use ipc::msg::control::{DumpKind, ProbeEnded, Run, StopMode, Up};
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck};
use ipc::report::Line;

/// One connection to one server. Never used twice, so what is still said of one that was given up is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u64);

/// What can happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// The deadline may have passed.
    Timeout,
    /// A new configuration was decoded. Answered by `Up::Ready` or `Up::Refused`.
    Configure {
        /// Its number.
        generation: Generation,
        /// The slice.
        config: Box<CheckConfig>,
        /// Random bits, for spreading first probes over `warmup`.
        seed: u64,
    },
    /// The prepared configuration counts from now on. Answered by `Up::Activated`.
    Activate,
    /// The prepared configuration is dropped.
    Discard,
    /// There is a new channel to ipvsd.
    IpvsAttached,
    /// The channel to ipvsd is gone.
    IpvsLost,
    /// ipvsd says something.
    Ipvs {
        /// The generation of its frame.
        generation: Generation,
        /// What it says.
        message: IpvsToCheck,
    },
    /// Something happened on a connection.
    Probe {
        /// Which.
        probe: ProbeId,
        /// What.
        what: ProbeEvent,
    },
    /// A command ended whose end is reported (MISC_CHECK, which comes with later work).
    ProbeEnded(ProbeEnded),
    /// Close everything; answered by `Up::Stopped`.
    Stop(StopMode),
    /// Write a dump; answered by [`Action::Dump`].
    Dump(DumpKind),
}

impl From<Timeout> for Event {
    fn from(_: Timeout) -> Self {
        Event::Timeout
    }
}

/// What can happen on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeEvent {
    /// It is there.
    Connected,
    /// It was refused, or the server cannot be reached.
    Refused,
    /// It could not be tried for a reason of this machine (the address to bind to is not there, no port or descriptor is left).
    NotTried(String),
    /// Bytes came, untrusted, at most what one read of the shell gives.
    Bytes(Vec<u8>),
    /// The server has closed it.
    Closed,
    /// It broke (reset, unreachable).
    Broken,
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begin to connect.
    Connect {
        /// The new connection.
        probe: ProbeId,
        /// Where to.
        target: SocketAddr,
        /// From where; port 0 for any.
        bind: Option<SocketAddr>,
    },
    /// Write these bytes.
    Send {
        /// On this connection.
        probe: ProbeId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Close the connection without waiting for anything; nothing about it is wanted any more.
    Close(ProbeId),
    /// Tell ipvsd.
    ToIpvs(CheckToIpvs),
    /// ipvsd broke the protocol, in these words: have it ended, and drop the channel.
    IpvsViolation(String),
    /// Ask the supervisor to run a command.
    Run(Run),
    /// The same with a command of the generation that is being left; always before `Up::Activated`.
    RunOfLeft {
        /// The generation whose indices these are.
        left: Generation,
        /// The command.
        run: Run,
    },
    /// Tell the supervisor. `Ready` and `Refused` are about the generation that was configured last.
    Up(Up),
    /// Log.
    Log(Line),
    /// The text of a dump that was asked for.
    Dump(String),
}
