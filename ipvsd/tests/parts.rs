//! A kernel that can do one of the two things of a table of the packet filter.
// What a test needs and has not got ends it.
#![allow(clippy::expect_used)]

mod common;
mod memory;

use common::vips::{config, links, spec, table, vmac};
use ipc::config::InstanceIdx;
use ipc::config::ipvs::IpvsConfig;
use ipc::config::vrrp_options::Accept;
use ipc::msg::vips::{Presence, VrrpToIpvs};
use ipvsd::event::{Action, Event};
use ipvsd::netlink::batch::Batch;
use ipvsd::netlink::reply::Fact;
use ipvsd::netlink::{Bus, Errno};
use memory::{World, numbers};

/// What is said of a table that drops packets and does no more.
const ALL_THE_SAME: &str = "dropped all the same (no_accept)";

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
    /// Other elements.
    Elements,
}

fn asked(batch: &Batch) -> Option<Asked> {
    let bytes = batch.writes.concat();
    let has = |name: &[u8]| bytes.windows(name.len()).any(|part| part == name);
    match (has(b"filter\0"), has(b"dup\0")) {
        // The table of IPv6, which has one part.
        _ if batch.bus != Bus::Filter || !has(b"vips\0") => None,
        (true, true) => Some(Asked::Whole),
        (true, false) => Some(Asked::Drops),
        (false, _) => Some(Asked::Elements),
    }
}

/// What was asked of the table until nothing more was, and what was logged of it. `refused` is what the kernel does not do; everything else
/// is done.
fn settle(world: &mut World, mut out: Vec<Action>, refused: &[Asked]) -> (Vec<Asked>, Vec<String>) {
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
                    if what.is_some_and(|what| refused.contains(&what)) {
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

/// What is asked for, and said, when that many seconds have passed.
fn after(world: &mut World, seconds: u64, refused: &[Asked]) -> (Vec<Asked>, Vec<String>) {
    world.now += seconds * 1_000_000_000;
    let out = world.step(Event::Timeout);
    settle(world, out, refused)
}

#[test]
fn without_nft_dup_packets_are_dropped_all_the_same() {
    let mut world = World::new(deaf());
    let first = std::mem::take(&mut world.first);
    let (asked, lines) = settle(&mut world, first, &[Asked::Whole]);
    assert_eq!(asked, [Asked::Whole, Asked::Drops]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(ALL_THE_SAME), "{lines:?}");
    // It is tried again, and what is there stays there; nothing more is said.
    for seconds in [1, 2, 4] {
        let found = after(&mut world, seconds, &[Asked::Whole]);
        assert_eq!(found, (vec![Asked::Whole], vec![]), "after {seconds} s");
    }
    // The module comes: the whole is there, and stays.
    for asked in [vec![Asked::Whole], vec![]] {
        assert_eq!(after(&mut world, 8, &[]), (asked, vec![]));
    }
}

#[test]
fn that_packets_are_dropped_is_said_when_they_are() {
    let mut world = World::new(deaf());
    let first = std::mem::take(&mut world.first);
    let nothing = [Asked::Whole, Asked::Drops, Asked::Elements];
    let (asked, lines) = settle(&mut world, first, &nothing);
    assert_eq!(asked, [Asked::Whole, Asked::Drops]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("packets to addresses are not dropped"), "{lines:?}");
    assert_eq!(after(&mut world, 1, &nothing), (vec![Asked::Whole, Asked::Drops], vec![]));
    // nf_tables comes, without nft_dup.
    let (asked, lines) = after(&mut world, 2, &[Asked::Whole]);
    assert_eq!(asked, [Asked::Whole, Asked::Drops]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(ALL_THE_SAME), "{lines:?}");
    assert_eq!(after(&mut world, 4, &[Asked::Whole]), (vec![Asked::Whole], vec![]));
}

#[test]
fn an_element_that_is_refused_costs_neither_part() {
    let mut world = World::new(deaf());
    let first = std::mem::take(&mut world.first);
    assert_eq!(settle(&mut world, first, &[]), (vec![Asked::Whole], vec![]));
    // Somebody has removed the sets: the table is made anew, all of it.
    let want = VrrpToIpvs::SetVips { instance: InstanceIdx(0), want: Presence::Present };
    let out = world.step(Event::FromVrrp(vec![want]));
    let (asked, lines) = settle(&mut world, out, &[Asked::Elements]);
    assert_eq!(asked, [Asked::Elements]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("Cannot change the nftables table"), "{lines:?}");
    assert_eq!(after(&mut world, 1, &[]), (vec![Asked::Whole], vec![]));
    assert_eq!(after(&mut world, 8, &[]), (vec![], vec![]));
}
