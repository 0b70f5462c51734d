//! The kernel module `ip_vs`.
//!
//! It is loaded when Holdfast starts, if the kernel can and has not, before the supervisor gives CAP_SYS_MODULE up: which
//! configuration will come is not known then, a reload may bring the first virtual server, and a module without services does
//! nothing. Later nobody can load it but the kernel itself, which does when ipvsd asks for IPVS, if it may.

use super::spawn::Process;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// There once the module is loaded (or built in), in every network namespace.
const PROOF: &str = "/proc/net/ip_vs";

/// Where modprobe is.
const MODPROBE: [&str; 2] = ["/sbin/modprobe", "/usr/sbin/modprobe"];

/// How long modprobe may take at the start.
const LIMIT: u16 = 10_000;

/// Whether the kernel has IPVS now.
fn ip_vs_is_there() -> bool {
    Path::new(PROOF).exists()
}

/// Loads it. The error says why not, for whoever needs it; most machines that have none do not.
pub fn load_ip_vs() -> Result<(), String> {
    if ip_vs_is_there() {
        return Ok(());
    }
    let modprobe = MODPROBE.iter().find(|path| Path::new(path).exists());
    let modprobe = modprobe.ok_or("there is no modprobe (package kmod)")?;
    let mut command = Command::new(modprobe);
    command.args(["-q", "ip_vs"]).env_clear().current_dir("/");
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = Process::start(&mut command).map_err(|e| format!("{modprobe}: {e}"))?;
    let pidfd = process.pidfd();
    // Nothing runs yet that could be held up.
    let _ = poll(&mut [PollFd::new(pidfd, PollFlags::POLLIN)], PollTimeout::from(LIMIT));
    if process.reap().is_none() {
        process.kill();
        let pidfd = process.pidfd();
        let _ = poll(&mut [PollFd::new(pidfd, PollFlags::POLLIN)], PollTimeout::from(1_000u16));
        process.reap();
        return Err(format!("{modprobe} ip_vs did not end within {} s", LIMIT / 1_000));
    }
    if ip_vs_is_there() { Ok(()) } else { Err("this kernel has no module ip_vs".to_owned()) }
}
