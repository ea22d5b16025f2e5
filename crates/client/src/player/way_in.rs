//! How a player gets to its seat for the first time.

use parlor_protocol::{CreateRoom, JoinRoom, QuickMatch};

use crate::joining::fresh_key;
use crate::session::Session;

/// How a player gets to its seat for the first time.
///
/// A joining request without a key is given one: it may have to be sent again, and must not lead to a
/// second seat.
#[derive(Clone, Debug)]
pub enum WayIn {
    /// By opening a room.
    CreateRoom(Box<CreateRoom>),
    /// Into a room that is there.
    JoinRoom(JoinRoom),
    /// Wherever a game is about to be played.
    QuickMatch(QuickMatch),
    /// Back to a seat that it had before the program was started. Its happenings are what the program
    /// missed since, the state as it is now among them, or the whole room.
    Session(Session),
}

impl WayIn {
    pub(super) fn session(&self) -> Option<&Session> {
        match self {
            Self::Session(session) => Some(session),
            Self::CreateRoom(_) | Self::JoinRoom(_) | Self::QuickMatch(_) => None,
        }
    }

    pub(super) fn with_key(mut self) -> Self {
        let key = match &mut self {
            Self::CreateRoom(room) => &mut room.key,
            Self::JoinRoom(seat) => &mut seat.key,
            Self::QuickMatch(seat) => &mut seat.key,
            Self::Session(_) => return self,
        };
        key.get_or_insert_with(fresh_key);
        self
    }
}

impl From<CreateRoom> for WayIn {
    fn from(room: CreateRoom) -> Self {
        Self::CreateRoom(Box::new(room))
    }
}

impl From<JoinRoom> for WayIn {
    fn from(seat: JoinRoom) -> Self {
        Self::JoinRoom(seat)
    }
}

impl From<QuickMatch> for WayIn {
    fn from(seat: QuickMatch) -> Self {
        Self::QuickMatch(seat)
    }
}

impl From<Session> for WayIn {
    fn from(session: Session) -> Self {
        Self::Session(session)
    }
}
