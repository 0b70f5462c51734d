//! `checkd explain WORD`: what a keyword or the code of a diagnostic means. Reads nothing, writes and ends.

use checkd::conf::explain::explain;
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
