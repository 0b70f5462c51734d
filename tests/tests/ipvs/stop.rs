//! What a stop leaves of the table: `lvs_flush_on_stop`.

use super::{Outcome, Stage, TCP, run, service, table};

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
