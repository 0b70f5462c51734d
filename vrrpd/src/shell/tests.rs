//! The sockets on real interfaces: two namespaces joined by a veth pair. Needs root, `ip` and `tcpdump`.

#[path = "../../tests/lan/mod.rs"]
mod lan;

use super::sender::Packet;
use super::sockets::{PACKETS_PER_TURN, Sockets};
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use ipc::evloop::{EventLoop, Ready, clock};
use ipc::report::Line;
use ipc::time::Mono;
use lan::{LEFT, Namespace, RIGHT, lan};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use vrrpd::io::{Listen, Way};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

fn v4(groups: &[Ipv4Addr]) -> Vec<(Way, Vec<IpAddr>)> {
    vec![(Way::V4, groups.iter().copied().map(IpAddr::V4).collect())]
}

/// Sockets of one interface with their event loop.
struct Side {
    ifindex: u32,
    sockets: Sockets,
    events: EventLoop,
    lines: Vec<Line>,
}

impl Side {
    fn open(namespace: &Namespace, name: &str, groups: &[Ipv4Addr]) -> Self {
        let ifindex = namespace.ifindex(name);
        let listen = Listen { ifindex, name: name.to_owned(), ways: v4(groups) };
        let mut side = Side::none(ifindex);
        namespace.enter(|| side.sockets.listen(clock(), vec![listen], &mut side.events, &mut side.lines));
        assert_eq!(side.lines, []);
        side
    }

    fn none(ifindex: u32) -> Self {
        Side { ifindex, sockets: Sockets::default(), events: EventLoop::new().unwrap(), lines: Vec::new() }
    }

    fn send(&mut self, adverts: Vec<Packet>, frames: Vec<Packet>) {
        self.sockets.send(clock(), self.ifindex, adverts, frames, &mut self.events, &mut self.lines);
    }

    /// What comes in until nothing has for `quiet`, one inner list a turn.
    fn receive(&mut self, quiet: Duration) -> Vec<Vec<Vec<u8>>> {
        let mut turns = Vec::new();
        let mut ready: Vec<Ready> = Vec::new();
        let mut packets = Vec::new();
        let mut last = clock();
        loop {
            let now: Mono = self.events.wait(Some(last + quiet), &mut ready).unwrap();
            for ready in ready.drain(..) {
                if self.sockets.ready(ready, &mut self.events, &mut packets).is_some() && !packets.is_empty() {
                    let day = std::time::UNIX_EPOCH.elapsed().unwrap();
                    for packet in &packets {
                        let age = day.checked_sub(packet.stamp.unwrap()).unwrap();
                        assert!(age < Duration::from_secs(5), "{age:?}");
                    }
                    turns.push(packets.drain(..).map(|packet| packet.bytes).collect());
                    last = now;
                }
            }
            if now.since(last) >= quiet {
                return turns;
            }
        }
    }
}

/// A VRRPv2 advert of VRID 7, priority 100, as on the wire but for the IP checksum, which the kernel fills in.
fn advert(to: Ipv4Addr, identification: u16) -> Packet {
    let mut bytes = vec![0x45, 0xc0, 0, 40];
    bytes.extend(identification.to_be_bytes());
    bytes.extend([0, 0, 255, 112, 0, 0]);
    bytes.extend(LEFT.octets());
    bytes.extend(to.octets());
    bytes.extend([0x21, 7, 100, 1, 0, 1, 0x70, 0x89, 10, 9, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0]);
    Packet { destination: Some(to.into()), bytes }
}

/// A gratuitous ARP request for 10.9.0.100.
fn announcement() -> Packet {
    let mut bytes = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1];
    bytes.extend([2, 0, 0, 0, 0, 1, 10, 9, 0, 100, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 10, 9, 0, 100]);
    Packet { destination: None, bytes }
}

fn flat(turns: Vec<Vec<Vec<u8>>>) -> Vec<Vec<u8>> {
    turns.into_iter().flatten().collect()
}

/// `tcpdump` that has begun to listen and ends by itself after `count` packets.
fn tcpdump(namespace: &Namespace, interface: &str, count: u32) -> Child {
    let mut child = namespace.enter(|| {
        Command::new("tcpdump")
            .args(["-i", interface, "-nevvl", "-c", &count.to_string(), "arp or proto 112"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    });
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("listening on")), "tcpdump does not listen");
    // It writes its statistics there at its end.
    std::thread::spawn(move || lines.count());
    child
}

#[test]
fn adverts_and_announcements_are_on_the_wire() {
    let (one, other) = lan();
    one.ip(&format!("addr add {LEFT}/24 dev left"));
    let mut left = Side::open(&one, "left", &[GROUP]);
    let mut dump = tcpdump(&other, "right", 5);
    left.send(vec![advert(GROUP, 1), advert(RIGHT, 2)], vec![announcement()]);
    // Five: the neighbour of the unicast is asked for by ARP, and answers.
    let mut text = String::new();
    dump.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    dump.wait().unwrap();
    assert_eq!(left.lines, []);
    let multicast = "01:00:5e:00:00:12, ethertype IPv4 (0x0800), length 54: (tos 0xc0, ttl 255, id 1, offset 0, flags [none], \
                     proto VRRP (112), length 40)";
    assert!(text.contains(multicast), "{text}");
    assert!(text.contains("10.9.0.1 > 224.0.0.18: VRRPv2, Advertisement, vrid 7, prio 100"), "{text}");
    assert!(text.contains("10.9.0.1 > 10.9.0.2: VRRPv2, Advertisement, vrid 7, prio 100"), "{text}");
    assert!(text.contains("02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42"), "{text}");
    assert!(text.contains("Request who-has 10.9.0.100 (ff:ff:ff:ff:ff:ff) tell 10.9.0.100"), "{text}");
}

#[test]
fn multicast_needs_no_route_and_does_not_come_back() {
    let (one, other) = lan();
    // No address on the left at all: only the interface says where the packets go.
    let mut left = Side::open(&one, "left", &[GROUP]);
    let mut right = Side::open(&other, "right", &[GROUP]);
    left.send(vec![advert(GROUP, 1)], vec![announcement()]);
    let received = flat(right.receive(Duration::from_millis(300)));
    assert_eq!(received.len(), 1);
    // All but the checksum is as it was sent.
    assert_eq!(received[0][..10], advert(GROUP, 1).bytes[..10]);
    assert_eq!(received[0][12..], advert(GROUP, 1).bytes[12..]);
    assert_eq!(flat(left.receive(Duration::from_millis(100))), Vec::<Vec<u8>>::new());
    assert_eq!(left.lines, []);
}

#[test]
fn a_group_is_received_only_while_it_is_joined() {
    let (one, other) = lan();
    let mut left = Side::open(&one, "left", &[GROUP]);
    let mut right = Side::open(&other, "right", &[]);
    let another = Ipv4Addr::new(224, 0, 0, 19);
    let send = |left: &mut Side| left.send(vec![advert(GROUP, 1), advert(another, 2)], vec![]);
    let mut destinations = |left: &mut Side, groups: &[Ipv4Addr]| {
        let listen = Listen { ifindex: right.ifindex, name: "right".to_owned(), ways: v4(groups) };
        other.enter(|| right.sockets.listen(clock(), vec![listen], &mut right.events, &mut right.lines));
        send(left);
        let received = flat(right.receive(Duration::from_millis(100)));
        received.iter().map(|packet| packet[19]).collect::<Vec<u8>>()
    };
    assert_eq!(destinations(&mut left, &[]), []);
    assert_eq!(destinations(&mut left, &[GROUP]), [18]);
    assert_eq!(destinations(&mut left, &[another]), [19]);
    assert_eq!(destinations(&mut left, &[another, GROUP]), [18, 19]);
}

#[test]
fn a_flood_is_taken_in_turns() {
    let (one, other) = lan();
    let mut left = Side::open(&one, "left", &[GROUP]);
    let mut right = Side::open(&other, "right", &[GROUP]);
    // The smallest default of net.core.rmem_max holds this many.
    let count = 500;
    left.send((0..count).map(|n| advert(GROUP, n + 1)).collect(), vec![]);
    let turns = right.receive(Duration::from_millis(300));
    assert!(turns.len() >= 2, "{} turns", turns.len());
    assert!(turns.iter().all(|turn| turn.len() <= PACKETS_PER_TURN));
    let order: Vec<u16> = turns.iter().flatten().map(|p| u16::from_be_bytes([p[4], p[5]])).collect();
    assert_eq!(order, (1..=count).collect::<Vec<u16>>());
}

#[test]
fn a_link_that_vanishes_and_returns() {
    let (one, _other) = lan();
    let mut left = Side::open(&one, "left", &[GROUP]);
    one.ip("link del left");
    left.send(vec![advert(GROUP, 1)], vec![announcement()]);
    assert_eq!(left.lines.len(), 1, "{:?}", left.lines);
    assert!(left.lines[0].text.contains("1 adverts and 1 announcements on interface left"), "{:?}", left.lines);
    // At most one line a minute.
    left.send(vec![advert(GROUP, 2)], vec![]);
    assert_eq!(left.lines.len(), 1);

    let mut gone = Side::none(left.ifindex);
    let listen = Listen { ifindex: left.ifindex, name: "left".to_owned(), ways: v4(&[GROUP]) };
    let now = clock();
    one.enter(|| gone.sockets.listen(now, vec![listen], &mut gone.events, &mut gone.lines));
    assert_eq!(gone.lines.len(), 1, "{:?}", gone.lines);
    assert!(gone.lines[0].text.contains("VRRP on interface left (index"), "{:?}", gone.lines);
    let at = gone.sockets.deadline().unwrap();
    assert_eq!(at, now + Duration::from_secs(1));

    one.ip(&format!("link add left index {} type veth peer name peer", left.ifindex));
    one.ip("link set left up");
    one.enter(|| gone.sockets.retry(at, &mut gone.events, &mut gone.lines));
    assert_eq!(gone.sockets.deadline(), None, "{:?}", gone.lines);
    gone.send(vec![advert(GROUP, 3)], vec![announcement()]);
    assert_eq!(gone.lines.len(), 1, "{:?}", gone.lines);
}

#[test]
fn an_interface_that_does_not_keep_up() {
    let (one, other) = lan();
    let mut left = Side::open(&one, "left", &[GROUP]);
    let mut right = Side::open(&other, "right", &[GROUP]);
    let tc = |arguments: &str| {
        one.enter(|| {
            let status = Command::new("tc").args(arguments.split_whitespace()).status().unwrap();
            assert!(status.success(), "tc {arguments}");
        });
    };
    // Some 20 packets a second, without a limit of its own: what fills up is the socket.
    tc("qdisc add dev left root tbf rate 8kbit burst 1540 limit 100000000");
    let all = (0..20_000).map(|_| advert(GROUP, 1)).collect();
    left.send(all, vec![]);
    assert!(left.lines[0].text.starts_with("Could not send "), "{:?}", left.lines);
    // Nothing is sent out of turn while others wait.
    left.send(vec![advert(GROUP, 2)], vec![]);
    // The queue is thrown away: there is room again, and the event loop says so.
    tc("qdisc del dev left root");
    left.receive(Duration::from_millis(200));
    right.receive(Duration::from_millis(100));
    left.send(vec![advert(GROUP, 3)], vec![]);
    let received = flat(right.receive(Duration::from_millis(300)));
    assert_eq!(received.iter().map(|packet| packet[5]).collect::<Vec<u8>>(), [3]);
}
