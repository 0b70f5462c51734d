//! Each code of a diagnostic has a file that produces it, `../codes/CODE.conf`; each lint also one that looks like it and is right,
//! `CODE.right.conf`. What a file produces stands in it, in comments: `-> CODE` for this line, `-> CODE at LINE` for another.

use crate::common::facts;
use checkd::conf::compile;
use checkd::conf::diag::Code;
use checkd::conf::explain::explain;
use ipc::msg::compile::{CompileMode, Unread};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

type Told = BTreeSet<(u32, String)>;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/codes")
}

/// What grows less with every release; only the files of these two codes speak of them.
const NOT_YET: [&str; 2] = ["K007", "R006"];

/// What is told of a file, notes and all; a file that it includes comes from the same directory.
fn told(path: &Path) -> Told {
    let facts = ipc::msg::compile::Facts { path: path.file_name().unwrap().to_str().unwrap().into(), ..facts() };
    let compiled = compile(facts, CompileMode::Test, std::fs::read(path).unwrap(), |request| {
        match std::fs::read(directory().join(&request.pattern)) {
            Ok(text) => (vec![(request.pattern.clone(), text)], Vec::new()),
            Err(_) => (Vec::new(), vec![Unread::Missing(request.pattern.clone())]),
        }
    });
    let list = compiled.diags.list().iter();
    list.map(|d| (compiled.sources.place(d.primary.as_ref().unwrap().span).line, d.code.0.to_owned())).collect()
}

/// What its comments say.
fn expected(path: &Path) -> Told {
    let text = std::fs::read(path).unwrap();
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut expected = Told::new();
    for (n, line) in (1..).zip(text.lines()) {
        for item in line.split_once("-> ").map_or("", |(_, marks)| marks).split(", ").filter(|item| !item.is_empty()) {
            let (code, line) =
                item.trim().split_once(" at ").map_or((item.trim(), n), |(c, l)| (c, l.parse().unwrap()));
            expected.insert((line, code.to_owned()));
        }
    }
    expected
}

#[test]
fn each_code_has_a_file_and_the_files_produce_what_they_say() {
    let mut wrong = Vec::new();
    for code in Code::ALL {
        let path = directory().join(format!("{code}.conf"));
        if !path.exists() {
            wrong.push(format!("{code} has no file"));
        } else if !expected(&path).iter().any(|(_, c)| c == code.0) {
            wrong.push(format!("{} does not produce {code}", path.display()));
        }
        if code.0.starts_with('W') && !directory().join(format!("{code}.right.conf")).exists() {
            wrong.push(format!("{code} has no file that is right"));
        }
    }
    for entry in std::fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let (mut expected, mut told) = (expected(&path), told(&path));
        for list in [&mut expected, &mut told] {
            list.retain(|(_, code)| !NOT_YET.contains(&code.as_str()) || name.starts_with(code));
        }
        if expected != told {
            wrong.push(format!("{name}: expected {expected:?}, told {told:?}"));
        }
        if name.ends_with(".right.conf") && told.iter().any(|(_, code)| name.starts_with(code)) {
            wrong.push(format!("{name} is not right"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_code_is_explained() {
    for code in Code::ALL {
        let text = explain(code.0).unwrap();
        assert!(text.starts_with(code.0) && text.split_whitespace().count() > 8, "{text}");
    }
}

/// A hundred virtual servers without `alpha` are one note, and one silenced at its place leaves the others.
#[test]
fn what_is_the_same_everywhere_is_told_once() {
    let service = |n: usize, head: &str| {
        format!(
            "virtual_server 192.0.2.{n} 80 {{ {head}\nlb_kind DR\nprotocol TCP\nreal_server 192.0.3.{n} 80 {{\nTCP_CHECK {{\n}}\n}}\n}}\n"
        )
    };
    let text: String = (1..=100).map(|n| service(n, "")).collect();
    let compiled = crate::common::load(&text);
    let told: Vec<_> = compiled.diags.list().iter().filter(|d| d.code == Code::NO_ALPHA).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].message.ends_with("(and so it is in 99 more places)"), "{}", told[0].message);
    let silenced = service(1, "# holdfast: allow(W301)") + &service(2, "");
    let compiled = crate::common::load(&silenced);
    let told: Vec<_> = compiled.diags.list().iter().map(|d| d.code).collect();
    assert_eq!(told, [Code::NO_ALPHA]);
}
