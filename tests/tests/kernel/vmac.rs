//! `use_vmac`: the interfaces that are made, what is sent from them, and what becomes of them.

use std::time::Duration;
use tests::alone::{Alone, SOON};
use tests::capture::Frame;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::netns::run;
use tests::pair::with_log;

const ADVERT_V4: [u8; 6] = [0, 0, 0x5e, 0, 1, 7];
const ADVERT_V6: [u8; 6] = [0, 0, 0x5e, 0, 2, 7];

fn config(more: &str) -> String {
    format!(
        "vrrp_instance VI_4 {{\n state MASTER\n interface ens33\n virtual_router_id 7\n priority 200\n use_vmac\n{more} \
         virtual_ipaddress {{\n 10.9.0.1/24\n }}\n virtual_ipaddress_excluded {{\n fd00::77/64\n }}\n}}\n\
         vrrp_instance VI_6 {{\n state MASTER\n interface ens33\n virtual_router_id 7\n priority 200\n use_vmac\n{more} \
         virtual_ipaddress {{\n fe80::1:1/64\n fd00::5/64\n }}\n}}\n"
    )
}

/// Interfaces, addresses and settings as `ip` and the kernel show them, without what is another thing on each machine.
fn made(alone: &Alone) -> Outcome<Vec<String>> {
    let own = link_local(alone, "ens33")?;
    let mut all = Vec::new();
    for line in alone.lines("-d -o link show type macvlan")?.into_iter().chain(alone.lines("-o addr show")?) {
        let line = line.split_once(": ").map_or(line.as_str(), |(_, rest)| rest);
        let line = line.split(" alias holdfast").next().unwrap_or_default();
        if line.starts_with("vrrp") || line.starts_with("ens33") {
            let line = line.trim_end_matches(['\\', ' ']);
            all.push(line.replace(&own, "LINK-LOCAL").replace(" proto keepalived", "").replace(" proto 0x12", ""));
        }
    }
    for setting in ["arp_ignore", "arp_filter", "rp_filter", "accept_local", "promote_secondaries"] {
        for link in ["ens33", "vrrp.7"] {
            all.push(format!("{link} {setting} {}", value(alone, &format!("ipv4/conf/{link}/{setting}"))?));
        }
    }
    all.sort();
    Ok(all)
}

/// The packet filter's lines.
fn ruleset(alone: &Alone) -> Outcome<Vec<String>> {
    let text = run(alone.host.netns.command("nft").args(["list", "ruleset"]))?;
    Ok(text.lines().map(|line| line.trim().to_owned()).collect())
}

fn link_local(alone: &Alone, link: &str) -> Outcome<String> {
    let own = alone.lines(&format!("-o -6 addr show dev {link} scope link"))?;
    Ok(own.iter().filter_map(|line| line.split(' ').nth(3)).next().unwrap_or("none").to_owned())
}

fn value(alone: &Alone, key: &str) -> Outcome<String> {
    let read = alone.host.netns.enter(|| std::fs::read_to_string(format!("/proc/sys/net/{key}")))?;
    Ok(read.unwrap_or_default().trim().to_owned())
}

fn number(alone: &Alone, name: &str) -> Outcome<String> {
    Ok(alone.lines(&format!("-o link show {name}"))?.concat().split(':').next().unwrap_or_default().to_owned())
}

fn sent_from(alone: &Alone, mac: [u8; 6], protocol_at: usize) -> Outcome {
    let is_it = |bytes: &[u8]| bytes.get(6..12) == Some(&mac[..]) && bytes.get(protocol_at) == Some(&112);
    alone.wire.wait(&format!("an advert from {mac:x?}"), SOON, |frame| is_it(&frame.bytes)).map(drop)
}

#[test]
fn the_interfaces_are_keepalived_s_and_adverts_have_their_addresses() -> Outcome {
    let look = |program| -> Outcome<(Vec<String>, Alone)> {
        let alone = Alone::new()?;
        let mut daemon = Daemon::start(program, &alone.host, &config(""))?;
        sent_from(&alone, ADVERT_V4, 23)?;
        sent_from(&alone, ADVERT_V6, 20)?;
        std::thread::sleep(Duration::from_secs(1));
        let mut all = made(&alone)?;
        all.extend(ruleset(&alone)?);
        daemon.terminate()?;
        assert_eq!(ruleset(&alone)?, Vec::<String>::new(), "no table is left");
        for frame in alone.wire.frames() {
            let from_vmac = [ADVERT_V4, ADVERT_V6].iter().any(|mac| frame.bytes.get(6..12) == Some(&mac[..]));
            let multicast_report = [[1, 0, 0x5e, 0, 0, 0x16], [0x33, 0x33, 0, 0, 0, 0x16], [0x33, 0x33, 0, 0, 0, 2]];
            let reports = multicast_report.iter().any(|group| frame.bytes.get(..6) == Some(&group[..]));
            assert!(!(from_vmac && reports), "from a virtual MAC address: {:x?}", frame.bytes);
        }
        let moved = |frame: &&Frame| {
            frame.bytes.get(..12) == Some(&[&[1, 0, 0x5e, 0, 0, 0x16][..], &alone.host.mac].concat()[..])
        };
        assert!(alone.wire.frames().iter().any(|frame| moved(&frame)), "reports leave by the interface under it");
        Ok((all, alone))
    };
    let (theirs, _) = look(Program::Keepalived)?;
    let (ours, alone) = look(Program::Holdfast)?;
    assert_eq!(ours, theirs);
    assert!(ours.iter().any(|line| line.contains("vrrp6.7@ens33") && line.contains("mode private")), "{ours:#?}");
    assert_eq!(alone.lines("-o link show type macvlan")?, Vec::<String>::new(), "removed at the end");
    // keepalived 2.2.7 leaves these as it has set them.
    assert_eq!(
        (value(&alone, "ipv4/conf/ens33/arp_ignore")?, value(&alone, "ipv4/conf/ens33/arp_filter")?),
        ("0".into(), "0".into())
    );
    Ok(())
}

#[test]
fn with_vmac_xmit_base_adverts_leave_by_the_interface_itself() -> Outcome {
    let alone = Alone::new()?;
    let _daemon = alone.start(&config(" vmac_xmit_base\n"))?;
    sent_from(&alone, alone.host.mac, 23)?;
    wait_until("the address is on vrrp.7", SOON, || {
        Ok(alone.lines("-o addr show dev vrrp.7")?.concat().contains("10.9.0.1/24"))
    })?;
    let virtual_one = [0, 0, 0x5e, 0, 1, 7];
    assert!(
        !alone
            .wire
            .frames()
            .iter()
            .any(|f| f.bytes.get(6..12) == Some(&virtual_one[..]) && f.bytes.get(23) == Some(&112))
    );
    Ok(())
}

#[test]
fn what_goes_is_made_again_what_a_crash_left_is_adopted_and_strangers_are_left_alone() -> Outcome {
    let alone = Alone::new()?;
    let there = |line: &'static str| {
        let alone = &alone;
        move || Ok(alone.lines("-o addr show")?.iter().any(|l| l.contains(line)))
    };
    alone.host.netns.ip("link add vrrp6.7 type bridge")?;
    let mut daemon = alone.start(&config(""))?;
    wait_until("the first address", SOON, there("vrrp.7 inet 10.9.0.1/24"))?;
    daemon.wait_log("an interface vrrp6.7 is there that is not a private macvlan", SOON)?;
    alone.host.netns.ip("link del vrrp6.7")?;
    wait_until("the second one, on the interface that is made now", SOON, there("vrrp6.7 inet6 fd00::5/64"))?;
    alone.host.netns.ip("link del vrrp.7")?;
    daemon.wait_log("(VI_4) Entering FAULT STATE", SOON)?;
    wait_until("the first one again", SOON, there("vrrp.7 inet 10.9.0.1/24"))?;

    let before = number(&alone, "vrrp.7")?;
    daemon.kill_all()?;
    let mut daemon = alone.start(&config(""))?;
    wait_until("master again", SOON, || Ok(daemon.log().contains("(VI_4) Entering MASTER STATE")))?;
    wait_until("the first one again", SOON, there("vrrp.7 inet 10.9.0.1/24"))?;
    assert_eq!(number(&alone, "vrrp.7")?, before, "the same interface");

    daemon.reload(&config("").replace(" use_vmac\n", ""))?;
    wait_until("without VMACs the address is on the interface", SOON, there("ens33 inet 10.9.0.1/24"))?;
    wait_until("they are gone", SOON, || Ok(alone.lines("-o link show type macvlan")?.is_empty()))?;
    assert_eq!(value(&alone, "ipv4/conf/ens33/arp_ignore")?, "0", "as before the crash");
    daemon.terminate().map(drop)
}

/// keepalived 2.2.7 has the same during its run, and the same as before after it.
#[test]
fn all_rp_filter_is_handed_on_to_the_interfaces_and_local_igmp_is_switched_off_for_the_run() -> Outcome {
    const SETTINGS: [&str; 5] = [
        "ipv4/conf/all/rp_filter",
        "ipv4/conf/default/rp_filter",
        "ipv4/conf/ens33/rp_filter",
        "ipv4/conf/vrrp.7/rp_filter",
        "ipv4/igmp_link_local_mcast_reports",
    ];
    let config = format!("global_defs {{\n disable_local_igmp\n}}\n{}", config(""));
    let look = |program| -> Outcome<Vec<String>> {
        let alone = Alone::new()?;
        let now = || SETTINGS.iter().map(|setting| value(&alone, setting)).collect::<Outcome<Vec<_>>>();
        alone.host.netns.sysctl("ipv4/conf/all/rp_filter", "2")?;
        alone.host.netns.sysctl("ipv4/conf/ens33/rp_filter", "1")?;
        let before = now()?;
        let mut daemon = Daemon::start(program, &alone.host, &config)?;
        daemon.wait_log("(VI_4) Entering MASTER STATE", SOON)?;
        let seen = now()?;
        assert!(!ruleset(&alone)?.iter().any(|line| line.contains("igmp")), "there is none that could be moved");
        if program == Program::Holdfast {
            daemon.kill_all()?;
            daemon = alone.start(&config)?;
            daemon.wait_log("(VI_4) Entering MASTER STATE", SOON)?;
            assert_eq!(now()?, seen, "after a crash");
        }
        daemon.terminate()?;
        assert_eq!(now()?, before, "as before");
        Ok(seen)
    };
    let (theirs, ours) = (look(Program::Keepalived)?, look(Program::Holdfast)?);
    assert_eq!(ours, theirs);
    assert_eq!(ours, ["0", "2", "2", "0", "0"]);
    Ok(())
}

#[test]
fn promote_secondaries_is_set_for_the_run() -> Outcome {
    const SETTING: &str = "ipv4/conf/ens33/promote_secondaries";
    let alone = Alone::new()?;
    alone.host.netns.sysctl(SETTING, "0")?;
    let config = config("").replace(" use_vmac\n", " promote_secondaries\n");
    let mut daemon = alone.start(&config)?;
    wait_until("the setting", SOON, || Ok(value(&alone, SETTING)? == "1"))?;
    daemon.wait_log("(VI_4) Entering MASTER STATE", SOON)?;
    let ipvsd = daemon.process("ipvsd")?;
    ipvsd.signal(nix::sys::signal::SIGKILL);
    wait_until("another ipvsd", SOON, || {
        Ok(daemon.processes().iter().any(|p| p.name == "ipvsd" && p.pid != ipvsd.pid))
    })?;
    daemon.kill_all()?;
    let mut daemon = alone.start(&config)?;
    daemon.wait_log("(VI_4) Entering MASTER STATE", SOON)?;
    daemon.reload(&config.replace(" promote_secondaries\n", ""))?;
    wait_until("as before, after two crashes", SOON, || Ok(value(&alone, SETTING)? == "0"))?;
    daemon.reload(&config)?;
    wait_until("set again", SOON, || Ok(value(&alone, SETTING)? == "1"))?;
    daemon.terminate()?;
    assert_eq!(value(&alone, SETTING)?, "0", "as before");
    Ok(())
}

/// The same of an interface that comes when everything runs: it is set back after a crash, too.
#[test]
fn promote_secondaries_is_set_on_an_interface_that_comes_later_and_a_crash_is_made_up_for() -> Outcome {
    const SETTING: &str = "ipv4/conf/late/promote_secondaries";
    let alone = Alone::new()?;
    let config = format!(
        "global_defs {{\n dynamic_interfaces\n}}\n{}",
        config("").replace(" use_vmac\n", " promote_secondaries\n").replace("interface ens33", "interface late")
    );
    let comes = || -> Outcome {
        alone.host.netns.sysctl("ipv4/conf/default/promote_secondaries", "0")?;
        alone.host.netns.ip("link add late type veth peer name other")?;
        for arguments in ["link set other up", "addr add 10.7.0.100/24 dev late", "link set late up"] {
            alone.host.netns.ip(arguments)?;
        }
        Ok(())
    };
    let mut daemon = alone.start(&config)?;
    daemon.wait_log("(VI_4) Entering FAULT STATE", SOON)?;
    for nth in ["first", "second"] {
        comes()?;
        wait_until(&format!("the {nth} setting"), SOON, || Ok(value(&alone, SETTING)? == "1"))
            .map_err(|failure| with_log(&failure, &daemon))?;
        alone.host.netns.ip("link del late")?;
    }
    comes()?;
    wait_until("the setting", SOON, || Ok(value(&alone, SETTING)? == "1"))?;
    daemon.kill_all()?;
    assert_eq!(value(&alone, SETTING)?, "1", "nobody was there to set it back");
    let mut daemon = alone.start(&config)?;
    daemon.wait_log("(VI_4) Entering MASTER STATE", SOON)?;
    assert_eq!(value(&alone, SETTING)?, "1");
    daemon.terminate()?;
    assert_eq!(value(&alone, SETTING)?, "0", "as before");
    Ok(())
}

/// An instance with addresses on a second interface and of the other family.
fn elsewhere(more: &str, address: &str) -> String {
    format!(
        "global_defs {{\n vmac_addr_prefix va\n}}\n\
         vrrp_instance VI_1 {{\n state MASTER\n interface ens33\n virtual_router_id 7\n priority 200\n{more} \
         virtual_ipaddress {{\n 10.9.0.1/24{address}\n 10.8.0.1/24 dev other{address}\n 10.9.0.2/24\n}}\n \
         virtual_ipaddress_excluded {{\n 10.8.0.2/24 dev other{address}\n fd00::7/64{address}\n fd02::7/64 dev other{address}\n \
         fd02::8/64 dev other\n }}\n}}\n"
    )
}

/// The interfaces that were made, what they are made on, and the addresses on all of them.
fn placed(alone: &Alone) -> Outcome<Vec<String>> {
    let borrowed = [link_local(alone, "ens33")?, link_local(alone, "other")?];
    let mut all = Vec::new();
    for line in alone.lines("-o link show type macvlan")?.into_iter().chain(alone.lines("-o addr show")?) {
        let mut line = line.split_once(": ").map_or(line.as_str(), |(_, rest)| rest).to_owned();
        for (own, name) in borrowed.iter().zip(["THAT OF ens33", "THAT OF other"]) {
            line = line.replace(own.as_str(), name);
        }
        let line = line.split(" alias holdfast").next().unwrap_or_default().trim_end_matches(['\\', ' ']);
        all.push(line.replace(" proto keepalived", "").replace(" proto 0x12", ""));
    }
    all.sort();
    Ok(all)
}

/// With a second interface, on which nobody speaks VRRP.
fn with_another() -> Outcome<Alone> {
    let alone = Alone::new()?;
    alone.lan.second(&alone.host, "other")?;
    wait_until("a link-local address on it", SOON, || Ok(link_local(&alone, "other")? != "none"))?;
    Ok(alone)
}

#[test]
fn addresses_on_other_interfaces_get_the_mac_address_where_keepalived_gives_it_to_them() -> Outcome {
    let custom = " use_vmac own 02:00:5e:00:00\n use_vmac_addr\n";
    for (more, address) in [(" use_vmac\n use_vmac_addr\n", ""), (" use_vmac_addr\n", ""), ("", " use_vmac")] {
        let config = elsewhere(more, address);
        let look = |program| -> Outcome<Vec<String>> {
            let alone = with_another()?;
            let mut daemon = Daemon::start(program, &alone.host, &config)?;
            daemon.wait_log("(VI_1) Entering MASTER STATE", SOON)?;
            std::thread::sleep(Duration::from_secs(1));
            let all = placed(&alone)?;
            daemon.terminate()?;
            assert_eq!(alone.lines("-o link show type macvlan")?, Vec::<String>::new(), "removed at the end");
            Ok(all)
        };
        let (theirs, ours) = (look(Program::Keepalived)?, look(Program::Holdfast)?);
        assert_eq!(ours, theirs, "with{more:?} and{address:?}");
        assert!(ours.iter().any(|line| line.starts_with("va") && line.contains("@other")), "{ours:#?}");
    }
    // Of one MAC address there is one interface, whatever the family: keepalived 2.2.7 switches IPv6 off there.
    let alone = with_another()?;
    let _daemon = alone.start(&elsewhere(custom, ""))?;
    for line in ["va.7 inet 10.8.0.1/24", "va.7 inet6 fd02::7/64", "own inet 10.9.0.1/24", "own inet6 fd00::7/64"] {
        wait_until(line, SOON, || Ok(alone.lines("-o addr show")?.iter().any(|l| l.contains(line))))?;
    }
    let macs = alone.lines("-o link show type macvlan")?;
    assert!(macs.len() == 2 && macs.iter().all(|line| line.contains("02:00:5e:00:00:07")), "{macs:#?}");
    Ok(())
}

#[test]
fn garp_extra_if_repeats_what_the_mac_address_of_adverts_does_not_say() -> Outcome {
    let config = elsewhere(" use_vmac\n use_vmac_addr\n garp_extra_if 1\n", "").replace("\n fd00::7/64", "");
    let told = |program| -> Outcome<usize> {
        let alone = with_another()?;
        let daemon = Daemon::start(program, &alone.host, &config)?;
        daemon.wait_log("(VI_1) Entering MASTER STATE", SOON)?;
        // The first burst, and one a second.
        std::thread::sleep(Duration::from_millis(3500));
        let told = |bytes: &[u8]| bytes.get(12..14) == Some(&[8, 6]) && bytes.get(28..32) == Some(&[10, 8, 0, 1]);
        Ok(alone.wire.frames().iter().filter(|frame| told(&frame.bytes)).count())
    };
    let (theirs, ours) = (told(Program::Keepalived)?, told(Program::Holdfast)?);
    assert!(ours.abs_diff(theirs) <= 1 && ours > 6, "{ours} by us, {theirs} by keepalived");
    Ok(())
}
