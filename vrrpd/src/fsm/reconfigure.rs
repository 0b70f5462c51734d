//! What a reload means to an instance.

use super::election::Owner;
use super::instance::{Instance, Scene, State};
use super::link::Links;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::vrrp::{Instance as Conf, Version};

impl Instance {
    /// The same instance with the configuration of a new generation: state, counters and running timers stay.
    /// COMPAT: keepalived 2.4.3: a MASTER announces when addresses were added, or refreshes are on.
    pub fn reconfigured(mut self, fresh: Instance, old_links: &Links, scene: &Scene<'_>) -> Self {
        let before = (self.advert_int(), self.master_down_interval());
        let old_addrs = places(&self.conf, old_links);
        let old_refresh = self.conf.garp.refresh;
        self.signatures = match (self.signatures.take(), fresh.signatures) {
            (Some(old), Some(fresh)) => Some(old.reconfigured(fresh)),
            (_, fresh) => fresh,
        };
        self.index = fresh.index;
        self.conf = fresh.conf;
        self.options = fresh.options;
        self.index_addrs();
        self.unsay();
        if self.conf.priority != 255 {
            self.owner = Owner::Sole;
        }
        if self.conf.version == Version::V2 || self.state != State::Backup {
            self.master_interval = self.advert_int();
        }
        match self.state {
            State::Master => {
                if self.advert_int() != before.0 {
                    let soonest = scene.now + self.advert_int();
                    self.timer = self.timer.map(|due| due.min(soonest));
                }
                let added = places(&self.conf, scene.links).iter().any(|place| !old_addrs.contains(place));
                if added {
                    self.garp.await_addresses();
                } else if !self.conf.garp.refresh.is_zero() {
                    self.garp.await_again();
                }
                if self.conf.garp.refresh != old_refresh {
                    self.garp.forget_refresh();
                }
            }
            State::Backup => self.shift_master_down(before.1),
            State::Init | State::Fault => {}
        }
        self
    }

    /// It is not in the new generation: its master says goodbye. Its scripts are not told: they are not in the new generation
    /// either, and only commands of the running one can be asked for.
    pub fn removed(&mut self, scene: &mut Scene<'_>) {
        if self.state == State::Master {
            self.send_resignation(scene);
        }
    }
}

/// Where its addresses are, by name: indices differ between generations.
fn places(conf: &Conf, links: &Links) -> Vec<(IpAddr, String)> {
    conf.vips.iter().chain(&conf.excluded).map(|vip| (vip.addr, links.name(vip.link).into())).collect()
}
