//! `track_file` blocks. COMPAT: keepalived 2.4.3.

use super::global_vrrp::fill;
use super::keyword::{Args, At, Keyword, Reader};
use super::source::Span;
use super::tree::Statement;
use alloc::format;
use alloc::string::String;
use ipc::config::file::{FileWeight, InitFile};
use ipc::config::vrrp::Switch;

/// A `track_file` block.
#[derive(Clone, Debug)]
pub struct TrackFile {
    /// Its name.
    pub name: At<String>,
    /// `file`
    pub path: Option<At<String>>,
    /// `weight`
    pub weight: Option<FileWeight>,
    /// `init_file`
    pub init: Option<InitFile>,
    /// Its first line.
    pub span: Span,
}

impl TrackFile {
    /// An empty block.
    pub fn new(name: At<String>, span: Span) -> Self {
        TrackFile { name, path: None, weight: None, init: None, span }
    }
}

/// Largest weight of a file for instances; its number times this stays far from any limit.
const WEIGHT: i64 = 254;

/// `track_file`
pub static TRACK_FILE: &[Keyword<TrackFile>] = &[
    Keyword::new(
        "file",
        Args::Count(1, 1),
        "PATH",
        "the path of the file; it holds one number",
        |r, s, d: &mut TrackFile| {
            let Some(word) = s.word(1) else { return };
            match r.text(word) {
                Some(path) if !path.value.starts_with('/') => r.bad(word, "an absolute path"),
                Some(path) if d.path.is_some() => r.first(&mut d.path, s, path.value),
                path => fill(&mut d.path, path),
            }
        },
    ),
    Keyword::new(
        "weight",
        Args::Count(1, 2),
        "INT -254..254 [reverse|noreverse]",
        "what the number in the file is multiplied with; 0: any number but 0 is FAULT",
        |r, s, d: &mut TrackFile| {
            // COMPAT: keepalived 2.2.7: the first one counts, unless it is the default.
            match file_weight(r, s, WEIGHT) {
                Some(_) if d.weight.is_some_and(|first| first.value != 1) => r.again(s),
                weight => fill(&mut d.weight, weight),
            }
        },
    )
    .or("1"),
    Keyword::new(
        "init_file",
        Args::Count(0, 2),
        "[INT] [overwrite]",
        "at the start the file is written with this number when it is missing; overwrite: in any case",
        init_file,
    )
    .or("0"),
];

/// `INT [reverse|noreverse]`
pub fn file_weight(r: &mut Reader<'_>, s: Statement<'_>, most: i64) -> Option<FileWeight> {
    let value = r.number(s.word(1), most.saturating_neg()..=most)?;
    let reverse = match s.word(2) {
        Some(word) if word.text() == "reverse" => Switch::On,
        Some(word) if word.text() == "noreverse" => Switch::Off,
        Some(word) => {
            r.bad(word, "`reverse` or `noreverse`");
            return None;
        }
        None => Switch::Off,
    };
    Some(FileWeight { value, reverse })
}

fn init_file(r: &mut Reader<'_>, s: Statement<'_>, d: &mut TrackFile) {
    let mut init = InitFile { value: 0, overwrite: Switch::Off };
    for (n, word) in s.words(1).enumerate() {
        if word.text() == "overwrite" {
            init.overwrite = Switch::On;
        } else if n == 0 {
            let Some(value) = r.int(word, i64::from(i32::MIN)..=i64::from(i32::MAX)) else { return };
            init.value = value;
            if value.abs() > WEIGHT {
                r.adjusted(word, format!("{value} in the file is taken as {}", value.clamp(-WEIGHT, WEIGHT)));
            }
        } else {
            r.bad(word, "`overwrite`");
            return;
        }
    }
    d.init = Some(init);
}
