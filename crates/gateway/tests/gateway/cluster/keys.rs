//! A key asked again on another node.

use parlor_protocol::Codec;
use serde_json::json;

use super::cloud::{Cloud, SOON};
use super::wide;
use crate::support::{Client, pass};

#[tokio::test(start_paused = true)]
async fn a_key_asked_again_on_another_node_gets_the_same_seat() {
    let cloud = Cloud::default();
    let nodes = cloud.nodes::<3>().await;
    let (_ada, room) = Client::host(&nodes[0], Codec::Json, json!({"min": 2, "max": 4})).await;
    pass(SOON).await;
    let mut number = 0;
    for (first, second) in [(0, 1), (1, 0), (1, 2)] {
        for kind in ["create_room", "join_room", "quick_match"] {
            number += 1;
            let mut data = json!({"playerName": "K", "key": format!("key {number:012}")});
            match kind {
                "join_room" => data["roomId"] = room["roomId"].clone(),
                // An option of its own, so that no other round's room is found.
                _ => {
                    data["gameType"] = json!("probe");
                    data["options"] = json!({"min": 1, "max": 2, "lobby_grace": 20 + number});
                }
            }
            let count = || nodes.iter().map(|node| node.room_count()).sum::<usize>();
            let rooms = count();
            let mut lost = Client::connect(&nodes[first], Codec::Json);
            let one = lost.must(kind, data.clone()).await;
            let mut again = Client::connect(&nodes[second], Codec::MsgPack);
            let two = again.must(kind, data.clone()).await;
            for field in ["roomId", "playerId", "epoch"] {
                assert_eq!(one[field], two[field], "{kind} on {first} and {second}: {field}");
            }
            assert_ne!(one["sessionToken"], two["sessionToken"]);
            pass(SOON).await;
            assert_eq!(lost.close_code(), Some(4001), "{kind}: one socket for a seat");
            assert!(count() <= rooms + 1, "{kind}: no second room");
            let mut other = data.clone();
            other["playerName"] = json!("Other");
            let mut thief = Client::connect(&nodes[second], Codec::Json);
            let error = thief.refused(kind, other).await;
            assert_eq!(error["details"]["reason"], "key_reused", "{kind} on {first} and {second}");
            again.must("leave_room", json!({})).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_gets_the_same_seat_when_the_node_that_was_asked_first_is_gone() {
    for kind in ["join_room", "quick_match"] {
        let cloud = Cloud::default();
        let [one, two, three] = cloud.nodes().await;
        let (_ada, room) = Client::host(&one, Codec::Json, wide()).await;
        pass(SOON).await;
        let mut data = json!({"playerName": "K", "key": "k".repeat(16)});
        match kind {
            "join_room" => data["roomId"] = room["roomId"].clone(),
            _ => {
                data["gameType"] = json!("probe");
                data["options"] = wide();
            }
        }
        let mut lost = Client::connect(&two, Codec::Json);
        let first = lost.must(kind, data.clone()).await;
        assert_eq!(first["roomId"], room["roomId"]);
        cloud.isolate(&two, true);
        drop((lost, two));
        let mut again = Client::connect(&three, Codec::Json);
        let second = again.must(kind, data.clone()).await;
        assert_eq!(first["roomId"], second["roomId"], "{kind}");
        assert_eq!(first["playerId"], second["playerId"], "{kind}");
    }
}

/// What it led to can be given to nobody any more.
#[tokio::test(start_paused = true)]
async fn a_key_whose_room_is_gone_with_its_node_opens_another() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let data = json!({"gameType": "probe", "playerName": "K", "key": "k".repeat(16)});
    let mut lost = Client::connect(&one, Codec::Json);
    let first = lost.must("create_room", data.clone()).await;
    cloud.isolate(&one, true);
    drop((lost, one));
    let mut again = Client::connect(&two, Codec::Json);
    let error = again.refused("create_room", data.clone()).await;
    assert!(error["code"] == "ROOM_UNAVAILABLE" && error["retryable"] == true, "{error}");
    pass(cloud.config.lease).await;
    let second = again.must("create_room", data).await;
    assert_ne!(first["roomId"], second["roomId"]);
}
