//! Whatever the bytes: it ends, soon, without a panic, and its places lie in the files.

use crate::common::facts;
use checkd::conf::{Compiled, compile};
use ipc::msg::compile::{CompileMode, Unread};
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn run(text: Vec<u8>) -> Compiled {
    let started = Instant::now();
    let compiled = compile(facts(), CompileMode::Load, text, |request| {
        let again = request.pattern.contains('a').then(|| ("/a".to_owned(), b"include ab\nstate $A\n".to_vec()));
        (again.into_iter().collect(), vec![Unread::Unusable("/b".to_owned(), "no".to_owned())])
    });
    assert!(started.elapsed() < Duration::from_secs(20));
    for diagnostic in compiled.diags.list() {
        let labels = diagnostic.primary.iter().chain(&diagnostic.others);
        for span in labels.map(|l| l.span).chain(diagnostic.patch.as_ref().map(|p| p.span)) {
            if let Some(source) = compiled.sources.get(span.file) {
                assert!(span.start <= span.end && span.end as usize <= source.text.len(), "{diagnostic:?}");
            }
            assert!(compiled.sources.is_empty() || compiled.sources.place(span).line >= 1);
        }
    }
    let verdict = compiled.verdict();
    assert_eq!(compiled.bundle.is_none(), verdict.fatal > 0);
    if let Some(bundle) = &compiled.bundle {
        let (v, i) = (&bundle.vrrp, &bundle.ipvs);
        assert_eq!(v.instances.len(), i.instances.len());
        assert_eq!(v.instances.len(), bundle.script.instances.len());
        assert_eq!(v.groups.len(), bundle.script.groups.len());
        assert_eq!(i.services.len(), bundle.check.services.len());
        assert_eq!(i.reals.len(), bundle.check.reals.len());
        assert!(v.instances.rows().iter().all(|n| v.links.has(n.link) && n.vrid > 0 && n.priority > 0));
        assert!(bundle.script.scripts.rows().iter().all(|s| !s.argv.is_empty()));
    }
    compiled
}

/// Words and signs that reach deep into the compiler.
fn fragment() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "global_defs",
        "vrrp_instance",
        "vrrp_script",
        "vrrp_sync_group",
        "virtual_server",
        "real_server",
        "A",
        "B",
        "interface",
        "eth0",
        "eth9",
        "virtual_router_id",
        "1",
        "255",
        "-3",
        "0.5",
        "priority",
        "state",
        "MASTER",
        "virtual_ipaddress",
        "192.0.2.1",
        "192.0.2.2/24",
        "dev",
        "brd",
        "+",
        "label",
        "track_script",
        "weight",
        "script",
        "\"/bin/a b\"",
        "'q",
        "\\",
        "notify",
        "group",
        "protocol",
        "TCP",
        "UDP",
        "80",
        "0",
        "fwmark",
        "TCP_CHECK",
        "HTTP_GET",
        "url",
        "path",
        "/",
        "status_code",
        "200-299",
        "lb_kind",
        "DR",
        "quorum",
        "9999999999999999999999",
        "sorry_server",
        "unicast_peer",
        "authentication",
        "auth_type",
        "PASS",
        "auth_pass",
        "x",
        "$A=",
        "$A=$B",
        "${A}",
        "$A",
        "$B=$A \\",
        "~SEQ(I,1,3)",
        "~SEQ(I,1,40)",
        "~LST({A,B},{1,2},{3})",
        "${_RANDOM 1}",
        "${_PWD}",
        "@n1",
        "@^n1",
        "include a",
        "include b*",
        "{",
        "}",
        "{",
        "}",
        "\n",
        "\n",
        "\n",
        "\n",
        "#",
        "!",
        "\"",
        "\r",
        "\0",
        "é",
        "nb_get_retry",
    ]);
    (words, prop::bool::weighted(0.8))
        .prop_map(|(word, blank)| if blank { format!("{word} ") } else { word.to_owned() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end(text in prop::collection::vec(any::<u8>(), 0..2000)) {
        run(text);
    }

    #[test]
    fn any_words_end(words in prop::collection::vec(fragment(), 0..120)) {
        run(words.concat().into_bytes());
    }

    /// A real file with bytes changed, dropped and doubled.
    #[test]
    fn a_damaged_file_ends(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..12)) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/conf/seeds/000_3_lvs_dr_master.conf");
        let mut text = std::fs::read(path).unwrap();
        for (place, byte, kind) in edits {
            let at = place.index(text.len());
            match kind {
                0 => text[at] = byte,
                1 => { text.remove(at); }
                _ => text.insert(at, byte),
            }
        }
        run(text);
    }
}

/// Sizes far beyond any real file.
#[test]
fn large_files_end_soon() {
    for text in [
        "x\n".repeat(300_000),
        "x {\n".repeat(200_000),
        "}\n".repeat(300_000),
        "vrrp_instance ".repeat(4_000),
        "$A=x\n".repeat(200_000),
        format!("{}$A\n", "$A=${A}${A}\n".repeat(1000)),
        format!("vrrp_instance A {{\ntrack_interface {{\n{}}}\n}}\n", "eth0 weight 1\n".repeat(100_000)),
    ] {
        run(text.into_bytes());
    }
}
