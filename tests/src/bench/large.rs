//! Many virtual routers, two daemons of the same kind: what their stop, their crash and a reload cost the service, and what they cost the
//! machine.

use super::cost::{memory, processor};
use crate::capture::Capture;
use crate::daemon::{Daemon, Program};
use crate::failure::{Context, Outcome, wait_until};
use crate::lan::{Host, INTERFACE, Lan};
use crate::pair::with_log;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// How many virtual routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How many links, at most ten.
    pub links: u8,
    /// Virtual routers of each.
    pub routers: u8,
}

impl Size {
    /// As many as a link can have.
    pub const LINK: Size = Size { links: 1, routers: 255 };

    /// A thousand.
    pub const THOUSAND: Size = Size { links: 4, routers: 250 };

    fn count(self) -> usize {
        usize::from(self.links) * usize::from(self.routers)
    }
}

/// Priorities of the two.
const PRIORITIES: [u8; 2] = [150, 100];

/// How long something may take before it counts as failed.
const LIMIT: Duration = Duration::from_secs(30);

/// How long CPU time is counted.
const WATCHED: Duration = Duration::from_secs(20);

/// What was found of one daemon.
#[derive(Clone, Debug)]
pub struct Large {
    /// Whose.
    pub program: Program,
    /// Planned stop: from the end of the skew time to the first advert of the other, ms, sorted.
    pub stop: Vec<f64>,
    /// Crash: the same from the end of the Master_Down_Interval.
    pub crash: Vec<f64>,
    /// CPU time of all its processes as master of all, seconds a minute.
    pub cpu: f64,
    /// Proportional memory of all its processes, MiB.
    pub memory: f64,
    /// Largest gap between two adverts of one virtual router while it reloads with one changed, in intervals.
    pub gap: f64,
    /// CPU time of that reload, seconds, without what it takes at rest.
    pub reload: f64,
}

/// A virtual router: link, number.
type Key = (usize, u8);

struct Stage {
    program: Program,
    size: Size,
    wires: Vec<Capture>,
    hosts: [Host; 2],
    _lans: Vec<Lan>,
}

impl Stage {
    fn new(program: Program, size: Size) -> Outcome<Stage> {
        let lans = (0..size.links).map(|_| Lan::new()).collect::<Outcome<Vec<Lan>>>()?;
        let first = lans.first().context(|| "no link".into())?;
        let hosts = [first.host("a", "10.90.0.1/24")?, first.host("b", "10.90.0.2/24")?];
        for (n, lan) in lans.iter().enumerate().skip(1) {
            for (last, host) in (1..).zip(&hosts) {
                lan.second(host, &interface(n))?;
                host.netns.ip(&format!("addr add 10.{}.0.{last}/24 dev {}", 90 + n, interface(n)))?;
            }
        }
        let wires = lans.iter().map(Lan::capture).collect::<Outcome<_>>()?;
        Ok(Stage { program, size, wires, hosts, _lans: lans })
    }

    /// Starts the daemon of host `which`.
    fn start(&self, which: usize) -> Outcome<Daemon> {
        let config = config(self.size, PRIORITIES[which], 0);
        Daemon::start_with(self.program, &self.hosts[which], &config, &["--no-syslog"])
    }

    /// Adverts of a host since the recording was last cleared: when, with which priority.
    fn adverts(&self, which: usize) -> BTreeMap<Key, Vec<(SystemTime, u8)>> {
        let mut all: BTreeMap<Key, Vec<(SystemTime, u8)>> = BTreeMap::new();
        for (n, wire) in self.wires.iter().enumerate() {
            let source = IpAddr::from([10, 90 + n as u8, 0, which as u8 + 1]);
            for (frame, advert) in wire.adverts().into_iter().filter(|(_, advert)| advert.source == source) {
                all.entry((n, advert.vrid)).or_default().push((frame.at, advert.priority));
            }
        }
        all
    }

    fn clear(&self) {
        self.wires.iter().for_each(Capture::clear);
    }

    /// Waits until a host advertises every virtual router.
    fn wait_all(&self, which: usize, daemon: &Daemon) -> Outcome {
        let count = self.size.count();
        let mastered = || self.adverts(which).values().filter(|sent| sent.iter().any(|(_, p)| *p > 0)).count();
        wait_until(&format!("{count} virtual routers have a master"), LIMIT, || Ok(mastered() == count))
            .map_err(|failure| with_log(&failure, daemon))
    }

    /// How late the second host was, when each was due `wait` after the last advert of the first.
    fn late(&self, wait: Duration) -> Vec<f64> {
        let (first, second) = (self.adverts(0), self.adverts(1));
        let one = |(key, sent): (&Key, &Vec<(SystemTime, u8)>)| {
            let due = sent.last()?.0 + wait;
            let taken = second.get(key)?.iter().find(|(at, _)| *at > sent.last().map_or(*at, |last| last.0))?.0;
            Some(match taken.duration_since(due) {
                Ok(late) => late.as_secs_f64() * 1e3,
                Err(early) => -early.duration().as_secs_f64() * 1e3,
            })
        };
        let mut late: Vec<f64> = first.iter().filter_map(one).collect();
        late.sort_by(f64::total_cmp);
        late
    }
}

/// Measures one daemon; about two minutes.
pub fn measure(program: Program, size: Size) -> Outcome<Large> {
    let stage = Stage::new(program, size)?;
    let skew = Duration::from_secs(1) * (256 - u32::from(PRIORITIES[1])) / 256;
    let backup = stage.start(1)?;
    let mut first = stage.start(0)?;
    stage.wait_all(0, &first)?;
    // Announcements of the beginning are over.
    std::thread::sleep(Duration::from_secs(8));

    stage.wires.iter().for_each(Capture::pause);
    let before = processor(&first)?.as_secs_f64();
    std::thread::sleep(WATCHED);
    let at_rest = (processor(&first)?.as_secs_f64() - before) / WATCHED.as_secs_f64();
    let memory = memory(&first)? as f64 / 1024.0;
    stage.wires.iter().for_each(Capture::resume);

    stage.clear();
    std::thread::sleep(Duration::from_secs(2));
    let before = processor(&first)?.as_secs_f64();
    first.reload(&config(size, PRIORITIES[0], 1))?;
    std::thread::sleep(Duration::from_secs(8));
    let reload = processor(&first)?.as_secs_f64() - before - at_rest * 8.0;
    let gap = stage.adverts(0).values().map(|sent| widest(sent)).fold(0.0, f64::max);

    stage.clear();
    std::thread::sleep(Duration::from_millis(1500));
    first.terminate()?;
    stage.wait_all(1, &backup)?;
    let stop = stage.late(skew);

    let mut first = stage.start(0)?;
    stage.clear();
    stage.wait_all(0, &first)?;
    std::thread::sleep(Duration::from_secs(8));
    stage.clear();
    std::thread::sleep(Duration::from_millis(1500));
    first.kill_all()?;
    std::thread::sleep(Duration::from_secs(5));
    stage.wait_all(1, &backup)?;
    let crash = stage.late(Duration::from_secs(3) + skew);
    Ok(Large { program, stop, crash, cpu: at_rest * 60.0, memory, gap, reload })
}

/// What is to be reached.
enum Goal {
    /// No more than this.
    Most(f64),
    /// No more than so many times keepalived's.
    Times(f64),
}

type Row = (&'static str, fn(&Large) -> f64, Option<Goal>);

const ROWS: [Row; 8] = [
    ("planned stop: first advert past the skew time, p50, ms", |one| percentile(&one.stop, 50), None),
    ("the same, p99, ms", |one| percentile(&one.stop, 99), Some(Goal::Most(12.0))),
    ("crash: first advert past Master_Down_Interval, p50, ms", |one| percentile(&one.crash, 50), None),
    ("the same, p99, ms", |one| percentile(&one.crash, 99), Some(Goal::Most(20.0))),
    ("CPU of the master of all, seconds a minute", |one| one.cpu, Some(Goal::Times(0.5))),
    ("memory of all its processes (PSS), MiB", |one| one.memory, Some(Goal::Most(16.0))),
    ("reload with one changed: largest advert gap, intervals", |one| one.gap, Some(Goal::Times(1.0))),
    ("the same: CPU, seconds", |one| one.reload, Some(Goal::Times(1.0))),
];

/// Prints what was found side by side; whether everything that is to be reached is.
pub fn print(size: Size, found: &[Large]) -> bool {
    println!("\n{} instances over {} link(s), advert_int 1, two daemons", size.count(), size.links);
    let names: Vec<String> = found.iter().map(|one| format!("{:?}", one.program)).collect();
    println!("{:<58}{}", "", names.iter().map(|name| format!("{name:>14}")).collect::<String>());
    let mut reached = true;
    for (what, of, goal) in ROWS {
        let figures: Vec<f64> = found.iter().map(of).collect();
        let limit = match (goal, figures.as_slice()) {
            (Some(Goal::Most(most)), _) => Some(most),
            (Some(Goal::Times(times)), [_, theirs]) => Some(times * theirs),
            (Some(Goal::Times(_)) | None, _) => None,
        };
        let ours =
            found.iter().zip(&figures).find(|(one, _)| one.program == Program::Holdfast).map(|(_, figure)| *figure);
        let verdict = match (limit, ours) {
            (Some(limit), Some(ours)) if ours <= limit => format!("   at most {limit:.2}: reached"),
            (Some(limit), Some(_)) => {
                reached = false;
                format!("   at most {limit:.2}: MISSED")
            }
            _ => String::new(),
        };
        println!("{what:<58}{}{verdict}", figures.iter().map(|figure| format!("{figure:>14.2}")).collect::<String>());
    }
    reached
}

fn percentile(sorted: &[f64], n: usize) -> f64 {
    sorted.get((sorted.len() * n).div_ceil(100).max(1) - 1).copied().unwrap_or(f64::NAN)
}

/// The largest gap, in intervals of a second.
fn widest(sent: &[(SystemTime, u8)]) -> f64 {
    let gap = |pair: &[(SystemTime, u8)]| pair[1].0.duration_since(pair[0].0).unwrap_or_default().as_secs_f64();
    sent.windows(2).map(gap).fold(0.0, f64::max)
}

fn interface(link: usize) -> String {
    if link == 0 { INTERFACE.to_owned() } else { format!("ens{}", 33 + link) }
}

/// All virtual routers; `more` addresses more for the first one.
fn config(size: Size, priority: u8, more: u8) -> String {
    let mut text = String::new();
    for link in 0..usize::from(size.links) {
        for vrid in 1..=size.routers {
            let extra = if (link, vrid) == (0, 1) && more > 0 { "\n        10.110.0.1/32" } else { "" };
            // Writing to a String does not fail.
            let _ = write!(
                text,
                "vrrp_instance V{link}_{vrid} {{\n    state BACKUP\n    interface {}\n    virtual_router_id {vrid}\n    \
                 priority {priority}\n    advert_int 1\n    virtual_ipaddress {{\n        10.{}.0.{vrid}/32{extra}\n    }}\n}}\n",
                interface(link),
                100 + link
            );
        }
    }
    text
}
