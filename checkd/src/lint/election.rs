//! Who becomes master: `state`, `priority`, `nopreempt`, and groups whose members disagree about them.

use crate::conf::Draft;
use crate::conf::diag::{Code, Diagnostic, Severity};
use crate::conf::keyword::Reader;
use crate::conf::source::Span;
use crate::conf::vrrp::Instance;
use alloc::collections::BTreeMap;
use alloc::format;
use ipc::config::Bundle;
use ipc::config::vrrp::{self, Preemption, Wanted};

/// Looks at instances and groups.
pub fn look(r: &mut Reader<'_>, draft: &Draft, bundle: &Bundle) {
    for instance in &draft.instances {
        equal_priorities(r, instance);
    }
    groups(r, draft, bundle);
}

/// `nopreempt` is for routers that start as BACKUP; who leaves `priority` out has the same on all of them.
fn equal_priorities(r: &mut Reader<'_>, instance: &Instance) {
    let Some(nopreempt) = instance.nopreempt.filter(|_| instance.priority.is_none()) else { return };
    if instance.state.as_ref().is_some_and(|s| s.value == Wanted::Master) {
        return; // it has no effect then, which is said elsewhere
    }
    let message = "`nopreempt` without `priority`: every router that has none has priority 100";
    let note = Diagnostic::new(Severity::Note, Code::EQUAL_PRIORITIES, nopreempt, message)
        .label("between equals the higher address decides")
        .help("give each router a priority of its own, for example `priority 150` and `priority 100`");
    r.diags.push(note);
}

fn groups(r: &mut Reader<'_>, draft: &Draft, bundle: &Bundle) {
    let places: BTreeMap<&str, &Instance> = draft.instances.iter().map(|i| (i.name.value.as_str(), i)).collect();
    let written: BTreeMap<&str, Span> = draft.groups.iter().map(|g| (g.name.value.as_str(), g.name.span)).collect();
    for group in bundle.vrrp.groups.rows() {
        let mut members = group.members.iter().filter_map(|m| bundle.vrrp.instances.at(*m));
        let Some(first) = members.next() else { continue };
        let Some((other, what)) = members.find_map(|m| disagreement(first, m).map(|what| (m, what))) else { continue };
        let message = format!("the members of `vrrp_sync_group {}` do not agree about {what}", group.name);
        let span = written.get(group.name.as_str()).copied().unwrap_or_default();
        let mut warning = Diagnostic::warning(Code::MEMBERS_DISAGREE, span, message)
            .help("they change together: give all of them the same `state` and, if at all, `nopreempt`");
        for instance in [first, other] {
            if let Some(place) = places.get(instance.name.as_str()) {
                warning = warning.also(place.name.span, said(instance, what));
            }
        }
        r.diags.push(warning);
    }
}

fn disagreement(a: &vrrp::Instance, b: &vrrp::Instance) -> Option<&'static str> {
    let holds = |i: &vrrp::Instance| i.preemption == Preemption::NoPreempt;
    if a.wanted != b.wanted {
        Some("`state`")
    } else if holds(a) != holds(b) {
        Some("`nopreempt`")
    } else {
        None
    }
}

fn said(instance: &vrrp::Instance, what: &str) -> &'static str {
    match (what, instance.wanted, instance.preemption) {
        ("`state`", Wanted::Master, _) => "starts as MASTER",
        ("`state`", Wanted::Backup, _) => "starts as BACKUP",
        (_, _, Preemption::NoPreempt) => "has `nopreempt`",
        _ => "has none",
    }
}
