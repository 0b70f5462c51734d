//! Who is told of what happens, and in which words: compared with Debian's keepalived in the same scenario.

mod announcing;
mod dumps;
mod fifos;
mod mails;
mod words;
