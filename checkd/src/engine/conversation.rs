//! The conversation with ipvsd: it is asked what it holds, then told how everything shall stand, then every change.
//! The order is that of [`ipc::msg::reals`].

use super::live::Live;
use super::{Action, Engine, Stage, suspend};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::check::CheckConfig;
use ipc::config::{Generation, RealIdx, ServiceIdx};
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck, Standing, alike};
use ipc::time::Mono;

/// How long the checks wait at the start for ipvsd to say what it holds. It answers within a turn of its loop; if it is not
/// there, watching the servers is worth more than knowing how they stood.
pub const ANSWER_WAIT: Duration = Duration::from_secs(1);

/// How far the conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conversation {
    /// There is no channel.
    None,
    /// There is one, but no configuration to speak about.
    Silent,
    /// [`CheckToIpvs::Resync`] was said.
    Asked,
    /// ipvsd has answered; the numbers in files are still to come.
    Answered,
    /// Everything was said; changes are said as they come.
    Said,
}

/// What ipvsd holds since an earlier checkd said so.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub reals: BTreeMap<RealIdx, Standing>,
    pub sorry: BTreeMap<ServiceIdx, Standing>,
    /// The first real server that may be said next: they ascend, so that what an answer asks for is bounded.
    next: u32,
}

impl Engine {
    pub(super) fn attached(&mut self, out: &mut Vec<Action>) {
        self.conversation = Conversation::Silent;
        if self.generation().is_some() {
            self.ask(out);
        }
    }

    /// Begins the conversation anew, if there is a channel.
    pub(super) fn ask(&mut self, out: &mut Vec<Action>) {
        self.held = Held::default();
        // Under other indices, or not known any more.
        self.addresses.clear();
        if self.conversation != Conversation::None {
            self.conversation = Conversation::Asked;
            out.push(Action::ToIpvs(CheckToIpvs::Resync));
            if let Some(config) = self.config() {
                suspend::watch(config, out);
            }
        }
    }

    pub(super) fn ipvs(&mut self, now: Mono, generation: Generation, message: IpvsToCheck, out: &mut Vec<Action>) {
        if self.generation() != Some(generation) || self.conversation == Conversation::None {
            // Stale, or the rest of a frame that broke the protocol.
            return;
        }
        if let Some(what) = self.unknown(&message) {
            return self.violated(what, out);
        }
        match message {
            IpvsToCheck::Address { service, now } => self.address(service, now, out),
            // For the shell, which has asked.
            IpvsToCheck::Opened { .. } | IpvsToCheck::NotOpened { .. } => {}
            // More than was asked.
            _ if self.conversation != Conversation::Asked => {}
            // How things stand is known here.
            IpvsToCheck::HeldReals { .. } | IpvsToCheck::HeldSorry { .. } if matches!(self.stage, Stage::Live(_)) => {}
            IpvsToCheck::HeldReals { first, last, standing } => {
                self.held.next = last.0.saturating_add(1);
                self.held.reals.extend((first.0..=last.0).map(|real| (RealIdx(real), standing)));
            }
            IpvsToCheck::HeldSorry { service, standing } => {
                self.held.sorry.insert(service, standing);
            }
            IpvsToCheck::Synced if self.waits_for_files() => self.conversation = Conversation::Answered,
            IpvsToCheck::Synced => self.answered(now, out),
        }
    }

    /// Everything that was asked is known.
    pub(super) fn answered(&mut self, now: Mono, out: &mut Vec<Action>) {
        self.begin(now, out);
        self.conversation = Conversation::Said;
        self.say_everything(out);
    }

    /// What a message names that does not exist, or is not to be named now.
    fn unknown(&self, message: &IpvsToCheck) -> Option<String> {
        match *message {
            IpvsToCheck::HeldReals { last, .. } if !self.config().is_some_and(|c| c.reals.has(last)) => {
                Some(format!("it holds real server {}, which is not there", last.0))
            }
            IpvsToCheck::HeldReals { first, last, .. } if first.0 < self.held.next || last < first => {
                Some(format!("it holds real servers {} to {}, which are not what may be said now", first.0, last.0))
            }
            IpvsToCheck::HeldSorry { service, .. } if !self.config().is_some_and(|c| c.services.has(service)) => {
                Some(format!("it holds the sorry server of service {}, which is not there", service.0))
            }
            IpvsToCheck::Address { service, .. } if !self.config().is_some_and(|c| c.services.has(service)) => {
                Some(format!("it knows the address of service {}, which is not there", service.0))
            }
            IpvsToCheck::HeldReals { .. }
            | IpvsToCheck::HeldSorry { .. }
            | IpvsToCheck::Address { .. }
            | IpvsToCheck::Opened { .. }
            | IpvsToCheck::NotOpened { .. }
            | IpvsToCheck::Synced => None,
        }
    }

    fn violated(&mut self, what: String, out: &mut Vec<Action>) {
        self.conversation = Conversation::None;
        out.push(Action::IpvsViolation(what));
    }

    pub(super) fn config(&self) -> Option<&CheckConfig> {
        match &self.stage {
            Stage::Idle | Stage::Leaving { .. } | Stage::Stopped => None,
            Stage::Asking { configured, .. } => Some(&configured.config),
            Stage::Live(live) => Some(&live.config),
        }
    }

    fn say_everything(&self, out: &mut Vec<Action>) {
        if let Stage::Live(live) = &self.stage {
            for (service, config) in live.config.services.iter() {
                if config.sorry.is_some() {
                    let want = live.sorry(service);
                    out.push(Action::ToIpvs(CheckToIpvs::SetSorry { service, want }));
                }
            }
            for (real, _) in live.config.reals.iter() {
                tell_weight(live, real, out);
            }
            let reals = alike(live.config.reals.iter().map(|(real, _)| (real, live.standing(real))));
            out.extend(reals.into_iter().map(|(first, last, want)| {
                let one = CheckToIpvs::SetReal { real: first, want };
                Action::ToIpvs(if first == last { one } else { CheckToIpvs::SetReals { first, last, want } })
            }));
            out.push(Action::ToIpvs(CheckToIpvs::Synced));
        }
    }

    /// Says how a real server shall stand now.
    pub(super) fn say_real(&self, real: RealIdx, out: &mut Vec<Action>) {
        if let (Conversation::Said, Stage::Live(live)) = (self.conversation, &self.stage) {
            tell_real(live, real, out);
        }
    }

    /// Says how the sorry server of a service and its real servers shall stand now.
    pub(super) fn say_service(&self, service: ServiceIdx, out: &mut Vec<Action>) {
        let (Conversation::Said, Stage::Live(live)) = (self.conversation, &self.stage) else { return };
        let Some((config, state)) = live.service(service) else { return };
        if config.sorry.is_some() {
            let want = live.sorry(service);
            out.push(Action::ToIpvs(CheckToIpvs::SetSorry { service, want }));
        }
        for real in &state.reals {
            self.say_real(*real, out);
        }
    }
}

fn tell_real(live: &Live, real: RealIdx, out: &mut Vec<Action>) {
    tell_weight(live, real, out);
    out.push(Action::ToIpvs(CheckToIpvs::SetReal { real, want: live.standing(real) }));
}

fn tell_weight(live: &Live, real: RealIdx, out: &mut Vec<Action>) {
    if let Some((config, state)) = live.config.reals.at(real).zip(live.reals.at(real))
        && state.parts.is_some()
    {
        out.push(Action::ToIpvs(CheckToIpvs::SetWeight { real, weight: state.weight(config) }));
    }
}
