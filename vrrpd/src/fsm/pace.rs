//! `garp_interval`, `gna_interval`, `garp_group`: announcements that keep a distance. They wait here, so no advert waits for them.
//!
//! Each address that waits goes round: every one is announced once before any is announced again. COMPAT: keepalived 2.2.7 announces a
//! first address twice and the others once, whatever `garp_master_repeat` says; here it is the number that is configured.

use super::garp::frame;
use super::link::{self, Links};
use crate::effects::Effects;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::vrrp::VrrpConfig;
use ipc::config::{InstanceIdx, LinkIdx};
use ipc::msg::vips::Arp;
use ipc::net::Family;
use ipc::time::Mono;

/// Most frames of one lane that are sent at a time, when the interval is shorter than the clock of the process.
const AT_A_TIME: usize = 32;

/// Shorter distances are kept on the average of so long: the process does not wake for each.
const CATCH_UP: Duration = Duration::from_millis(1);

/// What is to be announced.
type Key = (InstanceIdx, LinkIdx, IpAddr);

/// One distance that is kept, on one interface or on several together.
#[derive(Clone, Debug)]
struct Lane {
    interval: Duration,
    /// In this order.
    waiting: VecDeque<Key>,
    /// How often each is still to be announced.
    left: BTreeMap<Key, u32>,
    /// The next may not be sent before.
    free: Mono,
}

impl Lane {
    fn new(interval: Duration) -> Self {
        Lane { interval, waiting: VecDeque::new(), left: BTreeMap::new(), free: Mono::ZERO }
    }

    fn due(&self) -> Option<Mono> {
        (!self.waiting.is_empty()).then_some(self.free)
    }

    /// The next that may be announced now.
    fn next(&mut self, now: Mono) -> Option<Key> {
        if self.free > now {
            return None;
        }
        let key = self.waiting.pop_front()?;
        let late = if self.interval < CATCH_UP { CATCH_UP } else { Duration::ZERO };
        self.free = self.free.max(now - late) + self.interval;
        if let Some(left) = self.left.get_mut(&key) {
            *left = left.saturating_sub(1);
            if *left > 0 {
                self.waiting.push_back(key);
            } else {
                self.left.remove(&key);
            }
        }
        Some(key)
    }
}

/// All that waits.
#[derive(Clone, Debug, Default)]
pub struct Paces {
    lanes: Vec<Lane>,
    /// The lane of an interface, for each family.
    by_link: BTreeMap<(LinkIdx, Family), usize>,
}

impl Paces {
    /// The lanes that a configuration asks for. COMPAT: an interface of no group has the global interval, for itself.
    pub fn new(config: &VrrpConfig) -> Self {
        let mut paces = Paces::default();
        for group in &config.garp_groups {
            paces.add(&group.links, Family::V4, group.garp_interval);
            paces.add(&group.links, Family::V6, group.gna_interval);
        }
        for (link, _) in config.links.iter() {
            if !config.garp_groups.iter().any(|group| group.links.contains(&link)) {
                paces.add(&[link], Family::V4, config.globals.garp_interval);
                paces.add(&[link], Family::V6, config.globals.gna_interval);
            }
        }
        paces
    }

    fn add(&mut self, links: &[LinkIdx], family: Family, interval: Duration) {
        if interval.is_zero() {
            return;
        }
        let lane = self.lanes.len();
        self.lanes.push(Lane::new(interval));
        self.by_link.extend(links.iter().map(|link| ((*link, family), lane)));
    }

    /// Lets an announcement wait its turn, `repeat` times; not where no distance is kept. One that waits already is not doubled.
    pub fn wait(&mut self, instance: InstanceIdx, link: LinkIdx, addr: IpAddr, repeat: u32) -> Waits {
        let lane = self.by_link.get(&(link, Family::of(addr))).and_then(|lane| self.lanes.get_mut(*lane));
        let Some(lane) = lane else { return Waits::No };
        let key = (instance, link, addr);
        match lane.left.get_mut(&key) {
            Some(left) => *left = repeat.max(*left),
            None if repeat > 0 => {
                lane.left.insert(key, repeat);
                lane.waiting.push_back(key);
            }
            None => {}
        }
        Waits::Yes
    }

    /// Nothing of this instance is announced any more. COMPAT: keepalived empties its queue when a master leaves.
    pub fn cancel(&mut self, instance: InstanceIdx) {
        for lane in &mut self.lanes {
            lane.waiting.retain(|(whose, ..)| *whose != instance);
            lane.left.retain(|(whose, ..), _| *whose != instance);
        }
    }

    /// Whether something of this instance waits.
    pub fn waits(&self, instance: InstanceIdx) -> bool {
        self.lanes.iter().any(|lane| lane.waiting.iter().any(|(whose, ..)| *whose == instance))
    }

    /// When something may be sent.
    pub fn deadline(&self) -> Option<Mono> {
        self.lanes.iter().filter_map(Lane::due).min()
    }

    /// Announces what may be now, with the hardware addresses of now.
    pub fn send(&mut self, now: Mono, links: &Links, out: &mut Effects) {
        for lane in &mut self.lanes {
            for _ in 0..AT_A_TIME {
                let Some((_, link, addr)) = lane.next(now) else { break };
                if let Some(facts) = links.facts(link).filter(|facts| facts.arp == Arp::Yes && link::is_up(facts)) {
                    out.announce(facts.ifindex, frame(facts, addr));
                }
            }
        }
    }
}

/// Whether an announcement waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// It does.
    Yes,
    /// It is to be sent now.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use ipc::config::vrrp::Link;
    use ipc::config::vrrp_global::VrrpGlobals;
    use ipc::config::vrrp_track::GarpGroup;

    const INSTANCE: InstanceIdx = InstanceIdx(0);

    fn addr(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    fn paces(groups: &[&[u16]], global: u64) -> Paces {
        let links = (0..3).map(|n| Link { name: alloc::format!("e{n}"), origin: Default::default() }).collect();
        let globals = VrrpGlobals { garp_interval: Duration::from_millis(global), ..VrrpGlobals::default() };
        let group = |links: &&[u16]| GarpGroup {
            garp_interval: Duration::from_millis(100),
            gna_interval: Duration::ZERO,
            links: links.iter().map(|n| LinkIdx(*n)).collect(),
        };
        let garp_groups = groups.iter().map(group).collect();
        Paces::new(&VrrpConfig { links, globals, garp_groups, ..VrrpConfig::default() })
    }

    /// What is announced in each of these milliseconds.
    fn announced(paces: &mut Paces, millis: &[u64]) -> Vec<Vec<IpAddr>> {
        let at = |ms: &u64| Mono::ZERO + Duration::from_secs(1) + Duration::from_millis(*ms);
        let step = |ms: &u64| {
            let mut sent = Vec::new();
            for lane in &mut paces.lanes {
                while let Some((_, _, addr)) = lane.next(at(ms)) {
                    sent.push(addr);
                }
            }
            sent
        };
        millis.iter().map(step).collect()
    }

    #[test]
    fn every_address_once_before_any_again() {
        let mut paces = paces(&[&[0, 1]], 0);
        assert_eq!(paces.wait(INSTANCE, LinkIdx(0), addr(1), 2), Waits::Yes);
        assert_eq!(paces.wait(INSTANCE, LinkIdx(1), addr(2), 2), Waits::Yes);
        assert_eq!(paces.wait(INSTANCE, LinkIdx(1), addr(2), 1), Waits::Yes, "it waits already");
        let sent = announced(&mut paces, &[0, 90, 100, 200, 250, 300, 400]);
        let [one, two] = [addr(1), addr(2)];
        let expected: [&[IpAddr]; 7] = [&[one], &[], &[two], &[one], &[], &[two], &[]];
        assert_eq!(sent, expected);
        assert_eq!(paces.deadline(), None);
    }

    #[test]
    fn interfaces_of_no_group_each_have_the_global_interval() {
        let mut paces = paces(&[&[0]], 50);
        for link in [1, 2] {
            assert_eq!(paces.wait(INSTANCE, LinkIdx(link), addr(1), 2), Waits::Yes);
        }
        let sent = announced(&mut paces, &[0, 49, 50]);
        assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [2, 0, 2]);
        // No distance is kept between neighbour advertisements.
        assert_eq!(paces.wait(INSTANCE, LinkIdx(0), IpAddr::from([0u16; 8]), 1), Waits::No);
    }

    #[test]
    fn a_master_that_leaves_announces_nothing_more() {
        let mut paces = paces(&[], 50);
        paces.wait(INSTANCE, LinkIdx(0), addr(1), 5);
        paces.wait(InstanceIdx(1), LinkIdx(0), addr(2), 1);
        assert!(paces.waits(INSTANCE));
        paces.cancel(INSTANCE);
        assert!(!paces.waits(INSTANCE));
        assert_eq!(announced(&mut paces, &[0, 50, 100]), [vec![addr(2)], vec![], vec![]]);
    }

    #[test]
    fn what_was_held_up_is_not_made_up_for() {
        let mut paces = paces(&[], 50);
        paces.wait(INSTANCE, LinkIdx(0), addr(1), 10);
        assert_eq!(announced(&mut paces, &[0, 5_000, 5_049, 5_050]).iter().map(Vec::len).sum::<usize>(), 3);
    }
}
