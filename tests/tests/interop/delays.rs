//! Times that both wait before they become masters: `vrrp_startup_delay`, `preempt_delay`.

use std::time::{Duration, Instant};
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::{Failure, Outcome};
use tests::pair::{Pair, SOON, with_log};

/// How far the two may be apart, starting included.
const APART: Duration = Duration::from_millis(500);

/// Runs it with both programs, and compares how long they took, with each other and with what is to be expected. Once more when that differs:
/// starting is included, and other tests start programs too.
fn same_time(least: Duration, took: impl Fn(Program) -> Outcome<Duration>) -> Outcome {
    let measured = || Ok::<_, Failure>((took(Program::Keepalived)?, took(Program::under_test())?));
    let fits = |(theirs, ours): (Duration, Duration)| {
        ours.abs_diff(theirs) < APART && ours >= least && ours < least + APART * 2
    };
    let first = measured()?;
    if fits(first) {
        return Ok(());
    }
    let again = measured()?;
    assert!(fits(again), "theirs and ours: first {first:?}, then {again:?}, at least {least:?}");
    Ok(())
}

/// From the start of the program on a to its first advert.
fn first_advert(pair: &Pair, program: Program, config: &Vrrp) -> Outcome<(Duration, Daemon)> {
    pair.wire.clear();
    let began = Instant::now();
    let daemon = Daemon::start(program, &pair.a, &config.to_string())?;
    pair.wire
        .wait("the first advert", SOON * 2, |frame| pair.a.sent(frame) && frame.advert().is_some())
        .map_err(|failure| with_log(&failure, &daemon))?;
    Ok((began.elapsed(), daemon))
}

/// Nothing counts before: neither the state it begins with, nor the time without adverts.
#[test]
fn nobody_is_master_before_the_startup_delay_is_over() -> Outcome {
    let alone = |program: Program, config: &Vrrp| -> Outcome<Duration> {
        let pair = Pair::new()?;
        let (took, _daemon) = first_advert(&pair, program, &config.clone().global("vrrp_startup_delay 2"))?;
        Ok(took)
    };
    // The skew time of priority 200 in 256ths of a second; an owner waits for the delay alone.
    for (config, least) in [(Vrrp::backup(200), 2_000 + 3_218), (Vrrp::master(255), 2_000)] {
        same_time(Duration::from_millis(least), |program| alone(program, &config))?;
    }
    // COMPAT: as keepalived 2.4.3; 2.2.7 waits as a backup does, here and without a delay.
    let took = alone(Program::under_test(), &Vrrp::master(100))?;
    assert!(took >= Duration::from_secs(3) && took < Duration::from_secs(3) + APART * 2, "{took:?}");
    Ok(())
}

/// The better router waits from the first worse advert on, and then as long as a backup does: the adverts that it hears while the delay
/// runs, 1, 2 and 3 s after it was started, begin its timer anew, the next one does not.
#[test]
fn a_better_router_waits_for_its_preempt_delay() -> Outcome {
    same_time(Duration::from_millis(6_218 - 400), |program| {
        let pair = Pair::new()?;
        let other = if program == Program::Keepalived { Program::under_test() } else { Program::Keepalived };
        let worse = Daemon::start(other, &pair.b, &Vrrp::master(90).to_string())?;
        pair.wait_master(&pair.b).map_err(|failure| with_log(&failure, &worse))?;
        pair.wire.clear();
        pair.wait_advert(&pair.b)?;
        let (took, daemon) = first_advert(&pair, program, &Vrrp::backup(200).line("preempt_delay 2.5"))?;
        pair.wait_released(&pair.b).map_err(|failure| with_log(&failure, &worse))?;
        pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &daemon))?;
        Ok(took)
    })
}
