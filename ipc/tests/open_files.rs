//! Descriptors that come when this process may not open as many. Alone in its program: the limit holds for all of it.
// Clippy takes functions without #[test] for production code.
#![allow(clippy::unwrap_used)]

use ipc::channel::{Channel, pair};
use ipc::fdpass;
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

fn open() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn descriptors_that_are_too_many_for_the_process_do_not_stay_open() {
    let (a, b) = pair().unwrap();
    let mut receiver: Channel<IpvsToCheck, CheckToIpvs> = Channel::new(b);
    let (mut watched, given) = std::io::pipe().unwrap();
    let fds: Vec<OwnedFd> = (0..100).map(|_| OwnedFd::from(given.try_clone().unwrap())).collect();
    fdpass::send(a.as_fd(), b"anything", &fds).unwrap();
    drop((given, fds));
    let (before, (_, hard)) = (open(), getrlimit(Resource::RLIMIT_NOFILE).unwrap());
    setrlimit(Resource::RLIMIT_NOFILE, before as u64 + 20, hard).unwrap();
    assert_eq!(receiver.receive().unwrap_err().to_string(), "malformed frame: more than 8 descriptors");
    assert_eq!(open(), before);
    // The end of the pipe is seen only when every copy of its other end is closed.
    assert_eq!(watched.read(&mut [0]).unwrap(), 0);
}
