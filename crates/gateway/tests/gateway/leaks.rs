//! Nothing is left of rooms, sessions and connections that are gone.

use std::sync::Arc;
use std::time::Duration;

use parlor_gateway::Gateway;
use parlor_protocol::Codec;
use serde_json::json;

use crate::probe::Probe;
use crate::support::{Client, TestStore, pass, roomy, settle};

/// A thousand rooms end in every way there is.
#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_thousand_rooms_that_came_and_went() {
    let (probe, store) = (Probe::default(), Arc::new(TestStore::default()));
    let gateway = Gateway::builder(roomy())
        .game(probe.clone())
        .session_store(Arc::clone(&store) as Arc<_>)
        .start();
    let mut watcher = Client::connect(&gateway, Codec::Json);
    watcher.must("subscribe_rooms", json!({"gameType": "probe"})).await;
    let nothing = probe.holders();
    for round in 0..1000 {
        let options = json!({"min": 1, "max": 2, "start": "Host"});
        let (mut ada, room) = Client::host(&gateway, Codec::MsgPack, options).await;
        let (mut bob, _) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
        if round % 2 == 0 {
            ada.must("start_game", json!({})).await;
        }
        match round % 4 {
            0 => {
                ada.must("leave_room", json!({})).await;
                bob.must("leave_room", json!({})).await;
            }
            1 => drop((ada, bob)),
            2 => {
                ada.must("game_action", json!({"do": "timer", "after_ms": 1_000})).await;
                ada.must("kick_player", json!({"playerId": 2})).await;
            }
            _ => {
                bob.must("leave_room", json!({})).await;
                ada.must("add_bot", json!({})).await;
            }
        }
    }
    assert_eq!(gateway.room_count(), 1000);
    assert_eq!(gateway.connection_count(), 1);
    // Grace in play, grace in the lobby, and the empty room's own time.
    pass(Duration::from_secs(90)).await;
    assert_eq!(gateway.room_count(), 0);
    assert_eq!(watcher.must("list_rooms", json!({})).await["rooms"], json!([]));
    settle().await;
    assert_eq!(store.len(), 0, "sessions in the store");
    assert_eq!(probe.holders(), nothing, "rooms in memory");
    drop(watcher);
    assert_eq!(gateway.connection_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_is_dropped_lets_go_of_its_rooms() {
    let probe = Probe::default();
    let before = probe.holders();
    let gateway = Gateway::builder(roomy()).game(probe.clone()).start();
    let (mut ada, _) = Client::host(&gateway, Codec::Json, json!({"min": 1, "max": 1})).await;
    ada.must("game_action", json!({"do": "timer", "after_ms": 1_000})).await;
    assert!(probe.holders() > before);
    drop((ada, gateway));
    settle().await;
    assert_eq!(probe.holders(), before);
}
