//! What concerns the processes: the statements outside all blocks, and their scheduling in `global_defs`.

use super::value::{Value, int};
use super::writer::Writer;
use super::{Printer, identity};
use core::fmt;
use ipc::config::process::{AutoPriority, Buffer, Buffers, IpvsNamespace, ProcessSettings, Tuning};
use ipc::config::script::ScriptConfig;

impl Printer<'_> {
    /// The statements outside all blocks.
    pub(super) fn process(self, w: &mut Writer<'_>) -> fmt::Result {
        let ScriptConfig { child_wait, process, .. } = self.script; // the rest: `global_defs`
        let ProcessSettings { instance, pid_directory, namespace, ipvs_namespace, namespace_with_ipsets, .. } = process;
        w.maybe("instance", instance.as_deref().map(Value::Text))?;
        w.flag("use_pid_dir", *pid_directory)?;
        w.maybe("net_namespace", namespace.as_deref().map(Value::Text))?;
        match ipvs_namespace {
            IpvsNamespace::Same => {}
            IpvsNamespace::Initial => {
                w.text_only(|w| w.alone("net_namespace_ipvs"))?;
                w.json_only("net_namespace_ipvs", Value::Text(""))?;
            }
            IpvsNamespace::Named(name) => w.field("net_namespace_ipvs", Value::Text(name))?,
        }
        w.flag("namespace_with_ipsets", *namespace_with_ipsets)?;
        w.field("child_wait_time", Value::Seconds(*child_wait))?;
        w.flag("linkbeat_use_polling", self.vrrp.globals.linkbeat_polling)
    }

    /// Their part of `global_defs`.
    pub(super) fn process_defs(self, w: &mut Writer<'_>) -> fmt::Result {
        let ProcessSettings {
            vrrp,
            checker,
            bfd,
            auto_priority,
            auto_priority_delay,
            buffers,
            // Outside `global_defs`.
            instance: _,
            pid_directory: _,
            namespace: _,
            ipvs_namespace: _,
            namespace_with_ipsets: _,
        } = &self.script.process;
        tuning(w, vrrp, &VRRP)?;
        tuning(w, checker, &CHECKER)?;
        tuning(w, bfd, &BFD)?;
        let most = match auto_priority {
            AutoPriority::Off => int(0),
            AutoPriority::Silent => int(-1),
            AutoPriority::UpTo(n) => int(*n),
        };
        w.field("max_auto_priority", most)?;
        w.maybe("min_auto_priority_delay", auto_priority_delay.map(identity::micros))?;
        let Buffers { vrrp_command, vrrp_monitor, lvs_command, lvs_monitor, process_monitor } = buffers;
        for (name, buffer) in [
            ("vrrp_netlink_cmd_rcv_bufs", vrrp_command),
            ("vrrp_netlink_monitor_rcv_bufs", vrrp_monitor),
            ("lvs_netlink_cmd_rcv_bufs", lvs_command),
            ("lvs_netlink_monitor_rcv_bufs", lvs_monitor),
            ("process_monitor_rcv_bufs", process_monitor),
        ] {
            let Buffer { bytes, force } = *buffer;
            w.maybe(name, bytes.map(int))?;
            w.field(&alloc::format!("{name}_force"), Value::Switch(force))?;
        }
        Ok(())
    }
}

/// Keywords of one process: nice value, locked memory, real-time priority, processors, limit.
type Names = [&'static str; 5];

const VRRP: Names = ["vrrp_priority", "vrrp_no_swap", "vrrp_rt_priority", "vrrp_cpu_affinity", "vrrp_rlimit_rttime"];
const CHECKER: Names =
    ["checker_priority", "checker_no_swap", "checker_rt_priority", "checker_cpu_affinity", "checker_rlimit_rttime"];
const BFD: Names = ["bfd_priority", "bfd_no_swap", "bfd_rt_priority", "bfd_cpu_affinity", "bfd_rlimit_rttime"];

fn tuning(w: &mut Writer<'_>, tuning: &Tuning, [nice_name, swap, rt, affinity, limit]: &Names) -> fmt::Result {
    let Tuning { nice, no_swap, real_time, cpus, real_time_limit } = tuning;
    w.maybe(nice_name, nice.map(int))?;
    w.flag(swap, *no_swap)?;
    w.maybe(rt, real_time.map(int))?;
    w.words(affinity, cpus.iter().map(|cpu| int(*cpu)))?;
    w.maybe(limit, real_time_limit.map(identity::micros))
}
