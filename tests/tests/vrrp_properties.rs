//! What holds for the router whatever happens: the laws of every machine, the order of actions, one advert at a time.

use ipc::config::bfd::{Bfd, Told};
use ipc::config::vrrp::{Instance, Preemption, Switch, SyncGroup, Version, VrrpConfig, Wanted, Weight};
use ipc::config::vrrp_options::{InstanceOptions, TrackBfdUse};
use ipc::config::{BfdIdx, Generation, GroupIdx, InstanceIdx, ScriptIdx};
use ipc::machine::Machine;
use ipc::msg::control::{DumpKind, Outcome, ProbeEnded, StopMode};
use ipc::msg::vips::{Applied, IpvsToVrrp, LinkState, Presence};
use ipc::time::Mono;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tests::router::{NOTIFY, adverts, config, facts, instance, peer_advert, track, track_script};
use vrrpd::bfd::chance::Chance;
use vrrpd::fsm::instance::State;
use vrrpd::io::{Action, BfdHeard, BfdHops, Event};
use vrrpd::router::Router;

/// What a test does to a router.
#[derive(Clone, Debug)]
enum Deed {
    /// Lets up to so many milliseconds pass and wakes it, in time or late.
    Wake {
        late: u64,
    },
    /// Wakes it though it is too early.
    WakeEarly,
    /// An advert for the instance with that number.
    Advert {
        vrid: u8,
        priority: u8,
        last: u8,
    },
    /// Any bytes.
    Noise(Vec<u8>),
    Link(Option<LinkState>),
    Address(Option<u8>),
    Probe {
        n: u16,
        status: u8,
    },
    /// A packet of the neighbour of the only BFD session.
    Bfd {
        bytes: Vec<u8>,
    },
    Attached,
    Lost,
    Synced,
    Held(u16),
    Applied {
        n: u16,
        now: Presence,
        result: Applied,
    },
    Restored(u16),
    Removed(u16),
    /// Another configuration: priority, number of instances.
    Reload {
        priority: u8,
        count: u8,
    },
    Discard,
    Dump,
    Stop,
}

fn deed() -> impl Strategy<Value = Deed> {
    let presence = prop_oneof![Just(Presence::Present), Just(Presence::Absent)];
    let result = prop_oneof![Just(Applied::All), Just(Applied::Partly)];
    let state = prop_oneof![Just(None), Just(Some(LinkState::Up)), Just(Some(LinkState::Down))];
    prop_oneof![
        20 => (0u64..3000).prop_map(|late| Deed::Wake { late }),
        3 => Just(Deed::WakeEarly),
        15 => (0u8..6, any::<u8>(), 1u8..30).prop_map(|(vrid, priority, last)| Deed::Advert { vrid, priority, last }),
        2 => proptest::collection::vec(any::<u8>(), 0..80).prop_map(Deed::Noise),
        4 => state.prop_map(Deed::Link),
        1 => proptest::option::of(1u8..30).prop_map(Deed::Address),
        6 => (0u16..3, 0u8..2).prop_map(|(n, status)| Deed::Probe { n, status }),
        8 => (0u8..4, 0u32..3, any::<u8>()).prop_map(|(state, yours, flags)| Deed::Bfd { bytes: bfd(state, yours, flags) }),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Deed::Bfd { bytes }),
        1 => Just(Deed::Attached),
        1 => Just(Deed::Lost),
        4 => Just(Deed::Synced),
        1 => (0u16..6).prop_map(Deed::Held),
        6 => (0u16..6, presence, result).prop_map(|(n, now, result)| Deed::Applied { n, now, result }),
        1 => (0u16..6).prop_map(Deed::Restored),
        1 => (0u16..6).prop_map(Deed::Removed),
        2 => (1u8..=255, 1u8..6).prop_map(|(priority, count)| Deed::Reload { priority, count }),
        1 => Just(Deed::Discard),
        1 => Just(Deed::Dump),
    ]
}

/// A BFD packet in any state with any flags; `yours` counts from one before the session's own discriminator.
fn bfd(state: u8, yours: u32, flags: u8) -> Vec<u8> {
    let mut chance = Chance::new(0);
    let yours = chance.discriminator().wrapping_sub(1).wrapping_add(yours);
    let mut bytes = vec![0x20, state << 6 | flags & 0x3a, 3, 24];
    for word in [9, if state < 2 { 0 } else { yours }, 200_000, 200_000, 0] {
        bytes.extend(word.to_be_bytes());
    }
    bytes
}

/// The neighbour of the BFD session.
const NEIGHBOR: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 77));

/// A BFD session.
fn session(idle: u64) -> Bfd {
    Bfd {
        name: "b".into(),
        neighbor: NEIGHBOR,
        source: None,
        min_rx: Duration::from_millis(100),
        min_tx: Duration::from_millis(100),
        idle_tx: Duration::from_millis(idle),
        multiplier: 3,
        passive: Switch::Off,
        ttl: 255,
        max_hops: Some(0),
        multihop: Switch::Off,
        weight: Weight { value: 0, reverse: Switch::Off },
        told: Told::Both,
        origin: Default::default(),
    }
}

/// Instances 1, 2, … of which 2 and 3 are a group, 1 tracks a script, 4 another one with a weight.
fn generation(priority: u8, count: u8) -> VrrpConfig {
    let conf = |vrid: u8| -> Instance {
        let mut conf = instance(vrid, if vrid == 5 { 255 } else { priority });
        match vrid {
            1 => conf.track_scripts = vec![track(0, 0)],
            2 | 3 if count >= 3 => conf.group = Some(GroupIdx(0)),
            4 => {
                conf.track_scripts = vec![track(1, -30)];
                conf.version = Version::V3;
                conf.advert_int = Duration::from_millis(100);
                conf.preemption = Preemption::Preempt { delay: Duration::from_secs(2) };
            }
            _ => conf.wanted = Wanted::Master,
        }
        conf
    };
    let mut all = config((1..=count).map(conf).collect());
    for n in 0..2 {
        all.track_scripts.push(track_script(n)).unwrap();
    }
    all.bfds.push(session(1000 + u64::from(priority))).unwrap();
    for n in 0..count {
        // Instances 2 and 3 without a weight, 4 with one.
        let value = if n == 3 { 20 } else { 0 };
        let used = TrackBfdUse { bfd: BfdIdx(0), weight: Weight { value, reverse: Switch::Off } };
        let track_bfds = if (1..4).contains(&n) { vec![used] } else { Vec::new() };
        all.options.push(InstanceOptions { track_bfds, ..Default::default() }).unwrap();
    }
    if count >= 3 {
        let members = vec![InstanceIdx(1), InstanceIdx(2)];
        let group = SyncGroup { name: "G".into(), origin: Default::default(), members, notify: NOTIFY };
        all.groups.push(group).unwrap();
    }
    all
}

struct World {
    router: Router,
    now: Mono,
    generation: Generation,
    config: VrrpConfig,
}

impl World {
    fn new() -> World {
        let mut world =
            World { router: Router::new(), now: Mono(1), generation: Generation(0), config: generation(100, 4) };
        world.reload(generation(100, 4));
        world
    }

    fn step(&mut self, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        self.router.step(self.now, event, &mut out);
        check_order(&out);
        out
    }

    fn ipvs(&mut self, message: IpvsToVrrp) {
        let generation = self.generation;
        self.step(Event::Ipvs { generation, message });
    }

    fn reload(&mut self, config: VrrpConfig) {
        self.generation = Generation(self.generation.0 + 1);
        self.config = config.clone();
        let generation = self.generation;
        self.step(Event::Configure { generation, config: Box::new(config) });
        self.step(Event::Activate);
    }

    /// Law: after a wake-up that was due, the next one is later than now.
    fn wake(&mut self) {
        self.step(Event::Timeout);
        // What is due in the very moment in which it is set (an owner that starts) is met a nanosecond later.
        if self.router.deadline() == Some(self.now + Duration::from_nanos(1)) {
            self.now = self.now + Duration::from_nanos(1);
            self.step(Event::Timeout);
        }
        if let Some(next) = self.router.deadline() {
            // A nanosecond later is what is left of a deadline that nobody served.
            assert!(next > self.now + Duration::from_nanos(1), "woken at {}, wants {next}", self.now);
        }
    }

    fn act(&mut self, deed: Deed) {
        let address = Ipv4Addr::new(10, 0, 0, 10);
        match deed {
            Deed::Wake { late } => {
                if let Some(due) = self.router.deadline() {
                    self.now = self.now.max(due) + Duration::from_millis(late / 100 * 10);
                    self.wake();
                } else {
                    self.now = self.now + Duration::from_millis(late);
                }
            }
            Deed::WakeEarly => {
                if self.router.deadline().is_none_or(|due| due > self.now) {
                    // Law: it does nothing.
                    let before = self.router.deadline();
                    assert!(self.step(Event::Timeout).is_empty());
                    assert_eq!(self.router.deadline(), before);
                }
            }
            Deed::Advert { vrid, priority, last } => {
                let conf = self.config.instances.rows().iter().find(|conf| conf.vrid == vrid).cloned();
                let conf = conf.unwrap_or_else(|| instance(vrid, 100));
                let bytes = peer_advert(&conf, priority, Ipv4Addr::new(10, 0, 0, last));
                self.step(Event::Packet { ifindex: 2, bytes });
            }
            Deed::Noise(bytes) => {
                self.step(Event::Packet { ifindex: 2, bytes });
            }
            Deed::Link(None) => self.ipvs(IpvsToVrrp::LinkGone { name: "eth0".into() }),
            Deed::Link(Some(state)) => {
                let mut link = facts(address);
                link.state = state;
                self.ipvs(IpvsToVrrp::LinkChanged(link));
            }
            Deed::Address(last) => {
                let mut link = facts(address);
                link.primary = last.map(|last| Ipv4Addr::new(10, 0, 0, last));
                self.ipvs(IpvsToVrrp::LinkChanged(link));
            }
            Deed::Probe { n, status } => {
                let script = ScriptIdx(100 + n);
                let (generation, outcome) = (self.generation, Outcome::Exited(status));
                self.step(Event::ProbeEnded { generation, ended: ProbeEnded { script, outcome } });
            }
            Deed::Bfd { bytes } => {
                let heard = BfdHeard { hops: BfdHops::Single, from: NEIGHBOR, to: None, ttl: 255, bytes };
                self.step(Event::Bfd(heard));
            }
            Deed::Attached => {
                self.step(Event::IpvsAttached);
            }
            Deed::Lost => {
                self.step(Event::IpvsLost);
            }
            Deed::Synced => {
                self.ipvs(IpvsToVrrp::LinkChanged(facts(address)));
                self.ipvs(IpvsToVrrp::Synced);
            }
            Deed::Held(n) => self.ipvs(IpvsToVrrp::Held { instance: InstanceIdx(n) }),
            Deed::Applied { n, now, result } => {
                self.ipvs(IpvsToVrrp::VipsApplied { instance: InstanceIdx(n), now, result });
            }
            Deed::Restored(n) => self.ipvs(IpvsToVrrp::VipsRestored { instance: InstanceIdx(n) }),
            Deed::Removed(n) => self.ipvs(IpvsToVrrp::VipsRemoved { instance: InstanceIdx(n) }),
            Deed::Reload { priority, count } => self.reload(generation(priority, count)),
            Deed::Discard => {
                self.step(Event::Discard);
            }
            Deed::Dump => {
                for kind in [DumpKind::Data, DumpKind::Stats, DumpKind::StatsClear, DumpKind::Json] {
                    assert_eq!(self.step(Event::Dump(kind)).len(), 1);
                }
            }
            Deed::Stop => {
                self.step(Event::Stop(StopMode::RELEASE));
            }
        }
        self.check();
    }

    /// What is true in every moment.
    fn check(&self) {
        let Some(active) = self.router.active() else { return };
        let mut group = Vec::new();
        for (_, live) in active.instances.iter() {
            let faulty = !live.faults.is_empty();
            match live.state {
                State::Fault => assert!(faulty, "in FAULT without a reason"),
                State::Backup | State::Master => assert!(!faulty, "takes part though {:?}", live.faults),
                State::Init => {}
            }
            let timed = matches!(live.state, State::Backup | State::Master);
            assert_eq!(live.timer.is_some(), timed, "{:?}", live.state);
            assert!(live.priority >= 1);
            if live.conf.group.is_some() {
                group.push(live.state);
            }
        }
        if group.contains(&State::Master) {
            assert!(group.iter().all(|state| *state == State::Master), "members differ: {group:?}");
        }
    }
}

/// Adverts first, then BFD, then ipvsd, then the rest; the supervisor last.
fn check_order(out: &[Action]) {
    let rank = |action: &Action| match action {
        Action::Listen(_) | Action::BfdListen(_) => 0,
        Action::Transmit { .. } => 1,
        Action::Bfd { .. } => 2,
        Action::ToIpvs(_) | Action::ToCheck(_) => 3,
        Action::Announce { .. } => 4,
        Action::Run(_) | Action::RunOfLeft { .. } | Action::Tell(_) | Action::TellOfLeft { .. } => 5,
        Action::Log(_) => 6,
        Action::Up(_) | Action::Dump(_) => 7,
    };
    assert!(out.is_sorted_by_key(rank), "{out:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(deeds in proptest::collection::vec(deed(), 0..120)) {
        let mut world = World::new();
        world.step(Event::IpvsAttached);
        for deed in deeds {
            world.act(deed);
        }
        world.act(Deed::Stop);
        for _ in 0..10 {
            world.act(Deed::Wake { late: 0 });
        }
        prop_assert_eq!(world.router.deadline(), None);
    }

    #[test]
    fn one_advert_an_interval(late in proptest::collection::vec(0u64..1500, 1..50)) {
        let mut world = World::new();
        world.reload(config(vec![instance(1, 100)]));
        world.step(Event::IpvsAttached);
        world.act(Deed::Synced);
        let start = world.now + Duration::from_secs(4);
        let mut sent = 0;
        for late in late {
            world.now = world.router.deadline().unwrap() + Duration::from_millis(late);
            let out = world.step(Event::Timeout);
            sent += adverts(&out).len();
            prop_assert!(adverts(&out).len() <= 1);
        }
        let intervals = world.now.since(start).as_secs();
        prop_assert!(sent as u64 <= intervals + 2);
    }
}
