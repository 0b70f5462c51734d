//! BFD with Debian's keepalived, each at both ends: the session comes up, what is on the wire is what RFC 5880 and keepalived say, and an
//! instance that tracks it follows within the Detection Time.

mod weights;
mod wire;

use std::net::IpAddr;
use std::time::{Duration, SystemTime};
use tests::capture::Frame;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::{Failure, Outcome};
use tests::frame::Bfd;
use tests::lan::Host;
use tests::pair::{Pair, SOON, with_log};

/// Both ends: our own program first, keepalived first, our own program twice.
const ENDS: [[Program; 2]; 3] = [
    [Program::Holdfast, Program::Keepalived],
    [Program::Keepalived, Program::Holdfast],
    [Program::Holdfast, Program::Holdfast],
];

/// 100 ms both ways, three packets.
const DETECTION: Duration = Duration::from_millis(300);

/// Sta
const DOWN: u8 = 1;
const UP: u8 = 3;

/// What a busy test machine may add.
const SLACK: Duration = Duration::from_millis(400);

fn addresses(pair: &Pair, v6: bool) -> [IpAddr; 2] {
    match v6 {
        false => [pair.a.address.into(), pair.b.address.into()],
        true => ["2001:db8::10".parse().unwrap(), "2001:db8::11".parse().unwrap()],
    }
}

/// A session with the other one, and an instance that tracks it.
fn config(vrrp: Vrrp, own: IpAddr, other: IpAddr, session: &str, track: &str) -> String {
    let bfd = format!(
        "bfd_instance other {{\n    neighbor_ip {other}\n    source_ip {own}\n    min_rx 100\n    min_tx 100\n    multiplier 3\n    \
         {session}\n}}\n"
    );
    format!("{bfd}{}", vrrp.line(format!("track_bfd {{\n        {track}\n    }}")))
}

/// What `host` said by BFD since the recording was last cleared.
fn said(pair: &Pair, host: &Host) -> Vec<(SystemTime, Bfd)> {
    let own = pair.wire.frames().into_iter().filter(|frame| host.sent(frame));
    own.filter_map(|frame| Some((frame.at, frame.bfd()?))).collect()
}

fn wait_up(daemon: &Daemon) -> Outcome {
    daemon.wait_log("(other) Entering Up state", SOON)
}

/// Waits until an advertisement of `host` has that priority, and says when.
fn wait_priority(pair: &Pair, host: &Host, priority: u8) -> Outcome {
    let what = format!("{} advertises {priority}", host.name);
    let has = |frame: &Frame| host.sent(frame) && frame.advert().is_some_and(|advert| advert.priority == priority);
    pair.wire.wait(&what, SOON, has).map(drop)
}

/// The first is master and has 10 more by its session; when the other falls silent it loses that within the Detection Time.
fn weight(programs: [Program; 2], v6: bool) -> Outcome {
    let pair = Pair::with_ipv6()?;
    let [a, b] = addresses(&pair, v6);
    let first = config(Vrrp::master(100), a, b, "", "other weight 10");
    let second = config(Vrrp::backup(50), b, a, "", "other weight -20");
    let one = Daemon::start(programs[0], &pair.a, &first)?;
    let mut two = Daemon::start(programs[1], &pair.b, &second)?;
    for daemon in [&one, &two] {
        wait_up(daemon).map_err(|failure| with_log(&failure, daemon))?;
    }
    wait_priority(&pair, &pair.a, 110).map_err(|failure| with_log(&failure, &one))?;
    pair.wire.clear();
    std::thread::sleep(Duration::from_secs(2));
    for host in [&pair.a, &pair.b] {
        on_the_wire(&said(&pair, host), v6)?;
    }
    for daemon in [&one, &two] {
        let log = daemon.log();
        assert_eq!(log.matches("(other) Entering").count(), 1, "it stays up:\n{log}");
    }

    two.kill_all()?;
    one.wait_log("(other) Entering Down state (Local diagnostic - Control Detection Time Expired", DETECTION + SLACK)?;
    one.wait_log("Changing effective priority from 110 to 100", SLACK)?;
    // Ours says so at once, keepalived when its next packet is due.
    let is_down = |frame: &Frame| pair.a.sent(frame) && frame.bfd().is_some_and(|packet| packet.state == DOWN);
    let down = pair.wire.wait("a says that the session is down", Duration::from_secs(1) + SLACK, is_down)?.bfd();
    let down = down.ok_or_else(|| Failure::new("no packet"))?;
    assert_eq!((down.state, down.diag, down.yours, down.min_tx), (DOWN, 1, 0, 1_000_000));

    // It comes back, and so does the priority.
    pair.wire.clear();
    let _two = Daemon::start(programs[1], &pair.b, &second)?;
    wait_priority(&pair, &pair.a, 110).map_err(|failure| with_log(&failure, &one))
}

/// What one end says while the session is up: every packet whole, from a port of its own in the range of RFC 5881, with the TTL that
/// keepalived has, at the interval less up to a quarter.
fn on_the_wire(packets: &[(SystemTime, Bfd)], v6: bool) -> Outcome {
    let (_, first) = packets.first().ok_or_else(|| Failure::new("no BFD packet"))?;
    assert!(first.source_port >= 49_152, "source port {}", first.source_port);
    for (_, packet) in packets {
        let expected = Bfd {
            ttl: if v6 { 64 } else { 255 },
            port: 3784,
            length: 24,
            version: 1,
            diag: 0,
            state: UP,
            flags: 0,
            multiplier: 3,
            min_tx: 100_000,
            min_rx: 100_000,
            min_echo: 0,
            // These are the session's own, and stay.
            source_port: first.source_port,
            mine: first.mine,
            yours: first.yours,
        };
        assert_eq!(*packet, expected);
    }
    let gaps = packets.windows(2).map(|pair| pair[1].0.duration_since(pair[0].0).unwrap_or_default());
    let mean = gaps.sum::<Duration>() / u32::try_from(packets.len() - 1)?.max(1);
    assert!(mean > Duration::from_millis(80) && mean < Duration::from_millis(100), "{mean:?} between packets");
    Ok(())
}

#[test]
fn ours_with_theirs() -> Outcome {
    weight(ENDS[0], false)
}

#[test]
fn theirs_with_ours() -> Outcome {
    weight(ENDS[1], false)
}

#[test]
fn ours_with_theirs_over_ipv6() -> Outcome {
    weight(ENDS[0], true)
}

#[test]
fn theirs_with_ours_over_ipv6() -> Outcome {
    weight(ENDS[1], true)
}

#[test]
fn ours_with_ours() -> Outcome {
    weight(ENDS[2], false)?;
    weight(ENDS[2], true)
}

/// Without a weight the instance is in FAULT until the session is up, and again as soon as it is not; a neighbour that ends in an
/// orderly way says so, and one end may wait to be spoken to.
fn fault(programs: [Program; 2]) -> Outcome {
    let pair = Pair::new()?;
    let [a, b] = addresses(&pair, false);
    let first = config(Vrrp::master(100), a, b, "passive", "other");
    let second = config(Vrrp::backup(50), b, a, "", "other weight 1");
    let one = Daemon::start(programs[0], &pair.a, &first)?;
    one.wait_log("Entering FAULT STATE", SOON).or_else(|_| one.wait_log("entering FAULT state", SOON))?;
    assert_eq!(said(&pair, &pair.a), [], "passive");
    let mut two = Daemon::start(programs[1], &pair.b, &second)?;
    one.wait_log("Entering MASTER STATE", SOON).map_err(|failure| with_log(&failure, &one))?;
    two.terminate()?;
    let limit = if programs[1] == Program::Holdfast { SLACK } else { DETECTION + SLACK };
    let word =
        if programs[1] == Program::Holdfast { "Neighbor Signaled Session Down" } else { "Detection Time Expired" };
    one.wait_log(word, limit)?;
    one.wait_log("VRRP_Instance(VI_1) Tracked BFD instance other is DOWN", SLACK)?;
    let log = one.log();
    assert!(log.rfind("Entering FAULT STATE") > log.rfind("Entering MASTER STATE"), "{log}");
    pair.wait_released(&pair.a)
}

#[test]
fn a_fault_ours_with_theirs() -> Outcome {
    fault(ENDS[0])
}

#[test]
fn a_fault_theirs_with_ours() -> Outcome {
    fault(ENDS[1])
}

#[test]
fn a_fault_ours_with_ours() -> Outcome {
    fault(ENDS[2])
}

/// A reload to other intervals is agreed by a Poll Sequence while the session stays up; vrrpd that dies as master resumes, and the session
/// comes up again before that counts.
#[test]
fn a_reload_and_a_crash_leave_the_master_alone() -> Outcome {
    let pair = Pair::new()?;
    let [a, b] = addresses(&pair, false);
    // What is counted here is not to depend on how busy the machine is.
    let patient = |config: String| config.replace("multiplier 3", "multiplier 10");
    let first = patient(config(Vrrp::master(100), a, b, "", "other"));
    let second = patient(config(Vrrp::backup(50), b, a, "", "other weight 1"));
    let one = Daemon::start(Program::Holdfast, &pair.a, &first)?;
    let two = Daemon::start(Program::Keepalived, &pair.b, &second)?;
    one.wait_log("Entering MASTER STATE", SOON).map_err(|failure| with_log(&failure, &one))?;
    wait_up(&two)?;

    pair.wire.clear();
    one.reload(&first.replace("min_tx 100", "min_tx 60").replace("min_rx 100", "min_rx 250"))?;
    one.wait_log("Reload complete", SOON)?;
    std::thread::sleep(Duration::from_secs(1));
    let ours = said(&pair, &pair.a);
    let polls = |(_, packet): &&(SystemTime, Bfd)| packet.flags & Bfd::POLL != 0;
    let asked = ours.iter().find(polls).map(|(_, packet)| (packet.min_tx, packet.min_rx));
    assert_eq!(asked, Some((60_000, 250_000)), "the change is asked about");
    assert!(ours.iter().filter(polls).count() < 4, "and answered");
    let theirs = said(&pair, &pair.b);
    assert!(theirs.iter().any(|(_, packet)| packet.flags & Bfd::FINAL != 0));
    assert!(ours.iter().chain(&theirs).all(|(_, packet)| packet.state == UP));

    one.process("vrrpd")?.signal(nix::sys::signal::SIGKILL);
    std::thread::sleep(Duration::from_secs(6));
    let log = one.log();
    assert!(
        !log.contains("Entering FAULT STATE") || log.rfind("Entering FAULT STATE") < log.find("Entering MASTER STATE"),
        "{log}"
    );
    assert_eq!(pair.adverts_of(&pair.b), [], "the other one never takes over; a logged:\n{log}");
    assert_eq!(log.matches("(other) Entering Up state").count(), 2, "{log}");
    Ok(())
}

/// A real server whose BFD_CHECK hears of the session; vrrpd runs for it alone. The session of a vrrpd that was killed says nothing until
/// it is up again, so the server is left alone.
#[test]
fn a_real_server_follows_its_session() -> Outcome {
    let pair = Pair::new()?;
    let [a, b] = addresses(&pair, false);
    let session = |name: &str, own, other| {
        format!(
            "bfd_instance {name} {{\n    neighbor_ip {other}\n    source_ip {own}\n    min_rx 100\n    min_tx 100\n    multiplier 10\n}}\n"
        )
    };
    let service = format!(
        "virtual_server 192.168.154.188 80 {{\n    protocol TCP\n    real_server {b} 80 {{\n        weight 1\n        BFD_CHECK {{\n            \
         name other\n            alpha on\n        }}\n    }}\n}}\n"
    );
    let mut one = Daemon::start(Program::Holdfast, &pair.a, &format!("{}{service}", session("other", a, b)))?;
    let mut two = Daemon::start(Program::Keepalived, &pair.b, &session("back", b, a))?;
    let label = format!("[{b}]:tcp:80");
    let (up, down) = (
        format!("BFD_CHECK of {label}: session other is up"),
        format!("BFD_CHECK of {label} failed: session other is down"),
    );
    one.wait_log(&up, SOON)?;

    one.process("vrrpd")?.signal(nix::sys::signal::SIGKILL);
    std::thread::sleep(Duration::from_secs(5));
    let log = one.log();
    assert_eq!((log.matches("(other) Entering Up state").count(), log.matches(&down).count()), (2, 0), "{log}");

    // A checkd that is started again goes on with what ipvsd knows, and hears of the session.
    one.process("checkd")?.signal(nix::sys::signal::SIGKILL);
    std::thread::sleep(Duration::from_secs(3));
    let log = one.log();
    assert_eq!((log.matches(&up).count(), log.matches(&down).count()), (1, 0), "{log}");

    // The neighbour dies, and comes back.
    two.kill_all()?;
    one.wait_log(&down, Duration::from_secs(1) + SLACK)?;
    let _two = Daemon::start(Program::Keepalived, &pair.b, &session("back", b, a))?;
    tests::failure::wait_until("the server is back", SOON, || Ok(one.log().matches(&up).count() == 2))?;

    // The session goes with the checker, and vrrpd goes on.
    let without = service.replace("BFD_CHECK {\n            name other\n            alpha on", "PING_CHECK {");
    one.reload(&without)?;
    one.wait_log("Reload complete", SOON)?;
    std::thread::sleep(Duration::from_secs(1));
    let log = one.log();
    assert!(!log.contains("broke the protocol") && !log.contains("died (exit"), "{log}");
    pair.wire.clear();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(said(&pair, &pair.a), [], "nothing more is said");
    // PING_CHECK has something to put back.
    one.terminate().map(drop)
}
