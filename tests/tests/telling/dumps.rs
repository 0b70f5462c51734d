//! What programs read in the dumps: one configuration with something of everything under keepalived and under Holdfast.

use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::time::Duration;
use tests::cleanup::Directory;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::{Context as _, Failure, Outcome, wait_until};
use tests::pair::{Pair, SOON, with_log};

/// Something of everything that a dump shows. keepalived 2.2.7 corrects none of it, and both are master of all of it.
const RICH: &str = include_str!("../../conf/dumps/rich.conf");

/// What may differ, by its place, and why.
const DIFFERENT: [(&str, &str); 4] = [
    ("/data/last_transition", "the time"),
    ("/data/auth_data", "keepalived writes the password down"),
    ("/data/higher_prio_send_advert", "on by default, so that the winner of a split brain announces again"),
    ("/stats/advert_sent", "the time"),
];

fn all_master(log: &str) -> bool {
    ["A", "B", "C"].iter().all(|name| log.contains(&format!("({name}) Entering MASTER STATE")))
}

/// The stage of one of them, and it on it as master.
fn started(program: Program) -> Outcome<(Pair, Daemon)> {
    let pair = Pair::with_ipv6()?;
    pair.lan.second(&pair.a, "ens34")?;
    for (setting, value) in [("accept_dad", "0"), ("disable_ipv6", "0")] {
        pair.a.netns.sysctl(&format!("ipv6/conf/ens34/{setting}"), value)?;
    }
    pair.a.netns.ip("addr add 10.98.0.1/24 dev ens34")?;
    let daemon = Daemon::start_dumping(program, &pair.a, RICH)?;
    wait_until("it is master of everything", Duration::from_secs(15), || Ok(all_master(&daemon.log())))
        .map_err(|failure| with_log(&failure, &daemon))?;
    std::thread::sleep(Duration::from_millis(500)); // the addresses are there
    Ok((pair, daemon))
}

/// keepalived says of an IPv6 route under which number of an interface it is, and means none.
fn same_words(theirs: &str, ours: &str) -> bool {
    theirs.strip_suffix(" [installed ifindex 0]").unwrap_or(theirs) == ours
}

/// What is missing or different in ours. An array is compared element by element.
fn compare(at: &str, theirs: &Value, ours: Option<&Value>, found: &mut Vec<String>) {
    if DIFFERENT.iter().any(|(place, _)| at.ends_with(place)) {
        if ours.is_none() {
            found.push(format!("{at}: is missing"));
        }
        return;
    }
    match (theirs, ours) {
        (_, None) => found.push(format!("{at}: is missing, theirs is {theirs}")),
        (Value::Object(theirs), Some(Value::Object(ours))) => {
            theirs.iter().for_each(|(key, value)| compare(&format!("{at}/{key}"), value, ours.get(key), found));
        }
        (Value::Array(theirs), Some(Value::Array(ours))) if theirs.len() == ours.len() => {
            let pairs = theirs.iter().zip(ours).enumerate();
            pairs.for_each(|(n, (theirs, ours))| compare(&format!("{at}/{n}"), theirs, Some(ours), found));
        }
        (Value::Number(theirs), Some(Value::Number(ours))) => {
            if theirs.as_f64() != ours.as_f64() || (theirs.is_u64() && !ours.is_u64()) {
                found.push(format!("{at}: {ours}, theirs is {theirs}"));
            }
        }
        (Value::String(theirs), Some(Value::String(ours))) if same_words(theirs, ours) => {}
        (theirs, Some(ours)) if theirs == ours => {}
        (theirs, Some(ours)) => found.push(format!("{at}: {ours}, theirs is {theirs}")),
    }
}

#[test]
fn the_json_has_every_key_and_value_of_keepalived() -> Outcome {
    let dump = |program: Program| -> Outcome<(Value, String)> {
        let (_pair, daemon) = started(program)?;
        let text = daemon.dumped("JSON", "keepalived.json")?;
        Ok((serde_json::from_str(&text).context(|| format!("not JSON: {text}"))?, text))
    };
    let (theirs, _) = dump(Program::Keepalived)?;
    let (ours, text) = dump(Program::Holdfast)?;
    let mut found = Vec::new();
    compare("", &theirs, Some(&ours), &mut found);
    assert!(!text.contains("secret"), "no password");
    if found.is_empty() { Ok(()) } else { Err(Failure::new(found.join("\n"))) }
}

/// The lines of an instance, a group, a script, a file and a process that keepalived has and we have not, by their beginnings.
fn missing_lines(theirs: &str, ours: &str) -> Vec<String> {
    const INSIDE: [&str; 14] = [
        "Flags:",
        "Send advert after receive higher",
        "Using unicast",
        "Number of ",
        "Num member ",
        "Read timeout",
        "Use VMAC, ",
        "Total priority",
        "fd_in ",
        "Password = ",
        "Timeout = ",
        "Insecure = ",
        "Init state = ",
        "Script uid:gid",
    ];
    const LATER: [&str; 6] =
        ["Result = ", "VRRP instances :", "State = idle", "File = ", "Unicast checksum", "Weight = "];
    // The end of a line differs where a time, an address that the kernel made or an account stands.
    let beginning = |line: &str| {
        let line = line.strip_suffix(" [installed ifindex 0]").unwrap_or(line);
        let ends = ["Last transition = ", "Using src_ip = fe80:", "Multicast address ff02::12"];
        ends.iter()
            .find(|end| line.trim().starts_with(*end))
            .map_or_else(|| line.split(", uid:gid").next().unwrap_or("").to_owned(), |end| format!("   {end}"))
    };
    let ours: Vec<String> = ours.lines().map(beginning).collect();
    let of_ours = |line: &str| INSIDE.iter().chain(&LATER).any(|known| line.trim().starts_with(known));
    let parts = theirs.split("------< ").filter(|part| {
        ["VRRP Topology", "VRRP Sync groups", "VRRP Scripts", "VRRP Track files", "VRRP Track processes"]
            .iter()
            .any(|name| part.starts_with(name))
    });
    let lines = parts.flat_map(|part| part.lines().skip(1));
    let lines = lines.filter(|line| !of_ours(line)).map(beginning);
    lines.filter(|line| !ours.contains(line)).collect()
}

/// What is left out is keepalived's own machinery, or known to another process than vrrpd.
#[test]
fn the_data_has_the_lines_of_keepalived_and_the_stats_are_the_same() -> Outcome {
    let dump = |program: Program| -> Outcome<(String, String)> {
        let (_pair, daemon) = started(program)?;
        Ok((daemon.dumped("DATA", "keepalived.data")?, daemon.dumped("STATS", "keepalived.stats")?))
    };
    let (their_data, their_stats) = dump(Program::Keepalived)?;
    let (our_data, our_stats) = dump(Program::Holdfast)?;
    let missing = missing_lines(&their_data, &our_data);
    assert!(missing.is_empty(), "{}\nare not in\n{our_data}", missing.join("\n"));
    let counted = |stats: &str| {
        let lines = stats.lines().map(|line| if line.starts_with("    Sent: ") { "    Sent:" } else { line });
        lines.map(str::to_owned).collect::<Vec<String>>()
    };
    assert_eq!(counted(&our_stats), counted(&their_stats));
    assert!(!our_data.contains("secret"), "no password");
    Ok(())
}

/// The file says where, and a link that somebody has put there is replaced, not followed. Whoever reads finds all of a dump or the one
/// before, however often one is asked for.
#[test]
fn dumps_go_where_the_file_says_and_are_whole() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let (json, stats, victim) = (directory.file("j"), directory.file("s"), directory.write("victim", "untouched")?);
    std::os::unix::fs::symlink(&victim, &json)?;
    let settings = format!(
        "global_defs {{\n    json_version 2\n    json_dump_file {}\n    stats_dump_file {}\n}}\n\
         bfd_instance silent {{\n    neighbor_ip 192.168.154.11\n    source_ip 192.168.154.10\n}}\n",
        json.display(),
        stats.display()
    );
    let conf = Vrrp::backup(100).line("track_bfd {\n        silent weight 1\n    }");
    let one = Daemon::start(Program::Holdfast, &pair.a, &format!("{settings}{conf}"))?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    let number = Signals::json()?;
    number.send(&one)?;
    let is_file = || Ok(fs::symlink_metadata(&json).is_ok_and(|meta| meta.is_file()));
    wait_until("the JSON is there", SOON, is_file).map_err(|failure| with_log(&failure, &one))?;
    assert_eq!(fs::read_to_string(&victim)?, "untouched");
    for round in 0..100 {
        if round % 5 == 0 {
            number.send(&one)?;
        }
        let text = fs::read_to_string(&json)?;
        let dump: Value = serde_json::from_str(&text).context(|| format!("not whole: {text:?}"))?;
        let state = dump.pointer("/bfd/0/state").and_then(Value::as_str);
        assert_eq!((dump["vrrp"][0]["data"]["iname"].as_str(), state), (Some("VI_1"), Some("Down")), "{text}");
    }
    one.signal(Signal::SIGUSR2);
    wait_until("the counters are there", SOON, || Ok(stats.is_file()))?;
    let left = fs::read_dir(directory.path())?.count();
    wait_until("nothing else is left there", SOON, || Ok(fs::read_dir(directory.path())?.count() == 3))
        .map_err(|failure| Failure::new(format!("{failure}: {left} files")))
}

/// `-d`: what SIGUSR1 writes, without being asked, once everything runs.
#[test]
fn a_start_with_d_dumps_once() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let state = directory.file("state.data");
    let conf = format!("global_defs {{\n    state_dump_file {}\n}}\n{}", state.display(), Vrrp::backup(100));
    let one = Daemon::start_with(Program::Holdfast, &pair.a, &conf, &["-d"])?;
    for name in ["state.data", "state_ipvs.data", "state_parent.data"] {
        let path = directory.file(name);
        wait_until(&format!("{name} is there"), SOON, || Ok(path.is_file())).map_err(|f| with_log(&f, &one))?;
    }
    let text = fs::read_to_string(&state)?;
    assert!(text.contains(" VRRP Instance = VI_1\n"), "{text}");
    pair.wait_master(&pair.a)?;
    assert_eq!(fs::read_to_string(&state)?, text, "once");
    Ok(())
}

/// The number of the JSON signal.
struct Signals(String);

impl Signals {
    fn json() -> Outcome<Self> {
        let mut command = Command::new(Program::Holdfast.executable()?);
        Ok(Signals(tests::netns::run(command.arg("--signum=JSON"))?.trim().to_owned()))
    }

    fn send(&self, daemon: &Daemon) -> Outcome {
        tests::netns::run(Command::new("kill").arg(format!("-{}", self.0)).arg(daemon.pid().to_string())).map(drop)
    }
}
