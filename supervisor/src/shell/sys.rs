//! The only `unsafe` of this program, and why it is sound.
#![allow(unsafe_code)]

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Makes a command run as a user with supplementary groups, which `std` can only empty. They are set before the user changes:
/// afterwards nobody may.
pub fn become_member(command: &mut Command, uid: u32, gid: u32, others: &[u32]) {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let others: Vec<Gid> = others.iter().copied().map(Gid::from_raw).collect();
    let become_them = move || {
        setgroups(&others)?;
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
        Ok(())
    };
    // SAFETY: between fork(2) and execve(2) only three system calls are made. The list was made before; nothing allocates, takes a
    // lock or touches what another thread may have held.
    unsafe { command.pre_exec(become_them) };
}
