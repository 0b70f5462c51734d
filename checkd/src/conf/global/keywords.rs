//! `global_defs`: keywords about mail, scripts and VRRP.

use super::{
    Global, emails, garp_count, garp_refresh, garp_seconds, mcast_group4, put, script_timeout, smtp_server, version,
};
use crate::conf::keyword::{Args, Keyword, set};
use crate::conf::value::{micros, secs};
use ipc::config::ipvs::OnRemoval;
use ipc::config::vrrp::Switch;

/// `global_defs`
pub static GLOBAL: &[Keyword<Global>] = &[
    Keyword::new(
        "router_id",
        Args::Count(1, 1),
        "NAME",
        "the name of this machine in mails",
        |r, s, d: &mut Global| {
            d.router_id = s.word(1).and_then(|w| r.text(w)).or(d.router_id.take());
        },
    )
    .or("the host name"),
    Keyword::new(
        "notification_email",
        Args::Flag,
        "",
        "who gets mail: addresses, separated by blanks or lines",
        emails,
    )
    .block(),
    Keyword::new(
        "notification_email_from",
        Args::Count(1, 1),
        "ADDRESS",
        "the sender of mails",
        |r, s, d: &mut Global| {
            d.mail_from = s.word(1).and_then(|w| r.text(w)).or(d.mail_from.take());
        },
    )
    .or("the user and the host name"),
    Keyword::new(
        "smtp_server",
        Args::Count(1, 2),
        "IP [PORT]",
        "the server that mail is handed to; port 25 unless another one is given",
        smtp_server,
    ),
    Keyword::new(
        "smtp_helo_name",
        Args::Count(1, 1),
        "NAME",
        "the name that the mail server is greeted with",
        |r, s, d: &mut Global| {
            d.smtp_helo = s.word(1).and_then(|w| r.text(w)).or(d.smtp_helo.take());
        },
    )
    .or("the host name"),
    Keyword::new(
        "smtp_connect_timeout",
        Args::Count(1, 1),
        "SECONDS",
        "how long each step of handing in a mail may take",
        |r, s, d: &mut Global| {
            let Some(word) = s.word(1) else { return };
            let seconds: Option<u64> = r.number(Some(word), 0..=86_400);
            if seconds == Some(0) {
                r.adjusted(word, "`smtp_connect_timeout` 0 is taken as 1 second");
            }
            set(&mut d.smtp_timeout, seconds.map(|n| secs(n.max(1))), s);
        },
    )
    .or("30"),
    Keyword::new(
        "script_user",
        Args::Count(1, 2),
        "USER [[:]GROUP]",
        "who runs scripts that name nobody; the group is the user's own unless one is given",
        |r, s, d: &mut Global| {
            d.script_user = r.run_as(s).or(d.script_user.take());
        },
    )
    .or("keepalived_script, else root"),
    Keyword::flag(
        "enable_script_security",
        "root runs no script that anybody else can write to",
        |_, _, d: &mut Global| {
            d.script_security = Switch::On;
        },
    ),
    Keyword::new(
        "use_symlink_paths",
        Args::Switch,
        "[on|off]",
        "scripts are run by the path that is written, not by the one that its symbolic links lead to",
        |r, s, d: &mut Global| {
            put(&mut d.symlinks, r.switch(s));
        },
    )
    .or("off")
    .since("2.3.0"),
    Keyword::new(
        "startup_script",
        Args::Script,
        "COMMAND [USER [[:]GROUP]]",
        "a command that is run once, before the children start",
        |r, s, d: &mut Global| {
            if let Some(command) = r.command(s) {
                r.first(&mut d.startup, s, command);
            }
        },
    ),
    Keyword::new(
        "startup_script_timeout",
        Args::Count(1, 1),
        "SECONDS 1..1000",
        "how long startup_script may run before it is killed",
        |r, s, d: &mut Global| {
            set(&mut d.startup_timeout, script_timeout(r, s), s);
        },
    )
    .or("10"),
    Keyword::new(
        "shutdown_script",
        Args::Script,
        "COMMAND [USER [[:]GROUP]]",
        "a command that is run once, after the children have ended",
        |r, s, d: &mut Global| {
            if let Some(command) = r.command(s) {
                r.first(&mut d.shutdown, s, command);
            }
        },
    ),
    Keyword::new(
        "shutdown_script_timeout",
        Args::Count(1, 1),
        "SECONDS 1..1000",
        "how long shutdown_script may run before it is killed",
        |r, s, d: &mut Global| {
            set(&mut d.shutdown_timeout, script_timeout(r, s), s);
        },
    )
    .or("10"),
    Keyword::new(
        "vrrp_version",
        Args::Count(1, 1),
        "2|3",
        "the VRRP version of IPv4 instances that name none; IPv6 is always version 3",
        |r, s, d: &mut Global| {
            set(&mut d.version, version(r, s), s);
        },
    )
    .or("2"),
    Keyword::new(
        "vrrp_mcast_group4",
        Args::Count(1, 1),
        "IP",
        "the multicast group that IPv4 adverts are sent to",
        mcast_group4,
    )
    .or("224.0.0.18"),
    Keyword::new(
        "vrrp_garp_master_delay",
        Args::Count(1, 1),
        "SECONDS",
        "the garp_master_delay of instances that name none",
        |r, s, d: &mut Global| {
            set(&mut d.garp.delay, garp_seconds(r, s), s);
        },
    )
    .or("5"),
    Keyword::new(
        "vrrp_garp_master_repeat",
        Args::Count(1, 1),
        "INT",
        "the garp_master_repeat of instances that name none",
        |r, s, d: &mut Global| {
            set(&mut d.garp.repeat, garp_count(r, s), s);
        },
    )
    .or("5"),
    Keyword::new(
        "vrrp_garp_master_refresh",
        Args::Count(1, 1),
        "SECONDS",
        "the garp_master_refresh of instances that name none",
        |r, s, d: &mut Global| {
            set(&mut d.garp.refresh, garp_refresh(r, s), s);
        },
    )
    .or("0"),
    Keyword::new(
        "vrrp_garp_master_refresh_repeat",
        Args::Count(1, 1),
        "INT",
        "the garp_master_refresh_repeat of instances that name none",
        |r, s, d: &mut Global| {
            set(&mut d.garp.refresh_repeat, garp_count(r, s), s);
        },
    )
    .or("1"),
    Keyword::new(
        "vrrp_garp_lower_prio_delay",
        Args::Count(1, 1),
        "SECONDS",
        "the garp_lower_prio_delay of instances that name none",
        |r, s, d: &mut Global| {
            set(&mut d.garp.lower_prio_delay, garp_seconds(r, s), s);
        },
    )
    .or("that of vrrp_garp_master_delay"),
    Keyword::new(
        "vrrp_garp_lower_prio_repeat",
        Args::Count(1, 1),
        "INT",
        "the garp_lower_prio_repeat of instances that name none",
        |r, s, d: &mut Global| {
            set(&mut d.garp.lower_prio_repeat, r.number(s.word(1), 0..=i64::from(i32::MAX)), s);
        },
    )
    .or("that of vrrp_garp_master_repeat"),
    Keyword::new(
        "vrrp_min_garp",
        Args::Switch,
        "[on|off]",
        "a new master sends a single gratuitous ARP for each address, and no second burst",
        |r, s, d: &mut Global| {
            put(&mut d.min_garp, r.switch(s));
        },
    )
    .or("off"),
    Keyword::new(
        "vrrp_down_timer_adverts",
        Args::Count(1, 1),
        "INT 1..100",
        "the down_timer_adverts of instances that name none",
        |r, s, d: &mut Global| {
            set(&mut d.down_timer_adverts, r.number(s.word(1), 1..=100), s);
        },
    )
    .or("3"),
    Keyword::new(
        "vrrp_lower_prio_no_advert",
        Args::Switch,
        "[on|off]",
        "the lower_prio_no_advert of instances that name none",
        |r, s, d: &mut Global| {
            put(&mut d.lower_prio_no_advert, r.switch(s));
        },
    )
    .or("off"),
    Keyword::new(
        "vrrp_higher_prio_send_advert",
        Args::Switch,
        "[on|off]",
        "the higher_prio_send_advert of instances that name none",
        |r, s, d: &mut Global| {
            d.higher_prio_send_advert = r.switch(s).or(d.higher_prio_send_advert);
        },
    )
    .or("on"),
    Keyword::new(
        "vrrp_owner_ignore_adverts",
        Args::Switch,
        "[on|off]",
        "the owner_ignore_adverts of instances that name none",
        |r, s, d: &mut Global| {
            put(&mut d.owner_ignore_adverts, r.switch(s));
        },
    )
    .or("off")
    .since("2.3.3"),
    Keyword::new(
        "v3_checksum_as_v2",
        Args::Switch,
        "[on|off]",
        "the v3_checksum_as_v2 of instances that name none",
        |r, s, d: &mut Global| {
            put(&mut d.v3_checksum_as_v2, r.switch(s));
        },
    )
    .or("off")
    .since("2.2.8"),
    Keyword::new(
        "vrrp_check_unicast_src",
        Args::Switch,
        "[on|off]",
        "the check_unicast_src of instances that name none",
        |r, s, d: &mut Global| {
            put(&mut d.check_unicast_src, r.switch(s));
        },
    )
    .or("off"),
    Keyword::new(
        "vrrp_skip_check_adv_addr",
        Args::Switch,
        "[on|off]",
        "the skip_check_adv_addr of instances that name none",
        |r, s, d: &mut Global| {
            put(&mut d.skip_check_adv_addr, r.switch(s));
        },
    )
    .or("off"),
    Keyword::new(
        "vrrp_startup_delay",
        Args::Count(1, 1),
        "SECONDS",
        "how long VRRP waits after the daemon has started",
        |r, s, d: &mut Global| {
            set(&mut d.startup_delay, r.timer(s.word(1), micros(1000)..=secs(86_400)), s);
        },
    )
    .or("no time"),
    Keyword::new(
        "dynamic_interfaces",
        Args::Count(0, 1),
        "[allow_if_changes]",
        "interfaces may be missing when the daemon starts; with allow_if_changes or without they may come back as another kind",
        |r, s, d: &mut Global| {
            d.dynamic_links = Switch::On;
            match s.word(1).map(|w| (w, w.text())) {
                // Without it too: what an interface is is looked at anew each time it appears.
                None | Some((_, "allow_if_changes")) => {}
                Some((word, _)) => r.bad(word, "`allow_if_changes`"),
            }
        },
    ),
    Keyword::new(
        "vrrp_on_external_removal",
        Args::Count(1, 1),
        "restore|backup",
        "when another program removes an address, a route or a rule of a master: put it back, or give up being master",
        |r, s, d: &mut Global| match s.word(1).map(|w| (w, w.text())) {
            Some((_, "restore")) => d.on_removal = OnRemoval::Restore,
            Some((_, "backup")) => d.on_removal = OnRemoval::Backup,
            Some((word, _)) => r.bad(word, "`restore` or `backup`"),
            None => {}
        },
    )
    .or("restore"),
    Keyword::switch(
        "checker_merge",
        "checkers with equal parameters are one probe, whose verdict counts for each of them",
        |r, s, d: &mut Global| {
            d.checker_merge = r.switch(s).or(d.checker_merge);
        },
    )
    .or("on"),
    Keyword::new(
        "rs_init_notifies",
        Args::Switch,
        "[on|off]",
        "notify_up also runs for real servers that count as up from the start",
        |r, s, d: &mut Global| {
            put(&mut d.rs_init_notifies, r.switch(s));
        },
    )
    .or("off"),
    Keyword::new(
        "checker_log_all_failures",
        Args::Switch,
        "[on|off]",
        "the log_all_failures of checkers that name none",
        |r, s, d: &mut Global| {
            put(&mut d.log_all_failures, r.switch(s));
        },
    )
    .or("off"),
];
