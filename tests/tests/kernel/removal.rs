//! `vrrp_on_external_removal backup`: another program removes an address, a route or a rule of a master, beside keepalived.

use std::time::Duration;
use tests::alone::{Alone, SOON};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};

const CONFIG: &str = "global_defs {\n WORD\n vrrp_version 3\n}\nvrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n\
    vrrp_instance VI_1 {\n state MASTER\n interface ens33\n virtual_router_id 7\n priority 200\n advert_int 0.1\n virtual_ipaddress {\n \
    10.7.0.1/24\n }\n virtual_routes {\n 10.77.0.0/16 dev ens33\n 10.78.0.0/16 dev ens33 no_track\n }\n virtual_rules {\n from 10.7.0.1/32 \
    table 77 priority 770\n }\n}\n\
    vrrp_instance VI_2 {\n state MASTER\n interface ens33\n virtual_router_id 8\n priority 200\n advert_int 0.1\n virtual_ipaddress {\n \
    10.8.0.1/24\n }\n}\n";

/// What is removed, and what of it is looked for.
const REMOVALS: [(&str, &str, &str); 4] = [
    ("addr del 10.7.0.1/24 dev ens33", "-o addr show dev ens33", "10.7.0.1/24"),
    ("route del 10.77.0.0/16", "route show", "10.77.0.0/16 dev ens33"),
    ("rule del priority 770", "rule show", "770: from 10.7.0.1 lookup 77"),
    ("addr del 10.8.0.1/24 dev ens33", "-o addr show dev ens33", "10.8.0.1/24"),
];

/// Priorities of the adverts of each of the two after a moment, runs of equal ones once.
fn said(alone: &Alone) -> [Vec<u8>; 2] {
    [7, 8].map(|vrid| {
        let adverts = alone.wire.adverts().into_iter().map(|(_, advert)| advert).filter(|advert| advert.vrid == vrid);
        let mut priorities: Vec<u8> = adverts.map(|advert| advert.priority).collect();
        priorities.dedup();
        // One more may have been on its way.
        if priorities.starts_with(&[200, 0]) {
            priorities.remove(0);
        }
        priorities
    })
}

/// After each removal: what was on the wire, and which states the log tells.
fn story(program: Program, word: &str) -> Outcome<Vec<String>> {
    let alone = Alone::new()?;
    let config = CONFIG.replace("WORD", word);
    let mut daemon = Daemon::start(program, &alone.host, &config)?;
    let there = |show: &str, line: &str| Ok(alone.lines(show)?.iter().any(|l| l.contains(line)));
    wait_until("everything is there", SOON, || {
        Ok(there(REMOVALS[2].1, REMOVALS[2].2)? && there(REMOVALS[3].1, REMOVALS[3].2)?)
    })?;
    let mut told = Vec::new();
    for (removal, show, line) in REMOVALS {
        std::thread::sleep(Duration::from_millis(500));
        let before = daemon.log().len();
        alone.wire.clear();
        alone.host.netns.ip(removal)?;
        std::thread::sleep(Duration::from_millis(300));
        wait_until(&format!("{line} is there again"), SOON, || there(show, line))?;
        wait_until("all of it", SOON, || {
            Ok(there(REMOVALS[0].1, "10.7.0.1/24")? && there(REMOVALS[0].1, "10.8.0.1/24")?)
        })?;
        std::thread::sleep(Duration::from_millis(500));
        let log = daemon.log();
        let states = log.get(before..).unwrap_or_default().lines().filter_map(|line| line.split_once(") Entering "));
        let mut states: Vec<String> =
            states.map(|(who, state)| format!("{} {state}", who.rsplit('(').next().unwrap_or_default())).collect();
        // Who of the two is first is another thing each time.
        states.sort();
        told.push(format!("{removal}: {:?} {states:?}", said(&alone)));
    }
    daemon.terminate()?;
    Ok(told)
}

#[test]
fn what_another_program_removes_costs_the_mastership_where_that_is_wanted_as_with_keepalived() -> Outcome {
    let theirs = story(Program::Keepalived, "")?;
    let ours = story(Program::Holdfast, "vrrp_on_external_removal backup")?;
    assert_eq!(ours, theirs);
    assert!(theirs[0].starts_with("addr del 10.7.0.1/24 dev ens33: [[0, 200], [0, 200]]"), "{theirs:#?}");
    for line in story(Program::Holdfast, "vrrp_on_external_removal restore")? {
        assert!(line.ends_with(": [[200], [200]] []"), "nobody notices: {line}");
    }
    Ok(())
}
