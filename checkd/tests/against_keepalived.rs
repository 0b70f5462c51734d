//! Small files, read by Debian's keepalived and by us: who takes what without an error. Differences that are meant are listed as such.
//!
//! `keepalived -t` runs in a network namespace of its own that has an `eth0`. Needs root and keepalived (2.2.7 is what was compared).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at what it did not expect")]

use checkd::conf::compile;
use ipc::msg::compile::{CompileMode, Facts};
use std::path::Path;
use std::process::Command;

/// Who takes a file without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Both,
    Neither,
    /// Meant; the reason stands beside it.
    OnlyUs,
}
use Takes::{Both, Neither, OnlyUs};

fn instance(lines: &str) -> String {
    format!(
        "vrrp_instance A {{\n interface eth0\n virtual_router_id 1\n{lines}\n virtual_ipaddress {{\n  192.0.2.9\n }}\n}}\n"
    )
}

fn server(lines: &str, real: &str) -> String {
    format!(
        "virtual_server 192.0.2.9 80 {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n{lines}\n real_server 192.0.2.1 80 {{\n{real}\n }}\n}}\n"
    )
}

fn corpus() -> Vec<(Takes, String)> {
    let mut corpus: Vec<(Takes, String)> = vec![
        (Both, "global_defs {\n router_id a\n}\n".into()),
        (Both, "global_defs{router_id a}".into()),
        (Both, "global_defs\n{\n router_id \"a # b\" # c\n}\n".into()),
        (Both, "! comment\r\nglobal_defs {\r\n}\r\n".into()),
        (Neither, "global_defs {\n}\n}\n".into()),
        (Neither, "global_defs {\n".into()),
        (Neither, "global_defs {\n router_id \"a\n}\n".into()),
        (Neither, "nonsense\n".into()),
        (Neither, "nonsense {\n router_id a\n}\n".into()),
        (Both, "$A= \\\nglobal_defs { \\\n router_id ${B} \\\n}\n$B=x\n$A\n".into()),
        (Both, instance(" priority 100\n advert_int 1\n state BACKUP\n nopreempt")),
        (Both, instance(" nopreempt extra words")), // a warning here
        (Neither, instance(" priority 256")),
        (Neither, instance(" advert_int often")),
        (Neither, instance(" unheard_of 1")),
        (Neither, instance(" unheard_of {\n  priority 1\n }")),
        (Neither, instance(" authentication {\n  auth_type PLAIN\n  auth_pass x\n }")),
        (Both, instance(" authentication {\n  auth_type PASS\n  auth_pass x\n }")),
        (Neither, instance(" track_script {\n  missing\n }")),
        (Neither, instance(" garp_master_delay -1")),
        (
            Both,
            instance(" garp_master_delay 1\n garp_master_repeat 2\n garp_master_refresh 60\n lower_prio_no_advert off"),
        ),
        (Both, instance(" unicast_src_ip 192.0.2.1\n unicast_peer {\n  192.0.2.2\n }")),
        (Both, instance(" version 3\n advert_int 0.25")),
        (Both, server("", "")),
        (Both, server(" persistence_timeout 50\n persistence_granularity 255.255.255.0", "")),
        (
            Both,
            server(
                " quorum 1\n hysteresis 0\n alpha\n omega\n delay_loop 2.5\n retry 2",
                " weight 5\n inhibit_on_failure",
            ),
        ),
        (
            Both,
            server("", " TCP_CHECK {\n  connect_port 80\n  connect_timeout 3\n  retry 3\n  delay_before_retry 3\n }"),
        ),
        (Both, server("", " HTTP_GET {\n  url {\n   path /\n   status_code 200\n  }\n }")),
        (Neither, server("", " weight -1")),
        (Neither, server("", " HTTP_GET {\n  url {\n   path /\n   digest 12\n  }\n }")),
        (Neither, server(" lb_algo fastest", "")),
        (Neither, server(" retry 0", "")),
        (Neither, server("", "").replace("192.0.2.9", "192.0.2.900")),
        // Read as everybody means it: `retry` of old HTTP_GET, 0 for off, a password of nine letters, a whole number of seconds.
        (OnlyUs, server("", " TCP_CHECK {\n  nb_get_retry 3\n }")),
        (OnlyUs, server(" persistence_timeout 0", "")),
        (OnlyUs, instance(" authentication {\n  auth_type PASS\n  auth_pass 123456789\n }")),
        (OnlyUs, instance(" advert_int 1.5")),
        // keepalived calls its own defaults errors.
        (OnlyUs, server("", "").replace(" lvs_sched rr\n", "")),
    ];
    for name in ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "fo", "ovf", "sed", "nq"] {
        corpus.push((Both, server("", "").replace("lvs_sched rr", &format!("lb_algo {name}"))));
    }
    corpus
}

fn we_take(text: &str) -> bool {
    let facts = Facts {
        path: "k.conf".into(),
        cwd: "/".into(),
        config_id: "n1".into(),
        hostname: "n1".into(),
        interfaces: vec!["lo".into(), "eth0".into()],
        ..Facts::default()
    };
    let verdict = compile(facts, CompileMode::Test, text.as_bytes().to_vec(), |_| (Vec::new(), Vec::new())).verdict();
    verdict.fatal == 0 && verdict.errors == 0
}

/// All files of the directory in one namespace; gives `NAME CODE` lines.
fn keepalived(directory: &Path) -> String {
    let script = "ip link add eth0 type veth peer name eth1 && ip link set eth0 up && ip link set eth1 up || exit 1
        for f in \"$1\"/*.conf; do timeout 20 keepalived -t -f \"$f\" >\"$f.out\" 2>&1; echo \"${f##*/} $?\"; done";
    let output = Command::new("unshare")
        .args(["--net", "sh", "-c", script, "sh"])
        .arg(directory)
        .output()
        .unwrap_or_else(|e| panic!("unshare: {e}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_same_files_are_taken() {
    if !nix::unistd::geteuid().is_root() || Command::new("keepalived").arg("--version").output().is_err() {
        return eprintln!("needs root and keepalived");
    }
    let directory = std::env::temp_dir().join(format!("holdfast-against-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let corpus = corpus();
    for (n, (_, text)) in corpus.iter().enumerate() {
        std::fs::write(directory.join(format!("{n:03}.conf")), text).unwrap();
    }
    let theirs = keepalived(&directory);
    let mut wrong = Vec::new();
    for (n, ((expected, text), line)) in corpus.iter().zip(theirs.lines()).enumerate() {
        let they = line.ends_with(" 0");
        let we = we_take(text);
        let is = match (we, they) {
            (true, true) => Some(Both),
            (false, false) => Some(Neither),
            (true, false) => Some(OnlyUs),
            (false, true) => None,
        };
        if is != Some(*expected) {
            let said = std::fs::read_to_string(directory.join(format!("{n:03}.conf.out"))).unwrap_or_default();
            wrong.push(format!("{expected:?} was expected, we {we}, keepalived {they}:\n{text}\n{said}"));
        }
    }
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(theirs.lines().count(), corpus.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
