//! Handing a generation to the children and making it count: the first start, reloads and restarts are all of this.

use super::{Action, Lifecycle, Link, Told, log, log_of};
use crate::daemon::{ANSWER_LIMIT, Alive, Daemon, Ending, State, Step, Wanted};
use crate::reload::{self, Change, Compiled, Failure, Queued, Stage};
use alloc::format;
use alloc::vec::Vec;
use ipc::config::Generation;
use ipc::config::script::ScriptConfig;
use ipc::config::vrrp::Switch;
use ipc::msg::control::Down;
use ipc::report::Level;
use ipc::time::Mono;

impl Lifecycle {
    /// Begins a change with the next generation.
    pub(super) fn begin_change(&mut self, out: &mut Vec<Action>) {
        self.queued = Queued::No;
        let generation = Generation(self.newest.0.saturating_add(1));
        self.newest = generation;
        self.change = Some(Change { generation, stage: Stage::Compiling });
        out.push(Action::Compile(generation));
    }

    pub(super) fn compiled(&mut self, now: Mono, generation: Generation, compiled: Compiled, out: &mut Vec<Action>) {
        if self.change != Some(Change { generation, stage: Stage::Compiling }) {
            return;
        }
        match compiled {
            Compiled::Bad(failure) => self.cannot_use(now, &failure, out),
            Compiled::Good(table) => self.accept(now, generation, *table, out),
        }
    }

    fn cannot_use(&mut self, now: Mono, failure: &Failure, out: &mut Vec<Action>) {
        if self.current.is_some() {
            self.take_back(now, &format!("{failure}"), out);
        } else {
            self.change = None;
            log(out, Level::Error, format!("{failure}; Holdfast is not started"));
            self.begin_stop(now, failure.exit_code(), out);
        }
    }

    fn accept(&mut self, now: Mono, generation: Generation, table: ScriptConfig, out: &mut Vec<Action>) {
        for daemon in Daemon::ALL {
            if self.options.parts.wants(daemon, &table) == Wanted::Yes {
                self.children.at_mut(daemon).wanted = Wanted::Yes;
            }
        }
        if table.bfds > 0 {
            self.sessions = Wanted::Yes;
        }
        let startup = table.startup;
        self.scripts.admit(generation, table);
        match startup {
            Some((script, limit)) if self.current.is_none() => {
                self.set_stage(Stage::StartupScript);
                self.with_scripts(out, |s, effects| s.once(now, generation, script, limit, effects));
            }
            Some(_) | None => self.set_stage(Stage::Preparing),
        }
    }

    pub(super) fn startup_script_ended(&mut self) {
        if self.change.as_ref().is_some_and(|c| c.stage == Stage::StartupScript) {
            self.set_stage(Stage::Preparing);
        }
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Some(change) = &mut self.change {
            change.stage = stage;
        }
    }

    /// Does everything that has become possible. Called after every event.
    pub(super) fn settle(&mut self, now: Mono, out: &mut Vec<Action>) {
        self.start_wanted(now, out);
        self.hand_out(now, out);
        self.commit_if_ready(now, out);
        self.activate(now, out);
        self.finish_if_active(now, out);
    }

    /// The generation every child shall come to.
    fn target(&self) -> Option<Generation> {
        match &self.change {
            Some(Change { generation, stage: Stage::Preparing | Stage::Activating }) => Some(*generation),
            Some(_) | None => self.current,
        }
    }

    /// Starts children that are wanted for the first time.
    fn start_wanted(&mut self, now: Mono, out: &mut Vec<Action>) {
        if self.target().is_none() {
            return;
        }
        for daemon in Daemon::ALL {
            let child = self.children.at(daemon);
            if child.wanted == Wanted::Yes && child.state == State::Off {
                self.spawn(now, daemon, out);
            }
        }
    }

    pub(super) fn spawn(&mut self, now: Mono, daemon: Daemon, out: &mut Vec<Action>) {
        self.children.at_mut(daemon).state = State::Alive(Alive::new(now));
        out.push(Action::Spawn(daemon));
    }

    /// Sends each child the slice it lacks.
    fn hand_out(&mut self, now: Mono, out: &mut Vec<Action>) {
        let Some(target) = self.target() else { return };
        let ipvsd_runs = self.children.at(Daemon::Ipvs).at_work().and_then(|a| a.active);
        for daemon in Daemon::ALL {
            let Some(alive) = self.children.alive_mut(daemon).filter(|a| a.ending == Ending::No) else { continue };
            // Ready for a generation in which it will never meet ipvsd: both come to the new one.
            if let Some((stale, Step::Ready)) = alive.next
                && stale != target
                && ipvsd_runs != Some(stale)
            {
                alive.next = None;
                out.push(Action::Send(daemon, stale, Down::Discard));
            }
            if alive.next.is_none() && alive.active != Some(target) {
                alive.next = Some((target, Step::Sent));
                alive.due = Some(now + ANSWER_LIMIT);
                out.push(Action::SendSlice(daemon, target));
            }
        }
    }

    /// The point of no return: from here on the new generation counts, also for children that are restarted.
    fn commit_if_ready(&mut self, now: Mono, out: &mut Vec<Action>) {
        if let Some(Change { generation, stage: Stage::Preparing }) = self.change
            && reload::all_ready(&self.children, generation, self.current.is_none())
        {
            self.previous = self.current.replace(generation);
            self.set_stage(Stage::Activating);
            self.switch_fifos(now, generation, out);
            self.begin_files(generation, out);
            let Some(table) = self.scripts.table(generation) else { return };
            match (table.ping, table.ping_marked) {
                (Switch::On, Switch::On) => out.push(Action::LetPing(&[Daemon::Check, Daemon::Ipvs])),
                (Switch::On, Switch::Off) => out.push(Action::LetPing(&[Daemon::Check])),
                (Switch::Off, _) => {}
            }
            // Before ipvsd makes interfaces, which take some settings from these.
            out.push(Action::Settle(table.kernel.clone()));
        }
    }

    /// Activates ipvsd, then those that find an active ipvsd; gives each pair its channel.
    fn activate(&mut self, now: Mono, out: &mut Vec<Action>) {
        let Some(current) = self.current else { return };
        self.activate_one(now, Daemon::Ipvs, current, out);
        if self.children.at(Daemon::Ipvs).at_work().and_then(|a| a.active) != Some(current) {
            return;
        }
        for daemon in Daemon::IPVS_PEERS {
            let ready = self.children.at(daemon).at_work().is_some_and(|a| a.next == Some((current, Step::Ready)));
            let runs = self.children.at(daemon).at_work().is_some_and(|a| a.active == Some(current));
            if (ready || runs) && *self.link_mut(daemon) == Link::None {
                *self.link_mut(daemon) = Link::Connected;
                out.push(Action::Connect(daemon));
            }
            self.activate_one(now, daemon, current, out);
        }
        let runs = |daemon| self.children.at(daemon).at_work().is_some_and(|a: &Alive| a.active == Some(current));
        let both = runs(Daemon::Vrrp) && runs(Daemon::Check);
        if both && self.sessions == Wanted::Yes && self.session_link == Link::None {
            self.session_link = Link::Connected;
            out.push(Action::ConnectSessions);
        }
    }

    fn activate_one(&mut self, now: Mono, daemon: Daemon, current: Generation, out: &mut Vec<Action>) {
        if let Some(alive) = self.children.alive_mut(daemon)
            && alive.ending == Ending::No
            && alive.next == Some((current, Step::Ready))
        {
            alive.next = Some((current, Step::Activating));
            alive.due = Some(now + ANSWER_LIMIT);
            out.push(Action::Send(daemon, current, Down::Activate));
            self.hand_files(daemon, current, out);
        }
    }

    fn finish_if_active(&mut self, now: Mono, out: &mut Vec<Action>) {
        let Some(Change { generation, stage: Stage::Activating }) = self.change else { return };
        if !reload::all_active(&self.children, generation) {
            return;
        }
        self.change = None;
        match self.previous.take() {
            Some(previous) => {
                self.with_scripts(out, |s, effects| s.retire(now, previous, effects));
                out.push(Action::DropSlices(previous));
                log(out, Level::Notice, "Reload complete");
            }
            None => log(out, Level::Notice, "Startup complete"),
        }
        out.push(Action::Tell(Told::Ready));
        self.next_reload(out);
    }

    /// The change comes to nothing; what runs goes on.
    pub(super) fn take_back(&mut self, now: Mono, why: &str, out: &mut Vec<Action>) {
        let Some(change) = self.change.take() else { return };
        log(out, Level::Error, format!("Reload failed: {why}. The running configuration stays in force"));
        for daemon in Daemon::ALL {
            if let Some(alive) = self.children.alive_mut(daemon)
                && alive.next.is_some_and(|(g, _)| g == change.generation)
            {
                alive.next = None;
                if alive.ending == Ending::No {
                    alive.is_left_to_work(now);
                }
                out.push(Action::Send(daemon, change.generation, Down::Discard));
            }
        }
        self.with_scripts(out, |s, effects| s.retire(now, change.generation, effects));
        out.push(Action::DropSlices(change.generation));
        out.push(Action::Tell(Told::ReloadFailed));
        self.next_reload(out);
    }

    fn next_reload(&mut self, out: &mut Vec<Action>) {
        if self.queued == Queued::Yes {
            log(out, Level::Notice, "Reloading");
            out.push(Action::Tell(Told::Reloading));
            self.begin_change(out);
        }
    }

    pub(super) fn link_mut(&mut self, peer: Daemon) -> &mut Link {
        match peer {
            Daemon::Check => &mut self.check_link,
            Daemon::Vrrp | Daemon::Ipvs => &mut self.vrrp_link,
        }
    }

    /// A child cannot use its slice.
    pub(super) fn refused(&mut self, now: Mono, daemon: Daemon, generation: Generation, out: &mut Vec<Action>) {
        let changing = self.change.as_ref().is_some_and(|c| c.generation == generation);
        match (self.current, changing) {
            (None, _) => {
                log_of(out, Level::Error, daemon, "cannot use the configuration; Holdfast is not started");
                self.begin_stop(now, 2, out);
            }
            (Some(current), true) if current != generation => {
                self.take_back(now, &format!("{daemon} cannot use the new configuration"), out);
            }
            (Some(_), _) => {
                log_of(out, Level::Error, daemon, "refuses the configuration that it has run; it is started again");
                self.kill(now, daemon, out);
            }
        }
    }
}
