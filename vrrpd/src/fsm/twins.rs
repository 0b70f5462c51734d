//! Instances that are one virtual router to the network though their interfaces have different names: one is a macvlan or an ipvlan on
//! the other, or both are on the same. Interfaces come and go and come back as another kind, so this is found out while they run.

use super::instance::Instance;
use super::link::Links;
use super::track::Fault;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use ipc::config::vrrp::Transport;
use ipc::config::{InstanceIdx, LinkIdx};
use ipc::net::Family;
use ipc::table::Table;

/// For each instance the interfaces of those before it in the file that are the same virtual router as soon as their interfaces lead to
/// the same network. The one that comes first takes part, the others wait.
#[derive(Clone, Debug, Default)]
pub struct Twins(BTreeMap<InstanceIdx, Vec<LinkIdx>>);

impl Twins {
    /// Those of a configuration. Two on one interface the compiler has refused.
    pub fn new(instances: &Table<InstanceIdx, Instance>) -> Self {
        let mut routers: BTreeMap<_, Vec<LinkIdx>> = BTreeMap::new();
        let mut twins = BTreeMap::new();
        for (index, instance) in instances.iter() {
            let conf = &instance.conf;
            let Transport::Multicast { group } = conf.transport else { continue };
            let before = routers.entry((conf.vrid, conf.family == Family::V4, group)).or_default();
            let others: Vec<LinkIdx> = before.iter().copied().filter(|link| *link != conf.link).collect();
            if !others.is_empty() {
                twins.insert(index, others);
            }
            before.push(conf.link);
        }
        Twins(twins)
    }

    /// Whether it matters to the instance what this interface is.
    pub fn concerns(&self, instance: InstanceIdx, link: LinkIdx) -> bool {
        self.0.get(&instance).is_some_and(|first| first.contains(&link))
    }

    /// What keeps an instance out now. COMPAT: keepalived 2.2.7: a conflict that appears while it runs is a fault of one of the two.
    pub(super) fn faults(&self, instance: &Instance, links: &Links, faults: &mut Vec<Fault>) {
        let Some(first) = self.0.get(&instance.index) else { return };
        let base = |link| links.facts(link).map(|facts| facts.base);
        let Some(own) = base(instance.conf.link) else { return };
        faults.extend(first.iter().filter(|link| base(**link) == Some(own)).map(|link| Fault::Twin(*link)));
    }
}
