//! What happens at a panic: one line on standard error, then abort. No backtrace (it would need the file system) and none of the
//! panic's arguments beyond its message, which by rule holds no secret ([`crate::config::Secret`] does not print itself).
//!
//! The supervisor sees the death, logs it and starts the process again. A forbidden system call (SIGSYS) needs nothing here: the
//! kernel ends the process.

use crate::log::printable;
use std::panic::{self, PanicHookInfo};
use std::process;

/// Makes a panic one line and the end of the process. First in `main`; `program` starts the line.
pub fn install(program: &'static str) {
    panic::set_hook(Box::new(move |info| {
        let line = format!("{}\n", line(program, info));
        // The console may be full or gone; there is nobody to tell.
        let _ = nix::unistd::write(std::io::stderr(), line.as_bytes());
        process::abort();
    }));
}

fn line(program: &str, info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("no message");
    match info.location() {
        Some(at) => printable(&format!("{program}: internal error at {}:{}: {message}", at.file(), at.line())),
        None => printable(&format!("{program}: internal error: {message}")),
    }
}
