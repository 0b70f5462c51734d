//! The configuration compiler: `keepalived.conf` to [`Bundle`].
//!
//! ```text
//! source ─ lines ─ preproc (expand, loops, include) ─ tree ─ keyword tables (global vrrp track address server checker) ─ resolve
//! files    text    the lines that count               words   drafts with places                                          Bundle
//! ```
//!
//! Pure: files come in as bytes, includes are asked for ([`Compiler::step`]), problems come out as data ([`diag::Diagnostic`]) with the
//! place of the words at fault. Every problem is reported in one run; a statement at fault is left out and the rest still means
//! something, unless a problem is fatal.

pub mod address;
pub mod allow;
pub mod bfd;
pub mod checker;
pub mod checker_own;
pub mod diag;
pub mod differences;
pub mod expand;
pub mod explain;
pub mod file;
pub mod garp_group;
pub mod global;
pub mod global_firewall;
pub mod global_identity;
pub mod global_lvs;
pub mod global_notify;
pub mod global_process;
pub mod global_vrrp;
pub mod group;
pub mod hmac;
pub mod hop;
pub mod hosts;
pub mod http;
pub mod include;
pub mod keyword;
pub mod limits;
pub mod lines;
pub mod lookalike;
pub mod loops;
pub mod manual;
pub mod method;
pub mod names;
pub mod notify;
pub mod options;
pub mod origin;
pub mod pem;
pub mod preproc;
pub mod real;
pub mod resolve;
pub mod root;
pub mod root_vrrp;
pub mod route;
pub mod rule;
pub mod script;
pub mod server;
pub mod server_group;
pub mod short;
pub mod source;
pub mod ssl;
pub mod suggest;
pub mod track;
pub mod track_group;
pub mod track_process;
pub mod transport;
pub mod tree;
pub mod value;
pub mod vmac;
pub mod vrrp;
pub mod vrrp_options;
pub mod walk;

pub use include::{Checks, Request};
pub use limits::LIMITS;
pub use preproc::Step;
pub use root::Draft;

use alloc::string::String;
use alloc::vec::Vec;
use diag::Diagnostics;
use ipc::config::Bundle;
use ipc::msg::compile::{CompileMode, Facts, Includes, Parts, Unread, Verdict};
use keyword::Reader;
use names::{NameOf, Names};
use preproc::Preprocessor;
use source::{Sources, Span};

/// One compilation.
pub struct Compiler {
    facts: Facts,
    mode: CompileMode,
    sources: Sources,
    diags: Diagnostics,
    preprocessor: Preprocessor,
    tree: tree::Builder,
}

/// A configuration whose statements are known, and what they mean not yet.
pub struct Parsed {
    facts: Facts,
    mode: CompileMode,
    sources: Sources,
    diags: Diagnostics,
    tree: tree::Tree,
    uses: Vec<expand::Use>,
}

/// What came of a compilation.
pub struct Compiled {
    /// The configuration, unless a problem is fatal.
    pub bundle: Option<Bundle>,
    /// The problems, in the order of the files.
    pub diags: Diagnostics,
    /// The files they speak of.
    pub sources: Sources,
    /// Files that checkers need, which are still to be read.
    pub files: pem::Needs,
}

impl Compiled {
    /// How it went, in numbers.
    pub fn verdict(&self) -> Verdict {
        let counts = self.diags.counts;
        Verdict { errors: counts.errors, warnings: counts.warnings, fatal: counts.fatal, unread: counts.unread }
    }
}

impl Compiler {
    /// Starts with the main file. `random` is where `${_RANDOM}` starts.
    pub fn new(facts: Facts, mode: CompileMode, main: Vec<u8>, random: u64) -> Self {
        let name = facts.path.clone();
        Self::of_files(facts, mode, Vec::from([(name, main)]), random)
    }

    /// Starts with the files that are the main file, one after the other.
    pub fn of_files(facts: Facts, mode: CompileMode, files: Vec<(String, Vec<u8>)>, random: u64) -> Self {
        let known = expand::Facts {
            config_id: facts.config_id.clone(),
            cwd: facts.cwd.clone(),
            random,
            ..expand::Facts::default()
        };
        let force = match facts.includes {
            Includes::AsWritten => Checks::NONE,
            Includes::AllChecked => Checks::ALL,
        };
        let mut compiler = Compiler {
            preprocessor: Preprocessor::new(known, force),
            tree: tree::Builder::default(),
            sources: Sources::default(),
            diags: Diagnostics::default(),
            mode,
            facts,
        };
        let Compiler { preprocessor, sources, diags, .. } = &mut compiler;
        preprocessor.begin(sources, diags, files);
        compiler
    }

    /// A main file could not be read: a fatal problem.
    pub fn unreadable(&mut self, path: &str, why: &str) {
        let message = alloc::format!("cannot read {path}: {why}");
        let problem = diag::Diagnostic::fatal(diag::Code::TOO_LARGE, Span::default(), message);
        self.diags.push(diag::Diagnostic { primary: None, ..problem });
    }

    /// Files that match the pattern of the main file and are not there, or not to be used: the others are the configuration.
    /// COMPAT: keepalived 2.2.7, tried.
    pub fn left_out(&mut self, problems: &[Unread]) {
        for unread in problems {
            let (Unread::Missing(path) | Unread::Unusable(path, _) | Unread::Refused(path, _)) = unread else {
                continue;
            };
            let why = match unread {
                Unread::Unusable(_, why) | Unread::Refused(_, why) => why.as_str(),
                Unread::Missing(_) | Unread::Nothing => "it does not exist",
            };
            let message = alloc::format!("{path} is left out: {why}");
            let problem = diag::Diagnostic::error(diag::Code::INCLUDE, Span::default(), message);
            self.diags.push(diag::Diagnostic { primary: None, ..problem });
        }
    }

    /// Works until something is needed or all is read.
    pub fn step(&mut self) -> Step {
        self.preprocessor.run(&self.sources, &mut self.tree, &mut self.diags)
    }

    /// Answers [`Step::Include`] with the files that match, in order, and what could not be opened.
    pub fn included(&mut self, request: &Request, files: Vec<(String, Vec<u8>)>, problems: &[Unread]) {
        let Compiler { preprocessor, sources, diags, .. } = self;
        preprocessor.included(sources, diags, request, files, problems);
    }

    /// Answers [`Step::Environment`]: the value, if there is one.
    pub fn environment(&mut self, name: String, value: Option<Vec<u8>>) {
        self.preprocessor.environment(name, value.unwrap_or_default());
    }

    /// Compiles what was read, without names of the machine.
    pub fn finish(self) -> Compiled {
        self.parse().finish(&Names::default())
    }

    /// Finds statements and blocks in what was read.
    pub fn parse(self) -> Parsed {
        let Compiler { facts, mode, sources, mut diags, preprocessor, tree } = self;
        let uses = preprocessor.uses();
        let tree = tree.finish(&mut diags);
        Parsed { facts, mode, sources, diags, tree, uses }
    }
}

impl Parsed {
    /// The files of names that are wanted, in order; what cannot be read does not matter.
    pub fn names(&self) -> Vec<(NameOf, String)> {
        if self.mode == CompileMode::Offline { Vec::new() } else { names::wanted(&self.tree) }
    }

    /// Compiles what was read.
    pub fn finish(self, names: &Names) -> Compiled {
        let Parsed { facts, mode, sources, mut diags, tree, uses } = self;
        root::hide_secrets(&tree, &mut diags);
        let mut reader =
            Reader { diags: &mut diags, sources: &sources, names, usage: None, unordered: Default::default() };
        let draft = root::read(&mut reader, &tree);
        let (bundle, files) = resolve::resolve(&mut reader, &tree, &draft, &facts, mode);
        if facts.parts == Parts::Both {
            diags.unused_allows();
        }
        origin::explain(&mut diags, &tree, &uses, &sources);
        diags.sort();
        Compiled { bundle: (diags.counts.fatal == 0).then_some(bundle), diags, sources, files }
    }
}

/// Compiles a file that includes nothing, or whose includes `open` answers. No environment variable is set.
pub fn compile(
    facts: Facts,
    mode: CompileMode,
    main: Vec<u8>,
    mut open: impl FnMut(&Request) -> (Vec<(String, Vec<u8>)>, Vec<Unread>),
) -> Compiled {
    let mut compiler = Compiler::new(facts, mode, main, 1);
    loop {
        match compiler.step() {
            Step::Include(request) => {
                let (files, problems) = open(&request);
                compiler.included(&request, files, &problems);
            }
            Step::Environment(name) => compiler.environment(name, None),
            Step::Done => return compiler.finish(),
        }
    }
}
