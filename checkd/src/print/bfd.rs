//! `bfd_instance` blocks.

use super::value::{Value, int};
use super::writer::Writer;
use super::{Printer, track};
use core::fmt;
use ipc::config::bfd::{Bfd, Told};
use ipc::config::vrrp::Switch;

impl Printer<'_> {
    pub(super) fn sessions(self, w: &mut Writer<'_>) -> fmt::Result {
        w.blocks("bfd_instance", self.check.bfds.rows(), session)
    }
}

fn session(w: &mut Writer<'_>, bfd: &Bfd) -> fmt::Result {
    let Bfd {
        name,
        neighbor,
        source,
        min_rx,
        min_tx,
        idle_tx,
        multiplier,
        passive,
        ttl,
        max_hops,
        multihop,
        weight,
        told,
        origin: _,
    } = bfd;
    w.bare("name", Value::Text(name))?;
    w.field("neighbor_ip", Value::Shown(neighbor))?;
    w.maybe("source_ip", source.as_ref().map(|ip| Value::Shown(ip)))?;
    w.field("min_rx", Value::Millis(*min_rx))?;
    w.field("min_tx", Value::Millis(*min_tx))?;
    w.field("idle_tx", Value::Millis(*idle_tx))?;
    w.field("multiplier", int(*multiplier))?;
    w.flag("passive", *passive)?;
    w.named(if neighbor.is_ipv4() { "ttl" } else { "hoplimit" }, "ttl", int(*ttl))?;
    w.field("max_hops", max_hops.map_or(int(-1), int))?;
    w.unless(*multihop == Switch::Off, "multihop", Value::Switch(*multihop))?;
    track::weight(w, *weight)?;
    let told = match told {
        Told::Both => return w.json_only("told", Value::Text("both")),
        Told::Vrrp => "vrrp",
        Told::Checker => "checker",
    };
    w.text_only(|w| w.alone(told))?;
    w.json_only("told", Value::Text(told))
}
