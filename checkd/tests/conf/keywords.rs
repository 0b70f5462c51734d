//! Every keyword that keepalived has is in a table, and each of them takes what it should and refuses what it should not.

use crate::common::{codes, load};
use checkd::conf::diag::{Code, Severity};
use checkd::conf::hmac;
use checkd::conf::keyword::Body;
use checkd::conf::walk::{self, Entry};
use ipc::config::vrrp_options::HmacKey;
use std::collections::BTreeSet;

/// Each keyword of each block: block, name, what is taken, what is not, and the code of what is said then. Columns are separated by
/// tabs; `\n` is the end of a line. COMPAT: the names are those of keepalived 2.4.3.
const CASES: &str = include_str!("../keywords.txt");

fn cases() -> Vec<[String; 5]> {
    let columns = |line: &str| line.split('\t').map(|c| c.replace("\\n", "\n")).collect::<Vec<_>>().try_into();
    CASES.lines().map(|line| columns(line).unwrap_or_else(|_| panic!("{line}: five columns"))).collect()
}

#[test]
fn every_keyword_has_a_case_and_every_case_a_keyword() {
    let known: BTreeSet<(String, String)> =
        walk::all().iter().map(|entry| (entry.block.to_owned(), entry.name.to_owned())).collect();
    let cases: BTreeSet<(String, String)> = cases().into_iter().map(|[block, name, ..]| (block, name)).collect();
    let without: Vec<_> = known.difference(&cases).collect();
    let unknown: Vec<_> = cases.difference(&known).collect();
    assert!(without.is_empty() && unknown.is_empty(), "no case: {without:?}; no keyword: {unknown:?}");
    let names: BTreeSet<&String> = cases.iter().map(|(_, name)| name).collect();
    assert!(names.len() >= 363, "{}", names.len());
}

/// What is said of the lines of a statement, about how it is written.
fn said(block: &str, statement: &str) -> BTreeSet<String> {
    let (text, first) = within(block, statement);
    let last = first + statement.matches('\n').count();
    let compiled = load(&text);
    let about = compiled.diags.list().iter().filter(|d| d.severity >= Severity::Warning);
    let about = about.filter(|d| WRITTEN.contains(&d.code) && d.code != Code::DEPRECATED);
    about
        .filter(|d| {
            let line = d.primary.as_ref().map_or(0, |p| compiled.sources.place(p.span).line);
            (first..=last).contains(&usize::try_from(line).unwrap())
        })
        .map(|d| d.code.to_string())
        .collect()
}

/// With HOLDFAST_BLESS=1 in the environment what is said now becomes what is expected.
#[test]
fn every_keyword_takes_its_case_and_refuses_the_other() {
    let (mut wrong, mut now) = (Vec::new(), String::new());
    for [block, name, good, bad, code] in cases() {
        let refused: Vec<String> = said(&block, &good).into_iter().collect();
        if !refused.is_empty() {
            wrong.push(format!("{block}: {good}: {refused:?}"));
        }
        let found = said(&block, &bad).into_iter().collect::<Vec<_>>().join(" ");
        if found.is_empty() || found != code {
            wrong.push(format!("{block}: {bad}: `{found}` instead of `{code}`"));
        }
        let columns = [&block, &name, &good, &bad, &found].map(|column| column.replace('\n', "\\n"));
        now.push_str(&columns.join("\t"));
        now.push('\n');
    }
    if std::env::var_os("HOLDFAST_BLESS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keywords.txt"), now).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A statement in its block, on a line of its own, and the number of that line.
fn within(block: &str, statement: &str) -> (String, usize) {
    const REAL: &str = "virtual_server 192.0.2.9 80 {\nprotocol TCP\nreal_server 192.0.2.1 80 {\n";
    let (before, after) = match block {
        "the file" => (String::new(), ""),
        "global_defs" | "garp_group" | "SSL" => (format!("{block} {{\n"), "}\n"),
        "vrrp_instance" | "vrrp_sync_group" | "vrrp_script" | "vrrp_track_process" | "track_file" | "bfd_instance"
        | "track_group" => (format!("{block} A {{\n"), "}\n"),
        "authentication" | "auth_hmac" => (format!("vrrp_instance A {{\n{block} {{\n"), "}\n}\n"),
        "virtual_server" => ("virtual_server 192.0.2.9 80 {\n".to_owned(), "}\n"),
        "real_server" => (REAL.to_owned(), "}\n}\n"),
        "url" => (format!("{REAL}HTTP_GET {{\nurl {{\n"), "}\n}\n}\n}\n"),
        checker => (format!("{REAL}{checker} {{\n"), "}\n}\n}\n"),
    };
    let line = before.matches('\n').count() + 1;
    (format!("{before}{statement}\n{after}"), line)
}

/// Codes about how the words of a statement are written.
const WRITTEN: [Code; 8] = [
    Code::UNKNOWN_KEYWORD,
    Code::MISSING_ARGUMENT,
    Code::EXTRA_WORDS,
    Code::UNEXPECTED_BLOCK,
    Code::MISSING_BLOCK,
    Code::BAD_VALUE,
    Code::OUT_OF_RANGE,
    Code::UNBALANCED_QUOTE,
];

/// What is wrong with how the words of a file are written.
fn faults(text: &str) -> Vec<String> {
    let compiled = load(text);
    let list = compiled.diags.list().iter();
    list.filter(|d| d.severity >= Severity::Error && WRITTEN.contains(&d.code)).map(|d| d.message.clone()).collect()
}

/// What a keyword takes: its default, a switch, nothing.
fn accepted(entry: &Entry) -> Option<String> {
    let name = entry.name;
    match entry.body {
        // One of its three must be there.
        _ if name == "lvs_timeouts" => Some(format!("{name} tcp 900")),
        Body::Block => None,
        Body::None if entry.usage == "[on|off]" => Some(format!("{name} off")),
        Body::None if entry.usage.is_empty() || (entry.usage.starts_with('[') && !entry.usage.starts_with("[all]")) => {
            Some(name.to_owned())
        }
        // A default of several words says where the value comes from.
        Body::None if !entry.default.is_empty() && !entry.default.contains(' ') => {
            Some(format!("{name} {}", entry.default))
        }
        Body::None => None,
    }
}

#[test]
fn every_keyword_takes_its_default() {
    let (mut refused, mut count) = (Vec::new(), 0);
    for entry in walk::all() {
        let Some(statement) = accepted(&entry) else { continue };
        let (text, _) = within(entry.block, &statement);
        count += 1;
        let faults = faults(&text);
        if !faults.is_empty() {
            refused.push(format!("{text}{faults:?}"));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(count > 150, "{count}");
}

/// Written by hand: a value that is taken and one that is not.
#[test]
fn values_have_their_ranges() {
    for (block, good, bad) in [
        ("global_defs", "vrrp_mcast_group6 ff02::12", "vrrp_mcast_group6 2001:db8::1"),
        ("global_defs", "vrrp_garp_extra_if all 10", "vrrp_garp_extra_if 0"),
        ("global_defs", "vrrp_vmac_garp_intvl 86400", "vrrp_vmac_garp_intvl 86401"),
        ("global_defs", "vrrp_delay_after_boot 0.001", "vrrp_delay_after_boot 0"),
        ("global_defs", "vrrp_rx_bufs_policy mtu ADVERT", "vrrp_rx_bufs_policy most"),
        ("global_defs", "vmac_prefix v", "vmac_prefix a/b"),
        ("global_defs", "nftables_priority -300", "nftables_priority 3000000000"),
        ("global_defs", "nftables_ipvs_start_fwmark 1", "nftables_ipvs_start_fwmark 0"),
        ("global_defs", "vrrp_iptables IN OUT", "vrrp_iptables a,b"),
        ("global_defs", "vrrp_priority -20", "vrrp_priority 20"),
        ("global_defs", "checker_cpu_affinity 0 1", "checker_cpu_affinity one"),
        ("global_defs", "bfd_rlimit_rttime 1", "bfd_rlimit_rttime 0"),
        ("global_defs", "max_auto_priority -1", "max_auto_priority 100"),
        ("global_defs", "min_auto_priority_delay 1", "min_auto_priority_delay 0"),
        ("global_defs", "vrrp_netlink_cmd_rcv_bufs 65536", "vrrp_netlink_cmd_rcv_bufs many"),
        ("global_defs", "snmp_vs_stats_update_interval 30", "snmp_vs_stats_update_interval 31"),
        ("global_defs", "dbus_service_name org.example.V1", "dbus_service_name example"),
        ("the file", "net_namespace blue", "net_namespace a/b"),
        ("the file", "linkbeat_interfaces {\neth0 MII\n}", "linkbeat_interfaces {\neth0 WIFI\n}"),
        ("the file", "interface_up_down_delays {\neth0 1 2.5\n}", "interface_up_down_delays {\neth0 256\n}"),
        ("vrrp_instance", "use_vmac name v1 02:00:00:00:00:01", "use_vmac v1 01:00:5e:00:00:01"),
        ("vrrp_instance", "use_vmac v1 02:00:00:00:00 group 3", "use_vmac v1 00:00:5e:00:01:07"),
        ("vrrp_instance", "use_ipvlan i1 192.0.2.5/24 private", "use_ipvlan i1 192.0.2.5/33"),
        ("vrrp_instance", "timer_expired_backup 254", "timer_expired_backup 255"),
        ("vrrp_instance", "garp_extra_if 0", "garp_extra_if all"),
        ("vrrp_instance", "old_unicast_checksum never", "old_unicast_checksum sometimes"),
        ("vrrp_instance", "kernel_rx_buf_size 4096", "kernel_rx_buf_size none"),
        ("vrrp_instance", "debug 4", "debug 5"),
        ("auth_hmac", "key 1 0123456789abcdef0123456789abcdef", "key 1 short"),
        ("auth_hmac", "key 255 file:/etc/key", "key 256 file:/etc/key"),
        ("auth_hmac", "mode receive-only", "mode lenient"),
        ("auth_hmac", "anti_replay monotonic", "anti_replay never"),
        ("auth_hmac", "time_window 300", "time_window 301"),
        ("vrrp_track_process", "quorum_max 0", "quorum 0"),
        ("vrrp_track_process", "delay 0.5", "delay 3601"),
        ("vrrp_track_process", "param_match initial", "param_match some"),
        ("vrrp_track_process", "weight -254 reverse", "weight 255"),
        ("garp_group", "garp_interval 0.02", "garp_interval soon"),
    ] {
        assert_eq!(faults(&within(block, good).0), [""; 0], "{block}: {good}");
        assert_ne!(faults(&within(block, bad).0), [""; 0], "{block}: {bad}");
    }
}

#[test]
fn keys_come_from_files_and_a_wrong_active_key_is_fatal() {
    use crate::common::{instance, problems_of};
    let key = "key 1 0123456789abcdef0123456789abcdef\n";
    let refused = problems_of(&instance(&format!("auth_hmac {{\n{key}active_key 2\n}}")));
    assert_eq!(refused, ["9:1 fatal[R001] `active_key` 2 is not a key of this block"]);
    let refused = problems_of(&instance(&format!("auth_hmac {{\n{key}}}")));
    assert_eq!(refused, ["7:1 fatal[R003] `auth_hmac` of `vrrp_instance A` has no `active_key`"]);
    assert_eq!(problems_of(&instance(&format!("auth_hmac {{\n{key}active_key 1\n}}"))), [""; 0]);
    let text = instance("auth_hmac {\nkey 1 file:/etc/key\nkey 2 0123456789abcdef0123456789abcdef\nactive_key 1\n}");
    let mut config = crate::common::bundle(text).vrrp;
    let file = HmacKey::File("/etc/key".to_owned());
    assert_eq!(hmac::elsewhere(&config), core::slice::from_ref(&file));
    assert!(hmac::fill(&mut config, &file, b"short\n").is_err());
    hmac::fill(&mut config, &file, b"hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\r\n")
        .unwrap();
    assert!(hmac::elsewhere(&config).is_empty());
    let keys = &config.options.rows()[0].hmac.as_ref().unwrap().keys;
    let HmacKey::Bytes(secret) = &keys[0].1 else { panic!("no bytes") };
    assert_eq!((keys[0].0, secret.reveal()[31]), (1, 0x1f));
}

#[test]
fn a_credential_has_a_name_and_no_path() {
    use crate::common::instance;
    let text = |name: &str| instance(&format!("auth_hmac {{\nkey 1 credential:{name}\nactive_key 1\n}}"));
    let config = crate::common::bundle(text("vrrp-key")).vrrp;
    assert_eq!(hmac::elsewhere(&config), [HmacKey::Credential("vrrp-key".to_owned())]);
    for name in ["", "..", "../vrrp-key", "/etc/key", "a*"] {
        assert!(load(text(name)).bundle.is_none(), "{name}");
    }
}

/// COMPAT: keepalived 2.4.3.
#[test]
fn strict_mode_takes_out_what_the_rfc_does_not_have() {
    use crate::common::{bundle, instance};
    use ipc::config::vrrp::{Auth, Switch, Wanted};
    use ipc::config::vrrp_options::Accept;
    let lines = "strict_mode\nstate MASTER\npriority 100\nauthentication {\nauth_type PASS\nauth_pass x\n}\ndown_timer_adverts 5";
    let bundle = bundle(instance(lines));
    let (it, more) = (&bundle.vrrp.instances.rows()[0], &bundle.vrrp.options.rows()[0]);
    assert_eq!((it.wanted, it.down_timer_adverts, it.auth.clone()), (Wanted::Backup, 3, Auth::None));
    assert_eq!((it.garp.lower_prio_repeat, it.lower_prio_no_advert), (0, Switch::On));
    assert_eq!((more.strict, more.accept), (Switch::On, Accept::Drop));
    let unicast = instance("strict_mode\nunicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}");
    assert!(load(&unicast).bundle.is_none());
}

#[test]
fn what_is_made_to_fit_or_left_out_is_told() {
    assert_eq!(codes("global_defs {\nsmtp_connect_timeout 0\n}\n"), [Code::ADJUSTED]);
    let surplus = codes("linkbeat_interfaces {\nlo IOCTL ETHTOOL\n}\n");
    assert!(surplus.contains(&Code::EXTRA_WORDS), "{surplus:?}");
}
