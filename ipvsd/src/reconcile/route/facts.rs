//! What the kernel says of links, addresses, routes and rules.

use super::dump::{Part, Stage};
use super::{Op, Reconciler, Work};
use crate::event::Action;
use crate::ledger::Owner;
use crate::netlink::reply::{Fact, Heard};
use crate::observed::{AddrKey, LinkFact};
use crate::patience::Item;
use crate::plan::addrs;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::ipvs::OnRemoval;
use ipc::msg::vips::Presence;

const IFF_UP: u32 = 0x1;

impl Reconciler {
    /// Takes what is about links, addresses, routes, rules or a request of this bus; gives back the rest.
    pub(in crate::reconcile) fn route_fact(&mut self, fact: Fact, out: &mut Vec<Action>) -> Option<Fact> {
        match fact {
            Fact::LinkSeen(link, Heard::InDump(seq)) => {
                if self.route.stage == Stage::Taking(Part::Links, seq) {
                    self.route.network.dumped_link(link);
                }
            }
            Fact::AddrSeen(addr, Heard::InDump(seq)) => {
                if self.route.stage == Stage::Taking(Part::Addrs, seq) {
                    self.route.network.dumped_addr(addr);
                }
            }
            Fact::PathSeen(path, Heard::InDump(seq)) => {
                if self.is_route_dump(seq) {
                    self.route.paths.dumped(path);
                }
            }
            Fact::PathSeen(path, heard) => self.path_seen(path, heard),
            Fact::PathGone(path, heard) => self.path_gone(path, heard),
            Fact::LinkSeen(link, _) => self.link_seen(link),
            Fact::LinkGone { ifindex } => self.link_gone(ifindex),
            Fact::ForwardingIs { ifindex, forwarding } => {
                self.route.network.change(ifindex, |link| link.forwarding = forwarding);
                self.route.changed = Work::Due;
            }
            Fact::AddrSeen(addr, heard) => {
                if self.is_news(&addr.key, heard) {
                    self.route.network.addr_seen(addr);
                    self.network_changed();
                }
            }
            Fact::AddrGone(key, heard) => {
                if self.is_news(&key, heard) && self.route.network.addr_gone(&key) {
                    self.filter_gone(key.addr);
                    self.removed(key, heard);
                    self.route.paths.look();
                    self.network_changed();
                }
            }
            Fact::Acked { seq } => match self.route.in_flight.remove(&seq) {
                Some(op) => {
                    self.done_before(seq);
                    self.op_done(op, seq);
                }
                None => return Some(fact),
            },
            Fact::Refused { seq, errno, ref text } => match self.route.in_flight.remove(&seq) {
                Some(op) => {
                    self.done_before(seq);
                    self.op_refused(op, seq, errno, text.as_deref(), out);
                }
                None if self.is_route_dump(seq) => self.dump_refused(errno, out),
                None => return Some(fact),
            },
            Fact::DumpTorn { seq } if self.is_route_dump(seq) => self.dump_torn(),
            Fact::DumpEnded { seq, dump } if self.is_route_dump(seq) => self.dump_ended(dump, out),
            other => return Some(other),
        }
        None
    }

    fn link_seen(&mut self, link: LinkFact) {
        if self.route.network.link(&link.name).is_none_or(|known| known.ifindex != link.ifindex) {
            self.filter.replan();
        }
        self.renamed(&link);
        if link.flags & IFF_UP == 0 {
            self.taken_along(link.ifindex, &link.name);
        }
        self.route.links.seen(&link.name);
        self.route.network.link_seen(link);
        self.network_changed();
    }

    pub(super) fn link_gone(&mut self, ifindex: u32) {
        self.filter.replan();
        if let Some(name) = self.route.network.name(ifindex).map(String::from) {
            self.taken_along(ifindex, &name);
        }
        self.route.network.link_gone(ifindex);
        self.route.own.retain(|key, _| key.ifindex != ifindex);
        self.network_changed();
    }

    /// An interface is down or gone, and what was on it with it: that was nobody's doing.
    fn taken_along(&mut self, ifindex: u32, name: &str) {
        self.route.missing.retain(|key| key.ifindex != ifindex);
        self.patience.forget_link(ifindex);
        self.route.restored.link_down(ifindex);
        self.route.paths.link_down(name);
    }

    /// The name is what the configuration asks for. What it has put on an interface does not follow that to another name: it would
    /// stay there when the instance leaves, and the address would be there twice after a failover.
    fn renamed(&mut self, link: &LinkFact) {
        if self.route.network.name(link.ifindex).is_none_or(|old| old == link.name) {
            return;
        }
        let left = self.wanted_and_there().into_iter().filter(|key| key.ifindex == link.ifindex);
        let strangers = left.filter(|key| self.ledger.record(&link.name, key.addr, key.len).is_none());
        self.desired.orphan_addrs.extend(strangers.map(|key| (link.name.clone(), key.addr, key.len)));
    }

    pub(super) fn network_changed(&mut self) {
        self.route.work = Work::Due;
        self.route.changed = Work::Due;
        self.patience.retry_paths();
    }

    /// A notification of our own request that is not newer than our last request for that address is no news: the
    /// acknowledgement has told it, and something later may have changed it since.
    fn is_news(&self, key: &AddrKey, heard: Heard) -> bool {
        let about = |op: &Op| matches!(op, Op::Addr(op) if op.key() == *key);
        match heard {
            Heard::ByOwn(seq) => {
                self.route.own.get(key).is_none_or(|last| *last < seq)
                    && !self.route.in_flight.iter().any(|(s, op)| *s <= seq && about(op))
            }
            Heard::ByOther | Heard::InDump(_) => true,
        }
    }

    /// An address disappeared. If it is wanted it is put back, the more slowly the more often it happens. One that our own
    /// removal of its primary address took along is put back without a word.
    pub(super) fn removed(&mut self, key: AddrKey, heard: Heard) {
        let up = |name| self.route.network.link(name).is_some_and(|link| link.flags & IFF_UP != 0);
        let up = self.route.network.name(key.ifindex).is_some_and(up);
        if heard == Heard::ByOther && up && self.is_wanted(&key) {
            if self.ledger.on_removal() == OnRemoval::Backup {
                let those = self.ledger.records_of(key.addr).map(|(owner, _)| owner).collect();
                self.give_up(those, Vec::from([key.ifindex]), &self.place(&key));
                // A static one is put back all the same.
                if !self.is_wanted(&key) {
                    return;
                }
            }
            self.route.missing.insert(key);
            self.patience.removed(self.now, Item::Addr(key));
        }
    }

    fn wants(&self, owner: Owner) -> bool {
        self.desired.want(owner) == Some(Presence::Present)
    }

    pub(super) fn wanted_and_there(&self) -> Vec<AddrKey> {
        let network = &self.route.network;
        let present = self.ledger.owners().filter(|owner| self.wants(*owner));
        let specs = present.flat_map(|owner| self.ledger.addrs_of(owner));
        let keys = specs.filter_map(|spec| addrs::resolve(&self.ledger, network, spec));
        keys.filter(|key| network.has(key)).collect()
    }

    fn is_wanted(&self, key: &AddrKey) -> bool {
        self.ledger.records_of(key.addr).any(|(owner, spec)| {
            self.wants(owner) && addrs::resolve(&self.ledger, &self.route.network, spec) == Some(*key)
        })
    }
}
