//! holdfast: the supervisor. Starts, watches and relays; never understands configuration text (it looks for one word in it), never touches a packet.

// Nothing that comes from outside ends this process: no index, no `unwrap`. In tests a panic is the report.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod shell;

use shell::cli::{self, Cli};
use shell::{namespaces, terminal};
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    ipc::fault::install("holdfast");
    close_inherited();
    // Cannot fail for a signal that exists.
    let _ = ipc::sys::hear_of_children();
    let mut arguments = std::env::args_os().skip(1);
    // Its options are not this program's.
    if arguments.next().is_some_and(|word| word == "--genhash" || word == "-T") {
        return ExitCode::from(shell::config_test::genhash(arguments));
    }
    let mut words: Vec<OsString> = std::env::args_os().collect();
    let tells = words.get(1).is_some_and(|word| word == namespaces::TELL);
    if tells {
        words.remove(1);
    }
    let cli = match cli::parse(words.into_iter()) {
        Ok(cli) => cli,
        Err(text) => {
            terminal::err(&text);
            return ExitCode::from(1);
        }
    };
    if tells {
        return ExitCode::from(namespaces::tell(&cli));
    }
    ExitCode::from(answer(&cli).unwrap_or_else(|| shell::start::run(cli)))
}

/// The options that ask for an answer and nothing else. COMPAT: keepalived 2.4.3: `-v` to standard error, exit code 0.
fn answer(cli: &Cli) -> Option<u8> {
    if cli.help {
        terminal::out(&cli::help());
        return Some(0);
    }
    if cli.version {
        terminal::err(concat!("Holdfast v", env!("CARGO_PKG_VERSION"), "\n"));
        return Some(0);
    }
    if let Some(word) = &cli.explain {
        return Some(shell::config_test::explain(word));
    }
    if cli.genhash {
        terminal::err("holdfast: --genhash must be the first argument; what follows are genhash's\n");
        return Some(1);
    }
    let name = cli.signum.as_deref()?;
    match cli::signum(name) {
        Some(number) => terminal::out(&format!("{number}\n")),
        None => {
            terminal::err(&format!("Unknown sigfunc {name}\n"));
            return Some(1);
        }
    }
    Some(0)
}

/// Closes what whoever started this program left open: neither children nor scripts are to have it.
fn close_inherited() {
    let numbers = |dir: std::fs::ReadDir| -> Vec<i32> {
        dir.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    };
    let open = std::fs::read_dir("/proc/self/fd").map(numbers).unwrap_or_default();
    for number in open.into_iter().filter(|n| *n > 2) {
        // Nothing has been opened here yet; that of the directory just read is closed already.
        let _ = nix::unistd::close(number);
    }
}
