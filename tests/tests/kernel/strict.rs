//! `vrrp_strict`: what is sent to the addresses is dropped, except where `accept` is said.

use crate::filter::ruleset;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tests::alone::{Alone, SOON};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::lan::{Host, INTERFACE};
use tests::pair::with_log;

/// The host's own addresses and those of the instances.
const OWN: [&str; 2] = ["10.9.0.100", "fd00::100"];
const VIRTUAL: [&str; 2] = ["10.9.0.1", "fd00::5"];

/// An instance of IPv4 and one of IPv6, of version 3.
fn config(priority: u8, more: &str) -> String {
    let instance = |name: &str, vips: &str| {
        format!(
            "vrrp_instance {name} {{\n state MASTER\n interface ens33\n version 3\n virtual_router_id 7\n priority {priority}\n{more}\n \
             virtual_ipaddress {{\n{vips}\n }}\n}}\n"
        )
    };
    format!(
        "global_defs {{\n vrrp_strict\n}}\n{}{}",
        instance("VI_4", " 10.9.0.1/24"),
        instance("VI_6", " fe80::1:1/64\n fd00::5/64")
    )
}

/// Whether it answers a connection to a port where nobody listens: what is dropped is not refused.
fn answers(asker: &Host, address: &str) -> Outcome<bool> {
    let to = SocketAddr::new(address.parse()?, 9);
    let connected = asker.netns.enter(|| TcpStream::connect_timeout(&to, Duration::from_secs(1)))?;
    Ok(connected.is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused))
}

/// What a neighbour gets answers from, of the virtual addresses, and the rules that make it so.
fn seen(program: Program, config: &str) -> Outcome<(Vec<bool>, Vec<String>)> {
    let alone = Alone::new()?;
    let asker = alone.lan.host("asker", "10.9.0.200/24")?;
    asker.netns.sysctl("ipv6/conf/all/disable_ipv6", "0")?;
    asker.netns.sysctl(&format!("ipv6/conf/{INTERFACE}/disable_ipv6"), "0")?;
    asker.netns.ip(&format!("addr add fd00::200/64 dev {INTERFACE} nodad"))?;
    alone.host.netns.ip(&format!("addr add {}/64 dev {INTERFACE} nodad", OWN[1]))?;
    let mut daemon = Daemon::start(program, &alone.host, config)?;
    for instance in ["VI_4", "VI_6"] {
        daemon.wait_log(&format!("({instance}) Entering MASTER STATE"), SOON)?;
    }
    for address in OWN {
        // Also tells that the link-local addresses are ready.
        wait_until(&format!("{address} answers"), SOON, || answers(&asker, address))
            .map_err(|failure| with_log(&failure, &daemon))?;
    }
    std::thread::sleep(Duration::from_secs(1));
    let answered = VIRTUAL.iter().map(|address| answers(&asker, address)).collect::<Outcome<_>>()?;
    let rules = ruleset(&alone)?;
    daemon.terminate()?;
    wait_until("no table is left", SOON, || Ok(ruleset(&alone)?.is_empty()))?;
    Ok((answered, rules))
}

#[test]
fn strict_addresses_answer_nobody_without_accept_as_with_keepalived() -> Outcome {
    for (priority, more, answer) in [(200, "", false), (200, "accept", true), (255, "", true)] {
        let config = config(priority, more);
        let (theirs, ours) = (seen(Program::Keepalived, &config)?, seen(Program::under_test(), &config)?);
        assert_eq!(ours, theirs, "{config}");
        assert_eq!(ours.0, [answer; 2], "{config}{:#?}", ours.1);
    }
    Ok(())
}
