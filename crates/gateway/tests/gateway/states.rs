//! Who is sent which state when: never an old one for the last, never one for nothing.

use std::time::Duration;

use parlor_protocol::Codec;
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::support::{Client, gateway, pass};

fn set(total: i64) -> Value {
    json!({"do": "set", "total": total})
}

/// The totals in the states that wait.
fn totals(client: &mut Client) -> Vec<i64> {
    let messages = client.drain();
    let states = messages.iter().filter(|message| message["type"] == "room_state");
    states.map(|message| message["data"]["state"]["total"].as_i64().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_state_that_looks_the_same_is_not_sent_again() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (mut bob, _) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
    for total in [1, 1, 1, 2, 2] {
        ada.must("game_action", set(total)).await;
    }
    ada.drain();
    totals(&mut bob);
    ada.must("game_action", set(2)).await;
    assert_eq!((totals(&mut ada), totals(&mut bob)), (vec![], vec![]));
    ada.must("game_action", set(3)).await;
    assert_eq!((totals(&mut ada), totals(&mut bob)), (vec![3], vec![3]));
}

/// What was last sent to Bob is state 1; he came back to state 2. When the game returns to state 1
/// that is news to him.
#[tokio::test(start_paused = true)]
async fn one_who_came_back_hears_of_a_state_that_it_had_before_it_went() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (bob, joined) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    ada.must("game_action", set(1)).await;
    drop(bob);
    ada.must("game_action", set(2)).await;

    let mut bob = Client::connect(&gateway, Codec::Json);
    let back = bob.must("reconnect", json!({"sessionToken": joined["sessionToken"]})).await;
    assert_eq!(back["state"]["total"], 2);
    totals(&mut bob);
    ada.must("game_action", set(1)).await;
    assert_eq!(totals(&mut bob), [1]);
}

/// The same by codec: all who spoke it were away while the state moved on in the other.
#[tokio::test(start_paused = true)]
async fn a_codec_that_nobody_used_for_a_while_does_not_hold_back_a_state() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::MsgPack, json!({})).await;
    let (_bob, joined) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    ada.must("game_action", set(1)).await;
    let token = json!({"sessionToken": joined["sessionToken"]});
    let mut bob = Client::connect(&gateway, Codec::MsgPack);
    bob.must("reconnect", token.clone()).await;
    ada.must("game_action", set(2)).await;
    let mut bob = Client::connect(&gateway, Codec::Json);
    bob.must("reconnect", token).await;
    ada.must("game_action", set(1)).await;
    assert_eq!(totals(&mut bob), [1]);
}

#[tokio::test(start_paused = true)]
async fn one_who_changes_roles_is_sent_the_state_of_its_new_role() {
    let gateway = gateway(&Probe::default());
    let options = json!({"min": 1, "max": 4, "start": "Host"});
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
    let mut carol = Client::connect(&gateway, Codec::Json);
    let watch = json!({"roomId": room["roomId"], "playerName": "Carol", "spectator": true});
    carol.must("join_room", watch).await;
    let (mut bob, _) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    let word = |state: &Value| state["state"]["word"].as_str().map(str::to_owned);
    ada.drain();
    for _ in 0..2 {
        bob.drain();
        bob.must("set_role", json!({"spectator": true})).await;
        assert_eq!(word(&bob.event("room_state")), None, "no word of its own any more");
        bob.must("set_role", json!({"spectator": false})).await;
        assert!(word(&bob.event("room_state")).is_some());
    }
}

/// One who has forfeited has left the game already, so that the game hears nothing of its new role and the
/// state stays as it is. Found by the simulation: nobody was sent anything, and the former player went on
/// with a player's view.
#[tokio::test(start_paused = true)]
async fn one_who_has_forfeited_and_then_watches_is_sent_what_spectators_see() {
    let gateway = gateway(&Probe::default());
    let options = json!({"min": 2, "max": 2, "late_join": true, "after_grace": "Forfeit"});
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
    let (bob, joined) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
    drop(bob);
    pass(Duration::from_secs(61)).await;
    let mut bob = Client::connect(&gateway, Codec::Json);
    let token = json!({"sessionToken": joined["sessionToken"]});
    let back = bob.must("reconnect", token).await;
    assert!(back["state"]["word"].is_string(), "it still has a player's view");
    ada.drain();
    bob.drain();

    bob.must("set_role", json!({"spectator": true})).await;
    let state = bob.event("room_state");
    assert_eq!((&state["state"]["word"], &state["version"]), (&Value::Null, &back["version"]));
    ada.must("game_action", set(1)).await;
    assert_eq!((totals(&mut ada), totals(&mut bob)), (vec![1], vec![1]));
}

#[tokio::test(start_paused = true)]
async fn an_undelivered_state_is_overtaken_by_a_newer_one_and_nothing_else_is_dropped() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (mut bob, _) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
    bob.drain();
    for total in 1..=50 {
        ada.must("game_action", set(total)).await;
        ada.must("game_action", json!({"do": "shout", "times": 1})).await;
    }
    let messages = bob.drain();
    let count = |kind: &str| messages.iter().filter(|message| message["type"] == kind).count();
    assert_eq!((count("game_event"), count("room_state")), (50, 1));
    let seqs: Vec<_> = messages.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    assert!(seqs.is_sorted(), "{seqs:?}");
}

#[tokio::test(start_paused = true)]
async fn get_state_gives_the_viewers_own_view_and_the_newest_version() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (mut bob, _) = Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Bob").await;
    bob.drain();
    ada.must("game_action", set(4)).await;
    let (a, b) = (ada.must("get_state", json!({})).await, bob.must("get_state", json!({})).await);
    assert_eq!((&a["version"], &a["phase"]), (&b["version"], &json!("playing")));
    assert_eq!((&a["state"]["total"], &b["state"]["total"]), (&json!(4), &json!(4)));
    assert_ne!(a["state"]["word"], b["state"]["word"]);
    assert_eq!(bob.event("room_state")["version"], b["version"]);
}
