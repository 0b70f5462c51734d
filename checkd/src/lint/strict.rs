//! `vrrp_strict`: the virtual addresses do not answer.

use crate::conf::Draft;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::global::Global;
use crate::conf::keyword::Reader;
use crate::conf::source::Span;
use crate::conf::tree::Tree;
use crate::conf::vrrp::Instance;
use alloc::format;
use ipc::config::vrrp::{Switch, Version, Wanted};
use ipc::config::vrrp_options::Accept;

/// RFC 9568 §6.4.3: who is not the owner takes no packet for the virtual addresses unless Accept_Mode is set. That is right for a
/// router that only forwards; nearly everybody else has copied the line from an example.
pub fn look(r: &mut Reader<'_>, tree: &Tree, draft: &Draft) {
    for instance in &draft.instances {
        if strict(instance, &draft.global) == Switch::Off || instance.vips.is_empty() || is_owner(instance) {
            continue;
        }
        let version = instance.version.as_ref().or(draft.global.version.as_ref()).map_or(Version::V2, |v| v.value);
        let v6 = instance.vips.first().is_some_and(|v| v.prefix.addr.is_ipv6());
        let accept_works = version == Version::V3 || v6;
        match instance.more.accept.as_ref().map(|a| a.value) {
            Some(Accept::Accept) if accept_works => continue,
            Some(Accept::Drop) => continue, // it says so itself
            _ => {}
        }
        let span = cause(instance, tree);
        let message = format!(
            "in strict mode the addresses of `vrrp_instance {}` answer nobody: what is sent to them is dropped",
            instance.name.value
        );
        let help = if accept_works {
            "say `accept` in the instance, or leave strict mode out; `no_accept` if it only forwards"
        } else {
            "leave strict mode out, or use `version 3` with `accept`; say `no_accept` if it only forwards"
        };
        r.diags.push(
            Diagnostic::warning(Code::STRICT_UNREACHABLE, span, message)
                .also(instance.name.span, "its addresses cannot be reached")
                .help(help),
        );
    }
}

fn strict(instance: &Instance, global: &Global) -> Switch {
    instance.more.strict.as_ref().map_or(global.vrrp.strict, |s| s.value)
}

/// Priority 255, also that of `state MASTER` without any.
fn is_owner(instance: &Instance) -> bool {
    let master = instance.state.as_ref().is_some_and(|s| s.value == Wanted::Master);
    instance.priority.as_ref().map_or(master, |p| p.value == 255)
}

/// The words that ask for strict mode.
fn cause(instance: &Instance, tree: &Tree) -> Span {
    if let Some(strict) = &instance.more.strict {
        return strict.span;
    }
    let globals = tree.roots().filter(|s| s.keyword() == "global_defs");
    let words = globals.flat_map(|s| s.children()).filter(|s| s.keyword() == "vrrp_strict");
    words.last().map_or(instance.name.span, |s| s.whole())
}
