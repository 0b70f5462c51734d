//! `global_defs` and the single statements outside all blocks.

mod keywords;

pub use keywords::GLOBAL;

use super::global_notify::Fifos;
use super::keyword::{At, Reader, no_block, set};
use super::script::Command;
use super::tree::Statement;
use super::value::secs;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use ipc::config::global::Mail;
use ipc::config::identity::Identity;
use ipc::config::ipvs::OnRemoval;
use ipc::config::lvs::Lvs;
use ipc::config::process::ProcessSettings;
use ipc::config::script::RunAs;
use ipc::config::vrrp::{Switch, Version};
use ipc::config::vrrp_global::VrrpGlobals;

/// Gratuitous ARP knobs, of an instance or global; what is unset comes from the global ones, then from keepalived.
#[derive(Clone, Debug, Default)]
pub struct Garp {
    /// `garp_master_delay`
    pub delay: Option<At<Duration>>,
    /// `garp_master_repeat`
    pub repeat: Option<At<u32>>,
    /// `garp_master_refresh`
    pub refresh: Option<At<Duration>>,
    /// `garp_master_refresh_repeat`
    pub refresh_repeat: Option<At<u32>>,
    /// `garp_lower_prio_delay`
    pub lower_prio_delay: Option<At<Duration>>,
    /// `garp_lower_prio_repeat`
    pub lower_prio_repeat: Option<At<u32>>,
}

/// Everything outside the named blocks.
#[derive(Clone, Debug, Default)]
pub struct Global {
    /// `router_id`
    pub router_id: Option<At<String>>,
    /// `notification_email`
    pub mail_to: Vec<At<String>>,
    /// `notification_email_from`
    pub mail_from: Option<At<String>>,
    /// `smtp_server`, where it is a literal address.
    pub smtp_server: Option<At<SocketAddr>>,
    /// `smtp_helo_name`
    pub smtp_helo: Option<At<String>>,
    /// `smtp_connect_timeout`
    pub smtp_timeout: Option<At<Duration>>,
    /// `smtp_alert…`, `no_…` and a server that is a name; the rest stands above.
    pub mail: Mail,
    /// `script_user`
    pub script_user: Option<At<RunAs>>,
    /// `enable_script_security`
    pub script_security: Switch,
    /// `use_symlink_paths`
    pub symlinks: Switch,
    /// `startup_script`
    pub startup: Option<At<Command>>,
    /// `startup_script_timeout`
    pub startup_timeout: Option<At<Duration>>,
    /// `shutdown_script`
    pub shutdown: Option<At<Command>>,
    /// `shutdown_script_timeout`
    pub shutdown_timeout: Option<At<Duration>>,
    /// `child_wait_time`
    pub child_wait: Option<At<Duration>>,
    /// `vrrp_version`
    pub version: Option<At<Version>>,
    /// `vrrp_mcast_group4`
    pub group4: Option<At<IpAddr>>,
    /// `vrrp_garp_…`
    pub garp: Garp,
    /// `vrrp_min_garp`
    pub min_garp: Switch,
    /// `vrrp_down_timer_adverts`
    pub down_timer_adverts: Option<At<u8>>,
    /// `vrrp_lower_prio_no_advert`
    pub lower_prio_no_advert: Switch,
    /// `vrrp_higher_prio_send_advert`
    pub higher_prio_send_advert: Option<Switch>,
    /// `vrrp_owner_ignore_adverts`
    pub owner_ignore_adverts: Switch,
    /// `v3_checksum_as_v2`
    pub v3_checksum_as_v2: Switch,
    /// `vrrp_check_unicast_src`
    pub check_unicast_src: Switch,
    /// `vrrp_skip_check_adv_addr`
    pub skip_check_adv_addr: Switch,
    /// `vrrp_startup_delay`
    pub startup_delay: Option<At<Duration>>,
    /// `dynamic_interfaces`: interfaces need not exist yet.
    pub dynamic_links: Switch,
    /// `vrrp_on_external_removal`
    pub on_removal: OnRemoval,
    /// `rs_init_notifies`
    pub rs_init_notifies: Switch,
    /// `checker_merge`
    pub checker_merge: Option<Switch>,
    /// `checker_log_all_failures`
    pub log_all_failures: Switch,
    /// Names and files.
    pub identity: Identity,
    /// FIFOs.
    pub fifos: Fifos,
    /// The IPVS table as a whole.
    pub lvs: Lvs,
    /// The instance in `lvs_sync_daemon`.
    pub sync_instance: Option<At<String>>,
    /// What VRRP alone is told.
    pub vrrp: VrrpGlobals,
    /// What the processes are told.
    pub process: ProcessSettings,
}

/// Sets a plain switch.
fn put(slot: &mut Switch, value: Option<Switch>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// A GARP delay: whole seconds. COMPAT: keepalived 2.2.7, tried: what fits 32 bits in microseconds.
pub fn garp_seconds(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Duration> {
    r.number(s.word(1), 0..=4294).map(secs)
}

/// `garp_master_refresh` and its global: whole seconds. COMPAT: keepalived 2.2.7 takes any 32 bits.
pub fn garp_refresh(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Duration> {
    r.number(s.word(1), 0..=i64::from(u32::MAX)).map(secs)
}

/// A GARP count. COMPAT: keepalived 2.4.3 takes 0 as 1, except for `lower_prio`.
pub fn garp_count(r: &mut Reader<'_>, s: Statement<'_>) -> Option<u32> {
    let word = s.word(1)?;
    let count: u32 = r.number(Some(word), 0..=i64::from(u32::MAX))?;
    if count == 0 {
        r.adjusted(word, alloc::format!("`{}` 0 is taken as 1", s.keyword()));
    }
    Some(count.max(1))
}

/// Script timeouts.
fn script_timeout(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Duration> {
    r.number(s.word(1), 1..=1000).map(secs)
}

/// `2` or `3`
pub fn version(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Version> {
    match s.word(1)?.text() {
        "2" => Some(Version::V2),
        "3" => Some(Version::V3),
        _ => {
            r.bad(s.word(1)?, "2 or 3");
            None
        }
    }
}

fn emails(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Global) {
    for line in s.children() {
        no_block(r, line);
        for word in line.words(0) {
            d.mail_to.extend(r.text(word));
        }
    }
}

fn smtp_server(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Global) {
    let Some(host) = s.word(1) else { return };
    let port = match s.word(2) {
        Some(word) => match r.port(word, false) {
            Some(port) => port,
            None => return,
        },
        None => 25,
    };
    match host.text().parse::<IpAddr>() {
        Ok(ip) => {
            d.smtp_server = Some(At::new(SocketAddr::new(ip, port), s.whole()));
            d.mail.server_name = None;
        }
        Err(_) => {
            d.smtp_server = None;
            d.mail.server_name = r.text(host).map(|name| (name.value, port));
        }
    }
}

fn mcast_group4(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Global) {
    let Some(word) = s.word(1) else { return };
    match r.ip(word) {
        Some(ip @ IpAddr::V4(v4)) if v4.is_multicast() => d.group4 = Some(At::new(ip, s.whole())),
        Some(_) => r.bad(word, "an IPv4 multicast address"),
        None => {}
    }
}

/// `child_wait_time`, which stands outside all blocks.
pub fn child_wait_time(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Global) {
    set(&mut d.child_wait, r.number(s.word(1), 0..=i64::from(u32::MAX)).map(secs), s);
}
