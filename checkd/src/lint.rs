//! Lints: what is written correctly and probably not meant. Each has a code of its own, so that it can be silenced alone
//! (`# holdfast: allow(W101)`, [`crate::conf::allow`]).
//!
//! A warning for what will not work as it reads, a note for what works and may surprise. Something that is right in many files has
//! no place here: a lint looks for evidence in the file that it is wrong in this one.

pub mod address;
pub mod cut;
pub mod election;
pub mod identity;
pub mod mail;
pub mod peers;
pub mod script;
pub mod servers;
pub mod strict;

use crate::conf::Draft;
use crate::conf::diag::{Code, Diagnostic, Diagnostics};
use crate::conf::keyword::Reader;
use crate::conf::source::{Sources, Span};
use crate::conf::tree::Tree;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::Bundle;
use ipc::net::Prefix;

/// Looks at everything that concerns VRRP.
pub fn vrrp(r: &mut Reader<'_>, tree: &Tree, draft: &Draft, bundle: &Bundle, subnets: &[(String, Prefix)]) {
    election::look(r, draft, bundle);
    address::look(r, draft, subnets);
    identity::look(r, draft);
    peers::look(r, draft);
    strict::look(r, tree, draft);
    script::look(r, draft);
}

/// Looks at what concerns all parts.
pub fn all(r: &mut Reader<'_>, tree: &Tree, draft: &Draft) {
    cut::look(r, tree);
    mail::look(r, draft);
}

/// Most findings of one kind that are told one by one, where a file may have a hundred thousand of them.
const TALLY_LIMIT: usize = 10;

/// Findings of one kind: the first few are told, the rest is counted.
struct Tally {
    code: Code,
    most: usize,
    first: Vec<Diagnostic>,
    more: u32,
}

impl Tally {
    fn new(code: Code) -> Self {
        Tally { code, most: TALLY_LIMIT, first: Vec::new(), more: 0 }
    }

    /// For what is mostly the same everywhere in a file.
    fn once(code: Code) -> Self {
        Tally { most: 1, ..Tally::new(code) }
    }

    /// Takes one down, unless a comment silences it.
    fn add(&mut self, diags: &mut Diagnostics, at: Span, finding: impl FnOnce() -> Diagnostic) {
        if diags.silences(self.code, at) {
            return;
        }
        if self.first.len() < self.most {
            self.first.push(finding());
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn finish(mut self, diags: &mut Diagnostics) {
        if let (Some(last), more @ 1..) = (self.first.last_mut(), self.more) {
            let places = if more == 1 { "place" } else { "places" };
            last.message.push_str(&format!(" (and so it is in {more} more {places})"));
        }
        self.first.into_iter().for_each(|finding| diags.push(finding));
    }
}

/// The first word of a place, where that is what the file has there.
fn first_word(sources: &Sources, at: Span) -> Option<(Span, &str)> {
    let text = sources.get(at.file)?.text.get(at.start as usize..at.end as usize)?;
    let length = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    let end = at.start.saturating_add(u32::try_from(length).ok()?);
    Some((Span { end, ..at }, core::str::from_utf8(text.get(..length)?).ok()?))
}
