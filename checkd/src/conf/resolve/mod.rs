//! Drafts to the typed configuration: names become indices, defaults and keepalived's normalisations are applied, and what contradicts
//! itself is reported.
//!
//! COMPAT: keepalived 2.4.3.

mod addresses;
mod checkers;
mod fifos;
mod filter;
mod group;
mod instance;
mod links;
mod made;
mod options;
mod places;
mod reals;
mod routes;
mod scripts;
mod servers;
mod service_keys;
mod statics;
mod strict;
mod trackers;
mod transport;
mod vrf;
mod watched;

use super::Draft;
use super::keyword::Reader;
use super::pem::Needs;
use super::source::Span;
use super::tree::Tree;
use super::value::secs;
use crate::{lint, shown};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::check::How;
use ipc::config::global::Mail;
use ipc::config::ipvs::MadeLink;
use ipc::config::script::{Asker, ScriptConfig, ScriptKind, ScriptSecurity, SymlinkPaths};
use ipc::config::vrrp::{Link, Switch, TrackScript};
use ipc::config::{Bundle, LinkIdx, Origin, TrackScriptIdx};
use ipc::msg::compile::{CompileMode, Facts, Parts};
use ipc::table::Table;
use places::Places;

/// What the parts of the resolver share.
struct Resolver<'a, 'r> {
    r: &'a mut Reader<'r>,
    facts: &'a Facts,
    mode: CompileMode,
    dynamic_links: Switch,
    links: Table<LinkIdx, Link>,
    link_names: BTreeMap<String, LinkIdx>,
    /// Interfaces that are made.
    made: Vec<MadeLink>,
    /// What instances are told to speak on.
    interfaces: BTreeSet<String>,
    present: BTreeSet<&'a str>,
    scripts: ScriptConfig,
    /// Of the last checker: most are like it.
    how_before: Option<Arc<How>>,
    track_scripts: Table<TrackScriptIdx, TrackScript>,
    files: Needs,
    places: Places<'a>,
}

/// Makes the configuration of everything that was read, but for the files that checkers need.
pub fn resolve<'a>(
    r: &'a mut Reader<'_>,
    tree: &Tree,
    draft: &'a Draft,
    facts: &'a Facts,
    mode: CompileMode,
) -> (Bundle, Needs) {
    let mut resolver = Resolver {
        r,
        facts,
        mode,
        dynamic_links: draft.global.dynamic_links,
        links: Table::new(),
        link_names: BTreeMap::new(),
        made: Vec::new(),
        interfaces: BTreeSet::new(),
        present: facts.interfaces.iter().map(String::as_str).collect(),
        scripts: ScriptConfig::default(),
        how_before: None,
        track_scripts: Table::new(),
        files: Needs::default(),
        places: Places::of(draft),
    };
    resolver.process(draft);
    let mut bundle = Bundle::default();
    resolver.watched(draft, &mut bundle);
    // COMPAT: keepalived 2.4.3, -P and -C: the other half is not even looked at closely.
    if facts.parts != Parts::CheckOnly {
        resolver.vrrp(draft, &mut bundle);
        bundle.ipvs.statics = resolver.statics(draft);
        let subnets = if mode.is_offline() { &[] } else { facts.subnets.as_slice() };
        lint::vrrp(resolver.r, tree, draft, &bundle, subnets);
        statics::follow(&bundle.ipvs.statics, &mut bundle.vrrp);
    }
    resolver.check_globals(draft, &mut bundle);
    if facts.parts != Parts::VrrpOnly {
        resolver.check(tree, draft, &mut bundle);
    } else {
        resolver.check_unused(tree, draft);
    }
    resolver.listeners(&mut bundle);
    lint::all(resolver.r, tree, draft);
    bundle.ipvs.lvs = resolver.lvs(draft);
    bundle.ipvs.on_removal = draft.global.on_removal;
    bundle.ipvs.made = core::mem::take(&mut resolver.made);
    bundle.ipvs.filter = filter::filter(draft, &bundle.ipvs);
    bundle.ipvs.links = resolver.links.clone();
    bundle.vrrp.links = resolver.links;
    bundle.vrrp.track_scripts = resolver.track_scripts;
    resolver.scripts.files = watched::files(&bundle);
    (resolver.scripts.ping, resolver.scripts.ping_marked) = watched::pings(&bundle);
    watched::marks(&mut bundle);
    resolver.scripts.kernel = watched::kernel(&bundle);
    resolver.scripts.processes = watched::processes(&bundle);
    bundle.script = resolver.scripts;
    if mode == CompileMode::Load {
        shown::fill(&mut bundle);
    }
    (bundle, resolver.files)
}

/// `startup_script_timeout`, `shutdown_script_timeout`. COMPAT: keepalived 2.4.3.
const ONCE_TIMEOUT: Duration = secs(10);

/// `child_wait_time`. COMPAT: keepalived 2.4.3.
const CHILD_WAIT: Duration = secs(5);

impl Resolver<'_, '_> {
    /// Whether only the problems and the commands are wanted.
    fn only_tests(&self) -> bool {
        matches!(self.mode, CompileMode::Test | CompileMode::Offline)
    }

    /// Where something stands, for messages at run time; nothing where it will not be run: that is half the time of a test.
    fn origin(&self, span: Span) -> Origin {
        if self.only_tests() { Origin::default() } else { self.r.sources.origin(span) }
    }

    /// What concerns the processes themselves.
    fn process(&mut self, draft: &Draft) {
        let g = &draft.global;
        self.scripts.default_user = g.script_user.as_ref().map(|u| u.value.clone());
        self.scripts.security = match g.script_security {
            Switch::On => ScriptSecurity::On,
            Switch::Off => ScriptSecurity::Off,
        };
        self.scripts.symlinks = match g.symlinks {
            Switch::On => SymlinkPaths::Keep,
            Switch::Off => SymlinkPaths::Resolve,
        };
        self.scripts.process = g.process.clone();
        self.scripts.identity = g.identity.clone();
        self.fifos(draft);
        self.scripts.child_wait = g.child_wait.as_ref().map_or(CHILD_WAIT, |w| w.value);
        let timeout = |t: &Option<super::keyword::At<Duration>>| t.as_ref().map_or(ONCE_TIMEOUT, |t| t.value);
        if let Some(startup) = &g.startup {
            let script =
                self.script(&startup.value, None, "startup_script".into(), ScriptKind::Once, Asker::Supervisor);
            self.scripts.startup = script.map(|s| (s, timeout(&g.startup_timeout)));
        }
        if let Some(shutdown) = &g.shutdown {
            let script =
                self.script(&shutdown.value, None, "shutdown_script".into(), ScriptKind::Once, Asker::Supervisor);
            self.scripts.shutdown = script.map(|s| (s, timeout(&g.shutdown_timeout)));
        }
    }
}

/// Mail settings. COMPAT: keepalived 2.4.3.
fn mail(draft: &Draft) -> Mail {
    let g = &draft.global;
    Mail {
        to: g.mail_to.iter().map(|to| to.value.clone()).collect(),
        from: g.mail_from.as_ref().map(|f| f.value.clone()),
        server: g.smtp_server.as_ref().map(|s| s.value),
        helo: g.smtp_helo.as_ref().map(|h| h.value.clone()),
        timeout: g.smtp_timeout.as_ref().map_or(secs(30), |t| t.value),
        ..g.mail.clone()
    }
}
