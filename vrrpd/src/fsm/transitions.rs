//! The transitions: every pair of state and input is named, and every state is entered in one place.

use super::instance::{Arrival, Claim, Follow, Input, Instance, Scene, State};
use super::timers;
use super::track::{Appraisal, Waiting};
use crate::packet::receive::Heard;
use crate::stats::count;
use alloc::format;
use core::time::Duration;
use ipc::config::vrrp::Wanted;
use ipc::msg::control::NotifyState;
use ipc::msg::vips::{Applied, Presence};
use ipc::report::Level;
use ipc::time::Mono;

/// Which first timer a BACKUP gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BackupFrom {
    /// First state after start.
    Start,
    /// What kept it out is gone.
    Fault,
    /// A master with this priority was heard.
    Master,
    /// Its sync group.
    Group,
}

/// How MASTER came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MasterFrom {
    /// No master was heard, or the group says so.
    Backup,
    /// It was master before vrrpd was restarted.
    Resume,
}

impl Instance {
    /// Does what is due.
    pub fn expire(&mut self, scene: &mut Scene<'_>) {
        if self.timer.is_some_and(|due| due <= scene.now) {
            self.step(Input::Expired, scene);
        }
        if self.state == State::Master {
            self.garp_expire(scene);
        }
    }

    /// The transitions: every pair is named.
    pub fn step(&mut self, input: Input, scene: &mut Scene<'_>) {
        match (self.state, input) {
            // RFC 9568 §6.4.1 Initialize.
            (State::Init, Input::Appraised(appraisal)) => self.start(appraisal, scene),
            (State::Init, Input::Resume(appraisal)) => {
                self.take(&appraisal);
                self.enter_master(MasterFrom::Resume, scene);
            }

            // RFC 9568 §6.4.2 Backup.
            (State::Backup, Input::Appraised(appraisal)) => self.reappraise(appraisal, scene),
            (State::Backup, Input::Expired) => self.master_is_down(scene),
            (State::Backup, Input::Heard(heard)) => self.backup_hears(heard, scene),
            (State::Backup, Input::Follow(Follow::ToMaster)) => self.enter_master(MasterFrom::Backup, scene),

            // RFC 9568 §6.4.3 Active.
            (State::Master, Input::Appraised(appraisal)) => self.reappraise(appraisal, scene),
            (State::Master, Input::Expired) if self.was_silent(scene.now) => self.step_back(scene),
            (State::Master, Input::Expired) => self.advertise_on_time(scene),
            (State::Master, Input::Heard(heard)) if self.was_silent(scene.now) => {
                self.step_back(scene);
                self.step(Input::Heard(heard), scene);
            }
            (State::Master, Input::Heard(heard)) => self.master_hears(heard, scene),
            (State::Master, Input::Removed) => self.resign(scene),
            (State::Master, Input::Follow(Follow::ToBackup)) => self.enter_backup(BackupFrom::Group, scene),
            (State::Master, Input::Follow(Follow::Announce)) => self.garp_lower_prio(scene),

            // COMPAT: keepalived's FAULT, which the RFC does not have.
            (State::Fault, Input::Appraised(appraisal)) => self.reappraise(appraisal, scene),

            (State::Master, Input::Stop) => self.stop(scene),
            (State::Init | State::Backup | State::Fault, Input::Stop) => self.stop(scene),

            // Addresses in place mean nothing to one that has decided already.
            (State::Backup | State::Master | State::Fault, Input::Resume(_)) => {}
            // It has nothing there.
            (State::Init | State::Backup | State::Fault, Input::Removed) => {}
            // No timer runs.
            (State::Init | State::Fault, Input::Expired) => self.timer = None,
            // RFC 9568 §6.4.1: before the start nothing is heard.
            (State::Init | State::Fault, Input::Heard(_)) => {}
            // It is that already, or must not be.
            (State::Init | State::Fault, Input::Follow(_)) => {}
            (State::Backup, Input::Follow(Follow::ToBackup | Follow::Announce)) => {}
            (State::Master, Input::Follow(Follow::ToMaster)) => {}
        }
    }

    fn start(&mut self, appraisal: Appraisal, scene: &mut Scene<'_>) {
        self.take(&appraisal);
        if !self.faults.is_empty() {
            self.enter_fault(scene);
        } else if appraisal.waiting == Waiting::Yes {
            self.waited = Waiting::Yes;
        } else if self.waited == Waiting::Yes {
            self.enter_backup(BackupFrom::Fault, scene);
        } else {
            self.enter_backup(BackupFrom::Start, scene);
        }
    }

    /// Something it tracks may have changed.
    fn reappraise(&mut self, appraisal: Appraisal, scene: &mut Scene<'_>) {
        let before = (self.priority, self.master_down_interval());
        let faulty = !self.faults.is_empty();
        self.take(&appraisal);
        if self.priority != before.0 {
            let text =
                format!("({}) Changing effective priority from {} to {}", self.conf.name, before.0, self.priority);
            scene.out.log(Level::Info, text);
            self.shift_master_down(before.1);
            self.notify_priority(scene.out);
        }
        match (faulty, self.faults.is_empty()) {
            (false, false) => self.enter_fault(scene),
            (true, true) => self.enter_backup(BackupFrom::Fault, scene),
            (true, false) | (false, true) => {}
        }
    }

    /// Makes the appraisal its own; the state is not touched.
    fn take(&mut self, appraisal: &Appraisal) {
        self.faults.clone_from(&appraisal.faults);
        self.port = appraisal.port;
        self.priority = self.owned_priority(appraisal.priority);
    }

    /// COMPAT: keepalived 2.4.3: the running Master_Down_Timer moves by the difference of the intervals.
    pub(super) fn shift_master_down(&mut self, before: Duration) {
        if self.state != State::Backup {
            return;
        }
        let after = self.master_down_interval();
        self.timer =
            self.timer.map(|due| if after >= before { due + (after - before) } else { due - (before - after) });
    }

    /// RFC 9568 §6.4.2 (130): no master was heard for long enough.
    fn master_is_down(&mut self, scene: &mut Scene<'_>) {
        scene.out.log(Level::Detail, format!("({}) Receive advertisement timeout", self.conf.name));
        if scene.now < scene.quiet_until {
            self.timer = Some(scene.quiet_until + self.master_down_interval());
            return;
        }
        self.wants = Wanted::Master;
        if self.conf.group.is_some() {
            // The group decides; until it agrees, the master is listened for again.
            self.claim = Claim::Master;
            self.timer = Some(scene.now + self.master_down_interval());
            return;
        }
        self.enter_master(MasterFrom::Backup, scene);
    }

    /// A master with better claims was heard.
    pub(super) fn give_way(&mut self, heard: &Heard, scene: &mut Scene<'_>) {
        self.wants = Wanted::Backup;
        self.enter_backup(BackupFrom::Master, scene);
        self.accept(heard, scene);
    }

    /// COMPAT: keepalived 2.2.7, of an address, a route or a rule that is gone: priority 0, then it waits its skew time like everybody.
    fn resign(&mut self, scene: &mut Scene<'_>) {
        self.send_resignation(scene);
        self.enter_backup(BackupFrom::Master, scene);
        self.timer = Some(scene.now + self.skew_time());
    }

    /// `timer_expired_backup`: no advert was sent for so long that there may be another master; who listens finds out.
    fn step_back(&mut self, scene: &mut Scene<'_>) {
        let text = format!("({}) was not run for too long, another router may be master; backing off", self.conf.name);
        scene.out.log(Level::Warning, text);
        self.wants = Wanted::Backup;
        self.enter_backup(BackupFrom::Master, scene);
    }

    fn enter_master(&mut self, from: MasterFrom, scene: &mut Scene<'_>) {
        let text = match from {
            MasterFrom::Backup => format!("({}) Entering MASTER STATE", self.conf.name),
            MasterFrom::Resume => format!("({}) Entering MASTER STATE (its addresses are in place)", self.conf.name),
        };
        scene.out.log(Level::Info, text);
        self.change(State::Master, scene.now);
        self.wants = Wanted::Master;
        self.owner_again();
        self.master_interval = self.advert_int();
        self.master = None;
        self.preempt_at = None;
        count(&mut self.stats.become_master);
        // RFC 9568 §6.4.2 (135)-(160): advert first, then addresses (the router says so), then ARP (when they are there).
        self.advertise_now(scene);
        self.garp.await_addresses();
        self.arrival = Arrival::Pending;
    }

    fn enter_backup(&mut self, from: BackupFrom, scene: &mut Scene<'_>) {
        let suffix = if from == BackupFrom::Start { " (init)" } else { "" };
        scene.out.log(Level::Info, format!("({}) Entering BACKUP STATE{suffix}", self.conf.name));
        self.leave_master();
        self.change(State::Backup, scene.now);
        self.master_interval = self.advert_int();
        self.master = None;
        self.preempt_at = None;
        if from == BackupFrom::Start {
            self.wants = self.conf.wanted;
        }
        if from == BackupFrom::Fault {
            self.garp_own_address(scene);
        }
        let begin = scene.now.max(scene.quiet_until);
        self.timer = Some(begin + self.first_wait(from));
        self.notify(NotifyState::Backup, scene.out);
    }

    /// How long BACKUP waits for a first advert. COMPAT: keepalived 2.4.3, behaviour of `state MASTER` and of an owner.
    fn first_wait(&self, from: BackupFrom) -> Duration {
        let owner = self.conf.priority == 255;
        let quick = || self.advert_int() + timers::skew_time(self.conf.version, 255, self.advert_int());
        match (from, self.wants) {
            (BackupFrom::Start, Wanted::Master) if owner => Duration::ZERO,
            (BackupFrom::Start, Wanted::Master) => quick(),
            (BackupFrom::Fault, Wanted::Master) if owner => quick(),
            (BackupFrom::Start | BackupFrom::Fault | BackupFrom::Master | BackupFrom::Group, _) => {
                self.master_down_interval()
            }
        }
    }

    fn enter_fault(&mut self, scene: &mut Scene<'_>) {
        if self.state == State::Master {
            // COMPAT: keepalived sends it twice on this way out; a peer that misses one hears the other.
            self.send_resignation(scene);
            self.send_resignation(scene);
        }
        scene.out.log(Level::Info, format!("({}) Entering FAULT STATE", self.conf.name));
        self.leave_master();
        self.change(State::Fault, scene.now);
        self.timer = None;
        self.master = None;
        self.preempt_at = None;
        self.notify(NotifyState::Fault, scene.out);
    }

    /// RFC 9568 §6.4.2 (180), §6.4.3 (330): Shutdown. Addresses are released by the router.
    fn stop(&mut self, scene: &mut Scene<'_>) {
        if self.state == State::Master {
            self.send_resignation(scene);
        }
        self.leave_master();
        self.change(State::Init, scene.now);
        self.timer = None;
        self.notify(NotifyState::Stop, scene.out);
    }

    /// What ends with being master.
    fn leave_master(&mut self) {
        if self.state == State::Master {
            count(&mut self.stats.release_master);
        }
        self.garp.cancel();
        self.arrival = Arrival::Told;
    }

    fn change(&mut self, state: State, now: Mono) {
        self.state = state;
        self.since = now;
        self.forget_told(now);
        self.answered = None;
    }

    /// ipvsd has put the addresses in place or taken them away.
    pub fn applied(&mut self, now_is: Presence, result: Applied, scene: &mut Scene<'_>) {
        match (self.state, now_is) {
            (State::Master, Presence::Present) => {
                self.garp_applied(result, scene);
                if self.arrival == Arrival::Pending {
                    self.arrival = Arrival::Told;
                    self.notify(NotifyState::Master, scene.out);
                }
            }
            // On its way: the wanted state has been said already.
            (State::Master, Presence::Absent) => {}
            (State::Init | State::Backup | State::Fault, _) => {}
        }
    }
}
