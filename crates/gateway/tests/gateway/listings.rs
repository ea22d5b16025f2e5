//! Which rooms are shown to whom, and how often.

use std::collections::BTreeSet;
use std::time::Duration;

use parlor_protocol::Codec;
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::support::{Client, gateway, pass};

async fn open(
    gateway: &std::sync::Arc<parlor_gateway::Gateway>,
    options: Value,
) -> (Client, Value) {
    let (client, joined) = Client::host(gateway, Codec::Json, options).await;
    (client, joined["roomId"].clone())
}

#[tokio::test(start_paused = true)]
async fn pages_show_every_room_that_stays_exactly_once_while_others_come_and_go() {
    let gateway = gateway(&Probe::default());
    let mut rooms = Vec::new();
    for _ in 0..60 {
        rooms.push(open(&gateway, json!({})).await);
    }
    let stay: Vec<_> = rooms.iter().skip(1).step_by(2).map(|(_, room)| room.clone()).collect();
    let mut reader = Client::connect(&gateway, Codec::MsgPack);
    let (mut seen, mut cursor, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let request = json!({"gameType": "probe", "limit": 7, "cursor": cursor});
        let page = reader.must("list_rooms", request).await;
        let page_rooms = page["rooms"].as_array().unwrap();
        assert!(page_rooms.len() <= 7);
        seen.extend(page_rooms.iter().map(|info| info["roomId"].clone()));
        pages += 1;
        // One comes, one changes, one goes.
        open(&gateway, json!({})).await;
        let (guest, _) = (&mut rooms[2 * pages + 1], ());
        guest.0.must("update_room", json!({"locked": true})).await;
        let (mut gone, _) = rooms.remove(0);
        gone.must("leave_room", json!({})).await;
        rooms.insert(0, open(&gateway, json!({})).await);
        pass(Duration::from_secs(11)).await;
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let seen_of_those: Vec<_> = seen.iter().filter(|room| stay.contains(room)).cloned().collect();
    let newest_first: Vec<_> = stay.into_iter().rev().collect();
    assert_eq!(seen_of_those, newest_first);
    let unique: BTreeSet<_> = seen.iter().map(ToString::to_string).collect();
    assert_eq!(unique.len(), seen.len());
}

#[tokio::test(start_paused = true)]
async fn private_rooms_are_shown_to_nobody_and_found_by_their_code() {
    let gateway = gateway(&Probe::default());
    let mut ada = Client::connect(&gateway, Codec::Json);
    let create = json!({"gameType": "probe", "playerName": "Ada", "private": true});
    let room = ada.must("create_room", create).await;
    let mut bob = Client::connect(&gateway, Codec::Json);
    assert_eq!(bob.must("list_rooms", json!({})).await["rooms"], json!([]));
    let game = json!({"gameType": "probe"});
    assert_eq!(bob.must("subscribe_rooms", game).await, json!({"rooms": [], "more": false}));
    ada.must("chat", json!({"text": "x"})).await;
    pass(Duration::from_secs(1)).await;
    assert_eq!(bob.drain_types(), [""; 0]);
    ada.must("update_room", json!({"private": false})).await;
    pass(Duration::from_secs(1)).await;
    assert_eq!(bob.event("room_list_update")["changed"][0]["roomId"], room["roomId"]);
    ada.must("update_room", json!({"private": true})).await;
    pass(Duration::from_secs(1)).await;
    assert_eq!(bob.event("room_list_update")["removed"], json!([room["roomId"]]));
    bob.must("join_room", json!({"roomId": room["roomId"], "playerName": "Bob"})).await;
}

#[tokio::test(start_paused = true)]
async fn subscribers_hear_at_most_four_times_a_second_and_then_the_latest() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = open(&gateway, json!({})).await;
    let mut watcher = Client::connect(&gateway, Codec::MsgPack);
    let game = json!({"gameType": "probe"});
    let shown = watcher.must("subscribe_rooms", game.clone()).await;
    assert_eq!(shown["rooms"][0]["roomId"], room);
    for n in 0..200 {
        ada.must("update_room", json!({"metadata": {"n": n}})).await;
        pass(Duration::from_millis(10)).await;
    }
    pass(Duration::from_secs(1)).await;
    let updates = watcher.drain();
    assert!((7..=9).contains(&updates.len()), "{} in two seconds", updates.len());
    for update in &updates {
        assert_eq!(update["type"], "room_list_update");
        assert_eq!(update.get("seq"), None);
        assert_eq!(update["data"]["changed"].as_array().unwrap().len(), 1);
    }
    assert_eq!(updates.last().unwrap()["data"]["changed"][0]["metadata"]["n"], 199);

    watcher.must("unsubscribe_rooms", game).await;
    ada.must("update_room", json!({"locked": true})).await;
    pass(Duration::from_secs(1)).await;
    assert_eq!(watcher.drain_types(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_belongs_to_the_socket_and_shows_joinable_rooms_and_closed_ones_go() {
    let gateway = gateway(&Probe::default());
    let (mut ada, first) = open(&gateway, json!({"max": 3, "start": "Host"})).await;
    let (mut bob, _) = open(&gateway, json!({})).await;
    bob.must("update_room", json!({"locked": true})).await;
    let mut watcher = Client::connect(&gateway, Codec::Json);
    let shown = watcher.must("subscribe_rooms", json!({"gameType": "probe"})).await;
    assert_eq!(shown["rooms"].as_array().unwrap().len(), 1, "the locked one is not joinable");
    watcher.must("join_room", json!({"roomId": first, "playerName": "W"})).await;
    pass(Duration::from_secs(1)).await;
    let update = watcher.event("room_list_update");
    assert_eq!(update["changed"][0]["playerCount"], 2);
    ada.must("leave_room", json!({})).await;
    watcher.must("leave_room", json!({})).await;
    pass(Duration::from_secs(12)).await;
    let removed = loop {
        let update = watcher.event("room_list_update");
        if update["removed"] != json!([]) {
            break update["removed"].clone();
        }
    };
    assert_eq!(removed, json!([first]));
}

#[tokio::test(start_paused = true)]
async fn more_than_two_hundred_rooms_are_said_to_be_more() {
    let gateway = gateway(&Probe::default());
    let mut rooms = Vec::new();
    let mut watcher = Client::connect(&gateway, Codec::MsgPack);
    for expect in [false, true] {
        while rooms.len() < if expect { 201 } else { 200 } {
            rooms.push(open(&gateway, json!({})).await);
        }
        let shown = watcher.must("subscribe_rooms", json!({"gameType": "probe"})).await;
        assert_eq!(shown["rooms"].as_array().unwrap().len(), 200);
        assert_eq!(shown["more"], expect);
    }
    let page = watcher.must("list_rooms", json!({"limit": 200})).await;
    assert_eq!(page["rooms"].as_array().unwrap().len(), 200);
    assert!(page["cursor"].is_string());
    assert_eq!(watcher.must("list_rooms", json!({})).await["rooms"].as_array().unwrap().len(), 50);
}

#[tokio::test(start_paused = true)]
async fn quick_match_takes_the_fullest_open_room_with_equal_options_or_opens_one() {
    let gateway = gateway(&Probe::default());
    let options = json!({"min": 2, "max": 4, "start": "Host"});
    let (_a, emptier) = open(&gateway, options.clone()).await;
    let (_b, fuller) = open(&gateway, options.clone()).await;
    let (_c, _) = Client::guest(&gateway, Codec::Json, &fuller, "C").await;
    let (_d, _other_options) = open(&gateway, json!({"min": 2, "max": 3, "start": "Host"})).await;
    let mut hidden = Vec::new();
    for (field, value) in [("private", json!(true)), ("password", json!("secret"))] {
        let mut client = Client::connect(&gateway, Codec::Json);
        let mut create = json!({"gameType": "probe", "playerName": "H", "options": options});
        create[field] = value;
        client.must("create_room", create).await;
        hidden.push(client);
    }
    let (mut locked, _) = open(&gateway, options.clone()).await;
    locked.must("update_room", json!({"locked": true})).await;

    // Defaults are filled in: leaving out what is the default is the same.
    let same = json!({"max": 4, "start": "Host"});
    let ask = json!({"gameType": "probe", "playerName": "Q", "options": same});
    let mut guests = Vec::new();
    for expect in [&fuller, &fuller, &emptier, &emptier, &emptier] {
        let mut guest = Client::connect(&gateway, Codec::MsgPack);
        assert_eq!(guest.must("quick_match", ask.clone()).await["roomId"], *expect);
        guests.push(guest);
    }
    let rooms = gateway.room_count();
    let mut guest = Client::connect(&gateway, Codec::Json);
    let joined = guest.must("quick_match", ask).await;
    assert_eq!(gateway.room_count(), rooms + 1, "a new one");
    assert_eq!(joined["host"], joined["playerId"]);
}
