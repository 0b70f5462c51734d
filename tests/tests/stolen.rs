//! What a child that was taken over can do: nothing but lose its life. Everything a child may write on one of its channels
//! is written there on the running processes; whoever wrote what no correct child writes is killed and started again, and
//! nobody else notices: not the other processes, not the routers around.

use ipc::codec::{FRAME_LIMIT, MESSAGES_LIMIT};
use ipc::config::{GroupIdx, InstanceIdx, RealIdx, ScriptIdx, ServiceIdx};
use ipc::msg::Role;
use ipc::msg::control::{Cause, Dumped, FromCheck, FromIpvs, FromVrrp, Health, News, NotifyState, Run, Up};
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck, Standing};
use ipc::msg::vips::{Applied, IpvsToVrrp, Presence, VrrpToIpvs};
use nix::sys::signal::{SIGCONT, SIGKILL, SIGSTOP};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tests::cleanup::Directory;
use tests::config::{VIP, Vrrp};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::monitor::Monitor;
use tests::pair::{MASTER_DOWN_INTERVAL, Pair, SOON, with_log};
use tests::process::Process;
use tests::steal::{Stolen, frame, noise};

/// The generation that a daemon runs that was never reloaded.
const CURRENT: u32 = 1;

/// One that no daemon here comes to.
const UNKNOWN: u32 = 1000;

/// An index that nothing has here.
const NOTHING: u16 = 999;

/// Something to check, so that checkd runs too; nobody answers. The kernel may have no IPVS: that is said, and VRRP goes on.
const SERVICE: &str = "virtual_server 192.168.154.188 80 {
    protocol TCP
    real_server 192.168.154.12 80 {
        notify_up /bin/false
        TCP_CHECK {
        }
    }
}";

/// The two commands of the configuration.
const NOTIFY_MASTER: u16 = 0;
const NOTIFY_UP: u16 = 1;

/// The children, in the order in which they are started.
const CHILDREN: [&str; 3] = ["ipvsd", "vrrpd", "checkd"];

/// How long a child that was just attached may take to hear that its configuration counts.
const ACTIVATED: Duration = Duration::from_millis(300);

/// How many lines a breach of the protocol and a restart are worth.
const LINES: usize = 30;

/// What a stolen child writes, and where.
struct Attack {
    what: &'static str,
    from: &'static str,
    to: &'static str,
    packets: Vec<Vec<u8>>,
    descriptors: usize,
    /// Part of the line that reports it.
    said: &'static str,
}

fn attack(
    from: &'static str,
    to: &'static str,
    what: &'static str,
    messages: Outcome<Vec<u8>>,
    said: &'static str,
) -> Outcome<Attack> {
    Ok(Attack { what, from, to, packets: vec![messages?], descriptors: 0, said })
}

/// What is wrong on every channel, whatever is said there. `good` is a message that would be right.
fn malformed<M: Serialize + Clone>(from: &'static str, to: &'static str, good: &M) -> Outcome<Vec<Attack>> {
    let whole = frame(CURRENT, vec![good.clone()])?;
    let short = whole.get(..whole.len() - 1).unwrap_or_default().to_vec();
    let long = [whole.clone(), vec![0]].concat();
    let make = |what, packet, descriptors, said| Attack { what, from, to, packets: vec![packet], descriptors, said };
    Ok(vec![
        make("random bytes", noise(1000), 0, "malformed frame"),
        make("a truncated frame", short, 0, "malformed frame"),
        make("65 KiB", noise(65 * 1024), 0, "longer than 65536 bytes"),
        make("trailing bytes", long, 0, "left over"),
        make("an empty packet", Vec::new(), 0, "an empty packet"),
        make("a descriptor", whole.clone(), 1, "descriptors"),
        make("all descriptors the kernel lets through", whole, 253, "descriptors"),
    ])
}

fn vrrpd_to_ipvsd() -> Outcome<Vec<Attack>> {
    let set = |n| VrrpToIpvs::SetVips { instance: InstanceIdx(n), want: Presence::Present };
    let mut all = malformed("vrrpd", "ipvsd", &set(0))?;
    let mut add = |what, frame, said| attack("vrrpd", "ipvsd", what, frame, said).map(|one| all.push(one));
    add("an unknown generation", frame(UNKNOWN, vec![set(0)]), "generation 1000")?;
    add("an unknown instance", frame(CURRENT, vec![set(0), set(NOTHING)]), "instance 999")?;
    Ok(all)
}

fn checkd_to_ipvsd() -> Outcome<Vec<Attack>> {
    let real = |n: u16| CheckToIpvs::SetReal { real: RealIdx(n.into()), want: Standing::Serving };
    let sorry = |n: u16| CheckToIpvs::SetSorry { service: ServiceIdx(n.into()), want: Standing::Serving };
    let mut all = malformed("checkd", "ipvsd", &real(0))?;
    let mut add = |what, frame, said| attack("checkd", "ipvsd", what, frame, said).map(|one| all.push(one));
    add("an unknown generation", frame(UNKNOWN, vec![real(0)]), "generation 1000")?;
    add("an unknown real server", frame(CURRENT, vec![real(0), real(NOTHING)]), "real server 999")?;
    let reals = |first: u16, last: u16| CheckToIpvs::SetReals {
        first: RealIdx(first.into()),
        last: RealIdx(last.into()),
        want: Standing::Absent,
    };
    add("unknown real servers", frame(CURRENT, vec![reals(0, NOTHING)]), "real servers 0 to 999")?;
    add("real servers said twice", frame(CURRENT, vec![reals(0, 0), reals(0, 0)]), "real servers 0 to 0")?;
    add("real servers backwards", frame(CURRENT, vec![reals(1, 0)]), "real servers 1 to 0")?;
    add("an unknown service", frame(CURRENT, vec![sorry(NOTHING)]), "service 999")?;
    add("a sorry server that the service has not", frame(CURRENT, vec![sorry(0)]), "service 0 has no sorry server")?;
    let once = frame(CURRENT, vec![reals(0, 0)])?;
    for (what, again) in [
        ("real servers said again in another frame", vec![reals(0, 0)]),
        ("real servers said again after another Resync", vec![CheckToIpvs::Resync, reals(0, 0)]),
    ] {
        let packets = vec![once.clone(), frame(CURRENT, again)?];
        all.push(Attack { what, from: "checkd", to: "ipvsd", packets, descriptors: 0, said: "real servers 0 to 0" });
    }
    Ok(all)
}

fn ipvsd_to_vrrpd() -> Outcome<Vec<Attack>> {
    let held = |n| IpvsToVrrp::Held { instance: InstanceIdx(n) };
    let applied =
        |n| IpvsToVrrp::VipsApplied { instance: InstanceIdx(n), now: Presence::Present, result: Applied::All };
    let mut all = malformed("ipvsd", "vrrpd", &applied(0))?;
    let mut add = |what, frame, said| attack("ipvsd", "vrrpd", what, frame, said).map(|one| all.push(one));
    add("an unknown generation", frame(UNKNOWN, vec![applied(0)]), "generation 1000")?;
    add("unknown instances", frame(CURRENT, vec![held(NOTHING); 5000]), "instance 999")?;
    Ok(all)
}

fn ipvsd_to_checkd() -> Outcome<Vec<Attack>> {
    let held = IpvsToCheck::HeldReals { first: RealIdx(0), last: RealIdx(999), standing: Standing::Serving };
    Ok(vec![
        attack("ipvsd", "checkd", "random bytes", Ok(noise(1000)), "malformed frame")?,
        attack("ipvsd", "checkd", "unknown real servers", full(&held), "real server 999")?,
    ])
}

/// What a child may not say to the supervisor, whichever it is.
fn to_supervisor<M: Serialize + Clone>(from: &'static str, up: impl Fn(Up) -> M) -> Outcome<Vec<Attack>> {
    let mut all = malformed(from, "holdfast", &up(Up::Ready))?;
    let mut add = |what, frame, said| attack(from, "holdfast", what, frame, said).map(|one| all.push(one));
    add("an unknown generation", frame(UNKNOWN, vec![up(Up::Ready)]), "generation 1000")?;
    add("16,000 false confirmations", frame(CURRENT, vec![up(Up::Activated); 8000]), "Activated without")?;
    add("a dump that nobody asked for", frame(CURRENT, vec![up(Up::Dumped(Dumped::Whole))]), "Dumped without")?;
    add("dumps that nobody asked for", frame(CURRENT, vec![up(Up::Dumped(Dumped::Lost)); 17]), "Dumped without")?;
    add("a goodbye that nobody asked for", frame(CURRENT, vec![up(Up::Stopped)]), "Stopped without")?;
    add("an accusation of the compiler", frame(CURRENT, vec![up(Up::Violation(Role::Compile))]), "no peer of it")?;
    Ok(all)
}

fn ask(script: u16, cause: Cause) -> Run {
    Run { script: ScriptIdx(script), cause }
}

fn instance(n: u16) -> Cause {
    Cause::Instance { instance: InstanceIdx(n), state: NotifyState::Master, priority: 255 }
}

fn vrrpd_to_supervisor() -> Outcome<Vec<Attack>> {
    let mut all = to_supervisor("vrrpd", FromVrrp::Control)?;
    let group = Cause::Group { group: GroupIdx(0), state: NotifyState::Master };
    let real = Cause::Real(RealIdx(0));
    for (what, generation, run, said) in [
        ("a script of an unknown generation", UNKNOWN, ask(NOTIFY_MASTER, instance(0)), "generation 1000"),
        ("a script of an old generation", CURRENT - 1, ask(NOTIFY_MASTER, instance(0)), "generation 0"),
        ("an unknown script", CURRENT, ask(NOTHING, instance(0)), "script 999"),
        ("a script for an unknown instance", CURRENT, ask(NOTIFY_MASTER, instance(NOTHING)), "instance 999"),
        ("a script for an unknown group", CURRENT, ask(NOTIFY_MASTER, group), "group 0"),
        ("an event's script as a probe", CURRENT, ask(NOTIFY_MASTER, Cause::Probe), "script 0 for a cause"),
        ("a script for a real server", CURRENT, ask(NOTIFY_MASTER, real), "not its business"),
        ("a script for a quorum", CURRENT, ask(NOTIFY_UP, Cause::Quorum(ServiceIdx(0))), "not its business"),
        ("a script of checkd", CURRENT, ask(NOTIFY_UP, instance(0)), "not its own"),
    ] {
        all.push(attack("vrrpd", "holdfast", what, frame(generation, vec![FromVrrp::Run(run)]), said)?);
    }
    let of = |n| News::Instance { instance: InstanceIdx(n), state: NotifyState::Master, priority: 255 };
    let group = News::Group { group: GroupIdx(0), state: NotifyState::Master };
    for (what, generation, news, said) in [
        ("news of an unknown generation", UNKNOWN, of(0), "generation 1000"),
        ("news of an unknown instance", CURRENT, of(NOTHING), "instance 999"),
        ("news of an unknown group", CURRENT, group, "group 0"),
        ("news of a real server", CURRENT, News::Real { real: RealIdx(0), now: Health::Up }, "not its business"),
    ] {
        all.push(attack("vrrpd", "holdfast", what, frame(generation, vec![FromVrrp::Tell(news)]), said)?);
    }
    let blame = frame(CURRENT, vec![FromVrrp::Control(Up::Violation(Role::Check))]);
    all.push(attack("vrrpd", "holdfast", "an accusation of checkd", blame, "no peer of it")?);
    Ok(all)
}

fn checkd_to_supervisor() -> Outcome<Vec<Attack>> {
    let mut all = to_supervisor("checkd", FromCheck::Control)?;
    let real = |n| Cause::Real(RealIdx(n));
    for (what, generation, run, said) in [
        ("a script of an unknown generation", UNKNOWN, ask(NOTIFY_UP, real(0)), "generation 1000"),
        ("an unknown script", CURRENT, ask(NOTHING, real(0)), "script 999"),
        ("a script for an unknown real server", CURRENT, ask(NOTIFY_UP, real(999)), "real server 999"),
        ("a script for an unknown service", CURRENT, ask(NOTIFY_UP, Cause::Quorum(ServiceIdx(999))), "service 999"),
        ("an event's script as a probe", CURRENT, ask(NOTIFY_UP, Cause::Probe), "script 1 for a cause"),
        ("a script for an instance", CURRENT, ask(NOTIFY_MASTER, instance(0)), "not its business"),
        ("a script of vrrpd", CURRENT, ask(NOTIFY_MASTER, real(0)), "not its own"),
    ] {
        all.push(attack("checkd", "holdfast", what, frame(generation, vec![FromCheck::Run(run)]), said)?);
    }
    let group = News::Group { group: GroupIdx(0), state: NotifyState::Stop };
    let service = News::Service { service: ServiceIdx(999), now: Health::Down };
    for (what, news, said) in
        [("news of a group", group, "not its business"), ("news of an unknown service", service, "service 999")]
    {
        all.push(attack("checkd", "holdfast", what, frame(CURRENT, vec![FromCheck::Tell(news)]), said)?);
    }
    Ok(all)
}

fn ipvsd_to_supervisor() -> Outcome<Vec<Attack>> {
    to_supervisor("ipvsd", FromIpvs::Control)
}

/// A master with a checked service on host a, and everything that is watched of it.
struct Stage {
    daemon: Daemon,
    changes: Monitor,
    pair: Pair,
    directory: Directory,
}

impl Stage {
    /// Starts it and waits until it is master. `notify_master` writes a line into the file `told`.
    fn new() -> Outcome<Self> {
        let (pair, directory) = (Pair::new()?, Directory::new()?);
        let told = directory.file("told");
        let script = directory.script("told.sh", &format!("#!/bin/sh\necho \"$*\" >>{}\n", told.display()))?;
        let config = Vrrp::master(100).block(SERVICE).line(format!("notify_master {}", script.display()));
        let daemon = Daemon::start(Program::Holdfast, &pair.a, &config.to_string())?;
        let changes = Monitor::start(&pair.a)?;
        pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &daemon))?;
        Ok(Stage { daemon, changes, pair, directory })
    }

    /// The pids of the supervisor and its children.
    fn pids(&self) -> Outcome<BTreeMap<&'static str, i32>> {
        ["holdfast"].into_iter().chain(CHILDREN).map(|name| Ok((name, self.daemon.process(name)?.pid))).collect()
    }

    /// Waits until another process has taken the place of `old`.
    fn replaced(&self, old: &Process) -> Outcome {
        wait_until(&format!("another {} in the place of {}", old.name, old.pid), SOON, || {
            Ok(self.daemon.processes().iter().any(|process| process.name == old.name && process.pid != old.pid))
        })
    }

    /// The end that a child has of a channel, once it is at work.
    fn steal(&self, child: &str, to: &str) -> Outcome<(Process, Stolen)> {
        let (sender, netns) = (self.daemon.process(child)?, &self.pair.a.netns);
        let peer = if child == "ipvsd" { "vrrpd" } else { "ipvsd" };
        Stolen::channel(netns, &sender, &self.daemon.process(peer)?)?;
        std::thread::sleep(ACTIVATED);
        let channel = Stolen::channel(netns, &sender, &self.daemon.process(to)?)?;
        Ok((sender, channel))
    }

    /// Lets a child do something wrong: it is replaced, and nobody else is.
    fn suffer(&self, attack: &Attack) -> Outcome {
        let (sender, channel) = self.steal(attack.from, attack.to)?;
        let (before, logged) = (self.pids()?, self.daemon.log().len());
        for packet in &attack.packets {
            assert!(channel.write(packet, attack.descriptors)?, "nobody reads");
        }
        drop(channel);
        self.replaced(&sender)?;
        let report = format!("{} broke the protocol", attack.from);
        let log = self.daemon.log();
        let lines: Vec<&str> = log.get(logged..).unwrap_or_default().lines().collect();
        for text in [report.as_str(), attack.said] {
            assert!(
                lines.iter().any(|line| line.contains(text)),
                "{text:?} is missing in the log:\n{}",
                lines.join("\n")
            );
        }
        assert!(lines.len() < LINES, "too many lines:\n{}", lines.join("\n"));
        let mut after = self.pids()?;
        after.insert(attack.from, sender.pid);
        assert_eq!(after, before, "only {} is replaced:\n{}", attack.from, lines.join("\n"));
        Ok(())
    }

    /// What the routers around and the users of the service have seen since the start: a master that never stopped.
    fn was_master_all_the_time(&self) -> Outcome {
        let adverts = self.pair.adverts_of(&self.pair.a);
        assert!(adverts.iter().all(|(_, advert)| advert.priority == 100), "it never resigned: {adverts:?}");
        let silence = self.pair.longest_silence(&self.pair.a)?;
        assert!(silence < MASTER_DOWN_INTERVAL, "it was silent for {silence:?}; it logged:\n{}", self.daemon.log());
        assert_eq!(self.removed()?, Vec::<String>::new(), "the address stayed; the log:\n{}", self.daemon.log());
        assert!(self.pair.a.has(VIP)?);
        Ok(())
    }

    /// The removals of the service address.
    fn removed(&self) -> Outcome<Vec<String>> {
        Ok(self.changes.changes(VIP)?.into_iter().filter(|line| line.starts_with("Deleted")).collect())
    }

    /// Ends it: what is there is what the processes knew of, so nothing is left.
    fn ends_well(mut self) -> Outcome {
        assert!(self.daemon.terminate()?.success());
        assert_eq!(self.pair.a.addresses()?, ["192.168.154.10/24"]);
        Ok(())
    }
}

/// How many stages the attacks are dealt out to. On each a child dies three times at most: the third death costs a delay of
/// one second, the next would cost two, in which a backup would take over. And on each ipvsd is accused once: the next
/// accusation within a minute would not be believed.
const STAGES: usize = 13;

fn stage(number: usize) -> Outcome {
    let deal = |attacks: Vec<Attack>| attacks.into_iter().skip(number).step_by(STAGES);
    let mut attacks: Vec<Attack> = Vec::new();
    for of_one_child in [
        [vrrpd_to_ipvsd()?, vrrpd_to_supervisor()?].into_iter().flatten().collect(),
        [checkd_to_ipvsd()?, checkd_to_supervisor()?].into_iter().flatten().collect(),
        [ipvsd_to_vrrpd()?, ipvsd_to_checkd()?, ipvsd_to_supervisor()?].into_iter().flatten().collect(),
    ] {
        attacks.extend(deal(of_one_child));
    }
    let stage = Stage::new()?;
    for attack in &attacks {
        println!("{} to {}: {}", attack.from, attack.to, attack.what);
        stage.suffer(attack)?;
    }
    std::thread::sleep(Duration::from_millis(1200));
    stage.was_master_all_the_time()?;
    let told = std::fs::read_to_string(stage.directory.file("told"))?.lines().count();
    let resumed = attacks.iter().filter(|attack| attack.from == "vrrpd").count();
    assert_eq!(told, 1 + resumed, "notify_master ran when vrrpd became master, and when another one went on as master");
    stage.ends_well()
}

#[test]
fn whoever_breaks_the_protocol_is_replaced_0() -> Outcome {
    stage(0)
}

#[test]
fn whoever_breaks_the_protocol_is_replaced_1() -> Outcome {
    stage(1)
}

#[test]
fn whoever_breaks_the_protocol_is_replaced_2() -> Outcome {
    stage(2)
}

#[test]
fn whoever_breaks_the_protocol_is_replaced_3() -> Outcome {
    stage(3)
}

#[test]
fn whoever_breaks_the_protocol_is_replaced_4() -> Outcome {
    stage(4)
}

#[test]
fn whoever_breaks_the_protocol_is_replaced_5() -> Outcome {
    stage(5)
}

#[test]
fn whoever_breaks_the_protocol_is_replaced_6() -> Outcome {
    stage(6)
}

#[test]
fn whoever_breaks_the_protocol_is_replaced_7() -> Outcome {
    stage(7)
}

#[test]
fn whoever_breaks_the_protocol_is_replaced_8() -> Outcome {
    stage(8)
}

#[test]
fn whoever_breaks_the_protocol_is_replaced_9() -> Outcome {
    stage(9)
}

#[test]
fn whoever_breaks_the_protocol_is_replaced_10() -> Outcome {
    stage(10)
}

#[test]
fn whoever_breaks_the_protocol_is_replaced_11() -> Outcome {
    stage(11)
}

#[test]
fn whoever_breaks_the_protocol_is_replaced_12() -> Outcome {
    stage(12)
}

/// How soon all is over when the supervisor is killed.
const ALL_OVER: Duration = Duration::from_secs(3);

#[test]
fn without_their_supervisor_the_children_say_goodbye_in_order() -> Outcome {
    let stage = Stage::new()?;
    let all = stage.daemon.processes();
    let netns = &stage.pair.a.netns;
    // A kernel without IPVS has no such file.
    let table = || netns.enter(|| std::fs::read_to_string("/proc/thread-self/net/ip_vs").unwrap_or_default());
    let rows = |text: &str| text.lines().filter(|line| line.starts_with("TCP") || line.starts_with("UDP")).count();
    if !table()?.is_empty() {
        wait_until("the service is in the table", SOON, || Ok(rows(&table()?) == 1))?;
    }
    stage.daemon.signal(SIGKILL);
    wait_until("the children end", ALL_OVER, || Ok(!all.iter().any(Process::runs)))?;
    assert_eq!(rows(&table()?), 0, "no service is left");
    assert_eq!(stage.pair.a.addresses()?, ["192.168.154.10/24"]);
    let priorities: Vec<u8> = stage.pair.adverts_of(&stage.pair.a).iter().map(|(_, advert)| advert.priority).collect();
    assert_eq!(priorities.last(), Some(&0));
    let log = stage.daemon.log();
    assert!(!log.contains("did not confirm"), "{log}");
    Ok(())
}

#[test]
fn without_their_supervisor_a_peer_that_hangs_holds_nobody_up() -> Outcome {
    let stage = Stage::new()?;
    let (vrrpd, ipvsd) = (stage.daemon.process("vrrpd")?, stage.daemon.process("ipvsd")?);
    vrrpd.signal(SIGSTOP);
    stage.daemon.signal(SIGKILL);
    wait_until("ipvsd ends", ALL_OVER, || Ok(!ipvsd.runs()))?;
    assert_eq!(stage.pair.a.addresses()?, ["192.168.154.10/24"]);
    vrrpd.signal(SIGCONT);
    wait_until("vrrpd ends", ALL_OVER, || Ok(!vrrpd.runs()))
}

/// How long each flood lasts.
const FLOOD: Duration = Duration::from_secs(1);

/// How long what came of it is looked at afterwards.
const QUIET: Duration = Duration::from_millis(500);

/// Most memory a flood may make a process need, in KiB.
const MEMORY: usize = 128 * 1024;

/// How many lines a flood may be worth.
const FLOOD_LINES: usize = 100;

/// Addresses that may be there: the host's own, and the one that the configuration lists.
const LISTED: [&str; 2] = ["192.168.154.10/24", "192.168.154.188/32"];

/// Programs that may run: ours, and the command that the configuration lists, before and after it is executed.
const PROGRAMS: [&str; 6] = ["holdfast", "vrrpd", "checkd", "ipvsd", "told.sh", "sh"];

/// Writes what a correct child may write, without end. Nothing changes but what the configuration lists.
fn flood(stage: &Stage, child: &'static str, to: &'static str, packets: &[Vec<u8>]) -> Outcome {
    let (_, channel) = stage.steal(child, to)?;
    let (before, logged) = (stage.pids()?, stage.daemon.log().lines().count());
    stage.pair.wire.clear();
    let (until, mut sent) = (Instant::now() + FLOOD, 0);
    while Instant::now() < until {
        for packet in packets {
            assert!(channel.write(packet, 0)?, "{child} to {to}: after {sent}");
            sent += 1;
        }
        if sent % 64 == 0 {
            let addresses = stage.pair.a.addresses()?;
            assert!(addresses.iter().all(|address| LISTED.contains(&address.as_str())), "{addresses:?}");
            let names: Vec<String> = stage.daemon.processes().into_iter().map(|process| process.name).collect();
            assert!(names.iter().all(|name| PROGRAMS.contains(&name.as_str())), "{names:?}");
        }
    }
    drop(channel);
    println!("{child} to {to}: {sent} packets");
    std::thread::sleep(QUIET);
    let log = stage.daemon.log();
    let lines: Vec<&str> = log.lines().skip(logged).collect();
    assert_eq!(stage.pids()?, before, "nobody is replaced:\n{}", lines.join("\n"));
    assert!(lines.len() < FLOOD_LINES, "{sent} packets made {} lines:\n{}", lines.len(), lines.join("\n"));
    for process in stage.daemon.processes() {
        let status = process.status();
        let memory = status.get("VmHWM").and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(0);
        assert!(memory < MEMORY, "{} needs {memory} KiB", process.name);
    }
    let silence = stage.pair.longest_silence(&stage.pair.a)?;
    assert!(silence < MASTER_DOWN_INTERVAL / 2, "{child} to {to}: the master was silent for {silence:?}");
    Ok(())
}

/// A frame with as many of a message as fit.
fn full<M: Serialize + Clone>(message: &M) -> Outcome<Vec<u8>> {
    let empty = frame::<M>(CURRENT, Vec::new())?.len();
    let each = frame(CURRENT, vec![message.clone()])?.len() - empty;
    frame(CURRENT, vec![message.clone(); ((FRAME_LIMIT - empty) / each).min(MESSAGES_LIMIT)])
}

#[test]
fn a_flood_of_wishes_changes_only_what_the_file_lists() -> Outcome {
    let stage = Stage::new()?;
    let vips = |want| VrrpToIpvs::SetVips { instance: InstanceIdx(0), want };
    let real = |want| CheckToIpvs::SetReal { real: RealIdx(0), want };
    let applied = IpvsToVrrp::VipsApplied { instance: InstanceIdx(0), now: Presence::Present, result: Applied::All };
    let there_and_back =
        [frame(CURRENT, vec![vips(Presence::Absent)])?, frame(CURRENT, vec![vips(Presence::Present)])?];
    flood(&stage, "vrrpd", "ipvsd", &there_and_back)?;
    flood(&stage, "vrrpd", "ipvsd", &[full(&VrrpToIpvs::Resync)?, full(&vips(Presence::Present))?])?;
    let there_and_back =
        [frame(CURRENT, vec![real(Standing::Absent)])?, frame(CURRENT, vec![real(Standing::Serving)])?];
    flood(&stage, "checkd", "ipvsd", &there_and_back)?;
    flood(&stage, "checkd", "ipvsd", &[full(&CheckToIpvs::Resync)?, full(&real(Standing::Inhibited))?])?;
    flood(&stage, "ipvsd", "vrrpd", &[full(&IpvsToVrrp::Synced)?, full(&applied)?])?;
    assert!(stage.pair.a.has(VIP)?);
    stage.ends_well()
}

#[test]
fn a_flood_of_requests_executes_only_what_the_file_lists() -> Outcome {
    let stage = Stage::new()?;
    flood(&stage, "ipvsd", "holdfast", &[full(&FromIpvs::Control(Up::LogSocketLost))?])?;
    flood(&stage, "ipvsd", "holdfast", &[full(&FromIpvs::Unsettled)?])?;
    flood(&stage, "checkd", "holdfast", &[full(&FromCheck::Control(Up::LogSocketLost))?])?;
    flood(&stage, "vrrpd", "holdfast", &[full(&FromVrrp::Control(Up::Ready))?])?;
    flood(&stage, "vrrpd", "holdfast", &[full(&FromVrrp::Run(ask(NOTIFY_MASTER, instance(0))))?])?;
    let told = std::fs::read_to_string(stage.directory.file("told"))?;
    assert!(told.lines().all(str::is_empty), "the listed command with the listed arguments:\n{told}");
    assert!(told.lines().count() > 1, "it ran");
    assert!(stage.pair.a.has(VIP)?);
    stage.ends_well()
}

/// Who is killed in each of the ten rounds: each alone, each pair, each alone again, all at once.
const ROUNDS: [&[&str]; 10] = [
    &["vrrpd"],
    &["ipvsd"],
    &["checkd"],
    &["vrrpd", "ipvsd"],
    &["vrrpd", "checkd"],
    &["ipvsd", "checkd"],
    &["vrrpd"],
    &["ipvsd"],
    &["checkd"],
    &["vrrpd", "ipvsd", "checkd"],
];

/// The delays of a child that dies five times within a minute; the first two restarts are immediate.
const DELAYS: [&str; 3] = ["1 s", "2 s", "4 s"];

/// The children of `pid` that have ended and were not waited for.
fn zombies(pid: i32) -> Outcome<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir("/proc")? {
        let Some(child) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let status = Process { pid: child, name: String::new() }.status();
        let is = |key: &str, value: &str| status.get(key).is_some_and(|text| text.starts_with(value));
        count += usize::from(status.get("PPid") == Some(&pid.to_string()) && is("State", "Z"));
    }
    Ok(count)
}

#[test]
fn children_are_started_again_ten_times_in_a_row() -> Outcome {
    let stage = Stage::new()?;
    let open = |stage: &Stage| -> Outcome<Vec<(&str, usize)>> {
        ["holdfast"]
            .into_iter()
            .chain(CHILDREN)
            .map(|name| Ok((name, stage.daemon.process(name)?.descriptors())))
            .collect()
    };
    std::thread::sleep(ACTIVATED);
    let before = open(&stage)?;
    for names in ROUNDS {
        let victims: Vec<Process> = names.iter().map(|name| stage.daemon.process(name)).collect::<Outcome<_>>()?;
        victims.iter().for_each(|victim| victim.signal(SIGKILL));
        victims.iter().try_for_each(|victim| stage.replaced(victim))?;
        for name in CHILDREN {
            stage.steal(name, "holdfast")?;
        }
        stage.pair.wire.clear();
        stage.pair.wait_master(&stage.pair.a).map_err(|failure| with_log(&failure, &stage.daemon))?;
        assert_eq!(zombies(stage.daemon.pid())?, 0, "after the death of {names:?}");
        wait_until(&format!("after the death of {names:?} as many descriptors are open as before"), SOON, || {
            Ok(open(&stage)? == before)
        })?;
        println!("{names:?}: master again");
    }
    let log = stage.daemon.log();
    for (name, delay) in CHILDREN.into_iter().flat_map(|name| DELAYS.map(|delay| (name, delay))) {
        assert!(log.contains(&format!("{name} is started again in {delay}")), "{name}: {delay}:\n{log}");
    }
    stage.ends_well()
}
