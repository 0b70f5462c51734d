//! On which processor a process runs, where microseconds matter. The kernel wakes the reader of a socket on the writer's processor,
//! although the writer goes on there and another processor may be idle.

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity, sched_yield};
use nix::unistd::Pid;

/// Lets another process have this processor if one waits for it: the one that has just been told something, before the rest of the
/// turn is done.
pub fn give_way() {
    // Never fails on Linux.
    let _ = sched_yield();
}

/// Moves to another processor, if there is one that this process may use, and stays free to move again. Takes some ten microseconds.
/// A refusal changes nothing.
pub fn step_aside() {
    let this = Pid::from_raw(0);
    let (Ok(all), Ok(here)) = (sched_getaffinity(this), sched_getcpu()) else { return };
    let mut others = all;
    if others.unset(here).is_ok() && others != CpuSet::new() && sched_setaffinity(this, &others).is_ok() {
        let _ = sched_setaffinity(this, &all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stepping_aside_moves_and_leaves_all_processors_open() {
        let this = Pid::from_raw(0);
        let before = sched_getaffinity(this).unwrap();
        let processors = (0..CpuSet::count()).filter(|n| before.is_set(*n).unwrap()).count();
        // Somebody else may push this thread back at once, but not every time.
        let moves = (0..20).any(|_| {
            let from = sched_getcpu().unwrap();
            step_aside();
            sched_getcpu().unwrap() != from
        });
        assert_eq!(moves, processors > 1);
        assert_eq!(sched_getaffinity(this).unwrap(), before);
    }
}
