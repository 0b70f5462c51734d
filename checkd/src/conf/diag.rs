//! What is wrong with a configuration: data only, rendered by the shell. All problems of a run are collected, none stops the reading.

use super::allow::Allows;
use super::source::{FileId, Source, Span};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; the configuration does what it says.
    Note,
    /// Read with another meaning than somebody might expect, or without effect.
    Warning,
    /// A statement is ignored; the rest still means something. COMPAT: `keepalived -t` exits with 5.
    Error,
    /// The configuration cannot be run. COMPAT: `keepalived -t` exits with 4.
    Fatal,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Fatal => "fatal",
        })
    }
}

/// A stable name of a kind of problem: a letter for the stage and a number. Never reused for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal;)*) => {
        impl Code {
            $($(#[doc = $doc])* pub const $name: Code = Code($text);)*
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];
            /// Every code with what it stands for.
            pub const DOCS: &'static [(Code, &'static str)] = &[$((Code::$name, concat!($($doc),*))),*];
        }
    };
}

codes! {
    /// A comment `holdfast: allow(…)` names a code that it has nothing to silence for: what it was written for has been mended, or
    /// the comment stands in the wrong place. It counts for its line or, alone on a line, for the next one; when that line opens a
    /// block for the block; before the first statement of a file for the file. Errors cannot be silenced.
    UNUSED_ALLOW = "A001";
    /// A comment `holdfast: allow(…)` that cannot be understood. Codes stand in parentheses, separated by commas: `# holdfast:
    /// allow(W301, W302)`; a reason may follow.
    BAD_ALLOW = "A002";
    /// A line is longer than a line may be, as it stands in the file or after parameters were put in, and is ignored as a whole.
    LONG_LINE = "L001";
    /// A line with a NUL byte is ignored. The file is damaged here or is not a text file.
    NUL_LINE = "L002";
    /// A quotation mark without its partner on the same line. Text in quotes cannot go on in the next line.
    UNBALANCED_QUOTE = "L003";
    /// A file cannot be read, is too large, there are too many of them, or files include one another too deep; often a file includes itself.
    TOO_LARGE = "L004";
    /// A character that only looks like one of the language: full-width punctuation, a no-break space, a typographic quotation mark.
    /// Editors, chat programs and input methods put them in. It is taken for a letter.
    LOOKALIKE = "L005";
    /// Backslashes in a command or a pattern that keepalived's releases read in different ways. They are read as keepalived 2.2.7
    /// does; put what is meant into a script, where there is no doubt.
    ESCAPES = "L006";
    /// A parameter definition, `$NAME=VALUE`, that cannot be understood or replaces a built-in parameter.
    BAD_DEFINITION = "P001";
    /// Parameters or loops make more text than one configuration may have, or a parameter is defined by itself. A value is expanded
    /// where it is used, not where it is defined.
    EXPANSION_LIMIT = "P002";
    /// A `~SEQ` or `~LST` that cannot be understood: `~SEQ(NAME, FIRST, STEP, LAST) TEXT`, `~LST(NAME, A, B, …) TEXT`. A step leads
    /// from the first value to the last one.
    BAD_LOOP = "P003";
    /// An include directive whose file cannot be read, or that matches nothing; a certificate or a key that cannot be read.
    INCLUDE = "P004";
    /// A built-in parameter that cannot be used as it is: `${_RANDOM MIN MAX}` with a MIN above MAX, or `${_ENV …}`, since the
    /// compiler does not see the environment.
    BAD_BUILTIN = "P005";
    /// A `}` that closes nothing. Often the `{` of its block is missing, or the block was closed before.
    EXTRA_CLOSE = "T001";
    /// A `{` whose `}` is missing: the block goes on to the end of the file.
    MISSING_CLOSE = "T002";
    /// Blocks are nested deeper than the language has a use for.
    TOO_DEEP = "T003";
    /// A `{` with no keyword before it to belong to.
    STRAY_OPEN = "T004";
    /// A word that is no keyword in this block. It is skipped, with its block if it has one; the statements after it are read as
    /// usual.
    UNKNOWN_KEYWORD = "K001";
    /// A keyword without the argument that it needs; the statement is ignored. `!` and `#` start a comment: a value that begins with
    /// one of them is written in quotes.
    MISSING_ARGUMENT = "K002";
    /// Words after the last argument that a keyword takes; they are ignored. Each statement needs a line of its own.
    EXTRA_WORDS = "K003";
    /// A block after a keyword that takes none; the block is skipped.
    UNEXPECTED_BLOCK = "K004";
    /// A keyword whose block is missing; the statement is ignored.
    MISSING_BLOCK = "K005";
    /// An old keyword. It works as the one that has taken its place, which is the one to write.
    DEPRECATED = "K006";
    /// A keyword that is read and checked, and does nothing in this release.
    NO_EFFECT = "K007";
    /// A statement that counts once is there again; the first one counts.
    REPEATED = "K008";
    /// A value that is not what the keyword takes: a word for a number, something that is no address, a name that is none of those
    /// it could be.
    BAD_VALUE = "V001";
    /// A number outside the range that the keyword takes; the statement is ignored and the default counts.
    OUT_OF_RANGE = "V002";
    /// A value that cannot be used as it stands and is taken as the nearest one that can.
    ADJUSTED = "V003";
    /// A name that nothing in the configuration defines.
    UNDEFINED = "R001";
    /// Two things with one name, or one thing twice.
    DUPLICATE = "R002";
    /// Something that is required is missing; what cannot do without it is ignored or, when that is all of an instance, the
    /// configuration cannot be run.
    INCOMPLETE = "R003";
    /// An interface that does not exist on this machine. `-t` fails; a daemon that has been asked to run waits for it in FAULT.
    /// `dynamic_interfaces` says that it will come.
    NO_INTERFACE = "R004";
    /// Settings that contradict each other or have no effect together; the message says which one counts.
    CONFLICT = "R005";
    /// Something that this release cannot run. It is left out, and the rest works.
    UNSUPPORTED = "R006";
    /// Something that nothing uses: a `vrrp_script` that no instance and no group tracks is not run.
    UNUSED = "R007";
    /// There are more of something than there can be.
    TOO_MANY = "R008";
    /// Two instances have one `virtual_router_id`, one interface and one address family. Each hears the other's adverts as those of
    /// its own router; keepalived does not start with that either. Give each instance a number of its own, the same on all machines.
    SAME_ROUTER = "R009";
    /// `nopreempt` has no effect on a router that starts as MASTER or has priority 255: it takes over whenever it starts. Write
    /// `state BACKUP` on all routers; the one with the highest priority becomes master when none is there yet.
    NOPREEMPT_MASTER = "W101";
    /// `nopreempt` in an instance without `priority`. Its priority is 100, and so is that of every router that has none: between
    /// equals the higher address decides who becomes master first.
    EQUAL_PRIORITIES = "W102";
    /// The members of a `vrrp_sync_group` change together, but do not agree about `state` or `nopreempt`. The one that wants to be
    /// master takes the others along, so that what they say does not count.
    MEMBERS_DISAGREE = "W103";
    /// A `vrrp_sync_group` with a single member has nothing to synchronise. Is a name missing in `group`?
    ONE_MEMBER = "W104";
    /// A virtual address with a prefix brings a route to its subnet. Where the subnet is reached by another interface, or the
    /// interface leads nowhere, the master loses its way to it. Write /32 (/128 for IPv6) or add `noprefixroute`.
    SUBNET_ROUTE = "W105";
    /// In strict mode a router that is not the address owner (priority 255) drops whatever is sent to the virtual addresses, ping and
    /// connections included (RFC 9568 §6.4.3). That is right for a router that forwards only; `no_accept` says that it is meant.
    /// Elsewhere leave `vrrp_strict` out, or use `version 3` with `accept`.
    STRICT_UNREACHABLE = "W106";
    /// An `auth_pass` has room for eight bytes in an advert; what is longer is cut. Routers agree as long as the first eight bytes
    /// are the same, and the rest protects nothing.
    LONG_PASSWORD = "W107";
    /// `!` and `#` start a comment anywhere outside `"…"`, also in the middle of a word: `auth_pass ab!cd` is the password `ab`.
    /// Write it in double quotes. Where a comment is meant, put a blank before it.
    CUT_SHORT = "W108";
    /// An instance has `unicast_src_ip` or `unicast_peer` and no usable peer, so it sends to the multicast group like any other.
    /// List the other routers in `unicast_peer`, or say `unicast_fault_no_peer` to stay in FAULT until there are some.
    NO_PEERS = "W109";
    /// One `virtual_router_id` on two interfaces that seem to be in one network: their addresses are neighbours, or both send from the
    /// MAC address that belongs to the number. They will hear each other. Give each instance of one network a number of its own.
    SAME_ID = "W110";
    /// A `unicast_peer` is this router's own address, or a virtual address, which leads to whoever is master. List the own addresses
    /// of the other routers.
    NO_PEER_OF_IT = "W111";
    /// Adverts are to be sent from a virtual address. A router that is not master does not have it and cannot send from it.
    VIRTUAL_SOURCE = "W112";
    /// One address in two instances on one interface. When one of them ceases to be master it takes the address away from the other.
    SHARED_ADDRESS = "W113";
    /// A secret that is `********`: `--print-config` writes that in the place of secrets, unless `--show-secrets` is given. A file that
    /// was made of its output needs them put back.
    MASKED_SECRET = "W114";
    /// A script without `timeout` (`misc_timeout`) may run as long as its `interval` (`delay_loop`); then it is killed and counts as
    /// failed. On a busy machine that is a failover that nobody asked for. Say how long it may take.
    NO_TIMEOUT = "W201";
    /// The words after a command name the user and the group that run it. Arguments belong to the command, within its quotes:
    /// `notify_master "/etc/holdfast/notify.sh up"`.
    UNQUOTED_COMMAND = "W202";
    /// Without `alpha` a real server counts as up until a checker has said otherwise: at every start clients are sent to servers that
    /// may not be there. `alpha` in `virtual_server` or `real_server` lets it count as down until it has passed.
    NO_ALPHA = "W301";
    /// A real server without a checker is used whether it answers or not.
    NO_CHECKER = "W302";
    /// `connect_timeout` is longer than `delay_loop`. The next check begins `delay_loop` after the end of the last one, so a server
    /// that does not answer is checked less often, and found out later, than `delay_loop` says.
    SLOW_TIMEOUT = "W303";
    /// A `real_server` is a virtual address, so that packets for it come back to the director.
    REAL_IS_VIRTUAL = "W304";
    /// There are recipients in `notification_email` and no `smtp_server` to hand mail to: none is sent.
    NO_MAIL_SERVER = "W401";
}

/// A place with a word on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is said about it; may be empty.
    pub text: String,
}

/// A correction: these bytes by that text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// What is replaced.
    pub span: Span,
    /// By what.
    pub with: String,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// Its kind.
    pub code: Code,
    /// One sentence, without a place.
    pub message: String,
    /// The words at fault; `None` for the file as a whole.
    pub primary: Option<Label>,
    /// Other places that matter.
    pub others: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
    /// The corrected words, where that is clear.
    pub patch: Option<Patch>,
    /// What the line became, where a parameter or a loop is part of it.
    pub expanded: Option<String>,
}

impl Diagnostic {
    /// A problem at a place.
    pub fn new(severity: Severity, code: Code, span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            severity,
            code,
            message: message.into(),
            primary: Some(Label { span, text: String::new() }),
            others: Vec::new(),
            help: None,
            patch: None,
            expanded: None,
        }
    }

    /// An [`Severity::Error`].
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, span, message)
    }

    /// A [`Severity::Warning`].
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, span, message)
    }

    /// A [`Severity::Fatal`].
    pub fn fatal(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Fatal, code, span, message)
    }

    /// What stands under the underlined words.
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    /// A second place.
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.others.push(Label { span, text: text.into() });
        self
    }

    /// What to do.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// The corrected words.
    pub fn patch(mut self, span: Span, with: impl Into<String>) -> Self {
        self.patch = Some(Patch { span, with: with.into() });
        self
    }
}

/// Most diagnostics kept; the rest is counted.
pub const DIAGNOSTICS_LIMIT: usize = super::limits::LIMITS.diagnostics;

/// The problems found so far.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    seen: BTreeSet<(Code, Span)>,
    /// Places whose words must not be shown.
    secrets: BTreeSet<Span>,
    allows: Allows,
    /// How many were not kept.
    pub dropped: u32,
    /// How many are fatal, errors and warnings, kept or not.
    pub counts: Counts,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// [`Severity::Fatal`]
    pub fatal: u32,
    /// [`Severity::Error`]
    pub errors: u32,
    /// [`Severity::Warning`]
    pub warnings: u32,
    /// The fatal ones that are files which were not included.
    pub unread: u32,
}

impl Diagnostics {
    /// Takes a problem down. The same kind at the same place counts once: a line that a loop repeats is reported once.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let error = diagnostic.severity >= Severity::Error;
        if let Some(primary) = &diagnostic.primary
            && !(error && self.is_full())
            && self.allows.silences(diagnostic.code, primary.span, error)
        {
            return;
        }
        if let Some(primary) = &diagnostic.primary
            && self.seen.len() < DIAGNOSTICS_LIMIT
            && !self.seen.insert((diagnostic.code, primary.span))
        {
            return;
        }
        if diagnostic.severity == Severity::Fatal && diagnostic.code == Code::INCLUDE && diagnostic.primary.is_some() {
            self.counts.unread = self.counts.unread.saturating_add(1);
        }
        let count = match diagnostic.severity {
            Severity::Fatal => Some(&mut self.counts.fatal),
            Severity::Error => Some(&mut self.counts.errors),
            Severity::Warning => Some(&mut self.counts.warnings),
            Severity::Note => None,
        };
        if let Some(count) = count {
            *count = count.saturating_add(1);
        }
        // A fatal one is the reason why nothing runs: it is always kept.
        if self.list.len() < DIAGNOSTICS_LIMIT || diagnostic.severity == Severity::Fatal && self.counts.fatal <= 100 {
            self.list.push(diagnostic);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Takes several down.
    pub fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// Takes in the comments of a file that silence something. `by`: where it was included.
    pub fn read_allows(&mut self, source: &Source, file: FileId, by: Span) {
        for misread in self.allows.read(source, file, by) {
            let mut diagnostic = Diagnostic::warning(Code::BAD_ALLOW, misread.span, misread.message);
            if let Some(near) = misread.near {
                diagnostic = diagnostic.help(alloc::format!("did you mean `{near}`?")).patch(misread.span, near);
            }
            self.push(diagnostic);
        }
    }

    /// Whether a comment silences this at that place; the comment counts as used.
    pub fn silences(&mut self, code: Code, span: Span) -> bool {
        self.allows.silences(code, span, false)
    }

    /// Tells which comments silenced nothing; when everything was looked at.
    pub fn unused_allows(&mut self) {
        let unused: Vec<_> = self.allows.unused().collect();
        for idle in unused {
            let message = if idle.error {
                alloc::format!("{} is an error here, which cannot be silenced", idle.code)
            } else {
                alloc::format!("there is no {} here to silence", idle.code)
            };
            self.push(Diagnostic::new(Severity::Note, Code::UNUSED_ALLOW, idle.span, message));
        }
    }

    /// Whether this was said of that place before: then nothing comes of saying it again.
    pub fn is_known(&self, code: Code, span: Span) -> bool {
        self.seen.contains(&(code, span))
    }

    /// Whether further ones are only counted.
    pub fn is_full(&self) -> bool {
        self.list.len() >= DIAGNOSTICS_LIMIT
    }

    /// These words must not be shown.
    pub fn hide(&mut self, span: Span) {
        self.secrets.insert(span);
    }

    /// Whether these words must not be shown.
    pub fn is_hidden(&self, span: Span) -> bool {
        self.secrets.contains(&span)
    }

    /// Places whose words must not be shown.
    pub fn secrets(&self) -> &BTreeSet<Span> {
        &self.secrets
    }

    /// In the order in which they were found.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// The same, to add to them.
    pub(super) fn list_mut(&mut self) -> &mut [Diagnostic] {
        &mut self.list
    }

    /// In the order of the files.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|d| d.primary.as_ref().map(|p| p.span));
    }
}
