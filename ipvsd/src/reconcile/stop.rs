//! The end: what this process has put there is taken away, unless the supervisor says that it stays.

use super::Reconciler;
use crate::desired::Statics;
use crate::event::Action;
use crate::plan::Removal;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::msg::control::{AtStop, StopMode};
use ipc::msg::vips::Presence;
use ipc::time::Mono;

/// How long releasing may take. The supervisor waits longer (`child_wait_time`, 5 s).
const LIMIT: Duration = Duration::from_secs(3);

/// The end has begun.
#[derive(Debug)]
pub(super) struct Stopping {
    mode: StopMode,
    /// `None` once [`Action::Stopped`] was said.
    until: Option<Mono>,
}

impl Stopping {
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.until
    }
}

impl Reconciler {
    pub(super) fn stop(&mut self, mode: StopMode, _out: &mut Vec<Action>) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(Stopping { mode, until: Some(self.now + LIMIT) });
        for (_, vips) in self.desired.all_vips_mut() {
            // What vrrpd never spoke of was not put there by us.
            if vips.want.is_some() {
                vips.want = Some(Presence::Absent);
            }
            vips.hold_until = None;
        }
        self.desired.statics = Statics::Unwanted;
        self.route.replan();
        self.ipvs.stop();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// `-V`: addresses stay.
    pub(super) fn keeps_vips(&self) -> bool {
        self.stopping.as_ref().is_some_and(|s| s.mode.vips == AtStop::Keep)
    }

    /// Whether IPVS entries are being released, left alone, or kept up.
    pub(super) fn ipvs_end(&self) -> Option<AtStop> {
        self.stopping.as_ref().map(|s| s.mode.ipvs)
    }

    /// What may be removed of IPVS.
    pub(super) fn ipvs_removal(&self) -> Removal {
        if self.stopping.is_some() || !self.ledger.has_services() { Removal::Allowed } else { self.check.removal() }
    }

    pub(super) fn proceed_stop(&mut self, out: &mut Vec<Action>) {
        let now = self.now;
        let quiet = self.route.is_quiet() && self.ipvs.is_quiet() && self.filter_is_quiet();
        let Some(stopping) = &mut self.stopping else { return };
        if stopping.until.is_some_and(|t| quiet || t <= now) {
            stopping.until = None;
            out.push(Action::Stopped);
        }
    }
}
