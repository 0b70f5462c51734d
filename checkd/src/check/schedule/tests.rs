use super::{Begin, Change, Health, Judgement, Schedule, Step, Timing};
use crate::check::{Fault, Verdict};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::check::{Checker, CheckerKind, How, Http, HttpProtocol, Url};
use ipc::config::vrrp::Switch;
use ipc::config::{Origin, RealIdx};
use proptest::prelude::*;

/// A checker with times in seconds; `urls` 0 for TCP_CHECK.
fn timing(urls: usize, delay_loop: u64, retry: u32, delay_before_retry: u64, fast_recovery: Switch) -> Timing {
    let url = Url { path: String::from("/"), host: None, digest: None, status: Vec::new(), regex: None };
    let kind = match urls {
        0 => CheckerKind::Tcp,
        n => CheckerKind::Http(alloc::boxed::Box::new(Http {
            protocol: HttpProtocol::V10,
            urls: alloc::vec![url; n],
            fast_recovery,
        })),
    };
    Timing::of(&Checker {
        real: RealIdx(0),
        target: ([127, 0, 0, 1], 80).into(),
        how: Arc::new(How {
            bind: None,
            bind_if: None,
            fwmark: 0,
            marked: None,
            timeout: Duration::from_secs(2),
            delay_loop: Duration::from_secs(delay_loop),
            retry,
            delay_before_retry: Duration::from_secs(delay_before_retry),
            warmup: Duration::ZERO,
            log_all_failures: Switch::Off,
            alpha: Switch::Off,
            kind,
        }),
        origin: Origin::default(),
    })
}

const PASS: Verdict = Verdict::Pass;
const FAIL: Verdict = Verdict::Fail(Fault::NotConnected);

/// Plays verdicts and gives, for each, the URL that was asked, seconds to the next probe and the change.
fn play(timing: &Timing, schedule: &mut Schedule, verdicts: &[Verdict]) -> Vec<(usize, u64, Change)> {
    let mut rows = Vec::new();
    for verdict in verdicts {
        let url = schedule.url();
        let Step { delay, change, .. } = schedule.record(timing, *verdict);
        rows.push((url, delay.as_secs(), change));
    }
    rows
}

/// keepalived 2.2.7, captured: delay_loop 3, retry 2, delay_before_retry 1. A server was killed and came back: probes at
/// 26.5 (refused), 27.5, 28.5 "failed after 2 retries", then every 3 s, up with the first that passes.
#[test]
fn tcp_as_keepalived() {
    use Change::{CameUp, Stays, WentDown};
    let t = timing(0, 3, 2, 1, Switch::Off);
    let mut s = Schedule::new(Health::Up, Begin::Start);
    let rows = play(&t, &mut s, &[PASS, PASS, FAIL, FAIL, FAIL, FAIL, FAIL, PASS, PASS]);
    let expected = [
        (0, 3, Stays),
        (0, 3, Stays),
        (0, 1, Stays),
        (0, 1, Stays),
        (0, 3, WentDown),
        (0, 3, Stays),
        (0, 3, Stays),
        (0, 3, CameUp),
        (0, 3, Stays),
    ];
    assert_eq!(rows, expected);
}

/// keepalived 2.2.7, measured: as long as not all pages have passed, the first failure counts; that of a server that
/// began down is not told.
#[test]
fn a_failure_in_the_first_round_counts() {
    let t = timing(3, 3, 2, 1, Switch::Off);
    for (health, change, judgement) in
        [(Health::Up, Change::WentDown, Judgement::First), (Health::Down, Change::Stays, Judgement::Later)]
    {
        let mut s = Schedule::new(health, Begin::Start);
        assert_eq!(s.record(&t, PASS).delay, Duration::from_secs(3));
        let step = s.record(&t, FAIL);
        assert_eq!((step.delay.as_secs(), step.change, step.judgement), (3, change, judgement));
        assert_eq!(s.url(), 1);
    }
}

/// keepalived 2.2.7, captured: whatever `retry`, the first failure after the start takes the server out; one that a reload
/// added has its retries (probes at 153.48, 154.48, 155.48, then out).
#[test]
fn the_first_failure_counts_at_the_start_only() {
    let t = timing(0, 3, 2, 1, Switch::Off);
    let mut s = Schedule::new(Health::Up, Begin::Start);
    assert_eq!(s.tolerates(&t), 0);
    let step = s.record(&t, FAIL);
    assert_eq!((step.change, step.judgement), (Change::WentDown, Judgement::First));
    assert_eq!(s.tolerates(&t), 2);

    for begin in [Begin::Added, Begin::Resumed] {
        let mut s = Schedule::new(Health::Up, begin);
        let changes: Vec<Change> = (0..3).map(|_| s.record(&t, FAIL).change).collect();
        assert_eq!(changes, [Change::Stays, Change::Stays, Change::WentDown], "{begin:?}");
    }
}

/// keepalived 2.2.7, measured: an SMTP_CHECK goes through its retries before it says of a server with `alpha` that it is down.
#[test]
fn smtp_has_its_retries_at_the_start() {
    let t = Timing { first: super::First::Tolerated, ..timing(0, 3, 2, 1, Switch::Off) };
    for (health, change) in [(Health::Up, Change::WentDown), (Health::Down, Change::Stays)] {
        let mut s = Schedule::new(health, Begin::Start);
        let steps: Vec<Step> = (0..4).map(|_| s.record(&t, FAIL)).collect();
        let delays: Vec<u64> = steps.iter().map(|step| step.delay.as_secs()).collect();
        assert_eq!((delays.as_slice(), steps[2].change), ([1, 1, 3, 3].as_slice(), change));
        let news: Vec<bool> = steps.iter().map(|step| step.judgement == Judgement::First).collect();
        assert_eq!(news, [false, false, true, false]);
    }
}

#[test]
fn a_success_gives_the_retries_back() {
    let t = timing(0, 3, 2, 1, Switch::Off);
    let mut s = Schedule::new(Health::Up, Begin::Resumed);
    let changes: Vec<Change> = [FAIL, FAIL, PASS, FAIL, FAIL, PASS].iter().map(|v| s.record(&t, *v).change).collect();
    assert!(changes.iter().all(|c| *c == Change::Stays));
    assert_eq!(s.health(), Health::Up);
}

/// keepalived 2.2.7, captured with three URLs, delay_loop 3, retry 2, delay_before_retry 1: /u1 63.2 /u2 66.2 /u3 69.2 /u1 …,
/// killed before /u2: 84.2, 85.2, 86.2 down; 89.2 92.2 95.2 failing; 98.2 /u2 passes, 101.3 /u1, 104.3 /u2, 107.3 /u3: up.
#[test]
fn urls_as_keepalived() {
    use Change::{CameUp, Stays, WentDown};
    let t = timing(3, 3, 2, 1, Switch::Off);
    let mut s = Schedule::new(Health::Up, Begin::Start);
    let rows = play(&t, &mut s, &[PASS, PASS, PASS, PASS, FAIL, FAIL, FAIL, FAIL, FAIL, PASS, PASS, PASS, PASS, PASS]);
    let expected = [
        (0, 3, Stays),
        (1, 3, Stays),
        (2, 3, Stays),
        (0, 3, Stays),
        (1, 1, Stays),
        (1, 1, Stays),
        (1, 3, WentDown),
        (1, 3, Stays),
        (1, 3, Stays),
        (1, 3, Stays),
        (0, 3, Stays),
        (1, 3, Stays),
        (2, 3, CameUp),
        (0, 3, Stays),
    ];
    assert_eq!(rows, expected);
}

/// keepalived 2.2.7, captured with `fast_recovery`: at the start /f1 63.115 /f2 63.127 /f3 63.136, then every 3 s; after the
/// failure of /f1: /f1 98.217 /f1 98.228 /f2 98.240 /f3 98.249, up.
#[test]
fn fast_recovery_as_keepalived() {
    use Change::{CameUp, Stays, WentDown};
    let t = timing(3, 3, 0, 1, Switch::On);
    let mut s = Schedule::new(Health::Up, Begin::Start);
    let rows = play(&t, &mut s, &[PASS, PASS, PASS, PASS, PASS, PASS, FAIL, PASS, PASS, PASS, PASS, PASS]);
    let expected = [
        (0, 0, Stays),
        (1, 0, Stays),
        (2, 3, Stays),
        (0, 3, Stays),
        (1, 3, Stays),
        (2, 3, Stays),
        (0, 3, WentDown),
        (0, 0, Stays),
        (0, 0, Stays),
        (1, 0, Stays),
        (2, 3, CameUp),
        (0, 3, Stays),
    ];
    assert_eq!(rows, expected);
}

/// keepalived 2.2.7, captured with alpha, two URLs, delay_loop 3, delay_before_retry 5: /g1 63.1 /g2 66.1 up; killed before
/// /g2: 84.2, 89.2, 94.2 down (5 s apart); 99.2 (5 s, not 3) /g2 passes, 102.2 /g1, 105.2 /g2: up.
#[test]
fn the_longer_delay_until_recovery() {
    use Change::{CameUp, Stays, WentDown};
    let t = timing(2, 3, 2, 5, Switch::Off);
    let mut s = Schedule::new(Health::Down, Begin::Start);
    let rows = play(&t, &mut s, &[PASS, PASS, PASS, FAIL, FAIL, FAIL, PASS, PASS, PASS]);
    let expected = [
        (0, 3, Stays),
        (1, 3, CameUp),
        (0, 3, Stays),
        (1, 5, Stays),
        (1, 5, Stays),
        (1, 5, WentDown),
        (1, 3, Stays),
        (0, 3, Stays),
        (1, 3, CameUp),
    ];
    assert_eq!(rows, expected);
}

/// keepalived 2.2.7, captured: even one URL passes twice before the server is up again (97.049, 101.057).
#[test]
fn one_url_passes_twice() {
    let t = timing(1, 4, 1, 2, Switch::Off);
    let mut s = Schedule::new(Health::Up, Begin::Start);
    let rows = play(&t, &mut s, &[FAIL, FAIL, PASS, PASS]);
    let expected = [(0, 4, Change::WentDown), (0, 4, Change::Stays), (0, 4, Change::Stays), (0, 4, Change::CameUp)];
    assert_eq!(rows, expected);
}

#[test]
fn a_url_that_fails_while_the_others_prove_themselves_is_the_failed_one() {
    let t = timing(2, 3, 0, 1, Switch::Off);
    let mut s = Schedule::new(Health::Up, Begin::Resumed);
    let urls: Vec<usize> =
        [FAIL, PASS, PASS, FAIL, FAIL, PASS, PASS, PASS].iter().map(|v| (s.url(), s.record(&t, *v)).0).collect();
    assert_eq!(urls, [0, 0, 0, 1, 1, 1, 0, 1]);
    assert_eq!(s.health(), Health::Up);
}

#[test]
fn zeros_make_no_busy_loop() {
    let t = timing(0, 0, 0, 0, Switch::Off);
    let mut s = Schedule::new(Health::Up, Begin::Start);
    for verdict in [PASS, FAIL, FAIL, PASS] {
        assert!(s.record(&t, verdict).delay > Duration::ZERO);
    }
}

proptest! {
    /// Whatever the answers: an up server falls only after `retry` + 1 failures in a row, a URL in range is asked, and there are
    /// never more back-to-back probes than URLs and retries.
    #[test]
    fn the_rules_hold(
        urls in 0usize..4,
        retry in 0u32..4,
        fast: bool,
        begin in prop_oneof![Just(Begin::Start), Just(Begin::Added), Just(Begin::Resumed)],
        down: bool,
        verdicts in proptest::collection::vec(any::<bool>(), 0..200),
    ) {
        let t = timing(urls, 3, retry, 0, if fast { Switch::On } else { Switch::Off });
        let mut s = Schedule::new(if down { Health::Down } else { Health::Up }, begin);
        let (mut in_a_row, mut at_once, mut judged) = (0u32, 0usize, 0u32);
        for pass in verdicts {
            prop_assert!(s.url() < urls.max(1));
            let (before, tolerated) = (s.health(), s.tolerates(&t));
            let step = s.record(&t, if pass { PASS } else { FAIL });
            in_a_row = if pass { 0 } else { in_a_row + 1 };
            at_once = if step.delay.is_zero() { at_once + 1 } else { 0 };
            judged += u32::from(step.judgement == Judgement::First);
            prop_assert!(at_once <= urls + 1 + retry as usize * 2);
            match step.change {
                Change::Stays => prop_assert_eq!(before, s.health()),
                Change::CameUp => {
                    prop_assert!(pass);
                    prop_assert_eq!((before, s.health()), (Health::Down, Health::Up));
                }
                Change::WentDown => {
                    prop_assert!(in_a_row > tolerated);
                    prop_assert_eq!((before, s.health()), (Health::Up, Health::Down));
                    in_a_row = 0;
                }
            }
        }
        prop_assert!(judged <= 1);
    }
}
