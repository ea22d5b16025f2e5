//! When bots think, and what they are asked.
//!
//! A bot sees what a player in its seat would see: published states, one at a time. This is
//! scheduling and no part of the state: what a bot does arrives as a command like any other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Room;
use super::draft::guarded;
use crate::{
    Bot, Commit, Effort, Failure, Game, GameRng, Origin, Phase, PlayerId, Refusal, Snapshot, Time,
    Viewer,
};

/// The bots of a room and what each is up to.
pub(super) struct Bots<G: Game>(Vec<Desk<G>>);

struct Desk<G: Game> {
    player: PlayerId,
    level: Arc<str>,
    mind: Arc<dyn Bot<G>>,
    thinking_time: Duration,
    effort: Effort,
    mood: Mood,
    /// When it was asked last.
    asked_at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Waits for the state to change.
    Resting,
    /// Will be asked at this time.
    Thinking(Time),
    /// Is deciding on the state of this version.
    Asked(u64),
}

/// A decision that a bot is to make, away from the room.
pub struct BotTurn<G: Game> {
    game: Arc<G>,
    mind: Arc<dyn Bot<G>>,
    effort: Effort,
    player: PlayerId,
    snapshot: Arc<Snapshot<G>>,
    rng: GameRng,
}

impl<G: Game> BotTurn<G> {
    /// Who decides.
    pub fn player(&self) -> PlayerId {
        self.player
    }

    /// The version it decides on, for [`Room::answer`].
    pub fn version(&self) -> u64 {
        self.snapshot.version
    }

    /// What the decision costs.
    pub fn effort(&self) -> Effort {
        self.effort
    }

    /// Asks the bot. A bot or a view that panics decides nothing.
    pub fn decide(self) -> Option<G::Action> {
        self.try_decide().ok().flatten()
    }

    /// Asks the bot, and says how it or the view that it was to decide on broke down.
    pub fn try_decide(mut self) -> Result<Option<G::Action>, Failure> {
        let view =
            guarded(|| Ok(self.game.view(&self.snapshot.state, Viewer::Player(self.player))))
                .map_err(|fault| Failure { callback: "view", fault })?;
        guarded(|| Ok(self.mind.decide(&view, self.player, &mut self.rng)))
            .map_err(|fault| Failure { callback: "decide", fault })
    }
}

impl<G: Game> Default for Bots<G> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<G: Game> Bots<G> {
    /// Lets the bots see that `after` has taken the place of `before`.
    pub(super) fn see(&mut self, game: &G, before: &Snapshot<G>, after: &Snapshot<G>, now: Time) {
        if !Arc::ptr_eq(&before.roster, &after.roster) {
            self.follow_roster(game, after, now);
        }
        for desk in &mut self.0 {
            desk.mood = match desk.mood {
                _ if after.phase != Phase::Playing => Mood::Resting,
                Mood::Resting if after.version != before.version => {
                    Mood::Thinking(now + desk.thinking_time)
                }
                // One that is deciding is asked again when its answer turns out to be stale, so
                // that a slow bot in a fast game never has two decisions to make.
                mood => mood,
            };
        }
    }

    pub(super) fn follow_roster(&mut self, game: &G, snapshot: &Snapshot<G>, now: Time) {
        let level_of = |player| snapshot.roster.seat(player).and_then(|seat| seat.bot.as_ref());
        self.0.retain(|desk| level_of(desk.player) == Some(&desk.level));
        for seat in snapshot.roster.players() {
            let Some(level) = &seat.bot else { continue };
            if self.0.iter().any(|desk| desk.player == seat.id) {
                continue;
            }
            // All that the bot is asked beside decisions it is asked here: later, in the middle of
            // publishing, there is nothing left that could be refused.
            let Ok(Some((mind, thinking_time, effort))) = guarded(|| {
                Ok(game.bot(level).map(|mind| {
                    let (thinking_time, effort) = (mind.thinking_time(), mind.effort());
                    (mind, thinking_time, effort)
                }))
            }) else {
                continue;
            };
            // One that comes in during play, as a stand-in does, has a state to think about.
            let mood = match snapshot.phase {
                Phase::Playing => Mood::Thinking(now + thinking_time),
                Phase::Lobby | Phase::Finished => Mood::Resting,
            };
            let (player, level) = (seat.id, Arc::clone(level));
            let asked_at = now;
            self.0.push(Desk { player, level, mind, thinking_time, effort, mood, asked_at });
        }
    }

    pub(super) fn wake_at(&self) -> Option<Time> {
        self.0
            .iter()
            .filter_map(|desk| match desk.mood {
                Mood::Thinking(until) => Some(until),
                Mood::Resting | Mood::Asked(_) => None,
            })
            .min()
    }

    /// Lets every bot that waits think once more, for what it waited for will not come.
    pub(super) fn think_again(&mut self, now: Time) {
        for desk in &mut self.0 {
            if desk.mood == Mood::Resting {
                desk.mood = Mood::Thinking(now + desk.thinking_time);
            }
        }
    }

    /// Takes note that `player` has answered what it was asked about version `seen`. An answer to
    /// an older question changes nothing.
    fn answered(&mut self, player: PlayerId, seen: u64, next: impl FnOnce(&Desk<G>) -> Mood) {
        let asked = Mood::Asked(seen);
        if let Some(desk) =
            self.0.iter_mut().find(|desk| desk.player == player && desk.mood == asked)
        {
            desk.mood = next(desk);
        }
    }
}

impl<G: Game> Room<G> {
    /// The decisions that bots are to make at `now`, on the published state.
    ///
    /// Make each without holding on to the room, then bring it by [`answer`](Self::answer), also
    /// when it is to wait: until then the bot is not asked again.
    pub fn due_bots(&mut self, now: Time) -> Vec<BotTurn<G>> {
        if self.closed().is_some() || self.bots.wake_at().is_none_or(|at| at > now) {
            return Vec::new();
        }
        let snapshot = self.published.load_full();
        let mut turns = Vec::new();
        for desk in &mut self.bots.0 {
            if matches!(desk.mood, Mood::Thinking(until) if until <= now) {
                desk.mood = Mood::Asked(snapshot.version);
                desk.asked_at = self.head.clock;
                turns.push(BotTurn {
                    game: Arc::clone(&self.game),
                    mind: Arc::clone(&desk.mind),
                    effort: desk.effort,
                    player: desk.player,
                    snapshot: Arc::clone(&snapshot),
                    rng: self.head.books.random.for_bot(desk.player, snapshot.version),
                });
            }
        }
        turns
    }

    /// Takes a bot's decision on the state of version `seen`.
    ///
    /// `Ok(None)` when it decided to wait. A decision on a state that has passed is refused as
    /// [`Refusal::Stale`], and the bot is due again at once.
    pub fn answer(
        &mut self,
        now: Time,
        bot: PlayerId,
        seen: u64,
        action: Option<G::Action>,
    ) -> Result<Option<Commit<G>>, Refusal> {
        // Bots go by what is published: a change that is not wakes them when it is.
        let published = self.published.load_full();
        let is_behind = published.phase == Phase::Playing && published.version != seen;
        let steps = self.head.ticks.is_some();
        self.bots.answered(bot, seen, |desk| match (steps, is_behind) {
            (true, _) => Mood::Thinking(desk.asked_at + desk.thinking_time),
            (false, true) => Mood::Thinking(now),
            (false, false) => Mood::Resting,
        });
        match action {
            Some(action) => self.act(now, bot, action, Origin::Bot(seen)).map(Some),
            None => Ok(None),
        }
    }
}

impl<G: Game> fmt::Debug for BotTurn<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BotTurn").field("player", &self.player).finish_non_exhaustive()
    }
}

impl<G: Game> fmt::Debug for Bots<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|desk| (desk.player, desk.mood))).finish()
    }
}
