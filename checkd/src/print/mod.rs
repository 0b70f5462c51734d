//! The compiled configuration, printed: as a configuration file that compiles to the same, or as JSON.
//!
//! It is the resolved model that is printed, so what is seen is what the daemons get: defaults are filled in, includes, parameters and
//! sequences are expanded, keepalived's normalisations are applied, what had to be ignored is missing. What the model does not hold
//! (comments, unused scripts, which of several places a value came from) is not printed.
//!
//! Every structure of the model is taken apart without `..`: a new field does not compile until it is printed or, with the reason, left out.

pub(crate) mod address;
mod bfd;
mod checker;
mod global;
mod http;
mod identity;
mod instance;
mod json;
mod link;
mod notify;
mod options;
mod process;
mod quote;
mod real;
pub(crate) mod route;
mod rows;
mod rule;
mod script;
mod server;
mod server_group;
mod sync_group;
mod track;
pub(crate) mod tracker;
pub mod value;
mod vrrp_global;
pub(crate) mod words;
mod writer;

use core::fmt;
use ipc::config::check::CheckConfig;
use ipc::config::ipvs::IpvsConfig;
use ipc::config::script::{Script, ScriptConfig};
use ipc::config::vrrp::VrrpConfig;
use ipc::config::{Bundle, LinkIdx, ScriptIdx};
use ipc::msg::compile::{PrintFormat, Secrets};
use value::{Value, int};
use writer::Writer;

/// Version of the JSON form; it changes when something that was there changes its meaning or goes.
pub const JSON_VERSION: u32 = 1;

/// Where printed bytes go. Text is UTF-8 but for a password that is not.
pub trait Sink {
    /// Takes bytes over; an error ends the printing.
    fn put(&mut self, bytes: &[u8]) -> fmt::Result;
}

impl fmt::Write for dyn Sink + '_ {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes())
    }
}

impl Sink for alloc::vec::Vec<u8> {
    fn put(&mut self, bytes: &[u8]) -> fmt::Result {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Prints a configuration. Nothing is held back but what `out` holds; time and memory do not depend on how much was printed before.
pub fn print(bundle: &Bundle, format: PrintFormat, secrets: Secrets, out: &mut dyn Sink) -> fmt::Result {
    let mut writer = Writer::new(out, format, secrets);
    writer.document(|w| {
        w.comment("The configuration as Holdfast understands it (holdfast --print-config).")?;
        w.comment("Values that nobody wrote are filled in; defaults that need no line are comments.")?;
        w.json_only("version", int(JSON_VERSION))?;
        let Bundle { script, ipvs, vrrp, check } = bundle;
        Printer { script, ipvs, vrrp, check }.all(w)
    })
}

/// The slices of one configuration, which belong together.
#[derive(Clone, Copy)]
struct Printer<'a> {
    script: &'a ScriptConfig,
    ipvs: &'a IpvsConfig,
    vrrp: &'a VrrpConfig,
    check: &'a CheckConfig,
}

impl<'a> Printer<'a> {
    fn all(self, w: &mut Writer<'_>) -> fmt::Result {
        self.process(w)?;
        self.global_defs(w)?;
        self.tls(w)?;
        self.statics(w)?;
        self.links(w)?;
        self.trackers(w)?;
        self.instances(w)?;
        self.sync_groups(w)?;
        self.track_groups(w)?;
        self.server_groups(w)?;
        self.virtual_servers(w)
    }

    /// The name of an interface.
    fn link(self, index: LinkIdx) -> Value<'a> {
        Value::Text(self.vrrp.links.at(index).map_or("", |link| link.name.as_str()))
    }

    fn command(self, index: ScriptIdx) -> Option<&'a Script> {
        self.script.scripts.at(index)
    }

    /// A command that may be missing.
    fn maybe_command(self, w: &mut Writer<'_>, keyword: &str, index: Option<ScriptIdx>) -> fmt::Result {
        w.maybe(keyword, index.and_then(|index| self.command(index)).map(Value::Command))
    }
}
