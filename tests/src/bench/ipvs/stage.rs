//! A machine with a daemon, from its start to its end.

use super::checked::{Checked, PORT};
use super::cost::{Messages, memory, processor};
use crate::daemon::{Daemon, Program};
use crate::failure::{Failure, Outcome};
use crate::lan::{Host, Lan};
use nix::sys::signal::Signal;
use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

/// Real servers of one virtual server.
const EACH: u32 = 10;

/// Longest time for one phase: a start of 10,000 on an emulated machine that has better things to do.
const LIMIT: Duration = Duration::from_secs(120);

/// A daemon that uses less than a twentieth of the processor for so long is at rest: checks go on all the time.
const QUIET: Duration = Duration::from_secs(2);

/// What was measured with one daemon and one number of real servers.
#[derive(Clone, Debug)]
pub struct Run {
    /// Whose.
    pub program: Program,
    /// Real servers.
    pub reals: u32,
    /// From the start of the process until all destinations are in the kernel.
    pub start: Duration,
    /// Proportional memory of all processes then, kB.
    pub memory: u64,
    /// Generic netlink messages of a reload that changes nothing.
    pub messages: u64,
    /// Processor time of that.
    pub processor: Duration,
    /// From SIGHUP until every weight in the kernel is another one.
    pub weights: Duration,
    /// From SIGTERM until the table is empty, or until the daemon has ended and has left something.
    pub stop: Duration,
    /// Destinations that it has left.
    pub left: usize,
    /// Processor time of 1,000 checks.
    pub checks: Duration,
    /// How many checks a second there were.
    pub rate: f64,
    /// How much later than `delay_loop` the next check of a server came: 99th percentile.
    pub late: Duration,
}

/// The machine.
pub struct Stage {
    host: Host,
    checked: Checked,
    _lan: Lan,
}

fn config(reals: u32, weight: u32, delay_loop: u32) -> String {
    let mut text = String::from("global_defs {\n    router_id bench\n}\n");
    for n in 0..reals {
        if n % EACH == 0 {
            let v = n / EACH;
            let _ = write!(
                text,
                "virtual_server 10.128.{}.{} 80 {{\n    delay_loop {delay_loop}\n    lvs_sched wrr\n    lvs_method NAT\n    protocol TCP\n",
                v / 250,
                v % 250 + 1
            );
        }
        let _ = write!(
            text,
            "    real_server 10.64.{}.{} {PORT} {{\n        weight {weight}\n        TCP_CHECK {{\n            connect_timeout 3\n        }}\n    }}\n",
            n / 250,
            n % 250 + 1
        );
        if n % EACH == EACH - 1 {
            text.push_str("}\n");
        }
    }
    text
}

impl Stage {
    /// Makes it.
    pub fn new() -> Outcome<Stage> {
        let lan = Lan::new()?;
        let host = lan.host("bench", "10.9.0.100/24")?;
        crate::netns::run(host.netns.command("ipvsadm").arg("-Ln"))?;
        let checked = Checked::start(&host.netns)?;
        Ok(Stage { host, checked, _lan: lan })
    }

    /// Runs a daemon through everything.
    pub fn run(&self, program: Program, reals: u32, rate: u32) -> Outcome<Run> {
        let all = usize::try_from(reals)?;
        let text = config(reals, 1, 3600);
        self.warm(program)?;
        let began = Instant::now();
        let mut daemon = Daemon::start(program, &self.host, &text)?;
        let start = self.until("start", began, &daemon, |weights| weights.len() == all)?;
        settled(&daemon)?;
        let memory = memory(&daemon);
        let counted = Messages::start(&self.host.netns)?;
        let before = processor(&daemon);
        daemon.reload(&text)?;
        settled(&daemon)?;
        let (messages, used) = (counted.count(), processor(&daemon).saturating_sub(before));
        drop(counted);
        self.host.netns.ip("link set messages down")?;
        let began = Instant::now();
        daemon.reload(&config(reals, 2, 3600))?;
        let weights =
            self.until("weights", began, &daemon, |weights| weights.iter().filter(|w| **w == 2).count() == all)?;
        settled(&daemon)?;
        let began = Instant::now();
        daemon.signal(Signal::SIGTERM);
        let (stop, left) = self.stopped(began, &mut daemon)?;
        drop(daemon);
        // Linux 6.1 counts the services of all namespaces to find where the next read of its list goes on: what one daemon leaves would hide
        // those of the next.
        self.empty()?;
        let (checks, rate, late) = self.checks(program, reals, rate)?;
        self.empty()?;
        Ok(Run { program, reals, start, memory, messages, processor: used, weights, stop, left, checks, rate, late })
    }

    /// Checks for a while: processor time of 1,000, their rate, and how late they are.
    fn checks(&self, program: Program, reals: u32, rate: u32) -> Outcome<(Duration, f64, Duration)> {
        let all = usize::try_from(reals)?;
        let delay_loop = (reals / rate).max(1);
        let daemon = Daemon::start(program, &self.host, &config(reals, 1, delay_loop))?;
        self.until("start before the checks", Instant::now(), &daemon, |weights| weights.len() == all)?;
        // Every server was checked once.
        std::thread::sleep(Duration::from_secs(u64::from(delay_loop) * 2 + 2));
        self.checked.clear();
        let (began, before) = (Instant::now(), processor(&daemon));
        let mut intervals = Vec::new();
        // On a machine that is too slow for the rate it lasts until each was checked twice, about.
        while intervals.len() < all && began.elapsed() < LIMIT {
            std::thread::sleep(Duration::from_secs(u64::from(delay_loop) * 5));
            intervals.append(&mut self.checked.intervals());
        }
        let (took, used) = (began.elapsed(), processor(&daemon).saturating_sub(before));
        if intervals.is_empty() {
            return Err(Failure::new(format!("nothing was checked twice; its log ends with:\n{}", end_of(&daemon))));
        }
        intervals.sort_unstable();
        let late = intervals[(intervals.len() * 99).div_ceil(100) - 1];
        let late = late.saturating_sub(Duration::from_secs(u64::from(delay_loop)));
        let count = f64::from(u32::try_from(intervals.len())?);
        Ok((used.div_f64(count / 1000.0), count / took.as_secs_f64(), late))
    }

    /// Empties the table.
    fn empty(&self) -> Outcome {
        crate::netns::run(self.host.netns.command("ipvsadm").arg("-C")).map(drop)
    }

    /// Starts and ends it once with a few real servers: its programs are in memory then, as they are on a machine where it was installed
    /// or checked just before.
    fn warm(&self, program: Program) -> Outcome {
        let daemon = Daemon::start(program, &self.host, &config(EACH, 1, 3600))?;
        self.until("a first start", Instant::now(), &daemon, |weights| u32::try_from(weights.len()) == Ok(EACH))?;
        daemon.signal(Signal::SIGTERM);
        self.until("a first stop", Instant::now(), &daemon, <[u32]>::is_empty)?;
        Ok(())
    }

    /// How long the end takes, and what is left then: keepalived kills its own process that removes the destinations when that takes
    /// longer than 5 s.
    fn stopped(&self, began: Instant, daemon: &mut Daemon) -> Outcome<(Duration, usize)> {
        loop {
            let (now, ended) = (began.elapsed(), daemon.wait_end(Duration::ZERO).is_ok());
            let left = self.weights()?.len();
            if left == 0 || ended {
                return Ok((now, left));
            }
            if now > LIMIT {
                return Err(Failure::new(format!("it does not end; its log:\n{}", daemon.log())));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The weights of the destinations in the kernel.
    fn weights(&self) -> Outcome<Vec<u32>> {
        let text = self.host.netns.enter(|| fs::read_to_string("/proc/thread-self/net/ip_vs"))??;
        let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("->"));
        // Address, method, weight, connections.
        Ok(lines.filter_map(|line| line.split_whitespace().nth(2)?.parse().ok()).collect())
    }

    /// Waits until the weights of the destinations in the kernel are as they should be; says how long after `began`.
    fn until(&self, phase: &str, began: Instant, daemon: &Daemon, good: impl Fn(&[u32]) -> bool) -> Outcome<Duration> {
        let mut last = String::new();
        while began.elapsed() < LIMIT {
            // Seen no later than now.
            let now = began.elapsed();
            let weights = self.weights()?;
            if good(&weights) {
                return Ok(now);
            }
            let two = weights.iter().filter(|w| **w == 2).count();
            last = format!("{} destinations, {two} of them of weight 2", weights.len());
            std::thread::sleep(Duration::from_millis(50));
        }
        let end = end_of(daemon);
        Err(Failure::new(format!("{phase}: not within {LIMIT:?}, {last}; its log ends with:\n{}", end)))
    }
}

/// Waits until the daemon does hardly anything any more.
fn settled(daemon: &Daemon) -> Outcome {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        let before = processor(daemon);
        std::thread::sleep(QUIET);
        if processor(daemon).saturating_sub(before) <= QUIET / 20 {
            return Ok(());
        }
    }
    Err(Failure::new("it does not come to rest"))
}

/// The last telling lines of its log.
fn end_of(daemon: &Daemon) -> String {
    let log = daemon.log();
    let noise = ["success", "Activating", "Gained", "Shutting down service"];
    let telling = log.lines().rev().filter(|line| !noise.iter().any(|word| line.contains(word)));
    telling.take(30).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
}
