//! With Debian's keepalived on the same wire, each in both places.

mod delays;
mod groups;
mod multicast;
mod signed;
mod unicast;

use std::net::Ipv6Addr;
use std::time::{Duration, SystemTime};
use tests::capture::Frame;
use tests::config::{VIP, Vrrp};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::frame::neighbour_advertisement;
use tests::lan::Host;
use tests::pair::{Pair, SKEW_TIME, SLACK, SOON, STEADY, with_log};

/// Ours is the master, theirs the backup.
fn ours_first() -> [Program; 2] {
    [Program::under_test(), Program::Keepalived]
}

/// The reverse.
fn theirs_first() -> [Program; 2] {
    [Program::Keepalived, Program::under_test()]
}

/// One way of speaking, as a change to the configuration of a (true) or b (false).
type Dialect = fn(Vrrp, bool) -> Vrrp;

fn v2(config: Vrrp, _: bool) -> Vrrp {
    config
}

fn v2_password(config: Vrrp, _: bool) -> Vrrp {
    config.password("s3cret")
}

fn v3(config: Vrrp, _: bool) -> Vrrp {
    config.line("version 3")
}

fn v2_unicast(config: Vrrp, is_a: bool) -> Vrrp {
    if is_a {
        config.unicast("192.168.154.10", "192.168.154.11")
    } else {
        config.unicast("192.168.154.11", "192.168.154.10")
    }
}

fn v3_unicast(config: Vrrp, is_a: bool) -> Vrrp {
    v3(v2_unicast(config, is_a), is_a)
}

fn v2_header(config: Vrrp, _: bool) -> Vrrp {
    config.line("authentication {\n        auth_type AH\n        auth_pass s3cret\n    }")
}

fn v2_header_unicast(config: Vrrp, is_a: bool) -> Vrrp {
    v2_unicast(v2_header(config, is_a), is_a)
}

/// An instance of IPv6 that has one IPv4 address beside.
fn v6(config: Vrrp, _: bool) -> Vrrp {
    let excluded = format!("virtual_ipaddress_excluded {{\n        {VIP}\n    }}");
    config.addresses(&["fe80::188", "2001:db8::188/64"]).line(excluded)
}

fn v6_unicast(config: Vrrp, is_a: bool) -> Vrrp {
    let (own, peer) = if is_a { ("2001:db8::10", "2001:db8::11") } else { ("2001:db8::11", "2001:db8::10") };
    v6(config.unicast(own, peer), is_a)
}

/// The backup accepts the master's advertisements, takes over at once when it says goodbye, and gives way when it returns.
fn agree(programs: [Program; 2], dialect: Dialect) -> Outcome {
    let pair = Pair::with_ipv6()?;
    let (first, second) = (dialect(Vrrp::master(100), true).to_string(), dialect(Vrrp::backup(90), false).to_string());
    let [mut one, two] = pair.start(programs, &first, &second)?;
    pair.wire.clear();
    std::thread::sleep(Duration::from_millis(4500));
    assert_eq!(pair.adverts_of(&pair.b), [], "the backup is silent; it logged:\n{}", two.log());
    let silence = pair.longest_silence(&pair.a)?;
    assert!(silence < STEADY, "the master was silent for {silence:?}");

    assert!(one.terminate()?.success());
    let begun = pair.wait_master(&pair.b).map_err(|failure| with_log(&failure, &two))?.at;
    let goodbye = pair.adverts_of(&pair.a).into_iter().find(|(_, advert)| advert.priority == 0);
    let (said, _) = goodbye.ok_or_else(|| tests::failure::Failure::new("no advertisement with priority 0"))?;
    let took = begun.duration_since(said)?;
    // Version 3 scales the skew time by the interval, which is 1 s here too (RFC 9568 §6.1).
    assert!(
        took + Duration::from_millis(10) > SKEW_TIME && took < SKEW_TIME + SLACK,
        "priority 0 is honoured: {took:?}"
    );

    pair.wire.clear();
    let _one = Daemon::start(programs[0], &pair.a, &first)?;
    pair.wait_master(&pair.a)?;
    pair.wait_released(&pair.b).map_err(|failure| with_log(&failure, &two))
}

#[test]
fn version_2_ours_is_master() -> Outcome {
    agree(ours_first(), v2)
}

#[test]
fn version_2_theirs_is_master() -> Outcome {
    agree(theirs_first(), v2)
}

#[test]
fn password_ours_is_master() -> Outcome {
    agree(ours_first(), v2_password)
}

#[test]
fn password_theirs_is_master() -> Outcome {
    agree(theirs_first(), v2_password)
}

#[test]
fn version_3_ours_is_master() -> Outcome {
    agree(ours_first(), v3)
}

#[test]
fn version_3_theirs_is_master() -> Outcome {
    agree(theirs_first(), v3)
}

#[test]
fn unicast_version_2_ours_is_master() -> Outcome {
    agree(ours_first(), v2_unicast)
}

#[test]
fn unicast_version_2_theirs_is_master() -> Outcome {
    agree(theirs_first(), v2_unicast)
}

#[test]
fn unicast_version_3_ours_is_master() -> Outcome {
    agree(ours_first(), v3_unicast)
}

#[test]
fn unicast_version_3_theirs_is_master() -> Outcome {
    agree(theirs_first(), v3_unicast)
}

#[test]
fn authentication_header_ours_is_master() -> Outcome {
    agree(ours_first(), v2_header)
}

#[test]
fn authentication_header_theirs_is_master() -> Outcome {
    agree(theirs_first(), v2_header)
}

#[test]
fn authentication_header_unicast_ours_is_master() -> Outcome {
    agree(ours_first(), v2_header_unicast)
}

#[test]
fn authentication_header_unicast_theirs_is_master() -> Outcome {
    agree(theirs_first(), v2_header_unicast)
}

#[test]
fn ipv6_ours_is_master() -> Outcome {
    agree(ours_first(), v6)
}

#[test]
fn ipv6_theirs_is_master() -> Outcome {
    agree(theirs_first(), v6)
}

#[test]
fn ipv6_unicast_ours_is_master() -> Outcome {
    agree(ours_first(), v6_unicast)
}

#[test]
fn ipv6_unicast_theirs_is_master() -> Outcome {
    agree(theirs_first(), v6_unicast)
}

/// Each ignores what the other says with another password, so both are masters.
fn disagree(programs: [Program; 2]) -> Outcome {
    let pair = Pair::new()?;
    let one = Daemon::start(programs[0], &pair.a, &Vrrp::master(100).password("1111").to_string())?;
    pair.wait_master(&pair.a)?;
    let two = Daemon::start(programs[1], &pair.b, &Vrrp::backup(90).password("2222").to_string())?;
    pair.wait_master(&pair.b)?;
    pair.wire.clear();
    std::thread::sleep(Duration::from_millis(3500));
    for (host, daemon) in [(&pair.a, &one), (&pair.b, &two)] {
        assert!(host.has(VIP)?, "{} is still master; it logged:\n{}", host.name, daemon.log());
        // keepalived restarts its timer whenever anything comes in, and may fall silent.
        if daemon.program == Program::Holdfast {
            let silence = pair.longest_silence(host).map_err(|failure| with_log(&failure, daemon))?;
            assert!(silence < STEADY, "{} was silent for {silence:?}", host.name);
        }
    }
    Ok(())
}

#[test]
fn another_password_is_ignored_by_both() -> Outcome {
    disagree(ours_first())
}

#[test]
fn another_password_is_ignored_by_both_in_the_other_places() -> Outcome {
    disagree(theirs_first())
}

/// A better backup with nopreempt leaves the master alone.
fn no_preemption(programs: [Program; 2]) -> Outcome {
    let pair = Pair::new()?;
    let config = |priority| Vrrp::backup(priority).line("nopreempt").to_string();
    let [_one, two] = pair.start(programs, &config(90), &config(100))?;
    pair.wire.clear();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(pair.adverts_of(&pair.b), [], "the better backup waits; it logged:\n{}", two.log());
    Ok(())
}

#[test]
fn ours_does_not_preempt_theirs() -> Outcome {
    no_preemption(theirs_first())
}

#[test]
fn theirs_does_not_preempt_ours() -> Outcome {
    no_preemption(ours_first())
}

/// Equal priorities: the higher address wins, whoever it is (RFC 9568 §6.4.3).
fn higher_address_wins(programs: [Program; 2]) -> Outcome {
    let pair = Pair::new()?;
    let config = Vrrp::backup(100).to_string();
    // Both begin as masters of their own: the cable of a is plugged in late.
    pair.lan.isolate(&pair.a)?;
    let one = Daemon::start(programs[0], &pair.a, &config)?;
    let two = Daemon::start(programs[1], &pair.b, &config)?;
    one.wait_log("Entering MASTER STATE", SOON)?;
    two.wait_log("Entering MASTER STATE", SOON)?;
    wait_until("a has its address, which it is to give up", SOON, || pair.a.has(VIP))?;
    pair.lan.rejoin(&pair.a)?;
    pair.wait_released(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    let released = SystemTime::now();
    std::thread::sleep(Duration::from_millis(2500));
    // What it said before may be read from the wire later.
    let late: Vec<_> = pair.adverts_of(&pair.a).into_iter().filter(|(at, _)| *at > released).collect();
    assert_eq!(late, [], "{}", one.log());
    assert!(pair.longest_silence(&pair.b)? < STEADY);
    Ok(())
}

#[test]
fn the_higher_address_wins_ours_is_lower() -> Outcome {
    higher_address_wins(ours_first())
}

#[test]
fn the_higher_address_wins_theirs_is_lower() -> Outcome {
    higher_address_wins(theirs_first())
}

/// Frames, oldest first.
type Frames = Vec<Vec<u8>>;

/// What one program says as master of this configuration: its first advertisements, gratuitous ARPs and neighbour advertisements,
/// without times, IP identification and flow labels.
fn said(pair: &Pair, program: Program, config: &str) -> Outcome<(Frames, Frames)> {
    pair.wire.clear();
    let mut daemon = Daemon::start(program, &pair.a, config)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &daemon))?;
    // Long enough for the second round of gratuitous ARPs after garp_master_delay.
    std::thread::sleep(Duration::from_millis(2600));
    daemon.terminate()?;
    pair.wait_released(&pair.a)?;
    let frames: Vec<Frame> = pair.wire.frames().into_iter().filter(|frame| pair.a.sent(frame)).collect();
    let ethernet = |frame: &Frame| frame.bytes[..14].to_vec();
    let adverts =
        frames.iter().filter_map(|frame| frame.advert().map(|advert| [ethernet(frame), advert.comparable].concat()));
    let mut kinds: Vec<Vec<u8>> = adverts.collect();
    kinds.dedup();
    let ours = |host: &Host, frame: &Frame| frame.arp().is_some_and(|arp| arp.sender != host.address);
    let own = ["2001:db8::10", &link_local(&pair.a)].map(|text| text.parse::<Ipv6Addr>().unwrap());
    let tells =
        |frame: &Frame| neighbour_advertisement(&frame.bytes).is_some_and(|(address, _)| !own.contains(&address));
    let arps =
        frames.iter().filter(|frame| ours(&pair.a, frame) || tells(frame)).map(|frame| frame.bytes.clone()).collect();
    Ok((kinds, arps))
}

/// The address that the kernel makes of the hardware address (RFC 4291 §2.5.1).
fn link_local(host: &Host) -> String {
    let [a, b, c, d, e, f] = host.mac;
    format!("fe80::{:02x}{b:02x}:{c:02x}ff:fe{d:02x}:{e:02x}{f:02x}", a ^ 2)
}

/// The bytes on the wire are the same.
fn same_bytes(config: &Vrrp) -> Outcome {
    same_adverts(config).map(drop)
}

/// [`same_bytes`], with the advertisements that were compared.
fn same_adverts(config: &Vrrp) -> Outcome<Frames> {
    let pair = Pair::with_ipv6()?;
    let config = config.clone().line("garp_master_delay 1").to_string();
    let theirs = said(&pair, Program::Keepalived, &config)?;
    let ours = said(&pair, Program::under_test(), &config)?;
    assert_eq!(ours.0, theirs.0, "advertisements: the usual one, then the goodbye");
    assert_eq!(ours.1, theirs.1, "gratuitous ARPs, in order");
    assert!(!theirs.1.is_empty() && theirs.0.len() == 2, "there was something to compare: {theirs:?}");
    Ok(ours.0)
}

#[test]
fn same_bytes_version_2() -> Outcome {
    same_bytes(&Vrrp::master(100))
}

#[test]
fn same_bytes_password() -> Outcome {
    same_bytes(&Vrrp::master(150).password("1111"))
}

#[test]
fn same_bytes_version_3() -> Outcome {
    same_bytes(&Vrrp::master(100).line("version 3"))
}

#[test]
fn same_bytes_several_addresses() -> Outcome {
    same_bytes(&Vrrp::master(100).addresses(&[VIP, "192.168.154.189/24", "10.9.8.7/32"]).line("garp_master_repeat 2"))
}

#[test]
fn same_bytes_owner() -> Outcome {
    same_bytes(&Vrrp::master(255))
}

#[test]
fn same_bytes_ipv6() -> Outcome {
    same_bytes(&v6(Vrrp::master(100), true))
}

#[test]
fn same_bytes_ipv6_in_version_2() -> Outcome {
    same_bytes(&v6(Vrrp::master(100), true).line("version 2"))
}

#[test]
fn same_bytes_ipv6_of_a_router() -> Outcome {
    let pair = Pair::with_ipv6()?;
    pair.a.netns.sysctl("ipv6/conf/all/forwarding", "1")?;
    let config = v6(Vrrp::master(100), true).line("garp_master_delay 1").to_string();
    let theirs = said(&pair, Program::Keepalived, &config)?;
    let ours = said(&pair, Program::under_test(), &config)?;
    assert_eq!(ours, theirs);
    let flags: Vec<u8> =
        ours.1.iter().filter_map(|frame| neighbour_advertisement(frame)).map(|(_, flags)| flags).collect();
    assert!(!flags.is_empty() && flags.iter().all(|flags| *flags == 0xa0), "router and override: {flags:x?}");
    Ok(())
}

/// Every advertisement has another sequence number and check value; the first ones are the same.
#[test]
fn same_bytes_authentication_header() -> Outcome {
    let pair = Pair::new()?;
    let config = v2_header(Vrrp::backup(200), true).to_string();
    let mut packets = Vec::new();
    for program in theirs_first() {
        pair.wire.clear();
        let mut daemon = Daemon::start(program, &pair.a, &config)?;
        pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &daemon))?;
        std::thread::sleep(Duration::from_millis(1500));
        daemon.terminate()?;
        pair.wait_released(&pair.a)?;
        let frames = pair.wire.frames();
        let adverts = frames.iter().filter(|frame| pair.a.sent(frame) && frame.advert().is_some());
        packets.push(adverts.map(|frame| frame.bytes.clone()).take(2).collect::<Vec<_>>());
    }
    assert_eq!(packets[1], packets[0]);
    assert_eq!(packets[0].len(), 2);
    Ok(())
}

#[test]
fn same_bytes_unicast_ipv6() -> Outcome {
    same_unicast_packets(&v6_unicast(Vrrp::master(100), true))?;
    same_unicast_packets(&v6_unicast(Vrrp::master(100), true).line("unicast_ttl 20")).map(drop)
}

#[test]
fn same_bytes_unicast() -> Outcome {
    same_unicast_packets(&v3_unicast(Vrrp::master(100), true)).map(drop)
}

/// The packets on the wire are the same: these.
fn same_unicast_packets(config: &Vrrp) -> Outcome<Frames> {
    let pair = Pair::with_ipv6()?;
    // Unicast frames carry the hardware address of the peer, which is asked for by ARP: only the packets are compared.
    let config = config.to_string();
    let mut packets = Vec::new();
    for program in theirs_first() {
        pair.wire.clear();
        let mut daemon = Daemon::start(program, &pair.a, &config)?;
        pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &daemon))?;
        daemon.terminate()?;
        let mut said: Vec<Vec<u8>> =
            pair.adverts_of(&pair.a).into_iter().map(|(_, advert)| advert.comparable).collect();
        said.dedup();
        packets.push(said);
    }
    assert_eq!(packets[1], packets[0]);
    Ok(packets.swap_remove(0))
}
