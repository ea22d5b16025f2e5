//! The gateway's clock: the time of day at the start, or whatever a
//! simulation takes for it, and tokio's clock from there on.
//!
//! It never goes back, whatever happens to the time of day, and a test that pauses tokio's clock
//! pauses this one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parlor_core::Time;
use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    /// Time since 1970 at `started`.
    origin: Duration,
}

impl Clock {
    /// A clock that shows `time` now.
    pub(crate) fn starting_at(time: SystemTime) -> Self {
        let origin = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), origin }
    }

    pub(crate) fn now(&self) -> Time {
        Time::default() + (self.origin + self.started.elapsed())
    }

    /// The instant at which this clock shows `time`, not before.
    pub(crate) fn instant_of(&self, time: Time) -> Instant {
        let since_origin = Duration::from_millis(time.as_millis()).saturating_sub(self.origin);
        // Beyond any sleep that tokio can do: wake up in a day and look again.
        self.started.checked_add(since_origin).unwrap_or(self.started + DAY)
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
