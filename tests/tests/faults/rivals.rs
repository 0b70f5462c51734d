//! What a master does about what a rival advertises, beside Debian's keepalived: which adverts it sends and when, and how often it announces.

use crate::{send, with_checksum};
use std::time::{Duration, SystemTime};
use tests::config::{VIP, Vrrp};
use tests::daemon::{Daemon, Program};
use tests::failure::Outcome;
use tests::pair::Pair;

/// What the rival sends, once.
#[derive(Clone, Copy, Debug)]
struct Rival {
    /// The last byte of its address; the master has 10.
    host: u8,
    priority: u8,
}

/// The adverts of the master since the rival's first, with their tenth of a second, and its announcements.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    adverts: Vec<(u128, u8)>,
    announcements: usize,
}

impl Answer {
    /// The same, but for a tenth of a second.
    fn is_like(&self, other: &Answer) -> bool {
        let near = |((at, priority), (other, as_well)): (&(u128, u8), &(u128, u8))| {
            at.abs_diff(*other) <= 1 && priority == as_well
        };
        self.announcements == other.announcements
            && self.adverts.len() == other.adverts.len()
            && self.adverts.iter().zip(&other.adverts).all(near)
    }
}

/// A lonely master with these lines in it meets a rival, 0.3 s after an advert of its own; it is watched for `seconds`.
fn answer(program: Program, priority: u8, line: &str, rival: Rival, seconds: u64) -> Outcome<Answer> {
    let pair = Pair::new()?;
    let stranger = pair.lan.host("stranger", &format!("192.168.154.{}/24", rival.host))?;
    let config = Vrrp::master(priority).line("garp_master_delay 0").line("garp_lower_prio_delay 0").line(line);
    let _daemon = Daemon::start(program, &pair.a, &config.to_string())?;
    pair.wait_master(&pair.a)?;
    // Long enough that it is no new master any more.
    std::thread::sleep(Duration::from_millis(1500));
    pair.wire.clear();
    pair.wait_advert(&pair.a)?;
    std::thread::sleep(Duration::from_millis(300));
    pair.wire.clear();
    let begin = SystemTime::now();
    let advert =
        with_checksum([vec![0x21, 51, rival.priority, 1, 0, 1, 0, 0, 192, 168, 154, 188], vec![0; 8]].concat());
    send(&stranger, &[advert])?;
    let end = begin + Duration::from_secs(seconds) + Duration::from_millis(350);
    std::thread::sleep(end.duration_since(SystemTime::now()).unwrap_or_default());
    let begin = pair.adverts_of(&stranger).first().map_or(begin, |(at, _)| *at);
    let tenth = |at: SystemTime| (at.duration_since(begin).unwrap_or_default().as_millis() + 50) / 100;
    let adverts = pair.adverts_of(&pair.a).into_iter().map(|(at, advert)| (tenth(at), advert.priority)).collect();
    let vip = VIP.parse()?;
    let frames = pair.wire.frames();
    let announcements =
        frames.iter().filter(|f| pair.a.sent(f) && f.arp().is_some_and(|arp| arp.announces(vip))).count();
    Ok(Answer { adverts, announcements })
}

/// Both at the same time, each on a LAN of its own: keepalived's answer and ours.
fn both(priority: u8, line: &str, rival: Rival, seconds: u64) -> Outcome<[Answer; 2]> {
    let (ours, theirs) = std::thread::scope(|scope| {
        let theirs =
            scope.spawn(|| answer(Program::Keepalived, priority, line, rival, seconds).map_err(|e| e.to_string()));
        (answer(Program::Holdfast, priority, line, rival, seconds), theirs.join())
    });
    Ok([theirs.expect("the thread ends").map_err(tests::failure::Failure::new)?, ours?])
}

/// Ours, if it is like keepalived's. Asked for once more if it is not: on a machine that has much to do either may be late.
fn compared(what: &str, answers: impl Fn() -> Outcome<[Answer; 2]>) -> Outcome<Answer> {
    let mut found = answers()?;
    if !found[1].is_like(&found[0]) {
        found = answers()?;
    }
    let [theirs, ours] = found;
    assert!(ours.is_like(&theirs), "{what}: {ours:?}, not {theirs:?}");
    Ok(ours)
}

fn alike(priority: u8, line: &str, rival: Rival, seconds: u64) -> Outcome<Answer> {
    compared(&format!("{line} against {rival:?}"), || both(priority, line, rival, seconds))
}

#[test]
fn a_lower_rival_is_answered_as_by_keepalived() -> Outcome {
    let lower = Rival { host: 66, priority: 50 };
    assert_eq!(alike(100, "", lower, 2)?.announcements, 5);
    assert_eq!(alike(100, "lower_prio_no_advert", lower, 2)?.announcements, 5);
    alike(100, "garp_lower_prio_repeat 0", lower, 2)?;
    // Of equals the one with the higher address.
    alike(100, "", Rival { host: 5, priority: 100 }, 2)?;
    alike(100, "", Rival { host: 66, priority: 0 }, 2)?;
    Ok(())
}

#[test]
fn it_gives_way_to_a_higher_rival_as_keepalived_does() -> Outcome {
    let higher = Rival { host: 66, priority: 200 };
    alike(100, "higher_prio_send_advert on", higher, 5)?;
    alike(100, "higher_prio_send_advert off", higher, 5)?;
    alike(100, "higher_prio_send_advert off", Rival { host: 66, priority: 100 }, 5)?;
    alike(100, "higher_prio_send_advert off\n    down_timer_adverts 5", higher, 7)?;
    Ok(())
}

/// COMPAT: keepalived 2.4.3: of two owners the one with the lower address gives way, and owns its addresses again when it is
/// master again. 2.2.7, measured: each gives way, and has priority 254 from then on. They are silent for as long.
#[test]
fn an_owner_gives_way_to_one_with_a_higher_address() -> Outcome {
    let owner = |host| Rival { host, priority: 255 };
    let line = "higher_prio_send_advert off";
    compared("an owner", || {
        let [mut theirs, ours] = both(255, line, owner(66), 4)?;
        theirs.adverts.iter_mut().for_each(|(_, priority)| *priority = 255);
        Ok([theirs, ours])
    })?;
    let stays = answer(Program::Holdfast, 255, line, owner(5), 2)?;
    assert_eq!(stays.adverts.first(), Some(&(0, 255)), "{stays:?}");
    Ok(())
}
