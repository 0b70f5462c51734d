//! Addresses: dump, plan, send, acknowledge.

mod answers;

use super::{ANSWER_LIMIT, BATCH_LIMIT, Reconciler, log};
use crate::desired::Answer;
use crate::event::Action;
use crate::netlink::batch::{Batch, Kind};
use crate::netlink::reply::{Dump, Fact, Heard};
use crate::netlink::{Bus, Errno, route};
use crate::observed::{AddrKey, LinkFact, Network};
use crate::patience::Item;
use crate::plan::Removal;
use crate::plan::addrs::{self, AddrOp, AddrPlan, State, View};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::InstanceIdx;
use ipc::msg::vips::{Applied, IpvsToVrrp, Presence};
use ipc::report::Level;
use ipc::time::Mono;

/// Addresses that are put there before vrrpd is told of them when nothing else is to be done: it announces them while the next are
/// put there. The kernel takes about 5 µs for one, two messages between processes about 50.
const FRESH_LIMIT: usize = 32;
/// After so many dumps that were torn by changes the last one is taken as it is: notifications make up for it.
const TORN_LIMIT: u32 = 5;
/// Least time between two dumps after messages were lost.
const LOST_PAUSE: Duration = Duration::from_millis(200);
/// Least time between two dumps after a message that could not be read.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(10);

/// What is known and under way on NETLINK_ROUTE.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) network: Network,
    stage: Stage,
    known: Known,
    torn: u32,
    dump_again: Option<Mono>,
    last_dump: Mono,
    in_flight: BTreeMap<u32, AddrOp>,
    answers_until: Option<Mono>,
    work: Work,
    /// Instances that vrrpd wants to have their addresses and that have not been looked at since: they are looked at alone as long
    /// as nothing else is to be done.
    fresh: BTreeSet<InstanceIdx>,
    extent: Extent,
    /// Interfaces or addresses changed since vrrpd was last told.
    pub(super) changed: Work,
    /// Our last request for an address, to tell late notifications of our own doings from news.
    own: BTreeMap<AddrKey, u32>,
    /// Wanted addresses that somebody else removed and that are not back yet.
    pub(super) missing: BTreeSet<AddrKey>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The sockets are not open yet.
    #[default]
    NotStarted,
    /// The state has to be taken.
    Due,
    /// The dump of links with this sequence number is under way.
    Links(u32),
    /// The dump of addresses is.
    Addrs(u32),
    /// The state is known.
    Ready,
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
    pub(super) fn freshen(&mut self, instance: InstanceIdx) {
        self.fresh.insert(instance);
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
        again.into_iter().chain(self.answers_until).min()
    }

    pub(super) fn expire(&mut self, now: Mono) {
        if self.answers_until.is_some_and(|t| t <= now) {
            self.lost(now);
        }
    }

    /// Answers or notifications were lost: what was asked for may have been done or not.
    pub(super) fn lost(&mut self, now: Mono) {
        self.in_flight.clear();
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

    fn dump_is_due(&self, now: Mono) -> bool {
        let again = self.stage == Stage::Ready && self.dump_again.is_some_and(|t| t <= now);
        self.in_flight.is_empty() && (self.stage == Stage::Due || again)
    }
}

impl Reconciler {
    pub(super) fn proceed_route(&mut self, out: &mut Vec<Action>) {
        if self.route.dump_is_due(self.now) {
            self.dump_links(out);
        }
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
        self.route.fresh.clear();
        let plan = addrs::plan(&self.view());
        for item in &plan.settled {
            self.patience.settled(item);
        }
        self.send_plan(&plan, BATCH_LIMIT, out);
        self.route.extent = Extent::Whole;
        if self.route.in_flight.is_empty() {
            self.answer(&plan);
            let network = &self.route.network;
            self.desired.orphan_addrs.retain(|(link, addr, len)| {
                network.link(link).is_some_and(|l| network.has(&AddrKey { ifindex: l.ifindex, addr: *addr, len: *len }))
            });
        }
    }

    /// Puts the addresses of a few instances there and says of those before them that theirs are.
    fn plan_fresh(&mut self, out: &mut Vec<Action>) {
        let plan = addrs::additions(&self.view(), self.route.fresh.iter().copied(), FRESH_LIMIT);
        for item in &plan.settled {
            self.patience.settled(item);
        }
        self.answer(&plan);
        for (instance, state) in &plan.states {
            if *state != State::Moving {
                self.route.fresh.remove(instance);
            }
        }
        self.send_plan(&plan, usize::MAX, out);
        self.route.extent = Extent::Fresh;
        if self.route.in_flight.is_empty() {
            // Whatever is left of them cannot be planned for alone.
            self.route.fresh.clear();
        }
    }

    fn view(&self) -> View<'_> {
        View {
            ledger: &self.ledger,
            desired: &self.desired,
            network: &self.route.network,
            patience: &self.patience,
            removal: self.addr_removal(),
        }
    }

    fn dump_links(&mut self, out: &mut Vec<Action>) {
        let seq = self.seq();
        self.route.network.take();
        self.route.stage = Stage::Links(seq);
        self.route.dump_again = None;
        self.route.last_dump = self.now;
        self.route.answers_until = Some(self.now + ANSWER_LIMIT);
        let mut batch = Batch::new(Bus::Route);
        batch.push(seq, Kind::Dump, route::dump_links());
        out.push(Action::Send(batch));
    }

    fn dump_addrs(&mut self, out: &mut Vec<Action>) {
        let seq = self.seq();
        self.route.stage = Stage::Addrs(seq);
        self.route.answers_until = Some(self.now + ANSWER_LIMIT);
        let mut batch = Batch::new(Bus::Route);
        batch.push(seq, Kind::Dump, route::dump_addrs());
        out.push(Action::Send(batch));
    }

    fn send_plan(&mut self, plan: &AddrPlan, limit: usize, out: &mut Vec<Action>) {
        let mut requests = Vec::new();
        for op in plan.ops.iter().take(limit) {
            let request = match op {
                AddrOp::Remove { key, .. } => route::remove_addr(key),
                AddrOp::Add { key, instance, record } => {
                    let spec = self.ledger.instance(*instance).and_then(|i| i.addrs.get(*record));
                    let Some(spec) = spec else { continue };
                    route::add_addr(key, spec)
                }
            };
            requests.push((op, request));
        }
        let mut batch = Batch::new(Bus::Route);
        let mut left = requests.len();
        for (op, request) in requests {
            let seq = self.seq();
            left = left.saturating_sub(1);
            // One acknowledgement for all: reading 255 of them takes as long as adding 255 addresses.
            batch.push(seq, if left == 0 { Kind::Change } else { Kind::Quiet }, request);
            self.route.in_flight.insert(seq, *op);
        }
        if !batch.is_empty() {
            self.route.answers_until = Some(self.now + ANSWER_LIMIT);
            out.push(Action::Send(batch));
        }
    }

    /// Answers every instance about which vrrpd has spoken and which does not move any more.
    fn answer(&mut self, plan: &AddrPlan) {
        for (instance, state) in &plan.states {
            let vips = self.desired.vips_mut(*instance);
            let Some(now) = vips.want else { continue };
            let result = match (vips.answer, state) {
                (Answer::Owed | Answer::Given(Applied::Partly), State::Settled) => Applied::All,
                (Answer::Owed, State::Stuck) => Applied::Partly,
                _ => continue,
            };
            vips.answer = Answer::Given(result);
            self.vrrp.say(IpvsToVrrp::VipsApplied { instance: *instance, now, result });
        }
    }

    /// Takes what is about links, addresses or a request of this bus; gives back the rest.
    pub(super) fn route_fact(&mut self, fact: Fact, out: &mut Vec<Action>) -> Option<Fact> {
        match fact {
            Fact::LinkSeen(link, Heard::InDump(seq)) => {
                if self.route.stage == Stage::Links(seq) {
                    self.route.network.dumped_link(link);
                }
            }
            Fact::AddrSeen(addr, Heard::InDump(seq)) => {
                if self.route.stage == Stage::Addrs(seq) {
                    self.route.network.dumped_addr(addr);
                }
            }
            Fact::LinkSeen(link, _) => {
                if self.route.network.link(&link.name).is_none_or(|known| known.ifindex != link.ifindex) {
                    self.filter.replan();
                }
                self.renamed(&link);
                self.route.network.link_seen(link);
                self.network_changed();
            }
            Fact::LinkGone { ifindex } => {
                self.route.network.link_gone(ifindex);
                self.filter.replan();
                self.route.missing.retain(|key| key.ifindex != ifindex);
                self.route.own.retain(|key, _| key.ifindex != ifindex);
                self.patience.forget_link(ifindex);
                self.network_changed();
            }
            Fact::AddrSeen(addr, heard) => {
                if self.is_news(&addr.key, heard) {
                    self.route.network.addr_seen(addr);
                    self.network_changed();
                }
            }
            Fact::AddrGone(key, heard) => {
                if self.is_news(&key, heard) && self.route.network.addr_gone(&key) {
                    self.filter_gone(key.addr);
                    self.removed(key, heard);
                    self.network_changed();
                }
            }
            Fact::Acked { seq } => match self.route.in_flight.remove(&seq) {
                Some(op) => {
                    self.addrs_done_before(seq, out);
                    self.addr_done(op, seq, out);
                }
                None => return Some(fact),
            },
            Fact::Refused { seq, errno, ref text } => match self.route.in_flight.remove(&seq) {
                Some(op) => {
                    self.addrs_done_before(seq, out);
                    self.addr_refused(op, seq, errno, text.as_deref(), out);
                }
                None if self.is_route_dump(seq) => self.dump_refused(errno, out),
                None => return Some(fact),
            },
            Fact::DumpTorn { seq } if self.is_route_dump(seq) => {
                self.route.torn = self.route.torn.saturating_add(1);
            }
            Fact::DumpEnded { seq, dump } if self.is_route_dump(seq) => self.dump_ended(dump, out),
            other => return Some(other),
        }
        None
    }

    fn is_route_dump(&self, seq: u32) -> bool {
        matches!(self.route.stage, Stage::Links(s) | Stage::Addrs(s) if s == seq)
    }

    fn dump_ended(&mut self, dump: Dump, out: &mut Vec<Action>) {
        self.route.answers_until = None;
        let torn = dump == Dump::Interrupted || self.route.torn > 0;
        if torn && self.route.torn < TORN_LIMIT {
            // Counts over attempts, so that a busy machine gets past it.
            self.route.torn = self.route.torn.saturating_add(1);
            return self.dump_links(out);
        }
        if matches!(self.route.stage, Stage::Links(_)) {
            return self.dump_addrs(out);
        }
        self.route.torn = 0;
        self.route.stage = Stage::Ready;
        self.route.own.clear();
        let had = self.wanted_and_there();
        self.route.network.taken();
        if self.route.known == Known::Yes {
            // What went while notifications were lost.
            for key in had.into_iter().filter(|key| !self.route.network.has(key)).collect::<Vec<_>>() {
                self.removed(key, Heard::ByOther);
            }
        }
        self.route.known = Known::Yes;
        self.filter.replan();
        self.network_changed();
    }

    fn dump_refused(&mut self, errno: Errno, out: &mut Vec<Action>) {
        self.route.answers_until = None;
        self.route.stage = Stage::Ready;
        self.route.dump_again = Some(self.now + Duration::from_secs(1));
        log(
            out,
            Level::Error,
            format!("Cannot read interfaces and addresses from the kernel: {errno}; trying again every second"),
        );
    }

    /// The name is what the configuration asks for. What it has put on an interface does not follow that to another name: it would
    /// stay there when the instance leaves, and the address would be there twice after a failover.
    fn renamed(&mut self, link: &LinkFact) {
        if self.route.network.name(link.ifindex).is_none_or(|old| old == link.name) {
            return;
        }
        let left = self.wanted_and_there().into_iter().filter(|key| key.ifindex == link.ifindex);
        let strangers = left.filter(|key| self.ledger.record(&link.name, key.addr, key.len).is_none());
        self.desired.orphan_addrs.extend(strangers.map(|key| (link.name.clone(), key.addr, key.len)));
    }

    fn network_changed(&mut self) {
        self.route.work = Work::Due;
        self.route.changed = Work::Due;
    }

    /// A notification of our own request that is not newer than our last request for that address is no news: the
    /// acknowledgement has told it, and something later may have changed it since.
    fn is_news(&self, key: &AddrKey, heard: Heard) -> bool {
        match heard {
            Heard::ByOwn(seq) => {
                self.route.own.get(key).is_none_or(|last| *last < seq)
                    && !self.route.in_flight.iter().any(|(s, op)| *s <= seq && op.key() == *key)
            }
            Heard::ByOther | Heard::InDump(_) => true,
        }
    }

    /// An address disappeared. If it is wanted it is put back, the more slowly the more often it happens. One that our own
    /// removal of its primary address took along is put back without a word.
    fn removed(&mut self, key: AddrKey, heard: Heard) {
        if heard == Heard::ByOther && self.is_wanted(&key) {
            self.route.missing.insert(key);
            self.patience.removed(self.now, Item::Addr(key));
        }
    }

    fn wanted_and_there(&self) -> Vec<AddrKey> {
        let network = &self.route.network;
        let present =
            self.ledger.instances().filter(|(idx, _)| self.desired.vips(*idx).want == Some(Presence::Present));
        let keys = present.flat_map(|(_, i)| &i.addrs).filter_map(|spec| addrs::resolve(&self.ledger, network, spec));
        keys.filter(|key| network.has(key)).collect()
    }

    fn is_wanted(&self, key: &AddrKey) -> bool {
        self.ledger.records_of(key.addr).any(|(idx, spec)| {
            self.desired.vips(idx).want == Some(Presence::Present)
                && addrs::resolve(&self.ledger, &self.route.network, spec) == Some(*key)
        })
    }

    fn addr_removal(&self) -> Removal {
        if self.stopping.is_some() || !self.ledger.has_instances() { Removal::Allowed } else { self.vrrp.removal() }
    }
}
