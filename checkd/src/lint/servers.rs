//! Virtual and real servers. There may be a hundred thousand, so each is looked at when it is resolved, and what is found is told a
//! few times and counted from then on.

use super::Tally;
use crate::conf::Draft;
use crate::conf::checker::{Checker, Kind, Schedules};
use crate::conf::diag::{Code, Diagnostic, Severity};
use crate::conf::keyword::Reader;
use crate::conf::real::Real;
use crate::conf::server::{Key, Server};
use crate::conf::value::{plain, secs};
use alloc::collections::BTreeSet;
use alloc::format;
use core::net::IpAddr;
use ipc::config::vrrp::Switch;

/// What was found so far.
pub struct Servers {
    /// Addresses that this machine has as master.
    own: BTreeSet<IpAddr>,
    alpha: Tally,
    unchecked: Tally,
    slow: Tally,
    itself: Tally,
    no_timeout: Tally,
}

impl Servers {
    /// Begins.
    pub fn new(draft: &Draft) -> Self {
        let own = draft.instances.iter().flat_map(|i| i.vips.iter().chain(&i.excluded)).map(|v| v.prefix.addr);
        Servers {
            own: own.collect(),
            alpha: Tally::once(Code::NO_ALPHA),
            unchecked: Tally::new(Code::NO_CHECKER),
            slow: Tally::new(Code::SLOW_TIMEOUT),
            itself: Tally::new(Code::REAL_IS_VIRTUAL),
            no_timeout: Tally::new(Code::NO_TIMEOUT),
        }
    }

    /// Looks at a virtual server.
    pub fn look(&mut self, r: &mut Reader<'_>, server: &Server) {
        let service = match server.key {
            Some(Key::Addr(addr, _)) => Some(addr),
            _ => None,
        };
        self.alpha(r, server);
        for real in &server.reals {
            if real.checkers.is_empty() {
                self.unchecked.add(r.diags, real.span, || {
                    let message = "this real server has no checker: it is used whether it answers or not";
                    Diagnostic::new(Severity::Note, Code::NO_CHECKER, real.span, message).help("TCP_CHECK { }")
                });
            }
            if self.own.contains(&real.addr) || service == Some(real.addr) {
                self.itself.add(r.diags, real.span, || {
                    let message = format!("the real server {} is a virtual address", real.addr);
                    Diagnostic::warning(Code::REAL_IS_VIRTUAL, real.span, message)
                        .label("packets would come back to this director")
                        .help("name the real server's own address")
                });
            }
            for checker in &real.checkers {
                self.times(r, server, real, checker);
            }
        }
    }

    /// Tells what was found.
    pub fn finish(self, r: &mut Reader<'_>) {
        for tally in [self.alpha, self.unchecked, self.slow, self.itself, self.no_timeout] {
            tally.finish(r.diags);
        }
    }

    /// Without `alpha` a server is used before anybody has looked whether it is there.
    fn alpha(&mut self, r: &mut Reader<'_>, server: &Server) {
        let off = |s: &Option<Switch>| *s != Some(Switch::On);
        let mut checked = server.reals.iter().filter(|real| !real.checkers.is_empty() && off(&real.alpha));
        if server.alpha == Switch::Off && checked.any(|real| real.checkers.iter().all(|c| off(&c.alpha))) {
            self.alpha.add(r.diags, server.span, || {
                let message = "without `alpha` real servers get connections before they were checked";
                Diagnostic::new(Severity::Note, Code::NO_ALPHA, server.span, message).help(
                    "`alpha` in this block: each real server counts as down until its checkers have said otherwise",
                )
            });
        }
    }

    fn times(&mut self, r: &mut Reader<'_>, server: &Server, real: &Real, checker: &Checker) {
        let schedule = Schedules([&checker.schedule, &real.schedule, &server.schedule]);
        let delay_loop = schedule.delay_loop().map_or(secs(60), |d| d.value);
        if checker.kind == Kind::Misc && checker.own().timeout.is_none() {
            self.no_timeout.add(r.diags, checker.span, || {
                let time = plain(delay_loop);
                let message = format!("this MISC_CHECK has no `misc_timeout`: its script may run for {time} s");
                Diagnostic::new(Severity::Note, Code::NO_TIMEOUT, checker.span, message)
                    .label("as long as `delay_loop`")
                    .help("say what you expect, for example `misc_timeout 5`")
            });
        }
        let Some(timeout) = schedule.timeout().filter(|t| t.value > delay_loop) else { return };
        if matches!(checker.kind, Kind::Misc | Kind::File | Kind::Bfd) {
            return;
        }
        self.slow.add(r.diags, timeout.span, || {
            let (time, pause) = (plain(timeout.value), plain(delay_loop));
            let message = format!("`connect_timeout` {time} s is longer than `delay_loop` {pause} s");
            let mut note = Diagnostic::new(Severity::Note, Code::SLOW_TIMEOUT, timeout.span, message)
                .label("a server that does not answer is checked less often than that")
                .help(format!("`connect_timeout {pause}` or less"));
            if let Some(delay_loop) = schedule.delay_loop() {
                note = note.also(delay_loop.span, "the time between checks");
            }
            note
        });
    }
}
