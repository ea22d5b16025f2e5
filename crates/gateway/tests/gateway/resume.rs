//! Nothing lost: what a player who comes back is sent of what it missed.

use std::sync::Arc;
use std::time::Duration;

use parlor_gateway::{Gateway, GatewayConfig};
use parlor_protocol::{CloseCode, Codec};
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::support::{Client, gateway, gateway_with, pass, roomy};

/// The highest number that a client has seen in its events.
fn last_seq(messages: &[Value], joined: &Value) -> u64 {
    let seen = messages.iter().filter_map(|message| message["seq"].as_u64()).max();
    seen.or_else(|| joined["seq"].as_u64()).unwrap()
}

/// Two players at a running table; gives what each was told on joining.
async fn table(gateway: &Arc<Gateway>, codec: Codec) -> (Client, Client, Value) {
    let (mut ada, room) = Client::host(gateway, Codec::Json, json!({})).await;
    let (bob, joined) = Client::guest(gateway, codec, &room["roomId"], "Bob").await;
    ada.drain();
    (ada, bob, joined)
}

fn return_of(joined: &Value, last_seq: u64) -> Value {
    json!({
        "sessionToken": joined["sessionToken"],
        "epoch": joined["epoch"],
        "lastSeq": last_seq,
    })
}

fn event_numbers(messages: &[Value]) -> Vec<u64> {
    messages.iter().filter_map(|message| message["seq"].as_u64()).collect()
}

#[tokio::test(start_paused = true)]
async fn every_missed_event_is_replayed_once_in_order_and_of_states_the_newest_in_either_codec() {
    for (first, second) in [
        (Codec::Json, Codec::Json),
        (Codec::MsgPack, Codec::MsgPack),
        (Codec::MsgPack, Codec::Json),
        (Codec::Json, Codec::MsgPack),
    ] {
        let gateway = gateway(&Probe::default());
        let (mut ada, mut bob, joined) = table(&gateway, first).await;
        let seen = last_seq(&bob.drain(), &joined);
        drop(bob);

        for n in 0..3 {
            ada.must("chat", json!({"text": format!("line {n}")})).await;
            ada.must("game_action", json!({"do": "set", "total": n + 10})).await;
        }
        let told = ada.drain();

        let mut bob = Client::connect(&gateway, second);
        let back = bob.must("reconnect", return_of(&joined, seen)).await;
        assert_eq!(back["resumed"], "replayed");
        assert_eq!((&back["seq"], &back["epoch"]), (&json!(seen), &joined["epoch"]));
        assert_eq!(back.get("state"), None);

        let replay = bob.drain();
        let numbers = event_numbers(&replay);
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        assert!(numbers[0] > seen);

        let without_states = |messages: &[Value]| -> Vec<Value> {
            let of_room = |m: &&Value| m["seq"].as_u64().is_some_and(|seq| seq > seen);
            messages.iter().filter(of_room).filter(|m| m["type"] != "room_state").cloned().collect()
        };
        let mut expected = without_states(&told);
        expected.extend(without_states(&ada.drain()));
        assert_eq!(without_states(&replay), expected, "the same events for both");

        let states: Vec<&Value> = replay.iter().filter(|m| m["type"] == "room_state").collect();
        let newest = told.iter().rev().find(|m| m["type"] == "room_state").unwrap();
        assert_eq!(states.len(), 1, "of states the newest");
        assert!(states[0]["seq"].as_u64() >= newest["seq"].as_u64(), "at its place");
        assert_eq!(states[0]["data"]["state"]["total"], newest["data"]["state"]["total"]);
    }
}

#[tokio::test(start_paused = true)]
async fn one_who_missed_nothing_is_replayed_nothing() {
    let gateway = gateway(&Probe::default());
    let (_ada, mut bob, joined) = table(&gateway, Codec::Json).await;
    let mut again = Client::connect(&gateway, Codec::Json);
    let seen = last_seq(&bob.drain(), &joined);
    let back = again.must("reconnect", return_of(&joined, seen)).await;
    assert_eq!(back["resumed"], "replayed");
    assert_eq!(again.drain(), Vec::<Value>::new());
    assert_eq!(bob.close_code(), Some(4001), "it took the session over");
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_be_replayed_to_is_told_that_it_gets_a_snapshot() {
    let gateway = gateway(&Probe::default());
    let (_ada, mut bob, joined) = table(&gateway, Codec::Json).await;
    let seen = last_seq(&bob.drain(), &joined);
    drop(bob);
    let token = joined["sessionToken"].clone();
    for data in [
        json!({"sessionToken": token}),
        json!({"sessionToken": token, "epoch": joined["epoch"]}),
        json!({"sessionToken": token, "lastSeq": seen}),
        json!({"sessionToken": token, "epoch": "another", "lastSeq": seen}),
        json!({"sessionToken": token, "epoch": joined["epoch"], "lastSeq": seen + 1000}),
        // From before it sat down: that was told to others.
        json!({"sessionToken": token, "epoch": joined["epoch"], "lastSeq": 0}),
    ] {
        let mut bob = Client::connect(&gateway, Codec::Json);
        let back = bob.must("reconnect", data.clone()).await;
        assert_eq!(back["resumed"], "snapshot", "{data}");
        assert!(back["state"].is_object());
    }
}

#[tokio::test(start_paused = true)]
async fn history_reaches_back_as_far_as_its_bound_and_no_further() {
    let mut config = roomy();
    config.history.events_max = 10;
    let gateway = gateway_with(&Probe::default(), config);
    for (missed, resumed) in [(9, "replayed"), (10, "snapshot")] {
        let (mut ada, mut bob, joined) = table(&gateway, Codec::Json).await;
        let seen = last_seq(&bob.drain(), &joined);
        drop(bob);
        // The lost connection is an event, too.
        for _ in 0..missed {
            ada.must("chat", json!({"text": "."})).await;
        }
        let mut bob = Client::connect(&gateway, Codec::Json);
        let back = bob.must("reconnect", return_of(&joined, seen)).await;
        assert_eq!(back["resumed"], resumed, "after {missed} lines");
    }
}

#[tokio::test(start_paused = true)]
async fn history_is_bounded_in_bytes() {
    let mut config = roomy();
    config.history.bytes_max = 4096;
    let gateway = gateway_with(&Probe::default(), config);
    for (chars, resumed) in [(1, "replayed"), (500, "snapshot")] {
        let (mut ada, mut bob, joined) = table(&gateway, Codec::Json).await;
        let seen = last_seq(&bob.drain(), &joined);
        drop(bob);
        for _ in 0..8 {
            ada.must("chat", json!({"text": "x".repeat(chars)})).await;
        }
        let mut bob = Client::connect(&gateway, Codec::Json);
        let back = bob.must("reconnect", return_of(&joined, seen)).await;
        assert_eq!(back["resumed"], resumed, "{chars}");
    }
}

/// What was missed is more than an outbox holds, and waits beside it.
#[tokio::test(start_paused = true)]
async fn replay_may_be_larger_than_an_outbox_which_then_holds_as_much_as_ever() {
    let mut config: GatewayConfig = roomy();
    config.outbox.messages_max = 64;
    let gateway = gateway_with(&Probe::default(), config);
    let (mut ada, mut bob, joined) = table(&gateway, Codec::Json).await;
    let seen = last_seq(&bob.drain(), &joined);
    drop(bob);
    let say = async |ada: &mut Client, lines: usize| {
        for _ in 0..lines {
            ada.must("chat", json!({"text": "."})).await;
            ada.drain();
        }
    };
    say(&mut ada, 200).await;
    let mut bob = Client::connect(&gateway, Codec::Json);
    let back = json!({"type": "reconnect", "id": 1, "data": return_of(&joined, seen)});
    bob.send(&back).await;
    say(&mut ada, 60).await;
    assert_eq!(bob.drain_types().iter().filter(|kind| *kind == "chat_message").count(), 260);
    assert_eq!(bob.close_code(), None);
    say(&mut ada, 65).await;
    assert_eq!(bob.close_code(), Some(CloseCode::SlowConsumer.as_u16()));
}

/// Nobody can come back to what happened so long ago: the seats of those who missed it are gone.
#[tokio::test(start_paused = true)]
async fn history_is_no_older_than_a_seat_is_held_and_some() {
    let mut config = roomy();
    config.history.slack = Duration::from_secs(5);
    let gateway = gateway_with(&Probe::default(), config);
    for (more, resumed) in [(4, "replayed"), (6, "snapshot")] {
        let (mut ada, mut bob, joined) = table(&gateway, Codec::Json).await;
        let seen = last_seq(&bob.drain(), &joined);
        // One that was there all the time, and tells what it last saw.
        ada.must("chat", json!({"text": "long ago"})).await;
        pass(Duration::from_secs(60 + more)).await;
        ada.must("chat", json!({"text": "now"})).await;
        drop(bob);
        let mut bob = Client::connect(&gateway, Codec::Json);
        let back = bob.must("reconnect", return_of(&joined, seen)).await;
        assert_eq!(back["resumed"], resumed, "{more} s more");
    }
}

/// Who changes roles had other things told to it before: replayed to the new role, the history would
/// leave out what the old one missed and give away what it was not to hear.
#[tokio::test(start_paused = true)]
async fn replay_reaches_back_no_further_than_the_role() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({"late_join": true})).await;
    let (mut bob, joined) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    let seen = last_seq(&bob.drain(), &joined);
    let tell = |to: &str, note: u64| json!({"do": "tell", "note": note, "to": to});
    ada.must("game_action", tell("spectators", 1)).await;
    ada.must("game_action", tell("players", 2)).await;
    // Bob does not read on before he loses the socket.
    bob.send(&json!({"type": "set_role", "data": {"spectator": true}})).await;
    drop(bob);

    let mut bob = Client::connect(&gateway, Codec::Json);
    let back = bob.must("reconnect", return_of(&joined, seen)).await;
    assert_eq!(back["resumed"], "snapshot");
    assert_eq!(bob.find_event("game_event"), None);

    let seen = back["seq"].as_u64().unwrap();
    ada.must("game_action", tell("spectators", 3)).await;
    let mut bob = Client::connect(&gateway, Codec::Json);
    let back = bob.must("reconnect", return_of(&joined, seen)).await;
    assert_eq!(back["resumed"], "replayed", "of what was told to the new role");
    assert_eq!(bob.event("game_event"), json!({"name": "told", "data": {"note": 3}}));
}

#[tokio::test(start_paused = true)]
async fn late_attempt_does_not_steal_the_seat_back() {
    let gateway = gateway(&Probe::default());
    let (_ada, bob, joined) = table(&gateway, Codec::Json).await;
    drop(bob);
    let with = |attempt: u64| json!({"sessionToken": joined["sessionToken"], "attempt": attempt});
    let mut holder = Client::connect(&gateway, Codec::Json);
    holder.must("reconnect", with(5)).await;
    let mut late = Client::connect(&gateway, Codec::Json);
    assert_eq!(late.refused("reconnect", with(4)).await["code"], "STALE_REQUEST");
    holder.must("get_state", json!({})).await;

    let mut next = Client::connect(&gateway, Codec::Json);
    next.must("reconnect", with(6)).await;
    assert_eq!(holder.close_code(), Some(4001));
    drop(next);
    late.must("reconnect", with(4)).await;
}

#[tokio::test(start_paused = true)]
async fn frames_of_a_socket_that_lost_its_seat_do_nothing() {
    let gateway = gateway(&Probe::default());
    let (mut ada, mut bob, joined) = table(&gateway, Codec::Json).await;
    let mut successor = Client::connect(&gateway, Codec::Json);
    successor.must("reconnect", json!({"sessionToken": joined["sessionToken"]})).await;
    ada.drain();
    bob.send(&json!({"type": "chat", "id": 900, "data": {"text": "late"}})).await;
    drop(bob);
    assert_eq!(ada.drain(), Vec::<Value>::new(), "neither the line nor a disconnection");
}

#[tokio::test(start_paused = true)]
async fn every_queued_message_was_written_coalesced_or_unsent() {
    let gateway = gateway(&Probe::default());
    let (mut ada, mut bob, joined) = table(&gateway, Codec::Json).await;
    let seen = last_seq(&bob.drain(), &joined);
    for n in 0..20 {
        // Bob reads nothing of this: of the states only the last stays.
        ada.must("game_action", json!({"do": "set", "total": n})).await;
        ada.must("chat", json!({"text": "."})).await;
    }
    drop(bob);
    let mut bob = Client::connect(&gateway, Codec::Json);
    bob.must("reconnect", return_of(&joined, seen)).await;
    drop((ada, bob));

    let traffic = gateway.traffic();
    let unsent: u64 = traffic.unsent.values().sum();
    assert_eq!(traffic.queued, traffic.written + traffic.coalesced + unsent);
    assert!(traffic.coalesced >= 19 && traffic.replayed >= 20, "{traffic:?}");
    assert!(traffic.unsent[&1006] >= 20, "{traffic:?}");
}
