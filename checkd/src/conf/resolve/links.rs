//! Interfaces by name.

use super::Resolver;
use crate::conf::diag::{Code, Diagnostic, Severity};
use crate::conf::keyword::At;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::LinkIdx;
use ipc::config::vrrp::{Link, Switch};
use ipc::msg::compile::CompileMode;

impl Resolver<'_, '_> {
    /// The index of an interface. One that does not exist is reported: for `-t` at each mention, as keepalived does, else at the first.
    pub(super) fn link(&mut self, name: &At<String>) -> Option<LinkIdx> {
        if let Some(link) = self.link_names.get(&name.value).copied() {
            let made = self.made.iter().any(|made| made.link == link);
            if self.mode == CompileMode::Test && !made && !self.present.contains(name.value.as_str()) {
                self.missing(name);
            }
            return Some(link);
        }
        let origin = self.r.sources.origin(name.span);
        let Ok(link) = self.links.push(Link { name: name.value.clone(), origin }) else {
            let message = "the configuration names more than 65536 interfaces";
            self.r.diags.push(Diagnostic::error(Code::TOO_MANY, name.span, message).label("ignored"));
            return None;
        };
        self.link_names.insert(name.value.clone(), link);
        if !self.present.contains(name.value.as_str()) {
            self.missing(name);
        }
        Some(link)
    }

    /// COMPAT: fatal for `-t`. A daemon that is already asked to run waits for it instead: it comes when the machine is up.
    fn missing(&mut self, name: &At<String>) {
        let (severity, label) = match (self.mode, self.dynamic_links) {
            (mode, _) if mode.is_offline() => return,
            (CompileMode::Test, Switch::Off) => (Severity::Fatal, ""),
            (_, Switch::Off) => (Severity::Warning, "what needs it waits in FAULT until it is there"),
            (_, Switch::On) => (Severity::Note, "what needs it waits in FAULT until it is there"),
        };
        let message = format!("interface {} does not exist", name.value);
        let mut missing = Diagnostic::new(severity, Code::NO_INTERFACE, name.span, message).label(label);
        if let Some(help) = self.similar(&name.value) {
            missing = missing.help(help);
        }
        self.r.diags.push(missing);
    }

    /// Interfaces whose names are like it, or the first few.
    fn similar(&self, name: &str) -> Option<String> {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let all = || self.facts.interfaces.iter().map(String::as_str).filter(|n| *n != "lo");
        let mut like: Vec<&str> = all().filter(|n| !stem.is_empty() && n.starts_with(stem)).take(5).collect();
        if let Some(near) = crate::conf::keyword::nearest(name, all())
            && !like.contains(&near)
        {
            like.insert(0, near);
        }
        if !like.is_empty() {
            return Some(format!("there is {}", like.join(", ")));
        }
        let some: Vec<&str> = all().take(8).collect();
        (!some.is_empty()).then(|| format!("this machine has {}", some.join(", ")))
    }
}
