//! What the service manager is told (sd_notify(3)). Nothing happens when there is none, and a manager that does not read does not
//! stop the supervisor: what it has no room for is sent again every [`PATIENCE`], at most [`WAITING_LIMIT`] messages, the oldest go first.

use ipc::time::Mono;
use sd_notify::NotifyState;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use supervisor::lifecycle::Told;

/// The environment variable that says where the manager listens.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// How long a message waits before it is tried again.
const PATIENCE: Duration = Duration::from_millis(200);

/// Most messages that wait.
const WAITING_LIMIT: usize = 8;

/// The service manager.
#[derive(Debug)]
pub struct Manager {
    address: Option<OsString>,
    waiting: VecDeque<String>,
    again: Option<Mono>,
}

impl Manager {
    /// The one that the environment names.
    pub fn find() -> Manager {
        Manager::at(std::env::var_os(VARIABLE))
    }

    /// One that listens there.
    fn at(address: Option<OsString>) -> Manager {
        Manager { address, waiting: VecDeque::new(), again: None }
    }

    /// Tells it.
    pub fn tell(&mut self, now: Mono, told: Told) {
        if self.address.is_none() {
            return;
        }
        if self.waiting.len() >= WAITING_LIMIT {
            self.waiting.pop_front();
        }
        self.waiting.push_back(text(told));
        self.send(now);
    }

    /// When [`Manager::turn`] has something to do.
    pub fn deadline(&self) -> Option<Mono> {
        self.again
    }

    /// Sends what waits, if its time has come.
    pub fn turn(&mut self, now: Mono) {
        if self.again.is_some_and(|again| again <= now) {
            self.send(now);
        }
    }

    fn send(&mut self, now: Mono) {
        self.again = None;
        while let (Some(address), Some(text)) = (&self.address, self.waiting.front()) {
            match send(address, text) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.again = Some(now + PATIENCE);
                    return;
                }
                // Any other failure is not worth a word: the manager will notice what it does not hear.
                Ok(()) | Err(_) => drop(self.waiting.pop_front()),
            }
        }
    }
}

fn send(address: &OsStr, text: &str) -> io::Result<()> {
    let address = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(text.as_bytes(), &address).map(drop)
}

fn text(told: Told) -> String {
    let states = match told {
        Told::Ready => vec![NotifyState::Ready, NotifyState::Status("Running")],
        Told::ReloadFailed => {
            vec![NotifyState::Ready, NotifyState::Status("Reload failed, the running configuration stays in force")]
        }
        Told::Reloading => {
            let now = NotifyState::monotonic_usec_now().ok();
            [NotifyState::Reloading, NotifyState::Status("Reloading")].into_iter().chain(now).collect()
        }
        Told::Stopping(longest) => {
            // Longer than TimeoutStopSec where the configuration wants it (child_wait_time, shutdown_script_timeout).
            let longest = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
            let extend = NotifyState::ExtendTimeoutUsec(longest);
            vec![NotifyState::Stopping, NotifyState::Status("Stopping"), extend]
        }
    };
    states.iter().map(|state| format!("{state}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::testdir::TestDir;

    fn heard(socket: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 512];
        std::iter::from_fn(|| socket.recv(&mut buffer).ok())
            .collect::<Vec<_>>()
            .iter()
            .map(|length| String::from_utf8_lossy(&buffer[..*length]).into_owned())
            .collect()
    }

    #[test]
    fn a_manager_that_does_not_read_is_told_later() {
        let dir = TestDir::new("notify");
        let path = dir.path().join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut manager = Manager::at(Some(path.into_os_string()));
        let now = Mono::ZERO + Duration::from_secs(1);
        for _ in 0..100 {
            manager.tell(now, Told::Reloading);
            manager.tell(now, Told::Ready);
        }
        assert_eq!((manager.waiting.len(), manager.deadline()), (WAITING_LIMIT, Some(now + PATIENCE)));
        assert!(!heard(&socket).is_empty());
        manager.turn(now);
        assert_eq!(manager.waiting.len(), WAITING_LIMIT, "not yet");
        manager.turn(now + PATIENCE);
        assert_eq!((manager.waiting.len(), manager.deadline()), (0, None));
        assert_eq!(heard(&socket).len(), WAITING_LIMIT);
    }

    #[test]
    fn what_it_is_told_is_in_the_words_of_sd_notify() {
        assert_eq!(text(Told::Ready), "READY=1\nSTATUS=Running\n");
        assert!(text(Told::Reloading).starts_with("RELOADING=1\nSTATUS=Reloading\nMONOTONIC_USEC="));
        let stopping = text(Told::Stopping(Duration::from_secs(5)));
        assert_eq!(stopping, "STOPPING=1\nSTATUS=Stopping\nEXTEND_TIMEOUT_USEC=5000000\n");
    }

    #[test]
    fn without_a_manager_nothing_waits() {
        let mut manager = Manager::at(None);
        manager.tell(Mono::ZERO, Told::Ready);
        assert_eq!((manager.waiting.len(), manager.deadline()), (0, None));
    }
}
