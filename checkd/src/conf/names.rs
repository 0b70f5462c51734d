//! Names that a machine gives to routing tables, protocols, scopes, realms, types of service and groups of interfaces, in files of
//! iproute2 (ip-route(8)). The compiler has no file system: the supervisor opens them, as it does for includes.
//!
//! The names that iproute2 itself has are built in; `--offline` knows no others.

use super::hosts::Hosts;
use super::tree::{Statement, Tree};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What a name is of, and in which file of iproute2 it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameOf {
    /// `rt_tables`
    Table,
    /// `rt_protos`
    Protocol,
    /// `rt_scopes`
    Scope,
    /// `rt_dsfield`
    TypeOfService,
    /// `rt_realms`
    Realm,
    /// `group`
    LinkGroup,
    /// `/etc/hosts`
    Host,
    /// `/etc/resolv.conf`
    Resolver,
}

const FILES: [(NameOf, &str); 6] = [
    (NameOf::Table, "rt_tables"),
    (NameOf::Protocol, "rt_protos"),
    (NameOf::Scope, "rt_scopes"),
    (NameOf::TypeOfService, "rt_dsfield"),
    (NameOf::Realm, "rt_realms"),
    (NameOf::LinkGroup, "group"),
];

/// Blocks whose lines may use names.
const BLOCKS: [&str; 7] = [
    "static_ipaddress",
    "static_routes",
    "static_rules",
    "virtual_ipaddress",
    "virtual_ipaddress_excluded",
    "virtual_routes",
    "virtual_rules",
];

/// Options whose value may be a name.
const OPTIONS: [&str; 10] =
    ["table", "lookup", "protocol", "scope", "tos", "dsfield", "tc", "realms", "suppress_ifgroup", "sup_group"];

/// Most names that are kept of all files.
const LIMIT: usize = 10_000;

/// The names of this machine.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Of machines.
    pub hosts: Hosts,
    known: BTreeMap<(NameOf, String), u32>,
}

impl Names {
    /// The number of a name.
    pub fn number(&self, of: NameOf, name: &str) -> Option<u32> {
        self.known.get(&(of, name.to_string())).copied()
    }

    /// Takes the lines `NUMBER NAME` of a file; the last line of a name counts. What is no such line is left out, as ip(8) does.
    pub fn take(&mut self, of: NameOf, text: &[u8]) {
        match of {
            NameOf::Host => return self.hosts.take_hosts(text),
            NameOf::Resolver => return self.hosts.take_resolver(text),
            _ => {}
        }
        for line in String::from_utf8_lossy(text).lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let (Some(number), Some(name)) = (words.next(), words.next()) else { continue };
            let number = super::options::number(number).and_then(|n| u32::try_from(n).ok());
            if let (Some(number), true) = (number, self.known.len() < LIMIT) {
                self.known.insert((of, name.to_string()), number);
            }
        }
    }
}

/// The statements outside all blocks and those one block deep. Virtual servers have no names in them, and most of the statements.
fn outer(tree: &Tree) -> impl Iterator<Item = Statement<'_>> {
    let roots = tree.roots().filter(|root| !root.is("virtual_server"));
    roots.flat_map(|root| core::iter::once(root).chain(root.children()))
}

/// The patterns of files to read, in order; none when no line of the configuration can use a name. COMPAT: `iproute_usr_dir`, then
/// `iproute_etc_dir`.
pub fn wanted(tree: &Tree) -> Vec<(NameOf, String)> {
    // Mails alone have names of machines in them.
    let machines = match outer(tree).any(|statement| statement.is("smtp_server")) {
        true => {
            Vec::from([(NameOf::Host, "/etc/hosts".to_string()), (NameOf::Resolver, "/etc/resolv.conf".to_string())])
        }
        false => Vec::new(),
    };
    machines.into_iter().chain(of_iproute2(tree)).collect()
}

fn of_iproute2(tree: &Tree) -> Vec<(NameOf, String)> {
    let mut lines = outer(tree).filter(|s| s.has_block() && s.is_one_of(&BLOCKS)).flat_map(|block| block.children());
    if !lines.any(|line| line.words(0).any(|word| OPTIONS.contains(&word.text()))) {
        return Vec::new();
    }
    let mut directories =
        [("iproute_usr_dir", "/usr/share/iproute2".to_string()), ("iproute_etc_dir", "/etc/iproute2".to_string())];
    for statement in outer(tree) {
        let named = directories.iter_mut().find(|(keyword, _)| statement.is(keyword));
        if let (Some((_, directory)), Some(path)) = (named, statement.word(1).filter(|w| w.text().starts_with('/'))) {
            *directory = path.text().to_string();
        }
    }
    let files = FILES.iter().flat_map(|(of, file)| {
        directories.iter().flat_map(move |(_, d)| [(*of, format!("{d}/{file}")), (*of, format!("{d}/{file}.d/*.conf"))])
    });
    files.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_iproute2_are_read() {
        let mut names = Names::default();
        names.take(NameOf::Table, b"# comment\n100 blue\n0xc8\tgreen # mine\nred\n x 7\n\n99999999999 big\n101 blue\n");
        names.take(NameOf::Scope, b"42 blue\n");
        assert_eq!(names.number(NameOf::Table, "blue"), Some(101));
        assert_eq!(names.number(NameOf::Table, "green"), Some(200));
        assert_eq!(names.number(NameOf::Scope, "blue"), Some(42));
        assert_eq!(names.number(NameOf::Table, "red").or(names.number(NameOf::Table, "big")), None);
    }
}
