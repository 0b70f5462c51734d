//! What a `vrrp_instance` asks for beside the protocol itself.

use super::value::{Value, int};
use super::vrrp_global::extra_garp;
use super::writer::Writer;
use super::{Printer, words};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use ipc::config::vrrp::{Instance, Switch, Transport};
use ipc::config::vrrp_options::{
    Accept, AntiReplay, Hmac, HmacKey, HmacMode, InstanceOptions, Ipvlan, IpvlanMode, MacChoice, NotifyDeleted,
    OldChecksum, Vmac,
};

impl Printer<'_> {
    pub(super) fn options(self, w: &mut Writer<'_>, instance: &Instance, options: &InstanceOptions) -> fmt::Result {
        let InstanceOptions {
            strict,
            accept,
            vmac: mac,
            ipvlan: lan,
            own_link: _,   // follows from the two above
            vmac_links: _, // and with it
            vmac_addr,
            vmac_xmit_base,
            promote_secondaries,
            hmac: signed,
            unicast_fault_no_peer,
            old_unicast_checksum,
            timer_expired_backup,
            vrf,
            receive_buffer,
            linkbeat_polling,
            debug,
            garp_extra,
            track_files: _, // by Printer::tracked
            track_processes: _,
            track_bfds: _,
            notify_deleted,
            notify_priority_changes,
            smtp_alert,
            shown: _, // what the rest says, in other words
        } = options;
        w.field("strict_mode", Value::Switch(*strict))?;
        let strict_drops = *strict == Switch::On && instance.priority != 255;
        let default = if strict_drops { Accept::Drop } else { Accept::Accept };
        if *accept != default {
            w.text_only(|w| w.alone(if *accept == Accept::Accept { "accept" } else { "no_accept" }))?;
        }
        w.json_only("accept", Value::Switch(words::switch(*accept == Accept::Accept)))?;
        mac.as_ref().map_or(Ok(()), |mac| vmac(w, mac))?;
        lan.as_ref().map_or(Ok(()), |lan| ipvlan(w, lan))?;
        w.flag("use_vmac_addr", *vmac_addr)?;
        w.flag("vmac_xmit_base", *vmac_xmit_base)?;
        w.flag("promote_secondaries", *promote_secondaries)?;
        signed.as_ref().map_or(Ok(()), |signed| hmac(w, signed))?;
        if *unicast_fault_no_peer == Switch::On && matches!(instance.transport, Transport::Multicast { .. }) {
            w.text_only(|w| w.block("unicast_peer", |_| Ok(())))?; // it counts only where unicast was meant
        }
        w.flag("unicast_fault_no_peer", *unicast_fault_no_peer)?;
        let (line, word) = match old_unicast_checksum {
            OldChecksum::Detect => ("", "detect"),
            OldChecksum::Always => ("old_unicast_checksum", "always"),
            OldChecksum::Never => ("old_unicast_checksum never", "never"),
        };
        w.text_only(|w| if line.is_empty() { Ok(()) } else { w.alone(line) })?;
        w.json_only("old_unicast_checksum", Value::Text(word))?;
        w.maybe("timer_expired_backup", timer_expired_backup.map(int))?;
        w.maybe("vrf", vrf.map(|link| self.link(link)))?;
        w.maybe("kernel_rx_buf_size", receive_buffer.map(int))?;
        w.flag("linkbeat_use_polling", *linkbeat_polling)?;
        w.field("debug", int(*debug))?;
        match garp_extra {
            None if self.vrrp.globals.garp_extra.is_some() => w.text_only(|w| w.field("garp_extra_if", int(0)))?,
            extra => extra_garp(w, "garp_extra_if", *extra)?,
        }
        match notify_deleted {
            NotifyDeleted::AsFault => {}
            NotifyDeleted::Deleted => {
                w.text_only(|w| w.alone("notify_deleted"))?;
                w.json_only("notify_deleted", Value::Switch(Switch::On))?;
            }
            NotifyDeleted::Run(script) => self.maybe_command(w, "notify_deleted", Some(*script))?,
        }
        w.field("notify_priority_changes", Value::Switch(*notify_priority_changes))?;
        w.field("smtp_alert", Value::Switch(*smtp_alert))
    }
}

fn mac_text(bytes: &[u8]) -> String {
    let parts: Vec<String> = bytes.iter().map(|b| alloc::format!("{b:02x}")).collect();
    parts.join(":")
}

fn vmac(w: &mut Writer<'_>, Vmac { name, mac, netlink_notify, group }: &Vmac) -> fmt::Result {
    let mac = mac.as_ref().map(|mac| match mac {
        MacChoice::Whole(bytes) => mac_text(bytes),
        MacChoice::BeforeVrid(bytes) => mac_text(bytes),
    });
    w.statement("use_vmac", |w| {
        interface_name(w, name.as_deref())?;
        if let Some(mac) = &mac {
            w.bare("mac", Value::Shown(mac))?;
        }
        w.flag("netlink_notify_msg", *netlink_notify)?;
        w.maybe("group", group.as_deref().map(Value::Text))
    })
}

fn ipvlan(w: &mut Writer<'_>, Ipvlan { name, addr, mode, group }: &Ipvlan) -> fmt::Result {
    let mode = match mode {
        IpvlanMode::Bridge => "bridge",
        IpvlanMode::Private => "private",
        IpvlanMode::Vepa => "vepa",
    };
    w.statement("use_ipvlan", |w| {
        interface_name(w, name.as_deref())?;
        if let Some(addr) = addr {
            w.bare("address", Value::Shown(addr))?;
        }
        w.bare("mode", Value::Text(mode))?;
        w.maybe("group", group.as_deref().map(Value::Text))
    })
}

/// With `name` only where it could be taken for something else: keepalived 2.2.7 does not know that word.
fn interface_name(w: &mut Writer<'_>, name: Option<&str>) -> fmt::Result {
    let words = ["name", "group", "netlink_notify_msg", "bridge", "private", "vepa"];
    match name {
        None => Ok(()),
        Some(name) if words.contains(&name) || name.parse::<core::net::IpAddr>().is_ok() => {
            w.field("name", Value::Text(name))
        }
        Some(name) => w.bare("name", Value::Text(name)),
    }
}

fn hmac(w: &mut Writer<'_>, Hmac { keys, active, anti_replay, window, mode }: &Hmac) -> fmt::Result {
    let replay = match anti_replay {
        AntiReplay::Time => "time",
        AntiReplay::Monotonic => "monotonic",
    };
    let mode = match mode {
        HmacMode::Enforce => "enforce",
        HmacMode::Permissive => "permissive",
        HmacMode::ReceiveOnly => "receive-only",
    };
    w.block("auth_hmac", |w| {
        w.statements("key", keys, |w, (number, key)| {
            w.bare("number", int(*number))?;
            match key {
                HmacKey::Bytes(bytes) => {
                    // Bytes of any value; a text of them could not hold a quotation mark.
                    let hex: String = bytes.reveal().iter().map(|b| alloc::format!("{b:02x}")).collect();
                    w.bare("secret", Value::Secret(alloc::format!("hex:{hex}").as_bytes()))
                }
                HmacKey::File(path) => w.bare("file", Value::Text(&alloc::format!("file:{path}"))),
                HmacKey::Credential(name) => w.bare("credential", Value::Text(&alloc::format!("credential:{name}"))),
            }
        })?;
        w.field("active_key", int(*active))?;
        w.field("anti_replay", Value::Text(replay))?;
        w.field("time_window", Value::Seconds(*window))?;
        w.field("mode", Value::Text(mode))
    })
}
