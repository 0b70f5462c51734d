//! `track_file`: a file whose number matters to instances and real servers. The supervisor watches it and hands it out, open, by its
//! index; who tracks it reads the number ([`crate::tracked`]).

use super::Origin;
use super::vrrp::Switch;
use serde::{Deserialize, Serialize};

/// A `track_file`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackFile {
    /// Its name.
    pub name: String,
    /// `file`
    pub path: String,
    /// `weight`, default 1.
    pub weight: FileWeight,
    /// `init_file`
    pub init: Option<InitFile>,
    /// Where its block begins.
    pub origin: Origin,
}

/// What the number in the file is multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWeight {
    /// −254..=254 for instances, any for real servers; zero: a number other than zero means down.
    pub value: i32,
    /// `reverse`
    pub reverse: Switch,
}

/// `init_file`: what is written when the daemon starts; never on reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitFile {
    /// The number, default 0.
    pub value: i64,
    /// `overwrite`: also over what is there.
    pub overwrite: Switch,
}

/// A `track_file` that somebody tracks, as the supervisor sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedFile {
    /// Its name.
    pub name: String,
    /// `file`, absolute.
    pub path: String,
    /// `init_file`
    pub init: Option<InitFile>,
    /// An instance tracks it.
    pub vrrp: Switch,
    /// A FILE_CHECK does.
    pub check: Switch,
    /// Where its block begins.
    pub origin: Origin,
}
