//! `MISC_CHECK`: what the end of a command says of the server.

use super::{Fault, Verdict};
use ipc::config::vrrp::Switch;
use ipc::msg::control::Outcome;

/// The verdict, and the weight that the command gives the server. `None`: the command could not be started. If it never
/// was, that says nothing of the server.
///
/// COMPAT: keepalived 2.2.7, measured: 0 is well, and the weight is the configured one again; with `misc_dynamic` 2 to 255 are well, and
/// the weight is 2 less.
pub fn read(dynamic: Switch, outcome: Outcome) -> Option<(Verdict, Option<u32>)> {
    Some(match outcome {
        Outcome::Exited(0) => (Verdict::Pass, None),
        Outcome::Exited(status) if status > 1 && dynamic == Switch::On => {
            (Verdict::Pass, Some(u32::from(status.saturating_sub(2))))
        }
        Outcome::Exited(status) => (Verdict::Fail(Fault::Exited(status)), None),
        Outcome::Signalled(signal) => (Verdict::Fail(Fault::Signalled(signal)), None),
        Outcome::TimedOut => (Verdict::Fail(Fault::RanTooLong), None),
        Outcome::NotStarted => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end() {
        let fail = |fault| (Verdict::Fail(fault), None);
        for (dynamic, outcome, expected) in [
            (Switch::Off, Outcome::Exited(0), (Verdict::Pass, None)),
            (Switch::On, Outcome::Exited(0), (Verdict::Pass, None)),
            (Switch::Off, Outcome::Exited(1), fail(Fault::Exited(1))),
            (Switch::On, Outcome::Exited(1), fail(Fault::Exited(1))),
            (Switch::Off, Outcome::Exited(2), fail(Fault::Exited(2))),
            (Switch::On, Outcome::Exited(2), (Verdict::Pass, Some(0))),
            (Switch::On, Outcome::Exited(255), (Verdict::Pass, Some(253))),
            (Switch::On, Outcome::Signalled(9), fail(Fault::Signalled(9))),
            (Switch::On, Outcome::TimedOut, fail(Fault::RanTooLong)),
        ] {
            assert_eq!(read(dynamic, outcome), Some(expected), "{dynamic:?} {outcome:?}");
        }
        assert_eq!(read(Switch::On, Outcome::NotStarted), None);
    }
}
