//! When many instances become master at once, vrrpd hears of the first addresses before the last ones are asked for.
// What a test needs and has not got ends it.
#![allow(clippy::expect_used)]

use ipc::config::ipvs::{AddrMore, AddrSpec, InstanceAddrs, IpvsConfig};
use ipc::config::vrrp::Link;
use ipc::config::{Generation, InstanceIdx, LinkIdx, Origin};
use ipc::machine::Machine;
use ipc::msg::vips::{Applied, Forwarding, IpvsToVrrp, Presence, VrrpToIpvs};
use ipc::net::{Mac, Prefix};
use ipc::time::Mono;
use ipvsd::event::{Action, Event};
use ipvsd::netlink::reply::{Dump, Fact, Heard};
use ipvsd::observed::{LinkFact, LinkKind};
use ipvsd::reconcile::Reconciler;
use std::collections::BTreeMap;
use std::time::Duration;

const INSTANCES: u16 = 70;

fn config() -> IpvsConfig {
    let link = Link { name: "e0".into(), origin: Origin::default() };
    let mut config = IpvsConfig { links: [link].into_iter().collect(), ..IpvsConfig::default() };
    for n in 0..INSTANCES {
        let [high, low] = n.to_be_bytes();
        let addr = AddrSpec {
            prefix: Prefix { addr: [10, 9, high, low].into(), len: 32 },
            link: LinkIdx(0),
            broadcast: None,
            scope: 0,
            label: None,
            more: AddrMore::default(),
            origin: Origin::default(),
        };
        let (name, hold) = (format!("VI_{n}"), Duration::from_secs(3));
        let instance = InstanceAddrs {
            name,
            addrs: vec![addr],
            routes: Vec::new(),
            rules: Vec::new(),
            hold,
            accept: Default::default(),
        };
        config.instances.push(instance).expect("room");
    }
    config
}

/// The sequence numbers of the requests in the last batch of `out`; the batch must come after everything that is told.
fn requests(out: &[Action]) -> Vec<u32> {
    let Some(Action::Send(batch)) = out.last() else { return Vec::new() };
    let mut numbers = Vec::new();
    for write in &batch.writes {
        let mut rest = write.as_slice();
        while let (Some(length), Some(number)) = (rest.first_chunk::<4>(), rest.get(8..12)) {
            let length = usize::try_from(u32::from_ne_bytes(*length)).expect("a length");
            numbers.push(u32::from_ne_bytes(number.try_into().expect("four bytes")));
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
    numbers
}

fn applied(out: &[Action]) -> Vec<u16> {
    let words = out.iter().filter_map(|action| match action {
        Action::ToVrrp(words) => Some(words),
        _ => None,
    });
    let told = words.flatten().filter_map(|word| match word {
        IpvsToVrrp::VipsApplied { instance, now: Presence::Present, result: Applied::All } => Some(instance.0),
        _ => None,
    });
    told.collect()
}

struct World {
    machine: Reconciler,
    now: u64,
}

impl World {
    fn step(&mut self, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        self.now += 1_000;
        self.machine.step(Mono(self.now), event, &mut out);
        out
    }

    /// An interface without addresses, a configuration, and a vrrpd that has said that every instance is backup.
    fn new() -> World {
        let mut world = World { machine: Reconciler::new(), now: 1_000_000_000 };
        let mut ask = world.step(Event::Start);
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let link = LinkFact {
            ifindex: 5,
            name: "e0".into(),
            flags: 0x1043,
            kind: 1,
            mac,
            mtu: 1500,
            forwarding: Forwarding::No,
            link_kind: LinkKind::Other,
            parent: 0,
            master: None,
            group: 0,
            alias: String::new(),
            conf: BTreeMap::new(),
            addr_gen_mode: None,
        };
        for what in [Some(link), None] {
            let seq = requests(&ask)[0];
            let seen = what.map(|link| Fact::LinkSeen(link, Heard::InDump(seq)));
            ask = world
                .step(Event::Kernel(seen.into_iter().chain([Fact::DumpEnded { seq, dump: Dump::Whole }]).collect()));
        }
        world.step(Event::Configure(Generation(1), Box::new(config())));
        world.step(Event::Activate(Generation(1)));
        world.step(Event::VrrpAttached);
        let backup = (0..INSTANCES).map(|n| VrrpToIpvs::SetVips { instance: InstanceIdx(n), want: Presence::Absent });
        world.step(Event::FromVrrp(
            [VrrpToIpvs::Resync].into_iter().chain(backup).chain([VrrpToIpvs::Synced]).collect(),
        ));
        world
    }
}

#[test]
fn addresses_are_told_of_in_pieces() {
    let mut world = World::new();
    let want = |n| VrrpToIpvs::SetVips { instance: InstanceIdx(n), want: Presence::Present };
    let mut out = world.step(Event::FromVrrp((0..INSTANCES).map(want).collect()));
    let mut told = Vec::new();
    let mut pieces = Vec::new();
    while let Some(last) = requests(&out).last() {
        pieces.push(requests(&out).len());
        out = world.step(Event::Kernel(vec![Fact::Acked { seq: *last }]));
        let new = applied(&out);
        assert_eq!(new.len(), *pieces.last().expect("a piece"), "what is done is told at once: {out:?}");
        told.extend(new);
    }
    assert_eq!(pieces, [32, 32, 6]);
    assert_eq!(told, (0..INSTANCES).collect::<Vec<_>>());
}

#[test]
fn one_that_cannot_be_had_does_not_hold_the_others_up() {
    let mut world = World::new();
    let want = |n| VrrpToIpvs::SetVips { instance: InstanceIdx(n), want: Presence::Present };
    let out = world.step(Event::FromVrrp(vec![want(3), want(4), want(5)]));
    let asked = requests(&out);
    let refused = Fact::Refused { seq: asked[1], errno: ipvsd::netlink::Errno(1), text: None };
    let out = world.step(Event::Kernel(vec![refused, Fact::Acked { seq: asked[2] }]));
    assert_eq!(applied(&out), [3, 5]);
    let partly = out.iter().any(|action| {
        let word =
            IpvsToVrrp::VipsApplied { instance: InstanceIdx(4), now: Presence::Present, result: Applied::Partly };
        matches!(action, Action::ToVrrp(words) if words.contains(&word))
    });
    assert!(partly, "{out:?}");
}
