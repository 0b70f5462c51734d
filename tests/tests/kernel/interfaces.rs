//! Interfaces that come and go, are renamed, come back as another kind, and their source addresses: what the instances on them and the
//! addresses do, beside keepalived.

use std::time::{Duration, Instant};
use tests::alone::{Alone, SOON};
use tests::daemon::{Daemon, Program};
use tests::failure::Outcome;

/// VI_1 and VI_2 share their fate: VI_1 is on x0, VI_2 has an address on it. VI_3 tracks it with a weight.
fn config(more: &str) -> String {
    let instance = |name, interface, vrid, more: &str, addresses| {
        format!(
            "vrrp_instance {name} {{\n state MASTER\n interface {interface}\n virtual_router_id {vrid}\n priority 200\n advert_int 0.1\n\
             {more}\n virtual_ipaddress {{\n {addresses}\n }}\n}}\n"
        )
    };
    [
        "global_defs {\n dynamic_interfaces allow_if_changes\n vrrp_version 3\n}\n".to_owned(),
        "vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n".to_owned(),
        instance("VI_1", "x0", 7, more, "10.7.0.1/32"),
        instance("VI_2", "ens33", 8, "", "10.8.0.1/24\n 10.9.9.1/24 dev x0"),
        instance("VI_3", "ens33", 9, "track_interface {\n x0 weight -50\n }", "10.8.0.3/24"),
    ]
    .concat()
}

/// What is done to x0, in order, and what it is called.
const STEPS: [(&str, &[&str]); 9] = [
    (
        "it appears",
        &["link add x0 type veth peer name x1", "link set x1 up", "addr add 10.7.0.100/24 dev x0", "link set x0 up"],
    ),
    ("it is removed", &["link del x0"]),
    (
        "it is made again",
        &["link add x0 type veth peer name x1", "link set x1 up", "addr add 10.7.0.100/24 dev x0", "link set x0 up"],
    ),
    ("it is renamed", &["link set x0 down", "link set x0 name y0", "link set y0 up"]),
    ("it has its name back", &["link set y0 down", "link set y0 name x0", "link set x0 up"]),
    ("its address is removed", &["addr del 10.7.0.100/24 dev x0"]),
    ("its address is back", &["addr add 10.7.0.100/24 dev x0"]),
    ("it has another address", &["addr add 172.16.0.9/24 dev x0", "addr del 10.7.0.100/24 dev x0"]),
    (
        "it is a macvlan now",
        &[
            "link del x0",
            "link add x0 link ens33 type macvlan mode bridge",
            "addr add 10.7.0.100/24 dev x0",
            "link set x0 up",
        ],
    ),
];

/// The virtual addresses and where they are, as soon as that has not changed for a while.
fn settled(alone: &Alone) -> Outcome<Vec<String>> {
    let look = || -> Outcome<Vec<String>> {
        let lines = alone.lines("-o -4 addr show")?;
        let words = lines.iter().map(|line| line.split(' ').skip(1).take(3).collect::<Vec<_>>().join(" "));
        let mut there: Vec<String> = words
            .filter(|line| line.contains(".0.1/") || line.contains("10.8.0.3/") || line.contains("10.9.9.1/"))
            .collect();
        there.sort();
        Ok(there)
    };
    let (mut last, mut since, begin) = (look()?, Instant::now(), Instant::now());
    while since.elapsed() < Duration::from_millis(1200) && begin.elapsed() < SOON {
        std::thread::sleep(Duration::from_millis(50));
        let now = look()?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(last)
}

/// The last state of each instance in the log.
fn states(daemon: &Daemon) -> String {
    let log = daemon.log();
    let last = |name: &str| {
        let entering = format!("({name}) Entering ");
        // keepalived has other words for FAULT at the start.
        let at = log.lines().rev().find_map(|line| line.split_once(&entering)).map(|(_, rest)| rest);
        at.and_then(|rest| rest.split(' ').next()).unwrap_or("FAULT").to_owned()
    };
    ["VI_1", "VI_2", "VI_3"].map(last).join(" ")
}

fn story(program: Program, more: &str) -> Outcome<Vec<String>> {
    let alone = Alone::new()?;
    let mut daemon = Daemon::start(program, &alone.host, &config(more))?;
    daemon.wait_log("(VI_3) Entering MASTER STATE", SOON)?;
    let mut told = vec![format!("at the start: {} {:?}", states(&daemon), settled(&alone)?)];
    for (what, commands) in STEPS {
        for command in commands {
            alone.host.netns.ip(command)?;
        }
        let there = settled(&alone)?;
        told.push(format!("{what}: {} {there:?}", states(&daemon)));
    }
    daemon.terminate()?;
    told.push(format!("at the end: {:?}", settled(&alone)?));
    Ok(told)
}

#[test]
fn instances_follow_an_interface_that_changes_as_with_keepalived() -> Outcome {
    let theirs = story(Program::Keepalived, "")?;
    assert_eq!(story(Program::Holdfast, "")?, theirs);
    assert!(theirs[1].starts_with("it appears: MASTER MASTER MASTER"), "{theirs:#?}");
    Ok(())
}

#[test]
fn the_same_with_an_interface_made_on_it() -> Outcome {
    let theirs = story(Program::Keepalived, " use_vmac")?;
    assert_eq!(story(Program::Holdfast, " use_vmac")?, theirs);
    assert!(theirs[1].contains("vrrp.7 inet 10.7.0.1/32"), "{theirs:#?}");
    Ok(())
}
