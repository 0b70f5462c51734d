//! The connections of probes: non-blocking, never waited for, at most [`CONNECTIONS`] at a time (the engine sees to that).

use checkd::engine::{ProbeEvent, ProbeId, Route, Transport};
use core::net::SocketAddr;
use core::time::Duration;
use ipc::evloop::{EventLoop, Ready};
use mio::Token;
use mio::unix::SourceFd;
use nix::errno::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::fd::AsRawFd;

/// Most connections at a time; checkers beyond that wait for one, first come, first served.
pub const CONNECTIONS: usize = 4_096;

/// Bytes read at once: the longest datagram.
const READ_BYTES: usize = 64 * 1024;

/// Reads of one connection in one turn of the loop: one server that sends without end does not keep the others waiting.
const READS_PER_TURN: u32 = 8;

/// Connections by the token they are registered with.
pub struct Connections {
    /// The first token that is theirs.
    first: usize,
    open: BTreeMap<usize, Connection>,
    buffer: Vec<u8>,
}

struct Connection {
    probe: ProbeId,
    socket: Socket,
    transport: Transport,
    state: State,
    /// What the socket did not take yet.
    unsent: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Connected,
}

/// How a call that begins a connection ended.
enum Begun {
    Connected(Socket),
    Connecting(Socket),
}

impl Connections {
    /// None yet; tokens from `first` up to `usize::MAX / 2` above it are theirs.
    pub fn new(first: usize) -> Self {
        Connections { first, open: BTreeMap::new(), buffer: vec![0; READ_BYTES] }
    }

    fn token(&self, probe: ProbeId) -> usize {
        // Probes are numbered from 1 and few are open at a time: what wraps on a 32-bit machine does not collide.
        let number = usize::try_from(probe.0 % (1 << 30)).unwrap_or_default();
        self.first.saturating_add(number)
    }

    /// Begins to connect. What is known at once is returned, the rest comes from [`Connections::ready`].
    pub fn connect(&mut self, probe: ProbeId, route: &Route, events: &mut EventLoop) -> Option<ProbeEvent> {
        let (socket, state, told) = match begin(route) {
            Ok(Begun::Connected(socket)) => (socket, State::Connected, Some(ProbeEvent::Connected)),
            Ok(Begun::Connecting(socket)) => (socket, State::Connecting, None),
            Err(event) => return Some(event),
        };
        let token = self.token(probe);
        if let Err(e) = events.add(&mut SourceFd(&socket.as_raw_fd()), Token(token)) {
            return Some(ProbeEvent::NotTried(format!("the connection cannot be watched: {e}")));
        }
        self.open.insert(token, Connection { probe, socket, transport: route.transport, state, unsent: Vec::new() });
        told
    }

    /// Writes; what does not go out now goes out when there is room. A failure is seen when the answer is read.
    pub fn send(&mut self, probe: ProbeId, bytes: &[u8]) {
        let token = self.token(probe);
        if let Some(connection) = self.open.get_mut(&token) {
            connection.unsent.extend_from_slice(bytes);
            connection.flush();
        }
    }

    /// Closes. The kernel says goodbye to the server by itself; closing takes the socket out of the poll set.
    pub fn close(&mut self, probe: ProbeId) {
        self.open.remove(&self.token(probe));
    }

    /// What happened on a connection that the event loop reports.
    pub fn ready(&mut self, ready: Ready, events: &mut EventLoop, out: &mut Vec<(ProbeId, ProbeEvent)>) {
        let Some(connection) = self.open.get_mut(&ready.token.0) else { return };
        let probe = connection.probe;
        if connection.state == State::Connecting {
            match connection.connected() {
                None => return,
                Some(ProbeEvent::Connected) => {
                    connection.state = State::Connected;
                    out.push((probe, ProbeEvent::Connected));
                }
                Some(event) => {
                    out.push((probe, event));
                    return;
                }
            }
        }
        if ready.writable {
            connection.flush();
        }
        if !ready.readable {
            return;
        }
        for _ in 0..READS_PER_TURN {
            match (&connection.socket).read(&mut self.buffer) {
                Ok(0) if connection.transport == Transport::Tcp => return out.push((probe, ProbeEvent::Closed)),
                Ok(n) => {
                    let bytes = self.buffer.get(..n).unwrap_or_default().to_vec();
                    out.push((probe, ProbeEvent::Bytes(bytes)));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return out.push((probe, ProbeEvent::Broken)),
            }
        }
        if events.rearm(&mut SourceFd(&connection.socket.as_raw_fd()), ready.token).is_err() {
            out.push((probe, ProbeEvent::Broken));
        }
    }
}

impl Connection {
    /// Whether the attempt has ended, and how.
    fn connected(&self) -> Option<ProbeEvent> {
        match self.socket.take_error() {
            Ok(Some(e)) | Err(e) => Some(refusal(&e)),
            Ok(None) => match self.socket.peer_addr() {
                Ok(_) => Some(ProbeEvent::Connected),
                Err(_) => None,
            },
        }
    }

    fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.socket.send_with_flags(&self.unsent, libc::MSG_NOSIGNAL) {
                Ok(n) => drop(self.unsent.drain(..n.min(self.unsent.len()))),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                // Reading tells. A datagram that does not go out is one that is lost, an error that came before it is told there too.
                Err(_) => return self.unsent.clear(),
            }
        }
    }
}

fn begin(route: &Route) -> Result<Begun, ProbeEvent> {
    let Route { transport, target, bind, bind_if } = route;
    let here = |what: &str, e: io::Error| ProbeEvent::NotTried(format!("{what}: {e}"));
    let (kind, protocol) = match (transport, target) {
        (Transport::Tcp, _) => (Type::STREAM, Protocol::TCP),
        (Transport::Udp, _) => (Type::DGRAM, Protocol::UDP),
        (Transport::Ping, SocketAddr::V4(_)) => (Type::DGRAM, Protocol::ICMPV4),
        (Transport::Ping, SocketAddr::V6(_)) => (Type::DGRAM, Protocol::ICMPV6),
    };
    let socket = Socket::new(Domain::for_address(*target), kind.nonblocking(), Some(protocol)).map_err(|e| {
        if *transport == Transport::Ping && e.kind() == io::ErrorKind::PermissionDenied {
            let why = "the kernel does not let checkd ping: its group is not within net.ipv4.ping_group_range";
            return ProbeEvent::NotTried(why.to_owned());
        }
        here("no socket", e)
    })?;
    if let Some(name) = bind_if {
        socket.bind_device(Some(name.as_bytes())).map_err(|e| here(&format!("cannot bind to interface {name}"), e))?;
    }
    if let Some(from) = bind {
        if from.port() != 0 && *transport != Transport::Ping {
            // The same port is used for every probe: a connection that lingers after its end would block the next.
            socket.set_reuse_address(true).map_err(|e| here("SO_REUSEADDR", e))?;
            if *transport == Transport::Tcp {
                socket.set_linger(Some(Duration::ZERO)).map_err(|e| here("SO_LINGER", e))?;
            }
        }
        // The port of a ping socket is the identifier of its messages.
        let from = if *transport == Transport::Ping { SocketAddr::new(from.ip(), 0) } else { *from };
        socket.bind(&SockAddr::from(from)).map_err(|e| here(&format!("cannot bind to {from}"), e))?;
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
