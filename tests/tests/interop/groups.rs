//! Sync groups: two instances on two links, ours on one router and keepalived on the other.

use crate::{ours_first, theirs_first};
use std::time::Duration;
use tests::config::VIP;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::lan::Host;
use tests::pair::{Pair, SOON, with_log};

/// The link of the second member.
const OTHER: &str = "ens34";

/// The address of the second member.
const OTHER_VIP: &str = "192.168.155.188";

/// Both members of a group, of the same priority.
fn config(state: &str, priority: u8) -> String {
    let instance = |name: &str, interface: &str, vrid: u8, vip: &str| {
        format!(
            "vrrp_instance {name} {{\n    state {state}\n    interface {interface}\n    virtual_router_id {vrid}\n    \
             priority {priority}\n    advert_int 1\n    virtual_ipaddress {{\n        {vip}\n    }}\n}}\n"
        )
    };
    format!(
        "vrrp_sync_group G {{\n    group {{\n        VI_1\n        VI_2\n    }}\n}}\n{}{}",
        instance("VI_1", "ens33", 51, VIP),
        instance("VI_2", OTHER, 52, OTHER_VIP)
    )
}

/// Whether it has the addresses of both members; none while it has one of them.
fn has_both(host: &Host) -> Outcome<Option<bool>> {
    let other = host.netns.ip(&format!("-o -4 addr show dev {OTHER}"))?.contains(OTHER_VIP);
    Ok((host.has(VIP)? == other).then_some(other))
}

fn wait_both(host: &Host, daemon: &Daemon, what: &str, has: bool) -> Outcome {
    wait_until(&format!("{} {what}", host.name), SOON * 2, || Ok(has_both(host)? == Some(has)))
        .map_err(|failure| with_log(&failure, daemon))
}

/// One link of the master fails and comes back; then one of the backup, which does not take over until it is back.
fn moves_as_one(programs: [Program; 2]) -> Outcome {
    let pair = Pair::new()?;
    for (host, address) in [(&pair.a, "192.168.155.10/24"), (&pair.b, "192.168.155.11/24")] {
        pair.lan.second(host, OTHER)?;
        host.netns.ip(&format!("addr add {address} dev {OTHER}"))?;
    }
    let link = |host: &Host, to: &str| host.netns.ip(&format!("link set {OTHER} {to}"));
    let mut one = Daemon::start(programs[0], &pair.a, &config("MASTER", 100))?;
    wait_both(&pair.a, &one, "is master of both", true)?;
    let two = Daemon::start(programs[1], &pair.b, &config("BACKUP", 90))?;
    two.wait_log("(VI_2) Entering BACKUP STATE", SOON)?;

    link(&pair.a, "down")?;
    wait_both(&pair.b, &two, "takes both over", true)?;
    wait_both(&pair.a, &one, "has let go of both", false)?;
    link(&pair.a, "up")?;
    wait_both(&pair.a, &one, "has both again", true)?;
    wait_both(&pair.b, &two, "has given both back", false)?;

    link(&pair.b, "down")?;
    two.wait_log("(VI_2) Entering FAULT STATE", SOON)?;
    assert!(one.terminate()?.success());
    pair.wire.clear();
    // Longer than it takes a backup to notice.
    std::thread::sleep(Duration::from_millis(4_500));
    assert_eq!(pair.adverts_of(&pair.b), [], "a member in FAULT holds the other back:\n{}", two.log());
    assert_eq!(has_both(&pair.b)?, Some(false));
    link(&pair.b, "up")?;
    wait_both(&pair.b, &two, "is master of both", true)
}

#[test]
fn a_group_moves_as_one_ours_is_master() -> Outcome {
    moves_as_one(ours_first())
}

#[test]
fn a_group_moves_as_one_theirs_is_master() -> Outcome {
    moves_as_one(theirs_first())
}
