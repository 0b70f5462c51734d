//! What is dropped is counted under the reason that keepalived counts it under.

use crate::{send, speaker, with_checksum};
use std::time::Duration;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::Outcome;
use tests::pair::{Pair, with_log};

/// The parts of an advert that the receiver looks at, of virtual router 51 with one address.
struct Advert {
    first: u8,
    count: u8,
    auth: u8,
    interval: u8,
    data: [u8; 8],
}

impl Advert {
    const PASS: Advert = Advert { first: 0x21, count: 1, auth: 1, interval: 1, data: *b"1234\0\0\0\0" };

    fn bytes(&self) -> Vec<u8> {
        let header = vec![self.first, 51, 90, self.count, self.auth, self.interval, 0, 0];
        with_checksum([header, vec![192, 168, 154, 188], self.data.to_vec()].concat())
    }
}

/// Rows of the order of checks, each sent another number of times: what it is, how often, the packet.
fn rows() -> Vec<(&'static str, usize, Vec<u8>)> {
    let good = Advert::PASS.bytes();
    let mut no_sum = good.clone();
    no_sum[6] ^= 0xff;
    vec![
        ("cut off", 1, good[..16].to_vec()),
        ("too long", 2, [good.clone(), vec![0; 4]].concat()),
        ("fewer addresses than it says", 3, Advert { count: 2, ..Advert::PASS }.bytes()),
        ("another version, which makes it too long", 4, Advert { first: 0x31, ..Advert::PASS }.bytes()),
        ("another version", 14, with_checksum([vec![0x31], good[1..12].to_vec()].concat())),
        ("another address", 15, {
            let mut other = good.clone();
            other[11] = 1;
            with_checksum(other)
        }),
        ("another authentication", 5, Advert { auth: 0, data: [0; 8], ..Advert::PASS }.bytes()),
        ("an unknown authentication", 6, Advert { auth: 9, ..Advert::PASS }.bytes()),
        ("another password", 7, Advert { data: *b"4321\0\0\0\0", ..Advert::PASS }.bytes()),
        ("another interval", 8, Advert { interval: 7, ..Advert::PASS }.bytes()),
        ("no advertisement", 9, Advert { first: 0x22, ..Advert::PASS }.bytes()),
        ("another checksum", 10, no_sum),
        ("two of the wrong things: the password and the interval", 11, {
            Advert { interval: 7, data: *b"4321\0\0\0\0", ..Advert::PASS }.bytes()
        }),
        ("two of the wrong things: the version and the kind", 12, Advert { first: 0x32, ..Advert::PASS }.bytes()),
    ]
}

/// The statistics of a master that was sent all of them, and some with another TTL.
fn counted(program: Program) -> Outcome<Vec<String>> {
    let pair = Pair::new()?;
    let stranger = pair.lan.host("stranger", "192.168.154.66/24")?;
    let config = Vrrp::master(100).password("1234").to_string();
    let daemon = Daemon::start_dumping(program, &pair.a, &config)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &daemon))?;
    for (_, times, packet) in rows() {
        for _ in 0..times {
            send(&stranger, std::slice::from_ref(&packet))?;
            // keepalived takes one packet of a virtual router in one turn.
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let (socket, to) = speaker(&stranger)?;
    socket.set_multicast_ttl_v4(254)?;
    for _ in 0..13 {
        socket.send_to(&Advert::PASS.bytes(), &to)?;
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(300));
    let text = daemon.dumped("STATS", "keepalived.stats")?;
    let errors = text.lines().skip_while(|line| !line.contains("Packet Errors"));
    Ok(errors.take_while(|line| !line.contains("Priority Zero")).map(|line| line.trim().to_owned()).collect())
}

#[test]
fn what_is_dropped_is_counted_as_by_keepalived() -> Outcome {
    let theirs = counted(Program::Keepalived)?;
    let ours = counted(Program::Holdfast)?;
    // keepalived 2.2.7 drops an advert with another interval and counts it nowhere; RFC 6527 has vrrpAdvIntervalErrors for it.
    let without = "Advertisement Interval: 0".to_owned();
    assert!(theirs.contains(&without), "{theirs:?}");
    let interval = |line: String| if line == "Advertisement Interval: 8" { without.clone() } else { line };
    assert_eq!(ours.into_iter().map(interval).collect::<Vec<_>>(), theirs);
    assert!(theirs.iter().filter(|line| !line.ends_with(": 0")).count() > 6, "{theirs:?}");
    Ok(())
}
