//! Who is master, and where neighbours look for its addresses.

mod deaths;
mod split_brain;
