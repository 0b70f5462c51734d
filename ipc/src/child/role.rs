//! What differs between the three children: the types of their channel and of their slice.

use crate::config::check::CheckConfig;
use crate::config::ipvs::IpvsConfig;
use crate::config::vrrp::VrrpConfig;
use crate::msg::Role;
use crate::msg::control::{Down, FromCheck, FromIpvs, FromVrrp, News, ProbeEnded, ToCheck, ToIpvs, ToVrrp, Up};
use core::fmt::Debug;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The types of one child's channel to the supervisor.
pub trait Protocol: Debug {
    /// From the supervisor.
    type To: DeserializeOwned;
    /// To the supervisor.
    type From: Serialize + Copy;
    /// What the supervisor says to this role alone.
    type Own: Debug;
    /// Its slice of the configuration.
    type Slice: DeserializeOwned + Debug;
    /// Which it is.
    const ROLE: Role;
    /// Its name in syslog.
    const IDENT: &'static str;

    /// The common part of a message, or what is this role's own.
    fn split(message: Self::To) -> Result<Down, Self::Own>;

    /// Wraps the common part.
    fn up(up: Up) -> Self::From;
}

/// vrrpd.
#[derive(Debug)]
pub enum Vrrp {}

impl Protocol for Vrrp {
    type To = ToVrrp;
    type From = FromVrrp;
    type Own = ProbeEnded;
    type Slice = VrrpConfig;
    const ROLE: Role = Role::Vrrp;
    const IDENT: &'static str = "Holdfast_vrrp";

    fn split(message: ToVrrp) -> Result<Down, ProbeEnded> {
        match message {
            ToVrrp::Control(down) => Ok(down),
            ToVrrp::ProbeEnded(ended) => Err(ended),
        }
    }

    fn up(up: Up) -> FromVrrp {
        FromVrrp::Control(up)
    }
}

/// checkd run.
#[derive(Debug)]
pub enum Check {}

/// What is said to checkd alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckOwn {
    /// A probe's run ended.
    ProbeEnded(ProbeEnded),
    /// An instance or a group has changed.
    News(News),
}

impl Protocol for Check {
    type To = ToCheck;
    type From = FromCheck;
    type Own = CheckOwn;
    type Slice = CheckConfig;
    const ROLE: Role = Role::Check;
    const IDENT: &'static str = "Holdfast_healthcheckers";

    fn split(message: ToCheck) -> Result<Down, CheckOwn> {
        match message {
            ToCheck::Control(down) => Ok(down),
            ToCheck::ProbeEnded(ended) => Err(CheckOwn::ProbeEnded(ended)),
            ToCheck::News(news) => Err(CheckOwn::News(news)),
        }
    }

    fn up(up: Up) -> FromCheck {
        FromCheck::Control(up)
    }
}

/// ipvsd.
#[derive(Debug)]
pub enum Ipvs {}

/// What is said to ipvsd alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpvsOwn {
    /// The socket of the IPVS table; it came with it.
    Table,
    /// That of the packet filter there; it came with it.
    Marks,
}

impl Protocol for Ipvs {
    type To = ToIpvs;
    type From = FromIpvs;
    type Own = IpvsOwn;
    type Slice = IpvsConfig;
    const ROLE: Role = Role::Ipvs;
    const IDENT: &'static str = "Holdfast_ipvs";

    fn split(message: ToIpvs) -> Result<Down, IpvsOwn> {
        match message {
            ToIpvs::Control(down) => Ok(down),
            ToIpvs::Table => Err(IpvsOwn::Table),
            ToIpvs::Marks => Err(IpvsOwn::Marks),
        }
    }

    fn up(up: Up) -> FromIpvs {
        FromIpvs::Control(up)
    }
}
