//! What one virtual router does: who wins ([`election`]), when ([`timers`]), what to announce ([`garp`], [`pace`]), with which priority
//! ([`track`], [`script`]), together with whom ([`sync`]), and who is one too many ([`twins`]). [`instance`] holds the states, [`transitions`] what
//! leads from one to another.

pub mod command;
pub mod election;
pub mod file;
pub mod garp;
pub mod instance;
pub mod link;
pub mod notify;
pub mod pace;
pub mod process;
pub mod processes;
pub mod reconfigure;
pub mod script;
pub mod send;
pub mod signature;
pub mod sync;
pub mod timers;
pub mod track;
pub mod transitions;
pub mod twins;
