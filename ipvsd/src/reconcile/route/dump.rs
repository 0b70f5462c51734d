//! Taking the state: links, addresses, and where routes or rules are asked for, those of this process.

use super::{Known, Reconciler, Work};
use crate::event::Action;
use crate::netlink::batch::{Batch, Kind};
use crate::netlink::paths as codec;
use crate::netlink::reply::{Dump, Heard};
use crate::netlink::{Bus, Errno, route};
use crate::reconcile::{ANSWER_LIMIT, log};
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::net::Family;
use ipc::report::Level;

/// After so many dumps that were torn by changes the last one is taken as it is: notifications make up for it.
const TORN_LIMIT: u32 = 5;

/// How far the state is known.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The sockets are not open yet.
    #[default]
    NotStarted,
    /// The state has to be taken.
    Due,
    /// A dump with this sequence number is under way.
    Taking(Part, u32),
    /// The state is known.
    Ready,
}

/// What is dumped, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Links,
    Addrs,
    Routes(Family),
    Rules,
}

/// Why routes and rules alone are looked at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// With everything else, at the start or because messages were lost.
    #[default]
    All,
    /// The kernel has taken some along with an interface or an address, mostly without a word.
    TakenAlong,
}

impl Reconciler {
    pub(super) fn proceed_dump(&mut self, out: &mut Vec<Action>) {
        let lane = &self.route;
        if !lane.in_flight.is_empty() {
            return;
        }
        let again = lane.stage == Stage::Ready && lane.dump_again.is_some_and(|t| t <= self.now);
        if lane.stage == Stage::Due || again {
            self.dump_all(out);
        } else if lane.stage == Stage::Ready && lane.paths.look == Work::Due && lane.known == Known::Yes {
            self.dump_paths(Why::TakenAlong, out);
        }
    }

    fn dump_all(&mut self, out: &mut Vec<Action>) {
        self.route.network.take();
        self.route.dump_again = None;
        self.route.last_dump = self.now;
        self.dump(Part::Links, out);
    }

    fn dump_paths(&mut self, why: Why, out: &mut Vec<Action>) {
        self.route.paths.look = Work::Done;
        if self.route.paths.is_empty() {
            return self.dumped_everything(why);
        }
        self.route.paths.take(why);
        self.dump(Part::Routes(Family::V4), out);
    }

    fn dump(&mut self, part: Part, out: &mut Vec<Action>) {
        let seq = self.seq();
        self.route.stage = Stage::Taking(part, seq);
        self.route.answers_until = Some(self.now + ANSWER_LIMIT);
        let mut batch = Batch::new(Bus::Route);
        match part {
            Part::Links => batch.push(seq, Kind::Dump, route::dump_links()),
            Part::Addrs => batch.push(seq, Kind::Dump, route::dump_addrs()),
            Part::Routes(family) => batch.push_request(seq, Kind::Dump, &codec::dump_routes(family)),
            Part::Rules => batch.push_request(seq, Kind::Dump, &codec::dump_rules()),
        }
        out.push(Action::Send(batch));
    }

    /// Whether that number is the dump's that is under way.
    pub(super) fn is_route_dump(&self, seq: u32) -> bool {
        matches!(self.route.stage, Stage::Taking(_, s) if s == seq)
    }

    pub(super) fn dump_torn(&mut self) {
        self.route.torn = self.route.torn.saturating_add(1);
    }

    pub(super) fn dump_ended(&mut self, dump: Dump, out: &mut Vec<Action>) {
        self.route.answers_until = None;
        let Stage::Taking(part, _) = self.route.stage else { return };
        let torn = dump == Dump::Interrupted || self.route.torn > 0;
        if torn && self.route.torn < TORN_LIMIT {
            // Counts over attempts, so that a busy machine gets past it.
            self.route.torn = self.route.torn.saturating_add(1);
            return match part {
                Part::Links | Part::Addrs => self.dump_all(out),
                Part::Routes(_) | Part::Rules => self.dump_paths(self.route.paths.why, out),
            };
        }
        match part {
            Part::Links => self.dump(Part::Addrs, out),
            Part::Addrs => {
                self.network_taken();
                self.dump_paths(Why::All, out);
            }
            Part::Routes(Family::V4) => self.dump(Part::Routes(Family::V6), out),
            Part::Routes(Family::V6) => self.dump(Part::Rules, out),
            Part::Rules => {
                self.paths_taken();
                self.dumped_everything(self.route.paths.why);
            }
        }
    }

    fn network_taken(&mut self) {
        self.route.own.clear();
        let had = self.wanted_and_there();
        self.route.network.taken();
        self.route.links.all_seen();
        if self.route.known == Known::Yes {
            // What went while notifications were lost.
            for key in had.into_iter().filter(|key| !self.route.network.has(key)).collect::<Vec<_>>() {
                self.removed(key, Heard::ByOther);
            }
        }
    }

    fn dumped_everything(&mut self, why: Why) {
        self.route.torn = 0;
        self.route.stage = Stage::Ready;
        self.route.known = Known::Yes;
        self.filter.replan();
        match why {
            Why::All => self.network_changed(),
            Why::TakenAlong => self.route.replan(),
        }
    }

    pub(super) fn dump_refused(&mut self, errno: Errno, out: &mut Vec<Action>) {
        self.route.answers_until = None;
        self.route.stage = Stage::Ready;
        self.route.dump_again = Some(self.now + Duration::from_secs(1));
        log(
            out,
            Level::Error,
            format!("Cannot read interfaces and addresses from the kernel: {errno}; trying again every second"),
        );
    }
}
