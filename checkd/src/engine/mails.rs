//! Mails on their way, and those about servers and services. They never keep a check waiting: at most [`SENDING_LIMIT`] connections of their own, at most
//! [`WAITING_LIMIT`] mails behind them; of more, the oldest are lost, and that is said.

use super::mail_server::{MailServer, Whereabouts};
use super::{Action, Engine, ProbeEvent, ProbeId, Route, Stage, Transport};
use crate::alert::delivery::{Delivery, Next};
use crate::alert::{Letter, words};
use crate::check::Verdict;
use crate::check::schedule::Health;
use crate::quorum::Quorum;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use ipc::config::vrrp::Switch;
use ipc::config::{CheckerIdx, RealIdx, ServiceIdx};
use ipc::report::{Level, Line};
use ipc::time::Mono;

/// Most mails on their way at a time.
pub const SENDING_LIMIT: usize = 4;

/// Most mails that wait.
pub const WAITING_LIMIT: usize = 256;

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Mails {
    waiting: VecDeque<(Letter, Vec<u8>)>,
    sending: BTreeMap<ProbeId, Sending>,
    /// How many were lost because too many waited, since that was said.
    lost: u64,
    /// Where the server is.
    pub(super) whereabouts: Whereabouts,
}

#[derive(Debug)]
struct Sending {
    delivery: Delivery,
    server: SocketAddr,
    timeout: Duration,
    deadline: Mono,
}

impl Mails {
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.sending.values().map(|sending| sending.deadline).chain(self.whereabouts.deadline()).min()
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.sending.is_empty()
    }

    pub(super) fn has(&self, id: ProbeId) -> bool {
        self.sending.contains_key(&id) || self.whereabouts.has(id)
    }

    /// Those that wait are lost; how many.
    pub(super) fn lose_waiting(&mut self) -> usize {
        let lost = self.waiting.len();
        self.waiting.clear();
        lost
    }
}

impl Engine {
    /// A checker has changed its mind about a real server.
    pub(super) fn mail_checker(&self, idx: CheckerIdx, verdict: Verdict, out: &mut Vec<Action>) {
        let Stage::Live(live) = &self.stage else { return };
        let Some(checker) = live.config.checkers.at(idx).filter(|_| live.config.mail.no_checkers == Switch::Off) else {
            return;
        };
        let (state, body) = match verdict {
            Verdict::Pass => ("UP", words::succeeded(checker)),
            Verdict::Fail(fault) => ("DOWN", words::failed(checker, fault)),
        };
        self.mail_real(checker.real, state, &body, out);
    }

    /// A real server has come or gone (`no_checker_emails`).
    pub(super) fn mail_change(&self, idx: CheckerIdx, verdict: Verdict, after: Health, out: &mut Vec<Action>) {
        let Stage::Live(live) = &self.stage else { return };
        let Some(checker) = live.config.checkers.at(idx).filter(|_| live.config.mail.no_checkers == Switch::On) else {
            return;
        };
        let body = match verdict {
            Verdict::Pass => words::succeeded(checker),
            Verdict::Fail(fault) => words::failed(checker, fault),
        };
        self.mail_real(checker.real, if after == Health::Up { "UP" } else { "DOWN" }, &body, out);
    }

    fn mail_real(&self, idx: RealIdx, state: &str, body: &str, out: &mut Vec<Action>) {
        let Stage::Live(live) = &self.stage else { return };
        let Some((real, service)) = live.real(idx).filter(|(real, _)| real.smtp_alert == Switch::On) else { return };
        out.extend(Letter::new(&live.config, &words::about_real(service, real, state), body).map(Action::Compose));
    }

    /// A service has gained or lost its quorum, or begins so: `how` are the words of the log.
    pub(super) fn mail_service(&self, idx: ServiceIdx, quorum: Quorum, how: &str, out: &mut Vec<Action>) {
        let Stage::Live(live) = &self.stage else { return };
        let Some((service, _)) = live.service(idx).filter(|(service, _)| service.smtp_alert == Switch::On) else {
            return;
        };
        let state = if quorum == Quorum::Up { "UP" } else { "DOWN" };
        out.extend(Letter::new(&live.config, &words::about_service(service, state), how).map(Action::Compose));
    }

    /// A mail is written.
    pub(super) fn composed(&mut self, now: Mono, letter: Letter, message: Vec<u8>, out: &mut Vec<Action>) {
        self.mails.waiting.push_back((letter, message));
        if self.mails.waiting.len() > WAITING_LIMIT {
            self.mails.waiting.pop_front();
            self.mails.lost = self.mails.lost.saturating_add(1);
        }
        self.send_mails(now, out);
    }

    pub(super) fn send_mails(&mut self, now: Mono, out: &mut Vec<Action>) {
        while self.mails.sending.len() < SENDING_LIMIT && !self.mails.waiting.is_empty() {
            let server = match self.mail_server(now, out) {
                MailServer::At(server) => server,
                MailServer::Asking => return,
                MailServer::Nowhere => {
                    self.mails.lose_waiting();
                    break;
                }
            };
            let Some(post) = &self.correspondence.current else { return };
            let Some((letter, message)) = self.mails.waiting.pop_front() else { break };
            let mail = &post.mail;
            let helo = mail.helo.as_ref().or(mail.local_name.as_ref()).unwrap_or(&post.router_id);
            let timeout = mail.timeout.max(Duration::from_secs(1));
            let sending =
                Sending { delivery: Delivery::new(helo, &letter, &message), server, timeout, deadline: now + timeout };
            self.last_probe = self.last_probe.wrapping_add(1);
            let probe = ProbeId(self.last_probe);
            self.mails.sending.insert(probe, sending);
            let route = Route { transport: Transport::Tcp, target: server, bind: None, bind_if: None, marked: None };
            out.push(Action::Connect { probe, route });
        }
        if self.mails.waiting.is_empty() && self.mails.lost > 0 {
            let text = format!("{} mails were lost: more than {WAITING_LIMIT} waited", self.mails.lost);
            out.push(Action::Log(Line::new(Level::Warning, text)));
            self.mails.lost = 0;
        }
    }

    /// Something happened on the connection of a mail.
    pub(super) fn mail_event(&mut self, now: Mono, id: ProbeId, what: ProbeEvent, out: &mut Vec<Action>) {
        if self.mails.whereabouts.has(id) {
            return self.name_event(now, what, out);
        }
        let Some(sending) = self.mails.sending.get_mut(&id) else { return };
        let next = match what {
            ProbeEvent::Connected => Next::Wait,
            ProbeEvent::Bytes(bytes) => sending.delivery.feed(&bytes),
            ProbeEvent::Refused => Next::Lost(String::from("the connection was refused")),
            ProbeEvent::NotTried(why) | ProbeEvent::NotSecured(why) => Next::Lost(why),
            ProbeEvent::Closed | ProbeEvent::Broken | ProbeEvent::Truncated => {
                Next::Lost(String::from("the connection broke"))
            }
            ProbeEvent::Opened | ProbeEvent::Shown(_) => Next::Wait,
        };
        match next {
            // One byte at a time does not renew the time of a step.
            Next::Wait => {}
            Next::Say(bytes) => {
                sending.deadline = now + sending.timeout;
                out.push(Action::Send { probe: id, bytes });
            }
            Next::Delivered(bytes) => {
                out.push(Action::Send { probe: id, bytes });
                out.push(Action::Log(Line::new(Level::Info, "SMTP alert successfully sent.")));
                self.mail_over(now, id, out);
            }
            Next::Lost(why) => self.mail_lost(now, id, &why, out),
        }
    }

    /// Those whose time is over.
    pub(super) fn mails_due(&mut self, now: Mono, out: &mut Vec<Action>) {
        let due: Vec<ProbeId> =
            self.mails.sending.iter().filter(|(_, sending)| sending.deadline <= now).map(|(id, _)| *id).collect();
        for id in due {
            self.mail_lost(now, id, "it did not answer in time", out);
        }
        if self.mails.whereabouts.deadline().is_some_and(|deadline| deadline <= now) {
            self.ask_another(now, out);
        }
    }

    fn mail_lost(&mut self, now: Mono, id: ProbeId, why: &str, out: &mut Vec<Action>) {
        if let Some(sending) = self.mails.sending.get(&id) {
            let text = format!("SMTP alert is lost: smtp_server {}: {why}", sending.server);
            out.push(Action::Log(Line::new(Level::Warning, text)));
        }
        self.mail_over(now, id, out);
    }

    fn mail_over(&mut self, now: Mono, id: ProbeId, out: &mut Vec<Action>) {
        if self.mails.sending.remove(&id).is_some() {
            out.push(Action::Close(id));
        }
        self.send_mails(now, out);
    }

    /// Gives everything up.
    pub(super) fn drop_mails(&mut self, out: &mut Vec<Action>) {
        let mut mails = core::mem::take(&mut self.mails);
        for id in mails.sending.into_keys().chain(mails.whereabouts.give_up()) {
            out.push(Action::Close(id));
        }
    }
}
