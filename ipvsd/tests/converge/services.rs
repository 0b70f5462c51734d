//! Services and real servers: what a reload sends, what is drained, what an earlier run has left, what somebody else did to the table.

use super::kernel::Has;
use super::{DYNAMIC, Step, World, config, dest, key, leftover, v4};
use ipc::config::ipvs::{IpvsConfig, Real, Service, ServiceGroup};
use ipc::config::vrrp::Switch;
use ipc::config::{Generation, Origin, RealIdx, ServiceIdx};
use ipc::machine::Machine as _;
use ipc::msg::reals::{CheckToIpvs, Standing};
use ipc::msg::vips::Presence;
use ipvsd::event::{Action, Event};
use ipvsd::netlink::Bus;
use ipvsd::netlink::batch::Batch;
use ipvsd::reconcile::Reconciler;
use std::collections::BTreeMap;
use std::time::Duration;

#[test]
fn ipvs_that_somebody_else_emptied_is_filled_again_when_the_kernel_contradicts() {
    let mut world = World::new(Has::Yes);
    let mut reals = [Standing::Serving; 4];
    world.settle(&[Presence::Absent; 3], &reals, &[Standing::Absent; 2]);
    world.assert_services(&reals, &[Standing::Absent; 2]);
    world.apply(Step::FlushIpvs);
    reals[0] = Standing::Inhibited;
    world.apply(Step::SetReal(0, Standing::Inhibited));
    world.pass(Duration::from_secs(5));
    world.assert_services(&reals, &[Standing::Absent; 2]);
    world.assert_untouched();
}

/// The same when the first thing to be done is a removal.
#[test]
fn ipvs_that_somebody_else_emptied_is_filled_again_when_a_real_server_dies() {
    let mut world = World::new(Has::Yes);
    let mut reals = [Standing::Serving; 4];
    world.settle(&[Presence::Absent; 3], &reals, &[Standing::Absent; 2]);
    world.apply(Step::FlushIpvs);
    reals[0] = Standing::Absent;
    world.apply(Step::SetReal(0, Standing::Absent));
    world.pass(Duration::from_secs(5));
    world.assert_services(&reals, &[Standing::Absent; 2]);
    world.assert_untouched();
}

/// Its family has another number then; the old one is nobody's.
#[test]
fn a_module_that_was_loaded_anew_is_found() {
    let mut world = World::new(Has::Yes);
    let mut reals = [Standing::Serving; 4];
    world.settle(&[Presence::Absent; 3], &reals, &[Standing::Absent; 2]);
    world.apply(Step::ReloadIpvs);
    reals[0] = Standing::Inhibited;
    world.apply(Step::SetReal(0, Standing::Inhibited));
    world.pass(Duration::from_secs(5));
    world.assert_services(&reals, &[Standing::Absent; 2]);
}

#[test]
fn a_weight_that_checkers_may_change() {
    let mut world = World::new(Has::Yes);
    world.settle(&[Presence::Absent; 3], &[Standing::Serving; 4], &[Standing::Absent; 2]);
    let weight = |world: &World| {
        let (_, dests) = world.kernel.services.get(&key(1)).expect("the service is there");
        dests.get(&(v4(2, 2), 80)).expect("the destination is there").weight
    };
    assert_eq!(weight(&world), DYNAMIC);
    let real = RealIdx(1);
    let expected = [
        (CheckToIpvs::SetWeight { real, weight: 253 }, 253),
        (CheckToIpvs::SetReal { real, want: Standing::Inhibited }, 0),
        (CheckToIpvs::SetWeight { real, weight: 7 }, 0),
        (CheckToIpvs::SetReal { real, want: Standing::Serving }, 7),
    ];
    for (word, expected) in expected {
        world.step(Event::FromCheck(vec![word]));
        world.pass(Duration::from_secs(1));
        assert_eq!(weight(&world), expected, "{word:?}");
    }
    // A reload does not put it back.
    world.reload(0);
    world.pass(Duration::from_secs(1));
    assert_eq!(weight(&world), 7);
}

/// What a request to the kernel was, by command of IPVS.
fn commands(batch: &Batch) -> Vec<u8> {
    let mut commands = Vec::new();
    for write in &batch.writes {
        let mut rest = write.as_slice();
        while let Some(length) = rest.first_chunk().map(|n| u32::from_ne_bytes(*n)) {
            let (message, next) = rest.split_at(usize::try_from(length).expect("small"));
            commands.push(message[16]);
            rest = next;
        }
    }
    commands
}

impl World {
    /// Everything that is sent to IPVS while a new configuration takes over and checkd says everything again.
    fn reload_and_say(&mut self, config: IpvsConfig) -> Vec<u8> {
        self.generation += 1;
        let generation = Generation(self.generation);
        let mut words = vec![CheckToIpvs::Resync];
        let reals = config.reals.iter().map(|(real, _)| CheckToIpvs::SetReal { real, want: Standing::Serving });
        words.extend(reals);
        let services = config.services.iter();
        words.extend(services.map(|(service, _)| CheckToIpvs::SetSorry { service, want: Standing::Absent }));
        words.push(CheckToIpvs::Synced);
        let events = [
            Event::Configure(generation, Box::new(config)),
            Event::Activate(generation),
            Event::CheckAttached,
            Event::FromCheck(words),
        ];
        let mut sent = Vec::new();
        for event in events {
            let mut queue = vec![event];
            while let Some(event) = queue.pop() {
                let mut actions = Vec::new();
                self.machine.step(self.now, event, &mut actions);
                for action in actions {
                    if let Action::Send(batch) = action {
                        if batch.bus == Bus::Generic {
                            sent.extend(commands(&batch));
                        }
                        queue.push(Event::Kernel(self.kernel.take(&batch)));
                    }
                }
            }
        }
        sent
    }
}

const SET_SERVICE: u8 = 2;
const DEL_SERVICE: u8 = 3;
const SET_DEST: u8 = 6;
const DEL_DEST: u8 = 7;

#[test]
fn a_reload_sends_what_differs_and_nothing_else() {
    let mut world = World::new(Has::Yes);
    world.settle(&[Presence::Absent; 3], &[Standing::Serving; 4], &[Standing::Absent; 2]);
    assert_eq!(world.reload_and_say(config(0)), [0; 0], "nothing has changed");
    let mut other = config(0);
    other.reals.at_mut(RealIdx(1)).expect("there").dest.weight = 6;
    assert_eq!(world.reload_and_say(other.clone()), [SET_DEST]);
    other.services.at_mut(ServiceIdx(1)).expect("there").scheduler = "lc".into();
    assert_eq!(world.reload_and_say(other.clone()), [SET_SERVICE; 2], "it has two keys");
    assert_eq!(world.reload_and_say(other), [0; 0], "nothing has changed");
    world.assert_untouched();
}

/// Two groups that have an address in common: what is said of the one is not taken for the other by a reload.
#[test]
fn services_with_equal_keys_are_told_apart() {
    let config = || {
        let mut config = config(0);
        let names = ["A", "B"].map(|name| {
            config
                .groups
                .push(ServiceGroup { name: name.into(), entries: vec![], origin: Origin::default() })
                .expect("room")
        });
        let mut first = config.services.at(ServiceIdx(0)).expect("there").clone();
        first.group = Some(names[0]);
        let second = Service { group: Some(names[1]), sorry: Some(dest(8, 1)), ..first.clone() };
        config.services = [first, second].into_iter().collect();
        let real = |service, n| Real {
            service: ServiceIdx(service),
            dest: dest(n, 1),
            dynamic: Switch::Off,
            origin: Origin::default(),
        };
        config.reals = [real(0, 1), real(1, 1), real(1, 2)].into_iter().collect();
        config
    };
    let mut world = World::new(Has::Yes);
    world.reload_and_say(config());
    let says = |world: &mut World| {
        let real = |n, want| CheckToIpvs::SetReal { real: RealIdx(n), want };
        let sorry = |n, want| CheckToIpvs::SetSorry { service: ServiceIdx(n), want };
        world.step(Event::FromCheck(vec![
            CheckToIpvs::Resync,
            real(0, Standing::Serving),
            real(1, Standing::Absent),
            real(2, Standing::Inhibited),
            sorry(0, Standing::Absent),
            sorry(1, Standing::Serving),
            CheckToIpvs::Synced,
        ]));
        world.pass(Duration::from_secs(1));
        let (_, dests) = world.kernel.services.get(&key(1)).expect("there");
        dests.values().map(|dest| (dest.addr, dest.weight)).collect::<BTreeMap<_, _>>()
    };
    let before = BTreeMap::from([(v4(2, 1), 1), (v4(2, 2), 0), (v4(2, 8), 1)]);
    assert_eq!(says(&mut world), before);
    world.kernel.touched_services.clear();
    world.generation += 1;
    let generation = Generation(world.generation);
    world.step(Event::Configure(generation, Box::new(config())));
    world.step(Event::Activate(generation));
    assert_eq!(says(&mut world), before);
    assert!(world.kernel.touched_services.is_empty(), "{:?}", world.kernel.touched_services);
}

fn draining(variant: usize) -> IpvsConfig {
    let mut config = config(variant);
    for idx in (0u32..).map(ServiceIdx).take_while(|idx| config.services.has(*idx)).collect::<Vec<_>>() {
        config.services.at_mut(idx).expect("there").drain = Some(Duration::from_secs(30));
    }
    config
}

/// Nobody knows any more what the process drained that died; what its services hold beyond the file is drained anew.
#[test]
fn what_an_earlier_run_has_left_in_a_service_is_drained() {
    let mut world = World::new(Has::Yes);
    let left = (leftover().addr, leftover().port);
    let dests = |world: &World| world.kernel.services.get(&key(1)).map(|(_, dests)| dests.clone()).unwrap_or_default();
    // As the first process left it.
    world.reload_and_say(draining(0));
    world.kernel.services.get_mut(&key(1)).expect("there").1.insert(left, leftover());
    world.machine = Reconciler::new();
    world.step(Event::Start);
    world.reload_and_say(draining(0));
    assert_eq!(dests(&world).get(&left).map(|dest| dest.weight), Some(0));
    assert_eq!(dests(&world).get(&(v4(2, 1), 80)).map(|dest| dest.weight), Some(1));
    world.pass(Duration::from_secs(29));
    assert!(dests(&world).contains_key(&left));
    world.pass(Duration::from_secs(2));
    assert!(!dests(&world).contains_key(&left));
    assert_eq!(dests(&world).len(), 2);
    world.assert_untouched();
}

/// A picture that was torn may lack what is left: the next one decides what is drained.
#[test]
fn what_a_torn_picture_left_out_is_drained_too() {
    let mut world = World::new(Has::Yes);
    let left = (leftover().addr, leftover().port);
    let weight = |world: &World| {
        let (_, dests) = world.kernel.services.get(&key(1)).expect("there");
        dests.get(&left).map(|dest| dest.weight)
    };
    world.reload_and_say(draining(0));
    world.kernel.services.get_mut(&key(1)).expect("there").1.insert(left, leftover());
    world.machine = Reconciler::new();
    world.step(Event::Start);
    // The services, and the destinations of each of ours.
    world.kernel.tear = 4;
    world.reload_and_say(draining(0));
    assert_eq!((world.kernel.tear, weight(&world)), (0, Some(leftover().weight)));
    world.pass(Duration::from_secs(1));
    assert_eq!(weight(&world), Some(0));
    world.pass(Duration::from_secs(31));
    assert_eq!(weight(&world), None);
    world.assert_untouched();
}

/// What a reload removes gets no new connections for a while, and is then removed.
#[test]
fn what_a_reload_removes_is_drained_first() {
    let mut world = World::new(Has::Yes);
    world.reload_and_say(draining(0));
    // A real server goes.
    let mut less = draining(0);
    less.reals = less.reals.rows().iter().filter(|r| r.dest.addr != v4(2, 2)).cloned().collect();
    assert_eq!(world.reload_and_say(less.clone()), [SET_DEST]);
    let weight = |world: &World, n: u8| {
        world.kernel.services.get(&key(1)).and_then(|(_, d)| d.get(&(v4(2, n), 80))).map(|d| d.weight)
    };
    assert_eq!(weight(&world, 2), Some(0));
    assert_eq!(weight(&world, 1), Some(1));
    // It comes back meanwhile, and goes again.
    assert_eq!(world.reload_and_say(draining(0)), [SET_DEST]);
    assert_eq!(weight(&world, 2), Some(5));
    assert_eq!(world.reload_and_say(less), [SET_DEST]);
    world.pass(Duration::from_secs(29));
    assert_eq!(weight(&world, 2), Some(0));
    world.pass(Duration::from_secs(2));
    assert_eq!(weight(&world, 2), None);
    // Services go: 1 as a whole, with two keys the other one.
    let sent = world.reload_and_say(draining(2));
    assert!(!sent.contains(&DEL_SERVICE) && sent.contains(&SET_DEST), "{sent:?}");
    assert!(!sent.contains(&DEL_DEST), "{sent:?}");
    assert_eq!(weight(&world, 1), Some(0));
    world.pass(Duration::from_secs(31));
    assert!([1, 2, 4].iter().all(|n| !world.kernel.services.contains_key(&key(*n))));
    world.assert_untouched();
}
