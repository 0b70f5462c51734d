//! `use_ipvlan`: what is made, where the addresses are and what adverts come from, beside Debian's keepalived.

use crate::SOON;
use std::time::Duration;
use tests::alone::Alone;
use tests::daemon::{Daemon, Program};
use tests::failure::{Failure, Outcome, wait_until};

fn config(more: &str, vips: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n state MASTER\n interface ens33\n virtual_router_id 7\n priority 200\n advert_int 1\n{more}\n \
         virtual_ipaddress {{\n{vips}\n }}\n}}\n"
    )
}

/// The interfaces and addresses, and from where the adverts come.
fn look(program: Program, config: &str) -> Outcome<Vec<String>> {
    let alone = Alone::new()?;
    let mut daemon = Daemon::start(program, &alone.host, config)?;
    daemon.wait_log("(VI_1) Entering MASTER STATE", SOON)?;
    std::thread::sleep(Duration::from_secs(5));
    let mut all = Vec::new();
    for line in alone.lines("-d -o link show type ipvlan")?.into_iter().chain(alone.lines("-o addr show")?) {
        let line = line.split_once(": ").map_or(line.as_str(), |(_, rest)| rest);
        if line.contains("ens33") || line.contains("ipvlan") || line.starts_with("ipv7") {
            // An address that a host has of its own, and its number.
            let own = line.contains("inet6 fe80::") && !line.contains("nodad");
            let line = line.split(" alias holdfast").next().unwrap_or_default();
            let line = line.split("link/ether").next().unwrap_or_default().to_owned()
                + line.split(" ipvlan ").nth(1).and_then(|kind| kind.split(" addrgenmode").next()).unwrap_or_default();
            let line = line.replace(" proto keepalived", "").replace(" proto 0x12", "");
            all.push(if own { line.split(' ').next().unwrap_or_default().to_owned() + " LINK-LOCAL" } else { line });
        }
    }
    all.sort();
    let adverts: Vec<_> = alone.wire.frames().into_iter().filter(|frame| frame.advert().is_some()).collect();
    let from = |bytes: &[u8]| {
        let source = if bytes.get(12) == Some(&8) { bytes.get(26..30) } else { bytes.get(22..38) };
        (bytes.get(6..12) == Some(&alone.host.mac[..]), source.map(<[u8]>::to_vec))
    };
    let mut sources: Vec<_> = adverts.iter().map(|frame| format!("{:?}", from(&frame.bytes))).collect();
    sources.dedup();
    let link_local = alone.lines("-o -6 addr show scope link")?;
    sources.iter_mut().filter(|s| s.contains("[254, 128")).for_each(|source| {
        let mine = link_local.iter().any(|l| l.contains("ipv7") && !l.contains("nodad"));
        *source = format!("a link-local address, on the ipvlan: {mine}");
    });
    all.extend(sources);
    daemon.terminate()?;
    assert_eq!(alone.lines("-o link show type ipvlan")?, Vec::<String>::new(), "removed at the end");
    Ok(all)
}

#[test]
fn addresses_stay_on_the_interface_and_adverts_come_from_the_ipvlan() -> Outcome {
    let cases = [
        (" use_ipvlan ipv7 10.9.0.9/24", "10.9.0.1/24\n10.8.0.1/24"),
        (" use_ipvlan ipv7 10.9.0.9 private\n vmac_xmit_base", "10.9.0.1/24"),
        (" use_ipvlan ipv7 10.9.0.9/24 vepa\n mcast_src_ip 10.9.0.100", "10.9.0.1/24"),
        (" use_ipvlan ipv7 10.9.0.9/24\n unicast_peer {\n 10.9.0.77\n }", "10.9.0.1/24"),
        (" use_ipvlan ipv7", "fe80::50\nfd00::5/64"),
        (" use_ipvlan ipv7 fe80::9/64", "fe80::50\nfd00::5/64"),
    ];
    let looked = |program, more, vips| look(program, &config(more, vips)).map_err(|failure| failure.to_string());
    // They mostly wait.
    std::thread::scope(|scope| {
        let pair = |(more, vips)| {
            let start = |program| scope.spawn(move || looked(program, more, vips));
            (more, start(Program::Keepalived), start(Program::Holdfast))
        };
        let running: Vec<_> = cases.into_iter().map(pair).collect();
        for (more, theirs, ours) in running {
            let [theirs, ours] = [theirs, ours].map(|thread| thread.join().expect("the thread ends"));
            let (theirs, ours) = (theirs.map_err(Failure::new)?, ours.map_err(Failure::new)?);
            assert_eq!(ours, theirs, "with{more}");
            assert!(ours.iter().any(|line| line.starts_with("ipv7@ens33")), "{ours:#?}");
        }
        Ok(())
    })
}

#[test]
fn an_ipvlan_that_goes_is_made_again_and_one_that_a_crash_left_is_adopted() -> Outcome {
    let alone = Alone::new()?;
    let there = |line: &'static str| {
        let alone = &alone;
        move || Ok(alone.lines("-o addr show")?.iter().any(|l| l.contains(line)))
    };
    let config = config(" use_ipvlan ipv7 10.9.0.9/24", "10.9.0.1/24");
    let daemon = alone.start(&config)?;
    daemon.wait_log("(VI_1) Entering MASTER STATE", SOON)?;
    alone.host.netns.ip("link del ipv7")?;
    daemon.wait_log("(VI_1) Entering FAULT STATE", SOON)?;
    wait_until("it is there again", SOON, there("ipv7 inet 10.9.0.9/24"))?;
    wait_until("its address goes and comes back", SOON, || {
        alone.host.netns.ip("addr del 10.9.0.9/24 dev ipv7").map(|_| true)
    })?;
    wait_until("it is there again", SOON, there("ipv7 inet 10.9.0.9/24"))?;
    let number =
        |alone: &Alone| alone.lines("-o link show ipv7").map(|l| l.concat().split(':').next().map(str::to_owned));
    let before = number(&alone)?;
    let mut daemon = daemon;
    daemon.kill_all()?;
    let mut daemon = alone.start(&config)?;
    daemon.wait_log("(VI_1) Entering MASTER STATE", SOON)?;
    assert_eq!(number(&alone)?, before, "the same interface");
    daemon.reload(&config.replace(" use_ipvlan ipv7 10.9.0.9/24", ""))?;
    wait_until("it is gone", SOON, || Ok(alone.lines("-o link show type ipvlan")?.is_empty()))?;
    daemon.terminate().map(drop)
}
