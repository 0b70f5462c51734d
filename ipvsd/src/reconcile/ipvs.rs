//! IPVS: find the family, dump, plan, send, acknowledge.
//!
//! The kernel does not notify anybody of changes to IPVS. What an administrator changes by hand (a weight during
//! maintenance, say) stays until Holdfast has a reason to change the same thing; a whole picture is taken at every activation
//! and whenever the kernel answers something that does not fit the picture.

mod answers;

use super::route::Work;
use super::{ANSWER_LIMIT, BATCH_LIMIT, Reconciler, log};
use crate::event::Action;
use crate::netlink::batch::{Batch, Kind};
use crate::netlink::reply::{Dump, Fact};
use crate::netlink::{Bus, Errno, genl, ipvs};
use crate::observed::Table;
use crate::plan::services::{self, IpvsOp, IpvsPlan};
use crate::show;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::ipvs::ServiceKey;
use ipc::msg::control::{AtStop, Loaded, Module};
use ipc::report::Level;
use ipc::time::Mono;

/// Least time between two dumps because of an answer that did not fit, or that was lost.
const DUMP_PAUSE: Duration = Duration::from_millis(200);
/// Pause before the family is asked for again when the answer was lost.
const ASK_PAUSE: Duration = Duration::from_secs(1);
/// Most foreign services that are named in the log.
const FOREIGN_LIMIT: usize = 10;

/// What is known and under way on NETLINK_GENERIC.
#[derive(Debug, Default)]
pub(super) struct Lane {
    stage: Stage,
    family: u16,
    module: AskedFor,
    table: Table,
    /// The table of the dump under way.
    fresh: Table,
    /// Services of ours whose destinations are still to be dumped.
    queue: Vec<ServiceKey>,
    dump_again: Option<Mono>,
    last_dump: Mono,
    in_flight: BTreeMap<u32, IpvsOp>,
    answers_until: Option<Mono>,
    work: Work,
    foreign: BTreeSet<ServiceKey>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The configuration has no service, or the kernel has not been asked yet.
    #[default]
    Unasked,
    /// The family's number was asked for.
    Asking(u32),
    /// The supervisor loads the module.
    Loading,
    /// The kernel has no IPVS.
    Missing,
    /// The state has to be taken.
    Due,
    /// The dump of services with this sequence number is under way.
    Services(u32),
    /// The dump of this service's destinations is.
    Dests(u32, ServiceKey),
    /// The state is known.
    Ready,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum AskedFor {
    #[default]
    NotYet,
    Yes,
}

impl Lane {
    pub(super) fn replan(&mut self) {
        self.work = Work::Due;
    }

    /// A new configuration: IPVS is looked for again if it was missing, and looked at again if it was there.
    pub(super) fn activated(&mut self, now: Mono) {
        self.work = Work::Due;
        match self.stage {
            Stage::Missing => {
                self.stage = Stage::Unasked;
                self.module = AskedFor::NotYet;
            }
            Stage::Ready => self.stage = Stage::Due,
            Stage::Services(_) | Stage::Dests(..) => self.dump_again = Some(now),
            Stage::Unasked | Stage::Asking(_) | Stage::Loading | Stage::Due => {}
        }
    }

    pub(super) fn is_quiet(&self) -> bool {
        match self.stage {
            Stage::Unasked | Stage::Missing => true,
            Stage::Ready => self.in_flight.is_empty() && self.work == Work::Done,
            Stage::Asking(_) | Stage::Loading | Stage::Due | Stage::Services(_) | Stage::Dests(..) => false,
        }
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
        self.answers_until = None;
        match self.stage {
            // Asked again when this is over.
            Stage::Asking(_) => self.answers_until = Some(now + ASK_PAUSE),
            Stage::Unasked | Stage::Loading | Stage::Missing => {}
            Stage::Due | Stage::Services(_) | Stage::Dests(..) | Stage::Ready => {
                self.stage = Stage::Ready;
                self.again(now);
            }
        }
    }

    fn again(&mut self, now: Mono) {
        self.dump_again = Some(now.max(self.last_dump + DUMP_PAUSE));
    }

    fn dump_is_due(&self, now: Mono) -> bool {
        let again = self.stage == Stage::Ready && self.dump_again.is_some_and(|t| t <= now);
        self.in_flight.is_empty() && (self.stage == Stage::Due || again)
    }
}

impl Reconciler {
    pub(super) fn proceed_ipvs(&mut self, out: &mut Vec<Action>) {
        if self.ipvs.stage == Stage::Unasked && self.ledger.has_services() && self.stopping.is_none() {
            self.ask_family(out);
        }
        if self.ipvs.dump_is_due(self.now) {
            self.dump_services(out);
        }
        let idle = self.ipvs.stage == Stage::Ready && self.ipvs.in_flight.is_empty() && self.ipvs.dump_again.is_none();
        if !idle || self.ipvs.work == Work::Done {
            return;
        }
        self.ipvs.work = Work::Done;
        let plan = match self.ipvs_end() {
            Some(AtStop::Keep) => return,
            Some(AtStop::Release) => services::release(&self.ledger, &self.desired, &self.ipvs.table, &self.patience),
            None => services::plan(&self.ledger, &self.desired, &self.ipvs.table, &self.patience, self.ipvs_removal()),
        };
        for item in &plan.settled {
            self.patience.settled(item);
        }
        self.send_ipvs(plan, out);
        if self.ipvs.in_flight.is_empty() {
            let table = &self.ipvs.table;
            self.desired.orphan_services.retain(|key| table.service(key).is_some());
        }
    }

    fn ask_family(&mut self, out: &mut Vec<Action>) {
        let seq = self.seq();
        self.ipvs.stage = Stage::Asking(seq);
        self.send_one(seq, Kind::Ask, genl::ask(ipvs::FAMILY), out);
    }

    fn dump_services(&mut self, out: &mut Vec<Action>) {
        let seq = self.seq();
        self.ipvs.stage = Stage::Services(seq);
        self.ipvs.dump_again = None;
        self.ipvs.last_dump = self.now;
        self.ipvs.fresh = Table::default();
        self.ipvs.queue.clear();
        self.send_one(seq, Kind::Dump, ipvs::dump_services(self.ipvs.family), out);
    }

    /// The destinations of the next service of ours; after the last one the picture is whole.
    fn dump_dests(&mut self, out: &mut Vec<Action>) {
        match self.ipvs.queue.pop() {
            Some(key) => {
                let seq = self.seq();
                self.ipvs.stage = Stage::Dests(seq, key);
                self.send_one(seq, Kind::Dump, ipvs::dump_dests(self.ipvs.family, &key), out);
            }
            None => {
                self.ipvs.table = core::mem::take(&mut self.ipvs.fresh);
                self.ipvs.stage = Stage::Ready;
                self.ipvs.work = Work::Due;
                self.report_foreign(out);
            }
        }
    }

    fn send_one<M>(&mut self, seq: u32, kind: Kind, message: M, out: &mut Vec<Action>)
    where
        netlink_packet_core::NetlinkMessage<M>: From<M>,
        M: netlink_packet_core::NetlinkSerializable,
    {
        let mut batch = Batch::new(Bus::Generic);
        batch.push(seq, kind, message);
        self.ipvs.answers_until = Some(self.now + ANSWER_LIMIT);
        out.push(Action::Send(batch));
    }

    fn send_ipvs(&mut self, plan: IpvsPlan, out: &mut Vec<Action>) {
        let family = self.ipvs.family;
        let mut batch = Batch::new(Bus::Generic);
        for op in plan.ops.into_iter().take(BATCH_LIMIT) {
            let request = match &op {
                IpvsOp::AddService(fact) => ipvs::add_service(family, fact),
                IpvsOp::EditService(fact) => ipvs::edit_service(family, fact),
                IpvsOp::RemoveService(key) => ipvs::remove_service(family, key),
                IpvsOp::AddDest(key, dest) => ipvs::add_dest(family, key, dest),
                IpvsOp::EditDest(key, dest) => ipvs::edit_dest(family, key, dest),
                IpvsOp::RemoveDest(key, addr, port) => ipvs::remove_dest(family, key, *addr, *port),
            };
            let seq = self.seq();
            batch.push(seq, Kind::Change, request);
            self.ipvs.in_flight.insert(seq, op);
        }
        if !batch.is_empty() {
            self.ipvs.answers_until = Some(self.now + ANSWER_LIMIT);
            out.push(Action::Send(batch));
        }
    }

    /// Takes what is about IPVS or a request of this bus.
    pub(super) fn ipvs_fact(&mut self, fact: Fact, out: &mut Vec<Action>) {
        match (fact, self.ipvs.stage) {
            (Fact::FamilyIs { seq, id }, Stage::Asking(asked)) if asked == seq => {
                self.ipvs.answers_until = None;
                self.ipvs.family = id;
                self.ipvs.stage = Stage::Due;
            }
            (Fact::Refused { seq, errno, .. }, Stage::Asking(asked)) if asked == seq => {
                self.ipvs.answers_until = None;
                self.no_family(errno, out);
            }
            (Fact::ServiceSeen { seq, service }, Stage::Services(asked)) if asked == seq => {
                if self.is_ours(&service.key) {
                    self.ipvs.queue.push(service.key);
                }
                self.ipvs.fresh.service_seen(service);
            }
            (Fact::DestSeen { seq, dest }, Stage::Dests(asked, key)) if asked == seq => {
                self.ipvs.fresh.dest_seen(&key, dest);
            }
            (Fact::DumpTorn { seq }, Stage::Services(asked) | Stage::Dests(asked, _)) if asked == seq => {
                self.ipvs.again(self.now);
            }
            (Fact::DumpEnded { seq, dump }, Stage::Services(asked) | Stage::Dests(asked, _)) if asked == seq => {
                self.ipvs.answers_until = None;
                if dump == Dump::Interrupted {
                    self.ipvs.again(self.now);
                }
                self.dump_dests(out);
            }
            (Fact::Refused { seq, errno, .. }, Stage::Services(asked) | Stage::Dests(asked, _)) if asked == seq => {
                self.ipvs_dump_refused(errno, out);
            }
            (Fact::Acked { seq }, _) => {
                if let Some(op) = self.ipvs.in_flight.remove(&seq) {
                    self.ipvs_done(op);
                    self.ipvs_answered();
                }
            }
            (Fact::Refused { seq, errno, text }, _) => {
                if let Some(op) = self.ipvs.in_flight.remove(&seq) {
                    self.ipvs_refused(&op, errno, text.as_deref(), out);
                    self.ipvs_answered();
                }
            }
            // Answers to what is not asked any more; links and addresses have been taken by the other lane.
            (
                Fact::FamilyIs { .. }
                | Fact::ServiceSeen { .. }
                | Fact::DestSeen { .. }
                | Fact::DumpTorn { .. }
                | Fact::DumpEnded { .. }
                | Fact::LinkSeen(..)
                | Fact::LinkGone { .. }
                | Fact::AddrSeen(..)
                | Fact::AddrGone(..)
                | Fact::Lost(_)
                | Fact::Unreadable { .. },
                _,
            ) => {}
        }
    }

    /// The kernel does not know the family. Asking makes it load the module itself where it can; the supervisor is asked once.
    fn no_family(&mut self, errno: Errno, out: &mut Vec<Action>) {
        if self.ipvs.module == AskedFor::NotYet {
            self.ipvs.module = AskedFor::Yes;
            self.ipvs.stage = Stage::Loading;
            out.push(Action::LoadModule(Module::IpVs));
            return;
        }
        self.ipvs.stage = Stage::Missing;
        let first = self.ledger.services().next().map(|(_, s)| s.origin.to_string()).unwrap_or_default();
        log(
            out,
            Level::Error,
            format!(
                "kernel has no IPVS: the module ip_vs is not there and could not be loaded ({errno}); no virtual_server is \
                 served (the first is at {first}), VRRP goes on. Run a kernel with IPVS or \"modprobe ip_vs\", then reload"
            ),
        );
    }

    pub(super) fn module_loaded(&mut self, _loaded: Loaded, out: &mut Vec<Action>) {
        // Whatever modprobe says: only the kernel knows.
        if self.ipvs.stage == Stage::Loading {
            self.ask_family(out);
        }
    }

    fn ipvs_dump_refused(&mut self, errno: Errno, out: &mut Vec<Action>) {
        self.ipvs.answers_until = None;
        if errno.0 == libc::ENOENT {
            // Nobody has the family's number: the module was unloaded. It may be back, under another one.
            self.ipvs.table = Table::default();
            self.ipvs.stage = Stage::Unasked;
            self.ipvs.module = AskedFor::NotYet;
            return;
        }
        self.ipvs.stage = Stage::Ready;
        self.ipvs.dump_again = Some(self.now + Duration::from_secs(1));
        log(out, Level::Error, format!("Cannot read IPVS from the kernel: {errno}; trying again every second"));
    }

    fn is_ours(&self, key: &ServiceKey) -> bool {
        self.ledger.service_with(key).is_some() || self.desired.orphan_services.contains(key)
    }

    /// Names services that no configuration has named, once each.
    fn report_foreign(&mut self, out: &mut Vec<Action>) {
        let foreign: BTreeSet<ServiceKey> = self.ipvs.table.keys().filter(|key| !self.is_ours(key)).copied().collect();
        let fresh: Vec<String> = foreign.difference(&self.ipvs.foreign).map(show::service).collect();
        self.ipvs.foreign = foreign;
        if fresh.is_empty() {
            return;
        }
        let mut names = fresh.iter().take(FOREIGN_LIMIT).cloned().collect::<Vec<_>>().join(", ");
        if fresh.len() > FOREIGN_LIMIT {
            names.push_str(&format!(" and {} more", fresh.len().saturating_sub(FOREIGN_LIMIT)));
        }
        log(out, Level::Notice, format!("Leaving IPVS services alone that the configuration does not name: {names}"));
    }
}
