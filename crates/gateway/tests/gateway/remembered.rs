//! Nothing twice: a request that is sent again is answered again and not applied again.

use std::time::Duration;

use parlor_protocol::Codec;
use serde_json::{Value, json};

use crate::probe::{How, Probe};
use crate::support::{Client, gateway, next_id, pass};

/// Sends a request with this id and gives the response.
async fn ask_as(client: &mut Client, id: u64, kind: &str, data: Value) -> Value {
    client.send(&json!({"type": kind, "id": id, "data": data})).await;
    let messages = client.drain();
    let answers: Vec<_> = messages.into_iter().filter(|message| message["id"] == id).collect();
    assert_eq!(answers.len(), 1, "exactly one response");
    answers.into_iter().next().unwrap()
}

fn set(total: i64) -> Value {
    json!({"do": "set", "total": total})
}

#[tokio::test(start_paused = true)]
async fn request_sent_again_gets_the_same_response_and_is_not_applied_again() {
    for codec in Codec::ALL {
        let gateway = gateway(&Probe::default());
        let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
        let (mut bob, joined) = Client::guest(&gateway, codec, &room["roomId"], "Bob").await;
        let (first, second) = (next_id(), next_id());
        let chat = ask_as(&mut bob, first, "chat", json!({"text": "once"})).await;
        let refusal = ask_as(&mut bob, second, "start_game", json!({})).await;
        assert_eq!((&chat["success"], &refusal["success"]), (&json!(true), &json!(false)));
        drop(bob);
        ada.drain();

        let mut bob = Client::connect(&gateway, codec);
        let token = json!({"sessionToken": joined["sessionToken"]});
        let back = bob.must("reconnect", token).await;
        assert_eq!(back["lastId"], second);
        ada.drain();
        assert_eq!(ask_as(&mut bob, first, "chat", json!({"text": "once"})).await, chat);
        assert_eq!(ask_as(&mut bob, second, "start_game", json!({})).await, refusal);
        assert_eq!(ada.drain(), Vec::<Value>::new(), "nobody hears of it again");
    }
}

/// Bytes differ from codec to codec; what counts is what they say.
#[tokio::test(start_paused = true)]
async fn request_sent_again_in_another_codec_is_the_same_request() {
    let gateway = gateway(&Probe::default());
    let (_ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let token = json!({"sessionToken": room["sessionToken"]});
    for (first, second) in [(Codec::Json, Codec::MsgPack), (Codec::MsgPack, Codec::Json)] {
        let mut ada = Client::connect(&gateway, first);
        ada.must("reconnect", token.clone()).await;
        let (id, data) = (next_id(), json!({"text": "once"}));
        let answer = ask_as(&mut ada, id, "chat", data.clone()).await;
        assert_eq!(answer["success"], true);

        let mut ada = Client::connect(&gateway, second);
        ada.must("reconnect", token.clone()).await;
        assert_eq!(ask_as(&mut ada, id, "chat", data).await, answer);
    }

    let data = json!({"roomId": room["roomId"], "playerName": "Bob", "key": "b".repeat(16)});
    let mut bob = Client::connect(&gateway, Codec::Json);
    let first = bob.must("join_room", data.clone()).await;
    let mut bob_again = Client::connect(&gateway, Codec::MsgPack);
    let second = bob_again.must("join_room", data).await;
    assert_eq!(first["playerId"], second["playerId"]);
}

#[tokio::test(start_paused = true)]
async fn id_with_another_type_or_data_is_refused_as_reused() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let _bob = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    let id = next_id();
    assert_eq!(ask_as(&mut ada, id, "game_action", set(1)).await["success"], true);
    for (kind, data) in [("game_action", set(2)), ("chat", json!({"text": "x"}))] {
        let error = ask_as(&mut ada, id, kind, data).await["error"].clone();
        assert_eq!(
            (&error["code"], &error["details"]["reason"]),
            (&json!("BAD_REQUEST"), &json!("id_reused"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_id_below_the_64_that_are_kept_is_stale() {
    let gateway = gateway(&Probe::default());
    let (mut ada, _) = Client::host(&gateway, Codec::Json, json!({})).await;
    let chat = json!({"text": "."});
    let skipped = next_id();
    let ids: Vec<u64> = (0..65).map(|_| next_id()).collect();
    for id in &ids[..63] {
        ask_as(&mut ada, *id, "chat", chat.clone()).await;
    }
    // With 63 kept, an id below them may still be new.
    assert_eq!(ask_as(&mut ada, skipped, "chat", chat.clone()).await["success"], true);
    for id in &ids[63..] {
        ask_as(&mut ada, *id, "chat", chat.clone()).await;
    }
    let stale = ask_as(&mut ada, skipped, "chat", chat.clone()).await;
    assert_eq!(stale["error"]["code"], "STALE_REQUEST");
    assert_eq!(ask_as(&mut ada, ids[1], "chat", chat).await["success"], true);
}

#[tokio::test(start_paused = true)]
async fn what_may_succeed_another_time_is_not_remembered() {
    let probe = Probe::default();
    let gateway = gateway(&probe);
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let _bob = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    let id = next_id();
    probe.arm("on_action", How::Panics);
    let failed = ask_as(&mut ada, id, "game_action", set(1)).await;
    assert_eq!(failed["error"]["code"], "INTERNAL");
    probe.disarm();
    assert_eq!(ask_as(&mut ada, id, "game_action", set(1)).await["success"], true);

    let id = next_id();
    let invalid = ask_as(&mut ada, id, "chat", json!({"text": ""})).await;
    assert_eq!(invalid["error"]["code"], "VALIDATION_FAILED");
    assert_eq!(ask_as(&mut ada, id, "chat", json!({"text": "x"})).await["success"], true);
}

#[tokio::test(start_paused = true)]
async fn leaving_is_answered_again_to_one_who_has_left() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (mut bob, _) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    let id = next_id();
    let left = ask_as(&mut bob, id, "leave_room", json!({})).await;
    assert_eq!(left["success"], true);
    ada.drain();
    assert_eq!(ask_as(&mut bob, id, "leave_room", json!({})).await, left);
    let other = ask_as(&mut bob, next_id(), "leave_room", json!({})).await;
    assert_eq!(other["error"]["code"], "NOT_IN_ROOM");
    assert_eq!(ada.drain(), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn joining_again_with_the_same_key_gives_the_same_seat_and_a_fresh_token() {
    let gateway = gateway(&Probe::default());
    let (_ada, room) = Client::host(&gateway, Codec::Json, json!({"min": 2, "max": 4})).await;
    let room_id = &room["roomId"];
    let requests = [
        ("create_room", json!({"gameType": "probe", "playerName": "K", "key": "k".repeat(16)})),
        ("join_room", json!({"roomId": room_id, "playerName": "L", "key": "l".repeat(16)})),
        ("quick_match", json!({"gameType": "probe", "playerName": "M", "key": "m".repeat(64)})),
    ];
    for (kind, data) in requests {
        let rooms = gateway.room_count();
        let mut lost = Client::connect(&gateway, Codec::Json);
        let first = lost.must(kind, data.clone()).await;
        let mut again = Client::connect(&gateway, Codec::Json);
        let second = again.must(kind, data.clone()).await;
        for field in ["roomId", "playerId", "epoch"] {
            assert_eq!(first[field], second[field], "{kind}: {field}");
        }
        assert_ne!(first["sessionToken"], second["sessionToken"]);
        assert_eq!(lost.close_code(), Some(4001), "{kind}: one socket for a seat");
        assert!(gateway.room_count() <= rooms + 1, "{kind}: no second room");

        let mut thief = Client::connect(&gateway, Codec::Json);
        let old = json!({"sessionToken": first["sessionToken"]});
        assert_eq!(thief.refused("reconnect", old).await["code"], "SESSION_INVALID", "{kind}");
        let mut other = data.clone();
        other["playerName"] = json!("Other");
        let error = thief.refused(kind, other).await;
        assert_eq!(error["details"]["reason"], "key_reused", "{kind}");

        drop(again);
        let mut third = Client::connect(&gateway, Codec::Json);
        let back = third.must(kind, data.clone()).await;
        assert_eq!(back["playerId"], first["playerId"], "{kind}: also after a loss");
        third.must("leave_room", json!({})).await;
        let anew = third.must(kind, data).await;
        assert!(
            anew["playerId"] != first["playerId"] || anew["roomId"] != first["roomId"],
            "{kind}: a seat that was given up is gone"
        );
    }
}

/// The protocol says that a key works within the grace period. It used to be forgotten after a
/// minute, and a player of a patient game got a second seat.
#[tokio::test(start_paused = true)]
async fn joining_key_is_known_for_as_long_as_the_game_holds_a_lost_seat() {
    let gateway = gateway(&Probe::default());
    let data = json!({
        "gameType": "probe", "playerName": "Ada", "key": "a".repeat(16),
        "options": {"lobby_grace": 300},
    });
    let mut lost = Client::connect(&gateway, Codec::Json);
    let first = lost.must("create_room", data.clone()).await;
    drop(lost);

    pass(Duration::from_secs(290)).await;
    let mut again = Client::connect(&gateway, Codec::Json);
    let second = again.must("create_room", data.clone()).await;
    for field in ["roomId", "playerId", "epoch"] {
        assert_eq!(first[field], second[field], "{field}");
    }
    assert_eq!(gateway.room_count(), 1);

    // The seat is still there; the key's time is over.
    pass(Duration::from_secs(20)).await;
    let anew = Client::connect(&gateway, Codec::Json).must("create_room", data).await;
    assert_ne!(anew["roomId"], first["roomId"]);
    again.must("get_state", json!({})).await;
}

/// The new token was lost with the refusal: the old one must still hold the seat.
#[tokio::test(start_paused = true)]
async fn joining_again_that_is_refused_leaves_the_token_as_it_was() {
    let probe = Probe::default();
    let gateway = gateway(&probe);
    let mut ada = Client::connect(&gateway, Codec::Json);
    let data = json!({"gameType": "probe", "playerName": "Ada", "key": "a".repeat(16)});
    let joined = ada.must("create_room", data.clone()).await;

    probe.arm("view", How::Panics);
    let mut again = Client::connect(&gateway, Codec::Json);
    assert_eq!(again.refused("create_room", data.clone()).await["code"], "INTERNAL");
    probe.disarm();
    assert_eq!(ada.close_code(), None, "it keeps the seat");

    drop(ada);
    let mut back = Client::connect(&gateway, Codec::Json);
    back.must("reconnect", json!({"sessionToken": joined["sessionToken"]})).await;
    assert_eq!(again.must("create_room", data).await["playerId"], joined["playerId"]);
}
