//! How fast one connection may ask, and when it has gone too far.

use std::collections::VecDeque;
use std::time::Duration;

use parlor_core::Time;

/// A token bucket: so many requests a second for long, and some more after a silence.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: u32,
    /// Thousandths of a request.
    level: u64,
    level_max: u64,
    filled_at: Time,
}

impl Bucket {
    pub(crate) fn new(per_second: u32, burst: u32, now: Time) -> Self {
        let level_max = u64::from(burst) * WHOLE;
        Self { per_second, level: level_max, level_max, filled_at: now }
    }

    /// Takes one request out, or says how long to wait for it.
    pub(crate) fn take(&mut self, now: Time) -> Result<(), Duration> {
        let rate = u64::from(self.per_second);
        // A thousandth of a request each millisecond for each request a second.
        let gained =
            now.as_millis().saturating_sub(self.filled_at.as_millis()).saturating_mul(rate);
        self.level = self.level.saturating_add(gained).min(self.level_max);
        self.filled_at = now;
        if self.level >= WHOLE {
            self.level -= WHOLE;
            return Ok(());
        }
        Err(Duration::from_millis((WHOLE - self.level).div_ceil(rate.max(1))))
    }
}

/// When a client's last offences of one kind were. Without memory for those who behave.
#[derive(Debug, Default)]
pub(crate) struct Strikes(VecDeque<Time>);

impl Strikes {
    /// Notes an offence; `true` when there were `max` of them within `window`.
    pub(crate) fn strike(&mut self, now: Time, max: usize, window: Duration) -> bool {
        let times = &mut self.0;
        while times.front().is_some_and(|first| now.since(*first) > window) {
            times.pop_front();
        }
        if times.len() < max {
            times.push_back(now);
        }
        times.len() >= max
    }
}

const WHOLE: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::new(10, 3, at(0));
        for _ in 0..3 {
            assert_eq!(bucket.take(at(0)), Ok(()));
        }
        assert_eq!(bucket.take(at(0)), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(at(99)), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(at(100)), Ok(()));
        for _ in 0..3 {
            assert_eq!(bucket.take(at(1_000_000)), Ok(()), "never more than the burst");
        }
        assert!(bucket.take(at(1_000_000)).is_err());
    }

    #[test]
    fn strikes_count_within_the_window_only() {
        let mut strikes = Strikes::default();
        let mut strike = |millis| strikes.strike(at(millis), 3, Duration::from_secs(10));
        assert!(!strike(0));
        assert!(!strike(1));
        assert!(!strike(10_500), "the first two are too long ago");
        assert!(!strike(10_600));
        assert!(strike(10_700));
    }
}
