//! How a process gives up what it does not need, once and for good, before it reads any input.
//!
//! [`enter`] is for the children, [`supervise`] for the supervisor, [`enter_as_user`] for a child of a supervisor without rights. All
//! must run while the process has one thread:
//! capabilities, secure bits and filters belong to a thread and go to those it starts later.

mod landlock;
mod readback;
mod supervisor;
mod user;

pub use caps::Capability;
pub use landlock::{Landlock, Tcp};
pub use supervisor::{Needs, Supervised, supervise};
pub use user::enter_as_user;

use crate::child::Ids;
use crate::seccomp::{Call, Filter, base::BASE};
use crate::sys;
use caps::{CapSet, CapsHashSet};
use core::fmt;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{geteuid, setgroups, setresgid, setresuid};

/// What a role may keep.
#[derive(Clone, Copy, Debug)]
pub struct Jail<'a> {
    /// Its name, for errors.
    pub program: &'a str,
    /// Whom it becomes.
    pub ids: Ids,
    /// Its permitted and effective set; nothing else is in any set.
    pub capabilities: &'a [Capability],
    /// Whether it may bind and connect TCP sockets.
    pub tcp: Tcp,
    /// Most descriptors it may have open (RLIMIT_NOFILE, soft and hard; the hard limit it was started with is not exceeded).
    pub open_files: u64,
    /// Its system calls beside [`BASE`].
    pub calls: &'a [Call],
}

impl Jail<'_> {
    fn failed(&self, step: &'static str, why: &dyn fmt::Display) -> ConfineError {
        ConfineError { program: self.program.to_owned(), step, why: why.to_string() }
    }

    /// The last two steps of every confinement.
    fn close(&self, filter: &Filter) -> Result<Confined, ConfineError> {
        // No file system; no TCP where the role needs none. After it /proc cannot be read.
        let landlock = landlock::close(self.tcp).map_err(|e| self.failed("Landlock", &e))?;

        // No system call but the role's. Last: the steps before make calls that it forbids.
        filter.install().map_err(|e| self.failed("system call filter", &e))?;
        match sys::seccomp_mode() {
            Ok(2) => Ok(Confined { landlock }),
            Ok(mode) => Err(self.failed("system call filter", &format!("the kernel reports mode {mode}, not 2"))),
            Err(e) => Err(self.failed("read the seccomp mode back", &e)),
        }
    }
}

/// What could be had of what is best effort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confined {
    /// The file system.
    pub landlock: Landlock,
}

/// What stood in the way. The process must not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfineError {
    program: String,
    step: &'static str,
    why: String,
}

impl fmt::Display for ConfineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not run unconfined: {}: {}", self.program, self.step, self.why)
    }
}

impl core::error::Error for ConfineError {}

/// The secure bits of a confined process (capabilities(7)): being or becoming uid 0 gives no capability, and none of it can be
/// changed back.
const SECUREBITS: libc::c_int = libc::SECBIT_NOROOT
    | libc::SECBIT_NOROOT_LOCKED
    | libc::SECBIT_NO_SETUID_FIXUP
    | libc::SECBIT_NO_SETUID_FIXUP_LOCKED
    | libc::SECBIT_KEEP_CAPS_LOCKED
    | libc::SECBIT_NO_CAP_AMBIENT_RAISE
    | libc::SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

/// Confines this process to `jail`, or says why that cannot be done; then it must exit. Started without the necessary rights (by
/// hand, by a user) it changes nothing.
pub fn enter(jail: &Jail<'_>) -> Result<Confined, ConfineError> {
    let failed = |step: &'static str, why: &dyn fmt::Display| jail.failed(step, why);
    let wanted: CapsHashSet = jail.capabilities.iter().copied().collect();

    // 0. What is needed to give everything up.
    can_confine(&wanted).map_err(|why| failed("it must be started by holdfast as root", &why))?;
    let filter = Filter::allow(&[BASE, jail.calls]).map_err(|e| failed("system call filter", &e))?;

    // 1. Nothing that was open in the supervisor, except the channel and the console.
    sys::close_from(3).map_err(|e| failed("close descriptors", &e))?;

    // 2. Nothing of the supervisor's environment.
    sys::clear_environment().map_err(|e| failed("clear the environment", &e))?;

    // 3. No capability can ever come back by execve. Before the uid changes: afterwards CAP_SETPCAP is gone.
    empty_bounding_set().map_err(|e| failed("empty the bounding set", &e))?;

    // 4. The permitted set survives the change of the uid.
    prctl::set_keepcaps(true).map_err(|e| failed("keep capabilities", &e))?;

    // 5. Groups, then gid, then uid: each needs the rights that the next gives up.
    setgroups(&[]).map_err(|e| failed("drop supplementary groups", &e))?;
    let (uid, gid) = (jail.ids.uid, jail.ids.gid);
    setresgid(gid, gid, gid).map_err(|e| failed("change the group", &e))?;
    setresuid(uid, uid, uid).map_err(|e| failed("change the user", &e))?;

    // 6. Secure bits, locked. They need CAP_SETPCAP, which the change of the uid took from the effective set only.
    let mut for_securebits = wanted.clone();
    for_securebits.insert(Capability::CAP_SETPCAP);
    caps::set(None, CapSet::Effective, &for_securebits).map_err(|e| failed("raise CAP_SETPCAP once more", &e))?;
    sys::set_securebits(SECUREBITS).map_err(|e| failed("lock the secure bits", &e))?;

    // 7. Exactly the role's capabilities, none to inherit.
    caps::clear(None, CapSet::Ambient).map_err(|e| failed("empty the ambient set", &e))?;
    caps::clear(None, CapSet::Inheritable).map_err(|e| failed("empty the inheritable set", &e))?;
    caps::set(None, CapSet::Effective, &wanted).map_err(|e| failed("set the effective set", &e))?;
    caps::set(None, CapSet::Permitted, &wanted).map_err(|e| failed("set the permitted set", &e))?;

    // 8. No set-uid program gives anything.
    prctl::set_no_new_privs().map_err(|e| failed("set no_new_privs", &e))?;

    // 9. No other process of the same uid attaches, and no core file holds secrets.
    prctl::set_dumpable(false).map_err(|e| failed("make it undumpable", &e))?;

    // 10. No fork, no core, a stated number of descriptors.
    limits(jail.open_files).map_err(|e| failed("set resource limits", &e))?;

    // 11. What the kernel says of this process is what the role declares. Before 12, after which /proc cannot be read.
    readback::check(jail.ids, &wanted).map_err(|why| failed("read /proc/self/status back", &why))?;

    // 12. No file system, no TCP where the role needs none; 13. no system call but the role's.
    jail.close(&filter)
}

/// Whether this process has what it needs to confine itself and what it shall keep.
fn can_confine(wanted: &CapsHashSet) -> Result<(), String> {
    if !geteuid().is_root() {
        return Err(format!("it runs as uid {}", geteuid()));
    }
    let have = caps::read(None, CapSet::Permitted).map_err(|e| e.to_string())?;
    let to_confine = [Capability::CAP_SETPCAP, Capability::CAP_SETUID, Capability::CAP_SETGID];
    let mut missing: Vec<String> =
        to_confine.iter().chain(wanted).filter(|c| !have.contains(c)).map(ToString::to_string).collect();
    missing.sort();
    if missing.is_empty() { Ok(()) } else { Err(format!("{} missing in its permitted set", missing.join(", "))) }
}

/// Also drops capabilities that the kernel knows and the caps crate does not.
fn empty_bounding_set() -> Result<(), Errno> {
    for number in 0..64 {
        match sys::drop_bounding(number) {
            Ok(()) => {}
            // The kernel has no more.
            Err(Errno::EINVAL) => break,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn limits(open_files: u64) -> Result<(), Errno> {
    setrlimit(Resource::RLIMIT_NPROC, 0, 0)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let open_files = open_files.min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, open_files, open_files)
}
