//! What a stop leaves of the table: `lvs_flush_on_stop`.

use super::same::state;
use super::{Outcome, SETTLED, Stage, TCP, run, service, table};
use nix::sys::signal::SIGKILL;
use tests::daemon::{Daemon, Program};
use tests::failure::wait_until;
use tests::lan::INTERFACE;

/// Somebody else's service, and its server.
const FOREIGN: [&str; 2] = ["-A -t 192.168.154.199:99 -s rr", "-a -t 192.168.154.199:99 -r 192.168.154.77:99 -m -w 1"];

#[test]
fn a_stop_leaves_what_is_somebody_elses_unless_the_file_says_otherwise() -> Outcome {
    let stage = Stage::new()?;
    let plain = service("lb_algo rr\n    lb_kind DR", "", TCP);
    let foreign: String = FOREIGN.map(|line| format!("{line}\n")).concat();
    for (keyword, left) in
        [("", foreign.as_str()), ("lvs_flush_on_stop VS", foreign.as_str()), ("lvs_flush_on_stop", "")]
    {
        for host in [&stage.theirs, &stage.ours] {
            run(host.netns.command("ipvsadm").arg("-C"))?;
            for line in FOREIGN {
                run(host.netns.command("ipvsadm").args(line.split(' ')))?;
            }
        }
        let mut daemons = stage.start(&plain.replace("router_id test", &format!("router_id test\n    {keyword}")))?;
        stage.agree(&format!("{keyword:?}: it runs"), &daemons, |table| table.lines().count() == 5)?;
        for daemon in &mut daemons {
            assert!(daemon.terminate()?.success());
        }
        for host in [&stage.theirs, &stage.ours] {
            assert_eq!(table(host)?, left, "{keyword:?} on {}", host.name);
        }
    }
    Ok(())
}

/// `--dont-release-ipvs`: what stays of the table, of its timeouts and of its daemons.
#[test]
fn a_stop_that_releases_nothing_leaves_the_same() -> Outcome {
    let stage = Stage::new()?;
    let global = format!("router_id test\n    lvs_timeouts tcp 1000\n    lvs_sync_daemon {INTERFACE} id 7");
    let config = service("lb_algo rr\n    lb_kind DR", "", TCP).replace("router_id test", &global);
    let start = |program, host| Daemon::start_with(program, host, &config, &["--dont-release-ipvs"]);
    let mut daemons = [start(Program::Keepalived, &stage.theirs)?, start(Program::Holdfast, &stage.ours)?];
    stage.agree("it runs", &daemons, |table| table.lines().count() == 3)?;
    for daemon in &mut daemons {
        assert!(daemon.terminate()?.success());
    }
    let (theirs, ours) = (state(&stage.theirs)?, state(&stage.ours)?);
    assert!(theirs == ours && theirs.contains("-a "), "theirs:\n{theirs}ours:\n{ours}");
    // Also when nobody is left to say so.
    let holdfast = start(Program::Holdfast, &stage.ours)?;
    holdfast.wait_log("Startup complete", SETTLED)?;
    let all = holdfast.processes();
    holdfast.signal(SIGKILL);
    wait_until("its children end", SETTLED, || Ok(!all.iter().any(|process| process.runs())))?;
    assert_eq!(state(&stage.ours)?, ours);
    Ok(())
}
