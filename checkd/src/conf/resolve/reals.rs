//! `real_server` blocks and their checkers.

use super::Resolver;
use super::servers::endpoint_label;
use crate::conf::Draft as All;
use crate::conf::checker::{Checker as CheckerDraft, Kind, Url as UrlDraft};
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::real::Real as Draft;
use crate::conf::server::Server;
use crate::conf::value::secs;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use ipc::config::check::{Checker, CheckerKind, Http, Real, Url};
use ipc::config::ipvs::{self, Dest, Method, ServiceKey};
use ipc::config::{Bundle, RealIdx, ServiceIdx};

impl Resolver<'_, '_> {
    /// Adds the real servers of a service; gives the sum of their weights.
    pub(super) fn reals(
        &mut self,
        v: &Server,
        service: ServiceIdx,
        key: ServiceKey,
        method: Method,
        draft: &All,
        bundle: &mut Bundle,
    ) -> u64 {
        let mut seen = BTreeMap::new();
        let mut weights = 0_u64;
        for d in &v.reals {
            if !self.same_family(d.addr, key, d.span) {
                continue;
            }
            let method = d.method.as_ref().map_or(method, |m| m.value);
            let port = self.dest_port(d.port, key, method, d.span);
            if let Some(first) = seen.insert((d.addr, port), d.span) {
                // COMPAT: the second one is removed.
                let message =
                    format!("real server {} is in this virtual server already", endpoint_label(d.addr, port, key));
                let again = Diagnostic::error(Code::DUPLICATE, d.span, message).label("ignored");
                self.r.diags.push(again.also(first, "the first one"));
                continue;
            }
            let weight = d.weight.as_ref().or(v.weight.as_ref()).map_or(1, |w| w.value);
            let (upper, lower) = self.thresholds(d);
            let label = endpoint_label(d.addr, port, key);
            let of = format!("real_server {label}");
            let origin = self.r.sources.origin(d.span);
            let real = Real {
                service,
                label,
                weight,
                inhibit: Self::inherit(d.inhibit, v.inhibit),
                alpha: Self::inherit(d.alpha, v.alpha),
                notify_up: self.event(&d.notify_up, "notify_up", &of),
                notify_down: self.event(&d.notify_down, "notify_down", &of),
                origin: origin.clone(),
            };
            let dest = Dest { addr: d.addr, port, method, weight, upper, lower };
            let listed = bundle.ipvs.reals.push(ipvs::Real { service, dest, origin });
            let (Ok(index), Ok(_)) = (listed, bundle.check.reals.push(real)) else { return weights };
            weights = weights.saturating_add(u64::from(weight));
            for checker in &d.checkers {
                // What is asked is the port that connections get; a mark has none, so there the written one.
                let port = if port == 0 { d.port.unwrap_or(0) } else { port };
                if let Some(checker) = self.checker(checker, d, v, index, port, draft) {
                    let _too_many = bundle.check.checkers.push(checker); // u32: more than memory holds
                }
            }
        }
        weights
    }

    /// COMPAT: the kernel takes any; a lower threshold above the upper one is never reached.
    fn thresholds(&mut self, d: &Draft) -> (u32, u32) {
        let upper = d.upper.as_ref().map_or(0, |u| u.value);
        let lower = d.lower.as_ref().map_or(0, |l| l.value);
        if let Some(at) = d.lower.as_ref().filter(|_| upper != 0 && lower >= upper) {
            let message = "`lthreshold` is not below `uthreshold`";
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, at.span, message));
        }
        (upper, lower)
    }

    fn checker(
        &mut self,
        c: &CheckerDraft,
        d: &Draft,
        v: &Server,
        real: RealIdx,
        port: u16,
        draft: &All,
    ) -> Option<Checker> {
        let port = c.connect_port.as_ref().map_or(port, |p| p.value);
        if port == 0 {
            let message = "this checker does not know which port to connect to";
            self.r
                .diags
                .push(Diagnostic::error(Code::INCOMPLETE, c.span, message).label("ignored").help("connect_port 80"));
            return None;
        }
        let target = SocketAddr::new(c.connect_ip.as_ref().map_or(d.addr, |ip| ip.value), port);
        let schedule = c.schedule.or(&d.schedule).or(&v.schedule);
        let delay_loop = schedule.delay_loop.map_or(secs(60), |at| at.value);
        // COMPAT: keepalived 2.4.3, keywords §13.
        let (retry, delay_before_retry) = match c.kind {
            Kind::Tcp => (1, secs(1)),
            Kind::Http | Kind::Ssl => (1, secs(3)),
        };
        Some(Checker {
            real,
            target,
            bind: self.bind(c, target),
            timeout: schedule.timeout.map_or(secs(5), |at| at.value),
            delay_loop,
            retry: schedule.retry.map_or(retry, |at| at.value),
            delay_before_retry: schedule.delay_before_retry.map_or(delay_before_retry, |at| at.value),
            warmup: schedule.warmup.map_or(delay_loop, |at| at.value),
            log_all_failures: c.log_all_failures.unwrap_or(draft.global.log_all_failures),
            alpha: c.alpha.unwrap_or(Self::inherit(d.alpha, v.alpha)),
            kind: match c.kind {
                Kind::Tcp => CheckerKind::Tcp,
                Kind::Http | Kind::Ssl => CheckerKind::Http(http(c, d, v)),
            },
            origin: self.r.sources.origin(c.span),
        })
    }

    fn bind(&mut self, c: &CheckerDraft, target: SocketAddr) -> Option<SocketAddr> {
        if c.bind_ip.is_none() && c.bind_port.is_none() {
            return None;
        }
        let any = if target.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        let addr = match &c.bind_ip {
            Some(ip) if ip.value.is_ipv4() != target.is_ipv4() => {
                let message = "`bindto` is not of the address family that is connected to";
                self.r.diags.push(Diagnostic::error(Code::CONFLICT, ip.span, message).label("ignored"));
                any
            }
            Some(ip) => ip.value,
            None => any,
        };
        Some(SocketAddr::new(addr, c.bind_port.as_ref().map_or(0, |p| p.value)))
    }
}

fn http(c: &CheckerDraft, d: &Draft, v: &Server) -> Http {
    let outer = c.host.as_ref().or(d.host.as_ref()).or(v.host.as_ref()).map(|h| h.value.clone());
    let urls: Vec<Url> = c.urls.iter().filter_map(|u| url(u, outer.clone())).collect();
    Http { protocol: c.protocol, urls, fast_recovery: c.fast_recovery }
}

fn url(u: &UrlDraft, outer: Option<String>) -> Option<Url> {
    let status = if u.status.is_empty() { Vec::from([(200, 299)]) } else { u.status.clone() };
    Some(Url {
        path: u.path.as_ref()?.value.clone(),
        host: u.host.as_ref().map(|h| h.value.clone()).or(outer),
        digest: u.digest,
        status,
    })
}
