//! What a callback may do beside changing its state: look at the roster, draw, tell, set timers.
//!
//! A [`Ctx`] only collects. The room takes over what it collected when the callback succeeds.

use std::time::Duration;

use crate::deadline::Timers;
use crate::random::RandomStream;
use crate::roster::Roster;
use crate::{Audience, Game, GameRng, PlayerId, Seat, Time};

/// The most events one callback may emit. One more fails the callback.
pub const EVENTS_PER_CALLBACK_MAX: usize = 1024;

/// A callback's access to its room.
pub struct Ctx<'a, G: Game> {
    now: Time,
    roster: &'a Roster,
    options: &'a G::Options,
    timers: &'a Timers<G::Timer>,
    random: &'a RandomStream,
    effects: &'a mut Effects<G>,
}

/// What a callback has asked for. Untouched fields stay `None`, so that the room copies only
/// what changed.
pub(crate) struct Effects<G: Game> {
    pub(crate) events: Vec<(Audience, G::Event)>,
    pub(crate) timers: Option<Timers<G::Timer>>,
    pub(crate) rng: Option<GameRng>,
    pub(crate) outcome: Option<G::Outcome>,
    pub(crate) over_bound: Option<&'static str>,
}

impl<G: Game> Default for Effects<G> {
    fn default() -> Self {
        Self { events: Vec::new(), timers: None, rng: None, outcome: None, over_bound: None }
    }
}

impl<'a, G: Game> Ctx<'a, G> {
    pub(crate) fn new(
        now: Time,
        roster: &'a Roster,
        options: &'a G::Options,
        timers: &'a Timers<G::Timer>,
        random: &'a RandomStream,
        effects: &'a mut Effects<G>,
    ) -> Self {
        Self { now, roster, options, timers, random, effects }
    }

    /// The time of what is happening. It never goes back.
    pub fn now(&self) -> Time {
        self.now
    }

    /// What the room's creator chose.
    pub fn options(&self) -> &'a G::Options {
        self.options
    }

    /// The players and bots, by rising id.
    pub fn players(&self) -> impl Iterator<Item = &'a Seat> + use<'a, G> {
        self.roster.players()
    }

    /// The ids of the players and bots, rising.
    pub fn player_ids(&self) -> Vec<PlayerId> {
        self.players().map(Seat::id).collect()
    }

    /// The room's random numbers: unforeseeable for players, repeatable from the seed.
    ///
    /// Its methods are those of [`rand::RngExt`](crate::rand::RngExt).
    pub fn rng(&mut self) -> &mut GameRng {
        let random = self.random;
        self.effects.rng.get_or_insert_with(|| random.open())
    }

    /// Tells `audience` something, after the room's own events and before the new state.
    pub fn emit(&mut self, audience: Audience, event: G::Event) {
        if self.effects.events.len() >= EVENTS_PER_CALLBACK_MAX {
            self.effects.over_bound = Some("too many events");
            return;
        }
        self.effects.events.push((audience, event));
    }

    /// Sets `timer` to fire `after` from now, at least a millisecond. An equal timer is moved.
    ///
    /// Timers are part of the room: they survive with it and are gone after the end of the game.
    pub fn set_timer(&mut self, timer: G::Timer, after: Duration) -> Time {
        // A timer due at once could fire for ever within one instant.
        let at = self.now + after.max(Duration::from_millis(1));
        if !self.timers_mut().set(at, timer) {
            self.effects.over_bound = Some("too many timers");
        }
        at
    }

    /// Takes `timer` back. Without such a timer nothing happens.
    pub fn cancel_timer(&mut self, timer: &G::Timer) {
        let is_set = self.effects.timers.as_ref().unwrap_or(self.timers).contains(timer);
        if is_set {
            self.timers_mut().cancel(timer);
        }
    }

    /// Ends the game. Only during play; the room tells everyone and cancels all timers.
    pub fn finish(&mut self, outcome: G::Outcome) {
        self.effects.outcome = Some(outcome);
    }

    fn timers_mut(&mut self) -> &mut Timers<G::Timer> {
        let timers = self.timers;
        self.effects.timers.get_or_insert_with(|| timers.clone())
    }
}

impl<G: Game> std::fmt::Debug for Ctx<'_, G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ctx").field("now", &self.now).finish_non_exhaustive()
    }
}
