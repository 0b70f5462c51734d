//! `global_defs` of VRRP: defaults that hold beyond single instances, packet filter, SNMP, D-Bus.

use super::Printer;
use super::value::{Value, int};
use super::writer::Writer;
use core::fmt;
use ipc::config::vrrp_global::{BufferPolicy, Dbus, Firewall, Ipsets, Snmp, VrrpGlobals};
use ipc::config::vrrp_options::ExtraGarp;

/// `[all] SECONDS`
pub(super) fn extra_garp(w: &mut Writer<'_>, keyword: &str, extra: Option<ExtraGarp>) -> fmt::Result {
    let Some(ExtraGarp { every, all }) = extra else { return Ok(()) };
    w.statement(keyword, |w| {
        w.flag("all", all)?;
        w.bare("seconds", Value::Seconds(every))
    })
}

impl Printer<'_> {
    pub(super) fn vrrp_globals(self, w: &mut Writer<'_>) -> fmt::Result {
        let VrrpGlobals {
            group6,
            strict,
            garp_interval,
            gna_interval,
            garp_extra,
            log_unknown_vrids,
            delay_after_boot,
            vmac_prefix,
            vmac_addr_prefix,
            disable_local_igmp,
            receive_buffers,
            receive_multiplier,
            notify_priority_changes,
            news: _,           // what Printer::fifos prints means it
            news_on_reload: _, // the same
            json_version: _,   // by Printer::identity
            dynamic_interfaces,
            linkbeat_polling: _, // outside `global_defs`
            firewall: filter,
            snmp: agent,
            dbus: bus,
        } = &self.vrrp.globals;
        w.unless(self.vrrp.startup_delay.is_zero(), "vrrp_startup_delay", Value::Seconds(self.vrrp.startup_delay))?;
        w.unless(delay_after_boot.is_zero(), "vrrp_delay_after_boot", Value::Seconds(*delay_after_boot))?;
        w.flag("dynamic_interfaces", *dynamic_interfaces)?;
        w.maybe("vrrp_mcast_group6", group6.as_ref().map(|ip| Value::Shown(ip)))?;
        w.field("vrrp_strict", Value::Switch(*strict))?;
        w.unless(garp_interval.is_zero(), "vrrp_garp_interval", Value::Seconds(*garp_interval))?;
        w.unless(gna_interval.is_zero(), "vrrp_gna_interval", Value::Seconds(*gna_interval))?;
        extra_garp(w, "vrrp_garp_extra_if", *garp_extra)?;
        w.flag("log_unknown_vrids", *log_unknown_vrids)?;
        w.maybe("vmac_prefix", vmac_prefix.as_deref().map(Value::Text))?;
        w.maybe("vmac_addr_prefix", vmac_addr_prefix.as_deref().map(Value::Text))?;
        w.flag("disable_local_igmp", *disable_local_igmp)?;
        let policy = match receive_buffers {
            BufferPolicy::System => None,
            BufferPolicy::Bytes(n) => Some(int(*n)),
            BufferPolicy::Mtu => Some(Value::Text("MTU")),
            BufferPolicy::Advert => Some(Value::Text("ADVERT")),
        };
        w.maybe("vrrp_rx_bufs_policy", policy)?;
        w.maybe("vrrp_rx_bufs_multiplier", (*receive_multiplier != 0).then(|| int(*receive_multiplier)))?;
        w.field("vrrp_notify_priority_changes", Value::Switch(*notify_priority_changes))?;
        firewall(w, filter)?;
        snmp(w, agent)?;
        dbus(w, bus)
    }
}

fn firewall(w: &mut Writer<'_>, filter: &Firewall) -> fmt::Result {
    let Firewall { nftables, priority, by_ifindex, counters, ipvs, ipvs_priority, first_mark, iptables, ipsets } =
        filter;
    w.maybe("nftables", nftables.as_deref().map(Value::Text))?;
    w.maybe("nftables_priority", priority.map(int))?;
    w.flag("nftables_ifindex", *by_ifindex)?;
    w.flag("nftables_counters", *counters)?;
    w.maybe("nftables_ipvs", ipvs.as_deref().map(Value::Text))?;
    w.maybe("nftables_ipvs_priority", ipvs_priority.map(int))?;
    w.maybe("nftables_ipvs_start_fwmark", first_mark.map(int))?;
    if let Some((incoming, outgoing)) = iptables {
        w.statement("vrrp_iptables", |w| {
            w.bare("in", Value::Text(incoming))?;
            outgoing.as_ref().map_or(Ok(()), |chain| w.bare("out", Value::Text(chain)))
        })?;
    }
    match ipsets {
        Ipsets::Auto => Ok(()),
        Ipsets::Off => {
            w.text_only(|w| w.alone("vrrp_ipsets"))?;
            w.json_only("vrrp_ipsets", Value::Switch(super::words::switch(false)))
        }
        Ipsets::Named(names) => w.words("vrrp_ipsets", names.iter().map(|name| Value::Text(name))),
    }
}

fn snmp(w: &mut Writer<'_>, agent: &Snmp) -> fmt::Result {
    let Snmp { socket, vrrp, checker, rfc2, rfc3, traps, services_every, reals_every } = agent;
    w.maybe("snmp_socket", socket.as_deref().map(Value::Text))?;
    w.flag("enable_snmp_vrrp", *vrrp)?;
    w.flag("enable_snmp_checker", *checker)?;
    w.flag("enable_snmp_rfcv2", *rfc2)?;
    w.flag("enable_snmp_rfcv3", *rfc3)?;
    w.flag("enable_traps", *traps)?;
    w.maybe("snmp_vs_stats_update_interval", services_every.map(Value::Seconds))?;
    w.maybe("snmp_rs_stats_update_interval", reals_every.map(Value::Seconds))
}

fn dbus(w: &mut Writer<'_>, bus: &Dbus) -> fmt::Result {
    let Dbus { enabled, service, no_interface } = bus;
    w.flag("enable_dbus", *enabled)?;
    w.maybe("dbus_service_name", service.as_deref().map(Value::Text))?;
    w.maybe("dbus_no_interface_name", no_interface.as_deref().map(Value::Text))
}
