//! The keywords of the packet filter: the whole ruleset, beside that of Debian's keepalived.

use std::time::Duration;
use tests::alone::{Alone, SOON};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::netns::run;

fn config(globals: &str, vmac: &str) -> String {
    let instance = |name: &str, vips: &str| {
        format!(
            "vrrp_instance {name} {{\n state MASTER\n interface ens33\n virtual_router_id 7\n priority 200\n no_accept\n{vmac} \
             virtual_ipaddress {{\n{vips}\n }}\n"
        )
    };
    // An IPv6 address beside the IPv4 ones: without it keepalived switches IPv6 off on that virtual MAC interface.
    format!(
        "global_defs {{\n{globals}\n}}\n{} virtual_ipaddress_excluded {{\n fd00::7/64\n }}\n}}\n{}}}\n",
        instance("VI_4", " 10.9.0.1/24\n 10.9.0.2/24"),
        instance("VI_6", " fe80::1:1/64\n fd00::5/64")
    )
}

/// The lines of all tables, without what the counters say and without an order.
pub fn ruleset(alone: &Alone) -> Outcome<Vec<String>> {
    let text = run(alone.host.netns.command("nft").args(["list", "ruleset"]))?;
    let uncounted = |line: &str| {
        let mut words = line.split_whitespace().peekable();
        let mut out = Vec::new();
        while let Some(word) = words.next() {
            out.push(word);
            if ["packets", "bytes"].contains(&word) {
                words.next();
            }
        }
        out.join(" ")
    };
    let mut lines: Vec<String> = text.lines().map(uncounted).collect();
    lines.sort();
    Ok(lines)
}

#[test]
fn the_keywords_of_the_packet_filter_come_to_keepalived_s_rules() -> Outcome {
    let options = "nftables other\n nftables_priority -7\n nftables_counters\n nftables_ifindex";
    for (globals, vmac) in [(options, " use_vmac\n"), ("vrrp_iptables", " use_vmac\n"), ("nftables_counters", "")] {
        let config = config(globals, vmac);
        let look = |program| -> Outcome<Vec<String>> {
            let alone = Alone::new()?;
            let mut daemon = Daemon::start(program, &alone.host, &config)?;
            for instance in ["VI_4", "VI_6"] {
                daemon.wait_log(&format!("({instance}) Entering MASTER STATE"), SOON)?;
            }
            std::thread::sleep(Duration::from_secs(1));
            let all = ruleset(&alone)?;
            daemon.terminate()?;
            wait_until("no table is left", SOON, || Ok(ruleset(&alone)?.is_empty()))?;
            Ok(all)
        };
        let (theirs, ours) = (look(Program::Keepalived)?, look(Program::Holdfast)?);
        assert_eq!(ours, theirs, "with{vmac:?} and\n{globals}");
        assert!(ours.iter().any(|line| line.contains("ip daddr @vips")), "{ours:#?}");
    }
    Ok(())
}
