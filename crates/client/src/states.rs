//! A room's state as it moves on, whether the server sends it whole or says what has changed.
//!
//! A [`StateFollower`] keeps the last state that it knows and its version, by which it tells what is old,
//! what builds on it and what it lacks. It asks nobody anything: who feeds it does.

use std::fmt;
use std::marker::PhantomData;

use parlor_protocol::{
    EventType, FieldErrors, Joined, Phase, RoomPatch, RoomState, StateSnapshot, apply_patch,
    decode_value,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::event::Event;

/// Follows the state of the room that a [`Client`](crate::Client) sits in. `V` is the game's view.
///
/// A [`Player`](crate::Player) has one of its own. It needs all of the state and not only what `V` takes
/// from it, so what it is given is [`Value`].
///
/// ```no_run
/// use parlor_client::{Client, Events, Followed, StateFollower, any_seat};
/// # use parlor_client::{Options, protocol::PlayerName};
/// # #[derive(serde::Deserialize)]
/// # struct View;
/// # fn draw(_: View) {}
///
/// # async fn watch(client: Client, mut events: Events) -> Result<(), Box<dyn std::error::Error>> {
/// let mut states = StateFollower::<View>::new();
/// let seat = any_seat("tictactoe", PlayerName::parse("Ada")?);
/// draw(states.begin(client.quick_match(&seat).await?)?.state);
/// loop {
///     let event = events.next().await?;
///     match states.follow(&event)? {
///         Followed::State(now) => draw(now.state),
///         Followed::Lost => {
///             if let Some(now) = states.catch_up(client.state().await?)? {
///                 draw(now.state);
///             }
///         }
///         // What else happened; or a state that is known already.
///         Followed::Nothing => {}
///     }
/// }
/// # }
/// ```
pub struct StateFollower<V> {
    held: Option<Held>,
    /// A patch came that does not fit what is held.
    is_lost: bool,
    view: PhantomData<fn() -> V>,
}

/// What an event says of the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Followed<V> {
    /// Nothing, or nothing new.
    Nothing,
    /// This is the state from here on.
    State(StateSnapshot<V>),
    /// It builds on a state that is not here, so that the state has to be asked for:
    /// [`Client::state`](crate::Client::state), whose answer is for [`StateFollower::catch_up`]. Said once; until a
    /// whole state comes, one way or the other, patches are passed over.
    Lost,
}

struct Held {
    version: u64,
    phase: Phase,
    state: Form,
}

enum Form {
    /// As it came. Most are never patched, and so never made a tree.
    Event(Event),
    Tree(Value),
}

impl<V: DeserializeOwned> StateFollower<V> {
    /// Holds no state yet.
    pub const fn new() -> Self {
        Self { held: None, is_lost: false, view: PhantomData }
    }

    /// Begins anew with the state of a room that has just been entered, or come back to.
    pub fn begin(&mut self, joined: Joined<Value>) -> Result<Joined<V>, FieldErrors> {
        let Joined { version, phase, state, .. } = joined;
        let view = read_view(&state);
        self.hold(version, phase, Form::Tree(state));
        Ok(Joined {
            room_id: joined.room_id,
            game_type: joined.game_type,
            player_id: joined.player_id,
            session_token: joined.session_token,
            epoch: joined.epoch,
            seq: joined.seq,
            last_id: joined.last_id,
            version,
            phase,
            host: joined.host,
            players: joined.players,
            state: view?,
            chat: joined.chat,
            url: joined.url,
        })
    }

    /// What the event says of the state. To be given every event, in order; one of another kind says nothing.
    ///
    /// Fails when the state is not of the type `V`.
    pub fn follow(&mut self, event: &Event) -> Result<Followed<V>, FieldErrors> {
        if event.kind == EventType::RoomState {
            self.follow_whole(event)
        } else if event.kind == EventType::RoomPatch {
            self.follow_patch(event)
        } else {
            Ok(Followed::Nothing)
        }
    }

    /// Takes over the answer to `get_state`, on which the server's next patch may build. Gives it back if
    /// it is news: newer than what is here, or, where what is seen has changed with the player's role, other.
    ///
    /// Fails when the state is not of the type `V`.
    pub fn catch_up(
        &mut self,
        now: StateSnapshot<Value>,
    ) -> Result<Option<StateSnapshot<V>>, FieldErrors> {
        let StateSnapshot { seq, version, phase, state } = now;
        if let Some(held) = &mut self.held {
            let is_known =
                version == held.version && !self.is_lost && *held.state.as_tree()? == state;
            if is_known || version < held.version {
                return Ok(None);
            }
        }
        let view = read_view(&state);
        self.hold(version, phase, Form::Tree(state));
        Ok(Some(StateSnapshot { seq, version, phase, state: view? }))
    }

    /// Whether there is a state here on which the server's next one may build.
    pub(crate) const fn is_following(&self) -> bool {
        self.held.is_some() && !self.is_lost
    }

    fn follow_whole(&mut self, event: &Event) -> Result<Followed<V>, FieldErrors> {
        let RoomState { version, phase, state } = event.data()?;
        // One that an answer to `get_state` has overtaken.
        if self.held.as_ref().is_some_and(|held| version < held.version) {
            return Ok(Followed::Nothing);
        }
        self.hold(version, phase, Form::Event(event.clone()));
        Ok(at(event, version, phase, state))
    }

    fn follow_patch(&mut self, event: &Event) -> Result<Followed<V>, FieldErrors> {
        if self.is_lost {
            return Ok(Followed::Nothing);
        }
        // A patch of a kind that this client does not know fits nothing.
        let Ok(RoomPatch { version, base, ops }) = event.data() else { return Ok(self.lose()) };
        match &mut self.held {
            Some(held) if version <= held.version => Ok(Followed::Nothing),
            Some(held) if base == held.version => {
                let tree = held.state.as_tree()?;
                if apply_patch(tree, ops).is_err() {
                    return Ok(self.lose());
                }
                let state = read_view(tree);
                held.version = version;
                Ok(at(event, version, held.phase, state?))
            }
            Some(_) | None => Ok(self.lose()),
        }
    }

    fn hold(&mut self, version: u64, phase: Phase, state: Form) {
        self.held = Some(Held { version, phase, state });
        self.is_lost = false;
    }

    fn lose(&mut self) -> Followed<V> {
        self.is_lost = true;
        Followed::Lost
    }
}

impl<V: DeserializeOwned> Default for StateFollower<V> {
    fn default() -> Self {
        Self::new()
    }
}

/// Without the state, which may be large and is nobody else's business.
impl<V> fmt::Debug for StateFollower<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateFollower")
            .field("version", &self.held.as_ref().map(|held| held.version))
            .field("is_lost", &self.is_lost)
            .finish_non_exhaustive()
    }
}

impl Form {
    fn as_tree(&mut self) -> Result<&mut Value, FieldErrors> {
        if let Self::Event(event) = self {
            let RoomState { state, .. } = event.data()?;
            *self = Self::Tree(state);
        }
        match self {
            Self::Tree(tree) => Ok(tree),
            Self::Event(_) => unreachable!("it has become a tree"),
        }
    }
}

/// The state from `event` on.
fn at<V>(event: &Event, version: u64, phase: Phase, state: V) -> Followed<V> {
    // Whoever leaves the number out does not keep to the protocol, and is told to be at the start.
    let seq = event.seq.unwrap_or_default();
    Followed::State(StateSnapshot { seq, version, phase, state })
}

fn read_view<V: DeserializeOwned>(tree: &Value) -> Result<V, FieldErrors> {
    // Read again only to find out what is wrong.
    let view = V::deserialize(tree).or_else(|_| decode_value(tree.clone()));
    view.map_err(|errors: FieldErrors| errors.within("state"))
}
