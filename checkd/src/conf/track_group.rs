//! `track_group`: instances that depend on static addresses, routes and rules. COMPAT: keepalived 2.4.3.

use super::group::names;
use super::keyword::{Args, At, Keyword};
use super::source::Span;
use alloc::string::String;
use alloc::vec::Vec;

/// A `track_group` block.
#[derive(Clone, Debug)]
pub struct TrackGroup {
    /// Its name.
    pub name: At<String>,
    /// Its first line.
    pub span: Span,
    /// `group`
    pub members: Option<Vec<At<String>>>,
}

impl TrackGroup {
    /// An empty block.
    pub fn new(name: At<String>, span: Span) -> Self {
        TrackGroup { name, span, members: None }
    }
}

/// `track_group`
pub static TRACK_GROUP: &[Keyword<TrackGroup>] =
    &[Keyword::new("group", Args::Flag, "", "the names of its instances", |r, s, g: &mut TrackGroup| {
        names(r, s, "track group", &mut g.members);
    })
    .block()];
