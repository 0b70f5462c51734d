//! Tests of the machine: what follows what, row by row, and the laws under any sequence of events.

mod laws;
mod order;

use super::*;
use crate::reload::{Compiled, Failure, Parts};
use crate::script::Sig;
use alloc::boxed::Box;
use alloc::vec;
use core::time::Duration;
use ipc::config::script::{Asker, Script, ScriptConfig, ScriptKind};
use ipc::config::{InstanceIdx, Origin, ScriptIdx};
use ipc::msg::control::{Cause, Down, NotifyState, ProbeEnded, Run, Up};

const G1: Generation = Generation(1);
const G2: Generation = Generation(2);

fn at(seconds: u64) -> Mono {
    Mono::ZERO + Duration::from_secs(seconds)
}

fn options() -> Options {
    Options { parts: Parts::AsConfigured, respawn: Respawn::Yes }
}

fn script(kind: ScriptKind) -> Script {
    let (argv, label, origin) = (vec![b"/x".to_vec()], "a script".into(), Origin::default());
    let asker = if kind == ScriptKind::Once { Asker::Supervisor } else { Asker::Vrrp };
    Script { argv, run_as: None, label, origin, kind, asker }
}

/// One probe (0), one event command (1), one generic (2), one for start and stop (3); one instance, one service.
fn table() -> ScriptConfig {
    let kinds = [
        ScriptKind::Probe { timeout: Duration::from_secs(3) },
        ScriptKind::Event,
        ScriptKind::Generic,
        ScriptKind::Once,
    ];
    ScriptConfig {
        scripts: kinds.into_iter().map(script).collect(),
        instances: ["VI_1".into()].into_iter().collect(),
        services: 1,
        reals: 2,
        ..ScriptConfig::default()
    }
}

struct Bench {
    machine: Lifecycle,
    now: Mono,
}

impl Bench {
    fn new(options: Options) -> Bench {
        Bench { machine: Lifecycle::new(options), now: at(1) }
    }

    /// The actions that follow an event, without log lines.
    fn on(&mut self, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        self.machine.step(self.now, event, &mut out);
        out.retain(|a| !matches!(a, Action::Log(_)));
        out
    }

    fn said(&mut self, daemon: Daemon, generation: Generation, up: Up) -> Vec<Action> {
        self.on(Event::Said(daemon, generation, up))
    }

    /// A supervisor whose three children run generation 1.
    fn running() -> Bench {
        let mut bench = Bench::new(options());
        bench.on(Event::Begin);
        bench.on(Event::Compiled(G1, Compiled::Good(Box::new(table()))));
        for daemon in Daemon::ALL {
            bench.said(daemon, G1, Up::Ready);
        }
        for daemon in Daemon::ALL {
            bench.said(daemon, G1, Up::Activated);
        }
        assert_eq!(bench.machine.current(), Some(G1));
        assert_eq!(bench.machine.change(), None);
        bench
    }

    /// The same, with generation 2 sent to all and answered by nobody.
    fn reloading() -> Bench {
        let mut bench = Bench::running();
        bench.on(Event::Signal(Signal::Reload));
        bench.on(Event::Compiled(G2, Compiled::Good(Box::new(table()))));
        bench
    }
}
