//! Where the holder of a token finds its seat again.
//!
//! This node's own rooms are looked up first, in memory, so that players come back while the store
//! is away. The store remembers longer: it tells a room that has closed from a token that never
//! was.

use std::sync::Arc;
use std::time::Duration;

use parlor_core::Digest;
use parlor_protocol::RoomCode;
use parlor_store::{DynSessionStore, Session, SessionKey, StoreError};
use tokio::sync::mpsc;

use crate::sharded::Sharded;

pub(crate) struct Sessions {
    store: Arc<dyn DynSessionStore>,
    ttl: Duration,
    /// The rooms of this node by the tokens that hold a seat in them.
    local: Sharded<Digest, RoomCode>,
    void: mpsc::Sender<Digest>,
}

/// Tokens that are void and wait to be removed from the store.
pub(crate) type VoidTokens = mpsc::Receiver<Digest>;

impl Sessions {
    /// The sessions, and what [`remove_void`](Self::remove_void) works on.
    pub(crate) fn new(store: Arc<dyn DynSessionStore>, ttl: Duration) -> (Self, VoidTokens) {
        let (void, void_tokens) = mpsc::channel(VOID_TOKENS_MAX);
        (Self { store, ttl, local: Sharded::new(), void }, void_tokens)
    }

    /// Saves where the token will lead. Done before sitting down, so that a seat is never without.
    pub(crate) async fn save(&self, token: Digest, room: RoomCode) -> Result<(), StoreError> {
        let session = Session { room: room.as_str().to_owned() };
        self.store.save(SessionKey(token.0), session, self.ttl).await
    }

    /// The room that the token leads to, which may have closed.
    pub(crate) async fn find(&self, token: Digest) -> Result<Option<RoomCode>, StoreError> {
        if let Some(room) = self.local.get(&token) {
            return Ok(Some(room));
        }
        let session = self.store.load(SessionKey(token.0)).await?;
        Ok(session.and_then(|session| RoomCode::parse(&session.room)))
    }

    /// The token holds a seat in a room of this node.
    pub(crate) fn seated(&self, token: Digest, room: RoomCode) {
        self.local.insert(token, room);
    }

    /// The room of the token's seat has closed. The store goes on to say so for a while.
    pub(crate) fn room_closed(&self, token: &Digest) {
        self.local.remove(token);
    }

    /// The token holds no seat any more. It is removed from the store soon, at best effort: when
    /// too many wait it expires there by itself, and the room would refuse it anyway.
    pub(crate) fn forget(&self, token: Digest) {
        self.local.remove(&token);
        let _full_or_stopped = self.void.try_send(token);
    }

    /// Removes void tokens from the store, until the sessions are dropped.
    pub(crate) async fn remove_void(store: Arc<dyn DynSessionStore>, mut void: VoidTokens) {
        while let Some(token) = void.recv().await {
            if let Err(error) = store.remove(SessionKey(token.0)).await {
                tracing::debug!(%error, "a void session stays in the store until it expires");
            }
        }
    }
}

/// Void tokens that may wait for the store.
const VOID_TOKENS_MAX: usize = 10_000;
