//! The health checks as running processes: with a real supervisor, real commands, and servers that behave badly.

mod genhash;
mod hostile;
mod sockets;
mod tls;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tests::cleanup::Directory;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::lan::{Host, Lan};

const SOON: Duration = Duration::from_secs(20);

fn host() -> Outcome<(Lan, Host)> {
    let lan = Lan::new()?;
    let host = lan.host("alone", "192.168.154.10/24")?;
    Ok((lan, host))
}

fn service(key: &str, more: &str, check: &str) -> String {
    format!(
        "virtual_server {key} {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n delay_loop 1\n warmup 0\n {more}\n real_server \
         127.0.0.1 80 {{\n  weight 10\n  {check}\n }}\n}}\n"
    )
}

/// Listens in the namespace of a host and does something with every connection, as long as the test runs.
fn serve(
    host: &Host,
    addr: &'static str,
    each: impl Fn(std::net::TcpStream) + Send + Sync + Clone + 'static,
) -> Outcome {
    let listener = host.netns.enter(|| TcpListener::bind(addr))??;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = each.clone();
            std::thread::spawn(move || each(stream));
        }
    });
    Ok(())
}

fn count(daemon: &Daemon, text: &str) -> usize {
    daemon.log().matches(text).count()
}

#[test]
fn with_ha_suspend_nothing_is_checked_without_the_address() -> Outcome {
    let (_lan, host) = host()?;
    let check = "TCP_CHECK {\n   connect_timeout 1\n   retry 1\n   delay_before_retry 1\n  }";
    let group = "virtual_server_group G {\n 192.168.154.190 80\n 192.168.154.191-192 80\n}\n";
    let config = [
        group.to_owned(),
        service("192.168.154.188 80", "ha_suspend", check),
        service("192.168.154.189 80", "", check),
        service("group G", "ha_suspend", check),
    ]
    .concat();
    let one = "[127.0.0.1]:tcp:80 for VS [192.168.154.188]:tcp:80";
    let mut daemon = Daemon::start(Program::Holdfast, &host, &config)?;
    daemon.wait_log(&format!("Suspending healthchecker for service {one}"), SOON)?;
    daemon.wait_log("Removing service [127.0.0.1]:tcp:80 from VS [192.168.154.189]:tcp:80", SOON)?;
    std::thread::sleep(Duration::from_secs(3));
    let removed = |vs: &str| count(&daemon, &format!("Removing service [127.0.0.1]:tcp:80 from VS {vs}"));
    assert_eq!((removed("[192.168.154.188]:tcp:80"), removed("[G]:0")), (0, 0), "{}", daemon.log());
    // The address comes: the server is found dead.
    host.netns.ip("addr add 192.168.154.188/32 dev lo")?;
    daemon.wait_log(&format!("Activating healthchecker for service {one}"), SOON)?;
    daemon.wait_log("Removing service [127.0.0.1]:tcp:80 from VS [192.168.154.188]:tcp:80", SOON)?;
    assert_eq!(removed("[G]:0"), 0, "{}", daemon.log());
    // One of a group is enough.
    host.netns.ip("addr add 192.168.154.192/32 dev lo")?;
    daemon.wait_log("Removing service [127.0.0.1]:tcp:80 from VS [G]:0", SOON)?;
    // It goes: nobody notices that the server is back.
    host.netns.ip("addr del 192.168.154.188/32 dev lo")?;
    wait_until("it is suspended again", SOON, || {
        Ok(count(&daemon, &format!("Suspending healthchecker for service {one}")) == 2)
    })?;
    serve(&host, "127.0.0.1:80", drop)?;
    daemon.wait_log("Adding service [127.0.0.1]:tcp:80 to VS [G]:0", SOON)?;
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(
        count(&daemon, "Adding service [127.0.0.1]:tcp:80 to VS [192.168.154.188]:tcp:80"),
        0,
        "{}",
        daemon.log()
    );
    // A reload and a new checkd know it, too.
    daemon.reload(&format!("# the same\n{config}"))?;
    daemon.wait_log("Reload complete", SOON)?;
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(
        count(&daemon, "Adding service [127.0.0.1]:tcp:80 to VS [192.168.154.188]:tcp:80"),
        0,
        "{}",
        daemon.log()
    );
    host.netns.ip("addr add 192.168.154.188/32 dev lo")?;
    daemon.wait_log("Adding service [127.0.0.1]:tcp:80 to VS [192.168.154.188]:tcp:80", SOON)?;
    assert!(daemon.terminate()?.success());
    Ok(())
}

#[test]
fn a_misc_check_that_hangs_is_ended_with_all_that_it_started() -> Outcome {
    let (_lan, host) = host()?;
    let directory = Directory::new()?;
    let pids = directory.file("pids");
    let text = format!(
        "#!/bin/sh\ntrap '' TERM\n(trap '' TERM; echo $$ >>{0}; sleep 1000) &\necho $! >>{0}\nsleep 1000 &\necho $! >>{0}\nwait\nsleep 1000\n",
        pids.display()
    );
    let script = directory.script("hang", &text)?;
    let check = format!("MISC_CHECK {{\n   misc_path {}\n   misc_timeout 1\n   user root\n  }}", script.display());
    let config = service("192.168.154.188 80", "delay_loop 3600", &check);
    let mut daemon = Daemon::start(Program::Holdfast, &host, &config)?;
    daemon.wait_log("timed out", SOON)?;
    daemon.wait_log("Removing service [127.0.0.1]:tcp:80", SOON)?;
    let listed = std::fs::read_to_string(&pids)?;
    assert!(listed.lines().count() >= 3, "{listed}");
    wait_until("nothing of it runs", SOON, || {
        Ok(listed.lines().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()))
    })?;
    assert!(daemon.terminate()?.success());
    Ok(())
}

/// It may clean up when its time is over: the first signal is SIGTERM, and it comes through.
#[test]
fn a_misc_check_whose_time_is_over_may_say_goodbye() -> Outcome {
    let (_lan, host) = host()?;
    let directory = Directory::new()?;
    let text = format!(
        "#!/bin/sh\ntrap 'echo goodbye >{}; exit 0' TERM\ntimeout 1 sleep 1000\necho $? >{}\nsleep 1000 &\nwait\n",
        directory.file("said").display(),
        directory.file("inner").display()
    );
    let script = directory.script("slow", &text)?;
    let check = format!("MISC_CHECK {{\n   misc_path {}\n   misc_timeout 8\n   user root\n  }}", script.display());
    let mut daemon = Daemon::start(Program::Holdfast, &host, &service("192.168.154.188 80", "", &check))?;
    daemon.wait_log("timed out", SOON)?;
    assert_eq!(std::fs::read_to_string(directory.file("said")).unwrap_or_default(), "goodbye\n", "{}", daemon.log());
    // timeout(1) inside could end what it ran.
    assert_eq!(std::fs::read_to_string(directory.file("inner")).unwrap_or_default(), "124\n");
    assert!(daemon.terminate()?.success());
    Ok(())
}

#[test]
fn a_misc_check_sets_the_weight() -> Outcome {
    let (_lan, host) = host()?;
    let directory = Directory::new()?;
    let script =
        directory.script("status", &format!("#!/bin/sh\nexit $(cat {})\n", directory.file("code").display()))?;
    directory.write("code", "0")?;
    let check = format!("MISC_CHECK {{\n   misc_path {}\n   misc_dynamic\n   user root\n  }}", script.display());
    let mut daemon = Daemon::start(Program::Holdfast, &host, &service("192.168.154.188 80", "", &check))?;
    daemon.wait_log("by [", SOON)?;
    for (code, said) in [
        ("7", "Changing weight from 10 to 5 for active service"),
        ("255", "Changing weight from 5 to 253 for active service"),
        ("1", "failed with retry disabled (exited with status 1)"),
        ("2", "Changing weight from 253 to 0 for inactive service"),
        ("12", "Changing weight from 0 to 10 for active service"),
        ("9", "Changing weight from 10 to 7 for active service"),
        ("0", "Changing weight from 7 to 10 for active service"),
    ] {
        directory.write("code", code)?;
        daemon.wait_log(said, SOON)?;
    }
    assert!(daemon.terminate()?.success());
    Ok(())
}

/// The most that one connection took.
static MEGABYTES: AtomicU64 = AtomicU64::new(0);

/// A page without end: the server is given up in its time, checkd needs no memory for it, and no other check is late.
#[test]
fn a_gigabyte_of_body_costs_no_memory_and_delays_nobody() -> Outcome {
    let (_lan, host) = host()?;
    serve(&host, "127.0.0.1:8080", |mut stream| {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request);
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
        let page = vec![b'x'; 1 << 20];
        let mut written = 0_u64;
        while stream.write_all(&page).is_ok() {
            written += 1;
        }
        MEGABYTES.fetch_max(written, Ordering::Relaxed);
    })?;
    serve(&host, "127.0.0.1:81", drop)?;
    let endless = "HTTP_GET {\n   connect_port 8080\n   connect_timeout 1\n   retry 0\n   url {\n    path /\n   }\n  }";
    // Late by more than its whole time it would fail.
    let other = "TCP_CHECK {\n   connect_port 81\n   connect_timeout 1\n   retry 1\n   delay_before_retry 0\n  }";
    let config = [service("192.168.154.188 80", "", endless), service("192.168.154.189 80", "", other)].concat();
    let mut daemon = Daemon::start(Program::Holdfast, &host, &config)?;
    let began = Instant::now();
    daemon.wait_log("HTTP_CHECK on service [127.0.0.1]:tcp:80 failed", Duration::from_secs(30))?;
    let took = began.elapsed();
    // Ten steps of a second, and the first second.
    assert!(took < Duration::from_secs(20), "{took:?}");
    std::thread::sleep(Duration::from_secs(5));
    let checkd = daemon.process("checkd")?;
    let peak: u64 = checkd
        .status()
        .get("VmHWM")
        .and_then(|text| text.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or(u64::MAX);
    assert!(peak < 48 * 1024, "checkd has had {peak} kB");
    println!("{} MB of one page in {took:?}, checkd has had {peak} kB", MEGABYTES.load(Ordering::Relaxed));
    assert!(!daemon.log().contains("from VS [192.168.154.189]:tcp:80"), "{}", daemon.log());
    assert!(daemon.terminate()?.success());
    Ok(())
}
