//! No secret is ever written to a log, nor shown by `Debug`.

use parlor_protocol::Codec;
use serde_json::json;

use crate::probe::{How, Probe};
use crate::support::{Client, Logs, contains, gateway};

#[tokio::test(start_paused = true)]
async fn a_noisy_evening_leaves_no_token_password_word_or_chat_in_the_log() {
    let (logs, _guard) = Logs::capture();
    let probe = Probe::default();
    let gateway = gateway(&probe);
    let mut ada = Client::connect(&gateway, Codec::Json);
    let create = json!({
        "gameType": "probe", "playerName": "Adalbert", "password": "open sesame",
        "options": {"start": "Host"}, "key": "a-very-secret-key",
    });
    let room = ada.must("create_room", create).await;
    let join = |password: &str| json!({"roomId": room["roomId"], "playerName": "Bobadilla", "password": password});
    let (mut bob, mut debug) = (Client::connect(&gateway, Codec::MsgPack), String::new());
    bob.refused("join_room", join("wrong guess")).await;
    let bobs = bob.must("join_room", join("open sesame")).await;
    bob.must("chat", json!({"text": "between us"})).await;
    bob.refused("reconnect", json!({"sessionToken": "guessed token"})).await;
    ada.must("update_room", json!({"password": "a new password"})).await;
    ada.must("start_game", json!({})).await;
    for trap in ["on_action", "view", "serialize_view", "serialize_event"] {
        for how in [How::Errs, How::Panics] {
            if (trap, how) == ("view", How::Errs) {
                continue;
            }
            probe.arm(trap, how);
            ada.ask("game_action", json!({"do": "shout", "times": 1})).await;
            bob.ask("get_state", json!({})).await;
        }
    }
    probe.arm("on_disconnect", How::Panics);
    drop(bob);
    let mut bob = Client::connect(&gateway, Codec::Json);
    probe.arm("on_reconnect", How::Panics);
    bob.must("reconnect", json!({"sessionToken": bobs["sessionToken"]})).await;
    bob.send_bytes(b"garbage between us").await;
    for shown in [
        format!("{gateway:?}"),
        format!("{:?}", bob.connection),
        format!("{:?}", bob.connection.outbox()),
    ] {
        debug += &shown;
    }

    let log = logs.text() + &debug;
    assert!(log.contains("a callback failed"), "something was logged: {log}");
    for secret in [
        room["sessionToken"].as_str().unwrap(),
        bobs["sessionToken"].as_str().unwrap(),
        room["state"]["word"].as_str().unwrap(),
        bobs["state"]["word"].as_str().unwrap(),
        "open sesame",
        "wrong guess",
        "a new password",
        "a-very-secret-key",
        "guessed token",
        "between us",
        "Adalbert",
        "Bobadilla",
    ] {
        assert!(!contains(log.as_bytes(), secret), "{secret} is in the log: {log}");
    }
}
