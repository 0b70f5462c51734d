//! What the four running processes may do, read from /proc.

use std::collections::BTreeSet;
use std::time::Duration;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::{Context, Outcome, wait_until};
use tests::pair::{Pair, SOON};
use tests::process::Process;

// Numbers of linux/capability.h.
const DAC_READ_SEARCH: u32 = 2;
const KILL: u32 = 5;
const SETGID: u32 = 6;
const SETUID: u32 = 7;
const SETPCAP: u32 = 8;
const NET_ADMIN: u32 = 12;
const NET_RAW: u32 = 13;

/// The processes and all that each may have, permitted and effective. The bounding set is the same for the supervisor,
/// whose children get theirs from it, and empty for those that never execute anything.
const ROLES: [(&str, &[u32]); 4] = [
    ("holdfast", &[DAC_READ_SEARCH, KILL, SETGID, SETUID, SETPCAP, NET_ADMIN, NET_RAW]),
    ("vrrpd", &[NET_RAW]),
    ("ipvsd", &[NET_ADMIN]),
    ("checkd", &[]),
];

/// Something to check, so that checkd runs too. The kernel may have no IPVS: that is said, and VRRP goes on.
const SERVICE: &str = "virtual_server 192.168.154.188 80 {
    protocol TCP
    real_server 192.168.154.12 80 {
        TCP_CHECK {
        }
    }
}";

/// More open descriptors than this are a leak. None of them needs as many for one instance.
const DESCRIPTORS: usize = 24;

fn started() -> Outcome<(Pair, Daemon)> {
    let pair = Pair::new()?;
    let daemon = Daemon::start(Program::Holdfast, &pair.a, &Vrrp::master(100).block(SERVICE).to_string())?;
    pair.wait_master(&pair.a).map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    Ok((pair, daemon))
}

fn field(process: &Process, name: &str) -> Outcome<String> {
    process.status().remove(name).context(|| format!("{} has no {name}", process.name))
}

fn set(capabilities: &[u32]) -> String {
    format!("{:016x}", capabilities.iter().fold(0_u64, |set, capability| set | 1 << capability))
}

#[test]
fn each_process_has_exactly_its_capabilities() -> Outcome {
    let (_pair, daemon) = started()?;
    for (name, capabilities) in ROLES {
        let process = daemon.process(name)?;
        let wanted = set(capabilities);
        let bounding = if name == "holdfast" { wanted.clone() } else { set(&[]) };
        let has: Vec<(&str, String)> = ["CapPrm", "CapEff", "CapBnd"]
            .into_iter()
            .map(|field_name| Ok((field_name, field(&process, field_name)?)))
            .collect::<Outcome<_>>()?;
        assert_eq!(has, [("CapPrm", wanted.clone()), ("CapEff", wanted.clone()), ("CapBnd", bounding)], "{name}");
        assert_eq!(field(&process, "CapInh")?, set(&[]), "{name}");
        assert_eq!(field(&process, "CapAmb")?, set(&[]), "{name}");
    }
    Ok(())
}

#[test]
fn each_child_has_an_unprivileged_uid_of_its_own() -> Outcome {
    let (_pair, daemon) = started()?;
    let mut uids = BTreeSet::new();
    for name in ["vrrpd", "ipvsd", "checkd"] {
        let process = daemon.process(name)?;
        for kind in ["Uid", "Gid"] {
            let ids = field(&process, kind)?;
            let distinct: BTreeSet<&str> = ids.split(' ').collect();
            assert_eq!(distinct.len(), 1, "{name}: real, effective, saved and file-system {kind} are one: {ids}");
            assert!(!distinct.contains("0"), "{name} is root");
        }
        uids.insert(field(&process, "Uid")?);
        assert_eq!(
            process.status().get("Groups").map(String::as_str).unwrap_or_default(),
            "",
            "{name}: supplementary groups"
        );
    }
    assert_eq!(uids.len(), 3, "{uids:?}");
    Ok(())
}

#[test]
fn nobody_gains_privileges_and_system_calls_are_filtered() -> Outcome {
    let (_pair, daemon) = started()?;
    for (name, _) in ROLES {
        let process = daemon.process(name)?;
        assert_eq!(field(&process, "Seccomp")?, "2", "{name}: Seccomp");
        if name != "holdfast" {
            assert_eq!(field(&process, "NoNewPrivs")?, "1", "{name}: NoNewPrivs");
        }
    }
    Ok(())
}

#[test]
fn the_compiler_of_the_configuration_is_gone() -> Outcome {
    let (_pair, daemon) = started()?;
    wait_until("four processes run", SOON, || Ok(daemon.processes().len() == 4))?;
    let mut names: Vec<String> = daemon.processes().into_iter().map(|process| process.name).collect();
    names.sort();
    assert_eq!(names, ["checkd", "holdfast", "ipvsd", "vrrpd"]);
    Ok(())
}

#[test]
fn descriptors_are_few_and_stay_as_many_over_reloads_and_restarts() -> Outcome {
    let (_pair, daemon) = started()?;
    let count = |daemon: &Daemon| -> Outcome<Vec<(&str, usize)>> {
        ROLES.iter().map(|(name, _)| Ok((*name, daemon.process(name)?.descriptors()))).collect()
    };
    let before = count(&daemon)?;
    assert!(before.iter().all(|(_, open)| (1..=DESCRIPTORS).contains(open)), "{before:?}");
    for _ in 0..3 {
        daemon.signal(nix::sys::signal::SIGHUP);
        std::thread::sleep(Duration::from_millis(700));
    }
    let checkd = daemon.process("checkd")?;
    checkd.signal(nix::sys::signal::SIGKILL);
    wait_until("checkd is started again", SOON, || {
        Ok(daemon.processes().iter().any(|process| process.name == "checkd" && process.pid != checkd.pid))
    })?;
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(count(&daemon)?, before);
    Ok(())
}

/// The keywords for the receive buffers of netlink sockets are read and not used: each is larger than any of them would make it.
#[test]
fn netlink_sockets_have_room_whatever_the_file_says() -> Outcome {
    let pair = Pair::new()?;
    let words = ["vrrp_netlink_cmd", "vrrp_netlink_monitor", "lvs_netlink_cmd", "lvs_netlink_monitor"];
    let config = words.iter().fold(Vrrp::master(100).block(SERVICE), |config, word| {
        config.global(format!("{word}_rcv_bufs 4096")).global(format!("{word}_rcv_bufs_force off"))
    });
    let daemon = Daemon::start(Program::Holdfast, &pair.a, &config.to_string())?;
    pair.wait_master(&pair.a).map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    assert!(!daemon.log().contains("rcv_bufs"), "{}", daemon.log());
    let ipvsd = daemon.process("ipvsd")?;
    let pidfd = ipc::sys::pidfd_open(nix::unistd::Pid::from_raw(ipvsd.pid))?;
    let mut sizes = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{}/fd", ipvsd.pid))? {
        let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(copy) = tests::sys::pidfd_getfd(std::os::fd::AsFd::as_fd(&pidfd), number) else { continue };
        let socket = socket2::SockRef::from(&copy);
        if socket.domain().is_ok_and(|domain| domain == socket2::Domain::from(libc::AF_NETLINK)) {
            sizes.push(socket.recv_buffer_size()?);
        }
    }
    // The kernel doubles what it is asked for.
    assert!((3..=4).contains(&sizes.len()) && sizes.iter().all(|size| *size == 16 << 20), "{sizes:?}");
    Ok(())
}

#[test]
fn the_environment_of_the_children_is_empty() -> Outcome {
    let (_pair, daemon) = started()?;
    for name in ["vrrpd", "ipvsd", "checkd"] {
        let process = daemon.process(name)?;
        let environment = std::fs::read(format!("/proc/{}/environ", process.pid))?;
        assert!(!String::from_utf8_lossy(&environment).contains("PATH="), "{name}");
    }
    Ok(())
}

#[test]
fn the_parser_is_not_mapped_into_privileged_processes() -> Outcome {
    let (_pair, daemon) = started()?;
    let executable = |name: &str| -> Outcome<std::path::PathBuf> {
        Ok(std::fs::read_link(format!("/proc/{}/exe", daemon.process(name)?.pid))?)
    };
    let files: BTreeSet<std::path::PathBuf> = ROLES.iter().map(|(name, _)| executable(name)).collect::<Outcome<_>>()?;
    assert_eq!(files.len(), 4, "four executables: {files:?}");
    Ok(())
}
