//! A game that breaks down changes nothing of its own, is found in the log, and the room goes on.

use std::time::Duration;

use parlor_protocol::Codec;
use serde_json::{Value, json};

use crate::probe::{How, Probe};
use crate::support::{Client, Logs, gateway, pass};

fn set(total: i64) -> Value {
    json!({"do": "set", "total": total})
}

/// Checks that it is `INTERNAL` and that the log bears the same reference.
#[track_caller]
fn check_internal(error: &Value, logs: &Logs) {
    assert_eq!((&error["code"], &error["retryable"]), (&json!("INTERNAL"), &json!(true)));
    let reference = error["details"]["reference"].as_str().unwrap();
    assert!(logs.text().contains(reference), "{reference} is not in {}", logs.text());
    assert!(!error["message"].as_str().unwrap().contains("trapped"), "nothing of the cause");
}

#[tokio::test(start_paused = true)]
async fn what_can_be_refused_is_refused_and_nothing_is_sent_to_anyone() {
    for (how, traps) in [
        (How::Errs, &["on_action", "serialize_view", "serialize_event"][..]),
        (How::Panics, &["on_action", "view", "serialize_view", "serialize_event"][..]),
    ] {
        for trap in traps {
            let (logs, _guard) = Logs::capture();
            let probe = Probe::default();
            let gateway = gateway(&probe);
            let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
            let (mut bob, _) =
                Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
            let before = bob.must("get_state", json!({})).await;
            ada.drain();
            bob.drain();

            probe.arm(trap, how);
            let action = match *trap {
                "serialize_event" => json!({"do": "shout", "times": 2}),
                _ => set(9),
            };
            let error = ada.refused("game_action", action.clone()).await;
            if (*trap, how) == ("on_action", How::Errs) {
                assert_eq!(error["code"], "TRAPPED", "a structured refusal of the game's own");
                assert_eq!(error["details"]["trap"], 1);
            } else {
                check_internal(&error, &logs);
            }
            assert_eq!(ada.drain_types(), [""; 0], "{trap} {how:?}");
            assert_eq!(bob.drain_types(), [""; 0], "{trap} {how:?}");

            probe.disarm();
            assert_eq!(bob.must("get_state", json!({})).await, before, "{trap} {how:?}");
            ada.must("game_action", action).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_that_breaks_down_joins_nobody_and_leaves_no_trace() {
    for codec in Codec::ALL {
        for (trap, how) in [
            ("on_join", How::Errs),
            ("on_join", How::Panics),
            ("view", How::Panics),
            ("serialize_view", How::Errs),
            ("serialize_view", How::Panics),
        ] {
            let (logs, _guard) = Logs::capture();
            let probe = Probe::default();
            let gateway = gateway(&probe);
            let options = json!({"min": 1, "max": 4, "start": "Host"});
            let (mut ada, room) = Client::host(&gateway, codec, options).await;
            ada.drain();

            probe.arm(trap, how);
            let mut bob = Client::connect(&gateway, Codec::Json);
            let data = json!({"roomId": room["roomId"], "playerName": "Bob"});
            let error = bob.refused("join_room", data.clone()).await;
            match (trap, how) {
                ("on_join", How::Errs) => assert_eq!(error["code"], "TRAPPED"),
                _ => check_internal(&error, &logs),
            }
            probe.disarm();
            assert_eq!(ada.drain_types(), [""; 0], "{trap} {how:?}");
            ada.must("chat", json!({"text": "anyone?"})).await;
            assert_eq!(ada.drain_types(), ["chat_message"]);

            let joined = bob.must("join_room", data).await;
            assert_eq!(joined["players"].as_array().unwrap().len(), 2, "{trap} {how:?}");
            assert_eq!(joined["playerId"], 2, "no number was used up");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_whose_creation_breaks_down_never_was() {
    for (trap, how) in [
        ("setup", How::Errs),
        ("setup", How::Panics),
        ("on_join", How::Panics),
        ("serialize_view", How::Panics),
    ] {
        let probe = Probe::default();
        let gateway = gateway(&probe);
        let mut ada = Client::connect(&gateway, Codec::Json);
        probe.arm(trap, how);
        let data = json!({"gameType": "probe", "playerName": "Ada"});
        ada.refused("create_room", data.clone()).await;
        assert_eq!(gateway.room_count(), 0, "{trap} {how:?}");
        probe.disarm();
        assert_eq!(ada.must("list_rooms", json!({})).await["rooms"], json!([]));
        ada.must("create_room", data).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_type_of_the_games_that_panics_while_it_is_read_is_a_refusal() {
    let (logs, _guard) = Logs::capture();
    let probe = Probe::default();
    let gateway = gateway(&probe);
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (_bob, _) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
    let error = ada.refused("game_action", json!({"do": "explode", "fuse": true})).await;
    check_internal(&error, &logs);
    ada.must("game_action", json!({"do": "explode", "fuse": false})).await;

    let mut carol = Client::connect(&gateway, Codec::MsgPack);
    let data = json!({"gameType": "probe", "playerName": "Carol", "options": {"fuse": true}});
    check_internal(&carol.refused("create_room", data).await, &logs);
}

#[tokio::test(start_paused = true)]
async fn get_state_with_a_view_that_breaks_down_is_refused_and_works_again_later() {
    for (trap, how) in
        [("view", How::Panics), ("serialize_view", How::Errs), ("serialize_view", How::Panics)]
    {
        let (logs, _guard) = Logs::capture();
        let probe = Probe::default();
        let gateway = gateway(&probe);
        let (mut ada, _) = Client::host(&gateway, Codec::Json, json!({})).await;
        probe.arm(trap, how);
        check_internal(&ada.refused("get_state", json!({})).await, &logs);
        probe.disarm();
        ada.must("get_state", json!({})).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_who_leaves_is_gone_though_the_game_breaks_down_over_it() {
    for how in [How::Errs, How::Panics] {
        let (logs, _guard) = Logs::capture();
        let probe = Probe::default();
        let gateway = gateway(&probe);
        let options = json!({"min": 2, "max": 2, "start": "Host"});
        let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
        let (mut bob, _) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
        ada.drain();

        probe.arm("on_leave", how);
        bob.must("leave_room", json!({})).await;
        assert_eq!(ada.drain_types(), ["player_left"]);
        assert!(logs.text().contains("on_leave"), "{}", logs.text());
        probe.disarm();
        Client::guest(&gateway, Codec::Json, &room["roomId"], "Carol").await;
    }
}

#[tokio::test(start_paused = true)]
async fn losing_and_finding_a_connection_are_facts_though_the_game_breaks_down_over_them() {
    for (trap, how) in [
        ("on_disconnect", How::Errs),
        ("on_disconnect", How::Panics),
        ("on_reconnect", How::Errs),
        ("on_reconnect", How::Panics),
    ] {
        let probe = Probe::default();
        let gateway = gateway(&probe);
        let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
        let (bob, joined) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
        ada.drain();
        probe.arm(trap, how);
        drop(bob);
        assert_eq!(ada.drain_types(), ["player_disconnected"], "{trap} {how:?}");
        let mut bob = Client::connect(&gateway, Codec::MsgPack);
        let token = json!({"sessionToken": joined["sessionToken"]});
        let back = bob.must("reconnect", token).await;
        assert_eq!(back["state"]["total"], 0, "{trap} {how:?}: nothing of the callback's");
        assert_eq!(ada.drain_types(), ["player_reconnected"], "{trap} {how:?}");
        probe.disarm();
        assert_eq!(bob.must("get_state", json!({})).await["version"], back["version"]);
    }
}

/// The callback succeeds and what it made cannot be encoded: the picture that the player gets is of
/// the room as it is, not of the change that was taken back.
#[tokio::test(start_paused = true)]
async fn a_reconnect_whose_picture_cannot_be_made_is_refused_and_works_later() {
    let (logs, _guard) = Logs::capture();
    let probe = Probe::default();
    let gateway = gateway(&probe);
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (bob, joined) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    drop(bob);
    ada.drain();
    probe.arm("serialize_view", How::Panics);
    let token = json!({"sessionToken": joined["sessionToken"]});
    let mut bob = Client::connect(&gateway, Codec::Json);
    check_internal(&bob.refused("reconnect", token.clone()).await, &logs);
    assert_eq!(ada.drain_types(), [""; 0]);
    probe.disarm();
    let back = bob.must("reconnect", token).await;
    assert_eq!(back["resumed"], "snapshot");
    assert_eq!(ada.drain_types(), ["player_reconnected"]);
}

#[tokio::test(start_paused = true)]
async fn an_automatic_start_that_fails_leaves_the_lobby_until_the_roster_changes() {
    for how in [How::Errs, How::Panics] {
        let probe = Probe::default();
        let gateway = gateway(&probe);
        let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
        probe.arm("on_start", how);
        let (mut bob, _) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
        assert_eq!(ada.must("get_state", json!({})).await["phase"], "lobby");
        probe.disarm();
        bob.must("leave_room", json!({})).await;
        Client::guest(&gateway, Codec::Json, &room["roomId"], "Carol").await;
        ada.event("game_started");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_on_request_that_fails_is_refused() {
    let (logs, _guard) = Logs::capture();
    let probe = Probe::default();
    let gateway = gateway(&probe);
    let options = json!({"min": 1, "max": 2, "start": "Host"});
    let (mut ada, _) = Client::host(&gateway, Codec::Json, options).await;
    ada.drain();
    probe.arm("on_start", How::Errs);
    assert_eq!(ada.refused("start_game", json!({})).await["code"], "TRAPPED");
    probe.arm("on_start", How::Panics);
    check_internal(&ada.refused("start_game", json!({})).await, &logs);
    assert_eq!(ada.drain_types(), [""; 0]);
    probe.disarm();
    ada.must("start_game", json!({})).await;
}

#[tokio::test(start_paused = true)]
async fn ten_breakdowns_in_a_row_close_the_room_and_nine_do_not() {
    let (logs, _guard) = Logs::capture();
    let probe = Probe::default();
    let gateway = gateway(&probe);
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (bob, joined) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
    let token = json!({"sessionToken": joined["sessionToken"]});
    ada.drain();

    drop(bob);
    probe.arm("on_reconnect", How::Panics);
    for _ in 0..9 {
        // Lost without the game's knowledge, since it is only told what the trap lets through.
        let mut bob = Client::connect(&gateway, Codec::Json);
        bob.must("reconnect", token.clone()).await;
        probe.arm("on_disconnect", How::Panics);
        drop(bob);
        probe.arm("on_reconnect", How::Panics);
        if ada.close_code().is_some() {
            break;
        }
    }
    assert_eq!(ada.close_code(), Some(4004));
    assert_eq!(ada.event("room_closed")["reason"], "error");
    assert_eq!(gateway.room_count(), 0);
    assert_eq!(logs.text().matches("a callback failed").count(), 10, "{}", logs.text());
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_fails_is_consumed_and_its_part_is_dropped() {
    let probe = Probe::default();
    let gateway = gateway(&probe);
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (_bob, _) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
    ada.must("game_action", json!({"do": "timer", "after_ms": 1000})).await;
    pass(Duration::from_secs(3)).await;
    assert_eq!(ada.must("get_state", json!({})).await["state"]["total"], 3, "it sets itself anew");
    ada.drain();
    probe.arm("on_timer", How::Panics);
    pass(Duration::from_secs(60)).await;
    assert_eq!(ada.drain_types(), [""; 0]);
    let state = ada.must("get_state", json!({})).await["state"].clone();
    assert_eq!((&state["total"], &state["twice"]), (&json!(3), &json!(6)));
}
