//! The example configurations of tests/conf/seeds.

use crate::common::{facts, problems};
use checkd::conf::{Compiled, compile};
use ipc::config::vrrp::Wanted;
use ipc::msg::compile::CompileMode;
use std::path::PathBuf;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/conf/seeds")
}

fn seed(name: &str) -> Compiled {
    let text = std::fs::read(directory().join(name)).unwrap();
    compile(facts(), CompileMode::Load, text, |request| panic!("{request:?} is not expected"))
}

#[test]
fn load_balancers() {
    for (name, wanted, priority) in
        [("000_3_lvs_dr_master.conf", Wanted::Master, 100), ("000_4_lvs_dr_backup.conf", Wanted::Backup, 90)]
    {
        let compiled = seed(name);
        assert_eq!(
            problems(&compiled),
            [
                "26:5 warning[V003] `persistence_timeout 0` turns persistence off, which it is by default",
                "33:4 warning[K006] `nb_get_retry` is an old name of `retry` and works as that",
                "43:4 warning[K006] `nb_get_retry` is an old name of `retry` and works as that"
            ]
        );
        let bundle = compiled.bundle.unwrap();
        let instance = &bundle.vrrp.instances.rows()[0];
        assert_eq!((instance.wanted, instance.priority, instance.vrid), (wanted, priority, 10));
        assert_eq!(bundle.check.checkers.rows()[1].retry, 3);
    }
}

#[test]
fn web_servers() {
    for (name, id) in [("000_5_nginx_master.conf", "LVS_01"), ("000_6_nginx_backup.conf", "LVS_02")] {
        let compiled = seed(name);
        assert_eq!(problems(&compiled), [""; 0]);
        let bundle = compiled.bundle.unwrap();
        assert_eq!(bundle.check.router_id, id);
        assert_eq!(bundle.check.mail.to.len(), 3);
        let used = bundle.vrrp.instances.rows()[0].track_scripts[0];
        assert_eq!(used.weight.value, 2);
        assert_eq!(bundle.script.scripts.rows()[0].argv, [b"/etc/keepalived/nginx.sh"]);
    }
}

/// They end in a `}` too many, as they were found.
#[test]
fn an_extra_brace_is_no_obstacle() {
    for name in ["000_1_dr_master.conf", "000_2_dr_backup.conf"] {
        let compiled = seed(name);
        assert_eq!(problems(&compiled), ["24:1 error[T001] this `}` closes nothing and is ignored"]);
        assert_eq!(compiled.bundle.unwrap().vrrp.instances.len(), 1);
    }
}

/// Prose between the lines: each is told, and what is left is used.
#[test]
fn prose_between_the_lines_is_told() {
    let compiled = seed("000_1_dr_master.raw-annotations.conf");
    assert_eq!(compiled.verdict().fatal, 0);
    assert!(compiled.verdict().errors >= 8, "{:?}", problems(&compiled));
    assert_eq!(compiled.bundle.unwrap().vrrp.instances.rows()[0].priority, 100);
}

/// Templates with `<INT>` and the like: every placeholder is told, the rest compiles.
#[test]
fn templates_are_read_as_far_as_they_go() {
    let compiled = seed("004_1_global_defs.cleaned.conf");
    assert_eq!(problems(&compiled), ["10:4 warning[K007] `enable_traps` is read but has no effect yet"]);
    for name in ["004_2_vrrp.cleaned.conf", "004_2_vrrp.annotated.conf", "004_all.cleaned.conf"] {
        let compiled = seed(name);
        assert_eq!(compiled.verdict().fatal, 0, "{:?}", problems(&compiled));
        let bundle = compiled.bundle.unwrap();
        let instance = &bundle.vrrp.instances.rows()[0];
        assert_eq!((instance.name.as_str(), instance.vips.len()), ("VI_1", 2));
        assert_eq!(instance.garp.delay.as_secs(), 10);
        assert!(instance.notify.generic.is_some());
    }
    let compiled = seed("004_3_virtual_server.cleaned.conf");
    assert_eq!(compiled.verdict().errors, 12, "{:?}", problems(&compiled));
    assert!(compiled.bundle.unwrap().ipvs.services.is_empty());
}

#[test]
fn every_file_of_the_directory_is_tested() {
    let mut count = 0;
    for entry in std::fs::read_dir(directory()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".conf") {
            count += 1;
            assert!(seed(&name).bundle.is_some(), "{name}");
        }
    }
    assert!(count >= 12);
}

/// What is installed as an example must be without fault: notes and warnings of later work aside, nothing is said about it.
#[test]
fn examples_are_without_error() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../packaging/examples");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "conf") {
            count += 1;
            let text = std::fs::read(&path).unwrap();
            let compiled = compile(facts(), CompileMode::Load, text, |request| panic!("{request:?} is not expected"));
            let verdict = compiled.verdict();
            assert_eq!((verdict.fatal, verdict.errors), (0, 0), "{}: {:?}", path.display(), problems(&compiled));
            let lints: Vec<_> = compiled.diags.list().iter().filter(|d| d.code.0.starts_with('W')).collect();
            assert!(lints.is_empty(), "{}: {lints:?}", path.display());
        }
    }
    assert!(count > 0);
}
