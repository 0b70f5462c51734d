//! What is checked: one listener for all addresses, which notes when each was connected to.

use crate::failure::{Context, Outcome};
use crate::netns::Netns;
use nix::sys::socket::{Backlog, listen};
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The port of every real server.
pub const PORT: u16 = 8080;

#[derive(Debug, Default)]
struct Seen {
    last: BTreeMap<IpAddr, Instant>,
    intervals: Vec<Duration>,
    connections: u32,
}

/// The listener. It ends with the process.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    seen: Arc<Mutex<Seen>>,
}

impl Checked {
    /// Makes 10.64.0.0/10 local and listens there.
    pub fn start(netns: &Netns) -> Outcome<Checked> {
        netns.ip("route add local 10.64.0.0/10 dev lo")?;
        netns.sysctl("core/somaxconn", "65535")?;
        let listener = netns.enter(|| -> Outcome<TcpListener> {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&SocketAddr::from(([0, 0, 0, 0], PORT)).into())?;
            listen(&socket, Backlog::MAXALLOWABLE).context(|| "cannot listen".into())?;
            Ok(socket.into())
        })??;
        let checked = Checked::default();
        let seen = Arc::clone(&checked.seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let now = Instant::now();
                let Ok(at) = stream.local_addr() else { continue };
                drop(stream);
                let Ok(mut seen) = seen.lock() else { return };
                seen.connections += 1;
                if let Some(before) = seen.last.insert(at.ip(), now) {
                    seen.intervals.push(now.duration_since(before));
                }
            }
        });
        Ok(checked)
    }

    /// Forgets everything.
    pub fn clear(&self) {
        if let Ok(mut seen) = self.seen.lock() {
            *seen = Seen::default();
        }
    }

    /// How many connections there were since [`clear`](Self::clear).
    pub fn connections(&self) -> u32 {
        self.seen.lock().map_or(0, |seen| seen.connections)
    }

    /// The times between two connections to the same address since the last call.
    pub fn intervals(&self) -> Vec<Duration> {
        self.seen.lock().map(|mut seen| std::mem::take(&mut seen.intervals)).unwrap_or_default()
    }
}
