//! BFD_CHECK: vrrpd says how the sessions stand, and that counts at once.
//!
//! What is not known changes nothing: a server whose session has yet to come up, or whose vrrpd is being restarted, stays as it is.

use super::{Action, Engine, Stage};
use crate::check::{Fault, Verdict};
use alloc::format;
use alloc::vec::Vec;
use ipc::config::check::CheckerKind;
use ipc::config::{BfdIdx, CheckerIdx, Generation};
use ipc::msg::sessions::{CheckToVrrp, SessionState};

impl Engine {
    /// There is a new channel to vrrpd, or another generation: it is asked for everything.
    pub(super) fn ask_sessions(&mut self, out: &mut Vec<Action>) {
        out.push(Action::ToVrrp(CheckToVrrp::Resync));
    }

    /// A session of that generation stands so.
    pub(super) fn session(&mut self, of: Generation, bfd: BfdIdx, now: SessionState, out: &mut Vec<Action>) {
        if self.generation() != Some(of) {
            return;
        }
        if self.config().is_some_and(|config| !config.bfds.has(bfd)) {
            out.push(Action::VrrpViolation(format!("BFD session {}, which is not there", bfd.0)));
            return;
        }
        if self.sessions.insert(bfd, now) != Some(now) {
            self.judge_sessions(|other| other == bfd, out);
        }
    }

    /// Lets every BFD_CHECK whose session is known and selected say what that means for its server.
    pub(super) fn judge_sessions(&mut self, which: impl Fn(BfdIdx) -> bool, out: &mut Vec<Action>) {
        let Stage::Live(live) = &self.stage else { return };
        let found: Vec<(CheckerIdx, Verdict)> = live
            .config
            .checkers
            .iter()
            .filter_map(|(idx, checker)| {
                let CheckerKind::Bfd { bfd, .. } = &checker.kind else { return None };
                let verdict = match self.sessions.get(bfd).filter(|_| which(*bfd))? {
                    SessionState::Up => Verdict::Pass,
                    SessionState::Down => Verdict::Fail(Fault::Session),
                };
                Some((idx, verdict))
            })
            .collect();
        for (idx, verdict) in found {
            self.record(idx, &verdict.into(), out);
        }
    }
}
