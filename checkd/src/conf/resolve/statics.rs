//! `static_ipaddress`, `static_routes`, `static_rules`.

use super::Resolver;
use crate::conf::Draft as All;
use crate::conf::address::Address;
use crate::conf::diag::{Code, Diagnostic};
use ipc::config::route::{StaticAddr, Statics, Tracked};

impl Resolver<'_, '_> {
    pub(super) fn statics(&mut self, draft: &All) -> Statics {
        Statics {
            addrs: draft.static_addrs.iter().filter_map(|a| self.static_addr(a, draft)).collect(),
            routes: draft.static_routes.clone(),
            rules: draft.static_rules.clone(),
        }
    }

    /// COMPAT: keepalived 2.4.3, keywords §5: without `dev` it is that of `default_interface`; without either the line is dropped.
    fn static_addr(&mut self, a: &Address, draft: &All) -> Option<StaticAddr> {
        let written = a.link.as_ref().map(|l| l.value.clone());
        let Some(link) = written.clone().or(draft.global.identity.default_interface.clone()) else {
            let message = "this address has no `dev`, and there is no `default_interface`";
            self.r.diags.push(Diagnostic::error(Code::INCOMPLETE, a.span, message).label("ignored"));
            return None;
        };
        let mut group = None;
        if let Some(name) = &a.group {
            if written.is_some() {
                group = Some(name.value.clone());
            } else {
                let message = "`track_group` needs `dev`";
                self.r.diags.push(Diagnostic::error(Code::CONFLICT, name.span, message).label("ignored"));
            }
        }
        Some(StaticAddr {
            prefix: a.prefix,
            link,
            broadcast: a.broadcast,
            scope: a.scope,
            label: a.label.clone(),
            more: a.more,
            tracked: Tracked { no_track: a.no_track, group },
            origin: self.r.sources.origin(a.span),
        })
    }
}
