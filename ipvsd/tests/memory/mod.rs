//! A reconciler without a process or a kernel: what it asks for is looked at, and answered by the test.
// What a test needs and has not got ends it.
// Each test program uses its part.
#![allow(dead_code, clippy::expect_used)]

use ipc::config::Generation;
use ipc::config::ipvs::IpvsConfig;
use ipc::machine::Machine;
use ipc::net::Mac;
use ipc::time::Mono;
use ipvsd::event::{Action, Event};
use ipvsd::netlink::batch::Batch;
use ipvsd::netlink::reply::{Dump, Fact, Heard};
use ipvsd::observed::LinkFact;
use ipvsd::reconcile::Reconciler;

/// The sequence numbers of the requests in the last batch of `out`; the batch must come after everything that is told.
pub fn requests(out: &[Action]) -> Vec<u32> {
    match out.last() {
        Some(Action::Send(batch)) => numbers(batch),
        _ => Vec::new(),
    }
}

/// The sequence numbers of the messages of a batch.
pub fn numbers(batch: &Batch) -> Vec<u32> {
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

/// A reconciler alone, with a clock of its own.
pub struct World {
    pub machine: Reconciler,
    pub now: u64,
    /// What it asked for when its configuration began to count.
    pub first: Vec<Action>,
}

impl World {
    /// One event, a microsecond after the last.
    pub fn step(&mut self, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        self.now += 1_000;
        self.machine.step(Mono(self.now), event, &mut out);
        out
    }

    /// An interface `v0` without addresses, a configuration, and a vrrpd that has yet to speak.
    pub fn new(config: IpvsConfig) -> World {
        let mut world = World { machine: Reconciler::new(), now: 1_000_000_000, first: Vec::new() };
        let mut ask = world.step(Event::Start);
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let link =
            LinkFact { ifindex: 5, name: "v0".into(), flags: 0x1043, kind: 1, mac, mtu: 1500, ..LinkFact::default() };
        for what in [Some(link), None] {
            let seq = requests(&ask)[0];
            let seen = what.map(|link| Fact::LinkSeen(link, Heard::InDump(seq)));
            ask = world
                .step(Event::Kernel(seen.into_iter().chain([Fact::DumpEnded { seq, dump: Dump::Whole }]).collect()));
        }
        world.step(Event::Configure(Generation(1), Box::new(config)));
        world.first = world.step(Event::Activate(Generation(1)));
        world.step(Event::VrrpAttached);
        world
    }
}
