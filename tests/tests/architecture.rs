//! The rules of the code that no compiler checks: who may depend on whom, where `unsafe` and bincode may stand, what a
//! core may use.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// What cargo knows of every crate that is built, its own dependencies included.
fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The words in quotation marks of a line of deny.toml.
fn quoted(line: &str) -> Vec<&str> {
    line.split('"').skip(1).step_by(2).collect()
}

/// The entry of deny.toml's list of crates that only some may use, or none: the crate and its users.
fn restricted(deny: &str) -> Vec<(&str, Vec<&str>)> {
    let lines = deny.lines().skip_while(|line| !line.starts_with("deny = ["));
    let entries = lines.filter(|line| line.trim_start().starts_with("{ name = "));
    entries.filter_map(|line| quoted(line).split_first().map(|(name, users)| (*name, users.to_vec()))).collect()
}

/// Whether a licence expression can be met with the licences of `allowed`. Where AND and OR stand together, OR is in parentheses.
fn permits(expression: &str, allowed: &[&str]) -> bool {
    expression.split(" AND ").all(|part| {
        let alternatives = part.trim_matches(['(', ')', ' ']).split(" OR ").flat_map(|one| one.split('/'));
        alternatives.map(str::trim).any(|licence| allowed.contains(&licence))
    })
}

/// `cargo deny check bans licenses sources`, for machines that have no cargo-deny: deny.toml says what holds.
#[test]
fn crates_are_licensed_and_used_as_deny_toml_says() {
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let metadata = metadata();
    let allowed = quoted(deny.lines().find(|line| line.starts_with("allow = [")).unwrap());
    let mut names = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let name = package["name"].as_str().unwrap();
        names.insert(package["id"].as_str().unwrap(), name);
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(permits(licence, &allowed), "{name} has the licence {licence:?}, which deny.toml does not allow");
        let source = package["source"].as_str();
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        assert!(source.is_none_or(|source| source == registry), "{name} comes from {source:?}");
    }
    assert!(names.len() > 100, "only {} crates", names.len());
    let restricted = restricted(&deny);
    assert!(restricted.len() > 15 && restricted.contains(&("bincode", vec!["ipc"])), "{restricted:?}");
    for node in list(&metadata["resolve"]["nodes"]) {
        let user = names[node["id"].as_str().unwrap()];
        for used in list(&node["deps"]) {
            let used = names[used["pkg"].as_str().unwrap()];
            for (name, users) in restricted.iter().filter(|(name, _)| *name == used) {
                assert!(users.contains(&user), "{user} uses {name}; by deny.toml only {users:?} may");
            }
        }
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = ["MIT", "ISC"];
    for good in ["MIT", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "(MIT OR GPL-3.0) AND ISC"] {
        assert!(permits(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "MIT WITH exception"] {
        assert!(!permits(bad, &allowed), "{bad}");
    }
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

/// clippy sees to it where the attribute stands.
#[test]
fn no_program_indexes_or_unwraps() {
    for package in DAEMONS {
        for file in ["src/lib.rs", "src/main.rs"] {
            let text = fs::read_to_string(root().join(package).join(file)).unwrap();
            for lint in ["indexing_slicing", "string_slice", "unwrap_used", "expect_used", "panic"] {
                let denied = text.split("deny(").nth(1).is_some_and(|list| list.contains(&format!("clippy::{lint}")));
                assert!(denied, "{package}/{file} does not deny clippy::{lint}");
            }
        }
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
