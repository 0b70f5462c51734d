//! The reconciler against a simulated kernel: whatever is said and whatever goes wrong, afterwards the kernel holds what is
//! wanted, and nothing outside the configuration was ever named in a request. The laws of machines hold in every step.
// What a test needs and has not got ends it.
#![allow(clippy::expect_used, clippy::panic)]

mod kernel;
mod services;

use ipc::config::ipvs::{
    AddrMore, AddrSpec, Dest, Granularity, InstanceAddrs, IpvsConfig, Method, Protocol, Real, Service, ServiceKey,
};
use ipc::config::vrrp::{Link, Switch};
use ipc::config::{Generation, InstanceIdx, LinkIdx, MarkedIdx, Origin, RealIdx, ServiceIdx};
use ipc::machine::Machine;
use ipc::msg::Role;
use ipc::msg::control::StopMode;
use ipc::msg::reals::{CheckToIpvs, Standing};
use ipc::msg::vips::{Applied, IpvsToVrrp, Presence, VrrpToIpvs};
use ipc::net::Prefix;
use ipc::report::Level;
use ipc::time::Mono;
use ipvsd::event::{Action, Event};
use ipvsd::netlink::Bus;
use ipvsd::netlink::reply::Fact;
use ipvsd::observed::{AddrKey, DestFact, ServiceFact};
use ipvsd::reconcile::Reconciler;
use kernel::{Has, Kernel};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

const HOLD: Duration = Duration::from_millis(2500);
const FOREIGN: u8 = 200;

fn v4(third: u8, fourth: u8) -> IpAddr {
    IpAddr::from([10, 0, third, fourth])
}

fn spec(link: u16, n: u8) -> AddrSpec {
    let prefix = Prefix { addr: v4(0, n), len: 24 };
    AddrSpec {
        prefix,
        link: LinkIdx(link),
        broadcast: None,
        scope: 0,
        label: None,
        more: AddrMore::default(),
        origin: Origin::default(),
    }
}

fn dest(n: u8, weight: u32) -> Dest {
    Dest { addr: v4(2, n), port: 80, method: Method::Dr, weight, upper: 0, lower: 0 }
}

fn key(n: u8) -> ServiceKey {
    ServiceKey::Addr { addr: v4(1, n), port: 80, protocol: Protocol::Tcp }
}

/// Checkers may change this weight.
const DYNAMIC: u32 = 5;

/// Three configurations to change between: instances and services come, go, change their order and their properties;
/// an address belongs to two instances, a real server is the sorry server as well, a service of a group has two keys.
fn config(variant: usize) -> IpvsConfig {
    let origin = Origin::default;
    let links = ["e0", "e1"].map(|name| Link { name: name.into(), origin: origin() });
    let instances: Vec<(&str, Vec<AddrSpec>)> = match variant {
        0 => vec![("A", vec![spec(0, 1), spec(0, 2)]), ("B", vec![spec(1, 3)]), ("C", vec![spec(0, 2)])],
        1 => vec![("C", vec![spec(0, 2)]), ("A", vec![spec(0, 1), spec(1, 4)]), ("D", vec![])],
        _ => vec![("B", vec![spec(0, 3), spec(1, 3)])],
    };
    type Line<'a> = (&'a [u8], &'a str, Option<u32>, Vec<Dest>);
    let services: Vec<Line<'_>> = match variant {
        0 => vec![
            (&[1], "rr", None, vec![dest(1, 1), dest(2, 5)]),
            (&[2, 4], "wlc", Some(50), vec![dest(1, 1), dest(9, 1)]),
        ],
        1 => vec![(&[5, 2], "rr", None, vec![dest(3, 1), dest(1, 7)]), (&[3], "sh", None, vec![])],
        _ => vec![],
    };
    let mut config = IpvsConfig { links: links.into_iter().collect(), ..IpvsConfig::default() };
    for (name, addrs) in instances {
        config
            .instances
            .push(InstanceAddrs {
                name: name.into(),
                addrs,
                routes: vec![],
                rules: vec![],
                hold: HOLD,
                accept: Default::default(),
            })
            .expect("room");
    }
    for (keys, scheduler, persistence, dests) in services {
        let service = Service {
            keys: keys.iter().copied().map(key).collect(),
            group: None,
            scheduler: scheduler.into(),
            flags: 0,
            persistence,
            granularity: Granularity::WHOLE,
            sorry: Some(dest(9, 1)),
            engine: None,
            drain: None,
            sorry_inhibit: Switch::Off,
            origin: origin(),
        };
        let idx = config.services.push(service).expect("room");
        for dest in dests {
            let dynamic = if dest.weight == DYNAMIC { Switch::On } else { Switch::Off };
            config.reals.push(Real { service: idx, dest, dynamic, origin: origin() }).expect("room");
        }
    }
    config
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    VrrpComes,
    VrrpGoes,
    VrrpResyncs,
    VrrpSynced,
    SetVips(u16, Presence),
    CheckComes,
    CheckGoes,
    CheckResyncs,
    CheckSynced,
    SetReal(u32, Standing),
    SetSorry(u32, Standing),
    Reload(usize),
    Discarded(usize),
    Plug(u32),
    Unplug(u32),
    AddBehind(u32, u8),
    RemoveBehind(u32, u8),
    FlushIpvs,
    ReloadIpvs,
    AddServiceBehind(u8),
    Refuse(u32),
    Lose,
    Tear(u32),
    Unreadable,
}

fn step() -> impl Strategy<Value = Step> {
    let presence = prop_oneof![Just(Presence::Present), Just(Presence::Absent)];
    let standing = || prop_oneof![Just(Standing::Serving), Just(Standing::Inhibited), Just(Standing::Absent)];
    prop_oneof![
        3 => (0u64..4000).prop_map(Step::Pass),
        1 => Just(Step::VrrpComes),
        1 => Just(Step::VrrpGoes),
        1 => Just(Step::VrrpResyncs),
        2 => Just(Step::VrrpSynced),
        6 => (0u16..4, presence).prop_map(|(i, p)| Step::SetVips(i, p)),
        1 => Just(Step::CheckComes),
        1 => Just(Step::CheckGoes),
        1 => Just(Step::CheckResyncs),
        2 => Just(Step::CheckSynced),
        6 => (0u32..5, standing()).prop_map(|(i, s)| Step::SetReal(i, s)),
        2 => (0u32..3, standing()).prop_map(|(i, s)| Step::SetSorry(i, s)),
        1 => (0usize..3).prop_map(Step::Reload),
        1 => (0usize..3).prop_map(Step::Discarded),
        1 => (1u32..4).prop_map(Step::Plug),
        1 => (1u32..4).prop_map(Step::Unplug),
        1 => (1u32..4, 1u8..5).prop_map(|(l, n)| Step::AddBehind(l, n)),
        2 => (1u32..4, 1u8..5).prop_map(|(l, n)| Step::RemoveBehind(l, n)),
        1 => Just(Step::FlushIpvs),
        1 => Just(Step::ReloadIpvs),
        1 => (1u8..4).prop_map(Step::AddServiceBehind),
        1 => (1u32..4).prop_map(Step::Refuse),
        1 => Just(Step::Lose),
        1 => (1u32..4).prop_map(Step::Tear),
        1 => Just(Step::Unreadable),
    ]
}

/// The reconciler, its kernel and its peers.
struct World {
    machine: Reconciler,
    kernel: Kernel,
    now: Mono,
    variant: usize,
    generation: u32,
    heard: Vec<IpvsToVrrp>,
    errors: Vec<String>,
    stopped: u32,
}

impl World {
    fn new(ipvs: Has) -> World {
        let mut kernel = Kernel { ipvs, ..Kernel::default() };
        kernel.plug(1, "e0");
        kernel.plug(2, "e1");
        kernel.add_behind(AddrKey { ifindex: 1, addr: v4(0, FOREIGN), len: 24 });
        kernel.news.clear();
        foreign(&mut kernel, FOREIGN);
        let mut world = World {
            machine: Reconciler::new(),
            kernel,
            now: Mono(1_000_000_000),
            variant: 0,
            generation: 0,
            heard: Vec::new(),
            errors: Vec::new(),
            stopped: 0,
        };
        world.step(Event::Start);
        world.reload(0);
        world
    }

    /// One event with all that follows at once; as the driver does it.
    fn step(&mut self, event: Event) {
        let mut queue = vec![event];
        for _ in 0..1000 {
            if queue.is_empty() {
                if self.kernel.news.is_empty() {
                    return;
                }
                queue.push(Event::Kernel(std::mem::take(&mut self.kernel.news)));
            }
            let mut actions = Vec::new();
            self.machine.step(self.now, queue.remove(0), &mut actions);
            for action in actions {
                match action {
                    Action::Send(batch) => {
                        let answers = self.kernel.take(&batch);
                        queue.push(Event::Kernel(answers));
                    }
                    Action::ToVrrp(words) => self.heard.extend(words),
                    Action::Log(line) if line.level == Level::Error => self.errors.push(line.text),
                    Action::Stopped => self.stopped += 1,
                    Action::Refused(_) => panic!("the configuration is good"),
                    Action::ToCheck(_) | Action::Dump(_) | Action::Log(_) | Action::Ready(_) | Action::Activated => {}
                    Action::Open(..) | Action::Unsettled => {}
                    Action::Violation(role, what) => panic!("{role} said nothing wrong: {what}"),
                }
            }
        }
        panic!("it does not come to rest");
    }

    /// Lets time pass, with the law of deadlines checked at each.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.machine.deadline().filter(|d| *d <= end) {
            if self.now < deadline {
                let early = Mono(deadline.0 - 1).max(self.now);
                if early < deadline {
                    let mut actions = Vec::new();
                    self.machine.step(early, Event::Timeout, &mut actions);
                    assert!(actions.is_empty(), "an early timeout does nothing: {actions:?}");
                }
            }
            self.now = self.now.max(deadline);
            let mut actions = Vec::new();
            self.machine.step(self.now, Event::Timeout, &mut actions);
            let after = self.machine.deadline();
            assert!(after.is_none_or(|d| d > self.now), "{after:?} after {:?}", self.now);
            for action in actions {
                match action {
                    Action::Send(batch) => {
                        let answers = self.kernel.take(&batch);
                        self.step(Event::Kernel(answers));
                    }
                    Action::ToVrrp(words) => self.heard.extend(words),
                    Action::Stopped => self.stopped += 1,
                    _ => {}
                }
            }
        }
        self.now = end;
    }

    fn reload(&mut self, variant: usize) {
        self.generation += 1;
        let generation = Generation(self.generation);
        self.step(Event::Configure(generation, Box::new(config(variant))));
        self.variant = variant;
        self.step(Event::Activate(generation));
    }

    fn apply(&mut self, step: Step) {
        let config = config(self.variant);
        match step {
            Step::Pass(ms) => self.pass(Duration::from_millis(ms)),
            Step::VrrpComes => self.step(Event::VrrpAttached),
            Step::VrrpGoes => self.step(Event::VrrpLost),
            Step::VrrpResyncs => self.step(Event::FromVrrp(vec![VrrpToIpvs::Resync])),
            Step::VrrpSynced => self.step(Event::FromVrrp(vec![VrrpToIpvs::Synced])),
            Step::SetVips(instance, want) if config.instances.has(InstanceIdx(instance)) => {
                self.step(Event::FromVrrp(vec![VrrpToIpvs::SetVips { instance: InstanceIdx(instance), want }]));
            }
            Step::CheckComes => self.step(Event::CheckAttached),
            Step::CheckGoes => self.step(Event::CheckLost),
            Step::CheckResyncs => self.step(Event::FromCheck(vec![CheckToIpvs::Resync])),
            Step::CheckSynced => self.step(Event::FromCheck(vec![CheckToIpvs::Synced])),
            Step::SetReal(real, want) if config.reals.has(RealIdx(real)) => {
                self.step(Event::FromCheck(vec![CheckToIpvs::SetReal { real: RealIdx(real), want }]));
            }
            Step::SetSorry(service, want) if config.services.has(ServiceIdx(service)) => {
                self.step(Event::FromCheck(vec![CheckToIpvs::SetSorry { service: ServiceIdx(service), want }]));
            }
            Step::SetVips(..) | Step::SetReal(..) | Step::SetSorry(..) => {}
            Step::Reload(variant) => self.reload(variant),
            Step::Discarded(variant) => {
                let generation = Generation(self.generation + 1);
                self.step(Event::Configure(generation, Box::new(crate::config(variant))));
                self.step(Event::Discard(generation));
            }
            Step::Plug(ifindex) => {
                // 3 is another interface with the name of the second.
                let name = if ifindex == 1 { "e0" } else { "e1" };
                if !self.kernel.links.values().any(|n| n == name) {
                    self.kernel.plug(ifindex, name);
                }
                self.news();
            }
            Step::Unplug(ifindex) => {
                self.kernel.unplug(ifindex);
                self.news();
            }
            Step::AddBehind(ifindex, n) => {
                self.kernel.add_behind(AddrKey { ifindex, addr: v4(0, n), len: 24 });
                self.news();
            }
            Step::RemoveBehind(ifindex, n) => {
                self.kernel.remove_behind(&AddrKey { ifindex, addr: v4(0, n), len: 24 });
                self.news();
            }
            Step::FlushIpvs => self.kernel.services.retain(|k, _| *k == key(FOREIGN)),
            Step::ReloadIpvs => {
                self.kernel.reload_ipvs();
                foreign(&mut self.kernel, FOREIGN);
            }
            Step::AddServiceBehind(n) => foreign(&mut self.kernel, n),
            Step::Refuse(n) => self.kernel.refuse = n,
            Step::Lose => self.kernel.lose = 1,
            Step::Tear(n) => self.kernel.tear = n,
            Step::Unreadable => {
                self.step(Event::Kernel(vec![Fact::Unreadable { bus: Bus::Route, why: "test".into() }]));
            }
        }
    }

    fn news(&mut self) {
        let news = std::mem::take(&mut self.kernel.news);
        self.step(Event::Kernel(news));
    }

    /// Both peers come anew and say everything; nothing goes wrong any more; enough time passes for every back-off.
    fn settle(&mut self, vips: &[Presence], reals: &[Standing], sorries: &[Standing]) {
        (self.kernel.refuse, self.kernel.lose, self.kernel.tear) = (0, 0, 0);
        self.reload(self.variant);
        // IPVS changes behind our back are found with the next picture.
        self.step(Event::Kernel(vec![Fact::Lost(Bus::Generic)]));
        let config = config(self.variant);
        self.step(Event::VrrpAttached);
        self.step(Event::CheckAttached);
        let mut words = vec![VrrpToIpvs::Resync];
        for ((instance, _), want) in config.instances.iter().zip(vips) {
            words.push(VrrpToIpvs::SetVips { instance, want: *want });
        }
        words.push(VrrpToIpvs::Synced);
        self.heard.clear();
        self.step(Event::FromVrrp(words));
        let mut words = vec![CheckToIpvs::Resync];
        for ((real, _), want) in config.reals.iter().zip(reals) {
            words.push(CheckToIpvs::SetReal { real, want: *want });
        }
        for ((service, _), want) in config.services.iter().zip(sorries) {
            words.push(CheckToIpvs::SetSorry { service, want: *want });
        }
        words.push(CheckToIpvs::Synced);
        self.step(Event::FromCheck(words));
        self.pass(Duration::from_secs(400));
    }

    fn assert_addresses(&self, vips: &[Presence]) {
        let config = config(self.variant);
        let ifindex = |link: LinkIdx| {
            let name = &config.links.at(link).expect("a link").name;
            self.kernel.links.iter().find(|(_, n)| *n == name).map(|(i, _)| *i)
        };
        let mut wanted = BTreeSet::new();
        let mut whole = BTreeMap::new();
        for ((idx, instance), want) in config.instances.iter().zip(vips) {
            let keys = instance
                .addrs
                .iter()
                .map(|s| ifindex(s.link).map(|i| AddrKey { ifindex: i, addr: s.prefix.addr, len: s.prefix.len }));
            let keys: Vec<Option<AddrKey>> = keys.collect();
            if *want == Presence::Present {
                whole.insert(idx, keys.iter().all(Option::is_some));
                wanted.extend(keys.into_iter().flatten());
            } else {
                whole.insert(idx, true);
            }
        }
        let virtual_addrs: BTreeSet<IpAddr> =
            config.instances.rows().iter().flat_map(|i| &i.addrs).map(|s| s.prefix.addr).collect();
        // An address that somebody added where no configuration wants it stays; one of the configuration in its place goes.
        for key in &wanted {
            assert!(self.kernel.addrs.contains(key), "missing: {key:?}");
        }
        for (_, instance) in config.instances.iter() {
            for spec in &instance.addrs {
                if let Some(i) = ifindex(spec.link) {
                    let key = AddrKey { ifindex: i, addr: spec.prefix.addr, len: spec.prefix.len };
                    assert_eq!(self.kernel.addrs.contains(&key), wanted.contains(&key), "{key:?}");
                }
            }
        }
        assert!(!virtual_addrs.contains(&v4(0, FOREIGN)));
        for (instance, whole) in whole {
            let now = vips[usize::from(instance.0)];
            let result = if whole { Applied::All } else { Applied::Partly };
            let last = self
                .heard
                .iter()
                .rev()
                .find(|m| matches!(m, IpvsToVrrp::VipsApplied { instance: i, .. } if *i == instance));
            assert_eq!(last, Some(&IpvsToVrrp::VipsApplied { instance, now, result }));
        }
    }

    fn assert_services(&self, reals: &[Standing], sorries: &[Standing]) {
        let config = config(self.variant);
        let services = config.services.iter().flat_map(|(idx, s)| s.keys.iter().map(move |key| (idx, s, key)));
        for (idx, service, key) in services {
            let (fact, dests) = self.kernel.services.get(key).expect("the service is there");
            assert_eq!(fact.scheduler, service.scheduler);
            assert_eq!(fact.flags & 1 == 1, service.persistence.is_some());
            let mut expected: BTreeMap<IpAddr, u32> = BTreeMap::new();
            let mut of_service: Vec<(Dest, Standing)> = Vec::new();
            of_service.extend(
                config.reals.iter().zip(reals).filter(|((_, r), _)| r.service == idx).map(|((_, r), s)| (r.dest, *s)),
            );
            let sorry = service.sorry.expect("there is one");
            of_service.push((sorry, *sorries.get(usize::try_from(idx.0).expect("small")).expect("said")));
            for wanted in [Standing::Inhibited, Standing::Serving] {
                for (dest, _) in of_service.iter().rev().filter(|(_, s)| *s == wanted) {
                    expected.insert(dest.addr, if wanted == Standing::Serving { dest.weight } else { 0 });
                }
            }
            let found: BTreeMap<IpAddr, u32> = dests.values().map(|d| (d.addr, d.weight)).collect();
            assert_eq!(found, expected, "{key:?}");
        }
    }

    /// Requests name what some configuration named, and nothing else.
    fn assert_untouched(&self) {
        let mut addrs = BTreeSet::new();
        let mut services = BTreeSet::new();
        for variant in 0..3 {
            let config = config(variant);
            addrs.extend(config.instances.rows().iter().flat_map(|i| &i.addrs).map(|s| (s.prefix.addr, s.prefix.len)));
            services.extend(config.services.rows().iter().flat_map(|s| s.keys.clone()));
        }
        assert!(self.kernel.touched_addrs.is_subset(&addrs), "{:?}", self.kernel.touched_addrs);
        assert!(self.kernel.touched_services.is_subset(&services), "{:?}", self.kernel.touched_services);
        assert!(self.kernel.services.contains_key(&key(FOREIGN)));
    }
}

/// A destination that no configuration knows.
fn leftover() -> DestFact {
    DestFact { addr: v4(2, 77), port: 80, method: Some(Method::Nat), weight: 3, upper: 0, lower: 0 }
}

/// A service that somebody else makes.
fn foreign(kernel: &mut Kernel, n: u8) {
    let service =
        ServiceFact { key: key(n), scheduler: "lc".into(), flags: 2, timeout: 0, netmask: u32::MAX, engine: None };
    let dest = DestFact { addr: v4(2, 77), port: 80, method: Some(Method::Nat), weight: 3, upper: 0, lower: 0 };
    kernel.services.entry(key(n)).or_insert((service, BTreeMap::from([((dest.addr, dest.port), dest)])));
}

fn any_presence() -> impl Strategy<Value = Presence> {
    prop_oneof![Just(Presence::Present), Just(Presence::Absent)]
}

fn any_standing() -> impl Strategy<Value = Standing> {
    prop_oneof![Just(Standing::Serving), Just(Standing::Inhibited), Just(Standing::Absent)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_kernel_becomes_what_is_wanted_and_nothing_else_is_touched(
        steps in proptest::collection::vec(step(), 0..60),
        vips in proptest::collection::vec(any_presence(), 4),
        reals in proptest::collection::vec(any_standing(), 5),
        sorries in proptest::collection::vec(any_standing(), 3),
    ) {
        let mut world = World::new(Has::Yes);
        for step in steps {
            world.apply(step);
        }
        world.settle(&vips, &reals, &sorries);
        world.assert_addresses(&vips);
        world.assert_services(&reals, &sorries);
        world.assert_untouched();
        // The end leaves nothing of ours.
        world.step(Event::Stop(StopMode::RELEASE));
        world.pass(Duration::from_secs(5));
        assert_eq!(world.stopped, 1);
        let absent = vec![Presence::Absent; 4];
        let instances = config(world.variant).instances.len();
        world.heard = (0..instances)
            .filter_map(|i| u16::try_from(i).ok())
            .map(|i| IpvsToVrrp::VipsApplied { instance: InstanceIdx(i), now: Presence::Absent, result: Applied::All })
            .collect();
        world.assert_addresses(&absent);
        for (_, service) in config(world.variant).services.iter() {
            assert!(service.keys.iter().all(|key| !world.kernel.services.contains_key(key)));
        }
        world.assert_untouched();
    }

    #[test]
    fn nothing_is_removed_before_the_peers_have_said_everything(
        present in proptest::collection::vec((1u32..3, 1u8..5), 0..6),
        said in proptest::collection::vec((0u16..3, any_presence()), 0..6),
        reals in proptest::collection::vec((0u32..4, any_standing()), 0..6),
    ) {
        let mut world = World::new(Has::Yes);
        for (ifindex, n) in present {
            world.apply(Step::AddBehind(ifindex, n));
        }
        let (_, dests) = world.kernel.services.get_mut(&key(1)).expect("it is there");
        dests.insert((leftover().addr, leftover().port), leftover());
        world.reload(0);
        let addrs = world.kernel.addrs.clone();
        world.step(Event::VrrpAttached);
        world.step(Event::CheckAttached);
        world.apply(Step::VrrpResyncs);
        world.apply(Step::CheckResyncs);
        for (instance, want) in said {
            world.apply(Step::SetVips(instance, want));
        }
        for (real, want) in reals {
            world.apply(Step::SetReal(real, want));
        }
        world.pass(Duration::from_secs(10));
        prop_assert!(addrs.is_subset(&world.kernel.addrs));
        let (_, dests) = world.kernel.services.get(&key(1)).expect("adopted");
        prop_assert!(dests.contains_key(&(leftover().addr, leftover().port)));
    }
}

#[test]
fn a_kernel_without_ipvs_is_said_once_and_vrrp_goes_on() {
    let mut world = World::new(Has::No);
    assert_eq!(world.errors.len(), 1, "{:?}", world.errors);
    assert!(world.errors.iter().all(|e| e.starts_with("kernel has no IPVS")), "{:?}", world.errors);
    let vips = [Presence::Present; 4];
    world.step(Event::VrrpAttached);
    world.apply(Step::VrrpResyncs);
    for instance in 0..3 {
        world.apply(Step::SetVips(instance, Presence::Present));
    }
    world.apply(Step::VrrpSynced);
    world.pass(Duration::from_secs(100));
    world.assert_addresses(&vips);
    assert_eq!(world.errors.len(), 1);
}

#[test]
fn an_index_of_nothing_ends_the_trust_in_its_sender() {
    let mut machine = Reconciler::new();
    let mut out = Vec::new();
    machine.step(Mono(1), Event::Configure(Generation(1), Box::new(config(0))), &mut out);
    machine.step(Mono(1), Event::Activate(Generation(1)), &mut out);
    let cases = [
        (Event::FromVrrp(vec![VrrpToIpvs::SetVips { instance: InstanceIdx(3), want: Presence::Present }]), Role::Vrrp),
        (Event::FromCheck(vec![CheckToIpvs::SetReal { real: RealIdx(4), want: Standing::Serving }]), Role::Check),
        (Event::FromCheck(vec![CheckToIpvs::Open { marked: MarkedIdx(0) }]), Role::Check),
        (Event::FromCheck(vec![CheckToIpvs::SetWeight { real: RealIdx(4), weight: 1 }]), Role::Check),
        (Event::FromCheck(vec![CheckToIpvs::SetWeight { real: RealIdx(0), weight: 1 }]), Role::Check),
        (Event::FromCheck(vec![CheckToIpvs::SetWeight { real: RealIdx(1), weight: 1 << 31 }]), Role::Check),
        (
            Event::FromCheck(vec![CheckToIpvs::SetSorry { service: ServiceIdx(2), want: Standing::Serving }]),
            Role::Check,
        ),
    ];
    for (event, role) in cases {
        out.clear();
        machine.step(Mono(2), event, &mut out);
        assert!(matches!(out.as_slice(), [Action::Violation(r, _)] if *r == role), "{out:?}");
    }
}

/// A pass over all real servers is much work for a small message: there is one on a channel in a generation, however it is cut into
/// frames and whatever is said between them.
#[test]
fn many_real_servers_are_said_once_on_a_channel_in_a_generation() {
    let reals = |first, last, want| CheckToIpvs::SetReals { first: RealIdx(first), last: RealIdx(last), want };
    let all = |want| reals(0, 3, want);
    let prepared = || {
        let mut machine = Reconciler::new();
        let mut out = Vec::new();
        machine.step(Mono(1), Event::Configure(Generation(1), Box::new(config(0))), &mut out);
        machine.step(Mono(1), Event::Activate(Generation(1)), &mut out);
        machine.step(Mono(1), Event::CheckAttached, &mut out);
        machine.step(Mono(1), Event::Configure(Generation(2), Box::new(config(0))), &mut out);
        machine
    };
    let (first, again) = (all(Standing::Serving), all(Standing::Absent));
    let say = |words: &[CheckToIpvs]| Event::FromCheck(words.to_vec());
    for (what, events, honest) in [
        ("in parts", vec![say(&[reals(0, 1, Standing::Serving)]), say(&[reals(2, 3, Standing::Absent)])], true),
        ("in one frame", vec![say(&[first, again])], false),
        ("in two frames", vec![say(&[first]), say(&[again])], false),
        ("after a Resync", vec![say(&[CheckToIpvs::Resync, first]), say(&[CheckToIpvs::Resync, again])], false),
        ("after another Resync in the frame", vec![say(&[first, CheckToIpvs::Resync, again])], false),
        ("on another channel", vec![say(&[first]), Event::CheckLost, Event::CheckAttached, say(&[again])], true),
        ("in another generation", vec![say(&[first]), Event::Activate(Generation(2)), say(&[again])], true),
    ] {
        let (mut machine, mut out) = (prepared(), Vec::new());
        for event in events {
            machine.step(Mono(2), event, &mut out);
        }
        let violations = out.iter().filter(|action| matches!(action, Action::Violation(Role::Check, _))).count();
        assert_eq!(violations, usize::from(!honest), "{what}: {out:?}");
    }
}

/// Whoever has put right what made the kernel refuse reloads, and does not wait for a minute.
#[test]
fn a_reload_tries_again_at_once() {
    let mut world = World::new(Has::Yes);
    world.settle(&[Presence::Present; 3], &[Standing::Absent; 4], &[Standing::Absent; 2]);
    world.kernel.refuse = u32::MAX;
    world.apply(Step::SetReal(0, Standing::Serving));
    world.apply(Step::RemoveBehind(1, 1));
    world.pass(Duration::from_secs(200));
    world.kernel.refuse = 0;
    world.reload(0);
    let (_, dests) = world.kernel.services.get(&key(1)).expect("the service is there");
    assert!(dests.contains_key(&(v4(2, 1), 80)));
    assert!(world.kernel.addrs.contains(&AddrKey { ifindex: 1, addr: v4(0, 1), len: 24 }));
}

/// What only one server cannot have is the kernel's to refuse: the others are served.
#[test]
fn odd_thresholds_do_not_cost_the_configuration() {
    let mut odd = config(0);
    if let Some(real) = odd.reals.at_mut(RealIdx(0)) {
        (real.dest.upper, real.dest.lower) = (5, 10);
    }
    let mut machine = Reconciler::new();
    let mut out = Vec::new();
    machine.step(Mono(1), Event::Configure(Generation(7), Box::new(odd)), &mut out);
    assert_eq!(out, [Action::Ready(Generation(7))]);
}

#[test]
fn a_configuration_that_cannot_be_is_refused_with_its_line() {
    let mut bad = config(0);
    if let Some(instance) = bad.instances.at_mut(InstanceIdx(0)) {
        instance.addrs.push(AddrSpec { origin: Origin { file: "k.conf".into(), line: 12 }, ..spec(9, 1) });
    }
    let mut machine = Reconciler::new();
    let mut out = Vec::new();
    machine.step(Mono(1), Event::Configure(Generation(7), Box::new(bad)), &mut out);
    match out.as_slice() {
        [Action::Log(line), Action::Refused(Generation(7))] => assert!(line.text.contains("k.conf:12"), "{line}"),
        other => panic!("{other:?}"),
    }
}
