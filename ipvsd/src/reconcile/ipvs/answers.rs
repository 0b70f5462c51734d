//! What the kernel says to a request about IPVS.

use super::super::{Reconciler, log};
use crate::event::Action;
use crate::netlink::Errno;
use crate::observed::DaemonState;
use crate::patience::{Complaint, Item};
use crate::plan::IpvsOp;
use crate::show;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ipc::config::ipvs::ServiceKey;
use ipc::report::Level;

impl Reconciler {
    /// The last request of a batch was carried out, and with it all before it that were not refused: the kernel works them off in
    /// order and says at once what it refuses.
    pub(super) fn ipvs_acked(&mut self, seq: u32) {
        if let Some(op) = self.ipvs_done_before(seq) {
            self.ipvs_done(op);
            self.ipvs_answered();
        }
    }

    /// A request was refused; those before it were not.
    pub(super) fn ipvs_answered_no(&mut self, seq: u32, errno: Errno, text: Option<&str>, out: &mut Vec<Action>) {
        if let Some(op) = self.ipvs_done_before(seq) {
            self.ipvs_refused(&op, errno, text, out);
            self.ipvs_answered();
        }
    }

    /// Takes down what was asked for before that request, and gives what it asked for; `None`, and nothing happens, if it is not under way.
    fn ipvs_done_before(&mut self, seq: u32) -> Option<IpvsOp> {
        if !self.ipvs.in_flight.iter().any(|(of, _)| *of == seq) {
            return None;
        }
        while let Some((of, op)) = self.ipvs.in_flight.pop_front() {
            if of == seq {
                return Some(op);
            }
            self.ipvs_done(op);
        }
        None
    }

    fn ipvs_answered(&mut self) {
        if self.ipvs.in_flight.is_empty() {
            // With its memory.
            self.ipvs.in_flight = VecDeque::new();
            self.ipvs.answers_until = None;
        }
    }

    fn ipvs_done(&mut self, op: IpvsOp) {
        if !self.patience.is_empty() {
            self.patience.settled(&op.item());
        }
        let lane = &mut self.ipvs;
        let table = &mut lane.table;
        match op {
            IpvsOp::AddService(fact) | IpvsOp::EditService(fact) => table.service_seen(fact),
            IpvsOp::RemoveService(key) => table.service_gone(&key),
            IpvsOp::AddDest(key, dest) | IpvsOp::EditDest(key, dest) => table.dest_seen(&key, dest),
            IpvsOp::RemoveDest(key, addr, port) => table.dest_gone(&key, addr, port),
            IpvsOp::Flush => table.clear(),
            IpvsOp::SetTimeouts(timeouts) => table.timeouts = Some(timeouts),
            IpvsOp::StartDaemon(fact) => {
                if !lane.daemons.contains(&fact.state) {
                    lane.daemons.push(fact.state);
                }
                table.daemons.insert(fact.state, fact);
            }
            IpvsOp::StopDaemon(state) => {
                lane.daemons.retain(|s| *s != state);
                table.daemons.remove(&state);
            }
        }
    }

    /// COMPAT: keepalived 2.4.3: what is there already on adding and what is gone already on removing is success, what is gone
    /// on changing is added. Here: what does not fit the picture makes a new picture, and the plan follows from that.
    fn ipvs_refused(&mut self, op: &IpvsOp, errno: Errno, text: Option<&str>, out: &mut Vec<Action>) {
        match (op, errno.0) {
            (IpvsOp::RemoveService(_) | IpvsOp::RemoveDest(..) | IpvsOp::StopDaemon(_), libc::ENOENT | libc::ESRCH) => {
                self.ipvs_done(op.clone());
                // Somebody was faster, and may have removed more than this.
                if !self.is_stopping() {
                    self.ipvs.again(self.now);
                }
            }
            (IpvsOp::AddService(_) | IpvsOp::AddDest(..) | IpvsOp::StartDaemon(_), libc::EEXIST)
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
        let asked = match op.item() {
            Item::Service(key) | Item::Dest(key, ..) => self.asked_by(&key),
            Item::Daemon(_) => String::from("; lvs_sync_daemon asks for it"),
            Item::Timeouts => String::from("; lvs_timeouts asks for it"),
            Item::Table | Item::Addr(_) | Item::Path(_) | Item::Link(_) | Item::Filter(_) | Item::Reports(_) => {
                String::new()
            }
        };
        let text = format!(
            "Cannot {}: {why}{}{asked}; trying again after 1, 2, 4 and at most every 60 seconds",
            what(op),
            hint(op, errno)
        );
        log(out, Level::Error, text);
    }

    fn asked_by(&self, key: &ServiceKey) -> String {
        let service = self.ledger.service_with(key).and_then(|idx| self.ledger.service(idx));
        service.map(|s| format!("; {} asks for it", s.origin)).unwrap_or_default()
    }
}

fn what(op: &IpvsOp) -> String {
    match op {
        IpvsOp::AddService(fact) => format!("add virtual server {}", show::service(&fact.key)),
        IpvsOp::EditService(fact) => format!("change virtual server {}", show::service(&fact.key)),
        IpvsOp::RemoveService(key) => format!("remove virtual server {}", show::service(key)),
        IpvsOp::AddDest(key, dest) => {
            format!("add real server {} to virtual server {}", show::dest(dest.addr, dest.port), show::service(key))
        }
        IpvsOp::EditDest(key, dest) => {
            format!("change real server {} of virtual server {}", show::dest(dest.addr, dest.port), show::service(key))
        }
        IpvsOp::RemoveDest(key, addr, port) => {
            format!("remove real server {} from virtual server {}", show::dest(*addr, *port), show::service(key))
        }
        IpvsOp::Flush => String::from("empty the IPVS table"),
        IpvsOp::SetTimeouts(_) => String::from("set the timeouts of IPVS connections"),
        IpvsOp::StartDaemon(fact) => {
            format!("start the IPVS sync daemon ({}) on {}", state(fact.state), fact.link)
        }
        IpvsOp::StopDaemon(which) => format!("stop the IPVS sync daemon ({})", state(*which)),
    }
}

fn state(state: DaemonState) -> &'static str {
    match state {
        DaemonState::Master => "master",
        DaemonState::Backup => "backup",
    }
}

/// What is likely to be wrong.
fn hint(op: &IpvsOp, errno: Errno) -> String {
    match (op, errno.0) {
        (IpvsOp::AddService(fact) | IpvsOp::EditService(fact), libc::ENOENT) => match &fact.engine {
            None => format!("; this kernel may have no scheduler {0} (module ip_vs_{0})", fact.scheduler),
            Some(engine) => format!(
                "; this kernel may have no scheduler {0} (module ip_vs_{0}), or no persistence engine {1} (ip_vs_pe_{1})",
                fact.scheduler, engine
            ),
        },
        (IpvsOp::StartDaemon(fact), libc::ENODEV) => format!("; there is no interface {}", fact.link),
        _ => String::new(),
    }
}
