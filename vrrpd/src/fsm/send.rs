//! Sending adverts.

use super::instance::{Instance, Scene};
use super::timers;
use super::track::Carrier;
use crate::packet::advert::{self, Envelope, Sum};
use crate::packet::auth;
use crate::stats::count;
use alloc::format;
use core::net::IpAddr;
use ipc::config::vrrp::{Auth, Switch, Transport};
use ipc::report::Level;
use ipc::time::Mono;

/// The sequence number of an authentication header at which a master stops. COMPAT: keepalived 2.4.3.
const AH_LAST: u32 = 0xffff_fffd;

impl Instance {
    /// RFC 9568 §6.4.3 (310): an advert is due. It is timed from when it was due, so that late wake-ups do not add up;
    /// intervals that were slept through are not made up for.
    pub(super) fn advertise_on_time(&mut self, scene: &mut Scene<'_>) {
        let due = self.timer.unwrap_or(scene.now);
        self.send_advert(scene);
        let next = due + self.advert_int();
        self.timer = Some(if next > scene.now { next } else { scene.now + self.advert_int() });
    }

    /// `timer_expired_backup`: whether this master was silent for so long that another one, with the priority that is configured, may have
    /// taken over. COMPAT: keepalived 2.4.3: three intervals and the other's skew time since the last advert.
    pub(super) fn was_silent(&self, now: Mono) -> bool {
        let (Some(others), Some(due)) = (self.options.timer_expired_backup, self.timer) else { return false };
        let interval = self.advert_int();
        let patience = interval.saturating_mul(2) + timers::skew_time(self.conf.version, others, interval);
        // The last advert was one interval before this one was due.
        now.since(due) > patience
    }

    /// An advert out of turn; the next one is an interval later.
    pub(super) fn advertise_now(&mut self, scene: &mut Scene<'_>) {
        self.send_advert(scene);
        self.timer = Some(scene.now + self.advert_int());
    }

    /// An advert with the effective priority.
    pub(super) fn send_advert(&mut self, scene: &mut Scene<'_>) {
        self.send(self.priority, scene);
    }

    /// An advert with priority 0: the master resigns, a backup need not wait.
    pub(super) fn send_resignation(&mut self, scene: &mut Scene<'_>) {
        if self.send(0, scene) == Sent::Yes {
            count(&mut self.stats.pri_zero_sent);
            scene.out.log(Level::Detail, format!("({}) sent 0 priority", self.conf.name));
        }
    }

    fn send(&mut self, priority: u8, scene: &mut Scene<'_>) -> Sent {
        let Some(port) = self.port.filter(|port| port.carrier == Carrier::Yes) else { return Sent::No };
        let Some(ah) = self.next_ah() else { return Sent::No };
        let id = self.next_id();
        let packet = advert::Outgoing {
            version: self.conf.version,
            vrid: self.conf.vrid,
            priority,
            interval: self.advert_int(),
            addrs: &self.addrs,
            auth_type: auth::kind(&self.conf.auth),
            auth_data: auth::data(&self.conf.auth),
            checksum_as_v2: self.conf.v3_checksum_as_v2,
        };
        let body = packet.body(self.conf.family);
        // One signature does for all destinations.
        let trailer = self.signatures.as_mut().and_then(|own| own.sign(port.source, &body, scene.day));
        let sum = self.sum();
        let key = auth::ah_key(&self.conf.auth);
        let mut to = |destination: IpAddr, ttl| {
            let ah = key.as_ref().map(|key| (key, ah));
            let envelope = Envelope { source: port.source, destination, ttl, id, sum, trailer: trailer.as_ref(), ah };
            scene.out.transmit(port.ifindex, destination, envelope.seal(&body));
        };
        match &self.conf.transport {
            Transport::Multicast { group } => to(*group, 255),
            Transport::Unicast { peers, ttl, .. } => peers.iter().for_each(|peer| to(peer.addr, *ttl)),
        }
        count(&mut self.stats.advert_sent);
        Sent::Yes
    }

    /// What the checksum covers.
    fn sum(&self) -> Sum {
        match Sum::of(self.conf.version, self.conf.v3_checksum_as_v2) {
            Sum::Pseudo if self.old_sum == Switch::On && self.is_unicast() => Sum::Old,
            sum => sum,
        }
    }

    fn is_unicast(&self) -> bool {
        matches!(self.conf.transport, Transport::Unicast { .. })
    }

    /// The sequence number of the next authentication header. COMPAT: the last numbers are not used: RFC 2402 §2.5 forbids that they
    /// begin again with the same key, so the master falls silent.
    fn next_ah(&mut self) -> Option<u32> {
        if matches!(self.conf.auth, Auth::Ah(_)) {
            self.ah_sequence = self.ah_sequence.checked_add(1).filter(|next| *next < AH_LAST)?;
        }
        Some(self.ah_sequence)
    }

    /// COMPAT: keepalived: per instance, from 1, never 0; the copies for several peers have the same.
    fn next_id(&mut self) -> u16 {
        self.ip_id = self.ip_id.wrapping_add(1).max(1);
        self.ip_id
    }
}

/// Whether something could be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Yes,
    No,
}
