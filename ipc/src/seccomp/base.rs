//! What the run time of every child needs: event loop, channels, log, memory, the end.
//!
//! No call here opens, connects, creates or executes anything. Descriptors come from outside over the channels.

use super::{Arg, Call, call, call_if};

const PROT_EXEC: u32 = libc::PROT_EXEC.cast_unsigned();
/// It connects a TCP socket and sends, in one call.
const FASTOPEN: u32 = libc::MSG_FASTOPEN.cast_unsigned();
const SIGABRT: u32 = libc::SIGABRT.cast_unsigned();

/// For every child.
pub const BASE: &[Call] = &[
    // Event loop.
    call("epoll_create1", "ipc::evloop::EventLoop::new"),
    call("epoll_ctl", "ipc::evloop::EventLoop::add, remove, rearm"),
    call("epoll_wait", "mio::Poll::poll, glibc"),
    call("epoll_pwait", "mio::Poll::poll, aarch64 and musl"),
    call("epoll_pwait2", "mio::Poll::poll, newer C libraries"),
    call("sched_yield", "ipc::processor::give_way"),
    call("getcpu", "ipc::processor::step_aside, where the vDSO cannot answer"),
    call("timerfd_create", "ipc::evloop::EventLoop::new"),
    call("timerfd_settime", "ipc::evloop::EventLoop::wait"),
    call("clock_gettime", "ipc::evloop::clock, where the vDSO cannot answer"),
    // Channels, log, dumps.
    call("read", "timerfd of the event loop; what a role is handed"),
    call("write", "ipc::log, dumps"),
    call("writev", "std::io::Write of several pieces"),
    call_if("sendmsg", &[&[Arg::Without(2, FASTOPEN)]], "ipc::fdpass::send"),
    call("recvmsg", "ipc::fdpass::receive"),
    // To whom the socket is connected: no address has no bytes.
    call_if("sendto", &[&[Arg::Is(5, 0), Arg::Without(3, FASTOPEN)]], "ipc::log: send(2)"),
    call("poll", "ipc::log: room on the console, x86_64"),
    call("ppoll", "ipc::log: room on the console, aarch64"),
    call("close", "dropping a descriptor"),
    call_if(
        "fcntl",
        &[
            &[Arg::Is(1, libc::F_GETFD.cast_unsigned())],
            &[Arg::Is(1, libc::F_SETFD.cast_unsigned())],
            &[Arg::Is(1, libc::F_GETFL.cast_unsigned())],
            &[Arg::Is(1, libc::F_SETFL.cast_unsigned())],
            &[Arg::Is(1, libc::F_DUPFD_CLOEXEC.cast_unsigned())],
        ],
        "std: OwnedFd::drop with debug assertions, try_clone, set_nonblocking",
    ),
    // Memory: never executable.
    call("brk", "malloc"),
    call_if("mmap", &[&[Arg::Without(2, PROT_EXEC)]], "malloc"),
    call_if("mprotect", &[&[Arg::Without(2, PROT_EXEC)]], "malloc"),
    call("mremap", "realloc"),
    call("munmap", "free"),
    call("madvise", "free"),
    call("getrandom", "the keys of std's HashMap, malloc"),
    call("futex", "locks of std and of the C library"),
    // Signals and the end.
    call("rt_sigprocmask", "abort"),
    call("rt_sigaction", "abort"),
    call("rt_sigreturn", "return of the stack overflow handler of std"),
    call("sigaltstack", "end of main"),
    call("restart_syscall", "the kernel, after SIGSTOP and SIGCONT"),
    call("getpid", "abort, ident of the log"),
    call("gettid", "abort"),
    call_if("tgkill", &[&[Arg::Is(2, SIGABRT)]], "abort, glibc"),
    call_if("tkill", &[&[Arg::Is(1, SIGABRT)]], "abort, musl"),
    call("exit", "end of main"),
    call("exit_group", "end of main"),
    // The read-back of the filter itself.
    call_if("prctl", &[&[Arg::Is(0, libc::PR_GET_SECCOMP.cast_unsigned())]], "ipc::confine::enter"),
];
