//! Checkers of real servers.

use super::Resolver;
use crate::conf::Draft as All;
use crate::conf::checker::{Checker as Draft, Kind, Schedules};
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::http::Url as UrlDraft;
use crate::conf::keyword::At;
use crate::conf::real::Real;
use crate::conf::server::Server;
use crate::conf::value::secs;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use ipc::config::bfd::Told;
use ipc::config::check::{Checker, CheckerKind, How, Http, Url};
use ipc::config::file::FileWeight;
use ipc::config::probe::{DnsType, Misc, Reply, Udp};
use ipc::config::script::{Asker, ScriptKind};
use ipc::config::vrrp::Switch;
use ipc::config::{BfdIdx, Bundle, FileIdx, Origin, RealIdx};

/// Whose checker it is.
pub(super) struct Of<'a> {
    pub d: &'a Real,
    pub v: &'a Server,
    pub real: RealIdx,
    /// The port that is asked unless the checker names one.
    pub port: u16,
    pub draft: &'a All,
}

/// `helo_name`. COMPAT: keepalived 2.4.3.
const HELO: &str = "smtpchecker.keepalived.org";

/// `weight` of a file. COMPAT: keepalived 2.4.3.
pub(super) const ONCE: FileWeight = FileWeight { value: 1, reverse: Switch::Off };

impl Resolver<'_, '_> {
    /// Adds a checker.
    pub(super) fn checker(&mut self, c: &Draft, of: &Of<'_>, bundle: &mut Bundle) {
        let Some((target, how)) = self.how(c, of) else { return };
        let how = match self.how_before.take() {
            Some(before) if *before == how => before,
            _ => Arc::new(how),
        };
        self.how_before = Some(Arc::clone(&how));
        let checker = Checker { real: of.real, target, how, origin: self.origin(c.span) };
        let _too_many = bundle.check.checkers.push(checker); // u32: more than memory holds
    }

    /// What is asked.
    fn run(&mut self, c: &Draft, of: &Of<'_>, delay_loop: Duration) -> Option<CheckerKind> {
        let own = c.own();
        Some(match c.kind {
            Kind::Tcp => CheckerKind::Tcp,
            Kind::Http => CheckerKind::Http(Box::new(http(c, of.d, of.v))),
            Kind::Smtp => CheckerKind::Smtp { helo: own.helo.clone().unwrap_or_else(|| HELO.into()) },
            Kind::Dns => CheckerKind::Dns {
                query: own.dns_type.unwrap_or(DnsType::Soa),
                name: own.dns_name.clone().unwrap_or_else(|| ".".into()),
            },
            Kind::Udp => CheckerKind::Udp(Box::new(self.udp(c))),
            Kind::Ping => CheckerKind::Ping,
            Kind::Misc => CheckerKind::Misc(Box::new(self.misc(c, of, delay_loop)?)),
            Kind::Ssl => {
                self.files.ssl_get(&of.draft.tls, c);
                CheckerKind::Ssl(Box::new(http(c, of.d, of.v)), Box::new(c.tls.clone()))
            }
            Kind::File => self.file(c, of)?,
            Kind::Bfd => self.bfd_check(c, of)?,
        })
    }

    /// Whom it asks, and how.
    fn how(&mut self, c: &Draft, of: &Of<'_>) -> Option<(SocketAddr, How)> {
        let port = c.connect_port.as_ref().map_or(of.port, |p| p.value);
        if port == 0 && !matches!(c.kind, Kind::Ping | Kind::Misc | Kind::File | Kind::Bfd) {
            let message = "this checker does not know which port to connect to";
            self.r
                .diags
                .push(Diagnostic::error(Code::INCOMPLETE, c.span, message).label("ignored").help("connect_port 80"));
            return None;
        }
        let target = SocketAddr::new(c.connect_ip.as_ref().map_or(of.d.addr, |ip| ip.value), port);
        let schedule = Schedules([&c.schedule, &of.d.schedule, &of.v.schedule]);
        let delay_loop = schedule.delay_loop().map_or(secs(60), |at| at.value);
        // COMPAT: keepalived 2.4.3.
        let (retry, delay_before_retry) = match c.kind {
            Kind::Http | Kind::Ssl => (1, secs(3)),
            Kind::Dns => (3, delay_loop),
            Kind::Misc => (0, secs(1)),
            _ => (1, secs(1)),
        };
        let how = How {
            bind: self.bind(c, target),
            bind_if: c.bind_if.as_ref().map(|n| n.value.clone()),
            fwmark: c.fwmark.as_ref().map_or(0, |m| m.value),
            marked: None,
            timeout: schedule.timeout().map_or(secs(5), |at| at.value),
            delay_loop,
            retry: schedule.retry().map_or(retry, |at| at.value),
            delay_before_retry: schedule.delay_before_retry().map_or(delay_before_retry, |at| at.value),
            warmup: schedule.warmup().map_or(delay_loop, |at| at.value),
            log_all_failures: c.log_all_failures.unwrap_or(of.draft.global.log_all_failures),
            alpha: c.alpha.unwrap_or(Self::inherit(of.d.alpha, of.v.alpha)),
            kind: self.run(c, of, delay_loop)?,
        };
        Some((target, how))
    }

    fn file(&mut self, c: &Draft, of: &Of<'_>) -> Option<CheckerKind> {
        let own = c.own();
        let name = own.file.as_ref()?;
        let Some(at) = self.places.files.get(name.value.as_str()).copied() else {
            return self.undefined("track_file", name);
        };
        let block = of.draft.files.get(at)?;
        let weight = own.weight.or(block.weight).unwrap_or(ONCE);
        Some(CheckerKind::File { file: FileIdx(u16::try_from(at).ok()?), name: name.value.clone(), weight })
    }

    fn bfd_check(&mut self, c: &Draft, of: &Of<'_>) -> Option<CheckerKind> {
        let name = c.own().bfd.as_ref()?;
        let place = self.places.bfds.get(name.value.as_str()).copied();
        let Some((at, block)) = place.and_then(|at| Some((at, of.draft.bfds.get(at)?))) else {
            return self.undefined("bfd_instance", name);
        };
        if block.told == Told::Vrrp {
            let message = format!("`bfd_instance {}` is for instances alone", name.value);
            let ignored = Diagnostic::warning(Code::CONFLICT, name.span, message).label("this checker is ignored");
            self.r.diags.push(ignored.help("say `checker` in its block as well, or leave `vrrp` out"));
            return None;
        }
        Some(CheckerKind::Bfd { bfd: BfdIdx(u16::try_from(at).ok()?), name: name.value.clone() })
    }

    fn undefined<T>(&mut self, what: &str, name: &At<String>) -> Option<T> {
        let message = format!("there is no `{what} {}`", name.value);
        self.r.diags.push(Diagnostic::error(Code::UNDEFINED, name.span, message).label("this checker is ignored"));
        None
    }

    fn misc(&mut self, c: &Draft, of: &Of<'_>, delay_loop: Duration) -> Option<Misc> {
        let own = c.own();
        let timeout = own.timeout.unwrap_or(delay_loop);
        let user = own.user.as_ref().map(|u| &u.value);
        let label = format!("MISC_CHECK of real_server {}", of.d.addr);
        let command = own.command.as_ref()?;
        let script = self.script(command, user, label, ScriptKind::Probe { timeout }, Asker::Check)?;
        let mut run_as = command.run_as.as_ref().or(user).cloned();
        // It is the same check wherever it stands.
        run_as.iter_mut().for_each(|user| user.origin = Origin::default());
        Some(Misc { script, command: command.argv.clone(), run_as, timeout, dynamic: own.dynamic })
    }

    /// COMPAT: a pattern longer than the longest answer can never match.
    fn udp(&mut self, c: &Draft) -> Udp {
        let own = c.own();
        let min_length = own.min_length.as_ref().map_or(0, |n| n.value);
        let max_length = own.max_length.as_ref().map_or(255, |n| n.value);
        if let Some(at) = own.min_length.as_ref().or(own.max_length.as_ref()).filter(|_| min_length > max_length) {
            let message = format!("`min_reply_length` {min_length} is above `max_reply_length` {max_length}");
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, at.span, message));
        }
        Udp {
            payload: own.payload.clone().unwrap_or_default(),
            reply: own.reply.clone().unwrap_or(Reply::NotNeeded),
            min_length,
            max_length,
        }
    }

    fn bind(&mut self, c: &Draft, target: SocketAddr) -> Option<SocketAddr> {
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

fn http(c: &Draft, d: &Real, v: &Server) -> Http {
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
        regex: u.regex_at.map(|_| u.regex.clone()),
    })
}
