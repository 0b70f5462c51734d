//! `vrrp_instance`: what is read, typed and checked beside the protocol itself. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::global_vrrp::extra_garp;
use super::hmac::{Hmac, auth_hmac};
use super::keyword::{Args, At, Keyword, Reader, set};
use super::script::Command;
use super::source::Span;
use super::track::{self, Use};
use super::tree::Statement;
use super::vmac::{use_ipvlan, use_vmac};
use super::vrrp::Instance;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_options::{Accept, ExtraGarp, Ipvlan, OldChecksum, Vmac};

/// The rest of a `vrrp_instance` block.
#[derive(Clone, Debug, Default)]
pub struct More {
    /// `strict_mode`
    pub strict: Option<At<Switch>>,
    /// `accept`, `no_accept`
    pub accept: Option<At<Accept>>,
    /// `use_vmac`
    pub vmac: Option<At<Vmac>>,
    /// `use_ipvlan`
    pub ipvlan: Option<At<Ipvlan>>,
    /// `use_vmac_addr`
    pub vmac_addr: Switch,
    /// `vmac_xmit_base`
    pub vmac_xmit_base: Switch,
    /// `promote_secondaries`
    pub promote_secondaries: Switch,
    /// `auth_hmac`
    pub hmac: Option<Hmac>,
    /// `unicast_fault_no_peer`
    pub unicast_fault_no_peer: Switch,
    /// `old_unicast_checksum`
    pub old_unicast_checksum: OldChecksum,
    /// `timer_expired_backup`
    pub timer_expired_backup: Option<At<u8>>,
    /// `vrf`
    pub vrf: Option<At<String>>,
    /// `native_ipv6`
    pub native_ipv6: Option<Span>,
    /// `lvs_sync_daemon_interface`
    pub sync_daemon: Option<At<String>>,
    /// `kernel_rx_buf_size`
    pub receive_buffer: Option<At<u32>>,
    /// `linkbeat_use_polling`
    pub linkbeat_polling: Switch,
    /// `debug`
    pub debug: Option<At<u8>>,
    /// `garp_extra_if`; `None` inside for 0, which switches the global one off.
    pub garp_extra: Option<Option<ExtraGarp>>,
    /// `track_file`
    pub track_files: Vec<Use>,
    /// `track_process`
    pub track_processes: Vec<Use>,
    /// `track_bfd`
    pub track_bfds: Vec<Use>,
    /// `notify_deleted`; `None` inside without a command.
    pub notify_deleted: Option<At<Option<Command>>>,
    /// `notify_priority_changes`
    pub notify_priority_changes: Option<Switch>,
    /// `smtp_alert`
    pub smtp_alert: Option<Switch>,
}

/// COMPAT: nothing is 254.
fn expired(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    let value = match s.word(1) {
        Some(word) => r.number(Some(word), 1..=254),
        None => Some(254),
    };
    set(&mut i.more.timer_expired_backup, value, s);
}

fn link(r: &mut Reader<'_>, s: Statement<'_>, slot: &mut Option<At<String>>) {
    let name = s.word(1).and_then(|w| r.link_name(w));
    *slot = name.or(slot.take());
}

/// COMPAT: the second of `accept` and `no_accept` counts.
fn accept(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance, accept: Accept) {
    if let Some(earlier) = i.more.accept.as_ref().filter(|a| a.value != accept) {
        let message = "`accept` and `no_accept` contradict one another; the last one counts";
        r.diags.push(Diagnostic::warning(Code::CONFLICT, s.span(), message).also(earlier.span, "the other one"));
    }
    i.more.accept = Some(At::new(accept, s.whole()));
}

fn notify_deleted(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    let command = match s.word(1) {
        Some(_) => match r.command(s) {
            Some(command) => Some(command),
            None => return,
        },
        None => None,
    };
    r.first(&mut i.more.notify_deleted, s, command);
}

/// `vrrp_instance`, continued
pub static OPTIONS: &[Keyword<Instance>] = &[
    Keyword::flag("accept", "packets for the addresses are accepted in strict mode too; version 3 only", |r, s, i: &mut Instance| {
        accept(r, s, i, Accept::Accept)
    }),
    Keyword::flag("no_accept", "packets for the addresses are dropped unless this machine owns them", |r, s, i: &mut Instance| {
        accept(r, s, i, Accept::Drop)
    }),
    Keyword::switch("strict_mode", "nothing that RFC 9568 does not have: no unicast, no authentication, packets for the addresses dropped", |r, s, i: &mut Instance| {
        set(&mut i.more.strict, r.switch(s), s);
    }).or("that of vrrp_strict"),
    Keyword::new(
        "use_vmac",
        Args::Count(0, 6),
        "[[name] INTERFACE] [MAC] [netlink_notify_msg] [group ID]",
        "the addresses are on an interface of its own with the MAC address of the virtual router",
        use_vmac,
    ),
    Keyword::flag("use_vmac_addr", "addresses on other interfaces get the MAC address of the virtual router too", |_, _, i: &mut Instance| {
        i.more.vmac_addr = Switch::On;
    }),
    Keyword::flag("vmac_xmit_base", "with use_vmac, adverts leave by the interface itself", |_, _, i: &mut Instance| {
        i.more.vmac_xmit_base = Switch::On;
    }),
    Keyword::new(
        "use_ipvlan",
        Args::Count(0, 6),
        "[[name] INTERFACE] [IP[/PREFIX]] [bridge|private|vepa] [group ID]",
        "adverts leave by an ipvlan interface of its own, from this address; an IPv4 instance needs one",
        use_ipvlan,
    ),
    Keyword::flag("promote_secondaries", "the kernel keeps the other addresses of a subnet when its first one is removed", |_, _, i: &mut Instance| {
        i.more.promote_secondaries = Switch::On;
    }),
    Keyword::new("auth_hmac", Args::Flag, "", "signed adverts, in any version", auth_hmac).since("2.4.0").block(),
    Keyword::flag("unicast_fault_no_peer", "without a unicast peer the instance is in FAULT instead of using multicast", |_, _, i: &mut Instance| {
        i.more.unicast_fault_no_peer = Switch::On;
    }),
    Keyword::new(
        "old_unicast_checksum",
        Args::Count(0, 1),
        "[never]",
        "the checksum of version 3 unicast adverts of keepalived before 1.3.6 is sent; without it only to peers that have it; never: not taken either",
        |r, s, i: &mut Instance| {
            i.more.old_unicast_checksum = match s.word(1) {
                None => OldChecksum::Always,
                Some(word) if word.text() == "never" => OldChecksum::Never,
                Some(word) => return r.bad(word, "`never`"),
            };
        },
    ),
    Keyword::new("timer_expired_backup", Args::Count(0, 1), "[1..254]", "a master that was held up for too long to send adverts becomes backup; the number is the highest priority that another router can have", expired).since("2.2.8"),
    Keyword::new("thread_timer_expired", Args::Count(0, 1), "[1..254]", "a master that was held up for too long to send adverts becomes backup", expired)
        .old_name_of("timer_expired_backup"),
    Keyword::flag(
        "linkbeat_use_polling",
        "the link of its interface is watched, as it always is; linkbeat_interfaces says the same today",
        |r, s, i: &mut Instance| {
            i.more.linkbeat_polling = Switch::On;
            let message = "`linkbeat_use_polling` is old here: its interface belongs in `linkbeat_interfaces`";
            r.diags.push(Diagnostic::warning(Code::DEPRECATED, s.span(), message));
        },
    ),
    Keyword::new("vrf", Args::Count(1, 1), "INTERFACE", "the VRF that unicast adverts use, for an instance without interface", |r, s, i: &mut Instance| {
        link(r, s, &mut i.more.vrf);
    }),
    Keyword::new("kernel_rx_buf_size", Args::Count(1, 1), "BYTES", "the size of the receive buffer of its socket", |r, s, i: &mut Instance| {
        set(&mut i.more.receive_buffer, r.number(s.word(1), 1..=1 << 30), s);
    }).or("4194304, and no less whatever it says"),
    Keyword::flag("native_ipv6", "an IPv6 instance, which its addresses say anyway", |r, s, i: &mut Instance| {
        i.more.native_ipv6 = Some(s.span());
        let message = "`native_ipv6` is old: the first address decides for IPv6";
        r.diags.push(Diagnostic::warning(Code::DEPRECATED, s.span(), message));
    }),
    Keyword::new(
        "lvs_sync_daemon_interface",
        Args::Count(1, 1),
        "INTERFACE",
        "lvs_sync_daemon for this instance; write that in global_defs",
        |r, s, i: &mut Instance| {
            link(r, s, &mut i.more.sync_daemon);
            let message = "`lvs_sync_daemon_interface` is old: `lvs_sync_daemon INTERFACE INSTANCE` in `global_defs`";
            r.diags.push(Diagnostic::warning(Code::DEPRECATED, s.span(), message));
        },
    ),
    Keyword::new("debug", Args::Count(1, 1), "0..4", "has no effect, in keepalived either", |r, s, i: &mut Instance| {
        set(&mut i.more.debug, r.number(s.word(1), 0..=4), s);
    })
    .or("0"),
    Keyword::new(
        "garp_extra_if",
        Args::Count(1, 2),
        "[all] SECONDS 0..86400",
        "how often a master sends gratuitous ARPs for addresses on other interfaces than its own; 0: never",
        |r, s, i: &mut Instance| i.more.garp_extra = extra_garp(r, s, 0).or(i.more.garp_extra),
    ).or("that of vrrp_garp_extra_if"),
    Keyword::new(
        "vmac_garp_intvl",
        Args::Count(1, 2),
        "[all] SECONDS 0..86400",
        "how often a master sends gratuitous ARPs for addresses on other interfaces than its own",
        |r, s, i: &mut Instance| i.more.garp_extra = extra_garp(r, s, 0).or(i.more.garp_extra),
    )
    .old_name_of("garp_extra_if"),
    Keyword::new("track_file", Args::Flag, "", "files whose numbers matter, one a line: NAME [weight N [reverse]]", |r, s, i: &mut Instance| {
        track::uses_within(r, s, &mut i.more.track_files, 254);
    })
    .block(),
    Keyword::new("track_process", Args::Flag, "", "processes that must run, one a line: NAME [weight N [reverse]]; with a weight the priority changes instead", |r, s, i: &mut Instance| {
        track::uses_within(r, s, &mut i.more.track_processes, 254);
    })
    .block(),
    Keyword::new("track_bfd", Args::Flag, "", "BFD sessions that must be up, one a line: NAME [weight N [reverse]]; with a weight the priority changes instead", |r, s, i: &mut Instance| {
        track::uses(r, s, &mut i.more.track_bfds);
    })
    .block(),
    Keyword::new(
        "notify_deleted",
        Args::Some(0),
        "[COMMAND [USER [GROUP]]]",
        "a command that is run when a reload removes the instance; without one, notify is called with DELETED instead of FAULT",
        notify_deleted,
    ),
    Keyword::switch("notify_priority_changes", "changes of the priority are told to the FIFOs", |r, s, i: &mut Instance| {
        i.more.notify_priority_changes = r.switch(s).or(i.more.notify_priority_changes);
    }).or("that of its group, else vrrp_notify_priority_changes"),
    Keyword::switch("smtp_alert", "mail when the state changes", |r, s, i: &mut Instance| {
        i.more.smtp_alert = r.switch(s).or(i.more.smtp_alert);
    }).or("that of smtp_alert_vrrp"),
];
