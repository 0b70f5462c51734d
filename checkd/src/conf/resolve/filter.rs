//! The tables of the packet filter: what `nftables…`, `vrrp_iptables`, `no_accept` and `use_vmac` come to.

use crate::conf::Draft;
use alloc::string::ToString;
use ipc::config::filter::{FIRST_MARK, Filter, MarkTable, PRIORITY, VipTable};
use ipc::config::ipvs::{IpvsConfig, MadeKind};
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_options::Accept;

/// The name of the table behind `no_accept` and `use_vmac` where none is written. COMPAT: keepalived 2.2.7.
const TABLE: &str = "keepalived";
/// The same, if `nftables_ipvs` has taken that name.
const OTHER_TABLE: &str = "keepalived_vips";

/// COMPAT: keepalived 2.2.7 takes nftables without being asked where an instance needs a filter. `vrrp_iptables` is the same table here;
/// one chain: what goes out is not filtered. With both, nftables counts.
pub(super) fn filter(draft: &Draft, ipvs: &IpvsConfig) -> Filter {
    let written = &draft.global.vrrp.firewall;
    let needed = ipvs.instances.rows().iter().any(|instance| instance.accept == Accept::Drop)
        || ipvs.made.iter().any(|made| matches!(made.kind, MadeKind::Macvlan(_)));
    let outgoing = match (&written.nftables, &written.iptables) {
        (None, Some((_, None))) => Switch::Off,
        _ => Switch::On,
    };
    let asked = needed || written.nftables.is_some() || written.iptables.is_some();
    let default = if written.ipvs.as_deref() == Some(TABLE) { OTHER_TABLE } else { TABLE };
    let vips = asked.then(|| VipTable {
        name: written.nftables.clone().unwrap_or_else(|| default.to_string()),
        priority: written.priority.unwrap_or(PRIORITY),
        counters: written.counters,
        outgoing,
        igmp: if draft.global.vrrp.disable_local_igmp == Switch::On { Switch::Off } else { Switch::On },
    });
    let marks = written.ipvs.as_ref().map(|name| MarkTable {
        name: name.clone(),
        priority: written.ipvs_priority.unwrap_or(PRIORITY),
        counters: written.counters,
        first: written.first_mark.unwrap_or(FIRST_MARK),
    });
    Filter { vips, marks }
}
