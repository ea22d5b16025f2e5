//! Nodes that go and nodes that die.

use std::sync::Arc;
use std::time::Duration;

use parlor_protocol::Codec;
use serde_json::json;

use super::cloud::{Cloud, SOON};
use super::{refusal, table, token_of, wide};
use crate::support::{Client, pass, settle};

#[tokio::test(start_paused = true)]
async fn rooms_of_a_node_that_leaves_vanish_at_once_and_are_said_to_be_closed() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (ada, mut bob, joined) = table(&one, &two, Codec::Json, wide()).await;
    let mut watcher = Client::connect(&two, Codec::Json);
    assert_eq!(watcher.must("list_rooms", json!({})).await["rooms"].as_array().unwrap().len(), 1);
    one.leave_cluster().await;
    settle().await;
    assert_eq!(watcher.must("list_rooms", json!({})).await["rooms"], json!([]));
    assert_eq!(bob.close_code(), Some(1001));
    // The program takes its time to go.
    for _ in 0..10 {
        assert_eq!(two.other_nodes(), 0, "it does not come back");
        assert_eq!(refusal(&two, &joined).await, "ROOM_CLOSED");
        assert_eq!(watcher.must("list_rooms", json!({})).await["rooms"], json!([]));
        pass(Duration::from_secs(1)).await;
    }
    drop(ada);
    let weak = Arc::downgrade(&one);
    drop(one);
    settle().await;
    assert!(weak.upgrade().is_none(), "nothing keeps it");
}

#[tokio::test(start_paused = true)]
async fn rooms_of_a_node_that_dies_are_unavailable_until_its_lease_has_ended_and_then_closed() {
    let cloud = Cloud::default();
    let [one, two, three] = cloud.nodes().await;
    let (ada, mut bob, joined) = table(&one, &two, Codec::Json, wide()).await;
    cloud.isolate(&one, true);
    drop((ada, one));
    let began = tokio::time::Instant::now();
    pass(Duration::from_secs(4)).await;
    assert_eq!(bob.close_code(), Some(4006));
    assert_eq!(refusal(&two, &joined).await, "ROOM_UNAVAILABLE");
    let mut last = String::new();
    while began.elapsed() < cloud.config.lease + Duration::from_secs(3) {
        for node in [&two, &three] {
            let code = refusal(node, &joined).await;
            assert!(last != "ROOM_CLOSED" || code == "ROOM_CLOSED", "closed stays closed");
            assert!(["ROOM_UNAVAILABLE", "ROOM_CLOSED"].contains(&&*code), "{code}");
            last = code;
        }
        pass(Duration::from_millis(500)).await;
    }
    assert_eq!(last, "ROOM_CLOSED");
    for node in [&two, &three] {
        let mut watcher = Client::connect(node, Codec::Json);
        assert_eq!(watcher.must("list_rooms", json!({})).await["rooms"], json!([]));
        assert_eq!(node.other_nodes(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_frozen_comes_back_with_its_rooms() {
    for seconds in [2, 6, 30] {
        let cloud = Cloud::default();
        let [one, two] = cloud.nodes().await;
        let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, json!({})).await;
        cloud.isolate(&one, true);
        pass(Duration::from_secs(seconds)).await;
        cloud.isolate(&one, false);
        pass(cloud.config.lease + Duration::from_secs(5)).await;
        assert_eq!(bob.close_code(), Some(4006));
        assert_eq!(ada.close_code(), None);
        let mut bob = Client::connect(&two, Codec::Json);
        bob.must("reconnect", token_of(&joined)).await;
        ada.must("chat", json!({"text": "here"})).await;
        pass(SOON).await;
        assert!(bob.drain_types().contains(&"chat_message".to_owned()));
        let mut watcher = Client::connect(&two, Codec::Json);
        let rooms = watcher.must("list_rooms", json!({})).await;
        assert_eq!(rooms["rooms"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_draining_node_gets_no_rooms_shows_none_to_others_and_lets_its_players_come_back() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, wide()).await;
    one.drain(Duration::from_secs(1));
    one.drain_elsewhere().await;
    pass(SOON).await;
    assert!(ada.find_event("server_draining").is_some());
    assert!(bob.find_event("server_draining").is_some(), "its room goes");
    // A change does not bring it back.
    ada.must("update_room", json!({"metadata": {"n": 1}})).await;
    pass(SOON).await;
    let mut carol = Client::connect(&two, Codec::Json);
    assert_eq!(carol.must("list_rooms", json!({})).await["rooms"], json!([]));
    let ask = json!({"gameType": "probe", "playerName": "Carol", "options": wide()});
    assert_ne!(carol.must("quick_match", ask).await["roomId"], joined["roomId"]);
    let mut dave = Client::connect(&two, Codec::Json);
    let data = json!({"roomId": joined["roomId"], "playerName": "Dave"});
    assert_eq!(dave.refused("join_room", data).await["code"], "DRAINING");
    drop(bob);
    let mut bob = Client::connect(&two, Codec::Json);
    bob.must("reconnect", token_of(&joined)).await;
    bob.must("chat", json!({"text": "x"})).await;
}
