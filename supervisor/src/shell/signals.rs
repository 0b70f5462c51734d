//! Signals as data: all of them are blocked and read from a descriptor, no handler runs.

use super::cli::signum;
use ipc::msg::control::DumpKind;
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, Signal as Posix};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use supervisor::lifecycle::Signal;

/// Whether SIGINT ends the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// As SIGTERM does.
    Stops,
    /// `--ignore-sigint`
    Ignored,
}

/// Blocks the signals, so that one that comes during the start (SIGHUP would end the process) waits for the event loop. What is
/// spawned later starts with none blocked (std does that).
pub fn block() -> Result<(), Errno> {
    mask().thread_block()
}

/// The signals of this process.
pub struct Signals {
    fd: SignalFd,
    interrupt: Interrupt,
}

impl Signals {
    /// Opens the descriptor. Signals that came since [`block`] wait there.
    pub fn new(interrupt: Interrupt) -> Result<Signals, Errno> {
        let fd = SignalFd::with_flags(&mask(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Signals { fd, interrupt })
    }

    /// The descriptor, to wait for.
    pub fn fd(&self) -> &SignalFd {
        &self.fd
    }

    /// The next signal that means something; `None` when there is none.
    pub fn next(&self) -> Option<Signal> {
        loop {
            let info = match self.fd.read_signal() {
                Ok(Some(info)) => info,
                Err(Errno::EINTR) => continue,
                Ok(None) | Err(_) => return None,
            };
            let number = i32::try_from(info.ssi_signo).unwrap_or(0);
            if number == libc::SIGINT && self.interrupt == Interrupt::Ignored {
                continue;
            }
            if let Some(signal) = meaning(number) {
                return Some(signal);
            }
        }
    }
}

fn meaning(number: i32) -> Option<Signal> {
    match number {
        libc::SIGTERM | libc::SIGINT => Some(Signal::Stop),
        libc::SIGHUP => Some(Signal::Reload),
        libc::SIGUSR1 => Some(Signal::Dump(DumpKind::Data)),
        libc::SIGUSR2 => Some(Signal::Dump(DumpKind::Stats)),
        n if Some(n) == signum("STATS_CLEAR") => Some(Signal::Dump(DumpKind::StatsClear)),
        n if Some(n) == signum("JSON") => Some(Signal::Dump(DumpKind::Json)),
        _ => None,
    }
}

/// What is blocked: everything, the real-time signals too, but for those that say that the process itself is broken and those
/// of the terminal.
fn mask() -> SigSet {
    let mut mask = SigSet::all();
    for signal in [
        Posix::SIGSEGV,
        Posix::SIGBUS,
        Posix::SIGFPE,
        Posix::SIGILL,
        Posix::SIGABRT,
        Posix::SIGTRAP,
        Posix::SIGSYS,
        Posix::SIGQUIT,
        Posix::SIGTSTP,
        Posix::SIGTTIN,
        Posix::SIGTTOU,
        Posix::SIGCONT,
    ] {
        mask.remove(signal);
    }
    mask
}
