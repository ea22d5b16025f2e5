//! What everyone but the writer sees of a room: whole, unchanging, never waited for.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use crate::{Digest, Game, Roster, Rules, Scalar, SeatKind, Time};

/// A room at one moment. State, roster, phase and settings belong together.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Snapshot<G: Game> {
    /// Counts the game's states: it rises when a callback or the room's phase has changed
    /// something, and not for a chat line or a roster change that the game heard nothing of.
    pub version: u64,
    /// Where the room is between waiting and the end.
    pub phase: Phase,
    /// The game's state, secrets included. [`Game::view`] is the way out.
    pub state: Arc<G::State>,
    /// Who is there.
    pub roster: Arc<Roster>,
    /// What the host may change.
    pub settings: Arc<Settings>,
}

/// Where a room is between waiting and the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Players gather.
    Lobby,
    /// The game is on.
    Playing,
    /// The game has ended; a rematch goes back to the lobby.
    Finished,
}

/// What the host may change about a room.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Nobody new may come in.
    pub locked: bool,
    /// Not listed and not offered to those who look for any room.
    pub private: bool,
    /// What the password hashes to, when there is one.
    pub password: Option<Digest>,
    /// Free-form facts for listings.
    pub metadata: BTreeMap<String, Scalar>,
}

/// What about a room never changes.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Charter<G: Game> {
    /// What the creator chose.
    pub options: G::Options,
    /// How the room is run, with the number of seats that the creator asked for.
    pub rules: Rules,
    /// When the room was made.
    pub created_at: Time,
}

/// Read access to a room. Cheap to clone; a reader never waits for the writer.
#[derive(Clone)]
pub struct RoomView<G: Game> {
    charter: Arc<Charter<G>>,
    current: Arc<ArcSwap<Snapshot<G>>>,
}

impl<G: Game> RoomView<G> {
    pub(crate) fn new(charter: Arc<Charter<G>>, current: Arc<ArcSwap<Snapshot<G>>>) -> Self {
        Self { charter, current }
    }

    /// The latest published snapshot.
    ///
    /// Take it once per piece of work and pass it down: two calls may return two versions.
    pub fn snapshot(&self) -> Arc<Snapshot<G>> {
        self.current.load_full()
    }

    /// What about the room never changes.
    pub fn charter(&self) -> &Charter<G> {
        &self.charter
    }
}

impl<G: Game> Snapshot<G> {
    /// Whether a player could sit down now, the password aside.
    pub fn is_joinable(&self, rules: &Rules) -> bool {
        let open = match self.phase {
            Phase::Lobby => true,
            Phase::Playing => rules.late_join,
            Phase::Finished => false,
        };
        open && !self.settings.locked && self.seats_taken() < usize::from(rules.players_max)
    }

    /// Seats that players and bots have taken.
    pub fn seats_taken(&self) -> usize {
        self.roster.players().count()
    }

    /// How many seats have an occupant of this kind.
    pub fn count(&self, kind: SeatKind) -> usize {
        self.roster.seats().filter(|seat| seat.kind() == kind).count()
    }
}

impl<G: Game> Clone for Charter<G> {
    fn clone(&self) -> Self {
        Self {
            options: self.options.clone(),
            rules: self.rules.clone(),
            created_at: self.created_at,
        }
    }
}

impl<G: Game> Clone for Snapshot<G> {
    /// Shares everything with the original.
    fn clone(&self) -> Self {
        Self {
            version: self.version,
            phase: self.phase,
            state: Arc::clone(&self.state),
            roster: Arc::clone(&self.roster),
            settings: Arc::clone(&self.settings),
        }
    }
}

// Written by hand: the derived ones would show the state, secrets included, and ask `G: Debug`.

impl<G: Game> std::fmt::Debug for Charter<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Charter").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl<G: Game> std::fmt::Debug for Snapshot<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("version", &self.version)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

impl<G: Game> std::fmt::Debug for RoomView<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoomView").field("current", &self.current.load()).finish_non_exhaustive()
    }
}
