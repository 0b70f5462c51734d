//! What watchers read: log lines.

use std::time::Duration;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::Outcome;
use tests::pair::{Pair, SOON, with_log};

/// What is searched for in logs, in the words that follow the name of the instance.
const WATCHED: [&str; 6] = [
    "Entering ",
    "Receive advertisement timeout",
    "Backup received priority 0 advertisement",
    "Master received advert from ",
    "Received advert from ",
    "Changing effective priority ",
];

/// The lines about VI_1 that watchers search for, in order.
fn watched(log: &str) -> Vec<String> {
    let words = |line: &str| line.split_once("(VI_1) ").map(|(_, words)| words.trim_end().to_owned());
    log.lines().filter_map(words).filter(|words| WATCHED.iter().any(|known| words.starts_with(known))).collect()
}

/// Alone, deposed, asked back, without a cable, with one, and the end: what its log says of it. The other one is always keepalived.
fn logged(program: Program) -> Outcome<Vec<String>> {
    let pair = Pair::new()?;
    let mut one = Daemon::start(program, &pair.a, &Vrrp::backup(100).to_string())?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    let mut two = Daemon::start(Program::Keepalived, &pair.b, &Vrrp::backup(150).to_string())?;
    pair.wait_master(&pair.b)?;
    one.wait_log("Master received advert", SOON)?;
    std::thread::sleep(Duration::from_millis(300));
    two.terminate()?;
    pair.wire.clear();
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    pair.lan.unplug(&pair.a)?;
    one.wait_log("(VI_1) Entering FAULT STATE", SOON)?;
    pair.lan.plug(&pair.a)?;
    pair.wire.clear();
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    assert!(one.terminate()?.success());
    Ok(watched(&one.log()))
}

#[test]
fn log_lines_are_those_that_watchers_search_for() -> Outcome {
    let theirs = logged(Program::Keepalived)?;
    let ours = logged(Program::Holdfast)?;
    assert!(theirs.len() >= 9, "{theirs:?}");
    assert_eq!(ours, theirs);
    Ok(())
}
