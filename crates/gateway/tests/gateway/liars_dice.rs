//! Dice under a cup are in nothing that anyone else is sent, to the byte.
//!
//! Dice are small numbers, so that to search for them in bytes would find them everywhere. Instead the same
//! game is played at many tables whose dice fell differently: people who may know the same must be sent
//! the same bytes.

use std::collections::HashMap;
use std::sync::Arc;

use parlor_games::LiarsDice;
use parlor_gateway::Gateway;
use parlor_protocol::Codec;
use serde_json::{Value, json};

use crate::support::{Client, roomy};

/// A client whose requests bear the same numbers at every table.
struct Guest {
    client: Client,
    requests: u64,
}

/// One round at one table.
struct Played {
    /// What all may know: who sits where.
    order: Vec<u64>,
    adas_dice: Value,
    bobs_dice: Value,
    /// What was sent before the challenge, to Bob, to a spectator in JSON and to one in MessagePack.
    before: [Vec<u8>; 3],
    /// The same for what followed from the challenge.
    after: [Vec<u8>; 3],
}

impl Guest {
    fn connect(gateway: &Arc<Gateway>, codec: Codec) -> Self {
        Self { client: Client::connect(gateway, codec), requests: 0 }
    }

    async fn ask(&mut self, kind: &str, data: Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.client.send(&json!({"type": kind, "id": id, "data": data})).await;
        let messages = self.client.drain();
        let response = messages.into_iter().find(|message| message["id"] == id);
        response.unwrap_or_else(|| panic!("no response to {kind}"))
    }

    async fn must(&mut self, kind: &str, data: Value) -> Value {
        let response = self.ask(kind, data).await;
        assert_eq!(response["success"], true, "{kind}: {response}");
        response["data"].clone()
    }

    /// What it was sent since it was last asked.
    fn take_bytes(&mut self) -> Vec<u8> {
        self.client.receive();
        std::mem::take(&mut self.client.bytes)
    }
}

/// Ada and Bob play a round by the book while two watch: bids whatever their dice are, a refusal, a
/// question for the state, talk, then a challenge.
async fn play(gateway: &Arc<Gateway>, of_ada: Codec, of_bob: Codec) -> Played {
    let mut ada = Guest::connect(gateway, of_ada);
    let mut bob = Guest::connect(gateway, of_bob);
    let mut watchers = [Codec::Json, Codec::MsgPack].map(|codec| Guest::connect(gateway, codec));
    let options = json!({"gameType": "liars_dice", "playerName": "Ada"});
    let room = ada.must("create_room", options).await["roomId"].clone();
    bob.must("join_room", json!({"roomId": room, "playerName": "Bob"})).await;
    for watcher in &mut watchers {
        let watch = json!({"roomId": room, "playerName": "Eve", "spectator": true});
        watcher.must("join_room", watch).await;
    }
    // Codes of rooms and tokens are each table's own. From here on all is the same.
    let [eve, fay] = &mut watchers;
    for guest in [&mut bob, &mut *eve, &mut *fay] {
        guest.take_bytes();
    }

    ada.must("start_game", json!({})).await;
    let adas = ada.must("get_state", json!({})).await["state"].clone();
    let bobs = bob.must("get_state", json!({})).await["state"].clone();
    let order: Vec<u64> = serde_json::from_value(bobs["players"].clone()).unwrap();
    let mut turns = order.iter().cycle();
    for (count, face) in [(1, 2), (1, 3), (2, 1), (2, 6), (3, 4), (4, 5)] {
        let guest = if turns.next() == Some(&1) { &mut ada } else { &mut bob };
        guest.must("game_action", json!({"do": "bid", "count": count, "face": face})).await;
        let refused = bob.ask("game_action", json!({"do": "bid", "count": 1, "face": 1})).await;
        assert_eq!(refused["success"], false);
        ada.must("chat", json!({"text": "I have them all"})).await;
        for guest in [&mut bob, &mut *eve, &mut *fay] {
            guest.must("get_state", json!({})).await;
        }
    }
    let before = [bob.take_bytes(), eve.take_bytes(), fay.take_bytes()];

    let guest = if turns.next() == Some(&1) { &mut ada } else { &mut bob };
    guest.must("game_action", json!({"do": "challenge"})).await;
    let after = [bob.take_bytes(), eve.take_bytes(), fay.take_bytes()];
    Played {
        order,
        adas_dice: adas["dice"].clone(),
        bobs_dice: bobs["dice"].clone(),
        before,
        after,
    }
}

/// Clocks stand still, so that not even a deadline differs.
#[tokio::test(start_paused = true)]
async fn tables_that_differ_in_one_players_dice_send_everyone_else_the_same_bytes() {
    for [of_ada, of_bob] in [[Codec::Json, Codec::MsgPack], [Codec::MsgPack, Codec::Json]] {
        let gateway = Gateway::builder(roomy()).game(LiarsDice).start();
        // The first table of each kind that was seen, by what Bob, or a spectator, may know.
        let mut as_bob_knows = HashMap::<String, Played>::new();
        let mut as_all_know = HashMap::<Vec<u64>, [Vec<u8>; 3]>::new();
        let mut compared = 0;
        for _ in 0..TABLES_MAX {
            let played = play(&gateway, of_ada, of_bob).await;
            let known = as_all_know.entry(played.order.clone());
            let known = known.or_insert_with(|| played.before.clone());
            assert!(known[1] == played.before[1], "a spectator was sent something else");
            assert!(known[2] == played.before[2], "a spectator was sent something else");

            let known = format!("{:?} {}", played.order, played.bobs_dice);
            let Some(like) = as_bob_knows.get(&known) else {
                as_bob_knows.insert(known, played);
                continue;
            };
            if like.adas_dice == played.adas_dice {
                continue;
            }
            assert!(like.before[0] == played.before[0], "Bob was sent something else");
            for (one, other) in like.after.iter().zip(&played.after) {
                assert!(one != other, "once they are shown, the dice are in what everyone is sent");
            }
            compared += 1;
            if compared == PAIRS {
                break;
            }
        }
        assert_eq!(compared, PAIRS, "chance brings two tables alike soon enough");
        assert!(as_all_know.len() == 2, "either of them has begun");
    }
}

/// Pairs of tables at which Bob's dice and the order of turns are the same, and Ada's dice are not.
const PAIRS: usize = 6;
/// Two tables in some two hundred are such a pair, so that sixty have six among them.
const TABLES_MAX: usize = 2_000;
