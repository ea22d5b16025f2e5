//! Messages between gateways in one process.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::bus::INBOX_MESSAGES_MAX;
use crate::{Bus, StoreError};

/// A [`Bus`] among the clones of one value.
#[derive(Clone, Debug, Default)]
pub struct MemoryBus {
    /// Who listens to which inbox. Those who have stopped are found out by the next message.
    inboxes: Arc<Mutex<HashMap<String, Listeners>>>,
}

type Listeners = Vec<mpsc::Sender<Vec<u8>>>;

impl MemoryBus {
    /// A bus that nobody listens to yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Bus for MemoryBus {
    async fn send(&self, inbox: &str, message: Vec<u8>) -> Result<(), StoreError> {
        let mut inboxes = self.inboxes.lock();
        let Some(listeners) = inboxes.get_mut(inbox) else { return Ok(()) };
        listeners.retain(|listener| !listener.is_closed());
        if listeners.is_empty() {
            inboxes.remove(inbox);
            return Ok(());
        }
        for listener in listeners {
            let _full = listener.try_send(message.clone());
        }
        Ok(())
    }

    fn listen(&self, inbox: &str) -> mpsc::Receiver<Vec<u8>> {
        let (sender, receiver) = mpsc::channel(INBOX_MESSAGES_MAX);
        self.inboxes.lock().entry(inbox.to_owned()).or_default().push(sender);
        receiver
    }
}
