//! `strict_mode`: what RFC 9568 does not have is taken out of an instance. COMPAT: keepalived 2.4.3.

use super::Resolver;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::global::Global;
use crate::conf::keyword::At;
use crate::conf::source::Span;
use crate::conf::value::secs;
use crate::conf::vrrp::Instance as Draft;
use alloc::format;
use ipc::config::vrrp::{Switch, Version, Wanted};
use ipc::config::vrrp_options::{Accept, HmacMode};

/// `strict_mode`, else `vrrp_strict`.
pub(super) fn asked(d: &Draft, g: &Global) -> Switch {
    d.more.strict.as_ref().map_or(g.vrrp.strict, |s| s.value)
}

impl Resolver<'_, '_> {
    /// The instance as `strict_mode` has it.
    pub(super) fn strictly(&mut self, draft: &Draft, g: &Global) -> Draft {
        let mut d = draft.clone();
        let at = d.more.strict.as_ref().map_or(d.name.span, |s| s.span);
        if let Some(first) = d.peers.first() {
            let message = format!("`vrrp_instance {}` is strict, and unicast is not in RFC 9568", d.name.value);
            self.r.diags.push(Diagnostic::fatal(Code::CONFLICT, first.span, message).also(at, "because of this"));
        }
        let owner =
            d.priority.as_ref().map_or(d.state.as_ref().is_some_and(|s| s.value == Wanted::Master), |p| p.value == 255);
        let wanted = if owner { Wanted::Master } else { Wanted::Backup };
        if let Some(state) = d.state.as_mut().filter(|s| s.value != wanted) {
            state.value = wanted;
            let span = state.span;
            self.loosened(span, "`state` follows from `priority` in strict mode");
        }
        if let Some(kind) = d.auth_type.take() {
            d.auth_pass = None;
            self.loosened(kind.span, "there is no authentication in strict mode");
        }
        if let Some(delay) = d.preempt_delay.take() {
            self.loosened(delay.span, "`preempt_delay` has no effect in strict mode");
        }
        if let Some(n) = d.down_timer_adverts.as_ref().filter(|n| n.value != 3) {
            self.loosened(n.span, "three missed adverts count in strict mode");
        }
        d.down_timer_adverts = Some(At::new(3, at));
        d.garp.lower_prio_repeat = Some(At::new(0, at));
        d.garp.lower_prio_delay = Some(At::new(secs(0), at));
        d.lower_prio_no_advert = Some(Switch::On);
        d.higher_prio_send_advert = Some(Switch::Off);
        if let Some(off) = d.owner_ignore_adverts.as_ref().filter(|o| owner && o.value == Switch::Off) {
            self.loosened(off.span, "an address owner ignores adverts in strict mode");
        }
        d.owner_ignore_adverts = owner.then(|| At::new(Switch::On, at));
        d.more.vmac_xmit_base = Switch::Off;
        if let Some(vmac) = d.more.vmac.as_mut().filter(|v| v.value.mac.is_some()) {
            vmac.value.mac = None;
            let span = vmac.span;
            self.loosened(span, "the MAC address is the RFC's own in strict mode");
        }
        if let Some(mode) = d.more.hmac.as_mut().and_then(|h| h.mode.as_mut()).filter(|m| m.value != HmacMode::Enforce)
        {
            mode.value = HmacMode::Enforce;
            let span = mode.span;
            self.loosened(span, "`mode` is `enforce` in strict mode");
        }
        let version = d.version.as_ref().or(g.version.as_ref()).map_or(Version::V2, |v| v.value);
        if let Some(accept) = d.more.accept.as_mut().filter(|a| version == Version::V2 && a.value == Accept::Accept) {
            accept.value = Accept::Drop;
            let span = accept.span;
            self.loosened(span, "version 2 has no `accept` in strict mode");
        }
        d.no_vips = Switch::Off;
        if d.vips.is_empty() {
            let message = format!("`vrrp_instance {}` is strict and has no `virtual_ipaddress`", d.name.value);
            self.r.diags.push(Diagnostic::fatal(Code::INCOMPLETE, d.name.span, message));
        }
        d
    }

    fn loosened(&mut self, span: Span, message: &str) {
        self.r.diags.push(Diagnostic::warning(Code::CONFLICT, span, message).label("ignored"));
    }
}
