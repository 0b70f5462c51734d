//! `checkd run`: from `main` to the event loop.

use super::connect::CONNECTIONS;
use super::{driver, syscalls};
use ipc::child::{self, Check, Child};
use ipc::confine::{self, Jail, Tcp};
use nix::sys::resource::{Resource, getrlimit};
use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Descriptors beside connections: channels, log, event loop, dumps.
const OTHER_FILES: usize = 64;

/// Confines the process and runs it.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    ipc::fault::install("checkd");
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // Standard error may be full or gone; there is nobody else to tell.
            let _ = writeln!(std::io::stderr(), "checkd: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: impl Iterator<Item = OsString>) -> Result<(), Box<dyn Error>> {
    let ids = child::arguments(arguments)?;
    child::prepare()?;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let files = CONNECTIONS.saturating_add(OTHER_FILES).min(usize::try_from(hard).unwrap_or(usize::MAX));
    confine::enter(&Jail {
        program: "checkd",
        ids,
        capabilities: &[],
        tcp: Tcp::Allowed,
        open_files: files as u64,
        calls: syscalls::RUN,
    })?;
    let child = Child::<Check>::start()?;
    driver::run(child, files.saturating_sub(OTHER_FILES).max(1))?;
    Ok(())
}
