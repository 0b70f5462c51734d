//! One change of configuration: the first start and every reload take the same way.

use crate::daemon::{Child, Children, Daemon, Step, Wanted};
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use ipc::config::Generation;
use ipc::config::script::ScriptConfig;
use ipc::config::vrrp::Switch;

/// A change that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The generation that is coming.
    pub generation: Generation,
    /// How far it is.
    pub stage: Stage,
}

/// How far a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// `checkd compile` reads the files.
    Compiling,
    /// The startup script runs; only at the first start.
    StartupScript,
    /// Every child is given its slice. Until all are ready, the change can be taken back.
    Preparing,
    /// It counts; ipvsd is told first, the others when ipvsd has answered.
    Activating,
}

/// Whether another reload was asked for while one was running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Queued {
    /// No.
    #[default]
    No,
    /// Yes; however often.
    Yes,
}

/// What came of a compilation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiled {
    /// It can be used. The other slices are kept by the shell.
    Good(Box<ScriptConfig>),
    /// It cannot.
    Bad(Failure),
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The main file is missing, unreadable or no regular file.
    Unreadable(String),
    /// It says something that cannot be run; the diagnostics have been written.
    Fatal {
        /// How many such problems.
        problems: u32,
        /// How many of them are files that had to be included and could not be.
        unread: u32,
    },
    /// The compiler did not do its work: it died, overran its time or broke the protocol.
    Compiler(String),
}

impl Failure {
    /// The exit code when there is no older configuration to go on with. COMPAT: keepalived 2.4.3, exit codes.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Unreadable(_) => 6,
            Failure::Fatal { problems, unread } if problems == unread => 6,
            Failure::Fatal { .. } => 2,
            Failure::Compiler(_) => 70,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unreadable(why) | Failure::Compiler(why) => f.write_str(why),
            Failure::Fatal { problems: 1, .. } => {
                f.write_str("the configuration has 1 problem with which it cannot be run")
            }
            Failure::Fatal { problems, .. } => {
                write!(f, "the configuration has {problems} problems with which it cannot be run")
            }
        }
    }
}

/// Which children are run at all, whatever the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// Those the configuration has something for.
    AsConfigured,
    /// `--all`: all of them.
    All,
    /// `-P`: no checkd.
    VrrpOnly,
    /// `-C`: vrrpd for BFD alone.
    CheckOnly,
}

impl Parts {
    /// Whether a configuration needs a child. ipvsd is always there: it also clears up what an earlier run left.
    pub fn wants(self, daemon: Daemon, table: &ScriptConfig) -> Wanted {
        let yes = match (daemon, self) {
            (Daemon::Ipvs, _) | (Daemon::Vrrp | Daemon::Check, Parts::All) => true,
            // COMPAT: keepalived 2.4.3: neither -P nor -C is about BFD.
            (Daemon::Vrrp, Parts::CheckOnly) => table.bfds > 0,
            (Daemon::Vrrp, _) => !table.instances.is_empty() || table.bfds > 0,
            // It is who writes mails, those about instances too.
            (Daemon::Check, Parts::VrrpOnly) => table.vrrp_mail == Switch::On,
            (Daemon::Check, _) => table.services > 0 || table.vrrp_mail == Switch::On,
        };
        if yes { Wanted::Yes } else { Wanted::No }
    }
}

/// Whether the change can be made to count. A reload does not wait for a child that is dead at the moment (it will start
/// with what counts then), the first start does.
pub fn all_ready(children: &Children, generation: Generation, first: bool) -> bool {
    Daemon::ALL.iter().map(|d| children.at(*d)).filter(|c| c.wanted == Wanted::Yes).all(|child| match child.at_work() {
        Some(alive) => alive.next == Some((generation, Step::Ready)),
        None => !first,
    })
}

/// Whether every child that is there runs the generation.
pub fn all_active(children: &Children, generation: Generation) -> bool {
    let runs = |child: &Child| child.at_work().is_none_or(|a| a.active == Some(generation) && a.next.is_none());
    Daemon::ALL.iter().all(|d| runs(children.at(*d)))
}
