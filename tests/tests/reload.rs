//! What SIGHUP changes, and what it does not touch.

use nix::sys::signal::SIGHUP;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tests::config::{VIP, Vrrp};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::lan::Host;
use tests::monitor::Monitor;
use tests::pair::{Pair, SOON, STEADY, with_log};

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

/// A second instance, virtual router 52, with these addresses.
fn second(addresses: &str) -> String {
    format!(
        "vrrp_instance VI_2 {{\n    state MASTER\n    interface ens33\n    virtual_router_id 52\n    priority 100\n    \
         advert_int 1\n    virtual_ipaddress {{\n        {addresses}\n    }}\n}}"
    )
}

#[test]
fn an_address_that_moves_to_another_instance_is_never_gone() -> Outcome {
    const OTHERS: [&str; 2] = ["192.168.154.189", "192.168.154.190"];
    let pair = Pair::new()?;
    let with_the_first = Vrrp::master(100).addresses(&[OTHERS[0], VIP]).block(second(OTHERS[1]));
    let with_the_second = Vrrp::master(100).addresses(&OTHERS[..1]).block(second(&format!("{VIP}\n{}", OTHERS[1])));
    let one = master(&pair, &with_the_first)?;
    wait_until("the other instance is master", SOON, || pair.a.has(OTHERS[1]))?;
    let changes = Monitor::start(&pair.a)?;
    for (config, vrid) in [(&with_the_second, 52), (&with_the_first, 51)] {
        pair.wire.clear();
        one.reload(&config.to_string())?;
        pair.wire.wait("the other instance advertises it", SOON, |frame| {
            frame.advert().is_some_and(|advert| advert.vrid == vrid && advert.addresses.len() == 2)
        })?;
        assert!(pair.wire.adverts().iter().all(|(_, advert)| advert.priority == 100), "nobody resigned");
    }
    for address in [VIP, OTHERS[0], OTHERS[1]] {
        assert_eq!(changes.changes(address)?, Vec::<String>::new());
    }
    Ok(())
}

#[test]
fn a_new_name_changes_nothing_but_the_name() -> Outcome {
    let pair = Pair::new()?;
    let one = master(&pair, &Vrrp::master(100))?;
    let changes = Monitor::start(&pair.a)?;
    pair.wire.clear();
    one.reload(&Vrrp::master(100).to_string().replace("VI_1", "WEB"))?;
    one.wait_log("Reload complete", SOON)?;
    std::thread::sleep(Duration::from_millis(2_500));
    let silence = pair.longest_silence(&pair.a)?;
    assert!(silence < STEADY, "silent for {silence:?}");
    assert!(pair.adverts_of(&pair.a).iter().all(|(_, advert)| advert.priority == 100));
    assert_eq!(changes.changes(VIP)?, Vec::<String>::new());
    assert!(!one.log().contains("(WEB) Entering"), "{}", one.log());
    Ok(())
}

#[test]
fn a_new_priority_decides_who_is_master() -> Outcome {
    let pair = Pair::new()?;
    let programs = [Program::under_test(), Program::Keepalived];
    let [one, _two] = pair.start(programs, &Vrrp::master(100).to_string(), &Vrrp::backup(90).to_string())?;
    pair.wire.clear();
    one.reload(&Vrrp::master(80).to_string())?;
    pair.wait_master(&pair.b)?;
    pair.wait_released(&pair.a)?;
    assert!(pair.adverts_of(&pair.a).iter().all(|(_, advert)| advert.priority == 80));
    pair.wire.clear();
    one.reload(&Vrrp::master(110).to_string())?;
    pair.wait_master(&pair.a)?;
    pair.wait_released(&pair.b)
}

#[test]
fn a_tracker_that_a_reload_adds_or_removes_counts_at_once() -> Outcome {
    let pair = Pair::new()?;
    let plain = Vrrp::master(100);
    let script = "vrrp_script bad {\n    script \"/bin/false\"\n    user root\n    interval 1\n    fall 1\n}";
    let one = master(&pair, &plain)?;
    for weight in ["", " weight -30"] {
        let tracked = plain.clone().block(script).line(format!("track_script {{\n        bad{weight}\n    }}"));
        pair.wire.clear();
        one.reload(&tracked.to_string())?;
        let priority = if weight.is_empty() { 0 } else { 70 };
        pair.wire.wait("it counts", SOON, |frame| frame.advert().is_some_and(|advert| advert.priority == priority))?;
        if weight.is_empty() {
            pair.wait_released(&pair.a)?;
        }
        pair.wire.clear();
        one.reload(&plain.to_string())?;
        pair.wire
            .wait("it counts no more", SOON, |frame| frame.advert().is_some_and(|advert| advert.priority == 100))?;
        wait_until("it has its address", SOON, || pair.a.has(VIP))?;
    }
    Ok(())
}

#[test]
fn a_master_joins_a_sync_group_as_master_only_beside_masters() -> Outcome {
    const OTHER: &str = "192.168.154.190";
    const GROUP: &str = "vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n}";
    let pair = Pair::new()?;
    let apart = Vrrp::master(100).block(second(OTHER));
    let one = master(&pair, &apart)?;
    wait_until("the other instance is master", SOON, || pair.a.has(OTHER))?;
    let changes = Monitor::start(&pair.a)?;
    one.reload(&apart.clone().block(GROUP).to_string())?;
    one.wait_log("Reload complete", SOON)?;
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(changes.changes(VIP)?, Vec::<String>::new(), "both were masters");
    // Router 53 is new, and a backup when it starts.
    let newcomer = apart.block(GROUP).to_string().replace("virtual_router_id 52", "virtual_router_id 53");
    pair.wire.clear();
    one.reload(&newcomer)?;
    wait_until("router 51 waits for 53", SOON, || {
        Ok(changes.changes(VIP)?.first().is_some_and(|change| change.starts_with("Deleted")))
    })?;
    pair.wire.wait("router 53", SOON, |frame| {
        frame.advert().is_some_and(|advert| advert.vrid == 53 && advert.priority == 100)
    })?;
    wait_until("both have their addresses", SOON, || Ok(pair.a.has(VIP)? && pair.a.has(OTHER)?))
}

/// Asks `address` fifty times a second from a host of its own, as long as this lives.
struct Asked {
    stop: Arc<AtomicBool>,
    server: std::thread::JoinHandle<()>,
    client: std::thread::JoinHandle<(usize, Duration)>,
}

impl Asked {
    fn start(from: &Host, of: &Host, address: &'static str) -> Outcome<Asked> {
        let socket = of.netns.enter(|| UdpSocket::bind("0.0.0.0:7"))??;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let asking = from.netns.enter(|| UdpSocket::bind("0.0.0.0:0"))??;
        asking.set_read_timeout(Some(Duration::from_millis(20)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (ends, ended) = (Arc::clone(&stop), Arc::clone(&stop));
        let server = std::thread::spawn(move || {
            let mut bytes = [0; 8];
            while !ends.load(Relaxed) {
                if let Ok((length, peer)) = socket.recv_from(&mut bytes) {
                    let _ = socket.send_to(&bytes[..length], peer);
                }
            }
        });
        let client = std::thread::spawn(move || {
            let (mut bytes, mut answers) = ([0; 8], 0);
            let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
            while !ended.load(Relaxed) {
                let _ = asking.send_to(b"?", (address, 7));
                if asking.recv_from(&mut bytes).is_ok() {
                    answers += 1;
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            (answers, longest.max(last.elapsed()))
        });
        Ok(Asked { stop, server, client })
    }

    /// How many answers came, and the longest time without one.
    fn end(self) -> (usize, Duration) {
        self.stop.store(true, Relaxed);
        // Its address can be bound again then.
        let _ = self.server.join();
        self.client.join().unwrap_or_default()
    }
}

/// One instance as text.
fn written(name: &str, vrid: u8, priority: u8, more: &str, addresses: &[&str]) -> String {
    format!(
        "vrrp_instance {name} {{\n    state MASTER\n    interface ens33\n    virtual_router_id {vrid}\n    priority {priority}\n    \
         advert_int 1\n    {more}\n    virtual_ipaddress {{\n        {}\n    }}\n}}\n",
        addresses.join("\n        ")
    )
}

/// One file in which everything changes: an instance goes and its address with it to another one, an address moves between two that stay,
/// one has another name and priority, one gets a tracker and loses another, one is new, and the order is another one. All addresses that
/// stay answer all the time, wherever they belong.
#[test]
fn a_reload_that_changes_everything_interrupts_nothing_that_stays() -> Outcome {
    const MOVES: &str = "192.168.154.189";
    const INHERITED: &str = "192.168.154.190";
    const GOES: &str = "192.168.154.191";
    const NEW: &str = "192.168.154.192";
    let script =
        |name: &str| format!("vrrp_script {name} {{\n    script \"/bin/true\"\n    user root\n    interval 1\n}}\n");
    let pair = Pair::new()?;
    let first = [
        script("one"),
        written("A", 51, 100, "", &[VIP, MOVES]),
        written("B", 52, 100, "track_script {\n        one weight 7\n    }", &["192.168.154.193"]),
        written("C", 53, 100, "", &[INHERITED, GOES]),
    ]
    .concat();
    let second = [
        script("two"),
        written("D", 54, 90, "", &[NEW]),
        written("B", 52, 100, "track_script {\n        two weight 3\n    }", &["192.168.154.193", MOVES, INHERITED]),
        written("WEB", 51, 120, "", &[VIP]),
    ]
    .concat();
    let one = Daemon::start(Program::under_test(), &pair.a, &first)?;
    pair.wait_master(&pair.a)?;
    for address in [MOVES, INHERITED, GOES, "192.168.154.193"] {
        wait_until(&format!("{address} is there"), SOON, || pair.a.has(address))?;
    }
    pair.wire.wait("the script counts", SOON, |frame| {
        frame.advert().is_some_and(|advert| advert.vrid == 52 && advert.priority == 107)
    })?;
    let advertises = |vrid: u8, priority: u8, count: usize| {
        pair.wire.wait(&format!("router {vrid} with {priority} and {count} addresses"), SOON, move |frame| {
            frame
                .advert()
                .is_some_and(|advert| (advert.vrid, advert.priority, advert.addresses.len()) == (vrid, priority, count))
        })
    };
    let changes = Monitor::start(&pair.a)?;
    for (config, wanted) in
        [(&second, [(51, 120, 1), (52, 103, 3), (54, 90, 1)]), (&first, [(51, 100, 2), (52, 107, 1), (53, 100, 2)])]
    {
        let asked = Asked::start(&pair.b, &pair.a, MOVES)?;
        pair.wire.clear();
        one.reload(config)?;
        for (vrid, priority, count) in wanted {
            advertises(vrid, priority, count).map_err(|failure| with_log(&failure, &one))?;
        }
        let gone = if wanted[2].0 == 54 { 53 } else { 54 };
        advertises(gone, 0, if gone == 53 { 2 } else { 1 })?;
        let (kept, lost) = if gone == 53 { (NEW, GOES) } else { (GOES, NEW) };
        wait_until("what is new is there", SOON, || pair.a.has(kept))?;
        wait_until("what is gone is gone", SOON, || Ok(!pair.a.has(lost)?))?;
        for vrid in [51, 52] {
            let adverts = pair.wire.adverts();
            let of: Vec<_> = adverts.iter().filter(|(_, advert)| advert.vrid == vrid).collect();
            assert!(of.iter().all(|(_, advert)| advert.priority > 0), "router {vrid} resigned");
            for next in of.windows(2) {
                let silence = next[1].0.at.duration_since(next[0].0.at)?;
                assert!(silence < STEADY, "router {vrid} was silent for {silence:?}");
            }
        }
        let (answers, silence) = asked.end();
        assert!(answers > 10 && silence < Duration::from_millis(300), "{answers} answers, none for {silence:?}");
    }
    for address in [VIP, MOVES, "192.168.154.193"] {
        assert_eq!(changes.changes(address)?, Vec::<String>::new(), "{address}; it logged:\n{}", one.log());
    }
    // That of an instance which is gone has another owner at once; the way back is to one that is new, and a backup at first.
    let inherited = changes.changes(INHERITED)?;
    assert!(inherited.len() == 2 && inherited[0].starts_with("Deleted"), "{inherited:?}");
    Ok(())
}
