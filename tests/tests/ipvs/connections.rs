//! Connections that are there outlive what happens to the processes and to the configuration; datagrams; groups by mark.

use super::{SETTLED, Stage, service, table};
use nix::sys::signal::SIGKILL;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Child;
use std::time::{Duration, Instant};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::lan::{Host, INTERFACE};
use tests::netns::run;
use tests::pair::with_log;

/// `socat` on a host; ends with this.
struct Socat(Child);

impl Socat {
    fn start(host: &Host, listen: &str, answer: &str) -> Outcome<Socat> {
        Ok(Socat(host.netns.command("socat").args([listen, answer]).spawn()?))
    }
}

impl Drop for Socat {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const ECHO: &str = "TCP-LISTEN:7,fork,reuseaddr";
const CHECK: &str = "TCP_CHECK {\n            connect_timeout 2\n        }";

/// A director, two echo servers and a client.
struct Echoes {
    stage: Stage,
    client: Host,
    _servers: Vec<Socat>,
}

impl Echoes {
    fn new(listen: &str) -> Outcome<Echoes> {
        let stage = Stage::new()?;
        let client = stage.lan.host("client", "192.168.154.100/24")?;
        let servers: Vec<Socat> =
            stage.hosts.iter().map(|host| Socat::start(host, listen, "EXEC:cat")).collect::<Outcome<_>>()?;
        Ok(Echoes { stage, client, _servers: servers })
    }

    fn config(&self, more: &str) -> String {
        let text = service(&format!("lb_algo rr\n    lb_kind DR\n    {more}"), "", CHECK);
        let text = text.replace("192.168.154.188 80", "192.168.154.188 7").replace(" 80 {", " 7 {");
        let vrrp = tests::config::Vrrp::master(100).to_string();
        format!("{vrrp}\n{}", text.replace("global_defs {\n    router_id test\n}\n", ""))
    }

    /// A connection that works.
    fn connection(&self, daemon: &Daemon) -> Outcome<TcpStream> {
        let vip: SocketAddr = "192.168.154.188:7".parse()?;
        let mut open = None;
        wait_until("the client is connected", SETTLED, || {
            let stream = self.client.netns.enter(|| TcpStream::connect_timeout(&vip, Duration::from_secs(2)))?;
            open = stream.ok().filter(|stream| echoes(stream).is_ok());
            Ok(open.is_some())
        })
        .map_err(|failure| with_log(&failure, daemon))?;
        open.ok_or_else(|| tests::failure::Failure::new("the client is not connected"))
    }

    fn director(&self) -> &Host {
        &self.stage.ours
    }

    /// What `ipvsadm` says with these arguments.
    fn ipvsadm(&self, arguments: &str) -> Outcome<String> {
        run(self.director().netns.command("ipvsadm").args(arguments.split_whitespace()))
    }

    /// The table's connections.
    fn connections(&self) -> Outcome<usize> {
        Ok(self.ipvsadm("-Lnc")?.lines().filter(|line| line.contains("ESTABLISHED")).count())
    }

    /// Connections that the service was ever asked for.
    fn counted(&self) -> Outcome<u64> {
        let text = self.ipvsadm("-Ln --stats --exact")?;
        let line = text.lines().find(|line| line.contains("192.168.154.188:7"));
        Ok(line.and_then(|line| line.split_whitespace().nth(2)?.parse().ok()).unwrap_or_default())
    }
}

/// Sends a word and hears it again.
fn echoes(mut stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"word")?;
    let mut heard = [0; 4];
    stream.read_exact(&mut heard)?;
    if heard == *b"word" { Ok(()) } else { Err(std::io::Error::other("another word")) }
}

/// A reload that changes nothing, one that changes a weight, a killed ipvsd and a killed checkd: the connection stays, and so does what
/// was counted.
#[test]
fn connections_and_counters_survive() -> Outcome {
    let echoes_here = Echoes::new(ECHO)?;
    let config = echoes_here.config("");
    let mut daemon = Daemon::start(Program::Holdfast, echoes_here.director(), &config)?;
    let stream = echoes_here.connection(&daemon)?;
    let connections = echoes_here.connections()?;
    assert!(connections >= 1, "{connections} connections");
    // The kernel adds up what is counted every two seconds.
    wait_until("it is counted", SETTLED, || Ok(echoes_here.counted()? >= 1))?;
    let counted = echoes_here.counted()?;
    daemon.reload(&config)?;
    daemon.wait_log("Reload complete", SETTLED)?;
    daemon.reload(&config.replace("weight 1", "weight 9"))?;
    wait_until("another weight", SETTLED, || Ok(table(echoes_here.director())?.contains("-w 9")))?;
    echoes(&stream)?;
    for name in ["ipvsd", "checkd"] {
        let victim = daemon.process(name)?;
        victim.signal(SIGKILL);
        wait_until(&format!("{name} is started again"), SETTLED, || {
            Ok(daemon.processes().iter().any(|process| process.name == name && process.pid != victim.pid))
        })?;
        // It has taken over what is there.
        std::thread::sleep(Duration::from_secs(3));
        echoes(&stream)?;
    }
    assert!(table(echoes_here.director())?.contains("-w 9"));
    assert!(echoes_here.connections()? >= 1, "{}", echoes_here.ipvsadm("-Lnc")?);
    assert!(echoes_here.counted()? >= counted, "{}", echoes_here.ipvsadm("-Ln --stats")?);
    assert!(daemon.terminate()?.success());
    assert_eq!(table(echoes_here.director())?, "");
    Ok(())
}

/// `--dont-release-ipvs`: the table outlives the daemon, and the next one takes it over with connections and counters, which its dump shows.
#[test]
fn a_table_that_is_kept_is_taken_over() -> Outcome {
    let echoes_here = Echoes::new(ECHO)?;
    let (director, config) = (echoes_here.director(), echoes_here.config(""));
    let mut first =
        Daemon::start_with(Program::Holdfast, director, &config, &["--dont-release-ipvs", "--dont-release-vrrp"])?;
    let stream = echoes_here.connection(&first)?;
    wait_until("it is counted", SETTLED, || Ok(echoes_here.counted()? >= 1))?;
    let (kept, counted) = (table(director)?, echoes_here.counted()?);
    assert!(first.terminate()?.success());
    assert_eq!(table(director)?, kept);
    echoes(&stream)?;
    let mut second = Daemon::start_dumping(Program::Holdfast, director, &config)?;
    second.wait_log("Entering MASTER STATE", SETTLED)?;
    echoes(&stream)?;
    assert!(echoes_here.counted()? >= counted, "{}", echoes_here.ipvsadm("-Ln --stats")?);
    // Connections, packets in and out, bytes in and out.
    let shown = |text: &str, line: &str| -> Vec<u64> {
        let words = text.lines().skip_while(|l| !l.contains(line)).find(|l| l.contains("packets")).unwrap_or_default();
        let words = words.split(';').next().unwrap_or_default();
        words.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
    };
    wait_until("the dump shows what ipvsadm shows", SETTLED, || {
        let exact = echoes_here.ipvsadm("-Ln --stats --exact")?;
        let line = exact.lines().find(|line| line.contains("192.168.154.188:7")).unwrap_or_default();
        let exact: Vec<u64> = line.split_whitespace().skip(2).filter_map(|word| word.parse().ok()).collect();
        let dump = second.dumped("DATA", "keepalived_ipvs.data")?;
        Ok(exact.len() == 5 && exact[3] > 200 && shown(&dump, "[192.168.154.188]:tcp:7") == exact)
    })
    .map_err(|failure| with_log(&failure, &second))?;
    assert_eq!(table(director)?, kept);
    assert!(second.terminate()?.success());
    assert_eq!(table(director)?, "");
    Ok(())
}

/// `drain_on_removal`: who is connected stays connected, nobody new comes, and when the time is over the real server is gone.
#[test]
fn removed_real_servers_are_drained() -> Outcome {
    const TIME: Duration = Duration::from_secs(20);
    let echoes_here = Echoes::new(ECHO)?;
    let config = echoes_here.config(&format!("drain_on_removal {}", TIME.as_secs()));
    let mut daemon = Daemon::start(Program::Holdfast, echoes_here.director(), &config)?;
    // Two, so that one is with each.
    let streams = [echoes_here.connection(&daemon)?, echoes_here.connection(&daemon)?];
    let at = config.find("    real_server 192.168.154.13").unwrap_or(config.len());
    let fewer = format!("{}}}\n", &config[..at]);
    let began = Instant::now();
    daemon.reload(&fewer)?;
    let weightless = "192.168.154.13:7 -g -w 0";
    wait_until("it has no weight", TIME, || Ok(table(echoes_here.director())?.contains(weightless)))
        .map_err(|failure| with_log(&failure, &daemon))?;
    for stream in &streams {
        echoes(stream)?;
    }
    let before = echoes_here.ipvsadm("-Ln")?;
    let active = |text: &str| {
        let line = text.lines().find(|line| line.contains("192.168.154.13:7")).unwrap_or_default().to_owned();
        line.split_whitespace().nth(4).map(str::to_owned)
    };
    for _ in 0..3 {
        echoes(&echoes_here.connection(&daemon)?)?;
    }
    // On a machine that is too slow for the time it is gone by now.
    if let Some(after) = active(&echoes_here.ipvsadm("-Ln")?) {
        assert_eq!(Some(after), active(&before), "somebody new came to it");
    }
    wait_until("it is gone", SETTLED, || Ok(!table(echoes_here.director())?.contains("192.168.154.13")))?;
    assert!(began.elapsed() >= TIME, "it was gone after {:?}", began.elapsed());
    assert!(daemon.terminate()?.success());
    assert_eq!(table(echoes_here.director())?, "");
    Ok(())
}

/// dnsmasq on a host, which has the host's address for the name `who.test`; ends with this.
struct Names(Child);

impl Names {
    fn start(host: &Host) -> Outcome<Names> {
        let mut command = host.netns.command("dnsmasq");
        command.args(["-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file="]);
        Ok(Names(command.arg(format!("--address=/who.test/{}", host.address)).spawn()?))
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks the virtual address for the name: the last four bytes of the answer are an address. It comes from there: of one packet (`ops`) the kernel
/// knows nothing any more when the answer passes, so nobody translates its source.
fn who(client: &Host) -> Outcome<Option<[u8; 4]>> {
    let answer = client.netns.enter(|| -> std::io::Result<Option<[u8; 4]>> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        let question = b"\x07\x07\x01\0\0\x01\0\0\0\0\0\0\x03who\x04test\0\0\x01\0\x01";
        socket.send_to(question, "192.168.154.188:53")?;
        let mut bytes = [0; 512];
        let (length, from) = socket.recv_from(&mut bytes)?;
        let last: Option<[u8; 4]> = bytes[..length].last_chunk().copied();
        assert_eq!(Some(from.ip()), last.map(std::net::IpAddr::from));
        Ok(last)
    })?;
    Ok(answer.ok().flatten())
}

/// Questions to name servers, one datagram at a time (`ops`), through network address translation: both answer, and DNS_CHECK takes the one
/// out that does not any more.
#[test]
fn traffic_of_datagrams() -> Outcome {
    let stage = Stage::new()?;
    let client = stage.lan.host("client", "192.168.154.100/24")?;
    let mut servers = Vec::new();
    for host in &stage.hosts {
        host.netns.ip(&format!("route add 192.168.154.100/32 via {}", stage.ours.address))?;
        servers.push(Names::start(host)?);
    }
    stage.ours.netns.sysctl("ipv4/ip_forward", "1")?;
    for key in ["all", INTERFACE] {
        stage.ours.netns.sysctl(&format!("ipv4/conf/{key}/send_redirects"), "0")?;
    }
    let check = "DNS_CHECK {\n            type A\n            name who.test\n            connect_timeout 2\n            retry 1\n            \
                 delay_before_retry 1\n        }";
    let text = service("lb_algo rr\n    lb_kind NAT\n    ops", "", check);
    let text =
        text.replace("192.168.154.188 80", "192.168.154.188 53").replace(" 80 {", " 53 {").replace("TCP\n", "UDP\n");
    let vrrp = tests::config::Vrrp::master(100).to_string();
    let config = format!("{vrrp}\n{}", text.replace("global_defs {\n    router_id test\n}\n", ""));
    let daemon = Daemon::start(Program::Holdfast, &stage.ours, &config)?;
    let mut answered = BTreeSet::new();
    wait_until("both answer the client", SETTLED, || {
        answered.extend(who(&client)?);
        Ok(answered.len() == 2)
    })
    .map_err(|failure| with_log(&failure, &daemon))?;
    servers.pop();
    wait_until("the other is out of the table", SETTLED, || Ok(table(&stage.ours)?.lines().count() == 2))
        .map_err(|failure| with_log(&failure, &daemon))?;
    let answers: BTreeSet<_> = [who(&client)?, who(&client)?, who(&client)?].into();
    assert_eq!(answers, BTreeSet::from([Some([192, 168, 154, 12])]));
    Ok(())
}

/// `nftables_ipvs`: a group of two addresses is one service by mark, and both addresses are served.
#[test]
fn traffic_to_a_group_by_mark() -> Outcome {
    let echoes_here = Echoes::new(ECHO)?;
    for host in &echoes_here.stage.hosts {
        host.netns.ip("addr add 192.168.154.189/32 dev lo")?;
    }
    let config = echoes_here.config("");
    let config = config.replace("virtual_server 192.168.154.188 7", "virtual_server group both");
    let config = format!(
        "global_defs {{\n    nftables_ipvs\n}}\nvirtual_server_group both {{\n    192.168.154.188-189 7\n}}\n{}",
        config.replacen("virtual_ipaddress {", "virtual_ipaddress {\n        192.168.154.189", 1)
    );
    let mut daemon = Daemon::start(Program::Holdfast, echoes_here.director(), &config)?;
    for vip in ["192.168.154.188:7", "192.168.154.189:7"] {
        let vip: SocketAddr = vip.parse()?;
        wait_until(&format!("{vip} answers"), SETTLED, || {
            let open = echoes_here.client.netns.enter(|| TcpStream::connect_timeout(&vip, Duration::from_secs(2)))?;
            Ok(open.is_ok_and(|stream| echoes(&stream).is_ok()))
        })
        .map_err(|failure| with_log(&failure, &daemon))?;
    }
    let table_now = table(echoes_here.director())?;
    assert_eq!(table_now.lines().filter(|line| line.starts_with("-A")).collect::<Vec<_>>(), ["-A -f 1000 -s rr"]);
    assert!(daemon.terminate()?.success());
    assert_eq!(table(echoes_here.director())?, "");
    assert_eq!(run(echoes_here.director().netns.command("nft").args(["list", "ruleset"]))?, "");
    Ok(())
}
