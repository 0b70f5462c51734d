//! The event loop against the real clock. Only orders and lower bounds: how late a wake-up is depends on the machine.
// Clippy takes functions without #[test] for production code.
#![allow(clippy::unwrap_used)]

use ipc::channel::{Channel, pair};
use ipc::config::Generation;
use ipc::evloop::{EventLoop, Ready, clock};
use ipc::msg::vips::VrrpToIpvs;
use ipc::time::Mono;
use mio::Token;
use std::time::Duration;

type Any = Channel<VrrpToIpvs, VrrpToIpvs>;

fn ends() -> (Any, Any) {
    let (a, b) = pair().unwrap();
    (Channel::new(a), Channel::new(b))
}

/// Waits for the deadline, however often the loop wakes up before it.
fn sleep_until(events: &mut EventLoop, deadline: Mono) -> Mono {
    let mut ready = Vec::new();
    loop {
        let now = events.wait(Some(deadline), &mut ready).unwrap();
        if now >= deadline {
            return now;
        }
    }
}

#[test]
fn a_deadline_is_never_early() {
    let mut events = EventLoop::new().unwrap();
    for micros in [1, 50, 300, 1_500, 10_000] {
        let deadline = clock() + Duration::from_micros(micros);
        let mut ready = Vec::new();
        let now = events.wait(Some(deadline), &mut ready).unwrap();
        assert!(now >= deadline, "{micros} us: {now} before {deadline}");
        assert!(ready.is_empty());
    }
}

#[test]
fn deadlines_are_finer_than_a_millisecond() {
    // A loop that rounds 200 us up to a millisecond needs more than 50 ms for fifty of them. Of several attempts one must be
    // undisturbed by other programs.
    let mut events = EventLoop::new().unwrap();
    let best = (0..20)
        .map(|_| {
            let start = clock();
            for _ in 0..50 {
                let deadline = clock() + Duration::from_micros(200);
                sleep_until(&mut events, deadline);
            }
            clock().since(start)
        })
        .min()
        .unwrap();
    assert!(best >= Duration::from_millis(10), "{best:?}");
    assert!(best < Duration::from_millis(50), "{best:?}");
}

#[test]
fn a_deadline_in_the_past_returns_at_once() {
    let mut events = EventLoop::new().unwrap();
    let mut ready = Vec::new();
    for deadline in [Mono::ZERO, clock()] {
        events.wait(Some(deadline), &mut ready).unwrap();
    }
}

#[test]
fn a_nearer_deadline_replaces_a_farther_one_and_back() {
    let mut events = EventLoop::new().unwrap();
    let (mut a, mut b) = ends();
    events.add_readable(&mut b, Token(1)).unwrap();
    let start = clock();
    let mut ready = Vec::new();
    // Something to read interrupts a long wait; the next wait is short.
    a.send(Generation(1), vec![VrrpToIpvs::Synced]).unwrap();
    events.wait(Some(start + Duration::from_secs(3_600)), &mut ready).unwrap();
    assert_eq!(ready, [Ready { token: Token(1), readable: true, writable: false }]);
    let near = clock() + Duration::from_millis(2);
    assert!(sleep_until(&mut events, near) >= near);
    // No deadline: only the socket can wake it.
    a.send(Generation(1), vec![VrrpToIpvs::Synced]).unwrap();
    events.wait(None, &mut ready).unwrap();
    assert_eq!(ready.len(), 1);
    assert!(clock().since(start) < Duration::from_secs(3_600));
}

#[test]
fn the_same_deadline_twice_fires_twice() {
    let mut events = EventLoop::new().unwrap();
    let mut ready = Vec::new();
    let deadline = clock() + Duration::from_millis(1);
    sleep_until(&mut events, deadline);
    events.wait(Some(deadline), &mut ready).unwrap();
    events.wait(Some(deadline), &mut ready).unwrap();
}

#[test]
fn the_death_of_the_other_side_is_readable() {
    let mut events = EventLoop::new().unwrap();
    let (a, mut b) = ends();
    events.add(&mut b, Token(1)).unwrap();
    let mut ready = Vec::new();
    events.wait(None, &mut ready).unwrap();
    assert_eq!(ready, [Ready { token: Token(1), readable: false, writable: true }]);
    drop(a);
    events.wait(None, &mut ready).unwrap();
    assert!(ready.iter().any(|r| r.token == Token(1) && r.readable));
}

#[test]
fn rearming_reports_what_is_left() {
    let mut events = EventLoop::new().unwrap();
    let (mut a, mut b) = ends();
    events.add(&mut b, Token(1)).unwrap();
    a.send(Generation(1), vec![VrrpToIpvs::Resync]).unwrap();
    a.send(Generation(1), vec![VrrpToIpvs::Synced]).unwrap();
    let mut ready = Vec::new();
    events.wait(None, &mut ready).unwrap();
    b.receive().unwrap().unwrap();
    // Edge-triggered: nothing new, so nothing is reported until it is asked for.
    events.wait(Some(clock()), &mut ready).unwrap();
    assert!(ready.is_empty());
    events.rearm(&mut b, Token(1)).unwrap();
    events.wait(None, &mut ready).unwrap();
    assert!(ready.iter().any(|r| r.readable));
    b.receive().unwrap().unwrap();
}

#[test]
fn a_removed_source_is_silent() {
    let mut events = EventLoop::new().unwrap();
    let (mut a, mut b) = ends();
    events.add(&mut b, Token(1)).unwrap();
    events.remove(&mut b).unwrap();
    a.send(Generation(1), vec![VrrpToIpvs::Synced]).unwrap();
    let mut ready = Vec::new();
    events.wait(Some(clock() + Duration::from_millis(1)), &mut ready).unwrap();
    assert!(ready.is_empty());
}
