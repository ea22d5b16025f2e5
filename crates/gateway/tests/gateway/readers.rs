//! Many threads at once: readers never see half a change, and nobody waits for ever.

use std::sync::Arc;
use std::time::Duration;

use parlor_core::CloseReason;
use parlor_gateway::Gateway;
use parlor_protocol::{Codec, RoomCode};
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::support::{Client, gateway};

/// A state is whole when its second half was written with its first.
#[track_caller]
fn check_whole(state: &Value) {
    let (total, twice) = (state["total"].as_i64().unwrap(), state["twice"].as_i64().unwrap());
    assert_eq!(total * 2, twice, "{state}");
}

/// Plays, and checks everything that it is told meanwhile.
async fn play(gateway: Arc<Gateway>, room: Value, codec: Codec, number: i64) {
    let (mut client, joined) = Client::guest(&gateway, codec, &room, "P").await;
    let (mut last, mut version) = (joined["seq"].as_u64().unwrap(), 0);
    for round in 0..ROUNDS {
        let action = json!({"do": "set", "total": number * 1_000 + round});
        client.must("game_action", action).await;
        let state = client.must("get_state", json!({})).await;
        check_whole(&state["state"]);
        for message in client.drain() {
            let seq = message["seq"].as_u64().unwrap();
            assert!(seq > last, "{seq} after {last}");
            last = seq;
            if message["type"] == "room_state" {
                check_whole(&message["data"]["state"]);
                let newer = message["data"]["version"].as_u64().unwrap();
                assert!(newer > version);
                version = newer;
            }
        }
        if round % 50 == 49 {
            client.must("leave_room", json!({})).await;
            let data = json!({"roomId": room, "playerName": "P"});
            last = client.must("join_room", data).await["seq"].as_u64().unwrap();
            client.inbox.retain(|message| message["seq"].as_u64().is_some_and(|seq| seq > last));
        }
        tokio::task::yield_now().await;
    }
}

/// Looks at the listings; what they say of a room belongs together.
async fn browse(gateway: Arc<Gateway>, codec: Codec) {
    let mut client = Client::connect(&gateway, codec);
    client.must("subscribe_rooms", json!({"gameType": "probe"})).await;
    for _ in 0..ROUNDS {
        let rooms = client.must("list_rooms", json!({})).await;
        for info in rooms["rooms"].as_array().unwrap() {
            let (players, max) = (info["playerCount"].as_u64(), info["maxPlayers"].as_u64());
            assert!(players <= max, "{info}");
            assert_eq!(info["joinable"] == true, players < max, "{info}");
        }
        client.drain();
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_whole_states_while_writers_and_others_come_and_go() {
    let gateway = gateway(&Probe::default());
    let options = json!({"min": 1, "max": 8, "start": "Host", "late_join": true});
    let mut rooms = Vec::new();
    for _ in 0..2 {
        let (mut host, joined) = Client::host(&gateway, Codec::Json, options.clone()).await;
        host.must("start_game", json!({})).await;
        rooms.push((host, joined["roomId"].clone()));
    }
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..6 {
        let codec = Codec::ALL[number % 2];
        let room = rooms[number % 2].1.clone();
        tasks.spawn(play(Arc::clone(&gateway), room, codec, number as i64));
        tasks.spawn(browse(Arc::clone(&gateway), codec));
    }
    let all = tokio::time::timeout(Duration::from_secs(60), tasks.join_all()).await;
    assert!(all.is_ok(), "somebody waits for ever");
    for (host, _) in &mut rooms {
        check_whole(&host.must("get_state", json!({})).await["state"]);
    }
    assert_eq!((gateway.room_count(), gateway.connection_count()), (2, 2));
}

/// Everything at once, in an order that nobody foresees: sitting down, losing the socket, taking
/// over, kicking, closing. Whoever waits for a lock in the wrong order waits for ever.
async fn churn(gateway: Arc<Gateway>, codec: Codec, number: u64) {
    let quick = json!({
        "gameType": "probe", "playerName": format!("P{number}"),
        "options": {"min": 1, "max": 3, "start": "Host", "late_join": true},
    });
    for round in 0..100 {
        let mut client = Client::connect(&gateway, codec);
        client.must("subscribe_rooms", json!({"gameType": "probe"})).await;
        let joined = client.must("quick_match", quick.clone()).await;
        let token = json!({"sessionToken": joined["sessionToken"]});
        for (kind, data) in [
            ("add_bot", json!({"level": (["quick", "deep"])[round % 2]})),
            ("start_game", json!({})),
            ("game_action", json!({"do": "timer", "after_ms": 1})),
            ("game_action", json!({"do": "set", "total": 1})),
            ("update_room", json!({"metadata": {"round": round}})),
            ("list_rooms", json!({})),
            ("kick_player", json!({"playerId": 2})),
        ] {
            // Someone may have kicked this player, or closed the room, at any moment.
            client.send(&json!({"type": kind, "id": 1, "data": data})).await;
            tokio::task::yield_now().await;
        }
        match (number + round as u64) % 4 {
            0 => drop(client),
            1 => {
                let mut other = Client::connect(&gateway, codec);
                other.ask("reconnect", token).await;
            }
            2 => {
                let code = RoomCode::parse(joined["roomId"].as_str().unwrap()).unwrap();
                gateway.close_room(code, CloseReason::Admin);
            }
            _ => client.send(&json!({"type": "leave_room"})).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_waits_for_ever_while_rooms_are_joined_taken_over_and_closed_from_all_sides() {
    let gateway = gateway(&Probe::default());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let codec = Codec::ALL[number as usize % 2];
        tasks.spawn(churn(Arc::clone(&gateway), codec, number));
    }
    let all = tokio::time::timeout(Duration::from_secs(60), tasks.join_all()).await;
    assert!(all.is_ok(), "somebody waits for ever");
    assert_eq!(gateway.connection_count(), 0);
    Client::host(&gateway, Codec::Json, json!({})).await;
}

const ROUNDS: i64 = 300;
