//! Who is told of a change: the script that the configuration names, and who reads the FIFOs.

use super::live::Live;
use super::{Action, Engine, Stage};
use crate::check::schedule::Health;
use crate::quorum::Quorum;
use alloc::vec::Vec;
use ipc::config::check::CheckConfig;
use ipc::config::vrrp::Switch;
use ipc::config::{RealIdx, ScriptIdx, ServiceIdx};
use ipc::msg::control::{Cause, Health as Told, News, Run};

fn of_real(config: &CheckConfig, real: RealIdx, health: Health) -> (Option<ScriptIdx>, Cause, News) {
    let (now, script) = match health {
        Health::Up => (Told::Up, config.reals.at(real).and_then(|real| real.notify_up)),
        Health::Down => (Told::Down, config.reals.at(real).and_then(|real| real.notify_down)),
    };
    (script, Cause::Real(real), News::Real { real, now })
}

fn of_service(config: &CheckConfig, service: ServiceIdx, quorum: Quorum) -> (Option<ScriptIdx>, Cause, News) {
    let (now, script) = match quorum {
        Quorum::Up => (Told::Up, config.services.at(service).and_then(|service| service.quorum_up)),
        Quorum::Down => (Told::Down, config.services.at(service).and_then(|service| service.quorum_down)),
    };
    (script, Cause::Quorum(service), News::Service { service, now })
}

impl Engine {
    /// A real server is up or down: `notify_up` or `notify_down`.
    pub(super) fn notify(&self, idx: RealIdx, health: Health, out: &mut Vec<Action>) {
        if let Stage::Live(live) = &self.stage {
            tell(live, of_real(&live.config, idx, health), out);
        }
    }

    /// A service has its quorum or not: `quorum_up` or `quorum_down`.
    pub(super) fn notify_quorum(&self, idx: ServiceIdx, quorum: Quorum, out: &mut Vec<Action>) {
        if let Stage::Live(live) = &self.stage {
            tell(live, of_service(&live.config, idx, quorum), out);
        }
    }
}

fn tell(live: &Live, (script, cause, news): (Option<ScriptIdx>, Cause, News), out: &mut Vec<Action>) {
    if live.config.news == Switch::On {
        out.push(Action::Tell(news));
    }
    if let Some(script) = script {
        out.push(Action::Run(Run { script, cause }));
    }
}

/// The last of a real server that is not in the new configuration.
pub(super) fn last_of_real(old: &Live, idx: RealIdx, out: &mut Vec<Action>) {
    tell_last(old, of_real(&old.config, idx, Health::Down), out);
}

/// The last of a service that is not in the new configuration.
pub(super) fn last_of_service(old: &Live, idx: ServiceIdx, out: &mut Vec<Action>) {
    tell_last(old, of_service(&old.config, idx, Quorum::Down), out);
}

fn tell_last(old: &Live, (script, cause, news): (Option<ScriptIdx>, Cause, News), out: &mut Vec<Action>) {
    let left = old.generation;
    if old.config.news == Switch::On {
        out.push(Action::TellOfLeft { left, news });
    }
    if let Some(script) = script {
        out.push(Action::RunOfLeft { left, run: Run { script, cause } });
    }
}
