//! The actions of one turn, gathered so that each kind costs as few system calls as possible, and carried out in the order of
//! their urgency: adverts, gratuitous ARP, BFD, ipvsd, scripts, supervisor; log lines and further copies of a gratuitous ARP may come
//! later ([`super::later`]).
//!
//! Within a kind the order of the core is kept. Between kinds it is kept where it means something: an advert precedes the message
//! to ipvsd that it belongs to, and `Activated` or `Stopped` comes last.

use super::sender::Packet;
use ipc::config::Generation;
use ipc::msg::control::{FromVrrp, Up};
use ipc::msg::sessions::VrrpToCheck;
use ipc::msg::vips::{Presence, VrrpToIpvs};
use ipc::report::Line;
use std::collections::{BTreeMap, HashSet};
use vrrpd::io::{Action, BfdPeer, Listen};

/// By interface index: adverts, frames.
pub type Packets = BTreeMap<u32, (Vec<Packet>, Vec<Packet>)>;

/// What is to be done at the end of the turn.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Only the last counts.
    pub listen: Option<Vec<Listen>>,
    /// Only the last counts.
    pub bfd_listen: Option<Vec<BfdPeer>>,
    /// BFD packets, in order.
    pub bfd: Vec<(BfdPeer, Vec<u8>)>,
    /// What is sent.
    pub packets: Packets,
    /// Frames that are in `packets` already, again.
    pub copies: BTreeMap<u32, Vec<Packet>>,
    /// The frames in `packets`.
    announced: HashSet<(u32, Vec<u8>)>,
    /// For checkd, one frame.
    pub check: Vec<VrrpToCheck>,
    /// For ipvsd, one frame.
    pub ipvs: Vec<VrrpToIpvs>,
    /// For the supervisor: commands and news of the generation that is being left.
    pub last_words: Vec<(Generation, FromVrrp)>,
    /// For the supervisor: commands and news, one frame.
    pub words: Vec<FromVrrp>,
    /// Log lines.
    pub lines: Vec<Line>,
    /// For the supervisor, one frame each.
    pub ups: Vec<Up>,
    /// Texts of dumps, for the files in the order in which they came.
    pub dumps: Vec<String>,
}

impl Outbox {
    fn announce(&mut self, ifindex: u32, frame: Vec<u8>) {
        let packet = Packet { destination: None, bytes: frame.clone() };
        if self.announced.insert((ifindex, frame)) {
            self.packets.entry(ifindex).or_default().1.push(packet);
        } else {
            self.copies.entry(ifindex).or_default().push(packet);
        }
    }

    /// Takes what is sent now.
    pub fn take_packets(&mut self) -> Packets {
        self.announced.clear();
        core::mem::take(&mut self.packets)
    }

    /// Whether an instance gives its addresses up.
    pub fn releases(&self) -> bool {
        self.ipvs.iter().any(|message| matches!(message, VrrpToIpvs::SetVips { want: Presence::Absent, .. }))
    }

    /// Sorts actions in; `actions` is empty afterwards.
    pub fn take(&mut self, actions: &mut Vec<Action>) {
        for action in actions.drain(..) {
            match action {
                Action::Listen(listen) => self.listen = Some(listen),
                Action::Transmit { ifindex, destination, bytes } => {
                    self.packets.entry(ifindex).or_default().0.push(Packet { destination: Some(destination), bytes });
                }
                Action::Announce { ifindex, frame } => {
                    self.announce(ifindex, frame);
                }
                Action::BfdListen(wanted) => self.bfd_listen = Some(wanted),
                Action::Bfd { peer, bytes } => self.bfd.push((peer, bytes)),
                Action::ToCheck(message) => self.check.push(message),
                Action::ToIpvs(message) => self.ipvs.push(message),
                Action::Run(run) => self.words.push(FromVrrp::Run(run)),
                Action::RunOfLeft { left, run } => self.last_words.push((left, FromVrrp::Run(run))),
                Action::Tell(news) => self.words.push(FromVrrp::Tell(news)),
                Action::TellOfLeft { left, news } => self.last_words.push((left, FromVrrp::Tell(news))),
                Action::Log(line) => self.lines.push(line),
                Action::Up(up) => self.ups.push(up),
                Action::Dump(text) => self.dumps.push(text),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_copies_are_set_apart() {
        let announce = |byte| Action::Announce { ifindex: 3, frame: vec![byte] };
        let mut outbox = Outbox::default();
        outbox.take(&mut vec![announce(1), announce(2), announce(1), announce(2), announce(7)]);
        let bytes = |packets: &[Packet]| packets.iter().map(|p| p.bytes[0]).collect::<Vec<u8>>();
        assert_eq!(bytes(&outbox.copies[&3]), [1, 2]);
        assert_eq!(bytes(&outbox.take_packets()[&3].1), [1, 2, 7]);
        // In another turn it is a first copy again.
        outbox.take(&mut vec![announce(1)]);
        assert_eq!(bytes(&outbox.take_packets()[&3].1), [1]);
    }
}
