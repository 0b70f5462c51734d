//! The actions of one step, sorted by urgency: what the network waits for first, and each kind together, so that the shell
//! can send all adverts with one system call and all messages to ipvsd in one frame.

use crate::io::{Action, BfdPeer, Listen};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::Generation;
use ipc::config::vrrp::Switch;
use ipc::msg::control::{News, Run, Up};
use ipc::msg::sessions::VrrpToCheck;
use ipc::msg::vips::VrrpToIpvs;
use ipc::report::{Level, Line};

/// Collects actions; [`Effects::flush`] puts them in order.
#[derive(Debug, Default)]
pub struct Effects {
    listen: Vec<Action>,
    adverts: Vec<Action>,
    bfd: Vec<Action>,
    ipvs: Vec<Action>,
    announcements: Vec<Action>,
    runs: Vec<Action>,
    lines: Vec<Action>,
    up: Vec<Action>,
    /// Whether anybody but scripts is told of changes.
    pub news: Switch,
}

impl Effects {
    /// These sockets shall be open.
    pub fn listen(&mut self, wanted: Vec<Listen>) {
        self.listen.push(Action::Listen(wanted));
    }

    /// Send an advert.
    pub fn transmit(&mut self, ifindex: u32, destination: IpAddr, bytes: Vec<u8>) {
        self.adverts.push(Action::Transmit { ifindex, destination, bytes });
    }

    /// These neighbours are spoken to by BFD.
    pub fn bfd_listen(&mut self, wanted: Vec<BfdPeer>) {
        self.listen.push(Action::BfdListen(wanted));
    }

    /// Send a BFD packet.
    pub fn bfd(&mut self, peer: BfdPeer, bytes: Vec<u8>) {
        self.bfd.push(Action::Bfd { peer, bytes });
    }

    /// Tell ipvsd.
    pub fn ipvs(&mut self, message: VrrpToIpvs) {
        self.ipvs.push(Action::ToIpvs(message));
    }

    /// Tell checkd.
    pub fn check(&mut self, message: VrrpToCheck) {
        self.ipvs.push(Action::ToCheck(message));
    }

    /// Send a frame.
    pub fn announce(&mut self, ifindex: u32, frame: Vec<u8>) {
        self.announcements.push(Action::Announce { ifindex, frame });
    }

    /// Run a command.
    pub fn run(&mut self, run: Run) {
        self.runs.push(Action::Run(run));
    }

    /// Run a command of the generation that is being left.
    pub fn run_of_left(&mut self, left: Generation, run: Run) {
        self.runs.push(Action::RunOfLeft { left, run });
    }

    /// Tell those who listen, if anybody does.
    pub fn tell(&mut self, news: News) {
        if self.news == Switch::On {
            self.runs.push(Action::Tell(news));
        }
    }

    /// The same of the generation that is being left.
    pub fn tell_of_left(&mut self, left: Generation, news: News) {
        if self.news == Switch::On {
            self.runs.push(Action::TellOfLeft { left, news });
        }
    }

    /// Log a line.
    pub fn log(&mut self, level: Level, text: impl Into<String>) {
        self.lines.push(Action::Log(Line::new(level, text)));
    }

    /// Tell the supervisor. Comes after everything else, so that it is true when it is said.
    pub fn up(&mut self, message: Up) {
        self.up.push(Action::Up(message));
    }

    /// The text of a dump.
    pub fn dump(&mut self, text: String) {
        self.up.push(Action::Dump(text));
    }

    /// Appends everything to `out` in order and forgets it; the room stays for the next step.
    pub fn flush(&mut self, out: &mut Vec<Action>) {
        for kind in [
            &mut self.listen,
            &mut self.adverts,
            &mut self.bfd,
            &mut self.ipvs,
            &mut self.announcements,
            &mut self.runs,
            &mut self.lines,
            &mut self.up,
        ] {
            out.append(kind);
        }
    }
}
