//! What somebody else removed and was put back is said a moment later: the kernel takes IPv6 addresses and routes off an interface before
//! it says that the interface goes down.

use crate::event::Action;
use crate::reconcile::{Reconciler, log};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::report::Level;
use ipc::time::Mono;

/// How much later. The kernel needs less than a millisecond.
const MOMENT: Duration = Duration::from_millis(50);

/// What is to be said, in order of time. Bounded by what the ledger holds: each is tried again at most every second.
#[derive(Debug, Default)]
pub(super) struct Restored {
    lines: Vec<(Mono, Vec<u32>, String)>,
}

impl Restored {
    /// Something was put back on these interfaces (on which one is not known when there is none).
    pub(super) fn say(&mut self, now: Mono, links: Vec<u32>, line: String) {
        self.lines.push((now + MOMENT, links, line));
    }

    /// An interface is down or gone: it has taken along what was on it.
    pub(super) fn link_down(&mut self, ifindex: u32) {
        self.lines.retain(|(_, links, _)| !links.is_empty() && !links.contains(&ifindex));
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.lines.first().map(|(at, ..)| *at)
    }
}

impl Reconciler {
    pub(in crate::reconcile) fn say_restored(&mut self, out: &mut Vec<Action>) {
        let now = self.now;
        let due = self.route.restored.lines.partition_point(|(at, ..)| *at <= now);
        for (.., line) in self.route.restored.lines.drain(..due) {
            log(out, Level::Warning, line);
        }
    }
}
