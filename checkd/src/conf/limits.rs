//! How much a configuration may be, in one place and with the reasons.
//!
//! Whatever the files hold, the compiler is to say what is wrong with them within a second and 64 MiB, and the largest configurations
//! that people have are to be read in a quarter of the time that keepalived takes. The largest that are known: 100,000 real servers
//! with a check each (9 MB, 900,000 lines, 450,000 statements, 910,000 words), and the example of keepalived.conf(5) in which three
//! loops and a definition of 16 lines make 65,024 instances (780,000 statements). Both pass with room to spare.
//!
//! That these bounds hold does not protect the machine: the compiler is also given a limit of memory and of time by the kernel
//! (`shell::compile`) and by the supervisor, and it can reach nothing.

/// Bounds of one compilation.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all files together. They are held in memory while the compiler works, for its messages.
    pub file_bytes: usize,
    /// Files that are read, the main one included. A directory of one file for each service has hundreds.
    pub files: usize,
    /// Include directives that are looked up, also those that find nothing: each costs a walk through a directory.
    pub includes: u32,
    /// Files open within one another; real ones have three. An include loop ends here.
    pub include_depth: usize,
    /// Bytes of an include pattern: `PATH_MAX` of Linux.
    pub pattern_bytes: usize,
    /// Bytes in one line, before and after expansion. COMPAT: keepalived's own buffer is shorter.
    pub line_bytes: usize,
    /// Bytes that files and statements take in memory together; what the readers make of them comes on top, and is less.
    pub memory: usize,
    /// Bytes that the definitions take in memory. keepalived.conf(5)'s largest takes 3,000.
    pub definition_bytes: usize,
    /// Lines looked at besides those that stand in a file as they are meant: each turn of a loop, each definition, each line of a
    /// parameter and each reference counts. A million of them takes about a quarter of a second.
    pub steps: u32,
    /// Bytes in lines that were expanded.
    pub expanded_bytes: usize,
    /// Expansions of what an expansion gave. keepalived.conf(5)'s deepest example has three.
    pub expansion_depth: u16,
    /// Environment variables that are asked for by `${_ENV NAME}`.
    pub variables: usize,
    /// Blocks within one another; the language itself needs five.
    pub block_depth: usize,
    /// Problems that are shown; more are only counted. Nobody reads a thousand.
    pub diagnostics: usize,
}

/// The bounds in force.
pub const LIMITS: Limits = Limits {
    file_bytes: 24 * 1024 * 1024,
    files: 4096,
    includes: 4096,
    include_depth: 32,
    pattern_bytes: 4096,
    line_bytes: 32_767,
    memory: 50 * 1024 * 1024,
    definition_bytes: 8 * 1024 * 1024,
    steps: 4_000_000,
    expanded_bytes: 128 * 1024 * 1024,
    expansion_depth: 64,
    variables: 256,
    block_depth: 64,
    diagnostics: 1000,
};
