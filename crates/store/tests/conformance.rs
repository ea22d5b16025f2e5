//! Every backend keeps the promises of the traits.

use parlor_store::{MemorySessionStore, conformance};

#[tokio::test(start_paused = true)]
async fn memory_session_store_keeps_its_promises() {
    conformance::session_store(&MemorySessionStore::new(), tokio::time::advance).await;
}
