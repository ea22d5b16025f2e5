//! A game played through the gateway, without a socket.

use parlor_games::TicTacToe;
use parlor_gateway::{Gateway, GatewayConfig};
use parlor_protocol::Codec;
use serde_json::json;

use crate::support::Client;

#[tokio::test(start_paused = true)]
async fn two_players_play_tictactoe_to_the_end_in_two_codecs() {
    let gateway = Gateway::builder(GatewayConfig::default()).game(TicTacToe).start();
    let mut ada = Client::connect(&gateway, Codec::Json);
    let mut bob = Client::connect(&gateway, Codec::MsgPack);

    let room = ada.must("create_room", json!({"gameType": "tictactoe", "playerName": "Ada"})).await;
    assert_eq!(ada.drain_types(), ["player_joined", "host_changed", "room_state"]);
    bob.must("join_room", json!({"roomId": room["roomId"], "playerName": "Bob"})).await;

    ada.event("game_started");
    let mut state = ada.must("get_state", json!({})).await["state"].clone();
    for (row, col) in [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)] {
        let player = if state["turn"] == 1 { &mut ada } else { &mut bob };
        player.must("game_action", json!({"row": row, "col": col})).await;
        state = player.must("get_state", json!({})).await["state"].clone();
    }
    let first = bob.event("game_finished");
    assert_eq!(first["result"]["winner"], state["winner"]);
}
