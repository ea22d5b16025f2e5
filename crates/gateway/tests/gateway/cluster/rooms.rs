//! Where new rooms are made, and how those of all nodes are listed and found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parlor_gateway::Gateway;
use parlor_protocol::Codec;
use serde_json::{Value, json};

use super::cloud::{ACQUAINTED, Cloud, SOON};
use super::{code_of, wide};
use crate::support::{Client, pass};

async fn opened(node: &Arc<Gateway>, options: Value) -> (Client, Value) {
    Client::host(node, Codec::Json, options).await
}

#[tokio::test(start_paused = true)]
async fn new_rooms_go_where_there_is_clearly_more_place() {
    let cloud = Cloud::default();
    let one = cloud.node();
    let mut full = Vec::new();
    for _ in 0..40 {
        full.push(opened(&one, wide()).await);
    }
    let two = cloud.node();
    pass(ACQUAINTED).await;
    let mut players = Vec::new();
    for _ in 0..5 {
        players.push(opened(&one, wide()).await);
    }
    assert_eq!((one.room_count(), two.room_count()), (40, 5), "asked of one, made on the other");
    for (client, joined) in &mut players {
        client.must("chat", json!({"text": "x"})).await;
        let owner = cloud.directory.owner(&code_of(joined)).await.unwrap();
        assert_eq!(Some(&*owner.node), two.node());
        assert_eq!(joined["host"], joined["playerId"]);
    }
    players.push(opened(&two, wide()).await);
    assert_eq!(two.room_count(), 6, "and what is asked of the other stays there");

    // What comes at once is shared out, before the other says how it is.
    for _ in 0..60 {
        players.push(opened(&one, wide()).await);
    }
    let (on_one, on_two) = (one.room_count(), two.room_count());
    assert!(on_two < on_one, "{on_one} and {on_two}");

    // One that takes nobody new gets nothing.
    two.drain(Duration::from_secs(1));
    two.drain_elsewhere().await;
    for passes in [false, true] {
        if passes {
            pass(Duration::from_secs(3)).await;
        }
        let before = one.room_count();
        players.push(opened(&one, wide()).await);
        assert_eq!(one.room_count(), before + 1, "others have heard of it: {passes}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_show_every_room_of_all_nodes_that_stays_exactly_once_while_others_come_and_go() {
    let cloud = Cloud::default();
    let nodes = cloud.nodes::<3>().await;
    let (mut stay, mut others) = (BTreeMap::new(), Vec::new());
    for n in 0..60 {
        let (client, joined) = opened(&nodes[n % 3], json!({})).await;
        // Some are made in the same millisecond.
        if n % 4 == 0 {
            pass(Duration::from_millis(3)).await;
        }
        if n % 2 == 0 { others.push(client) } else { drop(stay.insert(code_of(&joined), client)) }
    }
    pass(SOON).await;
    for reader in &nodes {
        let mut reader = Client::connect(reader, Codec::MsgPack);
        let (mut seen, mut cursor, mut pages) = (Vec::new(), Value::Null, 0);
        loop {
            let request = json!({"gameType": "probe", "limit": 7, "cursor": cursor});
            let page = reader.must("list_rooms", request).await;
            let rooms = page["rooms"].as_array().unwrap();
            seen.extend(rooms.iter().map(|info| info["roomId"].as_str().unwrap().to_owned()));
            // One comes, one goes, one changes.
            others.push(opened(&nodes[pages % 3], json!({})).await.0);
            others.remove(0).must("leave_room", json!({})).await;
            let changing = stay.values_mut().nth(pages % 30).unwrap();
            changing.must("update_room", json!({"metadata": {"n": pages}})).await;
            changing.receive();
            pass(Duration::from_secs(11)).await;
            pages += 1;
            cursor = page["cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        let unique: BTreeSet<_> = seen.iter().collect();
        assert_eq!(unique.len(), seen.len(), "none twice");
        assert!(stay.keys().all(|room| unique.contains(room)), "none left out");
        assert!(pages > 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_of_one_node_goes_on_at_another() {
    let cloud = Cloud::default();
    let nodes = cloud.nodes::<3>().await;
    let mut hosts = Vec::new();
    for n in 0..30 {
        hosts.push(opened(&nodes[n % 3], json!({})).await);
    }
    pass(SOON).await;
    let (mut seen, mut cursor, mut page_number) = (Vec::new(), Value::Null, 0);
    loop {
        let mut reader = Client::connect(&nodes[page_number % 3], Codec::Json);
        let page = reader.must("list_rooms", json!({"limit": 4, "cursor": cursor})).await;
        let rooms = page["rooms"].as_array().unwrap();
        seen.extend(rooms.iter().map(|info| info["roomId"].as_str().unwrap().to_owned()));
        page_number += 1;
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let all: BTreeSet<_> = hosts.iter().map(|(_, joined)| code_of(joined)).collect();
    assert_eq!(seen.len(), 30);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), all);
}

#[tokio::test(start_paused = true)]
async fn subscribers_hear_of_rooms_of_all_nodes() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let mut watcher = Client::connect(&two, Codec::Json);
    let nothing = json!({"rooms": [], "more": false});
    assert_eq!(watcher.must("subscribe_rooms", json!({"gameType": "probe"})).await, nothing);
    let (mut ada, joined) = opened(&one, wide()).await;
    pass(SOON).await;
    let update = watcher.event("room_list_update");
    assert_eq!(update["changed"][0]["roomId"], joined["roomId"]);
    ada.must("update_room", json!({"locked": true})).await;
    pass(SOON).await;
    assert_eq!(watcher.event("room_list_update")["changed"][0]["locked"], true);
    ada.must("update_room", json!({"private": true})).await;
    pass(SOON).await;
    assert_eq!(watcher.event("room_list_update")["removed"], json!([joined["roomId"]]));
    ada.must("update_room", json!({"private": false})).await;
    pass(SOON).await;
    assert_eq!(watcher.event("room_list_update")["changed"][0]["roomId"], joined["roomId"]);
    ada.must("leave_room", json!({})).await;
    pass(Duration::from_secs(11)).await;
    watcher.receive();
    let last = watcher.drain().pop().unwrap();
    assert_eq!(last["data"]["removed"], json!([joined["roomId"]]));
}

#[tokio::test(start_paused = true)]
async fn quick_match_joins_a_room_of_another_node() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (mut ada, joined) = opened(&one, wide()).await;
    pass(SOON).await;
    let ask = json!({"gameType": "probe", "playerName": "Q", "options": wide()});
    let mut guests = Vec::new();
    for _ in 0..3 {
        let mut guest = Client::connect(&two, Codec::MsgPack);
        assert_eq!(guest.must("quick_match", ask.clone()).await["roomId"], joined["roomId"]);
        guests.push(guest);
    }
    // Nobody has told this node yet that it is full.
    let mut late = Client::connect(&two, Codec::Json);
    assert_ne!(late.must("quick_match", ask).await["roomId"], joined["roomId"]);
    pass(SOON).await;
    assert_eq!(ada.drain_types().iter().filter(|kind| *kind == "player_joined").count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_private_room_of_another_node_is_found_by_its_code_and_a_password_is_checked_there() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let mut ada = Client::connect(&one, Codec::Json);
    let create = json!({
        "gameType": "probe", "playerName": "Ada", "private": true, "password": "open sesame",
    });
    let room = ada.must("create_room", create).await;
    let mut bob = Client::connect(&two, Codec::Json);
    assert_eq!(bob.must("list_rooms", json!({})).await["rooms"], json!([]));
    let mut join = json!({"roomId": code_of(&room).to_lowercase(), "playerName": "Bob"});
    assert_eq!(bob.refused("join_room", join.clone()).await["code"], "WRONG_PASSWORD");
    join["password"] = json!("open barley");
    assert_eq!(bob.refused("join_room", join.clone()).await["code"], "WRONG_PASSWORD");
    join["password"] = json!("open sesame");
    bob.must("join_room", join).await;
}
