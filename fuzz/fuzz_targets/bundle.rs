//! What comes from the bus, to a node that takes the sender for another: several messages, each after its length.

#![no_main]

use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use parlor_games::TicTacToe;
use parlor_gateway::{ClusterConfig, Gateway, GatewayConfig};
use parlor_store::{Bus, MemoryBus, MemoryRoomDirectory, NodeRecord, RoomDirectory};

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(feed(bytes));
});

async fn feed(mut bytes: &[u8]) {
    let (bus, directory) = (MemoryBus::new(), MemoryRoomDirectory::new());
    let other = NodeRecord { node: "a".to_owned(), about: r#"{"games":[]}"#.to_owned() };
    directory.beat(&other, Duration::from_secs(60)).await.expect("it is in memory");
    let gateway = Gateway::builder(GatewayConfig::default())
        .game(TicTacToe)
        .cluster(ClusterConfig::default(), Arc::new(directory), Arc::new(bus.clone()))
        .start();
    settle().await;
    let inbox = format!("node:{}", gateway.node().expect("it is one of several"));
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (message, rest) = rest.split_at(length);
        bytes = rest;
        bus.send(&inbox, message.to_vec()).await.expect("it is in memory");
        settle().await;
    }
}

/// Lets the other tasks do what they can do now.
async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}
