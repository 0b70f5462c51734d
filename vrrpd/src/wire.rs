//! Packets and sockets of a generation: whose packet it is, and what must be listened to.

use crate::active::{Active, Env};
use crate::fsm::instance::State;
use crate::io::{Listen, Way};
use crate::packet::receive::{self, Packet};
use crate::stats::{Malformed, Reject, count};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::vrrp::{Auth, Instance as Conf, Switch, Transport};
use ipc::config::{InstanceIdx, LinkIdx};
use ipc::msg::vips::LinkFacts;
use ipc::net::Family;
use ipc::report::Level;
use ipc::time::Mono;

/// Kernel index of the interface, family, virtual router.
pub type Route = (u32, Family, u8);

/// `log_unknown_vrids`
#[derive(Clone, Copy, Debug, Default)]
pub struct Unknown {
    /// Whether it is asked for.
    pub log: Switch,
    told: Told,
}

/// When packets for no instance were last spoken of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told(Option<Mono>);

impl Told {
    /// Whether it is time to speak of them; if so, it is done.
    fn due(&mut self, now: Mono) -> bool {
        let due = self.0.is_none_or(|told| now.since(told) >= STRAY_LINES);
        if due {
            self.0 = Some(now);
        }
        due
    }
}

/// Time between two lines on unknown virtual routers, and on malformed packets.
const STRAY_LINES: Duration = Duration::from_secs(10);

impl Unknown {
    fn remark(&mut self, ifindex: u32, packet: &Packet<'_>, env: &mut Env<'_>) {
        if self.log == Switch::On && self.told.due(env.now) {
            let text = format!(
                "Advert from {} for virtual_router_id {}, which is not configured on interface {ifindex}",
                packet.header.source,
                packet.vrid()
            );
            env.out.log(Level::Info, text);
        }
    }
}

impl Active {
    /// A packet came in.
    pub fn packet(&mut self, ifindex: u32, bytes: &[u8], env: &mut Env<'_>) {
        let packet = match Packet::parse(bytes) {
            Ok(packet) => packet,
            Err(why) => return self.malformed(ifindex, bytes.len(), why, env),
        };
        let Some(index) = self.receiver(ifindex, &packet) else {
            self.unknown.remark(ifindex, &packet, env);
            self.note_refused(receive::judge_stranger(&packet));
            return count(&mut self.strays.unknown_vrid);
        };
        let Some(instance) = self.instances.at(index) else { return };
        if env.now < env.quiet_until || matches!(instance.state, State::Init | State::Fault) {
            return count(&mut self.strays.not_listening);
        }
        let mut judged = Ok(());
        self.act(index, env, |instance, scene| judged = instance.receive(&packet, scene));
        self.note_refused(judged);
    }

    fn note_refused(&mut self, judged: Result<(), Reject>) {
        let _ = judged.inspect_err(|why| self.errors.refused(*why));
    }

    fn malformed(&mut self, ifindex: u32, len: usize, why: Malformed, env: &mut Env<'_>) {
        self.strays.malformed(why);
        if self.malformed_told.due(env.now) {
            let on = |facts: &LinkFacts| facts.ifindex == ifindex;
            let name =
                self.links.rows().find(|(_, link)| link.facts().is_some_and(on)).map_or("?", |(_, link)| &link.name);
            let text = format!("a packet of {len} bytes on interface {name} is dropped: {}", why.text());
            env.out.log(Level::Warning, text);
        }
    }

    /// Whose packet it is: of several instances with that number on that interface, the one that hears this destination.
    fn receiver(&self, ifindex: u32, packet: &Packet<'_>) -> Option<InstanceIdx> {
        let destination = packet.header.destination;
        let candidates = self.routes.get(&(ifindex, packet.header.family(), packet.vrid()))?;
        let hears = |index: &&InstanceIdx| match self.instances.at(**index).map(|instance| &instance.conf.transport) {
            Some(Transport::Multicast { group }) => *group == destination,
            Some(Transport::Unicast { .. }) => !destination.is_multicast(),
            None => false,
        };
        candidates.iter().find(hears).or(candidates.first()).copied()
    }

    /// Works out which interface and virtual router belong to which instance.
    pub fn route(&mut self) {
        self.routes.clear();
        for (index, instance) in self.instances.iter() {
            if let Some(facts) = self.links.facts(instance.speaks_on()) {
                let route = (facts.ifindex, instance.conf.family, instance.conf.vrid);
                self.routes.entry(route).or_default().push(index);
            }
        }
    }

    /// The sockets that the instances need.
    pub fn listen(&self) -> Vec<Listen> {
        let mut wanted: BTreeMap<LinkIdx, BTreeMap<Way, BTreeSet<IpAddr>>> = BTreeMap::new();
        for instance in self.instances.rows() {
            let conf = &instance.conf;
            let groups = wanted.entry(instance.speaks_on()).or_default().entry(way(conf)).or_default();
            if let Transport::Multicast { group } = conf.transport {
                groups.insert(group);
            }
            for vip in conf.vips.iter().chain(&conf.excluded) {
                wanted.entry(vip.link).or_default();
            }
        }
        let listen = |(link, ways): (LinkIdx, BTreeMap<Way, BTreeSet<IpAddr>>)| {
            let facts = self.links.facts(link)?;
            let ways = ways.into_iter().map(|(way, groups)| (way, groups.into_iter().collect())).collect();
            Some(Listen { ifindex: facts.ifindex, name: facts.name.clone(), ways })
        };
        let mut list: Vec<Listen> = wanted.into_iter().filter_map(listen).collect();
        list.sort_unstable();
        list
    }
}

fn way(conf: &Conf) -> Way {
    match (conf.family, &conf.auth) {
        (Family::V6, _) => Way::V6,
        (Family::V4, Auth::Ah(_)) => Way::Ah,
        (Family::V4, Auth::None | Auth::Pass(_)) => Way::V4,
    }
}
