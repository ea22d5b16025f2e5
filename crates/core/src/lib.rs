//! Rooms and rules: a game's state, who sits around it, and how it changes.
//!
//! ```text
//! Command ──► Room::apply ──► Commit ──► Room::publish ──► Snapshot, for every reader
//!                 │                          ▲
//!   Game callback on a private draft         └─ or put_back: as if it had never been
//! ```
//!
//! A [`Game`] is a set of rules. A [`Room`] owns one state of one game and is the only thing that
//! changes it. Everyone else holds a [`RoomView`], which can be cloned freely and can only look.
//!
//! No I/O happens here, nothing is encoded and no clock is read: time and randomness are
//! arguments. Whoever holds a room, be it a server or a test, drives it.

mod answers;
mod chat;
mod command;
mod commit;
mod ctx;
mod deadline;
mod game;
mod game_error;
mod ids;
mod random;
mod room;
mod roster;
mod rules;
mod snapshot;
mod sync;
mod tick;
mod turns;
mod values;

pub use rand;

pub use ctx::{Ctx, EVENTS_PER_CALLBACK_MAX};
pub use deadline::TIMERS_MAX;
pub use game::{About, Audience, Bot, Effort, Game, ViewKey, Viewer};
pub use game_error::GameError;
pub use ids::{Digest, PlayerId, Time};
pub use random::{GameRng, Seed};
pub use rules::{AfterGrace, Rules, SPECTATOR_DELAY_MAX, StartRule};
pub use sync::{Sync, SyncMode};
pub use tick::{Actions, GATHERED_PER_PLAYER_MAX, Hz, STEPS_BEHIND_MAX, Step, Tick};
pub use turns::{Removal, Simultaneous, SubmitError, TurnClock, TurnOrder};
pub use values::{Bounded, Data, Never, PlayerMap, Profile, Scalar, Signal};

pub use answers::{ANSWERS_AFTER_LEAVING, ANSWERS_PER_SEAT_MAX, Answer, DEPARTED_MAX, Recall};
pub use chat::{CHAT_LINES_MAX, ChatLine};
pub use command::{CloseReason, Command, Join, Origin, Refusal, SettingsChanges};
pub use commit::{Commit, Failure, Fault, LeaveReason, RoomEvent};
pub use room::{
    BANS_MAX, BotTurn, CreateError, FAILURES_IN_A_ROW_MAX, HOST_AWAY_MAX, Room, SavedRoom, Setup,
};
pub use roster::{NAME_CHARS_MAX, Roster, Seat, SeatKind};
pub use snapshot::{Charter, Phase, RoomView, Settings, Snapshot};

/// The guide for authors, whose examples are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/games.md")]
struct Guide;
