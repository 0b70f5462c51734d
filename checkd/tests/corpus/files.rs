//! Which files there are, and what the compiler makes of them.

use checkd::conf::diag::{Code, Severity};
use checkd::conf::{Compiled, Request, compile};
use ipc::msg::compile::{CompileMode, Facts, Unread};
use std::path::{Path, PathBuf};

/// Interfaces of the machine that the files are for; keepalived gets the same.
pub const LINKS: [&str; 4] = ["lo", "eth0", "eth1", "ens33"];

/// One file of the corpus.
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// What is said of it.
    pub expected: PathBuf,
    /// `accept`, `reject`, `mistakes`, `seeds` or `samples`.
    pub kind: String,
}

impl File {
    /// Its last component.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// As `holdfast -t` does from the file's own directory.
    pub fn compile(&self) -> Compiled {
        let facts = Facts {
            path: self.name(),
            cwd: "/etc/keepalived".into(),
            config_id: "n1".into(),
            hostname: "n1.example".into(),
            interfaces: LINKS.map(String::from).to_vec(),
            ..Facts::default()
        };
        let directory = self.path.parent().unwrap();
        compile(facts, CompileMode::Test, std::fs::read(&self.path).unwrap(), |request| include(directory, request))
    }
}

/// Files with their names, and what could not be read.
type Included = (Vec<(String, Vec<u8>)>, Vec<Unread>);

/// A file beside the one that names it, or all of them that `*` stands for.
fn include(directory: &Path, request: &Request) -> Included {
    let pattern = Path::new(&request.pattern);
    let within = directory.join(pattern.parent().unwrap());
    let name = pattern.file_name().unwrap().to_str().unwrap();
    let Some((before, after)) = name.split_once('*') else {
        return match std::fs::read(within.join(name)) {
            Ok(bytes) => (vec![(request.pattern.clone(), bytes)], Vec::new()),
            Err(_) => (Vec::new(), vec![Unread::Missing(request.pattern.clone())]),
        };
    };
    let Some(parent) = pattern.parent().and_then(Path::to_str) else { return (Vec::new(), vec![Unread::Nothing]) };
    let matches = |name: &String| name.starts_with(before) && name.ends_with(after);
    let mut found: Vec<String> = names(&within).into_iter().filter(matches).collect();
    found.sort();
    (
        found.iter().map(|name| (format!("{parent}/{name}"), std::fs::read(within.join(name)).unwrap())).collect(),
        Vec::new(),
    )
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Where the corpus is.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/conf")
}

/// Debian's samples of keepalived, which its package installs; only what is said of them is kept here.
const SAMPLES: &str = "/usr/share/doc/keepalived/samples";

/// All files in order.
pub fn all() -> Vec<File> {
    let mut all = Vec::new();
    for kind in ["seeds", "accept", "reject", "mistakes"] {
        let directory = root().join(kind);
        let configurations = names(&directory).into_iter().filter(|name| name.ends_with(".conf"));
        all.extend(configurations.map(|name| {
            let path = directory.join(name);
            File { expected: path.with_extension("expected"), path, kind: kind.to_owned() }
        }));
    }
    if let Ok(samples) = std::fs::read_dir(SAMPLES) {
        for path in samples.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with("keepalived.conf.") {
                let expected = root().join("samples").join(format!("{name}.expected"));
                all.push(File { path, expected, kind: "samples".into() });
            }
        }
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// How many errors a file has. What this release cannot run yet is none: the text is right.
pub fn errors(compiled: &Compiled) -> usize {
    let list = compiled.diags.list().iter();
    list.filter(|d| d.severity >= Severity::Error && d.code != Code::UNSUPPORTED).count()
}
