//! What is written on SIGUSR1 and SIGUSR2.

use super::live::{Live, Phase};
use super::{Action, Engine, Stage};
use crate::check::schedule::Health;
use crate::quorum::Quorum;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use ipc::config::check::CheckerKind;
use ipc::config::{CheckerIdx, RealIdx};
use ipc::msg::control::DumpKind;
use ipc::time::Mono;

impl Engine {
    /// All kinds hold the same text yet: the checker keeps no counters.
    pub(super) fn dump(&self, now: Mono, _: DumpKind, wall: i64, out: &mut Vec<Action>) {
        let mut text = String::new();
        match &self.stage {
            Stage::Idle | Stage::Leaving { .. } | Stage::Stopped => text.push_str("No configuration is active.\n"),
            Stage::Asking { configured, .. } => {
                let generation = configured.generation.0;
                let _ = writeln!(text, "Configuration {generation}: waiting for ipvsd to say what it holds.");
            }
            Stage::Live(live) => self.topology((now, wall), live, &mut text),
        }
        out.push(Action::Dump(text));
    }

    fn topology(&self, now: (Mono, i64), live: &Live, text: &mut String) {
        let mut checkers: Vec<Vec<CheckerIdx>> = live.config.reals.iter().map(|_| Vec::new()).collect();
        for (idx, checker) in live.config.checkers.iter() {
            if let Some(of_real) = checkers.get_mut(checker.real.0 as usize) {
                of_real.push(idx);
            }
        }
        // Writing to a string does not fail.
        let _ = writeln!(text, "------< LVS Topology >------");
        let _ = writeln!(text, " Configuration = {}", live.generation.0);
        let _ = writeln!(text, " Connections = {}, waiting = {}", self.probing.len(), self.queue.len());
        for (idx, service) in live.config.services.iter() {
            let Some(state) = live.services.at(idx) else { continue };
            let _ = writeln!(text, " ------< Virtual server >------\n VS = {}", service.label);
            let _ = writeln!(text, "   quorum = {}, hysteresis = {}", service.quorum, service.hysteresis);
            let _ = writeln!(text, "   quorum_state_up = {}", u8::from(state.quorum == Quorum::Up));
            let _ = writeln!(text, "   alive weight = {}", state.weight);
            if let Some(sorry) = &service.sorry {
                let _ = writeln!(text, "   sorry server = {sorry}, {:?}", live.sorry(idx));
            }
            for real in &state.reals {
                let of_real = checkers.get(real.0 as usize).map(Vec::as_slice).unwrap_or_default();
                self.real(now, live, *real, of_real, text);
            }
        }
    }

    fn real(&self, (now, wall): (Mono, i64), live: &Live, idx: RealIdx, checkers: &[CheckerIdx], text: &mut String) {
        let (Some(real), Some(state)) = (live.config.reals.at(idx), live.reals.at(idx)) else { return };
        let _ =
            writeln!(text, "   ------< Real server >------\n   RS = {}, WEIGHT = {}", real.label, state.weight(real));
        let _ = writeln!(text, "   alive = {}", u8::from(state.health() == Health::Up));
        let _ = writeln!(text, "   num failed checkers = {}", state.down);
        let _ = writeln!(text, "   in the table = {:?}", live.standing(idx));
        for checker_idx in checkers {
            let (Some(checker), Some(state)) = (live.config.checkers.at(*checker_idx), live.checkers.at(*checker_idx))
            else {
                continue;
            };
            let kind = match checker.kind {
                CheckerKind::Tcp => "TCP_CHECK",
                CheckerKind::Http(_) => "HTTP_GET",
                CheckerKind::Ssl(..) => "SSL_GET",
                CheckerKind::Smtp { .. } => "SMTP_CHECK",
                CheckerKind::Dns { .. } => "DNS_CHECK",
                CheckerKind::Udp(_) => "UDP_CHECK",
                CheckerKind::Ping => "PING_CHECK",
                CheckerKind::Misc(_) => "MISC_CHECK",
                CheckerKind::File { .. } => "FILE_CHECK",
                CheckerKind::Bfd { .. } => "BFD_CHECK",
            };
            let doing = match state.phase {
                Phase::Waiting if self.is_suspended(*checker_idx) => "suspended",
                Phase::Waiting => "waiting",
                Phase::Queued => "queued",
                Phase::Hears => "waiting to hear",
                Phase::Follows => "following another with the same parameters",
                Phase::Probing(_) => "probing",
                Phase::Running { .. } => "running",
            };
            let next = self.deadlines.of(*checker_idx).map(|at| at.since(now).as_secs_f64()).unwrap_or_default();
            let _ = writeln!(text, "     {kind} of {}, {:?}, {doing}", checker.target, state.schedule.health());
            let _ = writeln!(text, "       failures = {}, retry = {}", state.schedule.failures(), checker.retry);
            if state.seldom().not_tried_noted {
                let _ = writeln!(text, "       the last probe could not be made");
            }
            if let Some(number) = self.number_of(&checker.kind) {
                let _ = writeln!(text, "       number in the file = {number}");
            }
            if let Some(ends) = state.seldom().certificate_ends {
                let days = ends.saturating_sub(wall).div_euclid(86_400);
                let _ = writeln!(text, "       certificate ends = {ends} (seconds since 1970), days left = {days}");
            }
            if !matches!(state.phase, Phase::Hears) {
                let _ = writeln!(text, "       next step in {next:.3} s");
            }
        }
    }
}
