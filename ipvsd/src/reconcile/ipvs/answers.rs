//! What the kernel says to a request about IPVS.

use super::{Reconciler, Work, log};
use crate::event::Action;
use crate::netlink::Errno;
use crate::patience::Complaint;
use crate::plan::services::IpvsOp;
use crate::show;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ipc::report::Level;

impl Reconciler {
    pub(super) fn ipvs_answered(&mut self) {
        if self.ipvs.in_flight.is_empty() {
            self.ipvs.answers_until = None;
            self.ipvs.work = Work::Due;
        }
    }

    pub(super) fn ipvs_done(&mut self, op: IpvsOp) {
        self.patience.settled(&op.item());
        let table = &mut self.ipvs.table;
        match op {
            IpvsOp::AddService(fact) | IpvsOp::EditService(fact) => table.service_seen(fact),
            IpvsOp::RemoveService(key) => table.service_gone(&key),
            IpvsOp::AddDest(key, dest) | IpvsOp::EditDest(key, dest) => table.dest_seen(&key, dest),
            IpvsOp::RemoveDest(key, addr, port) => table.dest_gone(&key, addr, port),
        }
    }

    /// COMPAT: keepalived 2.4.3: what is there already on adding and what is gone already on removing is success, what is gone
    /// on changing is added. Here: what does not fit the picture makes a new picture, and the plan follows from that.
    pub(super) fn ipvs_refused(&mut self, op: &IpvsOp, errno: Errno, text: Option<&str>, out: &mut Vec<Action>) {
        match (op, errno.0) {
            (IpvsOp::RemoveService(_) | IpvsOp::RemoveDest(..), libc::ENOENT | libc::ESRCH) => {
                self.ipvs_done(op.clone())
            }
            (IpvsOp::AddService(_) | IpvsOp::AddDest(..), libc::EEXIST)
            | (IpvsOp::EditService(_), libc::ESRCH)
            | (IpvsOp::AddDest(..), libc::ENOENT)
            | (IpvsOp::EditDest(..), libc::ENOENT | libc::ESRCH) => self.surprised(op),
            (IpvsOp::AddDest(key, _), libc::ESRCH) => {
                // Its service was refused just before, which has been said; else somebody has removed it.
                if self.ipvs.table.service(key).is_some() {
                    self.surprised(op);
                }
            }
            (op, _) => {
                if self.patience.refused(self.now, op.item()) == Complaint::First {
                    self.complain_ipvs(op, errno, text, out);
                }
            }
        }
    }

    fn surprised(&mut self, op: &IpvsOp) {
        self.ipvs.again(self.now);
        // At once the first time, then ever more slowly.
        self.patience.removed(self.now, op.item());
    }

    fn complain_ipvs(&self, op: &IpvsOp, errno: Errno, text: Option<&str>, out: &mut Vec<Action>) {
        let why = match text {
            Some(text) => format!("{errno} ({text})"),
            None => errno.to_string(),
        };
        let (verb, what, key) = match op {
            IpvsOp::AddService(fact) => ("add", String::from("virtual server"), &fact.key),
            IpvsOp::EditService(fact) => ("change", String::from("virtual server"), &fact.key),
            IpvsOp::RemoveService(key) => ("remove", String::from("virtual server"), key),
            IpvsOp::AddDest(key, dest) => ("add", format!("real server {} to", show::dest(dest.addr, dest.port)), key),
            IpvsOp::EditDest(key, dest) => {
                ("change", format!("real server {} of", show::dest(dest.addr, dest.port)), key)
            }
            IpvsOp::RemoveDest(key, addr, port) => {
                ("remove", format!("real server {} from", show::dest(*addr, *port)), key)
            }
        };
        let service = self.ledger.service_with(key).and_then(|idx| self.ledger.service(idx));
        let asked = service.map(|s| format!("; {} asks for it", s.origin)).unwrap_or_default();
        let hint = match (op, errno.0) {
            (IpvsOp::AddService(fact) | IpvsOp::EditService(fact), libc::ENOENT) => {
                format!("; this kernel may have no scheduler {0} (module ip_vs_{0})", fact.scheduler)
            }
            _ => String::new(),
        };
        let text = format!(
            "Cannot {verb} {what} {}: {why}{hint}{asked}; trying again after 1, 2, 4 and at most every 60 seconds",
            show::service(key)
        );
        log(out, Level::Error, text);
    }
}
