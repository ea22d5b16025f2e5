//! What a game asks of its room: seats, the start, what happens to those who vanish.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Sync, Tick};

/// The longest that spectators may be behind.
pub const SPECTATOR_DELAY_MAX: Duration = Duration::from_secs(30);

/// How a room of a game is run.
///
/// [`Rules::seats`] is ready to use; change a field to change your mind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rules {
    /// Players needed to start, bots included.
    pub players_min: u16,
    /// Seats for players. A room's creator may ask for fewer, down to `players_min`.
    pub players_max: u16,
    /// Spectators admitted beside the players. Defaults to 32; 0 admits none.
    ///
    /// Each is one more receiver of everything public.
    pub spectators_max: u16,
    /// What makes the game begin. Defaults to [`StartRule::WhenFull`].
    pub start: StartRule,
    /// Whether players may sit down, and spectators become players, during play. Defaults to no.
    pub late_join: bool,
    /// Whether only people may come in who have shown who they are. Defaults to no.
    pub accounts_only: bool,
    /// How the game steps while it is on. Defaults to not at all: then only players and timers move it.
    pub tick: Option<Tick>,
    /// How the state reaches those who look at it. Defaults to the whole of it at every change.
    pub sync: Sync,
    /// How much later than players spectators are told of everything, in play and out of it. Defaults to
    /// not at all; at most [`SPECTATOR_DELAY_MAX`].
    ///
    /// What is held back is kept with the room, up to a bound of the server's.
    pub spectator_delay: Duration,
    /// Whether players hear during play what spectators say. Defaults to no: who watches sees more.
    pub spectators_heard: bool,
    /// How long a lost player's seat is held in play. Defaults to 60 s.
    pub grace_in_play: Duration,
    /// How long it is held in the lobby and after the end. Defaults to 15 s.
    pub grace_in_lobby: Duration,
    /// What follows when a player is not back in time during play. Defaults to
    /// [`AfterGrace::Remove`]. In the lobby and after the end the seat is always removed.
    pub after_grace: AfterGrace,
    /// How long a room outlives its last human. Defaults to 10 s.
    pub close_empty_after: Duration,
    /// How long a finished room stays without a word from anyone. Defaults to 10 min.
    pub close_finished_after: Duration,
}

impl Rules {
    /// Rules for `min` to `max` players, everything else by default.
    pub fn seats(min: u16, max: u16) -> Self {
        Self {
            players_min: min,
            players_max: max,
            spectators_max: 32,
            start: StartRule::WhenFull,
            late_join: false,
            accounts_only: false,
            tick: None,
            sync: Sync::states(),
            spectator_delay: Duration::ZERO,
            spectators_heard: false,
            grace_in_play: Duration::from_secs(60),
            grace_in_lobby: Duration::from_secs(15),
            after_grace: AfterGrace::Remove,
            close_empty_after: Duration::from_secs(10),
            close_finished_after: Duration::from_secs(600),
        }
    }
}

/// What makes a game begin. Whatever it is, every seat must be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartRule {
    /// By itself, when every seat is taken.
    WhenFull,
    /// By itself, when there are enough players and each is ready.
    AllReady,
    /// When the host asks and there are enough players.
    Host,
}

/// What follows when a player is not back within the grace period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterGrace {
    /// The player leaves, as by its own wish but with reason `timeout`.
    Remove,
    /// The game is told by [`on_forfeit`](crate::Game::on_forfeit); the seat stays the player's
    /// until the game has ended, so that the player may come back and look.
    Forfeit,
    /// A bot of this level plays on in the player's name until the player is back.
    StandIn {
        /// One of the levels that the game's [`bot`](crate::Game::bot) knows.
        level: Cow<'static, str>,
    },
}
