//! `real_server` blocks and their checkers.

use super::Resolver;
use super::checkers::Of;
use super::places::Places;
use super::service_keys::Served;
use crate::conf::Draft as All;
use crate::conf::checker::{Checker, Kind};
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::real::Real as Draft;
use crate::conf::server::Server;
use alloc::collections::BTreeMap;
use alloc::format;
use ipc::config::check::Real;
use ipc::config::ipvs::{self, Dest, Method};
use ipc::config::vrrp::Switch;
use ipc::config::{Bundle, ServiceIdx};

impl Resolver<'_, '_> {
    /// Adds the real servers of a service; gives the sum of their weights.
    pub(super) fn reals(
        &mut self,
        v: &Server,
        service: ServiceIdx,
        served: &Served,
        method: Method,
        draft: &All,
        bundle: &mut Bundle,
    ) -> u64 {
        let mut seen = BTreeMap::new();
        let mut weights = 0_u64;
        for d in &v.reals {
            let method = d.method.as_ref().map_or(method, |m| m.value);
            if !self.reachable(d.addr, served, method, d.span) {
                continue;
            }
            let port = self.dest_port(d.port, served, method, d.span);
            let shown = if served.group.is_some() { d.port.unwrap_or(0) } else { port };
            if let Some(first) = seen.insert((d.addr, port), d.span) {
                // COMPAT: the second one is removed.
                let message =
                    format!("real server {} is in this virtual server already", served.endpoint(d.addr, shown));
                let again = Diagnostic::error(Code::DUPLICATE, d.span, message).label("ignored");
                self.r.diags.push(again.also(first, "the first one"));
                continue;
            }
            let weight = d.weight.as_ref().or(v.weight.as_ref()).map_or(1, |w| w.value);
            let (upper, lower) = self.thresholds(d);
            let of = || format!("real_server {}", served.endpoint(d.addr, shown));
            let origin = self.origin(d.span);
            let real = Real {
                service,
                label: served.endpoint(d.addr, shown),
                weight,
                inhibit: Self::inherit(d.inhibit, v.inhibit),
                alpha: Self::inherit(d.alpha, v.alpha),
                smtp_alert: alert(d.smtp_alert, draft),
                snmp_name: d.snmp_name.as_deref().map(Into::into),
                notify_up: self.event(&d.notify_up, "notify_up", of),
                notify_down: self.event(&d.notify_down, "notify_down", of),
                origin: origin.clone(),
            };
            let dest = Dest { addr: d.addr, port, method, weight, upper, lower };
            let listed =
                bundle.ipvs.reals.push(ipvs::Real { service, dest, dynamic: dynamic(d, &self.places, draft), origin });
            let (Ok(index), Ok(_)) = (listed, bundle.check.reals.push(real)) else { return weights };
            weights = weights.saturating_add(u64::from(weight));
            for checker in &d.checkers {
                // What is asked is the port that connections get; a mark has none, so there the written one.
                let port = if port == 0 { d.port.or(served.port()).unwrap_or(0) } else { port };
                self.checker(checker, &Of { d, v, real: index, port, draft }, bundle);
            }
        }
        weights
    }

    /// Linux 6.1 refuses a server whose lower threshold is above the upper one, or stands alone. COMPAT: keepalived 2.2.7 asks for
    /// it all the same, and has the server not in service.
    fn thresholds(&mut self, d: &Draft) -> (u32, u32) {
        let upper = d.upper.as_ref().map_or(0, |u| u.value);
        match &d.lower {
            Some(lower) if lower.value > upper => {
                let message = "`lthreshold` is above `uthreshold`: the kernel would refuse the server";
                self.r.diags.push(Diagnostic::warning(Code::CONFLICT, lower.span, message).label("ignored"));
                (upper, 0)
            }
            lower => (upper, lower.as_ref().map_or(0, |l| l.value)),
        }
    }
}

/// Whether a checker may change the weight.
fn dynamic(d: &Draft, places: &Places<'_>, draft: &All) -> Switch {
    let changes = |c: &Checker| match c.kind {
        Kind::Misc => c.own().dynamic == Switch::On,
        Kind::File => {
            let place = c.own().file.as_ref().and_then(|file| places.files.get(file.value.as_str()));
            let file = place.and_then(|place| draft.files.get(*place));
            // A file that is not there has been reported, and its checker is left out.
            file.is_some_and(|f| c.own().weight.or(f.weight).is_none_or(|weight| weight.value != 0))
        }
        _ => false,
    };
    if d.checkers.iter().any(changes) { Switch::On } else { Switch::Off }
}

/// COMPAT: keepalived mails about real servers unless it is told not to.
fn alert(own: Option<Switch>, draft: &All) -> Switch {
    let mail = &draft.global.mail;
    own.or(mail.alert_checker).or(mail.alert).unwrap_or(Switch::On)
}
