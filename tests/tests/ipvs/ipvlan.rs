//! `use_ipvlan`, beside keepalived's. Here and not in `kernel`, because many kernels of test machines have no ipvlan.

use std::time::Duration;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::lan::{Host, Lan};

/// How long something may take on an emulated machine.
const SOON: Duration = Duration::from_secs(60);

const CONFIG: &str = "
vrrp_instance VI_1 {
    state MASTER
    interface ens33
    virtual_router_id 7
    priority 200
    use_ipvlan ipvlan7 10.9.0.50/24 private
    virtual_ipaddress {
        10.9.0.1/24
    }
}
";

/// The interface and its addresses, without what is another thing on each machine.
fn made(host: &Host) -> Outcome<Vec<String>> {
    let links = host.netns.ip("-d -o link show type ipvlan")?;
    let addresses = host.netns.ip("-o -4 addr show")?;
    let mut all: Vec<String> = links
        .lines()
        .filter_map(|line| {
            Some(format!(
                "{} {}",
                line.split(' ').nth(1)?,
                line.split(" ipvlan ").nth(1)?.split(" numtxqueues").next()?
            ))
        })
        .chain(
            addresses.lines().filter_map(|line| Some(line.split_once(": ")?.1.split(" valid_lft").next()?.to_owned())),
        )
        .map(|line| line.split_whitespace().filter(|word| *word != "\\").collect::<Vec<_>>().join(" "))
        .map(|line| line.replace(" proto keepalived", "").replace(" proto 0x12", ""))
        .collect();
    all.sort();
    Ok(all)
}

#[test]
fn the_interface_and_its_addresses_are_keepalived_s() -> Outcome {
    let look = |program| -> Outcome<(Vec<String>, Vec<String>)> {
        let lan = Lan::new()?;
        let wire = lan.capture()?;
        let host = lan.host("host", "10.9.0.100/24")?;
        let mut daemon = Daemon::start(program, &host, CONFIG)?;
        let source = "10.9.0.50".parse::<std::net::Ipv4Addr>()?.octets();
        wire.wait("an advert from the interface's address", SOON, |frame| {
            frame.advert().is_some_and(|advert| advert.vrid == 7) && frame.bytes.get(26..30) == Some(&source[..])
        })?;
        wait_until("the virtual address", SOON, || Ok(host.netns.ip("-o -4 addr show")?.contains(" 10.9.0.1/24 ")))?;
        let there = made(&host)?;
        daemon.terminate()?;
        Ok((there, made(&host)?))
    };
    let (theirs, _) = look(Program::Keepalived)?;
    let (ours, left) = look(Program::Holdfast)?;
    assert_eq!(ours, theirs);
    assert!(ours.iter().any(|line| line.starts_with("ipvlan7@ens33: mode l2 private")), "{ours:?}");
    assert_eq!(left.iter().filter(|line| line.contains("10.9.0.")).count(), 1, "removed at the end: {left:?}");
    Ok(())
}
