//! Games that step by themselves: called in time, and honest about being late.

use std::sync::Arc;
use std::time::Duration;

use parlor_gateway::Gateway;
use parlor_protocol::Codec;
use serde_json::json;

use crate::board::Board;
use crate::support::{Client, pass, roomy};

#[tokio::test(start_paused = true)]
async fn rooms_step_at_their_rate_though_nobody_asks_anything() {
    let gateway: Arc<Gateway> = Gateway::builder(roomy()).game(Board).start();
    let mut clients = Vec::new();
    for steps in [1, 10, 30, 128] {
        let mut client = Client::connect(&gateway, Codec::Json);
        let data = json!({"gameType": "board", "playerName": "Ada", "options": {"steps": steps}});
        client.must("create_room", data).await;
        client.must("start_game", json!({})).await;
        clients.push((client, steps));
    }
    for _ in 0..3000 {
        pass(Duration::from_millis(1)).await;
    }
    for (client, steps) in &mut clients {
        let state = client.must("get_state", json!({})).await;
        assert_eq!(state["state"]["steps"], 3 * *steps);
    }
    let ticks = gateway.ticks();
    assert_eq!((ticks.taken, ticks.skipped), (3 * (1 + 10 + 30 + 128), 0));
    assert_eq!(ticks.lateness_quantile(1.0), Some(Duration::ZERO), "{ticks:?}");
}

/// The clock jumps: nobody was called for ten seconds.
#[tokio::test(start_paused = true)]
async fn steps_that_are_let_go_are_counted() {
    let gateway = Gateway::builder(roomy()).game(Board).start();
    let mut ada = Client::connect(&gateway, Codec::Json);
    let data = json!({"gameType": "board", "playerName": "Ada", "options": {"steps": 10}});
    ada.must("create_room", data).await;
    ada.must("start_game", json!({})).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    let taken = ada.must("get_state", json!({})).await["state"]["steps"].as_u64().unwrap();
    let ticks = gateway.ticks();
    assert_eq!(ticks.taken, taken);
    assert_eq!(ticks.taken + ticks.skipped, 100);
    assert!(ticks.skipped > 90, "{ticks:?}");
}
