//! What a command has done: the room before and after, and everything to tell.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::chat::ChatLog;
use crate::deadline::Timers;
use crate::random::RandomStream;
use crate::room::Fact;
use crate::roster::Seat;
use crate::{
    Audience, ChatLine, CloseReason, Digest, Game, GameError, PlayerId, Snapshot, Time, ViewKey,
};

/// A change that was decided and is not yet shown to anyone.
///
/// [`Room::publish`](crate::Room::publish) shows it, [`Room::put_back`](crate::Room::put_back)
/// undoes it: one value holds everything that changed.
pub struct Commit<G: Game> {
    pub(crate) before: Head<G>,
    pub(crate) after: Head<G>,
    /// What happened to the room, in order.
    pub room_events: Vec<RoomEvent<G>>,
    /// What the game told, in order, after the room's events.
    pub game_events: Vec<(Audience, G::Event)>,
    /// The state as each group of viewers present sees it; empty when no callback ran, the phase
    /// stayed and nobody has to be shown the whole state.
    pub views: Vec<(ViewKey, G::View)>,
    /// Whether every viewer must get the state, also one whose view is as before.
    pub whole_state: bool,
    /// The digests of the tokens that no longer hold a seat, while the room goes on.
    pub departed: Vec<Digest>,
    /// The player whom the command gave a seat.
    pub seated: Option<PlayerId>,
    /// Why the game's part in something that could not be refused was dropped.
    pub failure: Option<Failure>,
    /// The players whose seats are gone.
    pub(crate) left: Vec<PlayerId>,
    /// What this is the commit of, when it could not be refused.
    pub(crate) fact: Option<Fact>,
}

impl<G: Game> Commit<G> {
    /// The room as it will be seen once this is published.
    pub fn snapshot(&self) -> &Arc<Snapshot<G>> {
        &self.after.snapshot
    }

    /// Whether who sits in the room, or in what role or connection, has changed.
    pub fn changes_roster(&self) -> bool {
        !Arc::ptr_eq(&self.before.snapshot.roster, &self.after.snapshot.roster)
    }

    /// Whether anything has changed that a listing of rooms shows.
    pub fn changes_listing(&self) -> bool {
        self.changes_roster()
            || self.before.snapshot.phase != self.after.snapshot.phase
            || !Arc::ptr_eq(&self.before.snapshot.settings, &self.after.snapshot.settings)
    }

    /// Why the room has ended, if it has.
    pub fn closed(&self) -> Option<CloseReason> {
        self.after.books.closed
    }
}

/// Something that happened to the room rather than in the game.
pub enum RoomEvent<G: Game> {
    /// Someone has a seat now, or has it in another role.
    Joined(Arc<Seat>),
    /// A bot took a player's place, or the player took it back.
    Replaced(Arc<Seat>),
    /// A seat is gone.
    Left(PlayerId, LeaveReason),
    /// A player's connection is lost; its seat is held until then.
    Disconnected(PlayerId, Time),
    /// The player is back.
    Reconnected(PlayerId),
    /// A player says whether it is ready.
    Ready(PlayerId, bool),
    /// Somebody else, or nobody, is host.
    HostChanged(Option<PlayerId>),
    /// The settings changed.
    Updated,
    /// The game has begun.
    Started,
    /// The game has ended.
    Finished(G::Outcome),
    /// Someone said something.
    Chat(Arc<ChatLine>),
    /// The room has ended. Nothing follows.
    Closed(CloseReason),
}

/// Why a seat is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaveReason {
    /// By its own wish.
    Left,
    /// Sent away by the host.
    Kicked,
    /// Not back in time.
    Timeout,
    /// A bot that the host took out.
    Removed,
}

/// A callback that did not do its part.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The callback's name, such as `on_timer`.
    pub callback: &'static str,
    /// What went wrong in it.
    pub fault: Fault,
}

/// What went wrong in a callback.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// It panicked, with this message.
    Panicked(String),
    /// It returned an error where nothing can be refused.
    Refused(GameError),
    /// It went over one of the room's bounds.
    OverBound(&'static str),
    /// It ended a game that was not on.
    FinishedOutsidePlay,
    /// What it produced could not be encoded; the caller says why.
    NotEncodable(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.callback)?;
        match &self.fault {
            Fault::Panicked(message) => write!(f, "panicked: {message}"),
            Fault::Refused(error) => write!(f, "refused: {error}"),
            Fault::OverBound(bound) => f.write_str(bound),
            Fault::FinishedOutsidePlay => f.write_str("finished a game that was not on"),
            Fault::NotEncodable(error) => write!(f, "cannot be encoded: {error}"),
        }
    }
}

/// The newest state of a room, perhaps not yet published. Cloning shares all of it.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Head<G: Game> {
    pub(crate) snapshot: Arc<Snapshot<G>>,
    pub(crate) books: Arc<Books<G>>,
    /// The time of the last change. `ctx.now()` never goes below it.
    pub(crate) clock: Time,
    /// Callbacks that failed in a row where nothing could be refused.
    pub(crate) failures: u32,
    /// When the room next wants to be called; bots, who only see what is published, aside.
    pub(crate) wake_at: Option<Time>,
}

impl<G: Game> Clone for Head<G> {
    fn clone(&self) -> Self {
        Self {
            snapshot: Arc::clone(&self.snapshot),
            books: Arc::clone(&self.books),
            clock: self.clock,
            failures: self.failures,
            wake_at: self.wake_at,
        }
    }
}

/// The part of a room's state that readers do not see.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Books<G: Game> {
    pub(crate) timers: Timers<G::Timer>,
    pub(crate) random: RandomStream,
    pub(crate) chat: Arc<ChatLog>,
    /// Names that may not come back, in lower case.
    pub(crate) banned: Arc<Vec<String>>,
    pub(crate) next_player: PlayerId,
    /// When the absent host loses the room.
    pub(crate) host_until: Option<Time>,
    /// When a room without humans ends.
    pub(crate) empty_until: Option<Time>,
    /// When a finished room in which nothing happens ends.
    pub(crate) finished_until: Option<Time>,
    pub(crate) closed: Option<CloseReason>,
    /// An automatic start failed; it is tried again when the roster has changed.
    pub(crate) start_failed: bool,
}

impl<G: Game> Clone for Books<G> {
    fn clone(&self) -> Self {
        Self {
            timers: self.timers.clone(),
            random: self.random,
            chat: Arc::clone(&self.chat),
            banned: Arc::clone(&self.banned),
            next_player: self.next_player,
            host_until: self.host_until,
            empty_until: self.empty_until,
            finished_until: self.finished_until,
            closed: self.closed,
            start_failed: self.start_failed,
        }
    }
}

// Written by hand: the derived ones would show states and events, secrets included.

impl<G: Game> fmt::Debug for Commit<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commit")
            .field("after", &self.after.snapshot)
            .field("room_events", &self.room_events)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl<G: Game> fmt::Debug for RoomEvent<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Joined(_) => "Joined",
            Self::Replaced(_) => "Replaced",
            Self::Left(..) => "Left",
            Self::Disconnected(..) => "Disconnected",
            Self::Reconnected(_) => "Reconnected",
            Self::Ready(..) => "Ready",
            Self::HostChanged(_) => "HostChanged",
            Self::Updated => "Updated",
            Self::Started => "Started",
            Self::Finished(_) => "Finished",
            Self::Chat(_) => "Chat",
            Self::Closed(_) => "Closed",
        })
    }
}

impl<G: Game> fmt::Debug for Head<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("snapshot", &self.snapshot)
            .field("clock", &self.clock)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}
