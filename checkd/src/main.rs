//! checkd: `checkd compile` reads the configuration, `checkd run` checks the real servers. Both are started by the supervisor with
//! `--uid N --gid N` and their control channel as descriptor 0, as root, and confine themselves before they read anything.

// Nothing that comes from outside ends this process: no index, no `unwrap`. In tests a panic is the report.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod shell;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_ref().and_then(|mode| mode.to_str()) {
        Some("compile") => shell::compile::main(arguments),
        Some("explain") => shell::explain::main(arguments),
        Some("manual") => shell::explain::manual(),
        Some("run") => shell::run::main(arguments),
        _ => {
            shell::render::to_stderr(
                b"checkd is a part of holdfast and is started by it: checkd compile|run --uid N --gid N\n",
            );
            ExitCode::FAILURE
        }
    }
}
