//! Everything at once: three virtual routers a machine, alone or as one sync group, over IPv4 and IPv6, that track an interface and two
//! scripts; and in between reloads, clocks that are set, losses, cuts, crashes and late wake-ups.

use super::{FORGOTTEN, calm, each, right_clocks, routers, signing, trouble, wrong_clock};
use ipc::config::vrrp::{Instance, Link, Switch, SyncGroup, TrackLink, Version, VrrpConfig, Weight};
use ipc::config::{GroupIdx, InstanceIdx, LinkIdx, Origin, ScriptIdx};
use ipc::msg::vips::LinkState;
use std::time::Duration;
use tests::router::{LINK, NOTIFY, at, config, instance, instance6, track, track_script};
use tests::sim::{Lan, Random, settle_time};

/// Virtual routers of a machine.
const MEMBERS: u8 = 3;

/// What one run has from its beginning to its end, on all machines.
#[derive(Clone, Copy, Debug)]
struct Shape {
    grouped: Switch,
    signed: Switch,
}

/// What may change of a machine: what its file says, and how the things are that it tracks.
#[derive(Clone, Debug)]
struct Machine {
    base: Instance,
    /// Weights of `eth1` and of the two scripts; zero is FAULT, none is not tracked.
    weights: [Option<i16>; 3],
    is_up: [bool; 3],
}

impl Machine {
    fn draw(base: &Instance, random: &mut Random) -> Machine {
        let mut base = base.clone();
        base.priority = 1 + random.below(254) as u8;
        let weight = |random: &mut Random| match random.below(3) {
            0 => None,
            1 => Some(0),
            _ => Some(random.below(507) as i16 - 253),
        };
        Machine { base, weights: std::array::from_fn(|_| weight(random)), is_up: [true; 3] }
    }

    /// Its file.
    fn config(&self, shape: Shape) -> VrrpConfig {
        let mut all = config(Vec::new());
        all.links.push(Link { name: "eth1".into(), origin: Origin::default() }).unwrap();
        for n in 0..2 {
            all.track_scripts.push(track_script(n)).unwrap();
        }
        for vrid in 1..=MEMBERS {
            all.instances.push(self.member(vrid, shape)).unwrap();
            let options = if shape.signed == Switch::On { signing() } else { Default::default() };
            all.options.push(options).unwrap();
        }
        if shape.grouped == Switch::On {
            let members = (0..u16::from(MEMBERS)).map(InstanceIdx).collect();
            all.groups.push(SyncGroup { name: "G".into(), origin: at(1), members, notify: NOTIFY }).unwrap();
        }
        all
    }

    /// A virtual router of it; the last one speaks IPv6 where the version can.
    fn member(&self, vrid: u8, shape: Shape) -> Instance {
        let six = self.base.version == Version::V3 && vrid == MEMBERS;
        let plain = if six { instance6(vrid, self.base.priority) } else { instance(vrid, self.base.priority) };
        let mut conf = Instance {
            version: self.base.version,
            advert_int: self.base.advert_int,
            wanted: self.base.wanted,
            group: (shape.grouped == Switch::On).then_some(GroupIdx(0)),
            ..plain
        };
        let [link, scripts @ ..] = self.weights.map(|weight| weight.filter(|weight| tracks(vrid, *weight)));
        if let Some(value) = link {
            let weight = Weight { value, reverse: Switch::Off };
            conf.track_links.push(TrackLink { link: LinkIdx(LINK.0 + 1), weight, origin: at(2) });
        }
        let used = (0..).zip(scripts).filter_map(|(n, value)| Some(track(n, value?)));
        conf.track_scripts = used.collect();
        conf
    }

    /// The effective priority of virtual router `vrid`, worked out by hand; none in FAULT.
    fn standing(&self, vrid: u8, shape: Shape) -> Option<u8> {
        let concerned = if shape.grouped == Switch::On { 1..=MEMBERS } else { vrid..=vrid };
        let tracked = self.weights.into_iter().zip(self.is_up).filter_map(|(weight, is_up)| Some((weight?, is_up)));
        let is_fault =
            |(weight, is_up): (i16, bool)| weight == 0 && !is_up && concerned.clone().any(|vrid| tracks(vrid, weight));
        if tracked.clone().any(is_fault) {
            return None;
        }
        let counted = tracked.filter(|(weight, is_up)| (*weight > 0) == *is_up).map(|(weight, _)| weight);
        Some((i16::from(self.base.priority) + counted.sum::<i16>()).clamp(1, 254) as u8)
    }

    /// Something that it tracks goes or comes.
    fn turn(&mut self, n: usize, lan: &mut Lan, which: usize, is_up: bool) {
        self.is_up[which] = is_up;
        match which {
            0 => lan.spare(n, if is_up { LinkState::Up } else { LinkState::Down }),
            _ => lan.script(n, ScriptIdx(99 + which as u16), u8::from(!is_up)),
        }
    }
}

/// Only the first virtual router tracks what can put it in FAULT: the others follow it where they are a group. What has a weight all track.
fn tracks(vrid: u8, weight: i16) -> bool {
    vrid == 1 || weight != 0
}

/// How long until everybody has heard of everything: members wait for each other, scripts run every second.
fn time_for_all(machine: &Machine, shape: Shape) -> Duration {
    let signed = if shape.signed == Switch::On { FORGOTTEN } else { Duration::ZERO };
    settle_time(&machine.base) * 2 + Duration::from_millis(1_100) + signed
}

/// Each virtual router has one master, the best of those that may be; none where none may.
fn check_masters(lan: &Lan, machines: &[Machine], shape: Shape) {
    for vrid in 1..=MEMBERS {
        let i = u16::from(vrid) - 1;
        let standing = |n: &usize| machines[*n].standing(vrid, shape);
        let best = lan.living().iter().filter_map(standing).max();
        let masters = lan.masters(i);
        assert_eq!(masters.len(), usize::from(best.is_some()), "virtual router {vrid}: {masters:?}, {best:?}");
        assert_eq!(lan.holders(i), masters, "who has the addresses of {vrid}");
        assert_eq!(masters.iter().filter_map(standing).max(), best, "the wrong master of {vrid}");
    }
}

#[test]
fn whatever_happens_to_everything_the_best_is_the_only_master() {
    each(300, |seed| {
        let mut random = Random(seed ^ 0xa11);
        let switch = |random: &mut Random, chance| if random.happens(chance) { Switch::On } else { Switch::Off };
        let shape = Shape { grouped: switch(&mut random, 500), signed: switch(&mut random, 300) };
        let confs = routers(&mut random);
        let count = confs.len() as u64;
        let mut machines: Vec<Machine> = confs.iter().map(|conf| Machine::draw(&conf[0], &mut random)).collect();
        let hold = confs[0][0].advert_int * 2;
        let mut lan = Lan::of(seed, machines.iter().map(|machine| machine.config(shape)).collect());
        right_clocks(&mut lan);
        (0..machines.len()).for_each(|n| lan.start(n));
        for _ in 0..2 + random.below(14) {
            trouble(&mut lan, hold);
            let n = random.below(count) as usize;
            match random.below(5) {
                0 => {
                    let is_up = machines[n].is_up;
                    machines[n] = Machine { is_up, ..Machine::draw(&confs[n][0], &mut random) };
                    lan.reload(n, machines[n].config(shape));
                }
                1 => lan.cable(n, if random.happens(500) { LinkState::Down } else { LinkState::Up }),
                2 => wrong_clock(&mut lan, n),
                _ => {
                    let which = random.below(3) as usize;
                    machines[n].turn(n, &mut lan, which, random.happens(500));
                }
            }
            lan.run(Duration::from_micros(random.below(2_000_000)));
        }
        calm(&mut lan);
        (0..machines.len()).for_each(|n| lan.cable(n, LinkState::Up));
        right_clocks(&mut lan);
        lan.start(random.below(count) as usize);
        lan.run(time_for_all(&machines[0], shape));
        check_masters(&lan, &machines, shape);
        // It stays so, and one that fails is replaced in time.
        lan.run(hold * 3);
        check_masters(&lan, &machines, shape);
        if let [master] = lan.masters(0)[..] {
            lan.crash(master);
            lan.run(time_for_all(&machines[0], shape));
            check_masters(&lan, &machines, shape);
        }
    });
}
