//! A client at a seat, with the view that it was last sent.
//!
//! [`Seat`] is for tests that play: it waits for conditions on its view, within [`WAIT_MAX`], and can play
//! a whole game as one of the game's own bots would. It panics where a test fails.

use std::sync::Arc;
use std::time::Duration;

use parlor_client::{Client, Event, Events, Followed, RequestError, Session, StateFollower};
use parlor_core::rand::SeedableRng as _;
use parlor_core::{Bot, Game, GameRng};
use parlor_protocol::{
    Codec, CreateRoom, EventType, JoinRoom, Joined, Phase, PlayerId, PlayerName, Resumed, RoomCode,
    StateSnapshot,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use crate::server::TestServer;

/// A client at a seat. `V` is the game's view.
#[derive(Debug)]
pub struct Seat<V> {
    /// The client.
    pub client: Client,
    /// What it has not looked at yet.
    pub events: Events,
    /// The room.
    pub room: RoomCode,
    /// Who it is there.
    pub me: PlayerId,
    /// Where the match stands in `view`.
    pub phase: Phase,
    /// What it was last sent.
    pub view: V,
    /// The room's number at `view`.
    seq: u64,
    states: StateFollower<V>,
}

impl<V: DeserializeOwned + Send + 'static> Seat<V> {
    /// Connects, opens a room and sits down.
    pub async fn create(server: &TestServer, codec: Codec, room: &CreateRoom) -> Self {
        let (client, events) = server.connect(codec).await;
        let joined = client.create_room(room).await.expect("the room can be opened");
        Self::new(client, events, joined)
    }

    /// Connects and sits down in a room.
    pub async fn join(server: &TestServer, codec: Codec, seat: &JoinRoom) -> Self {
        let (client, events) = server.connect(codec).await;
        let joined = client.join_room(seat).await.expect("the room can be joined");
        Self::new(client, events, joined)
    }

    /// Connects and takes the seat of `session` again. A view to go on with is asked for if none
    /// comes with the answer.
    pub async fn resume(server: &TestServer, codec: Codec, session: &mut Session) -> Self {
        let (client, events) = server.connect(codec).await;
        match client.reconnect(session).await.expect("the session can be resumed") {
            Resumed::Snapshot(joined) => Self::new(client, events, *joined),
            Resumed::Replayed(resumed) => {
                let now = client.state().await.expect("there is a state");
                let mut states = StateFollower::new();
                let now = states.catch_up(now).expect(IS_VIEW).expect("it is the first");
                Self {
                    client,
                    events,
                    room: resumed.room_id,
                    me: resumed.player_id,
                    phase: now.phase,
                    view: now.state,
                    seq: now.seq,
                    states,
                }
            }
        }
    }

    /// The next event. A view that comes with it is taken over.
    ///
    /// # Panics
    ///
    /// When none comes in time or the connection ends.
    pub async fn next(&mut self) -> Event {
        let event = timeout(WAIT_MAX, self.events.next()).await.expect("an event comes in time");
        let event = event.expect("the connection holds");
        match self.states.follow(&event).expect(IS_VIEW) {
            Followed::State(now) => self.take_over(now),
            Followed::Lost => {
                let now = self.client.state().await.expect("there is a state");
                if let Some(now) = self.states.catch_up(now).expect(IS_VIEW) {
                    self.take_over(now);
                }
            }
            Followed::Nothing => {}
        }
        event
    }

    /// Waits until what this seat sees is as it should be.
    pub async fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            self.next().await;
        }
    }

    /// Waits for an event of this kind.
    pub async fn until_event(&mut self, kind: EventType) -> Event {
        loop {
            let event = self.next().await;
            if event.kind == kind {
                return event;
            }
        }
    }

    /// Acts, and when that succeeds waits for the view that follows from it.
    pub async fn act(&mut self, action: &(impl Serialize + Sync)) -> Result<(), RequestError> {
        let acted = self.client.act(action).await?;
        self.until(|seat| seat.seq >= acted.seq).await;
        Ok(())
    }

    /// Plays until the match is over, as `bot` would.
    ///
    /// # Panics
    ///
    /// When the bot is refused.
    pub async fn play_out<G: Game<View = V>>(&mut self, bot: &Arc<dyn Bot<G>>, seed: u64)
    where
        G::Action: Sync,
    {
        let mut rng = GameRng::seed_from_u64(seed);
        let me = parlor_core::PlayerId(self.me.0);
        while self.phase != Phase::Finished {
            let action = match self.phase {
                Phase::Playing => bot.decide(&self.view, me, &mut rng),
                Phase::Lobby | Phase::Finished => None,
            };
            match action {
                Some(action) => self.act(&action).await.expect("the bot keeps to the rules"),
                None => drop(self.next().await),
            }
        }
    }

    fn take_over(&mut self, now: StateSnapshot<V>) {
        (self.phase, self.view, self.seq) = (now.phase, now.state, now.seq);
    }

    fn new(client: Client, events: Events, joined: Joined<Value>) -> Self {
        let mut states = StateFollower::new();
        let joined = states.begin(joined).expect(IS_VIEW);
        Self {
            client,
            events,
            room: joined.room_id,
            me: joined.player_id,
            phase: joined.phase,
            view: joined.state,
            seq: joined.seq,
            states,
        }
    }
}

/// A name for a player.
///
/// # Panics
///
/// When it is none.
pub fn name(text: &str) -> PlayerName {
    PlayerName::parse(text).expect("it is a name")
}

const IS_VIEW: &str = "it is the game's view";

/// How long a test waits for what must happen.
pub const WAIT_MAX: Duration = Duration::from_secs(20);
