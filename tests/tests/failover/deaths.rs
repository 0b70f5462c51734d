//! Who is master when processes die, stop and return, between two routers on a real LAN.

use nix::sys::signal::{SIGCONT, SIGKILL, SIGSTOP};
use std::time::{Duration, SystemTime};
use tests::config::{VIP, Vrrp};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::monitor::Monitor;
use tests::pair::{MASTER_DOWN_INTERVAL, Pair, SKEW_TIME, SLACK, SOON, STEADY};

/// Something to check, so that checkd runs too. The kernel may have no IPVS: that is said, and VRRP goes on.
const SERVICE: &str = "virtual_server 192.168.154.188 80 {
    protocol TCP
    real_server 192.168.154.12 80 {
        TCP_CHECK {
        }
    }
}";

/// Master with priority 100 on a, backup with 90 on b.
fn started(pair: &Pair) -> Outcome<[Daemon; 2]> {
    let program = Program::under_test();
    pair.start([program; 2], &Vrrp::master(100).to_string(), &Vrrp::backup(90).to_string())
}

/// When the last advertisement of a and the first of b were seen: how long nobody spoke.
fn handover(pair: &Pair) -> Outcome<Duration> {
    let first = pair.wait_master(&pair.b)?.at;
    let last = pair.adverts_of(&pair.a).last().map(|(at, _)| *at);
    Ok(last.and_then(|last| first.duration_since(last).ok()).unwrap_or_default())
}

#[test]
fn backup_takes_over_when_the_master_is_killed_and_gives_way_when_it_returns() -> Outcome {
    let pair = Pair::new()?;
    let [mut one, _two] = started(&pair)?;
    one.kill_all()?;
    let took = handover(&pair)?;
    assert!(
        took >= MASTER_DOWN_INTERVAL && took < MASTER_DOWN_INTERVAL + SLACK,
        "after {took:?}; the master logged:\n{}",
        one.log()
    );
    let vip = VIP.parse()?;
    pair.wire.wait("gratuitous ARP of b", SOON, |frame| {
        pair.b.sent(frame) && frame.arp().is_some_and(|arp| arp.announces(vip))
    })?;

    pair.wire.clear();
    let _one = Daemon::start(Program::under_test(), &pair.a, &Vrrp::master(100).to_string())?;
    pair.wait_master(&pair.a)?;
    pair.wait_released(&pair.b)
}

#[test]
fn sigterm_says_goodbye_and_leaves_nothing() -> Outcome {
    let pair = Pair::new()?;
    let [mut one, _two] = started(&pair)?;
    let status = one.terminate()?;
    assert!(status.success(), "{status}");
    assert_eq!(pair.a.addresses()?, ["192.168.154.10/24"]);
    assert_eq!(one.leftovers()?, Vec::<String>::new());
    assert_eq!(pair.a.netns.pids()?, Vec::<i32>::new());

    let goodbyes: Vec<u8> = pair.adverts_of(&pair.a).iter().rev().map(|(_, advert)| advert.priority).collect();
    assert_eq!(goodbyes.first(), Some(&0), "its last advertisement has priority 0");
    let took = handover(&pair)?;
    assert!(took >= SKEW_TIME && took < SKEW_TIME + SLACK, "after {took:?}");
    Ok(())
}

/// Kills one process of the master and expects the service to go on as if nothing had happened.
fn nobody_notices(name: &str, longest_silence: Duration) -> Outcome {
    let pair = Pair::new()?;
    let program = Program::under_test();
    let first = Vrrp::master(100).block(SERVICE).to_string();
    let [mut one, two] = pair.start([program; 2], &first, &Vrrp::backup(90).to_string())?;
    let victim = one.process(name)?;
    let changes = Monitor::start(&pair.a)?;
    pair.wire.clear();
    std::thread::sleep(Duration::from_millis(1200));
    victim.signal(SIGKILL);
    wait_until(&format!("{name} is started again"), SOON, || {
        Ok(one.processes().iter().any(|process| process.name == name && process.pid != victim.pid))
    })?;
    std::thread::sleep(Duration::from_secs(6));

    assert_eq!(pair.adverts_of(&pair.b), [], "the backup stays silent");
    assert!(!two.log().contains("Entering MASTER STATE"), "{}", two.log());
    let silence = pair.longest_silence(&pair.a)?;
    assert!(silence < longest_silence, "the master was silent for {silence:?}; it logged:\n{}", one.log());
    assert!(pair.adverts_of(&pair.a).iter().all(|(_, advert)| advert.priority == 100), "no goodbye");
    let removals: Vec<String> = changes.changes(VIP)?.into_iter().filter(|line| line.starts_with("Deleted")).collect();
    assert_eq!(removals, Vec::<String>::new(), "the address stays");

    // The new process knows what the old one did: nothing stays behind at the end.
    assert!(one.terminate()?.success());
    assert_eq!(pair.a.addresses()?, ["192.168.154.10/24"]);
    Ok(())
}

#[test]
fn nobody_notices_the_death_of_vrrpd() -> Outcome {
    // An advertisement may be late by what the restart takes; the backup waits for 3.6 s.
    nobody_notices("vrrpd", Duration::from_secs(2))
}

#[test]
fn nobody_notices_the_death_of_ipvsd() -> Outcome {
    nobody_notices("ipvsd", STEADY)
}

#[test]
fn nobody_notices_the_death_of_checkd() -> Outcome {
    nobody_notices("checkd", STEADY)
}

#[test]
fn a_killed_vrrpd_resumes_again_and_again() -> Outcome {
    let pair = Pair::new()?;
    let [one, _two] = started(&pair)?;
    pair.wire.clear();
    for _ in 0..3 {
        let victim = one.process("vrrpd")?;
        victim.signal(SIGKILL);
        wait_until("vrrpd is started again", SOON, || {
            Ok(one.processes().iter().any(|process| process.name == "vrrpd" && process.pid != victim.pid))
        })?;
        std::thread::sleep(Duration::from_millis(2500));
    }
    assert_eq!(pair.adverts_of(&pair.b), [], "the backup stays silent; the master logged:\n{}", one.log());
    Ok(())
}

#[test]
fn without_its_supervisor_everything_is_released() -> Outcome {
    let pair = Pair::new()?;
    let [one, _two] = started(&pair)?;
    let all = one.processes();
    one.signal(SIGKILL);
    wait_until("its children end", SOON, || Ok(!all.iter().any(|process| process.runs())))?;
    assert_eq!(pair.a.addresses()?, ["192.168.154.10/24"]);
    let took = handover(&pair)?;
    assert!(took < SKEW_TIME + SLACK, "the backup is told: {took:?}");
    Ok(())
}

#[test]
fn without_its_supervisor_stays_what_stays_at_the_end() -> Outcome {
    let pair = Pair::new()?;
    let config = Vrrp::master(100).to_string();
    let one = Daemon::start_with(Program::under_test(), &pair.a, &config, &["--dont-release-vrrp"])?;
    pair.wait_master(&pair.a)?;
    let all = one.processes();
    one.signal(SIGKILL);
    wait_until("its children end", SOON, || Ok(!all.iter().any(|process| process.runs())))?;
    assert!(pair.a.has(VIP)?, "{:?}", pair.a.addresses()?);
    Ok(())
}

#[test]
fn addresses_are_released_when_vrrpd_does_not_come_back() -> Outcome {
    let pair = Pair::new()?;
    let [one, two] = started(&pair)?;
    // A stopped supervisor cannot start vrrpd again.
    let vrrpd = one.process("vrrpd")?;
    one.signal(SIGSTOP);
    pair.wire.clear();
    vrrpd.signal(SIGKILL);
    pair.wait_released(&pair.a)?;
    assert_eq!(pair.adverts_of(&pair.b), [], "before a backup may take over");
    pair.wait_master(&pair.b)?;
    one.signal(SIGCONT);
    pair.wire.clear();
    pair.wait_master(&pair.a)?;
    two.wait_log("Entering BACKUP STATE", SOON)?;
    pair.wait_released(&pair.b)
}

#[test]
fn a_process_that_hangs_is_replaced() -> Outcome {
    let pair = Pair::new()?;
    let one = Daemon::start(Program::under_test(), &pair.a, &Vrrp::master(100).to_string())?;
    pair.wait_master(&pair.a)?;
    for name in ["vrrpd", "ipvsd"] {
        let hung = one.process(name)?;
        pair.wire.clear();
        hung.signal(SIGSTOP);
        one.wait_log(&format!("{name} does not answer; it is killed and started again"), SOON)?;
        wait_until("another one is there", SOON, || Ok(one.process(name).is_ok_and(|new| new.pid != hung.pid)))?;
        pair.wait_master(&pair.a)?;
    }
    Ok(())
}

/// A master that was held up while another one took over: with `timer_expired_backup` it is a backup without a word, without it says
/// at once that it is master.
#[test]
fn a_master_that_was_held_up_listens_first_if_that_is_asked_for() -> Outcome {
    for (line, listens) in [("timer_expired_backup 90", true), ("", false)] {
        let pair = Pair::new()?;
        // One that is backup does not come back to be master, and one that stayed master does not give way.
        let held_up = Vrrp::backup(100).line("nopreempt").line(line).to_string();
        let [one, two] = pair.start([Program::Holdfast; 2], &held_up, &Vrrp::backup(90).to_string())?;
        let vrrpd = one.process("vrrpd")?;
        pair.wire.clear();
        vrrpd.signal(SIGSTOP);
        pair.wait_master(&pair.b)?;
        let woken = SystemTime::now();
        vrrpd.signal(SIGCONT);
        if listens {
            one.wait_log("backing off", SOON)?;
            pair.wait_released(&pair.a)?;
            std::thread::sleep(Duration::from_millis(4_500));
            assert!(pair.b.has(VIP)?, "it stays where it is:\n{}", two.log());
        } else {
            pair.wait_released(&pair.b)?;
        }
        let said = pair.adverts_of(&pair.a).iter().any(|(at, _)| *at > woken);
        assert_eq!(said, !listens, "{line}:\n{}", one.log());
    }
    Ok(())
}
