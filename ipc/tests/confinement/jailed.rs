//! What the started copies do.

use super::{ACT, GID, UID, sys};
use ipc::child::Ids;
use ipc::confine::{Capability, ConfineError, Confined, Jail, Landlock, Needs, Tcp, enter, enter_as_user, supervise};
use ipc::log::Logger;
use ipc::msg::control::{LogSetup, Sink};
use ipc::seccomp::{Arg, Call, call, call_if};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::sys::{prctl, signal};
use nix::unistd::{Gid, Pid, Uid, getegid, geteuid};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

const UNIX: u32 = libc::AF_UNIX as u32;

/// The sockets of `socket_rules`.
const SOCKETS: &[Call] = &[call_if(
    "socket",
    &[
        &[Arg::Is(0, UNIX), Arg::Is(1, libc::SOCK_DGRAM as u32)],
        &[Arg::Is(0, UNIX), Arg::Within(1, (libc::SOCK_SEQPACKET | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) as u32)],
    ],
    "this test",
)];

const OPEN: &[Call] = &[call("open", "this test"), call("openat", "this test"), call("statx", "this test")];

fn jail(capabilities: &[Capability], calls: &[Call]) -> Confined {
    let ids = Ids { uid: Uid::from_raw(UID), gid: Gid::from_raw(GID) };
    let jail = Jail { program: "test program", ids, capabilities, tcp: Tcp::Denied, open_files: 100, calls };
    entered(enter(&jail))
}

fn jail_as_user() -> Confined {
    let ids = Ids { uid: geteuid(), gid: getegid() };
    let jail = Jail { program: "test program", ids, capabilities: &[], tcp: Tcp::Denied, open_files: 100, calls: &[] };
    entered(enter_as_user(&jail))
}

fn entered(result: Result<Confined, ConfineError>) -> Confined {
    match result {
        Ok(confined) => confined,
        Err(e) => {
            eprintln!("{e}");
            std::process::exit(1);
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

fn wait() -> ExitCode {
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).unwrap();
    ExitCode::SUCCESS
}

pub fn act(name: &str) -> ExitCode {
    match name {
        "wait_with_net_raw" => {
            jail(&[Capability::CAP_NET_RAW], &[]);
            say("confined");
            return wait();
        }
        "wait_with_nothing" => {
            jail(&[], &[]);
            say("confined");
            return wait();
        }
        "wait_as_user" => {
            jail_as_user();
            say("confined");
            return wait();
        }
        "open_as_user" => {
            jail_as_user();
            forbid("open");
        }
        "wait_with_inheritance" => return inherit(),
        "wait_having_inherited" => {
            // 0, 1, 2, the five, and the one that reads the directory.
            assert!(fs::read_dir("/proc/self/fd").unwrap().count() >= 9);
            jail(&[], &[]);
            say(&format!("there were more descriptors, there are {} variables", std::env::vars_os().count()));
            return wait();
        }
        "open_allowed_by_the_filter" => {
            let confined = jail(&[], OPEN);
            let opened = match File::open("/etc/passwd") {
                Ok(_) => "opened".to_owned(),
                Err(e) => e.kind().to_string(),
            };
            say(&format!("{:?}: {opened}", confined.landlock));
            assert_eq!(confined.landlock == Landlock::Absent, opened == "opened");
        }
        "socket_rules" => socket_rules(),
        "connects_by_sendmsg" => sends(|tcp, _, to| super::sys::send_message(tcp, to, libc::MSG_FASTOPEN)),
        "connects_by_sendto" => sends(|tcp, _, to| super::sys::send_to(tcp, Some(to), libc::MSG_FASTOPEN)),
        "sends_to_an_address" => sends(|_, udp, to| super::sys::send_to(udp, Some(to), 0)),
        "sends_to_nobody" => sends(|_, udp, _| super::sys::send_to(udp, None, 0)),
        "without_net_raw" => {
            caps::drop(None, caps::CapSet::Effective, Capability::CAP_NET_RAW).unwrap();
            caps::drop(None, caps::CapSet::Permitted, Capability::CAP_NET_RAW).unwrap();
            jail(&[Capability::CAP_NET_RAW], &[]);
        }
        "panic" => {
            ipc::fault::install("test program");
            panic!("two lines\nin one");
        }
        "panic_in_the_jail" => {
            ipc::fault::install("test program");
            jail(&[], &[]);
            panic!("two lines\nin one");
        }
        "panic_with_syslog" => {
            ipc::fault::install("test program");
            jail(&[], &[]);
            ipc::fault::tell_syslog("Holdfast_test", 16, std::io::stdin().as_fd());
            panic!("two lines\nin one");
        }
        "supervise" => return as_supervisor(),
        "supervise_in_a_container" => {
            for capability in [Capability::CAP_SYS_ADMIN, Capability::CAP_NET_RAW] {
                caps::drop(None, caps::CapSet::Effective, capability).unwrap();
                caps::drop(None, caps::CapSet::Permitted, capability).unwrap();
            }
            say(&supervise(Needs::default()).unwrap().to_string());
            return wait();
        }
        "supervise_and_become_a_child" => {
            supervise(Needs::default()).unwrap();
            let error = Command::new("/proc/self/exe").env(ACT, "wait_with_net_raw").exec();
            panic!("{error}");
        }
        "log" => log(),
        forbidden => {
            jail(&[], &[]);
            say("confined");
            forbid(forbidden);
            say("still here");
        }
    }
    ExitCode::SUCCESS
}

/// Five open files, inheritable.
fn inherit() -> ExitCode {
    for _ in 0..5 {
        let file = File::open("/etc/passwd").unwrap();
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        let _ = file.into_raw_fd();
    }
    let error = Command::new("/proc/self/exe").env(ACT, "wait_having_inherited").exec();
    panic!("{error}");
}

fn forbid(name: &str) {
    match name {
        "open" => drop(File::open("/etc/passwd")),
        "socket" => drop(socket(AddressFamily::Inet, SockType::Datagram, SockFlag::empty(), None)),
        "connect" => {
            let address = nix::sys::socket::UnixAddr::new("/nowhere").unwrap();
            let _ = nix::sys::socket::connect(0, &address);
        }
        "execve" => drop(nix::unistd::execv(c"/bin/true", &[c"true"])),
        "fork" => drop(Command::new("/bin/true").spawn()),
        "kill" => drop(signal::kill(Pid::from_raw(1), None)),
        "ptrace" => drop(sys::seize_process_1()),
        "setuid" => drop(nix::unistd::setuid(Uid::from_raw(UID))),
        "prctl" => drop(prctl::set_dumpable(true)),
        "executable_memory" => drop(sys::map(libc::PROT_READ | libc::PROT_EXEC)),
        other => panic!("unknown act {other}"),
    }
}

/// What comes of it with the calls of every child, and sockets.
fn sends(how: impl FnOnce(&OwnedFd, &OwnedFd, SocketAddrV4) -> Result<usize, Errno>) {
    jail(&[], &[call("socket", "this test")]);
    let open = |kind| socket(AddressFamily::Inet, kind, SockFlag::empty(), None).unwrap();
    let (tcp, udp) = (open(SockType::Stream), open(SockType::Datagram));
    say("confined");
    say(&format!("{:?}", how(&tcp, &udp, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9))));
}

fn socket_rules() {
    jail(&[], SOCKETS);
    say("confined");
    socket(AddressFamily::Unix, SockType::Datagram, SockFlag::empty(), None).unwrap();
    say("unix datagram");
    socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_NONBLOCK, None).unwrap();
    say("unix packets");
    let _ = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::empty(), None);
    say("inet");
}

fn as_supervisor() -> ExitCode {
    let needs = Needs { also: &[Capability::CAP_SYS_NICE] };
    let supervised = match supervise(needs) {
        Ok(supervised) => supervised,
        Err(e) => {
            eprintln!("{e}");
            return ExitCode::FAILURE;
        }
    };
    let errno = |done: Result<(), Errno>| done.err().map_or("allowed".to_owned(), |e| format!("{e:?}"));
    let ptrace = errno(sys::seize_process_1());
    let mount = errno(sys::mount_on_nothing());
    let script = Command::new("/usr/bin/id").arg("-u").uid(UID).gid(GID).output().unwrap();
    let script = String::from_utf8_lossy(&script.stdout).trim().to_owned();
    say(&format!("{supervised}; ptrace {ptrace}; mount {mount}; script as {script}"));
    wait()
}

fn log() {
    ipc::log::learn_time_zone();
    ipc::log::own_console();
    jail(&[], &[]);
    let setup = LogSetup { detail: 0, console: Sink::On, syslog: Sink::Off, facility: 3, file: Sink::Off };
    let mut logger = Logger::new("test", setup, None, None);
    logger.info("(VI_1) Entering MASTER STATE");
    logger.detail("not without -D");
}
