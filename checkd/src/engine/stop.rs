//! The end. ipvsd takes the entries out by itself; what is left here is to say so, and the scripts of `omega`.

use super::{Action, Engine, Stage, lines};
use crate::check::schedule::Health;
use crate::quorum::Quorum;
use alloc::vec::Vec;
use ipc::config::vrrp::Switch;
use ipc::msg::control::{AtStop, Cause, Run, StopMode, Up};
use ipc::msg::reals::Standing;

impl Engine {
    pub(super) fn stop(&mut self, mode: StopMode, out: &mut Vec<Action>) {
        for (probe, _) in core::mem::take(&mut self.probing) {
            out.push(Action::Close(probe));
        }
        self.drop_mails(out);
        if mode.ipvs == AtStop::Release {
            self.farewell(out);
        }
        *self = Engine::new(self.connections);
        self.stage = Stage::Stopped;
        out.push(Action::Up(Up::Stopped));
    }

    /// COMPAT: keepalived 2.2.7, measured: with `omega`, notify_down of what is alive and quorum_down run at the end.
    fn farewell(&self, out: &mut Vec<Action>) {
        let Stage::Live(live) = &self.stage else { return };
        for (idx, service) in live.config.services.iter() {
            let Some(state) = live.services.at(idx) else { continue };
            for real_idx in &state.reals {
                let Some(real) = live.config.reals.at(*real_idx) else { continue };
                match live.standing(*real_idx) {
                    Standing::Absent => {}
                    standing => lines::shutting_down(service, real, standing == Standing::Inhibited, out),
                }
                let alive = live.reals.at(*real_idx).is_some_and(|state| state.health() == Health::Up);
                if let Some(script) = real.notify_down.filter(|_| alive && service.omega == Switch::On) {
                    out.push(Action::Run(Run { script, cause: Cause::Real(*real_idx) }));
                }
            }
            let had = state.quorum == Quorum::Up && service.omega == Switch::On;
            if let Some(script) = service.quorum_down.filter(|_| had) {
                out.push(Action::Run(Run { script, cause: Cause::Quorum(idx) }));
            }
        }
    }
}
