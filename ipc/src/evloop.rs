//! The event loop: the only place with a `Poll` and with a clock. The deadline is a timerfd in the poll set, because mio's own
//! timeout is rounded up to whole milliseconds.

use crate::processor;
use crate::time::Mono;
use core::time::Duration;
use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timer::TimerSetTimeFlags;
use nix::sys::timerfd::{ClockId as TimerClock, Expiration, TimerFd, TimerFlags};
use nix::time::{ClockId, clock_gettime};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

const TIMER: Token = Token(usize::MAX);

/// Events taken in one turn; more wait for the next.
const EVENTS_PER_TURN: usize = 256;

/// The clock. Read once a wake-up by [`EventLoop::wait`]; other uses are start-up and measurement.
pub fn clock() -> Mono {
    match clock_gettime(ClockId::CLOCK_MONOTONIC) {
        Ok(t) => Mono(
            u64::try_from(t.tv_sec())
                .unwrap_or(0)
                .saturating_mul(1_000_000_000)
                .saturating_add(u64::try_from(t.tv_nsec()).unwrap_or(0)),
        ),
        Err(_) => Mono::ZERO,
    }
}

/// One source that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The token it was registered with.
    pub token: Token,
    /// There may be something to read, or the other side closed.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
}

/// A poll set with one deadline.
pub struct EventLoop {
    poll: Poll,
    events: Events,
    timer: TimerFd,
    armed: Option<Mono>,
    awake_until: Mono,
}

impl EventLoop {
    /// Makes an empty one.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = TimerFd::new(TimerClock::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        poll.registry().register(&mut SourceFd(&timer.as_fd().as_raw_fd()), TIMER, Interest::READABLE)?;
        Ok(EventLoop {
            poll,
            events: Events::with_capacity(EVENTS_PER_TURN),
            timer,
            armed: None,
            awake_until: Mono::ZERO,
        })
    }

    /// Adds a source for reading and writing, edge-triggered. Token `usize::MAX` is taken.
    pub fn add(&mut self, source: &mut impl Source, token: Token) -> io::Result<()> {
        self.poll.registry().register(source, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Adds a source for reading only, edge-triggered.
    pub fn add_readable(&mut self, source: &mut impl Source, token: Token) -> io::Result<()> {
        self.poll.registry().register(source, token, Interest::READABLE)
    }

    /// Adds a source for writing only, edge-triggered.
    pub fn add_writable(&mut self, source: &mut impl Source, token: Token) -> io::Result<()> {
        self.poll.registry().register(source, token, Interest::WRITABLE)
    }

    /// Makes the next [`EventLoop::wait`] report a source of [`EventLoop::add`] again if anything is left to read: for a reader
    /// that stops before WouldBlock.
    pub fn rearm(&mut self, source: &mut impl Source, token: Token) -> io::Result<()> {
        self.poll.registry().reregister(source, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// The same, and from now on for reading only: [`EventLoop::rearm`] takes that back.
    pub fn rearm_readable(&mut self, source: &mut impl Source, token: Token) -> io::Result<()> {
        self.poll.registry().reregister(source, token, Interest::READABLE)
    }

    /// Takes a source out.
    pub fn remove(&mut self, source: &mut impl Source) -> io::Result<()> {
        self.poll.registry().deregister(source)
    }

    /// From now until `until`, [`EventLoop::wait`] does not sleep but looks again and again, and lets others have the processor in
    /// between: for something that is known to come within a millisecond.
    pub fn stay_awake(&mut self, until: Mono) {
        self.awake_until = until;
    }

    /// Sleeps until a source is ready or `deadline` has passed, and says what is ready and what time it is.
    /// A deadline in the past returns at once.
    pub fn wait(&mut self, deadline: Option<Mono>, ready: &mut Vec<Ready>) -> io::Result<Mono> {
        ready.clear();
        self.arm(deadline)?;
        match self.poll() {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(clock()),
            Err(e) => return Err(e),
        }
        for event in &self.events {
            if event.token() == TIMER {
                let mut count = [0u8; 8];
                // The count does not matter and EAGAIN means that another arm() has reset it.
                let _ = nix::unistd::read(self.timer.as_fd(), &mut count);
                self.armed = None;
            } else {
                ready.push(Ready {
                    token: event.token(),
                    readable: event.is_readable() || event.is_read_closed() || event.is_error(),
                    writable: event.is_writable(),
                });
            }
        }
        Ok(clock())
    }

    fn poll(&mut self) -> io::Result<()> {
        while self.awake_until > Mono::ZERO {
            self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
            if !self.events.is_empty() {
                return Ok(());
            }
            processor::give_way();
            if clock() >= self.awake_until {
                self.awake_until = Mono::ZERO;
            }
        }
        self.poll.poll(&mut self.events, None)
    }

    fn arm(&mut self, deadline: Option<Mono>) -> io::Result<()> {
        if self.armed == deadline {
            return Ok(());
        }
        match deadline {
            None => self.timer.unset()?,
            Some(at) => {
                // Zero would disarm it.
                let at = at.0.max(1);
                let spec = TimeSpec::new((at / 1_000_000_000).cast_signed(), (at % 1_000_000_000).cast_signed());
                self.timer.set(Expiration::OneShot(spec), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            }
        }
        self.armed = deadline;
        Ok(())
    }
}
