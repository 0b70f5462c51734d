//! Interfaces that instances have made: `use_vmac`, `use_vmac_addr`, `use_ipvlan`. COMPAT: keepalived 2.4.3.

use super::Resolver;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::global::Global;
use crate::conf::keyword::At;
use crate::conf::names::NameOf;
use crate::conf::source::Span;
use crate::conf::vrrp::Instance as Draft;
use alloc::format;
use alloc::string::{String, ToString};
use core::net::IpAddr;
use ipc::config::LinkIdx;
use ipc::config::ipvs::{MadeKind, MadeLink};
use ipc::config::vrrp::{Link, Switch};
use ipc::config::vrrp_options::{IpvlanMode, MacChoice};
use ipc::net::{Family, Mac, Prefix};

/// IFNAMSIZ without its closing zero.
const NAME_BYTES: usize = 15;

/// What is asked for.
struct Wish<'a> {
    name: Option<&'a str>,
    kind: MadeKind,
    group: Option<&'a str>,
    addr: Option<Prefix>,
    span: Span,
}

/// The virtual router whose interfaces are made.
pub(super) struct Router<'a> {
    pub draft: &'a Draft,
    pub global: &'a Global,
    pub family: Family,
    pub vrid: u8,
}

impl Router<'_> {
    /// Its hardware address among addresses of a family: what `use_vmac` says, else that of RFC 9568 §7.3.
    fn mac(&self, family: Family) -> Mac {
        let of_family = if family == Family::V4 { 1 } else { 2 };
        Mac(match self.draft.more.vmac.as_ref().and_then(|vmac| vmac.value.mac) {
            Some(MacChoice::Whole(mac)) => mac,
            Some(MacChoice::BeforeVrid([a, b, c, d, e])) => [a, b, c, d, e, self.vrid],
            None => [0, 0, 0x5e, 0, of_family, self.vrid],
        })
    }
}

impl Resolver<'_, '_> {
    /// The interface of an instance's own, if it asks for one.
    pub(super) fn made(&mut self, router: &Router<'_>, parent: LinkIdx) -> Option<(LinkIdx, MadeKind)> {
        let wish = self.wish(router, parent)?;
        let prefix = router.global.vrrp.vmac_prefix.as_deref();
        let vmac = matches!(wish.kind, MadeKind::Macvlan(_));
        let borrows = router.family == Family::V6 && vmac && router.draft.more.vmac_xmit_base == Switch::Off;
        let link_local = if borrows { Switch::On } else { Switch::Off };
        let kind = wish.kind;
        self.make(wish, (parent, router.family, link_local), prefix, router.vrid).map(|link| (link, kind))
    }

    /// The interface for addresses of a family that has the virtual router's hardware address on `parent`: `use_vmac_addr`, and
    /// `use_vmac` of an address. COMPAT: keepalived 2.2.7, measured: one for all addresses of an interface and a family.
    pub(super) fn vmac_on(
        &mut self,
        router: &Router<'_>,
        parent: LinkIdx,
        family: Family,
        span: Span,
    ) -> Option<LinkIdx> {
        let kind = MadeKind::Macvlan(router.mac(family));
        if let Some(made) = self.made.iter().find(|made| made.parent == parent && made.kind == kind) {
            return Some(made.link);
        }
        let global = &router.global.vrrp;
        let prefix = global.vmac_addr_prefix.as_deref().or(global.vmac_prefix.as_deref());
        let link_local = if family == Family::V6 { Switch::On } else { Switch::Off };
        let wish = Wish { name: None, kind, group: None, addr: None, span };
        self.make(wish, (parent, family, link_local), prefix, router.vrid)
    }

    fn make(
        &mut self,
        wish: Wish<'_>,
        (parent, family, link_local): (LinkIdx, Family, Switch),
        prefix: Option<&str>,
        vrid: u8,
    ) -> Option<LinkIdx> {
        let group = self.link_group(wish.group, wish.span);
        let name = match wish.name {
            Some(name) if self.is_made(name) => {
                let message = format!("the interface {name} is made for another instance already");
                self.r.diags.push(Diagnostic::error(Code::DUPLICATE, wish.span, message).label("ignored"));
                return None;
            }
            Some(name) if self.interfaces.contains(name) => {
                let message = format!("{name} is the `interface` of an instance and cannot be made");
                self.r.diags.push(Diagnostic::error(Code::DUPLICATE, wish.span, message).label("ignored"));
                return None;
            }
            Some(name) => name.to_string(),
            None => self.free_name(prefix.unwrap_or("vrrp"), family, vrid)?,
        };
        let origin = self.r.sources.origin(wish.span);
        let link = match self.link_names.get(&name) {
            Some(link) => *link,
            None => self.links.push(Link { name: name.clone(), origin: origin.clone() }).ok()?,
        };
        self.link_names.insert(name, link);
        self.made.push(MadeLink { link, parent, kind: wish.kind, family, group, link_local, addr: wish.addr, origin });
        Some(link)
    }

    fn wish<'d>(&mut self, router: &Router<'d>, parent: LinkIdx) -> Option<Wish<'d>> {
        let (d, family) = (router.draft, router.family);
        if let Some(vmac) = &d.more.vmac {
            let (name, group) = (vmac.value.name.as_deref(), vmac.value.group.as_deref());
            let kind = MadeKind::Macvlan(router.mac(family));
            return Some(Wish { name, kind, group, addr: None, span: vmac.span });
        }
        let At { value: ipvlan, span } = d.more.ipvlan.as_ref()?;
        let of_family = ipvlan.addr.filter(|addr| Family::of(addr.addr) == family);
        if of_family.is_none() && (family == Family::V4 || ipvlan.addr.is_some()) {
            // COMPAT: keepalived 2.2.7 makes the interface and leaves the instance in FAULT for ever.
            let (version, example) = match family {
                Family::V4 => ("IPv4", "use_ipvlan 192.0.2.10/24"),
                Family::V6 => ("IPv6", "use_ipvlan fe80::10/64"),
            };
            let message = format!("`use_ipvlan` of an {version} instance needs an {version} address");
            let missing = Diagnostic::error(Code::INCOMPLETE, *span, message).label("ignored");
            self.r.diags.push(missing.help(example));
            return None;
        }
        let kind = MadeKind::Ipvlan(self.ipvlan_mode(ipvlan.mode, parent, *span));
        let (name, group) = (ipvlan.name.as_deref(), ipvlan.group.as_deref());
        Some(Wish { name, kind, group, addr: of_family, span: *span })
    }

    /// The kernel has one mode for all ipvlans of an interface: that of the last one that is made.
    fn ipvlan_mode(&mut self, asked: IpvlanMode, parent: LinkIdx, span: Span) -> IpvlanMode {
        let mut of_parent = self.made.iter().filter(|made| made.parent == parent);
        let first = of_parent.find_map(|made| match made.kind {
            MadeKind::Ipvlan(mode) => Some((mode, &made.origin)),
            MadeKind::Macvlan(_) => None,
        });
        let Some((mode, origin)) = first.filter(|(mode, _)| *mode != asked) else { return asked };
        let message = format!("all ipvlans of one interface have one mode, and that of {origin} is another one");
        self.r.diags.push(Diagnostic::error(Code::CONFLICT, span, message).label("the first one's counts"));
        mode
    }

    /// The address that `use_ipvlan` gives an interface: adverts come from it. COMPAT: keepalived 2.2.7, measured.
    pub(super) fn ipvlan_addr(&self, link: Option<LinkIdx>) -> Option<IpAddr> {
        let made = self.made.iter().find(|made| Some(made.link) == link)?;
        made.addr.map(|prefix| prefix.addr)
    }

    fn link_group(&mut self, group: Option<&str>, span: Span) -> Option<u32> {
        let group = group?;
        let number = self.r.names.number(NameOf::LinkGroup, group).or_else(|| group.parse().ok());
        if number.is_none() {
            let message = format!("there is no interface group `{group}`");
            self.r.diags.push(Diagnostic::error(Code::UNDEFINED, span, message).label("`group` is ignored"));
        }
        number
    }

    fn is_made(&self, name: &str) -> bool {
        self.link_names.get(name).is_some_and(|link| self.made.iter().any(|made| made.link == *link))
    }

    /// `PREFIX.VRID`; taken: for IPv6 `PREFIX6.VRID`, then `PREFIX1.VRID` and so on.
    fn free_name(&self, prefix: &str, family: Family, vrid: u8) -> Option<String> {
        let six = (family == Family::V6).then(|| String::from("6"));
        let numbers = (1..u32::from(u16::MAX)).map(|n| n.to_string());
        let infixes = [String::new()].into_iter().chain(six).chain(numbers);
        let mut names = infixes.map(|infix| {
            let end = format!("{infix}.{vrid}");
            let room = NAME_BYTES.saturating_sub(end.len());
            let cut =
                prefix.char_indices().map(|(at, c)| at.saturating_add(c.len_utf8())).take_while(|end| *end <= room);
            format!("{}{end}", prefix.get(..cut.last().unwrap_or(0)).unwrap_or_default())
        });
        names.find(|name| !self.is_made(name) && !self.interfaces.contains(name))
    }
}
