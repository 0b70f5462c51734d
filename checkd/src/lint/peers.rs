//! `unicast_peer`: addresses that are no peer.

use crate::conf::Draft;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::keyword::Reader;
use crate::conf::source::Span;
use alloc::collections::BTreeMap;
use alloc::format;
use core::net::IpAddr;

/// A router that is its own peer hears itself; a virtual address leads to whoever is master.
pub fn look(r: &mut Reader<'_>, draft: &Draft) {
    for instance in &draft.instances {
        if instance.peers.is_empty() {
            continue;
        }
        let vips = instance.vips.iter().chain(&instance.excluded);
        let vips: BTreeMap<IpAddr, Span> = vips.map(|v| (v.prefix.addr, v.span)).collect();
        for peer in &instance.peers {
            let addr = peer.value.addr;
            let vip = vips.get(&addr);
            let own = instance.source.as_ref().filter(|s| s.value == addr);
            let (what, span, label) = match (own, vip) {
                (Some(own), _) => ("this router's own address", own.span, "adverts are sent from it"),
                (None, Some(vip)) => ("a virtual address of this instance", *vip, "the virtual address"),
                (None, None) => continue,
            };
            let message = format!("the peer {addr} is {what}");
            let warning = Diagnostic::warning(Code::NO_PEER_OF_IT, peer.span, message)
                .also(span, label)
                .help("list the own addresses of the other routers");
            r.diags.push(warning);
        }
    }
}
