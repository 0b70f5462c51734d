//! Two hosts on a wire: a veth pair between two network namespaces. Needs root and `ip`.

use core::net::Ipv4Addr;
use core::time::Duration;
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Instant;

/// For the left interface; not set.
pub const LEFT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

/// The address of the right interface.
pub const RIGHT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

/// A namespace without a name: it is gone when the file is closed.
pub struct Namespace(File);

impl Namespace {
    /// Makes one.
    pub fn new() -> Self {
        std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("network namespaces need root; tests/run runs all tests");
            Namespace(File::open("/proc/thread-self/ns/net").unwrap())
        })
        .join()
        .unwrap()
    }

    /// Does `work` on a thread that is in it: sockets made and programs started there belong to it.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }

    /// Runs `ip` in it.
    pub fn ip(&self, arguments: &str) {
        self.enter(|| {
            let status = Command::new("ip").args(arguments.split_whitespace()).status().unwrap();
            assert!(status.success(), "ip {arguments}");
        });
    }

    /// Waits until an interface is in operation: before, the kernel throws away what is sent.
    fn wait_up(&self, name: &str) {
        let start = Instant::now();
        let is_up = || {
            let output = Command::new("ip").args(["link", "show", "dev", name]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).contains("state UP")
        };
        while !self.enter(is_up) {
            assert!(start.elapsed() < Duration::from_secs(10), "{name} does not come up");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its path, as `ip link … netns` takes it.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// The index of one of its interfaces.
    pub fn ifindex(&self, name: &str) -> u32 {
        self.enter(|| nix::net::if_::if_nametoindex(name).unwrap())
    }
}

/// Two namespaces, `left` in the one joined to `right` in the other.
pub fn lan() -> (Namespace, Namespace) {
    let (one, other) = (Namespace::new(), Namespace::new());
    one.ip(&format!("link add left type veth peer name right netns {}", other.path()));
    one.ip("link set left up");
    other.ip("link set right up");
    other.ip(&format!("addr add {RIGHT}/24 dev right"));
    one.wait_up("left");
    other.wait_up("right");
    (one, other)
}
