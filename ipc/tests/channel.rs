//! Channels over real sockets.
// Clippy takes functions without #[test] for production code.
#![allow(clippy::unwrap_used, clippy::panic)]

use ipc::channel::{BACKLOG_FDS, BACKLOG_LIMIT, Channel, ChannelError, pair};
use ipc::chunk::{self, Assembly};
use ipc::codec::{CodecError, FRAME_LIMIT, MESSAGES_LIMIT};
use ipc::config::{Generation, RealIdx};
use ipc::fdpass::{self, FDS_LIMIT};
use ipc::msg::Role;
use ipc::msg::control::{Down, ToVrrp};
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck, Standing};
use ipc::msg::vips::IpvsToVrrp;
use nix::errno::Errno;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};

const GENERATION: Generation = Generation(3);

type Checkd = Channel<CheckToIpvs, IpvsToCheck>;
type Ipvsd = Channel<IpvsToCheck, CheckToIpvs>;

fn ends() -> (Checkd, Ipvsd) {
    let (a, b) = pair().unwrap();
    (Channel::new(a), Channel::new(b))
}

fn set(n: u32) -> CheckToIpvs {
    CheckToIpvs::SetReal { real: RealIdx(n), want: Standing::Serving }
}

#[test]
fn twenty_thousand_messages_arrive_in_order() {
    let (mut checkd, mut ipvsd) = ends();
    let said: Vec<CheckToIpvs> = (0..20_000).map(set).collect();
    checkd.send(GENERATION, said.clone()).unwrap();
    let mut heard = Vec::new();
    let mut frames = 0;
    while heard.len() < said.len() {
        while let Some(received) = ipvsd.receive().unwrap() {
            assert_eq!(received.frame.generation, GENERATION);
            assert!(received.frame.messages.len() <= MESSAGES_LIMIT);
            heard.extend(received.frame.messages);
            frames += 1;
        }
        checkd.flush().unwrap();
    }
    assert!(checkd.is_flushed());
    assert_eq!(heard, said);
    assert!((2..=16).contains(&frames), "{frames} frames");
}

#[test]
fn a_turn_is_one_frame() {
    let (mut checkd, mut ipvsd) = ends();
    checkd.send(GENERATION, (0..1_000).map(set).collect()).unwrap();
    assert_eq!(ipvsd.receive().unwrap().unwrap().frame.messages.len(), 1_000);
    assert!(ipvsd.receive().unwrap().is_none());
}

#[test]
fn no_messages_are_no_frame() {
    let (mut checkd, mut ipvsd) = ends();
    checkd.send(GENERATION, Vec::new()).unwrap();
    assert!(ipvsd.receive().unwrap().is_none());
}

#[test]
fn descriptors_arrive_in_order_and_close_on_exec() {
    let (a, b) = pair().unwrap();
    let mut up: Channel<ToVrrp, ToVrrp> = Channel::new(a);
    let mut down: Channel<ToVrrp, ToVrrp> = Channel::new(b);
    let fds: Vec<OwnedFd> = (0..FDS_LIMIT)
        .map(|n| {
            let mut file = unnamed_file();
            write!(file, "file {n}").unwrap();
            file.rewind().unwrap();
            OwnedFd::from(file)
        })
        .collect();
    up.send_with_fds(GENERATION, ToVrrp::Control(Down::Attach(Role::Ipvs)), fds).unwrap();
    let received = down.receive().unwrap().unwrap();
    assert_eq!(received.frame.messages, [ToVrrp::Control(Down::Attach(Role::Ipvs))]);
    assert_eq!(received.fds.len(), FDS_LIMIT);
    for (n, fd) in received.fds.into_iter().enumerate() {
        let flags = nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
        let mut text = String::new();
        File::from(fd).read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("file {n}"));
    }
}

fn unnamed_file() -> File {
    let flags = nix::fcntl::OFlag::O_TMPFILE | nix::fcntl::OFlag::O_RDWR;
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
    File::from(nix::fcntl::open(&std::env::temp_dir(), flags, mode).unwrap())
}

#[test]
fn more_descriptors_than_allowed_are_a_violation_and_none_stays_open() {
    let (a, b) = pair().unwrap();
    let mut receiver: Ipvsd = Channel::new(b);
    let (mut watched, given) = std::io::pipe().unwrap();
    let fds: Vec<OwnedFd> = (0..=FDS_LIMIT).map(|_| OwnedFd::from(given.try_clone().unwrap())).collect();
    fdpass::send(a.as_fd(), b"anything", &fds).unwrap();
    assert_eq!(receiver.receive().unwrap_err().to_string(), "malformed frame: more than 8 descriptors");
    drop((given, fds));
    // The end of the pipe is seen only when every copy of its other end is closed.
    assert_eq!(watched.read(&mut [0]).unwrap(), 0);
}

#[test]
fn the_end_is_seen_by_both() {
    let (mut checkd, ipvsd) = ends();
    drop(ipvsd);
    assert!(matches!(checkd.receive(), Err(ChannelError::Closed)));
    assert!(matches!(checkd.send(GENERATION, vec![CheckToIpvs::Synced]), Err(ChannelError::Closed)));
}

#[test]
fn what_was_said_before_the_end_is_heard() {
    let (mut checkd, mut ipvsd) = ends();
    checkd.send(GENERATION, vec![CheckToIpvs::Synced]).unwrap();
    drop(checkd);
    assert_eq!(ipvsd.receive().unwrap().unwrap().frame.messages, [CheckToIpvs::Synced]);
    assert!(matches!(ipvsd.receive(), Err(ChannelError::Closed)));
}

/// The kernel may tell of the end although a last packet has come; that looks like an empty packet before it.
#[test]
fn last_words_are_heard_though_the_end_was_told() {
    let (a, b) = pair().unwrap();
    let mut receiver: Ipvsd = Channel::new(b);
    fdpass::send(a.as_fd(), b"", &[]).unwrap();
    let mut speaker: Checkd = Channel::new(a);
    speaker.send(GENERATION, vec![CheckToIpvs::Synced]).unwrap();
    drop(speaker);
    assert_eq!(receiver.receive().unwrap().unwrap().frame.messages, [CheckToIpvs::Synced]);
    assert!(matches!(receiver.receive(), Err(ChannelError::Closed)));
}

#[test]
fn an_empty_packet_is_no_end() {
    let (a, b) = pair().unwrap();
    let mut receiver: Ipvsd = Channel::new(b);
    fdpass::send(a.as_fd(), b"", &[]).unwrap();
    assert_eq!(receiver.receive().unwrap_err().to_string(), "malformed frame: an empty packet");
    assert!(matches!(receiver.receive(), Ok(None)));
    // Two of them look like the end, and a peer that sends such things is treated as one that has ended.
    fdpass::send(a.as_fd(), b"", &[]).unwrap();
    fdpass::send(a.as_fd(), b"", &[]).unwrap();
    assert!(matches!(receiver.receive(), Err(ChannelError::Closed)));
    drop(a);
    assert!(matches!(receiver.receive(), Err(ChannelError::Closed)));
}

#[test]
fn a_peer_that_does_not_read_is_stuck_within_the_bound() {
    let (mut checkd, _ipvsd) = ends();
    let messages: Vec<CheckToIpvs> = (0..4_000).map(set).collect();
    let frame_bytes = 4_000 * 8;
    for n in 0..=BACKLOG_LIMIT / frame_bytes * 2 {
        match checkd.send(GENERATION, messages.clone()) {
            Ok(()) => {}
            Err(ChannelError::Stuck) => {
                assert!(n * frame_bytes > BACKLOG_LIMIT / 2, "stuck after {n} frames already");
                return;
            }
            Err(e) => panic!("{e}"),
        }
    }
    panic!("nobody noticed");
}

#[test]
fn descriptors_do_not_pile_up() {
    let (a, _b) = pair().unwrap();
    let mut channel: Channel<ToVrrp, ToVrrp> = Channel::new(a);
    let given = unnamed_file();
    // The socket takes some hundreds before it is full.
    for _ in 0..100_000 {
        let fd = OwnedFd::from(given.try_clone().unwrap());
        match channel.send_with_fds(GENERATION, ToVrrp::Control(Down::LogSocket), vec![fd]) {
            Ok(()) => {}
            Err(ChannelError::Stuck) => {
                let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
                assert!(open < BACKLOG_FDS + 200, "{open} descriptors are open");
                return;
            }
            Err(e) => panic!("{e}"),
        }
    }
    panic!("nobody noticed");
}

#[test]
fn a_configuration_may_exceed_the_bound_and_other_messages_follow_it() {
    let (a, b) = pair().unwrap();
    let mut supervisor: Channel<ToVrrp, ToVrrp> = Channel::new(a);
    let mut child: Channel<ToVrrp, ToVrrp> = Channel::new(b);
    let slice = vec![7; BACKLOG_LIMIT * 2];
    let pieces = chunk::cut(&slice).map(|piece| ToVrrp::Control(Down::Slice(piece)));
    supervisor.send_slice(GENERATION, pieces).unwrap();
    supervisor.send(GENERATION, vec![ToVrrp::Control(Down::Activate)]).unwrap();
    let mut assembly = Assembly::default();
    let mut heard = None;
    loop {
        while let Some(received) = child.receive().unwrap() {
            for message in received.frame.messages {
                match message {
                    ToVrrp::Control(Down::Slice(piece)) => heard = assembly.push(piece).unwrap(),
                    other => {
                        assert_eq!(other, ToVrrp::Control(Down::Activate));
                        assert!(heard == Some(slice));
                        return;
                    }
                }
            }
        }
        supervisor.flush().unwrap();
    }
}

#[test]
fn rubbish_is_a_violation() {
    for bytes in [&b"rubbish"[..], &[0xff; 64], &[0; 3]] {
        let (a, b) = pair().unwrap();
        let mut receiver: Ipvsd = Channel::new(b);
        fdpass::send(a.as_fd(), bytes, &[]).unwrap();
        assert!(matches!(receiver.receive(), Err(ChannelError::Violation(_))), "{bytes:?}");
    }
}

#[test]
fn a_packet_longer_than_a_frame_is_a_violation() {
    let (a, b) = pair().unwrap();
    let mut receiver: Ipvsd = Channel::new(b);
    match fdpass::send(a.as_fd(), &vec![0; FRAME_LIMIT + 1], &[]) {
        Ok(()) => assert!(matches!(receiver.receive(), Err(ChannelError::Violation(CodecError::TooLong)))),
        // The kernel's own bound for the socket is smaller.
        Err(e) => assert_eq!(e, Errno::EMSGSIZE),
    }
}

#[test]
fn a_message_that_fits_no_frame_is_refused_alone() {
    let (a, _b) = pair().unwrap();
    let mut channel: Channel<IpvsToVrrp, IpvsToVrrp> = Channel::new(a);
    let long = IpvsToVrrp::LinkGone { name: "x".repeat(FRAME_LIMIT) };
    assert!(matches!(channel.send(GENERATION, vec![long]), Err(ChannelError::Violation(_))));
    channel.send(GENERATION, vec![IpvsToVrrp::Synced]).unwrap();
}

#[test]
fn what_was_said_before_the_end_is_heard_although_the_other_side_left_something_unread() {
    let (mut checkd, mut ipvsd) = ends();
    ipvsd.send(GENERATION, vec![IpvsToCheck::Synced]).unwrap();
    checkd.send(GENERATION, vec![set(1)]).unwrap();
    // The kernel then reports ECONNRESET, once, before what is in the queue.
    drop(checkd);
    assert_eq!(ipvsd.receive().unwrap().unwrap().frame.messages, [set(1)]);
    assert!(matches!(ipvsd.receive(), Err(ChannelError::Closed)));
}
