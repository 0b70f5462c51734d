//! FRR's vrrpd or bfdd on a host: zebra and it with their own sockets, below a directory of the test.

use crate::cleanup::Directory;
use crate::failure::{Context, Outcome, wait_until};
use crate::lan::{Host, INTERFACE};
use crate::netns;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where Debian's package has its daemons.
const PROGRAMS: &str = "/usr/lib/frr";

/// A virtual router that speaks version 3 over both families, as a user of FRR sets it up: one macvlan interface for each.
#[derive(Debug)]
pub struct Frr {
    /// zebra, and vrrpd or bfdd.
    processes: Vec<Child>,
    directory: Directory,
    netns: String,
}

impl Frr {
    /// Starts it with virtual router 51 and that priority.
    pub fn start(host: &Host, priority: u8, four: &str, six: &str) -> Outcome<Frr> {
        let netns = &host.netns;
        netns.sysctl("ipv6/conf/default/disable_ipv6", "0")?;
        netns.sysctl("ipv6/conf/default/accept_dad", "0")?;
        for (name, mac, address) in [("vrrp4", "00:00:5e:00:01:33", four), ("vrrp6", "00:00:5e:00:02:33", six)] {
            // Left by an earlier one on this host.
            let _ = netns.ip(&format!("link del {name}"));
            netns.ip(&format!("link add link {INTERFACE} name {name} type macvlan mode bridge"))?;
            netns.ip(&format!("link set {name} address {mac}"))?;
            netns.ip(&format!("addr add {address} dev {name}"))?;
            netns.ip(&format!("link set {name} up"))?;
        }
        let directory = Directory::new()?;
        // The daemons drop to the account of the package.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777))?;
        let bare = |address: &str| address.split('/').next().unwrap_or_default().to_owned();
        let config = format!(
            "interface {INTERFACE}\n vrrp 51 version 3\n vrrp 51 priority {priority}\n vrrp 51 advertisement-interval 1000\n \
             vrrp 51 ip {}\n vrrp 51 ipv6 {}\n",
            bare(four),
            bare(six)
        );
        let (empty, config) = (directory.write("zebra.conf", "")?, directory.write("vrrpd.conf", &config)?);
        let mut frr = Frr { processes: Vec::new(), directory, netns: netns.name().to_owned() };
        frr.run(host, "zebra", &empty)?;
        wait_until("zebra listens", Duration::from_secs(10), || Ok(frr.directory.file("zserv.api").exists()))?;
        frr.run(host, "vrrpd", &config)?;
        Ok(frr)
    }

    /// Starts zebra and bfdd with this configuration.
    pub fn bfd(host: &Host, config: &str) -> Outcome<Frr> {
        let directory = Directory::new()?;
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777))?;
        let (empty, config) = (directory.write("zebra.conf", "")?, directory.write("bfdd.conf", config)?);
        let mut frr = Frr { processes: Vec::new(), directory, netns: host.netns.name().to_owned() };
        frr.run(host, "zebra", &empty)?;
        wait_until("zebra listens", Duration::from_secs(10), || Ok(frr.directory.file("zserv.api").exists()))?;
        frr.run(host, "bfdd", &config)?;
        Ok(frr)
    }

    fn run(&mut self, host: &Host, program: &str, config: &Path) -> Outcome {
        let at = self.directory.path();
        let process = host
            .netns
            .command(Path::new(PROGRAMS).join(program))
            .arg("-f")
            .arg(config)
            .arg("-z")
            .arg(at.join("zserv.api"))
            .arg("-i")
            .arg(at.join(format!("{program}.pid")))
            .arg("--vty_socket")
            .arg(at)
            .args(["-u", "frr", "-g", "frr"])
            .args((program == "bfdd").then(|| format!("--bfdctl={}", at.join("bfdctl.sock").display())))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context(|| format!("cannot start FRR's {program}; the Debian package frr has it"))?;
        self.processes.push(process);
        Ok(())
    }

    /// What `show vrrp` says, by its names.
    pub fn show(&self, name: &str) -> Outcome<String> {
        let mut vtysh = Command::new("ip");
        vtysh.args(["netns", "exec", &self.netns, "vtysh", "--vty_socket"]).arg(self.directory.path());
        let text = netns::run(vtysh.args(["-c", "show vrrp"]))?;
        let value = text.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap_or_default();
        Ok(value.trim().to_owned())
    }

    /// Asks vrrpd to end, and waits until it has.
    pub fn terminate(&mut self) -> Outcome {
        let Some(vrrpd) = self.processes.get_mut(1) else { return Ok(()) };
        kill(Pid::from_raw(i32::try_from(vrrpd.id())?), Signal::SIGTERM)?;
        wait_until("FRR's vrrpd ends", Duration::from_secs(10), || Ok(vrrpd.try_wait()?.is_some()))
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
