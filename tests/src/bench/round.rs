//! One takeover of all virtual routers, and the times of it.

use super::old_master::{ADVERT_INT, OldMaster, vip};
use crate::capture::{Capture, Frame};
use crate::daemon::{Daemon, Program};
use crate::failure::{Failure, Outcome, wait_until};
use crate::lan::{Host, INTERFACE, Lan};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

/// The priority of the daemon that is measured.
const PRIORITY: u8 = 100;

/// How long the old master is listened to before it falls silent.
const STEADY: Duration = Duration::from_millis(2_500);

/// How long after the Master_Down_Interval the measurement looks at what was recorded: nothing runs beside it before.
const SETTLE: Duration = Duration::from_millis(1_500);

/// How long the takeover may take before it counts as failed.
const LIMIT: Duration = Duration::from_secs(15);

/// RFC 3768 §6.1: three intervals and the skew time, (256 - Priority) / 256 seconds.
pub fn master_down_interval() -> Duration {
    ADVERT_INT * 3 + Duration::from_secs(1) * (256 - u32::from(PRIORITY)) / 256
}

/// What one takeover took, in milliseconds, by virtual router.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// From the end of the Master_Down_Interval to the first advert.
    pub advert: Vec<f64>,
    /// The same to the first gratuitous ARP.
    pub garp: Vec<f64>,
    /// From the first virtual router's first gratuitous ARP to the last one's.
    pub spread: f64,
}

/// Two hosts and a daemon on one of them.
pub struct Bench {
    wire: Capture,
    daemon: Daemon,
    old: Host,
    new: Host,
    _lan: Lan,
    instances: u8,
}

impl Bench {
    /// Starts a daemon as backup of the virtual routers 1 to `instances`.
    pub fn new(program: Program, instances: u8) -> Outcome<Self> {
        let lan = Lan::new()?;
        let wire = lan.capture()?;
        let old = lan.host("old", "10.98.0.1/24")?;
        let new = lan.host("new", "10.98.0.2/24")?;
        let master = OldMaster::start(&old, instances)?;
        // Without it keepalived writes each line to /dev/console too where no syslogd runs, which takes milliseconds.
        let daemon = Daemon::start_with(program, &new, &config(instances), &["--no-syslog"])?;
        let last = format!("(VI_{instances}) Entering BACKUP STATE");
        daemon.wait_log(&last, Duration::from_secs(20))?;
        drop(master);
        Ok(Bench { wire, daemon, old, new, _lan: lan, instances })
    }

    /// Lets the old master advertise, fall silent, and the daemon take over.
    pub fn round(&self) -> Outcome<Round> {
        let master = OldMaster::start(&self.old, self.instances)?;
        std::thread::sleep(STEADY);
        wait_until("the daemon has given every address back", LIMIT, || {
            Ok(!self.new.addresses()?.iter().any(|address| address.starts_with("10.99.")))
        })?;
        self.wire.clear();
        std::thread::sleep(ADVERT_INT * 2);
        self.wire.pause();
        drop(master);
        std::thread::sleep(master_down_interval() + SETTLE);
        self.wire.resume();
        let mut round = None;
        let taken = wait_until("every virtual router has a new master", LIMIT, || {
            round = self.measure(&self.wire.frames());
            Ok(round.is_some())
        });
        match (round, taken) {
            (Some(round), _) => Ok(round),
            (None, Err(failure)) => Err(crate::pair::with_log(&failure, &self.daemon)),
            (None, Ok(())) => Err(Failure::new("no measurement")),
        }
    }

    /// The times, once every virtual router has been advertised and announced.
    fn measure(&self, frames: &[Frame]) -> Option<Round> {
        let mut last: BTreeMap<u8, SystemTime> = BTreeMap::new();
        let mut adverts: BTreeMap<u8, SystemTime> = BTreeMap::new();
        let mut garps: BTreeMap<u8, SystemTime> = BTreeMap::new();
        for frame in frames {
            match (frame.advert(), frame.arp()) {
                (Some(advert), _) if self.old.sent(frame) => {
                    last.insert(advert.vrid, frame.at);
                }
                (Some(advert), _) if self.new.sent(frame) && last.contains_key(&advert.vrid) => {
                    adverts.entry(advert.vrid).or_insert(frame.at);
                }
                (_, Some(arp)) if self.new.sent(frame) && arp.announces(vip(arp.sender.octets()[3])) => {
                    garps.entry(arp.sender.octets()[3]).or_insert(frame.at);
                }
                _ => {}
            }
        }
        let mut round = Round::default();
        for vrid in 1..=self.instances {
            let due = *last.get(&vrid)? + master_down_interval();
            round.advert.push(milliseconds(due, *adverts.get(&vrid)?));
            round.garp.push(milliseconds(due, *garps.get(&vrid)?));
        }
        round.spread = milliseconds(*garps.values().min()?, *garps.values().max()?);
        Some(round)
    }
}

/// Negative when `later` is earlier.
fn milliseconds(earlier: SystemTime, later: SystemTime) -> f64 {
    match later.duration_since(earlier) {
        Ok(passed) => passed.as_secs_f64() * 1e3,
        Err(e) => -e.duration().as_secs_f64() * 1e3,
    }
}

fn config(instances: u8) -> String {
    let mut text = String::new();
    for vrid in 1..=instances {
        // Writing to a String does not fail.
        let _ = write!(
            text,
            "vrrp_instance VI_{vrid} {{\n    state BACKUP\n    interface {INTERFACE}\n    virtual_router_id {vrid}\n    \
             priority {PRIORITY}\n    advert_int 1\n    virtual_ipaddress {{\n        {}/32\n    }}\n}}\n",
            vip(vrid)
        );
    }
    text
}
