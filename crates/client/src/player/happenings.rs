//! What a player's program takes: the room, and what happens in it.

use std::sync::Arc;

use parlor_protocol::{Joined, StateSnapshot};
use tokio::sync::mpsc;

use super::desk::Desk;
use super::status::Ended;
use crate::event::Event;
use crate::session::Session;

/// Something that a player's program must know.
#[derive(Clone, Debug)]
pub enum Happening<V> {
    /// The whole room as it is now. Throw away what was known of it: what happened before is not
    /// told any more. The first happening of a player who sits down, and later one whenever the
    /// server no longer knew all that was missed.
    Snapshot(Box<Joined<V>>),
    /// The state of the game from here on, as the player sees it; at its place among the events.
    /// However the server sends states, they come here whole.
    State(StateSnapshot<V>),
    /// What else happened. Nothing was missed in between.
    Event(Event),
}

/// What happens to a player, in order and each once, over however many connections.
///
/// [`Options::events_max`](crate::Options::events_max) happenings may wait to be taken. More stay with the
/// server, which tells them later or sends a snapshot. Dropping it says that nobody wants them.
#[derive(Debug)]
pub struct Happenings<V> {
    queue: mpsc::Receiver<Queued<V>>,
    desk: Arc<Desk>,
}

/// A happening that waits.
#[derive(Debug)]
pub(super) enum Queued<V> {
    /// With what brings the player back to this point.
    Snapshot(Box<Joined<V>>, Box<Session>),
    /// With the number of the event that it came with, if it was not asked for.
    State(StateSnapshot<V>, Option<u64>),
    Event(Event),
}

impl<V> Happenings<V> {
    pub(super) fn new(queue: mpsc::Receiver<Queued<V>>, desk: Arc<Desk>) -> Self {
        Self { queue, desk }
    }

    /// The next happening; when all are taken and no more can come, why.
    ///
    /// Cancel-safe: a happening is taken or not, and only a taken one counts as seen in
    /// [`Player::session`](super::Player::session).
    pub async fn next(&mut self) -> Result<Happening<V>, Ended> {
        match self.queue.recv().await {
            Some(Queued::Snapshot(joined, session)) => {
                self.desk.note_snapshot(*session);
                Ok(Happening::Snapshot(joined))
            }
            Some(Queued::State(now, seq)) => {
                self.desk.note_seen(seq);
                Ok(Happening::State(now))
            }
            Some(Queued::Event(event)) => {
                self.desk.note_seen(event.seq);
                Ok(Happening::Event(event))
            }
            None => Err(self.desk.ended().unwrap_or(Ended::ByClient)),
        }
    }
}
