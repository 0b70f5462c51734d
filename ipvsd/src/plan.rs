//! The difference between what is desired and what is observed, in the order in which it is made good: [`addrs`] for
//! addresses, [`links`] for interfaces, [`paths`] for routes and rules, [`services`] for IPVS, [`whole`] for what concerns IPVS as a whole, [`filter`] for the
//! packet filter.

pub mod addrs;
pub mod filter;
pub mod links;
pub mod paths;
pub mod services;
pub mod whole;

use crate::desired::Desired;
use crate::ledger::Ledger;
use crate::observed::{DaemonFact, DaemonState, DestFact, ServiceFact, Table, Timeouts};
use crate::patience::{Item, Patience};
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::ipvs::ServiceKey;

/// Whether something may be removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Removal {
    /// The peer has said everything.
    Allowed,
    /// It has not yet: what it has not spoken of may still be wanted.
    #[default]
    NotYet,
}

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T: ?Sized> {
    /// What is authorised.
    pub ledger: &'a Ledger,
    /// What of it is wanted.
    pub desired: &'a Desired,
    /// What is there.
    pub there: &'a T,
    /// What has to wait.
    pub patience: &'a Patience,
    /// Whether the peer that decides has said everything.
    pub removal: Removal,
}

/// One change of IPVS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IpvsOp {
    /// A new service.
    AddService(ServiceFact),
    /// Other properties for a service that is there.
    EditService(ServiceFact),
    /// A service goes, with its destinations.
    RemoveService(ServiceKey),
    /// A new destination.
    AddDest(ServiceKey, DestFact),
    /// Other properties for a destination that is there.
    EditDest(ServiceKey, DestFact),
    /// A destination goes.
    RemoveDest(ServiceKey, IpAddr, u16),
    /// Everything goes, whosever it is.
    Flush,
    /// Timeouts of connections.
    SetTimeouts(Timeouts),
    /// A daemon that synchronises connections.
    StartDaemon(DaemonFact),
    /// It goes.
    StopDaemon(DaemonState),
}

impl IpvsOp {
    /// What it changes.
    pub fn item(&self) -> Item {
        match self {
            IpvsOp::AddService(fact) | IpvsOp::EditService(fact) => Item::Service(fact.key),
            IpvsOp::RemoveService(key) => Item::Service(*key),
            IpvsOp::AddDest(key, dest) | IpvsOp::EditDest(key, dest) => Item::Dest(*key, dest.addr, dest.port),
            IpvsOp::RemoveDest(key, addr, port) => Item::Dest(*key, *addr, *port),
            IpvsOp::Flush => Item::Table,
            IpvsOp::SetTimeouts(_) => Item::Timeouts,
            IpvsOp::StartDaemon(fact) => Item::Daemon(fact.state),
            IpvsOp::StopDaemon(state) => Item::Daemon(*state),
        }
    }
}

/// The plan for IPVS.
#[derive(Clone, Debug, Default)]
pub struct IpvsPlan {
    /// What is to be done, in order.
    pub ops: Vec<IpvsOp>,
    /// Things that are as they should be, whose failures can be forgotten.
    pub settled: Vec<Item>,
}

impl IpvsPlan {
    /// One more change, unless it has to wait.
    fn push(&mut self, view: &View<'_, Table>, op: IpvsOp) {
        if view.patience.is_empty() || view.patience.allows(&op.item()) {
            self.ops.push(op);
        }
    }

    /// This is as it should be.
    fn settled(&mut self, view: &View<'_, Table>, item: Item) {
        if !view.patience.is_empty() {
            self.settled.push(item);
        }
    }
}
