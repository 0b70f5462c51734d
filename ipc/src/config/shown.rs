//! What dumps say of an instance and vrrpd has no other use for: its addresses, routes and rules with all their options are ipvsd's affair.
//! Only words for people: nothing is decided by them.

use super::{LinkIdx, ScriptIdx};
use serde::{Deserialize, Serialize};

/// An instance in words. COMPAT: keepalived 2.2.7, as it writes them into `keepalived.json` and `keepalived.data`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// [`super::vrrp::Instance::vips`], then [`super::vrrp::Instance::excluded`], row for row.
    pub addrs: Vec<String>,
    /// `virtual_routes`
    pub routes: Vec<String>,
    /// `virtual_rules`
    pub rules: Vec<String>,
    /// Lines of `track_interface`: [`super::vrrp::Instance::track_links`] but for those that nobody wrote there.
    pub track_links: Vec<LinkIdx>,
}

/// The commands that vrrpd may ask for, as a shell would take them: each word in single quotes. Ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commands(pub Vec<(ScriptIdx, String)>);

impl Commands {
    /// One of them.
    pub fn at(&self, script: ScriptIdx) -> Option<&str> {
        let found = self.0.binary_search_by_key(&script, |(index, _)| *index).ok()?;
        self.0.get(found).map(|(_, words)| words.as_str())
    }
}
