//! Scripts, trackers, sync groups, interfaces.

use crate::common::{bundle, facts, instance, load, problems, problems_of};
use checkd::conf::compile;
use core::time::Duration;
use ipc::config::script::{RunAs, ScriptKind, ScriptSecurity};
use ipc::config::vrrp::Switch;
use ipc::config::{GroupIdx, InstanceIdx, Origin};
use ipc::msg::compile::CompileMode;

const SCRIPTS: &str = "vrrp_script a {
script \"/bin/a 'x y' z\"
interval 2
weight -5 reverse
user nobody nogroup
init_fail
}
vrrp_script b {
script /bin/b
timeout 0.5
rise 2
fall 3
}
vrrp_script unused {
script /bin/c
}
";

fn at(line: u32) -> Origin {
    Origin { file: "/etc/keepalived/keepalived.conf".into(), line }
}

#[test]
fn scripts_that_are_used_are_listed() {
    let text = format!("{SCRIPTS}{}", instance("track_script {\nb\na\nb weight 7\nmissing\n}"));
    let compiled = load(text);
    assert_eq!(
        problems(&compiled),
        [
            "14:13 warning[R007] nothing tracks `vrrp_script unused`; it is not run",
            "26:1 error[R002] `b` is tracked twice; the first line counts",
            "27:1 error[R001] there is no `vrrp_script missing`"
        ]
    );
    let bundle = compiled.bundle.unwrap();
    let scripts = bundle.script.scripts.rows();
    assert_eq!(scripts.len(), 2);
    assert_eq!(scripts[0].argv, [&b"/bin/a"[..], b"x y", b"z"]);
    assert_eq!(
        scripts[0].run_as,
        Some(RunAs { user: "nobody".into(), group: Some("nogroup".into()), others: Switch::Off, origin: at(5) })
    );
    assert_eq!((scripts[0].label.as_str(), scripts[0].origin.line), ("vrrp_script a", 2));
    // COMPAT: the timeout is the interval unless it is set.
    assert_eq!(scripts[0].kind, ScriptKind::Probe { timeout: Duration::from_secs(2) });
    assert_eq!(scripts[1].kind, ScriptKind::Probe { timeout: Duration::from_millis(500) });
    let rows = bundle.vrrp.track_scripts.rows();
    assert_eq!((rows[0].init_fail, rows[0].rise, rows[0].fall), (Switch::On, 1, 1));
    assert_eq!((rows[1].interval, rows[1].rise, rows[1].fall), (Duration::from_secs(1), 2, 3));
    let uses = &bundle.vrrp.instances.rows()[0].track_scripts;
    let shown: Vec<_> = uses.iter().map(|u| (u.script.0, u.weight.value, u.weight.reverse)).collect();
    assert_eq!(shown, [(1, 0, Switch::Off), (0, -5, Switch::On)]);
}

#[test]
fn notify_scripts_carry_user_and_kind() {
    let lines = "notify_master /bin/m root\nnotify_master /bin/n\nnotify \"/bin/x y\" u :g\nnotify_backup ''";
    let compiled = load(instance(lines));
    assert_eq!(
        problems(&compiled),
        [
            "8:1 error[K008] `notify_master` is given twice; the first one counts",
            "10:1 error[V001] this names no command"
        ]
    );
    let bundle = compiled.bundle.unwrap();
    let notify = bundle.vrrp.instances.rows()[0].notify;
    let master = bundle.script.scripts.at(notify.master.unwrap()).unwrap();
    assert_eq!((master.kind, master.label.as_str()), (ScriptKind::Event, "notify_master of vrrp_instance A"));
    assert_eq!(master.run_as.as_ref().map(|r| r.user.as_str()), Some("root"));
    let generic = bundle.script.scripts.at(notify.generic.unwrap()).unwrap();
    assert_eq!((generic.kind, generic.argv.len()), (ScriptKind::Generic, 2));
    assert_eq!(
        generic.run_as,
        Some(RunAs { user: "u".into(), group: Some("g".into()), others: Switch::On, origin: at(9) })
    );
    assert_eq!(notify.backup, None);
}

#[test]
fn process_settings() {
    let text = "child_wait_time 9\nglobal_defs {\nscript_user nobody\nenable_script_security\nstartup_script /bin/up
startup_script_timeout 3\nshutdown_script \"/bin/down now\"\n}";
    let script = bundle(text).script;
    assert_eq!(script.child_wait, Duration::from_secs(9));
    assert_eq!(script.security, ScriptSecurity::On);
    assert_eq!(
        script.default_user,
        Some(RunAs { user: "nobody".into(), group: None, others: Switch::Off, origin: at(3) })
    );
    let (startup, timeout) = script.startup.unwrap();
    assert_eq!(timeout, Duration::from_secs(3));
    assert_eq!(script.scripts.at(startup).unwrap().kind, ScriptKind::Once);
    assert_eq!(script.shutdown.unwrap().1, Duration::from_secs(10));
}

#[test]
fn own_interface_is_tracked_unless_told_not_to() {
    let tracked = |lines: &str| {
        let bundle = bundle(instance(lines));
        let links = &bundle.vrrp.instances.rows()[0].track_links;
        links.iter().map(|t| (bundle.vrrp.links.at(t.link).unwrap().name.clone(), t.weight.value)).collect::<Vec<_>>()
    };
    let (eth0, eth1) = ("eth0".to_owned(), "eth1".to_owned());
    assert_eq!(tracked(""), [(eth0.clone(), 0)]);
    assert_eq!(tracked("dont_track_primary"), []);
    assert_eq!(tracked("track_interface {\neth0\neth1 weight -20\n}"), [(eth0.clone(), 0), (eth1, -20)]);
    assert_eq!(tracked("priority 255\ntrack_interface {\neth1 weight -20\n}"), [(eth0, 0)]);
}

/// A message at run time names the line that asks for the interface.
#[test]
fn each_tracked_interface_knows_its_line() {
    let blocks = "virtual_ipaddress_excluded {\n192.0.2.77 dev eth1\n}\ntrack_interface {\neth0 weight 4\nens33\n}";
    let bundle = bundle(instance(blocks));
    let links = &bundle.vrrp.instances.rows()[0].track_links;
    let lines = links.iter().map(|t| (bundle.vrrp.links.at(t.link).unwrap().name.as_str(), t.origin.line));
    assert_eq!(lines.collect::<Vec<_>>(), [("eth0", 2), ("eth1", 8), ("eth0", 11), ("ens33", 12)]);
}

#[test]
fn weights_have_a_range() {
    let text = instance("track_interface {\neth1 weight 254\nens33 weight 300\n}");
    assert_eq!(
        problems_of(&text),
        ["8:13 warning[V003] a weight of 254 is taken as 253", "9:14 error[V002] 300 is out of range"]
    );
}

fn two(lines: &str, group: &str) -> String {
    let b =
        instance(lines).replace(" A ", " B ").replace("router_id 1", "router_id 2").replace("192.0.2.9", "192.0.2.10");
    format!("{}{b}vrrp_sync_group G {{\n{group}\n}}\n", instance(lines))
}

#[test]
fn groups_have_members() {
    let bundle = bundle(two("", "group {\nB A\n}\nnotify /bin/g"));
    let group = &bundle.vrrp.groups.rows()[0];
    assert_eq!(group.members, [InstanceIdx(1), InstanceIdx(0)]);
    assert!(group.notify.generic.is_some());
    assert_eq!(bundle.vrrp.instances.rows()[0].group, Some(GroupIdx(0)));
    assert_eq!(bundle.script.groups.rows(), ["G"]);
    assert_eq!(bundle.script.instances.rows(), ["A", "B"]);

    let problems = problems_of(&two("", "group {\nA\nA\nZ\n}"));
    assert_eq!(
        problems,
        [
            "17:17 warning[W104] `vrrp_sync_group G` has a single member",
            "20:1 error[R002] `A` is in a sync group already",
            "21:1 error[R001] there is no `vrrp_instance Z`"
        ]
    );
}

#[test]
fn members_lose_their_weights_and_share_the_groups_trackers() {
    let lines = "track_interface {\neth1 weight 10\n}\ntrack_script {\na\n}";
    let text = format!("{SCRIPTS}{}", two(lines, "group {\nA\nB\n}\ntrack_script {\nb weight 3\n}"));
    let member = bundle(&text).vrrp.instances.rows()[1].clone();
    assert_eq!(member.track_links.iter().map(|t| t.weight.value).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(member.track_scripts.iter().map(|t| t.weight.value).collect::<Vec<_>>(), [3]);
    let text = text.replace("vrrp_sync_group G {", "vrrp_sync_group G {\nsync_group_tracking_weight");
    let member = bundle(&text).vrrp.instances.rows()[1].clone();
    assert_eq!(member.track_scripts.iter().map(|t| t.weight.value).collect::<Vec<_>>(), [-5, 3]);
}

#[test]
fn a_missing_interface_is_fatal_for_a_test_only() {
    let text = instance("").replace("eth0", "eth9");
    let compiled = load(&text);
    assert_eq!(problems(&compiled), ["2:11 warning[R004] interface eth9 does not exist"]);
    assert!(compiled.bundle.is_some());
    let compiled = compile(facts(), CompileMode::Test, text.clone().into_bytes(), |_| unreachable!());
    assert_eq!(problems(&compiled), ["2:11 fatal[R004] interface eth9 does not exist"]);
    assert_eq!(compiled.diags.list()[0].help.as_deref(), Some("there is eth0, eth1"));
    let dynamic = format!("global_defs {{\ndynamic_interfaces\n}}\n{text}");
    let compiled = compile(facts(), CompileMode::Test, dynamic.into_bytes(), |_| unreachable!());
    assert!(compiled.bundle.is_some());
}

/// Measured with keepalived 2.2.7: one owner takes the weight from what the group tracks, for all members.
#[test]
fn with_an_owner_in_the_group_what_the_group_tracks_has_no_weight() {
    let vrrp = |priority: u8| {
        let block = |name: &str, vrid: u8, priority: u8| {
            format!(
                "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\npriority {priority}\n\
                 virtual_ipaddress {{\n10.9.0.{vrid}\n}}\n}}\n"
            )
        };
        bundle(format!(
            "track_file F {{\nfile /tmp/f\nweight 1\n}}\nvrrp_track_process P {{\nprocess p\nweight 7\n}}\n\
             vrrp_sync_group G {{\ngroup {{\nA\nB\n}}\ntrack_file {{\nF\n}}\ntrack_process {{\nP\n}}\n}}\n{}{}",
            block("A", 1, priority),
            block("B", 2, 100)
        ))
        .vrrp
    };
    for (priority, weights) in [(255, (0, 0)), (200, (1, 7))] {
        for options in vrrp(priority).options.rows() {
            let file = options.track_files.first().map(|used| i32::from(used.weight.value));
            let process = options.track_processes.first().map(|used| i32::from(used.weight.value));
            assert_eq!((file, process), (Some(weights.0), Some(weights.1)), "{priority}");
        }
    }
}
