//! Two sessions that speak with each other in virtual time, over a way that delays, loses and doubles packets.

use super::chance::Chance;
use super::session::{Session, Standing};
use super::session_tests::{START, conf};
use crate::effects::Effects;
use crate::io::Action;
use crate::packet::bfd::Control;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::bfd::Bfd;
use ipc::config::vrrp::Switch;
use ipc::time::Mono;

/// What is between the two.
struct Way {
    /// Packets of a hundred that are lost, to a and to b.
    loss: [u64; 2],
    /// Milliseconds that a packet takes at most.
    delay: u64,
}

struct Pair {
    sessions: [Session; 2],
    way: Way,
    under_way: Vec<(Mono, usize, Vec<u8>)>,
    chance: Chance,
    now: Mono,
    /// Packets that were sent.
    sent: u64,
}

impl Pair {
    fn new(confs: [Bfd; 2], seed: u64) -> Self {
        let [a, b] = confs;
        let sessions =
            [Session::new(a, 11, Chance::new(seed), START), Session::new(b, 22, Chance::new(seed + 1), START)];
        let way = Way { loss: [0, 0], delay: 2 };
        Pair { sessions, way, under_way: Vec::new(), chance: Chance::new(seed + 2), now: START, sent: 0 }
    }

    fn act(&mut self, who: usize, f: impl FnOnce(&mut Session, Mono, &mut Effects)) {
        let mut out = Effects::default();
        f(&mut self.sessions[who], self.now, &mut out);
        let mut actions = Vec::new();
        out.flush(&mut actions);
        for action in actions {
            let Action::Bfd { bytes, .. } = action else { continue };
            self.sent += 1;
            let to = 1 - who;
            for _ in 0..1 + u64::from(self.chance.bits().is_multiple_of(50)) {
                if self.chance.bits() % 100 >= self.way.loss[to] {
                    let delay = Duration::from_micros(self.chance.bits() % (self.way.delay * 1000 + 1));
                    self.under_way.push((self.now + delay, to, bytes.clone()));
                }
            }
        }
    }

    /// Lets time pass; says how often each of them changed its standing.
    fn run(&mut self, ms: u64) -> [u32; 2] {
        let end = self.now + Duration::from_millis(ms);
        let mut changes = [0, 0];
        loop {
            self.under_way.sort_by_key(|(at, ..)| *at);
            let packet = self.under_way.first().map(|(at, ..)| *at);
            let timers = self.sessions.each_ref().map(Session::deadline);
            let next = [packet, timers[0], timers[1]].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            let before = self.sessions.each_ref().map(Session::standing);
            if packet == Some(next) {
                let (_, to, bytes) = self.under_way.remove(0);
                let control = Control::parse(&bytes).expect("our own packet");
                let known = control.yours == 0 || control.yours == self.sessions[to].mine;
                assert!(known, "it names a discriminator that nobody has");
                self.act(to, |session, now, out| {
                    let _ = session.receive(&control, now, out);
                });
            } else {
                let who = usize::from(timers[0] != Some(next));
                self.act(who, |session, now, out| {
                    let _ = session.expire(now, out);
                });
                assert!(self.sessions[who].deadline().is_none_or(|due| due > self.now), "a timer that has run out");
            }
            for (who, change) in changes.iter_mut().enumerate() {
                *change += u32::from(self.sessions[who].standing() != before[who]);
            }
        }
        self.now = end;
        changes
    }

    fn standings(&self) -> [Standing; 2] {
        self.sessions.each_ref().map(Session::standing)
    }
}

const BOTH_UP: [Standing; 2] = [Standing::Up, Standing::Up];
const BOTH_DOWN: [Standing; 2] = [Standing::Down, Standing::Down];

#[test]
fn they_come_up_and_stay_up() {
    for seed in 0..60 {
        let mut pair = Pair::new([conf(), conf()], seed);
        pair.run(1_100);
        assert_eq!(pair.standings(), BOTH_UP, "seed {seed}");
        let sent = pair.sent;
        assert_eq!(pair.run(60_000), [0, 0], "seed {seed}");
        // 50 ms less 12.5 % on average, twice.
        let packets = pair.sent - sent;
        assert!((2_600..2_900).contains(&packets), "seed {seed}: {packets} packets in a minute");
    }
}

/// A quarter of the packets may be lost with eight to miss; whoever is down by chance comes back.
#[test]
fn loss_is_borne() {
    let patient = Bfd { multiplier: 8, ..conf() };
    for seed in 0..20 {
        let mut pair = Pair::new([patient.clone(), patient.clone()], seed);
        pair.way.loss = [25, 25];
        pair.run(10_000);
        let changes = pair.run(60_000);
        assert!(changes[0] + changes[1] <= 4, "seed {seed}: {changes:?}");
        pair.way.loss = [0, 0];
        pair.run(5_000);
        assert_eq!(pair.standings(), BOTH_UP, "seed {seed}");
    }
}

#[test]
fn a_way_that_is_cut_is_noticed_in_time_and_its_return_too() {
    for seed in 0..60 {
        for loss in [[100, 100], [100, 0], [0, 100]] {
            let mut pair = Pair::new([conf(), conf()], seed);
            pair.run(3_000);
            assert_eq!(pair.standings(), BOTH_UP);
            pair.way.loss = loss;
            // 150 ms, and what is under way; with one direction left the other side is told by the first.
            pair.run(150 + 3 * pair.way.delay);
            assert_eq!(pair.standings(), BOTH_DOWN, "seed {seed}, loss {loss:?}");
            pair.run(5_000);
            assert_eq!(pair.standings(), BOTH_DOWN, "seed {seed}, loss {loss:?}: one direction is not enough");
            pair.way.loss = [0, 0];
            pair.run(2_100);
            assert_eq!(pair.standings(), BOTH_UP, "seed {seed}, loss {loss:?}");
        }
    }
}

#[test]
fn unlike_ends_agree() {
    let slow = Bfd {
        min_tx: Duration::from_millis(700),
        min_rx: Duration::from_millis(300),
        idle_tx: Duration::from_secs(3),
        multiplier: 5,
        passive: Switch::On,
        ..conf()
    };
    for seed in 0..40 {
        let mut pair = Pair::new([conf(), slow.clone()], seed);
        pair.run(4_000);
        assert_eq!(pair.standings(), BOTH_UP, "seed {seed}");
        assert_eq!(pair.run(60_000), [0, 0], "seed {seed}");
        let [a, b] = pair.sessions.each_ref().map(|s| (s.interval(), s.detection_time()));
        assert_eq!(a, (Duration::from_millis(300), Duration::from_millis(3500)), "seed {seed}");
        assert_eq!(b, (Duration::from_millis(700), Duration::from_millis(900)), "seed {seed}");
    }
}

/// A reload to any other intervals never takes the session down.
#[test]
fn intervals_change_while_it_is_up() {
    for seed in 0..40 {
        let mut pair = Pair::new([conf(), conf()], seed);
        pair.run(2_000);
        let mut chance = Chance::new(seed);
        for _ in 0..20 {
            let who = usize::from(chance.bits().is_multiple_of(2));
            let mut ms = || Duration::from_millis(10 + chance.bits() % 500);
            let fresh = Bfd { min_tx: ms(), min_rx: ms(), ..conf() };
            let now = pair.now;
            pair.sessions[who] = pair.sessions[who].reconfigured(fresh, now);
            assert_eq!(pair.run(700), [0, 0], "seed {seed}");
        }
    }
}

/// One end is started anew: the other notices, and both come up again.
#[test]
fn a_new_process_at_one_end() {
    for seed in 0..40 {
        let mut pair = Pair::new([conf(), conf()], seed);
        pair.run(2_000);
        pair.sessions[0] = Session::new(conf(), 33, Chance::new(seed), pair.now);
        pair.under_way.clear();
        // What the other says to the earlier session names a discriminator that is not known any more.
        pair.way.loss = [100, 0];
        pair.run(160);
        pair.way.loss = [0, 0];
        pair.run(2_500);
        assert_eq!(pair.standings(), BOTH_UP, "seed {seed}");
    }
}
