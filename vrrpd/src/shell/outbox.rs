//! The actions of one turn, gathered so that each kind costs as few system calls as possible, and carried out in the order of
//! their urgency: adverts, gratuitous ARP, ipvsd, scripts, log, supervisor.
//!
//! Within a kind the order of the core is kept. Between kinds it is kept where it means something: an advert precedes the message
//! to ipvsd that it belongs to, and `Activated` or `Stopped` comes last.

use super::sender::Packet;
use ipc::msg::control::{Run, Up};
use ipc::msg::vips::VrrpToIpvs;
use ipc::report::Line;
use std::collections::BTreeMap;
use vrrpd::io::{Action, Listen};

/// By interface index: adverts, frames.
pub type Packets = BTreeMap<u32, (Vec<Packet>, Vec<Packet>)>;

/// What is to be done at the end of the turn.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Only the last counts.
    pub listen: Option<Vec<Listen>>,
    /// What is sent.
    pub packets: Packets,
    /// For ipvsd, one frame.
    pub ipvs: Vec<VrrpToIpvs>,
    /// For the supervisor, one frame.
    pub runs: Vec<Run>,
    /// Log lines.
    pub lines: Vec<Line>,
    /// For the supervisor, one frame each.
    pub ups: Vec<Up>,
    /// Texts of dumps, for the files in the order in which they came.
    pub dumps: Vec<String>,
}

impl Outbox {
    /// Sorts actions in; `actions` is empty afterwards.
    pub fn take(&mut self, actions: &mut Vec<Action>) {
        for action in actions.drain(..) {
            match action {
                Action::Listen(listen) => self.listen = Some(listen),
                Action::Transmit { ifindex, destination, bytes } => {
                    self.packets.entry(ifindex).or_default().0.push(Packet { destination: Some(destination), bytes });
                }
                Action::Announce { ifindex, frame } => {
                    self.packets.entry(ifindex).or_default().1.push(Packet { destination: None, bytes: frame });
                }
                Action::ToIpvs(message) => self.ipvs.push(message),
                Action::Run(run) => self.runs.push(run),
                Action::Log(line) => self.lines.push(line),
                Action::Up(up) => self.ups.push(up),
                Action::Dump(text) => self.dumps.push(text),
            }
        }
    }
}
