//! What is told of interfaces as a whole: `linkbeat_interfaces`, `interface_up_down_delays`, `garp_group`.

use super::Printer;
use super::value::Value;
use super::writer::Writer;
use core::fmt;
use ipc::config::vrrp_track::{GarpGroup, LinkDelays, Linkbeat, LinkbeatBy};

impl Printer<'_> {
    pub(super) fn links(self, w: &mut Writer<'_>) -> fmt::Result {
        w.blocks("garp_group", &self.vrrp.garp_groups, |w, GarpGroup { garp_interval, gna_interval, links }| {
            // One of the two makes a group.
            w.unless(
                garp_interval.is_zero() && !gna_interval.is_zero(),
                "garp_interval",
                Value::Seconds(*garp_interval),
            )?;
            w.unless(gna_interval.is_zero(), "gna_interval", Value::Seconds(*gna_interval))?;
            w.lines("interfaces", links.iter().map(|link| self.link(*link)))
        })?;
        w.records("linkbeat_interfaces", &self.vrrp.linkbeats, |w, Linkbeat { link, by }| {
            w.bare("interface", self.link(*link))?;
            let by = match by {
                LinkbeatBy::Auto => return w.json_only("type", Value::Text("auto")),
                LinkbeatBy::Mii => "MII",
                LinkbeatBy::Ethtool => "ETHTOOL",
                LinkbeatBy::Ioctl => "IOCTL",
            };
            w.bare("type", Value::Text(by))
        })?;
        w.records("interface_up_down_delays", &self.vrrp.link_delays, |w, LinkDelays { link, down, up }| {
            w.bare("interface", self.link(*link))?;
            w.bare("down", Value::Seconds(*down))?;
            w.bare("up", Value::Seconds(*up))
        })
    }
}
