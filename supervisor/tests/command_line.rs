//! What the program answers before it starts anything: exit codes and texts. COMPAT: keepalived 2.4.3.
#![allow(clippy::unwrap_used)] // In a test, a panic is the report.

use std::process::{Command, Output};

fn holdfast(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_holdfast")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn version_goes_to_standard_error() {
    for option in ["-v", "--version"] {
        let out = holdfast(&[option]);
        assert_eq!(out.status.code(), Some(0));
        assert_eq!(text(&out.stdout), "");
        assert_eq!(text(&out.stderr), concat!("Holdfast v", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

#[test]
fn help_names_every_short_option() {
    let out = holdfast(&["-h"]);
    assert_eq!(out.status.code(), Some(0));
    let help = text(&out.stdout);
    for letter in "fPCBlDSgGuXVIRndpcrbTaxAmMLOseitvh".chars() {
        assert!(help.contains(&format!("-{letter}: ")), "-{letter} is missing in\n{help}");
    }
}

/// The manual names what `--help` names, and nothing else.
#[test]
fn the_manual_names_every_option() {
    let words = |text: String| -> std::collections::BTreeSet<String> {
        let long = text.split("--").skip(1).map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_lowercase() || matches!(c, '-' | '_'))).unwrap_or(rest.len());
            rest[..end].trim_end_matches('-').to_owned()
        });
        long.filter(|word| !word.is_empty()).collect()
    };
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/man/holdfast.8");
    let page = std::fs::read_to_string(page).unwrap();
    let options = page[page.find(".SH OPTIONS").unwrap()..page.find(".SH SIGNALS").unwrap()].replace("\\-", "-");
    assert_eq!(words(text(&holdfast(&["--help"]).stdout)), words(options));
}

#[test]
fn signal_numbers_are_printed() {
    for (name, number) in [("STOP", "15"), ("RELOAD", "1"), ("DATA", "10"), ("STATS", "12"), ("JSON", "36")] {
        let out = holdfast(&[&format!("--signum={name}")]);
        assert_eq!((out.status.code(), text(&out.stdout)), (Some(0), format!("{number}\n")), "{name}");
    }
    let out = holdfast(&["--signum", "FOO"]);
    assert_eq!(out.status.code(), Some(1));
}

#[test]
fn exit_codes() {
    let missing = "/nonexistent/holdfast.conf";
    for (args, code) in [
        (&["--no-such-option"][..], 1),
        (&["-Z"][..], 1),
        (&["-n", "-G", "-f", missing][..], 6),
        (&["-n", "-G", "-f", "/etc"][..], 6),
        (&["-t", "-f", missing][..], 4),
        (&["-s", "no-such-namespace", "-n", "-f", missing][..], 1),
        (&["-s", "../netns/x", "-t", "-f", missing][..], 1),
    ] {
        let out = holdfast(args);
        assert_eq!(out.status.code(), Some(code), "{args:?}: {}", text(&out.stderr));
        assert_ne!(text(&out.stderr), "", "{args:?} says nothing");
    }
}

#[test]
fn nobody_need_listen() {
    for (args, code) in [(&["-h"][..], 0), (&["-v"], 0), (&["--signum", "STOP"], 0), (&["-n", "-f", "/nonexistent"], 6)]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.args(args).stdout(writer.try_clone().unwrap()).stderr(writer);
        drop(reader);
        assert_eq!(command.status().unwrap().code(), Some(code), "{args:?}");
    }
}

#[test]
fn what_goes_with_a_test_only_needs_one() {
    for args in [&["--offline"][..], &["--message-format", "short"][..], &["-t", "--message-format", "xml"][..]] {
        assert_eq!(holdfast(args).status.code(), Some(1), "{args:?}");
    }
}
