//! What a `virtual_server` stands for in the kernel: one key, or those of all lines of its group.

use super::Resolver;
use crate::conf::Draft as All;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::keyword::At;
use crate::conf::server::{Key, Server};
use crate::conf::source::Span;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::ServerGroupIdx;
use ipc::config::check::Endpoint;
use ipc::config::ipvs::{GroupEntry, Protocol, ServiceKey};
use ipc::net::Family;

/// Most keys that all services of groups have together: each is a service of the kernel.
pub(super) const GROUP_KEYS: usize = 262_144;

/// What was given away already.
#[derive(Default)]
pub(super) struct Taken {
    /// Keys and who has them.
    keys: BTreeMap<ServiceKey, Span>,
    /// Keys of virtual servers that have one of their own.
    single: BTreeSet<ServiceKey>,
    /// How many of them are of groups.
    of_groups: usize,
    /// How many services of each group there were; COMPAT: keepalived 2.2.7 numbers them.
    numbers: BTreeMap<String, u32>,
}

impl Taken {
    /// Counts a service that is used.
    pub(super) fn count(&mut self, v: &Server) {
        if let Some(Key::Group(name)) = &v.key {
            let number = self.numbers.entry(name.value.clone()).or_default();
            *number = number.saturating_add(1);
        }
    }
}

/// What a `virtual_server` stands for.
pub(super) struct Served {
    /// Its keys, at least one.
    pub keys: Vec<ServiceKey>,
    /// `group NAME`
    pub group: Option<ServerGroupIdx>,
    /// As keepalived writes it in logs.
    pub label: String,
    /// What the logs of its real servers name; a mark has none.
    pub protocol: Option<Protocol>,
    /// What its destinations are, tunnels excepted. COMPAT: keepalived 2.2.7: in a group what the first real server is.
    pub family: Family,
}

impl Served {
    /// The key, of a service that has one of its own.
    pub(super) fn single(&self) -> Option<ServiceKey> {
        self.keys.first().copied().filter(|_| self.group.is_none())
    }

    /// The port that all keys have, if they have one.
    pub(super) fn port(&self) -> Option<u16> {
        let first = self.keys.first()?.port();
        self.keys.iter().all(|key| key.port() == first).then_some(first).filter(|port| *port != 0)
    }

    /// Whether some key is of a family.
    pub(super) fn has(&self, family: Family) -> bool {
        self.keys.iter().any(|key| key.family() == family)
    }

    /// Whether an address without a port is among the keys.
    pub(super) fn any_port(&self) -> bool {
        self.keys.iter().any(|key| matches!(key, ServiceKey::Addr { port: 0, .. }))
    }

    /// `[192.168.1.1]:tcp:80`
    pub(super) fn endpoint(&self, addr: IpAddr, port: u16) -> Endpoint {
        Endpoint { addr, protocol: self.protocol, port }
    }
}

impl Resolver<'_, '_> {
    /// The keys of a virtual server that nobody has yet; nothing when it cannot be used, which has been reported.
    pub(super) fn served(&mut self, v: &Server, draft: &All, taken: &mut Taken) -> Option<Served> {
        let served = match v.key.as_ref()? {
            Key::Group(name) => self.of_group(v, name, draft, taken)?,
            Key::Fwmark(mark) => {
                self.no_protocol(v);
                let key = ServiceKey::Fwmark { mark: *mark, family: family_of_marks(v) };
                let label = format!("FWM {mark}");
                Served { keys: Vec::from([key]), group: None, label, protocol: None, family: key.family() }
            }
            &Key::Addr(addr, port) => {
                let protocol = self.protocol(v);
                let key = ServiceKey::Addr { addr, port, protocol };
                let protocol = Some(protocol);
                let label = Endpoint { addr, protocol, port }.to_string();
                let family = key.family();
                if let Some(other) = v.family.as_ref().filter(|f| f.value != family) {
                    let message = format!("`ip_family` is not that of {addr}, which decides");
                    self.r.diags.push(Diagnostic::error(Code::CONFLICT, other.span, message).label("ignored"));
                }
                Served { keys: Vec::from([key]), group: None, label, protocol, family }
            }
        };
        if v.reals.is_empty() {
            // COMPAT: it is ignored.
            let message = format!("virtual server {} has no `real_server`", served.label);
            self.r.diags.push(Diagnostic::error(Code::INCOMPLETE, v.span, message).label("ignored"));
            return None;
        }
        self.free(v, served, taken)
    }

    /// A virtual server that is there twice is left out the second time; addresses that a group has in common with others are shared.
    /// COMPAT: keepalived 2.2.7: the kernel's service is made by the first, with its scheduler, and has the real servers of both.
    fn free(&mut self, v: &Server, mut served: Served, taken: &mut Taken) -> Option<Served> {
        let mut own = BTreeSet::new();
        served.keys.retain(|key| own.insert(*key));
        let all = served.keys.len();
        let mut shared = served.keys.iter().filter_map(|key| taken.keys.get(key)).copied();
        let (first, shared) = (shared.next(), shared.count().saturating_add(1));
        for key in &served.keys {
            taken.keys.entry(*key).or_insert(v.span);
        }
        let again = served.single().is_some_and(|key| !taken.single.insert(key));
        let Some(owner) = first else { return Some(served) };
        if !again {
            let message = format!("{shared} of the {all} addresses of {} have a virtual server already", served.label);
            let both = Diagnostic::warning(Code::DUPLICATE, v.span, message).label("they get its real servers as well");
            self.r.diags.push(both.also(owner, "the scheduler of this one counts"));
            return Some(served);
        }
        let message = format!("virtual server {} is there already", served.label);
        let twice = Diagnostic::warning(Code::DUPLICATE, v.span, message).label("ignored");
        self.r.diags.push(twice.also(owner, "the first one"));
        None
    }

    fn of_group(&mut self, v: &Server, name: &At<String>, draft: &All, taken: &mut Taken) -> Option<Served> {
        let Some(place) = self.places.server_groups.get(name.value.as_str()).copied() else {
            let message = format!("there is no `virtual_server_group {}`", name.value);
            let missing = Diagnostic::error(Code::UNDEFINED, name.span, message);
            self.r.diags.push(missing.label("this virtual server is ignored"));
            return None;
        };
        // A group that cannot be used has been reported and has no entries.
        let entries = draft.server_groups.get(place).map_or(&[][..], |g| &g.entries);
        if entries.is_empty() {
            return None;
        }
        let has_addresses = entries.iter().any(|e| matches!(e, GroupEntry::Addrs { .. }));
        // COMPAT: keepalived 2.2.7: marks have no protocol, so a group of nothing else needs none.
        let protocol = if has_addresses {
            self.protocol(v)
        } else {
            self.no_protocol(v);
            Protocol::Udp
        };
        let count = entries.iter().fold(0_usize, |sum, e| sum.saturating_add(keys_of(e)));
        let room = GROUP_KEYS.saturating_sub(taken.of_groups);
        if count > room {
            let message =
                format!("`virtual_server_group {}` has {count} addresses, and {room} more are allowed", name.value);
            let help = format!("services of groups may have {GROUP_KEYS} addresses together");
            self.r.diags.push(Diagnostic::error(Code::TOO_MANY, name.span, message).label("ignored").help(help));
            return None;
        }
        taken.of_groups = taken.of_groups.saturating_add(count);
        let mut keys = Vec::with_capacity(count);
        for entry in entries {
            expand(entry, protocol, family_of_marks(v), &mut keys);
        }
        let number = taken.numbers.get(&name.value).copied().unwrap_or_default();
        let label = format!("[{}]:{number}", name.value);
        let group = u16::try_from(place).ok().map(ServerGroupIdx);
        let protocol = has_addresses.then_some(protocol);
        let family = family_of_marks(v);
        (!keys.is_empty()).then_some(Served { keys, group, label, protocol, family })
    }

    fn no_protocol(&mut self, v: &Server) {
        if let Some(written) = &v.protocol {
            let message = "a firewall mark has no protocol";
            self.r.diags.push(Diagnostic::warning(Code::CONFLICT, written.span, message).label("ignored"));
        }
    }

    fn protocol(&mut self, v: &Server) -> Protocol {
        v.protocol.as_ref().map(|p| p.value).unwrap_or_else(|| {
            // COMPAT: keepalived reports it and takes UDP.
            let message = "this virtual server has no `protocol`; it is taken as UDP";
            self.r.diags.push(Diagnostic::error(Code::INCOMPLETE, v.span, message).help("protocol TCP"));
            Protocol::Udp
        })
    }
}

/// A mark serves what its real servers are, unless the file says.
fn family_of_marks(v: &Server) -> Family {
    let written = v.family.as_ref().map(|f| f.value);
    written.or(v.reals.first().map(|r| Family::of(r.addr))).unwrap_or(Family::V4)
}

/// How many keys a line has.
fn keys_of(entry: &GroupEntry) -> usize {
    match *entry {
        GroupEntry::Fwmark { .. } => 1,
        GroupEntry::Addrs { first, last, .. } => match (first, last) {
            (IpAddr::V4(a), IpAddr::V4(b)) => usize::try_from(b.to_bits().saturating_sub(a.to_bits())),
            (IpAddr::V6(a), IpAddr::V6(b)) => usize::try_from(b.to_bits().saturating_sub(a.to_bits())),
            _ => return 0,
        }
        .map_or(usize::MAX, |n| n.saturating_add(1)),
    }
}

fn expand(entry: &GroupEntry, protocol: Protocol, mark_family: Family, keys: &mut Vec<ServiceKey>) {
    match *entry {
        GroupEntry::Fwmark { mark, family } => {
            keys.push(ServiceKey::Fwmark { mark, family: family.unwrap_or(mark_family) });
        }
        GroupEntry::Addrs { first: IpAddr::V4(first), last: IpAddr::V4(last), port } => {
            let addrs = (first.to_bits()..=last.to_bits()).map(|bits| IpAddr::V4(bits.into()));
            keys.extend(addrs.map(|addr| ServiceKey::Addr { addr, port, protocol }));
        }
        GroupEntry::Addrs { first: IpAddr::V6(first), last: IpAddr::V6(last), port } => {
            let addrs = (first.to_bits()..=last.to_bits()).map(|bits| IpAddr::V6(bits.into()));
            keys.extend(addrs.map(|addr| ServiceKey::Addr { addr, port, protocol }));
        }
        GroupEntry::Addrs { .. } => {} // of two families: its reader refused it
    }
}
