//! What is said of each file is what stands beside it.

use crate::files::{File, all, errors, root};
use checkd::conf::diag::Severity;
use checkd::conf::differences;
use checkd::conf::short::line;
use std::collections::BTreeSet;

/// What keepalived sees in another way.
#[derive(Default)]
pub struct Differs {
    /// The entry that accounts for another verdict.
    pub verdict: bool,
    /// Lines that keepalived names for a reason of its own.
    pub lines: BTreeSet<usize>,
}

const DIFFERS: &str = "# differs: ";

/// The lines of `differs` in a file of expectations.
pub fn differs(file: &File) -> Differs {
    let mut differs = Differs::default();
    for text in std::fs::read_to_string(&file.expected).unwrap_or_default().lines() {
        let Some(text) = text.strip_prefix(DIFFERS) else { continue };
        let mut words = text.split_whitespace();
        let id = words.next().unwrap_or_default();
        assert!(differences::difference(id).is_some(), "{}: there is no difference `{id}`", file.expected.display());
        for word in words {
            match word.parse() {
                Ok(line) => drop(differs.lines.insert(line)),
                Err(_) => {
                    assert_eq!(word, "verdict", "{}", file.expected.display());
                    differs.verdict = true;
                }
            }
        }
    }
    differs
}

fn said(file: &File) -> Vec<String> {
    let compiled = file.compile();
    compiled.diags.list().iter().map(|diagnostic| line(&compiled, diagnostic)).collect()
}

#[test]
fn what_is_said_of_each_file_stands_beside_it() {
    let bless = std::env::var_os("HOLDFAST_BLESS").is_some();
    let mut wrong = Vec::new();
    for file in all() {
        let kept = std::fs::read_to_string(&file.expected).unwrap_or_default();
        let head: String = kept.lines().filter(|l| l.starts_with(DIFFERS)).map(|l| format!("{l}\n")).collect();
        let now: String = said(&file).iter().map(|l| format!("{l}\n")).collect();
        let now = head + &now;
        if bless {
            std::fs::write(&file.expected, &now).unwrap();
        } else if now != kept || !file.expected.exists() {
            wrong.push(format!("--- {}\n{kept}+++ is now\n{now}", file.expected.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nHOLDFAST_BLESS=1 takes what is said now as expected", wrong.join("\n"));
}

#[test]
fn each_directory_keeps_its_word() {
    let mut wrong = Vec::new();
    for file in all() {
        let compiled = file.compile();
        let errors = errors(&compiled);
        let right = match file.kind.as_str() {
            "accept" => errors == 0,
            "reject" => errors > 0,
            "mistakes" => compiled.diags.list().iter().any(|d| d.severity >= Severity::Note),
            _ => true,
        };
        if !right {
            wrong.push(format!("{} {errors}: {:?}", file.path.display(), said(&file)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_stands_beside_a_file_that_is_gone() {
    let known: BTreeSet<_> = all().into_iter().map(|file| file.expected).collect();
    for kind in ["seeds", "accept", "reject", "mistakes"] {
        for entry in std::fs::read_dir(root().join(kind)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "expected") {
                assert!(known.contains(&path), "{}", path.display());
            }
        }
    }
}

/// Enough of them, each with a text of its own.
#[test]
fn there_are_many_and_no_two_are_the_same() {
    let own = all().into_iter().filter(|f| matches!(f.kind.as_str(), "accept" | "reject" | "mistakes"));
    let texts: Vec<Vec<u8>> = own.map(|file| std::fs::read(&file.path).unwrap()).collect();
    assert!(texts.len() >= 150, "{}", texts.len());
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), texts.len());
}
