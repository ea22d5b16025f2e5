//! Every backend keeps the promises of the traits.

use std::time::Duration;

use parlor_store::{
    MemoryBus, MemoryRoomDirectory, MemorySessionStore, NodeRecord, RoomDirectory, conformance,
};

#[tokio::test(start_paused = true)]
async fn memory_session_store_keeps_its_promises() {
    conformance::session_store(&MemorySessionStore::new(), tokio::time::advance).await;
}

#[tokio::test(start_paused = true)]
async fn memory_room_directory_keeps_its_promises() {
    conformance::room_directory(&MemoryRoomDirectory::new(), tokio::time::advance).await;
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_has_forgotten_says_so_and_begins_anew() {
    let directory = MemoryRoomDirectory::new();
    let node = NodeRecord { node: "node-1".into(), about: String::new() };
    let lease = Duration::from_secs(60);
    let before = directory.beat(&node, lease).await.unwrap();
    directory.claim("ROOM", "node-1", 7, lease).await.unwrap();

    directory.forget();
    assert_eq!(directory.find("ROOM").await, Ok(None));
    let after = directory.beat(&node, lease).await.unwrap();
    assert!(!after.was_held);
    assert_ne!(after.memory, before.memory);
}

#[tokio::test(start_paused = true)]
async fn memory_bus_keeps_its_promises() {
    conformance::bus(&MemoryBus::new()).await;
}

#[tokio::test(start_paused = true)]
async fn an_inbox_in_memory_has_a_bound() {
    conformance::bus_bound(&MemoryBus::new()).await;
}
