//! The laws, under any sequence of events, sensible or not.

use super::*;
use crate::fifo::Kind;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use ipc::config::identity::{Fifo, Fifos as Configured};
use ipc::config::{GroupIdx, RealIdx, ServiceIdx};
use ipc::msg::Role;
use ipc::msg::control::{Dumped, Health, News};
use proptest::prelude::*;

fn daemon() -> impl Strategy<Value = Daemon> {
    prop_oneof![Just(Daemon::Ipvs), Just(Daemon::Vrrp), Just(Daemon::Check)]
}

fn generation() -> impl Strategy<Value = Generation> {
    (0u32..5).prop_map(Generation)
}

fn up() -> impl Strategy<Value = Up> {
    prop_oneof![
        4 => Just(Up::Ready),
        1 => Just(Up::Refused),
        4 => Just(Up::Activated),
        1 => Just(Up::LogSocketLost),
        1 => prop_oneof![Just(Role::Ipvs), Just(Role::Vrrp), Just(Role::Check), Just(Role::Compile)].prop_map(Up::Violation),
        1 => Just(Up::Stopped),
        1 => Just(Up::Here),
        1 => Just(Up::Dumped(Dumped::Whole)),
    ]
}

fn cause() -> impl Strategy<Value = Cause> {
    let state = prop_oneof![Just(NotifyState::Master), Just(NotifyState::Stop)];
    prop_oneof![
        Just(Cause::Probe),
        (0u16..2, state).prop_map(|(i, state)| Cause::Instance { instance: InstanceIdx(i), state, priority: 1 }),
        (0u16..2).prop_map(|g| Cause::Group { group: GroupIdx(g), state: NotifyState::Master }),
        (0u32..3).prop_map(|r| Cause::Real(RealIdx(r))),
        (0u32..2).prop_map(|s| Cause::Quorum(ServiceIdx(s))),
    ]
}

fn compiled() -> impl Strategy<Value = Compiled> {
    let with_scripts = ScriptConfig {
        startup: Some((ScriptIdx(3), Duration::from_secs(10))),
        shutdown: Some((ScriptIdx(3), Duration::from_secs(10))),
        fifos: Configured {
            all: Some(Fifo { path: "/f".into(), owner: None, script: Some(ScriptIdx(1)) }),
            ..Configured::default()
        },
        ..table()
    };
    prop_oneof![
        3 => Just(Compiled::Good(Box::new(table()))),
        1 => Just(Compiled::Good(Box::new(with_scripts))),
        1 => Just(Compiled::Bad(Failure::Fatal { problems: 1, unread: 0 })),
    ]
}

fn news() -> impl Strategy<Value = News> {
    prop_oneof![
        3 => Just(News::Instance { instance: InstanceIdx(0), state: NotifyState::Master, priority: 100 }),
        1 => Just(News::Instance { instance: InstanceIdx(1), state: NotifyState::Master, priority: 100 }),
        1 => Just(News::Real { real: RealIdx(0), now: Health::Up }),
        1 => Just(News::Service { service: ServiceIdx(0), now: Health::Down }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![Just(Outcome::Exited(0)), Just(Outcome::Signalled(9)), Just(Outcome::NotStarted)];
    let death = prop_oneof![Just(Death::Exited(0)), Just(Death::Exited(2)), Just(Death::Signalled(11))];
    prop_oneof![
        4 => Just(Event::Timeout),
        1 => Just(Event::Begin),
        1 => Just(Event::Signal(Signal::Reload)),
        1 => Just(Event::Signal(Signal::Dump(DumpKind::Data))),
        3 => (generation(), compiled()).prop_map(|(g, c)| Event::Compiled(g, c)),
        1 => daemon().prop_map(|d| Event::SpawnFailed(d, "no".into())),
        2 => (daemon(), death).prop_map(|(d, how)| Event::Died(d, how)),
        12 => (daemon(), generation(), up()).prop_map(|(d, g, u)| Event::Said(d, g, u)),
        6 => (daemon(), generation(), 0u16..5, cause())
            .prop_map(|(d, g, script, cause)| Event::Asked(d, g, Run { script: ScriptIdx(script), cause })),
        3 => (daemon(), generation(), news()).prop_map(|(d, g, news)| Event::News(d, g, news)),
        1 => prop::sample::select(Kind::ALL.as_slice()).prop_map(Event::FifoOpened),
        1 => daemon().prop_map(|d| Event::Broken(d, Breach::Closed)),
        4 => (1u64..20, outcome).prop_map(|(run, outcome)| Event::ScriptEnded(RunId(run), outcome)),
    ]
}

/// What the shell would have: which processes are there.
#[derive(Default)]
struct World {
    alive: BTreeSet<Daemon>,
    killed: BTreeSet<Daemon>,
    exited: Option<u8>,
}

impl World {
    fn see(&mut self, actions: &[Action]) {
        for action in actions {
            assert_eq!(self.exited, None, "nothing follows the exit: {action:?}");
            match action {
                Action::Spawn(d) => {
                    assert!(self.alive.insert(*d), "{d} is started twice");
                    self.killed.remove(d);
                }
                Action::Send(d, ..) | Action::SendSlice(d, _) | Action::Kill(d) | Action::Probed(d, ..) => {
                    assert!(self.alive.contains(d), "{action:?} for a child that is not there");
                    if matches!(action, Action::Kill(_)) {
                        self.killed.insert(*d);
                    }
                }
                Action::Connect(d) => {
                    assert!(self.alive.contains(d) && self.alive.contains(&Daemon::Ipvs), "{action:?}");
                }
                Action::ConnectSessions => {
                    assert!(self.alive.contains(&Daemon::Vrrp) && self.alive.contains(&Daemon::Check), "{action:?}");
                }
                Action::Exit(code) => {
                    assert!(self.alive.is_subset(&self.killed), "exit while children are there");
                    self.exited = Some(*code);
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn laws(events in proptest::collection::vec((event(), 0u64..9_000), 1..120)) {
        let mut machine = Lifecycle::new(options());
        let mut world = World::default();
        let mut now = at(1);
        machine_step(&mut machine, &mut world, now, Event::Begin);
        for (event, millis) in events {
            now = now + Duration::from_millis(millis);
            // A shell tells the death, or the failed start, only of what it was told to start.
            if let Event::Died(d, _) | Event::SpawnFailed(d, _) = &event
                && !world.alive.remove(d)
            {
                continue;
            }
            if event == Event::Timeout && machine.deadline().is_none_or(|due| now < due) {
                let before = (machine.deadline(), machine.current());
                let mut out = Vec::new();
                machine.step(now, Event::Timeout, &mut out);
                prop_assert_eq!(out, []);
                prop_assert_eq!(before, (machine.deadline(), machine.current()));
                continue;
            }
            let timeout = event == Event::Timeout;
            machine_step(&mut machine, &mut world, now, event);
            if timeout {
                prop_assert!(machine.deadline().is_none_or(|due| due > now), "the deadline {:?} at {now:?}", machine.deadline());
            }
        }
        // The end always comes: whoever is told to stop or is killed dies in time, every script ends in time.
        machine_step(&mut machine, &mut world, now, Event::Signal(Signal::Stop));
        for _ in 0..200 {
            if world.exited.is_some() {
                break;
            }
            if let Some(due) = machine.deadline() {
                now = now.max(due);
            }
            machine_step(&mut machine, &mut world, now, Event::Timeout);
            let dying: Vec<Daemon> = world.alive.iter().copied().collect();
            for daemon in dying {
                if machine.children().at(daemon).at_work().is_none() {
                    world.alive.remove(&daemon);
                    machine_step(&mut machine, &mut world, now, Event::Died(daemon, Death::Signalled(9)));
                }
            }
            for run in 1..400 {
                machine_step(&mut machine, &mut world, now, Event::ScriptEnded(RunId(run), Outcome::Exited(0)));
            }
        }
        prop_assert!(world.exited.is_some(), "it does not end: {machine:?}");
    }

    /// Whatever was before: SIGTERM, and then nobody does anything.
    #[test]
    fn the_end_is_bounded(events in proptest::collection::vec((event(), 0u64..9_000), 0..60)) {
        let mut machine = Lifecycle::new(options());
        let mut now = at(1);
        let mut out = Vec::new();
        machine.step(now, Event::Begin, &mut out);
        for (event, millis) in events {
            now = now + Duration::from_millis(millis);
            machine.step(now, event, &mut out);
        }
        if machine.stop.is_none() {
            let begin = now;
            machine.step(now, Event::Signal(Signal::Stop), &mut out);
            while let Some(due) = machine.deadline() {
                now = now.max(due);
                machine.step(now, Event::Timeout, &mut out);
            }
            prop_assert!(matches!(out.last(), Some(Action::Exit(_))));
            let longest = stop::bound(stop::CHILD_WAIT, Some(Duration::from_secs(10)));
            prop_assert!(now.since(begin) <= longest, "{:?}", now.since(begin));
        }
    }
}

fn machine_step(machine: &mut Lifecycle, world: &mut World, now: Mono, event: Event) {
    let mut out = Vec::new();
    machine.step(now, event, &mut out);
    world.see(&out);
}
