//! What a reload means to an instance.

use super::election::Owner;
use super::instance::{Instance, Scene, State};
use super::link::Links;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::Generation;
use ipc::config::vrrp::{Instance as Conf, Version};
use ipc::config::vrrp_options::NotifyDeleted;
use ipc::msg::control::{NotifyState, Run};

impl Instance {
    /// The same instance with the configuration of a new generation: state, counters and running timers stay.
    /// COMPAT: keepalived 2.4.3: a MASTER announces when addresses were added, or refreshes are on.
    pub fn reconfigured(mut self, fresh: Instance, old_links: &Links, scene: &Scene<'_>) -> Self {
        let before = (self.advert_int(), self.master_down_interval());
        let old_addrs = places(&self.conf, old_links);
        let (old_refresh, old_extra) = (self.conf.garp.refresh, self.extra_every());
        self.signatures = match (self.signatures.take(), fresh.signatures) {
            (Some(old), Some(fresh)) => Some(old.reconfigured(fresh)),
            (_, fresh) => fresh,
        };
        self.index = fresh.index;
        self.conf = fresh.conf;
        if self.options.old_unicast_checksum != fresh.options.old_unicast_checksum {
            self.old_sum = fresh.old_sum;
        }
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
                if self.extra_every() != old_extra {
                    self.begin_extra(scene.now);
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

    /// Announcements of it waited when the generation before ended.
    pub fn announce_again(&mut self) {
        if self.state == State::Master {
            self.garp.await_again();
        }
    }

    /// It is not in the new generation: its master says goodbye, and its scripts, which are of generation `left`, are told.
    /// COMPAT: keepalived 2.4.3: they are told of FAULT, unless `notify_deleted` says DELETED; nothing when it is in FAULT
    /// already.
    pub fn removed(&mut self, left: Generation, scene: &mut Scene<'_>) {
        if self.state == State::Master {
            self.send_resignation(scene);
        }
        let notify = &self.conf.notify;
        let (state, own) = match self.options.notify_deleted {
            NotifyDeleted::AsFault if matches!(self.state, State::Fault | State::Init) => return,
            NotifyDeleted::AsFault => (NotifyState::Fault, notify.fault),
            NotifyDeleted::Deleted => (NotifyState::Deleted, None),
            NotifyDeleted::Run(script) => (NotifyState::Deleted, Some(script)),
        };
        for script in [own, notify.generic].into_iter().flatten() {
            scene.out.run_of_left(left, Run { script, cause: self.cause(state) });
        }
        scene.out.tell_of_left(left, self.news(state));
    }
}

/// Where its addresses are, by name: indices differ between generations.
fn places(conf: &Conf, links: &Links) -> Vec<(IpAddr, String)> {
    conf.vips.iter().chain(&conf.excluded).map(|vip| (vip.addr, links.name(vip.link).into())).collect()
}
