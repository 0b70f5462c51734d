//! What the kernel said, cut into facts. Total on any bytes: what cannot be read becomes [`Fact::Unreadable`].

use super::paths::{self, PathFact};
use super::{Bus, Errno, genl, ipvs, route};
use crate::observed::{AddrFact, AddrKey, Counts, DaemonFact, DestFact, LinkFact, ServiceFact, Timeouts};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ipc::msg::vips::Forwarding;
use netlink_packet_core::{
    NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN, NlasIterator,
};

/// Length of a netlink header.
const HEADER: usize = 16;
/// NLMSGERR_ATTR_MSG: why a request was refused, as text.
const ERROR_TEXT: u16 = 1;

/// One thing the kernel said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// An interface is there, with these properties.
    LinkSeen(LinkFact, Heard),
    /// An interface is gone.
    LinkGone {
        /// Its kernel index.
        ifindex: u32,
    },
    /// Whether IPv6 packets are forwarded from an interface has changed.
    ForwardingIs {
        /// Its kernel index.
        ifindex: u32,
        /// Whether.
        forwarding: Forwarding,
    },
    /// An address is there.
    AddrSeen(AddrFact, Heard),
    /// An address is gone.
    AddrGone(AddrKey, Heard),
    /// A route of this process or of keepalived, or any rule, is there.
    PathSeen(PathFact, Heard),
    /// It is gone.
    PathGone(PathFact, Heard),
    /// An IPVS service of a dump.
    ServiceSeen {
        /// Sequence number of the dump.
        seq: u32,
        /// The service.
        service: ServiceFact,
        /// What was counted for it.
        counts: Counts,
    },
    /// An IPVS destination of a dump.
    DestSeen {
        /// Sequence number of the dump.
        seq: u32,
        /// The destination.
        dest: DestFact,
        /// What was counted for it.
        counts: Counts,
    },
    /// A daemon that synchronises IPVS connections, of a dump.
    DaemonSeen {
        /// Sequence number of the dump.
        seq: u32,
        /// The daemon.
        daemon: DaemonFact,
    },
    /// The timeouts of IPVS connections.
    TimeoutsAre {
        /// Sequence number of the question.
        seq: u32,
        /// The timeouts, all three.
        timeouts: Timeouts,
    },
    /// The number of a generic netlink family.
    FamilyIs {
        /// Sequence number of the question.
        seq: u32,
        /// The number.
        id: u16,
    },
    /// A request was carried out.
    Acked {
        /// Its sequence number.
        seq: u32,
    },
    /// A request was refused.
    Refused {
        /// Its sequence number.
        seq: u32,
        /// Why.
        errno: Errno,
        /// The kernel's own words, if it has any.
        text: Option<String>,
    },
    /// Something changed while a dump is taken (NLM_F_DUMP_INTR on an entry); its end is still to come.
    DumpTorn {
        /// Its sequence number.
        seq: u32,
    },
    /// A dump ended.
    DumpEnded {
        /// Its sequence number.
        seq: u32,
        /// Whether it is a picture of one moment.
        dump: Dump,
    },
    /// Messages were lost on a socket (ENOBUFS): what was in flight is unknown.
    Lost(Bus),
    /// A message that could not be read. It counts as lost.
    Unreadable {
        /// Where.
        bus: Bus,
        /// What is wrong with it.
        why: String,
    },
}

/// How a fact reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// As an entry of the dump with this sequence number.
    InDump(u32),
    /// As a notification of what our own request with this sequence number did.
    ByOwn(u32),
    /// As a notification of what somebody else did.
    ByOther,
}

/// How a dump ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dump {
    /// It is consistent.
    Whole,
    /// Something changed while it was taken (NLM_F_DUMP_INTR), or the kernel stopped it: it has to be taken again.
    Interrupted,
}

/// Which socket a datagram was received on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// Requests and their answers.
    Command(Bus),
    /// Notifications of NETLINK_ROUTE; requests are sent from the route command socket with this port number, which
    /// the kernel puts into the notifications they cause.
    Monitor {
        /// Port number of the route command socket.
        own_port: u32,
    },
}

/// A netlink header.
struct Header {
    length: usize,
    kind: u16,
    flags: u16,
    seq: u32,
    port: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Header> {
        let header: &[u8; HEADER] = bytes.first_chunk()?;
        let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, p0, p1, p2, p3] = *header;
        Some(Header {
            length: usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?,
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            seq: u32::from_ne_bytes([s0, s1, s2, s3]),
            port: u32::from_ne_bytes([p0, p1, p2, p3]),
        })
    }
}

/// Cuts one received datagram into facts.
pub fn read(socket: Socket, datagram: &[u8], facts: &mut Vec<Fact>) {
    let bus = match socket {
        Socket::Command(bus) => bus,
        Socket::Monitor { .. } => Bus::Route,
    };
    let mut rest = datagram;
    while !rest.is_empty() {
        let header = Header::parse(rest);
        let message = header.and_then(|h| rest.get(HEADER..h.length).map(|payload| (h, payload)));
        let Some((header, payload)) = message else {
            facts.push(Fact::Unreadable { bus, why: "a message is cut off".to_string() });
            return;
        };
        if let Err(why) = message_facts(socket, bus, &header, payload, facts) {
            facts.push(Fact::Unreadable { bus, why });
        }
        let used = header.length.checked_next_multiple_of(4).unwrap_or(usize::MAX);
        rest = rest.get(used..).unwrap_or_default();
    }
}

fn message_facts(
    socket: Socket,
    bus: Bus,
    header: &Header,
    payload: &[u8],
    facts: &mut Vec<Fact>,
) -> Result<(), String> {
    let dump = if header.flags & NLM_F_DUMP_INTR == 0 { Dump::Whole } else { Dump::Interrupted };
    match header.kind {
        NLMSG_NOOP => {}
        NLMSG_OVERRUN => facts.push(Fact::Lost(bus)),
        NLMSG_DONE => {
            // The kernel puts an error of the dump itself here.
            let failed = payload.first_chunk().is_some_and(|code| i32::from_ne_bytes(*code) < 0);
            let dump = if failed { Dump::Interrupted } else { dump };
            facts.push(Fact::DumpEnded { seq: header.seq, dump });
        }
        NLMSG_ERROR => facts.push(error_fact(header, payload)?),
        kind => {
            if dump == Dump::Interrupted {
                facts.push(Fact::DumpTorn { seq: header.seq });
            }
            match bus {
                Bus::Route => {
                    let heard = heard(socket, header);
                    facts.extend(route::fact(kind, payload, heard)?);
                    facts.extend(paths::fact(kind, payload, heard)?);
                }
                Bus::Generic if kind == genl::CONTROL => {
                    facts.extend(genl::family(payload)?.map(|id| Fact::FamilyIs { seq: header.seq, id }));
                }
                Bus::Generic => facts.extend(ipvs::fact(header.seq, payload)?),
                // Nothing is asked for there.
                Bus::Filter | Bus::Marks => {}
            }
        }
    }
    Ok(())
}

fn heard(socket: Socket, header: &Header) -> Heard {
    match socket {
        Socket::Command(_) => Heard::InDump(header.seq),
        Socket::Monitor { own_port } if own_port == header.port => Heard::ByOwn(header.seq),
        Socket::Monitor { .. } => Heard::ByOther,
    }
}

fn error_fact(header: &Header, payload: &[u8]) -> Result<Fact, String> {
    let code = payload.first_chunk().map(|c| i32::from_ne_bytes(*c)).ok_or("an acknowledgement is cut off")?;
    if code == 0 {
        return Ok(Fact::Acked { seq: header.seq });
    }
    Ok(Fact::Refused { seq: header.seq, errno: Errno(code.saturating_neg()), text: error_text(header, payload) })
}

/// The kernel's explanation, which stands behind the copy of the request (of its header alone when NETLINK_CAP_ACK is set).
fn error_text(header: &Header, payload: &[u8]) -> Option<String> {
    if header.flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let request = payload.get(4..)?;
    let copied = if header.flags & NLM_F_CAPPED != 0 { HEADER } else { Header::parse(request)?.length };
    let attributes = request.get(copied.checked_next_multiple_of(4)?..)?;
    NlasIterator::new(attributes).flatten().find(|a| a.kind() == ERROR_TEXT).map(|a| {
        let text = a.value();
        let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
        String::from_utf8_lossy(text.get(..end).unwrap_or_default()).to_string()
    })
}
