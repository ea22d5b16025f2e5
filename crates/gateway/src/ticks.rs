//! How well the games that step by themselves keep their time, over all rooms.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parlor_core::Time;

/// Up to how late, in milliseconds, a step counts into each place of [`Ticks::lateness`]; the last place
/// has the rest.
pub const LATENESS_BOUNDS_MS: [u64; 10] = [0, 1, 2, 5, 10, 20, 33, 50, 100, 1000];

/// The steps of all rooms so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ticks {
    /// Steps taken.
    pub taken: u64,
    /// Steps let go, because their rooms were called too late to make up for them.
    pub skipped: u64,
    /// How late steps were taken: how many within each of [`LATENESS_BOUNDS_MS`] and not within the one
    /// before, and how many later.
    pub lateness: [u64; LATENESS_BOUNDS_MS.len() + 1],
    /// How late all of them were together.
    pub lateness_sum: Duration,
}

#[derive(Default)]
pub(crate) struct TickCounter {
    skipped: AtomicU64,
    lateness: [AtomicU64; LATENESS_BOUNDS_MS.len() + 1],
    late_ms: AtomicU64,
}

impl Ticks {
    /// The bound within which at least this part of the steps was taken, such as 0.99. `None` when that
    /// is beyond all bounds, or before the first step.
    pub fn lateness_quantile(&self, part: f64) -> Option<Duration> {
        // As many steps as a double holds exactly take longer than there is time.
        let wanted = (self.taken as f64 * part).ceil() as u64;
        let mut within = 0;
        let place = self.lateness.iter().position(|count| {
            within += count;
            within >= wanted && within > 0
        })?;
        LATENESS_BOUNDS_MS.get(place).copied().map(Duration::from_millis)
    }

    /// What has been counted since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        since.taken -= earlier.taken;
        since.skipped -= earlier.skipped;
        since.lateness_sum = since.lateness_sum.saturating_sub(earlier.lateness_sum);
        since.lateness.iter_mut().zip(earlier.lateness).for_each(|(now, then)| *now -= then);
        since
    }
}

impl TickCounter {
    /// A step that was due at `due` is taken at `now`.
    pub(crate) fn taken(&self, due: Time, now: Time) {
        let late = now.as_millis().saturating_sub(due.as_millis());
        let place = LATENESS_BOUNDS_MS.partition_point(|bound| *bound < late);
        self.lateness[place].fetch_add(1, Ordering::Relaxed);
        self.late_ms.fetch_add(late, Ordering::Relaxed);
    }

    pub(crate) fn skipped(&self, steps: u64) {
        self.skipped.fetch_add(steps, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Ticks {
        let lateness = std::array::from_fn(|place| self.lateness[place].load(Ordering::Relaxed));
        Ticks {
            taken: lateness.iter().sum(),
            skipped: self.skipped.load(Ordering::Relaxed),
            lateness,
            lateness_sum: Duration::from_millis(self.late_ms.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_counted_within_its_bound_and_read_as_that() {
        let counter = TickCounter::default();
        assert_eq!(counter.read().lateness_quantile(0.99), None);
        let due = Time::from_millis(1000);
        for late in [0, 1, 2, 3, 5, 1001] {
            counter.taken(due, Time::from_millis(1000 + late));
        }
        counter.skipped(7);
        let ticks = counter.read();
        assert_eq!(ticks.lateness, [1, 1, 1, 2, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((ticks.taken, ticks.skipped), (6, 7));
        assert_eq!(ticks.lateness_sum, Duration::from_millis(1012));
        assert_eq!(ticks.lateness_quantile(0.5), Some(Duration::from_millis(2)));
        assert_eq!(ticks.lateness_quantile(0.8), Some(Duration::from_millis(5)));
        assert_eq!(ticks.lateness_quantile(1.0), None);

        counter.taken(due, due);
        assert_eq!(counter.read().since(&ticks).lateness[0], 1);
        assert_eq!(counter.read().since(&ticks).taken, 1);
    }
}
