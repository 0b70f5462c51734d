//! The plan for routes and rules.
//!
//! What goes, goes before the addresses it may depend on; what comes, comes after them: the kernel takes a route only when its gateway
//! and its source address are there.

use super::{Removal, View};
use crate::ledger::Owner;
use crate::observed::Network;
use crate::path::{Path, Row, Standing};
use crate::patience::Item;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ipc::msg::vips::Presence;

const IFF_UP: u32 = 0x1;

/// One change of a route or a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathOp {
    /// Put it there, for that owner.
    Add(Arc<Path>, Owner),
    /// Take it away.
    Remove(Arc<Path>),
}

impl PathOp {
    /// What it changes.
    pub fn path(&self) -> &Arc<Path> {
        match self {
            PathOp::Add(path, _) | PathOp::Remove(path) => path,
        }
    }
}

/// The plan for routes and rules.
#[derive(Clone, Debug, Default)]
pub struct PathPlan {
    /// To be done before anything is done about addresses: rules, then routes.
    pub removals: Vec<PathOp>,
    /// To be done after: routes, then rules.
    pub additions: Vec<PathOp>,
    /// Things that are as they should be, whose failures can be forgotten.
    pub settled: Vec<Item>,
}

/// Plans routes and rules.
pub fn plan(view: &View<'_, [Row]>, network: &Network) -> PathPlan {
    let mut plan = PathPlan::default();
    for row in view.there {
        let item = Item::Path(row.path.clone());
        match (wish(view, row), row.standing) {
            (Wish::Keep(_), Standing::There) | (Wish::Drop, Standing::Gone) => plan.settled.push(item),
            (Wish::Leave, _) => {}
            _ if !view.patience.allows(&item) => {}
            (Wish::Keep(owner), _) if is_ready(&row.path, network) => {
                plan.additions.push(PathOp::Add(row.path.clone(), owner));
            }
            (Wish::Keep(_), _) => {}
            (Wish::Drop, _) => plan.removals.push(PathOp::Remove(row.path.clone())),
        }
    }
    plan.removals.reverse();
    plan.removals.sort_by_key(|op| matches!(**op.path(), Path::Route(_)));
    plan.additions.sort_by_key(|op| matches!(**op.path(), Path::Rule(_)));
    plan
}

/// What is to become of a route or a rule.
enum Wish {
    /// Somebody wants it.
    Keep(Owner),
    /// Nobody does.
    Drop,
    /// It is not known yet.
    Leave,
}

fn wish(view: &View<'_, [Row]>, row: &Row) -> Wish {
    let wants = |owner: &&Owner| view.desired.want(**owner) == Some(Presence::Present);
    if let Some(owner) = row.users.iter().find(wants) {
        return Wish::Keep(*owner);
    }
    let unwanted = |owner: &Owner| {
        view.desired.want(*owner) == Some(Presence::Absent)
            && view.desired.removal(*owner, view.removal) == Removal::Allowed
    };
    if row.users.iter().all(unwanted) { Wish::Drop } else { Wish::Leave }
}

/// Whether the kernel can take it now: it takes no route over an interface that is down.
pub fn is_ready(path: &Path, network: &Network) -> bool {
    path.links().all(|name| network.link(name).is_some_and(|link| link.flags & IFF_UP != 0))
}
