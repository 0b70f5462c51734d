//! What the supervisor gives up. It stays root, with the capabilities that it hands to its children and those that its own work
//! needs.

use super::ConfineError;
use crate::seccomp::deny::{DENY, DENY_MODULES};
use crate::seccomp::{Filter, FilterError};
use crate::sys;
use caps::{CapSet, Capability, CapsHashSet};
use core::fmt;
use nix::errno::Errno;

/// What the supervisor keeps in any case.
const ALWAYS: [Capability; 7] = [
    // For vrrpd.
    Capability::CAP_NET_RAW,
    // For ipvsd.
    Capability::CAP_NET_ADMIN,
    // To start children and scripts as their users.
    Capability::CAP_SETUID,
    Capability::CAP_SETGID,
    // For the children: bounding set and secure bits.
    Capability::CAP_SETPCAP,
    // To end children and scripts, which have other uids.
    Capability::CAP_KILL,
    // To read configuration files whoever owns them.
    Capability::CAP_DAC_READ_SEARCH,
];

/// What it keeps only when the configuration or an option asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs<'a> {
    /// `CAP_SYS_NICE` for priorities, `CAP_SYS_MODULE` for modprobe.
    pub also: &'a [Capability],
}

/// What could be had.
#[derive(Debug)]
pub struct Supervised {
    /// Why there is no system call filter, if there is none: a container without CAP_SYS_ADMIN cannot have one that is not
    /// bound to no_new_privs, and with that no script could use sudo.
    pub unfiltered: Option<FilterError>,
    /// Capabilities that it should have and was not given.
    pub missing: Vec<Capability>,
}

impl fmt::Display for Supervised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = self.missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match (&self.unfiltered, missing.is_empty()) {
            (None, true) => f.write_str("confined"),
            (None, false) => write!(f, "confined; it was started without {missing}"),
            (Some(e), true) => write!(f, "confined but for the system call filter: {e}"),
            (Some(e), false) => {
                write!(f, "confined but for the system call filter: {e}; it was started without {missing}")
            }
        }
    }
}

/// Confines the supervisor. It stays dumpable and without no_new_privs, so that scripts may use sudo. Before the first child
/// and the first script are started: both inherit the bounding set and the filter.
pub fn supervise(needs: Needs<'_>) -> Result<Supervised, ConfineError> {
    let failed = |step: &'static str, why: &dyn fmt::Display| ConfineError {
        program: "holdfast".to_owned(),
        step,
        why: why.to_string(),
    };
    let wanted: CapsHashSet = ALWAYS.iter().chain(needs.also).copied().collect();
    let have = caps::read(None, CapSet::Permitted).map_err(|e| failed("read the permitted set", &e))?;
    let keep: CapsHashSet = wanted.intersection(&have).copied().collect();
    let mut missing: Vec<Capability> = wanted.difference(&have).copied().collect();
    missing.sort_by_key(Capability::index);

    // 1. The filter, while CAP_SYS_ADMIN is there to install it without no_new_privs.
    let unfiltered = filter(&keep).err();

    // 2. The bounding set: no script and no child can have more by execve.
    reduce_bounding_set(&keep).map_err(|e| failed("reduce the bounding set", &e))?;

    // 3. Exactly these capabilities, none to inherit. Scripts that run as root get the bounding set, others nothing.
    caps::clear(None, CapSet::Ambient).map_err(|e| failed("empty the ambient set", &e))?;
    caps::clear(None, CapSet::Inheritable).map_err(|e| failed("empty the inheritable set", &e))?;
    caps::set(None, CapSet::Effective, &keep).map_err(|e| failed("set the effective set", &e))?;
    caps::set(None, CapSet::Permitted, &keep).map_err(|e| failed("set the permitted set", &e))?;

    // 4. The kernel agrees.
    for (set, name) in [(CapSet::Permitted, "permitted"), (CapSet::Effective, "effective")] {
        let now = caps::read(None, set).map_err(|e| failed("read the sets back", &e))?;
        if now != keep {
            return Err(failed("read the sets back", &format!("the {name} set is not what it was set to")));
        }
    }
    let bounding = caps::read(None, CapSet::Bounding).map_err(|e| failed("read the bounding set back", &e))?;
    if !bounding.is_subset(&keep) {
        return Err(failed("read the bounding set back", &"it holds more than it was reduced to"));
    }
    Ok(Supervised { unfiltered, missing })
}

fn filter(keep: &CapsHashSet) -> Result<(), FilterError> {
    let no_modules: &[_] = if keep.contains(&Capability::CAP_SYS_MODULE) { &[] } else { DENY_MODULES };
    Filter::deny(&[DENY, no_modules])?.install()
}

/// Goes by number: the kernel may know capabilities that the caps crate does not.
fn reduce_bounding_set(keep: &CapsHashSet) -> Result<(), Errno> {
    for number in 0..64 {
        if keep.iter().any(|capability| capability.index() == number) {
            continue;
        }
        match sys::drop_bounding(number) {
            Ok(()) => {}
            Err(Errno::EINVAL) => break,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
