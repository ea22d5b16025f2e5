//! Bots: they play like anyone, at their own pace, on the driver or on a thread of their own.

use std::time::Duration;

use parlor_protocol::Codec;
use serde_json::json;

use crate::probe::{How, Probe};
use crate::support::{Client, gateway, pass};

/// Waits until the total is `expect`, for a virtual while.
async fn until_total(client: &mut Client, expect: i64) {
    for _ in 0..200 {
        if client.must("get_state", json!({})).await["state"]["total"] == expect {
            return;
        }
        pass(Duration::from_millis(50)).await;
    }
    panic!("the total never was {expect}");
}

#[tokio::test(start_paused = true)]
async fn inline_and_searching_bots_answer_each_state() {
    for level in ["quick", "deep"] {
        let gateway = gateway(&Probe::default());
        let (mut ada, _) = Client::host(&gateway, Codec::Json, json!({})).await;
        let bot = ada.must("add_bot", json!({"level": level})).await;
        assert_eq!(bot["playerId"], 2);
        let joined = ada.event("player_joined");
        let joined = if joined["playerId"] == 2 { joined } else { ada.event("player_joined") };
        assert_eq!((&joined["kind"], &joined["connected"]), (&json!("bot"), &json!(true)));
        ada.event("game_started");
        for total in [1, 5, 9] {
            ada.must("game_action", json!({"do": "set", "total": total})).await;
            pass(Duration::from_millis(300)).await;
            let state = ada.must("get_state", json!({})).await["state"].clone();
            assert_eq!(state["total"], total, "it seems to think");
            until_total(&mut ada, total + 1).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bot_whose_action_breaks_down_rests_until_the_state_changes() {
    let probe = Probe::default();
    let gateway = gateway(&probe);
    let (mut ada, _) = Client::host(&gateway, Codec::Json, json!({})).await;
    ada.must("add_bot", json!({})).await;
    ada.must("game_action", json!({"do": "set", "total": 1})).await;
    probe.arm("on_action", How::Panics);
    pass(Duration::from_secs(60)).await;
    probe.disarm();
    assert_eq!(ada.must("get_state", json!({})).await["state"]["total"], 1);
    ada.must("game_action", json!({"do": "set", "total": 3})).await;
    until_total(&mut ada, 4).await;
}

#[tokio::test(start_paused = true)]
async fn a_bot_sits_in_for_one_who_is_away_too_long_until_it_is_back() {
    let gateway = gateway(&Probe::default());
    let options = json!({"after_grace": {"StandIn": {"level": "quick"}}});
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
    let (bob, of_bob) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    ada.must("game_action", json!({"do": "set", "total": 1})).await;
    drop(bob);
    pass(Duration::from_secs(59)).await;
    assert_eq!(ada.must("get_state", json!({})).await["state"]["total"], 1);
    until_total(&mut ada, 2).await;
    let replaced = ada.event("player_replaced");
    assert_eq!((&replaced["kind"], &replaced["name"]), (&json!("bot"), &json!("Bob")));

    let mut bob = Client::connect(&gateway, Codec::MsgPack);
    let back = bob.must("reconnect", json!({"sessionToken": of_bob["sessionToken"]})).await;
    assert_eq!(back["state"]["word"], of_bob["state"]["word"]);
    assert_eq!(ada.event("player_replaced")["kind"], "human");
    ada.must("game_action", json!({"do": "set", "total": 7})).await;
    pass(Duration::from_secs(30)).await;
    assert_eq!(ada.must("get_state", json!({})).await["state"]["total"], 7, "no bot any more");
}
