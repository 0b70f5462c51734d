//! What the kernel says of this process, compared with what it is meant to be.

use super::SECUREBITS;
use crate::child::Ids;
use crate::sys;
use caps::CapsHashSet;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{ROOT, setresuid};
use std::fs;

/// Compares `/proc/self/status`, the secure bits and the dumpable flag; tries to become root again.
pub(super) fn check(ids: Ids, capabilities: &CapsHashSet) -> Result<(), String> {
    compare(&status()?, ids, capabilities)?;
    match sys::securebits() {
        Ok(SECUREBITS) => {}
        Ok(bits) => return Err(format!("secure bits are {bits:#x}, not {SECUREBITS:#x}")),
        Err(e) => return Err(format!("secure bits: {e}")),
    }
    is_closed()
}

/// The same for a process that stays the user it was started as ([`super::enter_as_user`]): its groups and its bounding set are what
/// they were.
pub(super) fn check_user(ids: Ids) -> Result<(), String> {
    compare_lines(&status()?, &of_everybody(ids, 0))?;
    is_closed()
}

fn status() -> Result<String, String> {
    fs::read_to_string("/proc/self/status").map_err(|e| format!("{e}; is /proc mounted?"))
}

/// Nobody attaches to it, and it cannot become root.
fn is_closed() -> Result<(), String> {
    match prctl::get_dumpable() {
        Ok(false) => {}
        Ok(true) => return Err("it is still dumpable".to_owned()),
        Err(e) => return Err(format!("dumpable flag: {e}")),
    }
    match setresuid(ROOT, ROOT, ROOT) {
        Err(Errno::EPERM) => Ok(()),
        Err(e) => Err(format!("becoming root failed with {e} instead of EPERM")),
        Ok(()) => Err("it could become root again".to_owned()),
    }
}

type Lines = Vec<(&'static str, String)>;

/// What holds for every confined process; `own` is the mask of its capabilities.
fn of_everybody(ids: Ids, own: u64) -> Lines {
    let (uid, gid) = (ids.uid, ids.gid);
    vec![
        ("Uid", format!("{uid} {uid} {uid} {uid}")),
        ("Gid", format!("{gid} {gid} {gid} {gid}")),
        ("Threads", "1".to_owned()),
        ("CapInh", format!("{:016x}", 0)),
        ("CapPrm", format!("{own:016x}")),
        ("CapEff", format!("{own:016x}")),
        ("CapAmb", format!("{:016x}", 0)),
        ("NoNewPrivs", "1".to_owned()),
    ]
}

fn compare(status: &str, ids: Ids, capabilities: &CapsHashSet) -> Result<(), String> {
    let own = capabilities.iter().fold(0, |mask, capability| mask | capability.bitmask());
    let mut expected = of_everybody(ids, own);
    expected.extend([("Groups", String::new()), ("CapBnd", format!("{:016x}", 0))]);
    compare_lines(status, &expected)
}

/// Every line that matters must be there and say exactly what is declared.
fn compare_lines(status: &str, expected: &Lines) -> Result<(), String> {
    for (name, expected) in expected {
        let found = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let Some(found) = found else {
            return Err(format!("it has no line {name}; expected {expected:?}"));
        };
        let found = found.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        if found != *expected {
            return Err(format!("{name} is {found:?}, expected {expected:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use caps::Capability;
    use nix::unistd::{Gid, Uid};

    const STATUS: &str = "Name:\tvrrpd\nUid:\t61184\t61184\t61184\t61184\nGid:\t61185\t61185\t61185\t61185\nGroups:\t \n\
        Threads:\t1\nCapInh:\t0000000000000000\nCapPrm:\t0000000000002000\nCapEff:\t0000000000002000\n\
        CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n";

    fn judge(status: &str) -> Result<(), String> {
        let ids = Ids { uid: Uid::from_raw(61184), gid: Gid::from_raw(61185) };
        compare(status, ids, &[Capability::CAP_NET_RAW].into_iter().collect())
    }

    #[test]
    fn exactly_the_declared_state_passes() {
        assert_eq!(judge(STATUS), Ok(()));
    }

    #[test]
    fn any_other_state_is_refused() {
        for (from, to) in [
            ("Uid:\t61184\t61184\t61184\t61184", "Uid:\t61184\t61184\t0\t61184"),
            ("Gid:\t61185", "Gid:\t0"),
            ("Groups:\t ", "Groups:\t4 "),
            ("Threads:\t1", "Threads:\t2"),
            ("CapInh:\t0000000000000000", "CapInh:\t0000000000000001"),
            ("CapPrm:\t0000000000002000", "CapPrm:\t0000000000003000"),
            ("CapEff:\t0000000000002000", "CapEff:\t0000000000000000"),
            ("CapBnd:\t0000000000000000", "CapBnd:\t0000020000000000"),
            ("CapAmb:\t0000000000000000", "CapAmb:\t0000000000002000"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
            ("NoNewPrivs:\t1\n", ""),
        ] {
            let changed = STATUS.replace(from, to);
            assert_ne!(changed, STATUS);
            assert!(judge(&changed).is_err(), "{to}");
        }
    }
}
