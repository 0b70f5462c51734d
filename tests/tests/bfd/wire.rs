//! How far packets may come from, the port of sessions over several hops, and when packets are sent.

use super::{UP, addresses, said, wait_up};
use std::net::IpAddr;
use std::time::Duration;
use tests::daemon::{Daemon, Program};
use tests::failure::{Failure, Outcome, wait_until};
use tests::frame::Bfd;
use tests::frr::Frr;
use tests::lan::Host;
use tests::pair::{Pair, SOON, with_log};

/// A session at 100 ms, which a checker wants.
fn session(own: IpAddr, other: IpAddr, options: &str) -> String {
    format!(
        "bfd_instance other {{\n    neighbor_ip {other}\n    source_ip {own}\n    min_rx 100\n    min_tx 100\n    multiplier 3\n    \
         {options}\n}}\nvrrp_instance VI_1 {{\n    interface ens33\n    state BACKUP\n    virtual_router_id 51\n    priority 100\n    \
         virtual_ipaddress {{\n        192.168.154.188\n    }}\n    track_bfd {{\n        other weight 1\n    }}\n}}\n"
    )
}

/// Who sends with TTL 254 has come over one hop: with `max_hops 1` the session comes up, without it is not heard.
fn hops(program: Program) -> Outcome {
    for (allowed, comes_up) in [("", false), ("max_hops 1", true)] {
        let pair = Pair::new()?;
        let [a, b] = addresses(&pair, false);
        let one = Daemon::start(program, &pair.a, &session(a, b, allowed))?;
        let two = Daemon::start(Program::Keepalived, &pair.b, &session(b, a, "ttl 254"))?;
        if comes_up {
            wait_up(&one).map_err(|failure| with_log(&failure, &one))?;
            wait_up(&two).map_err(|failure| with_log(&failure, &two))?;
            assert!(said(&pair, &pair.b).iter().all(|(_, packet)| packet.ttl == 254));
        } else {
            std::thread::sleep(Duration::from_secs(4));
            assert!(!one.log().contains("(other) Entering Up state"), "{allowed}: {}", one.log());
            assert!(!said(&pair, &pair.b).is_empty());
        }
    }
    Ok(())
}

#[test]
fn theirs_hears_no_further_than_max_hops() -> Outcome {
    hops(Program::Keepalived)
}

#[test]
fn ours_hears_no_further_than_max_hops() -> Outcome {
    hops(Program::Holdfast)
}

/// keepalived 2.2.7 knows no `multihop`, so FRR's bfdd is the other end: port 4784 both ways (RFC 5883 §5).
#[test]
fn a_multihop_session_with_frr() -> Outcome {
    let pair = Pair::new()?;
    let [a, b] = addresses(&pair, false);
    let conf = format!(
        "bfd\n peer {a} multihop local-address {b}\n  receive-interval 100\n  transmit-interval 100\n  detect-multiplier 3\n  \
         no shutdown\n"
    );
    let _frr = Frr::bfd(&pair.b, &conf)?;
    let one = Daemon::start(Program::Holdfast, &pair.a, &session(a, b, "multihop on\n    max_hops 255"))?;
    wait_up(&one).map_err(|failure| with_log(&failure, &one))?;
    std::thread::sleep(Duration::from_secs(1));
    for host in [&pair.a, &pair.b] {
        let packets = said(&pair, host);
        let last = packets.last().ok_or_else(|| Failure::new("nothing is said"))?.1;
        assert_eq!((last.port, last.state), (4784, UP), "{last:?}");
    }
    let text = one.log();
    assert_eq!(text.matches("(other) Entering Up state").count(), 1, "{text}");
    Ok(())
}

/// A session over several hops and one over a single one are not the same (RFC 5881 §4, RFC 5883 §5).
#[test]
fn the_ports_are_apart() -> Outcome {
    let pair = Pair::new()?;
    let [a, b] = addresses(&pair, false);
    let one = Daemon::start(Program::Holdfast, &pair.a, &session(a, b, "multihop on"))?;
    let two = Daemon::start(Program::Keepalived, &pair.b, &session(b, a, ""))?;
    std::thread::sleep(Duration::from_secs(4));
    for daemon in [&one, &two] {
        assert!(!daemon.log().contains("(other) Entering Up state"), "{}", daemon.log());
    }
    assert!(said(&pair, &pair.a).iter().all(|(_, packet)| packet.port == 4784));
    assert!(said(&pair, &pair.b).iter().all(|(_, packet)| packet.port == 3784));
    Ok(())
}

/// The times between packets of an end that is up, in tenths of a millisecond, in order of their length.
fn gaps(pair: &Pair, host: &Host) -> Vec<u128> {
    let packets: Vec<_> = said(pair, host).into_iter().filter(|(_, Bfd { flags, .. })| *flags == 0).collect();
    let pairs = packets.windows(2);
    let mut gaps: Vec<u128> =
        pairs.map(|two| two[1].0.duration_since(two[0].0).unwrap_or_default().as_micros() / 100).collect();
    gaps.sort_unstable();
    gaps
}

/// RFC 5880 §6.8.7: the interval less 0 to 25 %, with a multiplier of 1 less 10 to 25 %.
#[test]
fn packets_are_sent_with_jitter() -> Outcome {
    let pair = Pair::new()?;
    let [a, b] = addresses(&pair, false);
    let single = |config: String| config.replace("multiplier 3", "multiplier 1");
    let one = Daemon::start(Program::Holdfast, &pair.a, &single(session(a, b, "")))?;
    let two = Daemon::start(Program::Holdfast, &pair.b, &session(b, a, ""))?;
    let mut seen = Vec::new();
    // On a busy machine packets are late, and the session with a multiplier of 1 ends with one that is 10 ms late. That makes gaps longer:
    // one quiet round shows how they are spread. None is too short in any round.
    for _ in 0..ROUNDS {
        for daemon in [&one, &two] {
            wait_until("the session is up", SOON, || Ok(is_up(&daemon.log()))).map_err(|f| with_log(&f, daemon))?;
        }
        pair.wire.clear();
        std::thread::sleep(Duration::from_secs(5));
        let verdicts = [spread(&pair, &pair.a, 900)?, spread(&pair, &pair.b, 1000)?];
        if verdicts.iter().all(Result::is_ok) {
            return Ok(());
        }
        seen.extend(verdicts.into_iter().filter_map(Result::err));
    }
    Err(Failure::new(format!("no round of {ROUNDS} has the spread: {}", seen.join("; "))))
}

/// How many times the spread is measured before it counts as wrong.
const ROUNDS: usize = 6;

/// Whether the last that was said of the session is that it is up.
fn is_up(log: &str) -> bool {
    let last = |what: &str| log.rfind(&format!("(other) Entering {what} state"));
    last("Up").is_some_and(|up| last("Down").is_none_or(|down| down < up))
}

/// Whether the gaps are spread evenly from 75 ms to the longest, in tenths of a millisecond; else what they are. Fails when they are too
/// short, which no load makes them.
fn spread(pair: &Pair, host: &Host, longest: u128) -> Outcome<Result<(), String>> {
    let gaps = gaps(pair, host);
    let at = |percent: usize| gaps.get(gaps.len() * percent / 100).copied().unwrap_or(0);
    let shown = format!("{}: {} gaps: {} {} {} {} {}", host.name, gaps.len(), at(5), at(25), at(50), at(75), at(95));
    println!("{shown}");
    // A packet that is late brings the next one nearer; on the whole they are late alike.
    if gaps.len() >= 20 && at(25) < 735 {
        return Err(Failure::new(format!("too short: {shown}")));
    }
    let middle = (750 + longest) / 2;
    let is_even = gaps.len() > 40
        && at(5) >= 735
        && at(95) <= longest + 150
        && at(50).abs_diff(middle) < 40
        && at(90).saturating_sub(at(10)) > (longest - 750) / 2;
    Ok(if is_even { Ok(()) } else { Err(shown) })
}
