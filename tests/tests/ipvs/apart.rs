//! `net_namespace_ipvs`: the table is in one network namespace, checks and addresses are in another.

use super::{SETTLED, Stage, TCP, service, table};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};

/// Started on a host that reaches the web servers, the table is another's; so it is under keepalived. Without a name it is the one in which
/// the daemon was started, which `net_namespace` has it leave.
#[test]
fn the_table_is_in_another_namespace() -> Outcome {
    let mut stage = Stage::new()?;
    let (ours, other) = (stage.ours.netns.name().to_owned(), stage.theirs.netns.name().to_owned());
    let config = service("lb_algo rr\n    lb_kind NAT", "", TCP);
    let named = format!("net_namespace_ipvs {other}\n{config}");
    let both = format!("net_namespace {ours}\nnet_namespace_ipvs\n{config}");
    let mut expected = String::new();
    for (program, config, start) in [
        (Program::Keepalived, &named, &stage.ours),
        (Program::Holdfast, &named, &stage.ours),
        (Program::Holdfast, &both, &stage.theirs),
    ] {
        let mut daemon = Daemon::start(program, start, config)?;
        wait_until("both are in the other table", SETTLED, || Ok(table(&stage.theirs)?.lines().count() == 3))
            .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
        if expected.is_empty() {
            expected = table(&stage.theirs)?;
        }
        assert_eq!((table(&stage.theirs)?, table(&stage.ours)?), (expected.clone(), String::new()));
        if program == Program::Holdfast {
            // A new ipvsd takes over what is there, and takes what dies later out.
            let ipvsd = daemon.process("ipvsd")?;
            ipvsd.signal(nix::sys::signal::SIGKILL);
            wait_until("ipvsd is started again", SETTLED, || {
                Ok(daemon.processes().iter().any(|process| process.name == "ipvsd" && process.pid != ipvsd.pid))
            })?;
            daemon.reload(&config.replacen("net_namespace", "# net_namespace", 1))?;
            daemon.wait_log("stay as they were at the start", SETTLED)?;
            assert_eq!(table(&stage.theirs)?, expected);
        }
        assert!(daemon.terminate()?.success());
        assert_eq!(table(&stage.theirs)?, "");
    }
    let mut daemon = Daemon::start(Program::Holdfast, &stage.ours, &named)?;
    wait_until("both are in the other table", SETTLED, || Ok(table(&stage.theirs)? == expected))?;
    daemon.process("ipvsd")?.signal(nix::sys::signal::SIGKILL);
    stage.kill_web(1);
    wait_until("the dead one is taken out of it", SETTLED, || Ok(table(&stage.theirs)?.lines().count() == 2))
        .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    assert!(daemon.terminate()?.success());
    Ok(())
}
