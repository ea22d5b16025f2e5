//! Whoever waits to write is woken: no message lies in an outbox until another one comes.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use parlor_core::CloseReason;
use parlor_gateway::outbox::Taken;
use parlor_gateway::{Connection, Gateway};
use parlor_protocol::{CloseCode, Codec, RoomCode};
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::support::{Client, gateway, pass, settle};

/// A client with a writer: a task that sleeps until its outbox wakes it.
struct Awake {
    connection: Connection,
    token: String,
    written: Arc<Mutex<Vec<Value>>>,
}

impl Awake {
    async fn join(gateway: &Arc<Gateway>, room: &Value) -> Self {
        let mut connection = gateway.connect(Codec::Json);
        let (outbox, written) = (Arc::clone(connection.outbox()), Arc::default());
        let out: Arc<Mutex<Vec<Value>>> = Arc::clone(&written);
        tokio::spawn(async move {
            loop {
                let mut taken = Vec::new();
                let next = poll_fn(|cx| outbox.poll_take(cx, 64, &mut taken)).await;
                let mut out = out.lock().unwrap();
                for message in taken {
                    out.push(serde_json::from_slice(&message.payload).unwrap());
                }
                if let Taken::Close { code, .. } = next {
                    out.push(json!({"type": code.to_string()}));
                    return;
                }
            }
        });
        let join = json!({"type": "join_room", "data": {"roomId": room, "playerName": "Bob"}});
        let (kind, bytes) = (Codec::Json.frame_kind(), Codec::Json.encode(&join).unwrap());
        if let parlor_gateway::Handled::Pending(future) = connection.handle(kind, &bytes) {
            future.await;
        }
        settle().await;
        let first = written.lock().unwrap().drain(..).nth(1).expect("the response to joining");
        let token = first["data"]["sessionToken"].as_str().unwrap().to_owned();
        Self { connection, token, written }
    }

    /// The types of what its writer has written since the last time, and the close code.
    async fn written(&self) -> Vec<String> {
        settle().await;
        let messages = std::mem::take(&mut *self.written.lock().unwrap());
        messages.iter().map(|message| message["type"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn everything_that_others_cause_wakes_the_writer_by_itself() {
    let gateway = gateway(&Probe::default());
    let options = json!({"min": 1, "max": 4, "start": "Host"});
    let (mut ada, joined) = Client::host(&gateway, Codec::Json, options).await;
    let room = &joined["roomId"];
    let bob = Awake::join(&gateway, room).await;

    ada.must("chat", json!({"text": "hello"})).await;
    assert_eq!(bob.written().await, ["chat_message"]);
    let (carol, of_carol) = Client::guest(&gateway, Codec::MsgPack, room, "Carol").await;
    assert_eq!(bob.written().await, ["player_joined"]);
    drop(carol);
    assert_eq!(bob.written().await, ["player_disconnected"]);
    let mut carol = Client::connect(&gateway, Codec::MsgPack);
    carol.must("reconnect", json!({"sessionToken": of_carol["sessionToken"]})).await;
    assert_eq!(bob.written().await, ["player_reconnected"]);
    carol.must("leave_room", json!({})).await;
    assert_eq!(bob.written().await, ["player_left"]);
    ada.must("add_bot", json!({"level": "deep"})).await;
    assert_eq!(bob.written().await, ["player_joined"]);
    ada.must("start_game", json!({})).await;
    assert_eq!(bob.written().await, ["game_started", "room_state"]);
    ada.must("game_action", json!({"do": "set", "total": 1})).await;
    assert_eq!(bob.written().await, ["room_state"]);
    // The bot's answer comes from another thread, which time waits for.
    pass(Duration::from_secs(2)).await;
    assert_eq!(bob.written().await, ["room_state"]);
    ada.must("game_action", json!({"do": "timer", "after_ms": 100})).await;
    pass(Duration::from_millis(150)).await;
    assert_eq!(bob.written().await, ["game_event", "room_state"], "the driver's doing");
    gateway.drain(Duration::from_secs(1));
    assert_eq!(bob.written().await, ["server_draining"]);
    let code = RoomCode::parse(room.as_str().unwrap()).unwrap();
    gateway.close_room(code, CloseReason::Admin);
    assert_eq!(bob.written().await, ["room_closed", "4004"]);
    drop(bob.connection);
}

#[tokio::test(start_paused = true)]
async fn being_closed_wakes_the_writer_by_itself() {
    for how in ["kick", "takeover", "server"] {
        let gateway = gateway(&Probe::default());
        let options = json!({"min": 1, "max": 4, "start": "Host"});
        let (mut ada, joined) = Client::host(&gateway, Codec::Json, options).await;
        let bob = Awake::join(&gateway, &joined["roomId"]).await;
        let token = json!({"sessionToken": bob.token});
        match how {
            "kick" => {
                ada.must("kick_player", json!({"playerId": 2})).await;
                assert_eq!(bob.written().await, ["player_left", "4003"]);
            }
            "takeover" => {
                Client::connect(&gateway, Codec::Json).must("reconnect", token).await;
                assert_eq!(bob.written().await, ["4001"]);
            }
            _ => {
                gateway.close_connections(CloseCode::GoingAway, "shutting down");
                assert_eq!(bob.written().await, ["1001"]);
            }
        }
    }
}
