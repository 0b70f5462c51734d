//! `# holdfast: allow(CODE)`, through the whole compiler.

use crate::common::{facts, load};
use checkd::conf::{Compiled, compile};
use ipc::msg::compile::CompileMode;

/// All that is told, notes too, as `FILE:LINE CODE`.
fn told(compiled: &Compiled) -> Vec<String> {
    let list = compiled.diags.list().iter();
    list.map(|d| {
        let place = compiled.sources.place(d.primary.as_ref().unwrap().span);
        let file = place.file.rsplit('/').next().unwrap_or_default();
        format!("{file}:{} {}", place.line, d.code)
    })
    .collect()
}

fn told_of(text: &str) -> Vec<String> {
    told(&load(text))
}

const MAIN: &str = "keepalived.conf";

#[test]
fn warnings_are_silenced_where_the_comment_counts() {
    let flag = "global_defs {\nenable_traps\nenable_traps x\n}\n";
    assert_eq!(told_of(flag).len(), 3, "{:?}", told_of(flag));
    let line = "global_defs {\nenable_traps # holdfast: allow(K007)\nenable_traps\n}\n";
    assert_eq!(told_of(line), [format!("{MAIN}:3 K007")]);
    let before = "global_defs {\n! holdfast: allow(K007) there will be SNMP\nenable_traps\nenable_traps\n}\n";
    assert_eq!(told_of(before), [format!("{MAIN}:4 K007")]);
    let block = "\n\nglobal_defs { # holdfast: allow(K003, K007)\nenable_traps\nenable_traps x\n}\n";
    assert_eq!(told_of(block), [""; 0]);
    let file = "# holdfast: allow(K007)\nglobal_defs {\nenable_traps\nenable_traps\n}\n";
    assert_eq!(told_of(file), [""; 0]);
    assert_eq!(load(file).verdict().warnings, 0);
}

#[test]
fn errors_stay_and_idle_comments_are_told() {
    let error = "global_defs {\nunheard_of # holdfast: allow(K001)\n}\n";
    assert_eq!(told_of(error), [format!("{MAIN}:2 K001"), format!("{MAIN}:2 A001")]);
    let compiled = load(error);
    assert_eq!(compiled.verdict().errors, 1);
    assert!(compiled.diags.list()[1].message.contains("cannot be silenced"));
    let idle = "global_defs {\nrouter_id a # holdfast: allow(K007)\n}\n";
    assert_eq!(told_of(idle), [format!("{MAIN}:2 A001")]);
    for misread in ["# holdfast: allow(K09)\n", "# holdfast: allow K007\n", "# holdfast: allow()\n"] {
        assert_eq!(told_of(misread), [format!("{MAIN}:1 A002")], "{misread}");
    }
}

/// A file is a part of the one that includes it: what counts around the directive counts within.
#[test]
fn comments_count_through_includes() {
    for (main, part, expected) in [
        ("include part.conf # holdfast: allow(K007)\n", "global_defs {\nenable_traps\n}\n", vec![]),
        ("# holdfast: allow(K007)\n\ninclude part.conf\n", "global_defs {\nenable_traps\n}\n", vec![]),
        ("global_defs { # holdfast: allow(K007)\ninclude part.conf\n}\n", "enable_traps\n", vec![]),
        (
            "include part.conf\nglobal_defs {\nenable_traps\n}\n",
            "# holdfast: allow(K007)\nglobal_defs {\nenable_traps\n}\n",
            vec![format!("{MAIN}:3 K007")],
        ),
        ("global_defs {\ninclude part.conf\n}\n", "router_id a\nenable_traps # holdfast: allow(K007)\n", vec![]),
    ] {
        let compiled =
            compile(facts(), CompileMode::Load, main.into(), |_| (vec![("part.conf".into(), part.into())], vec![]));
        assert_eq!(told(&compiled), expected, "{main}{part}");
    }
}
