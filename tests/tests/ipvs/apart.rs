//! `net_namespace_ipvs`: the table is in one network namespace, checks and addresses are in another.

use super::{SETTLED, Stage, TCP, service, table};
use nix::sys::signal::SIGKILL;
use std::net::SocketAddr;
use std::time::Duration;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::http;
use tests::lan::{Host, INTERFACE};
use tests::netns::run;

/// Started on a host that reaches the web servers, the table is another's; so it is under keepalived. Without a name it is the one in which
/// the daemon was started, which `net_namespace` has it leave.
#[test]
fn the_table_is_in_another_namespace() -> Outcome {
    let mut stage = Stage::new()?;
    let (ours, other) = (stage.ours.netns.name().to_owned(), stage.theirs.netns.name().to_owned());
    let config = service("lb_algo rr\n    lb_kind NAT", "", TCP);
    let named = format!("net_namespace_ipvs {other}\n{config}");
    let both = format!("net_namespace {ours}\nnet_namespace_ipvs\n{config}");
    let mut expected = String::new();
    for (program, config, start) in [
        (Program::Keepalived, &named, &stage.ours),
        (Program::Holdfast, &named, &stage.ours),
        (Program::Holdfast, &both, &stage.theirs),
    ] {
        let mut daemon = Daemon::start(program, start, config)?;
        wait_until("both are in the other table", SETTLED, || Ok(table(&stage.theirs)?.lines().count() == 3))
            .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
        if expected.is_empty() {
            expected = table(&stage.theirs)?;
        }
        assert_eq!((table(&stage.theirs)?, table(&stage.ours)?), (expected.clone(), String::new()));
        if program == Program::Holdfast {
            // A new ipvsd takes over what is there, and takes what dies later out.
            let ipvsd = daemon.process("ipvsd")?;
            ipvsd.signal(nix::sys::signal::SIGKILL);
            wait_until("ipvsd is started again", SETTLED, || {
                Ok(daemon.processes().iter().any(|process| process.name == "ipvsd" && process.pid != ipvsd.pid))
            })?;
            daemon.reload(&config.replacen("net_namespace", "# net_namespace", 1))?;
            daemon.wait_log("stay as they were at the start", SETTLED)?;
            assert_eq!(table(&stage.theirs)?, expected);
        }
        assert!(daemon.terminate()?.success());
        assert_eq!(table(&stage.theirs)?, "");
    }
    let mut daemon = Daemon::start(Program::Holdfast, &stage.ours, &named)?;
    wait_until("both are in the other table", SETTLED, || Ok(table(&stage.theirs)? == expected))?;
    daemon.process("ipvsd")?.signal(nix::sys::signal::SIGKILL);
    stage.kill_web(1);
    wait_until("the dead one is taken out of it", SETTLED, || Ok(table(&stage.theirs)?.lines().count() == 2))
        .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    assert!(daemon.terminate()?.success());
    Ok(())
}

fn rules(host: &Host) -> Outcome<String> {
    run(host.netns.command("nft").args(["list", "ruleset"]))
}

/// `nftables_ipvs` there: the packets that come in there get the mark, so the rules are there, too.
#[test]
fn marks_are_given_where_the_table_is() -> Outcome {
    let stage = Stage::new()?;
    let client = stage.lan.host("client", "192.168.154.100/24")?;
    let other = &stage.theirs;
    other.netns.ip(&format!("addr add 192.168.154.188/24 dev {INTERFACE}"))?;
    let config = service("lb_algo rr\n    lb_kind DR", "", TCP)
        .replace("global_defs {", "global_defs {\n    nftables_ipvs marks")
        .replace("virtual_server 192.168.154.188 80", "virtual_server group G");
    let name = other.netns.name();
    let config = format!(
        "net_namespace_ipvs {name}\nvirtual_server_group G {{\n    192.168.154.188 80\n    192.168.154.193 80\n}}\n{config}"
    );
    let mut daemon = Daemon::start(Program::Holdfast, &stage.ours, &config)?;
    wait_until("both are in the other table", SETTLED, || Ok(table(other)?.lines().count() == 3))
        .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    let (there, full) = (rules(other)?, table(other)?);
    assert!(full.starts_with("-A -f 1000 ") && there.contains("192.168.154.193"), "{full}{there}");
    assert_eq!((rules(&stage.ours)?, table(&stage.ours)?), (String::new(), String::new()));
    let vip: SocketAddr = "192.168.154.188:80".parse()?;
    let get = || client.netns.enter(|| http::get(vip, "/", Duration::from_secs(3)));
    wait_until("both web servers answer through the mark", SETTLED, || {
        let (one, two) = (get()?, get()?);
        Ok(one.is_ok() && two.is_ok() && one.ok() != two.ok())
    })
    .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    let ipvsd = daemon.process("ipvsd")?;
    ipvsd.signal(SIGKILL);
    wait_until("ipvsd is started again", SETTLED, || {
        Ok(daemon.processes().iter().any(|process| process.name == "ipvsd" && process.pid != ipvsd.pid))
    })?;
    daemon.reload(&config.replace("192.168.154.193 80", "192.168.154.195 80"))?;
    wait_until("the new ipvsd changes what is there", SETTLED, || Ok(rules(other)?.contains("192.168.154.195")))
        .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    assert_eq!((rules(&stage.ours)?, table(other)?), (String::new(), full));
    assert!(daemon.terminate()?.success());
    assert_eq!((rules(other)?, table(other)?), (String::new(), String::new()));
    Ok(())
}
