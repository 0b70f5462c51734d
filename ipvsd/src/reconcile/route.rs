//! Interfaces, addresses, routes and rules: dump, plan, send, acknowledge.
//!
//! [`dump`] takes the state, [`facts`] keeps it current, [`answers`] reads what the kernel says to a request, [`paths`] is what
//! routes and rules need beside that, [`links`] what interfaces need, [`restored`] says what had to be put back, [`tracked`] what is
//! missing of what groups of instances follow.

mod answers;
mod dump;
mod facts;
mod links;
mod paths;
mod restored;
mod tracked;

use super::{ANSWER_LIMIT, BATCH_LIMIT, Reconciler};
use crate::desired::Answer;
use crate::event::Action;
use crate::ledger::Owner;
use crate::netlink::batch::{Batch, Kind};
use crate::netlink::paths::Request;
use crate::netlink::{Bus, route};
use crate::observed::{AddrKey, Network};
use crate::plan::addrs::{self, AddrOp, AddrPlan, State};
use crate::plan::links::LinkOp;
use crate::plan::paths::PathOp;
use crate::plan::{Removal, View};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;
use dump::Stage;
use ipc::config::InstanceIdx;
use ipc::msg::vips::{Applied, IpvsToVrrp};
use ipc::time::Mono;
use links::LinkMessage;
use netlink_packet_route::RouteNetlinkMessage;

/// Addresses that are put there before vrrpd is told of them when nothing else is to be done: it announces them while the next are
/// put there. The kernel takes about 5 µs for one, two messages between processes about 50.
const FRESH_LIMIT: usize = 32;
/// Least time between two dumps after messages were lost.
const LOST_PAUSE: Duration = Duration::from_millis(200);
/// Least time between two dumps after a message that could not be read.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(10);

/// What is known and under way on NETLINK_ROUTE.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) network: Network,
    pub(super) paths: paths::Paths,
    stage: Stage,
    known: Known,
    torn: u32,
    dump_again: Option<Mono>,
    last_dump: Mono,
    in_flight: BTreeMap<u32, Op>,
    answers_until: Option<Mono>,
    work: Work,
    /// Instances that vrrpd wants to have their addresses and that have not been looked at since: they are looked at alone as long
    /// as nothing else is to be done.
    fresh: BTreeSet<InstanceIdx>,
    /// Fresh instances have routes or rules: everything is looked at when their addresses are there.
    trail: Work,
    extent: Extent,
    /// Interfaces or addresses changed since vrrpd was last told.
    pub(super) changed: Work,
    /// Our last request for an address, to tell late notifications of our own doings from news.
    own: BTreeMap<AddrKey, u32>,
    /// Wanted addresses that somebody else removed and that are not back yet.
    pub(super) missing: BTreeSet<AddrKey>,
    restored: restored::Restored,
    pub(super) links: links::Links,
}

/// A request that is under way.
#[derive(Clone, Debug)]
enum Op {
    Link(LinkOp),
    Addr(AddrOp),
    Path(PathOp),
}

/// A request without its number.
enum Message {
    Addr(RouteNetlinkMessage),
    Raw(Request),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Known {
    #[default]
    NotYet,
    Yes,
}

/// Whether there is something to look at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    #[default]
    Due,
    Done,
}

/// What the batch that is under way was planned for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Everything.
    #[default]
    Whole,
    /// Fresh instances.
    Fresh,
}

impl Lane {
    pub(super) fn start(&mut self) {
        if self.stage == Stage::NotStarted {
            self.stage = Stage::Due;
        }
    }

    pub(super) fn replan(&mut self) {
        self.work = Work::Due;
    }

    /// An instance is to have its addresses; nothing else has changed.
    pub(super) fn freshen(&mut self, instance: InstanceIdx, paths: Work) {
        self.fresh.insert(instance);
        if paths == Work::Due {
            self.trail = Work::Due;
        }
    }

    /// Whether the state has been taken at least once.
    pub(super) fn is_known(&self) -> bool {
        self.known == Known::Yes
    }

    /// Whether nothing is under way and nothing is to be done.
    pub(super) fn is_quiet(&self) -> bool {
        let idle = self.stage == Stage::Ready && self.in_flight.is_empty();
        idle && self.work == Work::Done && self.fresh.is_empty()
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let again = if self.stage == Stage::Ready && self.in_flight.is_empty() { self.dump_again } else { None };
        again.into_iter().chain(self.answers_until).chain(self.restored.deadline()).min()
    }

    pub(super) fn expire(&mut self, now: Mono) {
        if self.answers_until.is_some_and(|t| t <= now) {
            self.lost(now);
        }
    }

    /// Answers or notifications were lost: what was asked for may have been done or not.
    pub(super) fn lost(&mut self, now: Mono) {
        for op in core::mem::take(&mut self.in_flight).into_values() {
            if let Op::Path(op) = op {
                self.paths.unsure(op.path());
            }
        }
        self.answers_until = None;
        if self.stage != Stage::NotStarted {
            self.stage = Stage::Ready;
            self.again(now, LOST_PAUSE);
        }
    }

    pub(super) fn unreadable(&mut self, now: Mono) {
        self.again(now, UNREADABLE_PAUSE);
    }

    fn again(&mut self, now: Mono, pause: Duration) {
        let at = now.max(self.last_dump + pause);
        self.dump_again = Some(self.dump_again.map_or(at, |t| t.min(at)));
    }
}

impl Reconciler {
    pub(super) fn proceed_route(&mut self, out: &mut Vec<Action>) {
        self.proceed_dump(out);
        if self.route.stage != Stage::Ready || !self.route.in_flight.is_empty() {
            return;
        }
        if self.keeps_vips() {
            self.route.work = Work::Done;
            self.route.fresh.clear();
        }
        match self.route.work {
            Work::Due => self.plan_whole(out),
            Work::Done if !self.route.fresh.is_empty() => self.plan_fresh(out),
            Work::Done => {}
        }
    }

    fn plan_whole(&mut self, out: &mut Vec<Action>) {
        self.route.work = Work::Done;
        self.route.trail = Work::Done;
        self.route.fresh.clear();
        let links = self.plan_links(out);
        let plan = addrs::plan(&self.addr_view());
        let paths = self.plan_paths();
        for item in plan.settled.iter().chain(&paths.settled) {
            self.patience.settled(item);
        }
        let ops = links.ops.into_iter().map(Op::Link).chain(paths.removals.into_iter().map(Op::Path));
        let ops = ops.chain(plan.ops.iter().copied().map(Op::Addr)).chain(paths.additions.into_iter().map(Op::Path));
        let ops = ops.chain(links.removals.into_iter().map(Op::Link));
        self.send_plan(ops.take(BATCH_LIMIT).collect(), out);
        self.route.extent = Extent::Whole;
        if self.route.in_flight.is_empty() {
            self.answer(&plan);
            self.route.paths.forget_gone();
            let network = &self.route.network;
            self.desired.orphan_addrs.retain(|(link, addr, len)| {
                network.link(link).is_some_and(|l| network.has(&AddrKey { ifindex: l.ifindex, addr: *addr, len: *len }))
            });
        }
    }

    /// Puts the addresses of a few instances there and says of those before them that theirs are.
    fn plan_fresh(&mut self, out: &mut Vec<Action>) {
        let fresh = self.route.fresh.iter().map(|idx| Owner::Instance(*idx));
        let plan = addrs::additions(&self.addr_view(), fresh, FRESH_LIMIT);
        for item in &plan.settled {
            self.patience.settled(item);
        }
        self.answer(&plan);
        for (owner, state) in &plan.states {
            if let (Owner::Instance(instance), true) = (owner, *state != State::Moving) {
                self.route.fresh.remove(instance);
            }
        }
        self.send_plan(plan.ops.iter().copied().map(Op::Addr).collect(), out);
        self.route.extent = Extent::Fresh;
        if self.route.in_flight.is_empty() {
            // Whatever is left of them cannot be planned for alone.
            self.route.fresh.clear();
            if self.route.trail == Work::Due {
                self.plan_whole(out);
            }
        }
    }

    fn addr_view(&self) -> View<'_, Network> {
        View {
            ledger: &self.ledger,
            desired: &self.desired,
            there: &self.route.network,
            patience: &self.patience,
            removal: self.addr_removal(),
        }
    }

    fn send_plan(&mut self, ops: Vec<Op>, out: &mut Vec<Action>) {
        let requests: Vec<(Op, Message)> =
            ops.into_iter().filter_map(|op| Some((op.clone(), self.message(&op)?))).collect();
        let mut batch = Batch::new(Bus::Route);
        let mut left = requests.len();
        for (op, message) in requests {
            left = left.saturating_sub(1);
            // One acknowledgement for all: reading 255 of them takes as long as adding 255 addresses.
            let kind = if left == 0 { Kind::Change } else { Kind::Quiet };
            let seq = self.seq();
            match message {
                Message::Addr(message) => batch.push(seq, kind, message),
                Message::Raw(request) => batch.push_request(seq, kind, &request),
            }
            self.route.in_flight.insert(seq, op);
        }
        if !batch.is_empty() {
            self.route.answers_until = Some(self.now + ANSWER_LIMIT);
            out.push(Action::Send(batch));
        }
    }

    fn message(&mut self, op: &Op) -> Option<Message> {
        match op {
            Op::Addr(AddrOp::Remove { key, .. }) => {
                Some(Message::Addr(route::remove_addr(key, self.route.network.peer(key))))
            }
            Op::Addr(AddrOp::Add { key, owner, record }) => {
                let spec = self.ledger.addrs_of(*owner).get(*record)?;
                Some(Message::Addr(route::add_addr(key, spec)))
            }
            Op::Path(op) => self.path_request(op).map(Message::Raw),
            Op::Link(op) => self.link_message(op).map(|message| match message {
                LinkMessage::Raw(request) => Message::Raw(request),
                LinkMessage::Addr(message) => Message::Addr(message),
            }),
        }
    }

    /// Answers every instance about which vrrpd has spoken and which does not move any more.
    fn answer(&mut self, plan: &AddrPlan) {
        for (owner, state) in &plan.states {
            let Owner::Instance(instance) = *owner else { continue };
            let vips = self.desired.vips_mut(instance);
            let Some(now) = vips.want else { continue };
            let result = match (vips.answer, state) {
                (Answer::Owed | Answer::Given(Applied::Partly), State::Settled) => Applied::All,
                (Answer::Owed, State::Stuck) => Applied::Partly,
                _ => continue,
            };
            vips.answer = Answer::Given(result);
            self.vrrp.say(IpvsToVrrp::VipsApplied { instance, now, result });
        }
    }

    fn addr_removal(&self) -> Removal {
        if self.stopping.is_some() || !self.ledger.has_instances() { Removal::Allowed } else { self.vrrp.removal() }
    }
}
