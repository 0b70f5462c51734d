//! What a ledger knows of services and real servers.

use super::{Ledger, name};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::ipvs::{Dest, IpvsConfig, Real, Service, ServiceKey};
use ipc::config::{RealIdx, ServiceIdx};

/// The `virtual_server` blocks that have one service of the kernel in common: one, unless groups share an address.
#[derive(Clone, Debug)]
pub(super) struct Users {
    /// The first decides what the service is like. COMPAT: keepalived 2.4.3.
    first: ServiceIdx,
    others: Vec<ServiceIdx>,
}

impl Ledger {
    /// Checks services and real servers, and makes the lookups.
    pub(super) fn note_services(&mut self, config: &IpvsConfig) -> Result<(), String> {
        for (idx, service) in config.services.iter() {
            check_service(service).map_err(|why| format!("{}: virtual_server: {why}", service.origin))?;
            for key in &service.keys {
                match self.users.get_mut(key) {
                    Some(users) => users.others.push(idx),
                    None => {
                        self.keys.push(*key);
                        self.users.insert(*key, Users { first: idx, others: Vec::new() });
                    }
                }
            }
        }
        for (_, real) in config.reals.iter() {
            if !config.services.has(real.service) {
                return Err(format!("{}: real_server of no virtual_server", real.origin));
            }
            dest(&real.dest).map_err(|why| format!("{}: real_server: {why}", real.origin))?;
        }
        let mut order: Vec<RealIdx> = config.reals.iter().map(|(idx, _)| idx).collect();
        order.sort_by_key(|idx| config.reals.at(*idx).map(|real| real.service));
        self.by_service.clone_from(&order);
        // Of two lines for one destination the first stays before the second.
        order.sort_by_key(|idx| config.reals.at(*idx).map(place));
        self.by_dest = order;
        Ok(())
    }

    /// The services in order.
    pub fn services(&self) -> impl Iterator<Item = (ServiceIdx, &Service)> {
        self.config.services.iter()
    }

    /// A service.
    pub fn service(&self, idx: ServiceIdx) -> Option<&Service> {
        self.config.services.at(idx)
    }

    /// The kernel's services in the order of the configuration.
    pub fn keys(&self) -> &[ServiceKey] {
        &self.keys
    }

    /// The service that decides what the kernel's is like.
    pub fn service_with(&self, key: &ServiceKey) -> Option<ServiceIdx> {
        self.users.get(key).map(|users| users.first)
    }

    /// The services that have real servers in the kernel's.
    pub fn users_of(&self, key: &ServiceKey) -> impl Iterator<Item = ServiceIdx> {
        self.users.get(key).into_iter().flat_map(|users| [users.first].into_iter().chain(users.others.iter().copied()))
    }

    /// The real servers in order.
    pub fn reals(&self) -> impl Iterator<Item = (RealIdx, &Real)> {
        self.config.reals.iter()
    }

    /// The real servers of a service, in order.
    pub fn reals_of(&self, idx: ServiceIdx) -> &[RealIdx] {
        let service = |real: &RealIdx| self.real(*real).map(|real| real.service);
        let first = self.by_service.partition_point(|real| service(real) < Some(idx));
        let rest = self.by_service.get(first..).unwrap_or_default();
        rest.get(..rest.partition_point(|real| service(real) == Some(idx))).unwrap_or_default()
    }

    /// Everything that may be a destination of the kernel's service, sorry servers too.
    pub fn dests_of(&self, key: &ServiceKey) -> BTreeSet<(IpAddr, u16)> {
        let users = || self.users_of(key);
        let sorry = users().filter_map(|idx| self.service(idx)?.sorry);
        let reals = users().flat_map(|idx| self.reals_of(idx)).filter_map(|idx| Some(self.real(*idx)?.dest));
        reals.chain(sorry).filter_map(|dest| dest.under(*key)).map(|dest| (dest.addr, dest.port)).collect()
    }

    /// A real server.
    pub fn real(&self, idx: RealIdx) -> Option<&Real> {
        self.config.reals.at(idx)
    }

    /// The name of the group that gives a service its keys.
    fn group_of(&self, service: &Service) -> Option<&str> {
        Some(&self.config.groups.at(service.group?)?.name)
    }

    /// A service of an earlier ledger, here: one with the same keys (of the same group, if several groups have them), else one that has a
    /// key of it.
    pub fn same_service(&self, earlier: &Ledger, service: &Service) -> Option<ServiceIdx> {
        let users = || service.keys.first().into_iter().flat_map(|key| self.users_of(key));
        let is = |idx: &ServiceIdx, same: &dyn Fn(&Service) -> bool| self.service(*idx).is_some_and(same);
        let group = earlier.group_of(service);
        let keys = |other: &Service| other.keys == service.keys;
        users()
            .find(|idx| is(idx, &|other| keys(other) && self.group_of(other) == group))
            .or_else(|| users().find(|idx| is(idx, &keys)))
            .or_else(|| service.keys.iter().find_map(|key| self.service_with(key)))
    }

    /// The real server of a service with that address and port, the first if there are more.
    pub fn real_at(&self, service: ServiceIdx, addr: IpAddr, port: u16) -> Option<RealIdx> {
        let wanted = Some((service, addr, port));
        let first = self.by_dest.partition_point(|idx| self.real(*idx).map(place) < wanted);
        self.by_dest.get(first).copied().filter(|idx| self.real(*idx).map(place) == wanted)
    }

    /// Whether there is any service.
    pub fn has_services(&self) -> bool {
        !self.config.services.is_empty()
    }
}

/// What makes a real server the same over generations.
fn place(real: &Real) -> (ServiceIdx, IpAddr, u16) {
    (real.service, real.dest.addr, real.dest.port)
}

fn check_service(service: &Service) -> Result<(), String> {
    name(&service.scheduler).map_err(|why| format!("scheduler {:?} {why}", service.scheduler))?;
    if let Some(engine) = &service.engine {
        name(engine).map_err(|why| format!("persistence engine {engine:?} {why}"))?;
    }
    match service.keys.as_slice() {
        [] => Err("it has neither an address nor a mark".into()),
        keys if keys.iter().any(|key| matches!(key, ServiceKey::Fwmark { mark: 0, .. })) => {
            Err("firewall mark 0 means none".into())
        }
        _ => service.sorry.as_ref().map_or(Ok(()), |d| dest(d).map_err(|why| format!("sorry_server: {why}"))),
    }
}

fn dest(dest: &Dest) -> Result<(), String> {
    if dest.weight > i32::MAX.unsigned_abs() {
        return Err(format!("weight {} is more than 2147483647", dest.weight));
    }
    Ok(())
}
