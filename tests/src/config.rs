//! Configurations for tests, written like users write them.

use crate::lan::INTERFACE;
use std::fmt;

/// One `vrrp_instance VI_1` on the hosts' interface, virtual router 51, with the blocks around it.
#[derive(Clone, Debug)]
pub struct Vrrp {
    globals: Vec<String>,
    blocks: Vec<String>,
    state: &'static str,
    priority: u8,
    lines: Vec<String>,
    addresses: Vec<String>,
}

/// The virtual address unless a test says otherwise.
pub const VIP: &str = "192.168.154.188";

impl Vrrp {
    /// `state MASTER`: the instance that wins the election in most tests.
    pub fn master(priority: u8) -> Self {
        Self::new("MASTER", priority)
    }

    /// `state BACKUP`.
    pub fn backup(priority: u8) -> Self {
        Self::new("BACKUP", priority)
    }

    fn new(state: &'static str, priority: u8) -> Self {
        let addresses = vec![VIP.to_owned()];
        Vrrp { globals: Vec::new(), blocks: Vec::new(), state, priority, lines: Vec::new(), addresses }
    }

    /// Adds a line to the instance.
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Adds a line to `global_defs`.
    pub fn global(mut self, line: impl Into<String>) -> Self {
        self.globals.push(line.into());
        self
    }

    /// Adds a block beside the instance.
    pub fn block(mut self, block: impl Into<String>) -> Self {
        self.blocks.push(block.into());
        self
    }

    /// Other virtual addresses.
    pub fn addresses(mut self, addresses: &[&str]) -> Self {
        self.addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        self
    }

    /// PASS authentication.
    pub fn password(self, password: &str) -> Self {
        self.line(format!("authentication {{\n        auth_type PASS\n        auth_pass {password}\n    }}"))
    }

    /// Unicast from `own` to `peer`.
    pub fn unicast(self, own: impl fmt::Display, peer: impl fmt::Display) -> Self {
        self.line(format!("unicast_src_ip {own}\n    unicast_peer {{\n        {peer}\n    }}"))
    }
}

impl fmt::Display for Vrrp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "global_defs {{\n    router_id test\n    {}\n}}", self.globals.join("\n    "))?;
        for block in &self.blocks {
            writeln!(f, "{block}")?;
        }
        writeln!(f, "vrrp_instance VI_1 {{\n    state {}\n    interface {INTERFACE}", self.state)?;
        writeln!(f, "    virtual_router_id 51\n    priority {}\n    advert_int 1", self.priority)?;
        for line in &self.lines {
            writeln!(f, "    {line}")?;
        }
        writeln!(f, "    virtual_ipaddress {{\n        {}\n    }}\n}}", self.addresses.join("\n        "))
    }
}
