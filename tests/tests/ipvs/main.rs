//! The kernel's IPVS table and traffic through it. Needs a kernel with IPVS; tests/run starts a virtual machine with one
//! where it is missing.
//!
//! Two directors on one LAN run the same configuration, one with Debian's keepalived and one with ours. Both check the
//! same web servers, so their tables must be equal whenever things have settled.

mod apart;
mod connections;
mod files;
mod policy;
mod reloads;
mod same;
mod served;
mod sticky;
mod stop;
mod synced;
mod timing;
mod told;
mod town;
mod traffic;

use std::time::{Duration, Instant};
use tests::daemon::{Daemon, Program};
use tests::failure::{Context, Failure, Outcome, wait_for, wait_until};
use tests::lan::{Host, Lan};
use tests::netns::run;
use tests::web::Web;

/// Longest time until both tables agree: every configuration here checks at least each second, but an emulated machine on
/// a busy one has been seen to need 30 s for a start.
const SETTLED: Duration = Duration::from_secs(90);

/// From one look at a table that must not change to the next.
const LOOK: Duration = Duration::from_millis(100);

/// For how long they must then agree.
const STABLE: Duration = Duration::from_secs(2);

/// Two directors and two web servers.
pub struct Stage {
    theirs: Host,
    ours: Host,
    hosts: [Host; 2],
    webs: [Option<Web>; 2],
    lan: Lan,
}

impl Stage {
    fn new() -> Outcome<Self> {
        let lan = Lan::new()?;
        let theirs = lan.host("theirs", "192.168.154.10/24")?;
        let ours = lan.host("ours", "192.168.154.11/24")?;
        for director in [&theirs, &ours] {
            run(director.netns.command("ipvsadm").arg("-Ln"))
                .context(|| "the kernel has no IPVS; tests/run takes care of that".into())?;
        }
        let hosts = [web_host(&lan, "web1", "192.168.154.12/24")?, web_host(&lan, "web2", "192.168.154.13/24")?];
        let mut stage = Stage { theirs, ours, hosts, webs: [None, None], lan };
        stage.start_web(0)?;
        stage.start_web(1)?;
        Ok(stage)
    }

    fn start_web(&mut self, which: usize) -> Outcome {
        self.webs[which] = Some(Web::start(&self.hosts[which], &self.hosts[which].name)?);
        Ok(())
    }

    fn kill_web(&mut self, which: usize) {
        self.webs[which].take().into_iter().for_each(Web::kill);
    }

    fn start(&self, config: &str) -> Outcome<[Daemon; 2]> {
        self.start_two(config, config)
    }

    /// The same with a configuration for each.
    fn start_two(&self, theirs: &str, ours: &str) -> Outcome<[Daemon; 2]> {
        Ok([
            Daemon::start(Program::Keepalived, &self.theirs, theirs)?,
            Daemon::start(Program::under_test(), &self.ours, ours)?,
        ])
    }

    /// Waits until both tables are equal, `expected` holds of them, and both are true for a while.
    fn agree(&self, what: &str, daemons: &[Daemon; 2], expected: impl Fn(&str) -> bool) -> Outcome<String> {
        let mut since = None;
        let mut last = (String::new(), String::new());
        let agreed = wait_for(&format!("{what}: both tables are equal"), SETTLED, || {
            let tables = (table(&self.theirs)?, table(&self.ours)?);
            let good = tables.0 == tables.1 && expected(&tables.0);
            if !good || tables != last {
                since = good.then(Instant::now);
            }
            last = tables.clone();
            Ok(since.is_some_and(|since: Instant| since.elapsed() > STABLE).then_some(tables.0))
        });
        agreed.map_err(|failure| {
            let [theirs, ours] = daemons;
            Failure::new(format!(
                "{failure}\ntheirs:\n{}ours:\n{}their log:\n{}our log:\n{}",
                last.0,
                last.1,
                theirs.log(),
                ours.log()
            ))
        })
    }
}

fn web_host(lan: &Lan, name: &str, address: &str) -> Outcome<Host> {
    let host = lan.host(name, address)?;
    host.netns.sysctl("ipv4/conf/all/arp_ignore", "1")?;
    host.netns.sysctl("ipv4/conf/all/arp_announce", "2")?;
    host.netns.ip("addr add 192.168.154.188/32 dev lo")?;
    Ok(host)
}

/// A director's table in a comparable order: services, then destinations, sorted.
fn table(host: &Host) -> Outcome<String> {
    let text = run(host.netns.command("ipvsadm").arg("-Sn"))?;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    Ok(lines.into_iter().map(|line| format!("{line}\n")).collect())
}

/// Equal tables with both web servers, with one, with none, and with both again; empty at the end.
fn same_table(config: &str) -> Outcome {
    let mut stage = Stage::new()?;
    let mut daemons = stage.start(config)?;
    let full = stage.agree("both alive", &daemons, |table| table.matches("192.168.154.1").count() > 2)?;
    stage.kill_web(1);
    stage.agree("one dead", &daemons, |table| table != full)?;
    stage.kill_web(0);
    stage.agree("both dead", &daemons, |table| table != full)?;
    stage.start_web(0)?;
    stage.agree("one back", &daemons, |_| true)?;
    stage.start_web(1)?;
    stage.agree("both back", &daemons, |table| table == full)?;
    for daemon in &mut daemons {
        assert!(daemon.terminate()?.success());
    }
    assert_eq!(table(&stage.ours)?, "", "nothing is left behind");
    Ok(())
}

/// A virtual server with quick checks. `more` goes into the virtual server, `real` into each real server.
fn service(more: &str, real: &str, check: &str) -> String {
    let server = |last: u8, weight: u8| {
        format!(
            "    real_server 192.168.154.{last} 80 {{\n        weight {weight}\n        {real}\n        {check}\n    }}\n"
        )
    };
    format!(
        "global_defs {{\n    router_id test\n}}\nvirtual_server 192.168.154.188 80 {{\n    delay_loop 1\n    protocol TCP\n    {more}\n{}{}}}\n",
        server(12, 1),
        server(13, 3)
    )
}

const TCP: &str =
    "TCP_CHECK {\n            connect_timeout 1\n            retry 1\n            delay_before_retry 1\n        }";

#[test]
fn seed_000_3() -> Outcome {
    let stage = Stage::new()?;
    let config = include_str!("../../conf/seeds/000_3_lvs_dr_master.conf");
    // Theirs and ours would be two masters of one virtual router; only the table is of interest here.
    let daemons = stage.start(&config.replace("192.168.154.188\n    }", "192.168.154.199\n    }"))?;
    let table = stage.agree("both alive", &daemons, |table| table.lines().count() == 3)?;
    assert_eq!(
        table,
        "-A -t 192.168.154.188:80 -s rr\n\
         -a -t 192.168.154.188:80 -r 192.168.154.12:80 -g -w 1\n\
         -a -t 192.168.154.188:80 -r 192.168.154.13:80 -g -w 1\n"
    );
    Ok(())
}

#[test]
fn tcp_check_with_weights() -> Outcome {
    same_table(&service("lb_algo wrr\n    lb_kind DR", "", TCP))
}

#[test]
fn http_get_status_code() -> Outcome {
    let check = "HTTP_GET {\n            url {\n                path /\n                status_code 200\n            }\n            connect_timeout 2\n            retry 1\n            delay_before_retry 1\n        }";
    same_table(&service("lb_algo wlc\n    lb_kind NAT", "", check))
}

#[test]
fn inhibit_on_failure_keeps_them_with_weight_0() -> Outcome {
    same_table(&service("lb_algo rr\n    lb_kind DR", "inhibit_on_failure", TCP))
}

#[test]
fn sorry_server_answers_below_quorum() -> Outcome {
    same_table(&service(
        "lb_algo rr\n    lb_kind DR\n    quorum 2\n    hysteresis 1\n    sorry_server 192.168.154.100 80",
        "",
        TCP,
    ))
}

#[test]
fn sorry_server_inhibit_keeps_it_with_weight_0() -> Outcome {
    same_table(&service(
        "lb_algo rr\n    lb_kind DR\n    sorry_server 192.168.154.100 80\n    sorry_server_inhibit",
        "",
        TCP,
    ))
}

#[test]
fn persistence_and_tunnel() -> Outcome {
    same_table(&service("lb_algo lc\n    lb_kind TUN\n    persistence_timeout 50", "", TCP))
}

#[test]
fn a_reload_touches_only_what_changed() -> Outcome {
    let stage = Stage::new()?;
    let config = service("lb_algo rr\n    lb_kind DR", "", TCP);
    let daemons = stage.start(&config)?;
    stage.agree("both alive", &daemons, |table| table.lines().count() == 3)?;
    let reload = |config: &str| daemons.iter().try_for_each(|daemon| daemon.reload(config));
    reload(&config.replace("weight 3", "weight 7"))?;
    stage.agree("another weight", &daemons, |table| table.contains("-w 7"))?;
    reload(&config.replace("lb_algo rr", "lb_algo wlc"))?;
    stage.agree("another scheduler", &daemons, |table| table.contains("-s wlc"))?;
    reload(&config.replace("192.168.154.13", "192.168.154.14"))?;
    stage.agree("another real server, which is dead", &daemons, |table| table.lines().count() == 2)?;
    Ok(())
}

#[test]
fn a_killed_ipvsd_or_checkd_leaves_the_table_alone() -> Outcome {
    let mut stage = Stage::new()?;
    let mut daemon = Daemon::start(Program::Holdfast, &stage.ours, &service("lb_algo rr\n    lb_kind DR", "", TCP))?;
    wait_until("both are in the table", SETTLED, || Ok(table(&stage.ours)?.lines().count() == 3))?;
    let full = table(&stage.ours)?;
    for name in ["ipvsd", "checkd"] {
        let victim = daemon.process(name)?;
        victim.signal(nix::sys::signal::SIGKILL);
        let until = Instant::now() + Duration::from_secs(4);
        while Instant::now() < until {
            assert_eq!(table(&stage.ours)?, full, "{name} was killed; the log:\n{}", daemon.log());
            std::thread::sleep(LOOK);
        }
        wait_until(&format!("{name} is started again"), SETTLED, || {
            Ok(daemon.processes().iter().any(|process| process.name == name && process.pid != victim.pid))
        })?;
    }
    stage.kill_web(1);
    wait_until("the dead one is taken out", SETTLED, || Ok(table(&stage.ours)?.lines().count() == 2))
        .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    // A new checkd knows that it was dead, and checks it: it comes back when it answers, and not before.
    let one = table(&stage.ours)?;
    let victim = daemon.process("checkd")?;
    victim.signal(nix::sys::signal::SIGKILL);
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        assert_eq!(table(&stage.ours)?, one, "checkd was killed; the log:\n{}", daemon.log());
        std::thread::sleep(LOOK);
    }
    stage.start_web(1)?;
    wait_until("it is back", SETTLED, || Ok(table(&stage.ours)? == full))
        .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    assert!(daemon.terminate()?.success());
    assert_eq!(table(&stage.ours)?, "");
    Ok(())
}
