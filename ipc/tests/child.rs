//! The shared part of the children, with this test as the supervisor and as the peer.
// Clippy takes functions without #[test] for production code.
#![allow(clippy::unwrap_used, clippy::panic)]

use ipc::channel::{Channel, ChannelError, pair};
use ipc::child::peer::FRAMES_PER_TURN;
use ipc::child::{Child, Event, Peer, Vrrp};
use ipc::chunk::cut;
use ipc::codec::encode_slice;
use ipc::config::vrrp::VrrpConfig;
use ipc::config::{Generation, InstanceIdx, ScriptIdx};
use ipc::evloop::{EventLoop, clock};
use ipc::fdpass;
use ipc::msg::Role;
use ipc::msg::control::{
    AtStop, Cause, Down, DumpKind, FromVrrp, LogSetup, Outcome, ProbeEnded, Run, Sink, StopMode, ToVrrp, Up,
};
use ipc::msg::vips::{IpvsToVrrp, Presence, VrrpToIpvs};
use mio::Token;
use std::io::{PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

type Supervisor = Channel<ToVrrp, FromVrrp>;
type Ipvsd = Channel<IpvsToVrrp, VrrpToIpvs>;

const ONE: Generation = Generation(1);
const TWO: Generation = Generation(2);

/// What the greeting says of the end.
const STOP: StopMode = StopMode { vips: AtStop::Release, ipvs: AtStop::Keep };

/// The supervisor's end, the child, and what the child logs to its file.
struct Pair {
    supervisor: Supervisor,
    child: Child<Vrrp>,
    log: PipeReader,
}

impl Pair {
    /// Greeted.
    fn new() -> Self {
        let (mut supervisor, child) = ungreeted();
        let (log, into_log) = std::io::pipe().unwrap();
        let setup = LogSetup { detail: 2, console: Sink::Off, syslog: Sink::Off, facility: 3, file: Sink::On };
        let hello = ToVrrp::Control(Down::Hello { log: setup, stop: STOP });
        supervisor.send_with_fds(Generation(0), hello, vec![OwnedFd::from(into_log)]).unwrap();
        let mut pair = Pair { supervisor, child, log };
        assert!(pair.child.receive().is_none());
        pair
    }

    /// Greeted and with generation 1 activated.
    fn active() -> Self {
        let mut pair = Pair::new();
        pair.prepare(ONE);
        pair.say(ONE, Down::Activate);
        assert!(matches!(pair.child.receive(), Some(Event::Activate(ONE))));
        pair
    }

    fn say(&mut self, generation: Generation, down: Down) {
        self.supervisor.send(generation, vec![ToVrrp::Control(down)]).unwrap();
    }

    fn say_slice(&mut self, generation: Generation, bytes: &[u8]) {
        let pieces = cut(bytes).map(|piece| ToVrrp::Control(Down::Slice(piece)));
        self.supervisor.send_slice(generation, pieces).unwrap();
    }

    fn prepare(&mut self, generation: Generation) {
        self.say_slice(generation, &encode_slice(&VrrpConfig::default()).unwrap());
        match self.child.receive() {
            Some(Event::Configured { generation: got, slice }) => {
                assert_eq!((got, *slice), (generation, VrrpConfig::default()));
            }
            other => panic!("{other:?}"),
        }
    }

    fn heard(&mut self) -> Vec<(Generation, FromVrrp)> {
        let mut heard = Vec::new();
        while let Some(received) = self.supervisor.receive().unwrap() {
            heard.extend(received.frame.messages.into_iter().map(|m| (received.frame.generation, m)));
        }
        heard
    }

    /// Ends the child and gives what it logged.
    fn logged(self) -> String {
        let Pair { supervisor, child, mut log } = self;
        drop((supervisor, child));
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        text
    }
}

fn ungreeted() -> (Supervisor, Child<Vrrp>) {
    let (a, b) = pair().unwrap();
    (Channel::new(a), Child::on(b))
}

fn up(generation: Generation, up: Up) -> (Generation, FromVrrp) {
    (generation, FromVrrp::Control(up))
}

#[test]
fn from_greeting_to_goodbye() {
    let mut p = Pair::new();
    assert_eq!(p.child.generation(), Generation(0));
    p.prepare(ONE);
    p.child.ready(ONE);
    assert_eq!(p.heard(), [up(ONE, Up::Ready)]);

    p.say(ONE, Down::Activate);
    assert!(matches!(p.child.receive(), Some(Event::Activate(ONE))));
    assert_eq!(p.child.generation(), ONE);
    p.child.activated();
    let run = Run { script: ScriptIdx(4), cause: Cause::Probe };
    p.child.say(FromVrrp::Run(run));
    assert_eq!(p.heard(), [up(ONE, Up::Activated), (ONE, FromVrrp::Run(run))]);

    let ended = ProbeEnded { script: ScriptIdx(4), outcome: Outcome::Exited(0) };
    p.supervisor.send(ONE, vec![ToVrrp::ProbeEnded(ended)]).unwrap();
    assert!(matches!(p.child.receive(), Some(Event::Other(_, got, None)) if got == ended));

    // A reload that somebody else refuses, then one that is carried out.
    p.prepare(TWO);
    p.say(TWO, Down::Discard);
    assert!(matches!(p.child.receive(), Some(Event::Discard(TWO))));
    p.prepare(Generation(3));
    p.say(Generation(3), Down::Activate);
    assert!(matches!(p.child.receive(), Some(Event::Activate(Generation(3)))));

    p.say(Generation(3), Down::Stop);
    assert!(matches!(p.child.receive(), Some(Event::Stop(STOP))));
    p.child.stopped();
    assert!(p.child.is_flushed());
    assert_eq!(p.heard(), [up(Generation(3), Up::Stopped)]);
}

#[test]
fn a_slice_that_does_not_decode_is_refused_and_the_old_one_stays() {
    let mut p = Pair::active();
    p.say_slice(TWO, b"not a slice");
    assert!(p.child.receive().is_none());
    assert_eq!(p.heard(), [up(TWO, Up::Refused)]);
    assert_eq!(p.child.generation(), ONE);
    p.prepare(Generation(3));
    assert!(p.logged().contains("Configuration 2 cannot be used"));
}

#[test]
fn a_slice_arrives_in_pieces() {
    let mut p = Pair::new();
    // Bytes that follow the slice make it undecodable: a long value comes through whole and is judged once.
    p.say_slice(ONE, &vec![0; 1_000_000]);
    while !p.supervisor.is_flushed() {
        assert!(p.child.receive().is_none());
        p.supervisor.flush().unwrap();
    }
    assert!(p.child.receive().is_none());
    assert_eq!(p.heard(), [up(ONE, Up::Refused)]);
}

#[test]
fn descriptors_come_with_their_events() {
    let mut p = Pair::active();
    let (_keep, given) = pair().unwrap();
    p.supervisor.send_with_fds(ONE, ToVrrp::Control(Down::Attach(Role::Ipvs)), vec![given]).unwrap();
    assert!(matches!(p.child.receive(), Some(Event::Attach(Role::Ipvs, _))));
    p.say(ONE, Down::Detached(Role::Ipvs));
    assert!(matches!(p.child.receive(), Some(Event::Detached(Role::Ipvs))));
    let (mut dump, into_dump) = std::io::pipe().unwrap();
    p.supervisor
        .send_with_fds(ONE, ToVrrp::Control(Down::Dump(DumpKind::Stats)), vec![OwnedFd::from(into_dump)])
        .unwrap();
    assert!(matches!(p.child.receive(), Some(Event::Dump(DumpKind::Stats))));
    p.child.dump("dump");
    let mut text = String::new();
    dump.read_to_string(&mut text).unwrap();
    assert_eq!(text, "dump");
}

#[test]
fn a_lost_syslog_socket_is_asked_for_and_replaced() {
    let (mut supervisor, mut child) = ungreeted();
    let setup = LogSetup { detail: 0, console: Sink::Off, syslog: Sink::On, facility: 3, file: Sink::Off };
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let hello = ToVrrp::Control(Down::Hello { log: setup, stop: STOP });
    supervisor.send_with_fds(Generation(0), hello, vec![OwnedFd::from(theirs)]).unwrap();
    assert!(child.receive().is_none());
    drop(ours);
    child.logger().info("said in between");
    let now = clock();
    child.turn(now);
    child.turn(now + Duration::from_millis(500));
    let heard = supervisor.receive().unwrap().unwrap().frame.messages;
    assert_eq!(heard, [FromVrrp::Control(Up::LogSocketLost)]);
    assert!(supervisor.receive().unwrap().is_none(), "asked twice within a second");

    let (ours, theirs) = UnixDatagram::pair().unwrap();
    supervisor.send_with_fds(Generation(0), ToVrrp::Control(Down::LogSocket), vec![OwnedFd::from(theirs)]).unwrap();
    assert!(child.receive().is_none());
    let mut buffer = [0; 512];
    let n = ours.recv(&mut buffer).unwrap();
    let line = String::from_utf8_lossy(&buffer[..n]).into_owned();
    assert!(line.contains("Holdfast_vrrp[") && line.ends_with(": said in between"), "{line}");
}

#[test]
fn a_log_file_that_was_rotated_away_is_replaced() {
    let mut p = Pair::new();
    p.child.logger().info("one");
    let (mut new, into_new) = std::io::pipe().unwrap();
    let message = ToVrrp::Control(Down::LogFile);
    p.supervisor.send_with_fds(Generation(0), message, vec![OwnedFd::from(into_new)]).unwrap();
    assert!(p.child.receive().is_none());
    p.child.logger().info("two");
    drop(p.child);
    for (file, text) in [(&mut p.log, ": one\n"), (&mut new, ": two\n")] {
        let mut found = String::new();
        file.read_to_string(&mut found).unwrap();
        assert!(found.ends_with(text) && found.lines().count() == 1, "{found}");
    }
}

#[test]
fn the_death_of_the_supervisor_is_said_once_and_last() {
    let mut p = Pair::active();
    p.say(ONE, Down::Stop);
    drop(p.supervisor);
    assert!(matches!(p.child.receive(), Some(Event::Stop(STOP))));
    assert!(matches!(p.child.receive(), Some(Event::SupervisorGone(STOP))));
    assert!(p.child.receive().is_none());
    p.child.stopped();
    p.child.turn(clock());
    assert!(p.child.receive().is_none());
}

#[test]
fn a_supervisor_that_speaks_nonsense_is_gone() {
    let cases: [(&str, Down); 4] = [
        ("the log file is missing", Down::LogFile),
        ("was not prepared", Down::Activate),
        ("a peer's channel is missing", Down::Attach(Role::Ipvs)),
        ("the dump file is missing", Down::Dump(DumpKind::Data)),
    ];
    for (why, down) in cases {
        let mut p = Pair::active();
        p.say(TWO, down);
        assert!(matches!(p.child.receive(), Some(Event::SupervisorGone(_))), "{why}");
        let logged = p.logged();
        assert!(logged.contains("The supervisor broke the protocol") && logged.contains(why), "{logged}");
    }
    let (mut supervisor, mut child) = ungreeted();
    supervisor.send(ONE, vec![ToVrrp::Control(Down::Activate)]).unwrap();
    assert!(matches!(child.receive(), Some(Event::SupervisorGone(_))));
}

/// A child in an event loop, with an ipvsd.
struct WithPeer {
    pair: Pair,
    events: EventLoop,
    peer: Peer<VrrpToIpvs, IpvsToVrrp>,
    ipvsd: Ipvsd,
}

impl WithPeer {
    fn new() -> Self {
        let (with_peer, raw) = WithPeer::raw();
        WithPeer { ipvsd: Channel::new(raw), ..with_peer }
    }

    /// With the peer's bare socket beside it.
    fn raw() -> (Self, OwnedFd) {
        let mut events = EventLoop::new().unwrap();
        let mut peer = Peer::new(Role::Ipvs, Token(1));
        assert!(!peer.is_attached());
        let (ours, theirs) = pair().unwrap();
        peer.attach(ours, &mut events).unwrap();
        let (unused, _) = pair().unwrap();
        (WithPeer { pair: Pair::active(), events, peer, ipvsd: Channel::new(unused) }, theirs)
    }

    fn receive(&mut self) -> Option<Vec<IpvsToVrrp>> {
        self.peer.receive(&mut self.pair.child, &mut self.events)
    }

    fn is_ready(&mut self) -> bool {
        let mut ready = Vec::new();
        self.events.wait(Some(clock()), &mut ready).unwrap();
        ready.iter().any(|r| r.token == Token(1) && r.readable)
    }
}

#[test]
fn peers_hear_each_other_under_the_current_generation() {
    let mut w = WithPeer::new();
    let want = VrrpToIpvs::SetVips { instance: InstanceIdx(0), want: Presence::Present };
    w.peer.send(&mut w.pair.child, vec![want, VrrpToIpvs::Synced]);
    let received = w.ipvsd.receive().unwrap().unwrap();
    assert_eq!((received.frame.generation, received.frame.messages), (ONE, vec![want, VrrpToIpvs::Synced]));
    w.ipvsd.send(ONE, vec![IpvsToVrrp::Synced]).unwrap();
    assert_eq!(w.receive(), Some(vec![IpvsToVrrp::Synced]));
    assert_eq!(w.receive(), None);
}

#[test]
fn stale_frames_are_dropped_without_a_word() {
    let mut w = WithPeer::new();
    w.pair.prepare(TWO);
    w.ipvsd.send(TWO, vec![IpvsToVrrp::Synced]).unwrap();
    assert_eq!(w.receive(), None);
    w.pair.say(TWO, Down::Activate);
    assert!(matches!(w.pair.child.receive(), Some(Event::Activate(TWO))));
    w.ipvsd.send(ONE, vec![IpvsToVrrp::Synced]).unwrap();
    w.ipvsd.send(TWO, vec![IpvsToVrrp::Held { instance: InstanceIdx(1) }]).unwrap();
    assert_eq!(w.receive(), Some(vec![IpvsToVrrp::Held { instance: InstanceIdx(1) }]));
    assert!(w.peer.is_attached());
    assert_eq!(w.pair.heard(), []);
}

#[test]
fn a_peer_that_breaks_the_protocol_is_reported_and_dropped() {
    for (why, bytes) in [("rubbish", &[0xff; 20][..]), ("short", &[1])] {
        let (mut w, raw) = WithPeer::raw();
        fdpass::send(raw.as_fd(), bytes, &[]).unwrap();
        assert_eq!(w.receive(), None);
        assert!(!w.peer.is_attached(), "{why}");
        assert_eq!(w.pair.heard(), [up(ONE, Up::Violation(Role::Ipvs))], "{why}");
        assert!(w.pair.logged().contains("ipvsd broke the protocol: "));
    }
    let mut w = WithPeer::new();
    w.ipvsd.send(Generation(9), vec![IpvsToVrrp::Synced]).unwrap();
    assert_eq!(w.receive(), None);
    assert_eq!(w.pair.heard(), [up(ONE, Up::Violation(Role::Ipvs))]);
    let mut w = WithPeer::new();
    let (_, fd) = pair().unwrap();
    w.ipvsd.send_with_fds(ONE, IpvsToVrrp::Synced, vec![fd]).unwrap();
    assert_eq!(w.receive(), None);
    assert_eq!(w.pair.heard(), [up(ONE, Up::Violation(Role::Ipvs))]);
}

#[test]
fn a_peer_that_dies_is_only_dropped() {
    let mut w = WithPeer::new();
    let (unused, _) = pair().unwrap();
    w.ipvsd = Channel::new(unused);
    assert_eq!(w.receive(), None);
    assert!(!w.peer.is_attached());
    w.peer.send(&mut w.pair.child, vec![VrrpToIpvs::Synced]);
    assert_eq!(w.pair.heard(), []);
}

#[test]
fn a_peer_that_does_not_read_is_reported() {
    let mut w = WithPeer::new();
    let many = vec![VrrpToIpvs::SetVips { instance: InstanceIdx(0), want: Presence::Absent }; 8_000];
    for _ in 0..1_000 {
        w.peer.send(&mut w.pair.child, many.clone());
        if !w.peer.is_attached() {
            assert_eq!(w.pair.heard(), [up(ONE, Up::Violation(Role::Ipvs))]);
            return;
        }
    }
    panic!("nobody noticed");
}

#[test]
fn a_peer_that_never_stops_does_not_keep_the_turn() {
    let mut w = WithPeer::new();
    let mut sent = 0;
    loop {
        match w.ipvsd.send(ONE, vec![IpvsToVrrp::Synced]) {
            Ok(()) if w.ipvsd.is_flushed() => sent += 1,
            Ok(()) => break,
            Err(ChannelError::Stuck) | Err(_) => panic!("the test sends too much"),
        }
    }
    assert!(sent > FRAMES_PER_TURN, "{sent} frames fit the socket");
    let mut turns = 0;
    let mut heard = 0;
    while w.is_ready() {
        let mut this_turn = 0;
        while w.receive().is_some() {
            this_turn += 1;
        }
        assert!(this_turn <= FRAMES_PER_TURN);
        heard += this_turn;
        turns += 1;
    }
    assert!(heard >= sent && turns > 1, "{heard} of {sent} in {turns} turns");
}

#[test]
fn a_new_channel_replaces_the_old_one() {
    let mut w = WithPeer::new();
    let (ours, theirs) = pair().unwrap();
    w.peer.attach(ours, &mut w.events).unwrap();
    assert!(matches!(w.ipvsd.receive(), Err(ChannelError::Closed)));
    let mut ipvsd: Ipvsd = Channel::new(theirs);
    ipvsd.send(ONE, vec![IpvsToVrrp::Synced]).unwrap();
    assert!(w.is_ready());
    assert_eq!(w.receive(), Some(vec![IpvsToVrrp::Synced]));
    w.peer.detach();
    assert!(!w.peer.is_attached());
}
