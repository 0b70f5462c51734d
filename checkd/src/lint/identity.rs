//! `virtual_router_id`: one number on two interfaces. (Twice on one interface is an error.)

use super::address::subnet;
use crate::conf::Draft;
use crate::conf::diag::{Code, Diagnostic, Severity};
use crate::conf::keyword::Reader;
use crate::conf::vrrp::Instance;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

/// Instances of one number, and addresses of each, that are compared.
const COMPARED: usize = 16;

/// Two routers with one number disturb each other where they hear each other. Interfaces are separate networks as a rule, so the
/// same number on two of them is told only when both seem to be in one.
pub fn look(r: &mut Reader<'_>, draft: &Draft) {
    let mut by_id: BTreeMap<(u8, bool), Vec<&Instance>> = BTreeMap::new();
    for instance in &draft.instances {
        let (Some(id), Some(vip)) = (&instance.vrid, instance.vips.first()) else { continue };
        if !instance.peers.is_empty() {
            continue; // unicast is heard by its peers alone
        }
        let same = by_id.entry((id.value, vip.prefix.addr.is_ipv4())).or_default();
        if let Some((other, why)) = same.iter().find_map(|other| evidence(instance, other).map(|why| (other, why))) {
            let message = format!("`virtual_router_id` {} is used on two interfaces {why}", id.value);
            let first = other.vrid.as_ref().map_or(other.name.span, |v| v.span);
            let note = Diagnostic::new(Severity::Note, Code::SAME_ID, id.span, message)
                .also(first, "here too")
                .help("give each instance of one network a number of its own");
            r.diags.push(note);
        }
        if same.len() < COMPARED {
            same.push(instance);
        }
    }
}

fn evidence(a: &Instance, b: &Instance) -> Option<&'static str> {
    let (one, other) = (a.link.as_ref()?, b.link.as_ref()?);
    if one.value == other.value {
        return None;
    }
    let near = |len| {
        let subnets: Vec<_> = a.vips.iter().take(COMPARED).map(|v| subnet(v.prefix.addr, len)).collect();
        b.vips.iter().take(COMPARED).any(|v| subnets.contains(&subnet(v.prefix.addr, len)))
    };
    // A guess at the length: addresses mostly stand without the one of their network.
    if near(if a.vips.first()?.prefix.addr.is_ipv4() { 24 } else { 64 }) {
        Some("that seem to be in one network: their addresses are neighbours")
    } else if a.more.vmac.is_some() && b.more.vmac.is_some() {
        Some("with `use_vmac`: both send from the same MAC address, which a common switch does not take")
    } else {
        None
    }
}
