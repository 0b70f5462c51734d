//! What the peers want of the ledger now.

use crate::ledger::{DestKey, Ledger, Owner};
use crate::plan::Removal;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use ipc::config::ipvs::{AddrSpec, Dest, ServiceKey};
use ipc::config::vrrp::Switch;
use ipc::config::{InstanceIdx, RealIdx, ServiceIdx};
use ipc::msg::reals::Standing;
use ipc::msg::vips::{Applied, Presence};
use ipc::table::{Index as _, Table};
use ipc::time::Mono;

/// An address as it is remembered over generations: interface name, address, prefix length.
pub type AddrName = (String, IpAddr, u8);

/// What vrrpd wants for one instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vips {
    /// `None`: it has never been said; then nothing is put there and nothing is removed.
    pub want: Option<Presence>,
    /// vrrpd is gone: released at this time, unless a new one says something first.
    pub hold_until: Option<Mono>,
    /// Whether its addresses may be removed although vrrpd has not said everything: the hold time is over.
    pub overdue: Removal,
    /// What vrrpd has been told about it.
    pub answer: Answer,
}

/// What vrrpd has been told about the addresses of an instance since it last said what it wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// Nothing was asked.
    #[default]
    NotAsked,
    /// Nothing yet.
    Owed,
    /// This.
    Given(Applied),
}

/// Whether static addresses, routes and rules are wanted: nobody has to say so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Statics {
    /// As long as the daemon runs.
    #[default]
    Wanted,
    /// It ends.
    Unwanted,
}

/// What the peers want.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// By instance; missing is [`Vips::default`].
    vips: BTreeMap<InstanceIdx, Vips>,
    /// Whether static addresses, routes and rules are to go: the end has begun.
    pub statics: Statics,
    /// By index, as far as the last of which something was said.
    reals: Vec<Option<Standing>>,
    weights: BTreeMap<RealIdx, u32>,
    sorry: BTreeMap<ServiceIdx, Standing>,
    /// Addresses that an earlier generation put there and the present one does not know: to be removed.
    pub orphan_addrs: BTreeSet<AddrName>,
    /// Addresses that an earlier generation put there with another label, scope or broadcast address: to be made anew.
    pub outdated_addrs: BTreeSet<AddrName>,
    /// Services of an earlier generation that the present one does not know: to be removed.
    pub orphan_services: BTreeSet<ServiceKey>,
    /// Destinations of an earlier generation that the present one does not know: without weight until this time, then removed
    /// (`drain_on_removal`).
    pub draining: BTreeMap<DestKey, Mono>,
}

impl Desired {
    /// What is wanted for an instance.
    pub fn vips(&self, idx: InstanceIdx) -> Vips {
        self.vips.get(&idx).copied().unwrap_or_default()
    }

    /// What is wanted of somebody's addresses, routes and rules; `None`: it has never been said.
    pub fn want(&self, owner: Owner) -> Option<Presence> {
        match (owner, self.statics) {
            (Owner::Statics, Statics::Wanted) => Some(Presence::Present),
            (Owner::Statics, Statics::Unwanted) => Some(Presence::Absent),
            (Owner::Instance(idx), _) => self.vips(idx).want,
        }
    }

    /// Whether what is somebody's may be removed; `said`: whether vrrpd has said everything.
    pub fn removal(&self, owner: Owner, said: Removal) -> Removal {
        match owner {
            Owner::Statics => Removal::Allowed,
            Owner::Instance(idx) if self.vips(idx).overdue == Removal::Allowed => Removal::Allowed,
            Owner::Instance(_) => said,
        }
    }

    /// The same, to change it. The caller has checked the index.
    pub fn vips_mut(&mut self, idx: InstanceIdx) -> &mut Vips {
        self.vips.entry(idx).or_default()
    }

    /// All instances about which something is known.
    pub fn all_vips_mut(&mut self) -> impl Iterator<Item = (InstanceIdx, &mut Vips)> {
        self.vips.iter_mut().map(|(idx, vips)| (*idx, vips))
    }

    /// All instances about which something is known.
    pub fn all_vips(&self) -> impl Iterator<Item = (InstanceIdx, &Vips)> {
        self.vips.iter().map(|(idx, vips)| (*idx, vips))
    }

    /// The destinations of a service that are being drained.
    pub fn draining_of(&self, key: &ServiceKey) -> impl Iterator<Item = (IpAddr, u16)> {
        let first = (*key, IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        self.draining
            .range(first..)
            .map(|(at, _)| *at)
            .take_while(move |(of, ..)| of == key)
            .map(|(_, addr, port)| (addr, port))
    }

    /// Ends the draining that has lasted long enough. True if there was some.
    pub fn drained(&mut self, now: Mono) -> bool {
        let before = self.draining.len();
        self.draining.retain(|_, until| *until > now);
        self.draining.len() != before
    }

    /// When the first destination has been drained for long enough.
    pub fn drain_deadline(&self) -> Option<Mono> {
        self.draining.values().min().copied()
    }

    /// When the first held instance is released.
    pub fn hold_deadline(&self) -> Option<Mono> {
        self.vips.values().filter_map(|v| v.hold_until).min()
    }

    /// How a real server shall stand; `None` if that was never said.
    pub fn real(&self, idx: RealIdx) -> Option<Standing> {
        self.reals.get(idx.to_usize()).copied().flatten()
    }

    /// The weight that checkd gave a real server; `None`: the configured one.
    pub fn weight(&self, idx: RealIdx) -> Option<u32> {
        self.weights.get(&idx).copied()
    }

    /// The destination of a real server with the weight that counts.
    pub fn weighed(&self, idx: RealIdx, dest: Dest) -> Dest {
        Dest { weight: self.weight(idx).unwrap_or(dest.weight), ..dest }
    }

    /// checkd has said with which weight a real server serves. The caller has checked the index, and that it may.
    pub fn set_weight(&mut self, idx: RealIdx, weight: u32) {
        self.weights.insert(idx, weight);
    }

    /// How a sorry server shall stand; `None` if that was never said.
    pub fn sorry(&self, idx: ServiceIdx) -> Option<Standing> {
        self.sorry.get(&idx).copied()
    }

    /// checkd has said how a real server shall stand. The caller has checked the index.
    pub fn set_real(&mut self, idx: RealIdx, standing: Standing) {
        let place = idx.to_usize();
        if place >= self.reals.len() {
            self.reals.resize(place.saturating_add(1), None);
        }
        if let Some(known) = self.reals.get_mut(place) {
            *known = Some(standing);
        }
    }

    /// checkd has said how a sorry server shall stand. The caller has checked the index.
    pub fn set_sorry(&mut self, idx: ServiceIdx, standing: Standing) {
        self.sorry.insert(idx, standing);
    }

    /// All real servers about which something was said, in order.
    pub fn reals(&self) -> impl Iterator<Item = (RealIdx, Standing)> {
        let said = self.reals.iter().enumerate();
        said.filter_map(|(place, standing)| Some((RealIdx::from_usize(place)?, (*standing)?)))
    }

    /// All sorry servers about which something was said.
    pub fn sorries(&self) -> impl Iterator<Item = (ServiceIdx, Standing)> {
        self.sorry.iter().map(|(idx, standing)| (*idx, *standing))
    }

    /// The same wishes in the words of the next generation: instances are matched by name, services by key, real servers by
    /// service, address and port. What the next generation does not know any more becomes an orphan.
    pub fn carry(&self, now: Mono, old: &Ledger, new: &Ledger) -> Desired {
        let mut next = Desired {
            draining: self.drain(now, old, new),
            orphan_addrs: self.orphan_addrs.clone(),
            outdated_addrs: self.outdated_addrs.clone(),
            orphan_services: self.orphan_services.clone(),
            statics: self.statics,
            ..Desired::default()
        };
        for (idx, vips) in self.all_vips() {
            if let Some(same) = old.instance(idx).and_then(|i| new.instance_named(&i.name)) {
                *next.vips_mut(same) = Vips { answer: Answer::NotAsked, ..*vips };
            }
        }
        for owner in old.owners().filter(|owner| self.want(*owner) == Some(Presence::Present)) {
            for spec in old.addrs_of(owner) {
                let Some(link) = old.link(spec.link) else { continue };
                let (addr, len) = (spec.prefix.addr, spec.prefix.len);
                let name = (link.to_string(), addr, len);
                match (old.record(link, addr, len), new.record(link, addr, len)) {
                    (_, None) => next.orphan_addrs.insert(name),
                    (Some(old), Some(new)) if !looks_the_same(old, new) => next.outdated_addrs.insert(name),
                    (_, Some(_)) => false,
                };
            }
        }
        let known = |(link, addr, len): &AddrName| new.record(link, *addr, *len).is_some();
        next.orphan_addrs.retain(|name| !known(name));
        next.outdated_addrs.retain(known);
        next.orphan_services.extend(old.keys());
        next.orphan_services.retain(|key| new.service_with(key).is_none());
        let services: Table<ServiceIdx, Option<ServiceIdx>> =
            old.services().map(|(_, service)| new.same_service(old, service)).collect();
        let same = |idx| services.at(idx).copied().flatten();
        for (idx, standing) in self.reals() {
            let real = old.real(idx).and_then(|real| new.real_at(same(real.service)?, real.dest.addr, real.dest.port));
            if let Some(same) = real {
                next.set_real(same, standing);
                let weight = self.weight(idx).filter(|_| new.real(same).is_some_and(|r| r.dynamic == Switch::On));
                next.weights.extend(weight.map(|weight| (same, weight)));
            }
        }
        for (idx, standing) in self.sorries() {
            if let Some(same) = same(idx).filter(|idx| new.service(*idx).is_some_and(|s| s.sorry.is_some())) {
                next.set_sorry(same, standing);
            }
        }
        next
    }
}

impl Desired {
    /// What is to be drained in the words of the next generation. The next one says for how long; of a service that goes, the old one.
    fn drain(&self, now: Mono, old: &Ledger, new: &Ledger) -> BTreeMap<DestKey, Mono> {
        let drains = |ledger: &Ledger| ledger.services().any(|(_, service)| service.drain.is_some());
        if self.draining.is_empty() && !drains(old) && !drains(new) {
            return BTreeMap::new();
        }
        let mut draining = self.draining.clone();
        for (idx, real) in old.reals().filter(|(idx, _)| self.real(*idx) == Some(Standing::Serving)) {
            let Some(service) = old.service(real.service) else { continue };
            for key in &service.keys {
                let next = new.service_with(key).and_then(|idx| new.service(idx));
                let Some(time) = next.unwrap_or(service).drain else { continue };
                if let Some(dest) = old.real(idx).and_then(|real| real.dest.under(*key)) {
                    draining.entry((*key, dest.addr, dest.port)).or_insert(now + time);
                }
            }
        }
        if !draining.is_empty() {
            for (_, real) in new.reals() {
                for key in new.service(real.service).into_iter().flat_map(|service| &service.keys) {
                    if let Some(dest) = real.dest.under(*key) {
                        draining.remove(&(*key, dest.addr, dest.port));
                    }
                }
            }
        }
        draining
    }
}

/// Whether two records of one address make it the same, wherever they are written and however the interface is numbered.
fn looks_the_same(old: &AddrSpec, new: &AddrSpec) -> bool {
    *old == AddrSpec { origin: old.origin.clone(), link: old.link, ..new.clone() }
}
