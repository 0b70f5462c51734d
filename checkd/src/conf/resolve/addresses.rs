//! The addresses of an instance.

use super::Resolver;
use super::trackers::FAULT;
use crate::conf::address::Address;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::vrrp::Instance as Draft;
use alloc::format;
use alloc::vec::Vec;
use ipc::config::LinkIdx;
use ipc::config::ipvs::AddrSpec;
use ipc::config::vrrp::{Switch, TrackLink, Vip};
use ipc::net::Family;

/// Most addresses in an advert: the count is one byte (RFC 9568 §5.2.5), and 255 IPv4 addresses fit an Ethernet frame.
const VIPS: usize = 255;

/// What becomes of the address blocks of an instance.
#[derive(Default)]
pub(super) struct Addresses {
    pub vips: Vec<Vip>,
    pub excluded: Vec<Vip>,
    pub specs: Vec<AddrSpec>,
}

impl Resolver<'_, '_> {
    /// Resolves `virtual_ipaddress`, then `virtual_ipaddress_excluded`; interfaces that matter are added to `tracked`.
    pub(super) fn addresses(&mut self, draft: &Draft, own: LinkIdx, tracked: &mut Vec<TrackLink>) -> Addresses {
        let mut all = Addresses::default();
        let mut moved = Vec::new();
        for address in &draft.vips {
            let Some(vip) = self.address(address, own, tracked, &mut all.specs) else { continue };
            if all.vips.len() < VIPS {
                all.vips.push(vip);
            } else {
                moved.push(vip);
            }
        }
        if let (false, Some(first)) = (moved.is_empty(), draft.vips.get(VIPS)) {
            // COMPAT: keepalived does the same without a word.
            let message = format!("an advert has room for {VIPS} addresses; the rest counts as excluded");
            self.r.diags.push(Diagnostic::warning(Code::TOO_MANY, first.span, message));
        }
        all.excluded = moved;
        for address in &draft.excluded {
            all.excluded.extend(self.address(address, own, tracked, &mut all.specs));
        }
        all
    }

    fn address(
        &mut self,
        address: &Address,
        own: LinkIdx,
        tracked: &mut Vec<TrackLink>,
        specs: &mut Vec<AddrSpec>,
    ) -> Option<Vip> {
        if Family::of(address.prefix.addr) == Family::V6 {
            let message = "IPv6 addresses cannot be run yet";
            self.r.diags.push(Diagnostic::error(Code::UNSUPPORTED, address.span, message).label("ignored"));
            return None;
        }
        let link = match &address.link {
            Some(name) => self.link(name)?,
            None => own,
        };
        let addr = address.prefix.addr;
        if specs.iter().any(|s| s.prefix.addr == addr && s.link == link) {
            // COMPAT: keepalived 2.2.7 says nothing.
            let message = format!("{addr} is an address of this instance already");
            self.r.diags.push(Diagnostic::warning(Code::DUPLICATE, address.span, message).label("ignored"));
            return None;
        }
        specs.push(AddrSpec {
            prefix: address.prefix,
            link,
            broadcast: address.broadcast,
            scope: address.scope,
            label: address.label.clone(),
            more: address.more,
            origin: self.r.sources.origin(address.span),
        });
        let watched = TrackLink { link, weight: FAULT };
        if address.no_track == Switch::Off && link != own && !tracked.contains(&watched) {
            tracked.push(watched);
        }
        Some(Vip { addr, link })
    }
}
