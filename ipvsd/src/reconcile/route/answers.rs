//! What the kernel says to a request about an address.

use super::{Extent, Reconciler, Work, log};
use crate::event::Action;
use crate::netlink::{Errno, route};
use crate::observed::{AddrFact, AddrKey};
use crate::patience::{Complaint, Item};
use crate::plan::addrs::AddrOp;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ipc::config::InstanceIdx;
use ipc::msg::vips::IpvsToVrrp;
use ipc::report::Level;

impl Reconciler {
    /// An answer to a request tells of all before it: the kernel works them off in order and says at once what it refuses.
    pub(super) fn addrs_done_before(&mut self, seq: u32, out: &mut Vec<Action>) {
        let later = self.route.in_flight.split_off(&seq);
        for (seq, op) in core::mem::replace(&mut self.route.in_flight, later) {
            self.addr_done(op, seq, out);
        }
    }

    pub(super) fn addr_done(&mut self, op: AddrOp, seq: u32, out: &mut Vec<Action>) {
        self.route.own.insert(op.key(), seq);
        match op {
            AddrOp::Remove { key, .. } => {
                self.gone(&key);
                self.patience.settled(&Item::Addr(key));
                self.route.changed = Work::Due;
            }
            // An address of ours is no fact about its interface.
            AddrOp::Add { key, instance, record } => {
                let spec = self.ledger.instance(instance).and_then(|i| i.addrs.get(record));
                let scope = spec.map_or(0, |s| s.scope);
                self.route.network.addr_seen(AddrFact { key, scope, owner: route::OWNER });
                self.patience.settled(&Item::Addr(key));
                if self.route.missing.remove(&key) {
                    self.restored(key, instance, out);
                }
                if self.ledger.records_of(key.addr).nth(1).is_some() {
                    // Another instance may have waited for it.
                    self.route.work = Work::Due;
                }
            }
        }
        self.answered();
    }

    fn gone(&mut self, key: &AddrKey) {
        self.route.network.addr_gone(key);
        self.filter_gone(key.addr);
        if let Some(link) = self.route.network.name(key.ifindex) {
            self.desired.outdated_addrs.remove(&(link.to_string(), key.addr, key.len));
        }
    }

    fn restored(&mut self, key: AddrKey, instance: InstanceIdx, out: &mut Vec<Action>) {
        let text = format!(
            "({}) {} was removed by somebody else and has been put back",
            self.whose(Some(instance)),
            self.place(&key)
        );
        log(out, Level::Warning, text);
        self.vrrp.say(IpvsToVrrp::VipsRestored { instance });
    }

    /// COMPAT: keepalived 2.4.3, behaviour: EEXIST on adding is success and the address is adopted; an address, or its
    /// interface, that is gone already is success on removing.
    pub(super) fn addr_refused(
        &mut self,
        op: AddrOp,
        seq: u32,
        errno: Errno,
        text: Option<&str>,
        out: &mut Vec<Action>,
    ) {
        let key = op.key();
        match (op, errno.0) {
            (AddrOp::Add { .. }, libc::EEXIST) => {
                self.route.own.insert(key, seq);
                self.route.missing.remove(&key);
                self.patience.settled(&Item::Addr(key));
                if !self.route.network.has(&key) {
                    self.route.network.addr_seen(AddrFact { key, scope: 0, owner: 0 });
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
        self.answered();
    }

    fn complain(&self, op: AddrOp, why: &str, out: &mut Vec<Action>) {
        let place = self.place(&op.key());
        let line = match op {
            AddrOp::Add { instance, record, .. } => {
                let spec = self.ledger.instance(instance).and_then(|i| i.addrs.get(record));
                let origin = spec.map(|s| format!("; {} asks for it", s.origin)).unwrap_or_default();
                format!(
                    "({}) Cannot add {place}: {why}{origin}; trying again after 1, 2, 4 and at most every 60 seconds",
                    self.whose(Some(instance))
                )
            }
            AddrOp::Remove { instance, .. } => format!(
                "({}) Cannot remove {place}: {why}; trying again after 1, 2, 4 and at most every 60 seconds; until it is gone \
                 two machines may hold the address",
                self.whose(instance)
            ),
        };
        log(out, Level::Error, line);
    }

    fn whose(&self, instance: Option<InstanceIdx>) -> &str {
        instance.and_then(|idx| self.ledger.instance(idx)).map_or("an earlier configuration", |i| i.name.as_str())
    }

    fn place(&self, key: &AddrKey) -> String {
        let link = self.route.network.name(key.ifindex).unwrap_or("an interface that is gone");
        format!("{}/{} on {link}", key.addr, key.len)
    }

    pub(super) fn answered(&mut self) {
        if self.route.in_flight.is_empty() {
            self.route.answers_until = None;
            if self.route.extent == Extent::Whole {
                self.route.work = Work::Due;
            }
        }
    }
}
