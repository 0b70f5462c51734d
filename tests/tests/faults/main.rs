//! Bad input: malformed packets, floods, interfaces that are not there.

mod counters;
mod rivals;

use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tests::config::{VIP, Vrrp};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::lan::{Host, INTERFACE};
use tests::pair::{Pair, SOON, with_log};

/// The group of RFC 9568 §5.1.1.2.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// A master that is silent for less than two intervals has lost no advertisement, however busy the machine is.
const LOST: Duration = Duration::from_secs(2);

/// How many lines a flood of a few seconds may add to the log.
const LINES: usize = 100;

/// How many packets are sent between two pauses.
const BURST: usize = 20;

/// A pause after which about 15,000 packets come in a second, which is more than any receiver's socket buffer holds, and less than what one
/// processor can read.
const PAUSE: Duration = Duration::from_millis(1);

/// A socket of `host` that sends to the group, and the group's address.
fn speaker(host: &Host) -> Outcome<(Socket, SockAddr)> {
    let socket = host.netns.enter(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112))))??;
    socket.set_multicast_ttl_v4(255)?;
    socket.set_multicast_if_v4(&host.address)?;
    Ok((socket, SockAddr::from(SocketAddrV4::new(GROUP, 0))))
}

/// Sends all of `packets` again and again from `host` until `length` is over, with such pauses; says how many were sent.
fn flood(host: &Host, packets: &[Vec<u8>], length: Duration, pause: Duration) -> Outcome<usize> {
    let (socket, to) = speaker(host)?;
    let (until, mut sent) = (Instant::now() + length, 0);
    while Instant::now() < until {
        for burst in packets.chunks(BURST) {
            // A full queue is as fast as it goes.
            sent += burst.iter().filter(|packet| socket.send_to(packet, &to).is_ok()).count();
            std::thread::sleep(pause);
        }
    }
    assert!(sent > 1000, "only {sent} packets were sent");
    Ok(sent)
}

/// Sends each of `packets` once from `host`, slowly.
fn send(host: &Host, packets: &[Vec<u8>]) -> Outcome {
    let (socket, to) = speaker(host)?;
    for packet in packets {
        socket.send_to(packet, &to)?;
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// The checksum of RFC 1071 put in its place.
fn with_checksum(mut packet: Vec<u8>) -> Vec<u8> {
    let mut sum: u32 =
        packet.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    packet[6..8].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    packet
}

/// Packets of protocol 112 that are wrong in every way a receiver must check (RFC 3768 §7.1), and noise.
fn malformed() -> Vec<Vec<u8>> {
    let good = |count: u8, authentication: u8, interval: u8| {
        let mut packet = vec![0x21, 51, 200, count, authentication, interval, 0, 0];
        packet.extend([192, 168, 154, 188]);
        packet.extend([0; 8]);
        packet
    };
    let mut packets = vec![
        vec![],
        vec![0x21],
        with_checksum(good(1, 0, 1))[..7].to_vec(),
        with_checksum(good(1, 0, 1))[..12].to_vec(),
        good(1, 0, 1),                                                         // no checksum
        with_checksum(good(255, 0, 1)),                                        // more addresses than bytes
        with_checksum(good(0, 0, 1)),                                          // fewer addresses than bytes
        with_checksum(good(1, 2, 1)),                                          // another authentication
        with_checksum(good(1, 0, 7)),                                          // another interval
        with_checksum([vec![0x31], good(1, 0, 1)[1..].to_vec()].concat()),     // another version
        with_checksum([vec![0x22], good(1, 0, 1)[1..].to_vec()].concat()),     // no advertisement
        with_checksum([vec![0x21, 77], good(1, 0, 1)[2..].to_vec()].concat()), // another router
        vec![0xff; 1400],
    ];
    // Noise, the same in every run (a linear congruential generator).
    let mut state: u32 = 1;
    for length in 0..60 {
        let noise = (0..length).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        packets.push([vec![0x21, 51], noise.collect()].concat());
    }
    packets
}

fn lines(daemon: &Daemon) -> usize {
    daemon.log().lines().count()
}

/// A flood must not disturb either router.
fn withstands(packets: &[Vec<u8>]) -> Outcome {
    let pair = Pair::new()?;
    let stranger = pair.lan.host("stranger", "192.168.154.66/24")?;
    let program = Program::under_test();
    let [one, two] = pair.start([program; 2], &Vrrp::master(100).to_string(), &Vrrp::backup(90).to_string())?;
    let before: Vec<i32> =
        [&one, &two].iter().flat_map(|daemon| daemon.processes()).map(|process| process.pid).collect();
    let logged = [lines(&one), lines(&two)];
    pair.wire.clear();
    let sent = flood(&stranger, packets, Duration::from_secs(4), PAUSE)?;
    std::thread::sleep(Duration::from_millis(1200));

    assert_eq!(pair.adverts_of(&pair.b), [], "the backup stays silent; it logged:\n{}", two.log());
    let silence = pair.longest_silence(&pair.a)?;
    assert!(silence < LOST, "the master was silent for {silence:?}");
    assert!(pair.adverts_of(&pair.a).iter().all(|(_, advert)| advert.priority == 100), "it stays master");
    let after: Vec<i32> =
        [&one, &two].iter().flat_map(|daemon| daemon.processes()).map(|process| process.pid).collect();
    assert_eq!(after, before, "no process was replaced");
    for (daemon, logged) in [&one, &two].iter().zip(logged) {
        let added = lines(daemon) - logged;
        assert!(added <= LINES, "{sent} packets made {added} lines:\n{}", daemon.log());
    }
    assert!(pair.a.has(VIP)?);
    Ok(())
}

#[test]
fn malformed_packets_disturb_nobody() -> Outcome {
    withstands(&malformed())
}

/// Every packet that does not count is in a counter of its reason, and in the log once.
#[test]
fn what_is_dropped_is_counted_by_reason() -> Outcome {
    let pair = Pair::new()?;
    let stranger = pair.lan.host("stranger", "192.168.154.66/24")?;
    let one = Daemon::start_apart(&pair.a, &Vrrp::master(100).to_string(), &[])?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    let good = [vec![0x21, 51, 200, 1, 0, 1, 0, 0], vec![192, 168, 154, 188], vec![0; 8]].concat();
    let altered = |place: usize, value: u8| {
        let mut packet = good.clone();
        packet[place] = value;
        with_checksum(packet)
    };
    let mut packets = vec![vec![0x21; 7]; 40];
    packets.extend([vec![], vec![0x21]]);
    packets.extend(vec![good.clone(); 2]); // no checksum
    packets.extend(vec![with_checksum([vec![0x31], good[1..12].to_vec()].concat()); 3]); // another version
    packets.extend(vec![altered(3, 2); 4]); // more addresses than bytes
    packets.extend(vec![altered(5, 7); 5]); // another interval
    packets.extend(vec![altered(1, 77); 6]); // another router
    packets.extend(vec![altered(0, 0x22); 7]); // no advertisement
    packets.extend(vec![altered(4, 1); 8]); // another authentication
    send(&stranger, &packets)?;
    one.wait_log("a packet of 27 bytes on interface ens33 is dropped: it is too short for a VRRP header", SOON)?;
    let run = one.directory().join("run");
    let read = |name: &str| std::fs::read_to_string(run.join(name)).unwrap_or_default();
    wait_until("the counters are there", SOON, || {
        one.signal(nix::sys::signal::SIGUSR1);
        std::thread::sleep(Duration::from_millis(200));
        Ok(read("keepalived.data").contains("authentication type mismatch = 8"))
    })
    .map_err(|failure| with_log(&failure, &one))?;
    let data = read("keepalived.data");
    for line in [
        " Without VRRP header = 42",
        " Unknown VRID = 6",
        "   Packets dropped, checksum = 2",
        "   Packets dropped, version = 3",
        "   Packets dropped, length = 4",
        "   Packets dropped, advert interval = 5",
        "   Packets dropped, type = 7",
        "   Packets dropped, authentication type mismatch = 8",
    ] {
        assert!(data.lines().any(|have| have == line), "{line} is not in {data}");
    }
    one.signal(nix::sys::signal::SIGUSR2);
    let counted =
        ["    Length: 4\n", "    Advertisement Interval: 5\n", "    Invalid Type: 7\n", "    Type Mismatch: 8\n"];
    wait_until("the same in the statistics", SOON, || {
        let stats = read("keepalived.stats");
        Ok(counted.iter().all(|line| stats.contains(line)))
    })?;
    let log = one.log();
    for text in ["is dropped:", "invalid checksum", "invalid version", "advertisement interval mismatch"] {
        assert_eq!(log.matches(text).count(), 1, "{text} in {log}");
    }
    Ok(())
}

#[test]
fn a_flood_of_good_packets_of_other_routers_disturbs_nobody() -> Outcome {
    let packets: Vec<Vec<u8>> = (60..=255)
        .map(|vrid| with_checksum([vec![0x21, vrid, 100, 1, 0, 1, 0, 0], vec![10, 0, 0, vrid], vec![0; 8]].concat()))
        .collect();
    withstands(&packets)
}

/// How many masters are on the link that is flooded.
const MASTERS: u8 = 20;

/// One and a half intervals: none of their adverts may be missing.
const GAP: Duration = Duration::from_millis(1500);

/// What the flood may leave in vrrpd's memory, in KiB: nothing of a packet is kept.
const GROWTH: u64 = 1024;

/// Adverts that were seen: virtual router, time.
type Seen = Arc<Mutex<Vec<(u8, Instant)>>>;

/// What vrrpd sends, seen on its own host behind the flood.
fn sent_by(host: &Host) -> Outcome<(Socket, Seen)> {
    // Load the kind of packet (SKF_AD_PKTTYPE); PACKET_OUTGOING is taken whole, everything else is not.
    let filter = [
        SockFilter::new(0x30, 0, 0, 0xffff_f004),
        SockFilter::new(0x15, 0, 1, 4),
        SockFilter::new(0x06, 0, 0, 0xffff),
        SockFilter::new(0x06, 0, 0, 0),
    ];
    let all = Protocol::from(i32::from(0x0003u16.to_be()));
    let socket = host.netns.enter(|| Socket::new(Domain::PACKET, Type::RAW, Some(all)))??;
    socket.attach_filter(&filter)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let seen = Seen::default();
    let (reader, into) = (socket.try_clone()?, Arc::clone(&seen));
    std::thread::spawn(move || {
        let mut buffer = [0u8; 2048];
        // Ends when the test shuts it down, or with its process.
        while Arc::strong_count(&into) > 1 {
            let Ok(length) = std::io::Read::read(&mut &reader, &mut buffer) else { continue };
            let advert = tests::frame::Advert::read(buffer.get(..length).unwrap_or_default());
            if let (Some(advert), Ok(mut seen)) = (advert, into.lock()) {
                seen.push((advert.vrid, Instant::now()));
            }
        }
    });
    Ok((socket, seen))
}

/// Adverts for all masters, each with a byte that is another one, and noise: nothing of it is right.
fn mutated() -> Vec<Vec<u8>> {
    let mut packets = malformed();
    for vrid in 1..=MASTERS {
        let good = with_checksum([vec![0x21, vrid, 200, 1, 0, 1, 0, 0], vec![10, 9, 9, vrid], vec![0; 8]].concat());
        for at in (0..good.len()).filter(|at| *at != 1) {
            let mut packet = good.clone();
            packet[at] ^= 1 << (at % 8);
            packets.push(packet);
        }
        packets.push([vec![0x21, vrid], vec![0xa5; usize::from(vrid) * 3]].concat());
    }
    packets
}

#[test]
fn a_flood_at_full_speed_costs_twenty_masters_no_advert() -> Outcome {
    let pair = Pair::new()?;
    pair.wire.pause();
    let stranger = pair.lan.host("stranger", "192.168.154.66/24")?;
    let instance = |vrid: u8| {
        format!(
            "vrrp_instance V{vrid} {{\n    state MASTER\n    interface {INTERFACE}\n    virtual_router_id {vrid}\n    \
             priority 100\n    advert_int 1\n    virtual_ipaddress {{\n        10.9.9.{vrid}\n    }}\n}}\n"
        )
    };
    let one = Daemon::start(Program::under_test(), &pair.a, &(1..=MASTERS).map(instance).collect::<String>())?;
    let masters = || one.log().matches("Entering MASTER STATE").count();
    wait_until("all are master", SOON, || Ok(masters() == usize::from(MASTERS))).map_err(|e| with_log(&e, &one))?;

    let vrrpd = one.process("vrrpd")?;
    let memory = || -> u64 {
        let text = vrrpd.status().remove("VmRSS").unwrap_or_default();
        text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
    };
    let packets = mutated();
    // Its buffers have their full size after the first second.
    flood(&stranger, &packets, Duration::from_secs(1), Duration::ZERO)?;
    let (before, logged) = (memory(), lines(&one));
    let (_socket, seen) = sent_by(&pair.a)?;
    let begin = Instant::now();
    let sent = flood(&stranger, &packets, Duration::from_secs(10), Duration::ZERO)?;
    let end = Instant::now();
    std::thread::sleep(Duration::from_millis(200));

    assert!(sent > 200_000, "only {sent} packets were sent");
    let seen = seen.lock().map(|seen| seen.clone()).unwrap_or_default();
    for vrid in 1..=MASTERS {
        let mut times: Vec<Instant> = seen.iter().filter(|(of, _)| *of == vrid).map(|(_, at)| *at).collect();
        times.insert(0, begin);
        times.push(end);
        let gap = times.windows(2).map(|pair| pair[1].saturating_duration_since(pair[0])).max().unwrap_or_default();
        assert!(gap <= GAP, "virtual router {vrid} was silent for {gap:?} while {sent} packets came");
    }
    let growth = memory().saturating_sub(before);
    assert!(before > 0 && growth <= GROWTH, "{growth} KiB more than {before} KiB");
    let added = lines(&one) - logged;
    assert!(added <= LINES, "{sent} packets made {added} lines:\n{}", one.log());
    assert_eq!(masters(), usize::from(MASTERS), "they stayed master");
    Ok(())
}

#[test]
fn an_interface_that_is_missing_is_waited_for() -> Outcome {
    let pair = Pair::new()?;
    let config = Vrrp::master(100).to_string().replace(INTERFACE, "late0");
    let one = Daemon::start(Program::Holdfast, &pair.a, &config)?;
    one.wait_log("late0", SOON)?;
    one.wait_log("Entering FAULT STATE", SOON)?;
    pair.a.netns.ip("link add late0 type veth peer name late1")?;
    pair.a.netns.ip("link set late1 up")?;
    pair.a.netns.ip("addr add 172.31.0.1/24 dev late0")?;
    pair.a.netns.ip("link set late0 up")?;
    one.wait_log("Entering MASTER STATE", SOON)?;
    wait_until("the address is on it", SOON, || Ok(pair.a.netns.ip("addr show dev late0")?.contains(VIP)))
        .map_err(|failure| with_log(&failure, &one))
}

#[test]
fn an_interface_that_goes_and_returns_is_a_fault_in_between() -> Outcome {
    let pair = Pair::new()?;
    let program = Program::under_test();
    let [one, _two] = pair.start([program; 2], &Vrrp::master(100).to_string(), &Vrrp::backup(90).to_string())?;
    pair.wire.clear();
    pair.lan.unplug(&pair.a)?;
    one.wait_log("Entering FAULT STATE", SOON)?;
    pair.wait_master(&pair.b)?;
    pair.wait_released(&pair.a)?;
    pair.wire.clear();
    pair.lan.plug(&pair.a)?;
    pair.wait_master(&pair.a)?;
    pair.wait_released(&pair.b)
}

/// A host whose two other interfaces, t0 and t2, are cables to t1 and t3, which can be pulled.
fn with_cables(host: &Host) -> Outcome {
    for (one, other) in [("t0", "t1"), ("t2", "t3")] {
        host.netns.ip(&format!("link add {one} type veth peer name {other}"))?;
        host.netns.ip(&format!("link set {one} up"))?;
        host.netns.ip(&format!("link set {other} up"))?;
    }
    Ok(())
}

/// README, differences: each of several that are down counts, where with keepalived the first one back clears the fault.
#[test]
fn tracked_interfaces_that_are_down_are_a_fault_until_the_last_is_back() -> Outcome {
    let pair = Pair::new()?;
    with_cables(&pair.a)?;
    let program = Program::Holdfast;
    let first = Vrrp::master(100).line("track_interface {\n        t0\n        t2\n    }").to_string();
    let line = 1 + first.lines().position(|line| line.trim() == "t0").unwrap_or_default();
    let [one, _two] = pair.start([program; 2], &first, &Vrrp::backup(90).to_string())?;
    pair.wire.clear();
    pair.a.netns.ip("link set t1 down")?;
    one.wait_log("Entering FAULT STATE", SOON)?;
    one.wait_log("(VI_1) interface t0 is down (", SOON)?;
    assert!(one.log().contains(&format!("/conf:{line})")), "{}", one.log());
    pair.wait_master(&pair.b)?;
    pair.a.netns.ip("link set t3 down")?;
    one.wait_log("(VI_1) interface t2 is down (", SOON)?;
    pair.wire.clear();
    pair.a.netns.ip("link set t1 up")?;
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(pair.adverts_of(&pair.a), [], "one of two is still down; it logged:\n{}", one.log());
    pair.a.netns.ip("link set t3 up")?;
    pair.wait_master(&pair.a)?;
    pair.wait_released(&pair.b)
}

#[test]
fn tracked_interfaces_with_a_weight_add_up() -> Outcome {
    let pair = Pair::new()?;
    with_cables(&pair.a)?;
    let track = "track_interface {\n        t0 weight -20\n        t2 weight -20\n    }";
    let first = Vrrp::master(130).line(track).to_string();
    let [one, _two] = pair.start([Program::Holdfast; 2], &first, &Vrrp::backup(100).to_string())?;
    pair.a.netns.ip("link set t1 down")?;
    one.wait_log("Changing effective priority from 130 to 110", SOON)?;
    pair.wire.clear();
    pair.a.netns.ip("link set t3 down")?;
    one.wait_log("Changing effective priority from 110 to 90", SOON)?;
    pair.wait_master(&pair.b)?;
    pair.wait_released(&pair.a)?;
    pair.wire.clear();
    pair.a.netns.ip("link set t1 up")?;
    one.wait_log("Changing effective priority from 90 to 110", SOON)?;
    pair.wait_master(&pair.a)?;
    assert!(!one.log().contains("FAULT"), "{}", one.log());
    pair.wait_released(&pair.b)
}

#[test]
fn a_stranger_cannot_stop_the_master_with_priority_0() -> Outcome {
    let pair = Pair::new()?;
    let stranger = pair.lan.host("stranger", "192.168.154.66/24")?;
    let config = Vrrp::master(100).password("1111").to_string();
    let one = Daemon::start(Program::under_test(), &pair.a, &config)?;
    pair.wait_master(&pair.a)?;
    pair.wire.clear();
    let goodbye = with_checksum(
        [vec![0x21, 51, 255, 1, 1, 1, 0, 0], vec![192, 168, 154, 188], b"9999\0\0\0\0".to_vec()].concat(),
    );
    flood(&stranger, &vec![goodbye; BURST], Duration::from_secs(2), PAUSE)?;
    assert!(pair.longest_silence(&pair.a)? < LOST);
    assert!(pair.a.has(VIP)?, "{}", one.log());
    Ok(())
}

/// `holdfast -t` with a file, in a namespace that has `ens33`.
fn tested(host: &Host, config: &str) -> Outcome<(Option<i32>, String)> {
    let directory = tests::cleanup::Directory::new()?;
    let file = directory.write("conf", config)?;
    let output = host.netns.command(Program::Holdfast.executable()?).arg("-t").arg("-f").arg(&file).output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&text).into_owned()))
}

#[test]
fn config_test_names_file_line_and_column() -> Outcome {
    let pair = Pair::new()?;
    let (code, text) = tested(&pair.a, &Vrrp::master(100).to_string())?;
    assert_eq!(code, Some(0), "{text}");
    let broken = Vrrp::master(100).to_string().replace("virtual_router_id 51", "virtual_router_id 300");
    let line = 1 + broken.lines().position(|line| line.contains("virtual_router_id")).unwrap_or_default();
    let (code, text) = tested(&pair.a, &broken)?;
    assert!(code.is_some_and(|code| code != 0), "{text}");
    assert!(text.contains(&format!("conf:{line}:")), "names line {line}: {text}");
    assert!(text.contains("300") && text.contains('^'), "underlines the word: {text}");
    Ok(())
}

#[test]
fn an_unknown_block_is_skipped_and_the_rest_is_used() -> Outcome {
    let pair = Pair::new()?;
    let config = Vrrp::master(100).line("no_such_keyword {\n        priority 3\n    }").to_string();
    let one = Daemon::start(Program::Holdfast, &pair.a, &config)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    assert!(pair.adverts_of(&pair.a).iter().all(|(_, advert)| advert.priority == 100));
    assert!(one.log().contains("no_such_keyword"), "{}", one.log());
    Ok(())
}
