//! IPVS: find the family, take a picture, plan, send, acknowledge.
//!
//! The kernel does not notify anybody of changes to IPVS. What an administrator changes by hand (a weight during
//! maintenance, say) stays until Holdfast has a reason to change the same thing. A whole picture is taken at the start, whenever
//! the kernel answers something that does not fit the picture, and for a dump file; a reload that changes nothing sends nothing.
//!
//! [`picture`] takes the picture, [`answers`] hears what the kernel says to changes, [`report`] is for the dump file.

mod answers;
mod picture;
mod report;

use super::route::Work;
use super::{ANSWER_LIMIT, Reconciler};
use crate::desired::Desired;
use crate::event::Action;
use crate::ledger::Ledger;
use crate::netlink::Bus;
use crate::netlink::batch::{Batch, Kind};
use crate::netlink::ipvs::request;
use crate::observed::{DaemonState, Table, Timeouts};
use crate::plan::services::{self, Which};
use crate::plan::{IpvsOp, IpvsPlan, View, whole};
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::ServiceIdx;
use ipc::config::ipvs::ServiceKey;
use ipc::config::lvs::FlushOnStop;
use ipc::config::vrrp::Switch;
use ipc::msg::control::AtStop;
use ipc::time::Mono;

/// Most requests in one batch. Only refusals and the last one are answered; were all refused, their answers (about 1 KiB each)
/// would fit into a fraction of the receive buffer. More would not be faster, and memory is needed for so many.
pub const BATCH_LIMIT: usize = 512;
/// Least time between two pictures because of an answer that did not fit, or that was lost.
const DUMP_PAUSE: Duration = Duration::from_millis(200);
/// Pause before the family is asked for again when the answer was lost.
const ASK_PAUSE: Duration = Duration::from_secs(1);

/// What is known and under way on NETLINK_GENERIC.
#[derive(Debug, Default)]
pub(super) struct Lane {
    stage: Stage,
    family: u16,
    table: Table,
    /// The picture that is being taken.
    fresh: Table,
    /// Services of ours whose destinations are still to be asked for.
    unseen: Vec<ServiceKey>,
    dump_again: Option<Mono>,
    last_dump: Mono,
    /// What was planned and not sent yet.
    queue: VecDeque<IpvsOp>,
    /// By sequence number, in the order of the requests.
    in_flight: VecDeque<(u32, IpvsOp)>,
    answers_until: Option<Mono>,
    /// Services to be planned.
    services: Which,
    /// Timeouts and daemons are to be planned.
    whole: Work,
    foreign: BTreeSet<ServiceKey>,
    adoption: Adoption,
    /// The timeouts before they were first changed here.
    original: Option<Timeouts>,
    /// The daemons that were started here, or found as they shall be.
    daemons: Vec<DaemonState>,
    report: Option<report::Report>,
    purpose: Purpose,
}

/// What a picture is taken for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To know how things stand, and to make good what differs.
    #[default]
    State,
    /// For a dump file alone: nothing is changed for that.
    Report,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The configuration has nothing for IPVS, or the kernel has not been asked yet.
    #[default]
    Unasked,
    /// The family's number was asked for.
    Asking(u32),
    /// The kernel has no IPVS.
    Missing,
    /// A picture has to be taken.
    Due,
    /// The dump of services with this sequence number is under way.
    Services(u32),
    /// The dump of this service's destinations is.
    Dests(u32, ServiceKey),
    /// The dump of daemons is.
    Daemons(u32),
    /// The question for the timeouts is.
    Timeouts(u32),
    /// The picture is there.
    Ready,
}

/// Whether what was there before this process has been looked through: once in its life, not at a reload.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Adoption {
    #[default]
    NotYet,
    Done,
}

/// Whether the configuration has anything for IPVS.
fn is_used(ledger: &Ledger) -> bool {
    ledger.has_services() || ledger.lvs().sync.is_some()
}

impl Lane {
    /// Everything has to be looked at.
    pub(super) fn replan(&mut self) {
        self.services = Which::All;
        self.whole = Work::Due;
    }

    /// A service has to be looked at.
    pub(super) fn replan_service(&mut self, idx: ServiceIdx) {
        self.services.add(idx);
    }

    /// The daemons have to be looked at.
    pub(super) fn replan_whole(&mut self) {
        self.whole = Work::Due;
    }

    /// A new configuration: IPVS is looked for again if it was missing. What was not asked for so far is asked for.
    pub(super) fn activated(&mut self, ledger: &Ledger) {
        self.queue.clear();
        self.replan();
        match self.stage {
            Stage::Missing => self.stage = Stage::Unasked,
            Stage::Ready if whole::is_wanted(ledger.lvs()) && self.table.timeouts.is_none() => {
                self.stage = Stage::Due;
                self.purpose = Purpose::State;
            }
            _ => {}
        }
    }

    /// The end: what was planned does not matter any more.
    pub(super) fn stop(&mut self) {
        self.queue.clear();
        self.replan();
    }

    pub(super) fn is_quiet(&self) -> bool {
        match self.stage {
            Stage::Unasked | Stage::Missing => true,
            Stage::Ready => self.is_idle() && self.services.is_empty() && self.whole == Work::Done,
            _ => false,
        }
    }

    /// Nothing is under way and nothing waits to be sent.
    fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.queue.is_empty()
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let again = if self.stage == Stage::Ready && self.in_flight.is_empty() { self.dump_again } else { None };
        again.into_iter().chain(self.answers_until).min()
    }

    pub(super) fn expire(&mut self, now: Mono) {
        if self.answers_until.is_none_or(|t| t > now) {
            return;
        }
        match self.stage {
            Stage::Asking(_) => {
                self.answers_until = None;
                self.stage = Stage::Unasked;
            }
            _ => self.lost(now),
        }
    }

    /// Answers were lost: what was asked for may have been done or not.
    pub(super) fn lost(&mut self, now: Mono) {
        self.in_flight.clear();
        self.queue.clear();
        self.answers_until = None;
        match self.stage {
            // Asked again when this is over.
            Stage::Asking(_) => self.answers_until = Some(now + ASK_PAUSE),
            Stage::Unasked | Stage::Missing => {}
            _ => {
                self.stage = Stage::Ready;
                self.again(now);
            }
        }
    }

    fn again(&mut self, now: Mono) {
        self.dump_again = Some(now.max(self.last_dump + DUMP_PAUSE));
    }
}

impl Reconciler {
    pub(super) fn proceed_ipvs(&mut self, out: &mut Vec<Action>) {
        if self.ipvs.stage == Stage::Unasked && is_used(&self.ledger) && self.stopping.is_none() {
            self.ask_family(out);
        }
        self.proceed_picture(out);
        let ready = self.ipvs.stage == Stage::Ready && self.ipvs.in_flight.is_empty() && self.ipvs.dump_again.is_none();
        if !ready {
            return;
        }
        if self.ipvs.queue.is_empty() {
            self.plan_ipvs();
        }
        self.send_ipvs(out);
        if self.ipvs.is_idle() {
            let table = &self.ipvs.table;
            self.desired.orphan_services.retain(|key| table.service(key).is_some());
        }
    }

    fn plan_ipvs(&mut self) {
        let which = core::mem::take(&mut self.ipvs.services);
        let whole = core::mem::replace(&mut self.ipvs.whole, Work::Done);
        if which.is_empty() && whole == Work::Done {
            return;
        }
        let end = self.ipvs_end();
        if end.is_none() {
            self.adopt_once();
        }
        let view = View {
            ledger: &self.ledger,
            desired: &self.desired,
            there: &self.ipvs.table,
            patience: &self.patience,
            removal: self.ipvs_removal(),
        };
        let (original, ours) = (self.ipvs.original.as_ref(), self.ipvs.daemons.as_slice());
        let mut plan = IpvsPlan::default();
        if let Some(end) = end {
            // COMPAT: keepalived 2.2.7, measured: `--dont-release-ipvs` is about services, not about daemons and timeouts.
            whole::release(&view, original, ours, &mut plan);
            match (end, self.ledger.lvs().flush_on_stop) {
                (AtStop::Keep, _) => {}
                (AtStop::Release, FlushOnStop::All) if view.there.keys().next().is_some() => {
                    plan.ops.push(IpvsOp::Flush)
                }
                (AtStop::Release, FlushOnStop::All) => {}
                (AtStop::Release, FlushOnStop::No | FlushOnStop::Services) => services::release(&view, &mut plan),
            }
        } else {
            if whole == Work::Due {
                whole::plan(&view, original, ours, &mut plan);
            }
            services::plan(&view, &which, &mut plan);
        }
        for item in &plan.settled {
            self.patience.settled(item);
        }
        self.ipvs.queue = plan.ops.into();
    }

    /// `lvs_flush`: what the configuration does not name goes as well. COMPAT: keepalived 2.2.7 empties the table and fills it
    /// again; here what is named keeps its connections. `drain_on_removal`: real servers that an earlier run has left in a service, and
    /// that the configuration does not name, are drained as if a reload had removed them; maybe one had, and the process died since.
    fn adopt_once(&mut self) {
        if core::mem::replace(&mut self.ipvs.adoption, Adoption::Done) == Adoption::Done {
            return;
        }
        let (ledger, table) = (&self.ledger, &self.ipvs.table);
        if ledger.lvs().flush == Switch::On {
            let foreign = table.keys().filter(|key| ledger.service_with(key).is_none());
            self.desired.orphan_services.extend(foreign);
            return;
        }
        for key in ledger.keys() {
            let of = ledger.service_with(key).and_then(|idx| ledger.service(idx));
            let (Some(time), Some(there)) = (of.and_then(|service| service.drain), table.service(key)) else {
                continue;
            };
            let named = ledger.dests_of(key);
            for (addr, port) in there.places().filter(|at| !named.contains(at)) {
                self.desired.draining.entry((*key, addr, port)).or_insert(self.now + time);
            }
        }
    }

    fn send_ipvs(&mut self, out: &mut Vec<Action>) {
        let family = self.ipvs.family;
        let mut batch = Batch::new(Bus::Generic);
        let count = self.ipvs.queue.len().min(BATCH_LIMIT);
        self.ipvs.in_flight.reserve(count);
        for left in (0..count).rev() {
            let Some(op) = self.ipvs.queue.pop_front() else { break };
            let request = match &op {
                IpvsOp::AddService(fact) => request::add_service(family, fact),
                IpvsOp::EditService(fact) => request::edit_service(family, fact),
                IpvsOp::RemoveService(key) => request::remove_service(family, key),
                IpvsOp::AddDest(key, dest) => request::add_dest(family, key, dest),
                IpvsOp::EditDest(key, dest) => request::edit_dest(family, key, dest),
                IpvsOp::RemoveDest(key, addr, port) => request::remove_dest(family, key, *addr, *port),
                IpvsOp::Flush => request::flush(family),
                IpvsOp::SetTimeouts(timeouts) => request::set_timeouts(family, timeouts),
                IpvsOp::StartDaemon(fact) => request::start_daemon(family, fact),
                IpvsOp::StopDaemon(state) => request::stop_daemon(family, *state),
            };
            let seq = self.seq();
            let kind = if left == 0 { Kind::Change } else { Kind::Quiet };
            batch.push_request(seq, kind, &request);
            self.ipvs.in_flight.push_back((seq, op));
        }
        if self.ipvs.queue.is_empty() {
            // It had room for everything that was to be done: at a start, for the whole table.
            self.ipvs.queue = VecDeque::new();
        }
        if !batch.is_empty() {
            self.ipvs.answers_until = Some(self.now + ANSWER_LIMIT);
            out.push(Action::Send(batch));
        }
    }

    fn is_ours(&self, key: &ServiceKey) -> bool {
        is_ours(&self.ledger, &self.desired, key)
    }
}

fn is_ours(ledger: &Ledger, desired: &Desired, key: &ServiceKey) -> bool {
    ledger.service_with(key).is_some() || desired.orphan_services.contains(key)
}
