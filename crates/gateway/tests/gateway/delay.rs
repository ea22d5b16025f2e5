//! Spectators who are told later: everything, as it was then, and nothing sooner.

use std::sync::Arc;
use std::time::Duration;

use parlor_core::CloseReason;
use parlor_gateway::{Gateway, GatewayConfig};
use parlor_protocol::{CloseCode, Codec, RoomCode};
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::support::{Client, contains, gateway, gateway_with, pass, roomy};

const DELAY: Duration = Duration::from_secs(10);

fn options() -> Value {
    json!({"min": 1, "max": 4, "start": "Host", "late_join": true, "delay": DELAY.as_secs()})
}

async fn watch(gateway: &Arc<Gateway>, codec: Codec, room: &Value) -> (Client, Value) {
    let mut eve = Client::connect(gateway, codec);
    let data = json!({"roomId": room, "playerName": "Eve", "spectator": true});
    let joined = eve.must("join_room", data).await;
    (eve, joined)
}

fn set(total: i64) -> Value {
    json!({"do": "set", "total": total})
}

/// The events of a room among these messages.
fn events(messages: Vec<Value>) -> Vec<Value> {
    messages.into_iter().filter(|message| message.get("seq").is_some()).collect()
}

fn numbers(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// The numbers of the game's own events.
fn shouts(events: &[Value]) -> Vec<u64> {
    let shout = |event: &&Value| event["type"] == "game_event";
    numbers(&events.iter().filter(shout).cloned().collect::<Vec<_>>())
}

#[tokio::test(start_paused = true)]
async fn a_spectator_hears_everything_later_and_nothing_sooner_in_either_codec() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options()).await;
    // They are there from the start, so they miss nothing of it.
    let mut watchers = Vec::new();
    for codec in Codec::ALL {
        watchers.push(watch(&gateway, codec, &room["roomId"]).await.0);
    }
    let mut told = ada.drain();
    pass(DELAY).await;
    let before: Vec<_> = watchers.iter_mut().map(|eve| eve.drain().len()).collect();
    assert!(before.iter().all(|count| *count > 0), "they have heard of their own coming");

    ada.must("start_game", json!({})).await;
    for total in 1..=5 {
        pass(Duration::from_secs(1)).await;
        ada.must("chat", json!({"text": format!("marked {total}")})).await;
        ada.must("game_action", set(total)).await;
        ada.must("game_action", json!({"do": "shout", "times": 1})).await;
        for eve in &mut watchers {
            assert_eq!(eve.drain(), Vec::<Value>::new(), "not yet");
            assert!(!contains(&eve.bytes, "marked"));
        }
    }
    told.extend(ada.drain());
    let mut later = Vec::new();
    for _ in 0..DELAY.as_secs() + 5 {
        pass(Duration::from_secs(1)).await;
        later.push(watchers.iter_mut().map(Client::drain).collect::<Vec<_>>());
    }
    let told = events(told);
    for place in 0..watchers.len() {
        let heard: Vec<_> = later.iter().flat_map(|by| events(by[place].clone())).collect();
        assert_eq!(numbers(&heard), numbers(&told[told.len() - heard.len()..]), "all of it");
        let lines = heard.iter().filter(|event| event["type"] == "chat_message").count();
        let states = heard.iter().filter(|event| event["type"] == "room_state");
        let totals: Vec<_> = states.map(|state| state["data"]["state"]["total"].clone()).collect();
        assert_eq!(lines, 5);
        assert_eq!(totals, [0, 1, 2, 3, 4, 5], "each at its own time, none overtaken");
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_spectators_join_and_to_get_state_shows_the_room_as_it_was() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options()).await;
    ada.must("start_game", json!({})).await;
    ada.must("game_action", set(1)).await;
    ada.must("chat", json!({"text": "old"})).await;
    pass(DELAY).await;
    ada.must("game_action", set(2)).await;
    ada.must("chat", json!({"text": "new"})).await;
    let (_bob, _) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;

    let (mut eve, joined) = watch(&gateway, Codec::MsgPack, &room["roomId"]).await;
    assert_eq!((&joined["phase"], &joined["state"]["total"]), (&json!("playing"), &json!(1)));
    let names: Vec<_> =
        joined["players"].as_array().unwrap().iter().map(|player| &player["name"]).collect();
    assert_eq!(names, ["Ada"], "neither Bob nor herself were there then");
    let lines: Vec<_> =
        joined["chat"].as_array().unwrap().iter().map(|line| &line["text"]).collect();
    assert_eq!(lines, ["old"]);
    assert_eq!(eve.must("get_state", json!({})).await["state"]["total"], 1);
    assert_eq!(events(eve.drain()), Vec::<Value>::new());

    pass(DELAY).await;
    let heard = events(eve.drain());
    assert!(numbers(&heard)[0] > joined["seq"].as_u64().unwrap());
    let told: Vec<_> = heard.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert!(told.contains(&"player_joined") && told.contains(&"chat_message"), "{told:?}");
    assert_eq!(eve.must("get_state", json!({})).await["state"]["total"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_spectator_who_comes_back_has_heard_each_event_once_and_none_too_soon() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options()).await;
    let (mut eve, joined) = watch(&gateway, Codec::Json, &room["roomId"]).await;
    ada.must("start_game", json!({})).await;
    let mut told = events(ada.drain());
    let (mut heard, mut last_seq) = (Vec::new(), joined["seq"].as_u64().unwrap());
    for round in 0..30 {
        ada.must("game_action", json!({"do": "shout", "times": 1})).await;
        ada.must("game_action", set(round)).await;
        told.extend(events(ada.drain()));
        pass(Duration::from_millis(700)).await;
        heard.extend(events(eve.drain()));
        last_seq = heard.last().map_or(last_seq, |event| event["seq"].as_u64().unwrap());
        if round % 3 == 0 {
            drop(eve);
            pass(Duration::from_millis(500)).await;
            let codec = Codec::ALL[usize::from(round % 2 == 0)];
            eve = Client::connect(&gateway, codec);
            let token = &joined["sessionToken"];
            let data =
                json!({"sessionToken": token, "epoch": joined["epoch"], "lastSeq": last_seq});
            let back = eve.must("reconnect", data).await;
            assert_eq!(back["resumed"], "replayed");
        }
    }
    pass(DELAY * 2).await;
    told.extend(events(ada.drain()));
    heard.extend(events(eve.drain()));
    assert_eq!(shouts(&heard), shouts(&told));
    assert!(numbers(&heard).is_sorted());
    let last = heard.iter().rfind(|event| event["type"] == "room_state").unwrap();
    assert_eq!(last["data"]["state"]["total"], 29);
}

#[tokio::test(start_paused = true)]
async fn one_who_begins_to_play_is_told_all_that_was_held_back_and_one_who_stops_hears_nothing_twice()
 {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options()).await;
    let (mut eve, _) = watch(&gateway, Codec::Json, &room["roomId"]).await;
    ada.must("start_game", json!({})).await;
    let mut heard = Vec::new();
    let mut told = events(ada.drain());
    for spectator in [false, true, false, true] {
        for _ in 0..3 {
            ada.must("game_action", json!({"do": "shout", "times": 1})).await;
            pass(Duration::from_secs(1)).await;
        }
        eve.must("set_role", json!({"spectator": spectator})).await;
        heard.extend(events(eve.drain()));
        told.extend(events(ada.drain()));
        if !spectator {
            let last = told.iter().rfind(|event| event["type"] == "game_event").unwrap();
            assert!(numbers(&heard).contains(&last["seq"].as_u64().unwrap()), "up to date");
        }
    }
    pass(DELAY * 2).await;
    heard.extend(events(eve.drain()));
    told.extend(events(ada.drain()));
    assert!(numbers(&heard).is_sorted_by(|a, b| a < b), "each once");
    assert_eq!(shouts(&heard), shouts(&told));
    assert_eq!(shouts(&heard).len(), 12);
}

fn with_bytes(delayed_bytes_max: usize) -> GatewayConfig {
    let mut config = roomy();
    config.delayed_bytes_max = delayed_bytes_max;
    config.outbox.messages_max = 10_000;
    config
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_full_holds_back_fewer_states_and_all_events() {
    let gateway = gateway_with(&Probe::default(), with_bytes(64 * 1024));
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options()).await;
    let (mut eve, _) = watch(&gateway, Codec::Json, &room["roomId"]).await;
    ada.must("start_game", json!({})).await;
    pass(DELAY).await;
    eve.drain();
    for total in 1..=200 {
        ada.must("game_action", set(total)).await;
        ada.drain();
    }
    for _ in 0..20 {
        ada.must("chat", json!({"text": "words"})).await;
    }
    let mut heard = Vec::new();
    for _ in 0..=DELAY.as_secs() {
        pass(Duration::from_secs(1)).await;
        while let next @ [_, ..] = &*eve.take(1) {
            heard.extend(next.iter().cloned());
        }
    }
    let count = |kind: &str| heard.iter().filter(|message| message["type"] == kind).count();
    assert_eq!(count("chat_message"), 20);
    assert_eq!(eve.closed, None);
    let last = heard.iter().rfind(|event| event["type"] == "room_state").unwrap();
    assert_eq!(last["data"]["state"]["total"], 200, "the last of all is there");
}

/// Words alone, more than may be held back.
#[tokio::test(start_paused = true)]
async fn a_line_full_of_events_is_cut_and_spectators_begin_anew_from_there() {
    let gateway = gateway_with(&Probe::default(), with_bytes(4 * 1024));
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options()).await;
    let (mut eve, joined) = watch(&gateway, Codec::Json, &room["roomId"]).await;
    ada.must("start_game", json!({})).await;
    pass(DELAY).await;
    eve.drain();
    ada.must("game_action", set(7)).await;
    for line in 0..200 {
        ada.must("chat", json!({"text": format!("line {line}")})).await;
        ada.drain();
    }
    assert_eq!(eve.close_code(), None, "not before she would have heard of it");
    assert!(!contains(&eve.bytes, "line"));
    pass(DELAY).await;
    assert_eq!(eve.close_code(), Some(CloseCode::SlowConsumer.as_u16()));

    let mut eve = Client::connect(&gateway, Codec::MsgPack);
    let back = eve.must("reconnect", json!({"sessionToken": joined["sessionToken"]})).await;
    assert_eq!(back["resumed"], "snapshot");
    assert_eq!(back["state"]["total"], 7);
    let last = back["chat"].as_array().unwrap().last().unwrap();
    assert_eq!(last["text"], "line 199");
}

/// More happens all the time than can be held back: each cut waits its time and no longer.
#[tokio::test(start_paused = true)]
async fn spectators_of_a_room_that_never_rests_are_not_kept_waiting_for_ever() {
    let gateway = gateway_with(&Probe::default(), with_bytes(4 * 1024));
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options()).await;
    let mut seen = Vec::new();
    for second in 0..60 {
        for _ in 0..10 {
            ada.must("chat", json!({"text": format!("{second} {}", "x".repeat(300))})).await;
            ada.drain();
        }
        pass(Duration::from_secs(1)).await;
        let (mut eve, joined) = watch(&gateway, Codec::Json, &room["roomId"]).await;
        let last = joined["chat"].as_array().unwrap().last().map(|line| line["text"].clone());
        let last = last.as_ref().and_then(Value::as_str).and_then(|text| text.split(' ').next());
        seen.push(last.map_or(0, |number| number.parse::<u64>().unwrap()));
        eve.must("leave_room", json!({})).await;
    }
    for (now, seen) in seen.iter().enumerate() {
        let now = now as u64;
        assert!(*seen <= now.saturating_sub(DELAY.as_secs() - 1), "{seen} at {now}: too soon");
        assert!(*seen + 2 * DELAY.as_secs() + 2 >= now, "{seen} at {now}: too late");
    }
}

/// What was given up cannot be told when it begins to play, so it is told that.
#[tokio::test(start_paused = true)]
async fn one_who_begins_to_play_after_a_cut_comes_back_to_the_whole_room() {
    let gateway = gateway_with(&Probe::default(), with_bytes(4 * 1024));
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options()).await;
    let (mut eve, joined) = watch(&gateway, Codec::Json, &room["roomId"]).await;
    for line in 0..200 {
        ada.must("chat", json!({"text": format!("line {line}")})).await;
        ada.drain();
    }
    let play = json!({"type": "set_role", "data": {"spectator": false}});
    eve.send(&play).await;
    assert_eq!(eve.close_code(), Some(CloseCode::SlowConsumer.as_u16()));
    drop(eve);
    let mut eve = Client::connect(&gateway, Codec::Json);
    let back = eve.must("reconnect", json!({"sessionToken": joined["sessionToken"]})).await;
    let last = back["chat"].as_array().unwrap().last().unwrap();
    assert_eq!((&back["resumed"], &last["text"]), (&json!("snapshot"), &json!("line 199")));
}

#[tokio::test(start_paused = true)]
async fn spectators_hear_all_the_rest_when_the_room_closes() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options()).await;
    let (mut eve, _) = watch(&gateway, Codec::MsgPack, &room["roomId"]).await;
    ada.must("chat", json!({"text": "last words"})).await;
    let code = RoomCode::parse(room["roomId"].as_str().unwrap()).unwrap();
    gateway.close_room(code, CloseReason::Admin);
    assert_eq!(eve.event("chat_message")["text"], "last words");
    assert_eq!(eve.event("room_closed")["reason"], "admin");
    assert_eq!(eve.close_code(), Some(CloseCode::RoomClosed.as_u16()));
}

#[tokio::test(start_paused = true)]
async fn patches_reach_spectators_later_and_build_on_what_they_were_sent() {
    let gateway = gateway(&Probe::default());
    let mut options = options();
    options["patches"] = json!(true);
    let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
    let (mut eve, joined) = watch(&gateway, Codec::Json, &room["roomId"]).await;
    ada.must("start_game", json!({})).await;
    let mut version = joined["version"].as_u64().unwrap();
    let mut total = json!(0);
    for round in 1..40 {
        ada.must("game_action", set(round)).await;
        ada.drain();
        pass(Duration::from_secs(1)).await;
        for event in events(eve.drain()) {
            let data = &event["data"];
            match event["type"].as_str().unwrap() {
                "room_state" => total = data["state"]["total"].clone(),
                "room_patch" => {
                    assert_eq!(data["base"], version);
                    let ops = data["ops"].as_array().unwrap();
                    let set = ops.iter().find(|op| op["path"] == "/total").unwrap();
                    total = set["value"].clone();
                }
                _ => continue,
            }
            version = data["version"].as_u64().unwrap();
        }
        assert_eq!(total, json!((round - DELAY.as_secs() as i64 + 1).max(0)));
    }
}
