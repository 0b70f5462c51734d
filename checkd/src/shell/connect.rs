//! The connections of probes: non-blocking, never waited for, at most [`CONNECTIONS`] at a time (the engine sees to that).

use super::marked::Awaited;
use super::tls::{Contexts, certificate_ends, explain};
use checkd::engine::{ProbeEvent, ProbeId, Route, Transport};
use core::net::SocketAddr;
use core::time::Duration;
use ipc::config::vrrp::Switch;
use ipc::evloop::{EventLoop, Ready};
use mio::Token;
use mio::unix::SourceFd;
use nix::errno::Errno;
use rustls::ClientConnection;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

/// Most connections at a time; checkers beyond that wait for one, first come, first served.
pub const CONNECTIONS: usize = 4_096;

/// Bytes read at once: the longest datagram.
const READ_BYTES: usize = 64 * 1024;

/// Reads of one connection in one turn of the loop: one server that sends without end does not keep the others waiting.
const READS_PER_TURN: u32 = 2;

/// Connections by the token they are registered with.
pub struct Connections {
    /// The first token that is theirs.
    first: usize,
    open: BTreeMap<usize, Connection>,
    buffer: Vec<u8>,
    /// TLS of the configuration that counts, and of the one that may next.
    contexts: Contexts,
    prepared: Option<Contexts>,
    /// Those that wait for a socket of ipvsd's.
    pub awaited: Awaited,
}

struct Connection {
    probe: ProbeId,
    socket: Socket,
    stream: Stream,
    state: State,
    /// What the socket did not take yet.
    unsent: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    /// TLS is being agreed upon.
    Securing,
    Connected,
}

/// What goes through a socket.
enum Stream {
    Bytes,
    Datagrams,
    Tls {
        session: Box<ClientConnection>,
        /// An end without goodbye is a failure.
        compliant: Switch,
    },
}

/// Whether it is worth to read again.
enum Reading {
    Goes,
    /// Nothing is there.
    Waits,
    /// Nothing will come.
    Ended,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Connected,
    Connecting,
}

/// How a call that begins a connection ended.
enum Begun {
    Connected(Socket),
    Connecting(Socket),
}

impl Connections {
    /// None yet; tokens from `first` up to `usize::MAX / 2` above it are theirs.
    pub fn new(first: usize) -> Self {
        Connections {
            first,
            open: BTreeMap::new(),
            buffer: vec![0; READ_BYTES],
            contexts: Contexts::default(),
            prepared: None,
            awaited: Awaited::default(),
        }
    }

    fn token(&self, probe: ProbeId) -> usize {
        // Probes are numbered from 1 and few are open at a time: what wraps on a 32-bit machine does not collide.
        let number = usize::try_from(probe.0 % (1 << 30)).unwrap_or_default();
        self.first.saturating_add(number)
    }

    /// A configuration comes that counts from [`Connections::activate`] on.
    pub fn prepare(&mut self, contexts: Contexts) {
        self.prepared = Some(contexts);
    }

    /// It counts.
    pub fn activate(&mut self) {
        if let Some(contexts) = self.prepared.take() {
            self.contexts = contexts;
        }
    }

    /// Begins to connect. What is known at once is returned, the rest comes from [`Connections::ready`].
    pub fn connect(&mut self, probe: ProbeId, route: &Route, events: &mut EventLoop) -> Option<ProbeEvent> {
        match open(route) {
            Ok(socket) => self.connect_with(probe, route, socket, events),
            Err(event) => Some(event),
        }
    }

    /// The same with a socket that ipvsd has opened.
    pub fn connect_with(
        &mut self,
        probe: ProbeId,
        route: &Route,
        socket: Socket,
        events: &mut EventLoop,
    ) -> Option<ProbeEvent> {
        let stream = match &route.transport {
            Transport::Tcp => Stream::Bytes,
            Transport::Udp | Transport::Ping => Stream::Datagrams,
            Transport::Tls { tls, name } => match self.contexts.connect(tls, name.as_deref(), route.target.ip()) {
                Ok(session) => Stream::Tls { session: Box::new(session), compliant: tls.compliant },
                Err(why) => return Some(ProbeEvent::NotSecured(why)),
            },
        };
        let (socket, begun) = match begin(socket, route) {
            Ok(Begun::Connected(socket)) => (socket, Attempt::Connected),
            Ok(Begun::Connecting(socket)) => (socket, Attempt::Connecting),
            Err(event) => return Some(event),
        };
        let token = self.token(probe);
        if let Err(e) = events.add(&mut SourceFd(&socket.as_raw_fd()), Token(token)) {
            return Some(ProbeEvent::NotTried(format!("the connection cannot be watched: {e}")));
        }
        let mut connection = Connection { probe, socket, stream, state: State::Connecting, unsent: Vec::new() };
        let told = (begun == Attempt::Connected).then(|| connection.opened());
        self.open.insert(token, connection);
        told
    }

    /// Writes; what does not go out now goes out when there is room. A failure is seen when the answer is read, but of a datagram, of which
    /// nothing is heard later: that is returned.
    pub fn send(&mut self, probe: ProbeId, bytes: &[u8]) -> Option<ProbeEvent> {
        let connection = self.open.get_mut(&self.token(probe))?;
        match &mut connection.stream {
            Stream::Bytes | Stream::Datagrams => connection.unsent.extend_from_slice(bytes),
            // Requests are far shorter than what a session holds back.
            Stream::Tls { session, .. } => drop(session.writer().write_all(bytes)),
        }
        connection.flush()
    }

    /// Closes. The kernel says goodbye to the server by itself; closing takes the socket out of the poll set.
    pub fn close(&mut self, probe: ProbeId) {
        self.awaited.forget(probe);
        self.open.remove(&self.token(probe));
    }

    /// What happened on a connection that the event loop reports. `Some`: call again with it when the engine has heard what happened;
    /// of most servers it wants to know no more than that they are connected.
    pub fn ready(
        &mut self,
        ready: Ready,
        events: &mut EventLoop,
        out: &mut Vec<(ProbeId, ProbeEvent)>,
    ) -> Option<Ready> {
        let connection = self.open.get_mut(&ready.token.0)?;
        let probe = connection.probe;
        if connection.state == State::Connecting {
            return match connection.connected(ready)? {
                Ok(()) => {
                    out.push((probe, connection.opened()));
                    Some(ready)
                }
                Err(event) => {
                    out.push((probe, event));
                    None
                }
            };
        }
        if ready.writable {
            out.extend(connection.flush().map(|event| (probe, event)));
        }
        if !ready.readable {
            return None;
        }
        for _ in 0..READS_PER_TURN {
            match connection.read(&mut self.buffer, out) {
                Reading::Goes => {}
                Reading::Waits | Reading::Ended => return None,
            }
        }
        if events.rearm(&mut SourceFd(&connection.socket.as_raw_fd()), ready.token).is_err() {
            out.push((probe, ProbeEvent::Broken));
        }
        None
    }
}

impl Connection {
    /// Whether the attempt has ended, and how. What can be written to and has no error is connected.
    fn connected(&self, ready: Ready) -> Option<Result<(), ProbeEvent>> {
        match self.socket.take_error() {
            Ok(Some(e)) | Err(e) => Some(Err(refusal(&e))),
            Ok(None) if ready.writable => Some(Ok(())),
            Ok(None) => match self.socket.peer_addr() {
                Ok(_) => Some(Ok(())),
                Err(_) => None,
            },
        }
    }

    /// It is there.
    fn opened(&mut self) -> ProbeEvent {
        match self.stream {
            Stream::Bytes | Stream::Datagrams => {
                self.state = State::Connected;
                ProbeEvent::Connected
            }
            Stream::Tls { .. } => {
                self.state = State::Securing;
                self.flush();
                ProbeEvent::Opened
            }
        }
    }

    /// Writes what waits; says so when a datagram was refused.
    fn flush(&mut self) -> Option<ProbeEvent> {
        if let Stream::Tls { session, .. } = &mut self.stream {
            while session.wants_write() {
                // Into memory: it cannot fail.
                if session.write_tls(&mut self.unsent).is_err() {
                    return None;
                }
            }
        }
        while !self.unsent.is_empty() {
            match self.socket.send_with_flags(&self.unsent, libc::MSG_NOSIGNAL) {
                Ok(n) => drop(self.unsent.drain(..n.min(self.unsent.len()))),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => {
                    self.unsent.clear();
                    // Reading tells of the others.
                    return matches!(self.stream, Stream::Datagrams).then_some(ProbeEvent::Broken);
                }
            }
        }
        None
    }

    /// Reads once.
    fn read(&mut self, buffer: &mut [u8], out: &mut Vec<(ProbeId, ProbeEvent)>) -> Reading {
        let mut say = |event| out.push((self.probe, event));
        let n = match (&self.socket).read(buffer) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Reading::Waits,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Reading::Goes,
            Err(_) => {
                say(ProbeEvent::Broken);
                return Reading::Ended;
            }
        };
        let came = buffer.get(..n).unwrap_or_default();
        match &mut self.stream {
            Stream::Bytes if came.is_empty() => {
                say(ProbeEvent::Closed);
                Reading::Ended
            }
            Stream::Bytes | Stream::Datagrams => {
                say(ProbeEvent::Bytes(came.to_vec()));
                Reading::Goes
            }
            Stream::Tls { session, compliant } => {
                let reading = decipher(session, *compliant, &mut self.state, came, &mut say);
                self.flush();
                reading
            }
        }
    }
}

/// Takes what came through TLS. The session holds no more than one record back, since what it has made out is taken at once.
fn decipher(
    session: &mut ClientConnection,
    compliant: Switch,
    state: &mut State,
    mut came: &[u8],
    say: &mut impl FnMut(ProbeEvent),
) -> Reading {
    let ended = came.is_empty();
    loop {
        // An empty slice is the end of the stream.
        let taken = session.read_tls(&mut came);
        if let Err(e) =
            taken.map_err(|e| e.to_string()).and_then(|_| session.process_new_packets().map_err(|e| explain(&e)))
        {
            say(ProbeEvent::NotSecured(e));
            return Reading::Ended;
        }
        if *state == State::Securing && !session.is_handshaking() {
            *state = State::Connected;
            if let Some(ends) = certificate_ends(session) {
                say(ProbeEvent::Shown(ends));
            }
            say(ProbeEvent::Connected);
        }
        let mut text = Vec::new();
        let end = session.reader().read_to_end(&mut text);
        if !text.is_empty() {
            say(ProbeEvent::Bytes(text));
        }
        match end {
            Ok(_) => {
                say(ProbeEvent::Closed);
                return Reading::Ended;
            }
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                say(if compliant == Switch::On { ProbeEvent::Truncated } else { ProbeEvent::Closed });
                return Reading::Ended;
            }
            Err(_) => {}
        }
        if ended || came.is_empty() {
            break;
        }
    }
    if ended {
        say(ProbeEvent::Broken);
        return Reading::Ended;
    }
    Reading::Goes
}

fn here(what: &str, e: &io::Error) -> ProbeEvent {
    ProbeEvent::NotTried(format!("{what}: {e}"))
}

/// A socket of this process's own.
fn open(Route { transport, target, .. }: &Route) -> Result<Socket, ProbeEvent> {
    let (kind, protocol) = match (transport, target) {
        (Transport::Tcp | Transport::Tls { .. }, _) => (Type::STREAM, Protocol::TCP),
        (Transport::Udp, _) => (Type::DGRAM, Protocol::UDP),
        (Transport::Ping, SocketAddr::V4(_)) => (Type::DGRAM, Protocol::ICMPV4),
        (Transport::Ping, SocketAddr::V6(_)) => (Type::DGRAM, Protocol::ICMPV6),
    };
    Socket::new(Domain::for_address(*target), kind.nonblocking(), Some(protocol)).map_err(|e| {
        if *transport == Transport::Ping && e.kind() == io::ErrorKind::PermissionDenied {
            let why = "the kernel does not let checkd ping: its group is not within net.ipv4.ping_group_range; \
                       sysctl -w net.ipv4.ping_group_range=\"0 2147483647\" lets it";
            return ProbeEvent::NotTried(why.to_owned());
        }
        here("no socket", &e)
    })
}

/// Binds as the route says, and begins to connect.
fn begin(socket: Socket, route: &Route) -> Result<Begun, ProbeEvent> {
    let Route { transport, target, bind, bind_if, marked: _ } = route;
    if let Some(name) = bind_if {
        socket.bind_device(Some(name.as_bytes())).map_err(|e| here(&format!("cannot bind to interface {name}"), &e))?;
    }
    if let Some(from) = bind {
        if from.port() != 0 && *transport != Transport::Ping {
            // The same port is used for every probe: a connection that lingers after its end would block the next.
            socket.set_reuse_address(true).map_err(|e| here("SO_REUSEADDR", &e))?;
            if matches!(transport, Transport::Tcp | Transport::Tls { .. }) {
                socket.set_linger(Some(Duration::ZERO)).map_err(|e| here("SO_LINGER", &e))?;
            }
        }
        // The port of a ping socket is the identifier of its messages.
        let from = if *transport == Transport::Ping { SocketAddr::new(from.ip(), 0) } else { *from };
        socket.bind(&SockAddr::from(from)).map_err(|e| here(&format!("cannot bind to {from}"), &e))?;
    }
    match socket.connect(&SockAddr::from(*target)) {
        Ok(()) => Ok(Begun::Connected(socket)),
        Err(e) if e.raw_os_error() == Some(Errno::EINPROGRESS as i32) => Ok(Begun::Connecting(socket)),
        Err(e) => Err(refusal(&e)),
    }
}

/// Whether a failure to connect is the server's or this machine's.
fn refusal(e: &io::Error) -> ProbeEvent {
    match e.raw_os_error().map(Errno::from_raw) {
        Some(
            Errno::EADDRNOTAVAIL
            | Errno::EADDRINUSE
            | Errno::EAGAIN
            | Errno::EMFILE
            | Errno::ENFILE
            | Errno::ENOBUFS
            | Errno::ENOMEM,
        ) => ProbeEvent::NotTried(e.to_string()),
        _ => ProbeEvent::Refused,
    }
}
