//! Interfaces that are made, on the real kernel. In namespaces of the tests' own; needs root and macvlan.

// What a test needs and has not got ends it.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::vips::{config, links, vmac};
use common::{Ipvsd, eventually, ip, link, namespace};
use ipc::config::ipvs::IpvsConfig;
use std::fs::{File, read_to_string};
use std::process::{Command, Stdio};
use std::time::Duration;

fn value(name: &str) -> String {
    read_to_string(format!("/proc/sys/net/ipv4/conf/{name}")).unwrap_or_default()
}

/// A name that a stranger has beside its own: nothing can be made under it, and the stranger is not touched for a moment.
#[test]
fn a_stranger_that_bears_the_name_as_well_is_not_touched() {
    namespace();
    link();
    ip("link add x0 type veth peer name x1");
    ip("link property add dev x0 altname vrrp.7");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("changes");
    let mut monitor = Command::new("ip")
        .args(["-o", "monitor", "link", "address", "netconf"])
        .stdin(Stdio::null())
        .stdout(File::create(&path).expect("a file"))
        .spawn()
        .expect("ip is installed");
    std::thread::sleep(Duration::from_millis(300));
    let settings = || ["arp_ignore", "accept_local", "rp_filter"].map(|name| value(&format!("x0/{name}")));
    let before = settings();

    let mut ipvsd = Ipvsd::start();
    let config = IpvsConfig { links: links(&["v0", "vrrp.7"]), made: vec![vmac()], ..config(&[]) };
    ipvsd.activate(1, &config);
    // The first two tries: at once, and a second later.
    std::thread::sleep(Duration::from_millis(1_500));
    let changes = read_to_string(&path).expect("the changes");
    assert!(!changes.contains("x0"), "{changes}");
    assert_eq!(settings(), before);
    assert!(ip("-o link show dev x0").contains("state DOWN"));

    // When the name is free it is made, and goes up with its settings.
    ip("link property del dev x0 altname vrrp.7");
    eventually("it is made and up", || ip("-o link show type macvlan").contains("vrrp.7@v0") && up());
    eventually("it has its settings", || value("vrrp.7/arp_ignore").trim() == "1");
    assert!(!ip("-o -6 addr show dev vrrp.7").contains("fe80:"), "it has no address by itself");
    monitor.kill().expect("it runs");
    monitor.wait().expect("it is our child");
    let changes = read_to_string(&path).expect("the changes");
    assert!(!changes.contains("fe80::200:5eff:fe00:107"), "not even for a moment: {changes}");
    ipvsd.stop();
    assert_eq!(ip("-o link show type macvlan"), "");
}

fn up() -> bool {
    ip("-o link show dev vrrp.7").contains("state UP")
}
