//! In what order messages come, and what their numbers say.

use parlor_protocol::Codec;
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::support::{Client, gateway, next_id};

fn types(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["type"].as_str().unwrap()).collect()
}

fn numbers(messages: &[Value]) -> Vec<u64> {
    messages.iter().filter_map(|message| message["seq"].as_u64()).collect()
}

/// Sends a request and gives everything that came of it, in order.
async fn all_of(client: &mut Client, kind: &str, data: Value) -> Vec<Value> {
    client.drain();
    client.send(&json!({"type": kind, "id": next_id(), "data": data})).await;
    client.drain()
}

#[tokio::test(start_paused = true)]
async fn joined_comes_before_any_event_and_its_number_is_the_one_before_its_own_events() {
    for codec in Codec::ALL {
        let gateway = gateway(&Probe::default());
        let mut ada = Client::connect(&gateway, codec);
        let data = json!({"gameType": "probe", "playerName": "Ada"});
        let messages = all_of(&mut ada, "create_room", data).await;
        assert_eq!(
            types(&messages),
            ["create_room_result", "player_joined", "host_changed", "room_state"]
        );
        assert_eq!(messages[0]["data"]["seq"], 0);
        assert_eq!(numbers(&messages), [1, 2, 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_and_the_start_that_it_triggers_are_two_changes() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let before = numbers(&ada.drain());

    let mut bob = Client::connect(&gateway, Codec::MsgPack);
    let data = json!({"roomId": room["roomId"], "playerName": "Bob"});
    let of_bob = all_of(&mut bob, "join_room", data).await;
    assert_eq!(
        types(&of_bob),
        ["join_room_result", "player_joined", "game_started", "room_state"],
        "the join's own state is overtaken by the start's"
    );
    let joined = &of_bob[0]["data"];
    assert_eq!(joined["phase"], "lobby", "the room after the join and before the start");
    assert_eq!(joined["players"].as_array().unwrap().len(), 2);
    assert_eq!(joined["seq"].as_u64(), before.last().copied());
    assert!(numbers(&of_bob).iter().all(|seq| *seq > joined["seq"].as_u64().unwrap()));
    assert!(numbers(&of_bob).is_sorted());
    assert_eq!(of_bob.last().unwrap()["data"]["phase"], "playing");

    assert_eq!(types(&ada.drain()), ["player_joined", "game_started", "room_state"]);
}

#[tokio::test(start_paused = true)]
async fn one_change_tells_room_events_then_game_events_then_the_state_then_the_response() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (mut bob, _) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;

    ada.drain();
    bob.drain();
    let shouts = all_of(&mut ada, "game_action", json!({"do": "shout", "times": 2})).await;
    assert_eq!(types(&shouts), ["game_event", "game_event", "game_action_result"]);
    let times = [0, 1].map(|place| shouts[place]["data"]["data"]["time"].as_u64());
    assert_eq!(times, [Some(0), Some(1)], "as emitted");
    assert_eq!(types(&bob.drain()), ["game_event", "game_event"]);

    let set = all_of(&mut ada, "game_action", json!({"do": "set", "total": 5})).await;
    assert_eq!(types(&set), ["room_state", "game_action_result"]);
    assert_eq!(set[1]["data"]["seq"], set[0]["seq"], "the number after it");

    let finish = all_of(&mut ada, "game_action", json!({"do": "finish"})).await;
    assert_eq!(types(&finish), ["game_finished", "room_state", "game_action_result"]);
    assert_eq!(finish[0]["data"]["result"]["total"], 5);

    let rematch = all_of(&mut ada, "rematch", json!({})).await;
    let seqs = numbers(&rematch);
    assert_eq!(
        types(&rematch),
        ["rematch_result", "game_started", "room_state"],
        "the start is a change of its own, and its state overtakes the rematch's"
    );
    assert!(seqs.is_sorted() && seqs[0] > finish[1]["seq"].as_u64().unwrap(), "numbers go on");
}

#[tokio::test(start_paused = true)]
async fn every_response_of_the_room_bears_the_number_after_it_and_numbers_rise() {
    let gateway = gateway(&Probe::default());
    let options = json!({"min": 1, "max": 4, "start": "Host"});
    let (mut ada, _) = Client::host(&gateway, Codec::Json, options).await;
    let mut last = numbers(&ada.drain()).last().copied().unwrap();
    for (kind, data) in [
        ("chat", json!({"text": "hello"})),
        ("set_ready", json!({"ready": true})),
        ("update_room", json!({"locked": true})),
        ("add_bot", json!({})),
        ("get_state", json!({})),
        ("start_game", json!({})),
        ("game_action", json!({"do": "shout", "times": 3})),
        ("get_state", json!({})),
        ("remove_bot", json!({"playerId": 2})),
        ("set_ready", json!({"ready": true})),
    ] {
        let messages = all_of(&mut ada, kind, data).await;
        let response = messages.iter().find(|message| message["id"].is_u64()).unwrap();
        for seq in numbers(&messages) {
            assert!(seq > last, "{kind}: {messages:?}");
            last = seq;
        }
        if response["success"] == true {
            assert_eq!(response["data"]["seq"], last, "{kind}: {messages:?}");
        } else {
            assert_eq!(response["error"]["code"], "GAME_IN_PROGRESS");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_update_takes_one_number_for_all_and_what_is_for_others_leaves_a_gap() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (mut bob, joined) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    ada.drain();
    bob.drain();

    let whisper = json!({"do": "whisper", "to": joined["playerId"]});
    let of_ada = all_of(&mut ada, "game_action", whisper).await;
    let whispered = bob.drain();
    assert_eq!(types(&of_ada), ["game_action_result"]);
    assert_eq!(types(&whispered), ["game_event"]);
    assert_eq!(of_ada[0]["data"]["seq"], whispered[0]["seq"]);

    let set = all_of(&mut ada, "game_action", json!({"do": "set", "total": 1})).await;
    let seen = bob.drain();
    assert_eq!(set[0]["seq"], seen[0]["seq"]);
    assert_eq!(set[0]["seq"].as_u64(), whispered[0]["seq"].as_u64().map(|seq| seq + 1));
}

#[tokio::test(start_paused = true)]
async fn requests_of_a_batch_are_answered_each_for_itself_and_in_order() {
    let gateway = gateway(&Probe::default());
    let mut ada = Client::connect(&gateway, Codec::Json);
    ada.send(&json!([
        {"type": "ping", "id": 1},
        {"type": "create_room", "id": 2, "data": {"gameType": "probe", "playerName": "Ada"}},
        {"type": "chat", "id": 3, "data": {"text": "hello"}},
        {"id": 4},
        {"type": "create_room", "id": 5, "data": {"gameType": "probe", "playerName": "Ada"}},
        {"type": "no_such_thing", "id": 6},
        {"type": "leave_room", "id": 7},
        {"type": "ping"},
    ]))
    .await;
    let answers: Vec<_> = ada
        .drain()
        .into_iter()
        .filter(|message| message.get("success").is_some())
        .map(|message| {
            let code = message["error"]["code"].as_str().unwrap_or("ok").to_owned();
            (message["type"].as_str().unwrap().to_owned(), message["id"].as_u64(), code)
        })
        .collect();
    let expect = [
        ("ping_result", Some(1), "ok"),
        ("create_room_result", Some(2), "ok"),
        ("chat_result", Some(3), "ok"),
        ("error", None, "BAD_REQUEST"),
        ("create_room_result", Some(5), "ALREADY_IN_ROOM"),
        ("no_such_thing_result", Some(6), "UNKNOWN_TYPE"),
        ("leave_room_result", Some(7), "ok"),
        ("ping_result", None, "ok"),
    ]
    .map(|(kind, id, code)| (kind.to_owned(), id, code.to_owned()));
    assert_eq!(answers, expect);
}
