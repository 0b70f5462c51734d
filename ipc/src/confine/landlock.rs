//! The file system and TCP, closed by Landlock where the kernel has it (Linux 5.13; TCP 6.7; signals and abstract sockets 6.12).

use core::fmt;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
};

/// Whether a role may bind and connect TCP sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tcp {
    /// checkd run.
    Allowed,
    /// The others.
    Denied,
}

/// How much of it the kernel does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landlock {
    /// All that is asked for.
    Full,
    /// An older kernel: the file system at least.
    Partial,
    /// None: the uid and the system call table (no open) keep it from the file system.
    Absent,
}

impl fmt::Display for Landlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Landlock::Full => "Landlock closes the file system",
            Landlock::Partial => "Landlock closes the file system as far as this kernel can",
            Landlock::Absent => "this kernel has no Landlock",
        })
    }
}

/// Denies every access to every file by path, signals to processes outside, and abstract sockets. Descriptors that are handed
/// over keep their rights.
pub(super) fn close(tcp: Tcp) -> Result<Landlock, RulesetError> {
    let newest = ABI::V6;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(newest))?
        .scope(Scope::from_all(newest))?;
    if tcp == Tcp::Denied {
        ruleset = ruleset.handle_access(AccessNet::from_all(newest))?;
    }
    let status = ruleset.create()?.restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Landlock::Full,
        RulesetStatus::PartiallyEnforced => Landlock::Partial,
        RulesetStatus::NotEnforced => Landlock::Absent,
    })
}
