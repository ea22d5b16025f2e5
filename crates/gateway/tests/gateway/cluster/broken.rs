//! A bus that does not do what it should: nothing is lost but the socket.

use std::sync::Arc;
use std::time::Duration;

use parlor_gateway::Gateway;
use parlor_protocol::Codec;
use serde_json::{Value, json};

use super::cloud::{ACQUAINTED, Cloud, SOON};
use super::{events, return_of, table};
use crate::support::{Client, pass, settle};

/// Bob, whose socket at `two` is closed with 4006, comes back there and has missed nothing of what Ada was told.
async fn comes_back(
    two: &Arc<Gateway>,
    mut ada: Client,
    mut ada_heard: Vec<Value>,
    mut bob: Client,
    joined: &Value,
) {
    assert_eq!(bob.close_code(), Some(4006));
    let mut heard = bob.drain();
    drop(bob);
    let mut bob = Client::connect(two, Codec::Json);
    let back = bob.must("reconnect", return_of(joined, &heard)).await;
    assert_eq!(back["resumed"], "replayed");
    bob.must("chat", json!({"text": "back"})).await;
    pass(SOON).await;
    heard.extend(bob.drain());
    ada_heard.extend(ada.drain());
    let since = |messages: &[Value]| -> Vec<Value> {
        let first = joined["seq"].as_u64().unwrap();
        let is_later = |message: &Value| message["seq"].as_u64() > Some(first);
        events(messages).into_iter().filter(is_later).collect()
    };
    assert_eq!(since(&heard), since(&ada_heard));
    assert_eq!(bob.close_code(), None);
}

/// The same story for whatever goes wrong on the way to Bob's node.
async fn something_goes_wrong(wrong: impl Fn(&Cloud, &Arc<Gateway>, &Arc<Gateway>)) {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (mut ada, room) = Client::host(&one, Codec::Json, json!({})).await;
    let (bob, joined) = Client::guest(&two, Codec::Json, &room["roomId"], "Bob").await;
    pass(SOON).await;
    wrong(&cloud, &one, &two);
    for n in 0..5 {
        ada.must("chat", json!({"text": format!("line {n}")})).await;
        ada.must("game_action", json!({"do": "set", "total": n})).await;
        ada.receive();
        settle().await;
    }
    pass(Duration::from_secs(5)).await;
    let heard = ada.drain();
    comes_back(&two, ada, heard, bob, &joined).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_message_ends_the_link_with_4006_and_the_client_has_lost_nothing() {
    something_goes_wrong(|cloud, _, two| cloud.bus.lose(two, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn several_lost_messages_end_the_link_with_4006_and_the_client_has_lost_nothing() {
    something_goes_wrong(|cloud, _, two| cloud.bus.lose(two, 7)).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_could_not_be_sent_ends_the_link_and_the_client_has_lost_nothing() {
    something_goes_wrong(|cloud, _, two| cloud.bus.fail(two, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn messages_in_the_wrong_order_end_the_link_and_the_client_has_lost_nothing() {
    something_goes_wrong(|cloud, _, two| cloud.bus.swap(two)).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_lost_on_the_way_to_the_room_ends_the_link_with_4006() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, json!({})).await;
    let bob_heard = bob.drain();
    cloud.bus.lose(&one, 1);
    // It waits for an answer until the loss shows.
    let id = crate::support::next_id();
    let chat = json!({"type": "chat", "id": id, "data": {"text": "lost"}});
    bob.send(&chat).await;
    assert_eq!(bob.close_code(), Some(4006));
    let mut again = Client::connect(&two, Codec::Json);
    again.must("reconnect", return_of(&joined, &bob_heard)).await;
    again.send(&chat).await;
    pass(SOON).await;
    let lines = ada.drain().iter().filter(|message| message["type"] == "chat_message").count();
    assert_eq!(lines, 1, "asked twice, said once");
}

#[tokio::test(start_paused = true)]
async fn messages_that_come_twice_change_nothing() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    cloud.bus.repeat(&one, 1000);
    cloud.bus.repeat(&two, 1000);
    let (mut ada, mut bob, _) = table(&one, &two, Codec::Json, json!({})).await;
    ada.drain();
    bob.drain();
    for n in 0..20 {
        ada.must("chat", json!({"text": format!("from Ada {n}")})).await;
        bob.must("chat", json!({"text": format!("from Bob {n}")})).await;
    }
    pass(Duration::from_secs(5)).await;
    let (ada_heard, bob_heard) = (events(&ada.drain()), events(&bob.drain()));
    assert_eq!(ada_heard.len(), 40);
    assert_eq!(ada_heard, bob_heard);
    assert_eq!((ada.close_code(), bob.close_code()), (None, None));
    assert_eq!(one.room_count(), 1);
}

/// What began a stream comes once more when another has begun long since.
#[tokio::test(start_paused = true)]
async fn a_message_of_a_stream_that_is_over_changes_nothing() {
    let cloud = Cloud::default();
    let one = cloud.node();
    let two = cloud.node();
    let mut first = None;
    while first.is_none() {
        settle().await;
        tokio::time::advance(Duration::from_millis(1)).await;
        first = cloud.bus.try_last_to(&two);
    }
    pass(ACQUAINTED).await;
    // The stream begins anew.
    cloud.bus.lose(&two, 1);
    pass(Duration::from_secs(5)).await;
    let (mut ada, mut bob, _) = table(&one, &two, Codec::Json, json!({})).await;
    cloud.bus.slip_in(&two, first.unwrap()).await;
    pass(Duration::from_secs(2)).await;
    ada.must("chat", json!({"text": "still there"})).await;
    pass(SOON).await;
    assert_eq!(bob.close_code(), None);
    assert_eq!(bob.event("chat_message")["text"], "still there");
}

#[tokio::test(start_paused = true)]
async fn nodes_out_of_touch_with_each_other_end_their_links_and_say_unavailable_until_they_are_back()
 {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, json!({})).await;
    let mut heard = ada.drain();
    cloud.bus.part(&one, &two, true);
    pass(Duration::from_secs(5)).await;
    assert_eq!(bob.close_code(), Some(4006));
    assert_eq!(ada.close_code(), None);
    ada.must("chat", json!({"text": "meanwhile"})).await;
    heard.extend(ada.drain());
    assert_eq!(heard.last().unwrap()["data"]["text"], "meanwhile");
    let mut late = Client::connect(&two, Codec::Json);
    let error = late.refused("reconnect", return_of(&joined, &[])).await;
    assert_eq!((&error["code"], &error["retryable"]), (&json!("ROOM_UNAVAILABLE"), &json!(true)));
    cloud.bus.part(&one, &two, false);
    pass(Duration::from_secs(2)).await;
    comes_back(&two, ada, heard, bob, &joined).await;
}

/// One hears the other and is not heard. Whoever only listens would never find out by itself.
#[tokio::test(start_paused = true)]
async fn links_end_on_both_sides_when_only_one_direction_is_cut() {
    for to_room in [true, false] {
        let cloud = Cloud::default();
        let [one, two] = cloud.nodes().await;
        let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, json!({})).await;
        let mut heard = ada.drain();
        let (from, to) = if to_room { (&two, &one) } else { (&one, &two) };
        cloud.bus.cut(from, to, true);
        pass(Duration::from_secs(6)).await;
        assert_eq!(bob.close_code(), Some(4006), "the way to the room is cut: {to_room}");
        heard.extend(ada.drain());
        assert!(heard.iter().any(|message| message["type"] == "player_disconnected"));
        cloud.bus.cut(from, to, false);
        pass(Duration::from_secs(2)).await;
        comes_back(&two, ada, heard, bob, &joined).await;
    }
}

/// Nothing is missing by number when it comes, but one side has given up meanwhile.
#[tokio::test(start_paused = true)]
async fn messages_that_come_late_but_whole_leave_no_link_with_one_end() {
    for to_room in [true, false] {
        let cloud = Cloud::default();
        let [one, two] = cloud.nodes().await;
        let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, json!({})).await;
        let mut heard = ada.drain();
        let (from, to) = if to_room { (&two, &one) } else { (&one, &two) };
        cloud.bus.delay(from, to, Duration::from_secs(5));
        pass(Duration::from_secs(4)).await;
        cloud.bus.delay(from, to, Duration::ZERO);
        pass(Duration::from_secs(8)).await;
        assert_eq!(bob.close_code(), Some(4006), "the way to the room is slow: {to_room}");
        heard.extend(ada.drain());
        comes_back(&two, ada, heard, bob, &joined).await;
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_slow_but_not_too_slow_are_only_late() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    cloud.bus.delay(&one, &two, Duration::from_millis(400));
    cloud.bus.delay(&two, &one, Duration::from_millis(400));
    let (mut ada, mut bob, _) = table(&one, &two, Codec::Json, json!({})).await;
    ada.drain();
    bob.drain();
    for n in 0..10 {
        ada.must("chat", json!({"text": format!("{n}")})).await;
        bob.must("game_action", json!({"do": "set", "total": n})).await;
    }
    pass(Duration::from_secs(5)).await;
    assert_eq!(bob.close_code(), None);
    assert_eq!(events(&bob.drain()), events(&ada.drain()));
}

#[tokio::test(start_paused = true)]
async fn a_joining_request_whose_message_is_lost_can_be_sent_again_and_gets_one_seat() {
    for lost in [true, false] {
        let cloud = Cloud::default();
        let [one, two] = cloud.nodes().await;
        let (mut ada, room) = Client::host(&one, Codec::Json, json!({"min": 2, "max": 4})).await;
        pass(SOON).await;
        let data = json!({"roomId": room["roomId"], "playerName": "Bob", "key": "k".repeat(16)});
        cloud.bus.lose(if lost { &one } else { &two }, 1);
        let mut bob = Client::connect(&two, Codec::Json);
        let error = bob.refused("join_room", data.clone()).await;
        assert_eq!(
            (&error["code"], &error["retryable"]),
            (&json!("ROOM_UNAVAILABLE"), &json!(true))
        );
        pass(Duration::from_secs(3)).await;
        let joined = bob.must("join_room", data).await;
        assert_eq!(joined["playerId"], 2);
        assert_eq!(joined["players"].as_array().unwrap().len(), 2, "{joined}");
        pass(SOON).await;
        ada.drain();
        bob.must("chat", json!({"text": "x"})).await;
        pass(SOON).await;
        assert_eq!(ada.event("chat_message")["playerId"], 2);
    }
}

/// A request for a seat is on its way for longer than anyone waits, and its client has got the seat elsewhere meanwhile.
#[tokio::test(start_paused = true)]
async fn a_joining_request_that_comes_too_late_does_not_take_the_seat_from_its_client() {
    // It gives up after its time, or before when it is out of touch.
    for is_out_of_touch in [false, true] {
        let cloud = Cloud::default();
        let [one, two] = cloud.nodes().await;
        let (_ada, room) = Client::host(&one, Codec::Json, json!({"min": 2, "max": 4})).await;
        pass(SOON).await;
        let data = json!({"roomId": room["roomId"], "playerName": "Bob", "key": "k".repeat(16)});
        let by = if is_out_of_touch { 1400 } else { 5000 };
        cloud.bus.delay(&two, &one, Duration::from_millis(by));
        if is_out_of_touch {
            // The loss shows by the message after.
            cloud.bus.lose(&two, 1);
            pass(Duration::from_secs(1)).await;
        }
        let mut lost = Client::connect(&two, Codec::Json);
        let asked = tokio::time::Instant::now();
        assert_eq!(lost.refused("join_room", data.clone()).await["code"], "ROOM_UNAVAILABLE");
        assert!(asked.elapsed() < Duration::from_millis(by), "it is still on its way");
        let mut bob = Client::connect(&one, Codec::Json);
        let joined = bob.must("join_room", data).await;
        pass(Duration::from_secs(10)).await;
        assert_eq!(bob.close_code(), None);
        drop(bob);
        let mut bob = Client::connect(&one, Codec::Json);
        bob.must("reconnect", super::token_of(&joined)).await;
    }
}
