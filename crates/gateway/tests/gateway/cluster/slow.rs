//! A client of another node that reads slowly: bounded on both sides, and nobody's concern but its own.

use std::time::Duration;

use parlor_protocol::Codec;
use serde_json::json;

use super::cloud::{Cloud, SOON};
use super::{events, return_of, table, wide};
use crate::support::{Client, next_id, pass, settle};

#[tokio::test(start_paused = true)]
async fn a_slow_client_of_another_node_is_closed_with_4002_at_its_bound_and_hurts_nobody_else() {
    let mut cloud = Cloud::default();
    cloud.gateway.history.events_max = 10_000;
    let [one, two] = cloud.nodes().await;
    let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, wide()).await;
    let (mut carol, _) = Client::guest(&two, Codec::Json, &joined["roomId"], "Carol").await;
    pass(SOON).await;
    ada.drain();
    carol.drain();
    let heard = bob.drain();
    // What may be under way to a client and not taken, and what waits for it at the room.
    let (under_way, outbox) = (128, cloud.gateway.outbox.messages_max);
    let mut lines = 0;
    let mut at_most = 0;
    while bob.connection.outbox().close_code() == 1006 {
        ada.must("chat", json!({"text": format!("line {lines}")})).await;
        ada.receive();
        lines += 1;
        settle().await;
        carol.receive();
        at_most = at_most.max(bob.connection.outbox().len());
        assert!(lines <= 2 * under_way + outbox + 10, "it is bounded");
    }
    assert!(at_most <= 2 * under_way, "{at_most} wait at the socket");
    assert!(lines > outbox, "{lines} lines until it was too slow");
    assert_eq!(bob.close_code(), Some(4002));
    pass(SOON).await;
    let (ada_heard, carol_heard) = (events(&ada.drain()), events(&carol.drain()));
    assert_eq!(carol_heard.iter().filter(|e| e["type"] == "chat_message").count(), lines);
    assert_eq!(ada_heard.iter().filter(|e| e["type"] == "chat_message").count(), lines);
    assert_eq!((ada.close_code(), carol.close_code()), (None, None));

    let mut seen = heard;
    seen.extend(bob.drain());
    drop(bob);
    let mut bob = Client::connect(&two, Codec::Json);
    let back = bob.must("reconnect", return_of(&joined, &seen)).await;
    assert_eq!(back["resumed"], "replayed");
    for _ in 0..20 {
        pass(SOON).await;
        bob.receive();
    }
    seen.extend(bob.drain());
    let lines_seen = seen.iter().filter(|message| message["type"] == "chat_message").count();
    assert_eq!(lines_seen, lines, "nothing is lost");
}

#[tokio::test(start_paused = true)]
async fn bytes_under_way_to_a_slow_client_are_bounded_too() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (mut ada, bob, _) = table(&one, &two, Codec::Json, wide()).await;
    let (mut lines, mut at_most) = (0, 0);
    while bob.connection.outbox().close_code() == 1006 {
        let long = json!({"n": "x".repeat(900)});
        let kind = if lines % 2 == 0 { json!({"m": lines}) } else { long };
        ada.must("update_room", json!({"metadata": kind})).await;
        ada.receive();
        lines += 1;
        settle().await;
        at_most = at_most.max(bob.connection.outbox().len());
        assert!(lines < 2000, "it is bounded");
    }
    assert!(at_most <= 256);
}

#[tokio::test(start_paused = true)]
async fn states_for_a_slow_client_of_another_node_are_coalesced_where_the_room_is() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (mut ada, mut bob, _) = table(&one, &two, Codec::Json, json!({})).await;
    bob.drain();
    let sent = cloud.bus.sent().len();
    for n in 0..5000 {
        ada.must("game_action", json!({"do": "set", "total": n})).await;
        ada.receive();
        settle().await;
    }
    pass(SOON).await;
    let waiting = bob.connection.outbox().len();
    assert!(waiting <= 256, "{waiting} states wait at the socket");
    let sent = cloud.bus.sent().len() - sent;
    assert!(sent < 200_000, "{sent} bytes crossed the bus");
    assert_eq!(bob.close_code(), None, "states alone make nobody slow");
    let mut messages = Vec::new();
    for _ in 0..5 {
        messages.extend(bob.drain());
        pass(SOON).await;
    }
    assert_eq!(messages.last().unwrap()["data"]["state"]["total"], 4999, "the newest at last");
}

/// A response that still waits at the room's node must not be overtaken by one that the socket's node gives.
#[tokio::test(start_paused = true)]
async fn answers_stay_in_order_for_a_client_that_reads_slowly() {
    for leaves in [false, true] {
        let cloud = Cloud::default();
        let [one, two] = cloud.nodes().await;
        let (mut ada, mut bob, _) = table(&one, &two, Codec::Json, wide()).await;
        bob.drain();
        for n in 0..200 {
            ada.must("chat", json!({"text": format!("line {n}")})).await;
            ada.receive();
            settle().await;
        }
        let ids: Vec<_> = (0..4).map(|_| next_id()).collect();
        let second = if leaves { "leave_room" } else { "get_state" };
        let frame = json!([
            {"type": "chat", "id": ids[0], "data": {"text": "x"}},
            {"type": second, "id": ids[1]},
            {"type": "subscribe_rooms", "id": ids[2], "data": {"gameType": "probe"}},
            {"type": "ping", "id": ids[3]},
        ]);
        assert!(bob.send_and_read(&frame, Duration::from_secs(10)).await);
        let mut answers = Vec::new();
        for _ in 0..10 {
            answers.extend(bob.drain());
            pass(SOON).await;
        }
        let answered: Vec<_> =
            answers.iter().filter_map(|message| message["id"].as_u64()).collect();
        assert_eq!(answered, ids, "one leaves in between: {leaves}");
    }
}
