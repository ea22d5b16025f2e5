//! How long to wait before connecting again.

use std::time::Duration;

/// Waits that grow with each failure.
#[derive(Debug)]
pub(super) struct Backoff {
    wait_min: Duration,
    wait_max: Duration,
    failures: u32,
    /// What the server asked for.
    at_least: Duration,
    last_wait: Duration,
}

impl Backoff {
    pub(super) fn new(wait_min: Duration, wait_max: Duration) -> Self {
        Self {
            wait_min,
            wait_max,
            failures: 0,
            at_least: Duration::ZERO,
            last_wait: Duration::ZERO,
        }
    }

    /// The next wait is at least this long.
    pub(super) fn at_least(&mut self, wait: Duration) {
        self.at_least = self.at_least.max(wait);
    }

    /// A connection held for this long before it was lost. One that held for less than the wait
    /// before it is a failure like any other: some servers let everyone in and throw everyone out.
    pub(super) fn held(&mut self, time: Duration) {
        if time > self.last_wait {
            self.failures = 0;
        }
    }

    /// How long to wait this time.
    pub(super) fn next(&mut self) -> Duration {
        let most = self
            .wait_min
            .saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX))
            .min(self.wait_max);
        self.failures = self.failures.saturating_add(1);
        // What the server asks for it asks of everyone, so the random part comes on top.
        self.last_wait = std::mem::take(&mut self.at_least) + most.mul_f64(random_part());
        self.last_wait
    }
}

/// A random number from 0 to 1.
fn random_part() -> f64 {
    let number = getrandom::u32().expect("the system has randomness");
    f64::from(number) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(2);

    /// The longest of many waits after `failures` failures is within the bound and near it.
    #[track_caller]
    fn check(failures: u32, bound: Duration) {
        let waits = (0..200).map(|_| {
            let mut backoff = Backoff::new(MIN, MAX);
            backoff.failures = failures;
            backoff.next()
        });
        let longest = waits.max().unwrap();
        assert!(longest <= bound && longest > bound / 2, "{longest:?} after {failures}");
    }

    #[test]
    fn waits_double_up_to_the_bound() {
        check(0, MIN);
        check(1, 2 * MIN);
        check(4, 16 * MIN);
        check(5, MAX);
        check(31, MAX);
        check(32, MAX);
        check(u32::MAX, MAX);
    }

    #[test]
    fn wait_that_the_server_asks_for_is_kept_once() {
        let mut backoff = Backoff::new(MIN, MAX);
        backoff.at_least(Duration::from_secs(10));
        backoff.at_least(Duration::from_secs(5));
        let wait = backoff.next();
        assert!(wait >= Duration::from_secs(10) && wait <= Duration::from_secs(10) + MIN);
        assert!(backoff.next() <= 2 * MIN);
    }

    #[test]
    fn connection_that_does_not_outlast_the_wait_before_it_counts_as_a_failure() {
        let mut backoff = Backoff::new(MIN, MAX);
        backoff.at_least(MIN);
        backoff.next();
        backoff.held(MIN / 2);
        assert_eq!(backoff.failures, 1);
        backoff.held(3 * MIN);
        assert_eq!(backoff.failures, 0);
    }
}
