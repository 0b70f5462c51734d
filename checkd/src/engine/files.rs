//! FILE_CHECK: the supervisor hands the file over when it may have changed; what its number says counts at once.

use super::live::{Phase, Says};
use super::{Action, Engine, Stage, lines};
use crate::check::{Verdict, file};
use alloc::vec::Vec;
use ipc::config::check::CheckerKind;
use ipc::config::{CheckerIdx, FileIdx, Generation};
use ipc::tracked;

impl Engine {
    /// A file of that generation holds this text now.
    pub(super) fn file(&mut self, of: Generation, idx: FileIdx, text: &[u8], out: &mut Vec<Action>) {
        if self.generation() != Some(of) {
            return;
        }
        let Some(number) = tracked::number(text) else {
            if let Some(file) = self.config().and_then(|config| config.files.at(idx)) {
                lines::bad_number(file, text, out);
            }
            return;
        };
        if self.files.insert(idx, number) != Some(number) {
            self.judge_files(|file| file == idx, out);
        }
    }

    /// Lets every FILE_CHECK whose file is known and selected say what it says of its server.
    pub(super) fn judge_files(&mut self, which: impl Fn(FileIdx) -> bool, out: &mut Vec<Action>) {
        let Stage::Live(live) = &self.stage else { return };
        let found: Vec<(CheckerIdx, Verdict, Says)> = live
            .config
            .checkers
            .iter()
            .filter_map(|(idx, checker)| {
                let CheckerKind::File { file, weight, .. } = &checker.kind else { return None };
                let number = self.files.get(file).filter(|_| which(*file))?;
                let (verdict, added) = file::judge(*number, *weight);
                // Without weight it may not change any; ipvsd knows.
                Some((idx, verdict, if weight.value == 0 { Says::Nothing } else { Says::Adds(added) }))
            })
            .collect();
        for (idx, verdict, says) in found {
            if verdict == Verdict::Pass && says != Says::Nothing {
                self.says(idx, says, out);
            }
            self.record(idx, &verdict.into(), out);
        }
    }

    /// The number that a checker was last judged by.
    pub(super) fn number_of(&self, kind: &CheckerKind) -> Option<i32> {
        match kind {
            CheckerKind::File { file, .. } => self.files.get(file).copied(),
            _ => None,
        }
    }
}

/// What a checker does when nothing is done for it.
pub(super) fn resting(kind: &CheckerKind) -> Phase {
    match kind {
        CheckerKind::File { .. } | CheckerKind::Bfd { .. } => Phase::Hears,
        _ => Phase::Waiting,
    }
}
