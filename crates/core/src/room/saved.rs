//! A room as plain data: written down whole, and gone on with elsewhere or later.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Room;
use crate::answers::Answers;
use crate::commit::Head;
use crate::{Charter, Game};

/// Everything that a room is, ready for any serde format.
///
/// Holds secrets: the state, the random stream and the digests of tokens.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SavedRoom<G: Game> {
    charter: Charter<G>,
    head: Head<G>,
    answers: Answers,
}

impl<G: Game> Room<G> {
    /// The room as it stands, commits that are not yet published included.
    pub fn save(&self) -> SavedRoom<G> {
        SavedRoom {
            charter: Charter::clone(&self.charter),
            head: self.head.clone(),
            answers: self.answers.clone(),
        }
    }

    /// Goes on with a saved room, by the rules it was made with. Its bots are asked anew.
    pub fn restore(game: Arc<G>, saved: SavedRoom<G>) -> Self {
        let SavedRoom { charter, head, answers } = saved;
        let mut room = Self::assemble(game, Arc::new(charter), head, answers);
        room.bots.follow_roster(&room.game, &room.head.snapshot, room.head.clock);
        room
    }
}

impl<G: Game> SavedRoom<G> {
    /// The game's state, to lay it out otherwise before the room goes on: for tests.
    pub fn state_mut(&mut self) -> &mut G::State {
        Arc::make_mut(&mut Arc::make_mut(&mut self.head.snapshot).state)
    }
}

impl<G: Game> fmt::Debug for SavedRoom<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedRoom").field("head", &self.head).finish_non_exhaustive()
    }
}
