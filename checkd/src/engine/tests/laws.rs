//! The laws of `ipc::machine`, and what must hold in every state, for any order of events.

use super::world::Build;
use crate::engine::{Action, Engine, Event, ProbeEvent, ProbeId};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::check::CheckConfig;
use ipc::config::vrrp::Switch;
use ipc::config::{FileIdx, Generation, RealIdx, ServiceIdx};
use ipc::machine::Machine;
use ipc::msg::control::{DumpKind, StopMode};
use ipc::msg::reals::{IpvsToCheck, Standing};
use ipc::time::Mono;
use proptest::prelude::*;

fn config(which: u8) -> CheckConfig {
    let mut b = Build::default();
    for (n, name) in ["A", "B", "C"].iter().enumerate().skip(usize::from(which % 2)) {
        b.service(name, |s| {
            s.quorum = u32::from(which % 3);
            s.hysteresis = u32::from(which % 2);
            s.sorry = (n != 1).then(|| String::from("SORRY"));
        });
        for address in ["127.0.0.2:80", "127.0.0.3:80"].iter().take(1 + usize::from(which) % 2) {
            b.real(address, |r| r.inhibit = if which & 4 == 0 { Switch::Off } else { Switch::On });
            b.tcp(address, |c| {
                c.delay_before_retry = Duration::from_secs(u64::from(which % 2));
                c.alpha = if which & 8 == 0 { Switch::Off } else { Switch::On };
            });
            b.http(address, &["/a", "/b"], |c| c.timeout = Duration::from_millis(u64::from(which) * 40));
        }
        if n == 1 {
            b.file("127.0.0.4:80", name, "/f", i32::from(which % 4) - 1);
        }
    }
    b.config
}

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![Just(Standing::Absent), Just(Standing::Inhibited), Just(Standing::Serving)]
}

fn probe_event() -> impl Strategy<Value = ProbeEvent> {
    prop_oneof![
        4 => Just(ProbeEvent::Connected),
        1 => Just(ProbeEvent::Refused),
        1 => Just(ProbeEvent::NotTried(String::from("test"))),
        2 => Just(ProbeEvent::Bytes(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(ProbeEvent::Bytes),
        2 => Just(ProbeEvent::Closed),
        1 => Just(ProbeEvent::Broken),
    ]
}

/// An event, or time that passes.
#[derive(Clone, Debug)]
enum Happening {
    Event(Event),
    Milliseconds(u64),
    /// To the deadline.
    Due,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => Just(Happening::Due),
        2 => (0u64..4_000).prop_map(Happening::Milliseconds),
        8 => (0u64..60, probe_event())
            .prop_map(|(probe, what)| Happening::Event(Event::Probe { probe: ProbeId(probe), what })),
        1 => (1u32..4, 0u8..16).prop_map(|(generation, which)| Happening::Event(Event::Configure {
            generation: Generation(generation),
            config: Box::new(config(which)),
            seed: u64::from(which),
        })),
        2 => Just(Happening::Event(Event::Activate)),
        1 => Just(Happening::Event(Event::Discard)),
        2 => Just(Happening::Event(Event::IpvsAttached)),
        1 => Just(Happening::Event(Event::IpvsLost)),
        // A length of 0 is what nobody may say: the last before the first.
        3 => (1u32..4, 0u32..8, 0u32..5, standing()).prop_map(|(generation, first, length, standing)| {
            let last = RealIdx((first + length).saturating_sub(1));
            let message = IpvsToCheck::HeldReals { first: RealIdx(first), last, standing };
            Happening::Event(Event::Ipvs { generation: Generation(generation), message })
        }),
        2 => (1u32..4, 0u16..2, -2i64..3).prop_map(|(generation, file, number)| Happening::Event(Event::File {
            generation: Generation(generation),
            file: FileIdx(file),
            text: number.to_string().into_bytes(),
        })),
        1 => (1u32..4, 0u32..4, standing()).prop_map(|(generation, service, standing)| Happening::Event(Event::Ipvs {
            generation: Generation(generation),
            message: IpvsToCheck::HeldSorry { service: ServiceIdx(service), standing },
        })),
        3 => (1u32..4).prop_map(|generation| Happening::Event(Event::Ipvs {
            generation: Generation(generation),
            message: IpvsToCheck::Synced,
        })),
        1 => Just(Happening::Event(Event::Dump { kind: DumpKind::Data, wall: 0 })),
    ]
}

/// A step, after which nothing may be wrong.
fn step(engine: &mut Engine, now: Mono, event: Event, open: &mut BTreeSet<ProbeId>) -> Vec<Action> {
    let mut out = Vec::new();
    engine.step(now, event, &mut out);
    for action in &out {
        match action {
            Action::Connect { probe, .. } => assert!(open.insert(*probe), "{probe:?} is used twice"),
            Action::Send { probe, .. } => assert!(open.contains(probe)),
            Action::Close(probe) => assert!(open.remove(probe), "{probe:?} is not open"),
            _ => {}
        }
    }
    assert!(open.len() <= 3, "more connections than allowed");
    out
}

proptest! {
    #[test]
    fn the_laws_hold(happenings in proptest::collection::vec(happening(), 1..120), stop: bool) {
        let mut engine = Engine::new(3);
        let mut now = Mono(1_000_000_000);
        let mut open = BTreeSet::new();
        step(&mut engine, now, Event::IpvsAttached, &mut open);
        step(
            &mut engine,
            now,
            Event::Configure { generation: Generation(1), config: Box::new(config(3)), seed: 1 },
            &mut open,
        );
        step(&mut engine, now, Event::Activate, &mut open);
        for happening in happenings {
            match happening {
                Happening::Event(event) => drop(step(&mut engine, now, event, &mut open)),
                Happening::Milliseconds(ms) => now = now + Duration::from_millis(ms),
                Happening::Due => now = now.max(engine.deadline().unwrap_or(now)),
            }
            // A Timeout before the deadline does nothing; after one at or behind it, the next deadline is later.
            match engine.deadline() {
                Some(deadline) if deadline > now => {
                    prop_assert!(step(&mut engine, now, Event::Timeout, &mut open).is_empty());
                    prop_assert_eq!(engine.deadline(), Some(deadline));
                }
                Some(_) => {
                    step(&mut engine, now, Event::Timeout, &mut open);
                    prop_assert!(engine.deadline().is_none_or(|next| next > now));
                }
                None => prop_assert!(step(&mut engine, now, Event::Timeout, &mut open).is_empty()),
            }
        }
        if stop {
            step(&mut engine, now, Event::Stop(StopMode::RELEASE), &mut open);
            prop_assert!(open.is_empty());
            prop_assert_eq!(engine.deadline(), None);
        }
    }
}
