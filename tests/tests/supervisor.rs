//! The supervisor with its real children: what it logs, how it stops, what it survives.

use std::time::Duration;
use tests::daemon::{Daemon, Program};
use tests::failure::Outcome;
use tests::lan::{Host, Lan};

/// How long a start may take on a busy machine.
const SOON: Duration = Duration::from_secs(20);

const VRRP: &str = "
vrrp_instance VI_1 {
    interface ens33
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        192.168.154.188
    }
}
";

const SERVICE: &str = "
virtual_server 192.168.154.188 80 {
    delay_loop 5
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 192.168.154.20 80 {
        TCP_CHECK {
        }
    }
}
";

fn host() -> Outcome<(Lan, Host)> {
    let lan = Lan::new()?;
    let host = lan.host("alone", "192.168.154.10/24")?;
    Ok((lan, host))
}

#[test]
fn missing_ipvs_is_one_error_and_only_where_there_is_a_virtual_server() -> Outcome {
    let (_lan, host) = host()?;
    let lines = |config: &str| -> Outcome<Vec<String>> {
        let mut daemon = Daemon::start(Program::Holdfast, &host, config)?;
        daemon.wait_log("Startup complete", SOON)?;
        if config.contains("virtual_server") {
            daemon.wait_log("Activating healthchecker", SOON)?;
        }
        daemon.terminate()?;
        let about = |line: &&str| line.contains("IPVS") || line.contains("ip_vs");
        Ok(daemon.log().lines().filter(about).map(str::to_owned).collect())
    };
    assert_eq!(lines(VRRP)?, Vec::<String>::new());
    let with_service = lines(SERVICE)?;
    // After the start, which loads the module where it can.
    let kernel_has_it = std::path::Path::new("/proc/net/ip_vs").exists();
    assert_eq!(with_service.len(), usize::from(!kernel_has_it), "{with_service:?}");
    assert!(with_service.iter().all(|line| line.contains("kernel has no IPVS")), "{with_service:?}");
    Ok(())
}
