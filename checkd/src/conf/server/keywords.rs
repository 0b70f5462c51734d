//! The keywords of `virtual_server`.

use super::{
    SCHED_FLAGS, Server, WEIGHT, engine, granularity, has_sorry, persistence, protocol, scheduler, scheduler_flag,
    sorry_server,
};
use crate::conf::checker::{above_zero, from_zero, retries};
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::global_vrrp::fill;
use crate::conf::keyword::{Args, At, Keyword, set};
use crate::conf::method::method;
use crate::conf::real::real_server;
use crate::conf::tree::Word;
use ipc::config::vrrp::Switch;
use ipc::net::Family;

/// `virtual_server`
pub static SERVER: &[Keyword<Server>] = &[
    Keyword::new(
        "ip_family",
        Args::Count(1, 1),
        "inet|inet6",
        "the address family of a service by firewall mark",
        |r, s, v: &mut Server| match s.word(1).map(Word::text) {
            Some("inet") => set(&mut v.family, Some(Family::V4), s),
            Some("inet6") => set(&mut v.family, Some(Family::V6), s),
            _ => {
                if let Some(word) = s.word(1) {
                    r.bad(word, "`inet` or `inet6`");
                }
            }
        },
    )
    .or("that of its real servers"),
    Keyword::new(
        "lvs_sched",
        Args::Count(1, 1),
        "rr|wrr|lc|wlc|…",
        "how connections are spread over the real servers; the names are those of ipvsadm(8)",
        scheduler,
    )
    .or("wlc"),
    Keyword::new(
        "lb_algo",
        Args::Count(1, 1),
        "rr|wrr|lc|wlc|…",
        "how connections are spread over the real servers; another name of lvs_sched",
        scheduler,
    )
    .or("wlc"),
    Keyword::flag("ops", "each UDP packet is scheduled by itself", |_, s, v: &mut Server| {
        v.one_packet = Some(s.span())
    }),
    Keyword::flag("flag-1", "the first flag of the scheduler", |_, _, v: &mut Server| v.flags |= SCHED_FLAGS[0]),
    Keyword::flag("flag-2", "the second flag of the scheduler", |_, _, v: &mut Server| v.flags |= SCHED_FLAGS[1]),
    Keyword::flag("flag-3", "the third flag of the scheduler", |_, _, v: &mut Server| v.flags |= SCHED_FLAGS[2]),
    Keyword::flag(
        "sh-fallback",
        "with lvs_sched sh: a client whose server has weight 0 gets another one",
        |r, s, v: &mut Server| {
            scheduler_flag(r, s, v, "sh", SCHED_FLAGS[0]);
        },
    ),
    Keyword::flag("sh-port", "with lvs_sched sh: the port of the client counts too", |r, s, v: &mut Server| {
        scheduler_flag(r, s, v, "sh", SCHED_FLAGS[1])
    }),
    Keyword::flag(
        "mh-fallback",
        "with lvs_sched mh: a client whose server has weight 0 gets another one",
        |r, s, v: &mut Server| {
            scheduler_flag(r, s, v, "mh", SCHED_FLAGS[0]);
        },
    ),
    Keyword::flag("mh-port", "with lvs_sched mh: the port of the client counts too", |r, s, v: &mut Server| {
        scheduler_flag(r, s, v, "mh", SCHED_FLAGS[1])
    }),
    Keyword::new(
        "lvs_method",
        Args::Some(1),
        "NAT|DR|TUN",
        "how packets reach the real servers; TUN takes type ipip|gue|gre, port N and nocsum|csum|remcsum",
        |r, s, v: &mut Server| {
            set(&mut v.method, method(r, s), s);
        },
    )
    .or("NAT"),
    Keyword::new(
        "lb_kind",
        Args::Some(1),
        "NAT|DR|TUN",
        "how packets reach the real servers; another name of lvs_method",
        |r, s, v: &mut Server| {
            set(&mut v.method, method(r, s), s);
        },
    )
    .or("NAT"),
    Keyword::new(
        "persistence_timeout",
        Args::Count(0, 1),
        "SECONDS",
        "how long a client stays with its server; 0: it does not",
        persistence,
    )
    .or("0, alone 360"),
    Keyword::new(
        "persistence_granularity",
        Args::Count(1, 1),
        "NETMASK",
        "the part of a client's address that counts: a netmask for IPv4, a prefix length for IPv6",
        granularity,
    )
    .or("all of it"),
    Keyword::new(
        "protocol",
        Args::Count(1, 1),
        "TCP|UDP|SCTP",
        "the protocol of the service; not for firewall marks",
        protocol,
    )
    .or("UDP"),
    Keyword::new(
        "delay_loop",
        Args::Count(1, 1),
        "SECONDS",
        "the time between two checks of a real server",
        |r, s, v: &mut Server| {
            set(&mut v.schedule.delay_loop, above_zero(r, s), s);
        },
    )
    .or("60"),
    Keyword::new(
        "connect_timeout",
        Args::Count(1, 1),
        "SECONDS",
        "how long each step of a check may take",
        |r, s, v: &mut Server| {
            set(&mut v.schedule.timeout, above_zero(r, s), s);
        },
    )
    .or("5"),
    Keyword::new(
        "retry",
        Args::Count(1, 1),
        "INT",
        "how many failures are put up with before a real server counts as down",
        |r, s, v: &mut Server| {
            set(&mut v.schedule.retry, retries(r, s, 1), s);
        },
    )
    .or("that of the checker"),
    Keyword::new(
        "delay_before_retry",
        Args::Count(1, 1),
        "SECONDS",
        "the time to the next check after a failure",
        |r, s, v: &mut Server| {
            set(&mut v.schedule.delay_before_retry, from_zero(r, s), s);
        },
    )
    .or("that of the checker"),
    Keyword::new(
        "warmup",
        Args::Count(1, 1),
        "SECONDS",
        "the first checks are spread over this time",
        |r, s, v: &mut Server| {
            set(&mut v.schedule.warmup, from_zero(r, s), s);
        },
    )
    .or("that of delay_loop"),
    Keyword::new(
        "weight",
        Args::Count(1, 1),
        "INT from 1",
        "the weight of real servers that name none",
        |r, s, v: &mut Server| {
            set(&mut v.weight, r.number(s.word(1), 1..=WEIGHT), s);
        },
    )
    .or("1"),
    Keyword::new(
        "inhibit_on_failure",
        Args::Switch,
        "[on|off]",
        "a real server that is down keeps its entry, with weight 0",
        |r, s, v: &mut Server| {
            v.inhibit = r.switch(s).unwrap_or(v.inhibit);
        },
    )
    .or("off"),
    Keyword::new(
        "alpha",
        Args::Switch,
        "[on|off]",
        "real servers count as down until they have been checked",
        |r, s, v: &mut Server| {
            v.alpha = r.switch(s).unwrap_or(v.alpha);
        },
    )
    .or("off"),
    Keyword::new(
        "omega",
        Args::Switch,
        "[on|off]",
        "notify_down and quorum_down also run when the daemon stops",
        |r, s, v: &mut Server| {
            v.omega = r.switch(s).unwrap_or(v.omega);
        },
    )
    .or("off"),
    Keyword::new(
        "quorum",
        Args::Count(1, 1),
        "INT from 1",
        "how much weight must be up for the service to be up",
        |r, s, v: &mut Server| {
            set(&mut v.quorum, r.number(s.word(1), 1..=i64::from(u32::MAX)), s);
        },
    )
    .or("1"),
    Keyword::new(
        "hysteresis",
        Args::Count(1, 1),
        "INT",
        "how much more than quorum it takes to gain it, and how much less to lose it",
        |r, s, v: &mut Server| {
            set(&mut v.hysteresis, r.number(s.word(1), 0..=i64::from(u32::MAX)), s);
        },
    )
    .or("0"),
    Keyword::new(
        "quorum_up",
        Args::Script,
        "COMMAND [USER [GROUP]]",
        "a command that is run when the service has come up",
        |r, s, v: &mut Server| {
            if let Some(command) = r.command(s) {
                r.first(&mut v.quorum_up, s, command);
            }
        },
    ),
    Keyword::new(
        "quorum_down",
        Args::Script,
        "COMMAND [USER [GROUP]]",
        "a command that is run when the service has gone down",
        |r, s, v: &mut Server| {
            if let Some(command) = r.command(s) {
                r.first(&mut v.quorum_down, s, command);
            }
        },
    ),
    Keyword::new(
        "virtualhost",
        Args::Count(1, 1),
        "NAME",
        "the Host header of HTTP_GET and SSL_GET",
        |r, s, v: &mut Server| {
            v.host = s.word(1).and_then(|w| r.text(w)).or(v.host.take());
        },
    ),
    // Holdfast's own: keepalived takes out at once what a reload removes.
    Keyword::new(
        "drain_on_removal",
        Args::Count(1, 1),
        "SECONDS",
        "a real server or service that a reload removes first gets weight 0 for this time",
        |r, s, v: &mut Server| {
            set(&mut v.drain, above_zero(r, s), s);
        },
    )
    .or("no time"),
    Keyword::new(
        "sorry_server",
        Args::Count(1, 2),
        "IP [PORT]",
        "the server that answers while the quorum is lost",
        sorry_server,
    ),
    Keyword::flag(
        "sorry_server_inhibit",
        "the sorry server has an entry at all times, with weight 0 while it is not needed",
        |r, s, v: &mut Server| {
            if has_sorry(r, s, v) {
                v.sorry_inhibit = Switch::On;
            }
        },
    ),
    Keyword::new(
        "sorry_server_lvs_method",
        Args::Some(1),
        "NAT|DR|TUN",
        "how packets reach the sorry server",
        |r, s, v: &mut Server| {
            if has_sorry(r, s, v) {
                set(&mut v.sorry_method, method(r, s), s);
            }
        },
    )
    .or("that of lvs_method"),
    Keyword::new(
        "real_server",
        Args::Count(1, 2),
        "IP [PORT]",
        "a server that clients are sent to; without a port that of the service",
        real_server,
    )
    .block(),
    Keyword::switch(
        "ha_suspend",
        "nothing is checked while this machine does not have the service's address",
        |r, s, v: &mut Server| {
            let value = r.switch(s);
            v.ha_suspend = value.map(|on| At::new(on, s.whole())).or(v.ha_suspend.take());
        },
    )
    .or("off"),
    Keyword::switch("smtp_alert", "mail when the service comes up or goes down", |r, s, v: &mut Server| {
        v.smtp_alert = r.switch(s).or(v.smtp_alert)
    })
    .or("that of smtp_alert_checker"),
    Keyword::new(
        "persistence_engine",
        Args::Count(1, 1),
        "NAME",
        "what finds the client in the payload, such as sip",
        engine,
    ),
    Keyword::new("snmp_name", Args::Count(1, 1), "NAME", "the name of the service in SNMP", |r, s, v: &mut Server| {
        fill(&mut v.snmp_name, s.word(1).and_then(|w| r.text(w)).map(|n| n.value));
    })
    .not_yet(),
    Keyword::flag("hashed", "has no effect, in keepalived either", |r, s, v: &mut Server| {
        // COMPAT: keepalived 2.4.3: an error of its own unless the scheduler hashes.
        let hashes = v.scheduler.as_ref().is_some_and(|a| matches!(a.value, "sh" | "mh"));
        let message =
            if hashes { "`hashed` is an old word without effect" } else { "`hashed` is for `lvs_sched sh` and `mh`" };
        r.diags.push(Diagnostic::warning(Code::DEPRECATED, s.span(), message).help("remove the line"));
    }),
];
