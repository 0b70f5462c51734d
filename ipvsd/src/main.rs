//! ipvsd: the process of Holdfast that changes addresses and IPVS. Started by the supervisor; not for use by hand.
//!
//! Confined before it reads anything: own user, CAP_NET_ADMIN, no file system, netlink sockets, and those with a mark that it opens for checkd.

// Nothing that comes from outside ends this process: no index, no `unwrap`. In tests a panic is the report.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod shell;

use ipc::child::{self, Child, Ipvs};
use ipc::confine::{self, Capability, Jail, Tcp};
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

/// Most descriptors: four netlink sockets, the channels, the log, a dump file.
const OPEN_FILES: u64 = 64;

fn main() -> ExitCode {
    ipc::fault::install("ipvsd");
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // Standard error may be full or gone; there is nobody else to tell.
            let _ = writeln!(std::io::stderr(), "ipvsd: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let ids = child::arguments(std::env::args_os().skip(1))?;
    child::prepare()?;
    confine::enter(&Jail {
        program: "ipvsd",
        ids,
        capabilities: &[Capability::CAP_NET_ADMIN],
        tcp: Tcp::Denied,
        open_files: OPEN_FILES,
        calls: shell::syscalls::CALLS,
    })?;
    let child = Child::<Ipvs>::start()?;
    shell::driver::Driver::new(child)?.run()?;
    Ok(())
}
