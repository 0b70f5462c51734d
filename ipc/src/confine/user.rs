//! Confinement of a process that an ordinary user started: `checkd compile` for `holdfast -t`. It cannot change its uid and has no
//! bounding set to empty, but it can give up everything else.

use super::{ConfineError, Confined, Jail, limits, readback};
use crate::seccomp::{Filter, base::BASE};
use crate::sys;
use caps::CapSet;
use core::fmt;
use nix::sys::prctl;
use nix::unistd::{getresgid, getresuid};

/// Confines this process to `jail`, of which `ids` must be its own: not root, and the same whether real, effective or saved. A role
/// with capabilities cannot be confined so. The user's supplementary groups stay; they mean nothing without a file system.
pub fn enter_as_user(jail: &Jail<'_>) -> Result<Confined, ConfineError> {
    let failed = |step: &'static str, why: &dyn fmt::Display| jail.failed(step, why);

    // 0. Who could give up more must do so.
    is_user(jail).map_err(|why| failed("only a user without rights stays who he is", &why))?;
    let filter = Filter::allow(&[BASE, jail.calls]).map_err(|e| failed("system call filter", &e))?;

    // 1. Nothing that was open in the supervisor, except the channel and the console.
    sys::close_from(3).map_err(|e| failed("close descriptors", &e))?;

    // 2. Nothing of the user's environment.
    sys::clear_environment().map_err(|e| failed("clear the environment", &e))?;

    // 3. No capability that the user may have been given.
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(|e| failed("empty the capability sets", &e))?;
    }

    // 4. No set-uid program and no file capability gives anything.
    prctl::set_no_new_privs().map_err(|e| failed("set no_new_privs", &e))?;

    // 5. No other process of the user attaches, and no core file holds secrets.
    prctl::set_dumpable(false).map_err(|e| failed("make it undumpable", &e))?;

    // 6. No fork, no core, a stated number of descriptors.
    limits(jail.open_files).map_err(|e| failed("set resource limits", &e))?;

    // 7. What the kernel says of this process.
    readback::check_user(jail.ids).map_err(|why| failed("read /proc/self/status back", &why))?;

    // 8. No file system, no TCP where the role needs none; 9. no system call but the role's.
    jail.close(&filter)
}

fn is_user(jail: &Jail<'_>) -> Result<(), String> {
    let uids = getresuid().map_err(|e| e.to_string())?;
    let gids = getresgid().map_err(|e| e.to_string())?;
    let (uid, gid) = (jail.ids.uid, jail.ids.gid);
    if uid.is_root() || [uids.real, uids.effective, uids.saved].iter().any(|other| *other != uid) {
        return Err(format!("its uids are {}, {} and {}", uids.real, uids.effective, uids.saved));
    }
    if [gids.real, gids.effective, gids.saved].iter().any(|other| *other != gid) {
        return Err(format!("its gids are {}, {} and {}", gids.real, gids.effective, gids.saved));
    }
    match jail.capabilities {
        [] => Ok(()),
        _ => Err("the role has capabilities".to_owned()),
    }
}
