//! The sync daemons of two directors: a connection of one is known to the other, which goes on with it; with keepalived and with ours.

use super::{SETTLED, Stage};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Child;
use std::time::Duration;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_for, wait_until};
use tests::lan::{Host, INTERFACE};
use tests::netns::run;
use tests::pair::with_log;

/// `socat` on a host; ends with this.
struct Socat(Child);

impl Drop for Socat {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const WORDS: &str = "id 7 maxlen 1400 port 8850 ttl 3 group 224.0.0.90";

/// Whose state the daemons follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Instance,
    Nobody,
}

fn config(of: Of, priority: u8) -> String {
    let (name, instance) = match of {
        Of::Nobody => ("", String::new()),
        Of::Instance => (
            "VI_1",
            format!(
                "vrrp_instance VI_1 {{\n state BACKUP\n interface {INTERFACE}\n virtual_router_id 9\n priority {priority}\n virtual_ipaddress {{\n \
                 192.168.154.188/24\n }}\n}}\n"
            ),
        ),
    };
    format!(
        "global_defs {{\n router_id test\n lvs_sync_daemon {INTERFACE} {name} {WORDS}\n}}\n{instance}virtual_server 192.168.154.188 7 {{\n lvs_sched rr\n \
         lvs_method DR\n protocol TCP\n delay_loop 3\n real_server 192.168.154.12 7 {{\n TCP_CHECK {{\n connect_timeout 3\n }}\n }}\n}}\n"
    )
}

fn daemons_of(host: &Host) -> Outcome<String> {
    run(host.netns.command("ipvsadm").args(["-L", "--daemon"]))
}

fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut answer = [0; 5];
    stream.write_all(b"hello")?;
    stream.read_exact(&mut answer)
}

/// What `ipvsadm -L --daemon` shows of both.
fn synced(program: Program, of: Of) -> Outcome<[String; 2]> {
    let stage = Stage::new()?;
    let (first, second) = (&stage.theirs, &stage.ours);
    let client = stage.lan.host("client", "192.168.154.100/24")?;
    let _server =
        Socat(stage.hosts[0].netns.command("socat").args(["TCP-LISTEN:7,fork,reuseaddr", "EXEC:cat"]).spawn()?);
    let mut daemons =
        [Daemon::start(program, first, &config(of, 200))?, Daemon::start(program, second, &config(of, 100))?];
    match of {
        Of::Instance => wait_until("the first is master", SETTLED, || first.has("192.168.154.188"))
            .map_err(|failure| with_log(&failure, &daemons[0]))?,
        Of::Nobody => drop(first.netns.ip(&format!("addr add 192.168.154.188/24 dev {INTERFACE}"))?),
    }
    let ready = |host: &Host| -> Outcome<bool> {
        let table = run(host.netns.command("ipvsadm").arg("-Sn"))?;
        Ok(table.contains("-r 192.168.154.12:7") && daemons_of(host)?.contains("sync"))
    };
    wait_until("both have the service and their daemons", SETTLED, || Ok(ready(first)? && ready(second)?))
        .map_err(|failure| with_log(&failure, &daemons[1]))?;
    let vip: SocketAddr = "192.168.154.188:7".parse()?;
    let mut stream = wait_for("a connection", SETTLED, || {
        Ok(client.netns.enter(|| TcpStream::connect_timeout(&vip, Duration::from_secs(5)))?.ok())
    })?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    // The kernel tells of a connection when some packets have passed.
    let told = wait_until("the other one knows the connection", SETTLED, || {
        echo(&mut stream)?;
        let known = run(second.netns.command("ipvsadm").arg("-Lnc"))?;
        let known = known.lines().find(|line| line.contains(" 192.168.154.100:")).unwrap_or_default().to_owned();
        Ok(known.contains("ESTABLISHED") && known.contains("192.168.154.188:7 ") && known.contains("192.168.154.12:7"))
    });
    told.map_err(|failure| with_log(&failure, &daemons[1]))?;
    let shown = [daemons_of(first)?, daemons_of(second)?];
    if of == Of::Instance {
        stage.lan.isolate(first)?;
        wait_until("the second is master", SETTLED, || second.has("192.168.154.188"))?;
        wait_until("its daemon is the other one", SETTLED, || Ok(daemons_of(second)?.contains("master")))
            .map_err(|failure| with_log(&failure, &daemons[1]))?;
        echo(&mut stream).map_err(|e| {
            with_log(&tests::failure::Failure::new(format!("the connection is lost: {e}")), &daemons[1])
        })?;
    }
    for daemon in &mut daemons {
        assert!(daemon.terminate()?.success());
    }
    let left = |host: &Host| daemons_of(host).map(|text| text.trim().to_owned());
    assert_eq!((left(first)?, left(second)?), (String::new(), String::new()), "{program:?}");
    Ok(shown)
}

#[test]
fn a_connection_goes_on_with_the_other_director() -> Outcome {
    let [theirs, ours] = [synced(Program::Keepalived, Of::Instance)?, synced(Program::Holdfast, Of::Instance)?];
    assert_eq!(theirs, ours);
    println!("{ours:?}");
    assert!(
        ours[0].contains("master sync daemon (mcast=ens33, syncid=7, maxlen=1400, group=224.0.0.90, port=8850, ttl=3)"),
        "{ours:?}"
    );
    Ok(())
}

#[test]
fn a_connection_is_known_without_an_instance() -> Outcome {
    let [theirs, ours] = [synced(Program::Keepalived, Of::Nobody)?, synced(Program::Holdfast, Of::Nobody)?];
    assert_eq!(theirs, ours);
    println!("{ours:?}");
    Ok(())
}
