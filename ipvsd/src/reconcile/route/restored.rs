//! What somebody else removed and was put back is said a moment later: the kernel takes IPv6 addresses and routes off an interface before
//! it says that the interface goes down.

use crate::desired::Answer;
use crate::event::Action;
use crate::ledger::Owner;
use crate::reconcile::{Reconciler, log};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::msg::vips::{IpvsToVrrp, Presence};
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
    /// `vrrp_on_external_removal backup`: somebody else has removed `what` on these interfaces. Those instances that have it want nothing
    /// any more until vrrpd, which is told, says so again.
    pub(super) fn give_up(&mut self, owners: Vec<Owner>, links: Vec<u32>, what: &str) {
        for owner in owners {
            let Owner::Instance(instance) = owner else { continue };
            if self.desired.vips(instance).want != Some(Presence::Present) {
                continue;
            }
            let vips = self.desired.vips_mut(instance);
            (vips.want, vips.answer) = (Some(Presence::Absent), Answer::NotAsked);
            self.vrrp.say(IpvsToVrrp::VipsRemoved { instance });
            let name = self.ledger.name_of(owner);
            let text =
                format!("({name}) {what} was removed by somebody else: giving up (vrrp_on_external_removal backup)");
            self.route.restored.say(self.now, links.clone(), text);
        }
    }

    pub(in crate::reconcile) fn say_restored(&mut self, out: &mut Vec<Action>) {
        let now = self.now;
        let due = self.route.restored.lines.partition_point(|(at, ..)| *at <= now);
        for (.., line) in self.route.restored.lines.drain(..due) {
            log(out, Level::Warning, line);
        }
    }
}
