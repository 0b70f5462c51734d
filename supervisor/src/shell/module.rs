//! The kernel modules of IPVS.
//!
//! They are loaded when Holdfast starts, if the kernel can and has not, before the supervisor gives CAP_SYS_MODULE up: which
//! configuration will come is not known then, a reload may bring the first virtual server, and a module without services does
//! nothing. Later nobody can load them but the kernel itself, which does when ipvsd asks for IPVS or for a scheduler, if it may.
//!
//! That must not happen to two of the schedulers. Linux (seen in 6.1) loads the module of a new service's scheduler while it
//! holds the lock of IPVS; those of lblc and lblcr then wait for the lock of all network namespaces, and whoever removes a
//! namespace at that moment (any container that ends) has that lock and waits for that of IPVS. All three wait for ever, and with
//! them every later change of a service or of a network namespace until the machine is started again.

use super::spawn::Process;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// There once the module is loaded (or built in), in every network namespace.
const PROOF: &str = "/proc/net/ip_vs";

/// What is loaded: IPVS and the schedulers that must be there before a service asks for them.
const MODULES: [&str; 3] = ["ip_vs", "ip_vs_lblc", "ip_vs_lblcr"];

/// Where modprobe is.
const MODPROBE: [&str; 2] = ["/sbin/modprobe", "/usr/sbin/modprobe"];

/// How long modprobe may take at the start.
const LIMIT: u16 = 10_000;

/// Whether the kernel has IPVS now.
fn ip_vs_is_there() -> bool {
    Path::new(PROOF).exists()
}

/// Loads them. The error says why IPVS is not there, for whoever needs it; most machines that have none do not.
pub fn load_ip_vs() -> Result<(), String> {
    if MODULES.iter().all(|module| Path::new("/sys/module").join(module).exists()) {
        return Ok(());
    }
    let tried = run_modprobe();
    if ip_vs_is_there() {
        Ok(())
    } else {
        Err(tried.err().unwrap_or_else(|| "this kernel has no module ip_vs".to_owned()))
    }
}

/// Runs modprobe to its end or the end of its time. The error says why it did not come to one.
fn run_modprobe() -> Result<(), String> {
    let modprobe = MODPROBE.iter().find(|path| Path::new(path).exists());
    let modprobe = modprobe.ok_or("there is no modprobe (package kmod)")?;
    let mut command = Command::new(modprobe);
    command.args(["-q", "-a"]).args(MODULES).env_clear().current_dir("/");
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
        return Err(format!("{modprobe} did not load ip_vs within {} s", LIMIT / 1_000));
    }
    Ok(())
}
