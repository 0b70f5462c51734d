//! The words of dumps: what an instance is, for people and for programs that read keepalived's dumps.
//! COMPAT: keepalived 2.2.7, compared with its output by a test.

mod address;
mod route;
mod rule;

use crate::print::tracker;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::ipvs::{IpvsConfig, MadeKind};
use ipc::config::script::Asker;
use ipc::config::shown::{Commands, Shown};
use ipc::config::{Bundle, LinkIdx};

/// Puts the words into vrrpd's slice, which must be complete, like the others.
pub fn fill(bundle: &mut Bundle) {
    let vmacs = bundle.ipvs.made.iter().filter(|made| matches!(made.kind, MadeKind::Macvlan(_)));
    let parents = vmacs.map(|made| (made.link, made.parent)).collect();
    let names = &Names { ipvs: &bundle.ipvs, parents };
    // The three tables are one, row for row.
    let rows = bundle.vrrp.instances.rows().iter().zip(bundle.ipvs.instances.rows());
    let shown: Vec<Shown> = rows
        .map(|(instance, own)| {
            let tracked = tracker::links(instance, &own.addrs);
            let addrs = own.addrs.iter().zip(&tracked.no_track);
            Shown {
                addrs: addrs.map(|(addr, no_track)| address::words(names, addr, *no_track)).collect(),
                routes: own.routes.iter().map(|route| route::words(names, route)).collect(),
                rules: own.rules.iter().map(|rule| rule::words(names, rule)).collect(),
                track_links: Vec::new(),
            }
        })
        .collect();
    for ((_, options), shown) in bundle.vrrp.options.iter_mut().zip(shown) {
        // Only the compiler's draft knows those of `track_interface` from those that are tracked anyway.
        let track_links = core::mem::take(&mut options.shown.track_links);
        options.shown = Shown { track_links, ..shown };
    }
    let scripts = bundle.script.scripts.iter().filter(|(_, script)| script.asker == Asker::Vrrp);
    bundle.vrrp.commands = Commands(scripts.map(|(index, script)| (index, quoted(&script.argv))).collect());
}

/// What interfaces are called.
struct Names<'a> {
    ipvs: &'a IpvsConfig,
    /// What `use_vmac` interfaces are made on.
    parents: BTreeMap<LinkIdx, LinkIdx>,
}

impl Names<'_> {
    fn of(&self, link: LinkIdx) -> &str {
        self.ipvs.links.at(link).map_or("", |link| link.name.as_str())
    }

    /// The interface that a `use_vmac` one is made on.
    fn parent(&self, link: LinkIdx) -> Option<&str> {
        self.parents.get(&link).map(|parent| self.of(*parent))
    }
}

/// Words for a shell. What is not UTF-8 is replaced: it is for people.
fn quoted(argv: &[Vec<u8>]) -> String {
    let words = argv.iter().map(|word| {
        let word = String::from_utf8_lossy(word);
        alloc::format!("'{}'", word.replace('\'', "'\\''"))
    });
    words.collect::<Vec<String>>().join(" ")
}
