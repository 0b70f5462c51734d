//! `checkd explain WORD`: what a keyword or the code of a diagnostic means. `checkd manual`: the manual page on standard input with
//! its made parts made anew. Both write and end.

use checkd::conf::explain::explain;
use checkd::conf::manual::renew;
use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

/// Answers on standard output; what nobody knows is told on standard error.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let word = arguments.next().unwrap_or_default();
    let word = word.to_string_lossy();
    match explain(&word) {
        Ok(text) => {
            // Whoever does not read on does not want to know.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(text) => {
            super::render::to_stderr(text.as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// The page of standard input, renewed, to standard output.
pub fn manual() -> ExitCode {
    let page = std::io::read_to_string(std::io::stdin()).map_err(|e| e.to_string());
    match page.and_then(|page| renew(&page)) {
        Ok(page) => {
            let written = std::io::stdout().write_all(page.as_bytes());
            if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            super::render::to_stderr(format!("checkd manual: {why}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}
