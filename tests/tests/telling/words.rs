//! What watchers read: log lines and the keys of the JSON dump.

use ipc::config::Secret;
use ipc::config::vrrp::{Auth, Instance};
use ipc::msg::control::DumpKind;
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::pair::{Pair, SOON, with_log};
use tests::router::{Bench, config, instance, track, track_script};
use vrrpd::io::{Action, Event};

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

/// The keys of a JSON text. No value here holds a quote.
fn keys(json: &str) -> BTreeSet<String> {
    let words: Vec<&str> = json.split('"').collect();
    words.windows(2).filter(|pair| pair[1].starts_with(':')).map(|pair| pair[0].to_owned()).collect()
}

/// keepalived's JSON about an instance with a password and a script.
fn their_json() -> Outcome<String> {
    let pair = Pair::new()?;
    let script = "vrrp_script chk_0 {\n    script /bin/true\n    interval 1\n    weight 5\n}";
    let conf = Vrrp::backup(100).block(script).password("1234").line("track_script {\n        chk_0\n    }");
    let daemon = Daemon::start(Program::Keepalived, &pair.a, &conf.to_string())?;
    pair.wait_master(&pair.a)?;
    let number = Command::new("keepalived").arg("--signum=JSON").output()?.stdout;
    let number: i32 = String::from_utf8_lossy(&number).trim().parse()?;
    // Its directory is that of all keepalived processes here; what another one wrote in the same moment has the same keys.
    let _ = Command::new("kill").arg(format!("-{number}")).arg(daemon.pid().to_string()).status()?;
    let path = std::path::Path::new("/tmp/keepalived.json");
    wait_until("keepalived has written its JSON", SOON, || Ok(path.exists()))?;
    std::thread::sleep(Duration::from_millis(300));
    let text = fs::read_to_string(path)?;
    let _ = fs::remove_file(path);
    daemon.signal(Signal::SIGTERM);
    Ok(text)
}

fn our_json() -> String {
    let conf = Instance {
        auth: Auth::Pass(Secret::new(b"1234".to_vec())),
        track_scripts: vec![track(0, 5)],
        ..instance(51, 100)
    };
    let mut config = config(vec![conf]);
    config.track_scripts = [track_script(0)].into_iter().collect();
    let mut bench = Bench::start(config);
    match bench.event(Event::Dump(DumpKind::Json)) {
        [Action::Dump(text)] => text.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_json_has_every_key_of_keepalived() -> Outcome {
    let (ours, theirs) = (our_json(), their_json()?);
    let missing: Vec<String> = keys(&theirs).difference(&keys(&ours)).cloned().collect();
    // Routes and rules are ipvsd's affair.
    assert!(missing.iter().all(|key| key == "vroutes" || key == "vrules"), "{missing:?} of {theirs}");
    assert!(keys(&theirs).len() > 40, "{theirs}");
    assert!(!ours.contains("1234"), "no password");
    Ok(())
}
