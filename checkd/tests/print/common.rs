//! Compile, print, compile again, compare.

use checkd::conf::{Compiled, compile};
use checkd::print::print;
use ipc::config::check::CheckerKind;
use ipc::config::route::{Route, Rule};
use ipc::config::shown::Commands;
use ipc::config::vrrp::{Link, Notify, Switch};
use ipc::config::vrrp_options::NotifyDeleted;
use ipc::config::{Bundle, LinkIdx, Origin, ScriptIdx};
use ipc::msg::compile::{CompileMode, Facts, Print, PrintFormat, Secrets};
use ipc::table::{Index as _, Table};
use std::path::Path;

const MODE: CompileMode =
    CompileMode::Print(Print { format: PrintFormat::Keepalived, secrets: Secrets::Shown, offline: Switch::On });

/// What the compiler makes of a text; includes are not followed.
pub fn read(text: &[u8]) -> Compiled {
    let facts = Facts { path: "x.conf".into(), hostname: "host.example".into(), ..Facts::default() };
    compile(facts, MODE, text.to_vec(), |_| (Vec::new(), Vec::new()))
}

/// A configuration as text.
pub fn printed(bundle: &Bundle, format: PrintFormat, secrets: Secrets) -> Vec<u8> {
    let mut out = Vec::new();
    print(bundle, format, secrets, &mut out).unwrap();
    out
}

/// A configuration as JSON, secrets masked.
pub fn json(bundle: &Bundle) -> Vec<u8> {
    printed(bundle, PrintFormat::Json, Secrets::Masked)
}

/// All files below a directory.
pub fn files_below(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// A configuration without what a printed one cannot have: where things stood, and in which order interfaces were first named (what a sync
/// group tracks is printed with its members, so its interfaces are named earlier).
pub fn canonical(mut bundle: Bundle) -> Bundle {
    let here = |origin: &mut Origin| *origin = Origin::default();
    let Bundle { script, ipvs, vrrp, check } = &mut bundle;
    for (_, s) in script.scripts.iter_mut() {
        here(&mut s.origin);
        s.run_as.iter_mut().for_each(|user| here(&mut user.origin));
    }
    script.default_user.iter_mut().for_each(|user| here(&mut user.origin));
    let fifos = [&mut script.fifos.all, &mut script.fifos.vrrp, &mut script.fifos.lvs];
    fifos.into_iter().flatten().flat_map(|fifo| &mut fifo.owner).for_each(|owner| here(&mut owner.origin));
    ipvs.services.iter_mut().for_each(|(_, s)| here(&mut s.origin));
    ipvs.reals.iter_mut().for_each(|(_, r)| here(&mut r.origin));
    ipvs.groups.iter_mut().for_each(|(_, g)| here(&mut g.origin));
    ipvs.made.iter_mut().for_each(|made| here(&mut made.origin));
    ipvs.statics.addrs.iter_mut().for_each(|a| here(&mut a.spec.origin));
    ipvs.statics.routes.iter_mut().for_each(|a| here(&mut a.origin));
    ipvs.statics.rules.iter_mut().for_each(|a| here(&mut a.origin));
    for (_, i) in ipvs.instances.iter_mut() {
        i.addrs.iter_mut().for_each(|a| here(&mut a.origin));
        i.routes.iter_mut().for_each(|a| here(&mut a.origin));
        i.rules.iter_mut().for_each(|a| here(&mut a.origin));
    }
    for (_, i) in vrrp.instances.iter_mut() {
        here(&mut i.origin);
        i.track_links.iter_mut().for_each(|t| here(&mut t.origin));
    }
    vrrp.track_scripts.iter_mut().for_each(|(_, s)| here(&mut s.origin));
    vrrp.groups.iter_mut().for_each(|(_, g)| here(&mut g.origin));
    vrrp.track_groups.iter_mut().for_each(|(_, g)| here(&mut g.origin));
    vrrp.track_processes.iter_mut().for_each(|(_, p)| here(&mut p.origin));
    check.services.iter_mut().for_each(|(_, s)| here(&mut s.origin));
    check.reals.iter_mut().for_each(|(_, r)| here(&mut r.origin));
    check.checkers.iter_mut().for_each(|(_, c)| here(&mut c.origin));
    script.files.iter_mut().for_each(|(_, f)| here(&mut f.origin));
    check.files.iter_mut().for_each(|(_, f)| here(&mut f.origin));
    check.bfds.iter_mut().for_each(|(_, b)| here(&mut b.origin));
    vrrp.files.iter_mut().for_each(|(_, f)| here(&mut f.origin));
    vrrp.bfds.iter_mut().for_each(|(_, b)| here(&mut b.origin));
    sort_links(&mut bundle);
    sort_commands(&mut bundle);
    bundle
}

/// Numbers the commands in use in the order of the model. Others are of what was ignored after its commands had been read.
fn sort_commands(Bundle { script, vrrp, check, .. }: &mut Bundle) {
    let mut used: Vec<&mut ScriptIdx> = Vec::new();
    used.extend(script.startup.iter_mut().chain(&mut script.shutdown).map(|(script, _)| script));
    let fifos = &mut script.fifos;
    used.extend([&mut fifos.all, &mut fifos.vrrp, &mut fifos.lvs].into_iter().flatten().flat_map(|f| &mut f.script));
    used.extend(vrrp.track_scripts.iter_mut().map(|(_, s)| &mut s.script));
    let notify = vrrp.instances.iter_mut().map(|(_, i)| &mut i.notify);
    for n in notify.chain(vrrp.groups.iter_mut().map(|(_, g)| &mut g.notify)) {
        let Notify { master, backup, fault, stop, generic, master_rx_lower_pri } = n;
        used.extend([master, backup, fault, stop, generic, master_rx_lower_pri].into_iter().flatten());
    }
    for (_, options) in vrrp.options.iter_mut() {
        if let NotifyDeleted::Run(script) = &mut options.notify_deleted {
            used.push(script);
        }
    }
    used.extend(check.services.iter_mut().flat_map(|(_, s)| s.quorum_up.iter_mut().chain(&mut s.quorum_down)));
    used.extend(check.reals.iter_mut().flat_map(|(_, r)| r.notify_up.iter_mut().chain(&mut r.notify_down)));
    for (_, checker) in check.checkers.iter_mut() {
        if let CheckerKind::Misc(misc) = &mut checker.kind {
            used.push(&mut misc.script);
        }
    }
    let old = std::mem::take(&mut script.scripts);
    for index in used {
        *index = script.scripts.push(old.at(*index).unwrap().clone()).unwrap();
    }
}

/// Numbers the interfaces in use by their names. What dumps say of them follows from the rest.
fn sort_links(Bundle { ipvs, vrrp, .. }: &mut Bundle) {
    vrrp.options.iter_mut().for_each(|(_, options)| options.shown.track_links.clear());
    vrrp.commands = Commands::default();
    let old = vrrp.links.clone();
    let mut used: Vec<&mut LinkIdx> = Vec::new();
    for (_, i) in vrrp.instances.iter_mut() {
        used.push(&mut i.link);
        used.extend(i.vips.iter_mut().chain(&mut i.excluded).map(|v| &mut v.link));
        used.extend(i.track_links.iter_mut().map(|t| &mut t.link));
    }
    used.extend(vrrp.options.iter_mut().flat_map(|(_, o)| o.vrf.iter_mut().chain(&mut o.own_link)));
    used.extend(ipvs.made.iter_mut().flat_map(|made| [&mut made.link, &mut made.parent]));
    used.extend(&mut ipvs.promote);
    used.extend(vrrp.garp_groups.iter_mut().flat_map(|g| &mut g.links));
    used.extend(vrrp.linkbeats.iter_mut().map(|l| &mut l.link));
    used.extend(vrrp.link_delays.iter_mut().map(|l| &mut l.link));
    for (_, i) in ipvs.instances.iter_mut() {
        used.extend(i.addrs.iter_mut().map(|a| &mut a.link));
        routed(&mut i.routes, &mut i.rules, &mut used);
    }
    used.extend(ipvs.statics.addrs.iter_mut().map(|a| &mut a.spec.link));
    routed(&mut ipvs.statics.routes, &mut ipvs.statics.rules, &mut used);
    let name = |index: &LinkIdx| old.at(*index).unwrap().name.clone();
    let mut names: Vec<String> = used.iter().map(|index| name(index)).collect();
    names.sort();
    names.dedup();
    for index in used {
        let at = names.binary_search(&name(index)).unwrap();
        *index = LinkIdx::from_usize(at).unwrap();
    }
    let links: Table<LinkIdx, Link> = names.into_iter().map(|name| Link { name, origin: Origin::default() }).collect();
    ipvs.links = links.clone();
    vrrp.links = links;
}

fn routed<'a>(routes: &'a mut [Route], rules: &'a mut [Rule], used: &mut Vec<&'a mut LinkIdx>) {
    for route in routes {
        used.extend(route.vrf.iter_mut().chain(&mut route.hop.link));
        used.extend(route.hops.iter_mut().flat_map(|hop| &mut hop.link));
    }
    used.extend(rules.iter_mut().flat_map(|rule| rule.iif.iter_mut().chain(&mut rule.oif)));
}

/// The first line in which two texts differ, with those around it.
fn difference(a: &str, b: &str) -> String {
    let at = a.lines().zip(b.lines()).position(|(a, b)| a != b).unwrap_or(a.lines().count().min(b.lines().count()));
    let some = |t: &str| t.lines().skip(at.saturating_sub(6)).take(10).collect::<Vec<_>>().join("\n");
    format!("--- first\n{}\n--- again\n{}", some(a), some(b))
}

/// `parse(print(x)) == x`; the text that was printed, unless the file has fatal problems.
pub fn round_trip(text: &[u8]) -> Option<Vec<u8>> {
    let first = read(text).bundle?;
    let out = printed(&first, PrintFormat::Keepalived, Secrets::Shown);
    let shown = String::from_utf8_lossy(&out).into_owned();
    let again = read(&out);
    let problems: Vec<String> = again.diags.list().iter().map(|d| format!("{}: {}", d.severity, d.message)).collect();
    let Some(second) = again.bundle else { panic!("what was printed is not taken: {problems:#?}\n{shown}") };
    let (first, second) = (canonical(first), canonical(second));
    if first != second {
        let diff = difference(&format!("{first:#?}"), &format!("{second:#?}"));
        panic!("what was printed is something else:\n{diff}\n{problems:#?}\n--- printed\n{shown}");
    }
    Some(out)
}
