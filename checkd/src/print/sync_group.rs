//! `vrrp_sync_group` and `track_group` blocks. What a group tracks has been given to its members, and is printed with them.

use super::value::Value;
use super::writer::Writer;
use super::{Printer, words};
use core::fmt;
use ipc::config::InstanceIdx;
use ipc::config::vrrp::SyncGroup;
use ipc::config::vrrp_options::GroupOptions;
use ipc::config::vrrp_track::TrackGroup;

impl Printer<'_> {
    pub(super) fn sync_groups(self, w: &mut Writer<'_>) -> fmt::Result {
        let rows = self.vrrp.groups.rows().iter().zip(self.vrrp.group_options.rows());
        w.blocks("vrrp_sync_group", rows, |w, (group, options)| {
            let SyncGroup { name, origin: _, members, notify } = group;
            let GroupOptions { smtp_alert } = options;
            w.bare("name", Value::Text(name))?;
            self.members(w, members)?;
            w.flag("sync_group_tracking_weight", words::switch(members.iter().any(|m| self.has_weights(*m))))?;
            w.field("smtp_alert", Value::Switch(*smtp_alert))?;
            self.notify(w, notify)
        })
    }

    pub(super) fn track_groups(self, w: &mut Writer<'_>) -> fmt::Result {
        w.blocks(
            "track_group",
            self.vrrp.track_groups.rows(),
            |w, TrackGroup { name, members, is_named: _, origin: _ }| {
                w.bare("name", Value::Text(name))?;
                self.members(w, members)
            },
        )
    }

    fn members(self, w: &mut Writer<'_>, members: &[InstanceIdx]) -> fmt::Result {
        let name = |member| self.vrrp.instances.at(member).map_or("", |i| i.name.as_str());
        w.lines("group", members.iter().map(|member| Value::Text(name(*member))))
    }
}
