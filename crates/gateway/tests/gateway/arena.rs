//! The arena as clients see it: what they may send, and that patches lead to what the server shows.

use std::time::Duration;

use parlor_games::Arena;
use parlor_gateway::Gateway;
use parlor_protocol::Codec;
use serde_json::{Value, json};

use crate::support::{Client, pass, roomy};

#[tokio::test(start_paused = true)]
async fn direction_out_of_range_is_refused_with_its_path_in_both_codecs() {
    for codec in Codec::ALL {
        let gateway = Gateway::builder(roomy()).game(Arena).start();
        let mut ada = Client::connect(&gateway, codec);
        ada.must("create_room", json!({"gameType": "arena", "playerName": "Ada"})).await;
        ada.must("add_bot", json!({"level": "sprinter"})).await;
        ada.must("start_game", json!({})).await;
        for (action, path) in [
            (json!({"dx": 1.5, "dy": 0, "dash": false}), "dx"),
            (json!({"dx": 0, "dy": -7, "dash": false}), "dy"),
            (json!({"dx": 0, "dy": "up", "dash": false}), "dy"),
            (json!({"dx": 0, "dy": 0, "dash": "no"}), "dash"),
            (json!({"dx": 0}), "dy"),
        ] {
            let error = ada.refused("game_action", action.clone()).await;
            assert_eq!(error["code"], "VALIDATION_FAILED", "{action}");
            let fields = error["details"]["fields"].as_object().expect("fields by path");
            assert_eq!(fields.keys().collect::<Vec<_>>(), [path], "{action}: {error}");
        }
        ada.must("game_action", json!({"dx": -0.5, "dy": 1, "dash": true})).await;
    }
}

/// One follows in JSON and one in MessagePack, as often as states are shown. A third, who only asks, says
/// what the server has at that version.
#[tokio::test(start_paused = true)]
async fn who_follows_the_patches_of_a_round_has_what_the_server_shows() {
    let gateway = Gateway::builder(roomy()).game(Arena).start();
    let mut ada = Client::connect(&gateway, Codec::Json);
    let joined = ada.must("create_room", json!({"gameType": "arena", "playerName": "Ada"})).await;
    let (mut bob, _) = Client::guest(&gateway, Codec::MsgPack, &joined["roomId"], "Bob").await;
    let (mut eve, _) = Client::guest(&gateway, Codec::Json, &joined["roomId"], "Eve").await;
    for _ in 0..4 {
        ada.must("add_bot", json!({"level": "sprinter"})).await;
    }
    ada.must("start_game", json!({})).await;

    let (mut of_ada, mut of_bob) = (Followed::default(), Followed::default());
    let mut compared = 0;
    for turn in 0..500 {
        if turn % 20 == 0 {
            // To and fro, so that there is always something to show.
            let dx = if turn % 40 == 0 { 1 } else { -1 };
            ada.send(&json!({"type": "game_action", "data": {"dx": dx, "dy": 0}})).await;
        }
        pass(Duration::from_millis(10)).await;
        of_ada.follow(&mut ada);
        of_bob.follow(&mut bob);
        assert_eq!((of_ada.version, &of_ada.state), (of_bob.version, &of_bob.state));
        eve.drain();
        let now = eve.must("get_state", json!({})).await;
        if now["version"] == of_ada.version {
            assert_eq!(now["state"], of_ada.state);
            compared += 1;
        }
    }
    let patches = of_ada.patches;
    assert!((90..=102).contains(&patches), "{patches} patches in five seconds, at 20 a second");
    assert!(compared > 50, "{compared} compared");
}

/// A client's own copy of the state.
#[derive(Default)]
struct Followed {
    version: u64,
    state: Value,
    patches: u32,
}

impl Followed {
    fn follow(&mut self, client: &mut Client) {
        for message in client.drain() {
            let data = &message["data"];
            match message["type"].as_str() {
                Some("room_state") => self.state = data["state"].clone(),
                Some("room_patch") => {
                    assert_eq!(data["base"], self.version, "patches build on each other");
                    for op in data["ops"].as_array().expect("operations") {
                        self.apply(op);
                    }
                    self.patches += 1;
                }
                _ => continue,
            }
            self.version = data["version"].as_u64().expect("a version");
        }
    }

    fn apply(&mut self, op: &Value) {
        let (parent, key) = op["path"].as_str().expect("a path").rsplit_once('/').expect("a slash");
        let parent = self.state.pointer_mut(parent).expect("a place in the state");
        let value = op["value"].clone();
        match (parent, op["op"].as_str()) {
            (Value::Object(map), Some("add" | "replace")) => {
                drop(map.insert(key.to_owned(), value))
            }
            (Value::Object(map), Some("remove")) => drop(map.remove(key)),
            (Value::Array(list), Some("replace")) => {
                list[key.parse::<usize>().expect("a place in a list")] = value;
            }
            (parent, _) => panic!("the arena's lists keep their lengths: {op} in {parent}"),
        }
    }
}
