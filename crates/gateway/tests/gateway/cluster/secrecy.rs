//! What crosses the bus, and what is believed of it.

use parlor_protocol::Codec;
use serde_json::json;

use super::cloud::{Cloud, SOON};
use super::{table, token_of, wide};
use crate::support::{Client, contains, next_id, pass};

#[tokio::test(start_paused = true)]
async fn tokens_passwords_and_joining_keys_never_cross_the_bus() {
    for codec in Codec::ALL {
        let mut cloud = Cloud::default();
        cloud.config.secret = None;
        let [one, two, three] = cloud.nodes().await;
        let (password, wrong) = ("correct horse", "battery staple");
        let keys = ["first key 4567890", "second key 567890", "third key 4567890"];
        let mut ada = Client::connect(&one, codec);
        let mut create = json!({
            "gameType": "probe", "playerName": "Ada", "options": wide(),
            "password": password, "key": keys[0],
        });
        let room = ada.must("create_room", create.clone()).await;
        let mut again = Client::connect(&two, codec);
        let seat = again.must("create_room", create.clone()).await;
        assert_eq!(seat["roomId"], room["roomId"]);

        let mut bob = Client::connect(&two, codec);
        let mut join = json!({"roomId": room["roomId"], "playerName": "Bob", "password": wrong});
        assert_eq!(bob.refused("join_room", join.clone()).await["code"], "WRONG_PASSWORD");
        join["password"] = json!(password);
        join["key"] = json!(keys[1]);
        let joined = bob.must("join_room", join.clone()).await;
        // It has a seat: what it asks goes there, but not this.
        for data in [token_of(&joined), token_of(&room)] {
            assert_eq!(bob.refused("reconnect", data).await["code"], "ALREADY_IN_ROOM");
        }
        assert_eq!(bob.refused("join_room", join).await["code"], "ALREADY_IN_ROOM");
        create["key"] = json!(keys[2]);
        assert_eq!(bob.refused("create_room", create.clone()).await["code"], "ALREADY_IN_ROOM");
        bob.refused("authenticate", json!({"token": "an access token"})).await;
        bob.must("chat", json!({"text": "this is no secret"})).await;
        bob.send(&json!([
            {"type": "leave_room", "id": next_id()},
            {"type": "create_room", "id": next_id(), "data": create},
        ]))
        .await;
        pass(SOON).await;
        let messages = bob.drain();
        let own = messages.iter().find(|m| m["type"] == "create_room_result").unwrap();
        drop(bob);
        let mut bob = Client::connect(&three, codec);
        bob.must("reconnect", token_of(&own["data"])).await;
        pass(SOON).await;

        let sent = cloud.bus.sent();
        assert!(contains(&sent, "this is no secret"));
        let tokens = [&room, &seat, &joined, &own["data"]].map(|data| &data["sessionToken"]);
        let tokens = tokens.map(|token| token.as_str().expect("a token"));
        let secrets = [&tokens[..], &keys, &[password, wrong, "an access token"]].concat();
        for secret in secrets {
            assert!(!contains(&sent, secret), "{secret}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_secret_what_is_unsigned_tampered_with_or_for_another_inbox_is_refused() {
    let mut cloud = Cloud::default();
    cloud.config.secret = Some(b"between us".to_vec());
    let [one, two] = cloud.nodes().await;
    let (mut ada, mut bob, _) = table(&one, &two, Codec::Json, json!({})).await;
    ada.must("chat", json!({"text": "signed"})).await;
    pass(SOON).await;
    assert!(bob.drain_types().contains(&"chat_message".to_owned()));

    let signed = cloud.bus.last_to(&two);
    let mut tampered = signed.clone();
    *tampered.last_mut().unwrap() ^= 1;
    let mut other_signature = signed.clone();
    other_signature[1] ^= 1;
    let unsigned = [&[0x10], &signed[33..]].concat();
    let forged = [
        tampered,
        other_signature,
        unsigned,
        signed[..20].to_vec(),
        cloud.bus.last_to(&one),
        Vec::new(),
        b"garbage".to_vec(),
    ];
    for message in forged {
        cloud.bus.slip_in(&two, message).await;
    }
    pass(SOON).await;
    ada.must("chat", json!({"text": "still"})).await;
    pass(SOON).await;
    assert_eq!(bob.event("chat_message")["text"], "still");
    assert_eq!(bob.close_code(), None);
}

#[tokio::test(start_paused = true)]
async fn nodes_with_different_secrets_do_not_hear_each_other() {
    let mut cloud = Cloud::default();
    cloud.config.secret = Some(b"one".to_vec());
    let one = cloud.node();
    for secret in [None, Some(b"two".to_vec())] {
        cloud.config.secret = secret;
        let two = cloud.node();
        pass(super::cloud::ACQUAINTED).await;
        let (_ada, room) = Client::host(&one, Codec::Json, wide()).await;
        let mut bob = Client::connect(&two, Codec::Json);
        pass(SOON).await;
        let data = json!({"roomId": room["roomId"], "playerName": "Bob"});
        assert_eq!(bob.refused("join_room", data).await["code"], "ROOM_UNAVAILABLE");
    }
}
