//! The order of the checks: what is wrong in two ways is dropped, and counted, for the one that comes first. COMPAT: keepalived 2.4.3.

use super::*;
use crate::stats::{Signed, Stats};
use alloc::collections::BTreeSet;
use alloc::string::String;

/// One thing that can be wrong with a packet to a router that has a password, and why it is dropped then.
type Row = (&'static str, Reject, fn(&mut Vec<u8>));

/// In the order of the checks. All change the packet in place, so that they go together; [`finish`] makes the checksum fit.
const ROWS: [Row; 9] = [
    ("more addresses than there are", Reject::Length, |p| p[23] = 3),
    ("forwarded", Reject::Ttl, |p| p[8] = 254),
    // The length of version 3 is another one, so with a password this is found by that: see `version_has_a_row_of_its_own`.
    ("unknown authentication", Reject::AuthUnknown, |p| p[24] = 9),
    ("another password", Reject::AuthFailure, |p| p[36] ^= 1),
    ("another interval", Reject::Interval, |p| p[25] = 7),
    ("no advertisement", Reject::Type, |p| p[20] = 0x22),
    ("another length in the IP header", Reject::TotalLength, |p| p[3] ^= 4),
    ("another checksum", Reject::Checksum, |p| p[26] ^= 0xff),
    ("to this router alone", Reject::Destination, |p| p[16..20].copy_from_slice(&[10, 0, 0, 1])),
];

/// The packet with these things wrong and, but for the row about it, a checksum that fits.
fn wrong(rows: &[&Row]) -> Vec<u8> {
    let mut bytes = packet(&v2(), GROUP);
    rows.iter().filter(|row| row.1 != Reject::Checksum).for_each(|row| row.2(&mut bytes));
    let (at, value) = (2, bytes[22]);
    bytes = patched(bytes, at, value);
    rows.iter().filter(|row| row.1 == Reject::Checksum).for_each(|row| row.2(&mut bytes));
    bytes
}

#[test]
fn what_is_wrong_twice_is_dropped_for_the_first_reason() {
    for (n, first) in ROWS.iter().enumerate() {
        assert_eq!(receive(&v2(), 100, &wrong(&[first])), Err(first.1), "{}", first.0);
        for second in &ROWS[n + 1..] {
            assert_eq!(receive(&v2(), 100, &wrong(&[first, second])), Err(first.1), "{}, {}", first.0, second.0);
        }
    }
}

#[test]
fn version_has_a_row_of_its_own() {
    // Without authentication data version 2 is as long as version 3 with two words more.
    let conf = conf(Version::V3, Auth::None);
    let good = packet(&conf, GROUP);
    let mut other = good.clone();
    other[20] = 0x41;
    assert_eq!(receive(&conf, 100, &other), Err(Reject::Version));
    other[8] = 254;
    assert_eq!(receive(&conf, 100, &other), Err(Reject::Ttl), "after the TTL");
    other[8] = 255;
    other[26] ^= 1;
    assert_eq!(receive(&conf, 100, &other), Err(Reject::Version), "before the checksum");
}

#[test]
fn the_last_rows_follow_the_checksum() {
    let mut owner = v3();
    owner.owner_ignore_adverts = Switch::On;
    let good = packet(&owner, GROUP);
    let mut bad = good.clone();
    bad[26] ^= 1;
    assert_eq!(receive(&owner, 255, &good), Err(Reject::OwnerIgnores));
    assert_eq!(receive(&owner, 255, &bad), Err(Reject::Checksum));

    let us = IpAddr::from([10, 0, 0, 1]);
    let peers = vec![Peer { addr: IpAddr::from([10, 0, 0, 8]), min_ttl: 0, max_ttl: 255 }];
    owner.transport = Transport::Unicast { peers, ttl: 255, sources: UnicastSources::PeersOnly };
    assert_eq!(receive(&owner, 254, &packet(&owner, us)), Err(Reject::Source));
    assert_eq!(receive(&owner, 255, &packet(&owner, us)), Err(Reject::OwnerIgnores), "before the source");
    assert_eq!(receive(&owner, 254, &packet(&v3(), GROUP)), Err(Reject::Destination), "and so is the destination");
}

/// The reason that is declared after this one; a new one does not compile until it is here.
fn next(why: &Reject) -> Option<Reject> {
    Some(match why {
        Reject::Length => Reject::Ttl,
        Reject::Ttl => Reject::Version,
        Reject::Version => Reject::AuthUnknown,
        Reject::AuthUnknown => Reject::AuthMismatch,
        Reject::AuthMismatch => Reject::AuthFailure,
        Reject::AuthFailure => Reject::Interval,
        Reject::Interval => Reject::Type,
        Reject::Type => Reject::TotalLength,
        Reject::TotalLength => Reject::Checksum,
        Reject::Checksum => Reject::Destination,
        Reject::Destination => Reject::OwnerIgnores,
        Reject::OwnerIgnores => Reject::Source,
        Reject::Source => Reject::AhIndex,
        Reject::AhIndex => Reject::AhReplay,
        Reject::AhReplay => Reject::Unsigned,
        Reject::Unsigned => Reject::Trailer,
        Reject::Trailer => Reject::Stale,
        Reject::Stale => Reject::UnknownKey,
        Reject::UnknownKey => Reject::Forged,
        Reject::Forged => Reject::Replayed,
        Reject::Replayed => return None,
    })
}

/// Each reason has one counter and a bit and words of its own, and it shows in what SIGUSR1 or SIGUSR2 writes.
#[test]
fn every_reason_is_counted() {
    let all: Vec<Reject> = core::iter::successors(Some(Reject::Length), next).collect();
    assert_eq!(all.iter().fold(0, |bits, why| bits | why.bit()), (1 << all.len()) - 1);
    let words: BTreeSet<&str> = all.iter().map(|why| why.text()).collect();
    assert_eq!(words.len(), all.len());
    for why in all {
        let mut stats = Stats::default();
        stats.reject(why);
        let mut text = String::new();
        stats.write("VI", Signed::Yes, &mut text);
        let counted: u64 = stats.rejected().iter().chain(&stats.signatures()).map(|(_, n)| n).sum();
        assert_eq!(counted, 1, "{why:?} in keepalived.data");
        // Those that keepalived.stats has no line for.
        let silent = match why {
            Reject::Checksum | Reject::Version | Reject::Destination | Reject::OwnerIgnores | Reject::Source => 1,
            _ => 0,
        };
        assert_eq!(text.matches(": 1\n").count() + silent, 1, "{why:?} in keepalived.stats: {text}");
    }
}
