//! The process vrrpd as it is installed, confined, between a supervisor and an ipvsd that this test plays. Needs root and `ip`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A test fails by panicking.

mod lan;

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use ipc::channel::{Channel, pair};
use ipc::chunk::cut;
use ipc::codec::encode_slice;
use ipc::config::vrrp::{
    Auth, GarpTiming, Instance, Link, Notify, Preemption, Switch, Transport, Version, Vip, VrrpConfig, Wanted,
};
use ipc::config::{Generation, InstanceIdx, LinkIdx, Origin};
use ipc::msg::Role;
use ipc::msg::control::{Down, DumpKind, FromVrrp, LogSetup, Sink, StopMode, ToVrrp, Up};
use ipc::msg::vips::{Applied, Arp, Forwarding, IpvsToVrrp, LinkFacts, LinkState, Multicast, Presence, VrrpToIpvs};
use ipc::net::{Family, Mac};
use lan::{LEFT, Namespace, lan};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, socket};
use std::collections::BTreeSet;
use std::io::{Read, Seek};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

const GENERATION: Generation = Generation(1);
const INSTANCES: u8 = 50;
const PATIENCE: Duration = Duration::from_secs(5);

/// Version 3, 10 ms: master after about 40 ms.
fn instance(vrid: u8) -> Instance {
    Instance {
        name: format!("I{vrid}"),
        origin: Origin::default(),
        version: Version::V3,
        family: Family::V4,
        link: LinkIdx(0),
        vrid,
        priority: 100,
        wanted: Wanted::Backup,
        advert_int: Duration::from_millis(10),
        preemption: Preemption::Preempt { delay: Duration::ZERO },
        down_timer_adverts: 3,
        source: None,
        track_source: Switch::Off,
        transport: Transport::Multicast { group: IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)) },
        auth: Auth::None,
        v3_checksum_as_v2: Switch::Off,
        vips: vec![Vip { addr: IpAddr::V4(Ipv4Addr::new(10, 9, 1, vrid)), link: LinkIdx(0) }],
        excluded: vec![],
        garp: GarpTiming {
            repeat: 5,
            delay: Duration::ZERO,
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_prio_repeat: 5,
            lower_prio_delay: Duration::ZERO,
        },
        lower_prio_no_advert: Switch::Off,
        higher_prio_send_advert: Switch::On,
        owner_ignore_adverts: Switch::Off,
        skip_check_adv_addr: Switch::Off,
        track_links: vec![],
        track_scripts: vec![],
        notify: Notify::default(),
        group: None,
    }
}

fn config() -> VrrpConfig {
    VrrpConfig {
        links: [Link { name: "left".to_owned(), origin: Origin::default() }].into_iter().collect(),
        instances: (1..=INSTANCES).map(instance).collect(),
        ..VrrpConfig::default()
    }
}

/// Everything around the process.
struct Stage {
    left: Namespace,
    right: Namespace,
    vrrpd: Child,
    supervisor: Channel<ToVrrp, FromVrrp>,
    ipvs: Channel<IpvsToVrrp, VrrpToIpvs>,
    wire: OwnedFd,
    said: Vec<Up>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.vrrpd.kill();
        let _ = self.vrrpd.wait();
    }
}

/// Calls `attempt` until it gives something.
fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        sleep(Duration::from_millis(1));
    }
}

impl Stage {
    /// Starts it and brings it as far as `Activated`.
    fn new() -> Self {
        let (left, right) = lan();
        left.ip(&format!("addr add {LEFT}/24 dev left"));
        let (ours, theirs) = pair().unwrap();
        let vrrpd = left.enter(|| {
            Command::new(env!("CARGO_BIN_EXE_vrrpd"))
                .args(["--uid", "61190", "--gid", "61190"])
                .stdin(Stdio::from(theirs))
                .spawn()
                .unwrap()
        });
        let (ours_ipvs, theirs_ipvs) = pair().unwrap();
        let wire = right.enter(|| {
            let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
            socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).unwrap()
        });
        let mut stage = Stage {
            left,
            right,
            vrrpd,
            supervisor: Channel::new(ours),
            ipvs: Channel::new(ours_ipvs),
            wire,
            said: Vec::new(),
        };
        let log = LogSetup { detail: 0, console: Sink::Off, syslog: Sink::Off, facility: 3, file: Sink::Off };
        stage.tell(Down::Hello { log, stop: StopMode::RELEASE });
        let slice = encode_slice(&config()).unwrap();
        let pieces = cut(&slice).map(|piece| ToVrrp::Control(Down::Slice(piece)));
        stage.supervisor.send_slice(GENERATION, pieces).unwrap();
        stage.wait_up(Up::Ready);
        let attach = ToVrrp::Control(Down::Attach(Role::Ipvs));
        stage.supervisor.send_with_fds(GENERATION, attach, vec![theirs_ipvs]).unwrap();
        stage.tell(Down::Activate);
        stage.wait_up(Up::Activated);
        stage
    }

    fn tell(&mut self, down: Down) {
        self.supervisor.send(GENERATION, vec![ToVrrp::Control(down)]).unwrap();
    }

    fn wait_up(&mut self, wanted: Up) {
        until(&format!("{wanted:?}"), || {
            while let Ok(Some(received)) = self.supervisor.receive() {
                self.said.extend(received.frame.messages.into_iter().filter_map(|message| match message {
                    FromVrrp::Control(up) => Some(up),
                    FromVrrp::Run(_) | FromVrrp::Tell(_) | FromVrrp::ProcessesTaken => None,
                }));
            }
            self.said.iter().position(|up| *up == wanted).map(|n| self.said.remove(n))
        });
    }

    fn answer(&mut self, messages: Vec<IpvsToVrrp>) {
        self.ipvs.send(GENERATION, messages).unwrap();
    }

    /// Collects what ipvsd is told until `enough`; how many frames it took.
    fn told(&mut self, what: &str, enough: impl Fn(&[VrrpToIpvs]) -> bool) -> (Vec<VrrpToIpvs>, usize) {
        let (mut messages, mut frames) = (Vec::new(), 0);
        until(what, || {
            while let Some(received) = self.ipvs.receive().unwrap() {
                messages.extend(received.frame.messages);
                frames += 1;
            }
            enough(&messages).then_some(())
        });
        (messages, frames)
    }

    /// Plays ipvsd until every instance wants its addresses.
    fn become_master(&mut self) {
        self.told("Resync", |messages| messages.contains(&VrrpToIpvs::Resync));
        let facts = LinkFacts {
            name: "left".to_owned(),
            ifindex: self.left.ifindex("left"),
            base: self.left.ifindex("left"),
            state: LinkState::Up,
            arp: Arp::Yes,
            multicast: Multicast::Yes,
            mac: Mac([2, 0, 0, 0, 0, 1]),
            mtu: 1500,
            primary: Some(LEFT),
            link_local: None,
            forwarding: Forwarding::No,
            addrs: vec![LEFT.into()],
        };
        self.answer(vec![IpvsToVrrp::LinkChanged(facts), IpvsToVrrp::Synced]);
        self.told("Synced", |messages| messages.contains(&VrrpToIpvs::Synced));
        let (_, frames) = self.told("all present", |messages| all(messages, Presence::Present));
        assert!(frames <= 3, "{INSTANCES} instances that become master together took {frames} frames");
    }

    /// Frames that have come over the wire.
    fn frames(&self) -> Vec<Vec<u8>> {
        let mut buffer = [0; 2048];
        let mut frames = Vec::new();
        while let Ok(n) = recv(self.wire.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            frames.push(buffer[..n].to_vec());
        }
        frames
    }

    /// Waits until every instance has sent an advert of that priority.
    fn wait_adverts(&self, priority: u8) {
        let mut seen = BTreeSet::new();
        until(&format!("adverts of priority {priority}"), || {
            for frame in self.frames() {
                if frame[12..14] == [8, 0] && frame[23] == 112 && frame[36] == priority {
                    seen.insert(frame[35]);
                }
            }
            (seen.len() == usize::from(INSTANCES)).then_some(())
        });
    }

    fn wait_exit(&mut self) {
        let status = until("the end", || self.vrrpd.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }
}

fn all(messages: &[VrrpToIpvs], wanted: Presence) -> bool {
    let is = |message: &&VrrpToIpvs| matches!(message, VrrpToIpvs::SetVips { want, .. } if *want == wanted);
    messages.iter().filter(is).count() >= usize::from(INSTANCES)
}

fn applied(now: Presence) -> Vec<IpvsToVrrp> {
    (0..u16::from(INSTANCES))
        .map(|n| IpvsToVrrp::VipsApplied { instance: InstanceIdx(n), now, result: Applied::All })
        .collect()
}

#[test]
fn from_the_greeting_to_the_goodbye() {
    let mut stage = Stage::new();
    let status = std::fs::read_to_string(format!("/proc/{}/status", stage.vrrpd.id())).unwrap();
    for line in ["CapEff:\t0000000000002000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.contains(line), "{line}\n{status}");
    }
    stage.become_master();
    stage.wait_adverts(100);

    stage.answer(applied(Presence::Present));
    let mut announced = Vec::new();
    until("five gratuitous ARP messages of each instance", || {
        announced.extend(stage.frames().into_iter().filter(|f| f[12..14] == [8, 6] && f[..6] == [0xff; 6]));
        (announced.len() == 5 * usize::from(INSTANCES)).then_some(())
    });
    assert!(announced.iter().all(|frame| frame[6..12] == [2, 0, 0, 0, 0, 1] && frame[28..32] == frame[38..42]));

    stage.tell(Down::Stop);
    stage.wait_adverts(0);
    stage.told("all absent", |messages| all(messages, Presence::Absent));
    stage.answer(applied(Presence::Absent));
    stage.wait_up(Up::Stopped);
    stage.wait_exit();
}

#[test]
fn without_a_supervisor_it_says_goodbye_and_exits() {
    let mut stage = Stage::new();
    stage.become_master();
    stage.supervisor = Channel::new(pair().unwrap().0);
    stage.wait_adverts(0);
    stage.told("all absent", |messages| all(messages, Presence::Absent));
    stage.answer(applied(Presence::Absent));
    stage.wait_exit();
}

#[test]
fn adverts_of_a_master_are_heard_in_a_flood() {
    let mut stage = Stage::new();
    stage.become_master();
    stage.answer(applied(Presence::Present));
    stage.wait_adverts(100);
    // A master of priority 200 for VRID 1 among packets of no use at all: a version that does not exist.
    let sender = stage.right.enter(|| {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::RAW, Some(socket2::Protocol::from(112)))
                .unwrap();
        socket.bind_device(Some(b"right")).unwrap();
        socket.set_multicast_ttl_v4(255).unwrap();
        socket
    });
    let to = socket2::SockAddr::from(std::net::SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 18), 0));
    let nonsense = [0xff; 20];
    let mut advert = [0x31, 1, 200, 1, 0, 1, 0, 0, 10, 9, 1, 1];
    let sum = vrrpd::packet::checksum::with_pseudo_header(
        lan::RIGHT.into(),
        Ipv4Addr::new(224, 0, 0, 18).into(),
        112,
        &advert,
    );
    advert[6..8].copy_from_slice(&sum.to_be_bytes());
    let absent = VrrpToIpvs::SetVips { instance: InstanceIdx(0), want: Presence::Absent };
    let start = Instant::now();
    let mut told = Vec::new();
    while !told.contains(&absent) {
        assert!(start.elapsed() < PATIENCE, "the advert was not heard");
        for _ in 0..500 {
            let _ = sender.send_to(&nonsense, &to);
        }
        sender.send_to(&advert, &to).unwrap();
        while let Some(received) = stage.ipvs.receive().unwrap() {
            told.extend(received.frame.messages);
        }
    }
    // The others go on sending every 10 ms while the flood lasts: each ten times in 100 ms on an idle
    // machine, once at the very least.
    stage.frames();
    let mut others = 0;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(100) {
        for _ in 0..50 {
            let _ = sender.send_to(&nonsense, &to);
        }
        others += stage.frames().iter().filter(|f| f[12..14] == [8, 0] && f[26..30] == LEFT.octets()).count();
    }
    let least = usize::from(INSTANCES) - 1;
    assert!(others >= least, "{others} adverts were sent during the flood, not {least}");
}

#[test]
fn a_dump_is_written_into_the_file_that_came_with_the_wish() {
    let mut stage = Stage::new();
    stage.become_master();
    let mut file = unnamed_file();
    let handed = OwnedFd::from(file.try_clone().unwrap());
    stage.supervisor.send_with_fds(GENERATION, ToVrrp::Control(Down::Dump(DumpKind::Data)), vec![handed]).unwrap();
    until("the dump", || {
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text.contains("I50").then_some(())
    });
}

/// A file without a name.
fn unnamed_file() -> std::fs::File {
    let mut options = std::fs::File::options();
    options.read(true).write(true).custom_flags(libc::O_TMPFILE);
    options.open(std::env::temp_dir()).unwrap()
}
