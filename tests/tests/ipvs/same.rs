//! Every configuration of `tests/conf/ipvs` under Debian's keepalived and under ours leaves the same in the kernel: services and
//! destinations with their order, thresholds, daemons, timeouts, the packet filter. At the end both leave nothing.
//!
//! Nothing is slept through: both run in namespaces of their own, the kernel's own list is read until it is the same twice, and
//! only then ipvsadm is asked.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tests::daemon::{Daemon, Program};
use tests::failure::{Context, Failure, Outcome, wait_for};
use tests::lan::{Host, INTERFACE, Lan};
use tests::netns::run;

/// How many configurations are run at a time.
const WORKERS: usize = 3;

/// Longest time until both are the same. An emulated machine has been seen to need 20 s.
const SETTLED: Duration = Duration::from_secs(60);

/// Where what they leave differs, and why: what of theirs stands for what of ours.
const DIFFERENT: &[(&str, &str, &str, &str)] = &[(
    "group_persistent",
    "keepalived 2.2.7 forgets persistence_granularity in a group",
    "-p 60",
    "-p 60 -M 255.255.255.0",
)];

/// Two directors that do not see each other.
pub(super) struct Pair {
    pub(super) theirs: (Lan, Host),
    pub(super) ours: (Lan, Host),
}

impl Pair {
    pub(super) fn new() -> Outcome<Pair> {
        let director = |name: &str| -> Outcome<(Lan, Host)> {
            let lan = Lan::new()?;
            let host = lan.host(name, "10.9.0.100/24")?;
            for kind in ["all", "default", INTERFACE] {
                host.netns.sysctl(&format!("ipv6/conf/{kind}/disable_ipv6"), "0")?;
            }
            // Loads the module.
            run(host.netns.command("ipvsadm").arg("-Ln"))
                .context(|| "the kernel has no IPVS; tests/run takes care of that".into())?;
            Ok((lan, host))
        };
        Ok(Pair { theirs: director("theirs")?, ours: director("ours")? })
    }

    /// Runs one configuration under both and compares.
    fn compare(&self, path: &Path) -> Outcome {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let config = fs::read_to_string(path)?;
        for host in [&self.theirs.1, &self.ours.1] {
            if name.starts_with("flush") {
                run(host.netns.command("ipvsadm").args(["-A", "-t", "10.9.0.77:77", "-s", "rr"]))?;
            }
        }
        let mut daemons = [
            Daemon::start(Program::Keepalived, &self.theirs.1, &config)?,
            Daemon::start(Program::Holdfast, &self.ours.1, &config)?,
        ];
        let mut last = (String::new(), String::new());
        let different = DIFFERENT.iter().find(|(of, ..)| *of == name);
        let same = wait_for("both are the same", SETTLED, || {
            if !self.is_steady()? {
                return Ok(None);
            }
            let (theirs, ours) = (state(&self.theirs.1)?, state(&self.ours.1)?);
            let expected = match different {
                Some((_, _, from, to)) => theirs.replace(from, to),
                None => theirs.clone(),
            };
            let done = expected == ours && (different.is_none() || theirs != ours);
            last = (theirs, ours);
            Ok(done.then_some(()))
        });
        same.map_err(|failure| {
            let (theirs, ours) = &last;
            let [them, us] = &daemons;
            let logs = format!("their log:\n{}our log:\n{}", them.log(), us.log());
            Failure::new(format!("{name}: {failure}\n{config}theirs:\n{theirs}ours:\n{ours}{logs}"))
        })?;
        for daemon in &mut daemons {
            daemon.terminate()?;
        }
        for host in [&self.theirs.1, &self.ours.1] {
            let left = listed(host)?;
            if left.lines().count() > 3 {
                return Err(Failure::new(format!("{name}: {} left behind:\n{left}", host.name)));
            }
            if name.starts_with("sync") || name.starts_with("timeouts") || name.starts_with("marks") {
                let left = state(host)?;
                if left != "Timeout (tcp tcpfin udp): 900 120 300\n" {
                    return Err(Failure::new(format!("{name}: {} left behind:\n{left}", host.name)));
                }
            }
        }
        Ok(())
    }

    /// Whether both have something, and the same of it at two looks.
    fn is_steady(&self) -> Outcome<bool> {
        let look = || -> Outcome<(String, String)> { Ok((listed(&self.theirs.1)?, listed(&self.ours.1)?)) };
        let before = look()?;
        std::thread::sleep(Duration::from_millis(100));
        let entries = |text: &str| text.matches("->").count();
        let both = entries(&before.0) > 1 && entries(&before.0) == entries(&before.1);
        Ok(both && look()? == before)
    }
}

/// The kernel's own list, which costs no process to read. One read: Linux 6.1 counts the services of all namespaces to find where the next
/// read goes on.
fn listed(host: &Host) -> Outcome<String> {
    let text = host.netns.enter(|| -> std::io::Result<Vec<u8>> {
        let mut text = vec![0; 1 << 16];
        let length = fs::File::open("/proc/thread-self/net/ip_vs")?.read(&mut text)?;
        text.truncate(length);
        Ok(text)
    })??;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Everything there is: services in a comparable order, each with its destinations in theirs.
pub(super) fn state(host: &Host) -> Outcome<String> {
    let all = "ipvsadm -Sn; ipvsadm -Ln --thresholds; ipvsadm -L --daemon; ipvsadm -L --timeout";
    let text = run(host.netns.command("sh").args(["-c", all]))?;
    let mut services: BTreeMap<&str, String> = BTreeMap::new();
    let (mut service, mut thresholds, mut rest) = ("", Vec::new(), String::new());
    for line in text.lines().map(str::trim) {
        match line.split_once(' ') {
            Some(("-A", _)) => {
                service = line;
                services.entry(line).or_default();
            }
            Some(("-a", _)) => *services.entry(service).or_default() += &format!("{line}\n"),
            // Of the list with thresholds nothing else is of interest.
            Some(("->", limits)) if limits.contains(|c: char| c.is_ascii_digit()) => thresholds.push(limits),
            _ if line.contains("daemon") || line.starts_with("Timeout") => rest += &format!("{line}\n"),
            _ => {}
        }
    }
    thresholds.sort_unstable();
    let services = services.into_iter().map(|(service, dests)| format!("{service}\n{dests}"));
    let thresholds = thresholds.into_iter().map(|limits| format!("{limits}\n"));
    Ok(services.chain(thresholds).chain([rest, packet_filter(host)?]).collect())
}

/// `nft list ruleset` without its order: sets are listed in that of the kernel's hash, and maps in that in which they were made.
fn packet_filter(host: &Host) -> Outcome<String> {
    let text = run(host.netns.command("nft").args(["list", "ruleset"]))?;
    let plain = |line: &str| line.replace("elements = {", "").replace(['}', ','], "").trim().to_owned();
    let mut lines: Vec<String> = text.lines().map(plain).filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    Ok(lines.into_iter().map(|line| format!("{line}\n")).collect())
}

/// Schedulers whose modules are loaded before the first service (supervisor/src/shell/module.rs says why). What removes a
/// namespace while keepalived lets the kernel load one of them stops IPVS and all namespaces of the machine for ever.
pub(super) fn load_schedulers() -> Outcome {
    let lan = Lan::new()?;
    let host = lan.host("first", "10.9.0.100/24")?;
    let mut daemon = Daemon::start(Program::Holdfast, &host, "")?;
    for module in ["ip_vs_lblc", "ip_vs_lblcr"] {
        let there = || Ok(Path::new("/sys/module").join(module).exists().then_some(()));
        wait_for(&format!("Holdfast loads {module} when it starts"), SETTLED, there)
            .map_err(|failure| Failure::new(format!("{failure}; its log:\n{}", daemon.log())))?;
    }
    daemon.terminate()?;
    Ok(())
}

#[test]
fn configurations_leave_the_same() -> Outcome {
    load_schedulers()?;
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/ipvs");
    let mut files: Vec<PathBuf> = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<Outcome<_>>()?;
    files.sort();
    assert!(files.len() >= 60, "only {} configurations", files.len());
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let work = || -> Outcome {
                    let mut pair = Pair::new()?;
                    while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let began = Instant::now();
                        let outcome = pair.compare(file);
                        let name = file.file_stem().unwrap_or_default().to_string_lossy();
                        eprintln!("{:6.1} s  {name}", began.elapsed().as_secs_f64());
                        if let Err(failure) = outcome {
                            eprintln!("{failure}");
                            failures.lock().map_err(|_| Failure::new("a worker panicked"))?.push(failure);
                            // Whatever is left of it is not the next one's.
                            pair = Pair::new()?;
                        }
                    }
                    Ok(())
                };
                if let Err(failure) = work()
                    && let Ok(mut failures) = failures.lock()
                {
                    failures.push(failure);
                }
            });
        }
    });
    let failures = failures.into_inner().ok().context(|| "a worker panicked".to_owned())?;
    eprintln!("{} configurations in {:.0} s", files.len(), start.elapsed().as_secs_f64());
    let text: String = failures.iter().map(|failure| format!("{failure}\n")).collect();
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(format!("{} differ:\n{text}", failures.len()))) }
}
