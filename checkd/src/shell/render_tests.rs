//! What people see, compared as text.

use super::*;
use checkd::conf::compile;
use ipc::msg::compile::{CompileMode, Facts};

fn compiled(text: &str) -> Compiled {
    let facts = Facts {
        path: "k.conf".into(),
        cwd: "/".into(),
        config_id: "n1".into(),
        hostname: "n1".into(),
        interfaces: vec!["eth0".into(), "eth1".into()],
        ..Facts::default()
    };
    compile(facts, CompileMode::Test, text.as_bytes().to_vec(), |_| {
        (vec![("part.conf".into(), b"vrrp_script a {\n\tscript /bin/b\n}\n".to_vec())], Vec::new())
    })
}

fn excerpts(text: &str) -> String {
    let compiled = compiled(text);
    compiled.diags.list().iter().map(|d| excerpt(&compiled, d, false)).collect()
}

#[test]
fn the_words_at_fault_are_underlined_and_corrected() {
    let text = "vrrp_instance A {\n\tinterface eth0\n\tvirtual_ruoter_id 定义 5\n    virtual_router_id 5\n\tvirtual_ipaddress { 192.0.2.1 }\n}\n";
    assert_eq!(
        excerpts(text),
        "\
error[K001]: unknown keyword `virtual_ruoter_id` in `vrrp_instance`
 --> k.conf:3:2
  |
3 |     virtual_ruoter_id 定义 5
  |     ^^^^^^^^^^^^^^^^^ skipped
  |
help: did you mean `virtual_router_id`?
  |
3 -     virtual_ruoter_id 定义 5
3 +     virtual_router_id 定义 5
  |

"
    );
}

#[test]
fn a_missing_interface_names_its_likes() {
    let text = "vrrp_instance A {\n interface eth9\n virtual_router_id 5\n virtual_ipaddress { 192.0.2.1 }\n}\n";
    assert_eq!(
        excerpts(text),
        "\
fatal[R004]: interface eth9 does not exist
 --> k.conf:2:12
  |
2 |  interface eth9
  |            ^^^^
  |
  = help: there is eth0, eth1

"
    );
}

#[test]
fn two_places_far_apart_and_in_two_files() {
    let text = "include part.conf\nvrrp_script a {\n script /bin/a\n}\n";
    let shown = excerpts(text);
    assert!(
        shown.starts_with(
            "\
warning[R002]: there are two `vrrp_script a`; the first one counts
 --> k.conf:2:13
  |
2 | vrrp_script a {
  |             ^ ignored
  |
 ::: part.conf:1:13
  |
1 | vrrp_script a {
  |             - the first one
"
        ),
        "{shown}"
    );
    let far =
        format!("vrrp_script a {{\n script /bin/a\n}}\n{}vrrp_script a {{\n script /bin/a\n}}\n", "\n".repeat(50));
    let shown = excerpts(&far);
    assert!(shown.contains("54 | vrrp_script a {") && shown.contains(" 1 | vrrp_script a {"), "{shown}");
    assert!(shown.lines().count() < 30, "{shown}");
}

#[test]
fn secrets_are_masked() {
    let text = "$MY_PASS=hush1 hush9\n$OTHER=hush2\nvrrp_instance A {
 interface eth0\n virtual_router_id 5\n virtual_ipaddress { 192.0.2.1 }
 authentication { auth_type PASS auth_pass hush3 }
 authentication {\n  auth_type PASS # auth_pass hush4\n  auth_pas hush5\n  hush11\n  auth_pass $MY_PASS\n  auth_pass hush6hush6\n  auth_pass \"hush7\n }\n}
unheard { auth_pass hush8 } # password = hush0
";
    let shown = excerpts(text);
    assert!(shown.contains("auth_pas ********"), "{shown}");
    assert!(shown.contains("  auth_pass ********"), "{shown}");
    for n in [0, 1, 11, 3, 4, 5, 6, 7, 8, 9] {
        assert!(!shown.contains(&format!("hush{n}")), "hush{n} in\n{shown}");
    }
    let compiled = compiled(text);
    let lines: String = compiled.diags.list().iter().map(|d| line(&compiled, d)).collect();
    assert!(!lines.contains("hush3") && !lines.contains("hush5") && !lines.contains("hush6"), "{lines}");
}

#[test]
fn what_would_steer_a_terminal_is_replaced() {
    let shown = excerpts("unknown\u{1b}[31m\u{7}word \u{9b}\n");
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{shown:?}");
}

#[test]
fn one_line_for_a_log() {
    let compiled = compiled("global_defs {\n smtp_connect_timeout often\n}\n");
    let lines: Vec<String> = compiled.diags.list().iter().map(|d| line(&compiled, d)).collect();
    assert_eq!(lines, ["k.conf:2:23: error[V001]: `often` is not a number (ignored); smtp_connect_timeout SECONDS"]);
    let fatal = self::compiled(
        "vrrp_instance A {\n interface eth9\n virtual_router_id 5\n virtual_ipaddress { 192.0.2.1 }\n}\n",
    );
    let lines: Vec<String> = fatal.diags.list().iter().map(|d| line(&fatal, d)).collect();
    assert_eq!(lines, ["k.conf:2:12: error[R004]: interface eth9 does not exist; there is eth0, eth1"]);
    assert_eq!(summary(&compiled).as_deref(), Some("configuration: 1 error"));
    assert_eq!(summary(&self::compiled("")), None);
}
