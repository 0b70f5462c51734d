//! `global_defs`: scheduling and buffers of the processes. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::global::Global;
use super::global_vrrp::{fill, put};
use super::keyword::{Args, Keyword, Reader};
use super::tree::Statement;
use super::value::micros;
use core::time::Duration;
use ipc::config::process::{AutoPriority, Tuning};
use ipc::config::vrrp::Switch;

/// sched(7): the range of real-time priorities.
const REAL_TIME: core::ops::RangeInclusive<i64> = 1..=99;

/// Processors that a set of the kernel's default size holds.
const CPUS: i64 = 1024;

/// COMPAT: a priority outside the range is taken as the nearest one inside.
fn real_time(r: &mut Reader<'_>, s: Statement<'_>) -> Option<u8> {
    let word = s.word(1)?;
    let asked = r.int(word, i64::from(i32::MIN)..=i64::from(i32::MAX))?;
    let used = asked.clamp(*REAL_TIME.start(), *REAL_TIME.end());
    if used != asked {
        r.adjusted(word, alloc::format!("a real-time priority of {asked} is taken as {used}"));
    }
    u8::try_from(used).ok()
}

fn cpus(r: &mut Reader<'_>, s: Statement<'_>, tuning: &mut Tuning) {
    tuning.cpus.clear();
    for word in s.words(1) {
        let Some(cpu) = r.whole_number::<u16>(word, 0..=CPUS.saturating_sub(1)) else { continue };
        if tuning.cpus.contains(&cpu) {
            let message = alloc::format!("processor {cpu} is listed twice");
            r.diags.push(Diagnostic::warning(Code::DUPLICATE, word.span, message));
        } else {
            tuning.cpus.push(cpu);
        }
    }
}

/// COMPAT: 1 is taken as 2, for the kernel takes 1 as no limit.
fn limit(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Duration> {
    let word = s.word(1)?;
    let asked: u64 = r.number(Some(word), 1..=i64::from(u32::MAX))?;
    if asked == 1 {
        r.adjusted(word, "a limit of 1 microsecond is taken as 2");
    }
    Some(micros(asked.max(2)))
}

fn auto_priority(r: &mut Reader<'_>, s: Statement<'_>) -> Option<AutoPriority> {
    let Some(word) = s.word(1) else { return Some(AutoPriority::UpTo(99)) };
    Some(match r.int(word, -1..=99)? {
        -1 => AutoPriority::Silent,
        0 => AutoPriority::Off,
        n => AutoPriority::UpTo(u8::try_from(n).ok()?),
    })
}

fn bytes(r: &mut Reader<'_>, s: Statement<'_>) -> Option<u32> {
    r.number(s.word(1), 0..=i64::from(u32::MAX))
}

/// The keywords of one process.
macro_rules! tuning {
    ($process:ident, $nice:literal, $swap:literal, $rt:literal, $cpu:literal, $limit:literal, $old:literal) => {
        [
            Keyword::new(
                $nice,
                Args::Count(1, 1),
                "INT -20..19",
                "the nice value of the process: the lower, the more processor time",
                |r, s, d: &mut Global| {
                    fill(&mut d.process.$process.nice, r.number(s.word(1), -20..=19));
                },
            )
            .or("0")
            .not_yet(),
            Keyword::flag($swap, "the memory of the process is never swapped out", |_, _, d: &mut Global| {
                d.process.$process.no_swap = Switch::On;
            })
            .not_yet(),
            Keyword::new(
                $rt,
                Args::Count(1, 1),
                "INT 1..99",
                "the real-time priority of the process",
                |r, s, d: &mut Global| {
                    fill(&mut d.process.$process.real_time, real_time(r, s));
                },
            )
            .not_yet(),
            Keyword::new(
                $cpu,
                Args::Some(1),
                "CPU …",
                "the processors that the process runs on",
                |r, s, d: &mut Global| {
                    cpus(r, s, &mut d.process.$process);
                },
            )
            .not_yet(),
            Keyword::new(
                $limit,
                Args::Count(1, 1),
                "MICROSECONDS",
                "how long a real-time process may run without a pause before it is stopped",
                |r, s, d: &mut Global| {
                    fill(&mut d.process.$process.real_time_limit, limit(r, s));
                },
            )
            .or("10000")
            .not_yet(),
            Keyword::new(
                $old,
                Args::Count(1, 1),
                "MICROSECONDS",
                "how long a real-time process may run without a pause before it is stopped",
                |r, s, d: &mut Global| {
                    fill(&mut d.process.$process.real_time_limit, limit(r, s));
                },
            )
            .old_name_of($limit),
        ]
    };
}

/// `global_defs`, a part of it
pub static VRRP: [Keyword<Global>; 6] = tuning!(
    vrrp,
    "vrrp_priority",
    "vrrp_no_swap",
    "vrrp_rt_priority",
    "vrrp_cpu_affinity",
    "vrrp_rlimit_rttime",
    "vrrp_rlimit_rtime"
);
/// `global_defs`, a part of it
pub static CHECKER: [Keyword<Global>; 6] = tuning!(
    checker,
    "checker_priority",
    "checker_no_swap",
    "checker_rt_priority",
    "checker_cpu_affinity",
    "checker_rlimit_rttime",
    "checker_rlimit_rtime"
);
/// `global_defs`, a part of it
pub static BFD: [Keyword<Global>; 6] = tuning!(
    bfd,
    "bfd_priority",
    "bfd_no_swap",
    "bfd_rt_priority",
    "bfd_cpu_affinity",
    "bfd_rlimit_rttime",
    "bfd_rlimit_rtime"
);

/// The two keywords of one buffer. Those of netlink sockets are read, checked and printed, and no more: see the difference `netlink-buffers`.
macro_rules! buffer {
    ($field:ident, $bytes:literal, $force:literal) => {
        buffer!(
            $field,
            $bytes,
            $force,
            "checked and not used: each netlink socket has 8 MiB, whatever the limit of the system is",
            "checked and not used: they are beyond that limit anyway"
        )
    };
    ($field:ident, $bytes:literal, $force:literal, $size:literal, $beyond:literal) => {
        [
            Keyword::new($bytes, Args::Count(1, 1), "BYTES", $size, |r, s, d: &mut Global| {
                fill(&mut d.process.buffers.$field.bytes, bytes(r, s));
            }),
            Keyword::switch($force, $beyond, |r, s, d: &mut Global| {
                put(&mut d.process.buffers.$field.force, r.switch(s));
            })
            .or("off"),
        ]
    };
}

/// `global_defs`, a part of it
pub static VRRP_COMMAND: [Keyword<Global>; 2] =
    buffer!(vrrp_command, "vrrp_netlink_cmd_rcv_bufs", "vrrp_netlink_cmd_rcv_bufs_force");
/// `global_defs`, a part of it
pub static VRRP_MONITOR: [Keyword<Global>; 2] =
    buffer!(vrrp_monitor, "vrrp_netlink_monitor_rcv_bufs", "vrrp_netlink_monitor_rcv_bufs_force");
/// `global_defs`, a part of it
pub static LVS_COMMAND: [Keyword<Global>; 2] =
    buffer!(lvs_command, "lvs_netlink_cmd_rcv_bufs", "lvs_netlink_cmd_rcv_bufs_force");
/// `global_defs`, a part of it
pub static LVS_MONITOR: [Keyword<Global>; 2] =
    buffer!(lvs_monitor, "lvs_netlink_monitor_rcv_bufs", "lvs_netlink_monitor_rcv_bufs_force");
/// `global_defs`, a part of it
pub static PROCESS_MONITOR: [Keyword<Global>; 2] = buffer!(
    process_monitor,
    "process_monitor_rcv_bufs",
    "process_monitor_rcv_bufs_force",
    "the size of the receive buffer of this socket",
    "the buffer may be larger than the limit of the system"
);

/// `global_defs`, a part of it
pub static AUTO: [Keyword<Global>; 2] = [
    Keyword::new(
        "max_auto_priority",
        Args::Count(0, 1),
        "[-1..99]",
        "processes that are late get a real-time priority, up to this; alone 99",
        |r, s, d: &mut Global| {
            put(&mut d.process.auto_priority, auto_priority(r, s));
        },
    )
    .or("0")
    .not_yet(),
    Keyword::new(
        "min_auto_priority_delay",
        Args::Count(1, 1),
        "MICROSECONDS 1..10000000",
        "how late a process must be for that",
        |r, s, d: &mut Global| {
            fill(&mut d.process.auto_priority_delay, r.number(s.word(1), 1..=10_000_000).map(micros))
        },
    )
    .or("1000000")
    .not_yet(),
];
