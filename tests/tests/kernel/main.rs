//! What the kernel holds on behalf of the configuration beside virtual addresses: routes, rules, static addresses, interfaces; read back
//! with `ip`, and compared with what Debian's keepalived makes of the same file.

mod delays;
mod filter;
mod groups;
mod interfaces;
mod paths;
mod removal;
mod router_flag;
mod source;
mod strict;
mod vmac;
