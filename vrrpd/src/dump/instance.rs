//! An instance in `keepalived.data`.

use super::{Moment, Seconds, addresses, version, wants, word};
use crate::active::Active;
use crate::fsm::instance::Instance;
use alloc::string::String;
use core::fmt::{Result, Write};
use core::time::Duration;
use ipc::config::ScriptIdx;
use ipc::config::vrrp::{Auth, Preemption, Switch, Transport, UnicastSources, Weight};
use ipc::config::vrrp_options::{Accept, NotifyDeleted};
use ipc::net::Family;

pub(super) fn write(text: &mut String, active: &Active, instance: &Instance, at: Moment) -> Result {
    let (conf, options) = (&instance.conf, &instance.options);
    writeln!(text, " VRRP Instance = {}", conf.name)?;
    writeln!(text, "   VRRP Version = {}", version(instance))?;
    if conf.family == Family::V6 {
        writeln!(text, "   Using Native IPv6")?;
    }
    if let Some(group) = conf.group.and_then(|group| active.groups.at(group)) {
        writeln!(text, "   Sync group = {}", group.conf.name)?;
    }
    writeln!(text, "   State = {}\n   Wantstate = {}", word(instance.state), word(wants(instance)))?;
    let transition = at.day_of(instance.since);
    let ago = at.now.since(instance.since).as_secs_f64();
    let (secs, micros) = (transition.as_secs(), transition.subsec_micros());
    writeln!(text, "   Last transition = {secs}.{micros:06} ({ago:.6} s ago)")?;
    if let Some(master) = instance.master {
        writeln!(text, "   Master router = {}\n   Master priority = {}", master.addr, master.priority)?;
    }
    writeln!(text, "   Master down timer = {} usecs", instance.master_down_interval().as_micros())?;
    writeln!(text, "   Number of interface and track script faults = {}", instance.faults.len())?;
    if !conf.track_links.iter().any(|tracked| tracked.link == conf.link) {
        writeln!(text, "   VRRP interface tracking disabled")?;
    }
    let base = active.links.name(conf.link);
    match (options.own_link, &options.vmac) {
        (Some(own), Some(_)) => writeln!(text, "   Interface = {}, vmac on {base}", active.links.name(own))?,
        (Some(own), None) => writeln!(text, "   Interface = {}, ipvlan on {base}", active.links.name(own))?,
        (None, _) => writeln!(text, "   Interface = {base}")?,
    }
    match instance.port {
        Some(port) if conf.source.is_some() => {
            writeln!(text, "   Using src_ip = {} (from configuration)", port.source)?
        }
        Some(port) => writeln!(text, "   Using src_ip = {}", port.source)?,
        None => writeln!(text, "   Using src_ip = none")?,
    }
    if let Transport::Multicast { group } = &conf.transport {
        writeln!(text, "   Multicast address {group}")?;
    }
    timing(text, instance)?;
    writeln!(text, "   Virtual Router ID = {}", conf.vrid)?;
    writeln!(text, "   Priority = {}\n   Effective priority = {}", conf.priority, instance.priority)?;
    writeln!(text, "   Advert interval = {}", Interval(conf.advert_int))?;
    writeln!(text, "   Master advert interval = {}", Interval(instance.master_interval))?;
    writeln!(text, "   Accept = {}", enabled(options.accept == Accept::Accept))?;
    match conf.preemption {
        Preemption::NoPreempt => writeln!(text, "   Preempt = disabled")?,
        Preemption::Preempt { delay } if delay.is_zero() => writeln!(text, "   Preempt = enabled")?,
        Preemption::Preempt { delay } => {
            writeln!(text, "   Preempt = enabled\n   Preempt delay = {} secs", Seconds(delay))?
        }
    }
    writeln!(text, "   Promote_secondaries = {}", enabled(options.promote_secondaries == Switch::On))?;
    match &conf.auth {
        Auth::None => {}
        Auth::Pass(_) => writeln!(text, "   Authentication type = SIMPLE_PASSWORD\n   Password = ********")?,
        Auth::Ah(_) => writeln!(text, "   Authentication type = IPSEC_AH\n   Password = ********")?,
    }
    let (vips, excluded) = addresses(active, instance);
    list(text, &alloc::format!("Virtual IP ({}):", vips.len()), &vips)?;
    optional(text, "Virtual IP Excluded :", &excluded)?;
    unicast(text, instance)?;
    optional(text, "Virtual Routes :", &options.shown.routes)?;
    optional(text, "Virtual Rules :", &options.shown.rules)?;
    tracked(text, active, instance)?;
    told(text, active, instance)?;
    for (why, packets) in instance.stats.rejected().into_iter().filter(|(_, packets)| *packets > 0) {
        writeln!(text, "   Packets dropped, {why} = {packets}")?;
    }
    if options.hmac.is_some() {
        hmac(text, instance)?;
    }
    instance
        .faults
        .iter()
        .try_for_each(|fault| writeln!(text, "   Fault: {}", fault.describe(instance, active.tracked())))
}

/// COMPAT: keepalived 2.2.7.
struct Interval(Duration);

impl core::fmt::Display for Interval {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> Result {
        match self.0.subsec_millis() {
            0 => write!(f, "{} sec", self.0.as_secs()),
            _ => write!(f, "{} milli-sec", self.0.as_millis()),
        }
    }
}

fn enabled(on: bool) -> &'static str {
    if on { "enabled" } else { "disabled" }
}

fn list(text: &mut String, title: &str, lines: &[String]) -> Result {
    writeln!(text, "   {title}")?;
    lines.iter().try_for_each(|line| writeln!(text, "     {line}"))
}

fn optional(text: &mut String, title: &str, lines: &[String]) -> Result {
    if lines.is_empty() { Ok(()) } else { list(text, title, lines) }
}

fn timing(text: &mut String, instance: &Instance) -> Result {
    let (conf, garp) = (&instance.conf, &instance.conf.garp);
    writeln!(text, "   Gratuitous ARP delay = {}", Seconds(garp.delay))?;
    writeln!(text, "   Gratuitous ARP repeat = {}", garp.repeat)?;
    writeln!(text, "   Gratuitous ARP refresh = {}", Seconds(garp.refresh))?;
    writeln!(text, "   Gratuitous ARP refresh repeat = {}", garp.refresh_repeat)?;
    writeln!(text, "   Gratuitous ARP lower priority delay = {}", Seconds(garp.lower_prio_delay))?;
    writeln!(text, "   Gratuitous ARP lower priority repeat = {}", garp.lower_prio_repeat)?;
    writeln!(text, "   Down timer adverts = {}", conf.down_timer_adverts)?;
    let answers = conf.lower_prio_no_advert == Switch::Off;
    writeln!(text, "   Send advert after receive lower priority advert = {answers}")?;
    let answers = conf.higher_prio_send_advert == Switch::On;
    writeln!(text, "   Send advert after receive higher priority advert = {answers}")
}

fn unicast(text: &mut String, instance: &Instance) -> Result {
    let Transport::Unicast { peers, ttl, sources } = &instance.conf.transport else { return Ok(()) };
    let checked = if *sources == UnicastSources::PeersOnly { "yes" } else { "no" };
    writeln!(text, "   Unicast TTL = {ttl}\n   Check unicast src : {checked}\n   Unicast Peer :")?;
    for peer in peers {
        write!(text, "     {}", peer.addr)?;
        if (peer.min_ttl, peer.max_ttl) != (0, 255) {
            write!(text, " min_ttl {} max_ttl {}", peer.min_ttl, peer.max_ttl)?;
        }
        text.push('\n');
    }
    Ok(())
}

/// What it tracks, each with its weight.
fn tracked(text: &mut String, active: &Active, instance: &Instance) -> Result {
    let (conf, options) = (&instance.conf, &instance.options);
    let written = |link| options.shown.track_links.contains(&link);
    let links = conf.track_links.iter().filter(|tracked| written(tracked.link));
    let links = links.map(|tracked| (active.links.name(tracked.link), tracked.weight));
    uses(text, "Tracked interfaces :", links, "")?;
    let scripts = conf.track_scripts.iter().map(|tracked| {
        (active.scripts.at(tracked.script).map_or("?", |script| script.conf.name.as_str()), tracked.weight)
    });
    uses(text, "Tracked scripts :", scripts, "")?;
    let file = |file| active.files.at(file).map_or("?", |file| file.name.as_str());
    let files = options.track_files.iter().map(|tracked| (file(tracked.file), tracked.weight));
    uses(text, "Tracked files :", files, ",")?;
    let processes = options.track_processes.iter().map(|tracked| {
        (active.processes.at(tracked.process).map_or("?", |process| process.conf.name.as_str()), tracked.weight)
    });
    uses(text, "Tracked processes :", processes, ",")?;
    let bfd = |bfd| active.bfds.at(bfd).map_or("?", |bfd| bfd.conf.name.as_str());
    let bfds = options.track_bfds.iter().map(|tracked| (bfd(tracked.bfd), tracked.weight));
    uses(text, "Tracked BFDs :", bfds, ":")
}

fn uses<'a>(text: &mut String, title: &str, lines: impl Iterator<Item = (&'a str, Weight)>, comma: &str) -> Result {
    for (n, (name, Weight { value, reverse })) in lines.enumerate() {
        if n == 0 {
            writeln!(text, "   {title}")?;
        }
        let reverse = if reverse == Switch::On { " reverse" } else { "" };
        writeln!(text, "     {name}{comma} weight {value}{reverse}")?;
    }
    Ok(())
}

/// Who is told of it.
fn told(text: &mut String, active: &Active, instance: &Instance) -> Result {
    let (options, notify) = (&instance.options, &instance.conf.notify);
    let mails = if options.smtp_alert == Switch::On { "yes" } else { "no" };
    writeln!(text, "   Using smtp notification = {mails}")?;
    let deleted = if options.notify_deleted == NotifyDeleted::AsFault { "Fault" } else { "Deleted" };
    writeln!(text, "   Notify deleted = {deleted}")?;
    let scripts: [(&str, Option<ScriptIdx>); 7] = [
        ("Backup state transition", notify.backup),
        ("Master state transition", notify.master),
        ("Fault state transition", notify.fault),
        ("Stop state transition", notify.stop),
        ("Deleted state transition", deleted_script(options.notify_deleted)),
        ("Generic state transition", notify.generic),
        ("Master rx lower pri state transition", notify.master_rx_lower_pri),
    ];
    for (what, script) in scripts {
        if let Some(words) = script.and_then(|script| active.commands.at(script)) {
            writeln!(text, "   {what} script = {words}")?;
        }
    }
    writeln!(text, "   Notify priority changes = {}", options.notify_priority_changes == Switch::On)
}

/// The command of `notify_deleted`.
pub(super) fn deleted_script(deleted: NotifyDeleted) -> Option<ScriptIdx> {
    match deleted {
        NotifyDeleted::Run(script) => Some(script),
        NotifyDeleted::AsFault | NotifyDeleted::Deleted => None,
    }
}

/// `auth_hmac`: what came of the signatures.
fn hmac(text: &mut String, instance: &Instance) -> Result {
    writeln!(text, "   HMAC authentication:")?;
    if let Some(skew) = instance.clock_skew() {
        writeln!(text, "     Clock skew of the last sender = {} secs", Seconds(skew))?;
    }
    instance.stats.signatures().iter().try_for_each(|(name, count)| writeln!(text, "     {name} = {count}"))
}
