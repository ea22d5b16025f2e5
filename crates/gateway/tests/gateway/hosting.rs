//! The host and the room: hand-over, spectators, password, lock, kick and ban, starts, grace.

use std::time::Duration;

use parlor_protocol::Codec;
use serde_json::json;

use crate::probe::Probe;
use crate::support::{Client, gateway, pass};

#[tokio::test(start_paused = true)]
async fn the_room_is_handed_over_when_its_host_leaves_or_is_away_for_ten_seconds() {
    let gateway = gateway(&Probe::default());
    let options = json!({"min": 1, "max": 4, "start": "Host"});
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
    let (bob, of_bob) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
    let (mut carol, _) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Carol").await;
    ada.must("leave_room", json!({})).await;
    assert_eq!(carol.event("host_changed"), json!({"playerId": 2}));

    drop(bob);
    pass(Duration::from_millis(9_900)).await;
    assert_eq!(carol.find_event("host_changed"), None);
    pass(Duration::from_millis(200)).await;
    assert_eq!(carol.event("host_changed"), json!({"playerId": 3}));
    let mut bob = Client::connect(&gateway, Codec::Json);
    let back = bob.must("reconnect", json!({"sessionToken": of_bob["sessionToken"]})).await;
    assert_eq!(back["host"], 3, "it does not come back by itself");
    carol.must("set_host", json!({"playerId": 2})).await;
    bob.must("update_room", json!({"metadata": {"host": "Bob"}})).await;
}

#[tokio::test(start_paused = true)]
async fn a_password_is_asked_of_everyone_who_is_new_until_it_is_taken_away() {
    let gateway = gateway(&Probe::default());
    let mut ada = Client::connect(&gateway, Codec::Json);
    let create = json!({
        "gameType": "probe", "playerName": "Ada", "password": "open sesame",
        "options": {"min": 1, "max": 8, "start": "Host"},
    });
    let room = ada.must("create_room", create).await;
    let mut bob = Client::connect(&gateway, Codec::MsgPack);
    let join = |password: Option<&str>, spectator: bool| {
        json!({"roomId": room["roomId"], "playerName": "Bob", "password": password,
            "spectator": spectator})
    };
    for spectator in [false, true] {
        for password in [None, Some("wrong"), Some("open sesame "), Some("OPEN SESAME")] {
            let error = bob.refused("join_room", join(password, spectator)).await;
            assert_eq!(error["code"], "WRONG_PASSWORD");
        }
    }
    bob.must("join_room", join(Some("open sesame"), false)).await;
    bob.must("leave_room", json!({})).await;
    ada.must("update_room", json!({"password": "changed"})).await;
    bob.refused("join_room", join(Some("open sesame"), false)).await;
    ada.must("update_room", json!({"locked": false})).await;
    bob.refused("join_room", join(None, false)).await;
    ada.must("update_room", json!({"password": null})).await;
    bob.must("join_room", join(None, false)).await;
}

#[tokio::test(start_paused = true)]
async fn a_locked_room_takes_nobody_new_and_lets_its_own_come_back() {
    let gateway = gateway(&Probe::default());
    let options = json!({"min": 1, "max": 8, "start": "Host"});
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
    let (bob, of_bob) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    ada.must("update_room", json!({"locked": true})).await;
    drop(bob);
    let mut bob = Client::connect(&gateway, Codec::Json);
    for spectator in [false, true] {
        let join = json!({"roomId": room["roomId"], "playerName": "X", "spectator": spectator});
        assert_eq!(bob.refused("join_room", join).await["code"], "ROOM_LOCKED");
    }
    bob.must("reconnect", json!({"sessionToken": of_bob["sessionToken"]})).await;
    ada.must("update_room", json!({"locked": false})).await;
    Client::guest(&gateway, Codec::Json, &room["roomId"], "Carol").await;
}

#[tokio::test(start_paused = true)]
async fn one_who_is_kicked_may_come_back_and_one_who_is_banned_may_not() {
    let gateway = gateway(&Probe::default());
    let options = json!({"min": 1, "max": 8, "start": "Host"});
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
    for (ban, code) in [(false, None), (true, Some("FORBIDDEN"))] {
        let (_bob, joined) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
        ada.must("kick_player", json!({"playerId": joined["playerId"], "ban": ban})).await;
        let mut again = Client::connect(&gateway, Codec::MsgPack);
        let join = json!({"roomId": room["roomId"], "playerName": "bob"});
        let answer = again.ask("join_room", join).await;
        assert_eq!(answer["error"]["code"].as_str(), code);
        if code.is_none() {
            assert_ne!(answer["data"]["playerId"], joined["playerId"], "a number is never reused");
            again.must("leave_room", json!({})).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_game_that_starts_when_all_are_ready_does_and_not_before() {
    let gateway = gateway(&Probe::default());
    let options = json!({"min": 2, "max": 4, "start": "AllReady"});
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
    ada.must("set_ready", json!({"ready": true})).await;
    assert_eq!(ada.find_event("game_started"), None, "two are needed");
    let (mut bob, _) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
    let (mut carol, _) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Carol").await;
    bob.must("set_ready", json!({"ready": true})).await;
    carol.must("set_ready", json!({"ready": true})).await;
    assert_eq!(ada.event("game_started"), json!({}));

    carol.must("game_action", json!({"do": "finish"})).await;
    ada.must("rematch", json!({})).await;
    let state = ada.must("get_state", json!({})).await;
    assert_eq!(state["phase"], "lobby", "nobody is ready any more");
    for client in [&mut ada, &mut bob] {
        client.must("set_ready", json!({"ready": true})).await;
    }
    drop(carol);
    ada.event("player_disconnected");
    assert_eq!(ada.find_event("game_started"), None, "its seat must be connected");
    pass(Duration::from_secs(16)).await;
    assert_eq!(ada.event("player_left")["reason"], "timeout");
    ada.event("game_started");
}

#[tokio::test(start_paused = true)]
async fn one_who_is_not_back_in_time_is_removed_or_forfeits_by_the_games_rule() {
    for (rule, events) in [
        (json!("Remove"), &["player_disconnected", "player_left"][..]),
        (json!("Forfeit"), &["player_disconnected"][..]),
    ] {
        let gateway = gateway(&Probe::default());
        let options = json!({"after_grace": rule});
        let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
        let (bob, of_bob) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
        ada.drain();
        drop(bob);
        pass(Duration::from_millis(60_100)).await;
        assert_eq!(ada.drain_types(), events, "{rule}");
        let token = json!({"sessionToken": of_bob["sessionToken"]});
        let mut bob = Client::connect(&gateway, Codec::Json);
        let answer = bob.ask("reconnect", token).await;
        if rule == "Forfeit" {
            assert_eq!(answer["success"], true, "it may come back and look");
            let error = bob.refused("game_action", json!({"do": "finish"})).await;
            assert_eq!(error["code"], "NOT_A_PLAYER");
        } else {
            assert_eq!(answer["error"]["code"], "SESSION_INVALID");
        }
    }
}

/// Nobody calls the room: the driver keeps its deadlines, each at its own time.
#[tokio::test(start_paused = true)]
async fn timers_fire_at_their_times_while_nobody_asks_anything() {
    let gateway = gateway(&Probe::default());
    let (mut ada, _) = Client::host(&gateway, Codec::Json, json!({"min": 1, "max": 1})).await;
    ada.must("game_action", json!({"do": "timer", "after_ms": 500})).await;
    ada.drain();
    for expect in [0, 1, 2, 3] {
        let before = ada.must("get_state", json!({})).await;
        assert_eq!(before["state"]["total"], expect);
        pass(Duration::from_millis(if expect == 0 { 501 } else { 1_000 })).await;
        assert_eq!(ada.drain_types(), ["game_event", "room_state"]);
    }
}
