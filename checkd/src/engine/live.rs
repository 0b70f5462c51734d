//! The configuration that counts, with the state of everything in it.

use crate::check::Dialogue;
use crate::check::pattern::Pattern;
use crate::check::schedule::{Begin, Health, Schedule};
use crate::engine::ProbeId;
use crate::engine::files::resting;
use crate::engine::merge::Classes;
use crate::quorum::{self, Quorum};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::check::{CheckConfig, CheckerKind, Real, Service, Url};
use ipc::config::vrrp::Switch;
use ipc::config::{CheckerIdx, Generation, RealIdx, ServiceIdx};
use ipc::msg::reals::Standing;
use ipc::table::Table;
use ipc::time::Mono;

/// The configuration that counts.
#[derive(Debug)]
pub(super) struct Live {
    pub generation: Generation,
    pub config: CheckConfig,
    pub services: Table<ServiceIdx, ServiceState>,
    pub reals: Table<RealIdx, RealState>,
    pub checkers: Table<CheckerIdx, CheckerState>,
    pub classes: Classes,
}

/// The state of a service.
#[derive(Debug)]
pub(super) struct ServiceState {
    pub reals: Vec<RealIdx>,
    /// Sum of the weights of the real servers that are alive.
    pub weight: u64,
    pub quorum: Quorum,
}

/// The state of a real server: alive when none of its checkers has it down.
#[derive(Debug, Default)]
pub(super) struct RealState {
    pub down: u32,
    /// What its checkers add to its weight; `None`: none of them has said anything.
    pub parts: Option<i64>,
}

/// Greatest weight. The kernel takes it as a signed number.
const WEIGHT_LIMIT: u32 = 2_147_483_647;

impl RealState {
    pub(super) fn health(&self) -> Health {
        if self.down == 0 { Health::Up } else { Health::Down }
    }

    /// The weight that counts. COMPAT: keepalived 2.4.3: the configured one and what checkers add, within bounds.
    pub(super) fn weight(&self, real: &Real) -> u32 {
        let sum = i64::from(real.weight).saturating_add(self.parts.unwrap_or_default());
        u32::try_from(sum.clamp(0, i64::from(WEIGHT_LIMIT))).unwrap_or(WEIGHT_LIMIT)
    }
}

/// The state of a checker.
#[derive(Debug)]
pub(super) struct CheckerState {
    pub schedule: Schedule,
    pub phase: Phase,
    /// Most of ten thousand have nothing of it.
    seldom: Option<Box<Seldom>>,
}

/// What few checkers have.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    /// The answer's length did not match the last time, and that was said.
    pub mismatch_noted: bool,
    /// The last probe could not be made for a reason of this machine, and that was said.
    pub not_tried_noted: bool,
    /// Its command has run since the checker began.
    pub has_run: bool,
    /// What it says of the weight.
    pub says: Says,
    /// `regex` of its pages.
    pub patterns: Vec<Option<Pattern>>,
    /// When the certificate that its server showed last ends, seconds since 1970.
    pub certificate_ends: Option<i64>,
    /// Those whose verdict this one's is, too.
    pub followers: Vec<CheckerIdx>,
}

static NOTHING: Seldom = Seldom {
    mismatch_noted: false,
    not_tried_noted: false,
    has_run: false,
    says: Says::Nothing,
    patterns: Vec::new(),
    certificate_ends: None,
    followers: Vec::new(),
};

impl CheckerState {
    /// What few have.
    pub(super) fn seldom(&self) -> &Seldom {
        self.seldom.as_deref().unwrap_or(&NOTHING)
    }

    /// The same, to change it.
    pub(super) fn seldom_mut(&mut self) -> &mut Seldom {
        self.seldom.get_or_insert_default()
    }

    /// The probe that is under way, with the pattern of its page.
    pub(super) fn probing(&mut self) -> Option<(&mut Probe, Option<&Pattern>)> {
        let Phase::Probing(probe) = &mut self.phase else { return None };
        let patterns = self.seldom.as_deref().map(|seldom| seldom.patterns.as_slice()).unwrap_or_default();
        Some((probe, patterns.get(self.schedule.url()).and_then(Option::as_ref)))
    }

    /// Has other followers; gives those that it had.
    pub(super) fn replace_followers(&mut self, followers: Vec<CheckerIdx>) -> Vec<CheckerIdx> {
        if self.seldom.is_none() && followers.is_empty() {
            return followers;
        }
        core::mem::replace(&mut self.seldom_mut().followers, followers)
    }

    /// Moves the state out; what stays behind is of no use.
    pub(super) fn take(&mut self) -> CheckerState {
        CheckerState {
            schedule: self.schedule,
            phase: core::mem::replace(&mut self.phase, Phase::Waiting),
            seldom: self.seldom.take(),
        }
    }
}

/// What a checker says of the weight of its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Says {
    #[default]
    Nothing,
    /// It is this.
    Is(u32),
    /// This is added to the configured one.
    Adds(i64),
}

impl Says {
    /// What that adds to the configured weight.
    pub(super) fn part(self, configured: u32) -> Option<i64> {
        match self {
            Says::Nothing => None,
            Says::Adds(part) => Some(part),
            Says::Is(weight) => Some(i64::from(weight).saturating_sub(i64::from(configured))),
        }
    }
}

/// What a checker does.
#[derive(Debug)]
pub(super) enum Phase {
    /// Waits for its deadline.
    Waiting,
    /// Has another probe for it.
    Follows,
    /// Asks nobody: it is told.
    Hears,
    /// Waits for a connection to become free.
    Queued,
    /// Waits for the end of the command that was asked for then.
    Running { since: Mono },
    /// Probes; its deadline is that of the step, or of the probe as a whole.
    Probing(Box<Probe>),
}

/// A probe that is under way.
#[derive(Debug)]
pub(super) struct Probe {
    pub id: ProbeId,
    /// When it must be over.
    pub limit: Mono,
    pub dialogue: Dialogue,
}

/// Refuses what the compiler must not produce, in words.
pub(super) fn check(config: &CheckConfig) -> Result<(), String> {
    for (idx, real) in config.reals.iter() {
        if !config.services.has(real.service) {
            return Err(format!("real server {} belongs to service {}, which is not there", idx.0, real.service.0));
        }
    }
    let mut scripts = BTreeSet::new();
    for (idx, checker) in config.checkers.iter() {
        if matches!(&checker.kind, CheckerKind::Misc(misc) if !scripts.insert(misc.script)) {
            return Err(format!("checker {} has the script of another", idx.0));
        }
        if !config.reals.has(checker.real) {
            return Err(format!("checker {} belongs to real server {}, which is not there", idx.0, checker.real.0));
        }
        if matches!(&checker.kind, CheckerKind::Bfd { bfd, .. } if !config.bfds.has(*bfd)) {
            return Err(format!("checker {} has a BFD session that is not there", idx.0));
        }
        if matches!(&checker.kind, CheckerKind::File { file, .. } if !config.files.has(*file)) {
            return Err(format!("checker {} has a file that is not there", idx.0));
        }
        if checker.kind.http().is_some_and(|http| http.urls.is_empty()) {
            return Err(format!("checker {} has no url", idx.0));
        }
    }
    Ok(())
}

impl Live {
    /// A configuration with the state of its checkers. Every service is without quorum; the caller settles that.
    pub(super) fn new(generation: Generation, config: CheckConfig, checkers: Table<CheckerIdx, CheckerState>) -> Live {
        let mut reals: Table<RealIdx, RealState> = config.reals.iter().map(|_| RealState::default()).collect();
        for ((_, checker), (_, state)) in config.checkers.iter().zip(checkers.iter()) {
            let Some((real, of)) = reals.at_mut(checker.real).zip(config.reals.at(checker.real)) else { continue };
            if state.schedule.health() == Health::Down {
                real.down = real.down.saturating_add(1);
            }
            if let Some(part) = state.seldom().says.part(of.weight) {
                real.parts = Some(real.parts.unwrap_or_default().saturating_add(part));
            }
        }
        let mut services: Table<ServiceIdx, ServiceState> = config
            .services
            .iter()
            .map(|_| ServiceState { reals: Vec::new(), weight: 0, quorum: Quorum::Down })
            .collect();
        for ((idx, real), (_, state)) in config.reals.iter().zip(reals.iter()) {
            if let Some(service) = services.at_mut(real.service) {
                service.reals.push(idx);
                if state.health() == Health::Up {
                    service.weight = service.weight.saturating_add(u64::from(state.weight(real)));
                }
            }
        }
        let classes = Classes::new(&config);
        Live { generation, config, services, reals, checkers, classes }
    }

    /// A checker at its beginning.
    pub(super) fn fresh(checker: &ipc::config::check::Checker, health: Option<Health>, begin: Begin) -> CheckerState {
        let configured = if checker.alpha == Switch::On { Health::Down } else { Health::Up };
        let schedule = Schedule::new(health.unwrap_or(configured), begin);
        let urls = checker.kind.http().map(|http| http.urls.as_slice()).unwrap_or_default();
        // The compiler lets no other pattern through.
        let pattern = |url: &Url| url.regex.as_ref().and_then(|regex| Pattern::new(regex).ok());
        let mut state = CheckerState { schedule, phase: resting(&checker.kind), seldom: None };
        if urls.iter().any(|url| url.regex.is_some()) {
            state.seldom_mut().patterns = urls.iter().map(pattern).collect();
        }
        state
    }

    /// A service with its state.
    pub(super) fn service(&self, idx: ServiceIdx) -> Option<(&Service, &ServiceState)> {
        Some((self.config.services.at(idx)?, self.services.at(idx)?))
    }

    /// A real server with its service.
    pub(super) fn real(&self, idx: RealIdx) -> Option<(&Real, &Service)> {
        let real = self.config.reals.at(idx)?;
        Some((real, self.config.services.at(real.service)?))
    }

    /// Whether the sorry server of a service serves.
    pub(super) fn sorry(&self, idx: ServiceIdx) -> Standing {
        match self.service(idx) {
            Some((service, state)) if service.sorry.is_some() && state.quorum == Quorum::Down => Standing::Serving,
            _ => Standing::Absent,
        }
    }

    /// How a real server shall stand. While the sorry server serves, none of them does.
    pub(super) fn standing(&self, idx: RealIdx) -> Standing {
        let (Some(real), Some(state)) = (self.config.reals.at(idx), self.reals.at(idx)) else {
            return Standing::Absent;
        };
        if state.health() == Health::Up && self.sorry(real.service) == Standing::Absent {
            Standing::Serving
        } else if real.inhibit == Switch::On {
            Standing::Inhibited
        } else {
            Standing::Absent
        }
    }

    /// What the quorum of a service becomes now.
    pub(super) fn quorum_after(&self, idx: ServiceIdx) -> Option<Quorum> {
        let (service, state) = self.service(idx)?;
        Some(quorum::after(service, state.quorum, state.weight))
    }
}
