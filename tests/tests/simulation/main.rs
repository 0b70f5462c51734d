//! Routers on a simulated LAN, thousands of runs: after whatever happened, one master, and the right one.
//! A run that fails prints its seed; `SEED=n cargo test -p tests --test simulation` runs it alone.

mod everything;

use ipc::config::vrrp::{Instance, Preemption, SyncGroup, Version, VrrpConfig, Wanted};
use ipc::config::vrrp_options::{AntiReplay, Hmac, HmacKey, HmacMode, InstanceOptions};
use ipc::config::{GroupIdx, InstanceIdx, Secret};
use ipc::msg::vips::LinkState;
use ipc::time::Mono;
use std::time::Duration;
use tests::router::{NOTIFY, config, instance, instance6};
use tests::sim::{CALM, Lan, Random, Weather, settle_time};

/// Seeds of a test: all, or the one in the environment.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("SEED").ok().and_then(|text| text.parse().ok()) {
        Some(seed) => vec![seed],
        None => (0..count).collect(),
    }
}

/// Runs `f` for every seed; a panic says which.
fn each(count: u64, f: impl Fn(u64)) {
    for seed in seeds(count) {
        let told = Told(seed);
        f(seed);
        std::mem::forget(told);
    }
}

/// Says the seed when it is dropped, which happens only in a panic.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!("failed with SEED={}", self.0);
    }
}

/// A pair to a quintet with one instance, drawn from `random`.
fn routers(random: &mut Random) -> Vec<Vec<Instance>> {
    let count = 2 + random.below(4);
    let version = if random.happens(500) { Version::V2 } else { Version::V3 };
    let interval = match version {
        Version::V2 => Duration::from_secs(1 + random.below(2)),
        Version::V3 => Duration::from_millis(10 * (5 + random.below(100))),
    };
    let six = version == Version::V3 && random.happens(500);
    let draw = |random: &mut Random| {
        let priority = 1 + random.below(254) as u8;
        let mut conf = if six { instance6(1, priority) } else { instance(1, priority) };
        conf.version = version;
        conf.advert_int = interval;
        if random.happens(300) {
            conf.wanted = Wanted::Master;
        }
        vec![conf]
    };
    (0..count).map(|_| draw(random)).collect()
}

/// All of them started, with one master.
fn settled(seed: u64, confs: &[Vec<Instance>]) -> Lan {
    let mut lan = Lan::new(seed, confs.to_vec());
    for n in 0..confs.len() {
        lan.start(n);
    }
    lan.run(settle_time(&confs[0][0]));
    lan
}

fn without_preemption(confs: &mut [Vec<Instance>]) {
    for conf in confs.iter_mut().flatten() {
        conf.wanted = Wanted::Backup;
        conf.preemption = Preemption::NoPreempt;
    }
}

/// Something bad, for a random time.
fn trouble(lan: &mut Lan, hold: Duration) {
    let count = lan.nodes.len() as u64;
    let n = lan.random.below(count) as usize;
    // Less than half an interval, of which `hold` is two: no advert is late for that.
    let late = hold.as_micros() as u64 / 5;
    match lan.random.below(7) {
        0 => lan.crash(n),
        1 => lan.kill(n, hold),
        2 | 3 => lan.start(n),
        4 => {
            let sides = lan.random.below(1 << count);
            lan.partition(sides);
        }
        5 => lan.partition(0),
        _ => {
            let (loss, twice, delay) = (lan.random.below(600), lan.random.below(300), 1 + lan.random.below(30_000));
            lan.weather = Weather { loss, twice, delay, late };
        }
    }
    let pause = Duration::from_millis(lan.random.below(3000));
    lan.run(pause);
}

/// The end of all trouble: everybody can hear everybody.
fn calm(lan: &mut Lan) {
    lan.weather = CALM;
    lan.partition(0);
}

/// Exactly one master, which has the addresses, and nobody else has them.
fn check_one(lan: &Lan) -> usize {
    let masters = lan.masters(0);
    assert_eq!(masters.len(), 1, "masters at {}: {masters:?} of {:?}", lan.now, lan.living());
    assert_eq!(lan.holders(0), masters, "who has the addresses");
    masters[0]
}

/// The router that should win among those that run: the highest priority.
fn highest(lan: &Lan, confs: &[Vec<Instance>]) -> u8 {
    lan.living().iter().map(|&n| confs[n][0].priority).max().unwrap()
}

/// Watches for `time`: one master all the time, always the same, that never sends more than one advert an interval.
fn check_steady(lan: &mut Lan, time: Duration, interval: Duration) {
    let master = check_one(lan);
    for node in &mut lan.nodes {
        node.sent.clear();
    }
    let steps = 20;
    for _ in 0..steps {
        lan.run(time / steps);
        assert_eq!(check_one(lan), master, "another master without any reason");
    }
    for (n, node) in lan.nodes.iter().enumerate() {
        assert!(n == master || node.sent.is_empty(), "a backup sends adverts");
        for pair in node.sent.windows(2) {
            assert_eq!(pair[1].since(pair[0]), interval, "adverts are an interval apart");
        }
    }
    let expected = (time.as_millis() / interval.as_millis()) as usize;
    let sent = lan.nodes[master].sent.len();
    assert!((expected..=expected + 1).contains(&sent), "{sent} adverts, expected {expected}");
}

/// After all trouble somebody has started, and once everybody has had time to hear of it the highest priority of them is the only master.
fn ends_well(lan: &mut Lan, confs: &[Vec<Instance>], random: &mut Random) {
    let conf = &confs[0][0];
    calm(lan);
    lan.start(random.below(confs.len() as u64) as usize);
    lan.run(settle_time(conf));
    let master = check_one(lan);
    assert_eq!(confs[master][0].priority, highest(lan, confs), "the wrong master");
    check_steady(lan, conf.advert_int * 10, conf.advert_int);
}

#[test]
fn whatever_happened_the_highest_priority_is_the_only_master() {
    each(3000, |seed| {
        let mut random = Random(seed ^ 0x5eed);
        let confs = routers(&mut random);
        let mut lan = Lan::new(seed, confs.clone());
        for _ in 0..1 + random.below(20) {
            trouble(&mut lan, confs[0][0].advert_int * 2);
        }
        ends_well(&mut lan, &confs, &mut random);
    });
}

#[test]
fn without_preemption_there_is_one_master_and_it_stays() {
    each(1500, |seed| {
        let mut random = Random(seed ^ 0xfeed);
        let mut confs = routers(&mut random);
        without_preemption(&mut confs);
        let interval = confs[0][0].advert_int;
        let mut lan = Lan::new(seed, confs.clone());
        for _ in 0..1 + random.below(10) {
            trouble(&mut lan, confs[0][0].advert_int * 2);
        }
        calm(&mut lan);
        let first = random.below(confs.len() as u64) as usize;
        lan.start(first);
        lan.run(settle_time(&confs[0][0]));
        let master = check_one(&lan);
        // Everybody else comes back: nothing changes.
        for n in 0..confs.len() {
            lan.start(n);
        }
        check_steady(&mut lan, interval * 10, interval);
        assert_eq!(lan.masters(0), [master]);
    });
}

#[test]
fn a_dead_master_is_replaced_within_the_protocols_own_time() {
    each(1000, |seed| {
        let mut random = Random(seed ^ 0xdead);
        let confs = routers(&mut random);
        let mut lan = settled(seed, &confs);
        lan.run(Duration::from_millis(random.below(1000)));
        let master = check_one(&lan);
        lan.crash(master);
        // Master_Down_Interval of the best one left, from the last advert, which was sent before the crash.
        let best = highest(&lan, &confs);
        let conf = &confs[0][0];
        let bound =
            vrrpd::fsm::timers::master_down_interval(conf.version, best, conf.advert_int, conf.down_timer_adverts);
        lan.run(bound + Duration::from_millis(2));
        let next = check_one(&lan);
        assert_eq!(confs[next][0].priority, best);
    });
}

#[test]
fn a_vrrpd_that_is_restarted_in_time_is_missed_by_nobody() {
    each(1000, |seed| {
        let mut random = Random(seed ^ 0xbeef);
        let confs = routers(&mut random);
        let interval = confs[0][0].advert_int;
        let mut lan = settled(seed, &confs);
        let master = check_one(&lan);
        // The peers wait for three intervals and more after the last advert, which is at most one interval old.
        lan.run(Duration::from_millis(random.below(1000)));
        lan.kill(master, interval * 2);
        lan.run(interval * 19 / 10);
        assert!(lan.masters(0).is_empty(), "somebody took over");
        assert_eq!(lan.holders(0), [master], "the addresses stay");
        lan.start(master);
        lan.run(Duration::from_millis(2));
        assert_eq!(lan.masters(0), [master]);
        check_steady(&mut lan, interval * 10, interval);
    });
}

#[test]
fn a_vrrpd_that_stays_away_loses_its_addresses_before_another_takes_them() {
    each(300, |seed| {
        let mut random = Random(seed ^ 0xaaaa);
        let confs = routers(&mut random);
        let interval = confs[0][0].advert_int;
        let mut lan = settled(seed, &confs);
        let master = check_one(&lan);
        lan.kill(master, interval * 2);
        let end = lan.now + settle_time(&confs[0][0]);
        while lan.now < end {
            lan.run(Duration::from_millis(5));
            assert!(lan.holders(0).len() <= 1, "two have the addresses");
        }
        assert_ne!(check_one(&lan), master);
    });
}

#[test]
fn many_instances_share_the_work() {
    each(20, |seed| {
        let mut random = Random(seed ^ 0x1357);
        let half = |first: bool| -> Vec<Instance> {
            (1..=40u8).map(|vrid| instance(vrid, if (vrid % 2 == 0) == first { 150 } else { 100 })).collect()
        };
        let mut lan = Lan::new(seed, vec![half(true), half(false)]);
        lan.start(0);
        lan.run(Duration::from_millis(random.below(10_000)));
        lan.start(1);
        lan.run(settle_time(&instance(1, 100)));
        for i in 0..40 {
            assert_eq!(lan.masters(i), [usize::from(i % 2 == 0)], "instance {i}");
        }
    });
}

/// Three members of one sync group on each machine.
fn grouped(confs: &[Vec<Instance>]) -> Vec<VrrpConfig> {
    let of = |conf: &Vec<Instance>| {
        let member = |vrid: u8| {
            let vip = instance(vrid, 1).vips;
            let vips = if conf[0].vips[0].addr.is_ipv4() { vip } else { instance6(vrid, 1).vips };
            Instance { name: format!("VI_{vrid}"), vrid, vips, group: Some(GroupIdx(0)), ..conf[0].clone() }
        };
        let mut all = config((1..=3).map(member).collect());
        let members = (0..3).map(InstanceIdx).collect();
        let group = SyncGroup { name: "G".into(), origin: Default::default(), members, notify: NOTIFY };
        all.groups.push(group).unwrap();
        all
    };
    confs.iter().map(of).collect()
}

#[test]
fn a_group_is_master_together_whatever_happened() {
    each(600, |seed| {
        let mut random = Random(seed ^ 0x6709);
        let confs = routers(&mut random);
        let mut lan = Lan::of(seed, grouped(&confs));
        for _ in 0..1 + random.below(12) {
            trouble(&mut lan, confs[0][0].advert_int * 2);
            let n = random.below(confs.len() as u64) as usize;
            lan.cable(n, if random.happens(500) { LinkState::Down } else { LinkState::Up });
        }
        calm(&mut lan);
        for n in 0..confs.len() {
            lan.cable(n, LinkState::Up);
        }
        lan.start(random.below(confs.len() as u64) as usize);
        // A member whose timer ends first waits for the others: a whole interval more.
        lan.run(settle_time(&confs[0][0]) * 2);
        let master = check_one(&lan);
        for i in 1..3 {
            assert_eq!((lan.masters(i), lan.holders(i)), (vec![master], vec![master]), "member {i}");
        }
        assert_eq!(confs[master][0].priority, highest(&lan, &confs), "the wrong master");
    });
}

#[test]
fn a_reload_in_mid_election_leaves_the_highest_priority_the_only_master() {
    each(600, |seed| {
        let mut random = Random(seed ^ 0x4e10);
        let mut confs = routers(&mut random);
        let mut lan = Lan::new(seed, confs.clone());
        for _ in 0..2 + random.below(12) {
            trouble(&mut lan, confs[0][0].advert_int * 2);
            let n = random.below(confs.len() as u64) as usize;
            confs[n][0].priority = 1 + random.below(254) as u8;
            lan.reload(n, config(confs[n].clone()));
            lan.run(Duration::from_micros(random.below(2_000_000)));
        }
        ends_well(&mut lan, &confs, &mut random);
    });
}

/// `auth_hmac` with the time against what is played back.
fn signing() -> InstanceOptions {
    let hmac = Hmac {
        keys: vec![(1, HmacKey::Bytes(Secret::new(vec![7; 32])))],
        active: 1,
        anti_replay: AntiReplay::Time,
        window: Duration::from_secs(5),
        mode: HmacMode::Enforce,
    };
    InstanceOptions { hmac: Some(hmac), ..InstanceOptions::default() }
}

/// The right time.
const NOON: Duration = Duration::from_secs(1_800_000_000);

/// Sets the clock of a machine wrong: an hour ahead to an hour back.
fn wrong_clock(lan: &mut Lan, n: usize) {
    let off = Duration::from_secs(lan.random.below(7200));
    lan.clock(n, NOON + lan.now.since(Mono::ZERO) + off - Duration::from_secs(3600));
}

/// Sets all clocks right.
fn right_clocks(lan: &mut Lan) {
    for n in 0..lan.nodes.len() {
        lan.clock(n, NOON + lan.now.since(Mono::ZERO));
    }
}

/// After that time what was heard from the future is outside of the window, and forgotten.
const FORGOTTEN: Duration = Duration::from_secs(10);

#[test]
fn signed_adverts_count_again_when_the_clocks_agree_again() {
    each(300, |seed| {
        let mut random = Random(seed ^ 0xc10c);
        let confs = routers(&mut random);
        let signed =
            |conf: &Vec<Instance>| VrrpConfig { options: [signing()].into_iter().collect(), ..config(conf.clone()) };
        let mut lan = Lan::of(seed, confs.iter().map(signed).collect());
        right_clocks(&mut lan);
        for n in 0..confs.len() {
            lan.start(n);
        }
        for _ in 0..1 + random.below(6) {
            wrong_clock(&mut lan, random.below(confs.len() as u64) as usize);
            lan.run(Duration::from_millis(random.below(4000)));
        }
        right_clocks(&mut lan);
        lan.run(settle_time(&confs[0][0]) + FORGOTTEN);
        let master = check_one(&lan);
        assert_eq!(confs[master][0].priority, highest(&lan, &confs), "the wrong master");
    });
}

/// Cuts off the router with the highest priority, in both directions or so that only the others do not hear it, until there are two masters, and
/// mends that. The hosts beside all routers must find the addresses where they are, soon after.
#[test]
fn after_a_split_brain_all_neighbours_look_for_the_addresses_where_they_are() {
    each(2000, |seed| {
        let mut random = Random(seed);
        let mut confs = routers(&mut random);
        // No two the same: of equals the one that was there first is not the one that wins.
        confs.iter_mut().zip(1..).for_each(|(conf, n)| conf[0].priority = conf[0].priority.min(249) / 5 * 5 + n);
        let others = 0..confs.len();
        let mut lan = Lan::new(seed, confs.clone());
        others.clone().for_each(|n| lan.start(n));
        lan.run(settle_time(&confs[0][0]) * 2);
        let winner = check_one(&lan);
        let both = lan.random.happens(500);
        for n in others.filter(|n| *n != winner) {
            lan.cut.insert((winner, n));
            if both {
                lan.cut.insert((n, winner));
            }
        }
        let phase = Duration::from_micros(lan.random.below(3_000_000));
        lan.run(settle_time(&confs[0][0]) * 2 + phase);
        assert_eq!(lan.masters(0).len(), 2, "two masters");
        lan.cut.clear();
        // One advert of either is enough; the last announcement follows it a quarter of an interval later at most.
        lan.run(confs[0][0].advert_int * 5 / 4 + Duration::from_millis(20));
        assert_eq!(check_one(&lan), winner);
        for (n, node) in lan.nodes.iter().enumerate() {
            assert!(!node.neighbour.is_empty(), "nothing was announced to the host beside {n}");
            for (addr, at) in &node.neighbour {
                assert_eq!(*at, winner, "where the host beside {n} looks for {addr}");
            }
        }
    });
}
