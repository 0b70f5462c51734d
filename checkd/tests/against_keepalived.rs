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
    corpus.extend(server_half());
    for name in ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "fo", "ovf", "sed", "nq"] {
        corpus.push((Both, server("", "").replace("lvs_sched rr", &format!("lb_algo {name}"))));
    }
    corpus
}

/// Checkers, sessions, files, groups and what is always there.
fn server_half() -> Vec<(Takes, String)> {
    let check = |kind: &str, lines: &str| server("", &format!("  {kind} {{\n{lines}\n  }}"));
    let block = |name: &str, lines: &str| format!("{name} {{\n{lines}\n}}\n");
    vec![
        (Both, check("SMTP_CHECK", " helo_name me\n connect_timeout 3\n retry 2\n delay_before_retry 3")),
        (Both, check("DNS_CHECK", " type A\n name example.org")),
        (Neither, check("DNS_CHECK", " type PTRR")),
        (Both, check("UDP_CHECK", " payload 0102\n require_reply 1x0X\n min_reply_length 2\n max_reply_length 9")),
        (OnlyUs, check("UDP_CHECK", " payload ff")), // keepalived 2.2.7 takes ff01, but neither ff nor 01ff
        (Neither, check("UDP_CHECK", " payload 0g")),
        (Both, check("PING_CHECK", " retry 2")),
        (
            Both,
            format!(
                "global_defs {{\n enable_script_security\n}}\n{}",
                check("MISC_CHECK", " misc_path \"/bin/true a\"\n misc_timeout 5\n misc_dynamic\n user root")
            ),
        ),
        (Both, check("SSL_GET", " enable_sni\n url {\n  path /\n  regex \"a.*b\"\n  regex_options caseless\n }")),
        (Neither, check("FILE_CHECK", " track_file missing")),
        (Neither, check("BFD_CHECK", " name missing")),
        (
            Both,
            block(
                "bfd_instance b",
                " neighbor_ip 192.0.2.1\n source_ip 192.0.2.2\n min_rx 20\n multiplier 3\n passive",
            ),
        ),
        (Neither, block("bfd_instance b", " min_rx 20")),
        (Neither, block("bfd_instance b", " neighbor_ip 192.0.2.1\n source_ip fd00::1")),
        (Both, block("track_file f", " file /tmp/f\n weight 5\n init_file 0")),
        (Both, format!("{}{}", block("virtual_server_group g", " 192.0.2.1-9 80\n fwmark 3"), server("", ""))),
        (Neither, block("virtual_server_group g", " 192.0.2.9-1 80")),
        (Both, block("static_ipaddress", " 192.0.2.5/24 dev eth0 brd + scope link label eth0:1\n fd00::5/64 dev eth0")),
        (Neither, block("static_ipaddress", " 192.0.2.5/33 dev eth0")),
        (
            Both,
            block(
                "static_routes",
                " 198.51.100.0/24 via 192.0.2.1 dev eth0 metric 5 mtu lock 1400 table 100\n blackhole 10.0.0.0/8 no_track",
            ),
        ),
        (Neither, block("static_routes", " 198.51.100.0/24 sideways 192.0.2.1")),
        (Neither, block("static_routes", " 198.51.100.0/24 via here")),
        (Both, block("static_rules", " from 192.0.2.0/24 table 100 priority 5\n iif eth0 blackhole preference 7")),
        (Neither, block("static_rules", " from 192.0.2.0/24 priority 5")),
        (
            Both,
            block("global_defs", " lvs_timeouts tcp 7200 udp 300\n lvs_flush\n lvs_sync_daemon eth0 id 3\n umask 077"),
        ),
        (Neither, block("global_defs", " lvs_timeouts tcp 2678401")),
        (Neither, block("global_defs", " json_version 7")),
        (Neither, server(" lvs_method TUN type gue", "")),
        (Both, server(" lvs_method TUN type gue port 6080 csum", "")),
    ]
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
