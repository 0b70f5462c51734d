//! Other multicast groups than the assigned ones: `mcast_dst_ip`, `vrrp_mcast_group4`, `vrrp_mcast_group6`; and what `vrrp_strict` changes
//! in adverts.

use crate::{Dialect, agree, ours_first, same_adverts, same_bytes, theirs_first, v2, v3, v6};
use std::time::Duration;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::Outcome;
use tests::frame::Advert;
use tests::pair::{Pair, SOON, with_log};

fn of_instance(config: Vrrp, is_a: bool) -> Vrrp {
    v3(config.line("mcast_dst_ip 224.0.0.77"), is_a)
}

/// The address of an instance goes before that of all.
fn of_both(config: Vrrp, is_a: bool) -> Vrrp {
    of_instance(config.global("vrrp_mcast_group4 239.129.1.2"), is_a)
}

fn of_all(config: Vrrp, is_a: bool) -> Vrrp {
    v2(config.global("vrrp_mcast_group4 239.129.1.2"), is_a)
}

fn of_instance_ipv6(config: Vrrp, is_a: bool) -> Vrrp {
    v6(config.line("mcast_dst_ip ff02::1:77"), is_a)
}

fn of_all_ipv6(config: Vrrp, is_a: bool) -> Vrrp {
    v6(config.global("vrrp_mcast_group6 ff02::1:78"), is_a)
}

#[test]
fn the_group_of_an_instance_ours_is_master() -> Outcome {
    agree(ours_first(), of_both)
}

#[test]
fn the_group_of_an_instance_theirs_is_master() -> Outcome {
    agree(theirs_first(), of_instance)
}

#[test]
fn the_group_of_all_ours_is_master() -> Outcome {
    agree(ours_first(), of_all)
}

#[test]
fn the_group_of_all_theirs_is_master() -> Outcome {
    agree(theirs_first(), of_all)
}

#[test]
fn the_ipv6_group_of_an_instance_ours_is_master() -> Outcome {
    agree(ours_first(), of_instance_ipv6)
}

#[test]
fn the_ipv6_group_of_all_theirs_is_master() -> Outcome {
    agree(theirs_first(), of_all_ipv6)
}

/// They are sent to `ethernet` in the frame (RFC 1112 §6.4: 23 bits of the address; RFC 2464 §7: 32 bits), to `group` in the packet.
fn sent_to(dialect: Dialect, ethernet: [u8; 6], group: &str) -> Outcome {
    let config = dialect(Vrrp::master(100), true);
    for advert in same_adverts(&config)? {
        assert_eq!(&advert[..6], ethernet, "{config}");
        let destination = Advert::read(&advert).map(|advert| advert.destination.to_string());
        assert_eq!(destination.as_deref(), Some(group), "{config}");
    }
    Ok(())
}

#[test]
fn same_bytes_to_the_group_of_an_instance() -> Outcome {
    sent_to(of_both, [0x01, 0x00, 0x5e, 0x00, 0x00, 0x4d], "224.0.0.77")
}

#[test]
fn same_bytes_to_the_group_of_all() -> Outcome {
    sent_to(of_all, [0x01, 0x00, 0x5e, 0x01, 0x01, 0x02], "239.129.1.2")
}

#[test]
fn same_bytes_to_an_ipv6_group() -> Outcome {
    sent_to(of_instance_ipv6, [0x33, 0x33, 0, 1, 0, 0x77], "ff02::1:77")?;
    sent_to(of_all_ipv6, [0x33, 0x33, 0, 1, 0, 0x78], "ff02::1:78")
}

/// One that listens to the assigned group hears nothing of a master that uses another.
#[test]
fn groups_are_apart() -> Outcome {
    let pair = Pair::new()?;
    let one = Daemon::start(Program::under_test(), &pair.a, &of_all(Vrrp::master(100), true).to_string())?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    let two = Daemon::start(Program::under_test(), &pair.b, &Vrrp::backup(90).to_string())?;
    two.wait_log("Entering MASTER STATE", SOON)?;
    std::thread::sleep(Duration::from_millis(2_500));
    for daemon in [one, two] {
        assert_eq!(daemon.log().matches("Entering BACKUP STATE").count(), 1, "that of the start:\n{}", daemon.log());
    }
    Ok(())
}

/// No authentication, and version 3 for IPv6.
#[test]
fn same_bytes_strict() -> Outcome {
    for config in [
        Vrrp::master(100).password("s3cret").line("accept"),
        Vrrp::backup(255).line("version 3"),
        v6(Vrrp::master(100), true).line("version 2"),
    ] {
        same_bytes(&config.global("vrrp_strict"))?;
    }
    Ok(())
}
