//! The trait that a game implements. Everything else in this crate is there to serve it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Ctx, Data, GameError, GameRng, PlayerId, Rules, Signal, Step};

/// The rules of a game.
///
/// A room gives each callback a private copy of the state and a [`Ctx`] that collects events,
/// timers and random draws. When the callback returns `Ok`, all of it takes effect at once;
/// when it returns an error or panics, none of it does.
///
/// Which errors reach whom:
///
/// - [`setup`](Self::setup), [`on_join`](Self::on_join), [`on_action`](Self::on_action) and a
///   start that the host asked for can be refused: the player who asked gets the error and
///   nothing has happened. A refused join joins nobody.
/// - What has happened already cannot be refused: a player who left has left, a timer that fired
///   has fired. An error there drops the game's part, is logged and counted, and the room goes on;
///   ten in a row close it.
///
/// After [`Ctx::finish`] the state is final: no callback runs until a rematch sets up anew.
///
/// Callbacks are run under the room's lock and should take microseconds. They must not read a
/// clock or draw from a generator other than the context's, or replays and tests diverge.
pub trait Game: Sized + Send + Sync + 'static {
    /// The game's name in the protocol and in addresses: `snake_case`, at most 32 characters.
    const GAME_TYPE: &'static str;

    /// What a room's creator may choose. Read from `{}` when nothing is chosen, so give every
    /// field a default.
    type Options: Data + Clone;
    /// Everything the game knows, secrets included.
    type State: Data + Clone;
    /// What a player may do.
    type Action: Data + Clone;
    /// What the game tells players beside the state: an enum with
    /// `#[serde(tag = "name", content = "data", rename_all = "snake_case")]`, or
    /// [`Never`](crate::Never).
    type Event: Data;
    /// What one player may see of the state.
    type View: Data;
    /// What a timer brings back when it fires, or [`Never`](crate::Never).
    type Timer: Data + Clone + PartialEq;
    /// How a game ended: the `result` of `game_finished`.
    type Outcome: Data + Clone;

    /// How the game is presented to those who choose one.
    fn about(&self) -> About;

    /// How a room with these options is run. Asked once, when the room is made.
    fn rules(&self, options: &Self::Options) -> Rules;

    /// The state of a new room, before anyone has sat down, and again for each rematch.
    fn setup(
        &self,
        options: &Self::Options,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<Self::State, GameError>;

    /// A player or a bot sits down: before the start, or later where the rules allow it.
    fn on_join(
        &self,
        _state: &mut Self::State,
        _player: PlayerId,
        _ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        Ok(())
    }

    /// A player has left for good and is no longer among [`Ctx::players`].
    fn on_leave(
        &self,
        _state: &mut Self::State,
        _player: PlayerId,
        _ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        Ok(())
    }

    /// A player's grace ended under [`AfterGrace::Forfeit`](crate::AfterGrace::Forfeit). It keeps
    /// its seat but plays no more. By default the same as leaving.
    fn on_forfeit(
        &self,
        state: &mut Self::State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        self.on_leave(state, player, ctx)
    }

    /// A player's connection is lost; its seat is held for the grace period.
    fn on_disconnect(
        &self,
        _state: &mut Self::State,
        _player: PlayerId,
        _ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        Ok(())
    }

    /// A player is back in time, or takes its seat back from a stand-in.
    fn on_reconnect(
        &self,
        _state: &mut Self::State,
        _player: PlayerId,
        _ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        Ok(())
    }

    /// The game begins, with those who are in [`Ctx::players`].
    fn on_start(
        &self,
        _state: &mut Self::State,
        _ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        Ok(())
    }

    /// A player or a bot acts. Only called during play and only for players.
    fn on_action(
        &self,
        state: &mut Self::State,
        player: PlayerId,
        action: Self::Action,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError>;

    /// A timer set with [`Ctx::set_timer`] is due; `ctx.now()` is the time it was set for.
    fn on_timer(
        &self,
        _state: &mut Self::State,
        _timer: Self::Timer,
        _ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        Ok(())
    }

    /// The next step of a game whose [`Rules::tick`] names a rate. All steps have the same length.
    fn on_tick(
        &self,
        _state: &mut Self::State,
        _step: Step,
        _ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        Ok(())
    }

    /// The program around the rooms has something to say to this one: a tournament's clock, a gift, a
    /// word of the operator's. The sender gets an error back. Not called after the end.
    fn on_signal(
        &self,
        _state: &mut Self::State,
        _signal: Signal,
        _ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        Err(GameError::new("UNKNOWN_SIGNAL", "this game knows no signals"))
    }

    /// What `viewer` may see. The only way out of a state: what is not in here reaches nobody.
    fn view(&self, state: &Self::State, viewer: Viewer) -> Self::View;

    /// Whose view `viewer` shares. A view is made and encoded once for each key, so a game that
    /// hides nothing should say [`ViewKey::Everyone`]. By default each player has its own, and
    /// spectators share one.
    fn view_key(&self, viewer: Viewer) -> ViewKey {
        match viewer {
            Viewer::Player(player) => ViewKey::Player(player),
            Viewer::Spectator => ViewKey::Spectators,
        }
    }

    /// The bot of a level, if there is such a level. See [`About::bot_levels`].
    fn bot(&self, _level: &str) -> Option<Arc<dyn Bot<Self>>> {
        None
    }
}

/// How a game is presented to those who choose one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// The game's name for people.
    pub title: &'static str,
    /// The fewest players it can be played by.
    pub players_min: u16,
    /// The most players it can be played by.
    pub players_max: u16,
    /// Levels of bots, the default first; empty when it has no bots.
    pub bot_levels: &'static [&'static str],
}

impl About {
    /// A game for `min` to `max` players, without bots.
    pub fn new(title: &'static str, min: u16, max: u16) -> Self {
        Self { title, players_min: min, players_max: max, bot_levels: &[] }
    }

    /// Names the levels of bots, the default first.
    #[must_use]
    pub fn with_bots(mut self, levels: &'static [&'static str]) -> Self {
        self.bot_levels = levels;
        self
    }
}

/// Who looks at a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// A player or a bot.
    Player(PlayerId),
    /// Anyone who only watches.
    Spectator,
}

impl From<PlayerId> for Viewer {
    fn from(player: PlayerId) -> Self {
        Self::Player(player)
    }
}

/// A group of viewers who see the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ViewKey {
    /// All players and spectators.
    Everyone,
    /// All spectators.
    Spectators,
    /// The members of a team, by a number of the game's choice.
    Team(u16),
    /// One player.
    Player(PlayerId),
}

/// Who receives an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// All players and spectators.
    Everyone,
    /// Players, not spectators.
    Players,
    /// Spectators alone.
    Spectators,
    /// One player.
    Player(PlayerId),
    /// Everyone except one player.
    AllBut(PlayerId),
}

impl Audience {
    /// Whether `viewer`, who is `player` in the room's roster, is among them.
    pub fn includes(self, player: PlayerId, viewer: Viewer) -> bool {
        match self {
            Self::Everyone => true,
            Self::Players => matches!(viewer, Viewer::Player(_)),
            Self::Spectators => matches!(viewer, Viewer::Spectator),
            Self::Player(one) => one == player,
            Self::AllBut(one) => one != player,
        }
    }
}

/// Decides for a seat from what a player in that seat would see, and from nothing else.
pub trait Bot<G: Game>: Send + Sync + 'static {
    /// The bot's next action, or `None` to wait until the state changes.
    ///
    /// The same view and the same generator give the same answer. Asked without the room's lock;
    /// if the state has changed meanwhile the answer is dropped and the bot is asked again.
    fn decide(&self, view: &G::View, me: PlayerId, rng: &mut GameRng) -> Option<G::Action>;

    /// How long it seems to think before it acts, so that people can follow. Defaults to 700 ms.
    ///
    /// In a game that steps, the time from one decision to the next: it is asked again and again,
    /// at steps, and what it decides holds though the state has moved on.
    fn thinking_time(&self) -> Duration {
        Duration::from_millis(700)
    }

    /// What a decision costs. Defaults to [`Effort::Inline`].
    fn effort(&self) -> Effort {
        Effort::Inline
    }
}

/// Where a bot's decision is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Microseconds: made at once by whoever drives the room.
    Inline,
    /// Milliseconds and more: made on a thread of its own, off the server's cores.
    Searching,
}
