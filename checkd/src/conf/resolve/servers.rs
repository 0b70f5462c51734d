//! `virtual_server` blocks.

use super::service_keys::{Served, Taken};
use super::{Resolver, mail};
use crate::conf::Draft as All;
use crate::conf::diag::{Code, Diagnostic, Severity};
use crate::conf::real::Real;
use crate::conf::server::{self, Granularity, Server};
use crate::conf::source::Span;
use crate::conf::tree::Tree;
use crate::lint::servers::Servers as Lints;
use alloc::format;
use alloc::string::{String, ToString};
use core::net::IpAddr;
use core::net::SocketAddr;
use ipc::config::ipvs::{Dest, Method, Protocol, ServiceKey};
use ipc::config::vrrp::Switch;
use ipc::config::{Bundle, check, ipvs};
use ipc::net::Family;

/// `IP_VS_SVC_F_ONEPACKET`
const ONE_PACKET: u32 = 0x04;

/// What `persistence_granularity` and a missing port imply. COMPAT: keepalived 2.4.3.
const PERSISTENCE: u32 = 360;

impl Resolver<'_, '_> {
    /// What mails and checkers are told, also where there are none: it is printed, and instances track files too.
    pub(super) fn check_globals(&mut self, draft: &All, bundle: &mut Bundle) {
        bundle.check.mail = mail(draft);
        bundle.check.tls = draft.tls.context();
        let router_id = draft.global.router_id.as_ref().map(|id| id.value.clone());
        let hosts = &self.r.names.hosts;
        let local_name = hosts.whole(&self.facts.hostname);
        bundle.check.router_id = router_id.unwrap_or_else(|| local_name.clone());
        bundle.check.mail.local_name = Some(local_name);
        if let Some((name, port)) = &bundle.check.mail.server_name {
            match hosts.address(name) {
                Some(address) => bundle.check.mail.server = Some(SocketAddr::new(address, *port)),
                None => {
                    bundle.check.mail.resolvers = hosts.servers();
                    bundle.check.mail.search = hosts.search().to_vec();
                }
            }
        }
        bundle.check.log_all_failures = draft.global.log_all_failures;
        bundle.check.rs_init_notifies = draft.global.rs_init_notifies;
        if draft.global.checker_merge == Some(Switch::Off) {
            bundle.check.separate = Switch::On;
        }
    }

    /// Everything that is balanced and checked.
    pub(super) fn check(&mut self, tree: &Tree, draft: &All, bundle: &mut Bundle) {
        let mut taken = Taken::default();
        let mut lints = Lints::new(draft);
        for id in &draft.servers {
            let Some(server) = tree.statement(*id).and_then(|s| server::read(self.r, s)) else { continue };
            lints.look(self.r, &server);
            self.service(&server, draft, &mut taken, bundle);
            if self.only_tests() {
                bundle.ipvs.reals.clear();
                bundle.check.reals.clear();
                bundle.check.checkers.clear();
            }
        }
        lints.finish(self.r);
        self.scripts.services = u32::try_from(bundle.check.services.len()).unwrap_or(u32::MAX);
        self.scripts.reals = u32::try_from(bundle.check.reals.len()).unwrap_or(u32::MAX);
    }

    /// Reads the virtual servers for their problems alone.
    pub(super) fn check_unused(&mut self, tree: &Tree, draft: &All) {
        for statement in draft.servers.iter().filter_map(|id| tree.statement(*id)) {
            drop(server::read(self.r, statement));
        }
    }

    fn service(&mut self, v: &Server, draft: &All, taken: &mut Taken, bundle: &mut Bundle) {
        let Some(served) = self.served(v, draft, taken) else { return };
        let method = v.method.as_ref().map_or(Method::Nat, |m| m.value);
        let own = |d: &Real| d.method.as_ref().map_or(method, |m| m.value);
        if v.reals.iter().all(|d| leads_elsewhere(d.addr, &served, own(d))) {
            // COMPAT: keepalived 2.2.7 leaves out the real servers, then the virtual server that has none.
            for d in &v.reals {
                self.reachable(d.addr, &served, own(d), d.span);
            }
            return;
        }
        taken.count(v);
        self.defaults(v);
        let sorry = self.sorry(v, &served, method);
        let persistence = self.persistence(v, &served);
        let of = || format!("virtual_server {}", served.label);
        let origin = self.origin(v.span);
        let quorum_up = self.event(&v.quorum_up, "quorum_up", of);
        let quorum_down = self.event(&v.quorum_down, "quorum_down", of);
        let service = ipvs::Service {
            keys: served.keys.clone(),
            group: served.group,
            scheduler: v.scheduler.as_ref().map_or("wlc", |s| s.value).into(),
            flags: v.flags | self.one_packet(v, &served),
            persistence,
            granularity: self.granularity(v, &served),
            engine: self.engine(v, persistence),
            drain: v.drain.as_ref().map(|t| t.value),
            // Of a sorry server that cannot be used nothing is left.
            sorry_inhibit: if sorry.is_some() { v.sorry_inhibit } else { Switch::Off },
            sorry,
            origin: origin.clone(),
        };
        let checked = check::Service {
            label: served.label.clone(),
            quorum: 1,
            hysteresis: 0,
            sorry: sorry.map(|s| served.endpoint(s.addr, s.port).to_string()),
            omega: v.omega,
            ha_suspend: self.ha_suspend(v, &served),
            smtp_alert: v
                .smtp_alert
                .or(draft.global.mail.alert_checker)
                .or(draft.global.mail.alert)
                .unwrap_or_default(),
            snmp_name: v.snmp_name.clone(),
            quorum_up,
            quorum_down,
            origin,
        };
        let (Ok(index), Ok(_)) = (bundle.ipvs.services.push(service), bundle.check.services.push(checked)) else {
            return;
        };
        let weights = self.reals(v, index, &served, method, draft, bundle);
        let (quorum, hysteresis) = self.quorum(v, weights);
        if let Some(service) = bundle.check.services.at_mut(index) {
            service.quorum = quorum;
            service.hysteresis = hysteresis;
        }
    }

    /// COMPAT: keepalived says so too; with the wrong forwarding method nothing is reached and nothing complains.
    fn defaults(&mut self, v: &Server) {
        if v.method.is_none() && v.reals.iter().any(|r| r.method.is_none()) {
            let message = "this virtual server has no `lvs_method`; NAT is taken";
            self.r.diags.push(Diagnostic::new(Severity::Note, Code::INCOMPLETE, v.span, message));
        }
    }

    /// COMPAT: an engine works only with persistence.
    fn engine(&mut self, v: &Server, persistence: Option<u32>) -> Option<String> {
        let engine = v.engine.as_ref()?;
        if persistence.is_none() {
            let message = "`persistence_engine` works only with `persistence_timeout`";
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, engine.span, message).label("ignored"));
            return None;
        }
        Some(engine.value.clone())
    }

    /// COMPAT: a firewall mark has no address to look for.
    fn ha_suspend(&mut self, v: &Server, served: &Served) -> Switch {
        let Some(asked) = v.ha_suspend.as_ref().filter(|a| a.value == Switch::On) else { return Switch::Off };
        if served.keys.iter().all(|key| matches!(key, ServiceKey::Fwmark { .. })) {
            let message = "`ha_suspend` needs an address; a firewall mark has none";
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, asked.span, message).label("ignored"));
            return Switch::Off;
        }
        Switch::On
    }

    fn one_packet(&mut self, v: &Server, served: &Served) -> u32 {
        let Some(span) = v.one_packet else { return 0 };
        if served.protocol == Some(Protocol::Udp) {
            return ONE_PACKET;
        }
        let message = "`ops` works with UDP only";
        self.r.diags.push(Diagnostic::warning(Code::CONFLICT, span, message).label("ignored"));
        0
    }

    /// The kernel takes a service without port only with persistence.
    fn persistence(&mut self, v: &Server, served: &Served) -> Option<u32> {
        let implied = v.granularity.is_some().then_some(PERSISTENCE);
        let asked = v.persistence.as_ref().map_or(implied, |p| Some(p.value)).filter(|p| *p > 0);
        if served.any_port() && asked.is_none() {
            let message = format!("a virtual server of all ports needs persistence; {PERSISTENCE} s are taken");
            self.r.diags.push(Diagnostic::warning(Code::ADJUSTED, v.span, message).help("persistence_timeout 360"));
            return Some(PERSISTENCE);
        }
        asked
    }

    fn granularity(&mut self, v: &Server, served: &Served) -> ipvs::Granularity {
        let whole = ipvs::Granularity::WHOLE;
        let (family, asked) = match v.granularity.as_ref().map(|at| at.value) {
            None => return whole,
            Some(Granularity::V4(mask)) => (Family::V4, ipvs::Granularity { mask: mask.to_bits(), ..whole }),
            Some(Granularity::V6(prefix)) => (Family::V6, ipvs::Granularity { prefix, ..whole }),
        };
        if !served.has(family) {
            // COMPAT: keepalived 2.2.7 says nothing, and the kernel refuses a prefix of IPv6 for IPv4.
            let message = "`persistence_granularity` is of the other address family";
            let span = v.granularity.as_ref().map_or(v.span, |at| at.span);
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, span, message).label("ignored"));
            return whole;
        }
        asked
    }

    fn sorry(&mut self, v: &Server, served: &Served, method: Method) -> Option<Dest> {
        let sorry = v.sorry.as_ref()?;
        let (addr, port) = sorry.value;
        let method = v.sorry_method.as_ref().map_or(method, |m| m.value);
        if !self.reachable(addr, served, method, sorry.span) {
            return None;
        }
        let port = self.dest_port(port, served, method, sorry.span);
        Some(Dest { addr, port, method, weight: 1, upper: 0, lower: 0 })
    }

    /// Only a tunnel leads to another address family than the service has.
    pub(super) fn reachable(&mut self, addr: IpAddr, served: &Served, method: Method, span: Span) -> bool {
        if leads_elsewhere(addr, served, method) {
            let message = format!("{addr} is not of the address family of its virtual server");
            self.r.diags.push(Diagnostic::error(Code::CONFLICT, span, message).label("ignored"));
            return false;
        }
        if !is_tunnel(method) && !served.has(Family::of(addr)) {
            // COMPAT: keepalived 2.2.7 says nothing, and the kernel refuses it.
            let message =
                format!("no line of the group is of the address family of {addr}, and only a tunnel crosses families");
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, span, message).label("gets nothing"));
        }
        true
    }

    /// COMPAT: no port is the service's; DR and TUN cannot change it; a firewall mark and a group have none except with NAT.
    pub(super) fn dest_port(&mut self, port: Option<u16>, served: &Served, method: Method, span: Span) -> u16 {
        let own = served.single().map_or(0, ServiceKey::port);
        if method == Method::Nat {
            return port.unwrap_or(own);
        }
        let has_ports = served.protocol.is_some();
        let Some(other) = port.filter(|p| has_ports && served.keys.iter().all(|key| key.port() != *p)) else {
            return own;
        };
        let message = if served.group.is_some() {
            format!("with DR and TUN packets keep their port: no line of the group has port {other}")
        } else {
            format!("with DR and TUN packets keep their port: {other} becomes {own}")
        };
        let help = "to check another port, use `connect_port` in the checker; to change it, `lvs_method NAT`";
        self.r.diags.push(Diagnostic::warning(Code::ADJUSTED, span, message).help(help));
        own
    }

    /// COMPAT: keepalived 2.4.3: quorum at most the sum of the weights, hysteresis below the quorum.
    fn quorum(&mut self, v: &Server, weights: u64) -> (u32, u32) {
        let most = u32::try_from(weights).unwrap_or(u32::MAX);
        let mut quorum = v.quorum.as_ref().map_or(1, |q| q.value);
        if let Some(asked) = v.quorum.as_ref().filter(|q| q.value > most) {
            quorum = most.max(1);
            let message = format!("all weights together are {weights}: `quorum` is taken as {quorum}");
            self.r.diags.push(Diagnostic::warning(Code::ADJUSTED, asked.span, message));
        }
        let mut hysteresis = v.hysteresis.as_ref().map_or(0, |h| h.value);
        if let Some(asked) = v.hysteresis.as_ref().filter(|h| h.value >= quorum) {
            hysteresis = quorum.saturating_sub(1);
            let message = format!("`hysteresis` must be below `quorum`; it is taken as {hysteresis}");
            self.r.diags.push(Diagnostic::warning(Code::ADJUSTED, asked.span, message));
        }
        (quorum, hysteresis)
    }

    /// `inhibit_on_failure`, `alpha`: of the server, else of the service.
    pub(super) fn inherit(own: Option<Switch>, outer: Switch) -> Switch {
        own.unwrap_or(outer)
    }
}

fn is_tunnel(method: Method) -> bool {
    !matches!(method, Method::Nat | Method::Dr)
}

/// Whether the address is of another family than the service, and no tunnel leads there.
fn leads_elsewhere(addr: IpAddr, served: &Served, method: Method) -> bool {
    !is_tunnel(method) && Family::of(addr) != served.family
}
