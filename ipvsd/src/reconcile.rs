//! The machine of ipvsd: takes what peers want and what the kernel says, and sends the difference until there is none.
//!
//! One batch per bus is under way at a time; the next plan is made when all of it has been answered. The kernel answers
//! a netlink request while it is written, so that this costs nothing, and no request has to reckon with another that is
//! still open.
//!
//! [`peers`] is the conversation with vrrpd and checkd, [`config`] what a new generation changes, [`route`], [`ipvs`] and [`filter`]
//! the three buses, [`stop`] the end.

mod config;
mod filter;
mod ipvs;
mod peers;
mod route;
mod served;
mod stop;

use crate::desired::Desired;
use crate::event::{Action, Event};
use crate::ledger::Ledger;
use crate::netlink::Bus;
use crate::netlink::reply::Fact;
use crate::patience::Patience;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::Generation;
use ipc::machine::Machine;
use ipc::report::{Level, Line};
use ipc::time::Mono;

/// Most requests in one batch: their acknowledgements must fit into the receive buffer.
pub const BATCH_LIMIT: usize = 1024;

/// How long a request may stay unanswered. The kernel answers at once; this is for answers that were lost without ENOBUFS.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Takes events, gives actions; see the module.
#[derive(Debug, Default)]
pub struct Reconciler {
    now: Mono,
    ledger: Ledger,
    prepared: Option<(Generation, Ledger)>,
    desired: Desired,
    patience: Patience,
    vrrp: peers::Vrrp,
    check: peers::Check,
    route: route::Lane,
    ipvs: ipvs::Lane,
    filter: filter::Lane,
    stopping: Option<stop::Stopping>,
    next_seq: u32,
    unreadable: Option<Mono>,
}

impl Machine for Reconciler {
    type Event = Event;
    type Action = Action;

    fn step(&mut self, now: Mono, event: Event, out: &mut Vec<Action>) {
        self.now = now;
        match event {
            Event::Timeout if self.deadline().is_none_or(|d| now < d) => return,
            Event::Timeout => self.timeout(out),
            Event::Start => self.route.start(),
            Event::Configure(generation, config) => self.configure(generation, *config, out),
            Event::Activate(generation) => self.activate(generation, out),
            Event::Discard(generation) => self.discard(generation),
            Event::VrrpAttached => self.vrrp_attached(),
            Event::VrrpLost => self.vrrp_lost(),
            Event::CheckAttached => self.check_attached(),
            Event::CheckLost => self.check_lost(),
            Event::FromVrrp(messages) => self.hear_vrrp(messages, out),
            Event::FromCheck(messages) => self.hear_check(messages, out),
            Event::Kernel(facts) => {
                for fact in facts {
                    self.fact(fact, out);
                }
            }
            Event::Dump => self.dump_wanted(out),
            Event::Stop(mode) => self.stop(mode, out),
        }
        self.proceed(out);
    }

    fn deadline(&self) -> Option<Mono> {
        [
            self.patience.deadline(),
            self.desired.hold_deadline(),
            self.desired.drain_deadline(),
            self.route.deadline(),
            self.ipvs.deadline(),
            self.filter.deadline(),
            self.stopping.as_ref().and_then(stop::Stopping::deadline),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

impl Reconciler {
    /// A reconciler that knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    fn timeout(&mut self, out: &mut Vec<Action>) {
        if self.patience.expire(self.now) {
            self.route.replan();
            self.ipvs.replan();
            self.filter.replan();
        }
        if self.desired.drained(self.now) {
            self.ipvs.replan();
        }
        self.release_overdue(out);
        self.say_restored(out);
        self.route.expire(self.now);
        self.ipvs.expire(self.now);
        self.filter.expire(self.now);
    }

    fn fact(&mut self, fact: Fact, out: &mut Vec<Action>) {
        match fact {
            Fact::Lost(Bus::Route) => self.route.lost(self.now),
            Fact::Lost(Bus::Generic) => self.ipvs.lost(self.now),
            Fact::Lost(Bus::Filter | Bus::Marks) => self.filter_lost(),
            Fact::Unreadable { bus, why } => self.unreadable(bus, &why, out),
            fact => {
                // Sequence numbers are unique over all buses, so each lane knows its own.
                if let Some(fact) = self.route_fact(fact, out).and_then(|fact| self.filter_fact(fact, out)) {
                    self.ipvs_fact(fact, out);
                }
            }
        }
    }

    /// At most one line a minute. What was in the message is lost: the state is taken again, not more often than every ten
    /// seconds.
    fn unreadable(&mut self, bus: Bus, why: &str, out: &mut Vec<Action>) {
        if self.unreadable.is_none_or(|last| self.now.since(last) > Duration::from_secs(60)) {
            self.unreadable = Some(self.now);
            log(
                out,
                Level::Warning,
                alloc::format!("A message of the kernel over {bus} cannot be read ({why}); it is stepped over"),
            );
        }
        if bus == Bus::Route {
            self.route.unreadable(self.now);
        }
    }

    /// Everything that follows from the present state: planned, told, sent. Told comes before sent: the kernel carries a request out
    /// while it is written, and what is done already shall be announced meanwhile.
    fn proceed(&mut self, out: &mut Vec<Action>) {
        let mut requests = Vec::new();
        self.proceed_filter(&mut requests);
        self.proceed_route(&mut requests);
        self.proceed_ipvs(&mut requests);
        if self.is_stopping() {
            // What was waited for may be gone now.
            self.proceed_filter(&mut requests);
        }
        self.speak_to_vrrp(out);
        self.speak_to_check(out);
        out.append(&mut requests);
        self.proceed_stop(out);
    }

    fn seq(&mut self) -> u32 {
        self.next_seq = self.next_seq.checked_add(1).unwrap_or(1);
        self.next_seq
    }
}

fn log(out: &mut Vec<Action>, level: Level, text: String) {
    out.push(Action::Log(Line::new(level, text)));
}
