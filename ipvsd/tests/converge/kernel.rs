//! A kernel in memory: takes the bytes of requests, keeps links, addresses and IPVS, answers with facts. It can refuse, lose
//! answers, tear dumps, and be changed behind the reconciler's back.

use ipc::config::ipvs::ServiceKey;
use ipc::net::Mac;
use ipvsd::netlink::batch::Batch;
use ipvsd::netlink::ipvs::{Attribute, Command, Message, dest, service};
use ipvsd::netlink::reply::{Dump, Fact, Heard, Socket, read};
use ipvsd::netlink::{Bus, Errno};
use ipvsd::observed::{AddrFact, AddrKey, Counts, DestFact, LinkFact, ServiceFact};
use netlink_packet_core::{NLM_F_ACK, ParseableParametrized};
use netlink_packet_generic::GenlMessage;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

const FAMILY: u16 = 0x22;
const CONTROL: u16 = 16;
const GETLINK: u16 = 18;
const NEWADDR: u16 = 20;
const DELADDR: u16 = 21;
const GETADDR: u16 = 22;
const EEXIST: i32 = 17;
const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const ENODEV: i32 = 19;
const EADDRNOTAVAIL: i32 = 99;
const EINVAL: i32 = 22;

/// Whether the kernel has something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Has {
    #[default]
    Yes,
    No,
}

/// The destinations of a service.
pub type Dests = BTreeMap<(IpAddr, u16), DestFact>;

#[derive(Debug, Default)]
pub struct Kernel {
    pub links: BTreeMap<u32, String>,
    pub addrs: BTreeSet<AddrKey>,
    pub services: BTreeMap<ServiceKey, (ServiceFact, Dests)>,
    pub ipvs: Has,
    /// How often the module was loaded anew; each time the family gets another number.
    pub reloaded: u16,
    /// What requests have named, whether or not they were carried out.
    pub touched_addrs: BTreeSet<(IpAddr, u8)>,
    pub touched_services: BTreeSet<ServiceKey>,
    /// How many of the next changes are refused.
    pub refuse: u32,
    /// How many of the next batches are carried out without an answer.
    pub lose: u32,
    /// How many of the next dumps are torn.
    pub tear: u32,
    /// Notifications that were not read yet.
    pub news: Vec<Fact>,
}

impl Kernel {
    fn link(&self, ifindex: u32) -> Option<LinkFact> {
        let name = self.links.get(&ifindex)?.clone();
        Some(LinkFact {
            ifindex,
            name,
            flags: 0x1043,
            kind: 1,
            mac: Mac([2, 0, 0, 0, 0, 1]),
            mtu: 1500,
            ..LinkFact::default()
        })
    }

    pub fn plug(&mut self, ifindex: u32, name: &str) {
        self.links.insert(ifindex, name.to_owned());
        let link = self.link(ifindex);
        self.news.extend(link.map(|l| Fact::LinkSeen(l, Heard::ByOther)));
    }

    pub fn unplug(&mut self, ifindex: u32) {
        let gone: Vec<AddrKey> = self.addrs.iter().filter(|k| k.ifindex == ifindex).copied().collect();
        for key in gone {
            self.remove_behind(&key);
        }
        if self.links.remove(&ifindex).is_some() {
            self.news.push(Fact::LinkGone { ifindex });
        }
    }

    pub fn add_behind(&mut self, key: AddrKey) {
        if self.links.contains_key(&key.ifindex) && self.addrs.insert(key) {
            self.news.push(Fact::AddrSeen(AddrFact { key, scope: 0, owner: 0, peer: None }, Heard::ByOther));
        }
    }

    pub fn remove_behind(&mut self, key: &AddrKey) {
        if self.addrs.remove(key) {
            self.news.push(Fact::AddrGone(*key, Heard::ByOther));
        }
    }

    /// Carries a batch out and gives the answers.
    pub fn take(&mut self, batch: &Batch) -> Vec<Fact> {
        let mut facts = Vec::new();
        for write in &batch.writes {
            let mut rest = write.as_slice();
            while let Some((message, next)) = split(rest) {
                self.request(batch.bus, message, &mut facts);
                rest = next;
            }
        }
        if self.lose > 0 {
            self.lose -= 1;
            // What was lost on the command socket; the notifications went astray too.
            self.news
                .retain(|fact| !matches!(fact, Fact::AddrSeen(_, Heard::ByOther) | Fact::AddrGone(_, Heard::ByOther)));
            return vec![Fact::Lost(batch.bus), Fact::Lost(Bus::Route)];
        }
        facts
    }

    fn request(&mut self, bus: Bus, message: &[u8], facts: &mut Vec<Fact>) {
        let kind = u16::from_ne_bytes([message[4], message[5]]);
        let seq = u32::from_ne_bytes([message[8], message[9], message[10], message[11]]);
        match (bus, kind) {
            (Bus::Route, GETLINK) => {
                let all: Vec<u32> = self.links.keys().copied().collect();
                facts.extend(
                    all.into_iter().filter_map(|i| self.link(i)).map(|l| Fact::LinkSeen(l, Heard::InDump(seq))),
                );
                self.end_dump(seq, facts);
            }
            (Bus::Route, GETADDR) => {
                let seen = |key: &AddrKey| {
                    Fact::AddrSeen(AddrFact { key: *key, scope: 0, owner: 0, peer: None }, Heard::InDump(seq))
                };
                facts.extend(self.addrs.iter().map(seen));
                self.end_dump(seq, facts);
            }
            (Bus::Route, NEWADDR | DELADDR) => {
                let result = self.address(kind, seq, message);
                let flags = u16::from_ne_bytes([message[6], message[7]]);
                if result.is_err() || flags & NLM_F_ACK != 0 {
                    facts.push(answer(seq, result));
                }
            }
            (Bus::Generic, CONTROL) => facts.push(match self.ipvs {
                Has::Yes => Fact::FamilyIs { seq, id: FAMILY + self.reloaded },
                Has::No => answer(seq, Err(ENOENT)),
            }),
            (Bus::Generic, kind) if kind == FAMILY + self.reloaded => {
                let flags = u16::from_ne_bytes([message[6], message[7]]);
                let before = facts.len();
                self.ipvs(seq, &message[16..], facts);
                if flags & NLM_F_ACK == 0 && matches!(facts.get(before..), Some([Fact::Acked { .. }])) {
                    facts.truncate(before);
                }
            }
            (Bus::Generic, _) => facts.push(answer(seq, Err(ENOENT))),
            other => panic!("a request of an unknown kind: {other:?}"),
        }
    }

    /// How many of the last entries of IPVS the next dump leaves out.
    fn lacking(&self) -> usize {
        usize::from(self.tear > 0)
    }

    fn end_dump(&mut self, seq: u32, facts: &mut Vec<Fact>) {
        let dump = if self.tear > 0 { Dump::Interrupted } else { Dump::Whole };
        self.tear = self.tear.saturating_sub(1);
        facts.push(Fact::DumpEnded { seq, dump });
    }

    /// The module is unloaded, with everything in it, and loaded again.
    pub fn reload_ipvs(&mut self) {
        self.services.clear();
        self.reloaded += 1;
    }

    fn refused(&mut self) -> Result<(), i32> {
        if self.refuse == 0 {
            return Ok(());
        }
        self.refuse -= 1;
        Err(EINVAL)
    }

    fn address(&mut self, kind: u16, seq: u32, message: &[u8]) -> Result<(), i32> {
        let mut read_back = Vec::new();
        read(Socket::Command(Bus::Route), message, &mut read_back);
        let key = match read_back.as_slice() {
            [Fact::AddrSeen(fact, _)] => fact.key,
            [Fact::AddrGone(key, _)] => *key,
            other => panic!("not an address: {other:?}"),
        };
        self.touched_addrs.insert((key.addr, key.len));
        self.refused()?;
        if !self.links.contains_key(&key.ifindex) {
            return Err(ENODEV);
        }
        if kind == NEWADDR {
            if !self.addrs.insert(key) {
                return Err(EEXIST);
            }
            self.news.push(Fact::AddrSeen(AddrFact { key, scope: 0, owner: 18, peer: None }, Heard::ByOwn(seq)));
        } else {
            if !self.addrs.remove(&key) {
                return Err(EADDRNOTAVAIL);
            }
            self.news.push(Fact::AddrGone(key, Heard::ByOwn(seq)));
        }
        Ok(())
    }

    fn ipvs(&mut self, seq: u32, payload: &[u8], facts: &mut Vec<Fact>) {
        let message = GenlMessage::<Message>::parse_with_param(payload, FAMILY).expect("a request of ours").payload;
        let attributes = |wanted: &dyn Fn(&Attribute) -> bool| message.attributes.iter().find(|a| wanted(a)).cloned();
        let about = match attributes(&|a| matches!(a, Attribute::Service(_))) {
            Some(Attribute::Service(attributes)) => service::fact(&attributes),
            _ => None,
        };
        let dest_fact = match attributes(&|a| matches!(a, Attribute::Dest(_))) {
            Some(Attribute::Dest(attributes)) => dest::fact(&attributes),
            _ => None,
        };
        match (message.command, about, dest_fact) {
            (Command::GetService, None, None) => {
                let seen = self.services.len().saturating_sub(self.lacking());
                facts.extend(self.services.values().take(seen).map(|(s, _)| Fact::ServiceSeen {
                    seq,
                    service: s.clone(),
                    counts: Counts::default(),
                }));
                self.end_dump(seq, facts);
            }
            (Command::GetDest, Some(service), None) => {
                let dests = self.services.get(&service.key).map(|(_, d)| d.values().copied().collect::<Vec<_>>());
                let dests = dests.unwrap_or_default();
                let seen = dests.len().saturating_sub(self.lacking());
                facts.extend(dests.into_iter().take(seen).map(|dest| Fact::DestSeen {
                    seq,
                    dest,
                    counts: Counts::default(),
                }));
                self.end_dump(seq, facts);
            }
            (command, Some(service), dest) => {
                self.touched_services.insert(service.key);
                let result = self.refused().and_then(|()| self.change(command, service, dest));
                facts.push(answer(seq, result));
            }
            other => panic!("a request that is never made: {other:?}"),
        }
    }

    fn change(&mut self, command: Command, service: ServiceFact, dest: Option<DestFact>) -> Result<(), i32> {
        let key = service.key;
        let there = self.services.get_mut(&key);
        match (command, there, dest) {
            (Command::NewService, None, None) => {
                self.services.insert(key, (service, BTreeMap::new()));
            }
            (Command::NewService, Some(_), None) => return Err(EEXIST),
            (Command::SetService, Some((fact, _)), None) => *fact = service,
            (Command::DelService, Some(_), None) => {
                self.services.remove(&key);
            }
            (Command::NewDest, Some((_, dests)), Some(dest)) => {
                if dests.contains_key(&(dest.addr, dest.port)) {
                    return Err(EEXIST);
                }
                dests.insert((dest.addr, dest.port), dest);
            }
            (Command::SetDest, Some((_, dests)), Some(dest)) => {
                *dests.get_mut(&(dest.addr, dest.port)).ok_or(ENOENT)? = dest;
            }
            (Command::DelDest, Some((_, dests)), Some(dest)) => {
                dests.remove(&(dest.addr, dest.port)).ok_or(ENOENT)?;
            }
            (_, None, _) => return Err(ESRCH),
            other => panic!("a request that is never made: {other:?}"),
        }
        Ok(())
    }
}

fn answer(seq: u32, result: Result<(), i32>) -> Fact {
    match result {
        Ok(()) => Fact::Acked { seq },
        Err(errno) => Fact::Refused { seq, errno: Errno(errno), text: None },
    }
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
    bytes.split_at_checked(length)
}
