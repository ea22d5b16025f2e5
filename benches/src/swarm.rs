//! A hundred entities that move, seen by ten: an arena without its rules.

use std::collections::BTreeMap;

use parlor_core::{
    About, Ctx, Game, GameError, Never, PlayerId, Rules, StartRule, ViewKey, Viewer,
};
use parlor_gateway::Connection;
use parlor_gateway::outbox::Message;
use parlor_protocol::Codec;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{NoOptions, drain, joined_room, run, unhurried};

/// In what form states are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Whole.
    Whole,
    /// As patches.
    Patch,
}

struct Moving {
    sync: Sync,
    /// Whether each has a view of its own.
    own_views: bool,
}

/// Where each of them is, in tenths.
#[derive(Clone, Serialize, Deserialize)]
struct State {
    entities: Vec<(i32, i32)>,
    moves: usize,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Move {
    moving: usize,
}

#[derive(Serialize, Deserialize)]
struct View {
    entities: BTreeMap<usize, (f32, f32, u8)>,
    own: Option<PlayerId>,
}

impl Game for Moving {
    const GAME_TYPE: &'static str = "swarm";
    type Options = NoOptions;
    type State = State;
    type Action = Move;
    type Event = Never;
    type View = View;
    type Timer = Never;
    type Outcome = Never;

    fn about(&self) -> About {
        About::new("Swarm", 1, 100)
    }

    fn rules(&self, _: &NoOptions) -> Rules {
        let mut rules = Rules::seats(1, 100);
        rules.start = StartRule::Host;
        rules.sync = match self.sync {
            Sync::Whole => parlor_core::Sync::states(),
            Sync::Patch => parlor_core::Sync::patches(),
        };
        rules
    }

    fn setup(&self, _: &NoOptions, _: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        let entities = (0..ENTITIES).map(|n| (n * 37 % 1000, n * 91 % 1000)).collect();
        Ok(State { entities, moves: 0 })
    }

    fn on_action(
        &self,
        state: &mut State,
        _: PlayerId,
        action: Move,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        let count = state.entities.len();
        for n in 0..action.moving {
            let (x, y) = &mut state.entities[(state.moves + n * 7) % count];
            (*x, *y) = ((*x + 3) % 1000, (*y + 7) % 1000);
        }
        state.moves += 1;
        Ok(())
    }

    fn view(&self, state: &State, viewer: Viewer) -> View {
        // Rounded to what can be seen, as a game should.
        let place = |(x, y): &(i32, i32)| (*x as f32 / 10.0, *y as f32 / 10.0, 1);
        let entities = state.entities.iter().map(place).enumerate().collect();
        let own = match viewer {
            Viewer::Player(player) if self.own_views => Some(player),
            Viewer::Player(_) | Viewer::Spectator => None,
        };
        View { entities, own }
    }

    fn view_key(&self, viewer: Viewer) -> ViewKey {
        match viewer {
            Viewer::Player(player) if self.own_views => ViewKey::Player(player),
            Viewer::Player(_) | Viewer::Spectator => ViewKey::Everyone,
        }
    }
}

const ENTITIES: i32 = 100;

/// A room of those who look.
#[derive(Debug)]
pub struct Swarm {
    players: Vec<Connection>,
    taken: Vec<Message>,
    id: u64,
}

impl Swarm {
    /// A room in play with so many of them. Must be called within a tokio runtime.
    pub fn of(viewers: usize, sync: Sync, own_views: bool) -> Self {
        let gateway = unhurried().game(Moving { sync, own_views }).start();
        let mut swarm = Self { players: Vec::new(), taken: Vec::new(), id: 0 };
        let mut room_id = Value::Null;
        for viewer in 0..viewers {
            let mut player = gateway.connect(Codec::Json);
            let name = format!("Viewer {viewer}");
            let request = if viewer == 0 {
                let data = json!({"gameType": "swarm", "playerName": name});
                json!({"type": "create_room", "data": data})
            } else {
                json!({"type": "join_room", "data": {"roomId": room_id, "playerName": name}})
            };
            run(&mut player, request.to_string().as_bytes());
            if viewer == 0 {
                room_id = joined_room(&player);
            }
            swarm.players.push(player);
            swarm.drain();
        }
        swarm.ask(&json!({"type": "start_game"}));
        swarm
    }

    /// Moves so many.
    pub fn act(&mut self, moving: usize) {
        self.id += 1;
        let id = self.id;
        self.ask(&json!({"type": "game_action", "id": id, "data": {"moving": moving}}));
    }

    /// Takes out what waits for all of them. Gives the bytes of it.
    pub fn drain(&mut self) -> usize {
        drain(&self.players, &mut self.taken)
    }

    fn ask(&mut self, request: &Value) {
        run(&mut self.players[0], request.to_string().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the benchmark claims to measure is what is sent.
    #[tokio::test]
    async fn patches_are_shorter_where_little_moves_and_never_longer() {
        let bytes = |sync, moving| {
            let mut swarm = Swarm::of(10, sync, false);
            swarm.drain();
            swarm.act(moving);
            swarm.drain()
        };
        assert!(bytes(Sync::Patch, 1) * 10 < bytes(Sync::Whole, 1));
        assert!(bytes(Sync::Patch, 100) <= bytes(Sync::Whole, 100));
    }
}
