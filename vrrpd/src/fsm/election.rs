//! Who wins: what an advert means to a BACKUP and to a MASTER (RFC 9568 §6.4.2, §6.4.3; keepalived's additions are marked).

use super::instance::{Claim, Input, Instance, MasterSeen, Scene};
use crate::packet::advert::Sum;
use crate::packet::receive::{self, Addresses, Guard, Heard, Packet, Receiver};
use crate::stats::{Reject, count};
use alloc::format;
use alloc::string::String;
use core::cmp::Ordering;
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::vrrp::{Preemption, Switch, Version, Wanted};
use ipc::report::Level;
use ipc::time::Mono;

/// How long a kind of remark is not repeated, whatever happens.
const TOLD_FOR: Duration = Duration::from_secs(1);

/// Bit of the log memory for remarks that are no rejections.
const REMARK_ADDRS: u32 = 1 << 30;
/// The same, for the interval.
const REMARK_INTERVAL: u32 = 1 << 29;
/// The same, for a rival with our own address.
const REMARK_TWIN: u32 = 1 << 28;

/// The same, for a clock that is far from ours.
const REMARK_SKEW: u32 = 1 << 27;

/// An owner's view of the owner's right. COMPAT: keepalived 2.4.3: of two routers with priority 255 the one with the lower
/// address backs off; if the other one's rival does not, it gives up its ownership in turn (priority 254).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody else claims to be.
    Sole,
    /// Somebody does; patience ends after two own adverts and then at `until`.
    Disputed { rival: IpAddr, until: Mono },
    /// It did not stop: priority 254.
    Ceded { rival: IpAddr },
}

impl Instance {
    /// A packet for this instance came in: it counts, or is refused and says why.
    pub fn receive(&mut self, packet: &Packet<'_>, scene: &mut Scene<'_>) -> Result<(), Reject> {
        let source = packet.header.source;
        let mut signatures = self.signatures.take();
        let mut guard = Guard { signatures: signatures.as_mut(), day: scene.day, last_ah: Some(self.ah_sequence) };
        let receiver = Receiver {
            conf: &self.conf,
            priority: self.priority,
            addrs: &self.sorted,
            list: self.compares_list(source),
            old_checksum: self.options.old_unicast_checksum,
        };
        let judged = receive::judge(receiver, packet, &mut guard);
        self.signatures = signatures;
        let heard = judged.inspect_err(|why| self.reject(*why, source, scene))?;
        self.adopt_sum(heard.sum, source, scene);
        self.remark_skew(source, scene);
        self.ah_sequence = heard.sequence.map_or(self.ah_sequence, |heard| heard.max(self.ah_sequence));
        self.step(Input::Heard(heard), scene);
        Ok(())
    }

    /// How far the clock of the last sender that signed well is from ours.
    pub fn clock_skew(&self) -> Option<Duration> {
        self.signatures.as_ref().map(|signatures| signatures.skew)
    }

    /// `auth_hmac`: half of `time_window` is used up. Said before the other half is, for then nothing counts any more.
    fn remark_skew(&mut self, source: IpAddr, scene: &mut Scene<'_>) {
        let far = self.signatures.as_ref().filter(|own| own.skew > own.quiet_skew()).map(|own| own.skew);
        if let Some(skew) = far.filter(|_| self.tell(REMARK_SKEW)) {
            let text = format!(
                "({}) clock skew of {} s to {source} is more than half of time_window: check that both clocks are right",
                self.conf.name,
                skew.as_secs()
            );
            scene.out.log(Level::Warning, text);
        }
    }

    /// A unicast peer that is older than keepalived 1.3.6 takes no other checksum than its own: from now on it gets that.
    fn adopt_sum(&mut self, heard: Sum, source: IpAddr, scene: &mut Scene<'_>) {
        if heard == Sum::Old && self.old_sum == Switch::Off {
            self.old_sum = Switch::On;
            let text =
                format!("({}) {source} has the checksum of old releases: ours is the same from now on", self.conf.name);
            scene.out.log(Level::Info, text);
        }
    }

    /// RFC 9568 §6.4.2 (140)-(160).
    pub(super) fn backup_hears(&mut self, heard: Heard, scene: &mut Scene<'_>) {
        self.remark(&heard, scene);
        if matches!(self.owner, Owner::Ceded { .. }) {
            self.watch_owner(&heard, scene);
        }
        if heard.priority == 0 {
            count(&mut self.stats.pri_zero_rcvd);
            scene.out.log(Level::Detail, format!("({}) Backup received priority 0 advertisement", self.conf.name));
            self.timer = Some(scene.now + self.skew_time());
            return;
        }
        if heard.priority >= self.priority {
            self.preempt_at = None;
            return self.accept(&heard, scene);
        }
        match self.conf.preemption {
            Preemption::NoPreempt => self.accept(&heard, scene),
            Preemption::Preempt { delay } if delay.is_zero() => {}
            Preemption::Preempt { delay } => {
                let end = *self.preempt_at.get_or_insert(scene.now + delay);
                if scene.now < end {
                    self.accept(&heard, scene);
                }
            }
        }
        // RFC 9568 §6.4.2 (155): a lower priority is discarded, so that the timer runs out and we preempt.
    }

    /// The sender is the master: its timer starts again.
    pub(super) fn accept(&mut self, heard: &Heard, scene: &mut Scene<'_>) {
        self.learn_interval(heard.interval);
        self.timer = Some(scene.now.max(scene.quiet_until) + self.master_down_interval());
        let seen = MasterSeen { addr: heard.source, priority: heard.priority };
        if self.master.replace(seen).is_none_or(|before| before.addr != seen.addr) {
            self.forget_told(scene.now);
        }
        self.wants = Wanted::Backup;
    }

    /// RFC 9568 §6.4.3 (315)-(345).
    pub(super) fn master_hears(&mut self, heard: Heard, scene: &mut Scene<'_>) {
        let Some(port) = self.port else { return };
        self.remark(&heard, scene);
        if heard.priority == 0 {
            count(&mut self.stats.pri_zero_rcvd);
            return self.answer(scene);
        }
        self.watch_owner(&heard, scene);
        match heard.priority.cmp(&self.priority).then(heard.source.cmp(&port.source)) {
            Ordering::Greater => {
                self.log_higher(&heard, scene);
                if self.conf.higher_prio_send_advert == Switch::On {
                    self.advertise_now(scene);
                }
                self.give_way(&heard, scene);
            }
            Ordering::Less => self.reassert(&heard, scene),
            Ordering::Equal => {
                if self.tell(REMARK_TWIN) {
                    let text = format!(
                        "({}) received an advert with our own address {} and priority {}: is the address used twice?",
                        self.conf.name, heard.source, heard.priority
                    );
                    scene.out.log(Level::Warning, text);
                }
            }
        }
    }

    /// A lower-priority router thinks it is master: it is told, and so is everybody who believed it.
    fn reassert(&mut self, heard: &Heard, scene: &mut Scene<'_>) {
        let quarter = self.advert_int() / 4;
        if let Some(last) = self.answered.filter(|_| self.tired(scene.now)) {
            return self.garp_again(last + quarter);
        }
        let force = self.conf.lower_prio_no_advert == Switch::Off;
        self.answered = Some(scene.now);
        if force {
            self.advertise_now(scene);
        }
        // The last advert of one that gives way to a new master: no rival, but it may have announced the addresses after we did.
        if scene.now < self.since + quarter {
            return self.garp_again(self.since + quarter);
        }
        let consequence = if force { "forcing new election" } else { "not forcing new election" };
        scene.out.log(
            Level::Info,
            format!(
                "({}) Received advert from {} with lower priority {}, ours {}, {consequence}",
                self.conf.name, heard.source, heard.priority, self.priority
            ),
        );
        self.garp_lower_prio(scene);
        self.claim = Claim::Rival;
        self.notify_rival(scene.out);
    }

    /// The advert that a resigning rival is answered with.
    fn answer(&mut self, scene: &mut Scene<'_>) {
        if !self.tired(scene.now) {
            self.answered = Some(scene.now);
            self.advertise_now(scene);
        }
    }

    /// Whether a rival was answered just now: a flood of adverts is answered four times an interval, not each.
    fn tired(&self, now: Mono) -> bool {
        self.answered.is_some_and(|last| now < last + self.advert_int() / 4)
    }

    fn log_higher(&self, heard: &Heard, scene: &mut Scene<'_>) {
        let name = &self.conf.name;
        let (from, theirs) = (heard.source, heard.priority);
        let text = if theirs == self.priority {
            format!(
                "({name}) Master received advert from {from} with same priority {theirs} but higher IP address than ours"
            )
        } else {
            format!("({name}) Master received advert from {from} with higher priority {theirs}, ours {}", self.priority)
        };
        scene.out.log(Level::Info, text);
    }

    /// The priority that stays of `appraised` in a dispute of owners.
    pub(super) fn owned_priority(&self, appraised: u8) -> u8 {
        match self.owner {
            Owner::Ceded { .. } if appraised == 255 => 254,
            Owner::Sole | Owner::Disputed { .. } | Owner::Ceded { .. } => appraised,
        }
    }

    /// Becoming master ends a dispute.
    pub(super) fn owner_again(&mut self) {
        if let Owner::Ceded { .. } = self.owner {
            self.priority = self.conf.priority;
        }
        self.owner = Owner::Sole;
    }

    /// Another owner shows up, persists, or is gone.
    fn watch_owner(&mut self, heard: &Heard, scene: &mut Scene<'_>) {
        if self.conf.priority != 255 {
            return;
        }
        let is_rival = heard.priority == 255;
        match self.owner {
            Owner::Sole if is_rival => {
                // Two own adverts, then 1.2 times the longer interval.
                let patience = self.advert_int() * 2 + longer(self.advert_int(), heard.interval) * 6 / 5;
                self.owner = Owner::Disputed { rival: heard.source, until: scene.now + patience };
                let text =
                    format!("({}) {} also claims to own the addresses (priority 255)", self.conf.name, heard.source);
                scene.out.log(Level::Warning, text);
            }
            Owner::Disputed { rival, until } if is_rival && rival == heard.source => {
                let lower = self.port.is_some_and(|port| port.source > heard.source);
                if lower && scene.now >= until {
                    self.owner = Owner::Ceded { rival };
                    self.cede(scene);
                }
            }
            Owner::Disputed { .. } => self.owner = Owner::Sole,
            Owner::Ceded { rival } if !is_rival || rival != heard.source => {
                self.owner = Owner::Sole;
                let text = format!("({}) Changing effective priority from 254 to 255", self.conf.name);
                scene.out.log(Level::Info, text);
                self.priority = 255;
                self.notify_priority(scene.out);
            }
            Owner::Sole | Owner::Ceded { .. } => {}
        }
    }

    fn cede(&mut self, scene: &mut Scene<'_>) {
        let text = format!(
            "({}) Changing effective priority from 255 to 254: the other owner does not give way",
            self.conf.name
        );
        scene.out.log(Level::Warning, text);
        self.priority = 254;
        self.notify_priority(scene.out);
    }

    /// Counts and remarks on what differs though the advert counts.
    fn remark(&mut self, heard: &Heard, scene: &mut Scene<'_>) {
        count(&mut self.stats.advert_rcvd);
        if heard.addrs != Addresses::Same {
            count(&mut self.stats.addr_list_err);
            if self.tell(REMARK_ADDRS) {
                scene.out.log(Level::Warning, self.describe_addrs(heard));
            }
        }
        if self.conf.version == Version::V3 && heard.interval != self.advert_int() && self.tell(REMARK_INTERVAL) {
            let text = format!(
                "({}) advert interval of {} is {} ms, ours {} ms: check `advert_int` on both sides",
                self.conf.name,
                heard.source,
                heard.interval.as_millis(),
                self.advert_int().as_millis()
            );
            scene.out.log(Level::Info, text);
        }
    }

    fn describe_addrs(&self, heard: &Heard) -> String {
        let name = &self.conf.name;
        let from = heard.source;
        match heard.addrs {
            Addresses::Count(n) => format!(
                "({name}) {from} advertises {n} addresses, {} are configured here: check `virtual_ipaddress` on both sides",
                self.addrs.len()
            ),
            Addresses::Foreign(addr) => {
                format!(
                    "({name}) {from} advertises {addr}, which is not configured here: check `virtual_ipaddress` on both sides"
                )
            }
            Addresses::Same => String::new(),
        }
    }

    /// A packet did not count.
    pub fn reject(&mut self, why: Reject, source: IpAddr, scene: &mut Scene<'_>) {
        self.stats.reject(why);
        if why != Reject::OwnerIgnores && self.tell(why.bit()) {
            scene.out.log(Level::Warning, format!("({}) advert from {source} dropped: {}", self.conf.name, why.text()));
        }
    }

    /// The log may tell everything again: the state or the master has changed. Senders can bring that about, so it happens at
    /// most once in [`TOLD_FOR`]: a flood makes at most one line of each kind in that time.
    pub(super) fn forget_told(&mut self, now: Mono) {
        if now >= self.told_since + TOLD_FOR {
            self.told = 0;
            self.told_since = now;
        }
    }

    /// Whether to log this kind of thing: once until the state or the master changes.
    fn tell(&mut self, bit: u32) -> bool {
        let first = self.told & bit == 0;
        self.told |= bit;
        first
    }
}

fn longer(a: Duration, b: Duration) -> Duration {
    a.max(b)
}
