//! Whether a child may ask for what it asks for. The answer decides between running a command and ending the child.

use super::queue::Subject;
use crate::argv;
use crate::daemon::Daemon;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use ipc::config::script::{Asker, ScriptConfig, ScriptKind};
use ipc::config::{Generation, GroupIdx, InstanceIdx, RealIdx, ScriptIdx, ServiceIdx};
use ipc::msg::control::{Cause, Run};

/// A request that no correct child makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRequest {
    /// Of a generation that is not active.
    Generation(Generation),
    /// A command that is not listed.
    Script(ScriptIdx),
    /// An instance that does not exist.
    Instance(InstanceIdx),
    /// A group that does not exist.
    Group(GroupIdx),
    /// A real server that does not exist.
    Real(RealIdx),
    /// A service that does not exist.
    Service(ServiceIdx),
    /// The command exists but is another's.
    Asker(ScriptIdx),
    /// The command exists but is not run for that cause.
    Kind(ScriptIdx),
    /// The cause is none that this child may name.
    Cause,
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadRequest::Generation(g) => write!(f, "generation {}, which is not active", g.0),
            BadRequest::Script(i) => write!(f, "script {}, which does not exist", i.0),
            BadRequest::Instance(i) => write!(f, "instance {}, which does not exist", i.0),
            BadRequest::Group(i) => write!(f, "group {}, which does not exist", i.0),
            BadRequest::Real(i) => write!(f, "real server {}, which does not exist", i.0),
            BadRequest::Service(i) => write!(f, "service {}, which does not exist", i.0),
            BadRequest::Asker(i) => write!(f, "script {}, which is not its own", i.0),
            BadRequest::Kind(i) => write!(f, "script {} for a cause it is not configured for", i.0),
            BadRequest::Cause => f.write_str("something that is not its business"),
        }
    }
}

impl core::error::Error for BadRequest {}

/// A request that may be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// Run it and report.
    Probe,
    /// Run it after those of the same subject.
    Event { subject: Subject, tail: Vec<Vec<u8>> },
}

/// Checks a request against the table of its generation.
pub(super) fn check(table: &ScriptConfig, from: Daemon, run: Run) -> Result<Admitted, BadRequest> {
    let script = table.scripts.at(run.script).ok_or(BadRequest::Script(run.script))?;
    match (from, run.cause) {
        (Daemon::Vrrp, Cause::Probe | Cause::Instance { .. } | Cause::Group { .. }) => {}
        (Daemon::Check, Cause::Probe | Cause::Real(_) | Cause::Quorum(_)) => {}
        (Daemon::Vrrp, Cause::Real(_) | Cause::Quorum(_)) => return Err(BadRequest::Cause),
        (Daemon::Check, Cause::Instance { .. } | Cause::Group { .. }) => return Err(BadRequest::Cause),
        (Daemon::Ipvs, _) => return Err(BadRequest::Cause),
    }
    let kind = match (from, script.asker) {
        (Daemon::Vrrp, Asker::Vrrp) | (Daemon::Check, Asker::Check) => script.kind,
        (_, Asker::Supervisor) => return Err(BadRequest::Kind(run.script)),
        (_, Asker::Vrrp | Asker::Check) => return Err(BadRequest::Asker(run.script)),
    };
    let (subject, generic) = match run.cause {
        Cause::Probe => {
            return match kind {
                ScriptKind::Probe { .. } => Ok(Admitted::Probe),
                ScriptKind::Event | ScriptKind::Generic | ScriptKind::Once | ScriptKind::Reader => {
                    Err(BadRequest::Kind(run.script))
                }
            };
        }
        Cause::Instance { instance, state, priority } => {
            let name = table.instances.at(instance).ok_or(BadRequest::Instance(instance))?;
            (Subject::Instance(name.clone()), Some(argv::of_instance(name, state, priority)))
        }
        Cause::Group { group, state } => {
            let name = table.groups.at(group).ok_or(BadRequest::Group(group))?;
            (Subject::Group(name.clone()), Some(argv::of_group(name, state)))
        }
        Cause::Real(real) if real.0 < table.reals => (Subject::Real(real.0), None),
        Cause::Real(real) => return Err(BadRequest::Real(real)),
        Cause::Quorum(service) if service.0 < table.services => (Subject::Service(service.0), None),
        Cause::Quorum(service) => return Err(BadRequest::Service(service)),
    };
    match (kind, generic) {
        (ScriptKind::Event, _) => Ok(Admitted::Event { subject, tail: Vec::new() }),
        (ScriptKind::Generic, Some(tail)) => Ok(Admitted::Event { subject, tail }),
        (ScriptKind::Generic, None) | (ScriptKind::Probe { .. } | ScriptKind::Once | ScriptKind::Reader, _) => {
            Err(BadRequest::Kind(run.script))
        }
    }
}

/// How long a probe may run.
pub(super) fn probe_limit(table: &ScriptConfig, script: ScriptIdx) -> Option<Duration> {
    match table.scripts.at(script)?.kind {
        ScriptKind::Probe { timeout } => Some(timeout),
        ScriptKind::Event | ScriptKind::Generic | ScriptKind::Once | ScriptKind::Reader => None,
    }
}
