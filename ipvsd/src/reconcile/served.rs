//! Whether this machine has the addresses of services whose checks wait for that (`ha_suspend`).

use super::Reconciler;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::ipvs::ServiceKey;
use ipc::msg::reals::IpvsToCheck;
use ipc::msg::vips::Presence;

impl Reconciler {
    /// What checkd has not been told of the services that it watches. Nothing while the addresses are not known.
    pub(super) fn addresses_of_services(&mut self) -> Vec<IpvsToCheck> {
        if self.check.watched.is_empty() || !self.route.is_known() {
            return Vec::new();
        }
        let here: BTreeSet<IpAddr> = self.route.network.addrs().collect();
        let mut words = Vec::new();
        for (service, told) in &mut self.check.watched {
            let now = presence(self.ledger.service(*service).map(|s| s.keys.as_slice()).unwrap_or_default(), &here);
            if told.replace(now) != Some(now) {
                words.push(IpvsToCheck::Address { service: *service, now });
            }
        }
        words
    }
}

/// Of a group one address is enough. COMPAT: keepalived 2.4.3 never finds those of a group, whose checks stay suspended for ever.
fn presence(keys: &[ServiceKey], here: &BTreeSet<IpAddr>) -> Presence {
    let is_here = |key: &ServiceKey| matches!(key, ServiceKey::Addr { addr, .. } if here.contains(addr));
    if keys.iter().any(is_here) { Presence::Present } else { Presence::Absent }
}
