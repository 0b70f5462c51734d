//! The statements outside all blocks, and what is known of all tables together.

use super::address::{self, Address};
use super::bfd::{self, Bfd};
use super::diag::{Code, Diagnostic, Diagnostics};
use super::file::{TRACK_FILE, TrackFile};
use super::global::{self, Global};
use super::group::{GROUP, Group};
use super::keyword::{self, Args, At, Keyword, Reader};
use super::root_vrrp::RootVrrp;
use super::route::{self, Route};
use super::rule::{self, Rule};
use super::server_group::{self, ServerGroup};
use super::ssl::{SSL, Ssl};
use super::track::{SCRIPT, Script};
use super::track_group::{TRACK_GROUP, TrackGroup};
use super::tree::{Statement, StatementId, Tree, Word};
use super::vrrp::Instance;
use super::walk;
use crate::print::value::MASK;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::vrrp::Switch;

/// Everything that was read, before names are resolved.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// `global_defs` and single statements.
    pub global: Global,
    /// `vrrp_script` blocks.
    pub scripts: Vec<Script>,
    /// `vrrp_instance` blocks; no two of one name.
    pub instances: Vec<Instance>,
    /// `vrrp_sync_group` blocks; no two of one name.
    pub groups: Vec<Group>,
    /// `virtual_server` blocks. They are read one by one when they are resolved: there may be many, and a draft is large.
    pub servers: Vec<StatementId>,
    /// `track_file` blocks.
    pub files: Vec<TrackFile>,
    /// `bfd_instance` blocks that can be used; no two of one name.
    pub bfds: Vec<Bfd>,
    /// `virtual_server_group` blocks; no two of one name.
    pub server_groups: Vec<ServerGroup>,
    /// `track_group` blocks; no two of one name.
    pub track_groups: Vec<TrackGroup>,
    /// `static_ipaddress`
    pub static_addrs: Vec<Address>,
    /// `static_routes`
    pub static_routes: Vec<Route>,
    /// `static_rules`
    pub static_rules: Vec<Rule>,
    /// `SSL`
    pub tls: Ssl,
    /// What stands outside all blocks and concerns VRRP.
    pub vrrp: RootVrrp,
    /// Names of instances and groups that were seen.
    names: alloc::collections::BTreeMap<(&'static str, String), super::source::Span>,
}

/// Statements outside all blocks.
pub static ROOT: &[Keyword<Draft>] = &[
    Keyword::new("global_defs", Args::Flag, "", "settings of the whole daemon", |r, s, d: &mut Draft| {
        keyword::read(r, walk::GLOBAL_DEFS, "`global_defs`", s.children(), &mut d.global);
    })
    .block(),
    Keyword::new(
        "vrrp_instance",
        Args::Count(1, 1),
        "NAME",
        "a virtual router: its addresses are on whichever machine is master",
        |r, s, d: &mut Draft| {
            let Some(name) = name(r, s, d, "vrrp_instance") else { return };
            let mut instance = Instance::new(name, s.whole());
            keyword::read(r, walk::VRRP_INSTANCE, "`vrrp_instance`", s.children(), &mut instance);
            d.instances.push(instance);
        },
    )
    .block(),
    Keyword::new(
        "vrrp_sync_group",
        Args::Count(1, 1),
        "NAME",
        "instances that become master, backup and faulty together",
        |r, s, d: &mut Draft| {
            let Some(name) = name(r, s, d, "vrrp_sync_group") else { return };
            let mut group = Group::new(name, s.whole());
            keyword::read(r, &[GROUP], "`vrrp_sync_group`", s.children(), &mut group);
            d.groups.push(group);
        },
    )
    .block(),
    Keyword::new(
        "vrrp_script",
        Args::Count(1, 1),
        "NAME",
        "a command that is run again and again; instances track whether it succeeds",
        |r, s, d: &mut Draft| {
            let Some(name) = s.word(1).and_then(|w| r.text(w)) else { return };
            let mut script = Script::new(name);
            keyword::read(r, &[SCRIPT], "`vrrp_script`", s.children(), &mut script);
            d.scripts.push(script);
        },
    )
    .block(),
    Keyword::new(
        "virtual_server",
        Args::Count(1, 2),
        "IP [PORT] | fwmark N",
        "a service that IPVS spreads over real servers; a name of a group stands for all its addresses",
        |_, s, d: &mut Draft| {
            d.servers.push(s.id());
        },
    )
    .block(),
    Keyword::new(
        "child_wait_time",
        Args::Count(1, 1),
        "SECONDS",
        "how long the children are waited for at the end before they are killed",
        |r, s, d: &mut Draft| {
            global::child_wait_time(r, s, &mut d.global);
        },
    )
    .or("5"),
    Keyword::new(
        "static_ipaddress",
        Args::Flag,
        "",
        "addresses that are there as long as the daemon runs",
        |r, s, d: &mut Draft| {
            address::statics(r, s, &mut d.static_addrs);
        },
    )
    .block(),
    Keyword::new(
        "static_routes",
        Args::Flag,
        "",
        "routes that are there as long as the daemon runs",
        |r, s, d: &mut Draft| {
            route::records(r, s, Switch::On, &mut d.static_routes);
        },
    )
    .block(),
    Keyword::new(
        "static_rules",
        Args::Flag,
        "",
        "routing rules that are there as long as the daemon runs",
        |r, s, d: &mut Draft| {
            rule::records(r, s, Switch::On, &mut d.static_rules);
        },
    )
    .block(),
    Keyword::new(
        "track_group",
        Args::Count(1, 1),
        "NAME",
        "instances that enter FAULT when a static address, route or rule of this group is lost",
        |r, s, d: &mut Draft| {
            let Some(name) = name(r, s, d, "track_group") else { return };
            let mut group = TrackGroup::new(name, s.whole());
            keyword::read(r, &[TRACK_GROUP], "`track_group`", s.children(), &mut group);
            d.track_groups.push(group);
        },
    )
    .block(),
    Keyword::new(
        "track_file",
        Args::Count(1, 1),
        "NAME",
        "a file whose number instances and FILE_CHECK track",
        track_file,
    )
    .block(),
    Keyword::new(
        "vrrp_track_file",
        Args::Count(1, 1),
        "NAME",
        "a file whose number instances and FILE_CHECK track",
        track_file,
    )
    .block()
    .old_name_of("track_file"),
    Keyword::new(
        "bfd_instance",
        Args::Count(1, 1),
        "NAME",
        "a BFD session with a neighbour, which instances and BFD_CHECK track",
        |r, s, d: &mut Draft| {
            let Some(name) = name(r, s, d, "bfd_instance") else { return };
            let mut session = Bfd::new(name, s.whole());
            keyword::read(r, &[bfd::BFD], "`bfd_instance`", s.children(), &mut session);
            let session = bfd::finish(r, session, &d.bfds);
            d.bfds.extend(session);
        },
    )
    .block(),
    Keyword::new(
        "virtual_server_group",
        Args::Count(1, 1),
        "NAME",
        "addresses, ports and firewall marks that make up one service",
        |r, s, d: &mut Draft| {
            let Some(name) = name(r, s, d, "virtual_server_group") else { return };
            d.server_groups.push(server_group::read(r, s, name));
        },
    )
    .block(),
    Keyword::new("SSL", Args::Flag, "", "certificate and key that SSL_GET shows to servers", |r, s, d: &mut Draft| {
        d.tls = Ssl::default();
        keyword::read(r, &[SSL], "`SSL`", s.children(), &mut d.tls);
    })
    .block(),
];

fn track_file(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Draft) {
    let Some(name) = s.word(1).and_then(|w| r.text(w)) else { return };
    let mut file = TrackFile::new(name, s.whole());
    keyword::read(r, &[TRACK_FILE], "`track_file`", s.children(), &mut file);
    if file.path.is_none() {
        let message = format!("`track_file {}` has no `file`", file.name.value);
        r.diags.push(Diagnostic::error(Code::INCOMPLETE, file.span, message).label("ignored"));
        return;
    }
    // COMPAT: of two with one name the first one counts.
    if let alloc::collections::btree_map::Entry::Vacant(free) = d.names.entry(("track_file", file.name.value.clone())) {
        free.insert(file.name.span);
        d.files.push(file);
    }
}

/// The name of a block; COMPAT: of two with one name the second one is skipped.
fn name(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Draft, kind: &'static str) -> Option<At<String>> {
    let name = r.text(s.word(1)?)?;
    match d.names.entry((kind, name.value.clone())) {
        alloc::collections::btree_map::Entry::Vacant(free) => {
            free.insert(name.span);
            Some(name)
        }
        alloc::collections::btree_map::Entry::Occupied(taken) => {
            let message = format!("there is a `{kind} {}` already", name.value);
            let again = Diagnostic::error(Code::DUPLICATE, name.span, message).label("this block is skipped");
            r.diags.push(again.also(*taken.get(), "the first one"));
            None
        }
    }
}

/// Reads a whole tree.
pub fn read(r: &mut Reader<'_>, tree: &Tree) -> Draft {
    let mut draft = Draft::default();
    keyword::read(r, walk::ROOTS, "the file", tree.roots(), &mut draft);
    draft
}

/// What stands in blocks that hold secrets.
const SECRET_KEYWORDS: &[&str] = &[
    "auth_type",
    "auth_pass",
    "key",
    "active_key",
    "anti_replay",
    "time_window",
    "mode",
    "password",
    "ca",
    "certificate",
];

/// Marks what must not be shown: every value in a block that holds secrets, known keyword or not (a misspelt `auth_pas` is a
/// password too).
pub fn hide_secrets(tree: &Tree, diags: &mut Diagnostics) {
    for block in tree.all() {
        if block.has_block() && block.is_one_of(&["authentication", "auth_hmac", "SSL"]) {
            for statement in block.children() {
                let shown = match statement.keyword() {
                    "auth_type" => 2, // auth_type PASS auth_pass … on one line
                    word if keyword::nearest(word, SECRET_KEYWORDS.iter().copied()).is_some() => 1,
                    _ => 0, // perhaps the password itself, on a line of its own
                };
                statement.words(shown).for_each(|word| hide(word, diags));
            }
        }
        if block.is_one_of(&["auth_pass", "password"]) {
            block.words(1).for_each(|word| hide(word, diags));
        }
    }
}

fn hide(word: Word<'_>, diags: &mut Diagnostics) {
    diags.hide(word.span);
    if word.bytes == MASK.as_bytes() {
        let message = "these asterisks stand for a secret in the output of `--print-config`";
        let masked = Diagnostic::warning(Code::MASKED_SECRET, word.span, message).label("taken as the secret itself");
        diags.push(masked.help("write the secret here, or print with `--show-secrets`"));
    }
}
