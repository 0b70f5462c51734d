//! Where the mail server is: an address, or a name whose address is looked up when mails wait for it.

use super::mails::Mails;
use super::{Action, Engine, ProbeEvent, ProbeId, Route, Transport};
use crate::alert::lookup::{BELIEVED, Heard, Lookup, PATIENCE};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use ipc::report::{Level, Line};
use ipc::time::Mono;

/// What is known of the names of mail servers.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    /// The address of a name, and until when that is believed.
    known: Option<(String, IpAddr, Mono)>,
    looking: Option<Looking>,
}

#[derive(Debug)]
struct Looking {
    name: String,
    lookup: Lookup,
    probe: ProbeId,
    /// What is asked as soon as there is a socket.
    question: Vec<u8>,
    deadline: Mono,
}

/// Where it is.
pub(super) enum MailServer {
    /// There.
    At(SocketAddr),
    /// Somebody is being asked.
    Asking,
    /// There is none, or it is not found.
    Nowhere,
}

impl Whereabouts {
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.looking.as_ref().map(|looking| looking.deadline)
    }

    /// Whose connection this is.
    pub(super) fn has(&self, id: ProbeId) -> bool {
        self.looking.as_ref().is_some_and(|looking| looking.probe == id)
    }

    /// Gives up; the connection is to be closed.
    pub(super) fn give_up(&mut self) -> Option<ProbeId> {
        self.looking.take().map(|looking| looking.probe)
    }
}

impl Engine {
    /// Where the server is; begins to ask if that is not known.
    pub(super) fn mail_server(&mut self, now: Mono, out: &mut Vec<Action>) -> MailServer {
        let Some(post) = &self.correspondence.current else { return MailServer::Nowhere };
        if let Some(server) = post.mail.server {
            return MailServer::At(server);
        }
        let Some((name, port)) = post.mail.server_name.clone() else { return MailServer::Nowhere };
        if self.mails.whereabouts.looking.is_some() {
            return MailServer::Asking;
        }
        match &self.mails.whereabouts.known {
            Some((known, address, until)) if *known == name && now < *until => {
                return MailServer::At(SocketAddr::new(*address, port));
            }
            _ => {}
        }
        let lookup = Lookup::new(&name, &post.mail.resolvers, &post.mail.search);
        self.ask_next(now, name, lookup, out);
        if self.mails.whereabouts.looking.is_some() { MailServer::Asking } else { MailServer::Nowhere }
    }

    /// Asks the next question, or gives up, with all mails that wait.
    fn ask_next(&mut self, now: Mono, name: String, mut lookup: Lookup, out: &mut Vec<Action>) {
        let [a, b, ..] = self.chance.next().to_le_bytes();
        let Some((server, question)) = lookup.next(u16::from_le_bytes([a, b])) else {
            let lost = self.mails.lose_waiting();
            let text = format!("{lost} SMTP alerts are lost: the address of smtp_server {name} is not found");
            out.push(Action::Log(Line::new(Level::Warning, text)));
            return;
        };
        self.last_probe = self.last_probe.wrapping_add(1);
        let probe = ProbeId(self.last_probe);
        let route = Route { transport: Transport::Udp, target: server, bind: None, bind_if: None, marked: None };
        out.push(Action::Connect { probe, route });
        self.mails.whereabouts.looking = Some(Looking { name, lookup, probe, question, deadline: now + PATIENCE });
    }

    /// Something happened on the way to a name server.
    pub(super) fn name_event(&mut self, now: Mono, what: ProbeEvent, out: &mut Vec<Action>) {
        let Mails { whereabouts, .. } = &mut self.mails;
        let Some(looking) = &mut whereabouts.looking else { return };
        let heard = match what {
            ProbeEvent::Connected => {
                let bytes = core::mem::take(&mut looking.question);
                out.push(Action::Send { probe: looking.probe, bytes });
                Heard::Nothing
            }
            ProbeEvent::Bytes(bytes) => looking.lookup.hear(&bytes),
            ProbeEvent::Opened | ProbeEvent::Shown(_) => Heard::Nothing,
            ProbeEvent::Refused
            | ProbeEvent::NotTried(_)
            | ProbeEvent::NotSecured(_)
            | ProbeEvent::Closed
            | ProbeEvent::Broken
            | ProbeEvent::Truncated => Heard::Not,
        };
        match heard {
            Heard::Nothing => {}
            Heard::Not => self.ask_another(now, out),
            Heard::Address(address) => {
                if let Some(looking) = whereabouts.looking.take() {
                    out.push(Action::Close(looking.probe));
                    whereabouts.known = Some((looking.name, address, now + BELIEVED));
                }
                self.send_mails(now, out);
            }
        }
    }

    /// The question that was asked brings nothing.
    pub(super) fn ask_another(&mut self, now: Mono, out: &mut Vec<Action>) {
        if let Some(Looking { name, lookup, probe, .. }) = self.mails.whereabouts.looking.take() {
            out.push(Action::Close(probe));
            self.ask_next(now, name, lookup, out);
        }
    }
}
