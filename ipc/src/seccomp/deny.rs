//! What neither the supervisor nor a script it runs needs. These calls fail with EPERM in all of them.
//!
//! The bounding set denies most of them already; the filter also takes away the kernel code behind them, and holds inside a user
//! namespace. Left alone on purpose: `unshare`, `setns` (a user namespace of their own), `keyctl` (PAM of sudo and su), `syslog` (dmesg),
//! `adjtimex` (reading the clock's state).

use super::{Call, call};

/// Denied always.
pub const DENY: &[Call] = &[
    // Another kernel, another root file system, another clock, more swap.
    call("kexec_load", "replaces the running kernel"),
    call("reboot", "a script that reboots asks the service manager"),
    call("mount", "changes what paths mean"),
    call("umount2", "changes what paths mean"),
    call("pivot_root", "changes what paths mean"),
    call("move_mount", "changes what paths mean"),
    call("open_tree", "changes what paths mean"),
    call("fsopen", "changes what paths mean"),
    call("fsconfig", "changes what paths mean"),
    call("fsmount", "changes what paths mean"),
    call("fspick", "changes what paths mean"),
    call("mount_setattr", "changes what paths mean"),
    call("swapon", "swap"),
    call("swapoff", "swap"),
    call("acct", "process accounting"),
    call("quotactl", "quotas"),
    call("quotactl_fd", "quotas"),
    call("settimeofday", "sets the clock"),
    call("clock_settime", "sets the clock"),
    // Into other processes.
    call("ptrace", "reads and changes other processes"),
    call("process_vm_readv", "reads other processes"),
    call("process_vm_writev", "changes other processes"),
    call("kcmp", "compares other processes"),
    // Around the file permissions: CAP_DAC_READ_SEARCH, which the supervisor has, makes any inode reachable by handle.
    call("open_by_handle_at", "opens by inode, past every directory"),
    // Large interfaces with a history of holes.
    call("bpf", "loads programs into the kernel"),
    call("perf_event_open", "performance counters"),
    call("userfaultfd", "makes kernel races easy to win"),
    call("io_uring_setup", "does other calls past this filter; programs fall back without it"),
    call("iopl", "input and output ports"),
    call("ioperm", "input and output ports"),
    call("modify_ldt", "segments of 16-bit programs"),
    call("vhangup", "hangs up a terminal"),
    call("lookup_dcookie", "profiling"),
    call("nfsservctl", "no longer exists"),
];

/// Denied as well when the configuration needs no kernel module.
pub const DENY_MODULES: &[Call] = &[
    call("init_module", "loads a module"),
    call("finit_module", "loads a module"),
    call("delete_module", "unloads a module"),
];
