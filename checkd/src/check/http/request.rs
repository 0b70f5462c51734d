//! What is asked.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use ipc::config::check::{HttpProtocol, Url};

/// The request for `url` of the server at `target`, byte for byte as keepalived 2.2.7 writes it.
pub fn request(protocol: HttpProtocol, url: &Url, target: SocketAddr) -> Vec<u8> {
    let (version, connection) = match protocol {
        HttpProtocol::V10 => ("1.0", ""),
        HttpProtocol::V10Close => ("1.0", "Connection: close\r\n"),
        HttpProtocol::V11 => ("1.1", "Connection: close\r\n"),
    };
    // `SocketAddr` writes IPv6 addresses in brackets, as the Host field wants them.
    let host = url.host.as_deref().map_or_else(|| format!("{target}"), String::from);
    let path = &url.path;
    format!("GET {path} HTTP/{version}\r\nUser-Agent: KeepAliveClient\r\n{connection}Host: {host}\r\n\r\n").into_bytes()
}
