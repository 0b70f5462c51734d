//! What the kernel holds: its family, then services, their destinations, daemons and timeouts, one question at a time.

use super::super::{ANSWER_LIMIT, Reconciler, log};
use super::{Purpose, Stage};
use crate::event::Action;
use crate::netlink::batch::{Batch, Kind};
use crate::netlink::ipvs::{self, request};
use crate::netlink::paths::Request;
use crate::netlink::reply::{Dump, Fact};
use crate::netlink::{Bus, Errno, genl};
use crate::observed::{Table, Timeouts};
use crate::plan::whole::{self, KERNEL_TIMEOUTS};
use crate::show;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::ipvs::ServiceKey;
use ipc::report::Level;

/// Most foreign services that are named in the log.
const FOREIGN_LIMIT: usize = 10;

impl Reconciler {
    pub(super) fn proceed_picture(&mut self, out: &mut Vec<Action>) {
        let lane = &self.ipvs;
        let again = lane.stage == Stage::Ready && lane.dump_again.is_some_and(|t| t <= self.now);
        if lane.in_flight.is_empty() && (lane.stage == Stage::Due || again) {
            self.dump_services(out);
        }
    }

    pub(super) fn ask_family(&mut self, out: &mut Vec<Action>) {
        let seq = self.seq();
        self.ipvs.stage = Stage::Asking(seq);
        self.send_one(seq, Kind::Ask, &genl::ask(ipvs::FAMILY), out);
    }

    fn dump_services(&mut self, out: &mut Vec<Action>) {
        let seq = self.seq();
        self.ipvs.stage = Stage::Services(seq);
        if self.ipvs.dump_again.take().is_some() {
            self.ipvs.purpose = Purpose::State;
        }
        self.ipvs.last_dump = self.now;
        self.ipvs.fresh = Table::default();
        self.ipvs.unseen.clear();
        if self.ipvs.purpose == Purpose::State {
            // What was planned was planned from the old picture.
            self.ipvs.queue.clear();
        }
        self.send_one(seq, Kind::Dump, &request::dump_services(self.ipvs.family), out);
    }

    /// The destinations of the next service of ours; after the last one the daemons, if they matter.
    fn dump_next(&mut self, out: &mut Vec<Action>) {
        let seq = self.seq();
        if let Some(key) = self.ipvs.unseen.pop() {
            self.ipvs.stage = Stage::Dests(seq, key);
            self.send_one(seq, Kind::Dump, &request::dump_dests(self.ipvs.family, &key), out);
        } else if whole::is_wanted(self.ledger.lvs()) || self.ipvs.original.is_some() {
            self.ipvs.stage = Stage::Daemons(seq);
            self.send_one(seq, Kind::Dump, &request::dump_daemons(self.ipvs.family), out);
        } else {
            self.picture_taken(out);
        }
    }

    fn ask_timeouts(&mut self, out: &mut Vec<Action>) {
        let seq = self.seq();
        self.ipvs.stage = Stage::Timeouts(seq);
        self.send_one(seq, Kind::Ask, &request::ask_timeouts(self.ipvs.family), out);
    }

    fn timeouts_are(&mut self, timeouts: Timeouts, out: &mut Vec<Action>) {
        self.ipvs.answers_until = None;
        // Those of the configuration were set before a crash: what was there before that is not known.
        let ours = whole::are_ours(&timeouts, self.ledger.lvs());
        self.ipvs.original.get_or_insert(if ours { KERNEL_TIMEOUTS } else { timeouts });
        self.ipvs.fresh.timeouts = Some(timeouts);
        self.picture_taken(out);
    }

    fn picture_taken(&mut self, out: &mut Vec<Action>) {
        self.ipvs.stage = Stage::Ready;
        let fresh = core::mem::take(&mut self.ipvs.fresh);
        self.report_taken(&fresh, out);
        if core::mem::take(&mut self.ipvs.purpose) == Purpose::Report {
            return;
        }
        self.ipvs.table = fresh;
        self.ipvs.replan();
        if self.ledger.lvs().sync.is_some() {
            // Whatever runs is what the configuration asks for, or is made so.
            self.ipvs.daemons = self.ipvs.table.daemons.keys().copied().collect();
        }
        self.report_foreign(out);
    }

    fn send_one(&mut self, seq: u32, kind: Kind, request: &Request, out: &mut Vec<Action>) {
        let mut batch = Batch::new(Bus::Generic);
        batch.push_request(seq, kind, request);
        self.ipvs.answers_until = Some(self.now + ANSWER_LIMIT);
        out.push(Action::Send(batch));
    }

    /// Takes what is about IPVS or a request of this bus.
    pub(in super::super) fn ipvs_fact(&mut self, fact: Fact, out: &mut Vec<Action>) {
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
            (Fact::ServiceSeen { seq, service, counts }, Stage::Services(asked)) if asked == seq => {
                if self.is_ours(&service.key) {
                    self.ipvs.unseen.push(service.key);
                    self.count_service(service.key, counts);
                }
                self.ipvs.fresh.service_seen(service);
            }
            (Fact::DestSeen { seq, dest, counts }, Stage::Dests(asked, key)) if asked == seq => {
                self.count_dest(key, &dest, counts);
                self.ipvs.fresh.dest_seen(&key, dest);
            }
            (Fact::DaemonSeen { seq, daemon }, Stage::Daemons(asked)) if asked == seq => {
                self.ipvs.fresh.daemons.insert(daemon.state, daemon);
            }
            (Fact::TimeoutsAre { seq, timeouts }, Stage::Timeouts(asked)) if asked == seq => {
                self.timeouts_are(timeouts, out);
            }
            (Fact::DumpTorn { seq }, Stage::Services(asked) | Stage::Dests(asked, _) | Stage::Daemons(asked))
                if asked == seq =>
            {
                self.ipvs.again(self.now);
            }
            (
                Fact::DumpEnded { seq, dump },
                Stage::Services(asked) | Stage::Dests(asked, _) | Stage::Daemons(asked),
            ) if asked == seq => {
                self.ipvs.answers_until = None;
                if dump == Dump::Interrupted {
                    self.ipvs.again(self.now);
                }
                match self.ipvs.stage {
                    Stage::Daemons(_) => self.ask_timeouts(out),
                    _ => self.dump_next(out),
                }
            }
            (
                Fact::Refused { seq, errno, .. },
                Stage::Services(asked) | Stage::Dests(asked, _) | Stage::Daemons(asked) | Stage::Timeouts(asked),
            ) if asked == seq => self.picture_refused(errno, out),
            (Fact::Acked { seq }, _) => self.ipvs_acked(seq),
            (Fact::Refused { seq, errno, text }, _) => self.ipvs_answered_no(seq, errno, text.as_deref(), out),
            // Answers to what is not asked any more; links and addresses have been taken by the other lane.
            (
                Fact::FamilyIs { .. }
                | Fact::ServiceSeen { .. }
                | Fact::DestSeen { .. }
                | Fact::DaemonSeen { .. }
                | Fact::TimeoutsAre { .. }
                | Fact::DumpTorn { .. }
                | Fact::DumpEnded { .. }
                | Fact::LinkSeen(..)
                | Fact::LinkGone { .. }
                | Fact::ForwardingIs { .. }
                | Fact::AddrSeen(..)
                | Fact::AddrGone(..)
                | Fact::PathSeen(..)
                | Fact::PathGone(..)
                | Fact::Lost(_)
                | Fact::Unreadable { .. },
                _,
            ) => {}
        }
    }

    /// The kernel does not know the family. Being asked it has loaded the module itself if it can; the supervisor, which may no more, had it
    /// loaded at its start.
    fn no_family(&mut self, errno: Errno, out: &mut Vec<Action>) {
        self.ipvs.stage = Stage::Missing;
        self.report_taken(&Table::default(), out);
        let first = self.ledger.services().next().map(|(_, s)| format!(" (the first is at {})", s.origin));
        log(
            out,
            Level::Error,
            format!(
                "kernel has no IPVS: the module ip_vs is not there and could not be loaded ({errno}); no virtual_server is \
                 served{}, VRRP goes on. Install the modules of the running kernel (linux-image-amd64 on Debian, \
                 linux-modules-extra on Ubuntu, kernel-modules on Fedora and RHEL), \"modprobe ip_vs\", then reload",
                first.unwrap_or_default()
            ),
        );
    }

    fn picture_refused(&mut self, errno: Errno, out: &mut Vec<Action>) {
        self.ipvs.answers_until = None;
        if errno.0 == libc::ENOENT {
            // Nobody has the family's number: the module was unloaded. It may be back, under another one.
            self.ipvs.table = Table::default();
            self.ipvs.stage = Stage::Unasked;
            self.ipvs.replan();
            return;
        }
        self.ipvs.stage = Stage::Ready;
        self.ipvs.dump_again = Some(self.now + Duration::from_secs(1));
        log(out, Level::Error, format!("Cannot read IPVS from the kernel: {errno}; trying again every second"));
    }

    /// Names services that no configuration has named, once each. `lvs_flush` removes them. A torn picture may lack something: the one
    /// that replaces it decides.
    fn report_foreign(&mut self, out: &mut Vec<Action>) {
        if self.ipvs.dump_again.is_some() {
            return;
        }
        self.adopt_once();
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
