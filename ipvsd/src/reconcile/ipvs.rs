//! IPVS.

use super::Reconciler;
use crate::event::Action;
use crate::netlink::reply::Fact;
use alloc::vec::Vec;
use ipc::msg::control::Loaded;
use ipc::time::Mono;

#[derive(Debug, Default)]
pub(super) struct Lane {}

impl Lane {
    pub(super) fn replan(&mut self) {}
    pub(super) fn activated(&mut self) {}
    pub(super) fn is_quiet(&self) -> bool {
        true
    }
    pub(super) fn deadline(&self) -> Option<Mono> {
        None
    }
    pub(super) fn expire(&mut self, _now: Mono) {}
    pub(super) fn lost(&mut self, _now: Mono) {}
}

impl Reconciler {
    pub(super) fn proceed_ipvs(&mut self, _out: &mut Vec<Action>) {}
    pub(super) fn ipvs_fact(&mut self, _fact: Fact, _out: &mut Vec<Action>) {}
    pub(super) fn module_loaded(&mut self, _loaded: Loaded, _out: &mut Vec<Action>) {}
}
