//! Sync groups: together or not at all.

use ipc::config::vrrp::{SyncGroup, VrrpConfig, Wanted};
use ipc::config::{GroupIdx, InstanceIdx};
use ipc::msg::control::{Cause, NotifyState};
use ipc::msg::vips::IpvsToVrrp;
use std::net::Ipv4Addr;
use std::time::Duration;
use tests::router::{Bench, NOTIFY, adverts, config, instance, lines, peer_advert, probe_ended, track, track_script};
use vrrpd::fsm::instance::State;
use vrrpd::io::{Action, Event};

/// Two members with different priorities, so that their timers end at different times.
fn pair(wanted: Wanted) -> VrrpConfig {
    let mut members = vec![instance(1, 150), instance(2, 100)];
    for member in &mut members {
        member.group = Some(GroupIdx(0));
        member.wanted = wanted;
    }
    members[1].track_scripts = vec![track(0, 0)];
    let mut all = config(members);
    all.track_scripts.push(track_script(0)).unwrap();
    let members = vec![InstanceIdx(0), InstanceIdx(1)];
    all.groups.push(SyncGroup { name: "G".into(), origin: Default::default(), members, notify: NOTIFY }).unwrap();
    all
}

fn probe(status: u8) -> Event {
    probe_ended(100, status)
}

fn started() -> Bench {
    let mut bench = Bench::start(pair(Wanted::Backup));
    bench.event(probe(0));
    bench
}

fn states(bench: &Bench) -> [State; 2] {
    [bench.state(0), bench.state(1)]
}

/// What the group's scripts are told.
fn told(actions: &[Action]) -> Vec<NotifyState> {
    let state = |action: &Action| match action {
        Action::Run(run) => match run.cause {
            Cause::Group { state, .. } => Some(state),
            _ => None,
        },
        _ => None,
    };
    actions.iter().filter_map(state).collect()
}

fn hear(bench: &mut Bench, n: u16, priority: u8) -> Vec<Action> {
    let conf = bench.config.instances.at(InstanceIdx(n)).unwrap().clone();
    let bytes = peer_advert(&conf, priority, Ipv4Addr::new(10, 0, 0, 99));
    bench.event(Event::Packet { ifindex: 2, bytes }).to_vec()
}

#[test]
fn a_script_of_one_is_waited_for_by_all() {
    let mut bench = Bench::start(pair(Wanted::Backup));
    assert_eq!(states(&bench), [State::Init, State::Init]);
    let out = bench.event(probe(0)).to_vec();
    assert_eq!(states(&bench), [State::Backup, State::Backup]);
    assert_eq!(told(&out), [NotifyState::Backup, NotifyState::Backup], "notify_backup, then notify");
}

#[test]
fn they_become_master_together_when_the_last_one_wants_to() {
    let mut bench = started();
    // Nobody is heard: the first to time out waits for the other, the second takes both along.
    let mut all = Vec::new();
    while states(&bench) != [State::Master, State::Master] {
        assert_eq!(states(&bench), [State::Backup, State::Backup]);
        all = bench.expire().to_vec();
    }
    assert_eq!(adverts(&all).len(), 2);
    // After those of the members, which wait for their addresses.
    assert_eq!((told(&all), told(bench.applied(1))), (vec![], vec![]));
    let out = bench.applied(0).to_vec();
    assert_eq!(told(&out), [NotifyState::Master, NotifyState::Master]);
    assert!(lines(&out).contains(&"VRRP_Group(G) Syncing instances to MASTER state"));
}

#[test]
fn members_that_want_to_be_master_go_with_the_first() {
    let mut bench = Bench::start(pair(Wanted::Master));
    bench.event(probe(0));
    while states(&bench) == [State::Backup, State::Backup] {
        bench.expire();
    }
    assert_eq!(states(&bench), [State::Master, State::Master]);
}

#[test]
fn one_that_hears_its_master_keeps_the_other_back() {
    let mut bench = started();
    for _ in 0..20 {
        hear(&mut bench, 1, 200);
        bench.run(Duration::from_secs(1));
        assert_eq!(states(&bench), [State::Backup, State::Backup]);
    }
}

#[test]
fn one_that_gives_way_takes_the_other_along_without_a_resignation() {
    let mut bench = started();
    while states(&bench) != [State::Master, State::Master] {
        bench.expire();
    }
    let out = hear(&mut bench, 1, 200);
    assert_eq!(states(&bench), [State::Backup, State::Backup]);
    assert_eq!(adverts(&out), [100], "`higher_prio_send_advert` of the one that heard");
}

#[test]
fn one_in_fault_is_all_in_fault() {
    let mut bench = started();
    while states(&bench) != [State::Master, State::Master] {
        bench.expire();
    }
    let out = bench.event(probe(1)).to_vec();
    assert_eq!(states(&bench), [State::Fault, State::Fault]);
    assert!(!adverts(&out).is_empty() && adverts(&out).iter().all(|priority| *priority == 0));
    assert_eq!(told(&out).first(), Some(&NotifyState::Fault));
    bench.event(probe(0));
    assert_eq!(states(&bench), [State::Backup, State::Backup]);
}

#[test]
fn only_a_whole_group_is_resumed() {
    for (held, expected) in [(&[0][..], State::Init), (&[0, 1][..], State::Master)] {
        let mut bench = Bench::unsynced(pair(Wanted::Backup));
        bench.sync(held);
        assert_eq!(states(&bench), [expected, expected], "{held:?}");
    }
}

#[test]
fn a_rival_of_one_makes_all_announce() {
    let mut bench = started();
    while states(&bench) != [State::Master, State::Master] {
        bench.expire();
    }
    bench.applied(0);
    bench.applied(1);
    bench.pass(Duration::from_millis(500));
    let out = hear(&mut bench, 0, 1);
    assert_eq!(adverts(&out).len(), 1, "only the one that was asked answers");
    assert_eq!(tests::router::announcements(&out), 10);
}

/// `vrrp_on_external_removal backup`: what is removed of one costs the whole group; each resigns and waits its skew time.
#[test]
fn what_another_program_removes_of_one_costs_all() {
    let mut bench = started();
    while states(&bench) != [State::Master; 2] {
        bench.expire();
    }
    [0, 1].into_iter().for_each(|n| drop(bench.applied(n).to_vec()));
    let begin = bench.now;
    let out = bench.ipvs(IpvsToVrrp::VipsRemoved { instance: InstanceIdx(1) }).to_vec();
    assert_eq!((adverts(&out), states(&bench)), (vec![0, 0], [State::Backup; 2]));
    assert_eq!(told(&out), [NotifyState::Backup; 2], "its own script and the generic one");
    for n in [0, 1] {
        let instance = bench.live(n);
        assert_eq!(instance.timer, Some(begin + instance.skew_time()));
    }
    // Nothing more is there to be removed.
    assert!(bench.ipvs(IpvsToVrrp::VipsRemoved { instance: InstanceIdx(0) }).is_empty());
    while states(&bench) != [State::Master; 2] {
        bench.expire();
    }
    assert!(bench.now < begin + Duration::from_secs(1), "nobody else is there");
}
