//! What happens at a panic: one line on standard error and in syslog, then abort. No backtrace (it would need the file system) and
//! none of the panic's values beyond its message, which by rule holds no secret ([`crate::config::Secret`] does not print itself).
//!
//! The supervisor sees the death, logs it and starts the process again. A forbidden system call (SIGSYS) needs nothing here: the
//! kernel ends the process.

use crate::log::printable;
use nix::sys::socket::{MsgFlags, send};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::panic::{self, PanicHookInfo};
use std::process;
use std::sync::Mutex;

/// Syslog's code of "error" (RFC 3164 §4.1.1).
const ERROR: u8 = 3;

static SYSLOG: Mutex<Option<Syslog>> = Mutex::new(None);

struct Syslog {
    prefix: String,
    socket: OwnedFd,
}

/// Makes a panic one line and the end of the process. First in `main`; `program` starts the line.
pub fn install(program: &'static str) {
    panic::set_hook(Box::new(move |info| {
        let line = line(program, info);
        // The console may be full or gone and syslog too; there is nobody to tell.
        let _ = nix::unistd::write(std::io::stderr(), format!("{line}\n").as_bytes());
        if let Ok(syslog) = SYSLOG.try_lock()
            && let Some(Syslog { prefix, socket }) = &*syslog
        {
            let datagram = format!("{prefix}{line}");
            let _ = send(socket.as_raw_fd(), datagram.as_bytes(), MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL);
        }
        process::abort();
    }));
}

/// Names a syslog socket for the line; a copy of the descriptor is kept. `ident` and `facility` are those of the log.
pub fn tell_syslog(ident: &str, facility: u8, socket: BorrowedFd<'_>) {
    let priority = facility.min(23).saturating_mul(8) | ERROR;
    let prefix = format!("<{priority}>{ident}[{}]: ", process::id());
    if let (Ok(mut syslog), Ok(socket)) = (SYSLOG.lock(), socket.try_clone_to_owned()) {
        *syslog = Some(Syslog { prefix, socket });
    }
}

fn line(program: &str, info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("no message");
    match info.location() {
        Some(at) => printable(&format!("{program}: internal error at {}:{}: {message}", at.file(), at.line())),
        None => printable(&format!("{program}: internal error: {message}")),
    }
}
