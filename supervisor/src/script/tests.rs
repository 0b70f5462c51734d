//! Tests of the runner.

use super::*;
use alloc::string::{String, ToString};
use alloc::vec;
use ipc::config::script::{Asker, Script, ScriptKind};
use ipc::config::{GroupIdx, InstanceIdx, Origin, RealIdx, ServiceIdx};
use ipc::msg::control::{Cause, NotifyState};
use proptest::prelude::*;

const G: Generation = Generation(1);
const PROBE: ScriptIdx = ScriptIdx(0);
const EVENT: ScriptIdx = ScriptIdx(1);
const GENERIC: ScriptIdx = ScriptIdx(2);
const ONCE: ScriptIdx = ScriptIdx(3);
const CHECK_PROBE: ScriptIdx = ScriptIdx(4);
const CHECK_EVENT: ScriptIdx = ScriptIdx(5);
const LIMIT: Duration = Duration::from_secs(3);

fn table(instances: usize) -> ScriptConfig {
    let probe = ScriptKind::Probe { timeout: LIMIT };
    let kinds = [
        (probe, Asker::Vrrp),
        (ScriptKind::Event, Asker::Vrrp),
        (ScriptKind::Generic, Asker::Vrrp),
        (ScriptKind::Once, Asker::Supervisor),
        (probe, Asker::Check),
        (ScriptKind::Event, Asker::Check),
    ];
    let script = |(kind, asker)| Script {
        argv: vec![b"/x".to_vec()],
        run_as: None,
        label: "notify of VI_1".to_string(),
        origin: Origin::default(),
        kind,
        asker,
    };
    ScriptConfig {
        scripts: kinds.into_iter().map(script).collect(),
        instances: (0..instances).map(|n| format!("VI_{n}")).collect(),
        groups: ["G1".to_string()].into_iter().collect(),
        services: 1,
        reals: 2,
        ..ScriptConfig::default()
    }
}

fn scripts(instances: usize) -> Scripts {
    let mut scripts = Scripts::default();
    scripts.admit(G, table(instances));
    scripts
}

fn at(millis: u64) -> Mono {
    Mono::ZERO + Duration::from_millis(millis)
}

fn instance(number: u16, state: NotifyState) -> Cause {
    Cause::Instance { instance: InstanceIdx(number), state, priority: 100 }
}

impl Scripts {
    fn ask(&mut self, now: Mono, from: Daemon, script: ScriptIdx, cause: Cause) -> Result<Vec<Effect>, BadRequest> {
        let mut out = Vec::new();
        self.request(now, from, G, Run { script, cause }, &mut out).map(|()| out)
    }

    fn end(&mut self, now: Mono, run: u64, outcome: Outcome) -> Vec<Effect> {
        let mut out = Vec::new();
        self.ended(now, RunId(run), outcome, &mut out);
        out.retain(|e| !matches!(e, Effect::Log(_)));
        out
    }

    fn due(&mut self, now: Mono) -> Vec<Effect> {
        let mut out = Vec::new();
        self.timeout(now, &mut out);
        out.retain(|e| !matches!(e, Effect::Log(_)));
        out
    }
}

/// The last but one word of what is started: the state told.
fn told(effects: &[Effect]) -> Vec<String> {
    let word = |e: &Effect| match e {
        Effect::Start { tail, .. } => tail.get(2).map(|w| String::from_utf8_lossy(w).into_owned()),
        _ => None,
    };
    effects.iter().filter_map(word).collect()
}

#[test]
fn arguments_are_keepaliveds() {
    let mut s = scripts(1);
    let words = |effects: Vec<Effect>| match effects.first() {
        Some(Effect::Start { tail, .. }) => {
            tail.iter().map(|w| String::from_utf8_lossy(w).into_owned()).collect::<Vec<_>>().join(" ")
        }
        other => panic!("{other:?}"),
    };
    let started = s.ask(at(0), Daemon::Vrrp, GENERIC, instance(0, NotifyState::Master)).unwrap();
    assert_eq!(words(started), "INSTANCE VI_0 MASTER 100");
    let group = Cause::Group { group: GroupIdx(0), state: NotifyState::Fault };
    assert_eq!(words(s.ask(at(0), Daemon::Vrrp, GENERIC, group).unwrap()), "GROUP G1 FAULT 0");
    let real = s.ask(at(0), Daemon::Check, CHECK_EVENT, Cause::Real(RealIdx(1))).unwrap();
    assert_eq!(words(real), "", "commands of a state run as they are written");
}

#[test]
fn a_request_must_fit_the_table_and_the_asker() {
    let group = |n| Cause::Group { group: GroupIdx(n), state: NotifyState::Stop };
    for (from, script, cause, wrong) in [
        (Daemon::Vrrp, ScriptIdx(6), Cause::Probe, BadRequest::Script(ScriptIdx(6))),
        (Daemon::Vrrp, EVENT, Cause::Probe, BadRequest::Kind(EVENT)),
        (Daemon::Vrrp, PROBE, instance(0, NotifyState::Master), BadRequest::Kind(PROBE)),
        (Daemon::Vrrp, ONCE, instance(0, NotifyState::Master), BadRequest::Kind(ONCE)),
        (Daemon::Check, EVENT, Cause::Real(RealIdx(0)), BadRequest::Asker(EVENT)),
        (Daemon::Check, PROBE, Cause::Probe, BadRequest::Asker(PROBE)),
        (Daemon::Vrrp, CHECK_EVENT, instance(0, NotifyState::Master), BadRequest::Asker(CHECK_EVENT)),
        (Daemon::Vrrp, CHECK_PROBE, Cause::Probe, BadRequest::Asker(CHECK_PROBE)),
        (Daemon::Check, CHECK_EVENT, Cause::Probe, BadRequest::Kind(CHECK_EVENT)),
        (Daemon::Vrrp, EVENT, instance(1, NotifyState::Master), BadRequest::Instance(InstanceIdx(1))),
        (Daemon::Vrrp, EVENT, group(1), BadRequest::Group(GroupIdx(1))),
        (Daemon::Check, CHECK_EVENT, Cause::Real(RealIdx(2)), BadRequest::Real(RealIdx(2))),
        (Daemon::Check, CHECK_EVENT, Cause::Quorum(ServiceIdx(1)), BadRequest::Service(ServiceIdx(1))),
        (Daemon::Vrrp, EVENT, Cause::Real(RealIdx(0)), BadRequest::Cause),
        (Daemon::Check, EVENT, instance(0, NotifyState::Master), BadRequest::Cause),
        (Daemon::Ipvs, PROBE, Cause::Probe, BadRequest::Cause),
    ] {
        assert_eq!(scripts(1).ask(at(0), from, script, cause), Err(wrong), "{from} {script:?} {cause:?}");
    }
    let unknown = Run { script: PROBE, cause: Cause::Probe };
    let wrong = scripts(1).request(at(0), Daemon::Vrrp, Generation(9), unknown, &mut Vec::new());
    assert_eq!(wrong, Err(BadRequest::Generation(Generation(9))));
}

#[test]
fn commands_of_one_subject_follow_each_other_and_others_do_not_wait() {
    let mut s = scripts(2);
    let first = s.ask(at(0), Daemon::Vrrp, GENERIC, instance(0, NotifyState::Master)).unwrap();
    assert_eq!(told(&first), ["MASTER"]);
    assert_eq!(s.ask(at(1), Daemon::Vrrp, GENERIC, instance(0, NotifyState::Backup)).unwrap(), []);
    assert_eq!(s.ask(at(2), Daemon::Vrrp, GENERIC, instance(0, NotifyState::Fault)).unwrap(), []);
    let other = s.ask(at(3), Daemon::Vrrp, GENERIC, instance(1, NotifyState::Master)).unwrap();
    assert_eq!(told(&other), ["MASTER"]);
    assert_eq!(told(&s.end(at(4), 1, Outcome::Exited(0))), ["BACKUP"]);
    assert_eq!(told(&s.end(at(5), 3, Outcome::NotStarted)), ["FAULT"]);
    assert!(!s.events_done());
    s.end(at(6), 4, Outcome::Exited(0));
    s.end(at(6), 2, Outcome::Exited(0));
    assert!(s.events_done());
}

#[test]
fn what_waits_is_bounded_and_the_newest_is_told_last() {
    let mut s = scripts(1);
    let states = [NotifyState::Master, NotifyState::Backup];
    for n in 0..1_001 {
        s.ask(at(n), Daemon::Vrrp, GENERIC, instance(0, states[usize::from(n % 2 == 1)])).unwrap();
    }
    let newest = s.ask(at(2_000), Daemon::Vrrp, GENERIC, instance(0, NotifyState::Fault)).unwrap();
    assert_eq!(newest, [], "that some are left out is said once, at the first");
    let mut order = Vec::new();
    for run in 1.. {
        let next = told(&s.end(at(3_000), run, Outcome::Exited(0)));
        if next.is_empty() {
            break;
        }
        order.extend(next);
    }
    assert_eq!(order.len(), WAITING_LIMIT);
    assert_eq!(order.last().map(String::as_str), Some("FAULT"));
}

#[test]
fn a_command_that_never_ends_is_left_alone_but_not_waited_for() {
    let mut s = scripts(1);
    s.ask(at(0), Daemon::Vrrp, GENERIC, instance(0, NotifyState::Master)).unwrap();
    s.ask(at(0), Daemon::Vrrp, GENERIC, instance(0, NotifyState::Backup)).unwrap();
    assert_eq!(s.deadline(), Some(at(0) + PATIENCE));
    let then = at(0) + PATIENCE;
    assert_eq!(told(&s.due(then)), ["BACKUP"]);
    assert_eq!(s.end(then, 2, Outcome::Exited(0)), []);
    assert_eq!(s.deadline(), None);
    assert_eq!(s.running(), 1);
    assert_eq!(s.end(then, 1, Outcome::Exited(0)), []);
}

#[test]
fn a_probe_that_overruns_its_time_is_ended_and_reported() {
    let mut s = scripts(1);
    s.ask(at(0), Daemon::Check, CHECK_PROBE, Cause::Probe).unwrap();
    assert_eq!(s.deadline(), Some(at(3_000)));
    let signal = |signal| [Effect::Signal { run: RunId(1), signal }];
    assert_eq!(s.due(at(3_000)), signal(Sig::Term));
    assert_eq!(s.due(at(5_000)), signal(Sig::Kill));
    assert_eq!(s.due(at(15_000)), signal(Sig::Kill));
    assert_eq!(s.deadline(), Some(at(25_000)));
    let ended = ProbeEnded { script: CHECK_PROBE, outcome: Outcome::TimedOut };
    let reported = [Effect::Probed { to: Daemon::Check, generation: G, ended }];
    assert_eq!(s.end(at(16_000), 1, Outcome::Signalled(9)), reported);
    assert_eq!(s.deadline(), None);
}

#[test]
fn a_probe_runs_once_at_a_time() {
    let mut s = scripts(1);
    assert_eq!(s.ask(at(0), Daemon::Vrrp, PROBE, Cause::Probe).unwrap().len(), 1);
    assert_eq!(s.ask(at(1), Daemon::Vrrp, PROBE, Cause::Probe).unwrap(), []);
    assert_eq!(s.end(at(2), 1, Outcome::Exited(0)).len(), 1, "one report for both");
}

#[test]
fn the_successor_of_a_dead_child_gets_a_run_of_its_own() {
    let mut s = scripts(1);
    s.ask(at(0), Daemon::Vrrp, PROBE, Cause::Probe).unwrap();
    let mut out = Vec::new();
    s.owner_gone(at(1), Daemon::Vrrp, &mut out);
    assert_eq!(out, [Effect::Signal { run: RunId(1), signal: Sig::Term }]);
    assert_eq!(s.ask(at(2), Daemon::Vrrp, PROBE, Cause::Probe).unwrap(), [], "not two at a time");
    let next = s.end(at(3), 1, Outcome::Signalled(15));
    assert_eq!(next, [Effect::Start { run: RunId(2), generation: G, script: PROBE, tail: Vec::new() }]);
    assert_eq!(s.end(at(4), 2, Outcome::Exited(0)).len(), 1);
}

#[test]
fn a_table_stays_until_what_waits_for_it_has_run() {
    let mut s = scripts(1);
    s.ask(at(0), Daemon::Vrrp, GENERIC, instance(0, NotifyState::Master)).unwrap();
    s.ask(at(0), Daemon::Vrrp, GENERIC, instance(0, NotifyState::Backup)).unwrap();
    s.ask(at(0), Daemon::Vrrp, PROBE, Cause::Probe).unwrap();
    let mut out = Vec::new();
    s.retire(at(1), G, &mut out);
    assert_eq!(out, [Effect::Signal { run: RunId(2), signal: Sig::Term }]);
    assert_eq!(s.end(at(2), 2, Outcome::Signalled(15)), []);
    assert_eq!(told(&s.end(at(3), 1, Outcome::Exited(0))), ["BACKUP"]);
    assert_eq!(s.end(at(4), 3, Outcome::Exited(0)), [Effect::TableFree(G)]);
    assert!(s.table(G).is_none());
}

#[test]
fn so_many_run_at_a_time_and_the_rest_gets_its_turn() {
    let mut s = scripts(200);
    let mut running: VecDeque<u64> = VecDeque::new();
    for n in 0..200 {
        let started = s.ask(at(0), Daemon::Vrrp, GENERIC, instance(n, NotifyState::Master)).unwrap();
        running
            .extend(started.iter().filter_map(|e| if let Effect::Start { run, .. } = e { Some(run.0) } else { None }));
        assert!(running.len() <= EVENTS_LIMIT);
    }
    let mut ran = 0;
    while let Some(run) = running.pop_front() {
        ran += 1;
        let next = s.end(at(1), run, Outcome::Exited(0));
        running.extend(next.iter().filter_map(|e| if let Effect::Start { run, .. } = e { Some(run.0) } else { None }));
        assert!(running.len() <= EVENTS_LIMIT);
    }
    assert_eq!(ran, 200);
}

proptest! {
    /// Whatever happens: the laws of time, order within a subject, the newest state last, everything ends.
    #[test]
    fn laws(steps in proptest::collection::vec((0u8..6, 0u16..3, 0u8..4, 0u64..40_000), 1..200)) {
        let mut s = scripts(3);
        let mut now = at(1);
        let states = [NotifyState::Master, NotifyState::Backup, NotifyState::Fault, NotifyState::Stop];
        let mut live: Vec<(RunId, Vec<Vec<u8>>)> = Vec::new();
        let mut asked: BTreeMap<u16, u8> = BTreeMap::new();
        let mut last_told: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut sequence: u8 = 0;
        for (what, number, state, millis) in steps {
            now = now + Duration::from_millis(millis);
            let mut out = Vec::new();
            match what {
                0..=2 => {
                    sequence = sequence.wrapping_add(1);
                    let state = states[usize::from(state)];
                    let cause = Cause::Instance { instance: InstanceIdx(number), state, priority: sequence };
                    s.request(now, Daemon::Vrrp, G, Run { script: GENERIC, cause }, &mut out).unwrap();
                    asked.insert(number, sequence);
                }
                3 => s.request(now, Daemon::Vrrp, G, Run { script: PROBE, cause: Cause::Probe }, &mut out).unwrap(),
                4 => {
                    s.timeout(now, &mut out);
                    prop_assert!(s.deadline().is_none_or(|due| due > now));
                }
                _ if !live.is_empty() => {
                    let (run, _) = live.remove(usize::from(number) % live.len());
                    s.ended(now, run, Outcome::Exited(0), &mut out);
                }
                _ => {}
            }
            see(&out, &mut live, &mut last_told);
        }
        for _ in 0..1_000 {
            let Some((run, _)) = live.pop() else { break };
            let mut out = Vec::new();
            s.ended(now, run, Outcome::Exited(0), &mut out);
            see(&out, &mut live, &mut last_told);
        }
        prop_assert!(live.is_empty() && s.events_done() && s.running() == 0 && s.deadline().is_none());
        for (number, priority) in asked {
            let newest = priority.to_string().into_bytes();
            prop_assert_eq!(last_told.get(format!("VI_{number}").as_bytes()), Some(&newest), "the newest is told last");
        }
    }
}

fn see(out: &[Effect], live: &mut Vec<(RunId, Vec<Vec<u8>>)>, last_told: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    for effect in out {
        if let Effect::Start { run, tail, .. } = effect {
            if let (Some(name), Some(priority)) = (tail.get(1), tail.get(3)) {
                last_told.insert(name.clone(), priority.clone());
            }
            live.push((*run, tail.clone()));
        }
    }
}
