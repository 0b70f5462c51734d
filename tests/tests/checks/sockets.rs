//! Where the packets of checks come from, and which mark they have: seen by the servers, and by routing rules.

use super::{SOON, count, serve};
use nix::sys::signal::SIGKILL;
use std::net::SocketAddr;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::lan::{Host, Lan};

/// A real server of its own service, `number` in the port of the service.
fn service(number: u16, real: &str, check: &str) -> String {
    format!(
        "virtual_server 192.168.154.188 {number} {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n delay_loop 1\n warmup 0\n connect_timeout 2\n retry 1\n \
         delay_before_retry 1\n real_server {real} {{\n  {check}\n }}\n}}\n"
    )
}

fn removed(daemon: &Daemon, number: u16) -> usize {
    count(daemon, &format!("from VS [192.168.154.188]:tcp:{number}\n"))
}

/// A socat; ends with this.
struct Socat(Child);

impl Socat {
    fn start(host: &Host, listen: &str) -> Outcome<Socat> {
        Ok(Socat(host.netns.command("socat").args([listen, "EXEC:cat"]).spawn()?))
    }
}

impl Drop for Socat {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `fwmark`: a server that only packets with the mark can reach, by TCP, UDP and echoes; ipvsd dies and comes back meanwhile.
#[test]
fn only_packets_with_the_mark_get_there() -> Outcome {
    let lan = Lan::new()?;
    let (host, far) = (lan.host("alone", "192.168.154.10/24")?, lan.host("far", "192.168.154.12/24")?);
    far.netns.ip("addr add 10.77.0.1/32 dev lo")?;
    host.netns.ip("route add unreachable 10.77.0.1/32")?;
    host.netns.ip("route add 10.77.0.1/32 via 192.168.154.12 table 70")?;
    host.netns.ip("rule add fwmark 7 lookup 70")?;
    let mut echo =
        [Socat::start(&far, "TCP-LISTEN:7,fork,reuseaddr")?, Socat::start(&far, "UDP-LISTEN:7,bind=10.77.0.1,fork")?];
    let kinds = ["TCP_CHECK {\n MARK\n }", "UDP_CHECK {\n require_reply\n MARK\n }", "PING_CHECK {\n MARK\n }"];
    let mut config = String::new();
    for (n, kind) in (1..).zip(kinds) {
        config += &service(n, "10.77.0.1 7", &kind.replace("MARK", "fwmark 7"));
        config += &service(n + 10, "10.77.0.1 7", &kind.replace("MARK", ""));
        config += &service(n + 20, "10.77.0.1 7", &kind.replace("MARK", "fwmark 8"));
    }
    let mut daemon = Daemon::start(Program::Holdfast, &host, &config)?;
    wait_until("those without the mark are down", SOON, || {
        Ok([11, 12, 13, 21, 22, 23].iter().all(|number| removed(&daemon, *number) == 1))
    })
    .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    let ipvsd = daemon.process("ipvsd")?;
    ipvsd.signal(SIGKILL);
    std::thread::sleep(Duration::from_secs(4));
    assert!([1, 2, 3].iter().all(|number| removed(&daemon, *number) == 0), "{}", daemon.log());
    // And they are really asked.
    let _ = echo[0].0.kill();
    wait_until("the one that is gone is down", SOON, || Ok(removed(&daemon, 1) == 1))
        .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    assert!([2, 3].iter().all(|number| removed(&daemon, *number) == 0), "{}", daemon.log());
    // A reload that gives another mark.
    daemon.reload(&config.replace("fwmark 7", "fwmark 9").replace("fwmark 8", "fwmark 7"))?;
    wait_until("the others are down and back", SOON, || {
        let up = |number: u16| count(&daemon, &format!("to VS [192.168.154.188]:tcp:{number}\n"));
        Ok([2, 3].iter().all(|number| removed(&daemon, *number) == 1) && [22, 23].iter().all(|number| up(*number) == 1))
    })
    .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    assert!(daemon.terminate()?.success());
    Ok(())
}

/// `bindto`, `bind_port`, `bind_if`, `connect_ip` and `connect_port`, as the server sees them.
#[test]
fn the_server_sees_whence_it_is_asked() -> Outcome {
    let lan = Lan::new()?;
    let (host, far) = (lan.host("alone", "192.168.154.10/24")?, lan.host("far", "192.168.154.12/24")?);
    lan.second(&host, "second")?;
    host.netns.ip("addr add 192.168.154.99/24 dev second")?;
    host.netns.ip("addr add 192.168.154.11/24 dev ens33")?;
    let seen: Arc<Mutex<Vec<(u16, SocketAddr)>>> = Arc::default();
    for (port, addr) in [(81, "192.168.154.12:81"), (82, "192.168.154.12:82"), (83, "192.168.154.12:83")] {
        let seen = Arc::clone(&seen);
        serve(&far, addr, move |stream| {
            if let (Ok(peer), Ok(mut seen)) = (stream.peer_addr(), seen.lock()) {
                seen.push((port, peer));
            }
        })?;
    }
    let config = [
        service(
            1,
            "127.0.0.1 80",
            "TCP_CHECK {\n connect_ip 192.168.154.12\n connect_port 81\n bindto 192.168.154.11\n }",
        ),
        service(2, "192.168.154.12 82", "TCP_CHECK {\n bind_if second\n }"),
        service(3, "192.168.154.12 80", "TCP_CHECK {\n connect_port 83\n bindto 192.168.154.10\n bind_port 4567\n }"),
    ]
    .concat();
    let mut daemon = Daemon::start(Program::Holdfast, &host, &config)?;
    for (port, peer) in [(81, "192.168.154.11"), (82, "192.168.154.99"), (83, "192.168.154.10:4567")] {
        wait_until(&format!("{peer} asks port {port}"), SOON, || {
            let seen = seen.lock().map(|seen| seen.clone()).unwrap_or_default();
            let of_port: Vec<String> =
                seen.iter().filter(|(of, _)| *of == port).map(|(_, peer)| peer.to_string()).collect();
            Ok(of_port.len() >= 3 && of_port.iter().all(|known| known.starts_with(peer)))
        })
        .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    }
    assert!([1, 2, 3].iter().all(|number| removed(&daemon, *number) == 0), "{}", daemon.log());
    assert!(daemon.terminate()?.success());
    Ok(())
}
