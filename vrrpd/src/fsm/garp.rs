//! When gratuitous ARP and unsolicited neighbour advertisements are sent. COMPAT: keepalived 2.4.3: a burst is `repeat` rounds over all
//! addresses, advertised ones first; where a distance is kept between them, they wait in [`super::pace`].

use super::instance::{Instance, Scene, State};
use super::link;
use super::pace::Waits;
use crate::packet::{arp, ndisc};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::vrrp::{Switch, Transport, Vip};
use ipc::msg::vips::{Applied, Arp, LinkFacts};
use ipc::time::Mono;

/// Most rounds in one burst, whatever the configuration says.
const MAX_REPEAT: u32 = 100;

/// Shortest refresh interval that is kept.
const MIN_REFRESH: Duration = Duration::from_millis(10);

/// What is still to be sent while the instance is master.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garp {
    first: First,
    second: Option<Mono>,
    refresh: Option<Mono>,
    lower_prio: Option<Mono>,
    again: Option<Mono>,
    /// Before this, `again` makes up for a rival: one burst in a quarter of an interval.
    spent: Option<Mono>,
    extra: Option<Mono>,
}

/// The first burst, which waits for the addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum First {
    /// Not wanted, or sent.
    #[default]
    Done,
    /// To be sent when ipvsd says that the addresses are there, the second one too.
    Awaited,
    /// The same, but not followed by a second one (a reload that added no address).
    AwaitedAlone,
    /// Sent while part of the addresses could not be set; sent again when all are there.
    Partly,
}

impl Garp {
    /// Announce when the addresses are there.
    pub fn await_addresses(&mut self) {
        self.first = First::Awaited;
    }

    /// Announce once when ipvsd has confirmed the addresses again.
    pub fn await_again(&mut self) {
        if self.first == First::Done {
            self.first = First::AwaitedAlone;
        }
    }

    /// No longer master: nothing more is sent.
    pub fn cancel(&mut self) {
        *self = Garp::default();
    }

    /// The refresh interval is another one; the next burst sets it.
    pub fn forget_refresh(&mut self) {
        self.refresh = None;
    }

    /// When the next burst is due.
    pub fn deadline(&self) -> Option<Mono> {
        [self.second, self.refresh, self.lower_prio, self.again, self.extra].into_iter().flatten().min()
    }
}

impl Instance {
    /// The addresses are in place.
    pub(super) fn garp_applied(&mut self, result: Applied, scene: &mut Scene<'_>) {
        let timing = self.conf.garp;
        match (self.garp.first, result) {
            (First::Done, _) | (First::Partly, Applied::Partly) => return,
            (First::Awaited, _) => {
                self.garp.second = after(scene.now, timing.delay);
                self.garp.refresh = after(scene.now, timing.refresh).map(|due| due + timing.delay);
                self.begin_extra(scene.now);
            }
            (First::AwaitedAlone | First::Partly, _) => {
                self.garp.refresh = self.garp.refresh.or(after(scene.now, timing.refresh));
            }
        }
        self.garp.first = match result {
            Applied::All => First::Done,
            Applied::Partly => First::Partly,
        };
        self.burst(timing.repeat, scene);
    }

    /// The addresses are there, but neighbours may believe otherwise: somebody removed one and ipvsd put it back, or the
    /// interface has another hardware address.
    pub fn restored(&mut self, scene: &mut Scene<'_>) {
        if self.state == State::Master {
            self.burst(self.conf.garp.repeat, scene);
        }
    }

    /// Another router claimed to be master: its frames are overridden now and once more a little later.
    pub(super) fn garp_lower_prio(&mut self, scene: &mut Scene<'_>) {
        let timing = self.conf.garp;
        if timing.lower_prio_repeat == 0 {
            return;
        }
        self.garp.lower_prio = after(scene.now, timing.lower_prio_delay);
        if let Some(at) = self.garp.spent.filter(|at| scene.now < *at) {
            return self.garp_again(at);
        }
        self.garp.again = None;
        self.garp.spent = Some(scene.now + self.advert_int() / 4);
        self.burst(timing.lower_prio_repeat, scene);
    }

    /// The same once a moment later: of a rival that is not answered because one was just now, or that is no rival.
    pub(super) fn garp_again(&mut self, at: Mono) {
        if self.conf.garp.lower_prio_repeat > 0 {
            self.garp.again = Some(at);
        }
    }

    /// The link is back: unicast peers are told where our own address is, so that their adverts reach us.
    pub(super) fn garp_own_address(&mut self, scene: &mut Scene<'_>) {
        let (Transport::Unicast { .. }, Some(port)) = (&self.conf.transport, self.port) else { return };
        if let Some(facts) = scene.links.facts(self.conf.link).filter(|facts| facts.arp == Arp::Yes) {
            scene.out.announce(port.ifindex, frame(facts, port.source));
        }
    }

    /// Sends the bursts that are due.
    pub(super) fn garp_expire(&mut self, scene: &mut Scene<'_>) {
        let timing = self.conf.garp;
        let now = scene.now;
        if self.garp.second.take_if(|due| *due <= now).is_some() {
            self.burst(timing.repeat, scene);
        }
        if self.garp.lower_prio.take_if(|due| *due <= now).is_some() {
            self.burst(timing.lower_prio_repeat, scene);
        }
        if self.garp.again.take_if(|due| *due <= now).is_some() {
            self.garp.spent = Some(now + self.advert_int() / 4);
            self.burst(timing.lower_prio_repeat, scene);
        }
        if let Some(due) = self.garp.refresh.take_if(|due| *due <= now) {
            let interval = timing.refresh.max(MIN_REFRESH);
            let next = due + interval;
            self.garp.refresh = Some(if next > now { next } else { now + interval });
            self.burst(timing.refresh_repeat, scene);
        }
        if let Some(due) = self.garp.extra.take_if(|due| *due <= now) {
            self.garp.extra = after(due.max(now - self.extra_every()), self.extra_every());
            self.extra(scene);
        }
    }

    /// The schedule of `garp_extra_if` begins. COMPAT: keepalived 2.2.7: the first an interval later.
    pub(super) fn begin_extra(&mut self, now: Mono) {
        self.garp.extra = after(now, self.extra_every());
    }

    /// `repeat` rounds over all addresses, where ARP is spoken.
    fn burst(&self, repeat: u32, scene: &mut Scene<'_>) {
        if scene.now < scene.quiet_until {
            return;
        }
        let repeat = repeat.min(MAX_REPEAT);
        let mut at_once = Vec::new();
        for vip in self.conf.vips.iter().chain(&self.conf.excluded) {
            if scene.paces.wait(self.index, vip.link, vip.addr, repeat) == Waits::No {
                at_once.push(vip);
            }
        }
        for _ in 0..repeat {
            at_once.iter().for_each(|vip| announce(vip, scene));
        }
    }

    /// `garp_extra_if`: one for each interface that has addresses and carries no adverts, with `all`; else only for those with the virtual
    /// router's MAC address. COMPAT: keepalived 2.2.7: of its first address.
    fn extra(&self, scene: &mut Scene<'_>) {
        let mut seen = BTreeSet::from([self.speaks_on()]);
        let all = self.options.garp_extra.is_some_and(|extra| extra.all == Switch::On);
        for vip in self.conf.vips.iter().chain(&self.conf.excluded) {
            let meant = all || self.options.vmac_links.contains(&vip.link);
            if meant && seen.insert(vip.link) && scene.paces.wait(self.index, vip.link, vip.addr, 1) == Waits::No {
                announce(vip, scene);
            }
        }
    }

    /// How often [`Instance::extra`] happens; zero for never.
    pub(super) fn extra_every(&self) -> Duration {
        let extra = self.options.garp_extra;
        let meant = extra.filter(|extra| extra.all == Switch::On || !self.options.vmac_links.is_empty());
        meant.map_or(Duration::ZERO, |extra| extra.every)
    }
}

/// Tells the link where an address is, where ARP is spoken.
fn announce(vip: &Vip, scene: &mut Scene<'_>) {
    if let Some(facts) = scene.links.facts(vip.link).filter(|facts| facts.arp == Arp::Yes && link::is_up(facts)) {
        scene.out.announce(facts.ifindex, frame(facts, vip.addr));
    }
}

/// What tells the link that an address is at this interface.
pub(super) fn frame(facts: &LinkFacts, addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(addr) => arp::gratuitous(facts.mac, addr).to_vec(),
        IpAddr::V6(addr) => ndisc::unsolicited(facts.mac, addr, facts.forwarding),
    }
}

/// A point in time, unless the delay is zero, which means never.
fn after(now: Mono, delay: Duration) -> Option<Mono> {
    (!delay.is_zero()).then(|| now + delay)
}
