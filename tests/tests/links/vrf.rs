//! Interfaces in a VRF: what is made on them, where routes go and whether adverts are sent and heard, beside Debian's keepalived.

use crate::SOON;
use std::time::Duration;
use tests::alone::{Alone, Shown};
use tests::daemon::{Daemon, Program};
use tests::failure::Outcome;

const CONFIG: &str = "global_defs {
 dynamic_interfaces
}
vrrp_instance V {
 state MASTER
 interface ens33
 virtual_router_id 7
 priority 200
 use_vmac vm7
 virtual_ipaddress {
  10.9.0.50/24
 }
}
vrrp_instance W {
 state MASTER
 interface ens33
 virtual_router_id 8
 priority 200
 virtual_ipaddress {
  10.9.0.51/24
 }
 virtual_routes {
  10.80.0.0/16 via 10.9.0.2 dev ens33 vrf red
  10.81.0.0/16 via 10.9.0.2 dev ens33 onlink
 }
}
vrrp_instance U {
 state MASTER
 interface ens33
 virtual_router_id 9
 priority 200
 unicast_peer {
  10.9.0.77
 }
 virtual_ipaddress {
  10.9.0.52/24
 }
}
";

fn look(program: Program) -> Outcome<Vec<String>> {
    let alone = Alone::new()?;
    for command in ["link add red type vrf table 100", "link set red up", "link set ens33 master red"] {
        alone.host.netns.ip(command)?;
    }
    let mut daemon = Daemon::start(program, &alone.host, CONFIG)?;
    for instance in ["V", "W", "U"] {
        daemon.wait_log(&format!("({instance}) Entering MASTER STATE"), SOON)?;
    }
    std::thread::sleep(Duration::from_secs(5));
    let mut all: Vec<String> = alone.lines("-o link show master red")?;
    all.extend(alone.lines("-o -4 addr show")?);
    all.extend(alone.lines("-4 route show table all")?.into_iter().filter(|line| !line.starts_with("broadcast")));
    for line in &mut all {
        let text = line.split_once(": ").map_or(line.as_str(), |(_, rest)| rest);
        let text = text.split("link/ether").next().unwrap_or_default().split(" alias holdfast").next();
        *line = text.unwrap_or_default().trim_end_matches(['\\', ' ']).replace(" proto keepalived", "");
    }
    // To whom each number is advertised, and from which kind of address.
    let mut adverts: Vec<String> = alone
        .wire
        .frames()
        .iter()
        .filter_map(|frame| {
            let advert = frame.advert()?;
            let vmac = frame.bytes.get(6..12) == Some(&[0, 0, 0x5e, 0, 1, 7]);
            Some(format!("{} by {:?}, from the virtual MAC address: {vmac}", advert.vrid, frame.bytes.get(26..30)))
        })
        .collect();
    adverts.sort();
    adverts.dedup();
    all.extend(adverts);
    all.sort();
    daemon.terminate()?;
    Ok(all)
}

#[test]
fn in_a_vrf_everything_is_as_with_keepalived() -> Outcome {
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| look(Program::Keepalived).map_err(|failure| failure.to_string()));
        (theirs.join(), look(Program::Holdfast))
    });
    let theirs = theirs.expect("the thread ends").map_err(tests::failure::Failure::new)?;
    let ours = ours?;
    assert_eq!(ours, theirs);
    assert!(ours.iter().any(|line| line.starts_with("vm7@ens33") && line.contains("master red")), "{ours:#?}");
    assert!(ours.iter().any(|line| line.starts_with("10.80.0.0/16") && line.contains("table 100")), "{ours:#?}");
    Ok(())
}

/// An instance without an interface on `red`, of a host whose interface belongs to that.
fn without_interface(own: &str, peer: &str, priority: u8) -> String {
    format!(
        "vrrp_instance N {{\n state BACKUP\n vrf red\n virtual_router_id 10\n priority {priority}\n nopreempt\n \
         unicast_src_ip {own}\n unicast_peer {{\n {peer}\n }}\n virtual_ipaddress {{\n 10.9.0.60/24 dev ens33\n }}\n}}\n"
    )
}

/// Debian's keepalived has no part in it: 2.2.7 runs no instance without an interface.
#[test]
fn vrf_is_where_an_instance_without_interface_speaks_and_hears() -> Outcome {
    let alone = Alone::new()?;
    let peer = alone.lan.host("peer", "10.9.0.101/24")?;
    for host in [&alone.host, &peer] {
        for command in ["link add red type vrf table 100", "link set red up", "link set ens33 master red"] {
            host.netns.ip(command)?;
        }
    }
    let first = without_interface("10.9.0.100", "10.9.0.101", 100);
    let second = without_interface("10.9.0.101", "10.9.0.100", 200);
    let mut one = Daemon::start(Program::Holdfast, &alone.host, &first)?;
    one.wait_log("(N) Entering MASTER STATE", SOON)?;
    alone.wait_shows("-o -4 addr show dev ens33", Shown::All, &["10.9.0.60/24"])?;
    // It hears the master, or it would take over.
    let two = Daemon::start(Program::Holdfast, &peer, &second)?;
    two.wait_log("(N) Entering BACKUP STATE", SOON)?;
    std::thread::sleep(Duration::from_secs(8));
    assert!(!two.log().contains("Entering MASTER STATE"), "{}", two.log());
    assert!(
        alone.wire.frames().iter().any(|frame| frame.arp().is_some_and(|arp| arp.announces([10, 9, 0, 60].into())))
    );
    one.terminate()?;
    two.wait_log("(N) Entering MASTER STATE", SOON)?;
    Ok(())
}
