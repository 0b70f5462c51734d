//! `virtual_server_group` blocks.

use super::value::{Value, int};
use super::writer::Writer;
use super::{Printer, words};
use core::fmt;
use core::net::IpAddr;
use ipc::config::ipvs::{GroupEntry, ServiceGroup};

impl Printer<'_> {
    pub(super) fn server_groups(self, w: &mut Writer<'_>) -> fmt::Result {
        w.blocks("virtual_server_group", self.ipvs.groups.rows(), |w, group| {
            let ServiceGroup { name, entries, origin: _ } = group;
            w.bare("name", Value::Text(name))?;
            w.members("entries", entries, entry)
        })
    }
}

fn entry(w: &mut Writer<'_>, entry: &GroupEntry) -> fmt::Result {
    match entry {
        GroupEntry::Addrs { first, last, port } => {
            w.bare("address", Value::Shown(&Range(*first, *last)))?;
            w.bare("port", int(*port))
        }
        GroupEntry::Fwmark { mark, family } => {
            w.field("fwmark", int(*mark))?;
            family.map_or(Ok(()), |family| w.bare("family", Value::Text(words::family(family))))
        }
    }
}

/// `IP` or `IP-N`; keepalived 2.2.7 wants the last part alone where that is possible.
struct Range(IpAddr, IpAddr);

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (first, last) if first == last => write!(f, "{first}"),
            (IpAddr::V4(a), IpAddr::V4(b)) if a.to_bits() >> 8 == b.to_bits() >> 8 => {
                write!(f, "{a}-{}", b.to_bits() & 0xff)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) if a.to_bits() >> 16 == b.to_bits() >> 16 => {
                write!(f, "{a}-{:x}", b.to_bits() & 0xffff)
            }
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}
