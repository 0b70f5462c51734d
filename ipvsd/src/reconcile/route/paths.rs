//! What is known of routes and rules.
//!
//! The kernel does not tell of IPv4 routes that go with an interface or an address, so that they are looked at after such a change.

use super::dump::Why;
use super::{Reconciler, Work};
use crate::event::Action;
use crate::ledger::{Ledger, Owner};
use crate::netlink::Errno;
use crate::netlink::paths::{self as codec, Links, PathFact, Request};
use crate::netlink::reply::Heard;
use crate::observed::Network;
use crate::path::{self, Path, Row, Standing};
use crate::patience::{Complaint, Item};
use crate::plan::View;
use crate::plan::paths::{self, PathOp, PathPlan};
use crate::reconcile::log;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ipc::config::ipvs::OnRemoval;
use ipc::config::vrrp::Switch;
use ipc::msg::vips::Presence;
use ipc::report::Level;

/// Routes and rules.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct Paths {
    rows: Vec<Row>,
    /// Entries of the dump that is under way.
    seen: Vec<PathFact>,
    pub(super) why: Why,
    /// Whether some may have gone without a word.
    pub(super) look: Work,
    /// Wanted ones that somebody else removed and that are not back yet.
    missing: BTreeSet<Arc<Path>>,
}

impl Paths {
    /// What a new generation asks for. What an earlier one put there and the new one does not know is to go.
    pub(in crate::reconcile) fn renew(&mut self, ledger: &Ledger) {
        let mut rows = path::rows(ledger.paths());
        let mut places: alloc::collections::BTreeMap<Arc<Path>, usize> =
            rows.iter().enumerate().map(|(n, row)| (row.path.clone(), n)).collect();
        for old in self.rows.drain(..) {
            match places.get(&old.path).and_then(|n| rows.get_mut(*n)) {
                Some(row) => row.standing = old.standing,
                None if matches!(old.standing, Standing::There | Standing::Unsure) => {
                    places.insert(old.path.clone(), rows.len());
                    rows.push(Row { users: Vec::new(), ..old });
                }
                None => {}
            }
        }
        self.missing.retain(|path| places.contains_key(path));
        self.rows = rows;
        if self.rows.iter().any(|row| row.standing == Standing::Unknown) {
            self.look = Work::Due;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All of them.
    pub(in crate::reconcile) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Some may have gone with an interface or an address.
    pub(super) fn look(&mut self) {
        if !self.rows.is_empty() {
            self.look = Work::Due;
        }
    }

    /// An interface is down or gone, and its routes with it.
    pub(super) fn link_down(&mut self, name: &str) {
        self.missing.retain(|path| path.links().next().is_some() && path.links().all(|link| link != name));
        self.look();
    }

    pub(super) fn take(&mut self, why: Why) {
        self.seen.clear();
        self.why = why;
    }

    pub(super) fn dumped(&mut self, fact: PathFact) {
        self.seen.push(fact);
    }

    /// It is not looked for any more.
    pub(in crate::reconcile) fn found(&mut self, path: &Arc<Path>) {
        self.missing.remove(path);
    }

    /// A request for it was made whose answer is lost.
    pub(super) fn unsure(&mut self, path: &Arc<Path>) {
        self.set(path, Standing::Unsure);
    }

    fn set(&mut self, path: &Arc<Path>, standing: Standing) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.path == *path) {
            row.standing = standing;
        }
    }

    pub(super) fn row(&self, path: &Arc<Path>) -> Option<&Row> {
        self.rows.iter().find(|row| row.path == *path)
    }

    /// Drops what nobody asks for any more and is gone.
    pub(super) fn forget_gone(&mut self) {
        self.rows.retain(|row| !row.users.is_empty() || row.standing != Standing::Gone);
    }
}

/// Whether the kernel can be asked for it: routes with a protocol of their own are not in the dump.
fn is_shown(path: &Path) -> bool {
    match path {
        Path::Route(route) => route.protocol.is_none_or(|protocol| protocol == codec::PROTOCOL),
        Path::Rule(_) => true,
    }
}

/// Looks names of interfaces up.
fn with_links<T>(network: &Network, f: impl FnOnce(&Links<'_>) -> T) -> T {
    f(&Links {
        ifindex: &|name| network.link(name).map(|link| link.ifindex),
        table: &|name| network.link(name).and_then(|link| link.vrf_table()),
    })
}

impl Reconciler {
    pub(super) fn plan_paths(&self) -> PathPlan {
        let view = View {
            ledger: &self.ledger,
            desired: &self.desired,
            there: self.route.paths.rows.as_slice(),
            patience: &self.patience,
            removal: self.addr_removal(),
        };
        paths::plan(&view, &self.route.network)
    }

    /// `None`: an interface of it is gone, and a route with it.
    pub(super) fn path_request(&mut self, op: &PathOp) -> Option<Request> {
        let request = with_links(&self.route.network, |links| match op {
            PathOp::Add(path, _) => codec::add(path, links),
            PathOp::Remove(path) => codec::remove(path, links),
        });
        if request.is_none() {
            self.route.paths.set(op.path(), Standing::Gone);
        }
        request
    }

    /// The dump of routes and rules has ended: what it did not show is not there.
    pub(super) fn paths_taken(&mut self) {
        let network = &self.route.network;
        let paths = &mut self.route.paths;
        let seen = core::mem::take(&mut paths.seen);
        let mut lost = Vec::new();
        for row in &mut paths.rows {
            let there = with_links(network, |links| seen.iter().any(|fact| codec::matches(&row.path, fact, links)));
            let standing = match (is_shown(&row.path), there, row.standing) {
                (true, true, _) => Standing::There,
                (true, false, _) => Standing::Gone,
                (false, _, Standing::There) => Standing::Unsure,
                (false, _, other) => other,
            };
            if row.standing == Standing::There && standing == Standing::Gone {
                lost.push(row.path.clone());
            }
            row.standing = standing;
        }
        if paths.why == Why::All {
            for path in lost {
                self.path_lost(path);
            }
        }
    }

    pub(super) fn path_seen(&mut self, fact: PathFact, heard: Heard) {
        if heard == Heard::ByOther {
            for path in self.paths_like(&fact) {
                self.route.paths.set(&path, Standing::There);
                self.route.paths.missing.remove(&path);
            }
            self.route.replan();
        }
    }

    pub(super) fn path_gone(&mut self, fact: PathFact, heard: Heard) {
        if heard != Heard::ByOther {
            return; // the acknowledgement tells it
        }
        for path in self.paths_like(&fact) {
            let there = self.route.paths.row(&path).is_some_and(|row| row.standing == Standing::There);
            self.route.paths.set(&path, Standing::Gone);
            if there {
                self.path_lost(path);
            }
        }
        self.route.replan();
    }

    fn paths_like(&self, fact: &PathFact) -> Vec<Arc<Path>> {
        let rows = self.route.paths.rows.iter();
        let like = |row: &&Row| with_links(&self.route.network, |links| codec::matches(&row.path, fact, links));
        rows.filter(like).map(|row| row.path.clone()).collect()
    }

    /// Somebody else removed it, or an interface that goes down took it along: that is not known yet.
    fn path_lost(&mut self, path: Arc<Path>) {
        let wanted = |owner: &Owner| self.desired.want(*owner) == Some(Presence::Present);
        let with_link = !paths::is_ready(&path, &self.route.network);
        if !with_link && self.route.paths.row(&path).is_some_and(|row| row.users.iter().any(wanted)) {
            if self.ledger.on_removal() == OnRemoval::Backup {
                let records = self.ledger.paths().iter().filter(|record| record.path == path);
                let owners = records.filter(|record| record.tracked.no_track == Switch::Off).map(|record| record.owner);
                let network = &self.route.network;
                let links = path.links().filter_map(|name| network.link(name)).map(|link| link.ifindex);
                self.give_up(owners.collect(), links.collect(), &path.to_string());
                let wanted = |owner: &Owner| self.desired.want(*owner) == Some(Presence::Present);
                if !self.route.paths.row(&path).is_some_and(|row| row.users.iter().any(wanted)) {
                    return;
                }
            }
            self.patience.removed(self.now, Item::Path(path.clone()));
            self.route.paths.missing.insert(path);
        }
    }

    pub(super) fn path_done(&mut self, op: PathOp) {
        self.patience.settled(&Item::Path(op.path().clone()));
        match op {
            PathOp::Remove(path) => self.route.paths.set(&path, Standing::Gone),
            PathOp::Add(path, owner) => {
                self.route.paths.set(&path, Standing::There);
                if self.route.paths.missing.remove(&path) {
                    let whose = self.ledger.name_of(owner);
                    let text = format!("({whose}) {path} was removed by somebody else and has been put back");
                    let network = &self.route.network;
                    let links = path.links().filter_map(|name| network.link(name)).map(|link| link.ifindex);
                    let links = links.collect();
                    self.route.restored.say(self.now, links, text);
                }
            }
        }
    }

    /// COMPAT: keepalived 2.4.3: one that is there already is adopted; one that is gone already is gone.
    pub(super) fn path_refused(&mut self, op: PathOp, errno: Errno, text: Option<&str>, out: &mut Vec<Action>) {
        let item = Item::Path(op.path().clone());
        match (&op, errno.0) {
            (PathOp::Add(path, _), libc::EEXIST) => {
                self.route.paths.missing.remove(path);
                self.route.paths.set(path, Standing::There);
                self.patience.settled(&item);
            }
            (PathOp::Remove(path), libc::ESRCH | libc::ENOENT | libc::ENODEV | libc::ENETUNREACH) => {
                self.route.paths.set(path, Standing::Gone);
                self.patience.settled(&item);
            }
            (PathOp::Add(path, _), libc::ENETDOWN | libc::ENODEV) => {
                // Its interface has just gone down; the notification is on the way.
                self.route.paths.missing.remove(path);
                let _ = self.patience.refused(self.now, item);
            }
            _ => {
                if self.patience.refused(self.now, item) == Complaint::First {
                    self.complain_of_path(&op, errno, text, out);
                }
            }
        }
    }

    fn complain_of_path(&self, op: &PathOp, errno: Errno, text: Option<&str>, out: &mut Vec<Action>) {
        let why = text.map_or_else(|| format!("{errno}"), |text| format!("{errno} ({text})"));
        let origin = self.route.paths.row(op.path()).map(|row| row.origin.clone()).unwrap_or_default();
        let (owner, what) = match op {
            PathOp::Add(_, owner) => (Some(*owner), "add"),
            PathOp::Remove(path) => (self.route.paths.row(path).and_then(|row| row.users.first().copied()), "remove"),
        };
        let whose = owner.map_or("an earlier configuration", |owner| self.ledger.name_of(owner));
        let line = format!(
            "({whose}) Cannot {what} {}: {why}; {origin} asks for it; trying again when interfaces or addresses change, and after \
             1, 2, 4 and at most every 60 seconds",
            op.path()
        );
        log(out, Level::Error, line);
    }
}
