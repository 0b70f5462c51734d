//! What a new generation of the configuration changes: only what differs.

use super::{Reconciler, log};
use crate::event::Action;
use crate::ledger::Ledger;
use crate::patience::Patience;
use crate::plan::Removal;
use alloc::format;
use alloc::vec::Vec;
use ipc::config::Generation;
use ipc::config::ipvs::IpvsConfig;
use ipc::report::Level;

impl Reconciler {
    pub(super) fn configure(&mut self, generation: Generation, config: IpvsConfig, out: &mut Vec<Action>) {
        match Ledger::after(config, &self.ledger) {
            Ok(ledger) => {
                self.prepared = Some((generation, ledger));
                out.push(Action::Ready(generation));
            }
            Err(why) => {
                self.prepared = None;
                log(
                    out,
                    Level::Error,
                    format!("Configuration {} cannot be used: {why}; the one before it stays", generation.0),
                );
                out.push(Action::Refused(generation));
            }
        }
    }

    pub(super) fn discard(&mut self, generation: Generation) {
        if self.prepared.as_ref().is_some_and(|(g, _)| *g == generation) {
            self.prepared = None;
        }
    }

    /// The peers say everything again after this; until then nothing is removed.
    pub(super) fn activate(&mut self, generation: Generation, out: &mut Vec<Action>) {
        match self.prepared.take() {
            Some((prepared, ledger)) if prepared == generation => {
                self.desired = self.desired.carry(self.now, &self.ledger, &ledger);
                self.ledger = ledger;
                self.route.paths.renew(&self.ledger);
                self.route.links.removal = Removal::Allowed;
                // What was refused may have been put right; what is not wanted any more need not be remembered.
                self.patience = Patience::default();
                self.vrrp.reset();
                self.check.reset();
                self.route.replan();
                self.ipvs.activated(&self.ledger);
                self.filter.activated(&self.ledger);
                out.push(Action::Activated);
            }
            other => {
                // The shell only passes on what was prepared; total all the same.
                self.prepared = other;
                out.push(Action::Refused(generation));
            }
        }
    }
}
