//! `virtual_server` blocks.

use super::{Resolver, mail};
use crate::conf::Draft as All;
use crate::conf::diag::{Code, Diagnostic, Severity};
use crate::conf::keyword::At;
use crate::conf::server::{self, Granularity, Key, Server};
use crate::conf::source::Span;
use crate::conf::tree::Tree;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::net::IpAddr;
use ipc::config::ipvs::{Dest, Method, Protocol, ServiceKey};
use ipc::config::vrrp::Switch;
use ipc::config::{Bundle, check, ipvs};
use ipc::msg::compile::CompileMode;
use ipc::net::Family;

/// `IP_VS_SVC_F_ONEPACKET`
const ONE_PACKET: u32 = 0x04;

/// What `persistence_granularity` and a missing port imply. COMPAT: keepalived 2.4.3, keywords §13.
const PERSISTENCE: u32 = 360;

impl Resolver<'_, '_> {
    /// Everything that is balanced and checked.
    pub(super) fn check(&mut self, tree: &Tree, draft: &All, bundle: &mut Bundle) {
        bundle.check.mail = mail(draft);
        bundle.check.tls = draft.tls.clone();
        self.watched(draft, bundle);
        let router_id = draft.global.router_id.as_ref().map(|id| id.value.clone());
        bundle.check.router_id = router_id.unwrap_or_else(|| self.facts.hostname.clone());
        bundle.check.log_all_failures = draft.global.log_all_failures;
        bundle.check.rs_init_notifies = draft.global.rs_init_notifies;
        let mut keys = BTreeMap::new();
        let mut balanced = Switch::Off;
        for id in &draft.servers {
            let Some(server) = tree.statement(*id).and_then(|s| server::read(self.r, s)) else { continue };
            if !server.reals.is_empty() {
                balanced = Switch::On;
            }
            self.service(&server, draft, &mut keys, bundle);
            if self.mode != CompileMode::Load {
                // Only the problems and the commands are wanted.
                (bundle.ipvs.reals, bundle.check.reals, bundle.check.checkers) = Default::default();
            }
        }
        if balanced == Switch::On {
            self.no_mail_yet(draft);
        }
        self.scripts.services = u32::try_from(bundle.check.services.len()).unwrap_or(u32::MAX);
        self.scripts.reals = u32::try_from(bundle.check.reals.len()).unwrap_or(u32::MAX);
    }

    /// Reads the virtual servers for their problems alone.
    pub(super) fn check_unused(&mut self, tree: &Tree, draft: &All) {
        for statement in draft.servers.iter().filter_map(|id| tree.statement(*id)) {
            drop(server::read(self.r, statement));
        }
    }

    /// COMPAT: keepalived mails about real servers unless it is told not to, about the rest only with `smtp_alert`, which has a warning
    /// of its own.
    fn no_mail_yet(&mut self, draft: &All) {
        let g = &draft.global;
        if let (Some(to), Some(_)) = (g.mail_to.first(), &g.smtp_server) {
            let message = "mails about real servers are not sent yet";
            self.r.diags.push(Diagnostic::warning(Code::NO_EFFECT, to.span, message).label("would get them"));
        }
    }

    fn service(&mut self, v: &Server, draft: &All, keys: &mut BTreeMap<ServiceKey, Span>, bundle: &mut Bundle) {
        if let Some(Key::Group(name)) = &v.key {
            return self.of_group(v, name, draft);
        }
        let Some(key) = self.service_key(v) else { return };
        let label = service_label(key);
        if v.reals.is_empty() {
            // COMPAT: it is ignored.
            let message = format!("virtual server {label} has no `real_server`");
            self.r.diags.push(Diagnostic::error(Code::INCOMPLETE, v.span, message).label("ignored"));
            return;
        }
        if let Some(first) = keys.insert(key, v.span) {
            let message = format!("virtual server {label} is there already");
            let again = Diagnostic::error(Code::DUPLICATE, v.span, message).label("ignored");
            self.r.diags.push(again.also(first, "the first one"));
            keys.insert(key, first);
            return;
        }
        let method = v.method.as_ref().map_or(Method::Nat, |m| m.value);
        self.defaults(v);
        let sorry = self.sorry(v, key, method);
        let persistence = self.persistence(v, key);
        let of = format!("virtual_server {label}");
        let origin = self.r.sources.origin(v.span);
        let quorum_up = self.event(&v.quorum_up, "quorum_up", &of);
        let quorum_down = self.event(&v.quorum_down, "quorum_down", &of);
        let service = ipvs::Service {
            key,
            scheduler: v.scheduler.as_ref().map_or("wlc", |s| s.value).into(),
            flags: v.flags | self.one_packet(v, key),
            persistence,
            netmask: self.netmask(v, key),
            engine: self.engine(v, persistence),
            sorry,
            sorry_inhibit: v.sorry_inhibit,
            origin: origin.clone(),
        };
        let checked = check::Service {
            label,
            quorum: 1,
            hysteresis: 0,
            sorry: sorry.map(|s| endpoint_label(s.addr, s.port, key)),
            omega: v.omega,
            ha_suspend: self.ha_suspend(v, key),
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
        let weights = self.reals(v, index, key, method, draft, bundle);
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

    /// Services of a group are read and not run yet.
    fn of_group(&mut self, v: &Server, name: &At<String>, draft: &All) {
        let (severity, code, message) = if draft.server_groups.iter().any(|g| g.name.value == name.value) {
            let message = "a `virtual_server group` is read but has no effect yet";
            (Severity::Warning, Code::NO_EFFECT, String::from(message))
        } else {
            let message = format!("there is no `virtual_server_group {}`", name.value);
            (Severity::Error, Code::UNDEFINED, message)
        };
        self.r.diags.push(Diagnostic::new(severity, code, v.span, message).label("this virtual server is ignored"));
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
    fn ha_suspend(&mut self, v: &Server, key: ServiceKey) -> Switch {
        let Some(asked) = v.ha_suspend.as_ref().filter(|a| a.value == Switch::On) else { return Switch::Off };
        if matches!(key, ServiceKey::Fwmark { .. }) {
            let message = "`ha_suspend` needs an address; a firewall mark has none";
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, asked.span, message).label("ignored"));
            return Switch::Off;
        }
        Switch::On
    }

    fn service_key(&mut self, v: &Server) -> Option<ServiceKey> {
        match v.key.as_ref()? {
            Key::Group(_) => None,
            &Key::Fwmark(mark) => {
                let written = v.family.as_ref().map(|f| f.value);
                let family = written.or(v.reals.first().map(|r| Family::of(r.addr))).unwrap_or(Family::V4);
                Some(ServiceKey::Fwmark { mark, family })
            }
            &Key::Addr(addr, port) => {
                let protocol = v.protocol.as_ref().map(|p| p.value).unwrap_or_else(|| {
                    // COMPAT: keepalived reports it and takes UDP.
                    let message = "this virtual server has no `protocol`; it is taken as UDP";
                    self.r.diags.push(Diagnostic::error(Code::INCOMPLETE, v.span, message).help("protocol TCP"));
                    Protocol::Udp
                });
                Some(ServiceKey::Addr { addr, port, protocol })
            }
        }
    }

    fn one_packet(&mut self, v: &Server, key: ServiceKey) -> u32 {
        let Some(span) = v.one_packet else { return 0 };
        if matches!(key, ServiceKey::Addr { protocol: Protocol::Udp, .. }) {
            return ONE_PACKET;
        }
        let message = "`ops` works with UDP only";
        self.r.diags.push(Diagnostic::warning(Code::CONFLICT, span, message).label("ignored"));
        0
    }

    /// The kernel takes a service without port only with persistence.
    fn persistence(&mut self, v: &Server, key: ServiceKey) -> Option<u32> {
        let implied = v.granularity.is_some().then_some(PERSISTENCE);
        let asked = v.persistence.as_ref().map_or(implied, |p| Some(p.value)).filter(|p| *p > 0);
        let any_port = matches!(key, ServiceKey::Addr { port: 0, .. });
        if any_port && asked.is_none() {
            let message = format!("a virtual server of all ports needs persistence; {PERSISTENCE} s are taken");
            self.r.diags.push(Diagnostic::warning(Code::ADJUSTED, v.span, message).help("persistence_timeout 360"));
            return Some(PERSISTENCE);
        }
        asked
    }

    fn netmask(&mut self, v: &Server, key: ServiceKey) -> u32 {
        let family = key_family(key);
        match (v.granularity.as_ref(), family) {
            (Some(At { value: Granularity::V4(mask), .. }), Family::V4) => mask.to_bits(),
            (Some(At { value: Granularity::V6(bits), .. }), Family::V6) => u32::from(*bits),
            (other, family) => {
                if let Some(wrong) = other {
                    let message = "`persistence_granularity` is of the other address family";
                    self.r.diags.push(Diagnostic::error(Code::CONFLICT, wrong.span, message).label("ignored"));
                }
                if family == Family::V4 { u32::MAX } else { 128 }
            }
        }
    }

    fn sorry(&mut self, v: &Server, key: ServiceKey, method: Method) -> Option<Dest> {
        let sorry = v.sorry.as_ref()?;
        let (addr, port) = sorry.value;
        let method = v.sorry_method.as_ref().map_or(method, |m| m.value);
        if !self.same_family(addr, key, sorry.span) {
            return None;
        }
        let port = self.dest_port(port, key, method, sorry.span);
        Some(Dest { addr, port, method, weight: 1, upper: 0, lower: 0 })
    }

    pub(super) fn same_family(&mut self, addr: IpAddr, key: ServiceKey, span: Span) -> bool {
        let same = Family::of(addr) == key_family(key);
        if !same {
            let message = format!("{addr} is not of the address family of its virtual server");
            self.r.diags.push(Diagnostic::error(Code::CONFLICT, span, message).label("ignored"));
        }
        same
    }

    /// COMPAT: no port is the service's; DR and TUN cannot change it; a firewall mark has none except with NAT.
    pub(super) fn dest_port(&mut self, port: Option<u16>, key: ServiceKey, method: Method, span: Span) -> u16 {
        match (key, method) {
            (ServiceKey::Fwmark { .. }, Method::Nat) => port.unwrap_or(0),
            (ServiceKey::Fwmark { .. }, _) => 0,
            (ServiceKey::Addr { port: own, .. }, Method::Nat) => port.unwrap_or(own),
            (ServiceKey::Addr { port: own, .. }, _) => {
                if let Some(other) = port.filter(|p| *p != own) {
                    let message = format!("with DR and TUN packets keep their port: {other} becomes {own}");
                    let help =
                        "to check another port, use `connect_port` in the checker; to change it, `lvs_method NAT`";
                    self.r.diags.push(Diagnostic::warning(Code::ADJUSTED, span, message).help(help));
                }
                own
            }
        }
    }

    /// COMPAT: keepalived 2.4.3, keywords §13: quorum at most the sum of the weights, hysteresis below the quorum.
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

/// The family of a service.
pub(super) fn key_family(key: ServiceKey) -> Family {
    match key {
        ServiceKey::Addr { addr, .. } => Family::of(addr),
        ServiceKey::Fwmark { family, .. } => family,
    }
}

/// As keepalived writes it in logs.
fn service_label(key: ServiceKey) -> String {
    match key {
        ServiceKey::Addr { addr, port, .. } => endpoint_label(addr, port, key),
        ServiceKey::Fwmark { mark, .. } => format!("FWM {mark}"),
    }
}

/// `[192.168.1.1]:tcp:80`. COMPAT: keepalived 2.2.7: a firewall mark has no protocol, whatever `protocol` says.
pub(super) fn endpoint_label(addr: IpAddr, port: u16, key: ServiceKey) -> String {
    let protocol = match key {
        ServiceKey::Addr { protocol: Protocol::Tcp, .. } => "tcp",
        ServiceKey::Addr { protocol: Protocol::Udp, .. } => "udp",
        ServiceKey::Addr { protocol: Protocol::Sctp, .. } => "sctp",
        ServiceKey::Fwmark { .. } => "none",
    };
    format!("[{addr}]:{protocol}:{port}")
}
