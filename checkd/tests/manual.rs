//! holdfast.conf(5): its made parts are what the tables say, and it can be read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends at what it did not expect")]

use checkd::conf::manual::renew;
use checkd::conf::walk;
use std::path::PathBuf;
use std::process::Command;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../packaging/man/holdfast.conf.5")
}

fn page() -> String {
    std::fs::read_to_string(path()).unwrap()
}

#[test]
fn the_page_does_not_lag_behind_the_tables() {
    let page = page();
    let renewed = renew(&page).unwrap();
    let stale = page.lines().zip(renewed.lines()).find(|(is, should)| is != should);
    assert!(page == renewed, "run packaging/build man: the page has {stale:?}");
    for entry in walk::all() {
        let name = entry.name.replace('-', "\\-");
        assert!(page.contains(&format!("\\fB{name}\\fR")), "{name} of {} is not in the page", entry.block);
    }
}

#[test]
fn a_page_without_a_place_for_a_block_is_told() {
    assert!(renew(".\\\" keywords nothing\n.\\\" end\n").unwrap_err().contains("line 1: there is no block"));
    assert!(renew(".\\\" keywords SSL\n").unwrap_err().contains("there is no"));
    assert!(renew("").unwrap_err().contains("no place for the keywords of the file"));
}

#[test]
fn every_help_is_a_clause() {
    for entry in walk::all() {
        let first = entry.help.chars().next().unwrap();
        let capital = first.is_ascii_uppercase() && entry.help.chars().nth(1).is_some_and(|c| c.is_ascii_lowercase());
        assert!(!capital && !entry.help.ends_with('.'), "{}: {}", entry.name, entry.help);
        assert!(
            entry.help.split(' ').count() > 2,
            "{} in {}: `{}` says too little",
            entry.name,
            entry.block,
            entry.help
        );
    }
}

/// man(1) with its warnings, where it is installed.
#[test]
fn the_page_can_be_read() {
    assert!(page().is_ascii());
    for page in ["holdfast.conf.5", "holdfast.8"] {
        let output = Command::new("man")
            .args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"])
            .arg(path().with_file_name(page))
            .env("MANWIDTH", "100")
            .output();
        let Ok(output) = output else { return eprintln!("there is no man(1)") };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{page}: {said}");
        assert!(output.stdout.len() > 10_000, "{page}: {} bytes", output.stdout.len());
    }
}
