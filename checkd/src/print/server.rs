//! `virtual_server` blocks.

use super::checker::View;
use super::real::Member;
use super::rows::Rows;
use super::value::{Value, int};
use super::writer::Writer;
use super::{Printer, words};
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;
use ipc::config::check;
use ipc::config::ipvs::{Checksum, Dest, Granularity, GroupEntry, Method, Service, ServiceKey};
use ipc::config::vrrp::Switch;
use ipc::config::{RealIdx, ServiceIdx};
use ipc::net::Family;
use ipc::table::Index as _;

/// `IP_VS_SVC_F_SCHED1` to `SCHED3` and `IP_VS_SVC_F_ONEPACKET`.
const FLAGS: [(&str, u32); 4] = [("flag-1", 0x08), ("flag-2", 0x10), ("flag-3", 0x20), ("ops", 0x04)];

/// `lvs_method`
pub(super) fn method(w: &mut Writer<'_>, keyword: &str, method: Method) -> fmt::Result {
    w.statement(keyword, |w| match method {
        Method::Nat => w.bare("method", Value::Text("NAT")),
        Method::Dr => w.bare("method", Value::Text("DR")),
        Method::Tun => {
            w.bare("method", Value::Text("TUN"))?;
            w.json_only("type", Value::Text("ipip"))
        }
        Method::Gue { port, checksum } => {
            w.bare("method", Value::Text("TUN"))?;
            w.field("type", Value::Text("gue"))?;
            w.field("port", int(port))?;
            w.bare("checksum", Value::Text(checksum_word(checksum)))
        }
        Method::Gre { checksum } => {
            w.bare("method", Value::Text("TUN"))?;
            w.field("type", Value::Text("gre"))?;
            w.bare("checksum", Value::Text(checksum_word(checksum)))
        }
    })
}

fn checksum_word(checksum: Checksum) -> &'static str {
    match checksum {
        Checksum::None => "nocsum",
        Checksum::Full => "csum",
        Checksum::Remote => "remcsum",
    }
}

impl Printer<'_> {
    pub(super) fn virtual_servers(self, w: &mut Writer<'_>) -> fmt::Result {
        // The two tables of real servers are one, row for row.
        let both = self.ipvs.reals.rows().iter().zip(self.check.reals.rows()).enumerate();
        let members: Vec<Member<'_>> =
            both.filter_map(|(n, (dest, real))| Some(Member { index: RealIdx::from_usize(n)?, dest, real })).collect();
        let members = Rows::by(&members, |member| member.dest.service);
        let checkers: Vec<View<'_>> = self.check.checkers.rows().iter().map(View::of).collect();
        let checkers = Rows::by(&checkers, |checker| checker.real);
        let services = self.ipvs.services.iter().zip(self.check.services.rows());
        w.blocks("virtual_server", services, |w, ((index, service), checked)| {
            self.service(w, index, service, checked, &members)?;
            w.blocks("real_server", members.of(index), |w, member| {
                let checkers: Vec<View<'_>> = checkers.of(member.index).copied().collect();
                self.real(w, member, &checkers)
            })
        })
    }

    fn service(
        self,
        w: &mut Writer<'_>,
        index: ServiceIdx,
        service: &Service,
        checked: &check::Service,
        members: &Rows<'_, Member<'_>>,
    ) -> fmt::Result {
        let Service {
            keys: _, // by Printer::key
            group: _,
            scheduler,
            flags,
            persistence,
            granularity,
            engine,
            sorry,
            sorry_inhibit,
            drain,
            origin: _,
        } = service;
        let check::Service {
            label: _, // follows from the keys
            quorum,
            hysteresis,
            sorry: _, // a label too
            omega,
            ha_suspend,
            smtp_alert,
            snmp_name,
            quorum_up,
            quorum_down,
            origin: _,
        } = checked;
        let dests = || members.of(index).map(|member| member.dest.dest);
        self.key(w, service, dests().find(|dest| matches!(dest.method, Method::Nat | Method::Dr)))?;
        w.field("lvs_sched", Value::Text(scheduler))?;
        for (word, bit) in FLAGS {
            w.flag(word, words::switch(flags & bit != 0))?;
        }
        if let Some(first) = dests().next() {
            w.text_only(|w| method(w, "lvs_method", first.method))?; // each real server says its own
        }
        let whole = *granularity == Granularity::WHOLE;
        match persistence {
            Some(seconds) => w.field("persistence_timeout", int(*seconds))?,
            None if whole => {}
            None => w.text_only(|w| w.field("persistence_timeout", int(0)))?, // or the granularity would imply one
        }
        let Granularity { mask, prefix } = *granularity;
        if mask != u32::MAX {
            w.field("persistence_granularity", Value::Shown(&Ipv4Addr::from_bits(mask)))?;
        } else if !whole {
            w.field("persistence_granularity", Value::Shown(&prefix))?;
        }
        w.maybe("persistence_engine", engine.as_deref().map(Value::Text))?;
        w.field("quorum", int(*quorum))?;
        w.field("hysteresis", int(*hysteresis))?;
        w.maybe("drain_on_removal", drain.map(Value::Seconds))?;
        w.field("omega", Value::Switch(*omega))?;
        w.flag("ha_suspend", *ha_suspend)?;
        w.field("smtp_alert", Value::Switch(*smtp_alert))?;
        w.maybe("snmp_name", snmp_name.as_deref().map(Value::Text))?;
        self.maybe_command(w, "quorum_up", *quorum_up)?;
        self.maybe_command(w, "quorum_down", *quorum_down)?;
        sorry.as_ref().map_or(Ok(()), |sorry| sorry_server(w, sorry, *sorry_inhibit))
    }

    /// What the block is of: an address, a mark or a group; then `protocol` and `ip_family`. `plain` is a real server without a tunnel.
    fn key(self, w: &mut Writer<'_>, service: &Service, plain: Option<Dest>) -> fmt::Result {
        let mut family = None;
        match (service.group, service.keys.first()) {
            (Some(group), _) => {
                let group = self.ipvs.groups.at(group);
                w.header("group", Value::Text(group.map_or("", |group| group.name.as_str())))?;
                // Of marks that do not say, and of what is reached without a tunnel.
                let undecided = |mark| {
                    let entries = group.map_or(&[][..], |group| &group.entries);
                    entries.contains(&GroupEntry::Fwmark { mark, family: None })
                };
                family = plain.map(|dest| Family::of(dest.addr)).or(service.keys.iter().find_map(|key| match key {
                    ServiceKey::Fwmark { mark, family } if undecided(*mark) => Some(*family),
                    _ => None,
                }));
            }
            (None, Some(ServiceKey::Addr { addr, port, .. })) => {
                w.bare("address", Value::Shown(addr))?;
                w.bare("port", int(*port))?;
            }
            (None, Some(ServiceKey::Fwmark { mark, family: own })) => {
                w.header("fwmark", int(*mark))?;
                family = Some(*own);
            }
            (None, None) => {} // no service is without
        }
        w.maybe("ip_family", family.map(|family| Value::Text(words::family(family))))?;
        let protocol = service.keys.iter().find_map(|key| match key {
            ServiceKey::Addr { protocol, .. } => Some(*protocol),
            ServiceKey::Fwmark { .. } => None,
        });
        w.maybe("protocol", protocol.map(|protocol| Value::Text(words::protocol(protocol))))
    }
}

fn sorry_server(w: &mut Writer<'_>, sorry: &Dest, inhibit: Switch) -> fmt::Result {
    let Dest { addr, port, method: how, weight: _, upper: _, lower: _ } = sorry; // the rest cannot be asked for
    w.statement("sorry_server", |w| {
        w.bare("address", Value::Shown(addr))?;
        if *port == 0 { Ok(()) } else { w.bare("port", int(*port)) }
    })?;
    method(w, "sorry_server_lvs_method", *how)?;
    w.flag("sorry_server_inhibit", inhibit)
}
