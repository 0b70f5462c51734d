//! Process descriptors against real processes.
// Clippy takes functions without #[test] for production code.
#![allow(clippy::unwrap_used)]

use ipc::evloop::EventLoop;
use ipc::sys::{pidfd_open, pidfd_send_signal};
use mio::Token;
use mio::unix::SourceFd;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

fn sleeper() -> (Child, Pid) {
    let child = Command::new("sleep").arg("600").spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    (child, pid)
}

#[test]
fn the_end_of_a_process_is_an_event() {
    let (mut child, pid) = sleeper();
    let pidfd = pidfd_open(pid).unwrap();
    assert_eq!(fcntl(&pidfd, FcntlArg::F_GETFD).unwrap() & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    let mut events = EventLoop::new().unwrap();
    events.add_readable(&mut SourceFd(&pidfd.as_raw_fd()), Token(5)).unwrap();
    pidfd_send_signal(pidfd.as_fd(), Signal::SIGTERM).unwrap();
    let mut ready = Vec::new();
    events.wait(None, &mut ready).unwrap();
    assert!(ready.iter().any(|r| r.token == Token(5) && r.readable));
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGTERM as i32));
}

#[test]
fn a_process_that_is_gone_gets_no_signal() {
    let (mut child, pid) = sleeper();
    let pidfd = pidfd_open(pid).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(pidfd_send_signal(pidfd.as_fd(), Signal::SIGTERM), Err(Errno::ESRCH));
    assert_eq!(pidfd_open(pid).unwrap_err(), Errno::ESRCH);
}
