//! A running ipvsd in a network namespace of its own, with the test as its supervisor, its vrrpd and its checkd.
// Each test program uses its part; what a test needs and has not got ends it.
#![allow(dead_code, clippy::expect_used, clippy::panic)]

pub mod vips;

use ipc::channel::{self, Channel};
use ipc::chunk;
use ipc::codec::encode_slice;
use ipc::config::Generation;
use ipc::config::ipvs::IpvsConfig;
use ipc::msg::Role;
use ipc::msg::control::{Down, DumpKind, Dumped, FromIpvs, LogSetup, Sink, StopMode, ToIpvs, Up};
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck};
use ipc::msg::vips::{IpvsToVrrp, VrrpToIpvs};
use nix::sched::{CloneFlags, unshare};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::io::{Read, Seek};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Puts this thread, and what it starts, into a new network namespace, with `lo` up.
pub fn namespace() {
    unshare(CloneFlags::CLONE_NEWNET).expect("root and network namespaces are needed");
    ip("link set lo up");
}

/// Runs `ip ARGUMENTS` in this thread's namespace and gives its output.
pub fn ip(arguments: &str) -> String {
    run("ip", arguments)
}

/// Runs a program in this thread's namespace and gives its output.
pub fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split_whitespace()).output().expect("the program is installed");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

/// A veth pair `v0`–`v1`, both up; `v0` has 10.9.0.100/24. (A dummy interface would do, but not every kernel has them.)
pub fn link() {
    ip("link add v0 type veth peer name v1");
    ip("addr add 10.9.0.100/24 dev v0");
    ip("link set v0 up");
    ip("link set v1 up");
}

/// Waits until something holds, at most five seconds (a minute under emulation).
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + patience();
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How long something may take: a virtual machine without hardware support is ten times slower.
fn patience() -> Duration {
    let emulated = std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("QEMU"));
    Duration::from_secs(if emulated { 60 } else { 5 })
}

/// A channel that waits.
pub struct Line<Tx, Rx> {
    channel: Channel<Tx, Rx>,
    words: VecDeque<Rx>,
}

impl<Tx: Serialize, Rx: DeserializeOwned> Line<Tx, Rx> {
    fn new(channel: Channel<Tx, Rx>) -> Self {
        Line { channel, words: VecDeque::new() }
    }

    /// The next message.
    pub fn hear(&mut self) -> Rx {
        let end = Instant::now() + patience();
        loop {
            if let Some(word) = self.words.pop_front() {
                return word;
            }
            match self.channel.receive() {
                Ok(Some(received)) => self.words.extend(received.frame.messages),
                Ok(None) => {
                    assert!(Instant::now() < end, "nothing was said");
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(e) => panic!("{e}"),
            }
        }
    }

    /// Messages up to and with the first for which `f` holds.
    pub fn hear_until(&mut self, mut f: impl FnMut(&Rx) -> bool) -> Vec<Rx> {
        let mut all = Vec::new();
        loop {
            let word = self.hear();
            let last = f(&word);
            all.push(word);
            if last {
                return all;
            }
        }
    }

    /// Says something in the words of a generation.
    pub fn say(&mut self, generation: u32, messages: Vec<Tx>) {
        self.channel.send(Generation(generation), messages).expect("ipvsd lives");
    }
}

/// The process. Ended by its pid when the test ends.
pub struct Ipvsd {
    process: Child,
    pub supervisor: Line<ToIpvs, FromIpvs>,
}

impl Drop for Ipvsd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Ipvsd {
    /// Starts it in this thread's namespace; it logs to the test's standard error.
    pub fn start() -> Ipvsd {
        let (ours, theirs) = channel::pair().expect("a socket pair");
        let process = Command::new(env!("CARGO_BIN_EXE_ipvsd"))
            .args(["--uid", "61187", "--gid", "61187"])
            .stdin(Stdio::from(theirs))
            .spawn()
            .expect("ipvsd starts");
        let mut supervisor: Line<ToIpvs, FromIpvs> = Line::new(Channel::new(ours));
        let log = LogSetup { detail: 2, console: Sink::On, syslog: Sink::Off, facility: 3, file: Sink::Off };
        supervisor.say(0, vec![ToIpvs::Control(Down::Hello { log, stop: StopMode::RELEASE })]);
        Ipvsd { process, supervisor }
    }

    /// Gives it a configuration and activates it.
    pub fn activate(&mut self, generation: u32, config: &IpvsConfig) {
        let bytes = encode_slice(config).expect("a slice");
        for piece in chunk::cut(&bytes) {
            self.supervisor.say(generation, vec![ToIpvs::Control(Down::Slice(piece))]);
        }
        assert_eq!(self.answer(), Up::Ready);
        self.supervisor.say(generation, vec![ToIpvs::Control(Down::Activate)]);
        assert_eq!(self.answer(), Up::Activated);
    }

    /// The next message of the common part.
    pub fn answer(&mut self) -> Up {
        loop {
            if let FromIpvs::Control(up) = self.supervisor.hear() {
                return up;
            }
        }
    }

    fn attach<Tx: Serialize, Rx: DeserializeOwned>(&mut self, role: Role) -> Line<Tx, Rx> {
        let (ours, theirs) = channel::pair().expect("a socket pair");
        self.supervisor
            .channel
            .send_with_fds(Generation(0), ToIpvs::Control(Down::Attach(role)), vec![theirs])
            .expect("ipvsd lives");
        Line::new(Channel::new(ours))
    }

    /// Stops it, or lets it go on.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = i32::try_from(self.process.id()).expect("a pid");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("it lives");
    }

    /// Becomes its vrrpd.
    pub fn vrrp(&mut self) -> Line<VrrpToIpvs, IpvsToVrrp> {
        self.attach(Role::Vrrp)
    }

    /// Becomes its checkd.
    pub fn check(&mut self) -> Line<CheckToIpvs, IpvsToCheck> {
        self.attach(Role::Check)
    }

    /// What it writes into a dump file.
    pub fn dump(&mut self) -> String {
        let mut file = tempfile::tempfile().expect("a file");
        let theirs = file.try_clone().expect("a descriptor");
        let wanted = ToIpvs::Control(Down::Dump(DumpKind::Data));
        self.supervisor.channel.send_with_fds(Generation(0), wanted, vec![theirs.into()]).expect("ipvsd lives");
        assert_eq!(self.answer(), Up::Dumped(Dumped::Whole));
        let mut text = String::new();
        file.rewind().expect("a file");
        file.read_to_string(&mut text).expect("text");
        text
    }

    /// Says that a peer is gone.
    pub fn detached(&mut self, role: Role) {
        self.supervisor.say(0, vec![ToIpvs::Control(Down::Detached(role))]);
    }

    /// Ends it as the supervisor would.
    pub fn stop(mut self) {
        self.supervisor.say(0, vec![ToIpvs::Control(Down::Stop)]);
        assert_eq!(self.answer(), Up::Stopped);
        let end = Instant::now() + patience();
        loop {
            match self.process.try_wait().expect("it is our child") {
                Some(status) => {
                    assert!(status.success(), "{status}");
                    return;
                }
                None => assert!(Instant::now() < end, "it does not exit"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Debian's keepalived in this thread's namespace. Ended by its pid.
pub struct Keepalived {
    process: Child,
    directory: tempfile::TempDir,
}

impl Keepalived {
    /// Starts it with that configuration.
    pub fn start(text: &str) -> Keepalived {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("k.conf"), text).expect("the configuration");
        let process = Command::new("keepalived")
            .args(["--dont-fork", "--log-console", "--use-file"])
            .arg(path("k.conf"))
            .args(["--pid".as_ref(), path("k.pid").as_os_str()])
            .args(["--vrrp_pid".as_ref(), path("v.pid").as_os_str()])
            .args(["--checkers_pid".as_ref(), path("c.pid").as_os_str()])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("keepalived is installed");
        Keepalived { process, directory }
    }

    /// Ends it with SIGTERM and waits for it.
    pub fn stop(mut self) {
        let pid = i32::try_from(self.process.id()).expect("a pid");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).expect("it lives");
        self.process.wait().expect("it is our child");
    }
}

impl Drop for Keepalived {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = &self.directory;
    }
}
