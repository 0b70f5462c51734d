//! FILE_CHECK: the supervisor hands the file over when it may have changed; what its number says counts at once.
//!
//! At a start nothing begins before the files are known. At a reload they are handed over behind the activation: what is added or changed
//! begins by the number that its file had before, and as it is configured where nothing was known of the file.

use super::conversation::Conversation;
use super::live::{CheckerState, Live, Phase, Says};
use super::{Action, Engine, Stage, lines};
use crate::check::schedule::{Begin, Health};
use crate::check::{Verdict, file};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use ipc::config::check::{CheckConfig, Checker, CheckerKind};
use ipc::config::{CheckerIdx, FileIdx, Generation};
use ipc::time::Mono;
use ipc::tracked;

impl Engine {
    /// A file of that generation holds this text now.
    pub(super) fn file(&mut self, now: Mono, of: Generation, idx: FileIdx, text: &[u8], out: &mut Vec<Action>) {
        if self.generation() != Some(of) {
            return;
        }
        if let Stage::Asking { awaited, .. } = &mut self.stage {
            awaited.remove(&idx);
        }
        self.file_is(idx, text, out);
        if self.conversation == Conversation::Answered && !self.waits_for_files() {
            self.answered(now, out);
        }
    }

    /// Whether it is to be begun, and files have yet to be handed over: a server that a file keeps out of service must not serve until that
    /// is known. COMPAT: keepalived reads its files before it begins.
    pub(super) fn waits_for_files(&self) -> bool {
        matches!(&self.stage, Stage::Asking { awaited, .. } if !awaited.is_empty())
    }

    /// Keeps what is known of files that the next configuration has, too, under its indices. All of them are handed over next.
    pub(super) fn carry_numbers(&mut self, next: &CheckConfig) {
        let files = self.config().into_iter().flat_map(|config| config.files.iter());
        let known: BTreeMap<&str, i32> =
            files.filter_map(|(idx, file)| Some((file.path.as_str(), *self.files.get(&idx)?))).collect();
        let carried = next.files.iter().filter_map(|(idx, file)| Some((idx, *known.get(file.path.as_str())?)));
        self.files = carried.collect();
    }

    /// A checker at its beginning, as its file has it; `None` where nothing is known of a file.
    pub(super) fn begun_by_file(&self, checker: &Checker) -> Option<CheckerState> {
        let CheckerKind::File { file, weight, .. } = &checker.kind else { return None };
        let (verdict, added) = file::judge(*self.files.get(file)?, *weight);
        let health = if verdict == Verdict::Pass { Health::Up } else { Health::Down };
        let mut state = Live::fresh(checker, Some(health), Begin::Resumed);
        if verdict == Verdict::Pass && weight.value != 0 {
            state.seldom_mut().says = Says::Adds(added);
        }
        Some(state)
    }

    fn file_is(&mut self, idx: FileIdx, text: &[u8], out: &mut Vec<Action>) {
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

/// The files of all FILE_CHECKs.
pub(super) fn of_checkers(config: &CheckConfig) -> BTreeSet<FileIdx> {
    let file = |checker: &Checker| match &checker.kind {
        CheckerKind::File { file, .. } => Some(*file),
        _ => None,
    };
    config.checkers.rows().iter().filter_map(file).collect()
}

/// What a checker does when nothing is done for it.
pub(super) fn resting(kind: &CheckerKind) -> Phase {
    match kind {
        CheckerKind::File { .. } | CheckerKind::Bfd { .. } => Phase::Hears,
        _ => Phase::Waiting,
    }
}
