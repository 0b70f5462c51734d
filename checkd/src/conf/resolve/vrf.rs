//! `vrf`: an instance without an interface, whose unicast adverts use all interfaces of a VRF.

use super::Resolver;
use crate::conf::address::Address;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::global::Global;
use crate::conf::source::Span;
use crate::conf::vrrp::Instance as Draft;
use alloc::format;
use ipc::config::vrrp::Switch;

impl Resolver<'_, '_> {
    /// The instance with the VRF's own device in the place of an interface: a socket that is bound to it sends by the VRF's routes and
    /// hears what comes in on its interfaces. COMPAT: keepalived 2.4.3; 2.2.7, measured, refuses to run without `interface`,
    /// whatever `vrf` says, and has no `vrf` beside an `interface`.
    pub(super) fn in_vrf(&mut self, draft: &Draft, g: &Global) -> Draft {
        let mut d = draft.clone();
        let Some(vrf) = d.more.vrf.clone() else { return d };
        if let Some(link) = &d.link {
            let message = "`vrf` is for an instance without `interface`";
            let warning = Diagnostic::warning(Code::CONFLICT, vrf.span, message).label("ignored");
            self.r.diags.push(warning.also(link.span, "because of this"));
            d.more.vrf = None;
            return d;
        }
        if d.peers.is_empty() || d.source.is_none() {
            let name = &d.name.value;
            let message = format!(
                "`vrrp_instance {name}` has `vrf` in the place of `interface`, but is not unicast or has no source"
            );
            let fatal = Diagnostic::fatal(Code::INCOMPLETE, vrf.span, message);
            self.r.diags.push(fatal.help("unicast_src_ip and unicast_peer; or an interface of the VRF in `interface`"));
        }
        let made = [d.more.vmac.take().map(|vmac| vmac.span), d.more.ipvlan.take().map(|ipvlan| ipvlan.span)];
        for span in made.into_iter().flatten() {
            let message = "nothing can be made on an interface where there is none, only `vrf`";
            self.r
                .diags
                .push(Diagnostic::warning(Code::CONFLICT, span, message).label("ignored").also(vrf.span, "this"));
        }
        d.more.vmac_addr = Switch::Off;
        if let Some(span) = d.track_source.take() {
            let message = "`track_src_ip` looks for the source on one interface, which `vrf` is not";
            let warning = Diagnostic::warning(Code::CONFLICT, span, message).label("ignored");
            self.r.diags.push(warning.also(vrf.span, "this"));
        }
        for address in d.vips.iter_mut().chain(&mut d.excluded) {
            self.placed(address, vrf.span, g);
        }
        d.link = Some(vrf);
        d
    }

    /// An address of an instance without interface has one of its own, or the default.
    fn placed(&mut self, address: &mut Address, vrf: Span, g: &Global) {
        if address.link.is_some() {
            return;
        }
        address.link =
            g.identity.default_interface.clone().map(|name| crate::conf::keyword::At::new(name, address.span));
        if address.link.is_none() {
            let message = "this address has no `dev`, and its instance no `interface`";
            let fatal = Diagnostic::fatal(Code::INCOMPLETE, address.span, message);
            self.r.diags.push(fatal.also(vrf, "only this").help("dev eth0"));
        }
    }
}
