//! A game's timers: data, stored with the room, fired in order.

use serde::{Deserialize, Serialize};

use crate::Time;

/// The most timers a room's game may have set at once. One more fails the callback.
pub const TIMERS_MAX: usize = 1024;

/// The timers that are set, the next to fire first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Timers<T> {
    /// By rising time; among equal times, in the order they were set.
    entries: Vec<(Time, T)>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T: PartialEq> Timers<T> {
    /// Sets or moves `timer`; `false` when there is no room for one more.
    pub(crate) fn set(&mut self, at: Time, timer: T) -> bool {
        self.cancel(&timer);
        if self.entries.len() >= TIMERS_MAX {
            return false;
        }
        let place = self.entries.partition_point(|(other, _)| *other <= at);
        self.entries.insert(place, (at, timer));
        true
    }

    pub(crate) fn cancel(&mut self, timer: &T) {
        self.entries.retain(|(_, other)| other != timer);
    }

    pub(crate) fn contains(&self, timer: &T) -> bool {
        self.entries.iter().any(|(_, other)| other == timer)
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.entries.first().map(|(at, _)| *at)
    }

    /// Takes out the first timer, which the caller knows to be there.
    pub(crate) fn take_first(&mut self) -> T {
        self.entries.remove(0).1
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn timers_fire_by_time_and_then_in_the_order_they_were_set() {
        let mut timers = Timers::default();
        for (time, name) in [(5, "b"), (3, "a"), (5, "c")] {
            assert!(timers.set(at(time), name));
        }
        timers.set(at(9), "b");
        assert_eq!(timers.next(), Some(at(3)));
        assert_eq!(
            [timers.take_first(), timers.take_first(), timers.take_first()],
            ["a", "c", "b"]
        );
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn one_timer_more_than_the_bound_is_refused_and_moving_one_is_not() {
        let mut timers = Timers::default();
        for n in 0..TIMERS_MAX {
            assert!(timers.set(at(1), n));
        }
        assert!(!timers.set(at(1), TIMERS_MAX));
        assert!(timers.set(at(2), 0));
    }
}
