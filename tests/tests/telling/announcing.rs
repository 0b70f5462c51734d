//! Who is told where addresses are, and at which distance.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};
use tests::capture::Capture;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::frame::{Arp, neighbour_advertisement};
use tests::pair::{Pair, SOON, STEADY, with_log};

const VIPS: [&str; 3] = ["192.168.154.188", "192.168.154.189", "192.168.154.190"];

/// Gratuitous ARPs, in order.
fn announced(capture: &Capture) -> Vec<(SystemTime, Ipv4Addr)> {
    let arps = capture.frames().into_iter().filter_map(|frame| Some((frame.at, Arp::read(&frame.bytes)?)));
    arps.filter(|(_, arp)| arp.announces(arp.sender)).map(|(at, arp)| (at, arp.sender)).collect()
}

#[test]
fn announcements_keep_their_distance_and_adverts_their_time() -> Outcome {
    let pair = Pair::new()?;
    let config = Vrrp::master(255)
        .block("garp_group {\n    garp_interval 0.15\n    interfaces {\n        ens33\n    }\n}")
        .line("garp_master_repeat 3")
        .line("garp_master_delay 0")
        .addresses(&VIPS);
    let daemon = Daemon::start(Program::Holdfast, &pair.a, &config.to_string())?;
    wait_until("nine announcements", SOON, || Ok(announced(&pair.wire).len() >= 9))
        .map_err(|failure| with_log(&failure, &daemon))?;
    std::thread::sleep(Duration::from_millis(500));
    let all = announced(&pair.wire);
    let round: Vec<Ipv4Addr> = VIPS.iter().map(|vip| vip.parse()).collect::<Result<_, _>>()?;
    let order: Vec<Ipv4Addr> = all.iter().map(|(_, addr)| *addr).collect();
    assert_eq!(order, round.repeat(3), "three rounds, and nothing after them");
    for (one, next) in all.iter().zip(all.iter().skip(1)) {
        let gap = next.0.duration_since(one.0).unwrap_or_default();
        // A frame may be held up on its way, which shortens the gap behind it.
        assert!(gap >= Duration::from_millis(130), "{gap:?} between {} and {}", one.1, next.1);
    }
    let silence = pair.longest_silence(&pair.a)?;
    assert!(silence < STEADY, "no advert waited: {silence:?}");
    Ok(())
}

/// The same of neighbour advertisements, by the words for all interfaces.
#[test]
fn announcements_of_ipv6_keep_their_distance() -> Outcome {
    let pair = Pair::with_ipv6()?;
    let vips = ["fe80::188", "2001:db8::188/64"];
    let config = Vrrp::master(255)
        .global("vrrp_gna_interval 0.15")
        .line("garp_master_repeat 3")
        .line("garp_master_delay 0")
        .addresses(&vips);
    let daemon = Daemon::start(Program::under_test(), &pair.a, &config.to_string())?;
    let round: Vec<Ipv6Addr> = vips.iter().filter_map(|vip| vip.split('/').next()?.parse().ok()).collect();
    let told = || -> Vec<(SystemTime, Ipv6Addr)> {
        let frames = pair.wire.frames().into_iter();
        let told = frames.filter_map(|frame| Some((frame.at, neighbour_advertisement(&frame.bytes)?.0)));
        told.filter(|(_, address)| round.contains(address)).collect()
    };
    wait_until("six announcements", SOON, || Ok(told().len() >= 6)).map_err(|failure| with_log(&failure, &daemon))?;
    std::thread::sleep(Duration::from_millis(500));
    let all = told();
    assert_eq!(all.iter().map(|(_, address)| *address).collect::<Vec<_>>(), round.repeat(3));
    for (one, next) in all.iter().zip(all.iter().skip(1)) {
        let gap = next.0.duration_since(one.0).unwrap_or_default();
        assert!(gap >= Duration::from_millis(130), "{gap:?} between {} and {}", one.1, next.1);
    }
    Ok(())
}

#[test]
fn interfaces_that_carry_no_adverts_are_told_again_and_again() -> Outcome {
    let pair = Pair::new()?;
    pair.lan.second(&pair.a, "extra")?;
    let config = Vrrp::master(255)
        .global("vrrp_garp_extra_if all 1")
        .line("garp_master_repeat 1")
        .line("garp_master_delay 0")
        .line("virtual_ipaddress_excluded {\n        10.8.0.100/24 dev extra\n        10.8.0.101/24 dev extra\n    }");
    let daemon = Daemon::start(Program::under_test(), &pair.a, &config.to_string())?;
    let told = |addr: &str| announced(&pair.wire).iter().filter(|(_, of)| of.to_string() == addr).count();
    wait_until("four announcements", SOON, || Ok(told("10.8.0.100") >= 4))
        .map_err(|failure| with_log(&failure, &daemon))?;
    assert_eq!(told("10.8.0.101"), 1, "one address of an interface is enough");
    assert_eq!(told(VIPS[0]), 1, "where the adverts are they do it");
    Ok(())
}
