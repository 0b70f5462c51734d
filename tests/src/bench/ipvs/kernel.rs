//! What the kernel's IPVS holds, asked in a way that costs little: whoever looks at ten thousand destinations a hundred times a second
//! measures himself.

use super::stage::EACH;
use crate::failure::{Context, Failure, Outcome};
use crate::netns::Netns;
use ipc::config::ipvs::ServiceKey;
use ipvsd::netlink::batch::{Batch, Kind};
use ipvsd::netlink::ipvs::{FAMILY, request};
use ipvsd::netlink::paths::Request;
use ipvsd::netlink::reply::{self, Fact};
use ipvsd::netlink::{Bus, genl};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send, socket,
};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// The sequence number of every question: one is asked at a time.
const SEQ: u32 = 1;

/// The IPVS of a namespace.
#[derive(Debug)]
pub struct Kernel {
    socket: OwnedFd,
    family: u16,
}

/// So many destinations, all of this weight, and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How many.
    pub count: usize,
    /// Of which weight.
    pub weight: u32,
}

impl Wanted {
    fn is(self, weights: &[u32]) -> bool {
        weights.len() == self.count && weights.iter().all(|weight| *weight == self.weight)
    }
}

impl Kernel {
    /// Opens a socket of its own in a namespace.
    pub fn open(netns: &Netns) -> Outcome<Kernel> {
        let socket =
            netns.enter(|| socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, GENERIC))??;
        connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        let mut kernel = Kernel { socket, family: 0 };
        let mut batch = Batch::new(Bus::Generic);
        batch.push_request(SEQ, Kind::Ask, &genl::ask(FAMILY));
        let family = kernel.ask(&batch)?.into_iter().find_map(|fact| match fact {
            Fact::FamilyIs { id, .. } => Some(id),
            _ => None,
        });
        kernel.family = family.context(|| "the kernel has no IPVS".into())?;
        Ok(kernel)
    }

    /// Whether the table is as wanted. The last virtual server is looked at first: daemons go by the order of their file, and as long as
    /// that one is not done the others need not be asked for.
    pub fn is(&self, netns: &Netns, last: &ServiceKey, wanted: Wanted) -> Outcome<bool> {
        let of_last = Wanted { count: wanted.count.min(usize::try_from(EACH)?), ..wanted };
        Ok(of_last.is(&self.weights_of(last)?) && wanted.is(&weights(netns)?))
    }

    /// Makes these changes, which were written before, in as few calls as there can be; says how long the kernel took.
    pub fn change(&self, requests: impl Iterator<Item = Request>) -> Outcome<Duration> {
        let mut requests: Vec<Request> = requests.collect();
        let last = requests.pop().context(|| "there is nothing to change".into())?;
        let mut batch = Batch::new(Bus::Generic);
        requests.iter().for_each(|request| batch.push_request(SEQ, Kind::Quiet, request));
        batch.push_request(SEQ, Kind::Change, &last);
        let began = Instant::now();
        match self.ask(&batch)?.as_slice() {
            [Fact::Acked { .. }] => Ok(began.elapsed()),
            other => Err(Failure::new(format!("the kernel did not make the changes: {other:?}"))),
        }
    }

    /// Number of the family, for requests.
    pub fn family(&self) -> u16 {
        self.family
    }

    /// The weights of the destinations of a service; none if it is not there.
    fn weights_of(&self, key: &ServiceKey) -> Outcome<Vec<u32>> {
        let mut batch = Batch::new(Bus::Generic);
        batch.push_request(SEQ, Kind::Dump, &request::dump_dests(self.family, key));
        let facts = self.ask(&batch)?.into_iter();
        Ok(facts
            .filter_map(|fact| if let Fact::DestSeen { dest, .. } = fact { Some(dest.weight) } else { None })
            .collect())
    }

    /// Asks, and takes what comes until the answer is whole.
    fn ask(&self, batch: &Batch) -> Outcome<Vec<Fact>> {
        for write in &batch.writes {
            send(self.socket.as_raw_fd(), write, MsgFlags::empty())?;
        }
        let (mut facts, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let length = recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            reply::read(reply::Socket::Command(Bus::Generic), &buffer[..length], &mut facts);
            match facts.last() {
                Some(Fact::DumpEnded { .. } | Fact::Acked { .. } | Fact::Refused { .. }) => return Ok(facts),
                Some(Fact::Unreadable { why, .. }) => return Err(Failure::new(why.clone())),
                _ => {}
            }
        }
    }
}

const GENERIC: Option<SockProtocol> = Some(SockProtocol::NetlinkGeneric);

/// The weights of all destinations.
pub fn weights(netns: &Netns) -> Outcome<Vec<u32>> {
    let text = netns.enter(|| fs::read_to_string("/proc/thread-self/net/ip_vs"))??;
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("->"));
    // Address, method, weight, connections.
    Ok(lines.filter_map(|line| line.split_whitespace().nth(2)?.parse().ok()).collect())
}
