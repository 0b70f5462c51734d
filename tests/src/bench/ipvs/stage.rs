//! A machine with a daemon, from its start to its end.

use super::checked::{Checked, PORT};
use super::kernel::{self, Kernel, Wanted};
use super::least::{self, Least};
use crate::bench::cost::{Messages, idle, idle_between, memory, processor};
use crate::daemon::{Daemon, Program};
use crate::failure::{Failure, Outcome};
use crate::lan::{Host, Lan};
use ipc::config::ipvs::{Protocol, ServiceKey};
use nix::sys::signal::Signal;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Real servers of one virtual server.
pub const EACH: u32 = 10;

/// Longest time for one phase: a start of 10,000 on an emulated machine that has better things to do.
const LIMIT: Duration = Duration::from_secs(120);

/// A daemon that uses less than a twentieth of the processor for so long is at rest: checks go on all the time.
const QUIET: Duration = Duration::from_secs(2);

/// How often the kernel is asked.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What start, reloads and end have cost.
#[derive(Clone, Copy, Debug)]
pub struct Changes {
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
}

/// What checks cost, and how good they are.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    /// Processor time of 1,000 checks.
    pub processor: Duration,
    /// How many a second there were.
    pub rate: f64,
    /// How much later than `delay_loop` the next check of a server came: 99th percentile.
    pub late: Duration,
    /// The part of the machine's time in which it had nothing to do: lateness on a machine that has none is the machine's.
    pub idle: f64,
}

/// The machine. Make another for every daemon: the kernel remembers the destinations that a namespace has had for two minutes, and goes
/// through all of them for each new one.
pub struct Stage {
    host: Host,
    kernel: Kernel,
    checked: Checked,
    _lan: Lan,
}

fn config(reals: u32, weight: u32, delay_loop: u32) -> String {
    let mut text = String::from("global_defs {\n    router_id bench\n}\n");
    for n in 0..reals {
        if n % EACH == 0 {
            let _ = write!(
                text,
                "virtual_server {} 80 {{\n    delay_loop {delay_loop}\n    lvs_sched wrr\n    lvs_method NAT\n    protocol TCP\n",
                address(10, 128, n / EACH)
            );
        }
        let _ = write!(
            text,
            "    real_server {} {PORT} {{\n        weight {weight}\n        TCP_CHECK {{\n            connect_timeout 3\n        }}\n    }}\n",
            address(10, 64, n)
        );
        if n % EACH == EACH - 1 {
            text.push_str("}\n");
        }
    }
    text
}

/// The `n`th of a range.
pub(super) fn address(a: u8, b: u8, n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from_be_bytes([a, b, 0, 0]) + (n / 250) * 256 + n % 250 + 1)
}

/// The last virtual server.
fn last_of(reals: u32) -> ServiceKey {
    let addr = address(10, 128, (reals - 1) / EACH).into();
    ServiceKey::Addr { addr, port: 80, protocol: Protocol::Tcp }
}

impl Stage {
    /// Makes it.
    pub fn new() -> Outcome<Stage> {
        let lan = Lan::new()?;
        let host = lan.host("bench", "10.9.0.100/24")?;
        crate::netns::run(host.netns.command("ipvsadm").arg("-Ln"))?;
        let kernel = Kernel::open(&host.netns)?;
        let checked = Checked::start(&host.netns)?;
        Ok(Stage { host, kernel, checked, _lan: lan })
    }

    /// Starts it and ends it once with a few real servers: its programs are in memory then, as they are on a machine where it was
    /// installed or checked just before.
    pub fn warm(&self, program: Program) -> Outcome {
        let mut daemon = Daemon::start_directly(program, &self.host, &config(EACH, 1, 3600))?;
        self.until("a first start", Instant::now(), &daemon, EACH, 1)?;
        daemon.signal(Signal::SIGTERM);
        self.stopped(Instant::now(), EACH, &mut daemon)?;
        self.empty()
    }

    /// Runs a daemon through start, a reload of the same, a reload of every weight, and the end.
    pub fn changes(&self, program: Program, reals: u32) -> Outcome<Changes> {
        let text = config(reals, 1, 3600);
        let other = config(reals, 2, 3600);
        let began = Instant::now();
        let mut daemon = Daemon::start_directly(program, &self.host, &text)?;
        let start = self.until("start", began, &daemon, reals, 1)?;
        settled(&daemon)?;
        let memory = memory(&daemon)?;
        let counted = Messages::start(&self.host.netns)?;
        let before = processor(&daemon)?;
        daemon.reload(&text)?;
        settled(&daemon)?;
        let (messages, used) = (counted.count(), processor(&daemon)?.saturating_sub(before));
        drop(counted);
        self.host.netns.ip("link set messages down")?;
        let began = Instant::now();
        daemon.reload(&other)?;
        let weights = self.until("weights", began, &daemon, reals, 2)?;
        settled(&daemon)?;
        let began = Instant::now();
        daemon.signal(Signal::SIGTERM);
        let (stop, left) = self.stopped(began, reals, &mut daemon)?;
        drop(daemon);
        // Linux 6.1 counts the services of all namespaces to find where the next read of its list goes on: what one daemon leaves would hide
        // those of the next.
        self.empty()?;
        Ok(Changes { start, memory, messages, processor: used, weights, stop, left })
    }

    /// What the kernel alone costs.
    pub fn least(&self, reals: u32) -> Outcome<Least> {
        least::measure(&self.host.netns, &self.kernel, reals)
    }

    /// Checks for a while.
    pub fn checks(&self, program: Program, reals: u32, rate: u32) -> Outcome<Checks> {
        let all = usize::try_from(reals)?;
        let delay_loop = (reals / rate).max(1);
        let daemon = Daemon::start_directly(program, &self.host, &config(reals, 1, delay_loop))?;
        self.until("start before the checks", Instant::now(), &daemon, reals, 1)?;
        // Every server was checked once.
        std::thread::sleep(Duration::from_secs(u64::from(delay_loop) * 2 + 2));
        self.checked.clear();
        let (began, before, idle) = (Instant::now(), processor(&daemon)?, idle());
        let mut intervals = Vec::new();
        // On a machine that is too slow for the rate it lasts until each was checked twice, about.
        while intervals.len() < all && began.elapsed() < LIMIT {
            std::thread::sleep(Duration::from_secs(u64::from(delay_loop) * 5));
            intervals.append(&mut self.checked.intervals());
        }
        let (took, used) = (began.elapsed(), processor(&daemon)?.saturating_sub(before));
        let count = f64::from(self.checked.connections());
        let idle = idle_between(idle, crate::bench::cost::idle());
        if intervals.is_empty() {
            return Err(Failure::new(format!("nothing was checked twice; its log ends with:\n{}", end_of(&daemon))));
        }
        intervals.sort_unstable();
        let late = intervals[(intervals.len() * 99).div_ceil(100) - 1];
        let late = late.saturating_sub(Duration::from_secs(u64::from(delay_loop)));
        drop(daemon);
        self.empty()?;
        Ok(Checks { processor: used.div_f64(count / 1000.0), rate: count / took.as_secs_f64(), late, idle })
    }

    /// Empties the table.
    fn empty(&self) -> Outcome {
        crate::netns::run(self.host.netns.command("ipvsadm").arg("-C")).map(drop)
    }

    /// How long the end takes, and what is left then: keepalived kills its own process that removes the destinations when that takes
    /// longer than 5 s.
    fn stopped(&self, began: Instant, reals: u32, daemon: &mut Daemon) -> Outcome<(Duration, usize)> {
        let nothing = Wanted { count: 0, weight: 0 };
        loop {
            let (now, ended) = (began.elapsed(), daemon.wait_end(Duration::ZERO).is_ok());
            if self.kernel.is(&self.host.netns, &last_of(reals), nothing)? {
                return Ok((now, 0));
            }
            if ended {
                return Ok((now, kernel::weights(&self.host.netns)?.len()));
            }
            if now > LIMIT {
                return Err(Failure::new(format!("it does not end; its log:\n{}", daemon.log())));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until all destinations are in the kernel with this weight; says how long after `began`.
    fn until(&self, phase: &str, began: Instant, daemon: &Daemon, reals: u32, weight: u32) -> Outcome<Duration> {
        let wanted = Wanted { count: usize::try_from(reals)?, weight };
        let last = last_of(reals);
        while began.elapsed() < LIMIT {
            // Seen no later than now.
            let now = began.elapsed();
            if self.kernel.is(&self.host.netns, &last, wanted)? {
                return Ok(now);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let weights = kernel::weights(&self.host.netns)?;
        let good = weights.iter().filter(|w| **w == weight).count();
        let there = format!("{} destinations, {good} of them of weight {weight}", weights.len());
        let end = end_of(daemon);
        Err(Failure::new(format!("{phase}: not within {LIMIT:?}, {there}; its log ends with:\n{end}")))
    }
}

/// Waits until the daemon does hardly anything any more.
fn settled(daemon: &Daemon) -> Outcome {
    let began = Instant::now();
    // Holdfast gives back what a change has used two seconds later.
    std::thread::sleep(Duration::from_secs(1));
    while began.elapsed() < LIMIT {
        let before = processor(daemon)?;
        std::thread::sleep(QUIET);
        if processor(daemon)?.saturating_sub(before) <= QUIET / 20 {
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
