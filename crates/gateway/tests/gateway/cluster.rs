//! Several gateways that are one server, over a bus and a directory in memory.

use std::sync::Arc;
use std::time::Duration;

use parlor_games::TicTacToe;
use parlor_gateway::{ClusterConfig, Gateway};
use parlor_protocol::Codec;
use parlor_store::{MemoryBus, MemoryRoomDirectory};
use serde_json::json;

use crate::probe::Probe;
use crate::support::{Client, TestStore, pass, roomy};

/// What nodes share.
#[derive(Default)]
pub(crate) struct Cloud {
    pub(crate) store: Arc<TestStore>,
    pub(crate) directory: MemoryRoomDirectory,
    pub(crate) bus: MemoryBus,
}

impl Cloud {
    fn node(&self) -> Arc<Gateway> {
        Gateway::builder(roomy())
            .game(Probe::default())
            .game(TicTacToe)
            .session_store(Arc::clone(&self.store) as _)
            .cluster(
                ClusterConfig::default(),
                Arc::new(self.directory.clone()),
                Arc::new(self.bus.clone()),
            )
            .start()
    }

    async fn nodes<const N: usize>(&self) -> [Arc<Gateway>; N] {
        let nodes = std::array::from_fn(|_| self.node());
        pass(ACQUAINTED).await;
        assert!(nodes.iter().all(|node| node.other_nodes() == N - 1));
        nodes
    }
}

/// After that all nodes know each other.
const ACQUAINTED: Duration = Duration::from_secs(3);

#[tokio::test(start_paused = true)]
async fn a_player_joins_a_room_of_another_node_and_both_play() {
    for codecs in [[Codec::Json, Codec::MsgPack], [Codec::MsgPack, Codec::Json]] {
        let cloud = Cloud::default();
        let [one, two] = cloud.nodes().await;
        let (mut ada, joined) = Client::host(&one, codecs[0], json!({})).await;
        let (mut bob, seat) = Client::guest(&two, codecs[1], &joined["roomId"], "Bob").await;
        assert_eq!(seat["playerId"], 2);
        assert!(seat["sessionToken"].as_str().unwrap().len() >= 22);
        pass(Duration::from_millis(10)).await;
        assert_eq!(bob.event("player_joined")["name"], "Bob");
        assert_eq!(ada.event("player_joined")["name"], "Ada");
        assert_eq!(ada.event("player_joined")["name"], "Bob");
        bob.must("chat", json!({"text": "hello"})).await;
        pass(Duration::from_millis(10)).await;
        assert_eq!(ada.event("chat_message")["text"], "hello");
        assert_eq!(bob.event("chat_message")["text"], "hello");
        let left = bob.must("leave_room", json!({})).await;
        assert!(left["seq"].as_u64().unwrap() > 0);
        assert_eq!(bob.refused("chat", json!({"text": "?"})).await["code"], "NOT_IN_ROOM");
        assert!(bob.must("list_rooms", json!({})).await["rooms"].is_array());
        assert_eq!(bob.close_code(), None);
    }
}
