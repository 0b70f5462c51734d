//! What goes into the [`Engine`](super::Engine) and what comes out of it: the whole contract between core and shell.

use crate::alert::Letter;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use ipc::config::check::{CheckConfig, Checker, CheckerKind, How, Url};
use ipc::config::probe::Tls;
use ipc::config::{BfdIdx, FileIdx, Generation, MarkedIdx};
use ipc::machine::Timeout;
use ipc::msg::control::{DumpKind, News, ProbeEnded, Run, StopMode, Up};
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck};
use ipc::msg::sessions::{CheckToVrrp, SessionState};
use ipc::report::Line;

/// One connection to one server. Never used twice, so what is still said of one that was given up is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u64);

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// By what.
    pub transport: Transport,
    /// Where to.
    pub target: SocketAddr,
    /// From where; port 0 for any.
    pub bind: Option<SocketAddr>,
    /// By which interface; `None` as the routes have it.
    pub bind_if: Option<String>,
    /// Through a socket that ipvsd opens, because it has a mark.
    pub marked: Option<MarkedIdx>,
}

/// What a server is reached by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP: bytes.
    Tcp,
    /// TLS over TCP.
    Tls {
        /// How.
        tls: Tls,
        /// Whom it is asked to be: `sni_name`, else the virtual host.
        name: Option<String>,
    },
    /// UDP: each [`ProbeEvent::Bytes`] is a datagram, an ICMP error is [`ProbeEvent::Broken`].
    Udp,
    /// ICMP or ICMPv6 echoes, whole messages; errors as with UDP.
    Ping,
}

impl Route {
    /// How a checker reaches its server for a page, where it has pages.
    pub fn of(checker: &Checker, url: Option<&Url>) -> Route {
        let transport = match &checker.kind {
            CheckerKind::Ssl(_, tls) => Transport::Tls {
                tls: (**tls).clone(),
                name: tls.sni_name.clone().or_else(|| url.and_then(|url| url.host.clone())),
            },
            // A MISC_CHECK connects by itself, a FILE_CHECK and a BFD_CHECK to nothing.
            CheckerKind::Tcp
            | CheckerKind::Http(_)
            | CheckerKind::Smtp { .. }
            | CheckerKind::Misc(_)
            | CheckerKind::File { .. }
            | CheckerKind::Bfd { .. } => Transport::Tcp,
            CheckerKind::Dns { .. } | CheckerKind::Udp(_) => Transport::Udp,
            CheckerKind::Ping => Transport::Ping,
        };
        let How { bind, bind_if, marked, .. } = &*checker.how;
        Route { transport, target: checker.target, bind: *bind, bind_if: bind_if.clone(), marked: *marked }
    }
}

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
        /// Random bits, for spreading first probes over `warmup` and for what only the server shall know of a question.
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
    /// An instance or a group has changed, in the words of that generation.
    News {
        /// Whose indices these are.
        generation: Generation,
        /// What.
        news: News,
    },
    /// [`Action::Compose`] was carried out.
    Composed {
        /// The mail.
        letter: Letter,
        /// As it goes over the wire.
        message: Vec<u8>,
    },
    /// Something happened on a connection.
    Probe {
        /// Which.
        probe: ProbeId,
        /// What.
        what: ProbeEvent,
    },
    /// The command of a MISC_CHECK has ended.
    ProbeEnded {
        /// The generation whose command it is.
        generation: Generation,
        /// Which, and how.
        ended: ProbeEnded,
    },
    /// There is a new channel to vrrpd.
    VrrpAttached,
    /// vrrpd says how a BFD session stands.
    Session {
        /// The generation of its frame.
        generation: Generation,
        /// Which.
        bfd: BfdIdx,
        /// How.
        now: SessionState,
    },
    /// A `track_file` as it is now.
    File {
        /// The generation whose file it is.
        generation: Generation,
        /// Which.
        file: FileIdx,
        /// Its beginning, untrusted; empty when it cannot be read.
        text: Vec<u8>,
    },
    /// Close everything; answered by `Up::Stopped`.
    Stop(StopMode),
    /// Write a dump; answered by [`Action::Dump`].
    Dump {
        /// Which.
        kind: DumpKind,
        /// Seconds since 1970.
        wall: i64,
    },
}

impl From<Timeout> for Event {
    fn from(_: Timeout) -> Self {
        Event::Timeout
    }
}

/// What can happen on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeEvent {
    /// It is there; with TLS, after [`ProbeEvent::Opened`] and the handshake.
    Connected,
    /// The connection is there and the handshake of TLS begins.
    Opened,
    /// The server has shown a certificate that ends then (seconds since 1970). Before [`ProbeEvent::Connected`].
    Shown(i64),
    /// There is no TLS with the server, for this reason.
    NotSecured(String),
    /// It was closed without the goodbye of TLS, and `tls_compliant` is on.
    Truncated,
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
        /// How and where to.
        route: Route,
    },
    /// Write these bytes, or this datagram.
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
    /// Tell vrrpd.
    ToVrrp(CheckToVrrp),
    /// vrrpd broke the protocol, in these words: drop the channel.
    VrrpViolation(String),
    /// Ask the supervisor to run a command.
    Run(Run),
    /// The same with a command of the generation that is being left; always before `Up::Activated`.
    RunOfLeft {
        /// The generation whose indices these are.
        left: Generation,
        /// The command.
        run: Run,
    },
    /// Tell the supervisor of a change, for who reads its FIFOs.
    Tell(News),
    /// The same of what is in the generation that is being left; always before `Up::Activated`.
    TellOfLeft {
        /// The generation whose indices these are.
        left: Generation,
        /// The change.
        news: News,
    },
    /// Tell the supervisor. `Ready` and `Refused` are about the generation that was configured last.
    Up(Up),
    /// Log.
    Log(Line),
    /// Write a mail, with the date; answered by [`Event::Composed`].
    Compose(Letter),
    /// The text of a dump that was asked for.
    Dump(String),
}
