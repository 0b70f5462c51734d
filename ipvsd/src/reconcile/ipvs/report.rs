//! The dump file (SIGUSR1): it waits for a picture, with what the kernel has counted.

use super::super::Reconciler;
use super::{Purpose, Stage};
use crate::event::Action;
use crate::observed::{Counted, Counts, DestFact, Table};
use alloc::vec::Vec;
use ipc::config::ipvs::ServiceKey;

/// Dumps that were asked for and not made yet.
#[derive(Debug, Default)]
pub(super) struct Report {
    dumps: u32,
    counted: Counted,
}

impl Reconciler {
    /// A dump is wanted: at once where there is no IPVS, else as soon as the kernel has said how things stand.
    pub(in super::super) fn dump_wanted(&mut self, out: &mut Vec<Action>) {
        let report = self.ipvs.report.get_or_insert_default();
        report.dumps = report.dumps.saturating_add(1);
        match self.ipvs.stage {
            Stage::Unasked | Stage::Missing | Stage::Asking(_) => {
                self.report_taken(&Table::default(), out);
            }
            Stage::Ready => {
                self.ipvs.stage = Stage::Due;
                self.ipvs.purpose = Purpose::Report;
            }
            // One is being taken.
            _ => {}
        }
    }

    pub(super) fn count_service(&mut self, key: ServiceKey, counts: Counts) {
        if let Some(report) = &mut self.ipvs.report {
            report.counted.services.insert(key, counts);
        }
    }

    pub(super) fn count_dest(&mut self, key: ServiceKey, dest: &DestFact, counts: Counts) {
        if let Some(report) = &mut self.ipvs.report {
            report.counted.dests.insert((key, dest.addr, dest.port), counts);
        }
    }

    /// The picture is there: whoever waits for a dump gets it.
    pub(super) fn report_taken(&mut self, table: &Table, out: &mut Vec<Action>) {
        let Some(report) = self.ipvs.report.take() else { return };
        let text = crate::dump::text(
            &self.ledger,
            &self.desired,
            &self.route.network,
            self.route.paths.rows(),
            table,
            &report.counted,
        );
        for _ in 0..report.dumps {
            out.push(Action::Dump(text.clone()));
        }
    }
}
