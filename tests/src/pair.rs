//! Two routers on a LAN and a recording of what they say: the stage of most tests.

use crate::capture::{Capture, Frame};
use crate::config::VIP;
use crate::daemon::{Daemon, Program};
use crate::failure::{Failure, Outcome, wait_until};
use crate::frame::Advert;
use crate::lan::{Host, INTERFACE, Lan};
use std::time::{Duration, SystemTime};

/// How long a test waits for something that should come soon.
pub const SOON: Duration = Duration::from_secs(10);

/// Three intervals of 1 s and the skew time of priority 90 (RFC 3768 §6.1).
pub const MASTER_DOWN_INTERVAL: Duration = Duration::from_micros(3_648_437);

/// The skew time of priority 90.
pub const SKEW_TIME: Duration = Duration::from_micros(648_437);

/// What a busy test machine may add to a timer.
pub const SLACK: Duration = Duration::from_millis(500);

/// The longest silence of a master whose interval is 1 s.
pub const STEADY: Duration = Duration::from_millis(1000).saturating_add(SLACK);

/// Two hosts, `a` at 192.168.154.10, `b` at 192.168.154.11.
#[derive(Debug)]
pub struct Pair {
    /// What crosses the LAN.
    pub wire: Capture,
    /// The first host.
    pub a: Host,
    /// The second host.
    pub b: Host,
    /// What joins them.
    pub lan: Lan,
}

impl Pair {
    /// Sets them up.
    pub fn new() -> Outcome<Self> {
        let lan = Lan::new()?;
        let wire = lan.capture()?;
        let a = lan.host("a", "192.168.154.10/24")?;
        let b = lan.host("b", "192.168.154.11/24")?;
        Ok(Pair { wire, a, b, lan })
    }

    /// Gives them IPv6 as well: 2001:db8::10 and 2001:db8::11, and link-local addresses that can be used at once.
    pub fn with_ipv6() -> Outcome<Self> {
        let pair = Self::new()?;
        for (host, address) in [(&pair.a, "2001:db8::10"), (&pair.b, "2001:db8::11")] {
            for (setting, value) in [("accept_dad", "0"), ("disable_ipv6", "0")] {
                host.netns.sysctl(&format!("ipv6/conf/{INTERFACE}/{setting}"), value)?;
            }
            host.netns.ip(&format!("addr add {address}/64 dev {INTERFACE} nodad"))?;
        }
        Ok(pair)
    }

    /// Starts `program` with `first` on a, waits until it is master, and then `second` on b until that is backup.
    pub fn start(&self, program: [Program; 2], first: &str, second: &str) -> Outcome<[Daemon; 2]> {
        let one = Daemon::start(program[0], &self.a, first)?;
        self.wait_master(&self.a).map_err(|failure| with_log(&failure, &one))?;
        let two = Daemon::start(program[1], &self.b, second)?;
        two.wait_log("Entering BACKUP STATE", SOON)?;
        Ok([one, two])
    }

    /// Waits for an advertisement of `host` since the recording was last cleared, and until it has the virtual address.
    pub fn wait_master(&self, host: &Host) -> Outcome<Frame> {
        let frame = self.wait_advert(host)?;
        wait_until(&format!("{} has {VIP}", host.name), SOON, || host.has(VIP))?;
        Ok(frame)
    }

    /// Waits for an advertisement of `host` with a priority since the recording was last cleared.
    pub fn wait_advert(&self, host: &Host) -> Outcome<Frame> {
        self.wire.wait(&format!("{} advertises", host.name), SOON, |frame| {
            host.sent(frame) && frame.advert().is_some_and(|advert| advert.priority > 0)
        })
    }

    /// Waits until `host` has released the virtual address.
    pub fn wait_released(&self, host: &Host) -> Outcome {
        wait_until(&format!("{} released {VIP}", host.name), SOON, || Ok(!host.has(VIP)?))
    }

    /// What `host` advertised, and when.
    pub fn adverts_of(&self, host: &Host) -> Vec<(SystemTime, Advert)> {
        let adverts = self.wire.adverts().into_iter().filter(|(frame, _)| host.sent(frame));
        adverts.map(|(frame, advert)| (frame.at, advert)).collect()
    }

    /// The longest time between two advertisements of `host` in the recording, its end included.
    pub fn longest_silence(&self, host: &Host) -> Outcome<Duration> {
        let mut times: Vec<SystemTime> = self.adverts_of(host).into_iter().map(|(at, _)| at).collect();
        if times.is_empty() {
            return Err(Failure::new(format!("{} advertised nothing", host.name)));
        }
        times.push(SystemTime::now());
        let pairs = times.iter().zip(times.iter().skip(1));
        Ok(pairs.map(|(one, next)| next.duration_since(*one).unwrap_or_default()).max().unwrap_or_default())
    }
}

/// A failure with the log of the daemon that it is about.
pub fn with_log(failure: &Failure, daemon: &Daemon) -> Failure {
    Failure::new(format!("{failure}\n{:?} logged:\n{}", daemon.program, daemon.log()))
}
