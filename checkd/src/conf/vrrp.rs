//! `vrrp_instance` blocks. Ranges and words only: what follows from several statements together, or from other
//! blocks, is worked out in [`super::resolve`].

use super::address::{self, Address};
use super::diag::{Code, Diagnostic};
use super::global::{Garp, garp_count, garp_refresh, garp_seconds, version};
use super::keyword::{Args, At, Keyword, Reader, set};
use super::notify::{Notify, notify};
use super::route::{self, Route};
use super::rule::{self, Rule};
use super::source::Span;
use super::track::{self, Use};
use super::transport::{AUTHENTICATION, group_ip, peers, source, unicast_source};
use super::tree::Statement;
use super::value::{micros, plain, secs};
use super::vrrp_options::More;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::vrrp::{Peer, Switch, Version, Wanted};

/// `auth_type`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    /// `PASS`
    Pass,
    /// `AH`
    Ah,
}

/// A `vrrp_instance` block.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name.
    pub name: At<String>,
    /// Its first line.
    pub span: Span,
    /// `state`
    pub state: Option<At<Wanted>>,
    /// `interface`
    pub link: Option<At<String>>,
    /// `virtual_router_id`
    pub vrid: Option<At<u8>>,
    /// `priority`
    pub priority: Option<At<u8>>,
    /// `advert_int`
    pub advert_int: Option<At<Duration>>,
    /// `version`
    pub version: Option<At<Version>>,
    /// `nopreempt`
    pub nopreempt: Option<Span>,
    /// `preempt_delay`
    pub preempt_delay: Option<At<Duration>>,
    /// `down_timer_adverts`
    pub down_timer_adverts: Option<At<u8>>,
    /// `mcast_src_ip` or `unicast_src_ip`
    pub source: Option<At<IpAddr>>,
    /// `track_src_ip`
    pub track_source: Option<Span>,
    /// `mcast_dst_ip`
    pub group_ip: Option<At<IpAddr>>,
    /// `unicast_peer`
    pub peers: Vec<At<Peer>>,
    /// `unicast_ttl`
    pub unicast_ttl: Option<At<u8>>,
    /// `check_unicast_src`, or a ttl range of a peer.
    pub check_unicast_src: Switch,
    /// `unicast_src_ip` or `unicast_peer` was there.
    pub unicast_words: Option<Span>,
    /// `auth_type`
    pub auth_type: Option<At<AuthType>>,
    /// `auth_pass`
    pub auth_pass: Option<At<Vec<u8>>>,
    /// `v3_checksum_as_v2`
    pub v3_checksum_as_v2: Option<Switch>,
    /// `virtual_ipaddress`
    pub vips: Vec<Address>,
    /// `virtual_ipaddress_excluded`
    pub excluded: Vec<Address>,
    /// `virtual_routes`
    pub routes: Vec<Route>,
    /// `virtual_rules`
    pub rules: Vec<Rule>,
    /// `no_virtual_ipaddress`
    pub no_vips: Switch,
    /// `garp_…`
    pub garp: Garp,
    /// `lower_prio_no_advert`
    pub lower_prio_no_advert: Option<Switch>,
    /// `higher_prio_send_advert`
    pub higher_prio_send_advert: Option<Switch>,
    /// `owner_ignore_adverts`
    pub owner_ignore_adverts: Option<At<Switch>>,
    /// `skip_check_adv_addr`
    pub skip_check_adv_addr: Option<Switch>,
    /// `dont_track_primary`
    pub dont_track_primary: Switch,
    /// `track_interface`
    pub track_links: Vec<Use>,
    /// `track_script`
    pub track_scripts: Vec<Use>,
    /// `notify…`
    pub notify: Notify,
    /// The rest.
    pub more: More,
}

impl Instance {
    /// An empty block.
    pub fn new(name: At<String>, span: Span) -> Self {
        Instance {
            name,
            span,
            state: None,
            link: None,
            vrid: None,
            priority: None,
            advert_int: None,
            version: None,
            nopreempt: None,
            preempt_delay: None,
            down_timer_adverts: None,
            source: None,
            track_source: None,
            group_ip: None,
            peers: Vec::new(),
            unicast_ttl: None,
            check_unicast_src: Switch::Off,
            unicast_words: None,
            auth_type: None,
            auth_pass: None,
            v3_checksum_as_v2: None,
            vips: Vec::new(),
            excluded: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
            no_vips: Switch::Off,
            garp: Garp::default(),
            lower_prio_no_advert: None,
            higher_prio_send_advert: None,
            owner_ignore_adverts: None,
            skip_check_adv_addr: None,
            dont_track_primary: Switch::Off,
            track_links: Vec::new(),
            track_scripts: Vec::new(),
            notify: Notify::default(),
            more: More::default(),
        }
    }
}

/// `MASTER` or `BACKUP`. COMPAT: keepalived 2.4.3 takes anything else as BACKUP, and MASTER stays when BACKUP follows.
fn state(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    let Some(word) = s.word(1) else { return };
    let value = match word.text() {
        "MASTER" => Wanted::Master,
        "BACKUP" => Wanted::Backup,
        other => {
            let wanted = other.to_ascii_uppercase();
            let message = format!("`{}` is neither MASTER nor BACKUP", super::keyword::shown(other));
            let mut bad = Diagnostic::error(Code::BAD_VALUE, word.span, message).label("taken as BACKUP");
            if let Some(near) = super::keyword::nearest(&wanted, ["MASTER", "BACKUP"].into_iter()) {
                bad = bad.help(format!("did you mean `{near}`?")).patch(word.span, near);
            }
            r.diags.push(bad);
            Wanted::Backup
        }
    };
    match &i.state {
        Some(At { value: Wanted::Master, span }) if value == Wanted::Backup => {
            let message = "`state` is given twice; MASTER counts";
            let again = Diagnostic::warning(Code::REPEATED, s.whole(), message).label("ignored");
            r.diags.push(again.also(*span, "the first one"));
        }
        _ => set(&mut i.state, Some(value), s),
    }
}

fn interface(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    let Some(link) = s.word(1).and_then(|w| r.link_name(w)) else { return };
    if link.value == "lo" {
        let message = "`lo` cannot carry VRRP";
        r.diags.push(Diagnostic::error(Code::BAD_VALUE, link.span, message).label("ignored"));
        return;
    }
    i.link = Some(link);
}

/// COMPAT: an invalid priority leaves the default.
fn priority(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    set(&mut i.priority, r.number(s.word(1), 1..=255), s);
}

/// COMPAT: keepalived 2.4.3: 0.01 to 255 s; the version rounds it later.
fn advert_int(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    set(&mut i.advert_int, r.timer(s.word(1), micros(10_000)..=secs(255)), s);
}

/// `vrrp_instance`
pub static INSTANCE: &[Keyword<Instance>] = &[
    Keyword::new("state", Args::Count(1, 1), "MASTER|BACKUP", "what the instance starts as; the priorities decide what it becomes", state).or("BACKUP, MASTER with priority 255"),
    Keyword::new("interface", Args::Count(1, 1), "INTERFACE", "the interface that adverts are sent and heard on, and that addresses without dev are added to", interface),
    Keyword::new(
        "virtual_router_id",
        Args::Count(1, 1),
        "INT 1..255",
        "the number of the virtual router: the same on all its machines, and on nothing else in that network",
        |r, s, i: &mut Instance| {
            set(&mut i.vrid, r.number(s.word(1), 1..=255), s);
        },
    ),
    Keyword::new("priority", Args::Count(1, 1), "INT 1..255", "who has the highest becomes master; 255 is for the machine that owns the addresses", priority).or("100"),
    Keyword::new("advert_int", Args::Count(1, 1), "SECONDS", "the time between two adverts; whole seconds in version 2, hundredths up to 40.95 in version 3", advert_int).or("1"),
    Keyword::new("version", Args::Count(1, 1), "2|3", "the VRRP version", |r, s, i: &mut Instance| {
        if let Some(version) = version(r, s) {
            r.first(&mut i.version, s, version);
        }
    }).or("vrrp_version, 3 for IPv6"),
    Keyword::flag("nopreempt", "a master with a lower priority is left alone; for state BACKUP only", |_, s, i| i.nopreempt = Some(s.span())),
    Keyword::flag("preempt", "a master with a lower priority is taken over from, which is the default", |r, s, i: &mut Instance| {
        i.nopreempt = None;
        let message = "`preempt` is old: a lower master is deposed unless there is `nopreempt`";
        r.diags.push(Diagnostic::warning(Code::DEPRECATED, s.span(), message));
    }),
    Keyword::new(
        "preempt_delay",
        Args::Count(1, 1),
        "SECONDS 0..1000",
        "how long a master with a lower priority is heard before it is taken over from",
        |r, s, i: &mut Instance| {
            set(&mut i.preempt_delay, r.timer(s.word(1), micros(0)..=secs(1000)), s);
        },
    )
    .or("0"),
    Keyword::new(
        "down_timer_adverts",
        Args::Count(1, 1),
        "INT 1..100",
        "how many adverts may be missed before somebody else becomes master",
        |r, s, i: &mut Instance| {
            set(&mut i.down_timer_adverts, r.number(s.word(1), 1..=100), s);
        },
    )
    .or("3"),
    Keyword::new("mcast_src_ip", Args::Count(1, 1), "IP", "the source address of multicast adverts", source).or("the first address of the interface"),
    Keyword::new("unicast_src_ip", Args::Count(1, 1), "IP", "the source address of unicast adverts", unicast_source).or("the first address of the interface"),
    Keyword::flag("track_src_ip", "the instance is in FAULT while the source address is missing", |_, s, i| {
        i.track_source = Some(s.span());
    }),
    Keyword::new("mcast_dst_ip", Args::Count(1, 1), "IP", "the multicast group that adverts are sent to", group_ip).or("that of vrrp_mcast_group4"),
    Keyword::new("unicast_peer", Args::Flag, "", "adverts are sent to these addresses instead of to a group, one a line: IP [min_ttl N] [max_ttl N]", peers).block(),
    Keyword::new("unicast_ttl", Args::Count(1, 1), "INT 0..255", "the TTL of unicast adverts", |r, s, i: &mut Instance| {
        set(&mut i.unicast_ttl, r.number(s.word(1), 0..=255), s);
    })
    .or("255, for IPv6 64"),
    Keyword::new("check_unicast_src", Args::Switch, "[on|off]", "adverts count only when they come from a peer", |r, s, i: &mut Instance| {
        i.check_unicast_src = r.switch(s).unwrap_or(i.check_unicast_src);
    }).or("that of vrrp_check_unicast_src"),
    Keyword::new("authentication", Args::Flag, "", "a password that the adverts of version 2 carry, readable for everybody on the network", |r, s, i: &mut Instance| {
        super::keyword::read(r, &[AUTHENTICATION], "`authentication`", s.children(), i);
    })
    .block(),
    Keyword::new(
        "v3_checksum_as_v2",
        Args::Switch,
        "[on|off]",
        "the checksum of version 3 over IPv4 leaves the pseudo header out, as some routers do",
        |r, s, i: &mut Instance| {
            i.v3_checksum_as_v2 = r.switch(s).or(i.v3_checksum_as_v2);
        },
    ).or("off").since("2.2.8"),
    Keyword::new("virtual_ipaddress", Args::Flag, "", "the addresses of the master, one a line, see ADDRESSES", |r, s, i: &mut Instance| {
        address::records(r, s, &mut i.vips);
    })
    .block(),
    Keyword::new(
        "virtual_ipaddress_excluded",
        Args::Flag,
        "",
        "further addresses of the master that adverts do not name",
        |r, s, i: &mut Instance| {
            address::records(r, s, &mut i.excluded);
        },
    )
    .block(),
    Keyword::flag("no_virtual_ipaddress", "an instance without addresses is meant", |_, _, i: &mut Instance| {
        i.no_vips = Switch::On
    }).since("2.2.8"),
    Keyword::new(
        "garp_master_delay",
        Args::Count(1, 1),
        "SECONDS",
        "the time after which a new master sends a second burst of gratuitous ARPs; 0: it sends none",
        |r, s, i: &mut Instance| {
            set(&mut i.garp.delay, garp_seconds(r, s), s);
        },
    )
    .or("5"),
    Keyword::new(
        "garp_master_repeat",
        Args::Count(1, 1),
        "INT",
        "how many gratuitous ARPs a burst has for each address",
        |r, s, i: &mut Instance| {
            set(&mut i.garp.repeat, garp_count(r, s), s);
        },
    )
    .or("5"),
    Keyword::new(
        "garp_master_refresh",
        Args::Count(1, 1),
        "SECONDS",
        "how often a master sends gratuitous ARPs from then on; 0: never",
        |r, s, i: &mut Instance| {
            set(&mut i.garp.refresh, garp_refresh(r, s), s);
        },
    )
    .or("0"),
    Keyword::new(
        "garp_master_refresh_repeat",
        Args::Count(1, 1),
        "INT",
        "how many it then sends for each address",
        |r, s, i: &mut Instance| {
            set(&mut i.garp.refresh_repeat, garp_count(r, s), s);
        },
    )
    .or("1"),
    Keyword::new(
        "garp_lower_prio_delay",
        Args::Count(1, 1),
        "SECONDS",
        "the time after which a master that has heard a lower one sends a second burst",
        |r, s, i: &mut Instance| {
            set(&mut i.garp.lower_prio_delay, garp_seconds(r, s), s);
        },
    ).or("that of vrrp_garp_lower_prio_delay, else of vrrp_garp_master_delay"),
    Keyword::new(
        "garp_lower_prio_repeat",
        Args::Count(1, 1),
        "INT",
        "how many gratuitous ARPs a master sends when it hears a lower one; 0: none",
        |r, s, i: &mut Instance| {
            set(&mut i.garp.lower_prio_repeat, r.number(s.word(1), 0..=i64::from(i32::MAX)), s);
        },
    ).or("that of vrrp_garp_lower_prio_repeat, else of vrrp_garp_master_repeat"),
    Keyword::new(
        "lower_prio_no_advert",
        Args::Switch,
        "[on|off]",
        "a master does not answer the advert of a lower one at once",
        |r, s, i: &mut Instance| {
            i.lower_prio_no_advert = r.switch(s).or(i.lower_prio_no_advert);
        },
    ).or("that of vrrp_lower_prio_no_advert"),
    Keyword::new(
        "higher_prio_send_advert",
        Args::Switch,
        "[on|off]",
        "a master that hears a higher one sends one more advert before it yields",
        |r, s, i: &mut Instance| {
            i.higher_prio_send_advert = r.switch(s).or(i.higher_prio_send_advert);
        },
    ).or("that of vrrp_higher_prio_send_advert"),
    Keyword::new(
        "owner_ignore_adverts",
        Args::Switch,
        "[on|off]",
        "with priority 255, the adverts of others are not looked at",
        |r, s, i: &mut Instance| {
            set(&mut i.owner_ignore_adverts, r.switch(s), s);
        },
    ).or("that of vrrp_owner_ignore_adverts").since("2.3.3"),
    // keepalived takes `off` as on here, which is a bug; the documented meaning is implemented.
    Keyword::new(
        "skip_check_adv_addr",
        Args::Switch,
        "[on|off]",
        "the addresses in adverts are compared only when the master changes",
        |r, s, i: &mut Instance| {
            i.skip_check_adv_addr = r.switch(s).or(i.skip_check_adv_addr);
        },
    ).or("that of vrrp_skip_check_adv_addr"),
    Keyword::flag("dont_track_primary", "the instance stays as it is while its interface is down", |_, _, i: &mut Instance| {
        i.dont_track_primary = Switch::On
    }),
    Keyword::new("track_interface", Args::Flag, "", "interfaces that must be up, one a line: INTERFACE [weight N [reverse]]; with a weight the priority changes instead", |r, s, i: &mut Instance| {
        track::uses(r, s, &mut i.track_links);
    })
    .block(),
    Keyword::new("track_script", Args::Flag, "", "scripts that must succeed, one a line: NAME [weight N [reverse]]; with a weight the priority changes instead", |r, s, i: &mut Instance| {
        track::uses(r, s, &mut i.track_scripts);
    })
    .block(),
    notify!("notify_master", master, "a command that is run when the instance has become master"),
    notify!("notify_backup", backup, "a command that is run when the instance has become backup"),
    notify!("notify_fault", fault, "a command that is run when the instance has entered FAULT"),
    notify!("notify_stop", stop, "a command that is run when the daemon stops"),
    notify!("notify", generic, "a command that is run at every change, with INSTANCE, the name, the new state and the priority behind its arguments"),
    notify!("notify_master_rx_lower_pri", master_rx_lower_pri, "a command that is run when a master hears one with a lower priority"),
    Keyword::new("virtual_routes", Args::Flag, "", "routes of the master, one a line", |r, s, i: &mut Instance| {
        route::records(r, s, Switch::Off, &mut i.routes);
    })
    .block(),
    Keyword::new("virtual_rules", Args::Flag, "", "routing rules of the master, one a line", |r, s, i: &mut Instance| {
        rule::records(r, s, Switch::Off, &mut i.rules);
    })
    .block(),
];

/// What an advert interval becomes in a version, and what is said when that is another. COMPAT: keepalived 2.4.3.
pub fn fit_advert_int(asked: Duration, version: Version) -> (Duration, Option<String>) {
    let fitted = match version {
        Version::V2 => secs(asked.as_secs().saturating_add(u64::from(asked.subsec_millis() >= 500)).clamp(1, 255)),
        Version::V3 => {
            let hundredths = asked.as_micros().saturating_add(5000).checked_div(10_000).unwrap_or(0).clamp(1, 4095);
            micros(u64::try_from(hundredths).unwrap_or(4095).saturating_mul(10_000))
        }
    };
    let number = if version == Version::V2 { 2 } else { 3 };
    let why = (fitted != asked)
        .then(|| format!("`advert_int` {} becomes {} s in version {number}", plain(asked), plain(fitted)));
    (fitted, why)
}
