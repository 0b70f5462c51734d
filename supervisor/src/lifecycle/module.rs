//! Kernel modules that ipvsd asks for.

use super::{Action, Lifecycle};
use crate::daemon::Daemon;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::msg::control::{Loaded, Module};
use ipc::time::Mono;

/// How long a failed attempt to load a module is remembered.
pub const MODULE_MEMORY: Duration = Duration::from_secs(60);

/// How far the loading of the one module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModuleLoading {
    Idle,
    Loading,
    Failed(Mono),
}

impl Lifecycle {
    pub(super) fn module_wanted(&mut self, now: Mono, module: Module, out: &mut Vec<Action>) {
        match self.module {
            ModuleLoading::Loading => {}
            ModuleLoading::Failed(at) if now.since(at) < MODULE_MEMORY => {
                out.push(Action::AnswerModule(module, Loaded::No));
            }
            ModuleLoading::Failed(_) | ModuleLoading::Idle => {
                self.module = ModuleLoading::Loading;
                out.push(Action::LoadModule(module));
            }
        }
    }

    pub(super) fn module_loaded(&mut self, now: Mono, module: Module, loaded: Loaded, out: &mut Vec<Action>) {
        self.module = match loaded {
            Loaded::Yes => ModuleLoading::Idle,
            Loaded::No => ModuleLoading::Failed(now),
        };
        if self.children.at(Daemon::Ipvs).at_work().is_some() {
            out.push(Action::AnswerModule(module, loaded));
        }
    }
}
