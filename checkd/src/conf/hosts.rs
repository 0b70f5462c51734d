//! Names of machines, as far as files know them: `/etc/hosts` (hosts(5)) and `/etc/resolv.conf` (resolv.conf(5)). For mails: the address
//! of `smtp_server NAME`, and the whole name of this machine.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

/// Most lines that are kept; resolv.conf(5): most name servers, most domains.
const LINES_LIMIT: usize = 10_000;
const SERVERS_LIMIT: usize = 3;
const SEARCH_LIMIT: usize = 6;

/// What the files say.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    lines: Vec<(IpAddr, Vec<String>)>,
    servers: Vec<IpAddr>,
    search: Vec<String>,
}

impl Hosts {
    /// Takes `/etc/hosts` in.
    pub fn take_hosts(&mut self, text: &[u8]) {
        for line in String::from_utf8_lossy(text).lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
            if self.lines.len() < LINES_LIMIT {
                self.lines.push((address, words.map(str::to_string).collect()));
            }
        }
    }

    /// Takes `/etc/resolv.conf` in.
    pub fn take_resolver(&mut self, text: &[u8]) {
        for line in String::from_utf8_lossy(text).lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if self.servers.len() < SERVERS_LIMIT => {
                    self.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok()));
                }
                Some("search" | "domain") => self.search = words.take(SEARCH_LIMIT).map(str::to_string).collect(),
                _ => {}
            }
        }
    }

    /// The first address of a name.
    pub fn address(&self, name: &str) -> Option<IpAddr> {
        let is = |known: &String| known.eq_ignore_ascii_case(name);
        self.lines.iter().find(|(_, names)| names.iter().any(is)).map(|(address, _)| *address)
    }

    /// The whole name of a machine: the first of the line that has it. COMPAT: keepalived 2.2.7, measured: in subjects and in HELO.
    /// One without a name is localhost there.
    pub fn whole(&self, name: &str) -> String {
        let name = if matches!(name, "" | "(none)") { "localhost" } else { name };
        let is = |known: &String| known.eq_ignore_ascii_case(name);
        let line = self.lines.iter().find(|(_, names)| names.iter().any(is));
        line.and_then(|(_, names)| names.first()).map_or_else(|| name.to_string(), Clone::clone)
    }

    /// Name servers; resolv.conf(5): that of this machine where none is named.
    pub fn servers(&self) -> Vec<IpAddr> {
        if self.servers.is_empty() { Vec::from([IpAddr::V4(Ipv4Addr::LOCALHOST)]) } else { self.servers.clone() }
    }

    /// Domains in which names are looked for.
    pub fn search(&self) -> &[String] {
        &self.search
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_machine() {
        let mut hosts = Hosts::default();
        hosts.take_hosts(b"127.0.0.1 localhost # mail.x\n# 9.9.9.9 mail.x\nnonsense mail.x\n\n127.0.1.1\tn1.example.net n1\n10.0.0.5 MAIL.x\n");
        assert_eq!(hosts.address("mail.x"), "10.0.0.5".parse().ok());
        assert_eq!(hosts.address("none.x"), None);
        assert_eq!((hosts.whole("n1"), hosts.whole("n2")), ("n1.example.net".to_string(), "n2".to_string()));
        assert_eq!(hosts.servers(), ["127.0.0.1".parse::<IpAddr>().unwrap()]);
        hosts.take_resolver(
            b"# x\nsearch a.test b.test\nnameserver 10.0.0.1\nnameserver x\nnameserver fd00::1\noptions edns0\n",
        );
        assert_eq!(hosts.servers().len(), 2);
        assert_eq!(hosts.search(), ["a.test", "b.test"]);
    }
}
