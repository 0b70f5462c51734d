//! The rules of the code that no compiler checks: who may depend on whom, where `unsafe` and bincode may stand, what a
//! core may use.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const DAEMONS: [&str; 4] = ["vrrpd", "checkd", "ipvsd", "supervisor"];

/// Longer files answer more than one question.
const LONGEST_FILE: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every Rust file below `directory`, with its path from the root and its text.
fn sources(directory: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(directory)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn all_sources() -> Vec<(String, String)> {
    ["ipc", "vrrpd", "checkd", "ipvsd", "supervisor", "tests"].into_iter().flat_map(sources).collect()
}

/// The lines without comments, string contents left in, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(number, line)| (number + 1, line.split("//").next().unwrap_or_default()))
}

/// The names below `[dependencies]` of a package.
fn dependencies(package: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]" || line.starts_with("[target.") && line.ends_with(".dependencies]");
        } else if inside && let Some((name, _)) = line.split_once(['.', ' ', '=']) {
            names.insert(name.to_owned());
        }
    }
    names
}

/// Whether `word` stands in `line` by itself.
fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word)
}

#[test]
fn daemons_do_not_know_each_other_and_ipc_knows_no_daemon() {
    let workspace: BTreeSet<&str> = DAEMONS.into_iter().chain(["ipc", "tests"]).collect();
    for package in DAEMONS {
        let known: Vec<String> =
            dependencies(package).into_iter().filter(|name| workspace.contains(name.as_str())).collect();
        assert_eq!(known, ["ipc"], "{package} may depend on ipc alone");
    }
    let known: Vec<String> = dependencies("ipc").into_iter().filter(|name| workspace.contains(name.as_str())).collect();
    assert_eq!(known, Vec::<String>::new(), "ipc may depend on no package of the workspace");
}

#[test]
fn the_parser_and_its_crates_reach_checkd_only() {
    for package in ["ipc", "vrrpd", "ipvsd", "supervisor"] {
        for parser in ["annotate-snippets", "httparse"] {
            assert!(
                !dependencies(package).contains(parser),
                "{package} depends on {parser}, which reads text from outside"
            );
        }
    }
}

#[test]
fn each_system_interface_has_its_place() {
    for (name, owners) in [
        ("bincode", &["ipc"][..]),
        ("netlink-sys", &["ipvsd"]),
        ("clap", &["supervisor", "tests"]),
        ("syslog", &["ipc"]),
    ] {
        for package in DAEMONS.into_iter().chain(["ipc", "tests"]) {
            assert!(
                owners.contains(&package) || !dependencies(package).contains(name),
                "{package} depends on {name}; only {owners:?} may"
            );
        }
    }
}

#[test]
fn only_the_codec_names_bincode() {
    for (file, text) in all_sources() {
        let allowed = file == "ipc/src/codec.rs" || file == "tests/tests/architecture.rs";
        for (number, line) in code(&text) {
            assert!(allowed || !has_word(line, "bincode"), "{file}:{number}: bincode is named: {line}");
        }
    }
}

#[test]
fn unsafe_stands_in_sys_only() {
    let mut owners: BTreeSet<String> = BTreeSet::new();
    for (file, text) in all_sources() {
        if file.ends_with("/sys.rs") {
            let place = file.split("/src/").next().unwrap_or_default().to_owned();
            assert!(owners.insert(place), "{file}: its package has another sys.rs");
        } else if file != "tests/tests/architecture.rs" {
            for (number, line) in code(&text) {
                assert!(!has_word(line, "unsafe"), "{file}:{number}: unsafe outside of sys.rs: {line}");
            }
        }
    }
}

#[test]
fn cores_are_no_std_without_unsafe() {
    for package in DAEMONS {
        let lib = fs::read_to_string(root().join(package).join("src/lib.rs")).unwrap();
        for attribute in ["no_std", "#![forbid(unsafe_code)]"] {
            assert!(lib.contains(attribute), "{package}/src/lib.rs lacks {attribute}");
        }
        assert!(
            !lib.contains("extern crate std") || lib.contains("cfg(test)"),
            "{package}/src/lib.rs takes std in again"
        );
    }
}

#[test]
fn nothing_is_unfinished_skipped_or_silenced_without_a_reason() {
    for (file, text) in all_sources() {
        if file == "tests/tests/architecture.rs" {
            continue;
        }
        for (number, line) in code(&text) {
            for word in ["todo!", "unimplemented!", "dbg!", "#[ignore"] {
                assert!(!line.contains(word), "{file}:{number}: {word}");
            }
        }
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let silenced = line.trim_start().starts_with("#[allow(") || line.trim_start().starts_with("#![allow(");
            let before =
                index.checked_sub(1).and_then(|index| lines.get(index)).copied().unwrap_or_default().trim_start();
            let reason = line.contains("reason") || line.contains("//") || before.starts_with("//");
            let next_lines = lines.get(index..index + 6).unwrap_or_default().concat();
            assert!(
                !silenced || reason || next_lines.contains("reason ="),
                "{file}:{}: allowed without a reason",
                index + 1
            );
        }
    }
}

#[test]
fn no_file_swallows_the_protocol() {
    // A table of transitions or of cases may be as long as what it tabulates.
    for (file, text) in
        all_sources().into_iter().filter(|(file, _)| file.contains("/src/") && !file.ends_with("_tests.rs"))
    {
        let length = text.lines().count();
        assert!(length <= LONGEST_FILE, "{file} has {length} lines; split it by question");
    }
}

#[test]
fn versions_come_from_the_workspace() {
    for package in DAEMONS.into_iter().chain(["ipc", "tests"]) {
        let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
        let mut inside = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                inside = line.contains("dependencies");
            } else if inside && line.contains('=') {
                assert!(line.contains("workspace = true"), "{package}/Cargo.toml: {line}");
            }
        }
    }
}
