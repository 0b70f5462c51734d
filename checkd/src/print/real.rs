//! `real_server` blocks.

use super::checker::View;
use super::value::{Value, int};
use super::writer::Writer;
use super::{Printer, server};
use core::fmt;
use ipc::config::RealIdx;
use ipc::config::check::Real;
use ipc::config::ipvs::{self, Dest, Method};

/// A real server, in both tables.
pub(super) struct Member<'a> {
    pub index: RealIdx,
    pub dest: &'a ipvs::Real,
    pub real: &'a Real,
}

impl Printer<'_> {
    pub(super) fn real(self, w: &mut Writer<'_>, member: &Member<'_>, checkers: &[View<'_>]) -> fmt::Result {
        let ipvs::Real { service: _, dest, origin: _, dynamic: _ } = member.dest; // its checkers make it dynamic
        let Dest { addr, port: _, method, weight, upper, lower } = dest;
        let Real {
            service: _,
            // With DR and TUN a group has no port of its own, but the name of the real server has the one that was written.
            label,
            weight: _, // that of the destination
            inhibit,
            alpha,
            smtp_alert,
            snmp_name,
            notify_up,
            notify_down,
            origin: _,
        } = member.real;
        w.bare("address", Value::Shown(addr))?;
        let port = Some(label.port).filter(|port| *port != 0).or_else(|| {
            // With NAT connections would get it too.
            let other = || checkers.iter().find_map(View::outer_port);
            if *method == Method::Nat { None } else { other() }
        });
        if let Some(port) = port {
            w.bare("port", int(port))?;
        }
        server::method(w, "lvs_method", *method)?;
        w.field("weight", int(*weight))?;
        w.unless(*upper == 0, "uthreshold", int(*upper))?;
        w.unless(*lower == 0, "lthreshold", int(*lower))?;
        w.field("inhibit_on_failure", Value::Switch(*inhibit))?;
        w.field("alpha", Value::Switch(*alpha))?;
        w.field("smtp_alert", Value::Switch(*smtp_alert))?;
        w.maybe("snmp_name", snmp_name.as_deref().map(Value::Text))?;
        self.maybe_command(w, "notify_up", *notify_up)?;
        self.maybe_command(w, "notify_down", *notify_down)?;
        self.checkers(w, checkers)
    }
}
