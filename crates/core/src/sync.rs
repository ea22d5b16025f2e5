//! How a state reaches those who look at it, and when a room shows it next.

use serde::{Deserialize, Serialize};

use crate::{Hz, Time};

/// How the state reaches those who look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sync {
    /// In what form. Defaults to [`SyncMode::State`].
    pub mode: SyncMode,
    /// How often at most. Defaults to every change, and in a game that steps to every step, for it
    /// shows its state at steps only.
    ///
    /// A change in between is part of the next state that is shown. A start, an end and a rematch are
    /// shown at once.
    pub rate: Option<Hz>,
}

/// In what form a state is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SyncMode {
    /// The whole view, when it differs from the last.
    #[default]
    State,
    /// What has changed in the view since the last, as RFC 6902 operations; the whole view to whoever
    /// does not have the last, and when it is the smaller of the two.
    Patch,
    /// Nothing: events say all. The whole view is sent to those who come in or come back, and after
    /// a start, an end and a rematch.
    Events,
}

impl Sync {
    /// The whole view, at every change.
    pub const fn states() -> Self {
        Self { mode: SyncMode::State, rate: None }
    }

    /// What has changed in the view, at every change.
    pub const fn patches() -> Self {
        Self { mode: SyncMode::Patch, rate: None }
    }

    /// Events alone.
    pub const fn events() -> Self {
        Self { mode: SyncMode::Events, rate: None }
    }

    /// At most so many times a second, from 1 to 128.
    ///
    /// # Panics
    ///
    /// Outside of 1 to 128.
    #[must_use]
    pub const fn at_hz(self, rate: u8) -> Self {
        Self { rate: Some(Hz::new(rate)), ..self }
    }
}

/// What was shown last and when more may be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    /// The version that was shown last.
    pub(crate) version: u64,
    /// The time from which another may be.
    pub(crate) next: Time,
}

impl Shown {
    /// A state of this version is shown at `now`.
    ///
    /// The next is due a period after this one was, so that being late does not lower the rate. One that
    /// comes early, or late by more than a period, begins anew.
    pub(crate) fn show(&mut self, version: u64, rate: Option<Hz>, now: Time) {
        self.version = version;
        self.pass(rate, now);
    }

    /// Nothing could be shown at `now`; it is tried again a period later.
    pub(crate) fn pass(&mut self, rate: Option<Hz>, now: Time) {
        let Some(rate) = rate else { return };
        let due = self.next + rate.period();
        let is_in_time = self.next <= now && now < due;
        self.next = if is_in_time { due } else { now + rate.period() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_keep_their_rate_when_they_can_only_be_shown_at_steps() {
        let at = Time::from_millis;
        let mut shown = Shown::default();
        let steps = (1..=300).map(|step| at(5000 + step * 1000 / 30));
        let mut count = 0;
        for now in steps {
            if now >= shown.next {
                shown.show(1, Some(Hz::new(20)), now);
                count += 1;
            }
        }
        assert!((199..=201).contains(&count), "20 a second for 10 s: {count}");
    }
}
