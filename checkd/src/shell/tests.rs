//! Probes over real sockets against real and against hostile servers, each test in a network namespace of its own. Needs root, `ip`,
//! nginx, aiosmtpd, dnsmasq, socat and openssl.

mod bench;
mod hostile;
mod mail;
mod nginx;
mod servers;
mod sockets;
mod tls;
