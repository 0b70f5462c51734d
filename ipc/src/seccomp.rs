//! System call filters, built from commented tables.
//!
//! A child may make the calls of [`base::BASE`] and of its own table (`X/src/shell/syscalls.rs`); any other ends it with SIGSYS.
//! The supervisor and the scripts it runs may make every call but those of [`deny::DENY`], which fail with EPERM.
//!
//! # Finding a denied call
//!
//! * A child that died of it: the supervisor logs "killed by SIGSYS". The kernel has written one line to the audit log, or to
//!   its own log where no auditd runs: `audit: type=1326 … comm="vrrpd" … sig=31 … syscall=41`. `ausyscall 41` names it.
//! * `strace -f -p PID` from before the call shows it as the last line, with its arguments, and `--- SIGSYS … ---`.
//! * `coredumpctl` has no core of it: children do not write any.
//! * A table that misses a name belongs to the file whose code makes the call: add the name with the function as the reason.
//!
//! The C library decides which call a function makes: tables list the variants of glibc and musl, and a name that the
//! architecture at hand has not is left out (`numbers.rs` knows).

pub mod base;
pub mod deny;
mod numbers;
pub mod probe;

use crate::sys;
use core::fmt;
use nix::errno::Errno;
use numbers::{Number, number};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

/// One line of a table: a system call, when it is meant, and what makes it.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    name: &'static str,
    /// Any of these, each all of its conditions; empty: always.
    when: &'static [&'static [Arg]],
    why: &'static str,
}

/// A condition on one argument, counted from 0. The lower 32 bits are compared: all arguments that are worth it are `int`.
#[derive(Clone, Copy, Debug)]
pub enum Arg {
    /// It is this value.
    Is(u8, u32),
    /// None of these bits is set in it.
    Without(u8, u32),
    /// Every bit of it outside these is clear.
    Within(u8, u32),
}

/// A call whatever its arguments. `why` names what makes it.
pub const fn call(name: &'static str, why: &'static str) -> Call {
    Call { name, when: &[], why }
}

/// A call with some arguments only: any of the lists, each with all of its conditions.
///
/// ```
/// use ipc::seccomp::{Arg, Call, call_if};
/// const SOCKETS: Call = call_if(
///     "socket",
///     &[
///         &[Arg::Is(0, libc::AF_PACKET as u32)],
///         &[Arg::Is(0, libc::AF_NETLINK as u32), Arg::Is(2, libc::NETLINK_ROUTE as u32)],
///     ],
///     "shell::sockets::open",
/// );
/// ```
pub const fn call_if(name: &'static str, when: &'static [&'static [Arg]], why: &'static str) -> Call {
    assert!(!when.is_empty(), "a call with no condition is call()");
    Call { name, when, why }
}

impl Call {
    /// The system call.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The conditions on its arguments: any of these, each all of its own; none: it is meant always.
    pub fn when(&self) -> &'static [&'static [Arg]] {
        self.when
    }

    /// What makes it.
    pub fn why(&self) -> &'static str {
        self.why
    }
}

/// Why there is no filter.
#[derive(Debug)]
pub enum FilterError {
    /// A table names something that is no system call.
    Unknown(&'static str),
    /// No filters for this architecture; x86_64 and aarch64 have them.
    Architecture(&'static str),
    /// It cannot be expressed.
    Build(BackendError),
    /// The kernel refused it. `EACCES`: neither no_new_privs nor CAP_SYS_ADMIN; `EINVAL`, `ENOSYS`: built without seccomp.
    Install(Errno),
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FilterError::Unknown(name) => write!(f, "the table names {name}, which is no system call"),
            FilterError::Architecture(arch) => write!(f, "there are no system call filters for {arch}"),
            FilterError::Build(e) => write!(f, "the filter cannot be built: {e}"),
            FilterError::Install(Errno::EACCES) => {
                f.write_str("the kernel wants CAP_SYS_ADMIN or no_new_privs for a filter")
            }
            FilterError::Install(e) => write!(f, "the kernel refused the filter: {e}"),
        }
    }
}

impl core::error::Error for FilterError {}

impl From<BackendError> for FilterError {
    fn from(e: BackendError) -> Self {
        FilterError::Build(e)
    }
}

/// A filter ready to be installed.
pub struct Filter(BpfProgram);

impl Filter {
    /// Only the calls of these tables; any other kills the process.
    pub fn allow(tables: &[&[Call]]) -> Result<Filter, FilterError> {
        let rules = rules(tables)?;
        let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture()?)?;
        Ok(Filter(filter.try_into()?))
    }

    /// All but the calls of these tables, which fail with EPERM.
    ///
    /// Programs of another architecture (a 32-bit program that a script runs) are not filtered: seccompiler would kill them.
    /// What binds them is the bounding set.
    pub fn deny(tables: &[&[Call]]) -> Result<Filter, FilterError> {
        let rules = rules(tables)?;
        let eperm = SeccompAction::Errno(Errno::EPERM as u32);
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, eperm, architecture()?)?;
        let mut program: BpfProgram = filter.try_into()?;
        // The program begins: load the architecture; if it is ours, skip one; return KILL_PROCESS.
        if let Some(verdict) = program.get_mut(2) {
            verdict.k = libc::SECCOMP_RET_ALLOW;
        }
        Ok(Filter(program))
    }

    /// Installs it on this thread, for ever, and on what it forks and executes. Needs no_new_privs or CAP_SYS_ADMIN.
    pub fn install(&self) -> Result<(), FilterError> {
        sys::install_filter(&self.0).map_err(FilterError::Install)
    }
}

fn architecture() -> Result<TargetArch, FilterError> {
    TargetArch::try_from(std::env::consts::ARCH).map_err(|_| FilterError::Architecture(std::env::consts::ARCH))
}

/// The union of the tables: a call that is there twice is meant in either case.
fn rules(tables: &[&[Call]]) -> Result<BTreeMap<i64, Vec<SeccompRule>>, FilterError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut always: Vec<i64> = Vec::new();
    for call in tables.iter().copied().flatten() {
        let number = match number(call.name) {
            Number::Here(number) => number,
            Number::Elsewhere => continue,
            Number::Unknown => return Err(FilterError::Unknown(call.name)),
        };
        let chain = rules.entry(number).or_default();
        if call.when.is_empty() {
            always.push(number);
        }
        for all in call.when {
            let conditions = all.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
            chain.push(SeccompRule::new(conditions)?);
        }
    }
    for number in always {
        // To seccompiler an empty chain is "always".
        rules.insert(number, Vec::new());
    }
    Ok(rules)
}

fn condition(arg: &Arg) -> Result<SeccompCondition, BackendError> {
    let (n, op, value) = match *arg {
        Arg::Is(n, value) => (n, SeccompCmpOp::Eq, value),
        Arg::Without(n, bits) => (n, SeccompCmpOp::MaskedEq(u64::from(bits)), 0),
        Arg::Within(n, bits) => (n, SeccompCmpOp::MaskedEq(u64::from(!bits)), 0),
    };
    SeccompCondition::new(n, SeccompCmpArgLen::Dword, op, u64::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_build() {
        assert!(Filter::allow(&[base::BASE]).is_ok());
        assert!(Filter::deny(&[deny::DENY, deny::DENY_MODULES]).is_ok());
    }

    #[test]
    fn a_name_that_is_no_system_call_is_found_at_once() {
        const TABLE: &[Call] = &[call("raed", "nothing")];
        assert!(matches!(Filter::allow(&[TABLE]), Err(FilterError::Unknown("raed"))));
    }

    #[test]
    fn always_wins_over_sometimes() -> Result<(), FilterError> {
        const TABLE: &[Call] = &[call("socket", "a"), call_if("socket", &[&[Arg::Is(0, 1)]], "b")];
        let merged = rules(&[TABLE])?;
        assert_eq!(merged.get(&libc::SYS_socket).map(Vec::len), Some(0));
        Ok(())
    }

    #[test]
    fn the_deny_list_lets_other_architectures_be() -> Result<(), FilterError> {
        let Filter(program) = Filter::deny(&[deny::DENY])?;
        assert_eq!(program.get(2).map(|i| (i.code, i.k)), Some((0x06, libc::SECCOMP_RET_ALLOW)));
        let Filter(program) = Filter::allow(&[base::BASE])?;
        assert_eq!(program.get(2).map(|i| (i.code, i.k)), Some((0x06, libc::SECCOMP_RET_KILL_PROCESS)));
        Ok(())
    }
}
