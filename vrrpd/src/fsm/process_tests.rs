use super::*;
use crate::fsm::processes::Processes;
use crate::io::{Action, Seen};
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use ipc::config::vrrp::{Switch, Weight};
use ipc::config::vrrp_track::ParamMatch;
use ipc::config::{Origin, TrackProcessIdx};
use ipc::table::Table;

fn conf(name: &str, least: u32, most: Option<u32>) -> TrackProcess {
    TrackProcess {
        name: name.to_string(),
        origin: Origin::default(),
        process: vec!["p".to_string()],
        params: ParamMatch::Any,
        full_command: Switch::Off,
        weight: Weight { value: 0, reverse: Switch::Off },
        least,
        most,
        fork_delay: Duration::from_secs(1),
        terminate_delay: Duration::from_secs(2),
    }
}

fn table(confs: &[TrackProcess]) -> Table<TrackProcessIdx, TrackProcess> {
    confs.iter().cloned().collect()
}

fn runs(pid: u32, name: &str) -> Seen {
    Seen::Runs { pid, stat: format!("{pid} ({name}) S 1").into_bytes(), command_line: Vec::new() }
}

fn at(ms: u64) -> Mono {
    Mono::ZERO + Duration::from_millis(ms)
}

/// The machine, the time, and what it said.
struct Watch(Processes, Vec<String>);

impl Watch {
    fn new(confs: &[TrackProcess]) -> Self {
        let mut watch = Watch(Processes::new(&table(confs), &Processes::default(), Verdict::Awaited), Vec::new());
        watch.see(0, &[Seen::Anew, Seen::All]);
        watch
    }

    /// Everything that is due until then happens at its time.
    fn see(&mut self, ms: u64, seen: &[Seen]) {
        while let Some(due) = self.0.deadline().filter(|due| *due < at(ms)) {
            self.expire(due);
        }
        seen.iter().for_each(|seen| self.0.see(at(ms), seen));
        self.expire(at(ms));
    }

    fn expire(&mut self, now: Mono) {
        let (mut out, mut actions) = (Effects::default(), Vec::new());
        self.0.expire(now, &mut out);
        out.flush(&mut actions);
        for action in actions {
            if let Action::Log(line) = action {
                let words = line.text.replace("Quorum ", "").replace("for tracked process ", "");
                self.1.push(format!("{} {words}", now.since(Mono::ZERO).as_millis()));
            }
        }
    }

    fn said(&mut self) -> Vec<String> {
        core::mem::take(&mut self.1)
    }
}

/// The times at which Debian's keepalived 2.2.7 logged the same, from the start of the process on.
#[test]
fn delays_are_those_of_what_happened() {
    let mut watch = Watch::new(&[conf("one", 1, None), conf("two", 2, None), conf("max1", 1, Some(1))]);
    watch.see(3_000, &[Seen::Forked { parent: 1, child: 50 }, runs(50, "p")]);
    assert_eq!(watch.said(), ["3000 gained one", "3000 gained max1"]);
    watch.see(5_000, &[Seen::Forked { parent: 50, child: 51 }]);
    watch.see(8_000, &[Seen::Ended(51)]);
    assert_eq!(watch.said(), ["6000 gained two", "6000 lost max1"]);
    watch.see(12_000, &[runs(50, "zz")]);
    assert_eq!(watch.said(), ["10000 lost two", "10000 gained max1", "12000 lost one", "12000 lost max1"]);
    watch.see(15_000, &[runs(50, "p")]);
    assert_eq!(watch.said(), ["15000 gained one", "15000 gained max1"]);
    watch.see(18_000, &[Seen::Forked { parent: 50, child: 52 }]);
    watch.see(18_400, &[Seen::Ended(52)]);
    watch.see(22_400, &[Seen::Forked { parent: 50, child: 53 }]);
    assert_eq!(watch.said(), [""; 0]);
    watch.see(25_400, &[Seen::Ended(53)]);
    watch.see(25_900, &[Seen::Forked { parent: 50, child: 54 }]);
    watch.see(29_900, &[Seen::Ended(54)]);
    assert_eq!(watch.said(), ["23400 gained two", "23400 lost max1"]);
    watch.see(33_900, &[runs(50, "sleep")]);
    assert_eq!(watch.said(), ["31900 lost two", "31900 gained max1", "33900 lost one", "33900 lost max1"]);
}

#[test]
fn a_copy_that_becomes_another_program_at_once_was_never_there() {
    let mut watch = Watch::new(&[TrackProcess { fork_delay: Duration::ZERO, ..conf("max1", 0, Some(1)) }]);
    watch.see(0, &[runs(50, "p")]);
    watch.see(1_000, &[Seen::Forked { parent: 50, child: 51 }, runs(51, "ls"), Seen::Ended(51)]);
    watch.see(9_000, &[]);
    assert_eq!(watch.said(), [""; 0]);
}

#[test]
fn counting_anew_forgets_whom_it_does_not_find_and_says_nothing_before_its_end() {
    let mut watch = Watch::new(&[conf("one", 1, None), conf("none", 0, Some(0))]);
    watch.see(0, &[runs(50, "p"), runs(51, "p"), runs(52, "other")]);
    assert_eq!(watch.said(), ["0 gained one", "0 lost none"]);
    watch.see(1_000, &[Seen::Anew, runs(52, "other")]);
    watch.see(2_000, &[]);
    assert_eq!((watch.said(), watch.0.rows()[0].count), (Vec::new(), 2));
    watch.see(3_000, &[Seen::Forked { parent: 52, child: 53 }, Seen::All]);
    assert_eq!((watch.said(), watch.0.rows()[0].count), (vec!["3000 lost one".into(), "3000 gained none".into()], 0));
    // The end of one that is not known, a copy of one that is not known, an end without a beginning.
    watch.see(4_000, &[Seen::Ended(50), Seen::Forked { parent: 50, child: 60 }, Seen::All]);
    assert_eq!((watch.said(), watch.0.rows()[0].count), (Vec::new(), 0));
}

#[test]
fn a_reload_keeps_what_counts_until_all_are_counted() {
    let mut watch = Watch::new(&[conf("one", 1, None)]);
    watch.see(0, &[runs(50, "p")]);
    let confs = [conf("new", 1, None), conf("one", 2, None)];
    watch.0 = Processes::new(&table(&confs), &watch.0, Verdict::Unknown);
    let verdicts = |watch: &Watch| watch.0.rows().iter().map(|row| row.verdict).collect::<Vec<_>>();
    assert_eq!(verdicts(&watch), [Verdict::Unknown, Verdict::Up]);
    watch.see(1_000, &[Seen::Anew, runs(50, "p"), Seen::All]);
    assert_eq!(verdicts(&watch), [Verdict::Up, Verdict::Down]);
}

mod laws {
    use super::*;
    use proptest::prelude::*;

    fn event() -> impl Strategy<Value = Seen> {
        prop_oneof![
            Just(Seen::Anew),
            Just(Seen::All),
            (0_u32..6, prop_oneof![Just("p"), Just("q")]).prop_map(|(pid, name)| runs(pid, name)),
            (0_u32..6, 0_u32..6).prop_map(|(parent, child)| Seen::Forked { parent, child }),
            (0_u32..6).prop_map(Seen::Ended),
        ]
    }

    proptest! {
        /// Whatever happens: the number is that of the processes that are known, a deadline is one that changes something, and what
        /// counts after it is what the number says.
        #[test]
        fn the_number_is_right_and_every_delay_ends(events in prop::collection::vec((0_u64..3_000, event()), 0..60)) {
            let mut watch = Watch::new(&[conf("one", 1, Some(2))]);
            let mut now = 0;
            for (later, seen) in events {
                now += later;
                watch.see(now, &[seen]);
            }
            watch.see(now, &[Seen::All]);
            let end = watch.0.deadline();
            prop_assert!(end.is_none_or(|due| due > at(now) && due <= at(now) + Duration::from_secs(2)));
            watch.see(now + 10_000, &[]);
            let row = &watch.0.rows()[0];
            prop_assert_eq!(watch.0.deadline(), None);
            prop_assert_eq!(row.verdict, if (1..=2).contains(&row.count) { Verdict::Up } else { Verdict::Down });
        }
    }
}
