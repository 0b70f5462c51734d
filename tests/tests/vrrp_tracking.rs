//! `track_interface` and the interfaces of addresses: of another interface than the instance's own, plain and with a weight, several
//! down at once; and the sentences that say why an instance is in FAULT.

use ipc::config::vrrp::{Instance, Link, Switch, TrackLink, VrrpConfig, Weight};
use ipc::config::{LinkIdx, Origin};
use ipc::msg::control::{Outcome, ProbeEnded};
use ipc::msg::vips::{IpvsToVrrp, LinkFacts, LinkState};
use tests::router::{Bench, FAULT, LINK, at, config, facts, instance, lines, track, track_script};
use vrrpd::fsm::instance::State;
use vrrpd::io::Event;

/// An instance on eth0 that also tracks eth1 (line 11), eth2 (line 12), … with these weights.
fn tracking(weights: &[Weight]) -> (VrrpConfig, Instance) {
    let mut one = instance(1, 100);
    let mut conf = config(Vec::new());
    for (n, weight) in (1u16..).zip(weights) {
        let origin = at(10 + u32::from(n));
        let link = conf.links.push(Link { name: format!("eth{n}"), origin: Origin::default() }).unwrap();
        assert_eq!(link, LinkIdx(n));
        one.track_links.push(TrackLink { link, weight: *weight, origin });
    }
    (conf, one)
}

/// Started, with every interface up.
fn started((mut conf, one): (VrrpConfig, Instance)) -> Bench {
    let others = conf.links.len() - 1;
    conf.instances.push(one).unwrap();
    let mut bench = Bench::unsynced(conf);
    for n in 1..=others {
        let up = other(&bench, n, LinkState::Up);
        bench.ipvs(IpvsToVrrp::LinkChanged(up));
    }
    bench.sync(&[]);
    bench
}

fn other(bench: &Bench, n: usize, state: LinkState) -> LinkFacts {
    let ifindex = 2 + u32::try_from(n).unwrap();
    LinkFacts { name: format!("eth{n}"), ifindex, base: ifindex, state, ..facts(bench.addr) }
}

fn turn(bench: &mut Bench, n: usize, state: LinkState) -> Vec<String> {
    let facts = other(bench, n, state);
    lines(bench.ipvs(IpvsToVrrp::LinkChanged(facts))).into_iter().map(str::to_owned).collect()
}

const fn weight(value: i16) -> Weight {
    Weight { value, reverse: Switch::Off }
}

const fn reverse(value: i16) -> Weight {
    Weight { value, reverse: Switch::On }
}

/// README, differences: in keepalived the first of several that is back clears the fault.
#[test]
fn fault_lasts_until_the_last_interface_is_back() {
    let mut bench = started(tracking(&[FAULT, FAULT]));
    bench.to_master();
    let said = turn(&mut bench, 1, LinkState::Down);
    assert_eq!(said[0], "(VI_1) interface eth1 is down (test.conf:11)");
    assert_eq!(said[said.len() - 1], "(VI_1) Entering FAULT STATE");
    assert_eq!(turn(&mut bench, 2, LinkState::Down), ["(VI_1) interface eth2 is down (test.conf:12)"]);
    assert_eq!(bench.live(0).faults.len(), 2);
    assert_eq!(turn(&mut bench, 1, LinkState::Up), Vec::<String>::new());
    assert_eq!(bench.state(0), State::Fault, "one of two is still down");
    assert_eq!(turn(&mut bench, 2, LinkState::Up), ["(VI_1) Entering BACKUP STATE"]);
}

#[test]
fn weights_of_several_interfaces_add_up() {
    let mut bench = started(tracking(&[weight(-20), weight(-30), weight(15)]));
    let priority = |bench: &Bench| (bench.state(0), bench.live(0).priority);
    assert_eq!(priority(&bench), (State::Backup, 115), "a positive weight counts while it is up");
    for (n, state, expected) in [
        (1, LinkState::Down, 95),
        (2, LinkState::Down, 65),
        (3, LinkState::Down, 50),
        (3, LinkState::Down, 50), // said twice, counted once
        (1, LinkState::Up, 70),
        (2, LinkState::Up, 100),
        (3, LinkState::Up, 115),
    ] {
        let before = bench.live(0).priority;
        let said = turn(&mut bench, n, state);
        assert_eq!(priority(&bench), (State::Backup, expected), "eth{n} {state:?}");
        let change = format!("(VI_1) Changing effective priority from {before} to {expected}");
        assert_eq!(said, if before == expected { Vec::new() } else { vec![change] });
    }
}

#[test]
fn in_reverse_what_is_up_counts_against_it() {
    let mut bench = started(tracking(&[reverse(0), reverse(20)]));
    assert_eq!((bench.state(0), bench.live(0).priority), (State::Fault, 80));
    let out = turn(&mut bench, 1, LinkState::Down);
    assert_eq!((out, bench.state(0)), (vec!["(VI_1) Entering BACKUP STATE".to_owned()], State::Backup));
    turn(&mut bench, 2, LinkState::Down);
    assert_eq!(bench.live(0).priority, 100);
    let said = turn(&mut bench, 1, LinkState::Up);
    assert_eq!(said[0], "(VI_1) interface eth1 is up, and tracked in reverse (test.conf:11)");
    assert_eq!(bench.state(0), State::Fault);
}

#[test]
fn a_tracked_interface_that_is_gone_is_down() {
    let mut bench = started(tracking(&[FAULT, weight(-20)]));
    let out = lines(bench.ipvs(IpvsToVrrp::LinkGone { name: "eth2".into() })).len();
    assert_eq!((out, bench.state(0), bench.live(0).priority), (1, State::Backup, 80));
    bench.ipvs(IpvsToVrrp::LinkGone { name: "eth1".into() });
    assert_eq!(bench.state(0), State::Fault);
    let told =
        "(VI_1) interface eth1 does not exist (test.conf:11); waiting for it to appear: create it, or correct its name";
    assert_eq!(lines(&bench.out)[0], told);
    turn(&mut bench, 1, LinkState::Up);
    assert_eq!(bench.state(0), State::Backup);
}

/// What is missing is named with the line that asks for it: the instance's own interface, one of an address, one that is tracked.
#[test]
fn what_is_missing_is_named_with_its_line() {
    let (mut conf, one) = tracking(&[FAULT, FAULT]);
    conf.instances.push(one).unwrap();
    let mut bench = Bench::unsynced(conf);
    bench.ipvs(IpvsToVrrp::Synced);
    let expected = [("eth0", 101), ("eth1", 11), ("eth2", 12)].map(|(name, line)| {
        let advice = "waiting for it to appear: create it, or correct its name";
        format!("(VI_1) interface {name} does not exist (test.conf:{line}); {advice}")
    });
    assert_eq!(lines(&bench.out)[..3], expected);
    let mut untracked = instance(1, 100);
    untracked.track_links.retain(|tracked| tracked.link != LINK);
    let mut bench = Bench::unsynced(config(vec![untracked]));
    bench.ipvs(IpvsToVrrp::Synced);
    assert!(lines(&bench.out)[0].contains("eth0 does not exist (test.conf:1);"), "{:?}", lines(&bench.out));
}

#[test]
fn a_script_is_named_with_its_line_and_what_it_came_to() {
    for (outcome, words) in [
        (Outcome::Exited(3), "failed (exited with status 3)"),
        (Outcome::Signalled(9), "failed (due to signal 9)"),
        (Outcome::TimedOut, "timed_out"),
        (Outcome::NotStarted, "failed (could not be started)"),
    ] {
        let mut conf = config(Vec::new());
        conf.track_scripts.push(track_script(0)).unwrap();
        let mut one = instance(1, 100);
        one.track_scripts = vec![track(0, 0)];
        conf.instances.push(one).unwrap();
        let mut bench = Bench::start(conf);
        let ended = ProbeEnded { script: ipc::config::ScriptIdx(100), outcome };
        bench.event(Event::ProbeEnded { generation: bench.generation, ended });
        let told = format!("(VI_1) script chk_0 {words} (test.conf:200)");
        assert!(lines(&bench.out).contains(&told.as_str()), "{:?}", lines(&bench.out));
    }
}

/// A macvlan and the interface that it is on are one network: of two instances with one virtual_router_id the later one waits.
#[test]
fn one_virtual_router_on_two_names_of_a_network_runs_once() {
    let mut conf = config(vec![instance(7, 100)]);
    let link = conf.links.push(Link { name: "eth1".into(), origin: Origin::default() }).unwrap();
    let mut later = Instance { name: "later".into(), link, ..instance(7, 100) };
    later.track_links.iter_mut().for_each(|tracked| tracked.link = link);
    conf.instances.push(later).unwrap();
    let mut bench = Bench::start(conf);
    let on = |bench: &Bench, base| LinkFacts { base, ..other(bench, 1, LinkState::Up) };
    assert_eq!(bench.state(1), State::Fault, "there is no eth1");
    let apart = on(&bench, 3);
    bench.ipvs(IpvsToVrrp::LinkChanged(apart));
    assert_eq!((bench.state(0), bench.state(1)), (State::Backup, State::Backup), "two networks");
    bench.ipvs(IpvsToVrrp::LinkGone { name: "eth1".into() });
    let together = on(&bench, 2);
    let said: Vec<String> =
        lines(bench.ipvs(IpvsToVrrp::LinkChanged(together))).into_iter().map(str::to_owned).collect();
    let told = "(later) virtual_router_id 7 is that of another instance on interface eth0, which eth1 leads to as well; give one of \
                them another number (test.conf:7)";
    assert_eq!(said, [told]);
    assert_eq!((bench.state(0), bench.state(1)), (State::Backup, State::Fault));
    bench.ipvs(IpvsToVrrp::LinkGone { name: "eth0".into() });
    assert_eq!((bench.state(0), bench.state(1)), (State::Fault, State::Backup), "it is the only one now");
}
