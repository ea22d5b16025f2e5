//! When a quiet connection is due for something.
//!
//! [`Pulse`] owns one timer per connection and decides what it means: a ping after some silence,
//! the end after twice that, the end of a client that is there but does nothing, or the end of
//! our patience with a close handshake. Hearing from the client only notes the time: the timer is
//! set again when it fires, not with every message. Nor is it asked with every poll of the task, which mostly
//! has other reasons: its memory would have to be fetched for that.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The timer of one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    timer: Pin<Box<Sleep>>,
    /// When the timer fires.
    due: Instant,
    /// Whom it wakes then, once it was asked.
    waker: Option<Waker>,
    /// This connection's own. A `Duration` would take four times the memory, of which each connection has one.
    heartbeat_ms: u32,
    /// When any byte came last.
    heard: Instant,
    /// When a message came last.
    spoken: Instant,
    pinged: bool,
    /// Whether the timer is set for the cut, and so for nothing else any more.
    is_cutting: bool,
}

/// What is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tick {
    /// Ping the client.
    Ping,
    /// It did not answer.
    Silent,
    /// It answers, but has nothing to say.
    Idle,
    /// Closing has taken too long.
    Cut,
}

impl Pulse {
    pub(super) fn new(heartbeat: Duration) -> Self {
        let now = Instant::now();
        let heartbeat = jittered(heartbeat);
        let due = now + heartbeat;
        Self {
            timer: Box::pin(sleep_until(due)),
            due,
            waker: None,
            heartbeat_ms: u32::try_from(heartbeat.as_millis()).unwrap_or(u32::MAX),
            heard: now,
            spoken: now,
            pinged: false,
            is_cutting: false,
        }
    }

    /// Notes that bytes came.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
        self.pinged = false;
    }

    /// Notes that a message came.
    pub(super) fn spoken(&mut self) {
        self.spoken = self.heard;
    }

    /// Cuts the connection after `patience`, if no cut is set already.
    pub(super) fn cut_after(&mut self, patience: Duration) {
        if !self.is_cutting {
            self.is_cutting = true;
            self.set(Instant::now() + patience);
        }
    }

    /// What is due. Each tick comes once; `idle_max` is asked only when the timer fires.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        idle_max: impl Fn() -> Option<Duration>,
    ) -> Poll<Tick> {
        loop {
            ready!(self.poll_timer(cx));
            if self.is_cutting {
                return Poll::Ready(Tick::Cut);
            }
            let (due, tick) = self.next(idle_max());
            if due <= Instant::now() {
                self.pinged |= tick == Tick::Ping;
                return Poll::Ready(tick);
            }
            self.set(due);
        }
    }

    /// Whether the cut is due. Nothing else counts here.
    pub(super) fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_cutting { self.poll_timer(cx) } else { Poll::Pending }
    }

    fn set(&mut self, due: Instant) {
        self.timer.as_mut().reset(due);
        self.due = due;
        self.waker = None;
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_waiting = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if is_waiting && Instant::now() < self.due {
            return Poll::Pending;
        }
        self.waker = Some(cx.waker().clone());
        self.timer.as_mut().poll(cx)
    }

    fn next(&self, idle_max: Option<Duration>) -> (Instant, Tick) {
        let heartbeat = Duration::from_millis(self.heartbeat_ms.into());
        let silence = if self.pinged {
            (self.heard + 2 * heartbeat, Tick::Silent)
        } else {
            (self.heard + heartbeat, Tick::Ping)
        };
        match idle_max.map(|idle_max| self.spoken + idle_max) {
            Some(idle) if idle < silence.0 => (idle, Tick::Idle),
            Some(_) | None => silence,
        }
    }
}

/// `heartbeat`, up to a fifth more or less.
fn jittered(heartbeat: Duration) -> Duration {
    // Without a random number all beat alike, which costs nothing but evenness.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    heartbeat.mul_f64(0.8 + 0.4 * f64::from(random) / f64::from(u32::MAX))
}
