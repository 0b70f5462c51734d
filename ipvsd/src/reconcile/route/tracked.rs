//! `track_group`: whether all that is static of a group is there.

use super::Reconciler;
use crate::ledger::Owner;
use crate::path::Standing;
use crate::plan::addrs::resolve;
use alloc::collections::BTreeMap;
use ipc::config::TrackGroupIdx;
use ipc::msg::vips::Presence;

impl Reconciler {
    /// How everything static of each group stands; nothing while something is being done, or is to be: what was removed and can be put
    /// back at once was never missing. At the end nothing is said either.
    pub(in crate::reconcile) fn standing_of_groups(&self) -> BTreeMap<TrackGroupIdx, Presence> {
        let groups = self.ledger.groups();
        if groups.is_empty() || !self.route.is_quiet() || self.is_stopping() {
            return BTreeMap::new();
        }
        let mut standing: BTreeMap<_, _> = groups.iter().map(|group| (*group, Presence::Present)).collect();
        let network = &self.route.network;
        for (addr, group) in self.ledger.static_addrs() {
            let there = resolve(&self.ledger, network, addr).is_some_and(|key| network.has(&key));
            if let Some(group) = group.filter(|_| !there) {
                standing.insert(group, Presence::Absent);
            }
        }
        for record in self.ledger.paths().iter().filter(|record| record.owner == Owner::Statics) {
            let Some(group) = record.tracked.group() else { continue };
            match self.route.paths.row(&record.path).map_or(Standing::Gone, |row| row.standing) {
                Standing::There => {}
                Standing::Gone => drop(standing.insert(group, Presence::Absent)),
                // It is looked for next.
                Standing::Unknown | Standing::Unsure => return BTreeMap::new(),
            }
        }
        standing
    }
}
