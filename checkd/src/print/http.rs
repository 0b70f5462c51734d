//! What `HTTP_GET` and `SSL_GET` have of their own.

use super::value::{Value, int};
use super::writer::Writer;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use ipc::config::check::{Http, HttpProtocol, Url};
use ipc::config::probe::{Regex, Tls};

pub(super) fn http(w: &mut Writer<'_>, Http { protocol, urls, fast_recovery }: &Http) -> fmt::Result {
    let protocol = match protocol {
        HttpProtocol::V10 => "1.0",
        HttpProtocol::V10Close => "1.0C",
        HttpProtocol::V11 => "1.1",
    };
    w.field("http_protocol", Value::Text(protocol))?;
    w.field("fast_recovery", Value::Switch(*fast_recovery))?;
    w.blocks("url", urls, url)
}

pub(super) fn tls(w: &mut Writer<'_>, Tls { sni, sni_name, compliant, verify, ca_file }: &Tls) -> fmt::Result {
    w.field("enable_sni", Value::Switch(*sni))?;
    w.maybe("sni_name", sni_name.as_deref().map(Value::Text))?;
    w.unless(*compliant == super::words::switch(false), "tls_compliant", Value::Switch(*compliant))?;
    w.maybe("ssl_ca_file", ca_file.as_deref().map(Value::Text))?;
    w.unless(*verify == super::words::switch(false), "ssl_verify", Value::Switch(*verify))
}

fn url(w: &mut Writer<'_>, Url { path, host, digest, status, regex: pattern }: &Url) -> fmt::Result {
    w.field("path", Value::Text(path))?;
    w.maybe("virtualhost", host.as_deref().map(Value::Text))?;
    w.maybe("digest", digest.as_ref().map(|digest| Value::Hex(digest)))?;
    let ranges: Vec<String> =
        status.iter().map(|(low, high)| if low == high { format!("{low}") } else { format!("{low}-{high}") }).collect();
    w.words("status_code", ranges.iter().map(|range| Value::Shown(range)))?;
    pattern.as_ref().map_or(Ok(()), |pattern| regex(w, pattern))
}

fn regex(w: &mut Writer<'_>, regex: &Regex) -> fmt::Result {
    let Regex { pattern, no_match, options, stack, min_offset, max_offset } = regex;
    w.field("regex", Value::Pattern(pattern))?;
    w.flag("regex_no_match", *no_match)?;
    w.words("regex_options", options.iter().map(|option| Value::Text(option)))?;
    if let Some((start, max)) = stack {
        w.statement("regex_stack", |w| {
            w.bare("start", int(*start))?;
            w.bare("max", int(*max))
        })?;
    }
    w.maybe("regex_min_offset", min_offset.map(int))?;
    w.maybe("regex_max_offset", max_offset.map(int))
}
