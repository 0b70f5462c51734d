//! When something is tried again, and how often it is complained about.

use crate::path::Path;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::ipvs::ServiceKey;
use ipc::time::Mono;

use crate::filter::TableKey;
use crate::observed::{AddrKey, DaemonState};

/// Longest pause between two attempts.
pub const LONGEST: Duration = Duration::from_secs(60);

/// One thing in the kernel that is changed by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// An address on an interface.
    Addr(AddrKey),
    /// A route or a rule.
    Path(Arc<Path>),
    /// An interface, by name.
    Link(String),
    /// An IPVS service.
    Service(ServiceKey),
    /// A destination of an IPVS service.
    Dest(ServiceKey, IpAddr, u16),
    /// A daemon that synchronises connections.
    Daemon(DaemonState),
    /// The timeouts of IPVS connections.
    Timeouts,
    /// The whole IPVS table.
    Table,
    /// A table of the packet filter.
    Filter(TableKey),
    /// That part of a table which keeps reports off virtual MAC interfaces, where the table drops packets as well.
    Reports(TableKey),
}

/// Whether something is worth a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// It is the first of its kind.
    First,
    /// It has been said.
    Repeated,
}

#[derive(Clone, Copy, Debug, Default)]
struct Wait {
    /// Not before.
    until: Option<Mono>,
    /// How often in a row.
    count: u32,
    /// When it last happened.
    last: Mono,
}

/// What waits. Bounded by what the ledger holds: only things of the ledger get here.
#[derive(Clone, Debug, Default)]
pub struct Patience {
    /// Requests that the kernel refused: again after 1, 2, 4 … 60 s.
    refused: BTreeMap<Item, Wait>,
    /// Addresses, routes and rules that somebody else removes: put back after 0, 1, 2, 4 … 60 s, from 0 again when it was quiet for
    /// longer than a minute.
    removed: BTreeMap<Item, Wait>,
}

impl Patience {
    /// The kernel refused a request for this.
    pub fn refused(&mut self, now: Mono, item: Item) -> Complaint {
        let wait = self.refused.entry(item).or_default();
        wait.until = Some(now + doubled(wait.count));
        wait.count = wait.count.saturating_add(1);
        wait.last = now;
        if wait.count == 1 { Complaint::First } else { Complaint::Repeated }
    }

    /// Somebody else removed this although it is wanted.
    pub fn removed(&mut self, now: Mono, item: Item) {
        let wait = self.removed.entry(item).or_default();
        if now.since(wait.last) > LONGEST.saturating_mul(2) {
            wait.count = 0;
        }
        wait.until = match wait.count {
            0 => None,
            n => Some(now + doubled(n.saturating_sub(1))),
        };
        wait.count = wait.count.saturating_add(1);
        wait.last = now;
    }

    /// It is as it should be: refusals are forgotten. Removals are not, so that a fight over an address slows down.
    pub fn settled(&mut self, item: &Item) {
        self.refused.remove(item);
    }

    /// It is not wanted any more, or wanted anew: everything is forgotten.
    pub fn forget(&mut self, item: &Item) {
        self.refused.remove(item);
        self.removed.remove(item);
    }

    /// An interface is gone; one that comes in its place has another index.
    pub fn forget_link(&mut self, ifindex: u32) {
        let stays = |item: &Item| !matches!(item, Item::Addr(key) if key.ifindex == ifindex);
        self.refused.retain(|item, _| stays(item));
        self.removed.retain(|item, _| stays(item));
    }

    /// Interfaces or addresses have changed: what the kernel refused of routes may be had now.
    pub fn retry_paths(&mut self) {
        for (item, wait) in &mut self.refused {
            if matches!(item, Item::Path(_)) {
                wait.until = None;
            }
        }
    }

    /// Whether nothing waits or is remembered.
    pub fn is_empty(&self) -> bool {
        self.refused.is_empty() && self.removed.is_empty()
    }

    /// Whether an attempt may be made.
    pub fn allows(&self, item: &Item) -> bool {
        let free = |waits: &BTreeMap<Item, Wait>| waits.get(item).is_none_or(|w| w.until.is_none());
        free(&self.refused) && free(&self.removed)
    }

    /// Lets everything that has waited long enough be tried. True if there is something.
    pub fn expire(&mut self, now: Mono) -> bool {
        let mut some = false;
        for wait in self.refused.values_mut().chain(self.removed.values_mut()) {
            if wait.until.is_some_and(|t| t <= now) {
                wait.until = None;
                some = true;
            }
        }
        some
    }

    /// When the next one has waited long enough.
    pub fn deadline(&self) -> Option<Mono> {
        self.refused.values().chain(self.removed.values()).filter_map(|w| w.until).min()
    }
}

/// 1, 2, 4 … seconds, at most [`LONGEST`].
fn doubled(count: u32) -> Duration {
    Duration::from_secs(1u64.checked_shl(count.min(6)).unwrap_or(u64::MAX)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: Item = Item::Addr(AddrKey { ifindex: 1, addr: IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), len: 32 });

    fn at(s: u64) -> Mono {
        Mono::ZERO + Duration::from_secs(s)
    }

    #[test]
    fn a_refused_request_is_tried_again_after_1_2_4_and_at_most_60_seconds() {
        let mut p = Patience::default();
        let mut now = at(1000);
        for (n, pause) in [1, 2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
            let complaint = p.refused(now, ITEM);
            assert_eq!(complaint == Complaint::First, n == 0);
            assert_eq!(p.deadline(), Some(now + Duration::from_secs(pause)));
            assert!(!p.allows(&ITEM));
            now = now + Duration::from_secs(pause);
            assert!(p.expire(now));
            assert!(p.allows(&ITEM));
            assert_eq!(p.deadline(), None);
        }
        p.settled(&ITEM);
        assert_eq!(p.refused(now, ITEM), Complaint::First);
    }

    #[test]
    fn an_address_is_put_back_at_once_then_slower_and_at_once_again_after_a_quiet_time() {
        let mut p = Patience::default();
        let mut now = at(1000);
        p.removed(now, ITEM);
        assert!(p.allows(&ITEM));
        for pause in [1, 2, 4] {
            p.settled(&ITEM);
            p.removed(now, ITEM);
            assert_eq!(p.deadline(), Some(now + Duration::from_secs(pause)));
            now = now + Duration::from_secs(pause);
            assert!(p.expire(now));
        }
        p.removed(now + Duration::from_secs(121), ITEM);
        assert!(p.allows(&ITEM));
    }

    #[test]
    fn an_interface_that_goes_leaves_nothing_behind() {
        let mut p = Patience::default();
        p.refused(at(1), ITEM);
        p.removed(at(1), ITEM);
        p.forget_link(2);
        assert_eq!(p.refused.len(), 1);
        p.forget_link(1);
        assert!(p.refused.is_empty() && p.removed.is_empty());
    }
}
