//! What SIGHUP changes, and what it does not touch.

use nix::sys::signal::SIGHUP;
use std::time::Duration;
use tests::config::{VIP, Vrrp};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::monitor::Monitor;
use tests::pair::{Pair, SOON, STEADY};

/// A master alone, running long enough that all its announcements of the beginning are over.
fn master(pair: &Pair, config: &Vrrp) -> Outcome<Daemon> {
    let daemon = Daemon::start(Program::under_test(), &pair.a, &config.to_string())?;
    pair.wait_master(&pair.a)?;
    Ok(daemon)
}

fn pids(daemon: &Daemon) -> Vec<i32> {
    daemon.processes().iter().map(|process| process.pid).collect()
}

#[test]
fn an_unchanged_file_loses_no_advert_and_touches_no_address() -> Outcome {
    let pair = Pair::new()?;
    let one = master(&pair, &Vrrp::master(100))?;
    let before = pids(&one);
    let changes = Monitor::start(&pair.a)?;
    pair.wire.clear();
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(1300));
        one.signal(SIGHUP);
    }
    std::thread::sleep(Duration::from_millis(1300));
    let silence = pair.longest_silence(&pair.a)?;
    assert!(silence < STEADY, "silent for {silence:?}; it logged:\n{}", one.log());
    assert!(pair.adverts_of(&pair.a).iter().all(|(_, advert)| advert.priority == 100));
    assert_eq!(changes.changes(VIP)?, Vec::<String>::new());
    assert_eq!(pids(&one), before, "no process was replaced");
    assert!(one.log().contains("Reloading"), "{}", one.log());
    Ok(())
}

#[test]
fn a_broken_file_leaves_the_running_configuration_running() -> Outcome {
    let pair = Pair::new()?;
    let one = master(&pair, &Vrrp::master(100))?;
    pair.wire.clear();
    one.reload("vrrp_instance VI_1 {\n    state MASTER\n    interface ens33\n    priority 77\n}\n")?;
    wait_until("the log names the missing virtual_router_id", SOON, || Ok(one.log().contains("virtual_router_id")))?;
    std::thread::sleep(Duration::from_millis(2500));
    let silence = pair.longest_silence(&pair.a)?;
    assert!(silence < STEADY, "silent for {silence:?}");
    assert!(pair.adverts_of(&pair.a).iter().all(|(_, advert)| advert.priority == 100));
    assert!(pair.a.has(VIP)?);

    // And a good one is taken afterwards.
    one.reload(&Vrrp::master(101).to_string())?;
    pair.wire
        .wait("the new priority", SOON, |frame| frame.advert().is_some_and(|advert| advert.priority == 101))
        .map(drop)
}

#[test]
fn an_added_address_appears_and_the_others_are_not_touched() -> Outcome {
    let pair = Pair::new()?;
    let one = master(&pair, &Vrrp::master(100))?;
    let changes = Monitor::start(&pair.a)?;
    pair.wire.clear();
    one.reload(&Vrrp::master(100).addresses(&[VIP, "192.168.154.189"]).to_string())?;
    wait_until("the added address is there", SOON, || pair.a.has("192.168.154.189"))?;
    pair.wire
        .wait("adverts carry both", SOON, |frame| frame.advert().is_some_and(|advert| advert.addresses.len() == 2))?;
    let added = "192.168.154.189".parse()?;
    pair.wire.wait("it is announced", SOON, |frame| frame.arp().is_some_and(|arp| arp.announces(added)))?;

    one.reload(&Vrrp::master(100).to_string())?;
    wait_until("the removed address is gone", SOON, || Ok(!pair.a.has("192.168.154.189")?))?;
    assert_eq!(changes.changes(VIP)?, Vec::<String>::new());
    let silence = pair.longest_silence(&pair.a)?;
    assert!(silence < STEADY, "silent for {silence:?}");
    Ok(())
}

#[test]
fn a_removed_instance_says_goodbye_and_a_new_one_starts() -> Outcome {
    let pair = Pair::new()?;
    let one = master(&pair, &Vrrp::master(100))?;
    pair.wire.clear();
    let other = Vrrp::master(100)
        .addresses(&["192.168.154.190"])
        .to_string()
        .replace("virtual_router_id 51", "virtual_router_id 52");
    one.reload(&other)?;
    pair.wire.wait("goodbye of router 51", SOON, |frame| {
        frame.advert().is_some_and(|advert| advert.vrid == 51 && advert.priority == 0)
    })?;
    pair.wait_released(&pair.a)?;
    pair.wire.wait("router 52", SOON, |frame| frame.advert().is_some_and(|advert| advert.vrid == 52))?;
    wait_until("its address", SOON, || pair.a.has("192.168.154.190"))
}
