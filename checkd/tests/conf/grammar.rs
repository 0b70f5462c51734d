//! Every keyword of the server half, of static addresses, routes and rules: one case that is taken and one that is not.

use crate::common::{bundle, problems_of, server};
use ipc::config::check::{Checker, CheckerKind};
use ipc::config::file::FileWeight;
use ipc::config::ipvs::{Checksum, GroupEntry, Method};
use ipc::config::probe::{DnsType, Reply};
use ipc::config::route::{Encap, MetricKind, RouteType, RuleAction};
use ipc::config::vrrp::Switch;
use ipc::config::{BfdIdx, FileIdx};
use ipc::msg::compile::CompileMode;
use std::time::Duration;

/// Where a line stands.
#[derive(Clone, Copy)]
enum In {
    File,
    Global,
    Bfd,
    Track,
    Group,
    Server,
    Real,
    Checker(&'static str),
    Url,
    Ssl,
    Addrs,
    Routes,
    Rules,
}

fn text(place: In, line: &str) -> String {
    match place {
        In::File => format!("{line}\n"),
        In::Global => format!("global_defs {{\n{line}\n}}\n"),
        In::Bfd => format!("bfd_instance b {{\nneighbor_ip 192.0.2.1\n{line}\n}}\n"),
        In::Track if line.starts_with("file ") => format!("track_file f {{\n{line}\n}}\n"),
        In::Track => format!("track_file f {{\nfile /run/f\n{line}\n}}\n"),
        In::Group => format!("virtual_server_group g {{\n{line}\n}}\n"),
        In::Server => server(line, ""),
        In::Real => server("", line),
        In::Checker(kind) => {
            let needed = match kind {
                "HTTP_GET" | "SSL_GET" => "url {\npath /\n}",
                "MISC_CHECK" => "misc_path /bin/true",
                "FILE_CHECK" => "track_file f",
                "BFD_CHECK" => "name b",
                _ => "",
            };
            let known = "track_file f {\nfile /run/f\n}\nbfd_instance b {\nneighbor_ip 192.0.2.1\n}\n";
            format!("{known}{}", server("", &format!("{kind} {{\n{needed}\n{line}\n}}")))
        }
        In::Url => server("", &format!("HTTP_GET {{\nurl {{\npath /\n{line}\n}}\n}}")),
        In::Ssl => format!("SSL {{\n{line}\n}}\n"),
        In::Addrs => format!("track_group g {{\n}}\nstatic_ipaddress {{\n{line}\n}}\n"),
        In::Routes => format!("track_group g {{\n}}\nstatic_routes {{\n{line}\n}}\n"),
        In::Rules => format!("track_group g {{\n}}\nstatic_rules {{\n{line}\n}}\n"),
    }
}

/// Place, what is taken, what is an error (or, where nothing is, at least a warning of its own; empty: a bare flag).
const CASES: &[(In, &str, &str)] = &[
    (In::Global, "default_interface eth0", "default_interface a/b"),
    (In::Global, "process_names", ""),
    (In::Global, "process_name short", "process_name"),
    (In::Global, "vrrp_process_name short", "vrrp_process_name"),
    (In::Global, "checker_process_name short", "checker_process_name"),
    (In::Global, "lvs_process_name short", "lvs_process_name"),
    (In::Global, "bfd_process_name short", "bfd_process_name"),
    (In::Global, "set_supplementary_groups yes", "set_supplementary_groups perhaps"),
    (In::Global, "umask IWGRP|IRWXO", "umask 01777"),
    (In::Global, "random_seed 7", "random_seed -7"),
    (In::Global, "tmp_config_directory /tmp", "tmp_config_directory tmp"),
    (In::Global, "config_save_dir /tmp", "config_save_dir tmp"),
    (In::Global, "reload_check_config", ""),
    (In::Global, "reload_time_file /etc/when", "reload_time_file when"),
    (In::Global, "reload_repeat", ""),
    (In::Global, "reload_file /run/x", "reload_file x"),
    (In::Global, "include_check read +match", "include_check readable"),
    (In::Global, "data_use_instance", "data_use_instance 5"),
    (In::Global, "state_dump_file /tmp/x", "state_dump_file x"),
    (In::Global, "stats_dump_file /tmp/x", "stats_dump_file x"),
    (In::Global, "json_dump_file /tmp/x", "json_dump_file x"),
    (In::Global, "json_version 2", "json_version 3"),
    (In::Global, "iproute_usr_dir /usr/share/iproute2", "iproute_usr_dir x"),
    (In::Global, "iproute_etc_dir /etc/iproute2", "iproute_etc_dir x"),
    (In::Global, "smtp_alert", "smtp_alert maybe"),
    (In::Global, "smtp_alert_vrrp off", "smtp_alert_vrrp maybe"),
    (In::Global, "smtp_alert_checker off", "smtp_alert_checker maybe"),
    (In::Global, "no_email_faults", ""),
    (In::Global, "checker_merge no", "checker_merge maybe"),
    (In::Global, "no_checker_emails", "no_checker_emails maybe"),
    (In::Global, "notify_fifo /run/f", "notify_fifo f"),
    (In::Global, "notify_fifo /run/f\nnotify_fifo_script /bin/cat", "notify_fifo_script \"a"),
    (In::Global, "vrrp_notify_fifo /run/f root root", "vrrp_notify_fifo f"),
    (In::Global, "vrrp_notify_fifo /run/f\nvrrp_notify_fifo_script /bin/cat", "vrrp_notify_fifo_script \"a"),
    (In::Global, "lvs_notify_fifo /run/f", "lvs_notify_fifo f"),
    (In::Global, "lvs_notify_fifo /run/f\nlvs_notify_fifo_script /bin/cat", "lvs_notify_fifo_script \"a"),
    (In::Global, "vrrp_notify_priority_changes", "vrrp_notify_priority_changes 7"),
    (In::Global, "fifo_write_vrrp_states_on_reload", ""),
    (In::Global, "lvs_timeouts tcp 7200 tcpfin 120 udp 300", "lvs_timeouts tcp 2678401"),
    (In::Global, "lvs_flush", ""),
    (In::Global, "lvs_flush_on_stop VS", "lvs_flush_on_stop RS"),
    (In::Global, "lvs_flush_onstop", "lvs_flush_onstop RS"),
    (
        In::Global,
        "lvs_sync_daemon eth0 id 3 maxlen 1400 port 8848 ttl 2 group 224.0.0.81",
        "lvs_sync_daemon eth0 inst Missing",
    ),
    (In::Global, "lvs_sync_daemon eth0 id 255", "lvs_sync_daemon eth0 id 256"),
    (In::File, "bfd_instance b {\nneighbor_ip 192.0.2.1\n}", "bfd_instance b {\n}"),
    (In::Bfd, "neighbour_ip 192.0.2.2", "neighbour_ip here"),
    (In::Bfd, "source_ip 192.0.2.3", "source_ip fd00::1"),
    (In::Bfd, "min_rx 1.5", "min_rx 0"),
    (In::Bfd, "min_tx 4294967", "min_tx 4294968"),
    (In::Bfd, "idle_tx 1000", "idle_tx 999"),
    (In::Bfd, "multiplier 255", "multiplier 256"),
    (In::Bfd, "passive", ""),
    (In::Bfd, "ttl 1", "ttl 0"),
    (In::Bfd, "hoplimit 1", "hoplimit 256"),
    (In::Bfd, "max_hops -1", "max_hops -2"),
    (In::Bfd, "multihop", "multihop two"),
    (In::Bfd, "weight -253 reverse", "weight 300"),
    (In::Bfd, "vrrp", ""),
    (In::Bfd, "checker", ""),
    (In::File, "track_file f {\nfile /run/f\n}", "track_file f {\n}"),
    (In::File, "vrrp_track_file f {\nfile /run/f\n}", "vrrp_track_file f {\n}"),
    (In::Track, "file /run/g", "file g"),
    (In::Track, "weight -254 reverse", "weight 255"),
    (In::Track, "init_file 5 overwrite", "init_file five"),
    (In::Group, "192.0.2.1-20 80", "192.0.2.20-1 80"),
    (In::Group, "fwmark 4294967295 inet6", "fwmark 4294967296"),
    (In::Server, "ha_suspend", "ha_suspend 5"),
    (In::Server, "smtp_alert", "smtp_alert 5"),
    (In::Server, "persistence_timeout 50\npersistence_engine sip", "persistence_engine a_name_of_sixteen"),
    (In::Server, "snmp_name x", "snmp_name"),
    (In::Server, "lvs_sched sh\nhashed", "hashed {\n}"),
    (In::Server, "lvs_method TUN type gue port 6080 csum", "lvs_method TUN type gue"),
    (In::Server, "lvs_method TUN type gre nocsum", "lvs_method TUN type gre remcsum"),
    (In::Server, "lvs_method TUN type ipip", "lvs_method TUN type ipip csum"),
    (In::Real, "smtp_alert off", "smtp_alert 5"),
    (In::Real, "snmp_name x", "snmp_name"),
    (In::Real, "lvs_method TUN", "lvs_method TUN sideways"),
    (In::Checker("TCP_CHECK"), "bind_if eth0", "bind_if an_interface_name"),
    (In::Checker("TCP_CHECK"), "fwmark 7", "fwmark -1"),
    (In::Checker("HTTP_GET"), "enable_sni", "enable_sni 5"),
    (In::Checker("HTTP_GET"), "sni_name example.org", "url {\n}"),
    (In::Checker("SSL_GET"), "tls_compliant", "tls_compliant 5"),
    (In::Checker("SSL_GET"), "nb_get_retry 3", "retry -1"),
    (In::Checker("SMTP_CHECK"), "helo_name me", "helo_name \"\""),
    (In::Checker("SMTP_CHECK"), "host {\nconnect_port 25\n}", "connect_port 65536"),
    (In::Checker("DNS_CHECK"), "type aaaa", "type PTRR"),
    (In::Checker("DNS_CHECK"), "name example.org.", "name a..b"),
    (In::Checker("UDP_CHECK"), "payload 00ff", "payload 0x0"),
    (In::Checker("UDP_CHECK"), "require_reply 0xXf", "require_reply 01g"),
    (In::Checker("UDP_CHECK"), "min_reply_length 9", "min_reply_length 65536"),
    (In::Checker("UDP_CHECK"), "max_reply_length 9", "max_reply_length -1"),
    (In::Checker("PING_CHECK"), "connect_ip 192.0.2.3", "connect_ip here"),
    (In::Checker("MISC_CHECK"), "misc_path \"/bin/true a\"", "misc_path \"a"),
    (In::Checker("MISC_CHECK"), "misc_timeout 5", "misc_timeout -1"),
    (In::Checker("MISC_CHECK"), "misc_dynamic", "connect_timeout 5"),
    (In::Checker("MISC_CHECK"), "user nobody", "user"),
    (In::Checker("FILE_CHECK"), "weight 2147483647 reverse", "weight 5 backwards"),
    (In::Checker("FILE_CHECK"), "track_file f", "track_file missing"),
    (In::Checker("BFD_CHECK"), "alpha", "alpha 5"),
    (In::Checker("BFD_CHECK"), "name b", "name missing"),
    (In::Url, "regex \"a.*b\"", "regex \"a"),
    (In::Url, "regex a\nregex_no_match", "regex_no_match"),
    (In::Url, "regex a\nregex_options caseless utf", "regex_options caseless"),
    (In::Url, "regex a\nregex_stack 100 200", "regex a\nregex_stack 200 100"),
    (In::Url, "regex a\nregex_min_offset 0", "regex a\nregex_min_offset -1"),
    (In::Url, "regex a\nregex_max_offset 9", "regex a\nregex_max_offset x"),
    (In::Ssl, "password secret", "password"),
    (In::Ssl, "ca /etc/ca.pem", "ca"),
    (In::Ssl, "certificate /etc/c.pem", "certificate"),
    (In::Ssl, "key /etc/k.pem", "key"),
    (In::Addrs, "192.0.2.1/24 dev eth0 brd + scope link label eth0:1", "192.0.2.1/33 dev eth0"),
    (In::Addrs, "192.0.2.1 dev eth0 peer 192.0.2.2/30", "192.0.2.1/24 dev eth0 peer 192.0.2.2"),
    (In::Addrs, "fd00::1/64 dev eth0 home mngtmpaddr noprefixroute autojoin -nodad", "fd00::1/64 dev eth0 house"),
    (In::Addrs, "fd00::1/64 dev eth0 preferred_lft forever", "fd00::1/64 dev eth0 preferred_lft never"),
    (In::Addrs, "192.0.2.1 dev eth0 no_track", "192.0.2.300"),
    (In::Addrs, "192.0.2.1 dev eth0 track_group g", "192.0.2.1 dev eth0 use_vmac"),
];

/// Routes and rules, each word of their grammars.
const LINES: &[(In, &str, &str)] = &[
    (In::Routes, "default via 192.0.2.1", "default via inet fd00::1"),
    (In::Routes, "to blackhole 198.51.100.0/24", "to blackhole"),
    (In::Routes, "unreachable to 198.51.100.0/24", "unreachable 198.51.100.0/40"),
    (In::Routes, "inet6 default via fd00::1 dev eth0", "inet6 192.0.2.0/24 dev eth0"),
    (In::Routes, "default6 via inet6 fd00::1", "default via inet6 192.0.2.1"),
    (In::Routes, "10.0.0.0/8 src 192.0.2.1 gw 192.0.2.2", "10.0.0.0/8 src fd00::1 dev eth0"),
    (In::Routes, "2001:db8::/32 from fd00::/8 dev eth0 expires 30 pref high", "10.0.0.0/8 from 10.0.0.0/8 dev eth0"),
    (In::Routes, "2001:db8::/32 dev eth0 pref low", "2001:db8::/32 dev eth0 pref highest"),
    (In::Routes, "10.0.0.0/8 dev eth0 tos 0x10 table main", "10.0.0.0/8 dev eth0 table mian"),
    (In::Routes, "10.0.0.0/8 oif eth0 dsfield 10 protocol static", "10.0.0.0/8 oif eth0 protocol 256"),
    (In::Routes, "10.0.0.0/8 dev eth0 scope link metric 5", "10.0.0.0/8 dev eth0 scope near"),
    (In::Routes, "10.0.0.0/8 via 192.0.2.1 dev eth0 onlink", "10.0.0.0/8 via"),
    (In::Routes, "10.0.0.0/8 dev eth0 mtu lock 1400 advmss 1360", "10.0.0.0/8 dev eth0 mtu lock"),
    (In::Routes, "10.0.0.0/8 dev eth0 hoplimit 255", "10.0.0.0/8 dev eth0 hoplimit 256"),
    (In::Routes, "10.0.0.0/8 dev eth0 rtt 300ms rttvar 1s rto_min lock 5", "10.0.0.0/8 dev eth0 rtt soon"),
    (In::Routes, "10.0.0.0/8 dev eth0 reordering 3 window 9 cwnd 5 ssthresh 7", "10.0.0.0/8 dev eth0 window -1"),
    (In::Routes, "10.0.0.0/8 dev eth0 initcwnd 10 initrwnd 10", "10.0.0.0/8 dev eth0 initcwnd x"),
    (In::Routes, "10.0.0.0/8 dev eth0 realms 1/2", "10.0.0.0/8 dev eth0 realms 65536"),
    (In::Routes, "10.0.0.0/8 dev eth0 features ecn quickack 1", "10.0.0.0/8 dev eth0 quickack 2"),
    (In::Routes, "10.0.0.0/8 dev eth0 congctl lock cubic", "10.0.0.0/8 dev eth0 features all"),
    (In::Routes, "10.0.0.0/8 dev eth0 ttl-propagate enabled", "10.0.0.0/8 dev eth0 ttl-propagate on"),
    (In::Routes, "10.0.0.0/8 dev eth0 fastopen_no_cookie 1", "10.0.0.0/8 dev eth0 fastopen_no_cookie 2"),
    (In::Routes, "10.0.0.0/8 dev eth0 append vrf red", "10.0.0.0/8 dev eth0 vrf a/b"),
    (In::Routes, "10.0.0.0/8 dev eth0 add no_track", "10.0.0.0/8 dev eth0 replace"),
    (In::Routes, "10.0.0.0/8 dev eth0 track_group g", "10.0.0.0/8 via 192.0.2.1 track_group g"),
    (In::Routes, "10.0.0.0/8 nexthop via 192.0.2.1 weight 256 nexthop dev eth0", "10.0.0.0/8 nexthop weight 5"),
    (In::Routes, "10.0.0.0/8 nexthop via 192.0.2.1", "10.0.0.0/8 nexthop via 192.0.2.1 weight 257"),
    (
        In::Routes,
        "10.0.0.0/8 via 192.0.2.1 encap ip id 5 dst 192.0.2.9 ttl 4 flags 1",
        "10.0.0.0/8 dev eth0 encap ip dst fd00::1",
    ),
    (In::Routes, "10.0.0.0/8 dev eth0 encap ip6 id 5 src fd00::1 tc 2 hoplimit 9", "10.0.0.0/8 dev eth0 encap ip7"),
    (In::Routes, "10.0.0.0/8 via 192.0.2.1 encap mpls 16/1048575", "10.0.0.0/8 via 192.0.2.1 encap mpls 1048576"),
    (In::Routes, "10.0.0.0/8 via 192.0.2.1 encap ila 1:2:3:4", "10.0.0.0/8 via 192.0.2.1 encap ila 1:2"),
    (In::Rules, "from 192.0.2.0/24 table 100 preference 5", "from 192.0.2.0/24 preference 5"),
    (In::Rules, "inet6 to fd00::/8 lookup main order 5", "inet to fd00::/8 lookup main order 5"),
    (In::Rules, "not from all table local priority 5", "from all table local priority x"),
    (In::Rules, "from all table 1 preference 5", "from all table 1"),
    (In::Rules, "tos 0x10 fwmark 7/0xff table 1 preference 5", "fwmark 7/ table 1 preference 5"),
    (In::Rules, "realms 5/6 dsfield 10 nop preference 5", "realms x nop preference 5"),
    (In::Rules, "suppress_prefixlength 0 table main preference 5", "sup_pl 129 table main preference 5"),
    (In::Rules, "sup_group 3 table main preference 5", "suppress_ifgroup x table main preference 5"),
    (In::Rules, "iif eth0 oif eth1 blackhole preference 5", "dev a/b blackhole preference 5"),
    (In::Rules, "tunnel-id 7 prohibit preference 5", "tunnel-id x prohibit preference 5"),
    (In::Rules, "uidrange 0-99 unreachable preference 5", "uidrange 99-0 unreachable preference 5"),
    (In::Rules, "l3mdev preference 5", "l3mdev sideways preference 5"),
    (In::Rules, "protocol 18 ipproto tcp sport 1-5 dport 80 nop preference 5", "sport 5-1 nop preference 5"),
    (In::Rules, "ipproto 255 nop preference 5", "ipproto 256 nop preference 5"),
    (In::Rules, "dport 1-65535 nop preference 5", "dport 1-65536 nop preference 5"),
    (In::Rules, "from all goto 7 preference 5 no_track", "from all goto 5 preference 7"),
    (In::Rules, "iif eth0 type blackhole preference 5 track_group g", "nop preference 5 track_group g"),
];

#[test]
fn every_keyword_has_a_case_that_is_taken_and_one_that_is_not() {
    let mut wrong = Vec::new();
    for (place, good, bad) in CASES.iter().chain(LINES) {
        let errors = |line: &str| {
            let problems = problems_of(&text(*place, line));
            problems.into_iter().filter(|p| p.contains(" error[") || p.contains(" fatal[")).collect::<Vec<_>>()
        };
        let said = errors(good);
        if !said.is_empty() {
            wrong.push(format!("{good}: {said:?}"));
        }
        if !bad.is_empty() && errors(bad).is_empty() {
            wrong.push(format!("{bad}: nothing"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn run(lines: &str) -> Checker {
    bundle(server("delay_loop 7", lines)).check.checkers.rows()[0].clone()
}

#[test]
fn checkers_are_typed_with_their_defaults() {
    let smtp = run("SMTP_CHECK {\n}");
    assert_eq!(smtp.kind, CheckerKind::Smtp { helo: "smtpchecker.keepalived.org".into() });
    assert_eq!((smtp.retry, smtp.delay_before_retry), (1, Duration::from_secs(1)));
    let dns = run("DNS_CHECK {\n}");
    assert_eq!(dns.kind, CheckerKind::Dns { query: DnsType::Soa, name: ".".into() });
    assert_eq!((dns.retry, dns.delay_before_retry), (3, Duration::from_secs(7)));
    let CheckerKind::Udp(udp) = run("UDP_CHECK {\npayload 01ff\nrequire_reply 1xXf\n}").kind.clone() else { panic!() };
    assert_eq!((udp.payload, udp.min_length, udp.max_length), (vec![1, 255], 0, 255));
    assert_eq!(udp.reply, Reply::Like { bytes: vec![0x10, 0x0f], mask: vec![0xf0, 0x0f] });
    // keepalived 2.2.7, seen on the wire; its man page has the long one.
    for (hex, sent) in [
        ("Ab12f 3 456 546443123", &b"\xab\x12\x0f\x03\x45\x06\x54\x64\x43\x12\x03"[..]),
        ("\"12123 3 456 546443123\"", b"\x12\x12\x03\x03\x45\x06\x54\x64\x43\x12\x03"),
        ("12 34 56", b"\x12\x34\x56"),
        ("f", b"\x0f"),
        ("0f0", b"\x0f\x00"),
    ] {
        let CheckerKind::Udp(udp) = run(&format!("UDP_CHECK {{\npayload {hex}\n}}")).kind.clone() else { panic!() };
        assert_eq!(udp.payload, sent, "{hex}");
    }
    let CheckerKind::Udp(udp) = run("UDP_CHECK {\nrequire_reply 01 x 2X x3 4\n}").kind.clone() else { panic!() };
    assert_eq!(udp.reply, Reply::Like { bytes: vec![1, 0, 0x20, 3, 4], mask: vec![0xff, 0xf0, 0xf0, 0x0f, 0xff] });
    let misc = run("MISC_CHECK {\nmisc_path \"/bin/true a\"\nmisc_dynamic\n}");
    let CheckerKind::Misc(kind) = misc.kind.clone() else { panic!() };
    assert_eq!((misc.retry, kind.timeout, kind.dynamic), (0, Duration::from_secs(7), Switch::On));
    assert_eq!(kind.command, [b"/bin/true".to_vec(), b"a".to_vec()]);
    let ssl = run("SSL_GET {\nsni_name a\nssl_ca_file /ca\nurl {\npath /\nregex x\n}\n}");
    let CheckerKind::Ssl(http, tls) = ssl.kind.clone() else { panic!() };
    assert_eq!((tls.sni, tls.sni_name.as_deref()), (Switch::On, Some("a")));
    assert_eq!((tls.verify, tls.ca_file.as_deref()), (Switch::On, Some("/ca")));
    assert_eq!(http.urls[0].regex.as_ref().unwrap().pattern, b"x");
    assert_eq!(run("PING_CHECK {\nbind_if eth0\n}").kind, CheckerKind::Ping);
    let text = format!("track_file f {{\nfile /run/f\nweight 3\n}}\n{}", server("", "FILE_CHECK {\ntrack_file f\n}"));
    let bundle = bundle(text);
    let weight = FileWeight { value: 3, reverse: Switch::Off };
    assert_eq!(bundle.check.checkers.rows()[0].kind, CheckerKind::File { file: FileIdx(0), name: "f".into(), weight });
    let watched = &bundle.script.files.rows()[0];
    assert_eq!((watched.path.as_str(), watched.vrrp, watched.check), ("/run/f", Switch::Off, Switch::On));
}

#[test]
fn a_session_is_for_whom_it_says() {
    let text = |told| {
        format!("bfd_instance b {{\nneighbor_ip 192.0.2.1\n{told}\n}}\n{}", server("", "BFD_CHECK {\nname b\n}"))
    };
    let check = bundle(text("checker")).check;
    assert_eq!(check.checkers.rows()[0].kind, CheckerKind::Bfd { bfd: BfdIdx(0), name: "b".into() });
    assert!(bundle(text("vrrp")).check.checkers.is_empty());
}

#[test]
fn sessions_files_groups_and_tunnels_are_typed() {
    let text = "bfd_instance b {\nneighbor_ip fd00::1\nmin_rx 1.5\nmax_hops 70\n}
virtual_server_group g {\nfd00::1-f 80\nfwmark 3\n}\ntrack_file f {\nfile /run/f\ninit_file overwrite\n}\n";
    let bundle = bundle(format!("{text}{}", server("lvs_method TUN type gue port 6080 remcsum", "")));
    let bfd = &bundle.check.bfds.rows()[0];
    assert_eq!((bfd.min_rx, bfd.min_tx), (Duration::from_micros(1500), Duration::from_millis(10)));
    assert_eq!((bfd.ttl, bfd.max_hops, bfd.multiplier), (64, Some(64), 5));
    let group = &bundle.ipvs.groups.rows()[0];
    let (first, last) = ("fd00::1".parse().unwrap(), "fd00::f".parse().unwrap());
    assert_eq!(
        group.entries,
        [GroupEntry::Addrs { first, last, port: 80 }, GroupEntry::Fwmark { mark: 3, family: None }]
    );
    assert_eq!(bundle.check.files.rows()[0].init.unwrap().overwrite, Switch::On);
    let method = bundle.ipvs.reals.rows()[0].dest.method;
    assert_eq!(method, Method::Gue { port: 6080, checksum: Checksum::Remote });
}

#[test]
fn statics_are_typed() {
    let text = "global_defs {\ndefault_interface eth0\n}\nstatic_ipaddress {\n192.0.2.1 peer 192.0.2.2/30\n}
static_routes {\nblackhole 10.0.0.0/8 no_track\ndefault via fd00::1\ndefault via 192.0.2.1 rtt lock 2
10.0.0.0/8 nexthop via 192.0.2.1 weight 3 nexthop dev eth1 encap mpls 5/6\n}
static_rules {\nfrom 10.0.0.0/8 table 100\nto 10.0.0.0/8 table 101\n}\n";
    let bundle = bundle(text);
    let statics = &bundle.ipvs.statics;
    let link = |idx| bundle.ipvs.links.at(idx).unwrap().name.as_str();
    assert_eq!((link(statics.addrs[0].spec.link), statics.addrs[0].spec.prefix.len), ("eth0", 30));
    let [hole, six, four, two] = &statics.routes[..] else { panic!("{:?}", statics.routes) };
    assert_eq!((hole.kind, hole.protocol), (RouteType::Blackhole, None));
    assert_eq!((six.family, six.to.addr.is_ipv6(), six.to.len, six.protocol), (ipc::net::Family::V6, true, 0, None));
    assert_eq!((four.metrics[0].kind, four.metrics[0].value, four.metrics[0].lock), (MetricKind::Rtt, 16, Switch::On));
    assert_eq!((two.protocol, two.tracked.no_track), (None, Switch::On));
    assert_eq!((two.hops.len(), two.hops[0].weight), (2, Some(3)));
    assert_eq!(two.hops[1].encap, Some(Encap::Mpls(vec![5, 6])));
    let preferences: Vec<u32> = statics.rules.iter().map(|r| r.preference).collect();
    assert_eq!(preferences, [16_384, 16_383]);
    assert_eq!(statics.rules[1].action, RuleAction::Table(101));
}

/// COMPAT: keepalived 2.4.3: the interfaces of tracked routes and rules matter to the instance.
#[test]
fn routes_and_rules_move_with_their_instance() {
    let text = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n192.0.2.9\n}
virtual_routes {\n10.0.0.0/8 via 192.0.2.1 dev eth1\n10.1.0.0/16 via 192.0.2.1\n10.2.0.0/16 dev ens33 no_track\n}
virtual_rules {\nfrom 10.0.0.0/8 iif eth0 oif eth1 table 100 preference 5\n}\n}
track_group G {\ngroup {\nA A\n}\n}
static_routes {\n10.3.0.0/16 dev eth0 track_group G\n10.4.0.0/16 dev eth0 track_group H\n}\n";
    let compiled = crate::common::load(text);
    let problems = crate::common::problems(&compiled);
    assert_eq!(problems.iter().filter(|p| p.contains("there is no `track_group H`")).count(), 1, "{problems:?}");
    let bundle = compiled.bundle.unwrap();
    let [it] = bundle.ipvs.instances.rows() else { panic!("one instance") };
    let name = |idx| bundle.ipvs.links.at(idx).unwrap().name.as_str();
    let hops: Vec<Option<&str>> = it.routes.iter().map(|r| r.hop.link.map(name)).collect();
    assert_eq!(hops, [Some("eth1"), None, Some("ens33")]);
    assert_eq!(it.routes.iter().map(|r| r.protocol).collect::<Vec<_>>(), [Some(18), None, None]);
    assert_eq!((it.rules[0].iif.map(name), it.rules[0].oif.map(name)), (Some("eth0"), Some("eth1")));
    let watched: Vec<&str> = bundle.vrrp.instances.rows()[0].track_links.iter().map(|t| name(t.link)).collect();
    assert_eq!(watched, ["eth0", "eth1"]);
    let group = &bundle.vrrp.track_groups.rows()[0];
    assert_eq!((group.name.as_str(), group.members.len()), ("G", 1));
    let tracked: Vec<bool> = bundle.ipvs.statics.routes.iter().map(|r| r.tracked.group.is_some()).collect();
    assert_eq!(tracked, [true, false]);
}

/// COMPAT: keepalived 2.4.3.
#[test]
fn mail_is_asked_for_by_the_innermost_word() {
    let text = |global: &str, own: &str| {
        format!(
            "global_defs {{\n{global}\n}}\nvrrp_sync_group G {{\ngroup {{\nA B\n}}\n{own}\n}}\n{}{}",
            crate::common::instance(own),
            crate::common::instance("").replace("vrrp_instance A", "vrrp_instance B").replace("id 1", "id 2")
        )
    };
    for (global, own, group, a, b) in [
        ("", "", Switch::Off, Switch::Off, Switch::Off),
        ("smtp_alert", "", Switch::On, Switch::On, Switch::On),
        ("smtp_alert\nsmtp_alert_vrrp off", "", Switch::Off, Switch::Off, Switch::Off),
        ("smtp_alert_vrrp", "smtp_alert off", Switch::Off, Switch::Off, Switch::On),
        ("smtp_alert_checker", "smtp_alert", Switch::On, Switch::On, Switch::Off),
    ] {
        let bundle = bundle(text(global, own));
        let [one, two] = bundle.vrrp.options.rows() else { panic!("two instances") };
        let found = (bundle.vrrp.group_options.rows()[0].smtp_alert, one.smtp_alert, two.smtp_alert);
        assert_eq!(found, (group, a, b), "{global} {own}");
    }
}

/// COMPAT: keepalived takes the names of iproute2's files; without them only the numbers and what iproute2 has itself.
#[test]
fn routes_use_the_names_of_the_machine() {
    use checkd::conf::names::{NameOf, Names};
    use checkd::conf::{Compiler, Step};
    let read = |text: &str, mode| {
        let mut compiler = Compiler::new(crate::common::facts(), mode, text.as_bytes().to_vec(), 1);
        assert!(matches!(compiler.step(), Step::Done));
        compiler.parse()
    };
    let text = "global_defs {\niproute_etc_dir /opt/iproute2\n}\nstatic_routes {
10.0.0.0/8 dev eth0 table blue scope near realms green tos fast no_track protocol mine\n}
static_rules {\nsuppress_ifgroup uplinks table blue preference 5\n}\n";
    let wanted = read(text, CompileMode::Load).names();
    assert!(wanted.contains(&(NameOf::Table, "/opt/iproute2/rt_tables.d/*.conf".into())), "{wanted:?}");
    assert!(wanted.contains(&(NameOf::Table, "/usr/share/iproute2/rt_tables".into())), "{wanted:?}");
    assert_eq!(read(text, CompileMode::Offline).names(), []);
    assert_eq!(
        read(
            &text
                .replace("table blue", "")
                .replace("scope near realms green tos fast", "")
                .replace("protocol mine", "")
                .replace("suppress_ifgroup uplinks", ""),
            CompileMode::Load
        )
        .names(),
        []
    );
    let mut names = Names::default();
    for (of, line) in [
        (NameOf::Table, "100 blue"),
        (NameOf::Scope, "42 near"),
        (NameOf::Realm, "7 green"),
        (NameOf::TypeOfService, "0x10 fast"),
        (NameOf::Protocol, "77 mine"),
        (NameOf::LinkGroup, "3 uplinks"),
    ] {
        names.take(of, line.as_bytes());
    }
    let statics = read(text, CompileMode::Load).finish(&names).bundle.unwrap().ipvs.statics;
    let route = &statics.routes[0];
    let found = (route.table, route.scope, route.hop.realms, route.tos, route.protocol);
    assert_eq!(found, (Some(100), Some(42), Some(7), Some(0x10), Some(77)));
    assert_eq!(statics.rules[0].suppress_group, Some(3));
    let without = read(text, CompileMode::Load).finish(&Names::default());
    assert_eq!(without.verdict().errors, 2, "{:?}", crate::common::problems(&without));
}
