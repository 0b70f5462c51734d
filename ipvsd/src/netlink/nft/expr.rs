//! The expressions of rules. A rule is a list of them; the first that does not match ends it.

use super::bytes::Attributes;
use alloc::vec::Vec;
use ipc::config::vrrp::Switch;

const NFTA_LIST_ELEM: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;
const NFTA_VERDICT_CODE: u16 = 1;
const NFTA_VERDICT_CHAIN: u16 = 2;

/// NFT_REG_VERDICT and NFT_REG_1, which has 16 bytes.
const VERDICT: u32 = 0;
/// The first register: every rule here begins with it.
pub const FIRST: u32 = 1;
/// The register 4 bytes behind the beginning of the first: NFT_REG32_01.
pub const AFTER_4: u32 = 9;
/// The register 16 bytes behind it: NFT_REG_2.
pub const AFTER_16: u32 = 2;

/// NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The IP header.
    Network = 1,
    /// The header behind it.
    Transport = 2,
}

/// NFT_META_*
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    /// The firewall mark.
    Mark = 3,
    /// Index of the interface that it came in on.
    Iif = 4,
    /// Index of the interface that it goes out on.
    Oif = 5,
    /// Protocol behind the IP header.
    L4Proto = 16,
    /// Kind of the interface that it goes out on, in 16 bytes.
    OifKind = 27,
}

/// What becomes of a packet. The numbers are those of `linux/netfilter.h` and `enum nft_verdicts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// NF_DROP
    Drop,
    /// NF_ACCEPT
    Accept,
    /// NFT_RETURN: the rules behind are not looked at.
    Return,
    /// NFT_GOTO: those of that chain are, and none here after them.
    Goto(&'a str),
}

/// A rule that is being made.
#[derive(Clone, Debug, Default)]
pub struct Rule(Attributes);

impl Rule {
    fn with(self, name: &str, data: &Attributes) -> Self {
        let expression = Attributes::default().name(NFTA_EXPR_NAME, name).nest(NFTA_EXPR_DATA, data);
        Rule(self.0.nest(NFTA_LIST_ELEM, &expression))
    }

    /// Its expressions, for NFTA_RULE_EXPRESSIONS.
    pub fn expressions(&self) -> &Attributes {
        &self.0
    }

    /// Loads a part of the packet into a register.
    pub fn payload(self, layer: Layer, offset: u32, length: u32, register: u32) -> Self {
        let data = Attributes::default().number(1, register).number(2, layer as u32).number(3, offset);
        self.with("payload", &data.number(4, length))
    }

    /// Loads what is known of the packet into a register.
    pub fn meta(self, what: Meta, register: u32) -> Self {
        self.with("meta", &Attributes::default().number(1, register).number(2, what as u32))
    }

    /// Gives the packet the mark in the first register.
    pub fn set_mark(self) -> Self {
        self.with("meta", &Attributes::default().number(2, Meta::Mark as u32).number(3, FIRST))
    }

    /// Goes on if the first register begins with these bytes.
    pub fn equal(self, bytes: &[u8]) -> Self {
        // NFT_CMP_EQ
        self.with("cmp", &Attributes::default().number(1, FIRST).number(2, 0).nest(3, &value(bytes)))
    }

    /// Keeps of the first register what the mask has.
    pub fn mask(self, mask: &[u8]) -> Self {
        let length = u32::try_from(mask.len()).unwrap_or(u32::MAX);
        let zero = Vec::from_iter(mask.iter().map(|_| 0_u8));
        let data = Attributes::default().number(1, FIRST).number(2, FIRST).number(3, length);
        self.with("bitwise", &data.nest(4, &value(mask)).nest(5, &value(&zero)))
    }

    /// Goes on if what is in the registers from the first on is in a set.
    pub fn is_in(self, set: &str) -> Self {
        self.with("lookup", &Attributes::default().name(1, set).number(2, FIRST))
    }

    /// Goes on with what a map has for what is in a register in the same register, if it has something.
    pub fn look_up(self, map: &str, register: u32) -> Self {
        self.with("lookup", &Attributes::default().name(1, map).number(2, register).number(3, register))
    }

    /// Sends a copy to the address in the first register by the interface in another one.
    pub fn duplicate(self, interface: u32) -> Self {
        self.with("dup", &Attributes::default().number(1, FIRST).number(2, interface))
    }

    /// Counts the packet, if that is wanted.
    pub fn count(self, counters: Switch) -> Self {
        match counters {
            Switch::On => self.with("counter", &Attributes::default()),
            Switch::Off => self,
        }
    }

    /// Ends the rule.
    pub fn verdict(self, verdict: Verdict<'_>) -> Self {
        let code = match verdict {
            Verdict::Drop => 0,
            Verdict::Accept => 1,
            Verdict::Return => -5,
            Verdict::Goto(_) => -4_i32,
        };
        let mut told = Attributes::default().number(NFTA_VERDICT_CODE, code.cast_unsigned());
        if let Verdict::Goto(chain) = verdict {
            told = told.name(NFTA_VERDICT_CHAIN, chain);
        }
        let data = Attributes::default().nest(NFTA_DATA_VERDICT, &told);
        self.with("immediate", &Attributes::default().number(1, VERDICT).nest(2, &data))
    }
}

/// Bytes where either bytes or a verdict may stand.
pub fn value(bytes: &[u8]) -> Attributes {
    Attributes::default().raw(NFTA_DATA_VALUE, bytes)
}
