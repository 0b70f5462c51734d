//! Signed adverts: the trailer byte by byte, and every reason to refuse one.

use super::*;
use alloc::vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use ipc::config::Secret;

const SENDER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 8));
const BODY: [u8; 20] = [0x21, 51, 100, 1, 0, 1, 0xaa, 0xbb, 10, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0];
const DAY: Duration = Duration::from_secs(1_800_000_000);

fn conf(mode: HmacMode, anti_replay: AntiReplay) -> Hmac {
    let key = |n: u8| HmacKey::Bytes(Secret::new(vec![n; 32]));
    Hmac { keys: vec![(1, key(1)), (2, key(2))], active: 1, anti_replay, window: Duration::from_secs(5), mode }
}

fn signatures(conf: Hmac) -> Signatures {
    Signatures { conf, peers: None, sent: None, heard: Vec::new(), skew: Duration::ZERO }
}

fn enforce() -> Signatures {
    signatures(conf(HmacMode::Enforce, AntiReplay::Time))
}

fn at(seconds: i64) -> Duration {
    Duration::from_secs(1_800_000_000u64.saturating_add_signed(seconds))
}

/// Worked out by hand with Python's hmac module: HMAC-SHA256 of pseudo-header, advert without checksum, trailer without HMAC.
#[test]
fn the_trailer() {
    let day = Duration::new(0x6553_f100, 500_000_000);
    let trailer = enforce().sign(SENDER, &BODY, day).unwrap();
    assert_eq!(trailer[..12], [1, 1, 0, 0, 0x65, 0x53, 0xf1, 0x00, 0x80, 0, 0, 0]);
    assert_eq!(
        trailer[12..],
        [0x0a, 0x35, 0xd4, 0x61, 0x99, 0xf6, 0x52, 0x8a, 0xd8, 0x30, 0xa7, 0x79, 0x1b, 0x9a, 0x99, 0x07]
    );
    let mut other_sum = BODY;
    other_sum[6] = 0;
    assert!(enforce().check(Some(&trailer), SENDER, &other_sum, day).is_ok(), "the checksum is not covered");
}

#[test]
fn what_is_signed_is_heard() {
    for mode in [HmacMode::Enforce, HmacMode::Permissive] {
        let (mut us, mut them) = (enforce(), signatures(conf(mode, AntiReplay::Time)));
        for n in 0..5 {
            let trailer = us.sign(SENDER, &BODY, at(n)).unwrap();
            assert_eq!(them.check(Some(&trailer), SENDER, &BODY, at(n)), Ok(()));
        }
    }
    let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let trailer = enforce().sign(six, &BODY, DAY).unwrap();
    assert_eq!(enforce().check(Some(&trailer), six, &BODY, DAY), Ok(()));
}

#[test]
fn each_mode_with_and_without_a_signature() {
    let good = enforce().sign(SENDER, &BODY, DAY).unwrap();
    let mut bad = good;
    bad[27] ^= 1;
    for (mode, unsigned, signs) in [
        (HmacMode::Enforce, Err(Reject::Unsigned), true),
        (HmacMode::Permissive, Ok(()), true),
        (HmacMode::ReceiveOnly, Ok(()), false),
    ] {
        let new = || signatures(conf(mode, AntiReplay::Time));
        assert_eq!(new().check(None, SENDER, &BODY, DAY), unsigned);
        assert_eq!(new().check(Some(&good), SENDER, &BODY, DAY), Ok(()));
        assert_eq!(new().check(Some(&bad), SENDER, &BODY, DAY), Err(Reject::Forged));
        assert_eq!(new().sign(SENDER, &BODY, DAY).is_some(), signs);
    }
}

#[test]
fn every_reason_to_refuse() {
    let good = enforce().sign(SENDER, &BODY, DAY).unwrap();
    let with = |at: usize, value: u8| {
        let mut trailer = good;
        trailer[at] = value;
        enforce().check(Some(&trailer), SENDER, &BODY, DAY)
    };
    assert_eq!(with(0, 2), Err(Reject::Trailer));
    assert_eq!(with(2, 1), Err(Reject::Trailer));
    assert_eq!(with(1, 9), Err(Reject::UnknownKey));
    assert_eq!(with(1, 2), Err(Reject::Forged), "the other key");
    assert_eq!(with(4, 0), Err(Reject::Stale));
    for (at, byte) in good.iter().enumerate().skip(8) {
        assert_eq!(with(at, !byte), Err(Reject::Forged), "byte {at}");
    }
    assert_eq!(enforce().check(Some(&good[..27]), SENDER, &BODY, DAY), Err(Reject::Trailer));
    assert_eq!(enforce().check(Some(&good), OTHER, &BODY, DAY), Err(Reject::Forged), "the sender is covered");
    let mut body = BODY;
    body[2] = 0;
    assert_eq!(enforce().check(Some(&good), SENDER, &body, DAY), Err(Reject::Forged), "the priority is covered");
    for (late, expected) in [(5, Ok(())), (6, Err(Reject::Stale)), (-5, Ok(())), (-6, Err(Reject::Stale))] {
        assert_eq!(enforce().check(Some(&good), SENDER, &BODY, at(late)), expected, "{late} s");
    }
}

#[test]
fn nothing_counts_twice() {
    let mut us = enforce();
    let first = us.sign(SENDER, &BODY, DAY).unwrap();
    let second = us.sign(SENDER, &BODY, DAY).unwrap();
    let mut them = enforce();
    assert_eq!(them.check(Some(&second), SENDER, &BODY, DAY), Ok(()));
    assert_eq!(them.check(Some(&second), SENDER, &BODY, DAY), Err(Reject::Replayed));
    assert_eq!(them.check(Some(&first), SENDER, &BODY, DAY), Err(Reject::Replayed));
    // What does not count does not move the mark.
    let mut forged = us.sign(SENDER, &BODY, DAY).unwrap();
    forged[20] ^= 1;
    assert_eq!(them.check(Some(&forged), SENDER, &BODY, DAY), Err(Reject::Forged));
    let third = us.sign(SENDER, &BODY, DAY).unwrap();
    assert_eq!(them.check(Some(&third), SENDER, &BODY, DAY), Ok(()));
}

#[test]
fn a_clock_that_is_set_back() {
    // Within the window the count goes on, so that nothing is lost.
    let (mut us, mut them) = (enforce(), enforce());
    for seconds in [0, -3] {
        let trailer = us.sign(SENDER, &BODY, at(seconds)).unwrap();
        assert_eq!(them.check(Some(&trailer), SENDER, &BODY, at(0)), Ok(()));
    }
    // Farther back the clock is right now, and the receiver's mark is of no use any more.
    let trailer = us.sign(SENDER, &BODY, at(-60)).unwrap();
    assert_eq!(them.check(Some(&trailer), SENDER, &BODY, at(-60)), Ok(()));
    // With `monotonic` the count goes on whatever the clock says, and the clock of the receiver does not matter.
    let monotonic = || signatures(conf(HmacMode::Enforce, AntiReplay::Monotonic));
    let (mut us, mut them) = (monotonic(), monotonic());
    for seconds in [0, -60, 60] {
        let trailer = us.sign(SENDER, &BODY, at(seconds)).unwrap();
        assert_eq!(them.check(Some(&trailer), SENDER, &BODY, Duration::ZERO), Ok(()));
    }
}

#[test]
fn a_key_is_replaced_without_a_gap() {
    let (mut old, mut new) = (conf(HmacMode::Enforce, AntiReplay::Time), conf(HmacMode::Enforce, AntiReplay::Time));
    old.active = 1;
    new.active = 2;
    let (mut us, mut them) = (signatures(old), signatures(new.clone()));
    let trailer = us.sign(SENDER, &BODY, DAY).unwrap();
    assert_eq!(them.check(Some(&trailer), SENDER, &BODY, DAY), Ok(()));
    us = us.reconfigured(signatures(new));
    let next = us.sign(SENDER, &BODY, DAY).unwrap();
    assert_eq!(next[1], 2);
    assert_eq!(them.check(Some(&next), SENDER, &BODY, DAY), Ok(()));
    // A reload forgets nothing.
    them = them.reconfigured(enforce());
    assert_eq!(them.check(Some(&trailer), SENDER, &BODY, DAY), Err(Reject::Replayed));
}

#[test]
fn only_peers_count_with_unicast() {
    let mut them = enforce();
    them.peers = Some(vec![OTHER]);
    let trailer = enforce().sign(SENDER, &BODY, DAY).unwrap();
    assert_eq!(them.check(Some(&trailer), SENDER, &BODY, DAY), Err(Reject::Source));
    let trailer = enforce().sign(OTHER, &BODY, DAY).unwrap();
    assert_eq!(them.check(Some(&trailer), OTHER, &BODY, DAY), Ok(()));
}

#[test]
fn senders_are_remembered_up_to_a_limit() {
    let mut them = enforce();
    for n in 0..100u8 {
        let sender = IpAddr::V4(Ipv4Addr::new(10, 0, 1, n));
        let trailer = enforce().sign(sender, &BODY, DAY).unwrap();
        assert_eq!(them.check(Some(&trailer), sender, &BODY, DAY), Ok(()));
        assert_eq!(them.check(Some(&trailer), sender, &BODY, DAY), Err(Reject::Replayed));
        assert!(them.heard.len() <= SENDERS);
    }
}
