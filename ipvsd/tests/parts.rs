//! A kernel that can do one of the two things of a table of the packet filter.
// What a test needs and has not got ends it.
#![allow(clippy::expect_used)]

mod common;
mod memory;

use common::vips::{config, links, spec, table, vmac};
use ipc::config::InstanceIdx;
use ipc::config::ipvs::IpvsConfig;
use ipc::config::vrrp_options::Accept;
use ipvsd::event::{Action, Event};
use ipvsd::netlink::batch::Batch;
use ipvsd::netlink::reply::Fact;
use ipvsd::netlink::{Bus, Errno};
use memory::{World, numbers};

/// An instance that does not accept packets, on an interface with a virtual MAC address.
fn deaf() -> IpvsConfig {
    let mut config = config(&[("V", vec![spec("10.9.0.50/32")])]);
    (config.links, config.made, config.filter.vips) = (links(&["v0", "vrrp.7"]), vec![vmac()], Some(table()));
    config.instances.at_mut(InstanceIdx(0)).expect("the instance").accept = Accept::Drop;
    config
}

/// What a transaction of the table of `no_accept` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Both parts.
    Whole,
    /// Packets to the addresses are dropped, and no more.
    Drops,
}

fn asked(batch: &Batch) -> Option<Asked> {
    let bytes = batch.writes.concat();
    let has = |name: &[u8]| bytes.windows(name.len()).any(|part| part == name);
    match (batch.bus, has(b"vips\0"), has(b"dup\0")) {
        (Bus::Filter, true, true) => Some(Asked::Whole),
        (Bus::Filter, true, false) => Some(Asked::Drops),
        _ => None,
    }
}

/// What was asked of the table until nothing more was, and what was logged of it. The whole is refused where `kernel` lacks a part of it;
/// everything else is done.
fn settle(world: &mut World, mut out: Vec<Action>, kernel: Asked) -> (Vec<Asked>, Vec<String>) {
    let (mut all, mut lines) = (Vec::new(), Vec::new());
    loop {
        let mut facts = Vec::new();
        for action in &out {
            match action {
                Action::Send(batch) => {
                    let numbers = numbers(batch);
                    let what = asked(batch);
                    all.extend(what);
                    // A transaction has an end, which is not answered.
                    let last = if batch.bus == Bus::Filter { numbers.len() - 2 } else { numbers.len() - 1 };
                    if what == Some(Asked::Whole) && kernel == Asked::Drops {
                        facts.push(Fact::Refused { seq: numbers[last / 2], errno: Errno(libc::ENOENT), text: None });
                    }
                    facts.push(Fact::Acked { seq: numbers[last] });
                }
                Action::Log(line) if line.text.contains("nftables") => lines.push(line.text.clone()),
                _ => {}
            }
        }
        if facts.is_empty() {
            return (all, lines);
        }
        out = world.step(Event::Kernel(facts));
    }
}

#[test]
fn without_nft_dup_packets_are_dropped_all_the_same() {
    let mut world = World::new(deaf());
    let first = std::mem::take(&mut world.first);
    let (asked, lines) = settle(&mut world, first, Asked::Drops);
    assert_eq!(asked, [Asked::Whole, Asked::Drops]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("dropped all the same (no_accept)"), "{lines:?}");
    // It is tried again, and what is there stays there; nothing more is said.
    for seconds in [1, 2, 4] {
        world.now += seconds * 1_000_000_000;
        let out = world.step(Event::Timeout);
        assert_eq!(settle(&mut world, out, Asked::Drops), (vec![Asked::Whole], vec![]), "after {seconds} s");
    }
    // The module comes: the whole is there, and stays.
    for asked in [vec![Asked::Whole], vec![]] {
        world.now += 8_000_000_000;
        let out = world.step(Event::Timeout);
        assert_eq!(settle(&mut world, out, Asked::Whole), (asked, vec![]));
    }
}
