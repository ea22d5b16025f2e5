//! Several gateways that are one server, over a bus and a directory in memory, which may fail.

mod broken;
mod cloud;
mod directory;
mod gone;
mod keys;
mod relay;
mod rooms;
mod secrecy;
mod simulation;
mod slow;

use parlor_gateway::Gateway;
use parlor_protocol::Codec;
use serde_json::{Value, json};

use self::cloud::{Cloud, SOON};
use crate::support::{Client, pass};

/// A table for four that waits for its host to begin.
fn wide() -> Value {
    json!({"min": 2, "max": 4, "start": "Host", "late_join": true})
}

fn token_of(joined: &Value) -> Value {
    json!({"sessionToken": joined["sessionToken"]})
}

fn code_of(joined: &Value) -> String {
    joined["roomId"].as_str().expect("a room").to_owned()
}

/// What a client says that comes back, having read `messages` since it joined.
fn return_of(joined: &Value, messages: &[Value]) -> Value {
    let seen = messages.iter().filter_map(|message| message["seq"].as_u64()).max();
    let seen = seen.or_else(|| joined["seq"].as_u64());
    json!({"sessionToken": joined["sessionToken"], "epoch": joined["epoch"], "lastSeq": seen})
}

/// What numbered events there are, states aside.
fn events(messages: &[Value]) -> Vec<Value> {
    let is_event = |message: &&Value| message["seq"].is_u64() && message["type"] != "room_state";
    messages.iter().filter(is_event).cloned().collect()
}

/// A room on the first node with its host there, and a guest on the second.
async fn table(
    one: &std::sync::Arc<Gateway>,
    two: &std::sync::Arc<Gateway>,
    codec: Codec,
    options: Value,
) -> (Client, Client, Value) {
    let (mut ada, room) = Client::host(one, Codec::Json, options).await;
    let (mut bob, joined) = Client::guest(two, codec, &room["roomId"], "Bob").await;
    pass(SOON).await;
    ada.receive();
    bob.receive();
    (ada, bob, joined)
}

/// How `reconnect` with this token is refused on a node.
async fn refusal(node: &std::sync::Arc<Gateway>, joined: &Value) -> String {
    let error = Client::connect(node, Codec::Json).refused("reconnect", token_of(joined)).await;
    error["code"].as_str().expect("a code").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_player_joins_a_room_of_another_node_and_both_play() {
    for codecs in [[Codec::Json, Codec::MsgPack], [Codec::MsgPack, Codec::Json]] {
        let cloud = Cloud::default();
        let [one, two] = cloud.nodes().await;
        let (mut ada, joined) = Client::host(&one, codecs[0], json!({})).await;
        let (mut bob, seat) = Client::guest(&two, codecs[1], &joined["roomId"], "Bob").await;
        assert_eq!(seat["playerId"], 2);
        assert!(seat["sessionToken"].as_str().unwrap().len() >= 22);
        pass(SOON).await;
        assert_eq!(bob.event("player_joined")["name"], "Bob");
        assert_eq!(ada.event("player_joined")["name"], "Ada");
        assert_eq!(ada.event("player_joined")["name"], "Bob");
        bob.must("chat", json!({"text": "hello"})).await;
        pass(SOON).await;
        assert_eq!(ada.event("chat_message")["text"], "hello");
        assert_eq!(bob.event("chat_message")["text"], "hello");
        let left = bob.must("leave_room", json!({})).await;
        assert!(left["seq"].as_u64().unwrap() > 0);
        assert_eq!(bob.refused("chat", json!({"text": "?"})).await["code"], "NOT_IN_ROOM");
        assert!(bob.must("list_rooms", json!({})).await["rooms"].is_array());
        assert_eq!(bob.close_code(), None);
    }
}
