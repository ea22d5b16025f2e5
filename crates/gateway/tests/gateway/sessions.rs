//! Coming back: who gets its seat again, who does not, and what the store has to do with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parlor_core::CloseReason;
use parlor_gateway::Gateway;
use parlor_protocol::{Codec, RoomCode};
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::support::{Client, TestStore, contains, gateway, pass, roomy, settle};

/// A gateway whose sessions are in a store that can be switched off.
fn with_store() -> (Arc<Gateway>, Arc<TestStore>) {
    let store = Arc::new(TestStore::default());
    let gateway = Gateway::builder(roomy())
        .game(Probe::default())
        .session_store(Arc::clone(&store) as Arc<_>)
        .start();
    (gateway, store)
}

fn token_of(joined: &Value) -> Value {
    json!({"sessionToken": joined["sessionToken"]})
}

#[tokio::test(start_paused = true)]
async fn one_who_comes_back_within_grace_gets_its_seat_and_the_whole_room() {
    for codec in Codec::ALL {
        let gateway = gateway(&Probe::default());
        let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
        let (bob, joined) = Client::guest(&gateway, codec, &room["roomId"], "Bob").await;
        ada.must("chat", json!({"text": "hello"})).await;
        ada.drain();
        drop(bob);
        let lost = ada.event("player_disconnected");
        assert_eq!(lost["playerId"], joined["playerId"]);
        assert!(lost["graceUntil"].as_u64().unwrap() > 0);

        pass(Duration::from_secs(59)).await;
        let mut bob = Client::connect(&gateway, codec);
        let back = bob.must("reconnect", token_of(&joined)).await;
        assert_eq!(back["resumed"], "snapshot");
        assert_eq!(back.get("sessionToken"), None, "it has one");
        for field in ["roomId", "gameType", "playerId", "epoch"] {
            assert_eq!(back[field], joined[field], "{field}");
        }
        assert_eq!(back["state"]["word"], joined["state"]["word"]);
        assert_eq!(back["chat"][0]["text"], "hello");
        assert_eq!(ada.event("player_reconnected"), json!({"playerId": joined["playerId"]}));
        let own = bob.event("player_reconnected");
        assert_eq!(own["playerId"], joined["playerId"]);
        bob.must("game_action", json!({"do": "set", "total": 1})).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_void_once_its_seat_is_gone() {
    let gateway = gateway(&Probe::default());
    let options = json!({"min": 1, "max": 4, "start": "Host"});
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
    let (bob, late) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    let (mut carol, left) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Carol").await;
    let (_dave, kicked) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Dave").await;
    carol.must("leave_room", json!({})).await;
    ada.must("kick_player", json!({"playerId": kicked["playerId"]})).await;
    drop(bob);
    pass(Duration::from_secs(16)).await;
    assert_eq!(ada.event("player_left")["reason"], "left");
    assert_eq!(ada.event("player_left")["reason"], "kicked");
    assert_eq!(ada.event("player_left")["reason"], "timeout");

    let unknown = json!({"sessionToken": "no such token"});
    for token in [token_of(&late), token_of(&left), token_of(&kicked), unknown] {
        let error = Client::connect(&gateway, Codec::Json).refused("reconnect", token).await;
        assert_eq!(
            (&error["code"], &error["retryable"]),
            (&json!("SESSION_INVALID"), &json!(false))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_room_that_has_closed_is_told_so() {
    let gateway = gateway(&Probe::default());
    let (_ada, joined) = Client::host(&gateway, Codec::Json, json!({})).await;
    let code = RoomCode::parse(joined["roomId"].as_str().unwrap()).unwrap();
    assert!(gateway.close_room(code, CloseReason::Admin));
    assert!(!gateway.close_room(code, CloseReason::Admin), "only once");
    let error =
        Client::connect(&gateway, Codec::Json).refused("reconnect", token_of(&joined)).await;
    assert_eq!(error["code"], "ROOM_CLOSED");
}

#[tokio::test(start_paused = true)]
async fn a_second_socket_takes_over_without_anyone_hearing_of_it() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (mut old, joined) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    ada.drain();
    let mut new = Client::connect(&gateway, Codec::MsgPack);
    new.must("reconnect", token_of(&joined)).await;
    assert_eq!(old.close_code(), Some(4001));
    old.drain();
    old.send(&json!({"type": "chat", "id": 9, "data": {"text": "from the grave"}})).await;
    assert_eq!(old.drain_types(), [""; 0], "what comes after the close is not done");
    drop(old);
    settle().await;
    assert_eq!(ada.drain_types(), [""; 0]);
    new.must("game_action", json!({"do": "set", "total": 3})).await;
    assert_eq!(ada.drain_types(), ["room_state"]);
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_away_nobody_joins_and_local_players_come_back() {
    let (gateway, store) = with_store();
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (bob, joined) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    drop(bob);
    store.is_away.store(true, Ordering::Relaxed);
    ada.drain();

    let mut carol = Client::connect(&gateway, Codec::MsgPack);
    let (game, name) = (json!("probe"), json!("Carol"));
    for (kind, data) in [
        ("create_room", json!({"gameType": game, "playerName": name})),
        ("join_room", json!({"roomId": room["roomId"], "playerName": name, "spectator": true})),
        ("quick_match", json!({"gameType": game, "playerName": name})),
        ("reconnect", json!({"sessionToken": "one of another node's, perhaps"})),
    ] {
        let error = carol.refused(kind, data).await;
        assert_eq!(error["code"], "STORE_UNAVAILABLE", "{kind}");
        assert_eq!(error["retryable"], true);
    }
    assert_eq!(gateway.room_count(), 1, "no room is left over");
    assert_eq!(ada.drain_types(), [""; 0]);

    let mut bob = Client::connect(&gateway, Codec::Json);
    bob.must("reconnect", token_of(&joined)).await;
    bob.must("leave_room", json!({})).await;
    store.is_away.store(false, Ordering::Relaxed);
    carol.must("create_room", json!({"gameType": game, "playerName": name})).await;
}

/// The store forgot the token, or its life there ran out: the seat is found in memory.
#[tokio::test(start_paused = true)]
async fn a_seat_outlives_its_record_in_the_store() {
    let (gateway, store) = with_store();
    let (_ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (bob, joined) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    drop(bob);
    store.forget_all();
    let mut bob = Client::connect(&gateway, Codec::Json);
    bob.must("reconnect", token_of(&joined)).await;
    settle().await;
    assert_eq!(store.len(), 1, "using a token prolongs its record");
}

/// The store never answers. The seat was taken again, the response is there, and the socket is lost
/// at once: the others hear of it and the seat is given up after its grace.
#[tokio::test(start_paused = true)]
async fn a_socket_lost_while_the_store_hangs_does_not_leave_a_ghost_in_its_seat() {
    let (gateway, store) = with_store();
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (bob, joined) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    drop(bob);
    store.hangs.store(true, Ordering::Relaxed);
    ada.drain();
    let mut bob = Client::connect(&gateway, Codec::Json);
    let request = json!({"type": "reconnect", "id": 1, "data": token_of(&joined)});
    let done = tokio::time::timeout(Duration::from_secs(1), bob.send(&request)).await;
    assert!(done.is_ok(), "nobody waits for the store");
    ada.event("player_reconnected");
    drop(bob);
    ada.event("player_disconnected");
    pass(Duration::from_secs(61)).await;
    assert_eq!(ada.event("player_left")["reason"], "timeout");
}

/// The client gives up while its join waits for the store.
#[tokio::test(start_paused = true)]
async fn a_join_that_is_dropped_while_it_waits_joins_nobody() {
    let (gateway, store) = with_store();
    let options = json!({"min": 1, "max": 2, "start": "Host"});
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
    ada.drain();
    store.hangs.store(true, Ordering::Relaxed);
    let mut bob = Client::connect(&gateway, Codec::Json);
    for (kind, data) in [
        ("join_room", json!({"roomId": room["roomId"], "playerName": "Bob"})),
        ("create_room", json!({"gameType": "probe", "playerName": "Bob"})),
    ] {
        let request = json!({"type": kind, "id": 1, "data": data});
        let waiting = tokio::time::timeout(Duration::from_secs(1), bob.send(&request)).await;
        assert!(waiting.is_err(), "it waits for the store");
    }
    drop(bob);
    assert_eq!(ada.drain_types(), [""; 0]);
    assert_eq!(gateway.room_count(), 1);
    store.hangs.store(false, Ordering::Relaxed);
    let (_carol, joined) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Carol").await;
    assert_eq!(joined["players"].as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn records_of_those_who_are_gone_are_removed_from_the_store() {
    let (gateway, store) = with_store();
    let options = json!({"min": 1, "max": 2, "start": "Host"});
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
    let (mut bob, _) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    assert_eq!(store.len(), 2);
    let mut carol = Client::connect(&gateway, Codec::Json);
    let join = json!({"roomId": room["roomId"], "playerName": "Carol"});
    assert_eq!(carol.refused("join_room", join).await["code"], "ROOM_FULL");
    settle().await;
    assert_eq!(store.len(), 2, "nothing of a join that was refused");
    bob.must("leave_room", json!({})).await;
    ada.must("leave_room", json!({})).await;
    settle().await;
    assert_eq!(store.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_sent_to_its_owner_alone() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (mut bob, of_bob) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
    let mut carol = Client::connect(&gateway, Codec::Json);
    carol.must("subscribe_rooms", json!({"gameType": "probe"})).await;
    let watch = json!({"roomId": room["roomId"], "playerName": "Carol", "spectator": true});
    let of_carol = carol.must("join_room", watch).await;
    bob.must("game_action", json!({"do": "finish"})).await;
    ada.must("rematch", json!({})).await;
    for client in [&mut ada, &mut bob, &mut carol] {
        client.must("list_rooms", json!({})).await;
        client.must("get_state", json!({})).await;
    }
    let tokens =
        [&room, &of_bob, &of_carol].map(|j| j["sessionToken"].as_str().unwrap().to_owned());
    for (place, client) in [&mut ada, &mut bob, &mut carol].into_iter().enumerate() {
        client.receive();
        for (owner, token) in tokens.iter().enumerate() {
            assert!(token.len() >= 22, "128 bits and more");
            assert_eq!(contains(&client.bytes, token), owner == place);
        }
    }
}
