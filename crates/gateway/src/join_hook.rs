//! Who may sit down, asked of the program around the rooms before any room is.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use parlor_core::{GameError, Profile};
use parlor_protocol::{PlayerName, RoomCode};

use crate::identity::Identity;

/// Decides who may sit down, and brings what is known of them.
///
/// Asked for each `create_room`, `join_room` and `quick_match`, before a room is made or locked, so it may
/// take its time within [`GatewayConfig::join_hook_time_max`](crate::GatewayConfig::join_hook_time_max). Not
/// asked when someone comes back to its seat, nor for bots.
pub trait JoinHook: Send + Sync + 'static {
    /// Lets someone in, or refuses with an error that reaches the client: nothing has happened then.
    ///
    /// If the future is dropped nobody sits down.
    fn admit(&self, joining: Joining) -> impl Future<Output = Result<Admission, GameError>> + Send;
}

/// Someone who wants to sit down.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Joining {
    /// The game that it wants to play, if it named one and not a room.
    pub game_type: Option<String>,
    /// The room that it wants to join; `None` when it opens one or takes any.
    pub room: Option<RoomCode>,
    /// The name that it would like.
    pub player_name: PlayerName,
    /// Whether it only wants to watch.
    pub spectator: bool,
    /// Who it has shown itself to be, if it has.
    pub identity: Option<Arc<Identity>>,
}

impl Joining {
    pub(crate) fn new(
        game_type: Option<String>,
        room: Option<RoomCode>,
        player_name: PlayerName,
        spectator: bool,
        identity: Option<Arc<Identity>>,
    ) -> Self {
        Self { game_type, room, player_name, spectator, identity }
    }
}

/// What is known of someone who is let in. [`Admission::default`] lets it in as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Admission {
    /// The name that it gets instead of the one it would like.
    pub player_name: Option<PlayerName>,
    /// What the game may know of it: [`Seat::profile`](parlor_core::Seat::profile).
    pub profile: Profile,
}

/// [`JoinHook`] behind a pointer.
pub(crate) trait DynJoinHook: Send + Sync + 'static {
    /// See [`JoinHook::admit`].
    fn admit(&self, joining: Joining) -> Answer<'_>;
}

pub(crate) type Answer<'a> =
    Pin<Box<dyn Future<Output = Result<Admission, GameError>> + Send + 'a>>;

impl<H: JoinHook> DynJoinHook for H {
    fn admit(&self, joining: Joining) -> Answer<'_> {
        Box::pin(JoinHook::admit(self, joining))
    }
}

impl fmt::Debug for dyn DynJoinHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinHook")
    }
}
