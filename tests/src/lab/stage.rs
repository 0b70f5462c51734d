//! Who plays in the lab, and what both parts do with them.

use super::client::Client;
use super::follow::Follower;
use super::story::{Story, Teller};
use crate::capture::Capture;
use crate::daemon::{Daemon, Program};
use crate::failure::{Failure, Outcome, wait_until};
use crate::lan::{Host, INTERFACE, Lan};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

/// The virtual address of the seed configurations.
pub const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 154, 188);

/// Longest time for anything that should be quick; an emulated machine is slow.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Three advertisement intervals of 1 s and the skew time of priority 90 (RFC 3768 §6.1).
pub const MASTER_DOWN_INTERVAL: Duration = Duration::from_millis(3648);

/// What a director and the client add to a timer until the client is served again. An emulated machine that shares its
/// processors with a compiler has been seen to need 2 s.
fn reaction() -> Duration {
    let emulated = std::env::var_os("HOLDFAST_IN_VM").is_some();
    Duration::from_millis(if emulated { 5000 } else { 1500 })
}

/// A director: a host with its configuration and, mostly, a daemon.
#[derive(Debug)]
pub struct Director {
    /// The host.
    pub host: Host,
    config: String,
    running: Option<(Daemon, Follower)>,
}

impl Director {
    /// A host whose daemon is not started yet.
    pub fn new(host: Host, config: String) -> Self {
        Director { host, config, running: None }
    }

    /// Starts its daemon.
    pub fn start(&mut self, program: Program, teller: Teller) -> Outcome {
        teller.tell(&self.host.name, "starts");
        let daemon = Daemon::start(program, &self.host, &self.config)?;
        let follower = Follower::start(teller, &self.host.name, daemon.log_file());
        self.running = Some((daemon, follower));
        Ok(())
    }

    /// Its daemon.
    pub fn daemon(&mut self) -> Outcome<&mut Daemon> {
        match &mut self.running {
            Some((daemon, _)) => Ok(daemon),
            None => Err(Failure::new(format!("no daemon runs on {}", self.host.name))),
        }
    }

    /// SIGKILL to all of its processes; says how many there were.
    pub fn kill_all(&mut self) -> Outcome<usize> {
        let daemon = self.daemon()?;
        let count = daemon.processes().len();
        daemon.kill_all()?;
        self.running = None;
        Ok(count)
    }

    /// SIGTERM; then nothing of it may be left: processes, pid files, addresses, IPVS services.
    pub fn terminate(&mut self, teller: Teller) -> Outcome<String> {
        teller.tell(&self.host.name, "is sent SIGTERM");
        let sent = Instant::now();
        let daemon = self.daemon()?;
        let status = daemon.terminate()?;
        let took = sent.elapsed();
        let files = daemon.leftovers()?;
        self.running = None;
        if !status.success() {
            return Err(Failure::new(format!("{} ended with {status}", self.host.name)));
        }
        if !files.is_empty() {
            return Err(Failure::new(format!("{} left files: {}", self.host.name, files.join(" "))));
        }
        let addresses = self.host.addresses()?;
        if addresses != [format!("{}/24", self.host.address)] {
            return Err(Failure::new(format!("{} left addresses: {}", self.host.name, addresses.join(" "))));
        }
        let table = self.table();
        if !table.trim().is_empty() {
            return Err(Failure::new(format!("{} left IPVS entries: {table}", self.host.name)));
        }
        let pids = self.host.netns.pids()?.len();
        Ok(format!("ended in {:.1} s; 0 addresses, 0 IPVS entries, 0 files, {pids} other programs", took.as_secs_f64()))
    }

    /// Its IPVS table as `ipvsadm -Sn` prints it; empty where the kernel has none.
    pub fn table(&self) -> String {
        crate::netns::run(self.host.netns.command("ipvsadm").arg("-Sn")).unwrap_or_default()
    }
}

/// Everybody.
#[derive(Debug)]
pub struct Stage {
    /// Whose daemon the directors run.
    pub program: Program,
    /// The director that the configuration prefers.
    pub first: Director,
    /// The other one.
    pub second: Director,
    /// Asks the virtual address all the time.
    pub client: Client,
    /// Where the client lives.
    pub client_host: Host,
    /// Sees every frame.
    pub wire: Capture,
    /// Joins them; last, so that it goes last.
    pub lan: Lan,
}

impl Stage {
    /// Sets up directors with these configurations, and the client.
    pub fn new(program: Program, configs: [String; 2]) -> Outcome<Self> {
        let lan = Lan::new()?;
        let [first, second] = configs;
        let first = Director::new(lan.host("director1", "192.168.154.10/24")?, first);
        let second = Director::new(lan.host("director2", "192.168.154.11/24")?, second);
        let client_host = lan.host("client", "192.168.154.100/24")?;
        let client = Client::start(&client_host, SocketAddr::from((VIP, 80)))?;
        let wire = lan.capture()?;
        Ok(Stage { program, first, second, client, client_host, wire, lan })
    }

    /// Starts both directors and waits until the first is master.
    pub fn start(&mut self, story: &mut Story) -> Outcome {
        let begun = SystemTime::now();
        self.first.start(self.program, story.teller)?;
        self.second.start(self.program, story.teller)?;
        let outcome = self.wait_master(true, begun);
        story.step("director1 becomes master", outcome)
    }

    /// Kills a director's processes at once, with its cable or without, and expects the other one to serve the client.
    pub fn lose_first(&mut self, story: &mut Story, power: Power) -> Outcome {
        let promise = match power {
            Power::Stays => "director1 killed (SIGKILL): director2 goes on",
            Power::Fails => "director1 loses power: director2 goes on",
        };
        self.wire.clear();
        let (since, begun) = (Instant::now(), SystemTime::now());
        let count = self.first.kill_all()?;
        if power == Power::Fails {
            self.lan.unplug(&self.first.host)?;
        }
        story.teller.tell("director1", &format!("all {count} processes killed with SIGKILL"));
        let outcome = self
            .wait_master(false, begun)
            .and_then(|remark| self.check_gap(since, MASTER_DOWN_INTERVAL + reaction(), &remark));
        story.step(promise, outcome)
    }

    /// Starts the first director again and expects it to take over.
    pub fn return_first(&mut self, story: &mut Story) -> Outcome {
        self.wire.clear();
        let (since, begun) = (Instant::now(), SystemTime::now());
        self.lan.plug(&self.first.host)?;
        self.first.start(self.program, story.teller)?;
        let outcome = self.wait_master(true, begun).and_then(|remark| self.check_gap(since, reaction(), &remark));
        story.step("director1 returns and takes over", outcome)
    }

    /// SIGTERM to both, the master first; nothing may be left behind, and the client loses the address for good.
    pub fn stop(&mut self, story: &mut Story) -> Outcome {
        self.wire.clear();
        let (since, begun) = (Instant::now(), SystemTime::now());
        let outcome = self.first.terminate(story.teller);
        story.step("director1 stopped (SIGTERM): nothing left behind", outcome)?;
        let outcome = self.wait_master(false, begun).and_then(|remark| self.check_gap(since, reaction(), &remark));
        story.step("director2 takes over at once", outcome)?;
        let outcome = self.second.terminate(story.teller);
        story.step("director2 stopped (SIGTERM): nothing left behind", outcome)
    }

    /// Waits until the director advertises as master, has the address, and the client's requests go to it; says how long
    /// after `begun` its first advertisement was seen.
    fn wait_master(&self, first: bool, begun: SystemTime) -> Outcome<String> {
        let (director, other) = if first { (&self.first, &self.second) } else { (&self.second, &self.first) };
        let name = &director.host.name;
        let advert = self.wire.wait(&format!("{name} advertises"), PATIENCE, |frame| {
            director.host.sent(frame) && frame.advert().is_some_and(|advert| advert.priority > 0)
        })?;
        let took = advert.at.duration_since(begun).unwrap_or_default();
        wait_until(&format!("{name} has {VIP}"), PATIENCE, || director.host.has(&VIP.to_string()))?;
        let mac = director.host.mac.map(|byte| format!("{byte:02x}")).join(":");
        wait_until(&format!("the client sends to {name}"), PATIENCE, || {
            Ok(self.client_host.netns.ip(&format!("neigh show {VIP} dev {INTERFACE}"))?.contains(&mac))
        })?;
        if other.running.is_some() {
            wait_until(&format!("{} released {VIP}", other.host.name), PATIENCE, || {
                Ok(!other.host.has(&VIP.to_string())?)
            })?;
        }
        Ok(format!("advertises after {:.2} s", took.as_secs_f64()))
    }

    /// The client must be served steadily again, and never have been without service for longer than `limit`.
    fn check_gap(&self, since: Instant, limit: Duration, remark: &str) -> Outcome<String> {
        self.client.wait_steady(10, PATIENCE)?;
        let gap = self.client.longest_gap(since);
        if gap > limit {
            return Err(Failure::new(format!(
                "{remark}; the client was without service for {:.2} s",
                gap.as_secs_f64()
            )));
        }
        Ok(format!("{remark}; client without service for at most {:.2} s", gap.as_secs_f64()))
    }
}

/// Whether a director whose processes are killed stays on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Its kernel goes on.
    Stays,
    /// Its link goes down too.
    Fails,
}
