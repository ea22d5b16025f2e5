//! How connections end, with which code, and that the others go on.

use std::time::Duration;

use parlor_core::CloseReason;
use parlor_gateway::outbox::OutboxLimits;
use parlor_protocol::{CloseCode, Codec, RoomCode};
use serde_json::json;

use crate::probe::Probe;
use crate::support::{Client, gateway, gateway_with, pass, roomy};

#[tokio::test(start_paused = true)]
async fn one_who_never_reads_is_closed_at_its_bound_and_the_others_are_not_held_up() {
    let mut config = roomy();
    config.outbox = OutboxLimits { messages_max: 32, bytes_max: 1024 * 1024 };
    let gateway = gateway_with(&Probe::default(), config);
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (mut bob, joined) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
    bob.receive();
    ada.drain();

    for line in 1..=100_usize {
        ada.must("chat", json!({"text": "hello"})).await;
        assert_eq!(ada.drain_types(), ["chat_message"]);
        let waiting = bob.connection.outbox().len();
        assert_eq!(waiting, if line <= 32 { line } else { 0 }, "never more than the bound");
        assert_eq!(bob.connection.outbox().is_closed(), line > 32);
    }
    bob.drain();
    assert_eq!(bob.close_code(), Some(4002));

    drop(bob);
    ada.event("player_disconnected");
    let mut bob = Client::connect(&gateway, Codec::MsgPack);
    let back = bob.must("reconnect", json!({"sessionToken": joined["sessionToken"]})).await;
    assert_eq!(back["playerId"], joined["playerId"]);
    assert!(!back["chat"].as_array().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn bytes_that_wait_are_bounded_as_well() {
    let mut config = roomy();
    config.outbox = OutboxLimits { messages_max: 10_000, bytes_max: 8 * 1024 };
    let gateway = gateway_with(&Probe::default(), config);
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (mut bob, _) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    let text = "x".repeat(500);
    for _ in 0..40 {
        ada.must("chat", json!({"text": text})).await;
    }
    assert_eq!(bob.close_code(), Some(4002));
    assert_eq!(ada.close_code(), None);
}

#[tokio::test(start_paused = true)]
async fn one_who_is_kicked_hears_of_it_and_of_nothing_after_it() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (mut bob, joined) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
    bob.drain();
    ada.drain();
    ada.must("kick_player", json!({"playerId": joined["playerId"]})).await;
    ada.must("chat", json!({"text": "gone"})).await;
    let messages = bob.drain();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(messages[0]["type"], "player_left");
    assert_eq!(messages[0]["data"], json!({"playerId": 2, "reason": "kicked"}));
    assert_eq!(bob.close_code(), Some(4003));
    assert_eq!(ada.event("player_left")["reason"], "kicked");
    drop(bob);
    assert_eq!(ada.find_event("player_disconnected"), None);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_closes_says_why_before_it_closes_every_socket() {
    for (reason, text) in [
        (CloseReason::Admin, "admin"),
        (CloseReason::Expired, "expired"),
        (CloseReason::Finished, "finished"),
    ] {
        let gateway = gateway(&Probe::default());
        let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
        let (mut bob, _) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
        ada.drain();
        bob.drain();
        let code = RoomCode::parse(room["roomId"].as_str().unwrap()).unwrap();
        assert!(gateway.close_room(code, reason));
        for client in [&mut ada, &mut bob] {
            let messages = client.drain();
            assert_eq!(messages.len(), 1);
            assert_eq!(messages[0]["type"], "room_closed");
            assert_eq!(messages[0]["data"], json!({"roomId": room["roomId"], "reason": text}));
            assert_eq!(client.close_code(), Some(4004));
        }
        assert_eq!(gateway.room_count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_room_in_which_nothing_happens_closes() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (_bob, _) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    ada.must("game_action", json!({"do": "finish"})).await;
    pass(Duration::from_secs(599)).await;
    ada.must("chat", json!({"text": "still here"})).await;
    pass(Duration::from_secs(599)).await;
    assert_eq!(ada.close_code(), None);
    pass(Duration::from_secs(2)).await;
    assert_eq!(ada.close_code(), Some(4004));
    assert_eq!(ada.event("room_closed")["reason"], "finished");
}

#[tokio::test(start_paused = true)]
async fn only_one_who_sits_nowhere_is_closed_for_asking_nothing() {
    let gateway = gateway(&Probe::default());
    let mut ada = Client::connect(&gateway, Codec::Json);
    assert_eq!(ada.connection.idle_max(), Some(Duration::from_secs(120)));
    ada.must("create_room", json!({"gameType": "probe", "playerName": "Ada"})).await;
    assert_eq!(ada.connection.idle_max(), None);
    ada.must("leave_room", json!({})).await;
    assert_eq!(ada.connection.idle_max(), Some(Duration::from_secs(120)));
    ada.must("ping", json!({})).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_drains_takes_nobody_new_and_lets_players_come_back() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (bob, joined) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    drop(bob);
    ada.drain();
    gateway.drain(Duration::from_secs(3));
    assert_eq!(ada.next_message(), {
        json!({"type": "server_draining", "data": {"reconnectAfterMs": 3000}})
    });
    let mut carol = Client::connect(&gateway, Codec::MsgPack);
    for (kind, data) in [
        ("create_room", json!({"gameType": "probe", "playerName": "Carol"})),
        ("join_room", json!({"roomId": room["roomId"], "playerName": "Carol"})),
        ("quick_match", json!({"gameType": "probe", "playerName": "Carol"})),
    ] {
        let error = carol.refused(kind, data).await;
        assert_eq!((&error["code"], &error["retryable"]), (&json!("DRAINING"), &json!(true)));
    }
    carol.must("reconnect", json!({"sessionToken": joined["sessionToken"]})).await;
    carol.must("game_action", json!({"do": "set", "total": 1})).await;

    gateway.close_connections(CloseCode::GoingAway, "shutting down");
    for client in [&mut ada, &mut carol] {
        assert_eq!(client.close_code(), Some(1001));
    }
}
