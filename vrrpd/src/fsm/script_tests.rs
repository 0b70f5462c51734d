//! `rise`, `fall`, `init_fail`.

use super::*;
use alloc::vec::Vec;
use ipc::config::{Origin, ScriptIdx};

fn script(rise: u32, fall: u32, init_fail: Switch) -> Script {
    let interval = Duration::from_secs(1);
    let (name, origin) = ("chk".into(), Origin::default());
    let conf = TrackScript { name, origin, script: ScriptIdx(0), interval, rise, fall, init_fail };
    Script::new(conf, Verdict::Awaited)
}

/// Verdicts after each of these exit codes.
fn verdicts(mut script: Script, codes: &[u8]) -> Vec<Verdict> {
    let mut out = Effects::default();
    let mut after = |code: &u8| {
        script.ended(Outcome::Exited(*code), &mut out);
        script.verdict
    };
    codes.iter().map(&mut after).collect()
}

use Verdict::{Down, Up};

#[test]
fn one_success_or_one_failure_decides_at_first() {
    assert_eq!(verdicts(script(3, 2, Switch::Off), &[0]), [Up]);
    assert_eq!(verdicts(script(3, 2, Switch::Off), &[1]), [Down]);
}

#[test]
fn init_fail_is_down_until_it_has_risen() {
    assert_eq!(script(2, 1, Switch::On).verdict, Down);
    assert_eq!(verdicts(script(2, 1, Switch::On), &[0, 0]), [Down, Up]);
}

#[test]
fn it_falls_after_consecutive_failures_only() {
    assert_eq!(verdicts(script(1, 3, Switch::Off), &[0, 1, 1, 0, 1, 1, 1]), [Up, Up, Up, Up, Up, Up, Down]);
}

#[test]
fn it_rises_after_consecutive_successes_only() {
    assert_eq!(verdicts(script(3, 1, Switch::Off), &[1, 0, 0, 1, 0, 0, 0]), [Down, Down, Down, Down, Down, Down, Up]);
}

#[test]
fn whatever_is_not_exit_0_is_a_failure() {
    for outcome in [Outcome::Exited(255), Outcome::Signalled(9), Outcome::TimedOut, Outcome::NotStarted] {
        let mut script = script(1, 1, Switch::Off);
        assert_eq!(script.ended(outcome, &mut Effects::default()), Turned::Yes);
        assert_eq!(script.verdict, Down);
    }
}

#[test]
fn a_reload_runs_at_once_what_it_ended_or_times_anew() {
    let at = |ms| Mono::ZERO + Duration::from_millis(ms);
    let mut asked = script(1, 1, Switch::Off);
    asked.start(at(0));
    asked.expire(at(0), &mut Effects::default());
    let next_after = |old: &Script, conf: TrackScript| {
        let mut new = old.reconfigured(conf);
        new.start(at(100));
        new.deadline()
    };
    let (conf, slower) = (asked.conf.clone(), TrackScript { interval: Duration::from_secs(120), ..asked.conf.clone() });
    assert_eq!(next_after(&asked, conf.clone()), Some(at(100)), "its run was ended");
    asked.ended(Outcome::Exited(0), &mut Effects::default());
    assert_eq!(next_after(&asked, conf.clone()), asked.deadline(), "unchanged");
    assert_ne!(asked.deadline(), Some(at(100)));
    assert_eq!(next_after(&asked, slower), Some(at(100)), "another interval");
}

#[test]
fn a_reload_keeps_the_result() {
    let mut up = script(1, 1, Switch::Off);
    up.ended(Outcome::Exited(0), &mut Effects::default());
    let conf = TrackScript { fall: 2, ..up.conf.clone() };
    assert_eq!(verdicts(up.reconfigured(conf), &[1, 1]), [Up, Down]);
}
