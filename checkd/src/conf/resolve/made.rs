//! Interfaces that instances have made: `use_vmac`, `use_ipvlan`. COMPAT: keepalived 2.4.3, behaviour §9.

use super::Resolver;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::global::Global;
use crate::conf::names::NameOf;
use crate::conf::source::Span;
use crate::conf::vrrp::Instance as Draft;
use alloc::format;
use alloc::string::{String, ToString};
use ipc::config::LinkIdx;
use ipc::config::ipvs::{MadeKind, MadeLink};
use ipc::config::vrrp::{Link, Switch};
use ipc::config::vrrp_options::MacChoice;
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

impl Resolver<'_, '_> {
    /// The interface of an instance's own, if it asks for one.
    pub(super) fn made(&mut self, d: &Draft, g: &Global, parent: LinkIdx, family: Family, vrid: u8) -> Option<LinkIdx> {
        let wish = self.wish(d, family, vrid)?;
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
            None => self.free_name(g.vrrp.vmac_prefix.as_deref().unwrap_or("vrrp"), family, vrid)?,
        };
        let origin = self.r.sources.origin(wish.span);
        let link = match self.link_names.get(&name) {
            Some(link) => *link,
            None => self.links.push(Link { name: name.clone(), origin: origin.clone() }).ok()?,
        };
        self.link_names.insert(name, link);
        let own_address = family == Family::V6 && d.more.vmac_xmit_base == Switch::Off && wish.addr.is_none();
        let link_local = if own_address { Switch::On } else { Switch::Off };
        self.made.push(MadeLink { link, parent, kind: wish.kind, family, group, link_local, addr: wish.addr, origin });
        Some(link)
    }

    fn wish<'d>(&mut self, d: &'d Draft, family: Family, vrid: u8) -> Option<Wish<'d>> {
        if let Some(vmac) = &d.more.vmac {
            let of_family = if family == Family::V4 { 1 } else { 2 };
            let mac = match vmac.value.mac {
                Some(MacChoice::Whole(mac)) => mac,
                Some(MacChoice::BeforeVrid([a, b, c, d, e])) => [a, b, c, d, e, vrid],
                None => [0, 0, 0x5e, 0, of_family, vrid],
            };
            let (name, group) = (vmac.value.name.as_deref(), vmac.value.group.as_deref());
            return Some(Wish { name, kind: MadeKind::Macvlan(Mac(mac)), group, addr: None, span: vmac.span });
        }
        let ipvlan = d.more.ipvlan.as_ref()?;
        if family == Family::V4 && ipvlan.value.addr.is_none() {
            let message = "`use_ipvlan` of an IPv4 instance needs an address";
            let missing = Diagnostic::error(Code::INCOMPLETE, ipvlan.span, message).label("ignored");
            self.r.diags.push(missing.help("use_ipvlan 192.0.2.10/24"));
        }
        // ipvsd can make one, but keepalived leaves the virtual addresses on the parent, which is not done yet.
        None
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
