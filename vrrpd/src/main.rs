//! vrrpd: the VRRP router of Holdfast. Started by the supervisor; not for use by hand.
//!
//! Confined before it reads anything: own user, CAP_NET_RAW, no file system, the system calls of [`shell::syscalls`].

// Nothing that comes from outside ends this process: no index, no `unwrap`. In tests a panic is the report.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod shell;

use ipc::child::{self, Child, Vrrp};
use ipc::confine::{self, Capability, Jail, Tcp};
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

/// Most descriptors: three sockets an interface, a few channels.
const OPEN_FILES: u64 = 16_384;

fn main() -> ExitCode {
    ipc::fault::install("vrrpd");
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // Standard error may be full or gone; there is nobody else to tell.
            let _ = writeln!(std::io::stderr(), "vrrpd: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let ids = child::arguments(std::env::args_os().skip(1))?;
    child::prepare()?;
    confine::enter(&Jail {
        program: "vrrpd",
        ids,
        capabilities: &[Capability::CAP_NET_RAW],
        tcp: Tcp::Denied,
        open_files: OPEN_FILES,
        calls: shell::syscalls::CALLS,
    })?;
    let child = Child::<Vrrp>::start()?;
    shell::driver::run(child)?;
    Ok(())
}
