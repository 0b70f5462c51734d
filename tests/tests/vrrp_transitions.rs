//! The transition tables, row by row: RFC 9568 §6.4 first, then what keepalived adds to it. Each test is one row.

use ipc::config::vrrp::{Peer, Preemption, Switch, Transport, UnicastSources, Version, Wanted, Weight};
use ipc::config::{InstanceIdx, Secret};
use ipc::machine::Machine;
use ipc::msg::control::{AtStop, NotifyState, StopMode, Up};
use ipc::msg::vips::{Applied, IpvsToVrrp, LinkState, Presence, VrrpToIpvs};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tests::router::{
    Bench, GROUP, adverts, announcements, config, facts, instance, lines, notifications, peer_advert, probe_ended,
    probes, track, track_script, wants,
};
use vrrpd::fsm::instance::State;
use vrrpd::io::{Action, Event, Way};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn us(n: u64) -> Duration {
    Duration::from_micros(n)
}

/// Skew_Time of version 2 with priority 100.
const SKEW_100: Duration = Duration::from_micros(609_375);

/// The end of an instance whose position says so: not wanted.
const ABSENT: (u16, Presence) = (0, Presence::Absent);
const PRESENT: (u16, Presence) = (0, Presence::Present);

fn nopreempt(mut conf: ipc::config::vrrp::Instance) -> ipc::config::vrrp::Instance {
    conf.preemption = Preemption::NoPreempt;
    conf
}

// --- RFC 9568 §6.4.1 Initialize ---------------------------------------------------------------------------------------------

#[test]
fn initialize_110_owner_becomes_active_at_once() {
    let mut conf = instance(1, 255);
    conf.wanted = Wanted::Master;
    let mut bench = Bench::one(conf);
    assert_eq!(bench.state(0), State::Backup);
    assert!(bench.until_deadline() <= us(1));
    let out = bench.expire().to_vec();
    assert_eq!(bench.state(0), State::Master);
    assert_eq!(adverts(&out), [255]);
    assert_eq!(wants(&out), [PRESENT]);
}

#[test]
fn initialize_others_become_backup_with_a_whole_master_down_interval() {
    let bench = Bench::one(instance(1, 100));
    assert_eq!(bench.state(0), State::Backup);
    assert_eq!(bench.until_deadline(), ms(3000) + SKEW_100);
    assert_eq!(notifications(&bench.out), [(1, NotifyState::Backup, 100), (5, NotifyState::Backup, 100)]);
    assert_eq!(wants(&bench.out), [ABSENT]);
    assert_eq!(lines(&bench.out), ["(VI_1) Entering BACKUP STATE (init)"]);
}

#[test]
fn initialize_nothing_is_heard_before_the_start() {
    let mut bench = Bench::unsynced(config(vec![instance(1, 100)]));
    assert_eq!(bench.state(0), State::Init);
    assert!(bench.hear(200, 9).is_empty());
    assert_eq!(bench.state(0), State::Init);
}

// --- RFC 9568 §6.4.2 Backup -------------------------------------------------------------------------------------------------

#[test]
fn backup_shutdown_cancels_the_timer_and_sends_nothing() {
    let mut bench = Bench::one(instance(1, 100));
    let out = bench.stop().to_vec();
    assert!(adverts(&out).is_empty());
    assert_eq!(notifications(&out), [(3, NotifyState::Stop, 100), (5, NotifyState::Stop, 100)]);
    assert_eq!(out.last(), Some(&Action::Up(Up::Stopped)));
    assert_eq!(bench.router.deadline(), None);
}

#[test]
fn backup_master_down_timer_fires() {
    let mut bench = Bench::one(instance(1, 100));
    let out = bench.expire().to_vec();
    assert_eq!(bench.state(0), State::Master);
    assert_eq!(adverts(&out), [100]);
    assert_eq!(wants(&out), [PRESENT]);
    // No ARP before the address is there, and no script before that either.
    assert_eq!(announcements(&out), 0);
    assert!(notifications(&out).is_empty());
    assert_eq!(bench.until_deadline(), ms(1000));
    let out = bench.applied(0).to_vec();
    assert_eq!(announcements(&out), 5);
    assert_eq!(notifications(&out), [(0, NotifyState::Master, 100), (5, NotifyState::Master, 100)]);
    // Said once more, it is no news.
    assert!(bench.applied(0).is_empty());
}

#[test]
fn backup_advert_comes_before_the_message_to_ipvsd() {
    let mut bench = Bench::one(instance(1, 100));
    let out = bench.expire();
    assert!(matches!(out.first(), Some(Action::Transmit { .. })), "{out:?}");
    assert!(matches!(out.get(1), Some(Action::ToIpvs(_))), "{out:?}");
}

#[test]
fn backup_priority_0_sets_the_timer_to_skew() {
    let mut bench = Bench::one(instance(1, 100));
    bench.hear(200, 9);
    bench.pass(ms(100));
    bench.hear(0, 9);
    assert_eq!(bench.until_deadline(), SKEW_100);
    // COMPAT: what was known of the master stays.
    assert_eq!(bench.live(0).master.map(|master| master.priority), Some(200));
}

#[test]
fn backup_higher_priority_restarts_the_timer() {
    let mut bench = Bench::one(instance(1, 100));
    bench.pass(ms(2000));
    assert!(bench.hear(101, 9).is_empty());
    assert_eq!(bench.until_deadline(), ms(3000) + SKEW_100);
}

#[test]
fn backup_equal_priority_restarts_the_timer_whatever_the_address() {
    for last in [1, 200] {
        let mut bench = Bench::one(instance(1, 100));
        bench.pass(ms(2000));
        bench.hear(100, last);
        assert_eq!(bench.until_deadline(), ms(3000) + SKEW_100);
    }
}

#[test]
fn backup_lower_priority_with_preempt_is_discarded() {
    let mut bench = Bench::one(instance(1, 100));
    bench.pass(ms(2000));
    bench.hear(99, 9);
    assert_eq!(bench.until_deadline(), ms(1000) + SKEW_100);
}

#[test]
fn backup_lower_priority_without_preempt_restarts_the_timer() {
    let mut bench = Bench::one(nopreempt(instance(1, 100)));
    bench.pass(ms(2000));
    bench.hear(99, 9);
    assert_eq!(bench.until_deadline(), ms(3000) + SKEW_100);
}

#[test]
fn backup_learns_the_interval_of_a_version_3_master() {
    let mut conf = instance(1, 100);
    conf.version = Version::V3;
    let mut bench = Bench::one(conf.clone());
    let mut theirs = conf;
    theirs.advert_int = ms(200);
    let bytes = peer_advert(&theirs, 200, Ipv4Addr::new(10, 0, 0, 9));
    bench.event(Event::Packet { ifindex: 2, bytes });
    // 3 × 200 ms + 156/256 × 200 ms.
    assert_eq!(bench.until_deadline(), ms(600) + us(121_875));
    // Its own interval counts again when it is master.
    bench.to_master();
    assert_eq!(bench.live(0).master_interval, ms(1000));
}

#[test]
fn backup_version_2_drops_another_interval() {
    let mut conf = instance(1, 100);
    let mut bench = Bench::one(conf.clone());
    conf.advert_int = ms(2000);
    let before = bench.until_deadline();
    let bytes = peer_advert(&conf, 200, Ipv4Addr::new(10, 0, 0, 9));
    let out = bench.event(Event::Packet { ifindex: 2, bytes }).to_vec();
    assert_eq!(lines(&out).len(), 1);
    assert_eq!(bench.until_deadline(), before);
    assert_eq!(bench.live(0).stats.advert_interval_err, 1);
}

// --- RFC 9568 §6.4.3 Active -------------------------------------------------------------------------------------------------

#[test]
fn active_shutdown_resigns_and_releases() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    let out = bench.stop().to_vec();
    assert_eq!(adverts(&out), [0]);
    assert_eq!(wants(&out), [ABSENT]);
    assert!(!out.contains(&Action::Up(Up::Stopped)));
    let gone = IpvsToVrrp::VipsApplied { instance: InstanceIdx(0), now: Presence::Absent, result: Applied::All };
    assert_eq!(bench.ipvs(gone), [Action::Up(Up::Stopped)]);
}

#[test]
fn active_shutdown_does_not_wait_for_ever() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    bench.stop();
    assert_eq!(bench.until_deadline(), ms(1000));
    assert_eq!(bench.expire().last(), Some(&Action::Up(Up::Stopped)));
    assert_eq!(bench.router.deadline(), None);
}

#[test]
fn active_shutdown_can_keep_the_addresses() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    let out = bench.event(Event::Stop(StopMode { vips: AtStop::Keep, ipvs: AtStop::Keep }));
    assert_eq!(adverts(out), [0]);
    assert!(wants(out).is_empty());
    assert_eq!(out.last(), Some(&Action::Up(Up::Stopped)));
}

#[test]
fn active_adver_timer_fires() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    for _ in 0..3 {
        assert_eq!(bench.until_deadline(), ms(1000));
        assert_eq!(adverts(bench.expire()), [100]);
    }
}

#[test]
fn active_late_wake_ups_neither_add_up_nor_burst() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    bench.pass(ms(1030));
    assert_eq!(adverts(bench.event(Event::Timeout)), [100]);
    assert_eq!(bench.until_deadline(), ms(970));
    bench.pass(ms(5970));
    assert_eq!(adverts(bench.event(Event::Timeout)), [100]);
    assert_eq!(bench.until_deadline(), ms(1000));
}

#[test]
fn active_priority_0_is_answered_at_once() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    bench.pass(ms(500));
    assert_eq!(adverts(bench.hear(0, 9)), [100]);
    assert_eq!(bench.state(0), State::Master);
    assert_eq!(bench.until_deadline(), ms(1000));
}

#[test]
fn active_higher_priority_wins() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    let out = bench.hear(101, 9).to_vec();
    assert_eq!(bench.state(0), State::Backup);
    assert_eq!(adverts(&out), [100], "`higher_prio_send_advert` is on; no resignation");
    assert_eq!(wants(&out), [ABSENT]);
    assert_eq!(notifications(&out), [(1, NotifyState::Backup, 100), (5, NotifyState::Backup, 100)]);
    assert_eq!(bench.until_deadline(), ms(3000) + SKEW_100);
    assert_eq!(
        lines(&out),
        [
            "(VI_1) Master received advert from 10.0.0.9 with higher priority 101, ours 100",
            "(VI_1) Entering BACKUP STATE"
        ]
    );
}

#[test]
fn active_equal_priority_higher_address_wins() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    bench.hear(100, 11);
    assert_eq!(bench.state(0), State::Backup);
}

#[test]
fn active_equal_priority_lower_address_loses() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    assert_eq!(adverts(bench.hear(100, 9)), [100]);
    assert_eq!(bench.state(0), State::Master);
}

#[test]
fn active_equal_priority_equal_address_is_only_logged() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    let out = bench.hear(100, 10).to_vec();
    assert!(adverts(&out).is_empty());
    assert_eq!(lines(&out).len(), 1);
    assert!(bench.hear(100, 10).is_empty(), "once");
    assert_eq!(bench.state(0), State::Master);
}

#[test]
fn active_lower_priority_is_answered_with_advert_arp_and_script() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    bench.pass(ms(500));
    let out = bench.hear(99, 9).to_vec();
    assert_eq!(bench.state(0), State::Master);
    assert_eq!(adverts(&out), [100]);
    assert_eq!(announcements(&out), 5);
    assert_eq!(notifications(&out), [(4, NotifyState::MasterRxLowerPri, 100)]);
    assert_eq!(
        lines(&out),
        ["(VI_1) Received advert from 10.0.0.9 with lower priority 99, ours 100, forcing new election"]
    );
}

/// What crosses with the advert of a new master, and the last advert of one that gives way to it.
#[test]
fn active_a_lower_priority_just_after_the_beginning_is_no_rival() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    bench.pass(ms(100));
    let out = bench.hear(99, 9).to_vec();
    assert_eq!(adverts(&out), [100]);
    assert_eq!((announcements(&out), notifications(&out).len(), lines(&out).len()), (0, 0, 0));
    assert!(adverts(bench.hear(99, 9)).is_empty());
    assert_eq!(bench.until_deadline(), ms(250));
    assert_eq!(announcements(bench.expire()), 5);
}

#[test]
fn active_a_flood_of_lower_priority_is_answered_four_times_an_interval() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    bench.run(ms(500));
    let (mut answers, mut bursts) = (0, 0);
    for _ in 0..2000 {
        let heard = bench.hear(99, 9);
        answers += adverts(heard).len();
        bursts += announcements(heard);
        bursts += announcements(bench.run(ms(1)));
    }
    assert_eq!(answers, 8);
    assert!(
        (35..=45).contains(&bursts),
        "{bursts} announcements, 5 at once: not one burst in a quarter of an interval"
    );
}

// --- keepalived's additions -------------------------------------------------------------------------------------------------

#[test]
fn state_master_waits_one_interval_and_the_least_skew() {
    let mut conf = instance(1, 100);
    conf.wanted = Wanted::Master;
    let bench = Bench::one(conf);
    assert_eq!(bench.state(0), State::Backup);
    assert_eq!(bench.until_deadline(), ms(1000) + Duration::from_nanos(3_906_250));
}

#[test]
fn state_master_that_hears_a_higher_priority_stays_backup() {
    let mut conf = instance(1, 100);
    conf.wanted = Wanted::Master;
    let mut bench = Bench::one(conf);
    bench.hear(150, 9);
    assert_eq!(bench.until_deadline(), ms(3000) + SKEW_100);
}

#[test]
fn preempt_delay_starts_with_the_first_lower_advert() {
    let mut conf = instance(1, 100);
    conf.preemption = Preemption::Preempt { delay: ms(10_000) };
    let mut bench = Bench::one(conf);
    // Eleven adverts a second apart: the last one comes when the delay is over and is discarded.
    for n in 0..=10 {
        bench.hear(50, 9);
        let expected = if n < 10 { ms(3000) + SKEW_100 } else { ms(2000) + SKEW_100 };
        assert_eq!(bench.until_deadline(), expected, "advert {n}");
        bench.pass(ms(1000));
    }
    assert_eq!(bench.state(0), State::Backup);
}

#[test]
fn preempt_delay_does_not_delay_when_nobody_is_heard() {
    let mut conf = instance(1, 100);
    conf.preemption = Preemption::Preempt { delay: ms(10_000) };
    assert_eq!(Bench::one(conf).until_deadline(), ms(3000) + SKEW_100);
}

#[test]
fn preempt_delay_is_cancelled_by_a_higher_advert() {
    let mut conf = instance(1, 100);
    conf.preemption = Preemption::Preempt { delay: ms(2000) };
    let mut bench = Bench::one(conf);
    bench.hear(50, 9);
    bench.pass(ms(1000));
    bench.hear(200, 8);
    bench.pass(ms(1500));
    // Without the cancellation the delay would be over now.
    bench.hear(50, 9);
    assert_eq!(bench.until_deadline(), ms(3000) + SKEW_100);
}

#[test]
fn without_higher_prio_send_advert_it_gives_way_in_silence() {
    let mut conf = instance(1, 100);
    conf.higher_prio_send_advert = Switch::Off;
    let mut bench = Bench::one(conf);
    bench.to_master();
    assert!(adverts(bench.hear(200, 9)).is_empty());
    assert_eq!(bench.state(0), State::Backup);
}

#[test]
fn lower_prio_no_advert_only_announces() {
    let mut conf = instance(1, 100);
    conf.lower_prio_no_advert = Switch::On;
    let mut bench = Bench::one(conf);
    bench.to_master();
    bench.pass(ms(500));
    let out = bench.hear(50, 9);
    assert!(adverts(out).is_empty());
    assert_eq!(announcements(out), 5);
}

#[test]
fn of_two_owners_the_one_with_the_lower_address_gives_way() {
    let mut conf = instance(1, 255);
    conf.wanted = Wanted::Master;
    let mut bench = Bench::one(conf);
    bench.to_master();
    bench.hear(255, 11);
    assert_eq!(bench.state(0), State::Backup);
}

#[test]
fn an_owner_whose_rival_does_not_give_way_cedes() {
    let mut conf = instance(1, 255);
    conf.wanted = Wanted::Master;
    let mut bench = Bench::one(conf);
    bench.to_master();
    for _ in 0..3 {
        bench.hear(255, 9);
        assert_eq!(bench.state(0), State::Master);
        bench.run(ms(1000));
    }
    bench.run(ms(300));
    bench.hear(255, 9);
    assert_eq!((bench.state(0), bench.live(0).priority), (State::Backup, 254));
    // The rival is gone: it is an owner again.
    bench.hear(100, 8);
    assert_eq!(bench.live(0).priority, 255);
}

#[test]
fn owner_ignore_adverts_hears_nobody() {
    let mut conf = instance(1, 255);
    conf.wanted = Wanted::Master;
    conf.owner_ignore_adverts = Switch::On;
    let mut bench = Bench::one(conf);
    bench.to_master();
    assert!(bench.hear(255, 11).is_empty());
    assert_eq!(bench.state(0), State::Master);
    assert_eq!(bench.live(0).stats.owner_ignored, 1);
}

#[test]
fn a_differing_address_list_is_remarked_on_once_and_counts() {
    let mut conf = instance(1, 100);
    let mut bench = Bench::one(conf.clone());
    conf.vips[0].addr = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 9));
    bench.pass(ms(1000));
    let bytes = peer_advert(&conf, 200, Ipv4Addr::new(10, 0, 0, 9));
    let first = bench.event(Event::Packet { ifindex: 2, bytes: bytes.clone() }).to_vec();
    assert_eq!(bench.until_deadline(), ms(3000) + SKEW_100);
    assert_eq!(lines(&first).len(), 1);
    assert_eq!(bench.live(0).stats.addr_list_err, 1);
}

#[test]
fn a_wrong_password_is_told_once_until_the_state_changes() {
    let mut conf = instance(1, 100);
    conf.auth = ipc::config::vrrp::Auth::Pass(Secret::new(b"1111".to_vec()));
    let mut bench = Bench::one(conf.clone());
    conf.auth = ipc::config::vrrp::Auth::Pass(Secret::new(b"2222".to_vec()));
    let bytes = peer_advert(&conf, 200, Ipv4Addr::new(10, 0, 0, 9));
    let mut told = 0;
    for _ in 0..5 {
        told += lines(bench.event(Event::Packet { ifindex: 2, bytes: bytes.clone() })).len();
    }
    assert_eq!(told, 1);
    bench.to_master();
    assert_eq!(lines(bench.event(Event::Packet { ifindex: 2, bytes })).len(), 1);
    assert_eq!(bench.live(0).stats.auth_failure, 6);
    assert_eq!(bench.state(0), State::Master);
}

// --- FAULT and tracking -----------------------------------------------------------------------------------------------------

#[test]
fn fault_a_lost_link_releases_and_the_script_is_told() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    let mut down = facts(bench.addr);
    down.state = LinkState::Down;
    let out = bench.ipvs(IpvsToVrrp::LinkChanged(down)).to_vec();
    assert_eq!(bench.state(0), State::Fault);
    assert!(adverts(&out).is_empty(), "nothing can be sent");
    assert_eq!(wants(&out), [ABSENT]);
    assert_eq!(notifications(&out), [(2, NotifyState::Fault, 100), (5, NotifyState::Fault, 100)]);
    assert_eq!(lines(&out), ["(VI_1) interface eth0 is down (test.conf:101)", "(VI_1) Entering FAULT STATE"]);
    assert_eq!(bench.router.deadline(), None);
    // It is back: BACKUP, and a whole interval.
    let out = bench.ipvs(IpvsToVrrp::LinkChanged(facts(bench.addr))).to_vec();
    assert_eq!(bench.state(0), State::Backup);
    assert_eq!(bench.until_deadline(), ms(3000) + SKEW_100);
    assert_eq!(lines(&out), ["(VI_1) Entering BACKUP STATE"]);
}

#[test]
fn fault_nothing_is_heard() {
    let mut bench = Bench::one(instance(1, 100));
    bench.ipvs(IpvsToVrrp::LinkGone { name: "eth0".into() });
    assert_eq!(bench.state(0), State::Fault);
    assert!(bench.hear(200, 9).is_empty());
}

#[test]
fn fault_a_missing_interface_at_the_start_is_waited_for() {
    let mut bench = Bench::unsynced(config(vec![instance(1, 100)]));
    bench.ipvs(IpvsToVrrp::Synced);
    assert_eq!(bench.state(0), State::Fault);
    assert!(lines(&bench.out)[0].contains("eth0 does not exist"));
    let out = bench.ipvs(IpvsToVrrp::LinkChanged(facts(bench.addr)));
    assert!(out.iter().any(|action| matches!(action, Action::Listen(list) if list.len() == 1)));
    assert_eq!(bench.state(0), State::Backup);
}

#[test]
fn fault_without_an_address_to_send_from() {
    let mut bench = Bench::one(instance(1, 100));
    let mut bare = facts(bench.addr);
    bare.primary = None;
    bare.addrs.clear();
    bench.ipvs(IpvsToVrrp::LinkChanged(bare));
    assert_eq!(bench.state(0), State::Fault);
}

#[test]
fn fault_two_reasons_are_two_reasons() {
    let mut conf = config(vec![instance(1, 100)]);
    for n in 0..2 {
        conf.track_scripts.push(track_script(n)).unwrap();
    }
    let mut one = instance(1, 100);
    one.track_scripts = vec![track(0, 0), track(1, 0)];
    conf.instances = [one].into_iter().collect();
    let mut bench = Bench::start(conf);
    let end = |n: u16, status| probe_ended(100 + n, status);
    assert_eq!(bench.state(0), State::Init, "held until both have spoken");
    bench.event(end(0, 1));
    bench.event(end(1, 1));
    assert_eq!(bench.state(0), State::Fault);
    bench.event(end(0, 0));
    assert_eq!(bench.state(0), State::Fault, "one of two is still down");
    bench.event(end(1, 0));
    assert_eq!(bench.state(0), State::Backup);
}

#[test]
fn fault_by_script_resigns_twice() {
    let mut conf = config(Vec::new());
    conf.track_scripts.push(track_script(0)).unwrap();
    let mut one = instance(1, 100);
    one.track_scripts = vec![track(0, 0)];
    conf.instances.push(one).unwrap();
    let mut bench = Bench::start(conf);
    let end = |status| probe_ended(100, status);
    bench.event(end(0));
    assert_eq!(bench.state(0), State::Backup);
    bench.to_master();
    let out = bench.event(end(1)).to_vec();
    assert_eq!(adverts(&out), [0, 0]);
    assert_eq!(wants(&out), [ABSENT]);
}

#[test]
fn weight_changes_the_priority_and_moves_the_running_timer() {
    let mut conf = config(Vec::new());
    conf.track_scripts.push(track_script(0)).unwrap();
    let mut one = instance(1, 100);
    one.track_scripts = vec![track(0, -20)];
    conf.instances.push(one).unwrap();
    let mut bench = Bench::start(conf);
    let end = |status| probe_ended(100, status);
    assert_eq!(bench.state(0), State::Backup, "a weighted script is not waited for");
    bench.event(end(0));
    assert_eq!(bench.live(0).priority, 100);
    bench.pass(ms(500));
    let timer = bench.live(0).timer.unwrap();
    let out = bench.event(end(1)).to_vec();
    assert_eq!(bench.live(0).priority, 80);
    assert!(adverts(&out).is_empty(), "the next advert carries it");
    assert_eq!(bench.live(0).timer.unwrap().since(timer), Duration::from_secs(20) / 256);
    assert!(lines(&out).contains(&"(VI_1) Changing effective priority from 100 to 80"));
    assert!(lines(&out).contains(&"VRRP_Script(chk_0) failed (exited with status 1)"));
}

#[test]
fn reverse_weight_counts_the_other_way() {
    let mut conf = config(Vec::new());
    conf.track_scripts.push(track_script(0)).unwrap();
    let mut one = instance(1, 100);
    one.track_scripts = vec![track(0, 20)];
    one.track_scripts[0].weight = Weight { value: 20, reverse: Switch::On };
    conf.instances.push(one).unwrap();
    let mut bench = Bench::start(conf);
    let end = |status| probe_ended(100, status);
    bench.event(end(0));
    assert_eq!(bench.live(0).priority, 80);
    bench.event(end(1));
    assert_eq!(bench.live(0).priority, 100);
}

#[test]
fn an_owner_keeps_its_priority_whatever_is_tracked() {
    let mut conf = config(Vec::new());
    conf.track_scripts.push(track_script(0)).unwrap();
    let mut one = instance(1, 255);
    one.wanted = Wanted::Master;
    one.track_scripts = vec![track(0, -50)];
    conf.instances.push(one).unwrap();
    let mut bench = Bench::start(conf);
    bench.event(probe_ended(100, 1));
    assert_eq!(bench.live(0).priority, 255);
}

#[test]
fn a_run_of_another_generation_says_nothing() {
    let mut conf = config(Vec::new());
    conf.track_scripts.push(track_script(0)).unwrap();
    let mut one = instance(1, 100);
    one.track_scripts = vec![track(0, 0)];
    conf.instances.push(one).unwrap();
    let mut bench = Bench::start(conf.clone());
    bench.event(probe_ended(100, 0));
    assert_eq!(bench.state(0), State::Backup);
    bench.reload(conf);
    // Its index may be another script's by now.
    bench.event(probe_ended(100, 1));
    assert_eq!(bench.state(0), State::Backup);
}

#[test]
fn scripts_run_from_start_to_start() {
    let mut conf = config(vec![instance(1, 100)]);
    conf.track_scripts.push(track_script(0)).unwrap();
    let mut bench = Bench::start(conf);
    let end = || probe_ended(100, 0);
    assert_eq!(probes(bench.expire()), [100]);
    bench.pass(ms(400));
    bench.event(end());
    assert_eq!(bench.until_deadline(), ms(600));
    assert_eq!(probes(bench.expire()), [100]);
    // It takes longer than its interval: skipped, and said once.
    let out = bench.expire();
    assert!(probes(out).is_empty());
    assert_eq!(lines(out).len(), 1);
}

// --- Gratuitous ARP ---------------------------------------------------------------------------------------------------------

#[test]
fn garp_second_burst_and_refresh() {
    let mut conf = instance(1, 100);
    conf.garp.refresh = ms(10_000);
    conf.garp.refresh_repeat = 2;
    let mut bench = Bench::one(conf);
    bench.to_master();
    assert_eq!(announcements(&bench.out), 5);
    assert_eq!(announcements(bench.run(ms(4999))), 0);
    assert_eq!(announcements(bench.run(ms(1))), 5);
    assert_eq!(announcements(bench.run(ms(9999))), 0);
    assert_eq!(announcements(bench.run(ms(1))), 2);
    assert_eq!(announcements(bench.run(ms(10_000))), 2);
}

#[test]
fn garp_goes_round_all_addresses_advertised_ones_first() {
    let mut conf = instance(1, 100);
    let vip =
        |last| ipc::config::vrrp::Vip { addr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), link: tests::router::LINK };
    conf.vips = vec![vip(2), vip(1)];
    conf.excluded = vec![vip(3)];
    conf.garp.repeat = 2;
    let mut bench = Bench::one(conf);
    bench.to_master();
    let order: Vec<u8> = bench
        .out
        .iter()
        .filter_map(|action| match action {
            Action::Announce { frame, .. } => Some(frame[31]),
            _ => None,
        })
        .collect();
    assert_eq!(order, [2, 1, 3, 2, 1, 3]);
}

#[test]
fn garp_is_not_sent_by_one_that_is_no_longer_master() {
    let mut bench = Bench::one(instance(1, 100));
    while bench.state(0) != State::Master {
        bench.expire();
    }
    bench.hear(200, 9);
    assert!(bench.applied(0).is_empty());
    // The late burst is cancelled as well.
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    bench.hear(200, 9);
    assert_eq!(announcements(bench.run(ms(3000))), 0);
}

#[test]
fn garp_follows_a_restored_address() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    assert_eq!(announcements(bench.ipvs(IpvsToVrrp::VipsRestored { instance: InstanceIdx(0) })), 5);
}

#[test]
fn garp_follows_a_new_hardware_address() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    let mut link = facts(bench.addr);
    link.mac = ipc::net::Mac([2, 9, 9, 9, 9, 9]);
    assert_eq!(announcements(bench.ipvs(IpvsToVrrp::LinkChanged(link.clone()))), 5);
    assert!(bench.ipvs(IpvsToVrrp::LinkChanged(link)).is_empty());
}

#[test]
fn garp_is_sent_again_when_the_missing_addresses_are_there() {
    let mut bench = Bench::one(instance(1, 100));
    while bench.state(0) != State::Master {
        bench.expire();
    }
    let partly = |result| IpvsToVrrp::VipsApplied { instance: InstanceIdx(0), now: Presence::Present, result };
    assert_eq!(announcements(bench.ipvs(partly(Applied::Partly))), 5);
    assert_eq!(announcements(bench.ipvs(partly(Applied::Partly))), 0);
    assert_eq!(announcements(bench.ipvs(partly(Applied::All))), 5);
}

// --- Unicast ----------------------------------------------------------------------------------------------------------------

fn unicast(sources: UnicastSources) -> ipc::config::vrrp::Instance {
    let mut conf = instance(1, 100);
    let peer = |last| Peer { addr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), min_ttl: 0, max_ttl: 255 };
    conf.transport = Transport::Unicast { peers: vec![peer(11), peer(12)], ttl: 64, sources };
    conf
}

#[test]
fn unicast_goes_to_each_peer_with_its_ttl() {
    let mut bench = Bench::one(unicast(UnicastSources::Any));
    let out = bench.expire().to_vec();
    let sent: Vec<(IpAddr, u8)> = out
        .iter()
        .filter_map(|action| match action {
            Action::Transmit { destination, bytes, .. } => Some((*destination, bytes[8])),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [(Ipv4Addr::new(10, 0, 0, 11).into(), 64), (Ipv4Addr::new(10, 0, 0, 12).into(), 64)]);
    assert_eq!(bench.live(0).stats.advert_sent, 1);
}

#[test]
fn unicast_drops_multicast() {
    let mut bench = Bench::one(unicast(UnicastSources::Any));
    let before = bench.until_deadline();
    bench.hear(200, 11);
    assert_eq!(bench.until_deadline(), before);
    assert_eq!(bench.live(0).stats.destination_err, 1);
}

#[test]
fn unicast_tells_where_it_is_when_the_link_is_back() {
    let mut bench = Bench::one(unicast(UnicastSources::Any));
    let mut down = facts(bench.addr);
    down.state = LinkState::Down;
    bench.ipvs(IpvsToVrrp::LinkChanged(down));
    let up = IpvsToVrrp::LinkChanged(facts(bench.addr));
    assert_eq!(announcements(bench.ipvs(up)), 1);
}

#[test]
fn unicast_listens_without_joining_a_group() {
    let mut bench = Bench::unsynced(config(vec![unicast(UnicastSources::Any)]));
    let out = bench.ipvs(IpvsToVrrp::LinkChanged(facts(Ipv4Addr::new(10, 0, 0, 10))));
    assert!(out.iter().any(
        |action| matches!(action, Action::Listen(list) if list.len() == 1 && list[0].ways == [(Way::V4, vec![])])
    ));
}

// --- ipvsd, restarts, reloads ------------------------------------------------------------------------------------------------

#[test]
fn a_restarted_router_resumes_what_is_held() {
    let mut bench = Bench::unsynced(config(vec![instance(1, 100), instance(2, 100)]));
    bench.sync(&[0]);
    assert_eq!((bench.state(0), bench.state(1)), (State::Master, State::Backup));
    assert_eq!(adverts(&bench.out), [100], "at once, before any peer misses one");
    assert_eq!(wants(&bench.out), [PRESENT, (1, Presence::Absent)]);
    assert_eq!(bench.out.iter().filter(|a| **a == Action::ToIpvs(VrrpToIpvs::Synced)).count(), 1);
}

#[test]
fn a_new_ipvsd_is_told_everything_and_nobody_notices() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    bench.event(Event::IpvsLost);
    assert_eq!(adverts(bench.expire()), [100]);
    assert_eq!(bench.event(Event::IpvsAttached), [Action::ToIpvs(VrrpToIpvs::Resync)]);
    bench.sync(&[]);
    assert_eq!(wants(&bench.out), [PRESENT]);
    assert!(bench.applied(0).is_empty(), "no second announcement");
}

#[test]
fn an_interface_that_vanished_while_ipvsd_was_away_is_noticed() {
    let mut bench = Bench::one(instance(1, 100));
    bench.event(Event::IpvsLost);
    bench.event(Event::IpvsAttached);
    bench.ipvs(IpvsToVrrp::Synced);
    assert_eq!(bench.state(0), State::Fault);
}

#[test]
fn a_foreign_generation_or_instance_is_a_violation() {
    let mut bench = Bench::one(instance(1, 100));
    let up = |out: &[Action]| out.iter().any(|action| matches!(action, Action::Up(Up::Violation(_))));
    assert!(up(bench.applied(7)));
    assert!(bench.applied(7).is_empty(), "told once; nothing more is taken from this channel");
    let mut bench = Bench::one(instance(1, 100));
    bench.generation = ipc::config::Generation(9);
    assert!(up(bench.applied(0)));
    // A new channel is trusted again.
    bench.generation = ipc::config::Generation(1);
    bench.event(Event::IpvsAttached);
    bench.sync(&[]);
    assert_eq!(wants(&bench.out), [ABSENT]);
}

#[test]
fn an_advert_is_taken_at_the_time_when_it_came() {
    let mut bench = Bench::one(instance(1, 100));
    bench.pass(ms(2000));
    bench.event(Event::Timeout);
    // It waited in the socket: the clock goes back for it.
    bench.now = bench.now - ms(50);
    bench.hear(200, 9);
    assert_eq!(bench.until_deadline(), ms(3000) + SKEW_100);
}

#[test]
fn frames_of_the_previous_generation_are_dropped() {
    let mut bench = Bench::one(instance(1, 100));
    bench.reload(config(vec![instance(1, 100)]));
    bench.generation = ipc::config::Generation(1);
    assert!(bench.applied(0).is_empty());
}

#[test]
fn a_reload_that_changes_nothing_skips_no_advert() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    bench.pass(ms(700));
    let out = bench.reload(config(vec![instance(1, 100)]));
    assert_eq!(bench.state(0), State::Master);
    assert!(adverts(&out).is_empty());
    assert_eq!(wants(&out), [PRESENT]);
    assert_eq!(bench.until_deadline(), ms(300));
    assert!(bench.applied(0).is_empty());
    assert!(notifications(&out).is_empty());
}

#[test]
fn a_reload_finds_the_instance_under_another_name_and_index() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    let mut renamed = instance(1, 100);
    renamed.name = "OTHER".into();
    bench.reload(config(vec![instance(7, 100), renamed]));
    assert_eq!((bench.state(0), bench.state(1)), (State::Backup, State::Master));
}

#[test]
fn a_reload_that_adds_an_address_announces() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    let mut more = instance(1, 100);
    more.vips
        .push(ipc::config::vrrp::Vip { addr: IpAddr::V4(Ipv4Addr::new(10, 0, 1, 101)), link: tests::router::LINK });
    bench.reload(config(vec![more]));
    assert_eq!(announcements(bench.applied(0)), 10);
}

#[test]
fn a_reload_that_removes_a_master_resigns() {
    let mut bench = Bench::start(config(vec![instance(1, 100), instance(2, 100)]));
    bench.to_master();
    let out = bench.reload(config(vec![instance(2, 100)]));
    assert_eq!(adverts(&out), [0]);
    // Its scripts belong to a generation that is over: an index of it would select something else now.
    assert!(notifications(&out).is_empty());
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused_and_the_old_one_stays() {
    let mut bench = Bench::one(instance(1, 100));
    let generation = ipc::config::Generation(2);
    let twice = config(vec![instance(1, 100), instance(1, 90)]);
    let out = bench.event(Event::Configure { generation, config: Box::new(twice) }).to_vec();
    assert_eq!(out.last(), Some(&Action::Up(Up::Refused)));
    assert!(lines(&out)[0].contains("virtual_router_id 1"));
    bench.event(Event::Activate);
    assert_eq!(bench.state(0), State::Backup);
}

#[test]
fn startup_delay_keeps_quiet() {
    let mut conf = config(vec![instance(1, 100)]);
    conf.startup_delay = ms(5000);
    let mut bench = Bench::start(conf);
    assert_eq!(bench.until_deadline(), ms(8000) + SKEW_100);
    bench.hear(200, 9);
    assert_eq!(bench.live(0).master, None);
}

// --- Many instances ----------------------------------------------------------------------------------------------------------

#[test]
fn all_of_255_instances_become_master_in_one_step() {
    let all: Vec<_> = (1..=255).map(|vrid| instance(vrid, 100)).collect();
    let mut bench = Bench::start(config(all));
    let out = bench.expire().to_vec();
    assert_eq!(adverts(&out).len(), 255);
    assert_eq!(wants(&out).len(), 255);
    let last_advert = out.iter().rposition(|action| matches!(action, Action::Transmit { .. }));
    let first_want = out.iter().position(|action| matches!(action, Action::ToIpvs(_)));
    assert!(last_advert < first_want, "adverts first");
    assert!((0..255).all(|n| bench.state(n) == State::Master));
}

#[test]
fn the_group_is_joined_once_per_interface() {
    let mut bench = Bench::unsynced(config(vec![instance(1, 100), instance(2, 100)]));
    let out = bench.ipvs(IpvsToVrrp::LinkChanged(facts(Ipv4Addr::new(10, 0, 0, 10)))).to_vec();
    let listens: Vec<_> = out.iter().filter(|action| matches!(action, Action::Listen(_))).collect();
    assert_eq!(listens.len(), 1);
    assert!(
        matches!(listens[0], Action::Listen(list) if list.len() == 1 && list[0].ways == [(Way::V4, vec![GROUP.into()])] && list[0].ifindex == 2)
    );
    // Nothing new, nothing to do.
    assert!(bench.ipvs(IpvsToVrrp::LinkChanged(facts(Ipv4Addr::new(10, 0, 0, 10)))).is_empty());
}
