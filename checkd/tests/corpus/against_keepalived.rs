//! keepalived and Holdfast on the same files. COMPAT: what keepalived takes is taken, and the lines it names are named, except for what
//! the table of differences says; each entry of the table that shows in the text of a file has a file here.
//!
//! Needs Debian's keepalived and root (for a network namespace with the interfaces of the files).

use crate::expected::differs;
use crate::files::{File, LINKS, all, errors, root};
use checkd::conf::differences::{DIFFERENCES, Shows};
use std::collections::BTreeSet;
use std::process::Command;

/// What a program says of a file.
struct Said {
    accepted: bool,
    /// Lines of the file itself.
    lines: BTreeSet<usize>,
    text: String,
}

/// `keepalived -t` exits with 0, or with 6 when a script is not protected as it should be (and when an include fails).
fn is_accepted(code: &str, text: &str) -> bool {
    code == "0" || code == "6" && text.contains("SECURITY VIOLATION")
}

/// All files in one namespace: after each file's output a line `=== NUMBER CODE`.
fn keepalived(files: &[File]) -> Vec<Said> {
    let script = "ip link add eth0 type veth peer name eth1 && ip link add ens33 type veth peer name ens34 || exit 1
        for i in eth0 eth1 ens33; do ip link set $i up || exit 1; done
        # The scripts that the seeds name.
        mkdir -p /etc/keepalived && mount -t tmpfs tmpfs /etc/keepalived || exit 1
        for s in nginx.sh; do printf '#!/bin/sh\\n' >/etc/keepalived/$s; chmod 755 /etc/keepalived/$s; done
        for f; do cd \"${f%/*}\"; timeout 20 keepalived -t -i n1 -f \"${f##*/}\" 2>&1; echo \"=== $?\"; done";
    let output = Command::new("unshare")
        .args(["--net", "--mount", "sh", "-c", script, "sh"])
        .args(files.iter().map(|file| file.path.canonicalize().unwrap()))
        .output()
        .unwrap_or_else(|e| panic!("unshare: {e}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut said = Vec::new();
    let mut about = String::new();
    for line in text.lines() {
        let Some(code) = line.strip_prefix("=== ") else {
            about.push_str(line);
            about.push('\n');
            continue;
        };
        let name = files.get(said.len()).map(File::name).unwrap_or_default();
        let lines = about.lines().filter_map(|l| named(l, &name)).collect();
        said.push(Said { accepted: is_accepted(code, &about), lines, text: std::mem::take(&mut about) });
    }
    assert_eq!(said.len(), files.len());
    said
}

/// The line in `(FILE: Line N) …`, or `(Line N) …` where no other file was included yet.
fn named(line: &str, file: &str) -> Option<usize> {
    let line = line.strip_prefix('(')?;
    let line = line.strip_prefix(file).and_then(|l| l.strip_prefix(": ")).unwrap_or(line);
    line.strip_prefix("Line ")?.split_once(')')?.0.parse().ok()
}

fn holdfast(file: &File) -> Said {
    let compiled = file.compile();
    let (mut lines, mut text) = (BTreeSet::new(), String::new());
    for diagnostic in compiled.diags.list() {
        for label in diagnostic.primary.iter().chain(&diagnostic.others) {
            let place = compiled.sources.place(label.span);
            if place.file == file.name() {
                lines.insert(usize::try_from(place.line).unwrap());
            }
        }
        text.push_str(&checkd::conf::short::line(&compiled, diagnostic));
        text.push('\n');
    }
    Said { accepted: errors(&compiled) == 0, lines, text }
}

/// keepalived names the end of a block for what is wrong with the block: its lines, the one with the keyword included.
fn block_that_ends_at(text: &[&str], line: usize) -> Option<std::ops::RangeInclusive<usize>> {
    let code = |n: usize| text.get(n).map_or("", |l| l.split(['#', '!']).next().unwrap_or_default());
    if !code(line.checked_sub(1)?).contains('}') {
        return None;
    }
    let mut depth = 0_i32;
    for n in (0..line).rev() {
        for c in code(n).chars().rev() {
            depth += match c {
                '}' => 1,
                '{' => -1,
                _ => 0,
            };
            if c == '{' && depth == 0 {
                return Some(n.max(1)..=line);
            }
        }
    }
    None
}

fn is_named(line: usize, text: &[&str], ours: &BTreeSet<usize>) -> bool {
    ours.contains(&line) || block_that_ends_at(text, line).is_some_and(|block| ours.range(block).next().is_some())
}

fn can_run() -> bool {
    nix::unistd::geteuid().is_root() && Command::new("keepalived").arg("--version").output().is_ok()
}

#[test]
fn keepalived_says_the_same() {
    assert!(can_run(), "this test needs root and keepalived; tests/run is the command that runs all tests");
    assert_eq!(LINKS, ["lo", "eth0", "eth1", "ens33"], "the namespace has these");
    let files = all();
    let mut wrong = Vec::new();
    for (file, they) in files.iter().zip(keepalived(&files)) {
        let we = holdfast(file);
        let known = differs(file);
        let bytes = std::fs::read(&file.path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let missed: Vec<usize> = they
            .lines
            .iter()
            .copied()
            .filter(|line| !is_named(*line, &lines, &we.lines) && !known.lines.contains(line))
            .collect();
        let idle: Vec<usize> = known.lines.iter().copied().filter(|l| !they.lines.contains(l)).collect();
        let why = if we.accepted != they.accepted && !known.verdict {
            format!("we {}, keepalived {}", we.accepted, they.accepted)
        } else if we.accepted == they.accepted && known.verdict {
            String::from("the verdict is the same; `differs` is too much")
        } else if !missed.is_empty() {
            format!("keepalived names lines {missed:?}, we do not")
        } else if !idle.is_empty() {
            format!("keepalived does not name lines {idle:?}; `differs` is too much")
        } else {
            continue;
        };
        wrong.push(format!("{}: {why}\n-- keepalived:\n{}-- holdfast:\n{}", file.path.display(), they.text, we.text));
    }
    assert!(wrong.is_empty(), "{} files:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_difference_that_shows_has_a_file() {
    let named: String = all().iter().map(|f| std::fs::read_to_string(&f.expected).unwrap_or_default()).collect();
    let idle: Vec<&str> = DIFFERENCES
        .iter()
        .filter(|d| d.shows == Shows::InText && !named.contains(&format!("# differs: {} ", d.id)))
        .map(|d| d.id)
        .collect();
    assert!(idle.is_empty(), "no file of {} shows {idle:?}", root().display());
}
