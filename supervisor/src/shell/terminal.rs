//! What is said to whoever typed the command, before there is a log. Not `print!`: that panics when nobody reads any more
//! (`holdfast --help | head`), and here there is nobody left to tell.

use std::io::{Write as _, stderr, stdout};

/// To standard output.
pub fn out(text: &str) {
    let _ = stdout().write_all(text.as_bytes()).and_then(|()| stdout().flush());
}

/// To standard error.
pub fn err(text: &str) {
    let _ = stderr().write_all(text.as_bytes());
}
