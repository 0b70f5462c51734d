//! What the tests share.

use checkd::conf::diag::{Code, Severity};
use checkd::conf::{Compiled, compile};
use ipc::config::Bundle;
use ipc::msg::compile::{CompileMode, Facts};
use ipc::net::Prefix;

/// A machine with a few interfaces.
pub fn facts() -> Facts {
    Facts {
        path: "/etc/keepalived/keepalived.conf".into(),
        cwd: "/".into(),
        config_id: "n1".into(),
        hostname: "n1.example".into(),
        interfaces: ["lo", "eth0", "eth1", "ens33"].map(String::from).to_vec(),
        subnets: vec![("eth0".into(), Prefix { addr: [172, 31, 7, 0].into(), len: 24 })],
        ..Facts::default()
    }
}

/// Compiles a file that includes nothing.
pub fn load(text: impl AsRef<[u8]>) -> Compiled {
    compile(facts(), CompileMode::Load, text.as_ref().to_vec(), |request| panic!("{request:?} is not expected"))
}

/// Compiles a file that must be usable.
pub fn bundle(text: impl AsRef<[u8]>) -> Bundle {
    let compiled = load(text);
    match compiled.bundle {
        Some(bundle) => bundle,
        None => panic!("fatal: {:#?}", compiled.diags.list()),
    }
}

/// The problems as `LINE:COL severity[CODE] message`, without notes.
pub fn problems(compiled: &Compiled) -> Vec<String> {
    let list = compiled.diags.list().iter().filter(|d| d.severity != Severity::Note);
    list.map(|d| {
        let place = d.primary.as_ref().map(|p| compiled.sources.place(p.span));
        let (line, column) = place.map_or((0, 0), |p| (p.line, p.column));
        format!("{line}:{column} {}[{}] {}", d.severity, d.code, d.message)
    })
    .collect()
}

/// The problems of a text.
pub fn problems_of(text: &str) -> Vec<String> {
    problems(&load(text))
}

/// The codes of a text's problems.
pub fn codes(text: &str) -> Vec<Code> {
    load(text).diags.list().iter().filter(|d| d.severity != Severity::Note).map(|d| d.code).collect()
}

/// An instance with these lines more.
pub fn instance(lines: &str) -> String {
    format!(
        "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n192.0.2.9\n}}\n{lines}\n}}\n"
    )
}

/// A virtual server with these lines more, and these in its real server.
pub fn server(lines: &str, real: &str) -> String {
    format!(
        "virtual_server 192.0.2.9 80 {{\nlvs_method NAT\nprotocol TCP\n{lines}\nreal_server 192.0.2.1 80 {{\n{real}\n}}\n}}\n"
    )
}
