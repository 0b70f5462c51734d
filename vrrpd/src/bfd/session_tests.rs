//! One session by hand: the table of RFC 5880 §6.2 row by row, and each rule of §6.8 that has a number in it.

use super::chance::Chance;
use super::session::{Session, Standing, Turned, next};
use crate::effects::Effects;
use crate::io::Action;
use crate::packet::bfd::{Control, Diag, Flag, State};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use ipc::config::Origin;
use ipc::config::bfd::{Bfd, Told};
use ipc::config::vrrp::{Switch, Weight};
use ipc::time::Mono;

pub(super) const START: Mono = Mono(1_000_000_000_000);

/// 50 ms both ways, three packets.
pub(super) fn conf() -> Bfd {
    Bfd {
        name: "b".into(),
        neighbor: IpAddr::V4(Ipv4Addr::new(10, 9, 0, 2)),
        source: None,
        min_rx: Duration::from_millis(50),
        min_tx: Duration::from_millis(50),
        idle_tx: Duration::from_secs(1),
        multiplier: 3,
        passive: Switch::Off,
        ttl: 255,
        max_hops: Some(0),
        multihop: Switch::Off,
        weight: Weight { value: 0, reverse: Switch::Off },
        told: Told::Both,
        origin: Origin::default(),
    }
}

/// A session and what it does.
struct Bench {
    session: Session,
    now: Mono,
    lines: Vec<String>,
}

impl Bench {
    fn new(conf: Bfd) -> Self {
        Bench { session: Session::new(conf, 7, Chance::new(1), START), now: START, lines: Vec::new() }
    }

    /// A session that is up, at its neighbour's pace of 50 ms, with the poll answered.
    fn up(conf: Bfd) -> Self {
        let mut bench = Bench::new(conf);
        bench.hear(says(State::Init));
        bench.hear(Control { last: Flag::Set, ..says(State::Up) });
        assert_eq!(bench.session.state, State::Up);
        bench
    }

    fn act(&mut self, f: impl FnOnce(&mut Session, Mono, &mut Effects) -> Turned) -> (Turned, Vec<Control>) {
        let mut out = Effects::default();
        let turned = f(&mut self.session, self.now, &mut out);
        let mut actions = Vec::new();
        out.flush(&mut actions);
        let mut said = Vec::new();
        for action in actions {
            match action {
                Action::Bfd { bytes, .. } => said.extend(Control::parse(&bytes)),
                Action::Log(line) => self.lines.push(line.text),
                other => panic!("{other:?}"),
            }
        }
        (turned, said)
    }

    fn hear(&mut self, control: Control) -> Vec<Control> {
        self.act(|session, now, out| session.receive(&control, now, out)).1
    }

    fn wait(&mut self, ms: u64) -> Vec<Control> {
        let end = self.now + Duration::from_millis(ms);
        let mut said = Vec::new();
        while let Some(due) = self.session.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            said.extend(self.act(Session::expire).1);
        }
        self.now = end;
        said
    }
}

/// What the neighbour says.
fn says(state: State) -> Control {
    Control {
        diag: Diag::NONE,
        state,
        poll: Flag::Clear,
        last: Flag::Clear,
        demand: Flag::Clear,
        multiplier: 3,
        mine: 9,
        yours: 7,
        min_tx: 50_000,
        min_rx: 50_000,
    }
}

/// RFC 5880 §6.2 and §6.8.6: what each state makes of each that the neighbour says.
#[test]
fn transitions() {
    use State::{AdminDown, Down, Init, Up};
    let down = Some((Down, Diag::NEIGHBOR));
    let init = Some((Init, Diag::NONE));
    let up = Some((Up, Diag::NONE));
    let table = [
        (AdminDown, [None, None, None, None]),
        (Down, [None, init, up, None]),
        (Init, [down, None, up, up]),
        (Up, [down, down, None, None]),
    ];
    for (local, row) in table {
        for (remote, expected) in [AdminDown, Down, Init, Up].into_iter().zip(row) {
            assert_eq!(next(local, remote), expected, "{local:?} hears {remote:?}");
        }
    }
}

#[test]
fn a_change_is_said_at_once() {
    let mut bench = Bench::new(conf());
    let first = bench.wait(0);
    assert!(matches!(first[..], [Control { state: State::Down, yours: 0, min_tx: 1_000_000, min_rx: 50_000, .. }]));
    let said = bench.hear(says(State::Down));
    assert!(matches!(said[..], [Control { state: State::Init, yours: 9, poll: Flag::Clear, .. }]));
    let said = bench.hear(says(State::Up));
    assert!(matches!(said[..], [Control { state: State::Up, poll: Flag::Set, min_tx: 50_000, .. }]));
    assert_eq!(bench.lines, ["(b) Entering Up state"]);
}

/// §6.8.3: at least a second (idle_tx) between packets while not Up; §6.8.7: three quarters of it to all of it.
#[test]
fn slow_while_not_up() {
    let mut bench = Bench::new(conf());
    let said = bench.wait(60_000);
    assert!((60..=81).contains(&said.len()), "{} packets in a minute", said.len());
    assert_eq!(bench.session.interval(), Duration::from_secs(1));
}

/// §6.8.2: the slower of what we want to send and what the neighbour wants to receive; §6.8.4: the Detection Time is its multiplier of the
/// slower of the reverse.
#[test]
fn intervals_are_agreed() {
    let mut bench = Bench::up(conf());
    assert_eq!(bench.session.interval(), Duration::from_millis(50));
    assert_eq!(bench.session.detection_time(), Duration::from_millis(150));
    bench.hear(Control { min_rx: 80_000, min_tx: 200_000, multiplier: 7, ..says(State::Up) });
    assert_eq!(bench.session.interval(), Duration::from_millis(80));
    assert_eq!(bench.session.detection_time(), Duration::from_millis(1400));
}

#[test]
fn jitter_keeps_its_bounds() {
    for (multiplier, most) in [(3, 50_000_000), (1, 45_000_000)] {
        let mut bench = Bench::up(Bfd { multiplier, ..conf() });
        // The neighbour takes its time, so that this is about one side alone.
        bench.hear(Control { multiplier: 255, min_tx: 1_000_000, ..says(State::Up) });
        let mut last: Option<Mono> = None;
        let mut gaps = Vec::new();
        for _ in 0..1000 {
            bench.now = bench.session.deadline().expect("a packet is due");
            assert_eq!(bench.act(Session::expire).1.len(), 1);
            gaps.extend(last.map(|last| u64::try_from(bench.now.since(last).as_nanos()).unwrap()));
            last = Some(bench.now);
        }
        let (least, longest) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
        assert!(*least >= 37_500_000 && *least < 38_500_000, "shortest {least}");
        assert!(*longest <= most && *longest > most - 1_000_000, "longest {longest}");
    }
}

/// §6.8.4: after a Detection Time it is down, says so at once, with the reason, and forgets the neighbour (§6.8.1).
#[test]
fn silence_ends_it() {
    let mut bench = Bench::up(conf());
    bench.wait(149);
    assert_eq!(bench.session.state, State::Up);
    let said = bench.wait(2);
    assert_eq!(bench.session.standing(), Standing::Down);
    let last = said.last().expect("it says so");
    assert_eq!((last.state, last.diag, last.yours, last.min_tx), (State::Down, Diag::EXPIRED, 0, 1_000_000));
    assert_eq!(bench.lines[1], "(b) Expired after 150 ms (0 usec overdue)");
    assert_eq!(
        bench.lines[2],
        "(b) Entering Down state (Local diagnostic - Control Detection Time Expired, Remote diagnostic - No Diagnostic)"
    );
}

#[test]
fn the_neighbour_says_down() {
    let mut bench = Bench::up(conf());
    let said = bench.hear(says(State::AdminDown));
    assert!(matches!(said[..], [Control { state: State::Down, diag: Diag::NEIGHBOR, yours: 9, .. }]));
    // It stays so: RFC 5880 §6.2, AdminDown holds the session down.
    assert_eq!(bench.hear(says(State::AdminDown)), []);
    assert_eq!(bench.session.state, State::Down);
}

/// §6.5, §6.8.3: what the neighbour relies on changes when it has answered, the rest at once.
#[test]
fn a_change_is_polled() {
    let mut bench = Bench::up(conf());
    let change =
        |min_tx, min_rx| Bfd { min_tx: Duration::from_millis(min_tx), min_rx: Duration::from_millis(min_rx), ..conf() };
    bench.session = bench.session.reconfigured(change(100, 20), bench.now);
    bench.hear(Control { min_rx: 1000, min_tx: 1000, ..says(State::Up) });
    assert_eq!(bench.session.interval(), Duration::from_millis(50), "slower only when it is known");
    assert_eq!(bench.session.detection_time(), Duration::from_millis(150), "less patience only when it is known");
    let said = bench.wait(60);
    assert_eq!((said[0].poll, said[0].min_tx, said[0].min_rx), (Flag::Set, 100_000, 20_000));
    // Another change in the meantime is asked once more.
    bench.session = bench.session.reconfigured(change(120, 20), bench.now);
    bench.hear(Control { last: Flag::Set, min_rx: 1000, min_tx: 1000, ..says(State::Up) });
    assert_eq!(bench.session.interval(), Duration::from_millis(50));
    bench.hear(Control { last: Flag::Set, min_rx: 1000, min_tx: 1000, ..says(State::Up) });
    assert_eq!(bench.session.interval(), Duration::from_millis(120));
    assert_eq!(bench.session.detection_time(), Duration::from_millis(60));

    // The other way round both count at once.
    bench.session = bench.session.reconfigured(change(10, 300), bench.now);
    assert_eq!(bench.session.interval(), Duration::from_millis(10));
    assert_eq!(bench.session.detection_time(), Duration::from_millis(900));
}

/// §6.8.7: the answer to a poll goes out at once and does not poll.
#[test]
fn a_poll_is_answered() {
    let mut bench = Bench::up(conf());
    let due = bench.session.deadline();
    let said = bench.hear(Control { poll: Flag::Set, ..says(State::Up) });
    assert!(matches!(said[..], [Control { last: Flag::Set, poll: Flag::Clear, .. }]));
    assert!(bench.session.deadline() >= due, "the next packet is not earlier for it");
}

#[test]
fn passive_waits_to_be_spoken_to() {
    let mut bench = Bench::new(Bfd { passive: Switch::On, ..conf() });
    assert_eq!(bench.wait(10_000), []);
    let said = bench.hear(says(State::Down));
    assert!(matches!(said[..], [Control { state: State::Init, .. }]));
    assert!(!bench.wait(1001).is_empty());
}

/// §6.8.7: a neighbour that wants nothing gets nothing but answers; one in demand mode nothing while both are Up (§6.6).
#[test]
fn a_neighbour_may_ask_for_silence() {
    let mut bench = Bench::up(conf());
    let quiet = Control { min_rx: 0, min_tx: 1_000_000, multiplier: 255, ..says(State::Up) };
    bench.hear(quiet);
    assert_eq!(bench.wait(10_000), []);
    assert_eq!(bench.hear(Control { poll: Flag::Set, ..quiet }).len(), 1);
    bench.hear(Control { min_rx: 50_000, ..quiet });
    assert!(!bench.wait(100).is_empty());
    bench.hear(Control { min_rx: 50_000, demand: Flag::Set, ..quiet });
    assert_eq!(bench.wait(10_000), []);
}

/// COMPAT: keepalived 2.4.3: `max_hops` from our own `ttl`.
#[test]
fn packets_from_afar_do_not_count() {
    let near = |ttl, max_hops, received| {
        Session::new(Bfd { ttl, max_hops, ..conf() }, 7, Chance::new(1), START).is_near(received)
    };
    assert!(near(255, Some(0), 255) && !near(255, Some(0), 254), "RFC 5082");
    assert!(near(255, Some(3), 252) && !near(255, Some(3), 251));
    assert!(near(64, Some(0), 64) && !near(64, Some(0), 63) && near(64, Some(0), 255));
    assert!(near(255, None, 1));
}

#[test]
fn a_new_session_is_fresh_for_a_while() {
    let mut bench = Bench::new(conf());
    bench.wait(2_999);
    assert_eq!(bench.session.standing(), Standing::Fresh);
    bench.wait(1);
    assert_eq!(bench.session.standing(), Standing::Down);
    let mut bench = Bench::new(conf());
    bench.hear(says(State::Init));
    assert_eq!(bench.session.standing(), Standing::Up);
    bench.hear(says(State::Down));
    assert_eq!(bench.session.standing(), Standing::Down, "once it was up it is not new");
}

#[test]
fn a_goodbye_is_said_to_who_was_heard() {
    let mut bench = Bench::up(conf());
    let close = |session: &mut Session, _, out: &mut Effects| {
        session.close(out);
        Turned::No
    };
    let said = bench.act(close).1;
    assert!(matches!(said[..], [Control { state: State::Down, diag: Diag::NONE, yours: 9, poll: Flag::Clear, .. }]));
    assert_eq!(Bench::new(conf()).act(close).1, [], "nobody was heard");
}

#[test]
fn a_dump_says_how_it_stands() {
    let bench = Bench::up(conf());
    let mut text = String::new();
    super::dump::write(&mut text, [&bench.session].into_iter(), bench.now + Duration::from_millis(1500));
    for line in [
        " BFD Instance = b\n   Neighbor IP = 10.9.0.2\n   Required min RX interval = 50000 us\n",
        "   local state = Up, since 1.500 s\n   remote state = Up\n   local discriminator = 0x7\n   remote discriminator = 0x9\n",
        "   local tx intv = 50000 us\n   local detection time = 150000 us\n   Sent = 1, received = 2\n",
    ] {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
}
