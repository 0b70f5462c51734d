//! The addresses of an instance.

use super::Resolver;
use super::made::Router;
use super::trackers::{FAULT, watch};
use super::transport::name;
use crate::conf::address::Address;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::vrrp::{AuthType, Instance as Draft};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::LinkIdx;
use ipc::config::ipvs::AddrSpec;
use ipc::config::vrrp::{Switch, TrackLink, Vip};
use ipc::net::Family;

/// Most addresses in an advert: the count is one byte (RFC 9568 §5.2.5), and it must fit an Ethernet frame.
/// COMPAT: keepalived 2.4.3: 14 bytes less than the frame has room for.
fn room(d: &Draft, family: Family) -> usize {
    let (header, each) = match family {
        Family::V4 => (20, 4),
        Family::V6 => (40, 16),
    };
    let authentication = if d.auth_type.as_ref().is_some_and(|kind| kind.value == AuthType::Ah) { 24 } else { 0 };
    let signature = if d.more.hmac.is_some() { 28 } else { 0 };
    let used = [14, header, 8, 8, authentication, signature].into_iter().fold(0, usize::saturating_add);
    1500usize.saturating_sub(used).checked_div(each).unwrap_or(0).min(255)
}

/// What becomes of the address blocks of an instance.
#[derive(Default)]
pub(super) struct Addresses {
    pub vips: Vec<Vip>,
    pub excluded: Vec<Vip>,
    pub specs: Vec<AddrSpec>,
    /// The interface that `use_vmac` or `use_ipvlan` makes.
    pub own: Option<LinkIdx>,
}

/// Where the addresses of an instance go.
pub(super) struct Place<'a> {
    /// Whose they are.
    pub router: Router<'a>,
    /// `interface`
    pub base: LinkIdx,
    /// The macvlan that was made on it, or the same. COMPAT: keepalived 2.2.7, measured: addresses do not go to an ipvlan.
    pub own: LinkIdx,
}

impl Resolver<'_, '_> {
    /// Resolves `virtual_ipaddress`, then `virtual_ipaddress_excluded`; interfaces that matter are added to `tracked`.
    pub(super) fn addresses(&mut self, place: &Place<'_>, tracked: &mut Vec<TrackLink>) -> Addresses {
        let (draft, family) = (place.router.draft, place.router.family);
        let mut all = Addresses::default();
        let (mut moved, mut seen) = (Vec::new(), BTreeSet::new());
        let room = room(draft, family);
        for address in &draft.vips {
            if Family::of(address.prefix.addr) != family {
                // COMPAT: keepalived 2.2.7, measured.
                let message =
                    format!("an advert has addresses of one family only, and this instance speaks {}", name(family));
                let other = Diagnostic::error(Code::CONFLICT, address.span, message).label("ignored");
                self.r.diags.push(other.help("virtual_ipaddress_excluded takes both"));
                continue;
            }
            let Some(vip) = self.address(address, place, tracked, (&mut all.specs, &mut seen)) else { continue };
            if all.vips.len() < room {
                all.vips.push(vip);
            } else {
                moved.push(vip);
            }
        }
        if let (false, Some(first)) = (moved.is_empty(), draft.vips.get(room)) {
            // COMPAT: keepalived does the same without a word.
            let message = format!("an advert has room for {room} addresses; the rest counts as excluded");
            self.r.diags.push(Diagnostic::warning(Code::TOO_MANY, first.span, message));
        }
        all.excluded = moved;
        for address in &draft.excluded {
            all.excluded.extend(self.address(address, place, tracked, (&mut all.specs, &mut seen)));
        }
        all
    }

    fn address(
        &mut self,
        address: &Address,
        place: &Place<'_>,
        tracked: &mut Vec<TrackLink>,
        (specs, seen): (&mut Vec<AddrSpec>, &mut BTreeSet<(IpAddr, LinkIdx)>),
    ) -> Option<Vip> {
        let link = match &address.link {
            Some(name) => self.link(name)?,
            None => place.base,
        };
        let addr = address.prefix.addr;
        let link = self.place_of(place, address, link)?;
        if !seen.insert((addr, link)) {
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
        if address.no_track == Switch::Off && link != place.base && link != place.own {
            watch(tracked, TrackLink { link, weight: FAULT, origin: self.origin(address.span) });
        }
        Some(Vip { addr, link })
    }
    /// COMPAT: keepalived 2.2.7, measured: `dev` that names the instance's interface is as none; without `use_vmac_addr` the other family
    /// stays on it.
    fn place_of(&mut self, place: &Place<'_>, address: &Address, asked: LinkIdx) -> Option<LinkIdx> {
        let family = Family::of(address.prefix.addr);
        let at_home = asked == place.base && family == place.router.family;
        let own_mac =
            address.more.use_vmac == Switch::On || place.router.draft.more.vmac_addr == Switch::On && !at_home;
        match (at_home && place.own != place.base, own_mac) {
            (true, _) => Some(place.own),
            (false, true) => self.vmac_on(&place.router, asked, family, address.span),
            (false, false) => Some(asked),
        }
    }
}
