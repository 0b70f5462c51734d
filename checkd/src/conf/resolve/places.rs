//! Where named blocks stand. They are looked up as often as a file mentions them, which may be a hundred thousand times.

use crate::conf::Draft;
use crate::conf::keyword::At;
use alloc::collections::BTreeMap;
use alloc::string::String;

/// Named blocks by name, with their places in the draft; of two with one name the first one counts.
pub(super) struct Places<'a> {
    /// `track_file`
    pub files: BTreeMap<&'a str, usize>,
    /// `bfd_instance`
    pub bfds: BTreeMap<&'a str, usize>,
    /// `virtual_server_group`
    pub server_groups: BTreeMap<&'a str, usize>,
    /// `track_group`
    pub track_groups: BTreeMap<&'a str, usize>,
    /// `vrrp_instance`
    pub instances: BTreeMap<&'a str, usize>,
}

impl<'a> Places<'a> {
    /// Those of a draft.
    pub(super) fn of(draft: &'a Draft) -> Self {
        Places {
            files: by_name(draft.files.iter().map(|f| &f.name)),
            bfds: by_name(draft.bfds.iter().map(|b| &b.name)),
            server_groups: by_name(draft.server_groups.iter().map(|g| &g.name)),
            track_groups: by_name(draft.track_groups.iter().map(|g| &g.name)),
            instances: by_name(draft.instances.iter().map(|i| &i.name)),
        }
    }
}

fn by_name<'a>(names: impl Iterator<Item = &'a At<String>>) -> BTreeMap<&'a str, usize> {
    let mut places = BTreeMap::new();
    for (place, name) in names.enumerate() {
        places.entry(name.value.as_str()).or_insert(place);
    }
    places
}
