//! How fast one connection may ask, and when it has gone too far.

use std::collections::VecDeque;
use std::time::Duration;

use parlor_core::Time;

/// A token bucket: so many times in a while for long, and some more after a silence.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// What one time takes, in nanoseconds of waiting.
    price: u64,
    /// What has been waited for and not yet spent.
    level: u64,
    level_max: u64,
    filled_at: Time,
}

impl Bucket {
    /// So many times a second.
    pub(crate) fn new(per_second: u32, burst: u32, now: Time) -> Self {
        Self::every(Duration::from_secs(1) / per_second.max(1), burst, now)
    }

    /// One time in each such while.
    pub(crate) fn every(interval: Duration, burst: u32, now: Time) -> Self {
        let price = nanos(interval).max(1);
        let level_max = price.saturating_mul(u64::from(burst));
        Self { price, level: level_max, level_max, filled_at: now }
    }

    /// Takes one time out, or says how long to wait for it.
    pub(crate) fn take(&mut self, now: Time) -> Result<(), Duration> {
        self.check(now)?;
        self.level -= self.price;
        Ok(())
    }

    /// Says how long to wait before there is one to take.
    pub(crate) fn check(&mut self, now: Time) -> Result<(), Duration> {
        let waited = now.as_millis().saturating_sub(self.filled_at.as_millis());
        let gained = waited.saturating_mul(NANOS_PER_MILLI);
        self.level = self.level.saturating_add(gained).min(self.level_max);
        self.filled_at = now;
        if self.level >= self.price {
            return Ok(());
        }
        Err(Duration::from_millis((self.price - self.level).div_ceil(NANOS_PER_MILLI)))
    }

    /// Whether it is as if nothing had ever been taken.
    pub(crate) fn is_full(&mut self, now: Time) -> bool {
        // Filled by the way, whatever it says.
        let _ = self.check(now);
        self.level == self.level_max
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
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

const NANOS_PER_MILLI: u64 = 1_000_000;

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
