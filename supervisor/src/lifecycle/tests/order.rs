//! What follows what.

use super::*;
use crate::daemon::{ASK_INTERVAL, UNANSWERED_LIMIT};
use Action::{Compile, Connect, DropSlices, Exit, Kill, LogFiles, Send, SendSlice, Spawn, Tell};
use Daemon::{Check, Ipvs, Vrrp};
use alloc::boxed::Box;
use ipc::config::script::KernelSettings;

/// Of the table of these tests: 5 s for the children, 7 s around them.
const STOPPING: Told = Told::Stopping(Duration::from_secs(12));

#[test]
fn first_start() {
    let mut b = Bench::new(options());
    assert_eq!(b.on(Event::Begin), [Compile(G1)]);
    let started = b.on(Event::Compiled(G1, Compiled::Good(Box::new(table()))));
    let wanted =
        [Spawn(Ipvs), Spawn(Vrrp), Spawn(Check), SendSlice(Ipvs, G1), SendSlice(Vrrp, G1), SendSlice(Check, G1)];
    assert_eq!(started, wanted);
    assert_eq!(b.said(Vrrp, G1, Up::Ready), []);
    assert_eq!(b.said(Ipvs, G1, Up::Ready), []);
    let settle = Action::Settle(KernelSettings::default());
    assert_eq!(b.said(Check, G1, Up::Ready), [settle, Send(Ipvs, G1, Down::Activate)], "the kernel, ipvsd first");
    let others = b.said(Ipvs, G1, Up::Activated);
    let wanted = [Connect(Vrrp), Send(Vrrp, G1, Down::Activate), Connect(Check), Send(Check, G1, Down::Activate)];
    assert_eq!(others, wanted);
    assert_eq!(b.said(Check, G1, Up::Activated), []);
    assert_eq!(b.said(Vrrp, G1, Up::Activated), [Tell(Told::Ready)]);
}

#[test]
fn only_what_the_configuration_needs_is_started() {
    let only = |parts, table: ScriptConfig| {
        let mut b = Bench::new(Options { parts, ..options() });
        b.on(Event::Begin);
        let started = b.on(Event::Compiled(G1, Compiled::Good(Box::new(table))));
        started.into_iter().filter_map(|a| if let Spawn(d) = a { Some(d) } else { None }).collect::<Vec<_>>()
    };
    assert_eq!(only(Parts::AsConfigured, ScriptConfig::default()), [Ipvs]);
    assert_eq!(only(Parts::All, ScriptConfig::default()), [Ipvs, Vrrp, Check]);
    assert_eq!(only(Parts::VrrpOnly, table()), [Ipvs, Vrrp]);
    assert_eq!(only(Parts::CheckOnly, table()), [Ipvs, Check]);
    assert_eq!(only(Parts::AsConfigured, ScriptConfig { services: 0, ..table() }), [Ipvs, Vrrp]);
}

#[test]
fn a_configuration_that_cannot_be_used_at_the_start_ends_it_with_keepaliveds_code() {
    let why = || "why".into();
    for (failure, code) in [
        (Failure::Unreadable(why()), 6),
        (Failure::Fatal { problems: 3, unread: 0 }, 2),
        (Failure::Compiler(why()), 70),
    ] {
        let mut b = Bench::new(options());
        b.on(Event::Begin);
        assert_eq!(b.on(Event::Compiled(G1, Compiled::Bad(failure))), [Tell(STOPPING), Exit(code)]);
    }
}

#[test]
fn a_child_that_refuses_at_the_start_ends_it_with_2() {
    let mut b = Bench::new(options());
    b.on(Event::Begin);
    b.on(Event::Compiled(G1, Compiled::Good(Box::new(table()))));
    assert_eq!(b.said(Vrrp, G1, Up::Refused), [Tell(STOPPING), Send(Vrrp, Generation(0), Down::Stop)]);
    b.on(Event::Died(Vrrp, Death::Exited(0)));
    b.on(Event::Died(Check, Death::Exited(0)));
    assert_eq!(b.on(Event::Died(Ipvs, Death::Exited(0))), [Exit(2)]);
}

#[test]
fn a_child_that_cannot_start_ends_everything_with_its_code_but_only_at_the_first_start() {
    for code in [1, 2, 4] {
        let mut b = Bench::new(options());
        b.on(Event::Begin);
        b.on(Event::Compiled(G1, Compiled::Good(Box::new(table()))));
        assert!(b.on(Event::Died(Vrrp, Death::Exited(code))).contains(&Tell(STOPPING)));
        b.on(Event::Died(Check, Death::Exited(0)));
        assert_eq!(b.on(Event::Died(Ipvs, Death::Exited(0))), [Exit(code)]);
        let mut b = Bench::running();
        assert!(b.on(Event::Died(Vrrp, Death::Exited(code))).contains(&Spawn(Vrrp)));
    }
}

#[test]
fn a_dead_vrrpd_is_back_in_the_same_step_and_gets_the_generation_that_counts() {
    let mut b = Bench::running();
    let wanted = [Send(Ipvs, G1, Down::Detached(ipc::msg::Role::Vrrp)), Spawn(Vrrp), SendSlice(Vrrp, G1)];
    assert_eq!(b.on(Event::Died(Vrrp, Death::Signalled(11))), wanted);
    assert_eq!(b.said(Vrrp, G1, Up::Ready), [Connect(Vrrp), Send(Vrrp, G1, Down::Activate)]);
    assert_eq!(b.said(Vrrp, G1, Up::Activated), []);
}

#[test]
fn a_dead_ipvsd_leaves_the_others_running_and_meets_them_once_it_is_active() {
    let mut b = Bench::running();
    let gone = Down::Detached(ipc::msg::Role::Ipvs);
    let wanted = [Send(Vrrp, G1, gone.clone()), Send(Check, G1, gone), Spawn(Ipvs), SendSlice(Ipvs, G1)];
    assert_eq!(b.on(Event::Died(Ipvs, Death::Signalled(9))), wanted);
    assert_eq!(b.said(Ipvs, G1, Up::Ready), [Send(Ipvs, G1, Down::Activate)]);
    assert_eq!(b.said(Ipvs, G1, Up::Activated), [Connect(Vrrp), Connect(Check)]);
}

#[test]
fn two_that_die_together_come_back_in_order() {
    let mut b = Bench::running();
    b.on(Event::Died(Vrrp, Death::Signalled(9)));
    b.on(Event::Died(Ipvs, Death::Signalled(9)));
    assert_eq!(b.said(Vrrp, G1, Up::Ready), [], "it waits for ipvsd");
    assert_eq!(b.said(Ipvs, G1, Up::Ready), [Send(Ipvs, G1, Down::Activate)]);
    let wanted = [Connect(Vrrp), Send(Vrrp, G1, Down::Activate), Connect(Check)];
    assert_eq!(b.said(Ipvs, G1, Up::Activated), wanted);
}

#[test]
fn a_crash_loop_is_slowed_down() {
    let mut b = Bench::running();
    let mut delays = Vec::new();
    for _ in 0..9 {
        let died = b.now;
        let mut actions = b.on(Event::Died(Vrrp, Death::Signalled(6)));
        while !actions.contains(&Spawn(Vrrp)) {
            b.now = b.machine.deadline().unwrap();
            actions = b.on(Event::Timeout);
        }
        delays.push(b.now.since(died).as_secs());
    }
    assert_eq!(delays, [0, 0, 1, 2, 4, 8, 16, 32, 60]);
}

#[test]
fn reload() {
    let mut b = Bench::running();
    assert_eq!(b.on(Event::Signal(Signal::Reload)), [LogFiles, Tell(Told::Reloading), Compile(G2)]);
    let sent = b.on(Event::Compiled(G2, Compiled::Good(Box::new(table()))));
    assert_eq!(sent, [SendSlice(Ipvs, G2), SendSlice(Vrrp, G2), SendSlice(Check, G2)]);
    assert_eq!(b.said(Check, G2, Up::Ready), []);
    assert_eq!(b.said(Ipvs, G2, Up::Ready), []);
    let settle = Action::Settle(KernelSettings::default());
    assert_eq!(b.said(Vrrp, G2, Up::Ready), [settle, Send(Ipvs, G2, Down::Activate)]);
    let others = b.said(Ipvs, G2, Up::Activated);
    assert_eq!(others, [Send(Vrrp, G2, Down::Activate), Send(Check, G2, Down::Activate)], "the channels stay");
    b.said(Vrrp, G2, Up::Activated);
    let done = b.said(Check, G2, Up::Activated);
    assert_eq!(done, [Action::DropScripts(G1), DropSlices(G1), Tell(Told::Ready)]);
}

#[test]
fn a_reload_that_does_not_compile_changes_nothing() {
    let mut b = Bench::running();
    b.on(Event::Signal(Signal::Reload));
    let after = b.on(Event::Compiled(G2, Compiled::Bad(Failure::Fatal { problems: 1, unread: 0 })));
    assert_eq!(after, [DropSlices(G2), Tell(Told::ReloadFailed)]);
    assert_eq!(b.machine.current(), Some(G1));
    assert_eq!(b.on(Event::Signal(Signal::Reload)), [LogFiles, Tell(Told::Reloading), Compile(Generation(3))]);
}

#[test]
fn a_reload_that_a_child_refuses_is_taken_back_everywhere() {
    let mut b = Bench::reloading();
    b.said(Ipvs, G2, Up::Ready);
    let wanted = [
        Send(Ipvs, G2, Down::Discard),
        Send(Check, G2, Down::Discard),
        Action::DropScripts(G2),
        DropSlices(G2),
        Tell(Told::ReloadFailed),
    ];
    assert_eq!(b.said(Vrrp, G2, Up::Refused), wanted);
    assert_eq!(b.said(Check, G2, Up::Ready), [], "said before it knew");
    assert_eq!(b.machine.current(), Some(G1));
}

#[test]
fn a_reload_of_which_a_child_dies_is_taken_back() {
    let mut b = Bench::reloading();
    b.said(Ipvs, G2, Up::Ready);
    let actions = b.on(Event::Died(Vrrp, Death::Signalled(11)));
    assert!(actions.contains(&Send(Ipvs, G2, Down::Discard)), "{actions:?}");
    assert!(actions.contains(&SendSlice(Vrrp, G1)), "it comes back with what counts: {actions:?}");
    assert_eq!(b.machine.current(), Some(G1));
}

#[test]
fn after_the_point_of_no_return_a_dead_child_comes_back_with_the_new_generation() {
    let mut b = Bench::reloading();
    for daemon in Daemon::ALL {
        b.said(daemon, G2, Up::Ready);
    }
    assert_eq!(b.machine.current(), Some(G2));
    let actions = b.on(Event::Died(Vrrp, Death::Signalled(11)));
    assert!(actions.contains(&SendSlice(Vrrp, G2)), "{actions:?}");
    b.said(Ipvs, G2, Up::Activated);
    assert!(b.machine.change().is_some());
    b.said(Check, G2, Up::Activated);
    b.said(Vrrp, G2, Up::Ready);
    assert!(b.said(Vrrp, G2, Up::Activated).contains(&Tell(Told::Ready)));
}

#[test]
fn reloads_asked_for_during_a_reload_are_one_reload_after_it() {
    let mut b = Bench::running();
    b.on(Event::Signal(Signal::Reload));
    assert_eq!(b.on(Event::Signal(Signal::Reload)), [LogFiles]);
    assert_eq!(b.on(Event::Signal(Signal::Reload)), [LogFiles]);
    let after = b.on(Event::Compiled(G2, Compiled::Bad(Failure::Fatal { problems: 1, unread: 0 })));
    assert_eq!(after, [DropSlices(G2), Tell(Told::ReloadFailed), Tell(Told::Reloading), Compile(Generation(3))]);
    let after = b.on(Event::Compiled(Generation(3), Compiled::Bad(Failure::Fatal { problems: 1, unread: 0 })));
    assert_eq!(after, [DropSlices(Generation(3)), Tell(Told::ReloadFailed)]);
}

#[test]
fn a_reload_starts_a_child_that_is_needed_for_the_first_time() {
    let mut b = Bench::new(options());
    b.on(Event::Begin);
    b.on(Event::Compiled(G1, Compiled::Good(Box::new(ScriptConfig { services: 0, ..table() }))));
    b.said(Ipvs, G1, Up::Ready);
    b.said(Vrrp, G1, Up::Ready);
    b.said(Ipvs, G1, Up::Activated);
    assert_eq!(b.said(Vrrp, G1, Up::Activated), [Tell(Told::Ready)]);
    b.on(Event::Signal(Signal::Reload));
    let actions = b.on(Event::Compiled(G2, Compiled::Good(Box::new(table()))));
    assert_eq!(actions, [Spawn(Check), SendSlice(Ipvs, G2), SendSlice(Vrrp, G2), SendSlice(Check, G2)]);
}

#[test]
fn the_end_comes_in_order() {
    let mut b = Bench::running();
    assert_eq!(b.on(Event::Signal(Signal::Stop)), [Tell(STOPPING), Send(Vrrp, G1, Down::Stop)]);
    assert_eq!(b.on(Event::Signal(Signal::Stop)), []);
    assert_eq!(b.said(Vrrp, G1, Up::Stopped), []);
    let after = b.on(Event::Died(Vrrp, Death::Exited(0)));
    assert_eq!(after, [Send(Ipvs, G1, Down::Detached(ipc::msg::Role::Vrrp)), Send(Check, G1, Down::Stop)]);
    let after = b.on(Event::Died(Check, Death::Exited(0)));
    assert_eq!(after, [Send(Ipvs, G1, Down::Detached(ipc::msg::Role::Check)), Send(Ipvs, G1, Down::Stop)]);
    assert_eq!(b.on(Event::Died(Ipvs, Death::Exited(0))), [Exit(0)]);
    assert_eq!(b.machine.deadline(), None);
    assert_eq!(b.on(Event::Signal(Signal::Reload)), []);
}

#[test]
fn a_child_that_does_not_stop_is_killed_after_child_wait_time() {
    let mut b = Bench::running();
    b.on(Event::Signal(Signal::Stop));
    assert_eq!(b.machine.deadline(), Some(b.now + stop::CHILD_WAIT));
    b.now = b.now + stop::CHILD_WAIT;
    assert_eq!(b.on(Event::Timeout), [Kill(Vrrp)]);
}

#[test]
fn the_end_waits_a_second_for_notify_scripts() {
    let mut b = Bench::running();
    let cause = Cause::Instance { instance: InstanceIdx(0), state: NotifyState::Stop, priority: 100 };
    b.on(Event::Signal(Signal::Stop));
    let run = b.on(Event::Asked(Vrrp, G1, Run { script: ScriptIdx(2), cause }));
    let tail = ["INSTANCE", "VI_1", "STOP", "100"].map(|w| w.as_bytes().to_vec()).to_vec();
    assert_eq!(run, [Action::RunScript { run: RunId(1), generation: G1, script: ScriptIdx(2), tail }]);
    for daemon in stop::ORDER {
        b.on(Event::Died(daemon, Death::Exited(0)));
    }
    assert_eq!(b.machine.deadline(), Some(b.now + stop::SCRIPTS_WAIT));
    let mut other = Bench { machine: b.machine.clone(), now: b.now };
    assert_eq!(b.on(Event::ScriptEnded(RunId(1), Outcome::Exited(0))), [Exit(0)]);
    other.now = other.now + stop::SCRIPTS_WAIT;
    assert_eq!(other.on(Event::Timeout), [Action::SignalScript(RunId(1), Sig::Term)]);
    let mut third = Bench { machine: other.machine.clone(), now: other.now };
    assert_eq!(other.on(Event::ScriptEnded(RunId(1), Outcome::Signalled(15))), [Exit(0)]);
    third.now = third.now + stop::LEFTOVERS_WAIT;
    assert_eq!(third.on(Event::Timeout), [Action::SignalScript(RunId(1), Sig::Kill), Exit(0)]);
}

/// Lets time pass and nothing happen until it ends; says how long that took and what was done.
fn nobody_does_anything(b: &mut Bench) -> (Duration, Vec<Action>) {
    let begin = b.now;
    let mut all = b.on(Event::Signal(Signal::Stop));
    for _ in 0..100 {
        let Some(due) = b.machine.deadline() else { break };
        b.now = due;
        all.extend(b.on(Event::Timeout));
    }
    (b.now.since(begin), all)
}

#[test]
fn the_end_is_bounded_when_nobody_does_anything() {
    let limit = Duration::from_secs(20);
    for shutdown in [None, Some((ScriptIdx(3), limit))] {
        let mut b = Bench::new(options());
        b.on(Event::Begin);
        b.on(Event::Compiled(G1, Compiled::Good(Box::new(ScriptConfig { shutdown, ..table() }))));
        for up in [Up::Ready, Up::Activated] {
            for daemon in Daemon::ALL {
                b.said(daemon, G1, up);
            }
        }
        let cause = Cause::Instance { instance: InstanceIdx(0), state: NotifyState::Master, priority: 100 };
        b.on(Event::Asked(Vrrp, G1, Run { script: ScriptIdx(2), cause }));
        b.on(Event::Asked(Vrrp, G1, Run { script: ScriptIdx(0), cause: Cause::Probe }));
        let (took, actions) = nobody_does_anything(&mut b);
        assert_eq!(actions.last(), Some(&Exit(0)));
        let bound = stop::bound(stop::CHILD_WAIT, shutdown.map(|_| limit));
        assert!(took <= bound, "{took:?}, at most {bound:?}");
        assert_eq!(actions.first(), Some(&Tell(Told::Stopping(bound))));
        for daemon in Daemon::ALL {
            assert!(actions.contains(&Send(daemon, G1, Down::Stop)) && actions.contains(&Kill(daemon)), "{daemon}");
        }
    }
    assert!(stop::bound(stop::CHILD_WAIT, None) < Duration::from_secs(15), "TimeoutStopSec of the systemd unit");
}

#[test]
fn a_child_that_hangs_up_may_say_with_what_status_it_ends() {
    let mut b = Bench::new(options());
    b.on(Event::Begin);
    b.on(Event::Compiled(G1, Compiled::Good(Box::new(table()))));
    assert_eq!(b.on(Event::Broken(Vrrp, Breach::Closed)), []);
    assert_eq!(b.said(Vrrp, G1, Up::Ready), [], "nothing it says counts any more");
    let mut other = Bench { machine: b.machine.clone(), now: b.now };
    assert!(b.on(Event::Died(Vrrp, Death::Exited(1))).contains(&Send(Check, Generation(0), Down::Stop)));
    b.on(Event::Died(Check, Death::Exited(0)));
    assert_eq!(b.on(Event::Died(Ipvs, Death::Exited(0))), [Exit(1)]);
    other.now = other.now + crate::daemon::LAST_BREATH;
    assert_eq!(other.on(Event::Timeout), [Kill(Vrrp)]);
}

#[test]
fn startup_and_shutdown_scripts() {
    let limit = Duration::from_secs(10);
    let once = Some((ScriptIdx(3), limit));
    let mut b = Bench::new(options());
    b.on(Event::Begin);
    let table = ScriptConfig { startup: once, shutdown: once, ..table() };
    let run = |n| Action::RunScript { run: RunId(n), generation: G1, script: ScriptIdx(3), tail: Vec::new() };
    assert_eq!(b.on(Event::Compiled(G1, Compiled::Good(Box::new(table)))), [run(1)]);
    assert!(
        b.on(Event::ScriptEnded(RunId(1), Outcome::Exited(1))).contains(&Spawn(Ipvs)),
        "its status does not matter"
    );
    for daemon in Daemon::ALL {
        b.said(daemon, G1, Up::Ready);
    }
    b.on(Event::Signal(Signal::Stop));
    b.on(Event::Died(Vrrp, Death::Exited(0)));
    b.on(Event::Died(Check, Death::Exited(0)));
    assert_eq!(b.on(Event::Died(Ipvs, Death::Exited(0))), [run(2)]);
    assert_eq!(b.on(Event::ScriptEnded(RunId(2), Outcome::Exited(0))), [Exit(0)]);
}

#[test]
fn whoever_breaks_the_protocol_is_killed() {
    let unknown = Run { script: ScriptIdx(99), cause: Cause::Probe };
    let listed = Run { script: ScriptIdx(0), cause: Cause::Probe };
    for (daemon, event) in [
        (Vrrp, Event::Asked(Vrrp, G1, unknown)),
        (Vrrp, Event::Asked(Vrrp, G2, listed)),
        (Vrrp, Event::Asked(Vrrp, Generation(0), listed)),
        (Check, Event::Said(Check, Generation(9), Up::Ready)),
        (Check, Event::Said(Check, G1, Up::Activated)),
        (Ipvs, Event::Said(Ipvs, G1, Up::Stopped)),
        (Ipvs, Event::Broken(Ipvs, Breach::Protocol("malformed".into()))),
        (Vrrp, Event::Said(Vrrp, G1, Up::Violation(ipc::msg::Role::Check))),
        (Vrrp, Event::Said(Vrrp, G1, Up::Violation(ipc::msg::Role::Compile))),
        (Vrrp, Event::Said(Ipvs, G1, Up::Violation(ipc::msg::Role::Vrrp))),
        (Ipvs, Event::Said(Check, G1, Up::Violation(ipc::msg::Role::Ipvs))),
    ] {
        let mut b = Bench::running();
        assert_eq!(b.on(event.clone()), [Kill(daemon)], "{event:?}");
        assert_eq!(b.said(daemon, G1, Up::Violation(ipc::msg::Role::Ipvs)), [], "nothing it says counts any more");
        assert_eq!(b.on(Event::Asked(daemon, G1, unknown)), []);
        assert!(b.on(Event::Died(daemon, Death::Signalled(9))).contains(&Spawn(daemon)));
    }
}

#[test]
fn those_who_read_from_the_network_cannot_keep_ipvsd_down() {
    let accusation = Up::Violation(ipc::msg::Role::Ipvs);
    let mut b = Bench::running();
    assert_eq!(b.said(Check, G1, accusation), [Kill(Ipvs)]);
    assert_eq!(b.said(Vrrp, G1, accusation), [], "it is dead already");
    assert!(b.on(Event::Died(Ipvs, Death::Signalled(9))).contains(&Spawn(Ipvs)), "at once");
    assert_eq!(b.said(Vrrp, G1, accusation), [], "still the one before");
    b.said(Ipvs, G1, Up::Ready);
    b.said(Ipvs, G1, Up::Activated);
    b.now = b.now + BELIEVED_AGAIN - Duration::from_nanos(1);
    assert_eq!(b.said(Vrrp, G1, accusation), [Kill(Vrrp)]);
    b.now = b.now + Duration::from_nanos(1);
    assert_eq!(b.said(Check, G1, accusation), [Kill(Ipvs)]);
    assert!(b.on(Event::Died(Ipvs, Death::Signalled(9))).contains(&Spawn(Ipvs)), "at once");
}

#[test]
fn a_child_that_does_not_answer_is_killed_again_and_again() {
    let mut b = Bench::new(options());
    b.on(Event::Begin);
    b.on(Event::Compiled(G1, Compiled::Good(Box::default())));
    b.now = b.machine.deadline().unwrap();
    assert_eq!(b.on(Event::Timeout), [Kill(Ipvs)]);
    b.now = b.machine.deadline().unwrap();
    assert_eq!(b.on(Event::Timeout), [Kill(Ipvs)]);
}

#[test]
fn dont_respawn_ends_everything() {
    let mut b = Bench::running();
    b.machine.options.respawn = Respawn::No;
    let actions = b.on(Event::Died(Check, Death::Signalled(6)));
    assert!(actions.contains(&Send(Vrrp, G1, Down::Stop)), "{actions:?}");
    b.on(Event::Died(Vrrp, Death::Exited(0)));
    assert_eq!(b.on(Event::Died(Ipvs, Death::Exited(0))), [Exit(0)]);
}

#[test]
fn dumps_go_to_those_that_have_something_to_say() {
    let mut b = Bench::running();
    let dump = |kind| Event::Signal(Signal::Dump(kind));
    let all = [DumpKind::Data; 3].into_iter().zip(Daemon::ALL).map(|(kind, d)| Action::Dump(d, kind));
    assert_eq!(b.on(dump(DumpKind::Data)), [Action::DumpSelf].into_iter().chain(all).collect::<Vec<_>>());
    assert_eq!(b.on(dump(DumpKind::Stats)), [Action::Dump(Vrrp, DumpKind::Stats)]);
}

#[test]
fn a_new_syslog_socket_comes_at_most_once_a_second() {
    let mut b = Bench::running();
    assert_eq!(b.said(Vrrp, G1, Up::LogSocketLost), [Action::LogSocket(Vrrp)]);
    assert_eq!(b.said(Vrrp, G1, Up::LogSocketLost), []);
    assert_eq!(b.said(Check, G1, Up::LogSocketLost), [Action::LogSocket(Check)]);
    b.now = b.now + Duration::from_secs(1);
    assert_eq!(b.said(Vrrp, G1, Up::LogSocketLost), [Action::LogSocket(Vrrp)]);
}

#[test]
fn a_probe_goes_to_the_child_that_asked_and_dies_with_it() {
    let mut b = Bench::running();
    let probe = Run { script: ScriptIdx(0), cause: Cause::Probe };
    b.on(Event::Asked(Vrrp, G1, probe));
    let ended = ProbeEnded { script: ScriptIdx(0), outcome: Outcome::Exited(1) };
    assert_eq!(b.on(Event::ScriptEnded(RunId(1), Outcome::Exited(1))), [Action::Probed(Vrrp, G1, ended)]);
    b.on(Event::Asked(Vrrp, G1, probe));
    assert!(b.on(Event::Died(Vrrp, Death::Signalled(9))).contains(&Action::SignalScript(RunId(2), Sig::Term)));
    assert_eq!(b.on(Event::ScriptEnded(RunId(2), Outcome::Signalled(15))), []);
}

#[test]
fn a_child_that_hangs_is_killed() {
    let mut b = Bench::running();
    let asked = Daemon::ALL.map(|daemon| Send(daemon, G1, Down::Ask));
    for _ in 0..UNANSWERED_LIMIT {
        b.now = b.machine.deadline().unwrap();
        assert_eq!(b.on(Event::Timeout), asked);
        for daemon in [Ipvs, Check] {
            assert_eq!(b.said(daemon, G1, Up::Here), []);
        }
    }
    b.now = b.machine.deadline().unwrap();
    assert_eq!(b.on(Event::Timeout), [asked[0].clone(), Kill(Vrrp), asked[2].clone()]);
    assert_eq!(b.now.since(at(1)), ASK_INTERVAL * u32::from(UNANSWERED_LIMIT + 1));
}

#[test]
fn nobody_is_asked_where_nobody_is_started_again() {
    let mut b = Bench::new(Options { respawn: Respawn::No, ..options() });
    b.on(Event::Begin);
    b.on(Event::Compiled(G1, Compiled::Good(Box::new(table()))));
    for daemon in Daemon::ALL {
        b.said(daemon, G1, Up::Ready);
    }
    for daemon in Daemon::ALL {
        b.said(daemon, G1, Up::Activated);
    }
    b.now = b.machine.deadline().unwrap();
    assert_eq!(b.on(Event::Timeout), []);
    assert_eq!(b.machine.deadline(), None);
}
