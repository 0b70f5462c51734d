//! A reload of ours ends where Debian's keepalived begins with the new configuration: the same services, destinations, thresholds, daemons
//! and timeouts. (Its own reload is no measure: 2.2.7 leaves addresses of groups behind, sorry servers, a sync daemon.)
//!
//! `tests/conf/ipvs_reloads` has rows of configurations, one in the place of the other. All rows take their steps together, each with
//! addresses, marks and groups of its own, so that one start of ours is enough.

use super::same::{Pair, load_schedulers, state};
use std::time::Duration;
use tests::daemon::{Daemon, Program};
use tests::failure::{Context, Failure, Outcome, wait_for};
use tests::lan::Host;

/// Longest time until both are the same after a step.
const SETTLED: Duration = Duration::from_secs(60);

/// How long they must then stay so: every check has been made.
const STABLE: Duration = Duration::from_secs(4);

const ROWS: &str = include_str!("../../conf/ipvs_reloads");

/// A check that fails at once.
const DEAD: &str =
    "TCP_CHECK {\nconnect_ip 127.0.0.1\nconnect_port 9\nconnect_timeout 1\nretry 0\nwarmup 0\ndelay_loop 1\n}";

/// The configurations of all rows together, step by step; a row that has come to its end stays there.
fn steps() -> Vec<String> {
    let rows = ROWS.split("\n== ").skip(1).filter_map(|row| row.split_once('\n'));
    let rows: Vec<Vec<&str>> = rows.map(|(_, steps)| steps.split("\n--\n").collect()).collect();
    let most = rows.iter().map(Vec::len).max().unwrap_or_default();
    let all = |n: usize| {
        let each = rows.iter().enumerate();
        each.map(|(row, steps)| expanded(row, steps[n.min(steps.len() - 1)])).collect::<String>()
    };
    (0..most).map(|n| format!("global_defs {{\nrouter_id test\n}}\n{}", all(n))).collect()
}

/// `V KEY: A; B` opens a virtual server (TCP, rr, DR if it says nothing else), `R ADDRESS PORT: A; B` is a real server of it, `DEAD` in that
/// a check that fails; everything else stands for itself, with `;` for the end of a line. Addresses 10.9.0.* and fd00::*, groups `G*` and
/// marks `fwmark 0*` become those of the row.
fn expanded(row: usize, text: &str) -> String {
    let (mut config, mut end) = (String::new(), "");
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (head, rest) = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, ""))).unwrap_or((line, ""));
        let lines = |text: &str| text.split(';').map(|part| format!("{}\n", part.trim())).collect::<String>();
        if let Some(key) = head.strip_prefix("V ") {
            config += &format!("{end}virtual_server {key} {{\n");
            for (word, default) in [("protocol", "TCP"), ("lvs_sched", "rr"), ("lvs_method", "DR")] {
                if !rest.split(';').any(|part| part.trim().starts_with(word)) {
                    config += &format!("{word} {default}\n");
                }
            }
            config += &lines(rest);
            end = "}\n";
        } else if let Some(at) = head.strip_prefix("R ") {
            config += &format!("real_server {at} {{\n{}}}\n", lines(rest).replace("DEAD", DEAD));
        } else {
            config += std::mem::take(&mut end);
            config += &lines(line);
        }
    }
    config += end;
    config
        .replace("10.9.0.", &format!("10.9.{}.", row + 1))
        .replace("fd00::", &format!("fd00:{}::", row + 1))
        .replace("group G", &format!("group ROW{row}_"))
        .replace("fwmark 0", &format!("fwmark {}", row + 1))
        .replace("virtual_server_group G", &format!("virtual_server_group ROW{row}_"))
}

/// Everything there is; the order of destinations is that in which they came, which differs.
fn table(host: &Host) -> Outcome<String> {
    let text = state(host)?;
    let mut services: Vec<Vec<&str>> = vec![Vec::new()];
    for line in text.lines() {
        match services.last_mut() {
            Some(service) if line.starts_with("-a ") => service.push(line),
            _ => services.push(vec![line]),
        }
    }
    for service in &mut services {
        service.sort_unstable();
    }
    Ok(services.concat().join("\n") + "\n")
}

/// What one side has and the other has not.
fn difference(theirs: &str, ours: &str) -> String {
    let only = |a: &str, b: &str, mark: &str| {
        let lines = a.lines().filter(|line| !b.lines().any(|other| other == *line));
        lines.map(|line| format!("{mark} {line}\n")).collect::<String>()
    };
    only(theirs, ours, "theirs:") + &only(ours, theirs, "ours:  ")
}

#[test]
fn a_reload_ends_where_a_start_does() -> Outcome {
    load_schedulers()?;
    let (pair, steps) = (Pair::new()?, steps());
    assert!(steps.len() >= 4, "{} steps", steps.len());
    let mut ours = Daemon::start(Program::Holdfast, &pair.ours.1, steps.first().context(|| "no step".into())?)?;
    for (n, config) in steps.iter().enumerate() {
        let mut theirs = Daemon::start(Program::Keepalived, &pair.theirs.1, config)?;
        if n > 0 {
            ours.wait_log("Startup complete", SETTLED)?;
            ours.reload(config)?;
        }
        let look = || -> Outcome<_> { Ok((table(&pair.theirs.1)?, table(&pair.ours.1)?)) };
        let mut last = look()?;
        let same = wait_for("both are the same", SETTLED, || {
            last = look()?;
            if last.0 != last.1 || !last.0.contains("-a ") {
                return Ok(None);
            }
            std::thread::sleep(STABLE);
            last = look()?;
            Ok((last.0 == last.1).then_some(()))
        });
        same.map_err(|failure| {
            let difference = difference(&last.0, &last.1);
            let logs = format!("their log:\n{}our log:\n{}", theirs.log(), ours.log());
            Failure::new(format!("step {n}: {failure}\n{difference}\n{config}\n{logs}"))
        })?;
        eprintln!("step {n}: {} lines are the same", last.0.lines().count());
        assert!(theirs.terminate()?.success());
    }
    assert!(ours.terminate()?.success());
    assert_eq!(table(&pair.ours.1)?, "Timeout (tcp tcpfin udp): 900 120 300\n");
    Ok(())
}
