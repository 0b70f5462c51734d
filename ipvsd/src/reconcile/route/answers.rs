//! What the kernel says to a request about an address.

use super::{Extent, Op, Reconciler, Work};
use crate::event::Action;
use crate::ledger::Owner;
use crate::netlink::{Errno, route};
use crate::observed::{AddrFact, AddrKey};
use crate::patience::{Complaint, Item};
use crate::plan::addrs::AddrOp;
use crate::reconcile::log;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ipc::msg::vips::IpvsToVrrp;
use ipc::report::Level;

impl Reconciler {
    /// An answer to a request tells of all before it: the kernel works them off in order and says at once what it refuses.
    pub(super) fn done_before(&mut self, seq: u32) {
        let later = self.route.in_flight.split_off(&seq);
        for (seq, op) in core::mem::replace(&mut self.route.in_flight, later) {
            self.op_done(op, seq);
        }
    }

    pub(super) fn op_done(&mut self, op: Op, seq: u32) {
        match op {
            Op::Link(op) => self.link_done(op),
            Op::Addr(op) => self.addr_done(op, seq),
            Op::Path(op) => self.path_done(op),
        }
        self.answered();
    }

    pub(super) fn op_refused(&mut self, op: Op, seq: u32, errno: Errno, text: Option<&str>, out: &mut Vec<Action>) {
        match op {
            Op::Link(op) => self.link_refused(op, errno, text, out),
            Op::Addr(op) => self.addr_refused(op, seq, errno, text, out),
            Op::Path(op) => self.path_refused(op, errno, text, out),
        }
        self.answered();
    }

    fn addr_done(&mut self, op: AddrOp, seq: u32) {
        self.route.own.insert(op.key(), seq);
        match op {
            AddrOp::Remove { key, .. } => {
                self.gone(&key);
                self.patience.settled(&Item::Addr(key));
                self.route.changed = Work::Due;
                self.route.paths.look();
            }
            // An address of ours is no fact about its interface.
            AddrOp::Add { key, owner, record } => {
                let spec = self.ledger.addrs_of(owner).get(record);
                let (scope, peer) = spec.map_or((0, None), |s| (s.scope, s.more.peer));
                self.route.network.addr_seen(AddrFact { key, scope, owner: route::OWNER, peer });
                self.patience.settled(&Item::Addr(key));
                if self.route.missing.remove(&key) {
                    self.restored(key, owner);
                }
                if self.ledger.records_of(key.addr).nth(1).is_some() {
                    // Another instance may have waited for it.
                    self.route.work = Work::Due;
                }
            }
        }
    }

    fn gone(&mut self, key: &AddrKey) {
        self.route.network.addr_gone(key);
        self.filter_gone(key.addr);
        if let Some(link) = self.route.network.name(key.ifindex) {
            self.desired.outdated_addrs.remove(&(link.to_string(), key.addr, key.len));
        }
    }

    fn restored(&mut self, key: AddrKey, owner: Owner) {
        let text = format!(
            "({}) {} was removed by somebody else and has been put back",
            self.ledger.name_of(owner),
            self.place(&key)
        );
        self.route.restored.say(self.now, Vec::from([key.ifindex]), text);
        if let Owner::Instance(instance) = owner {
            self.vrrp.say(IpvsToVrrp::VipsRestored { instance });
        }
    }

    /// COMPAT: keepalived 2.4.3, behaviour: EEXIST on adding is success and the address is adopted; an address, or its
    /// interface, that is gone already is success on removing.
    fn addr_refused(&mut self, op: AddrOp, seq: u32, errno: Errno, text: Option<&str>, out: &mut Vec<Action>) {
        let key = op.key();
        match (op, errno.0) {
            (AddrOp::Add { .. }, libc::EEXIST) => {
                self.route.own.insert(key, seq);
                self.route.missing.remove(&key);
                self.patience.settled(&Item::Addr(key));
                if !self.route.network.has(&key) {
                    self.route.network.addr_seen(AddrFact { key, scope: 0, owner: 0, peer: None });
                }
            }
            (AddrOp::Remove { .. }, libc::EADDRNOTAVAIL | libc::ENODEV | libc::ENOENT | libc::ESRCH) => {
                self.route.own.insert(key, seq);
                self.patience.settled(&Item::Addr(key));
                self.gone(&key);
            }
            (AddrOp::Add { .. }, libc::ENODEV) => {
                // The interface has just gone; its notification is on the way.
                let _ = self.patience.refused(self.now, Item::Addr(key));
            }
            (op, _) => {
                if self.patience.refused(self.now, Item::Addr(key)) == Complaint::First {
                    let why = match text {
                        Some(text) => format!("{errno} ({text})"),
                        None => errno.to_string(),
                    };
                    self.complain(op, &why, out);
                }
            }
        }
        self.route.changed = Work::Due;
    }

    fn complain(&self, op: AddrOp, why: &str, out: &mut Vec<Action>) {
        let place = self.place(&op.key());
        let line = match op {
            AddrOp::Add { owner, record, .. } => {
                let spec = self.ledger.addrs_of(owner).get(record);
                let origin = spec.map(|s| format!("; {} asks for it", s.origin)).unwrap_or_default();
                format!(
                    "({}) Cannot add {place}: {why}{origin}; trying again after 1, 2, 4 and at most every 60 seconds",
                    self.ledger.name_of(owner)
                )
            }
            AddrOp::Remove { owner, .. } => format!(
                "({}) Cannot remove {place}: {why}; trying again after 1, 2, 4 and at most every 60 seconds; until it is gone \
                 two machines may hold the address",
                owner.map_or("an earlier configuration", |owner| self.ledger.name_of(owner))
            ),
        };
        log(out, Level::Error, line);
    }

    pub(super) fn place(&self, key: &AddrKey) -> String {
        let link = self.route.network.name(key.ifindex).unwrap_or("an interface that is gone");
        format!("{}/{} on {link}", key.addr, key.len)
    }

    fn answered(&mut self) {
        if self.route.in_flight.is_empty() {
            self.route.answers_until = None;
            if self.route.extent == Extent::Whole {
                self.route.work = Work::Due;
            }
        }
    }
}
