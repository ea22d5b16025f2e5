//! A client of another node's room is a client like any other.

use std::sync::Arc;
use std::time::Duration;

use parlor_gateway::Gateway;
use parlor_protocol::Codec;
use serde_json::{Value, json};

use super::cloud::{Cloud, SOON};
use super::{code_of, events, return_of, table, token_of, wide};
use crate::support::{Client, next_id, pass};

/// What matters of a message, wherever it comes from.
fn gist(message: &Value) -> Value {
    let mut data = message["data"].clone();
    if let Some(fields) = data.as_object_mut() {
        for field in ["serverTime", "roomId", "createdAt", "at", "epoch", "sessionToken", "rooms"] {
            fields.remove(field);
        }
        // Its words are drawn by chance.
        fields.remove("state");
    }
    json!([message["type"], message["seq"], message["success"], message["error"]["code"], data])
}

/// Bob does everything there is, from a socket at `there`, in a room at `here`. Gives what he was told.
async fn everything(here: &Arc<Gateway>, there: &Arc<Gateway>, codec: Codec) -> Vec<Value> {
    let (mut ada, room) = Client::host(here, Codec::Json, wide()).await;
    let (mut bob, _) = Client::guest(there, codec, &room["roomId"], "Bob").await;
    let (_carol, _) = Client::guest(here, codec, &room["roomId"], "Carol").await;
    ada.must("set_host", json!({"playerId": 2})).await;
    let script = [
        ("ping", json!({})),
        ("list_games", json!({})),
        ("list_rooms", json!({"limit": 3})),
        ("list_rooms", json!({"cursor": "nonsense"})),
        ("subscribe_rooms", json!({"gameType": "tictactoe"})),
        ("unsubscribe_rooms", json!({"gameType": "tictactoe"})),
        ("set_ready", json!({"ready": true})),
        ("set_role", json!({"spectator": true})),
        ("set_role", json!({"spectator": false})),
        ("set_host", json!({"playerId": 1})),
        ("add_bot", json!({})),
        ("game_action", json!({"do": "refuse"})),
        ("game_action", json!({"do": "nonsense"})),
        ("create_room", json!({"gameType": "probe", "playerName": "Bob"})),
        ("join_room", json!({"roomId": room["roomId"], "playerName": "Bob"})),
        ("quick_match", json!({"gameType": "probe", "playerName": "Bob"})),
        ("reconnect", json!({"sessionToken": "of somebody"})),
        ("authenticate", json!({"token": "of somebody"})),
        ("no_such_thing", json!({})),
    ];
    for (kind, data) in script {
        bob.ask_and_keep(kind, data).await;
    }
    ada.must("set_host", json!({"playerId": 2})).await;
    let script = [
        ("add_bot", json!({"level": "quick"})),
        ("remove_bot", json!({"playerId": 4})),
        ("update_room", json!({"locked": true, "metadata": {"a": 1}})),
        ("kick_player", json!({"playerId": 3})),
        ("chat", json!({"text": "hello"})),
        ("start_game", json!({})),
        ("game_action", json!({"do": "set", "total": 7})),
        ("game_action", json!({"do": "shout", "times": 3})),
        ("get_state", json!({})),
        ("game_action", json!({"do": "finish"})),
        ("rematch", json!({})),
        ("set_host", json!({"playerId": 1})),
        ("leave_room", json!({})),
        ("leave_room", json!({})),
        ("chat", json!({"text": "?"})),
        ("ping", json!({})),
        ("list_games", json!({})),
    ];
    for (kind, data) in script {
        bob.ask_and_keep(kind, data).await;
    }
    pass(SOON).await;
    bob.drain().iter().filter(|message| message["type"] != "room_list_update").map(gist).collect()
}

#[tokio::test(start_paused = true)]
async fn every_request_is_answered_through_a_relay_as_without_one_in_either_codec() {
    for codec in Codec::ALL {
        let cloud = Cloud::default();
        let [one, two] = cloud.nodes().await;
        let near = everything(&one, &one, codec).await;
        let far = everything(&one, &two, codec).await;
        for (number, (near, far)) in near.iter().zip(&far).enumerate() {
            assert_eq!(near, far, "message {number}");
        }
        assert_eq!(near.len(), far.len());
        let refused = near.iter().filter(|message| message[2] == false).count();
        assert_eq!(refused, 13, "{near:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_of_an_array_are_answered_in_order_wherever_each_is_answered() {
    for codec in Codec::ALL {
        let cloud = Cloud::default();
        let [one, two] = cloud.nodes().await;
        let (_ada, mut bob, _) = table(&one, &two, codec, wide()).await;
        bob.drain();
        let kinds = [
            ("chat", json!({"text": "a"})),
            ("subscribe_rooms", json!({"gameType": "probe"})),
            ("chat", json!({"text": "b"})),
            ("ping", json!({})),
            ("unsubscribe_rooms", json!({"gameType": "probe"})),
            ("create_room", json!({"gameType": "probe", "playerName": "B"})),
            ("get_state", json!({})),
            ("leave_room", json!({})),
            ("ping", json!({})),
            ("create_room", json!({"gameType": "probe", "playerName": "B"})),
            ("chat", json!({"text": "c"})),
        ];
        let asked: Vec<_> = kinds
            .iter()
            .map(|(kind, data)| json!({"type": kind, "id": next_id(), "data": data}))
            .collect();
        bob.send(&json!(asked)).await;
        let answers: Vec<_> =
            bob.drain().into_iter().filter(|message| message["success"].is_boolean()).collect();
        let ids = |messages: &[Value]| -> Vec<_> {
            messages.iter().map(|message| message["id"].clone()).collect()
        };
        assert_eq!(ids(&answers), ids(&asked));
        let refused: Vec<_> = answers.iter().filter(|answer| answer["success"] == false).collect();
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert_eq!(refused[0]["error"]["code"], "ALREADY_IN_ROOM");
    }
}

/// A frame without a single subscription takes another way than one with.
#[tokio::test(start_paused = true)]
async fn one_who_leaves_and_opens_a_room_in_one_frame_has_it_on_its_own_node() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (_ada, mut bob, _) = table(&one, &two, Codec::Json, wide()).await;
    bob.drain();
    let create = json!({"gameType": "probe", "playerName": "B", "password": "open sesame!"});
    bob.send(&json!([
        {"type": "leave_room", "id": next_id()},
        {"type": "create_room", "id": next_id(), "data": create},
    ]))
    .await;
    let messages = bob.drain();
    let joined = messages.iter().find(|message| message["type"] == "create_room_result").unwrap();
    let owner = cloud.directory.owner(&code_of(&joined["data"])).await.unwrap();
    assert_eq!(Some(&*owner.node), two.node());
    bob.must("chat", json!({"text": "x"})).await;
}

#[tokio::test(start_paused = true)]
async fn unreadable_frames_of_a_relayed_client_are_answered_and_close_it_at_last() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (_ada, mut bob, _) = table(&one, &two, Codec::Json, wide()).await;
    bob.drain();
    for frame in [&b"{"[..], b"[]", b"{\"type\":1}", b"\xff"] {
        bob.send_bytes(frame).await;
        assert_eq!(bob.next_message()["error"]["code"], "BAD_REQUEST");
    }
    bob.must("ping", json!({})).await;
    for _ in 0..16 {
        bob.send_bytes(b"{").await;
    }
    pass(SOON).await;
    assert_eq!(bob.close_code(), Some(4400));
}

#[tokio::test(start_paused = true)]
async fn one_who_comes_back_on_a_third_node_is_replayed_every_event_once() {
    for codec in Codec::ALL {
        let cloud = Cloud::default();
        let [one, two, three] = cloud.nodes().await;
        let (mut ada, mut bob, joined) = table(&one, &two, codec, json!({})).await;
        let seen = bob.drain();
        ada.drain();
        drop(bob);
        pass(SOON).await;
        for n in 0..300 {
            ada.must("chat", json!({"text": format!("line {n}")})).await;
            ada.must("game_action", json!({"do": "set", "total": n})).await;
            ada.receive();
        }
        pass(SOON).await;
        let told = events(&ada.drain());

        let mut bob = Client::connect(&three, codec);
        let back = bob.must("reconnect", return_of(&joined, &seen)).await;
        assert_eq!(back["resumed"], "replayed");
        for _ in 0..10 {
            pass(SOON).await;
            bob.receive();
        }
        let mut expected = told;
        expected.extend(events(&ada.drain()));
        assert_eq!(events(&bob.drain()), expected);
        bob.must("game_action", json!({"do": "set", "total": 1})).await;
    }
}

#[tokio::test(start_paused = true)]
async fn takeover_through_another_node_closes_the_first_socket_with_4001() {
    let cloud = Cloud::default();
    let [one, two, three] = cloud.nodes().await;
    let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, json!({})).await;
    ada.drain();
    for node in [&three, &one, &two] {
        let mut next = Client::connect(node, Codec::MsgPack);
        next.must("reconnect", token_of(&joined)).await;
        pass(SOON).await;
        assert_eq!(bob.close_code(), Some(4001));
        next.must("game_action", json!({"do": "set", "total": 1})).await;
        bob = next;
    }
    let kinds = ada.drain_types();
    assert!(!kinds.iter().any(|kind| kind.starts_with("player_")), "{kinds:?}");
}

#[tokio::test(start_paused = true)]
async fn a_late_attempt_through_another_node_does_not_steal_the_seat_back() {
    let cloud = Cloud::default();
    let [one, two, three] = cloud.nodes().await;
    let (_ada, bob, joined) = table(&one, &two, Codec::Json, json!({})).await;
    drop(bob);
    let with = |attempt: u64| json!({"sessionToken": joined["sessionToken"], "attempt": attempt});
    let mut holder = Client::connect(&two, Codec::Json);
    holder.must("reconnect", with(5)).await;
    let mut late = Client::connect(&three, Codec::Json);
    assert_eq!(late.refused("reconnect", with(4)).await["code"], "STALE_REQUEST");
    holder.must("get_state", json!({})).await;
    late.must("reconnect", with(6)).await;
    pass(SOON).await;
    assert_eq!(holder.close_code(), Some(4001));
}

#[tokio::test(start_paused = true)]
async fn a_request_sent_again_from_another_node_is_answered_the_same_and_applied_once() {
    let cloud = Cloud::default();
    let [one, two, three] = cloud.nodes().await;
    let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, json!({})).await;
    let (id, tell) = (next_id(), json!({"do": "tell", "note": 77, "to": "everyone"}));
    let request = json!({"type": "game_action", "id": id, "data": tell});
    let mut answers = Vec::new();
    for node in [&two, &three, &one, &two] {
        bob.send(&request).await;
        bob.receive();
        let answer = bob.inbox.iter().find(|message| message["id"] == id).unwrap().clone();
        answers.push(answer);
        let mut next = Client::connect(node, Codec::Json);
        next.must("reconnect", token_of(&joined)).await;
        bob = next;
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    pass(SOON).await;
    let told = ada.drain().iter().filter(|message| message["type"] == "game_event").count();
    assert_eq!(told, 1);
    let other = json!({"type": "chat", "id": id, "data": {"text": "x"}});
    bob.send(&other).await;
    bob.receive();
    let refused = bob.inbox.iter().find(|message| message["id"] == id).unwrap();
    assert_eq!(refused["error"]["details"]["reason"], "id_reused");
}

#[tokio::test(start_paused = true)]
async fn leaving_is_answered_again_through_a_relay_and_the_socket_may_sit_down_elsewhere() {
    let cloud = Cloud::default();
    let [one, two, three] = cloud.nodes().await;
    let (mut ada, mut bob, _) = table(&one, &two, Codec::MsgPack, wide()).await;
    let (_eve, other) = Client::host(&three, Codec::Json, wide()).await;
    let id = next_id();
    let leave = json!({"type": "leave_room", "id": id});
    bob.send(&leave).await;
    bob.send(&leave).await;
    bob.receive();
    let left: Vec<_> = bob.inbox.iter().filter(|message| message["id"] == id).cloned().collect();
    assert_eq!(left.len(), 2);
    assert_eq!(left[0], left[1]);
    pass(SOON).await;
    assert_eq!(ada.event("player_left")["reason"], "left");
    bob.drain();

    let data = json!({"roomId": other["roomId"], "playerName": "Bob"});
    let joined = bob.must("join_room", data).await;
    assert_eq!(joined["roomId"], other["roomId"]);
    ada.must("chat", json!({"text": "nothing of this"})).await;
    pass(SOON).await;
    assert!(!bob.drain_types().contains(&"chat_message".to_owned()));
    bob.must("chat", json!({"text": "x"})).await;
    assert_eq!(bob.close_code(), None);
}

#[tokio::test(start_paused = true)]
async fn kicked_is_4003_and_a_closed_room_4004_also_through_a_relay() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, wide()).await;
    let (mut carol, _) = Client::guest(&two, Codec::MsgPack, &joined["roomId"], "Carol").await;
    ada.must("kick_player", json!({"playerId": 2})).await;
    pass(SOON).await;
    assert_eq!(bob.event("player_left")["reason"], "kicked");
    assert_eq!(bob.close_code(), Some(4003));
    let code = parlor_protocol::RoomCode::parse(&code_of(&joined)).unwrap();
    let (info, players) = two.rooms().find_anywhere(code).await.unwrap().unwrap();
    assert_eq!((info.player_count, players.len()), (2, 2));
    assert!(two.rooms().close_anywhere(code).await.unwrap());
    pass(SOON).await;
    for client in [&mut ada, &mut carol] {
        assert_eq!(client.event("room_closed")["reason"], "admin");
        assert_eq!(client.close_code(), Some(4004));
    }
    assert_eq!(two.rooms().find_anywhere(code).await, Ok(None));
    assert!(!two.rooms().close_anywhere(code).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_lost_socket_of_another_node_is_a_lost_socket() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (mut ada, bob, joined) = table(&one, &two, Codec::Json, json!({})).await;
    drop(bob);
    pass(SOON).await;
    assert_eq!(ada.event("player_disconnected")["playerId"], joined["playerId"]);
    let mut bob = Client::connect(&two, Codec::Json);
    bob.must("reconnect", token_of(&joined)).await;
    pass(SOON).await;
    assert_eq!(ada.event("player_reconnected")["playerId"], joined["playerId"]);
    drop(bob);
    pass(Duration::from_secs(61)).await;
    assert_eq!(ada.event("player_left")["reason"], "timeout");
    assert_eq!(super::refusal(&two, &joined).await, "SESSION_INVALID");
}

/// Subscriptions belong to the socket, whatever room it is in.
#[tokio::test(start_paused = true)]
async fn a_subscription_outlives_joining_and_leaving_a_room_of_another_node() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (_ada, room) = Client::host(&one, Codec::Json, wide()).await;
    pass(SOON).await;
    let mut bob = Client::connect(&two, Codec::Json);
    let shown = bob.must("subscribe_rooms", json!({"gameType": "probe"})).await;
    assert_eq!(shown["rooms"][0]["roomId"], room["roomId"]);
    let data = json!({"roomId": room["roomId"], "playerName": "Bob"});
    bob.must("join_room", data).await;
    pass(SOON).await;
    assert_eq!(bob.event("room_list_update")["changed"][0]["playerCount"], 2);
    bob.must("subscribe_rooms", json!({"gameType": "tictactoe"})).await;
    bob.must("unsubscribe_rooms", json!({"gameType": "probe"})).await;
    bob.must("leave_room", json!({})).await;
    pass(SOON).await;
    assert_eq!(bob.find_event("room_list_update"), None);
    bob.must("subscribe_rooms", json!({"gameType": "probe"})).await;
    let (_eve, _) = Client::host(&one, Codec::Json, wide()).await;
    pass(SOON).await;
    assert!(bob.find_event("room_list_update").is_some());
}
