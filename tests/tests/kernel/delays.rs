//! `interface_up_down_delays`: a cable that is out for a moment; `linkbeat_…`: one that is out for longer.

use std::time::{Duration, Instant};
use tests::alone::{Alone, SOON, Shown};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::pair::with_log;

const CONFIG: &str = "interface_up_down_delays {
 ens33 0.8 0.8
}
vrrp_instance A {
 state MASTER
 interface ens33
 virtual_router_id 5
 priority 100
 advert_int 1
 virtual_ipaddress {
  10.9.0.188
 }
}
";

fn delayed(program: Program) -> Outcome {
    let alone = Alone::new()?;
    let daemon = Daemon::start(program, &alone.host, CONFIG)?;
    let is = |shown| {
        let shows = alone.wait_shows("-o addr show dev ens33", shown, &["10.9.0.188"]);
        shows.map_err(|failure| with_log(&failure, &daemon))
    };
    is(Shown::All)?;
    for _ in 0..2 {
        alone.lan.unplug(&alone.host)?;
        std::thread::sleep(Duration::from_millis(300));
        alone.lan.plug(&alone.host)?;
        std::thread::sleep(Duration::from_millis(900));
    }
    assert!(!daemon.log().to_lowercase().contains("entering fault state"), "{}", daemon.log());
    let begin = Instant::now();
    alone.lan.unplug(&alone.host)?;
    is(Shown::None)?;
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(700) && took < Duration::from_millis(1_500), "{took:?}");
    let begin = Instant::now();
    let before = daemon.log().matches("Entering BACKUP STATE").count();
    alone.lan.plug(&alone.host)?;
    wait_until("BACKUP again", SOON, || Ok(daemon.log().matches("Entering BACKUP STATE").count() > before))?;
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(700) && took < Duration::from_millis(1_500), "{took:?}");
    is(Shown::All)
}

#[test]
fn a_link_counts_as_down_and_as_up_after_its_delay_as_with_keepalived() -> Outcome {
    delayed(Program::Keepalived)?;
    delayed(Program::under_test())
}

/// A reload neither ends a delay that runs nor begins it anew.
#[test]
fn a_delay_that_runs_goes_on_across_a_reload() -> Outcome {
    let alone = Alone::new()?;
    let config = CONFIG.replace("0.8 0.8", "1.5 1.5");
    let daemon = Daemon::start(Program::under_test(), &alone.host, &config)?;
    let is = |shown| {
        let shows = alone.wait_shows("-o addr show dev ens33", shown, &["10.9.0.188"]);
        shows.map_err(|failure| with_log(&failure, &daemon))
    };
    let faults = || daemon.log().to_lowercase().matches("entering fault state").count();
    let reload = |name: &str, nth: usize| {
        daemon.reload(&config.replace("vrrp_instance A", name))?;
        wait_until("it is reloaded", SOON, || Ok(daemon.log().matches("Reload complete").count() == nth))
    };
    is(Shown::All)?;
    // A cable that is out for a moment, in which the file is read: nothing comes of it, also not later.
    alone.lan.unplug(&alone.host)?;
    std::thread::sleep(Duration::from_millis(200));
    reload("vrrp_instance B", 1)?;
    alone.lan.plug(&alone.host)?;
    std::thread::sleep(Duration::from_millis(2_000));
    assert_eq!(faults(), 0, "{}", daemon.log());
    // One that stays out: it counts when it has been out for long enough, not that long after the reload.
    let begin = Instant::now();
    alone.lan.unplug(&alone.host)?;
    std::thread::sleep(Duration::from_millis(800));
    reload("vrrp_instance C", 2)?;
    is(Shown::None)?;
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(1_400) && took < Duration::from_millis(2_200), "{took:?}");
    assert_eq!(faults(), 1, "{}", daemon.log());
    // The same of one that is back.
    let begin = Instant::now();
    alone.lan.plug(&alone.host)?;
    std::thread::sleep(Duration::from_millis(800));
    reload("vrrp_instance D", 3)?;
    let backups = || daemon.log().matches("(D) Entering BACKUP STATE").count();
    wait_until("BACKUP again", SOON, || Ok(backups() == 1)).map_err(|failure| with_log(&failure, &daemon))?;
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(1_400) && took < Duration::from_millis(2_200), "{took:?}");
    is(Shown::All)
}

/// keepalived asks every second; the kernel's own report is sooner.
fn noticed(program: Program, linkbeat: &str, within: Duration) -> Outcome {
    let alone = Alone::new()?;
    let config = CONFIG.split_once("vrrp_instance").map_or(CONFIG, |(_, instance)| instance);
    let daemon = Daemon::start(program, &alone.host, &format!("{linkbeat}\nvrrp_instance{config}"))?;
    let is = |shown| {
        let shows = alone.wait_shows("-o addr show dev ens33", shown, &["10.9.0.188"]);
        shows.map_err(|failure| with_log(&failure, &daemon))
    };
    is(Shown::All)?;
    let begin = Instant::now();
    alone.lan.unplug(&alone.host)?;
    is(Shown::None)?;
    let took = begin.elapsed();
    assert!(took < within, "{program:?}: {took:?}");
    alone.lan.plug(&alone.host)?;
    is(Shown::All)
}

#[test]
fn a_link_that_is_to_be_polled_is_noticed_sooner_than_by_polling() -> Outcome {
    for linkbeat in ["linkbeat_use_polling", "linkbeat_interfaces {\n ens33 ETHTOOL\n}"] {
        noticed(Program::Keepalived, linkbeat, Duration::from_millis(2_500))?;
        noticed(Program::under_test(), linkbeat, Duration::from_millis(500))?;
    }
    Ok(())
}
