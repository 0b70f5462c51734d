//! Notify FIFOs: which are open, and what is written to them when something changes.
//!
//! The supervisor makes, opens and writes them, although it learns what to write from vrrpd and checkd: whoever reads a FIFO often acts on
//! it as root, so a stolen process must not be able to write what it likes. It can tell of states of the instances and servers that
//! the file names, as with scripts ([`ipc::msg::control::News`]), and that is all. The lines are formed here from the names of the
//! supervisor's own slice. The shell writes them in this order and never waits for a reader.

use crate::argv::state_word;
use crate::daemon::Daemon;
use crate::script::{BadRequest, RunId};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::identity::{Fifo, Fifos as Configured};
use ipc::config::script::{Script, ScriptConfig};
use ipc::msg::control::{Health, News, NotifyState};

/// The FIFOs there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `notify_fifo`
    All,
    /// `vrrp_notify_fifo`
    Vrrp,
    /// `lvs_notify_fifo`
    Lvs,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::All, Kind::Vrrp, Kind::Lvs];

    /// The one that is configured.
    pub fn of(self, configured: &Configured) -> Option<&Fifo> {
        match self {
            Kind::All => configured.all.as_ref(),
            Kind::Vrrp => configured.vrrp.as_ref(),
            Kind::Lvs => configured.lvs.as_ref(),
        }
    }

    /// Its keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Kind::All => "notify_fifo",
            Kind::Vrrp => "vrrp_notify_fifo",
            Kind::Lvs => "lvs_notify_fifo",
        }
    }
}

/// A FIFO that is open, or that the shell was asked to open.
#[derive(Clone, Debug)]
struct Open {
    fifo: Fifo,
    /// What reads it.
    script: Option<Script>,
    reader: Option<RunId>,
}

/// Those that are open.
#[derive(Clone, Debug, Default)]
pub struct Fifos {
    all: Option<Open>,
    vrrp: Option<Open>,
    lvs: Option<Open>,
}

impl Fifos {
    fn at(&self, kind: Kind) -> Option<&Open> {
        match kind {
            Kind::All => self.all.as_ref(),
            Kind::Vrrp => self.vrrp.as_ref(),
            Kind::Lvs => self.lvs.as_ref(),
        }
    }

    fn at_mut(&mut self, kind: Kind) -> &mut Option<Open> {
        match kind {
            Kind::All => &mut self.all,
            Kind::Vrrp => &mut self.vrrp,
            Kind::Lvs => &mut self.lvs,
        }
    }

    /// Whether it is open.
    pub fn is_open(&self, kind: Kind) -> bool {
        self.at(kind).is_some()
    }

    /// Whether what is open is what `table` wants. A FIFO that a reload does not change stays as it is, and who reads it too.
    pub fn is_same(&self, kind: Kind, table: &ScriptConfig) -> bool {
        match (self.at(kind), kind.of(&table.fifos)) {
            (None, None) => true,
            (Some(open), Some(wanted)) => {
                let (a, b) = (&open.script, reader(table, wanted));
                let same = |a: &Script, b: &Script| a.argv == b.argv && a.run_as == b.run_as;
                let readers = match (a, b) {
                    (None, None) => true,
                    (Some(a), Some(b)) => same(a, b),
                    (None, Some(_)) | (Some(_), None) => false,
                };
                readers && open.fifo.path == wanted.path && open.fifo.owner == wanted.owner
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// Takes note that it is to be open.
    pub fn open(&mut self, kind: Kind, table: &ScriptConfig) -> Option<Fifo> {
        let fifo = kind.of(&table.fifos)?.clone();
        *self.at_mut(kind) = Some(Open { script: reader(table, &fifo).cloned(), fifo: fifo.clone(), reader: None });
        Some(fifo)
    }

    /// Takes note that it is closed; who reads it is to be ended.
    pub fn close(&mut self, kind: Kind) -> Option<RunId> {
        self.at_mut(kind).take().and_then(|open| open.reader)
    }

    /// The FIFO, for who reads it.
    pub fn fifo(&self, kind: Kind) -> Option<&Fifo> {
        self.at(kind).map(|open| &open.fifo)
    }

    /// Somebody reads it.
    pub fn reads(&mut self, kind: Kind, run: RunId) {
        if let Some(open) = self.at_mut(kind) {
            open.reader = Some(run);
        }
    }

    /// Who read it has ended. COMPAT: keepalived 2.2.7: it is not started again before the next reload that changes something of it.
    pub fn reader_ended(&mut self, run: RunId) {
        for open in [&mut self.all, &mut self.vrrp, &mut self.lvs].into_iter().flatten() {
            open.reader = open.reader.filter(|reader| *reader != run);
        }
    }
}

fn reader<'a>(table: &'a ScriptConfig, fifo: &Fifo) -> Option<&'a Script> {
    fifo.script.and_then(|script| table.scripts.at(script))
}

/// The line of a change, and the FIFOs it goes to; an error means that the child broke the protocol. COMPAT: keepalived 2.2.7, compared
/// with its output.
pub fn line(table: &ScriptConfig, from: Daemon, news: News) -> Result<([Kind; 2], String), BadRequest> {
    let whose = match news {
        News::Instance { .. } | News::Group { .. } => (Daemon::Vrrp, Kind::Vrrp),
        News::Real { .. } | News::Service { .. } => (Daemon::Check, Kind::Lvs),
    };
    if whose.0 != from {
        return Err(BadRequest::Cause);
    }
    let text = match news {
        News::Instance { instance, state, priority } => {
            let name = table.instances.at(instance).ok_or(BadRequest::Instance(instance))?;
            format!("INSTANCE \"{name}\" {} {priority}\n", state_word(state))
        }
        News::Group { group, state } => {
            let name = table.groups.at(group).ok_or(BadRequest::Group(group))?;
            match state {
                NotifyState::MasterRxLowerPri | NotifyState::MasterPriority | NotifyState::BackupPriority => {
                    return Err(BadRequest::Cause);
                }
                NotifyState::Master
                | NotifyState::Backup
                | NotifyState::Fault
                | NotifyState::Stop
                | NotifyState::Deleted => format!("GROUP \"{name}\" {} 0\n", state_word(state)),
            }
        }
        News::Real { real, now } => {
            let (name, service) = table.lvs_names.reals.at(real).ok_or(BadRequest::Real(real))?;
            let service_name = table.lvs_names.services.at(*service).ok_or(BadRequest::Service(*service))?;
            format!("RS {name} {service_name} {}\n", health_word(now))
        }
        News::Service { service, now } => {
            let name = table.lvs_names.services.at(service).ok_or(BadRequest::Service(service))?;
            format!("VS {name} {}\n", health_word(now))
        }
    };
    Ok(([Kind::All, whose.1], text))
}

fn health_word(health: Health) -> &'static str {
    match health {
        Health::Up => "UP",
        Health::Down => "DOWN",
    }
}

/// The bytes of a path, as an argument.
pub fn argument(fifo: &Fifo) -> Vec<Vec<u8>> {
    [fifo.path.clone().into_bytes()].into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use ipc::config::script::LvsNames;
    use ipc::config::{GroupIdx, InstanceIdx, RealIdx, ServiceIdx};

    fn table() -> ScriptConfig {
        ScriptConfig {
            instances: ["VI_1".to_string()].into_iter().collect(),
            groups: ["G1".to_string()].into_iter().collect(),
            lvs_names: LvsNames {
                services: ["[192.168.201.15]:tcp:80".to_string()].into_iter().collect(),
                reals: [("[1.2.3.4]:tcp:80".to_string(), ServiceIdx(0))].into_iter().collect(),
            },
            ..ScriptConfig::default()
        }
    }

    #[test]
    fn lines_are_keepaliveds() {
        let table = table();
        let of = |from, news| line(&table, from, news).map(|(kinds, text)| (kinds[1], text));
        let instance =
            |state| of(Daemon::Vrrp, News::Instance { instance: InstanceIdx(0), state, priority: 100 }).unwrap().1;
        assert_eq!(instance(NotifyState::Master), "INSTANCE \"VI_1\" MASTER 100\n");
        assert_eq!(instance(NotifyState::MasterRxLowerPri), "INSTANCE \"VI_1\" MASTER_RX_LOWER_PRI 100\n");
        assert_eq!(instance(NotifyState::BackupPriority), "INSTANCE \"VI_1\" BACKUP_PRIORITY 100\n");
        let group = News::Group { group: GroupIdx(0), state: NotifyState::Fault };
        assert_eq!(of(Daemon::Vrrp, group), Ok((Kind::Vrrp, "GROUP \"G1\" FAULT 0\n".to_string())));
        let real = News::Real { real: RealIdx(0), now: Health::Down };
        let text = "RS [1.2.3.4]:tcp:80 [192.168.201.15]:tcp:80 DOWN\n".to_string();
        assert_eq!(of(Daemon::Check, real), Ok((Kind::Lvs, text)));
        let service = News::Service { service: ServiceIdx(0), now: Health::Up };
        assert_eq!(of(Daemon::Check, service), Ok((Kind::Lvs, "VS [192.168.201.15]:tcp:80 UP\n".to_string())));
    }

    #[test]
    fn nobody_tells_of_what_is_not_its_own_or_not_there() {
        let instance = |n| News::Instance { instance: InstanceIdx(n), state: NotifyState::Master, priority: 1 };
        let group = |n, state| News::Group { group: GroupIdx(n), state };
        let real = |n| News::Real { real: RealIdx(n), now: Health::Up };
        let service = |n| News::Service { service: ServiceIdx(n), now: Health::Up };
        for (from, news, wrong) in [
            (Daemon::Check, instance(0), BadRequest::Cause),
            (Daemon::Ipvs, instance(0), BadRequest::Cause),
            (Daemon::Vrrp, instance(1), BadRequest::Instance(InstanceIdx(1))),
            (Daemon::Vrrp, group(1, NotifyState::Stop), BadRequest::Group(GroupIdx(1))),
            (Daemon::Vrrp, group(0, NotifyState::MasterPriority), BadRequest::Cause),
            (Daemon::Vrrp, real(0), BadRequest::Cause),
            (Daemon::Check, real(1), BadRequest::Real(RealIdx(1))),
            (Daemon::Check, service(1), BadRequest::Service(ServiceIdx(1))),
        ] {
            assert_eq!(line(&table(), from, news), Err(wrong), "{from} {news:?}");
        }
    }
}
