//! Between the supervisor and `checkd compile`, before there is a configuration. This is the only edge on which text goes up:
//! the names of files to include. The supervisor opens what they match, nothing else comes of them.

use super::control::LogSetup;
use crate::chunk::Chunk;
use crate::config::SliceKind;
use crate::config::vrrp::Switch;
use crate::net::Prefix;
use serde::{Deserialize, Serialize};

/// Supervisor to `checkd compile`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToCompile {
    /// The first message. One descriptor, the main file unless [`Facts::path`] is a pattern, with [`CompileMode::Print`] where to
    /// print, then those of `log` as in [`super::control::Down::Hello`].
    Start {
        /// How diagnostics are shown besides standard error.
        log: LogSetup,
        /// Facts of this machine.
        facts: Facts,
        /// What is wanted of the compilation.
        mode: CompileMode,
        /// How problems are written to standard error.
        format: MessageFormat,
    },
    /// Answer to [`FromCompile::Include`]: one file that matched. One descriptor.
    File {
        /// Its path, for messages.
        path: String,
    },
    /// No further file for this include.
    EndOfFiles {
        /// What it does not bring; at most 100.
        problems: Vec<Unread>,
    },
    /// Answer to [`FromCompile::Environment`]: the value, at most 4,096 bytes; `None` when it is not set or is not told.
    Environment(Option<Vec<u8>>),
}

/// What an include does not bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unread {
    /// A name without wildcard that does not exist.
    Missing(String),
    /// The wildcards match nothing at all.
    Nothing,
    /// It is there and cannot be used: a directory, a device, executable, not readable. With the reason.
    Unusable(String, String),
    /// It is beyond a bound. With the reason.
    Refused(String, String),
}

/// What a compilation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompileMode {
    /// Start or reload: the slices are wanted.
    Load,
    /// `-t`: only the diagnostics, and [`SliceKind::Script`], so that the supervisor can check scripts.
    Test,
    /// `-t --offline`: as [`CompileMode::Test`], of a file for another machine: no interface has to be there.
    Offline,
    /// `--print-config`: as [`CompileMode::Load`], but what was understood is written to a descriptor. The supervisor gets
    /// [`SliceKind::Script`] as with [`CompileMode::Test`], and [`FromCompile::Done`] before anything is written: whoever reads it may
    /// take his time. The process ends with 0 when all was written.
    Print(Print),
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// In which form.
    pub format: PrintFormat,
    /// `--show-secrets`
    pub secrets: Secrets,
    /// `--offline`: no interface has to be there.
    pub offline: Switch,
}

/// `--format`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrintFormat {
    /// As a configuration file that means the same.
    #[default]
    Keepalived,
    /// One JSON document, as the schema of Holdfast describes it.
    Json,
}

/// Whether passwords and keys are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Secrets {
    /// Something that cannot be taken for one stands in their place.
    #[default]
    Masked,
    /// They are.
    Shown,
}

impl CompileMode {
    /// Whether the file is for another machine.
    pub fn is_offline(self) -> bool {
        matches!(self, CompileMode::Offline | CompileMode::Print(Print { offline: Switch::On, .. }))
    }
}

/// How problems are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageFormat {
    /// With the lines they speak of, and a count at the end.
    #[default]
    Human,
    /// `FILE:LINE:COL: error[CODE]: text`, one line each and nothing else.
    Short,
    /// One JSON object a line, and nothing else.
    Json,
}

/// What the compiler may know of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The main file as the user named it.
    pub path: String,
    /// Whether that names one file or those that match it.
    pub main: Main,
    /// Absolute directory in which a relative [`Facts::path`] starts.
    pub cwd: String,
    /// `-i`, else the host name up to the first dot.
    pub config_id: String,
    /// Host name.
    pub hostname: String,
    /// Interfaces that exist, at most 4,096.
    pub interfaces: Vec<String>,
    /// Subnets that are reached directly, and by which interface; at most 4,096. For warnings only.
    pub subnets: Vec<(String, Prefix)>,
    /// `-P`, `-C`
    pub parts: Parts,
    /// `-e`
    pub includes: Includes,
    /// Whether the service manager has given this process credentials.
    pub credentials: Switch,
}

/// What the main file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Main {
    /// The file of that name.
    #[default]
    File,
    /// The files that match, in order; asked for with [`FromCompile::Include`] from an empty name. COMPAT: keepalived.
    Pattern,
}

/// Which failures of includes are errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Includes {
    /// Those that the directive and `include_check` say.
    #[default]
    AsWritten,
    /// All: `-e`.
    AllChecked,
}

/// Which half of the configuration counts; the other is read, and then is as if it was not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parts {
    /// Both.
    #[default]
    Both,
    /// `-P`: virtual servers do not count.
    VrrpOnly,
    /// `-C`: VRRP does not count.
    CheckOnly,
}

/// `checkd compile` to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromCompile {
    /// An include directive was met.
    Include {
        /// The pattern as written, at most 4,096 bytes.
        pattern: String,
        /// The file it stands in; relative patterns start in its directory. Empty for [`Main::Pattern`], which starts in
        /// [`Facts::cwd`].
        from: String,
    },
    /// `${_ENV NAME}` was met. At most 256 in a compilation, the name at most 255 letters, digits and `_`: a compiler that was
    /// taken over can ask for what it can name and learns nothing of what it cannot. It could tell what it learns to nobody but the
    /// log. The supervisor keeps to itself what the service manager gave it (`NOTIFY_SOCKET`, `CREDENTIALS_DIRECTORY`, …).
    Environment(String),
    /// A key is in the credential of that name, as the service manager calls it (systemd.exec(5), `CREDENTIALS_DIRECTORY`): 1 to 255
    /// letters, digits, `.`, `_` and `-`. Answered as an include of one file is, and counted as one; where the file is, is not told.
    Credential(String),
    /// A piece of a slice, in the order of [`SliceKind`].
    Slice(SliceKind, Chunk),
    /// The end. Diagnostics have been written to standard error and the log already.
    Done(Verdict),
}

/// Outcome of a compilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Problems after which the file still means something; keepalived would run.
    pub errors: u32,
    /// Lesser problems.
    pub warnings: u32,
    /// Problems with which it cannot be run (COMPAT: exit code 4 of `-t`); no slice is sent when there is one.
    pub fatal: u32,
    /// How many of these are files that had to be included and were not (COMPAT: exit code 6 of `-t` if it is all of them).
    pub unread: u32,
}

/// Whether this can be the name of a credential: no way to another directory.
pub fn is_credential(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=255).contains(&name.len()) && name.bytes().all(plain) && !matches!(name, "." | "..")
}
