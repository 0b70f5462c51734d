//! The packet filter: plan, send, acknowledge.
//!
//! The tables are ours alone: what is in them is what was put there, and one of which that is not known (at the start, after a
//! refusal) is made anew in one transaction, whatever it held. Requests go out before those for addresses of the same moment, and the
//! kernel carries them out while they are written: an address is filtered before it is there.
//!
//! A table that does two things ([`Layout::has_two_parts`]) is asked for as a whole. A kernel that lacks what the one needs (nft_dup) refuses
//! all of it: then the table is made without that part, and the whole is tried again now and then.

mod words;

use super::{ANSWER_LIMIT, Reconciler, log};
use crate::event::Action;
use crate::filter::{Element, Layout, Purpose, Table, TableKey};
use crate::ledger::Ledger;
use crate::netlink::batch::Batch;
use crate::netlink::nft::{Transaction, tables};
use crate::netlink::reply::Fact;
use crate::netlink::{Bus, Errno};
use crate::patience::{Complaint, Item};
use crate::plan::filter::{self, TABLES, View};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::InstanceIdx;
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_options::Accept;
use ipc::msg::control::AtStop;
use ipc::time::Mono;

/// Elements in one transaction: it has to fit into the send buffer (212,992 bytes by default, bookkeeping included).
const PORTION: usize = 400;

/// What is known and under way on NETLINK_NETFILTER.
#[derive(Debug, Default)]
pub(super) struct Lane {
    tables: BTreeMap<TableKey, State>,
    /// What was there before a table of two parts was asked for: it still is when that is refused.
    before: BTreeMap<TableKey, Table>,
    /// Why a table has one part instead of two, which is said when the kernel has taken it.
    unsaid: BTreeMap<TableKey, Errno>,
    dirty: Dirty,
    /// Transactions in the order in which they were sent.
    in_flight: VecDeque<Flight>,
    answers_until: Option<Mono>,
}

/// What is known of a table that may be there; one that is missing among them is not there.
#[derive(Clone, Debug)]
enum State {
    /// It is as this says, or will be when what is under way is carried out.
    There(Table),
    /// It may be there under this name.
    Unknown(String),
}

impl State {
    fn name(&self) -> &str {
        match self {
            State::There(table) => &table.layout.name,
            State::Unknown(name) => name,
        }
    }
}

/// What has to be looked at.
#[derive(Clone, Debug)]
enum Dirty {
    All,
    /// The elements of these addresses.
    Addrs(BTreeSet<IpAddr>),
}

impl Default for Dirty {
    fn default() -> Self {
        Dirty::Addrs(BTreeSet::new())
    }
}

/// A transaction that is not answered yet.
#[derive(Clone, Copy, Debug)]
struct Flight {
    first: u32,
    last: u32,
    table: TableKey,
    asks: Asks,
    result: Result<(), Errno>,
}

/// What a transaction is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// A change of elements, or the end of the table.
    Change,
    /// A table of two parts is made.
    Both,
    /// A table of one part is made.
    One,
}

impl Lane {
    /// Everything has to be looked at.
    pub(super) fn replan(&mut self) {
        self.dirty = Dirty::All;
    }

    /// An address is wanted, or is gone.
    pub(super) fn look_at(&mut self, addr: IpAddr) {
        if let Dirty::Addrs(addrs) = &mut self.dirty {
            addrs.insert(addr);
        }
    }

    /// A new configuration. What its tables held before this process came is not known.
    pub(super) fn activated(&mut self, ledger: &Ledger) {
        for key in TABLES {
            if let Some(name) = filter::name(ledger, key.purpose) {
                self.tables.entry(key).or_insert_with(|| State::Unknown(name.to_string()));
            }
        }
        self.replan();
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.answers_until
    }

    pub(super) fn expire(&mut self, now: Mono) {
        if self.answers_until.is_some_and(|t| t <= now) {
            self.lost();
        }
    }

    /// Answers were lost: what was asked for may have been done or not.
    pub(super) fn lost(&mut self) {
        self.answers_until = None;
        self.before.clear();
        for flight in core::mem::take(&mut self.in_flight) {
            self.unknown(flight.table);
        }
        self.replan();
    }

    fn unknown(&mut self, key: TableKey) {
        if let Some(state) = self.tables.get_mut(&key) {
            *state = State::Unknown(state.name().to_string());
        }
    }
}

impl Reconciler {
    /// An instance is to have its addresses: those that it does not accept packets for are looked at.
    pub(super) fn filter_instance(&mut self, idx: InstanceIdx) {
        if let Some(instance) = self.ledger.instance(idx).filter(|i| i.accept == Accept::Drop) {
            instance.addrs.iter().for_each(|spec| self.filter.look_at(spec.prefix.addr));
        }
    }

    /// An address is gone; one that no instance may have is no matter.
    pub(super) fn filter_gone(&mut self, addr: IpAddr) {
        if self.ledger.is_virtual(addr) {
            self.filter.look_at(addr);
        }
    }

    /// Answers were lost, or a request could not be written: again after a while.
    pub(super) fn filter_lost(&mut self) {
        let tables: BTreeSet<TableKey> = self.filter.in_flight.iter().map(|flight| flight.table).collect();
        for table in tables {
            let _ = self.patience.refused(self.now, Item::Filter(table));
        }
        self.filter.lost();
    }

    pub(super) fn proceed_filter(&mut self, out: &mut Vec<Action>) {
        let dirty = core::mem::take(&mut self.filter.dirty);
        if matches!(&dirty, Dirty::Addrs(addrs) if addrs.is_empty()) && !self.is_stopping() {
            return;
        }
        for key in TABLES {
            if self.patience.allows(&Item::Filter(key)) && !self.filter_waits(key) {
                self.filter_table(key, &dirty, out);
            }
        }
    }

    /// Whether nothing is under way, and at the end nothing is left that has to go and can.
    pub(super) fn filter_is_quiet(&self) -> bool {
        let stays = |key: &TableKey| {
            let kept = match key.purpose {
                Purpose::Vips => self.keeps_vips(),
                Purpose::Marks => self.ipvs_end() == Some(AtStop::Keep),
            };
            kept || !self.patience.allows(&Item::Filter(*key))
        };
        self.filter.in_flight.is_empty() && (!self.is_stopping() || self.filter.tables.keys().all(stays))
    }

    /// At the end a table stays until what it is for is gone.
    fn filter_waits(&self, key: TableKey) -> bool {
        self.is_stopping()
            && match key.purpose {
                Purpose::Vips => !self.route.is_quiet() || self.keeps_vips(),
                Purpose::Marks => !self.ipvs.is_quiet() || self.ipvs_end() == Some(AtStop::Keep),
            }
    }

    fn filter_table(&mut self, key: TableKey, dirty: &Dirty, out: &mut Vec<Action>) {
        let layout = filter::layout(&self.ledger, key).filter(|_| !self.is_stopping());
        let layout = layout.map(|layout| match layout.has_two_parts() && !self.patience.allows(&Item::Reports(key)) {
            true => Layout { vmacs: Switch::Off, ..layout },
            false => layout,
        });
        let state = self.filter.tables.remove(&key);
        let view = View { ledger: &self.ledger, desired: &self.desired, network: &self.route.network };
        match (layout, state) {
            (None, None) => {}
            (None, Some(state)) => {
                let mut transaction = Transaction::new(self.next_seq.wrapping_add(1));
                tables::remove(&mut transaction, key.family, state.name());
                self.send_filter(key, Asks::Change, transaction, out);
            }
            (Some(layout), Some(State::There(table))) if table.layout == layout => {
                let (wanted, there) = match (key.purpose, dirty) {
                    (Purpose::Vips, Dirty::Addrs(addrs)) => (
                        addrs.iter().flat_map(|addr| filter::of(&view, *addr)).collect(),
                        addrs.iter().flat_map(|a| table.elements.range(filter::place_of(*a))).copied().collect(),
                    ),
                    (Purpose::Marks, Dirty::Addrs(_)) => (BTreeSet::new(), BTreeSet::new()),
                    (_, Dirty::All) => (filter::elements(&view, key, &layout), table.elements.clone()),
                };
                let wanted: BTreeSet<Element> = wanted.into_iter().filter(|e| e.family() == key.family).collect();
                self.change_table(key, table, &wanted, &there, out);
            }
            (Some(layout), state) => {
                let elements = filter::elements(&view, key, &layout);
                self.make_table(key, state, layout, elements, out);
            }
        }
    }

    /// What is not wanted goes, and what is wanted comes.
    fn change_table(
        &mut self,
        key: TableKey,
        mut table: Table,
        wanted: &BTreeSet<Element>,
        there: &BTreeSet<Element>,
        out: &mut Vec<Action>,
    ) {
        let name = table.layout.name.clone();
        let gone: Vec<Element> = there.difference(wanted).filter(|e| e.family() == key.family).copied().collect();
        let new: Vec<Element> = wanted.difference(there).copied().collect();
        for element in &gone {
            table.elements.remove(element);
        }
        table.elements.extend(&new);
        self.filter.tables.insert(key, State::There(table));
        let mut transaction = Transaction::new(self.next_seq.wrapping_add(1));
        for some in gone.chunks(PORTION) {
            tables::take(&mut transaction, key, &name, some);
            if some.len() == PORTION {
                transaction = self.send_filter(key, Asks::Change, transaction, out);
            }
        }
        for some in new.chunks(PORTION) {
            tables::add(&mut transaction, key, &name, some);
            transaction = self.send_filter(key, Asks::Change, transaction, out);
        }
        self.send_filter(key, Asks::Change, transaction, out);
    }

    /// A table with all its elements, as many as fit in the same moment.
    fn make_table(
        &mut self,
        key: TableKey,
        before: Option<State>,
        layout: Layout,
        elements: BTreeSet<Element>,
        out: &mut Vec<Action>,
    ) {
        let mut transaction = Transaction::new(self.next_seq.wrapping_add(1));
        let name = layout.name.clone();
        let asks = if layout.has_two_parts() { Asks::Both } else { Asks::One };
        if let Some(before) = before.as_ref().filter(|state| state.name() != name) {
            tables::remove(&mut transaction, key.family, before.name());
        }
        tables::create(&mut transaction, key, &layout);
        let all: Vec<Element> = elements.iter().copied().collect();
        if let Some(State::There(table)) = before.filter(|_| layout.has_two_parts()) {
            self.filter.before.insert(key, table);
        }
        self.filter.tables.insert(key, State::There(Table { layout, elements }));
        for some in all.chunks(PORTION) {
            tables::add(&mut transaction, key, &name, some);
            transaction = self.send_filter(key, asks, transaction, out);
        }
        self.send_filter(key, asks, transaction, out);
    }

    /// Sends a transaction unless it is empty; gives an empty one to go on with.
    fn send_filter(
        &mut self,
        table: TableKey,
        asks: Asks,
        transaction: Transaction,
        out: &mut Vec<Action>,
    ) -> Transaction {
        if transaction.is_empty() {
            return transaction;
        }
        // 0 is skipped by whoever takes the next number, and is no number of a transaction's middle that would matter.
        self.next_seq = transaction.end();
        let (first, last) = (transaction.first(), transaction.last());
        self.filter.in_flight.push_back(Flight { first, last, table, asks, result: Ok(()) });
        self.filter.answers_until = Some(self.now + ANSWER_LIMIT);
        let bus = match table.purpose {
            Purpose::Vips => Bus::Filter,
            Purpose::Marks => Bus::Marks,
        };
        out.push(Action::Send(Batch::written(bus, transaction.finish())));
        Transaction::new(self.next_seq.wrapping_add(1))
    }

    /// Takes what is an answer to a transaction.
    pub(super) fn filter_fact(&mut self, fact: Fact, out: &mut Vec<Action>) -> Option<Fact> {
        let seq = match &fact {
            Fact::Acked { seq } | Fact::Refused { seq, .. } => *seq,
            _ => return Some(fact),
        };
        let Some(place) = self.filter.in_flight.iter().position(|f| (f.first..=f.last).contains(&seq)) else {
            return Some(fact);
        };
        let Some(flight) = self.filter.in_flight.get_mut(place) else { return Some(fact) };
        if let Fact::Refused { errno, .. } = fact
            && flight.result.is_ok()
        {
            flight.result = Err(errno);
        }
        // Nothing else is said of one whose beginning is refused.
        if seq == flight.last || seq == flight.first {
            let flight = *flight;
            self.filter.in_flight.remove(place);
            self.filter_answered(flight, out);
        }
        None
    }

    fn filter_answered(&mut self, flight: Flight, out: &mut Vec<Action>) {
        if self.filter.in_flight.is_empty() {
            self.filter.answers_until = None;
        }
        let item = Item::Filter(flight.table);
        if flight.asks == Asks::Both {
            return self.both_answered(flight, out);
        }
        let Err(errno) = flight.result else {
            if flight.asks == Asks::One {
                self.say_one_part(flight.table, out);
            }
            return self.patience.settled(&item);
        };
        let name = match self.filter.tables.get(&flight.table) {
            Some(state) => state.name().to_string(),
            // It was to go, and perhaps there are no such tables at all.
            None => return,
        };
        self.filter.unknown(flight.table);
        self.filter.replan();
        if self.patience.refused(self.now, item) == Complaint::First {
            log(out, ipc::report::Level::Error, words::complaint(flight.table, &name, errno));
        }
    }
}

impl Reconciler {
    /// An answer to a table of two parts. When that is refused it is to have one, for now.
    fn both_answered(&mut self, flight: Flight, out: &mut Vec<Action>) {
        let (key, before) = (flight.table, self.filter.before.remove(&flight.table));
        let is_asked_for =
            matches!(self.filter.tables.get(&key), Some(State::There(table)) if table.layout.has_two_parts());
        match flight.result {
            Ok(()) if is_asked_for => {
                self.filter.unsaid.remove(&key);
                self.patience.settled(&Item::Reports(key));
                self.patience.settled(&Item::Filter(key));
            }
            // More elements of one whose beginning was refused: they are in the table that was there before.
            Ok(()) => {
                self.filter.unknown(key);
                self.filter.replan();
            }
            Err(errno) if is_asked_for => self.reports_refused(key, before, errno, out),
            // The same, and nothing has come of them.
            Err(_) => {}
        }
    }

    fn reports_refused(&mut self, key: TableKey, before: Option<Table>, errno: Errno, out: &mut Vec<Action>) {
        if self.patience.refused(self.now, Item::Reports(key)) == Complaint::First {
            self.filter.unsaid.insert(key, errno);
        }
        self.filter.replan();
        let Some(table) = before else { return self.filter.unknown(key) };
        let has_one = !table.layout.has_two_parts();
        self.filter.tables.insert(key, State::There(table));
        if has_one {
            self.say_one_part(key, out);
        }
    }

    /// A table is there that has one part. That is no news where no more is asked for.
    fn say_one_part(&mut self, key: TableKey, out: &mut Vec<Action>) {
        let Some(errno) = self.filter.unsaid.remove(&key) else { return };
        if let Some(layout) = filter::layout(&self.ledger, key).filter(Layout::has_two_parts) {
            log(out, ipc::report::Level::Error, words::without_reports(key, &layout.name, errno));
        }
    }
}
