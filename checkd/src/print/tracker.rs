//! What an instance tracks: the `track_…` blocks of an instance, those of its sync group included.

use super::Printer;
use super::value::{Value, int};
use super::words;
use super::writer::Writer;
use alloc::vec::Vec;
use core::fmt;
use ipc::config::InstanceIdx;
use ipc::config::ipvs::AddrSpec;
use ipc::config::vrrp::{Instance, Switch, TrackLink, TrackScriptUse, Weight};
use ipc::config::vrrp_options::{InstanceOptions, TrackBfdUse, TrackFileUse, TrackProcessUse};

/// Down is FAULT.
const FAULT: Weight = Weight { value: 0, reverse: Switch::Off };

/// Where each tracked interface of an instance comes from.
pub(crate) struct Links<'a> {
    /// `dont_track_primary`
    pub dont_track_primary: Switch,
    /// `no_track` of each address.
    pub no_track: Vec<Switch>,
    /// Lines of `track_interface`.
    pub lines: &'a [TrackLink],
}

/// The list begins with the instance's own interface and with those of its addresses, unless something says no.
pub(crate) fn links<'a>(instance: &'a Instance, addrs: &[AddrSpec]) -> Links<'a> {
    let mut lines = instance.track_links.as_slice();
    let mut next_is = |link| match lines.split_first() {
        Some((first, rest)) if first.link == link && first.weight == FAULT => {
            lines = rest;
            true
        }
        _ => false,
    };
    let own = next_is(instance.link);
    let mut seen = Vec::new();
    let mut no_track = Vec::new();
    for address in addrs {
        let tracked = address.link == instance.link || seen.contains(&address.link) || next_is(address.link);
        if tracked {
            seen.push(address.link);
        }
        no_track.push(words::switch(!tracked));
    }
    Links { dont_track_primary: words::switch(!own), no_track, lines }
}

fn used(w: &mut Writer<'_>, name: Value<'_>, Weight { value, reverse }: Weight) -> fmt::Result {
    w.bare("name", name)?;
    w.field("weight", int(value))?;
    w.flag("reverse", reverse)
}

impl Printer<'_> {
    pub(super) fn tracked(
        self,
        w: &mut Writer<'_>,
        lines: &[TrackLink],
        instance: &Instance,
        options: &InstanceOptions,
    ) -> fmt::Result {
        w.records("track_interface", lines, |w, TrackLink { link, weight, origin: _ }| {
            used(w, self.link(*link), *weight)
        })?;
        w.records("track_script", &instance.track_scripts, |w, TrackScriptUse { script, weight }| {
            let name = self.vrrp.track_scripts.at(*script).map_or("", |script| script.name.as_str());
            used(w, Value::Text(name), *weight)
        })?;
        w.records("track_file", &options.track_files, |w, TrackFileUse { file, weight }| {
            let name = self.vrrp.files.at(*file).map_or("", |file| file.name.as_str());
            used(w, Value::Text(name), *weight)
        })?;
        w.records("track_process", &options.track_processes, |w, TrackProcessUse { process, weight }| {
            let name = self.vrrp.track_processes.at(*process).map_or("", |process| process.name.as_str());
            used(w, Value::Text(name), *weight)
        })?;
        w.records("track_bfd", &options.track_bfds, |w, TrackBfdUse { bfd, weight }| {
            let name = self.vrrp.bfds.at(*bfd).map_or("", |bfd| bfd.name.as_str());
            used(w, Value::Text(name), *weight)
        })
    }

    /// Whether a member of a sync group tracks something with a weight, which its group must allow.
    pub(super) fn has_weights(self, member: InstanceIdx) -> bool {
        let instance = self.vrrp.instances.at(member);
        let options = self.vrrp.options.at(member);
        instance.is_some_and(|i| {
            i.track_links.iter().any(|t| t.weight.value != 0) || i.track_scripts.iter().any(|t| t.weight.value != 0)
        }) || options.is_some_and(|o| {
            o.track_processes.iter().any(|t| t.weight.value != 0)
                || o.track_files.iter().any(|t| t.weight.value != 0)
                || o.track_bfds.iter().any(|t| t.weight.value != 0)
        })
    }
}
