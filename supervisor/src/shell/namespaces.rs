//! `net_namespace` and `net_namespace_ipvs`: in which network namespaces the daemon runs and has its IPVS table.
//!
//! Only who may do nearly everything can enter one, and this program gives that right up before anybody reads the configuration. So
//! it runs itself a second time, confined as for `-t`, which has the configuration compiled and says the two names; then it enters the
//! one and opens the netlink socket for ipvsd in the other. All that only where the words occur: a search, what they mean the compiler says.
//! A change takes a new start. COMPAT: keepalived 2.2.7: so it is there, and it does not start where `net_namespace` is missing.

use super::cli::{Cli, Format};
use super::regular::{self, LastLink};
use super::{config_test, files, glob, terminal};
use ipc::config::process::{IpvsNamespace, ProcessSettings};
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use nix::unistd::geteuid;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead as _, Read};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};

/// The first word of the command line of the second run.
pub const TELL: &str = "--namespaces";

/// Where `ip netns` keeps network namespaces.
const DIRECTORY: &str = "/run/netns";

/// The one of this process.
const OWN: &str = "/proc/self/ns/net";

/// Most bytes that the second run says: two names of files, and the words before them.
const ANSWER_LIMIT: u64 = 2 * 255 + 64;

/// Most bytes of the file that are looked at: more than a configuration may have.
const READ_LIMIT: u64 = 32 * 1024 * 1024;

/// What was found out at the start.
#[derive(Debug, Default)]
pub struct Namespaces {
    names: Names,
    /// The one that was entered.
    own: Option<OsString>,
    /// The sockets of the namespace that has the IPVS table, if it is another one.
    pub table: Option<TableSockets>,
}

/// The netlink sockets that ipvsd needs in a namespace that has the IPVS table.
#[derive(Debug)]
pub struct TableSockets {
    /// Generic netlink.
    pub ipvs: OwnedFd,
    /// Netfilter, for `nftables_ipvs`; a kernel without nftables has none.
    pub marks: Option<OwnedFd>,
}

impl TableSockets {
    /// The same sockets once more.
    pub fn try_clone(&self) -> std::io::Result<TableSockets> {
        let marks = self.marks.as_ref().map(OwnedFd::try_clone).transpose()?;
        Ok(TableSockets { ipvs: self.ipvs.try_clone()?, marks })
    }
}

/// The two settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names {
    own: Option<String>,
    ipvs: IpvsNamespace,
}

impl Namespaces {
    /// Enters the namespace of the command line, else that of the configuration. The error says why the daemon cannot run.
    pub fn enter(cli: &Cli, config: &Path) -> Result<Namespaces, String> {
        // `-t` of an ordinary user, and of a file for another machine, is made where it is asked for.
        let elsewhere = !geteuid().is_root() || cli.offline;
        // Of a pattern nobody knows yet which files it matches.
        let pattern = || config.to_str().is_some_and(glob::is_pattern);
        let named =
            !elsewhere && regular::read(config, LastLink::Followed).map_or_else(pattern, |fd| may_name(File::from(fd)));
        let names = if named { ask()? } else { Names::default() };
        let first = File::open(OWN).map_err(|e| format!("{OWN}: {e}"))?;
        let own = cli.namespace.clone().or_else(|| names.own.clone().map(OsString::from));
        if let Some(name) = &own {
            enter(name)?;
        }
        let other = match &names.ipvs {
            IpvsNamespace::Same => None,
            // Where it was started is where it is.
            IpvsNamespace::Initial if own.is_none() => None,
            IpvsNamespace::Initial => Some(first),
            IpvsNamespace::Named(name) => Some(open(OsStr::new(name))?),
        };
        let table = match other {
            Some(namespace) => Some(sockets_in(&namespace)?),
            None => None,
        };
        Ok(Namespaces { names, own, table })
    }

    /// Whether this process is in another network namespace than the one in which it was started.
    pub fn has_left(&self) -> bool {
        self.own.is_some()
    }

    /// Whether a configuration names others.
    pub fn differ(&self, settings: &ProcessSettings) -> bool {
        let names = Names { own: settings.namespace.clone(), ipvs: settings.ipvs_namespace.clone() };
        names != self.names
    }
}

/// Whether a word stands in a configuration without which it names no namespace. What is not read is not compiled either.
fn may_name(file: impl Read) -> bool {
    const WORDS: [&[u8]; 2] = [b"_namespace", b"include"];
    let mut file = file.take(READ_LIMIT);
    let mut buffer = vec![0; 64 * 1024];
    // The end of what was read before, where a word may begin.
    let mut kept = 0_usize;
    while let Some(Ok(read @ 1..)) = buffer.get_mut(kept..).map(|free| file.read(free)) {
        let end = kept.saturating_add(read);
        if buffer.get(..end).is_some_and(|text| WORDS.iter().any(|word| contains(text, word))) {
            return true;
        }
        kept = end.min(WORDS.iter().map(|word| word.len()).max().unwrap_or(0));
        buffer.copy_within(end.saturating_sub(kept)..end, 0);
    }
    false
}

/// Whether a word of at least two bytes stands there: behind the last of its first bytes nothing is left to begin with the others.
fn contains(text: &[u8], word: &[u8]) -> bool {
    let Some((first, others)) = word.split_first() else { return true };
    let mut rest = text;
    // Reading a slice does not fail.
    while rest.skip_until(*first).is_ok_and(|skipped| skipped > 0) {
        if rest.starts_with(others) {
            return true;
        }
    }
    false
}

fn open(name: &OsStr) -> Result<File, String> {
    let path = Path::new(DIRECTORY).join(name);
    File::open(&path).map_err(|e| format!("network namespace {}: {e}", path.display()))
}

/// Its run directory is then its own, so the name must be one: no path.
fn enter(name: &OsStr) -> Result<(), String> {
    if !name.to_str().is_some_and(is_name) {
        return Err(format!(
            "network namespace {}: that is no name, `ip netns` lists those that are there",
            name.display()
        ));
    }
    setns(open(name)?, CloneFlags::CLONE_NEWNET)
        .map_err(|e| format!("network namespace {}: {}", name.display(), e.desc()))?;
    files::run_in(name);
    Ok(())
}

/// Opens ipvsd's sockets in a namespace, and comes back.
fn sockets_in(namespace: &File) -> Result<TableSockets, String> {
    let why =
        |e: nix::errno::Errno| format!("the network namespace of net_namespace_ipvs cannot be entered: {}", e.desc());
    let back = File::open(OWN).map_err(|e| format!("{OWN}: {e}"))?;
    setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET).map_err(why)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let open = |protocol| socket(AddressFamily::Netlink, SockType::Raw, flags, protocol);
    let (ipvs, marks) = (open(SockProtocol::NetlinkGeneric), open(SockProtocol::NetlinkNetFilter));
    setns(back, CloneFlags::CLONE_NEWNET).map_err(why)?;
    let ipvs = ipvs.map_err(|e| {
        format!("there is no netlink socket in the network namespace of net_namespace_ipvs: {}", e.desc())
    })?;
    let marks = match marks {
        Ok(marks) => Some(marks),
        // A kernel without a packet filter: whoever needs it says so.
        Err(nix::errno::Errno::EPROTONOSUPPORT) => None,
        Err(e) => {
            return Err(format!(
                "there is no packet filter in the network namespace of net_namespace_ipvs: {}",
                e.desc()
            ));
        }
    };
    Ok(TableSockets { ipvs, marks })
}

/// Has the second run say the names. What is wrong with the configuration is said later, by who uses it.
fn ask() -> Result<Names, String> {
    let program = std::env::current_exe().map_err(|e| format!("this program cannot be found: {e}"))?;
    let mut command = Command::new(program);
    command.arg(TELL).args(std::env::args_os().skip(1));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("this program cannot be run again to find out its network namespaces: {e}"))?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        let _ = stdout.take(ANSWER_LIMIT).read_to_string(&mut text);
    }
    let _ = child.wait();
    Ok(understand(&text))
}

/// Lines of a word and a name that can be a file's; anything else is not understood.
fn understand(text: &str) -> Names {
    let mut names = Names::default();
    for line in text.lines() {
        let name = |name: &str| Some(name.to_owned()).filter(|name| is_name(name));
        match line.split_once(' ') {
            Some(("net_namespace", rest)) => names.own = name(rest),
            Some(("net_namespace_ipvs", rest)) => {
                names.ipvs = name(rest).map_or(IpvsNamespace::Same, IpvsNamespace::Named);
            }
            None if line == "net_namespace_ipvs" => names.ipvs = IpvsNamespace::Initial,
            Some(_) | None => {}
        }
    }
    names
}

fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && name.len() <= 255 && !name.contains(['/', '\0'])
}

/// The second run: says the names that the configuration has, and nothing else.
pub fn tell(cli: &Cli) -> u8 {
    let quiet = Cli { print_config: false, message_format: Format::Human, ..cli.clone() };
    let Some(settings) = config_test::settings(&quiet) else { return 1 };
    let own = settings.namespace.iter().map(|name| format!("net_namespace {name}\n"));
    let ipvs = match &settings.ipvs_namespace {
        IpvsNamespace::Same => None,
        IpvsNamespace::Initial => Some("net_namespace_ipvs\n".to_owned()),
        IpvsNamespace::Named(name) => Some(format!("net_namespace_ipvs {name}\n")),
    };
    terminal::out(&own.chain(ipvs).collect::<String>());
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_found_wherever_they_stand() {
        for word in ["net_namespace x", "net_namespace_ipvs", "include", "includer"] {
            for before in [0, 1, 64 * 1024 - 12, 64 * 1024 - 3, 64 * 1024, 200_000] {
                let text = "n".repeat(before) + word;
                assert!(may_name(text.as_bytes()), "{word} after {before}");
            }
        }
        for text in ["", "net_names pace", "_n_namespac", "i include".get(..7).unwrap()] {
            assert!(!may_name(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn only_names_are_understood() {
        let text = "net_namespace blue\nnet_namespace_ipvs red\nand more\n";
        let names = Names { own: Some("blue".into()), ipvs: IpvsNamespace::Named("red".into()) };
        assert_eq!(understand(text), names);
        assert_eq!(understand("net_namespace_ipvs\n").ipvs, IpvsNamespace::Initial);
        for bad in ["net_namespace ..", "net_namespace a/b", "net_namespace_ipvs /", "net_namespace ", "", "\n \n"] {
            assert_eq!(understand(bad), Names::default(), "{bad:?}");
        }
    }
}
