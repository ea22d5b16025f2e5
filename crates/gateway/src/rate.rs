//! How fast one connection may ask, and when it has gone too far.

use std::collections::VecDeque;
use std::time::Duration;

use parlor_core::Time;

/// So many times at once, and one more in each such while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// What one time takes, in nanoseconds of waiting.
    price: u64,
    level_max: u64,
}

impl Rate {
    /// So many times a second.
    pub(crate) fn per_second(times: u32, burst: u32) -> Self {
        Self::every(Duration::from_secs(1) / times.max(1), burst)
    }

    /// One time in each such while.
    pub(crate) fn every(interval: Duration, burst: u32) -> Self {
        let price = nanos(interval).max(1);
        Self { price, level_max: price.saturating_mul(u64::from(burst)) }
    }
}

/// A token bucket: whether something has been done as often as its rate allows, which is asked with each call,
/// since a great many buckets share one.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// What has been waited for and not yet spent.
    level: u64,
    filled_at: Time,
}

impl Bucket {
    /// As after a long silence.
    pub(crate) fn full(rate: Rate, now: Time) -> Self {
        Self { level: rate.level_max, filled_at: now }
    }

    /// Takes one time out, or says how long to wait for it.
    pub(crate) fn take(&mut self, rate: Rate, now: Time) -> Result<(), Duration> {
        self.check(rate, now)?;
        self.level -= rate.price;
        Ok(())
    }

    /// Says how long to wait before there is one to take.
    pub(crate) fn check(&mut self, rate: Rate, now: Time) -> Result<(), Duration> {
        let waited = now.as_millis().saturating_sub(self.filled_at.as_millis());
        let gained = waited.saturating_mul(NANOS_PER_MILLI);
        self.level = self.level.saturating_add(gained).min(rate.level_max);
        self.filled_at = now;
        if self.level >= rate.price {
            return Ok(());
        }
        Err(Duration::from_millis((rate.price - self.level).div_ceil(NANOS_PER_MILLI)))
    }

    /// Whether it is as if nothing had ever been taken.
    pub(crate) fn is_full(&mut self, rate: Rate, now: Time) -> bool {
        // Filled by the way, whatever it says.
        let _ = self.check(rate, now);
        self.level == rate.level_max
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
        let rate = Rate::per_second(10, 3);
        let mut bucket = Bucket::full(rate, at(0));
        let mut take = |millis| bucket.take(rate, at(millis));
        for _ in 0..3 {
            assert_eq!(take(0), Ok(()));
        }
        assert_eq!(take(0), Err(Duration::from_millis(100)));
        assert_eq!(take(99), Err(Duration::from_millis(1)));
        assert_eq!(take(100), Ok(()));
        for _ in 0..3 {
            assert_eq!(take(1_000_000), Ok(()), "never more than the burst");
        }
        assert!(take(1_000_000).is_err());
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
