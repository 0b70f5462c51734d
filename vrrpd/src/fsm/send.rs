//! Sending adverts.

use super::instance::{Instance, Scene};
use super::track::Carrier;
use crate::packet::{advert, auth};
use crate::stats::count;
use alloc::format;
use core::net::{IpAddr, Ipv4Addr};
use ipc::config::vrrp::Transport;
use ipc::report::Level;

impl Instance {
    /// RFC 9568 §6.4.3 (310): an advert is due. It is timed from when it was due, so that late wake-ups do not add up;
    /// intervals that were slept through are not made up for.
    pub(super) fn advertise_on_time(&mut self, scene: &mut Scene<'_>) {
        let due = self.timer.unwrap_or(scene.now);
        self.send_advert(scene);
        let next = due + self.advert_int();
        self.timer = Some(if next > scene.now { next } else { scene.now + self.advert_int() });
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
        let mut to = |destination: Ipv4Addr, ttl| {
            scene.out.transmit(port.ifindex, destination, packet.encode(port.source, destination, ttl, id));
        };
        match &self.conf.transport {
            Transport::Multicast { group: IpAddr::V4(group) } => to(*group, 255),
            Transport::Multicast { group: IpAddr::V6(_) } => return Sent::No,
            Transport::Unicast { peers, ttl, .. } => {
                for peer in peers {
                    if let IpAddr::V4(addr) = peer.addr {
                        to(addr, *ttl);
                    }
                }
            }
        }
        count(&mut self.stats.advert_sent);
        Sent::Yes
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
