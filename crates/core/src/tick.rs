//! Games that go on by themselves: how often they step, and where a room is in its steps.
//!
//! Steps have a fixed length, whatever the clock does: a room that was called late catches up step by
//! step, and when it is too far behind it lets steps go, which are counted and never happen.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Time;

/// Steps that a late room makes up for. What is beyond that is skipped.
pub const STEPS_BEHIND_MAX: u64 = 5;

/// Actions of one player that may wait for the next step under [`Actions::Gathered`].
pub const GATHERED_PER_PLAYER_MAX: usize = 8;

/// So many times a second, from 1 to 128.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Hz(u8);

/// How a game steps while it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tick {
    /// How often [`on_tick`](crate::Game::on_tick) is called. What a step costs is paid this often.
    pub rate: Hz,
    /// When players' actions are applied. Defaults to [`Actions::AsTheyCome`].
    pub actions: Actions,
    /// Whether time stands still while nobody is connected. Defaults to no.
    pub pause_when_empty: bool,
}

/// When the actions of players are applied in a game that steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actions {
    /// At once, between two steps. The answer says what the game said.
    AsTheyCome,
    /// Right before the next step, in the order they came. The answer says only that the action waits:
    /// a player whose action the game then refuses is told by an event of its own.
    Gathered,
}

/// One step of a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    number: u64,
    rate: Hz,
}

impl Hz {
    /// So many times a second.
    ///
    /// # Panics
    ///
    /// Outside of 1 to 128.
    pub const fn new(rate: u8) -> Self {
        assert!(1 <= rate && rate <= 128, "a rate is from 1 to 128 times a second");
        Self(rate)
    }

    /// How many times a second.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The time from one to the next.
    pub fn period(self) -> Duration {
        Duration::from_secs(1) / u32::from(self.0)
    }
}

impl TryFrom<u8> for Hz {
    type Error = &'static str;

    fn try_from(rate: u8) -> Result<Self, Self::Error> {
        if (1..=128).contains(&rate) { Ok(Self(rate)) } else { Err("expected 1 to 128") }
    }
}

impl From<Hz> for u8 {
    fn from(rate: Hz) -> Self {
        rate.0
    }
}

impl Tick {
    /// Steps at this rate, everything else by default.
    ///
    /// # Panics
    ///
    /// Outside of 1 to 128.
    pub const fn hz(rate: u8) -> Self {
        Self { rate: Hz::new(rate), actions: Actions::AsTheyCome, pause_when_empty: false }
    }
}

impl Step {
    /// Counts the steps of a game from 1, without gaps: a step that was skipped has no number.
    pub fn number(self) -> u64 {
        self.number
    }

    /// Its length, in seconds. The same for every step of a game.
    pub fn seconds(self) -> f32 {
        1.0 / f32::from(self.rate.0)
    }

    /// The game's time at the end of this step, since the start: its number times its length.
    pub fn time(self) -> Duration {
        Duration::from_millis(self.number * 1000 / u64::from(self.rate.0))
    }
}

/// Where a room is in its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ticks {
    rate: Hz,
    /// The last step.
    step: u64,
    /// When counting began, and from which step: the start, or the end of the last pause.
    from: Time,
    from_step: u64,
    /// Steps let go since then.
    skipped: u64,
    is_paused: bool,
}

impl Ticks {
    pub(crate) fn start(rate: Hz, now: Time) -> Self {
        Self { rate, step: 0, from: now, from_step: 0, skipped: 0, is_paused: false }
    }

    /// When the next step is due. Counted from one time, so that rounding does not add up.
    pub(crate) fn next(&self) -> Option<Time> {
        let slots = self.step - self.from_step + self.skipped + 1;
        let since = Duration::from_millis(slots * 1000 / u64::from(self.rate.0));
        (!self.is_paused).then(|| self.from + since)
    }

    /// How many steps are to be let go for the rest to be made up for at `now`.
    pub(crate) fn surplus(&self, now: Time) -> u64 {
        let Some(next) = self.next() else { return 0 };
        let late = u64::try_from(now.since(next).as_millis()).unwrap_or(u64::MAX);
        let behind = late.saturating_mul(self.rate.0.into()) / 1000;
        behind.saturating_sub(STEPS_BEHIND_MAX)
    }

    pub(crate) fn skip(&mut self, steps: u64) {
        self.skipped += steps;
    }

    pub(crate) fn take_step(&mut self) -> Step {
        self.step += 1;
        Step { number: self.step, rate: self.rate }
    }

    /// Lets time stand still, or go on from `now`.
    pub(crate) fn pause(&mut self, pause: bool, now: Time) {
        if self.is_paused && !pause {
            *self = Self { from: now, from_step: self.step, skipped: 0, ..*self };
        }
        self.is_paused = pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn steps_keep_their_rate_though_times_are_whole_milliseconds() {
        for rate in [1, 3, 7, 30, 60, 128] {
            let mut ticks = Ticks::start(Hz::new(rate), at(500));
            for _ in 1..u64::from(rate) * 10 {
                ticks.take_step();
            }
            assert_eq!(ticks.next(), Some(at(10_500)), "{rate} Hz");
        }
    }

    #[test]
    fn late_room_makes_up_for_a_few_steps_and_lets_the_rest_go() {
        let mut ticks = Ticks::start(Hz::new(10), at(0));
        assert_eq!(ticks.surplus(at(100)), 0);
        assert_eq!(ticks.surplus(at(699)), 0, "five behind");
        assert_eq!(ticks.surplus(at(700)), 1);
        ticks.skip(ticks.surplus(at(700)));
        assert_eq!(ticks.next(), Some(at(200)));
        assert_eq!(ticks.take_step().number(), 1, "what was let go has no number");
    }

    #[test]
    fn pause_takes_no_time() {
        let mut ticks = Ticks::start(Hz::new(10), at(0));
        ticks.take_step();
        ticks.pause(true, at(150));
        assert_eq!(ticks.next(), None);
        assert_eq!(ticks.surplus(at(100_000)), 0);
        ticks.pause(false, at(100_000));
        assert_eq!(ticks.next(), Some(at(100_100)));
        assert_eq!(ticks.take_step().number(), 2);
    }

    #[test]
    fn rate_outside_its_bounds_is_refused() {
        for rate in [0, 129] {
            assert!(Hz::try_from(rate).is_err());
            assert!(std::panic::catch_unwind(|| Hz::new(rate)).is_err());
        }
        assert!(Hz::try_from(1).is_ok() && Hz::try_from(128).is_ok());
    }
}
