//! From one generation to the next: what is the same goes on, what is new starts, what is gone says goodbye.
//! COMPAT: keepalived 2.4.3 matches instances by virtual router, family, interface and transport, not by name.

use crate::active::{Active, Group};
use crate::bfd::chance::Chance;
use crate::bfd::sessions;
use crate::effects::Effects;
use crate::fsm::file::File;
use crate::fsm::instance::{Instance, MIN_ADVERT_INT, Scene, State};
use crate::fsm::link::Links;
use crate::fsm::pace::{Paces, Waits};
use crate::fsm::processes::Processes;
use crate::fsm::script::{Script, Verdict};
use crate::fsm::track::{StaticGroup, Statics};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::vrrp::{Instance as Conf, Switch, Transport, VrrpConfig};
use ipc::config::vrrp_track::TrackGroup;
use ipc::config::{Generation, InstanceIdx};
use ipc::msg::vips::Presence;
use ipc::net::Family;
use ipc::report::Level;
use ipc::table::Table;
use ipc::time::Mono;

/// What makes an instance the same instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    vrid: u8,
    family: u8,
    link: String,
    /// The group, or for unicast the configured source.
    multicast: Option<IpAddr>,
    source: Option<IpAddr>,
}

fn key(conf: &Conf, link: &str) -> Key {
    let (multicast, source) = match &conf.transport {
        Transport::Multicast { group } => (Some(*group), None),
        Transport::Unicast { .. } => (None, conf.source),
    };
    let family = match conf.family {
        Family::V4 => 4,
        Family::V6 => 6,
    };
    Key { vrid: conf.vrid, family, link: link.to_string(), multicast, source }
}

/// What is wrong with a configuration, if anything. The compiler made it, so this finds only what must not be trusted.
pub fn check(config: &VrrpConfig) -> Result<(), String> {
    let mut keys = BTreeMap::new();
    for (index, conf) in config.instances.iter() {
        let name = &conf.name;
        let link =
            config.links.at(conf.link).ok_or_else(|| format!("instance {name} names an interface of nothing"))?;
        let tracked = conf.track_links.iter().map(|tracked| tracked.link);
        let addrs = conf.vips.iter().chain(&conf.excluded).map(|vip| vip.link);
        if tracked.chain(addrs).any(|link| !config.links.has(link)) {
            return Err(format!("instance {name} names an interface of nothing"));
        }
        if conf.track_scripts.iter().any(|tracked| !config.track_scripts.has(tracked.script)) {
            return Err(format!("instance {name} names a script of nothing"));
        }
        let options = config.options.at(index);
        if options.is_some_and(|options| options.track_bfds.iter().any(|tracked| !config.bfds.has(tracked.bfd))) {
            return Err(format!("instance {name} names a BFD session of nothing"));
        }
        if conf.group.is_some_and(|group| !config.groups.has(group)) {
            return Err(format!("instance {name} names a group of nothing"));
        }
        if conf.vrid == 0 || conf.priority == 0 || conf.down_timer_adverts == 0 || conf.advert_int < MIN_ADVERT_INT {
            return Err(format!("instance {name} has a number out of range"));
        }
        if let Some(other) = keys.insert(key(conf, &link.name), name) {
            return Err(format!(
                "instances {other} and {name} have the same virtual_router_id {} on interface {}; give them different ones",
                conf.vrid, link.name
            ));
        }
    }
    for options in config.options.rows() {
        if options.track_files.iter().any(|tracked| !config.files.has(tracked.file)) {
            return Err("an instance names a file of nothing".to_string());
        }
        if options.track_processes.iter().any(|tracked| !config.track_processes.has(tracked.process)) {
            return Err("an instance names a process of nothing".to_string());
        }
    }
    for group in config.groups.rows() {
        if group.members.iter().any(|member| !config.instances.has(*member)) {
            return Err(format!("group {} names an instance of nothing", group.name));
        }
    }
    for group in config.track_groups.rows() {
        if group.members.iter().any(|member| !config.instances.has(*member)) {
            return Err(format!("track_group {} names an instance of nothing", group.name));
        }
    }
    Ok(())
}

/// When it happens.
#[derive(Debug)]
pub struct Moment<'a> {
    /// The time.
    pub now: Mono,
    /// End of `vrrp_startup_delay`.
    pub quiet_until: Mono,
    /// Time since 1970.
    pub day: Duration,
    /// Random numbers.
    pub chance: &'a mut Chance,
}

/// Makes `config` the running generation; `old` ends.
pub fn activate(
    generation: Generation,
    config: VrrpConfig,
    old: Option<Active>,
    at: Moment<'_>,
    out: &mut Effects,
) -> Active {
    let Moment { now, quiet_until, day, chance } = at;
    let first = old.is_none();
    let left = old.as_ref().map_or_else(Generation::default, |old| old.generation);
    let (strays, errors) = old.as_ref().map(|old| (old.strays, old.errors)).unwrap_or_default();
    let (mut old_instances, old_links, old_scripts, old_groups, old_files, old_bfds, old_processes, old_statics) =
        match old {
            Some(old) => {
                (by_key(&old), old.links, old.scripts, old.groups, old.files, old.bfds, old.processes, old.statics)
            }
            None => Default::default(),
        };
    let unknown = if first { Verdict::Awaited } else { Verdict::Unknown };
    let links = Links::new(&config, &old_links);
    let scripts = config
        .track_scripts
        .rows()
        .iter()
        .map(|conf| match old_scripts.rows().iter().find(|script| script.conf.name == conf.name) {
            Some(script) => script.reconfigured(conf.clone()),
            None => Script::new(conf.clone(), unknown),
        })
        .collect();
    let files = config
        .files
        .rows()
        .iter()
        .map(|conf| {
            let before = old_files.rows().iter().find(|file| file.name == conf.name);
            // That of this one comes next; until then nobody has to wait who did not before.
            let number = before.map_or((!first).then_some(0), |file| file.number);
            File { name: conf.name.clone(), origin: conf.origin.clone(), number }
        })
        .collect();
    let bfds = sessions::reconfigured(&config.bfds, &old_bfds, chance, now, out);
    let groups = config
        .groups
        .rows()
        .iter()
        .map(|conf| {
            let state =
                old_groups.rows().iter().find(|group| group.conf.name == conf.name).map_or(State::Init, |g| g.state);
            Group { conf: conf.clone(), state }
        })
        .collect();

    let mut fresh = Table::new();
    let mut none = Paces::default();
    let mut scene = Scene { now, links: &links, quiet_until, day, paces: &mut none, out };
    for (index, conf) in config.instances.iter() {
        let link = links.name(conf.link);
        let options = config.options.at(index).cloned().unwrap_or_default();
        let new = Instance::new(index, conf.clone(), options);
        let instance = match old_instances.remove(&key(conf, link)) {
            Some((instance, Waits::No)) => instance.reconfigured(new, &old_links, &scene),
            Some((instance, Waits::Yes)) => {
                // What waited is announced anew.
                let mut instance = instance.reconfigured(new, &old_links, &scene);
                instance.announce_again();
                instance
            }
            None => new,
        };
        // A table of the same index type was just read, so there is room.
        if fresh.push(instance).is_err() {
            break;
        }
    }
    for (mut gone, _) in old_instances.into_values() {
        gone.removed(left, &mut scene);
        scene.out.log(Level::Info, format!("({}) removed from the configuration", gone.conf.name));
    }
    let mut active = Active::new(generation, fresh, groups, scripts, files, bfds, links);
    (active.strays, active.errors) = (strays, errors);
    active.unknown.log = config.globals.log_unknown_vrids;
    active.paces = Paces::new(&config);
    active.delays.clone_from(&config.link_delays);
    active.json_version = config.globals.json_version;
    active.commands = config.commands;
    active.processes = Processes::new(&config.track_processes, &old_processes, unknown);
    active.statics = config.track_groups.rows().iter().map(|conf| standing(conf, &old_statics)).collect();
    active.start(now);
    active
}

/// With each, whether it has announcements that wait.
fn by_key(old: &Active) -> BTreeMap<Key, (Instance, Waits)> {
    let pair = |(index, instance): (InstanceIdx, &Instance)| {
        let waits = if old.paces.waits(index) { Waits::Yes } else { Waits::No };
        (key(&instance.conf, old.links.name(instance.conf.link)), (instance.clone(), waits))
    };
    old.instances.iter().map(pair).collect()
}

/// What is known of a group is known until ipvsd says something else.
fn standing(conf: &TrackGroup, old: &Statics) -> StaticGroup {
    let before = old.rows().iter().find(|group| group.conf.name == conf.name && conf.is_named == Switch::On);
    StaticGroup { conf: conf.clone(), now: before.map_or(Presence::Present, |group| group.now) }
}
