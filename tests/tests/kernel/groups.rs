//! `track_group`: instances that depend on static addresses, routes and rules.

use nix::sys::signal::SIGKILL;
use std::time::Duration;
use tests::alone::{Alone, SOON, Shown};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::pair::with_log;

/// The virtual address.
const VIP: &str = "10.9.0.188";

const INSTANCE: &str = "vrrp_instance A {
 interface ens33
 virtual_router_id 5
 priority 100
 advert_int 0.2
 version 3
 virtual_ipaddress {
  10.9.0.188
 }
}
";

/// An address and a route over an interface that comes and goes, and a rule.
const STATICS: &str = "track_group G {
 group {
  A
 }
}
static_ipaddress {
 10.77.0.1/24 dev x0 track_group G
}
static_routes {
 10.78.0.0/16 via 10.77.0.2 dev x0 track_group G
}
static_rules {
 from 10.78.0.0/16 table 78 iif x0 preference 780 track_group G
}
";

fn make(alone: &Alone) -> Outcome {
    alone.host.netns.ip("link add x0 type veth peer name x1")?;
    alone.host.netns.ip("link set x1 up")?;
    alone.host.netns.ip("link set x0 up")?;
    Ok(())
}

fn is(alone: &Alone, daemon: &Daemon, shown: Shown) -> Outcome {
    alone.wait_shows("-o addr show dev ens33", shown, &[VIP]).map_err(|failure| with_log(&failure, daemon))
}

/// The same is seen of both.
fn comes_and_goes(program: Program) -> Outcome {
    let alone = Alone::new()?;
    make(&alone)?;
    let ip = |arguments: &str| alone.host.netns.ip(arguments);
    let mut daemon = Daemon::start(program, &alone.host, &format!("{STATICS}{INSTANCE}"))?;
    is(&alone, &daemon, Shown::All)?;
    // What can be put back was never missing.
    for arguments in ["addr del 10.77.0.1/24 dev x0", "rule del preference 780"] {
        ip(arguments)?;
        alone.wait_shows("-o addr show dev x0", Shown::All, &["10.77.0.1/24"])?;
        alone.wait_shows("rule", Shown::All, &["780:"])?;
    }
    assert!(!daemon.log().to_lowercase().contains("entering fault state"), "{}", daemon.log());
    // The interface down, and up again.
    ip("link set x0 down")?;
    is(&alone, &daemon, Shown::None)?;
    ip("link set x0 up")?;
    is(&alone, &daemon, Shown::All)?;
    // Gone, and there again.
    ip("link del x0")?;
    is(&alone, &daemon, Shown::None)?;
    make(&alone)?;
    is(&alone, &daemon, Shown::All)?;
    daemon.terminate()?;
    Ok(())
}

#[test]
fn instances_follow_what_is_static_as_with_keepalived() -> Outcome {
    comes_and_goes(Program::Keepalived)?;
    comes_and_goes(Program::under_test())
}

/// Refused by the kernel: the interface is up, and IPv6 is off on it.
#[test]
fn what_the_kernel_refuses_is_missing_after_a_crash_and_a_reload_too() -> Outcome {
    let alone = Alone::new()?;
    make(&alone)?;
    alone.host.netns.sysctl("ipv6/conf/x0/disable_ipv6", "1")?;
    let group = "track_group G {\n group {\n A\n }\n}\n";
    let statics = |group| format!("static_ipaddress {{\n fd77::1/64 dev x0 {group}\n}}\n");
    let tracked = format!("{group}{}{INSTANCE}", statics("track_group G"));
    let daemon = alone.start(&tracked)?;
    daemon.wait_log("of track_group G is missing", SOON)?;
    for child in ["vrrpd", "ipvsd"] {
        let process = daemon.process(child)?;
        process.signal(SIGKILL);
        wait_until("another one", SOON, || Ok(daemon.process(child)?.pid != process.pid))?;
        std::thread::sleep(Duration::from_millis(1_500));
        is(&alone, &daemon, Shown::None)?;
    }
    daemon.reload(&format!("{group}{}{INSTANCE}", statics("")))?;
    is(&alone, &daemon, Shown::All)?;
    daemon.reload(&tracked)?;
    is(&alone, &daemon, Shown::None)?;
    alone.host.netns.sysctl("ipv6/conf/x0/disable_ipv6", "0")?;
    wait_until("it is tried again", Duration::from_secs(20), || {
        Ok(alone.lines("-o addr show dev ens33")?.iter().any(|line| line.contains(VIP)))
    })
    .map_err(|failure| with_log(&failure, &daemon))
}
