//! What the machine around a running Holdfast sees of it: the service manager, dumps on signals, syslog, the commands of health checks.

use nix::sys::signal::{SIGUSR1, SIGUSR2};
use std::fs;
use std::net::{SocketAddrV4, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::cleanup::Directory;
use tests::config::{VIP, Vrrp};
use tests::daemon::{Daemon, Program};
use tests::failure::{Context as _, Outcome, wait_for, wait_until};
use tests::pair::{Pair, SOON, with_log};

/// A datagram socket of our own at a path, which does not wait.
fn listener(path: &Path) -> Outcome<UnixDatagram> {
    let socket = UnixDatagram::bind(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The next datagram with `text` in it; others are thrown away.
fn datagram(socket: &UnixDatagram, text: &str) -> Outcome<String> {
    let mut buffer = [0; 4096];
    wait_for(&format!("a datagram with {text:?}"), SOON, || {
        while let Ok(len) = socket.recv(&mut buffer) {
            let said = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if said.contains(text) {
                return Ok(Some(said));
            }
        }
        Ok(None)
    })
}

/// CLOCK_MONOTONIC in microseconds, to 10 ms.
fn monotonic() -> Outcome<u64> {
    let text = fs::read_to_string("/proc/uptime")?;
    let seconds: f64 = text.split(' ').next().and_then(|word| word.parse().ok()).context(|| text.clone())?;
    Ok((seconds * 1e6) as u64)
}

/// sd_notify(3), Type=notify-reload: READY=1, RELOADING=1 with the time, READY=1 again whether or not the file is good, STOPPING=1.
#[test]
fn the_service_manager_is_told() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let path = directory.file("notify");
    let socket = listener(&path)?;
    let config = Vrrp::master(100).to_string();
    let first = |_: &Path| format!("export NOTIFY_SOCKET='{}' && ", path.display());
    let mut one = Daemon::start_after(&pair.a, &config, &[], first)?;
    datagram(&socket, "READY=1\n").map_err(|failure| with_log(&failure, &one))?;
    for (text, status) in [(config.clone(), "Running"), (config.replace("51", "300"), "Reload failed")] {
        let before = monotonic()?;
        one.reload(&text)?;
        let said = datagram(&socket, "RELOADING=1\n").map_err(|failure| with_log(&failure, &one))?;
        let time = said.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        let time: u64 = time.and_then(|text| text.parse().ok()).context(|| said.clone())?;
        let range = before.saturating_sub(20_000)..=monotonic()?.saturating_add(20_000);
        assert!(range.contains(&time), "{time} in {range:?}");
        let said = datagram(&socket, "READY=1\n").map_err(|failure| with_log(&failure, &one))?;
        assert!(said.contains(&format!("STATUS={status}")), "{said}");
    }
    one.terminate()?;
    datagram(&socket, "STOPPING=1\n").map(drop)
}

/// SIGUSR1 and SIGUSR2: one file of each process that has something to say, for root's eyes only.
#[test]
fn dumps_are_in_the_run_directory_and_for_root_only() -> Outcome {
    let pair = Pair::new()?;
    let one = Daemon::start_apart(&pair.a, &Vrrp::master(100).to_string(), &["--all"])?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    wait_until("the address is there", SOON, || pair.a.has(VIP))?;
    one.process("checkd")?;
    let run = one.directory().join("run");
    let has = |name: &str, text: &str| {
        wait_until(&format!("{text:?} in {name}"), SOON, || {
            Ok(fs::read_to_string(run.join(name)).is_ok_and(|have| have.contains(text)))
        })
        .map_err(|failure| with_log(&failure, &one))?;
        let meta = fs::symlink_metadata(run.join(name))?;
        assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.is_file()), (0o600, 0, true), "{name}");
        Outcome::Ok(())
    };
    one.signal(SIGUSR1);
    has("keepalived.data", "   State = MASTER\n")?;
    has("keepalived_ipvs.data", VIP)?;
    has("keepalived_check.data", "\n")?;
    has("keepalived_parent.data", "\n")?;
    one.signal(SIGUSR2);
    has("keepalived.stats", "VRRP Instance: VI_1\n")?;
    has("keepalived.stats", "  Became master: 1\n")?;
    // A second one takes the place of the first.
    fs::write(run.join("keepalived.stats"), "old")?;
    one.signal(SIGUSR2);
    has("keepalived.stats", "  Became master: 1\n")?;
    assert!(!fs::read_to_string(run.join("keepalived.stats"))?.contains("old"));
    Ok(())
}

/// `-S 3`, and a syslogd that goes away and returns: the supervisor and its children, who have no file system to look for it, log on.
#[test]
fn syslog_is_written_to_with_its_facility_also_after_it_was_restarted() -> Outcome {
    let (pair, dev) = (Pair::new()?, Directory::new()?);
    let socket = listener(&dev.file("log"))?;
    let first = |_: &Path| {
        let dev = dev.path().display();
        format!("touch {dev}/null && mount --bind /dev/null {dev}/null && mount --rbind {dev} /dev && ")
    };
    let one = Daemon::start_after(&pair.a, &Vrrp::master(100).to_string(), &["--log-facility", "3"], first)?;
    // local3 is 19; info is 6, notice 5, warning 4 (RFC 3164 §4.1.1).
    let of_facility = |said: &str| {
        let code: u32 =
            said.strip_prefix('<').and_then(|s| s.split('>').next()).and_then(|s| s.parse().ok()).unwrap_or(0);
        assert_eq!(code >> 3, 19, "{said}");
    };
    let said = datagram(&socket, "Entering MASTER STATE").map_err(|failure| with_log(&failure, &one))?;
    of_facility(&said);
    drop(socket);
    fs::remove_file(dev.file("log"))?;
    // Both lose it: what they have to say now waits.
    one.signal(nix::sys::signal::SIGHUP);
    one.wait_log("Reload complete", SOON)?;
    pair.lan.unplug(&pair.a)?;
    one.wait_log("Entering FAULT STATE", SOON)?;
    let socket = listener(&dev.file("log"))?;
    let mut missing = vec!["Reload complete", "Entering FAULT STATE"];
    let mut buffer = [0; 4096];
    wait_until("both lines in the new syslog", SOON * 2, || {
        while let Ok(len) = socket.recv(&mut buffer) {
            let said = String::from_utf8_lossy(&buffer[..len]).into_owned();
            of_facility(&said);
            missing.retain(|text| !said.contains(text));
        }
        Ok(missing.is_empty())
    })
    .map_err(|failure| with_log(&failure, &one))
}

/// The commands of a real server and of its service, from the file to their execution; and how long a failing check takes: no shorter
/// than its retries, so that one lost connection takes nobody out.
#[test]
fn commands_of_checks_are_run_and_retries_take_their_time() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let told = directory.file("told");
    let script = directory.script("tell", &format!("#!/bin/sh\necho \"$@\" >>{}\n", told.display()))?;
    let script = script.display();
    let own = pair.a.address;
    let config = format!(
        "global_defs {{\n script_user root\n }}\nvirtual_server {VIP} 80 {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n \
         delay_loop 1\n quorum_up \"{script} quorum up\"\n quorum_down \"{script} quorum down\"\n real_server {own} 8080 {{\n \
         notify_up \"{script} server up\"\n notify_down \"{script} server down\"\n TCP_CHECK {{\n connect_timeout 1\n retry 2\n \
         delay_before_retry 1\n }}\n }}\n }}\n"
    );
    let serve =
        || -> Outcome<TcpListener> { Ok(pair.a.netns.enter(|| TcpListener::bind(SocketAddrV4::new(own, 8080)))??) };
    let heard = || fs::read_to_string(&told).unwrap_or_default();
    let server = serve()?;
    let one = Daemon::start(Program::Holdfast, &pair.a, &config)?;
    // Longer than its first check and all retries take.
    std::thread::sleep(Duration::from_secs(4));
    assert!(!heard().contains("down"), "{}", heard());

    let before = Instant::now();
    drop(server);
    wait_until("both commands have heard that it is down", SOON, || {
        Ok(heard().contains("server down\n") && heard().contains("quorum down\n"))
    })
    .map_err(|failure| with_log(&failure, &one))?;
    let took = before.elapsed();
    assert!(took >= Duration::from_secs(2), "down after {took:?}, before two retries of a second each were over");

    fs::write(&told, "")?;
    let _server = serve()?;
    wait_until("both commands have heard that it is up", SOON, || {
        Ok(heard().contains("server up\n") && heard().contains("quorum up\n"))
    })
    .map_err(|failure| with_log(&failure, &one))?;
    assert!(!heard().contains("down"), "{}", heard());
    Ok(())
}
